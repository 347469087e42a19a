"""A guest of a libvirt connection, as a handle; `guests.Guest` is what it is at one moment, as a value."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from vgpu_migrate.vmm.libvirt_library import asking, constant_name
from vgpu_migrate.vmm.libvirt_values import (
    STATES,
    DomainState,
    ErrorCode,
    JobStatistics,
    LibvirtError,
    MigrationRequest,
    Status,
    XmlForm,
    job_statistics,
)

if TYPE_CHECKING:
    from vgpu_migrate.vmm.connection import Connection

_STATE_WORDS = {
    DomainState.RUNNING: "RUNNING",
    DomainState.BLOCKED: "BLOCKED",
    DomainState.PAUSED: "PAUSED",
    DomainState.SHUTTING_DOWN: "SHUTDOWN",
    DomainState.OFF: "SHUTOFF",
    DomainState.CRASHED: "CRASHED",
    DomainState.SUSPENDED: "PMSUSPENDED",
}


class Domain:
    """A guest of a connection. Every method raises `LibvirtError` where libvirt says no."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.name = str(raw.name())
        self.uuid = str(raw.UUIDString())
        """In small letters."""

    @property
    def id(self) -> int | None:
        """Its number while it runs, another for each start; None while it is off."""
        with self._asking("id"):
            number = int(self._raw.ID())
        return None if number < 0 else number

    def _asking(self, what: str) -> contextlib.AbstractContextManager[None]:
        return asking(f"guest {self.name}: {what}")

    def status(self) -> Status:
        """Its state, and why."""
        with self._asking("state"):
            number, reason = self._raw.state()
        state = STATES[number] if 0 <= number < len(STATES) else DomainState.NONE
        word = _STATE_WORDS.get(state)
        return Status(state, "" if word is None else constant_name(f"VIR_DOMAIN_{word}_", reason))

    def is_persistent(self) -> bool:
        """Whether it is still defined when it stops."""
        with self._asking("persistence"):
            return bool(self._raw.isPersistent())

    def xml(self, form: XmlForm = XmlForm.LIVE, *, secure: bool = False) -> str:
        """Its XML; `secure` with passwords, which DEST_XML needs and a read-only connection refuses."""
        with self._asking("XML"):
            return str(self._raw.XMLDesc(form.value | (1 if secure else 0)))

    def element(self, *, namespace: str, kept: bool = False) -> bytes | None:
        """The element of a namespace in its metadata, as `set_element` takes it; None where there is none.

        Args:
            namespace: of the element.
            kept: of its definition; else of the running guest.
        """
        try:
            with self._asking("metadata"):
                return str(self._raw.metadata(2, namespace, 2 if kept else 1)).encode("utf-8")
        except LibvirtError as error:
            if error.code == ErrorCode.NO_DOMAIN_METADATA:
                return None
            raise

    def set_element(
        self,
        element: bytes | None,
        *,
        namespace: str,
        prefix: str,
        running: bool = True,
        kept: bool = True,
    ) -> None:
        """Put an element of a namespace into its metadata, in the place of the one there.

        Args:
            element: without a prefix and without `xmlns`, which libvirt adds; None takes it away.
            namespace: of the element.
            prefix: that libvirt spells it with.
            running: into that of the running guest, where it runs.
            kept: into that of its definition, where it has one.
        """
        with self._asking("metadata"):
            is_active, is_persistent = self._raw.isActive(), self._raw.isPersistent()
            flags = (1 if running and is_active else 0) | (2 if kept and is_persistent else 0)
            if not flags:
                return
            text = None if element is None else element.decode("utf-8")
            self._raw.setMetadata(2, text, prefix, namespace, flags)

    def job(self) -> JobStatistics:
        """The job that it is in; `is_running` says whether there is one."""
        with self._asking("job"):
            return job_statistics(self._raw.jobStats(0))

    def completed_job(self) -> JobStatistics | None:
        """The last job that ended, a migration's on either side; None where libvirt keeps none."""
        try:
            with self._asking("completed job"):
                said = self._raw.jobStats(3)
        except LibvirtError as error:
            if error.code == ErrorCode.OPERATION_INVALID:
                return None
            raise
        return job_statistics(said) if said.get("type") else None

    def abort_job(self) -> None:
        """Give up the job that it is in; the guest goes on here."""
        with self._asking("abort"):
            self._raw.abortJob()

    def set_max_downtime(self, milliseconds: int) -> None:
        """How long a migration may stop it; before or during one."""
        with self._asking("limit of downtime"):
            self._raw.migrateSetMaxDowntime(milliseconds, 0)

    def max_downtime(self) -> int:
        """How long a migration may stop it, in milliseconds."""
        with self._asking("limit of downtime"):
            found = self._raw.migrateGetMaxDowntime(0)
        if found is None:  # of a failure libvirt-python says nothing here
            what, said = f"guest {self.name}: limit of downtime", "libvirt does not say"
            raise LibvirtError(what, code=ErrorCode.OPERATION_FAILED, from_domain=0, said=said)
        return int(found)

    def set_max_speed(self, mib_per_s: int) -> None:
        """How fast a migration may send its memory; before or during one."""
        with self._asking("limit of bandwidth"):
            self._raw.migrateSetMaxSpeed(mib_per_s, 0)

    def migrate(self, target: Connection, request: MigrationRequest) -> Domain:
        """Migrate it, managed by this process; returns when it is there, or raises. Other threads go on."""
        with self._asking(f"migration to {target.uri}"):
            return Domain(self._raw.migrate3(target._raw, request.parameters(), request.flags()))

    def migrate_peer_to_peer(self, target_uri: str, request: MigrationRequest) -> None:
        """Migrate it, managed by its own libvirtd, which opens `target_uri`."""
        with self._asking(f"migration to {target_uri}"):
            self._raw.migrateToURI3(target_uri, request.parameters(), request.flags() | 2)

    def start(self, *, paused: bool = False) -> None:
        """Start it as it is defined."""
        with self._asking("start"):
            self._raw.createWithFlags(1 if paused else 0)

    def suspend(self) -> None:
        """Stop its processors."""
        with self._asking("suspend"):
            self._raw.suspend()

    def resume(self) -> None:
        """Let its processors go on."""
        with self._asking("resume"):
            self._raw.resume()

    def reset(self) -> None:
        """Press its reset button."""
        with self._asking("reset"):
            self._raw.reset(0)

    def destroy(self) -> None:
        """End it at once, as by pulling its plug."""
        with self._asking("destroy"):
            self._raw.destroy()

    def undefine(self) -> None:
        """Forget its definition."""
        with self._asking("undefine"):
            self._raw.undefineFlags(0)
