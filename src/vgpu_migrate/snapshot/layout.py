"""The snapshot a simulated host publishes, byte for byte: Python writes and C reads by this one description.

`tools/make_native_headers.py` turns these tables into `native/layout.h`; a test compares every size and
offset with what the C compiler makes of it.

A snapshot is one sealed piece of shared memory that only the host can write:

    header   who wrote it, where everything is, the generation, the heartbeat
    static   what never changes while the host lives: vgpu types, the rule table as a program
    slot 0   what changes; the generation's last bit says which of the two slots is in force
    slot 1

The host fills the slot that is not in force and then raises the generation. A reader remembers the
generation, copies what it wants, and starts again if the generation has changed meanwhile: nobody waits for
anybody, and a host killed in the middle of writing leaves the slot in force whole.

Integers are little-endian and lie at multiples of their size. Offsets count from the start of the snapshot.
Texts are ASCII, padded with NULs, and always end in one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

MAGIC = b"VGMSNAP\0"
LAYOUT_VERSION = 1
PAGE = 4096

ANY = 0xFFFF_FFFF
"""In a fault: every function, gpu or instance."""

HEARTBEAT_PERIOD_MS = 50
HEARTBEAT_LIMIT_MS = 900
"""A heartbeat older than this says that the host is gone."""

COUNTERS = 256
"""So many faults can be set at once; each has a u64 in the counters, a second piece of shared memory."""

_CODES = {"u8": "B", "u16": "H", "u32": "I", "i32": "i", "u64": "Q"}


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: its type (`u8` to `u64`, `i32`, `char`, `bytes`) and how many of it."""

    name: str
    type: str
    count: int = 1

    @property
    def code(self) -> str:
        """In the `struct` module's spelling."""
        if self.type in ("char", "bytes"):
            return f"{self.count}s"
        return _CODES[self.type] * self.count

    @property
    def alignment(self) -> int:
        """It lies at a multiple of this."""
        return 1 if self.type in ("char", "bytes") else struct.calcsize("<" + _CODES[self.type])


class Structure:
    """A structure of the snapshot. Its members leave no gaps, which a test holds it to."""

    def __init__(self, name: str, said: str, *members: Member) -> None:
        self.name = name
        self.said = said
        self.members = members

    @cached_property
    def struct(self) -> struct.Struct:
        """Packs and unpacks it; a member of n integers is n values, a text one."""
        return struct.Struct("<" + "".join(member.code for member in self.members))

    @property
    def size(self) -> int:
        """In bytes."""
        return self.struct.size

    def offset(self, name: str) -> int:
        """Where a member starts, in bytes."""
        position = 0
        for member in self.members:
            if member.name == name:
                return position
            position += struct.calcsize("<" + member.code)
        raise KeyError(name)


def _list(name: str) -> tuple[Member, Member]:
    """A list of u32 in a pool: the position of its first and how many."""
    return Member(f"{name}_first", "u32"), Member(f"{name}_count", "u32")


HEADER = Structure(
    "header",
    "the first page",
    Member("magic", "bytes", 8),
    Member("layout_version", "u32"),
    Member("header_size", "u32"),
    Member("total_size", "u64"),
    Member("static_offset", "u64"),
    Member("static_size", "u64"),
    Member("slot_offset", "u64", 2),
    Member("slot_size", "u64"),
    Member("incarnation", "u64"),
    Member("fill_0", "bytes", 56),
    # On lines of their own: read by everybody, written by the host.
    Member("generation", "u64"),
    Member("fill_1", "bytes", 56),
    Member("heartbeat_ms", "u64"),
    Member("gone", "u32"),
    Member("fill_2", "bytes", 52),
)

STATIC = Structure(
    "static",
    "the head of the static part; every offset counts from the start of the snapshot",
    Member("types_offset", "u64"),
    Member("words_offset", "u64"),
    Member("rules_offset", "u64"),
    Member("comparisons_offset", "u64"),
    Member("pool_offset", "u64"),
    Member("types_count", "u32"),
    Member("words_count", "u32"),
    Member("rules_count", "u32"),
    Member("comparisons_count", "u32"),
    Member("pool_count", "u32"),
    Member("boards_count", "u32"),
    Member("vgpu_magic", "u32"),
    Member("pgpu_magic", "u32"),
    Member("record_version", "u32"),
    Member("fill", "u32"),
)

TYPE = Structure(
    "type",
    "a vgpu type of a board that the host has; in order of type id",
    Member("framebuffer_bytes", "u64"),
    Member("device_id", "u64"),
    Member("subsystem_id", "u64"),
    Member("gsp_heap_bytes", "u64"),
    Member("fb_reservation_bytes", "u64"),
    Member("bar1_bytes", "u64"),
    Member("id", "u32"),
    Member("board_row", "u32"),
    Member("max_instances", "u32"),
    Member("max_instances_per_vm", "u32"),
    Member("heads", "u32"),
    Member("max_x", "u32"),
    Member("max_y", "u32"),
    Member("frame_rate_limit", "u32"),
    Member("gpu_instance_profile", "u32"),  # ANY where the type is not MIG-backed
    Member("capabilities", "u32"),  # bit n: nvmlVgpuCapability_t n
    Member("placement_size", "u32"),  # GiB
    *_list("placements"),  # its supported placement ids, in the static pool
    Member("max_per_gpu_instance", "u32"),  # 0 where the type is not MIG-backed
    Member("name", "char", 64),
    Member("class_name", "char", 64),
    Member("license", "char", 128),
)

WORD = Structure(
    "word",
    "a vgpu type as metadata records name it; all types there are, in order of word",
    Member("word", "u32"),
    Member("board_row", "u16"),
    Member("bit", "u8"),  # its place among its board's types, as in the mask of a gpu's record
    Member("mig_backed", "u8"),
)

RULE = Structure(
    "rule",
    "a row of the rule table that the host's profile has",
    Member("first", "u32"),  # its comparisons
    Member("count", "u32"),
    Member("leaves", "u32"),
    Member("limit", "u32"),
)

COMPARISON = Structure(
    "comparison",
    "one comparison of a rule's condition; those of an alternative hold together",
    Member("left", "u8"),  # field number
    Member("operator", "u8"),
    Member("right", "u8"),  # field number, or ANY_FIELD for the constant
    Member("ends", "u8"),  # 1 on the last of an alternative
    Member("constant", "u32"),
)

CONSTANT_OPERAND = 0xFF
"""The right operand of a comparison is its constant."""

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "not in", "is known", "is unknown")
"""By number. All but the last two never hold where an operand is unknown."""

FIELDS = (
    "vgpu.board",
    "vgpu.type",
    "vgpu.mig_backed",
    "vgpu.guest_info",
    "vgpu.version",
    "vgpu.guest_min",
    "vgpu.guest_max",
    "vgpu.host_driver",
    "vgpu.ecc",
    "vgpu.sriov",
    "vgpu.topology",
    "vgpu.mig",
    "vgpu.migration",
    "gpu.board",
    "gpu.mig_enabled",
    "gpu.types",
    "gpu.range_min",
    "gpu.range_max",
    "gpu.preset_min",
    "gpu.preset_max",
    "gpu.host_driver",
    "gpu.ecc",
    "gpu.sriov",
    "gpu.topology",
    "gpu.mig",
    "gpu.migration",
    "pair.renegotiated",
)
"""By number. As numbers: a board is its row, a MIG layout the configuration word's 21 bits from bit 3 on, a
host driver 0 for the vgpu's and 0 or 1 for the gpu's (equal or not); `vgpu.type not in gpu.types` is asked of
the mask."""

HOST = Structure(
    "host",
    "the head of a slot; every offset counts from the start of the snapshot",
    Member("gpus_offset", "u64"),
    Member("instances_offset", "u64"),
    Member("index_offset", "u64"),
    Member("type_rooms_offset", "u64"),
    Member("pool_offset", "u64"),
    Member("faults_offset", "u64"),
    Member("gpus_count", "u32"),
    Member("instances_count", "u32"),
    Member("index_mask", "u32"),  # slots of the index less one; a power of two less one
    Member("type_rooms_count", "u32"),
    Member("pool_count", "u32"),
    Member("faults_count", "u32"),
    Member("driver_major", "u32"),
    Member("has_manager", "u32"),
    Member("range_known", "u32"),
    Member("preset_min", "u32"),
    Member("preset_max", "u32"),
    Member("range_min", "u32"),
    Member("range_max", "u32"),
    Member("cuda_version", "u32"),  # major * 1000 + minor * 10
    Member("driver_capabilities", "u32"),  # bit n: nvmlVgpuDriverCapability_t n
    Member("fill", "u32"),
    Member("driver", "char", 80),
    Member("nvml", "char", 80),
    Member("branch", "char", 80),
)

GPU = Structure(
    "gpu",
    "a gpu, in the host's order",
    Member("memory_total", "u64"),
    Member("memory_reserved", "u64"),
    Member("memory_used", "u64"),
    Member("bar1_total", "u64"),
    Member("ecc_corrected", "u64"),
    Member("ecc_uncorrected", "u64"),
    Member("pci_domain", "u32"),
    Member("pci_bus", "u32"),
    Member("pci_device", "u32"),
    Member("pci_device_id", "u32"),
    Member("pci_subsystem_id", "u32"),
    Member("is_vgpu_host", "u32"),  # and the host has a vGPU Manager
    Member("virtualization_mode", "u32"),  # nvmlGpuVirtualizationMode_t
    Member("host_vgpu_mode", "u32"),  # nvmlHostVgpuMode_t
    Member("heterogeneous", "u32"),  # 1: mixed-size
    Member("can_be_heterogeneous", "u32"),
    Member("capabilities", "u32"),  # bit n: nvmlDeviceVgpuCapability_t n
    Member("mig_capable", "u32"),
    Member("mig_enabled", "u32"),
    Member("ecc_capable", "u32"),
    Member("ecc_enabled", "u32"),
    Member("persistence", "u32"),
    Member("compute_mode", "u32"),
    Member("performance_state", "u32"),
    Member("temperature", "u32"),  # degrees Celsius
    Member("fan_speed", "u32"),  # percent, ANY where it has no fan of its own
    Member("power_mw", "u32"),
    Member("power_limit_mw", "u32"),
    Member("utilization_gpu", "u32"),  # percent
    Member("utilization_memory", "u32"),
    Member("utilization_encoder", "u32"),
    Member("utilization_decoder", "u32"),
    Member("brand", "u32"),  # nvmlBrandType_t
    Member("architecture", "u32"),  # nvmlDeviceArchitecture_t
    Member("compute_major", "u32"),
    Member("compute_minor", "u32"),
    Member("read_bandwidth_mb_s", "u32"),  # capability 3, which is a number
    Member("write_bandwidth_mb_s", "u32"),  # capability 4
    *_list("active"),  # its active instances, by handle
    *_list("supported"),  # type ids
    *_list("creatable"),  # type ids
    *_list("rooms"),  # among the type rooms, not in the pool
    Member("uuid", "char", 96),
    Member("name", "char", 96),
    Member("metadata_string", "char", 256),
    Member("record", "bytes", 128),
)

TYPE_ROOM = Structure(
    "type_room",
    "what a gpu has to offer of one type; by type id within a gpu",
    Member("type_id", "u32"),
    Member("fill", "u32"),
    *_list("creatable"),  # placement ids free now, in the pool
)

# The index at `index_offset` finds an instance by its handle: index_mask + 1 words of u32, at least two and
# at least twice as many as instances. A word is an instance's number plus 1, or 0: empty. One looks first at
# handle & index_mask, then onwards (from the last word to the first) to the handle or an empty word.

INSTANCE = Structure(
    "instance",
    "an active vgpu, by handle",
    Member("framebuffer_used", "u64"),
    Member("runtime_state_bytes", "u64"),
    Member("handle", "u32"),
    Member("gpu", "u32"),  # its number
    Member("type_id", "u32"),
    Member("vm_id_type", "u32"),  # nvmlVgpuVmIdType_t
    Member("placement", "u32"),
    Member("process", "u32"),
    Member("is_compute", "u32"),
    Member("gpu_instance", "u32"),  # ANY where it has none
    Member("utilization_sm", "u32"),
    Member("utilization_memory", "u32"),
    Member("utilization_encoder", "u32"),
    Member("utilization_decoder", "u32"),
    Member("ecc_enabled", "u32"),
    Member("licensed", "u32"),
    Member("frame_rate_limit", "u32"),
    Member("fill", "u32"),
    Member("uuid", "char", 80),
    Member("mdev_uuid", "char", 80),
    Member("vm_id", "char", 80),
    Member("guest_driver", "char", 80),
    Member("pci_id", "char", 32),
    Member("record", "bytes", 212),
    Member("fill_1", "u32"),
)

FAULT = Structure(
    "fault",
    "an injected fault; the first that fires decides",
    Member("after", "u64"),  # so many matching calls pass first
    Member("seed", "u64"),
    Member("until_ms", "u64"),  # on the heartbeat's clock; 0: until cleared
    Member("function", "u32"),  # number of the function, or ANY
    Member("gpu", "u32"),
    Member("instance", "u32"),
    Member("code", "i32"),  # 0: only slow
    Member("threshold", "u32"),  # fires where the draw's upper 32 bits are below; ANY: always
    Member("delay_us", "u32"),
    Member("counter", "u32"),  # in the counters
    Member("fill", "u32"),
)

MESSAGE = Structure(
    "message",
    "the head of every message on the host's socket, both ways",
    Member("magic", "u32"),
    Member("kind", "u32"),
    Member("length", "u32"),  # bytes that follow
    Member("fill", "u32"),
)

MESSAGE_MAGIC = int.from_bytes(b"VGMm", "little")
ATTACH, CALL, CONTROL = 1, 2, 3
"""Kinds of message. ATTACH: nothing follows; the answer carries a status (i32) and, as ancillary data, the
descriptors of snapshot and counters. CALL: `CALL_BODY`, answered by `CALL_ANSWER`. CONTROL: JSON both ways.
"""

CALL_BODY = Structure(
    "call_body",
    "a setter on its way to the host",
    Member("function", "u32"),
    Member("gpu", "u32"),  # its number, or ANY
    Member("arguments", "u64", 4),
)

CALL_ANSWER = Structure(
    "call_answer",
    "what the host says of a setter; by then it is published",
    Member("code", "i32"),
    Member("fill", "u32"),
    Member("generation", "u64"),
)

STRUCTURES = (
    HEADER,
    STATIC,
    TYPE,
    WORD,
    RULE,
    COMPARISON,
    HOST,
    GPU,
    TYPE_ROOM,
    INSTANCE,
    FAULT,
    MESSAGE,
    CALL_BODY,
    CALL_ANSWER,
)
"""All of them, in the order of the C header."""
