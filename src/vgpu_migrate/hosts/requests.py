"""What can be asked of a simulated host over its socket: one structure a verb, read strictly by the host.

A request is JSON: `{"do": VERB, ...}` with the structure's fields. Answers are `{"ok": true, "answer": ...}`
or `{"ok": false, "error": ...}` (see `failures`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.manager import Seat
from vgpu_migrate.model import VersionRange

Seats = tuple[Seat, ...] | None
"""A seat for each vgpu; None: the host chooses."""


class Request(msgspec.Struct, frozen=True, tag_field="do", forbid_unknown_fields=True):
    """What all requests have in common: they are told apart by `do`."""


class OfVm(Request, frozen=True):
    """A request about one VM of the host."""

    vm: str


class OfGpu(Request, frozen=True):
    """A request about one gpu of the host."""

    gpu: str


class Show(Request, frozen=True, tag="show"):
    """The whole host: `HostView`."""


class State(Request, frozen=True, tag="state"):
    """The state of the host's manager, as `manager.to_data` writes it."""


class Gpus(Request, frozen=True, tag="gpus"):
    """The gpus, in the host's order."""


class ActiveVgpus(OfGpu, frozen=True, tag="active-vgpus"):
    """The active vgpus of a gpu."""


class InstanceMetadata(Request, frozen=True, tag="instance-metadata"):
    """The record of an active vgpu."""

    instance: int


class GpuMetadata(OfGpu, frozen=True, tag="gpu-metadata"):
    """The record of a gpu."""


class Judge(Request, frozen=True, tag="judge"):
    """The verdict on two records, with its evidence."""

    vgpu_record: bytes
    gpu_record: bytes


class Versions(Request, frozen=True, tag="versions"):
    """The preset range and the range in force."""


class SetRange(Request, frozen=True, tag="set-range"):
    """Override the preset range."""

    wanted: VersionRange


class LiftRange(Request, frozen=True, tag="lift-range"):
    """Put the preset range back in force."""


class Define(Request, frozen=True, tag="define"):
    """Add a VM, powered off: a `VmDefinition` as `manager.to_data` writes it."""

    definition: Any


class Undefine(OfVm, frozen=True, tag="undefine"):
    """Forget a VM without vgpus."""


class Start(OfVm, frozen=True, tag="start"):
    """Create the vgpus of a VM's next instance; `from_state` is one of NVML's states."""

    from_state: int
    records: tuple[bytes, ...] | None
    seats: Seats


class LoadGuestDriver(OfVm, frozen=True, tag="load-guest-driver"):
    """A guest driver loads and negotiates."""

    driver: str | None
    bounds: tuple[int | None, int | None] | None


class GuestDriverFails(OfVm, frozen=True, tag="guest-driver-fails"):
    """The guest driver does not load, for a reason of its own."""


class RebootGuest(OfVm, frozen=True, tag="reboot-guest"):
    """The guest reboots."""


class Pause(OfVm, frozen=True, tag="pause"):
    """Stop the VM's processors."""


class Resume(OfVm, frozen=True, tag="resume"):
    """Let the VM run on."""


class Sleep(OfVm, frozen=True, tag="sleep"):
    """Suspend the VM to S3."""


class Wake(OfVm, frozen=True, tag="wake"):
    """Wake the VM."""


class Hibernate(OfVm, frozen=True, tag="hibernate"):
    """Suspend the VM to S4."""


class ShutDown(OfVm, frozen=True, tag="shut-down"):
    """Power the VM off."""


class SetMigration(OfVm, frozen=True, tag="set-migration"):
    """Whether the guest's use of each vgpu allows migration."""

    allowed: tuple[bool, ...]


class SavedRecords(OfVm, frozen=True, tag="saved-records"):
    """What to keep with the VM."""


class ReloadDriver(Request, frozen=True, tag="reload-driver"):
    """Reload the host driver."""


class Reboot(Request, frozen=True, tag="reboot"):
    """Reboot the host."""


class InstallDriver(Request, frozen=True, tag="install-driver"):
    """Install another host driver."""

    driver: str
    preset_range: VersionRange | None


class CreateDevice(OfGpu, frozen=True, tag="create-device"):
    """Make a device, of a vgpu type by name, before a VM uses it."""

    type: str
    device: str
    placement: int | None
    function: int | None


class PlaceDevice(Request, frozen=True, tag="place-device"):
    """Move a device that no VM uses to another placement id."""

    device: str
    placement: int


class RemoveDevice(Request, frozen=True, tag="remove-device"):
    """End a device that no VM uses."""

    device: str


class Migrate(OfVm, frozen=True, tag="migrate"):
    """Migrate the VM to the host at another socket."""

    to: str
    seats: Seats


class Abort(OfVm, frozen=True, tag="abort"):
    """End the VM's migration without moving it."""


class Inject(Request, frozen=True, tag="inject"):
    """Set a fault."""

    fault: FaultSpec


class Clear(Request, frozen=True, tag="clear"):
    """Clear a fault, or all."""

    number: int | None


class SetHeterogeneous(OfGpu, frozen=True, tag="set-heterogeneous"):
    """Mixed-size mode of an empty gpu."""

    is_on: bool


class SetPersistence(OfGpu, frozen=True, tag="set-persistence"):
    """Persistence mode of a gpu."""

    is_on: bool


class Identify(Request, frozen=True, tag="identify"):
    """A source asks who the target is, before it offers it anything."""


class MigrateIn(Request, frozen=True, tag="migrate-in"):
    """A source offers a VM (`MigrationOffer`); answered by an `Acceptance`."""

    offer: Any
    seats: Seats


class Commit(Request, frozen=True, tag="commit"):
    """A source has stopped a VM for good (`Handover`); answered by a `Receipt`."""

    handover: Any


class Settle(Request, frozen=True, tag="settle"):
    """A source asks how a migration ended, and may go on asking; answered by a `Receipt`.

    What the target has not committed by then it never will.
    """

    migration: str
    target: str


AnyRequest = (
    Show
    | State
    | Gpus
    | ActiveVgpus
    | InstanceMetadata
    | GpuMetadata
    | Judge
    | Versions
    | SetRange
    | LiftRange
    | Define
    | Undefine
    | Start
    | LoadGuestDriver
    | GuestDriverFails
    | RebootGuest
    | Pause
    | Resume
    | Sleep
    | Wake
    | Hibernate
    | ShutDown
    | SetMigration
    | SavedRecords
    | ReloadDriver
    | Reboot
    | InstallDriver
    | CreateDevice
    | PlaceDevice
    | RemoveDevice
    | Migrate
    | Abort
    | Inject
    | Clear
    | SetHeterogeneous
    | SetPersistence
    | Identify
    | MigrateIn
    | Commit
    | Settle
)
"""Every request there is."""
