"""The software vGPU Manager: one host as a state machine.

`VgpuManager.state` is the one thing that changes, and each method changes it by one pure operation or not at
all. There is no clock and no chance in it: the same calls give the same state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from vgpu_migrate.errors import InputError, Problem, RefusedError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.manager import devices, host_operations, lifecycle, migration
from vgpu_migrate.manager.codec import DATA_VERSION, from_data, to_data
from vgpu_migrate.manager.fleet import state_of_host
from vgpu_migrate.manager.lifecycle import Started
from vgpu_migrate.manager.migration import Acceptance, Handover, MigrationOffer, Receipt
from vgpu_migrate.manager.records import instance_record, physical_record, saved_records
from vgpu_migrate.manager.seats import Seat
from vgpu_migrate.manager.state import (
    Device,
    DeviceId,
    HostState,
    MigrationId,
    Negotiation,
    Role,
    VgpuInstance,
    VmDefinition,
    VmRecord,
)
from vgpu_migrate.manager.transitions import Operation
from vgpu_migrate.model import Fleet, Gpu, GpuId, HostId, VersionRange, VmId
from vgpu_migrate.nvml import InvalidArgumentError, NotFoundError, NotSupportedError, States


class VgpuManager:
    """One host. Every method that changes it raises and changes nothing, or succeeds.

    What is refused raises `RefusedError` (the reason as a value in `refusal`, the verdict within where one
    decided) or, where NVML has a code for it, an `NvmlError`; a caller's mistake raises `InputError`.
    """

    def __init__(self, state: HostState) -> None:
        self.state = state

    def define(self, definition: VmDefinition) -> None:
        """Add a VM, powered off."""
        self.state = lifecycle.define(self.state, definition)

    def undefine(self, vm_id: VmId) -> None:
        """Forget a VM that is off or hibernated."""
        self.state = lifecycle.undefine(self.state, vm_id)

    def start(
        self,
        vm_id: VmId,
        from_state: States = States.COLD,
        *,
        records: Sequence[bytes] | None = None,
        gpus: Sequence[Seat] | None = None,
    ) -> Started:
        """Create the vgpus of a VM's next instance; see `lifecycle.start`."""
        self.state, started = lifecycle.start(
            self.state, vm_id, from_state=from_state, records=records, seats=gpus
        )
        return started

    def create_device(
        self,
        gpu: GpuId,
        vgpu_type: VgpuType,
        device: DeviceId,
        *,
        placement: int | None = None,
        function: int | None = None,
    ) -> Device:
        """Make a device that a VM can be started on; see `devices.create_device`."""
        self.state, made = devices.create_device(
            self.state, gpu, vgpu_type, device, placement=placement, function=function
        )
        return made

    def place_device(self, device: DeviceId, placement: int) -> None:
        """Move a device that no VM uses to another placement id."""
        self.state = devices.place_device(self.state, device, placement)

    def remove_device(self, device: DeviceId) -> None:
        """End a device that no VM uses."""
        self.state = devices.remove_device(self.state, device)

    def load_guest_driver(
        self,
        vm_id: VmId,
        driver: str | None = None,
        *,
        bounds: tuple[int | None, int | None] | None = None,
    ) -> Negotiation:
        """A guest driver loads and negotiates; the outcome says whether it did, and shows both ranges."""
        self.state = lifecycle.load_guest_driver(self.state, vm_id, driver, bounds=bounds)
        outcome = self.state.vm(vm_id).negotiation
        assert outcome is not None
        return outcome

    def guest_driver_fails(self, vm_id: VmId) -> None:
        """The guest driver fails to load for a reason of its own."""
        self.state = lifecycle.guest_driver_fails(self.state, vm_id)

    def reboot_guest(self, vm_id: VmId) -> None:
        """The guest reboots; guest info is UNINITIALIZED until its driver loads again."""
        self.state = lifecycle.reboot_guest(self.state, vm_id)

    def pause(self, vm_id: VmId) -> None:
        """Stop a running VM's processors."""
        self.state = lifecycle.change_power(self.state, vm_id, Operation.PAUSE)

    def resume(self, vm_id: VmId) -> None:
        """Let a paused VM run on."""
        self.state = lifecycle.change_power(self.state, vm_id, Operation.RESUME)

    def sleep(self, vm_id: VmId) -> None:
        """Suspend a running VM to S3; it keeps its vgpus."""
        self.state = lifecycle.change_power(self.state, vm_id, Operation.SLEEP)

    def wake(self, vm_id: VmId) -> None:
        """Wake a sleeping VM."""
        self.state = lifecycle.change_power(self.state, vm_id, Operation.WAKE)

    def hibernate(self, vm_id: VmId) -> None:
        """Suspend a running VM to S4: its records are saved and its vgpus go."""
        self.state = lifecycle.leave(self.state, vm_id, Operation.HIBERNATE)

    def shut_down(self, vm_id: VmId) -> None:
        """Power a VM off: its records are saved and its vgpus go."""
        self.state = lifecycle.leave(self.state, vm_id, Operation.SHUT_DOWN)

    def set_migration(self, vm_id: VmId, allowed: Sequence[bool]) -> None:
        """Say for each vgpu of a VM whether its guest's use allows migration."""
        self.state = lifecycle.set_migration(self.state, vm_id, allowed)

    def migrate_out(self, vm_id: VmId) -> MigrationOffer:
        """Offer a VM to another host; it stays active."""
        self.state, offer = migration.migrate_out(self.state, vm_id)
        return offer

    def migrate_in(self, offer: MigrationOffer, *, gpus: Sequence[Seat] | None = None) -> Acceptance:
        """Hold vgpus for an offered VM."""
        self.state, acceptance = migration.migrate_in(self.state, offer, seats=gpus)
        return acceptance

    def hand_over(self, acceptance: Acceptance) -> Handover:
        """Stop an offered VM in favour of the target that accepted it."""
        self.state, handover = migration.hand_over(self.state, acceptance)
        return handover

    def commit(self, handover: Handover) -> Receipt:
        """Make a held VM active here: the deciding entry of its migration."""
        self.state, receipt = migration.commit(self.state, handover)
        return receipt

    def finish(self, receipt: Receipt) -> None:
        """Let go of a VM that its target has committed."""
        self.state = migration.finish(self.state, receipt)

    def abort(self, vm_id: VmId, receipt: Receipt | None = None) -> Receipt | None:
        """End a migration without moving the VM.

        On the target, what is held goes and the receipt that says declined is the answer. On the source
        the VM is taken back; once it was handed over, that receipt is wanted.
        """
        if self.state.vm(vm_id).role is Role.INCOMING:
            self.state, declined = migration.abort_target(self.state, vm_id)
            return declined
        self.state = migration.abort_source(self.state, vm_id, receipt)
        return None

    def answer(self, migration_id: MigrationId) -> Receipt:
        """Settle a migration that its source asks about: committed if it was, else declined for good."""
        self.state, receipt = migration.answer(self.state, migration_id)
        return receipt

    def set_range(self, wanted: VersionRange) -> None:
        """Override the preset range of vGPU versions, or lift the override by setting the preset one."""
        self.state = host_operations.set_range(self.state, wanted)

    def versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force."""
        return host_operations.versions(self.state)

    def reload_driver(self) -> None:
        """Reload the host driver; no VM may run."""
        self.state = host_operations.reload_driver(self.state)

    def reboot(self) -> None:
        """Reboot the host; running VMs are off."""
        self.state = host_operations.reboot(self.state)

    def install_driver(self, driver: str, *, preset_range: VersionRange | None = None) -> None:
        """Install another host driver; no VM may run."""
        self.state = host_operations.install_driver(self.state, driver, preset_range=preset_range)

    def restart(
        self,
        *,
        configured_range: VersionRange | None = None,
        offered_to: Mapping[MigrationId, HostId] | None = None,
    ) -> None:
        """Begin again with what was kept: VMs stay, the range in force is the preset or configured one.

        VMs offered to the hosts named stay stopped until those answer.
        """
        self.state = host_operations.restart_manager(
            self.state, configured_range=configured_range, offered_to=offered_to
        )

    def saved_records(self, vm_id: VmId) -> tuple[bytes, ...]:
        """What to keep with a VM, one record for each vgpu, at any time."""
        return saved_records(self.state, vm_id)

    def instance(self, handle: int) -> tuple[VmRecord, VgpuInstance]:
        """An active vgpu and its VM.

        Raises:
            InvalidArgumentError: the handle is 0.
            NotFoundError: no active vgpu has this handle; held ones are not active.
        """
        if handle == 0:
            raise InvalidArgumentError("vgpuInstance is 0")
        for record, vgpu in self.state.active():
            if vgpu.handle == handle:
                return record, vgpu
        raise NotFoundError(f"vgpu instance {handle}")

    def instance_metadata(self, handle: int) -> bytes:
        """The metadata record of an active vgpu, 212 bytes."""
        return instance_record(self.state, *self.instance(handle))

    def gpu_metadata(self, gpu_id: GpuId) -> bytes:
        """The metadata record of a gpu, 128 bytes.

        Raises:
            InvalidArgumentError: the host has no such gpu.
            NotSupportedError: the gpu is no vGPU host, or there is no vGPU Manager.
        """
        return physical_record(self.state, self.vgpu_host(gpu_id))

    def vgpu_host(self, gpu_id: GpuId) -> Gpu:
        """A gpu that can hold vgpus; raises as `gpu_metadata` does."""
        gpu = self.state.find_gpu(gpu_id)
        if gpu is None:
            raise InvalidArgumentError(f"no gpu {gpu_id} on host {self.state.host.id}")
        if not self.state.host.has_manager:
            raise NotSupportedError(f"host {self.state.host.id} runs no vGPU Manager")
        if not gpu.is_vgpu_host:
            raise NotSupportedError(f"gpu {gpu_id} is not a vGPU host")
        return gpu

    def active_vgpus(self, gpu_id: GpuId) -> tuple[tuple[VmRecord, VgpuInstance], ...]:
        """The active vgpus of a gpu with their VMs, by handle; held ones are not listed."""
        found = [(record, vgpu) for record, vgpu in self.state.active() if vgpu.gpu == gpu_id]
        return tuple(sorted(found, key=lambda pair: pair[1].handle))

    def to_data(self) -> dict[str, Any]:
        """The whole state as plain data, for JSON."""
        return {"data_version": DATA_VERSION, "state": to_data(self.state)}

    @classmethod
    def from_data(cls, data: object) -> Self:
        """A manager from what `to_data` gave.

        Raises:
            InputError: it is of another data version, or something in it is not what it should be.
        """
        if not isinstance(data, dict) or data.get("data_version") != DATA_VERSION:
            seen = data.get("data_version") if isinstance(data, dict) else type(data).__name__
            raise InputError(Problem("data_version", str(seen), f"wanted {DATA_VERSION}"))
        return cls(from_data(HostState, data.get("state"), place="state"))


def manager_from_fleet(fleet: Fleet, host_id: HostId, *, incarnation: str = "") -> VgpuManager:
    """A host of a fleet as a vGPU Manager, its VMs in the states that the file gives them."""
    return VgpuManager(state_of_host(fleet, host_id, incarnation=incarnation))


def migrate(
    source: VgpuManager, target: VgpuManager, vm_id: VmId, *, gpus: Sequence[Seat] | None = None
) -> Receipt:
    """Migrate a VM between two hosts, and undo everything where one of them refuses.

    Raises:
        RefusedError: as `migrate_out`, `migrate_in` or `commit`; the VM is then on its source as it was.
        InputError: the VM or a gpu is not there.
    """
    offer = source.migrate_out(vm_id)
    try:
        acceptance = target.migrate_in(offer, gpus=gpus)
    except (RefusedError, InputError):
        source.abort(vm_id)
        raise
    handover = source.hand_over(acceptance)
    try:
        receipt = target.commit(handover)
    except RefusedError:
        source.abort(vm_id, target.answer(offer.migration))
        raise
    source.finish(receipt)
    return receipt
