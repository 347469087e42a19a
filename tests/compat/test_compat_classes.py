"""Whole fleets as classes: every VM on every gpu as the pair call judges it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.compat.factories import DRIVERS
from tests.compat.oracle import judge

from vgpu_migrate import facts
from vgpu_migrate.compat import check, classify, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import (
    Fleet,
    Gpu,
    GpuId,
    Host,
    HostId,
    PlacementMode,
    Profile,
    Settings,
    VersionRange,
    Vgpu,
    Vm,
    VmId,
    VmState,
)
from vgpu_migrate.nvml import ALL_STATES, States

PRESET = VersionRange(0x70001, 0x140001)
DOMAINS = {profile.value: Settings(profile=profile) for profile in Profile}
WITHOUT_GPU = (VmState.OFF, VmState.HIBERNATED)


def a_gpu(name: str, board: str = "L40S", **changes: Any) -> Gpu:
    """A gpu named "<host>/<index>"."""
    host, _, index = name.partition("/")
    fields: dict[str, Any] = {
        "id": GpuId(name),
        "host": HostId(host),
        "index": int(index),
        "board": facts.board(board),
        "pci": None,
        "mode": PlacementMode.EQUAL,
        "ecc": True,
        "sriov": True,
        "is_vgpu_host": True,
        "migration": True,
        "topology": 0,
        "mig": (),
        "types": (),
    }
    return Gpu(**fields | changes)


def a_host(name: str, *gpus: Gpu, **changes: Any) -> Host:
    """A host with these gpus."""
    fields: dict[str, Any] = {
        "id": HostId(name),
        "domain": "default",
        "driver": DRIVERS[0],
        "has_manager": True,
        "hypervisor": "kvm",
        "preset_range": PRESET,
        "range_in_force": PRESET,
        "range_said": "given",
        "schedulable": True,
        "memory_mib": None,
        "vcpus": None,
        "gpus": gpus,
    }
    return Host(**fields | changes)


def a_vgpu(gpu: str | None, vgpu_type: str = "L40S-12Q", **changes: Any) -> Vgpu:
    """A vgpu on a gpu, or one of a VM that holds none."""
    fields: dict[str, Any] = {
        "type": facts.vgpu_type(vgpu_type),
        "gpu": None if gpu is None else GpuId(gpu),
        "placement": None,
        "vgpu_version": 0x140001,
        "migration": True,
        "record": None,
    }
    return Vgpu(**fields | changes)


def a_vm(name: str, *vgpus: Vgpu, **changes: Any) -> Vm:
    """A VM with these vgpus, on the host of the first."""
    gpu = vgpus[0].gpu if vgpus else None
    fields: dict[str, Any] = {
        "id": VmId(name),
        "host": None if gpu is None else HostId(gpu.partition("/")[0]),
        "given_uuid": None,
        "domid": None,
        "state": VmState.RUNNING,
        "memory_mib": 4096,
        "vcpus": None,
        "guest_driver": "550.54.14",
        "allow": States.LIVE,
        "anti_affinity": (),
        "vgpus": vgpus,
    }
    return Vm(**fields | changes)


def a_fleet(hosts: list[Host], vms: list[Vm]) -> Fleet:
    """A fleet with a domain for each profile, named after it."""
    return Fleet(
        revision=None,
        settings=Settings(),
        domain_settings=DOMAINS,
        hosts={host.id: host for host in hosts},
        vms={vm.id: vm for vm in vms},
    )


BOARDS = ("L40S", "A100")
TYPES = {"L40S": ("L40S-12Q", "L40S-8Q"), "A100": ("A100-20C", "A100-3-20C", "A100-4-20C")}
RANGES = st.sampled_from([None, PRESET, VersionRange(0x70001, 0x120001), VersionRange(0x130001, 0x140001)])
FLAGS = st.sampled_from([True, True, True, False])


@st.composite
def hosts_of_a_fleet(draw: st.DrawFn, name: str) -> Host:
    """A host with up to three gpus, in some domain, which may have no vGPU Manager."""
    gpus = []
    for index in range(draw(st.integers(0, 3))):
        board = draw(st.sampled_from(BOARDS))
        listed = draw(st.just([]) | st.lists(st.sampled_from(TYPES[board]), unique=True))
        gpus.append(
            a_gpu(
                f"{name}/{index}",
                board,
                ecc=draw(FLAGS),
                sriov=draw(FLAGS),
                is_vgpu_host=draw(FLAGS),
                migration=draw(FLAGS),
                topology=draw(st.sampled_from([0, 0, 5])),
                mig=draw(st.sampled_from([(), (3, 4), (4, 3)])) if board == "A100" else (),
                types=tuple(map(facts.vgpu_type, listed)),
            )
        )
    return a_host(
        name,
        *gpus,
        domain=draw(st.sampled_from(sorted(DOMAINS))),
        driver=draw(st.sampled_from(DRIVERS)),
        has_manager=draw(FLAGS),
        range_in_force=draw(RANGES),
    )


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """A small fleet: VMs in every state, with up to three vgpus each, on gpus of several kinds."""
    hosts = [draw(hosts_of_a_fleet(f"h{number}")) for number in range(draw(st.integers(0, 4)))]
    boards = {gpu.id: gpu.board.key for host in hosts for gpu in host.gpus}
    vms = []
    for number in range(draw(st.integers(0, 6))):
        state = draw(st.sampled_from(VmState))
        if not boards:
            state = draw(st.sampled_from(WITHOUT_GPU))
        vgpus = []
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            gpu = None if state in WITHOUT_GPU else draw(st.sampled_from(sorted(boards)))
            board = draw(st.sampled_from(BOARDS)) if gpu is None else boards[gpu]
            vgpus.append(
                a_vgpu(
                    gpu,
                    draw(st.sampled_from(TYPES[board])),
                    vgpu_version=draw(st.sampled_from([None, 0, 0x120001, 0x140001])),
                    migration=draw(FLAGS),
                )
            )
        driver = draw(st.sampled_from([None, "550.54.14", "535.161.07", "not a driver"]))
        vms.append(a_vm(f"vm{number}", *vgpus, state=state, guest_driver=driver))
    return a_fleet(hosts, vms)


@given(fleets())
def test_every_vm_on_every_gpu(fleet: Fleet) -> None:
    """The cell of a VM's and a gpu's class has what the pair call and the oracle say of the pair."""
    classes = classify(fleet)
    cells = {(cell.vm_class, cell.gpu_class): cell for cell in classes.cells()}
    assert classes.states.shape == (len(classes.vm_classes), len(classes.gpu_classes))
    assert set(classes.vm_class) == set(fleet.vms)
    for vm in fleet.vms.values():
        for host in fleet.hosts.values():
            profile = fleet.settings_of(host.domain).profile
            for gpu in host.gpus:
                if not (host.has_manager and gpu.is_vgpu_host):
                    assert gpu.id not in classes.gpu_class
                    continue
                traits = [vgpu_traits(fleet, vm, vgpu) for vgpu in vm.vgpus]
                verdict = combine([check(each, gpu_traits(host, gpu), profile) for each in traits])
                plain = [judge(each, gpu_traits(host, gpu), profile.value) for each in traits]
                at = classes.vm_class[vm.id], classes.gpu_class[gpu.id]
                left = int(ALL_STATES)
                for judgement in plain:
                    left &= judgement.states
                assert classes.states[at] == verdict.states == left
                hit = {piece.rule for piece in verdict.evidence}
                assert ("board" in hit) == (at not in cells)
                if at in cells:
                    assert (cells[at].states, cells[at].limits) == (verdict.states, verdict.limits)
                    assert set(cells[at].rules) == hit == {rule for item in plain for rule in item.rules}


@given(fleets())
def test_classes_are_counted_and_numbered(fleet: Fleet) -> None:
    """Counts are those of the members; numbers follow the file's order; no class is without a member."""
    classes = classify(fleet)
    for numbers, counts in (
        (list(classes.vm_class.values()), [each.vms for each in classes.vm_classes]),
        (list(classes.gpu_class.values()), [each.gpus for each in classes.gpu_classes]),
    ):
        assert [numbers.count(number) for number in range(len(counts))] == counts
        assert list(dict.fromkeys(numbers)) == list(range(len(counts)))


def test_alike_vms_and_gpus_share_a_class() -> None:
    """Names, owners and capacity do not tell classes apart; what a row reads does."""
    hosts = [
        a_host("h1", a_gpu("h1/0"), a_gpu("h1/1", mode=PlacementMode.MIXED)),
        a_host("h2", a_gpu("h2/0"), a_gpu("h2/1", ecc=False), driver=DRIVERS[1], schedulable=False),
    ]
    vms = [
        a_vm("vm1", a_vgpu("h1/0")),
        a_vm("vm2", a_vgpu("h2/0"), memory_mib=1, allow=States.COLD),
        a_vm("vm3", a_vgpu("h1/0"), a_vgpu("h1/1")),
        a_vm("vm4", a_vgpu("h2/1")),
    ]
    classes = classify(a_fleet(hosts, vms))
    assert classes.vm_class == {"vm1": 0, "vm2": 0, "vm3": 0, "vm4": 1}
    assert classes.gpu_class == {"h1/0": 0, "h1/1": 0, "h2/0": 0, "h2/1": 1}
    assert [each.vms for each in classes.vm_classes] == [3, 1]
    assert [each.gpus for each in classes.gpu_classes] == [3, 1]
    cold = States.COLD | States.HIBERNATE
    assert classes.states.tolist() == [[ALL_STATES, cold], [cold, ALL_STATES]]


def test_host_drivers_tell_apart_only_where_a_profile_asks() -> None:
    """Under identical-host-drivers two drivers are two classes, and each VM goes live to its own only."""
    domain = Profile.IDENTICAL_HOST_DRIVERS.value
    hosts = [
        a_host("h1", a_gpu("h1/0"), domain=domain),
        a_host("h2", a_gpu("h2/0"), domain=domain, driver=DRIVERS[1]),
    ]
    vms = [a_vm("vm1", a_vgpu("h1/0")), a_vm("vm2", a_vgpu("h2/0"))]
    classes = classify(a_fleet(hosts, vms))
    cold = States.COLD | States.HIBERNATE
    assert classes.states.tolist() == [[ALL_STATES, cold], [cold, ALL_STATES]]


def test_an_empty_fleet() -> None:
    """Without VMs or gpus there are no classes and no cells."""
    classes = classify(a_fleet([], []))
    assert (classes.vm_classes, classes.gpu_classes, list(classes.cells())) == ((), (), [])
    assert classes.states.shape == (0, 0)


def test_a_vm_without_vgpus() -> None:
    """A VM that owns no vgpu has nothing to be judged, so no row forbids it any gpu."""
    classes = classify(a_fleet([a_host("h1", a_gpu("h1/0"))], [a_vm("vm1")]))
    assert classes.states.tolist() == [[ALL_STATES]]
