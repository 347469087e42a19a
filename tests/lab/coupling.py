"""What a driver would see of guests: each guest's simulated VM follows it, by libvirt's events.

    python -m tests.lab.coupling A_URI A_SOCKET B_URI B_SOCKET

A guest that boots on a host gets a VM of its name on that host's simulated vGPU host, with a vgpu for each
ivshmem device, and its guest driver reports. It goes where the guest goes. Ends when standard input does.
Each event is a line on standard output: host, guest, what happened.
"""

from __future__ import annotations

import collections
import os
import select
import sys
import threading
from typing import Any, NamedTuple

import libvirt

from vgpu_migrate import facts
from vgpu_migrate.errors import RefusedError, VgpuMigrateError
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.manager import VgpuDefinition, VmDefinition
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import States

VGPU_TYPE = "L40S-12Q"
GUEST_DRIVER = "550.54.14"
HOSTS = "ab"
EVENTS = (
    "defined",
    "undefined",
    "started",
    "suspended",
    "resumed",
    "stopped",
    "shutdown",
    "pmsuspended",
    "crashed",
)
"""libvirt's lifecycle events, by number."""


class Happened(NamedTuple):
    """An event of a guest's life on a host."""

    host: int
    guest: str
    uuid: str
    vgpus: int
    event: int
    detail: int


class Coupling:
    """Two hosts, and what has happened there that the simulated ones are not told yet."""

    def __init__(self, hosts: list[tuple[str, str]]) -> None:
        self._uris = [uri for uri, _ in hosts]
        self._sockets = [socket for _, socket in hosts]
        self._lives = [LiveHost(socket) for _, socket in hosts]
        self._connections: list[Any] = [None] * len(hosts)
        self._happened: collections.deque[Happened] = collections.deque()

    def connect(self) -> None:
        """Connect where there is no connection: at first, and when a libvirtd has been restarted."""
        for index, uri in enumerate(self._uris):
            if self._connections[index] is not None and self._connections[index].isAlive():
                continue
            try:
                connection = libvirt.open(uri)
                lifecycle = libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE
                connection.domainEventRegisterAny(None, lifecycle, self._note, index)
            except libvirt.libvirtError:
                continue
            self._connections[index] = connection

    def _note(self, _: Any, domain: Any, event: int, detail: int, index: int) -> None:
        vgpus = 0
        if event == libvirt.VIR_DOMAIN_EVENT_STARTED:
            vgpus = domain.XMLDesc().count("<shmem ")
        print(HOSTS[index], domain.name(), EVENTS[event], flush=True)  # noqa: T201 (the list of events)
        self._happened.append(Happened(index, domain.name(), domain.UUIDString(), vgpus, event, detail))

    def tell(self) -> None:
        """Tell the simulated hosts what has happened."""
        while self._happened:
            happened = self._happened.popleft()
            try:
                self._follow(happened)
            except VgpuMigrateError as error:
                print(f"{happened}: {error}", file=sys.stderr, flush=True)  # noqa: T201 (the laboratory's log)

    def _follow(self, happened: Happened) -> None:
        live, guest = self._lives[happened.host], VmId(happened.guest)
        match happened.event, happened.detail:
            case libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_STARTED_BOOTED:
                self._boot(live, happened)
            case libvirt.VIR_DOMAIN_EVENT_STARTED, (
                libvirt.VIR_DOMAIN_EVENT_STARTED_RESTORED | libvirt.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT
            ):
                live.start(guest, States.LIVE, records=live.saved_records(guest))
            case libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED:
                try:
                    live.migrate(guest, to=self._sockets[1 - happened.host])
                except RefusedError:
                    live.shut_down(guest)  # it went without being judged, and has no vgpu now
                    raise
            case libvirt.VIR_DOMAIN_EVENT_STOPPED, _:
                # One whose migration failed stops on its target too, where it has no VM.
                if self._power(live, guest) not in (None, "off"):
                    live.shut_down(guest)
            case libvirt.VIR_DOMAIN_EVENT_SUSPENDED, libvirt.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED:
                live.pause(guest)
            case libvirt.VIR_DOMAIN_EVENT_RESUMED, libvirt.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED:
                # A guest that boots is resumed too, before it has started.
                if self._power(live, guest) == "paused":
                    live.resume(guest)

    @staticmethod
    def _power(live: LiveHost, guest: VmId) -> str | None:
        return next((vm.power for vm in live.show().vms if vm.id == guest), None)

    def _boot(self, live: LiveHost, happened: Happened) -> None:
        guest = VmId(happened.guest)
        if self._power(live, guest) is None:
            vgpu = VgpuDefinition(facts.vgpu_type(VGPU_TYPE))
            live.define(
                VmDefinition(guest, happened.uuid, (vgpu,) * happened.vgpus, 64, guest_driver=GUEST_DRIVER)
            )
        live.start(guest)
        live.load_guest_driver(guest)


def main(arguments: list[str]) -> None:
    """Follow until standard input ends."""
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    libvirt.virEventRegisterDefaultImpl()
    libvirt.registerErrorHandler(lambda *_: None, None)
    coupling = Coupling(list(zip(arguments[::2], arguments[1::2], strict=True)))
    coupling.connect()
    libvirt.virEventAddTimeout(200, lambda *_: coupling.connect(), None)
    print("ready", flush=True)  # noqa: T201 (what the laboratory waits for)
    while True:
        libvirt.virEventRunDefaultImpl()
        coupling.tell()


def _end_with_standard_input() -> None:
    while select.select([sys.stdin], [], []) and os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
