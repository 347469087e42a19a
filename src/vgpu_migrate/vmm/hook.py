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
import threading
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
from vgpu_migrate.vmm.hook_settings import SETTINGS, Devices, HookSettings, Policy, read_settings
from vgpu_migrate.vmm.local_driver import DriverCallError, GpuFault, LocalDriver, LocalGpu, local_driver

OWN = frozenset({("migrate", "begin"), ("restore", "begin")})
LONGEST_LINE = 1000


class Answer(NamedTuple):
    """What the hook does: exit status, what it writes to stdout, and its line on stderr ("" for none)."""

    status: int
    out: bytes = b""
    said: str = ""


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


def answer(arguments: Sequence[str], stdin: BinaryIO, *, settings: Path = SETTINGS) -> Answer:
    """What the hook answers to one call.

    Args:
        arguments: guest, operation, sub-operation, and what else libvirt gives.
        stdin: the domain XML; not read for operations of others.
        settings: the settings file.
    """
    if tuple(arguments[1:3]) not in OWN:
        return PASS
    what = f"vgpu-migrate: guest {arguments[0]}, {arguments[1]} {arguments[2]}"
    try:
        out = _judge(arguments[0], stdin.read(LARGEST + 1), settings)
    except _Refusal as refusal:
        return Answer(1, said=_line(f"{what}: refused: {refusal}"))
    except _Unjudged as unjudged:
        if unjudged.policy is Policy.PASS:
            return Answer(0, said=_line(f"{what}: not judged, passed as the settings say: {unjudged}"))
        return Answer(1, said=_line(f"{what}: refused: {unjudged}"))
    except (VgpuMigrateError, OSError) as error:
        return Answer(1, said=_line(f"{what}: refused: {error}"))
    return Answer(0, out)


def _line(text: str) -> str:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 1] + "…"


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
        settings = self._settings
        try:
            used = {f"mdev:{one}" for one in self._driver.mdevs_in_use()}
        except DriverCallError as error:
            raise _Unjudged(settings.driver_unreachable, f"this host's driver failed: {error}") from None
        used |= free_devices.used_by_guests(Path(settings.domains))
        claims, chosen = Path(settings.claims), list[str]()
        try:
            for number, vgpu in enumerate(self._records.vgpus):
                chosen.append(self._claimed(number, vgpu, allowed[number], known, used | set(chosen)))
        except (_Refusal, OSError):
            for device in chosen:
                free_devices.unclaim(device, directory=claims)
            raise
        return self._rewritten(chosen)

    def _claimed(
        self,
        number: int,
        vgpu: SavedVgpu,
        allowed: frozenset[str],
        known: dict[str, free_devices.Device],
        used: set[str],
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
            for one in known.values()
            if one.type == vgpu.type and one.gpu in allowed and one.id not in used and one.id.startswith(kind)
        ]
        # The one that the guest names already is as good as any, and leaves its XML as it is.
        for one in sorted(fitting, key=lambda one: (one.id != now.id, one.id)):
            if free_devices.claim(
                one.id,
                guest=self._guest.name,
                directory=Path(self._settings.claims),
                seconds=self._settings.claim_s,
            ):
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


def main(arguments: Sequence[str] | None = None, *, settings: Path = SETTINGS) -> NoReturn:
    """Run as libvirt's hook and leave, whatever a thread or the driver still does."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if tuple(given[1:3]) in OWN:
        _watch(given, settings)
        found = answer(given, sys.stdin.buffer, settings=settings)
        _leave(found)
    os._exit(0)


def _watch(given: Sequence[str], path: Path) -> None:
    """Leave when the deadline has passed: a driver that hangs must not hold libvirt."""
    try:
        settings = read_settings(path)
    except InputError:
        settings = HookSettings()

    def late() -> None:
        what = f"vgpu-migrate: guest {given[0]}, {given[1]} {given[2]}"
        passes = settings.driver_unreachable is Policy.PASS
        verb = "not judged, passed as the settings say" if passes else "refused"
        reason = f"no answer within {settings.deadline_s:g} s"
        _leave(Answer(0 if passes else 1, said=_line(f"{what}: {verb}: {reason}")))

    timer = threading.Timer(settings.deadline_s, late)
    timer.daemon = True
    timer.start()


def _leave(found: Answer) -> NoReturn:
    status = found.status
    try:
        if found.said:
            os.write(2, found.said.encode("utf-8", "backslashreplace") + b"\n")
        rest = memoryview(found.out)
        while rest:
            rest = rest[os.write(1, rest) :]
    except OSError:
        status = found.status or int(bool(found.out))  # half an XML must not be taken for a whole one
    os._exit(status)
