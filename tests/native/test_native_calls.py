"""What functions answer beside the five: texts, numbers, lists, structures of any version."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.manager.factories import a_gpu, a_host, a_vm, start_vm
from tests.native.client import (
    Branch,
    Client,
    FirstPlacements,
    FirstProcess,
    Memory,
    Mode,
    Placements,
    Process,
    Size,
    version_of,
)
from tests.native.host import Call, ServingHost, serving
from tests.snapshot.hosts import in_force

from vgpu_migrate import facts
from vgpu_migrate.manager import HostState, VgpuManager
from vgpu_migrate.model import PlacementMode
from vgpu_migrate.nvml.symbols import symbol, symbols
from vgpu_migrate.snapshot import Publisher

Load = Callable[[], ctypes.CDLL]
NEW_DRIVER = "580.126.08"


class Stage:
    """A published host and a client of it."""

    def __init__(self, publisher: Publisher, host: ServingHost, client: Client) -> None:
        self.publisher, self.host, self.client = publisher, host, client


@contextmanager
def staged(manager: VgpuManager, load: Load, folder: Path) -> Iterator[Stage]:
    """Publish a host and initialise a client."""
    with Publisher(manager.state) as publisher, serving(publisher, folder / "socket") as host:
        yield Stage(publisher, host, Client(load()).start())


@pytest.fixture
def stage(load_again: Load, tmp_path: Path) -> Iterator[Stage]:
    """Two gpus, full of running vgpus, under a driver that has every function."""
    with staged(a_busy_host(), load_again, tmp_path) as one:
        yield one


def a_busy_host() -> VgpuManager:
    """A host with two gpus, each of them full."""
    manager = VgpuManager(HostState(host=a_host(gpus=[a_gpu(0), a_gpu(1)], driver=NEW_DRIVER)))
    for number in range(2 * facts.vgpu_type("L40S-12Q").max_instances):
        start_vm(manager, a_vm(f"vm{number}", "L40S-12Q"))
    return manager


def test_a_gpu_says_what_is_published_of_it(stage: Stage) -> None:
    """Names, numbers and memory are the snapshot's; memory adds up in both generations of the structure."""
    client, gpu = stage.client, stage.client.gpu(1)
    published = in_force(stage.publisher)["gpus"][1]
    assert client.number("nvmlDeviceGetCount_v2") == client.number("nvmlDeviceGetCount") == 2
    assert client.text("nvmlDeviceGetName", gpu) == published["name"]
    assert client.text("nvmlDeviceGetUUID", gpu) == published["uuid"]
    assert client.number("nvmlDeviceGetIndex", gpu) == 1
    assert client.number("nvmlDeviceGetPowerUsage", gpu) == published["power_mw"]
    assert client.number("nvmlDeviceGetTemperature", gpu, 0) == published["temperature"]
    assert client.code("nvmlDeviceGetTemperature", gpu, 1, ctypes.byref(ctypes.c_uint())) == 2
    memory = Memory(version=version_of(Memory, 2))
    assert client.code("nvmlDeviceGetMemoryInfo_v2", gpu, ctypes.byref(memory)) == 0
    assert (memory.total, memory.reserved, memory.used) == (
        published["memory_total"],
        published["memory_reserved"],
        published["memory_used"],
    )
    assert memory.free == memory.total - memory.reserved - memory.used
    first = (ctypes.c_ulonglong * 3)()
    assert client.code("nvmlDeviceGetMemoryInfo", gpu, first) == 0
    assert list(first) == [memory.total, memory.free, memory.used + memory.reserved]


def test_a_gpu_is_found_by_every_usual_spelling(stage: Stage) -> None:
    """UUIDs in any case, addresses long or short, with 0x, with or without domain and function."""
    client, gpu = stage.client, stage.client.gpu(1)
    handle = ctypes.c_void_p()
    uuid = client.text("nvmlDeviceGetUUID", gpu)
    found = {"0000:02:00.0": 0, "00000000:02:00.0": 0, "0:2:0": 0, "02:00.0": 0, "0x0:0x2:0x0.0": 0}
    refused = {
        "": 2,
        "02": 2,
        "2:0": 2,
        "0:2:0.0.0": 2,
        "0:2:0 ": 2,
        "g:2:0": 2,
        "0:2:0.1": 2,
        "123456789:2:0": 2,
    }
    absent = {"0000:77:00.0": 6, "1:2:0": 6}
    for spelled, code in {**found, **refused, **absent}.items():
        handle.value = 0
        for function in ("nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetHandleByPciBusId"):
            assert client.code(function, spelled.encode(), ctypes.byref(handle)) == code, spelled
        assert handle.value == (gpu.value if code == 0 else None), spelled
    by_uuid = "nvmlDeviceGetHandleByUUID"
    assert client.code(by_uuid, uuid.upper().encode(), ctypes.byref(handle)) == 0
    assert handle.value == gpu.value
    assert client.code(by_uuid, uuid[:-1].encode(), ctypes.byref(handle)) == 6
    assert client.code("nvmlDeviceGetHandleByIndex_v2", 2, ctypes.byref(handle)) == 2


@pytest.mark.parametrize(
    ("function", "size"),
    [("nvmlDeviceGetPciInfo", 32), ("nvmlDeviceGetPciInfo_v2", 36), ("nvmlDeviceGetPciInfo_v3", 68)],
)
def test_older_address_structures_are_not_overrun(stage: Stage, function: str, size: int) -> None:
    """Each generation writes its own structure and no byte more."""
    buffer = ctypes.create_string_buffer(b"\xa5" * 80, 80)
    assert stage.client.code(function, stage.client.gpu(), buffer) == 0
    assert buffer.raw[:16].rstrip(b"\0") == b"0000:01:00.0"
    assert buffer.raw[size:] == b"\xa5" * (80 - size)
    assert buffer.raw[size - 1 : size] != b"\xa5"


def test_texts_want_room_for_their_nul(stage: Stage) -> None:
    """A buffer one byte too small gets nothing and INSUFFICIENT_SIZE; the exact one gets all."""
    client, gpu = stage.client, stage.client.gpu()
    name = client.text("nvmlDeviceGetName", gpu)
    buffer = ctypes.create_string_buffer(b"\xa5" * 32, 32)
    assert client.code("nvmlDeviceGetName", gpu, buffer, len(name)) == 7
    assert buffer.raw == b"\xa5" * 32
    assert client.code("nvmlDeviceGetName", gpu, buffer, len(name) + 1) == 0
    assert buffer.raw == name.encode() + b"\0" + b"\xa5" * (31 - len(name))
    assert client.code("nvmlDeviceGetName", gpu, None, 96) == 2


def test_lists_say_how_long_they_are(stage: Stage) -> None:
    """Count 0 never touches the array; too small a count learns the needed one; NULL needs count 0."""
    client, gpu = stage.client, stage.client.gpu()
    published = in_force(stage.publisher)["gpus"][0]
    for function, name in (
        ("nvmlDeviceGetActiveVgpus", "active"),
        ("nvmlDeviceGetSupportedVgpus", "supported"),
        ("nvmlDeviceGetCreatableVgpus", "creatable"),
    ):
        wanted = list(published[name])
        assert client.list(function, gpu) == wanted
        count = ctypes.c_uint(0)
        dangling = ctypes.c_void_p(8)
        assert client.code(function, gpu, ctypes.byref(count), dangling) == (7 if wanted else 0)
        assert count.value == len(wanted)
        if wanted:
            short = (ctypes.c_uint * len(wanted))()
            count.value = len(wanted) - 1
            assert client.code(function, gpu, ctypes.byref(count), short) == 7
            assert (count.value, list(short)) == (len(wanted), [0] * len(wanted))
            assert client.code(function, gpu, ctypes.byref(count), None) == 2
        assert client.code(function, gpu, None, None) == 2


def test_processes_in_both_structures(stage: Stage) -> None:
    """Each active vgpu has one process, compute or graphics; the first structure is the shorter."""
    client, gpu = stage.client, stage.client.gpu()
    published = [one for one in in_force(stage.publisher)["instances"] if one["gpu"] == 0]
    seen = []
    for kind in ("Compute", "Graphics"):
        function = f"nvmlDeviceGet{kind}RunningProcesses"
        newest = client.list(f"{function}_v3", gpu, kind=Process)
        assert [(one.pid, one.used) for one in newest] == [
            (one.pid, one.used) for one in client.list(function, gpu, kind=FirstProcess)
        ]
        assert {one.gpu_instance for one in newest} <= {0xFFFFFFFF}
        seen += [(one.pid, one.used) for one in newest]
    assert sorted(seen) == sorted((one["process"], one["framebuffer_used"]) for one in published)
    assert client.list("nvmlDeviceGetMPSComputeRunningProcesses_v3", gpu, kind=Process) == []


def test_a_vgpu_says_what_is_published_of_it(stage: Stage) -> None:
    """Type, UUID, VM, guest driver, framebuffer, placement and state are the snapshot's."""
    client = stage.client
    for one in in_force(stage.publisher)["instances"]:
        handle = one["handle"]
        assert client.number("nvmlVgpuInstanceGetType", handle) == one["type_id"]
        assert client.text("nvmlVgpuInstanceGetUUID", handle) == one["uuid"]
        assert client.text("nvmlVgpuInstanceGetMdevUUID", handle) == one["mdev_uuid"]
        assert client.text("nvmlVgpuInstanceGetVmDriverVersion", handle) == one["guest_driver"]
        used = client.number("nvmlVgpuInstanceGetFbUsage", handle, kind=ctypes.c_ulonglong)
        assert used == one["framebuffer_used"]
        placement = Mode(version=version_of(Mode, 1))
        assert client.code("nvmlVgpuInstanceGetPlacementId", handle, ctypes.byref(placement)) == 0
        assert placement.number == one["placement"] == 0xFFFF
        size = Size(version=version_of(Size, 1))
        assert client.code("nvmlVgpuInstanceGetRuntimeStateSize", handle, ctypes.byref(size)) == 0
        assert size.number == one["runtime_state_bytes"]


def test_before_its_guest_driver_a_vgpu_has_no_version_and_no_license(
    load_again: Load, tmp_path: Path
) -> None:
    """VmDriverVersion says Not Available, the address is zeros, and the license is nobody's yet."""
    manager = VgpuManager(HostState(host=a_host()))
    manager.define(a_vm("vm1", "L40S-12Q"))
    start_vm_without_driver(manager)
    with staged(manager, load_again, tmp_path) as stage:
        client = stage.client
        (handle,) = client.list("nvmlDeviceGetActiveVgpus", client.gpu())
        assert client.text("nvmlVgpuInstanceGetVmDriverVersion", handle) == "Not Available"
        buffer, size = ctypes.create_string_buffer(32), ctypes.c_uint(32)
        assert client.code("nvmlVgpuInstanceGetGpuPciId", handle, buffer, ctypes.byref(size)) == 0
        assert (buffer.value, size.value) == (b"00000000:00:00.0", 17)
        assert client.code("nvmlVgpuInstanceGetLicenseInfo_v2", handle, buffer) == 9


def start_vm_without_driver(manager: VgpuManager) -> None:
    """Start the one VM, and load nothing in it."""
    from vgpu_migrate.nvml import States

    (vm,) = manager.state.vms
    manager.start(vm, States.COLD)


def test_types_say_what_the_tables_say(stage: Stage) -> None:
    """Name, framebuffer and instances of every type on offer are the facts'; other ids are refused."""
    client, gpu = stage.client, stage.client.gpu()
    names = []
    for type_id in client.list("nvmlDeviceGetSupportedVgpus", gpu):
        buffer, size = ctypes.create_string_buffer(64), ctypes.c_uint(64)
        assert client.code("nvmlVgpuTypeGetName", type_id, buffer, ctypes.byref(size)) == 0
        row = facts.vgpu_type(buffer.value.decode())
        assert size.value == len(buffer.value) + 1
        names.append(row.short)
        framebuffer = client.number("nvmlVgpuTypeGetFramebufferSize", type_id, kind=ctypes.c_ulonglong)
        assert framebuffer == row.framebuffer_mib << 20
        assert client.number("nvmlVgpuTypeGetMaxInstances", gpu, type_id) == row.max_instances
        size.value = 3
        assert client.code("nvmlVgpuTypeGetName", type_id, buffer, ctypes.byref(size)) == 7
        assert client.code("nvmlVgpuTypeGetResolution", type_id, row.heads, *[ctypes.byref(size)] * 2) == 2
    assert set(names) <= {one.short for one in facts.types_of_board("L40S")}
    for unknown in (0, 0xFFFFFFFF):
        assert client.code("nvmlVgpuTypeGetNumDisplayHeads", unknown, ctypes.byref(ctypes.c_uint())) == 2


def test_placements_of_a_mixed_gpu(load_again: Load, tmp_path: Path) -> None:
    """Supported ids are the type's own, creatable ones what is free; both structure versions are taken."""
    manager = VgpuManager(
        HostState(host=a_host(gpus=[a_gpu(0, board="A40", mode=PlacementMode.MIXED)], driver=NEW_DRIVER))
    )
    start_vm(manager, a_vm("vm1", "A40-8Q"))
    with staged(manager, load_again, tmp_path) as stage:
        client, gpu = stage.client, stage.client.gpu()
        row = facts.vgpu_type("A40-8Q")
        assert row.type_id is not None
        array = (ctypes.c_uint * 8)()
        seen = {}
        for function in ("Supported", "Creatable"):
            name = f"nvmlDeviceGetVgpuType{function}Placements"
            for kind, version in ((FirstPlacements, 1), (Placements, 2)):
                asked: Any = kind(version=version_of(kind, version), count=0)
                assert client.code(name, gpu, row.type_id, ctypes.byref(asked)) == 7
                asked.ids = array
                assert client.code(name, gpu, row.type_id, ctypes.byref(asked)) == 0
                seen[function] = list(array[: asked.count])
                assert asked.size == 8
            asked.mode = 1
            assert client.code(name, gpu, row.type_id, ctypes.byref(asked)) == 3
            asked.version += 1
            assert client.code(name, gpu, row.type_id, ctypes.byref(asked)) == 25
        (handle,) = client.list("nvmlDeviceGetActiveVgpus", gpu)
        placement = Mode(version=version_of(Mode, 1))
        assert client.code("nvmlVgpuInstanceGetPlacementId", handle, ctypes.byref(placement)) == 0
        assert seen["Supported"] == [0, 16, 24, 40]
        assert sorted([*seen["Creatable"], placement.number]) == [0, 16, 24, 40]


def test_a_structure_of_another_version_is_refused(stage: Stage) -> None:
    """ARGUMENT_VERSION_MISMATCH for a wrong version word, INVALID_ARGUMENT for NULL."""
    client, gpu = stage.client, stage.client.gpu()
    (handle, *_) = client.list("nvmlDeviceGetActiveVgpus", gpu)
    for function, arguments, structure, number in (
        ("nvmlDeviceGetMemoryInfo_v2", (gpu,), Memory, 2),
        ("nvmlSystemGetDriverBranch", (), Branch, 1),
        ("nvmlDeviceGetVgpuHeterogeneousMode", (gpu,), Mode, 1),
        ("nvmlVgpuInstanceGetPlacementId", (handle,), Mode, 1),
        ("nvmlVgpuInstanceGetRuntimeStateSize", (handle,), Size, 1),
    ):
        value = structure(version=version_of(structure, number) + 1)
        last = (80,) if structure is Branch else ()
        codes = tuple(client.code(function, *arguments, one, *last) for one in (None, ctypes.byref(value)))
        assert codes == (2, 25), function


@pytest.mark.parametrize(
    "driver", ["390.94", "470.63", "550.54.16", "570.133.20", "580.126.08", "closed-source"]
)
def test_a_function_is_there_since_its_driver(driver: str, load_again: Load, tmp_path: Path) -> None:
    """One newer than the simulated driver answers FUNCTION_NOT_FOUND, whatever its arguments."""
    manager = VgpuManager(HostState(host=a_host(driver=driver)))
    silent = {"nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags", "nvmlShutdown", "nvmlErrorString"}
    with staged(manager, load_again, tmp_path) as stage:
        major = in_force(stage.publisher)["driver_major"]
        null = [ctypes.c_void_p()] * 6
        for one in symbols():
            if one.name in silent:
                continue
            code = stage.client.code(one.name, *null)
            wanted = {13} if one.since > major else {2, 6} if one.answers else {3}
            assert code in wanted, (one, code)


def test_setters_go_to_the_host(stage: Stage) -> None:
    """What is no argument is refused here; all else is asked, and the host's code is the answer."""
    client, gpu = stage.client, stage.client.gpu(1)
    stage.host.answer = lambda call: 4
    version = (ctypes.c_uint * 2)(0x70001, 0x120001)
    assert client.code("nvmlSetVgpuVersion", version) == 4
    assert client.code("nvmlDeviceSetPersistenceMode", gpu, 1) == 4
    assert client.code("nvmlDeviceSetVirtualizationMode", gpu, 3) == 4
    assert client.code("nvmlDeviceSetPersistenceMode", gpu, 2) == 2
    assert client.code("nvmlDeviceSetPersistenceMode", None, 1) == 2
    assert client.code("nvmlDeviceSetVirtualizationMode", gpu, 5) == 2
    assert stage.host.calls == [
        Call(symbol("nvmlSetVgpuVersion").number, 0xFFFFFFFF, (0x70001, 0x120001, 0, 0)),
        Call(symbol("nvmlDeviceSetPersistenceMode").number, 1, (1, 0, 0, 0)),
        Call(symbol("nvmlDeviceSetVirtualizationMode").number, 1, (3, 0, 0, 0)),
    ]


def test_texts_of_codes_are_those_of_python(nvml: ctypes.CDLL) -> None:
    """The library and the package say the same of every code, defined or not."""
    from vgpu_migrate.nvml import error_string

    nvml.nvmlErrorString.restype = ctypes.c_char_p
    for code in [*range(-2, 40), 998, 999, 1000, 0x7FFFFFFF]:
        assert nvml.nvmlErrorString(code).decode() == error_string(code)


def test_what_is_published_is_seen_by_the_next_call(load_again: Load, tmp_path: Path) -> None:
    """A change is there in every process with the very next call, without initialising again."""
    manager = VgpuManager(HostState(host=a_host()))
    with ExitStack() as stack:
        publisher = stack.enter_context(Publisher(manager.state))
        stack.enter_context(serving(publisher, tmp_path / "socket"))
        clients = [Client(load_again()).start() for _ in range(2)]
        for count in range(1, 4):
            start_vm(manager, a_vm(f"vm{count}", "L40S-12Q"))
            publisher.publish(manager.state)
            for client in clients:
                assert len(client.list("nvmlDeviceGetActiveVgpus", client.gpu())) == count
