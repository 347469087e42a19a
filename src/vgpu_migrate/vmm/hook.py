"""The hook that libvirt runs on the destination: `qemu GUEST OPERATION SUBOPERATION EXTRA`, XML on stdin.

On ``migrate begin`` and ``restore begin`` it passes (exit status 0; what it writes replaces the XML) or
refuses (1, and one line on stderr, which the source shows). Every other operation passes unread. It never
calls libvirt, which waits for it. Nothing but the standard library, `errors` and `nvml` is imported.

What is wanted of the verdict: LIVE, as a guest in migration and one in a saved image (S0) both go on running
or paused; SLEEP where the record says that the guest sleeps.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from vgpu_migrate.errors import InputError, OutsideError, VgpuMigrateError
from vgpu_migrate.nvml import Compatibility, Return, States
from vgpu_migrate.vmm import free_devices
from vgpu_migrate.vmm.domain_element import (
    NoRecords,
    SavedRecords,
    SavedVgpu,
    Trouble,
    element_in,
    put_element,
    records_in,
)
from vgpu_migrate.vmm.domain_xml import (
    LARGEST,
    Change,
    Element,
    HostDevice,
    address_of,
    changed,
    host_devices,
    parse_domain,
)
from vgpu_migrate.vmm.hook_exit import Answer, WayOut, leave_at_deadline, one_line
from vgpu_migrate.vmm.hook_settings import SETTINGS, Devices, HookSettings, Policy, read_settings
from vgpu_migrate.vmm.local_driver import DriverCallError, GpuFault, LocalDriver, LocalGpu, local_driver

OWN = frozenset({("migrate", "begin"), ("restore", "begin")})


PASS = Answer(0)


class _Refusal(Exception):  # noqa: N818 (it never leaves this module)
    """Why the guest may not come."""


class _Unjudged(Exception):  # noqa: N818 (it never leaves this module)
    """Why the guest cannot be judged, where a policy decides."""

    def __init__(self, policy: Policy, reason: str) -> None:
        self.policy = policy
        super().__init__(reason)


class _Guest(NamedTuple):
    """A guest with a vGPU, as its XML says."""

    name: str
    data: bytes
    domain: Element
    devices: tuple[HostDevice, ...]


def answer(arguments: Sequence[str], stdin: BinaryIO | None, *, settings: Path = SETTINGS) -> Answer:
    """What the hook answers to one call.

    Args:
        arguments: guest, operation, sub-operation, and what else libvirt gives.
        stdin: the domain XML; not read for operations of others. None: it is closed.
        settings: the settings file.
    """
    if tuple(arguments[1:3]) not in OWN:
        return PASS
    what = f"vgpu-migrate: guest {arguments[0]}, {arguments[1]} {arguments[2]}"
    try:
        if stdin is None:
            raise _Refusal("standard input is closed; wanted the guest's XML")
        out = _judge(arguments[0], stdin.read(LARGEST + 1), settings)
    except _Refusal as refusal:
        return Answer(1, said=one_line(f"{what}: refused: {refusal}"))
    except _Unjudged as unjudged:
        if unjudged.policy is Policy.PASS:
            return Answer(0, said=one_line(f"{what}: not judged, passed as the settings say: {unjudged}"))
        return Answer(1, said=one_line(f"{what}: refused: {unjudged}"))
    except (VgpuMigrateError, OSError) as error:
        return Answer(1, said=one_line(f"{what}: refused: {error}"))
    return Answer(0, out)


def _judge(name: str, data: bytes, path: Path) -> bytes:
    domain = parse_domain(data)
    guest = _Guest(name, data, domain, host_devices(domain))
    if not element_in(domain) and not any(device.is_mdev for device in guest.devices):
        return b""
    try:
        settings = read_settings(path)
    except InputError as error:
        raise _Refusal(f"the hook's settings are broken: {error}") from None
    records = _records(guest, settings)
    ours = _devices_of(guest, records, settings)
    try:
        with local_driver(settings.library, socket=settings.socket) as driver:
            return _Judgement(driver, settings, guest, records, ours).run()
    except OutsideError as error:
        raise _Unjudged(settings.driver_unreachable, f"this host's driver does not answer: {error}") from None


def _records(guest: _Guest, settings: HookSettings) -> SavedRecords:
    records = records_in(guest.domain)
    if isinstance(records, SavedRecords):
        return records
    assert isinstance(records, NoRecords)
    if records.trouble is Trouble.DAMAGED:
        raise _Refusal(records.reason)
    raise _Unjudged(settings.no_record, records.reason)


def _devices_of(
    guest: _Guest, records: SavedRecords, settings: HookSettings
) -> tuple[HostDevice | None, ...]:
    """The device of each vgpu, by the record's word, else by order; all None where the guest has none."""
    listed = {vgpu.device for vgpu in records.vgpus if vgpu.device}
    devices = [device for device in guest.devices if device.is_mdev or device.id in listed]
    if not devices:
        return (None,) * len(records.vgpus)
    if len(devices) != len(records.vgpus):
        raise _Unjudged(
            settings.no_record,
            f"its saved record is of {len(records.vgpus)} vgpus, it is given {len(devices)} devices",
        )
    by_id = {device.id: device for device in devices}
    if len(listed) == len(records.vgpus) and listed == set(by_id):
        return tuple(by_id[vgpu.device] for vgpu in records.vgpus)
    return tuple(devices)


class _Judgement:
    """One guest before one driver."""

    def __init__(
        self,
        driver: LocalDriver,
        settings: HookSettings,
        guest: _Guest,
        records: SavedRecords,
        devices: tuple[HostDevice | None, ...],
    ) -> None:
        self._driver = driver
        self._settings = settings
        self._guest = guest
        self._records = records
        self._devices = devices
        self._wanted = records.state.needs
        self._verdicts: dict[tuple[bytes, str], Compatibility] = {}

    def run(self) -> bytes:
        """The XML to go on with, empty for the one that came.

        Raises:
            _Refusal: a vgpu may not come.
            _Unjudged: the driver does not answer.
        """
        try:
            gpus, faults = self._driver.gpus()
        except DriverCallError as error:
            raise _Unjudged(
                self._settings.driver_unreachable, f"this host's driver failed: {error}"
            ) from None
        if not gpus:
            if faults:
                raise _Unjudged(self._settings.driver_unreachable, f"no gpu answers: {_said(faults)}")
            raise _Refusal("no gpu of this host takes vgpus")
        wants_free = self._settings.devices is Devices.FREE and None not in self._devices
        known = self._known_devices() if wants_free or any(self._devices) else {}
        allowed = [
            self._allowed(number, vgpu, gpus, faults, None if wants_free else self._gpu_of(number, known))
            for number, vgpu in enumerate(self._records.vgpus)
        ]
        return self._mapped(allowed, known) if wants_free else b""

    def _known_devices(self) -> dict[str, free_devices.Device]:
        found = free_devices.devices(Path(self._settings.sysfs), self._driver.type_name)
        return {device.id: device for device in found}

    def _gpu_of(self, number: int, known: dict[str, free_devices.Device]) -> str | None:
        device = self._devices[number]
        there = None if device is None else known.get(device.id)
        return None if there is None else there.gpu

    def _allowed(
        self,
        number: int,
        vgpu: SavedVgpu,
        gpus: Sequence[LocalGpu],
        faults: Sequence[GpuFault],
        only: str | None,
    ) -> frozenset[str]:
        """The gpus on which the vgpu may go on; only one is asked where its device is known to be there."""
        found: set[str] = set()
        said = []
        for gpu in gpus:
            if only is not None and gpu.name != only:
                continue
            verdict = self._verdict(vgpu, gpu)
            if verdict.states & self._wanted == self._wanted:
                found.add(gpu.name)
            else:
                said.append(f"{gpu.name} {_spell(verdict)}")
        if found:
            return frozenset(found)
        if only is not None and not said:
            said = [f"its device is on {only}, which takes no vgpu or does not answer"]
        name = f"vgpu {number}" + (f" ({vgpu.type})" if vgpu.type else "")
        state = "asleep" if self._wanted is States.SLEEP else "live"
        lost = f"; {_said(faults)}" if faults else ""
        raise _Refusal(f"{name} may not go on {state} on any gpu of this host: {'; '.join(said)}{lost}")

    def _verdict(self, vgpu: SavedVgpu, gpu: LocalGpu) -> Compatibility:
        key = vgpu.record, gpu.name
        if key not in self._verdicts:
            try:
                self._verdicts[key] = self._driver.compatibility(vgpu.record, gpu)
            except DriverCallError as error:
                if error.code == Return.INVALID_ARGUMENT:
                    raise _Refusal("this host's driver does not know the saved record") from None
                reason = f"this host's driver failed: {error}"
                raise _Unjudged(self._settings.driver_unreachable, reason) from None
        return self._verdicts[key]

    def _mapped(self, allowed: Sequence[frozenset[str]], known: dict[str, free_devices.Device]) -> bytes:
        """The XML with a free device of its type for each vgpu, on a gpu where it may go on."""
        settings, chosen = self._settings, list[str]()
        with free_devices.choosing(Path(settings.claims), settings.claim_s) as claims:
            used = self._used()
            try:
                for number, vgpu in enumerate(self._records.vgpus):
                    free = {name: one for name, one in known.items() if name not in used | set(chosen)}
                    chosen.append(self._claimed(number, vgpu, allowed[number], free, claims))
            except (_Refusal, OSError):
                for device in chosen:
                    claims.take_back(device)
                raise
        return self._rewritten(chosen)

    def _used(self) -> frozenset[str]:
        try:
            active = {f"mdev:{one}" for one in self._driver.mdevs_in_use()}
        except DriverCallError as error:
            reason = f"this host's driver failed: {error}"
            raise _Unjudged(self._settings.driver_unreachable, reason) from None
        return free_devices.used_by_guests(Path(self._settings.domains)) | active

    def _claimed(
        self,
        number: int,
        vgpu: SavedVgpu,
        allowed: frozenset[str],
        free: dict[str, free_devices.Device],
        claims: free_devices.Claims,
    ) -> str:
        now = self._devices[number]
        assert now is not None, "only guests with devices are mapped"
        if not vgpu.type:
            raise _Refusal(
                f"vgpu {number}: its saved record does not name its type, so no device can be chosen"
            )
        kind = now.id.partition(":")[0]
        fitting = [
            one
            for one in free.values()
            if one.type == vgpu.type and one.gpu in allowed and one.id.startswith(kind)
        ]
        # The one that the guest names already is as good as any, and leaves its XML as it is.
        for one in sorted(fitting, key=lambda one: (one.id != now.id, one.id)):
            if claims.give(one.id, self._guest.name):
                return one.id
        where = ", ".join(sorted(allowed))
        raise _Refusal(f"vgpu {number}: no free {kind} device of type {vgpu.type} on {where}")

    def _rewritten(self, chosen: Sequence[str]) -> bytes:
        changes = [
            Change(device.address.start, device.address.end, address_of(name))
            for device, name in zip(self._devices, chosen, strict=True)
            if device is not None and device.id != name
        ]
        if not changes:
            return b""
        if self._records.taken is not None:
            moved = SavedRecords(
                tuple(
                    SavedVgpu(vgpu.record, vgpu.type, name)
                    for vgpu, name in zip(self._records.vgpus, chosen, strict=True)
                ),
                self._records.taken,
                self._records.boot,
                self._records.last_boot,
                self._records.state,
                self._records.host,
            )
            changes += put_element(self._guest.data, self._guest.domain, moved)
        return changed(self._guest.data, changes)


def _spell(verdict: Compatibility) -> str:
    states = ", ".join(verdict.states.words) or "nothing"
    return f"allows {states}, limited by {', '.join(verdict.limits.words) or 'nothing'}"


def _said(faults: Sequence[GpuFault]) -> str:
    return "; ".join(f"{fault.name}: {fault.error}" for fault in faults)


def main(arguments: Sequence[str] | None = None, *, settings: Path = SETTINGS, refusal: int = 1) -> NoReturn:
    """Run as libvirt's hook and leave, whatever a thread or the driver still does.

    Args:
        arguments: as libvirt gives them; None: those of the process.
        settings: the settings file.
        refusal: the exit status in place of 1, for a caller that has to know it from a Python that fails.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if tuple(given[1:3]) not in OWN:
        os._exit(0)
    way_out = WayOut(refusal)
    timer = leave_at_deadline(given, settings, way_out)
    found = answer(given, None if sys.stdin is None else sys.stdin.buffer, settings=settings)
    timer.cancel()
    way_out.leave(found)
