"""A simulated host answers what its manager's state says, at each call."""

from __future__ import annotations

import pytest
from tests.manager.factories import VM, a_gpu, a_host, a_manager, a_vm, start_vm

from vgpu_migrate.hosts import ActiveVgpu, Host, PhysicalGpu, SimulatedHost
from vgpu_migrate.manager import VgpuManager, migrate
from vgpu_migrate.model import GpuId, Profile, VersionRange
from vgpu_migrate.nvml import (
    ALL_STATES,
    Compatibility,
    InvalidArgumentError,
    Limits,
    NotFoundError,
    NotSupportedError,
    States,
)

GPU = GpuId("h01/0")


def a_simulated_host(manager: VgpuManager | None = None) -> tuple[Host, VgpuManager]:
    """A host with one running VM, seen as every caller sees it."""
    manager = manager or a_manager()
    start_vm(manager)
    return SimulatedHost(manager), manager


def test_gpus_are_listed_in_the_files_order() -> None:
    """With the board's marketing name."""
    host = SimulatedHost(a_manager(a_host(gpus=[a_gpu(1), a_gpu(0, board="A40")])))
    assert host.gpus() == (PhysicalGpu(GpuId("h01/1"), "L40S", None), PhysicalGpu(GPU, "A40", None))


@pytest.mark.parametrize(("hypervisor", "vm"), [("kvm", a_vm().uuid), ("xen", "1")])
def test_active_vgpus_are_listed(hypervisor: str, vm: str) -> None:
    """With the VM's UUID, or under Xen its domain id."""
    host, manager = a_simulated_host(a_manager(a_host(hypervisor=hypervisor)))
    vgpu = manager.state.vm(VM).vgpus[0]
    assert host.active_vgpus(GPU) == (ActiveVgpu(vgpu.handle, vgpu.uuid, vm, "L40S-12Q"),)


def test_held_vgpus_are_not_listed() -> None:
    """Neither at the target before the commit nor at the source after the hand-over."""
    source, target = a_manager(), a_manager(a_host("h02"))
    start_vm(source)
    acceptance = target.migrate_in(source.migrate_out(VM))
    assert SimulatedHost(target).active_vgpus(GpuId("h02/0")) == ()
    source.hand_over(acceptance)
    assert SimulatedHost(source).active_vgpus(GPU) == ()


def test_what_is_not_a_vgpu_host() -> None:
    """A gpu that is none, a host without a manager: NOT_SUPPORTED; no such gpu: INVALID_ARGUMENT."""
    host = SimulatedHost(a_manager(a_host(gpus=[a_gpu(0, vgpu=False), a_gpu(1)])))
    plain = SimulatedHost(a_manager(a_host(manager=False)))
    for one in (host, plain):
        with pytest.raises(NotSupportedError):
            one.gpu_metadata(GPU)
        with pytest.raises(NotSupportedError):
            one.active_vgpus(GPU)
        with pytest.raises(InvalidArgumentError, match="no gpu GPU-9 on host h01"):
            one.gpu_metadata(GpuId("GPU-9"))
    assert len(host.gpu_metadata(GpuId("h01/1"))) == 128


def test_compatibility_is_that_of_the_serving_hosts_domain() -> None:
    """Two records, judged under the profile of the host that is asked."""
    host, manager = a_simulated_host()
    vgpu = host.instance_metadata(1)
    newer = a_host("h02", driver="580.126.08", preset=VersionRange(0x120001, 0x1A0001))
    target = SimulatedHost(a_manager(newer, profile=Profile.IDENTICAL_HOST_DRIVERS))
    record = target.gpu_metadata(GpuId("h02/0"))
    assert host.compatibility(vgpu, record) == Compatibility(ALL_STATES, Limits.NONE)
    assert target.compatibility(vgpu, record) == Compatibility(
        States.COLD | States.HIBERNATE, Limits.HOST_DRIVER
    )
    assert manager.state.profile is Profile.DEFAULT


def test_a_handle_is_found_while_its_vgpu_is_active() -> None:
    """0 is INVALID_ARGUMENT, any other that is not active NOT_FOUND."""
    host, manager = a_simulated_host()
    assert len(host.instance_metadata(1)) == 212
    with pytest.raises(InvalidArgumentError):
        host.instance_metadata(0)
    migrate(manager, a_manager(a_host("h02")), VM)
    with pytest.raises(NotFoundError, match="vgpu instance 1"):
        host.instance_metadata(1)


def test_a_range_set_by_one_is_seen_by_all() -> None:
    """Two views of one manager."""
    manager = a_manager()
    one, other = SimulatedHost(manager), SimulatedHost(manager)
    one.set_vgpu_version(VersionRange(0x120001, 0x130001))
    assert other.vgpu_versions()[1] == VersionRange(0x120001, 0x130001)
