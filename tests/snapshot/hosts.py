"""Hosts of every kind to publish, what may happen to them, and their snapshots read back."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec
from hypothesis import strategies as st
from tests.manager.factories import GUEST, PRESET, a_gpu, a_host, a_vm, start_vm

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, RefusedError
from vgpu_migrate.manager import DeviceId, HostState, VgpuManager
from vgpu_migrate.model import Gpu, GpuId, Host, PlacementMode, VersionRange, VmId
from vgpu_migrate.model.placement import Place, find_room
from vgpu_migrate.nvml import NvmlError, States
from vgpu_migrate.snapshot import Encoder, Publisher, Runtime
from vgpu_migrate.snapshot.faults import Fault
from vgpu_migrate.snapshot.layout import PAGE
from vgpu_migrate.snapshot.reader import Row, read_in_force, read_slot

replace = msgspec.structs.replace

MIG_LAYOUTS = {
    "A100": ((3, 3), (1, 1, 2, 3), (7,)),
    "A30": ((2, 2), (4,)),
    "RTX Pro 6000 Blackwell DC": ((1, 1, 1, 1), (2, 2), (4,)),
}
BOARDS = ("T4", "M10", "RTX8000", "A40", "L40S", *MIG_LAYOUTS)
RANGES = (PRESET, VersionRange(0x120001, 0x130001), VersionRange(0x140001, 0x140001))


def slot_of(
    state: HostState,
    *,
    encoder: Encoder | None = None,
    faults: Sequence[Fault] = (),
    runtime: Runtime | None = None,
) -> Row:
    """A state encoded and read again."""
    encoder = encoder or Encoder(state.host)
    data = encoder.encode(state, base=PAGE, faults=faults, runtime=runtime or Runtime())
    assert len(data) <= encoder.slot_size
    return read_slot(bytes(PAGE) + data, PAGE)


def content(publisher: Publisher) -> bytes:
    """The whole snapshot as a client may read it, through its descriptor."""
    return os.pread(publisher.descriptors()[0], publisher.size, 0)


def in_force(publisher: Publisher) -> Row:
    """The slot that is in force, read through the descriptor."""
    return read_in_force(content(publisher))


def a_full_host(count: int = 2, *, board: str = "L40S", vgpu_type: str = "L40S-12Q") -> VgpuManager:
    """A manager of a host whose gpus are full of running vgpus of one type."""
    manager = VgpuManager(HostState(host=a_host(gpus=[a_gpu(n, board=board) for n in range(count)])))
    most = facts.vgpu_type(vgpu_type).max_instances
    for number in range(count * most):
        start_vm(manager, a_vm(f"vm{number}", vgpu_type))
    return manager


@st.composite
def gpus(draw: st.DrawFn, number: int) -> Gpu:
    """One gpu: any of a few boards, in any of its modes, on or off in every flag."""
    board = draw(st.sampled_from(BOARDS))
    mixed = facts.board(board).has_mixed_size
    offered = [one.short for one in facts.types_of_board(board)]
    gpu = a_gpu(
        number,
        board=board,
        mode=draw(
            st.sampled_from([PlacementMode.EQUAL, PlacementMode.MIXED] if mixed else [PlacementMode.EQUAL])
        ),
        mig=draw(st.sampled_from([(), *MIG_LAYOUTS.get(board, ())])),
        ecc=draw(st.booleans()),
        vgpu=draw(st.sampled_from([True, True, True, False])),
        migration=draw(st.booleans()),
        types=draw(st.just(()) | st.lists(st.sampled_from(offered), min_size=1, unique=True).map(tuple)),
    )
    own_id = GpuId(f"GPU-5f0c1e2a-0000-4000-8000-00000000000{number}")
    return replace(
        gpu,
        id=draw(st.sampled_from([gpu.id, own_id])),
        pci=draw(st.sampled_from([None, f"0000:{0x3B + number:02x}:00.0", f"{number + 1:02x}:1f.0"])),
        sriov=draw(st.booleans()),
    )


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """A host with one to three gpus."""
    count = draw(st.integers(1, 3))
    preset = draw(st.sampled_from([*RANGES, None]))
    return a_host(
        gpus=[draw(gpus(number)) for number in range(count)],
        driver=draw(st.sampled_from(["390.94", "470.63", "550.54.16", "580.126.08", "closed-source"])),
        preset=preset,
        in_force=preset,
        manager=draw(st.sampled_from([True, True, True, False])),
        hypervisor=draw(st.sampled_from(["kvm", "xen"])),
    )


VMS = st.sampled_from([VmId(f"vm{number}") for number in range(6)])
OPERATIONS = (
    "start",
    "start",
    "start",
    "load",
    "load",
    "guest_driver_fails",
    "reboot_guest",
    "pause",
    "resume",
    "sleep",
    "wake",
    "hibernate",
    "shut_down",
    "undefine",
    "migrate_out",
    "abort",
    "set_range",
    "install",
    "reload_driver",
    "reboot",
    "create_device",
    "remove_device",
    "other_mode",
)


def begin(manager: VgpuManager, draw: st.DrawFn) -> None:
    """Start a few VMs where there is room, most of them with a guest driver, so that few hosts are empty."""
    for number in range(draw(st.integers(3, 6))):
        state = manager.state
        types = [
            one.short
            for gpu in state.host.gpus
            for one in facts.types_of_board(gpu.board.key)
            if isinstance(find_room(gpu, state.tenants(gpu.id), one), Place)
        ]
        if not types or not state.host.has_manager:
            return
        vm = a_vm(f"vm{number}", draw(st.sampled_from(types)))
        manager.define(vm)
        try:
            manager.start(vm.id)
            if draw(st.sampled_from([True, True, False])):
                manager.load_guest_driver(vm.id, "550.54.14", bounds=GUEST)
        except RefusedError:
            continue


def happen(manager: VgpuManager, draw: st.DrawFn) -> None:
    """Let one thing happen to a host, or be refused."""
    operation, vm = draw(st.sampled_from(OPERATIONS)), draw(VMS)
    try:
        if operation == "start":
            if vm not in manager.state.vms:
                manager.define(a_vm(vm, *draw(st.lists(types_of(manager), min_size=1, max_size=3))))
            manager.start(vm, States.COLD)
        elif operation == "load":
            manager.load_guest_driver(vm, "550.54.14", bounds=GUEST)
        elif operation == "set_range":
            manager.set_range(draw(st.sampled_from(RANGES)))
        elif operation == "install":
            manager.install_driver(draw(st.sampled_from(["535.129.03", "550.90.05"])))
        elif operation in ("reload_driver", "reboot"):
            getattr(manager, operation)()
        elif operation == "create_device" and manager.state.host.gpus:
            gpu = draw(st.sampled_from(manager.state.host.gpus))
            device = DeviceId(draw(st.sampled_from(DEVICES)))
            manager.create_device(gpu.id, facts.vgpu_type(draw(types_of(manager))), device)
        elif operation == "remove_device":
            manager.remove_device(DeviceId(draw(st.sampled_from(DEVICES))))
        elif operation == "other_mode":
            other_mode(manager, draw(st.integers(0, max(0, len(manager.state.host.gpus) - 1))))
        elif operation != "create_device":
            getattr(manager, operation)(vm)
    except (RefusedError, InputError, NvmlError):
        pass


DEVICES = ("c47a3625-859f-11f1-84fe-7572c7d51d3e", "094593d6-85a0-11f1-802e-72c7d51d3e72", "vf-3")


def types_of(manager: VgpuManager) -> st.SearchStrategy[str]:
    """Types of the boards that a host has."""
    boards = {gpu.board.key for gpu in manager.state.host.gpus} or {"T4"}
    return st.sampled_from([one.short for key in sorted(boards) for one in facts.types_of_board(key)])


def other_mode(manager: VgpuManager, number: int) -> None:
    """Switch a gpu without vgpus between equal-size and mixed-size, where its board can."""
    state = manager.state
    for index, gpu in enumerate(state.host.gpus):
        if index == number and gpu.board.has_mixed_size and not gpu.mig and not state.tenants(gpu.id):
            mode = PlacementMode.EQUAL if gpu.mode is PlacementMode.MIXED else PlacementMode.MIXED
            changed = (
                *state.host.gpus[:index],
                replace(gpu, mode=mode),
                *state.host.gpus[index + 1 :],
            )
            manager.state = replace(state, host=replace(state.host, gpus=changed))
