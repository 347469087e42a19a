"""Takes the picture of a guest that shall move: libvirt on both sides, this machine's driver, the judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from vgpu_migrate.errors import InputError, OutsideError, RecordError
from vgpu_migrate.vmm.boots import first_life, process_start
from vgpu_migrate.vmm.connection import Connection, connect
from vgpu_migrate.vmm.domain_element import SavedRecords, SavedVgpu
from vgpu_migrate.vmm.domain_xml import Element, parse_domain
from vgpu_migrate.vmm.guests import Guest, read_guest
from vgpu_migrate.vmm.hook_settings import HookSettings
from vgpu_migrate.vmm.in_time import Asker
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import DomainState, LibvirtError
from vgpu_migrate.vmm.move_picture import Namesake, NoTarget, NoVgpus, Power, SourceSide, TargetSide
from vgpu_migrate.vmm.publication import fresh_records
from vgpu_migrate.vmm.taking import NotTaken, take_now

CONNECT_S = 30.0
"""Seconds within which the destination's libvirt has to be reached."""

_POWER = {
    DomainState.RUNNING: Power.RUNNING,
    DomainState.BLOCKED: Power.RUNNING,
    DomainState.PAUSED: Power.PAUSED,
    DomainState.SUSPENDED: Power.SLEEPING,
    DomainState.OFF: Power.OFF,
}
_MIB_OF_UNIT = {"b": 2.0**-20, "bytes": 2.0**-20, "kib": 2.0**-10, "k": 2.0**-10, "mib": 1.0, "m": 1.0}
_MIB_OF_UNIT |= {"gib": 2.0**10, "g": 2.0**10, "tib": 2.0**20, "t": 2.0**20}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a guest's XML wants of its host."""

    emulator: str | None
    architecture: str | None
    machine: str | None
    virtualization: str | None
    memory_mib: int


def machine_of(domain: Element) -> Machine:
    """What a domain's XML wants of its host."""
    kinds = [kind for system in domain.named("os") for kind in system.named("type")]
    kind = kinds[0].attributes if kinds else {}
    emulators = [one.text.strip() for devices in domain.named("devices") for one in devices.named("emulator")]
    memory = next(domain.named("memory"), None)
    return Machine(
        emulator=emulators[0] if emulators else None,
        architecture=kind.get("arch"),
        machine=kind.get("machine"),
        virtualization=domain.attributes.get("type"),
        memory_mib=0 if memory is None else _mib(memory),
    )


def _mib(memory: Element) -> int:
    unit = memory.attributes.get("unit", "KiB").lower()
    text = memory.text.strip()
    return round(int(text) * _MIB_OF_UNIT.get(unit, 0.0)) if text.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Found:
    """A guest on its source: the handle, what it is, what it wants, and the side of the picture."""

    handle: Domain
    guest: Guest
    machine: Machine
    side: SourceSide

    def fresh_records(self, settings: HookSettings) -> SavedRecords | None:
        """What is to be put into its domain; None where it has no vGPU.

        The boot is the one that its element names, unless its process is younger.
        """
        vgpus = self.side.vgpus
        if not isinstance(vgpus, tuple) or not vgpus:
            return None
        now = datetime.now(UTC)
        started = process_start(self.guest.name, Path(settings.domains))
        life = first_life(self.guest, now=now, started=started)
        return fresh_records(vgpus, self.guest, life, host=self.side.host, now=now)


def look_at_source(source: Connection, name: str, settings: HookSettings, *, offline: bool) -> Found:
    """The guest where it is, with fresh records of its vgpus unless only its definition moves.

    Raises:
        UnknownNameError: there is no such guest.
        InputError: its XML cannot be read.
        LibvirtError: libvirt does not say.
    """
    handle = source.domain(name)
    guest = read_guest(handle)
    machine = machine_of(parse_domain(handle.xml().encode("utf-8")))
    state = guest.status.state
    job = handle.job() if state.is_active else None
    side = SourceSide(
        name=guest.name,
        uuid=guest.uuid,
        host=source.hostname(),
        host_uuid=_host_uuid(source),
        power=_POWER.get(state, Power.OTHER),
        is_persistent=handle.is_persistent(),
        job=job.operation.replace("_", " ") if job is not None and job.is_running else "",
        memory_mib=machine.memory_mib,
        vfio_devices=guest.devices,
        vgpus=() if offline or not state.is_active else _vgpus(guest, settings),
        shows_vgpu=guest.has_vgpu,
    )
    return Found(handle, guest, machine, side)


def _vgpus(guest: Guest, settings: HookSettings) -> tuple[SavedVgpu, ...] | NoVgpus:
    """Its fresh records. Where its XML shows no vGPU, a driver that does not answer is no trouble."""
    try:
        taken = take_now(guest, settings)
    except OutsideError as error:
        if guest.has_vgpu or guest.devices:
            return NoVgpus(f"this host's driver does not answer: {error}", is_outside=True)
        return ()
    except RecordError as error:
        return NoVgpus(f"this host's driver gives what is no record: {error}", is_outside=True)
    if not isinstance(taken, NotTaken):
        return taken
    return NoVgpus(taken.reason, is_outside=False) if guest.has_vgpu else ()


def _host_uuid(connection: Connection) -> str:
    root = parse_domain(connection.capabilities().encode("utf-8"), root_name="capabilities")
    return next((one.text.strip().lower() for host in root.named("host") for one in host.named("uuid")), "")


@contextmanager
def target_side(uri: str, found: Found) -> Iterator[tuple[Connection | None, TargetSide | NoTarget]]:
    """The destination as it is, and the connection to it, open meanwhile; None where it is not reached.

    Args:
        uri: libvirt's.
        found: the guest that shall come.
    """
    try:
        # libvirt itself waits for minutes, and hears no Ctrl-C meanwhile.
        target = Asker("libvirt connects").ask(lambda: connect(uri), CONNECT_S)
    except OutsideError as error:
        yield None, NoTarget(uri, error.said if isinstance(error, LibvirtError) else str(error))
        return
    with target:
        try:
            side = _look_at_target(target, found)
        except (LibvirtError, InputError) as error:
            yield None, NoTarget(uri, str(error))
            return
        yield target, side


def _look_at_target(target: Connection, found: Found) -> TargetSide:
    name, uuid = found.side.name, found.side.uuid
    namesakes = tuple(
        Namesake(one.name, one.uuid, one.status().state.is_active)
        for one in target.domains()
        if name == one.name or uuid == one.uuid
    )
    return TargetSide(
        host=target.hostname(),
        host_uuid=_host_uuid(target),
        namesakes=namesakes,
        machine_trouble=_machine_trouble(target, found.machine),
    )


def _machine_trouble(target: Connection, wanted: Machine) -> str:
    try:
        target.domain_capabilities(
            emulator=wanted.emulator,
            architecture=wanted.architecture,
            machine=wanted.machine,
            virtualization=wanted.virtualization,
        )
    except LibvirtError as error:
        return error.said
    return ""
