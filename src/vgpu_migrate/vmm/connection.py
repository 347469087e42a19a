"""A connection to a hypervisor through libvirt. Guests are `libvirt_domain.Domain`.

libvirt's errors become `LibvirtError` with its own sentence, and it prints nothing itself. Events come from
one thread of this process, which the first connection starts.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_events import Callbacks
from vgpu_migrate.vmm.libvirt_library import asking, library, start_events
from vgpu_migrate.vmm.libvirt_values import DEFAULT_URI, ErrorCode, Event, LibvirtError

KEEPALIVE_S = 5
KEEPALIVE_COUNT = 3
"""A remote libvirtd that answers nothing for 5 s, three times, counts as gone."""
_URI_VARIABLE = "LIBVIRT_DEFAULT_URI"


def default_uri() -> str:
    """`LIBVIRT_DEFAULT_URI`, else ``qemu:///system``."""
    return os.environ.get(_URI_VARIABLE) or DEFAULT_URI


def connect(uri: str | None = None, *, read_only: bool = False) -> Connection:
    """A connection, to be closed; it is a context manager.

    Args:
        uri: libvirt's, such as ``qemu:///system`` or ``qemu+ssh://host/system``; `default_uri` where None.
        read_only: only look.

    Raises:
        LibvirtError: it cannot be reached, or refuses.
        OutsideError: libvirt-python is not installed.
    """
    libvirt = library()
    wanted = uri or default_uri()
    start_events()
    with asking(f"libvirt at {wanted} cannot be reached"):
        raw = libvirt.openReadOnly(wanted) if read_only else libvirt.open(wanted)
    return Connection(raw, wanted)


class Connection:
    """An open connection. Every method raises `LibvirtError` where libvirt says no."""

    def __init__(self, raw: Any, uri: str) -> None:
        self._raw = raw
        self._listeners: list[Callable[[Event], None]] = []
        self.uri = uri
        """What it was opened with."""
        with contextlib.suppress(LibvirtError), self._asking("keepalive"):
            raw.setKeepAlive(KEEPALIVE_S, KEEPALIVE_COUNT)

    def __enter__(self) -> Self:
        """The connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it; a connection that is lost already is no error."""
        with contextlib.suppress(LibvirtError), self._asking("close"):
            self._raw.close()

    def _asking(self, what: str) -> contextlib.AbstractContextManager[None]:
        return asking(f"libvirt at {self.uri}: {what}")

    def is_alive(self) -> bool:
        """Whether the other end is there, as far as is known."""
        with contextlib.suppress(LibvirtError), self._asking("is it alive"):
            return bool(self._raw.isAlive())
        return False

    def hostname(self) -> str:
        """The name of the host behind the connection."""
        with self._asking("host name"):
            return str(self._raw.getHostname())

    def canonical_uri(self) -> str:
        """The URI as libvirt spells it on the other end."""
        with self._asking("URI"):
            return str(self._raw.getURI())

    def hypervisor(self) -> str:
        """The kind of hypervisor, ``QEMU``."""
        with self._asking("type"):
            return str(self._raw.getType())

    def libvirt_version(self) -> tuple[int, int, int]:
        """The version of the libvirt at the other end."""
        with self._asking("version"):
            return _version(self._raw.getLibVersion())

    def hypervisor_version(self) -> tuple[int, int, int]:
        """The version of its hypervisor, QEMU's."""
        with self._asking("hypervisor's version"):
            return _version(self._raw.getVersion())

    def capabilities(self) -> str:
        """The capabilities of host and hypervisor, XML."""
        with self._asking("capabilities"):
            return str(self._raw.getCapabilities())

    def domain_capabilities(
        self,
        *,
        emulator: str | None = None,
        architecture: str | None = None,
        machine: str | None = None,
        virtualization: str | None = None,
    ) -> str:
        """What guests of that emulator, architecture, machine and kind (``kvm``) can have, XML."""
        with self._asking("domain capabilities"):
            return str(self._raw.getDomainCapabilities(emulator, architecture, machine, virtualization, 0))

    def compare_cpu(self, xml: str) -> bool:
        """Whether the host has at least the processor that `<cpu>` XML describes."""
        with self._asking("comparison of processors"):
            return int(self._raw.compareCPU(xml)) > 0

    def free_memory(self) -> int:
        """Bytes of the host's memory that nobody uses."""
        with self._asking("free memory"):
            return int(self._raw.getFreeMemory())

    def node_device(self, name: str) -> str | None:
        """A device of the host by libvirt's name for it, ``pci_0000_3b_00_4``: XML; None: there is none."""
        try:
            with self._asking(f"device {name}"):
                return str(self._raw.nodeDeviceLookupByName(name).XMLDesc(0))
        except LibvirtError as error:
            if error.code == ErrorCode.NO_NODE_DEVICE:
                return None
            raise

    def domains(self, *, only_active: bool = False) -> tuple[Domain, ...]:
        """The guests, by name."""
        with self._asking("list of guests"):
            found = [Domain(raw) for raw in self._raw.listAllDomains(1 if only_active else 0)]
        return tuple(sorted(found, key=lambda one: one.name))

    def domain(self, name: str) -> Domain:
        """The guest of that name, UUID or id, looked for in this order.

        Raises:
            UnknownNameError: there is none.
        """
        known = self.domains()
        for one in known:
            if one.name == name:
                return one
        for one in known:
            if one.uuid == name.lower() or (one.id is not None and str(one.id) == name):
                return one
        raise UnknownNameError("guest", name, [one.name for one in known])

    def domain_of(self, uuid: str) -> Domain | None:
        """The guest of that UUID, None where there is none any more."""
        try:
            with self._asking(f"guest {uuid}"):
                return Domain(self._raw.lookupByUUIDString(uuid))
        except LibvirtError as error:
            if error.code == ErrorCode.NO_DOMAIN:
                return None
            raise

    def define(self, xml: str) -> Domain:
        """Define a guest, or change its definition."""
        with self._asking("define a guest"):
            return Domain(self._raw.defineXML(xml))

    def create(self, xml: str, *, paused: bool = False) -> Domain:
        """Start a guest that is not kept when it stops."""
        with self._asking("start a guest"):
            return Domain(self._raw.createXML(xml, 1 if paused else 0))

    @contextmanager
    def listening(self, hear: Callable[[Event], None]) -> Iterator[None]:
        """Hear what happens to every guest, and that the connection is lost, while the `with` block lasts.

        `hear` is called from the thread of events: it should only put the event aside, and call nothing of
        libvirt. Kinds that the hypervisor does not tell are left out.
        """
        told = Callbacks(hear)
        numbers = [
            number
            for kind, callback in told.by_kind()
            if (number := self._register(kind, callback)) is not None
        ]
        has_close = False
        with contextlib.suppress(LibvirtError), self._asking("events"):
            self._raw.registerCloseCallback(told.closed, None)
            has_close = True
        try:
            yield
        finally:
            for number in numbers:
                with contextlib.suppress(LibvirtError), self._asking("events"):
                    self._raw.domainEventDeregisterAny(number)
            if has_close:
                with contextlib.suppress(LibvirtError), self._asking("events"):
                    self._raw.unregisterCloseCallback()

    def _register(self, kind: int, callback: Callable[..., None]) -> int | None:
        try:
            with self._asking("events"):
                return int(self._raw.domainEventRegisterAny(None, kind, callback, None))
        except LibvirtError as error:
            if error.code == ErrorCode.NO_SUPPORT:
                return None
            raise


def _version(number: int) -> tuple[int, int, int]:
    return number // 1_000_000, number // 1_000 % 1_000, number % 1_000
