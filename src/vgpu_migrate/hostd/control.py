"""The control protocol: each request on the socket, done, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from vgpu_migrate.compat import check, read_gpu_record, read_vgpu_record
from vgpu_migrate.errors import InputError, Problem, RecordError, VgpuMigrateError
from vgpu_migrate.facts import vgpu_type
from vgpu_migrate.hostd import fault_book, setters
from vgpu_migrate.hostd.keeper import Draft, HostKeeper
from vgpu_migrate.hostd.migration import Migrations
from vgpu_migrate.hostd.view import device_view, host_view
from vgpu_migrate.hosts import SimulatedHost, requests, wire
from vgpu_migrate.hosts.failures import failure_to_data
from vgpu_migrate.hosts.live import StartedVm
from vgpu_migrate.hosts.live_view import DeviceView
from vgpu_migrate.manager import (
    DeviceId,
    Handover,
    MigrationOffer,
    VgpuManager,
    VmDefinition,
    from_data,
    to_data,
)
from vgpu_migrate.model import GpuId, HostId, VersionRange, VmId
from vgpu_migrate.nvml import InvalidArgumentError, States
from vgpu_migrate.snapshot import Runtime

_Query = Callable[[VgpuManager, Any], object]
_Change = Callable[[Draft, Any], object]


class Controls:
    """Answers the control requests to one host."""

    def __init__(self, keeper: HostKeeper, migrations: Migrations, *, notices: Sequence[str] = ()) -> None:
        self._keeper = keeper
        self._migrations = migrations
        self._notices = tuple(notices)
        self._others: dict[type[requests.Request], Callable[[Any], object]] = {
            requests.Show: lambda _: self._show(),
            requests.Inject: lambda asked: fault_book.inject(keeper, asked.fault),
            requests.Clear: lambda asked: fault_book.clear(keeper, asked.number),
            requests.Identify: lambda _: keeper.now.state.host.id,
            requests.Migrate: lambda asked: migrations.migrate(
                VmId(asked.vm), to=asked.to, seats=asked.seats
            ),
            requests.Abort: lambda asked: migrations.abort(VmId(asked.vm)),
            requests.MigrateIn: lambda asked: migrations.accept(
                from_data(MigrationOffer, asked.offer, place="offer"), asked.seats
            ),
            requests.Commit: lambda asked: migrations.commit(
                from_data(Handover, asked.handover, place="handover")
            ),
            requests.Settle: lambda asked: migrations.settle(asked.migration, HostId(asked.target)),
        }

    def answer(self, body: bytes) -> bytes:
        """The answer to a request, whatever it is."""
        try:
            return wire.to_json({"ok": True, "answer": self._do(_read(body))})
        except VgpuMigrateError as error:
            return wire.to_json({"ok": False, "error": failure_to_data(error)})

    def _do(self, asked: requests.Request) -> object:
        kind = type(asked)
        if kind in _QUERIES:
            return _QUERIES[kind](VgpuManager(self._keeper.now.state), asked)
        if kind in _CHANGES:
            with self._keeper.changing() as draft:
                return _CHANGES[kind](draft, asked)
        return self._others[kind](asked)

    def _show(self) -> object:
        now = self._keeper.now
        faults = fault_book.shown(self._keeper, now)
        return host_view(now, faults=faults, asked=self._migrations.asked, notices=self._notices)


_REQUESTS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(requests.AnyRequest)


def _read(body: bytes) -> requests.Request:
    try:
        return cast(requests.Request, _REQUESTS.decode(body))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(Problem("request", str(error), "wanted a request of the control protocol")) from None


def _judge(manager: VgpuManager, asked: requests.Judge) -> object:
    try:
        vgpu, gpu = read_vgpu_record(asked.vgpu_record), read_gpu_record(asked.gpu_record)
    except RecordError as error:
        raise InvalidArgumentError(str(error)) from error
    return to_data(check(vgpu, gpu, manager.state.profile))


_QUERIES: dict[type[requests.Request], _Query] = {
    requests.State: lambda manager, _: to_data(manager.state),
    requests.Gpus: lambda manager, _: SimulatedHost(manager).gpus(),
    requests.ActiveVgpus: lambda manager, asked: SimulatedHost(manager).active_vgpus(asked.gpu),
    requests.InstanceMetadata: lambda manager, asked: manager.instance_metadata(asked.instance),
    requests.GpuMetadata: lambda manager, asked: manager.gpu_metadata(asked.gpu),
    requests.Judge: _judge,
    requests.Versions: lambda manager, _: manager.versions(),
    requests.SavedRecords: lambda manager, asked: manager.saved_records(asked.vm),
}


def _lift_range(draft: Draft, _: requests.LiftRange) -> None:
    preset, _in_force = draft.manager.versions()
    draft.manager.set_range(preset)


def _start(draft: Draft, asked: requests.Start) -> StartedVm:
    try:
        from_state = States(asked.from_state)
    except ValueError:
        raise InputError(
            Problem("from_state", str(asked.from_state), "wanted one of NVML's states")
        ) from None
    started = draft.manager.start(VmId(asked.vm), from_state, records=asked.records, gpus=asked.seats)
    return StartedVm(tuple(vgpu.handle for vgpu in started.vgpus), started.warnings)


def _load_guest_driver(draft: Draft, asked: requests.LoadGuestDriver) -> object:
    return draft.manager.load_guest_driver(VmId(asked.vm), asked.driver, bounds=asked.bounds)


def _reload_driver(draft: Draft, _: requests.ReloadDriver) -> None:
    draft.manager.reload_driver()
    draft.runtime = Runtime()


def _reboot(draft: Draft, _: requests.Reboot) -> None:
    draft.manager.reboot()
    draft.runtime = Runtime()


def _install_driver(draft: Draft, asked: requests.InstallDriver) -> None:
    preset: VersionRange | None = asked.preset_range
    if preset is not None and preset.minimum > preset.maximum:
        raise InputError(Problem("preset_range", str(preset), "wanted a minimum not above the maximum"))
    draft.manager.install_driver(asked.driver, preset_range=preset)
    draft.runtime = Runtime()


def _set_heterogeneous(draft: Draft, asked: requests.SetHeterogeneous) -> None:
    setters.set_heterogeneous(draft, draft.manager.state.gpu(GpuId(asked.gpu)), [int(asked.is_on)])


def _set_persistence(draft: Draft, asked: requests.SetPersistence) -> None:
    setters.set_persistence(draft, draft.manager.state.gpu(GpuId(asked.gpu)), [int(asked.is_on)])


def _create_device(draft: Draft, asked: requests.CreateDevice) -> DeviceView:
    made = draft.manager.create_device(
        GpuId(asked.gpu),
        vgpu_type(asked.type),
        DeviceId(asked.device),
        placement=asked.placement,
        function=asked.function,
    )
    return device_view(made)


def _of_vm(operation: Callable[[VgpuManager, VmId], None]) -> _Change:
    return lambda draft, asked: operation(draft.manager, VmId(asked.vm))


_CHANGES: dict[type[requests.Request], _Change] = {
    requests.SetRange: lambda draft, asked: draft.manager.set_range(asked.wanted),
    requests.LiftRange: _lift_range,
    requests.Define: lambda draft, asked: draft.manager.define(
        from_data(VmDefinition, asked.definition, place="definition")
    ),
    requests.Undefine: _of_vm(VgpuManager.undefine),
    requests.Start: _start,
    requests.LoadGuestDriver: _load_guest_driver,
    requests.GuestDriverFails: _of_vm(VgpuManager.guest_driver_fails),
    requests.RebootGuest: _of_vm(VgpuManager.reboot_guest),
    requests.Pause: _of_vm(VgpuManager.pause),
    requests.Resume: _of_vm(VgpuManager.resume),
    requests.Sleep: _of_vm(VgpuManager.sleep),
    requests.Wake: _of_vm(VgpuManager.wake),
    requests.Hibernate: _of_vm(VgpuManager.hibernate),
    requests.ShutDown: _of_vm(VgpuManager.shut_down),
    requests.SetMigration: lambda draft, asked: draft.manager.set_migration(asked.vm, asked.allowed),
    requests.ReloadDriver: _reload_driver,
    requests.Reboot: _reboot,
    requests.InstallDriver: _install_driver,
    requests.CreateDevice: _create_device,
    requests.PlaceDevice: lambda draft, asked: draft.manager.place_device(
        DeviceId(asked.device), asked.placement
    ),
    requests.RemoveDevice: lambda draft, asked: draft.manager.remove_device(DeviceId(asked.device)),
    requests.SetHeterogeneous: _set_heterogeneous,
    requests.SetPersistence: _set_persistence,
}
