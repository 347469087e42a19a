"""The fleet file's form, version 1: one definition that serves decoding, the report of errors and editors.

What stands here is what can be said of one key alone; what several keys must agree on is in
`fleet_hosts` and `fleet_vms`. A key that is absent is UNSET, so that a re-encoded file has exactly
the keys of the one read. Null stands for absent where a key has no default of its own.

`wanted` in a field's metadata is the clause that the report of errors uses.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vgpu_migrate.model.driver_text import DRIVER_TEXT_PATTERN, WANTED_DRIVER
from vgpu_migrate.model.identity_text import LONGEST_ID, UUID_PATTERN, WANTED_UUID
from vgpu_migrate.model.values import PlacementMode, Profile, VmState
from vgpu_migrate.nvml import U32_MAX

FLEETFILE_VERSION = 1
SCHEMA_TITLE = "vgpu-migrate fleet file, version 1"

# Numbers as `0x…` texts have the bounds of the numbers: eight digits are 32 bits. Python's `$` would let a
# last newline pass.
_HEX = r"^0x0*[0-9a-fA-F]{1,8}(?!\n)$"
_POSITIVE_HEX = r"^0x0*[1-9a-fA-F][0-9a-fA-F]{0,7}(?!\n)$"
_LONG_HEX = r"^0x0*[0-9a-fA-F]{1,13}(?!\n)$"
MOST_SECONDS = 1e9

Id = Annotated[
    str,
    Meta(min_length=1, max_length=LONGEST_ID, extra={"wanted": f"a text of 1 to {LONGEST_ID} characters"}),
]
Text = Annotated[str, Meta(extra={"wanted": "a text"})]
Driver = Annotated[
    str,
    Meta(
        pattern=DRIVER_TEXT_PATTERN,
        extra={"wanted": WANTED_DRIVER},
        examples=["550.54.16"],
    ),
]
U32 = Annotated[
    Annotated[int, Meta(ge=0, le=U32_MAX)] | Annotated[str, Meta(pattern=_HEX)],
    Meta(extra={"wanted": "a whole number from 0 to 4294967295, or such a text as 0x1f"}),
]
PositiveInt = Annotated[
    Annotated[int, Meta(ge=1, le=U32_MAX)] | Annotated[str, Meta(pattern=_POSITIVE_HEX)],
    Meta(extra={"wanted": "a whole number from 1 to 4294967295, or such a text as 0x1f"}),
]
Revision = Annotated[
    Annotated[int, Meta(ge=0, le=2**52 - 1)] | Annotated[str, Meta(pattern=_LONG_HEX)],
    Meta(extra={"wanted": "a whole number from 0 to 2^52 - 1, or such a text as 0x1f"}),
]
Version = Annotated[
    Annotated[int, Meta(ge=0, le=U32_MAX)] | Annotated[str, Meta(pattern=_HEX)],
    Meta(extra={"wanted": "a vGPU version such as 0x140001, 32 bits"}, examples=["0x140001"]),
]
Range = Annotated[
    tuple[Version, Version],
    Meta(extra={"wanted": "[minimum, maximum], two vGPU versions such as [0x70001, 0x140001]"}),
]
Seconds = Annotated[
    float, Meta(ge=0, le=MOST_SECONDS, extra={"wanted": "a number of seconds from 0 to 1000000000"})
]
Bandwidth = Annotated[
    float, Meta(gt=0, le=1e6, extra={"wanted": "a number of Gbit/s above 0 and at most 1000000"})
]
Flag = Annotated[bool, Meta(extra={"wanted": "true or false"})]
Uuid = Annotated[
    str,
    Meta(
        pattern=UUID_PATTERN,
        extra={"wanted": WANTED_UUID},
    ),
]
PciAddress = Annotated[
    str,
    Meta(
        pattern=r"^([0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7](?!\n)$",
        extra={"wanted": 'a PCI address such as "0000:3b:00.0"'},
    ),
]
AllowWord = Literal["live", "sleep", "hibernate", "cold"]


class _Wire(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False, eq=False):
    """The base of every object in the file: strict, and absent keys stay absent when encoded again."""


class DomainSettings(_Wire, kw_only=True):
    """Settings of one migration domain; what is absent is the fleet's."""

    profile: Annotated[
        Profile | UnsetType,
        Meta(description="Compatibility rules to apply.", extra_json_schema={"default": "default"}),
    ] = UNSET
    migrations_per_host: Annotated[
        PositiveInt | UnsetType,
        Meta(
            description="Migrations at once on one host, in and out counted together.",
            extra_json_schema={"default": 2},
        ),
    ] = UNSET
    bandwidth_gbit_s: Annotated[
        Bandwidth | UnsetType,
        Meta(description="Bandwidth of one migration, in Gbit/s.", extra_json_schema={"default": 25}),
    ] = UNSET
    overhead_s: Annotated[
        Seconds | UnsetType,
        Meta(description="Fixed cost of one migration, in seconds.", extra_json_schema={"default": 5}),
    ] = UNSET
    upgrade_s: Annotated[
        Seconds | UnsetType,
        Meta(
            description="Fixed cost of upgrading one host, in seconds.", extra_json_schema={"default": 1800}
        ),
    ] = UNSET


class Settings(DomainSettings, kw_only=True):
    """Limits and costs of migrations."""

    migrations_per_fleet: Annotated[
        PositiveInt | UnsetType,
        Meta(description="Migrations at once in the whole fleet.", extra_json_schema={"default": 32}),
    ] = UNSET


class Gpu(_Wire, kw_only=True):
    """One physical GPU."""

    id: Annotated[
        Id | UnsetType | None, Meta(description="Its name, such as its UUID. Default: <host>/<index>.")
    ] = UNSET
    board: Annotated[
        Text, Meta(description="The <GPU> part of its vgpu type names.", examples=["L40S", "A100D"])
    ]
    pci: Annotated[PciAddress | UnsetType | None, Meta(description="PCI address.")] = UNSET
    mode: Annotated[
        PlacementMode | UnsetType,
        Meta(
            description="Whether time-sliced vgpus all have one type (equal) or placement ids (mixed).",
            extra_json_schema={"default": "equal"},
        ),
    ] = UNSET
    ecc: Annotated[Flag | UnsetType, Meta(description="ECC is on.", extra_json_schema={"default": True})] = (
        UNSET
    )
    sriov: Annotated[
        Flag | UnsetType | None,
        Meta(description="SR-IOV is on. Default: off on Turing and older, on from Ampere on."),
    ] = UNSET
    vgpu: Annotated[
        Flag | UnsetType,
        Meta(
            description="False: not a vGPU host, never a target of a migration.",
            extra_json_schema={"default": True},
        ),
    ] = UNSET
    migration: Annotated[
        Flag | UnsetType,
        Meta(description="Its capability MIGRATION.", extra_json_schema={"default": True}),
    ] = UNSET
    topology: Annotated[
        U32 | UnsetType,
        Meta(
            description="A word for its MIG geometry and NVLink topology, compared as it is.",
            extra_json_schema={"default": 0},
        ),
    ] = UNSET
    mig: Annotated[
        list[PositiveInt] | UnsetType,
        Meta(
            description="Slices of its GPU instances, in order; empty without MIG.",
            extra_json_schema={"default": []},
            examples=[[3, 3]],
        ),
    ] = UNSET
    types: Annotated[
        list[Text] | UnsetType,
        Meta(
            description="The vgpu types it is known to offer; empty: not known, all of its board's.",
            extra_json_schema={"default": []},
        ),
    ] = UNSET


class Host(_Wire, kw_only=True):
    """A machine with a vGPU Manager."""

    id: Annotated[Id, Meta(description="Its name.")]
    domain: Annotated[
        Id | UnsetType,
        Meta(
            description="VMs move only inside their migration domain.",
            extra_json_schema={"default": "default"},
        ),
    ] = UNSET
    driver: Annotated[Driver, Meta(description="Version of the host driver.")]
    manager: Annotated[
        Flag | UnsetType,
        Meta(description="False: a plain driver, no vGPU Manager.", extra_json_schema={"default": True}),
    ] = UNSET
    hypervisor: Annotated[
        Literal["kvm", "xen"] | UnsetType,
        Meta(
            description="Whether NVML answers VM UUIDs (kvm) or domain ids (xen).",
            extra_json_schema={"default": "kvm"},
        ),
    ] = UNSET
    preset_range: Annotated[
        Range | UnsetType | None,
        Meta(description="vGPU versions its driver supports. Default: from the tables, by driver."),
    ] = UNSET
    range: Annotated[
        Range | UnsetType | None,
        Meta(description="vGPU versions in force, set by an administrator. Default: the preset range."),
    ] = UNSET
    schedulable: Annotated[
        Flag | UnsetType,
        Meta(description="False: nothing may move here.", extra_json_schema={"default": True}),
    ] = UNSET
    memory_mib: Annotated[
        PositiveInt | UnsetType | None,
        Meta(description="Memory for VMs, in MiB. Absent: moves do not check it."),
    ] = UNSET
    vcpus: Annotated[
        PositiveInt | UnsetType | None, Meta(description="VCPUs for VMs. Absent: moves do not check them.")
    ] = UNSET
    gpus: Annotated[list[Gpu], Meta(description="Its physical GPUs, in order.")]


class Vgpu(_Wire, kw_only=True):
    """One vgpu of a VM."""

    type: Annotated[Text, Meta(description="vgpu type: its short, long or mdev name.", examples=["L40S-12Q"])]
    gpu: Annotated[
        Text | UnsetType | None, Meta(description="The gpu it is on; absent when off or hibernated.")
    ] = UNSET
    placement: Annotated[
        U32 | UnsetType | None,
        Meta(description="NVML's placement id, an offset in GiB. On mixed-size gpus only, and there needed."),
    ] = UNSET
    version: Annotated[
        Version | UnsetType | None,
        Meta(description="vGPU version held. Default: negotiated from guest driver and host range."),
    ] = UNSET
    migration: Annotated[
        Flag | UnsetType,
        Meta(
            description="False: unified memory, a debugger or a profiler is in use.",
            extra_json_schema={"default": True},
        ),
    ] = UNSET
    record: Annotated[
        Text | UnsetType | None, Meta(description="Saved metadata record (nvmlVgpuMetadata_t), base64.")
    ] = UNSET


class Vm(_Wire, kw_only=True):
    """A virtual machine."""

    id: Annotated[Id, Meta(description="Its name.")]
    host: Annotated[
        Text | UnsetType | None,
        Meta(description="The host it is on; absent when off, optional when hibernated."),
    ] = UNSET
    uuid: Annotated[Uuid | UnsetType | None, Meta(description="Default: a UUIDv5 of its id.")] = UNSET
    domid: Annotated[
        PositiveInt | UnsetType | None, Meta(description="Domain id on a Xen host. Default: numbered.")
    ] = UNSET
    state: Annotated[VmState, Meta(description="Power state.")]
    memory_mib: Annotated[PositiveInt, Meta(description="Memory, in MiB.")]
    vcpus: Annotated[PositiveInt | UnsetType | None, Meta(description="Virtual processors.")] = UNSET
    guest_driver: Annotated[
        Driver | UnsetType | None, Meta(description="Version of the guest driver. Absent: unknown.")
    ] = UNSET
    allow: Annotated[
        list[AllowWord] | UnsetType | None,
        Meta(
            description="Ways to move it that its owner accepts. "
            "Default: live, and for a sleeping VM live and sleep."
        ),
    ] = UNSET
    anti_affinity: Annotated[
        list[Id] | UnsetType,
        Meta(
            description="Groups it belongs to: VMs of one group never share a host.",
            extra_json_schema={"default": []},
        ),
    ] = UNSET
    vgpus: Annotated[
        list[Vgpu],
        Meta(
            description="Its vgpus, in order.", min_length=1, extra={"wanted": "a list of at least one vgpu"}
        ),
    ]


class Fleet(_Wire, kw_only=True):
    """Hosts, their gpus, and the VMs that use them."""

    fleetfile_version: Annotated[
        Literal[1, "0x1"], Meta(description="Version of this format.", extra={"wanted": "1"})
    ]
    revision: Annotated[
        Revision | UnsetType | None,
        Meta(description="Number of this state of the fleet; plans are bound to it."),
    ] = UNSET
    domains: Annotated[
        dict[str, DomainSettings] | UnsetType,
        Meta(description="Settings of migration domains, by name, where they differ from the fleet's."),
    ] = UNSET
    settings: Annotated[Settings | UnsetType, Meta(description="Settings of the whole fleet.")] = UNSET
    hosts: Annotated[list[Host], Meta(description="All hosts.")]
    vms: Annotated[list[Vm] | UnsetType, Meta(description="All VMs.")] = UNSET


def fleet_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the fleet file, titled, a description on every key."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA_TITLE,
        **msgspec.json.schema(Fleet),
    }
