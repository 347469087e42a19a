"""A live simulated host, reached over its socket: what any program can ask of it and do to it.

Each method is one request on a connection of its own, so one object serves any number of threads.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vgpu_migrate.compat import Verdict
from vgpu_migrate.errors import OutsideError
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.hosts import requests, wire
from vgpu_migrate.hosts.failures import failure_from_data
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.hosts.live_view import DeviceView, HostView
from vgpu_migrate.hosts.protocol import ActiveVgpu, PhysicalGpu
from vgpu_migrate.manager import (
    DeviceId,
    HostState,
    Negotiation,
    Receipt,
    Seat,
    VmDefinition,
    from_data,
    to_data,
)
from vgpu_migrate.model import GpuId, VmId
from vgpu_migrate.nvml import Compatibility, States, VersionRange
from vgpu_migrate.snapshot.layout import CONTROL

T = TypeVar("T")

ANSWER_S = 10.0
"""Seconds in which a host answers an ordinary request."""
MIGRATION_S = 60.0
"""Seconds in which it answers a migration, whose target has limits of its own."""


class StartedVm(msgspec.Struct, frozen=True):
    """A start that went well: the handles of the new vgpus in order, and warnings for people."""

    instances: tuple[int, ...]
    warnings: tuple[str, ...]


class LiveHost:
    """A simulated host behind a socket; answers the five calls as every `Host` does.

    Every method raises `OutsideError` where the host cannot be reached, and otherwise what the same method of
    `VgpuManager` raises: `RefusedError` (with reason and verdict), `InputError`, or an `NvmlError`.
    """

    def __init__(self, path: str | Path, *, timeout_s: float = ANSWER_S) -> None:
        self.path = Path(path)
        self._timeout_s = timeout_s

    def show(self) -> HostView:
        """The whole host at this moment."""
        return self.request(requests.Show(), HostView)

    def state(self) -> HostState:
        """The state of the host's manager."""
        return from_data(HostState, self.request(requests.State(), object), place=str(self.path))

    def gpus(self) -> tuple[PhysicalGpu, ...]:
        """The gpus of the host, in its order."""
        return self.request(requests.Gpus(), tuple[PhysicalGpu, ...])

    def active_vgpus(self, gpu: GpuId) -> tuple[ActiveVgpu, ...]:
        """The active vgpus of a gpu, by handle."""
        return self.request(requests.ActiveVgpus(gpu), tuple[ActiveVgpu, ...])

    def instance_metadata(self, instance: int) -> bytes:
        """The 212 bytes of an active vgpu's record."""
        return self.request(requests.InstanceMetadata(instance), bytes)

    def gpu_metadata(self, gpu: GpuId) -> bytes:
        """The 128 bytes of a gpu's record."""
        return self.request(requests.GpuMetadata(gpu), bytes)

    def compatibility(
        self, vgpu_record: bytes | bytearray | memoryview, pgpu_record: bytes | bytearray | memoryview
    ) -> Compatibility:
        """What this host's rules say of two records."""
        verdict = self.verdict(vgpu_record, pgpu_record)
        return Compatibility(verdict.states, verdict.limits)

    def verdict(
        self, vgpu_record: bytes | bytearray | memoryview, pgpu_record: bytes | bytearray | memoryview
    ) -> Verdict:
        """What this host's rules say of two records, with the evidence."""
        asked = requests.Judge(bytes(vgpu_record), bytes(pgpu_record))
        return from_data(Verdict, self.request(asked, object), place=str(self.path))

    def vgpu_versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force."""
        return self.request(requests.Versions(), tuple[VersionRange, VersionRange])

    def set_vgpu_version(self, wanted: VersionRange) -> None:
        """Override the preset range until the next driver reload."""
        self.tell(requests.SetRange(wanted))

    def lift_range(self) -> None:
        """Put the preset range back in force."""
        self.tell(requests.LiftRange())

    def define(self, definition: VmDefinition) -> None:
        """Add a VM, powered off."""
        self.tell(requests.Define(to_data(definition)))

    def undefine(self, vm: VmId) -> None:
        """Forget a VM that is off or hibernated, and its saved records."""
        self.tell(requests.Undefine(vm))

    def start(
        self,
        vm: VmId,
        from_state: States = States.COLD,
        *,
        records: Sequence[bytes] | None = None,
        gpus: Sequence[Seat] | None = None,
    ) -> StartedVm:
        """Create the vgpus of a VM's next instance.

        Args:
            vm: the VM, which has no vgpus now.
            from_state: exactly one state: what it is started from.
            records: its saved records, one for each vgpu; required from all states but COLD. Those that the
                host has kept are `saved_records`.
            gpus: a seat for each vgpu; None: the first gpus where verdict and room allow.
        """
        given = None if records is None else tuple(records)
        return self.request(requests.Start(vm, int(from_state), given, _seats(gpus)), StartedVm)

    def load_guest_driver(
        self,
        vm: VmId,
        driver: str | None = None,
        *,
        bounds: tuple[int | None, int | None] | None = None,
    ) -> Negotiation:
        """A guest driver (None: the VM's own) loads and negotiates; the outcome shows both ranges."""
        return self.request(requests.LoadGuestDriver(vm, driver, bounds), Negotiation)

    def guest_driver_fails(self, vm: VmId) -> None:
        """The guest driver fails to load for a reason of its own."""
        self.tell(requests.GuestDriverFails(vm))

    def reboot_guest(self, vm: VmId) -> None:
        """The guest reboots; guest info is UNINITIALIZED until its driver loads again."""
        self.tell(requests.RebootGuest(vm))

    def pause(self, vm: VmId) -> None:
        """Stop a running VM's processors."""
        self.tell(requests.Pause(vm))

    def resume(self, vm: VmId) -> None:
        """Let a paused VM run on."""
        self.tell(requests.Resume(vm))

    def sleep(self, vm: VmId) -> None:
        """Suspend a running VM to S3; it keeps its vgpus."""
        self.tell(requests.Sleep(vm))

    def wake(self, vm: VmId) -> None:
        """Wake a sleeping VM."""
        self.tell(requests.Wake(vm))

    def hibernate(self, vm: VmId) -> None:
        """Suspend a running VM to S4: its records are saved and its vgpus go."""
        self.tell(requests.Hibernate(vm))

    def shut_down(self, vm: VmId) -> None:
        """Power a VM off: its records are saved and its vgpus go."""
        self.tell(requests.ShutDown(vm))

    def set_migration(self, vm: VmId, allowed: Sequence[bool]) -> None:
        """Say for each vgpu of a VM whether its guest's use allows migration."""
        self.tell(requests.SetMigration(vm, tuple(allowed)))

    def saved_records(self, vm: VmId) -> tuple[bytes, ...]:
        """What to keep with a VM, one record for each vgpu, at any time."""
        return self.request(requests.SavedRecords(vm), tuple[bytes, ...])

    def reload_driver(self) -> None:
        """Reload the host driver; no VM may run."""
        self.tell(requests.ReloadDriver())

    def reboot(self) -> None:
        """Reboot the host; running VMs are off."""
        self.tell(requests.Reboot())

    def install_driver(self, driver: str, *, preset_range: VersionRange | None = None) -> None:
        """Install another host driver; no VM may run. Its preset range is from the facts if none is given."""
        self.tell(requests.InstallDriver(driver, preset_range))

    def create_device(
        self,
        gpu: GpuId,
        vgpu_type: VgpuType,
        device: DeviceId | None = None,
        *,
        placement: int | None = None,
        function: int | None = None,
    ) -> DeviceView:
        """Make a device, which takes up room and on which a VM can be started: a seat names it.

        Args:
            gpu: the gpu.
            vgpu_type: its type.
            device: its id, a UUID or any other name that is free; None: a random UUID.
            placement: its placement id on a mixed-size gpu; None: the lowest that is free.
            function: the virtual function of an SR-IOV gpu to put it on; None: the lowest that is free.
        """
        name = str(uuid.uuid4()) if device is None else device
        asked = requests.CreateDevice(gpu, vgpu_type.short, name, placement, function)
        return self.request(asked, DeviceView)

    def place_device(self, device: DeviceId, placement: int) -> None:
        """Move a device that no VM uses to another placement id of its mixed-size gpu."""
        self.tell(requests.PlaceDevice(device, placement))

    def remove_device(self, device: DeviceId) -> None:
        """End a device that no VM uses; its room is free again."""
        self.tell(requests.RemoveDevice(device))

    def migrate(self, vm: VmId, *, to: str | Path, gpus: Sequence[Seat] | None = None) -> Receipt:
        """Migrate a VM of this host to the host at another socket.

        Args:
            vm: a running, paused or sleeping VM of this host.
            to: the target's socket, as this host's process reaches it.
            gpus: a seat on the target for each vgpu; None: the first where verdict and room allow.

        Raises:
            RefusedError: one of the two hosts says no, with the verdict where one decided; nothing changed.
            OutsideError: the target was lost. The message says whether the VM runs here again or stays
                stopped until the target has answered, which this host goes on asking for.
        """
        asked = requests.Migrate(vm, os.path.abspath(to), _seats(gpus))
        return self.request(asked, Receipt, within_s=max(MIGRATION_S, self._timeout_s))

    def abort(self, vm: VmId) -> None:
        """End a VM's migration without moving it.

        On the target, what is held goes and the migration is declined for good. On the source an offered VM
        is taken back; one that was handed over only once its target declines, which is asked now.
        """
        self.tell(requests.Abort(vm), within_s=max(MIGRATION_S, self._timeout_s))

    def inject(self, fault: FaultSpec) -> int:
        """Set a fault; its number is what `clear` wants."""
        return self.request(requests.Inject(fault), int)

    def clear(self, number: int | None = None) -> int:
        """Clear one fault, or all; how many there were."""
        return self.request(requests.Clear(number), int)

    def set_heterogeneous(self, gpu: GpuId, *, is_on: bool) -> None:
        """Mixed-size mode of an empty gpu (`nvmlDeviceSetVgpuHeterogeneousMode`)."""
        self.tell(requests.SetHeterogeneous(gpu, is_on))

    def set_persistence(self, gpu: GpuId, *, is_on: bool) -> None:
        """Persistence mode of a gpu (`nvmlDeviceSetPersistenceMode`)."""
        self.tell(requests.SetPersistence(gpu, is_on))

    def request(self, request: requests.Request, kind: type[T], *, within_s: float | None = None) -> T:
        """Any request of the control protocol; the methods above are its typed forms.

        Args:
            request: what is asked.
            kind: the type of the answer.
            within_s: seconds to wait for the answer to begin; this client's own by default.
        """
        verb = str(request.__struct_config__.tag)
        answer = self._answer(verb, wire.to_json(request), within_s or self._timeout_s)
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise OutsideError(
                f"{self.path}: the host's answer to {verb} makes no sense: {error}; "
                "if it was started by another version of vgpu-migrate, start it again"
            ) from None

    def tell(self, request: requests.Request, *, within_s: float | None = None) -> None:
        """A request of the control protocol that is answered by nothing but that it is done."""
        self.request(request, type(None), within_s=within_s)

    def _answer(self, verb: str, body: bytes, within_s: float) -> Any:
        try:
            with wire.connect(self.path, timeout_s=self._timeout_s) as connection:
                wire.send(connection, CONTROL, body)
                message = wire.receive(
                    connection, longest=wire.LONGEST_ANSWER, within_s=self._timeout_s, idle_s=within_s
                )
        except wire.MessageError as error:
            raise OutsideError(f"{self.path}: no answer to {verb}: {error}") from None
        if message is None:
            raise OutsideError(f"{self.path}: no answer to {verb}: the host ended the connection")
        wire.close_all(message.descriptors)
        try:
            answer = wire.from_json(message.body)
        except wire.MessageError as error:
            raise OutsideError(f"{self.path}: the answer to {verb} makes no sense: {error}") from None
        if answer.get("ok") is True:
            return answer.get("answer")
        raise failure_from_data(answer.get("error"), source=str(self.path))


def _seats(seats: Sequence[Seat] | None) -> requests.Seats:
    return None if seats is None else tuple(seats)
