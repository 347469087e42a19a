"""What libvirt says, as values: states, jobs, events, errors. Its numbers are its public headers'.

No libvirt is needed to read, build or test these; `connection` makes them of what the library answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, IntEnum, StrEnum

from vgpu_migrate.errors import OutsideError

DEFAULT_URI = "qemu:///system"


class ErrorCode(IntEnum):
    """The codes of `virErrorNumber` that something is made of here."""

    INTERNAL = 1
    NO_SUPPORT = 3
    OPERATION_FAILED = 9
    OPERATION_DENIED = 29
    NO_DOMAIN = 42
    AUTH_FAILED = 45
    NO_NODE_DEVICE = 53
    OPERATION_INVALID = 55
    OPERATION_TIMEOUT = 68
    HOOK_SCRIPT_FAILED = 70
    OPERATION_ABORTED = 78
    NO_DOMAIN_METADATA = 80
    MIGRATE_UNSAFE = 81


class LibvirtError(OutsideError):
    """libvirt said no, in its own sentence.

    Attributes:
        code: libvirt's code, one of `ErrorCode` or another of `virErrorNumber`.
        from_domain: the part of libvirt that said it, a `virErrorDomain`; 34 is the hook's.
        said: libvirt's sentence alone.
    """

    def __init__(self, what: str, *, code: int, from_domain: int, said: str) -> None:
        self.code = code
        self.from_domain = from_domain
        self.said = said
        super().__init__(f"{what}: {said}")


class DomainState(StrEnum):
    """`virDomainState`."""

    NONE = "none"
    RUNNING = "running"
    BLOCKED = "blocked"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting-down"
    OFF = "off"
    CRASHED = "crashed"
    SUSPENDED = "suspended"
    """In ACPI S3, libvirt's pmsuspended."""

    @property
    def is_active(self) -> bool:
        """Whether there is a hypervisor's process for it."""
        return self not in (DomainState.NONE, DomainState.OFF)


STATES = tuple(DomainState)
"""By libvirt's number."""


@dataclass(frozen=True, slots=True)
class Status:
    """A guest's state and libvirt's reason for it: ``booted``, ``migrated``, ``restored``, ``user``."""

    state: DomainState
    reason: str


class XmlForm(Enum):
    """Which XML of a guest: flags of `virDomainXMLFlags`."""

    LIVE = 0
    """Of the running guest; of one that is off its definition."""
    INACTIVE = 2
    """What it starts with next; libvirt asks for it as PERSIST_XML."""
    MIGRATABLE = 8
    """As another host takes it; libvirt asks for it as DEST_XML."""


class EventKind(StrEnum):
    """What happened to a guest, or to the connection."""

    DEFINED = "defined"
    UNDEFINED = "undefined"
    STARTED = "started"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    STOPPED = "stopped"
    SHUTDOWN = "shutdown"
    """The guest has powered itself off; STOPPED follows."""
    PMSUSPENDED = "pmsuspended"
    CRASHED = "crashed"
    REBOOTED = "rebooted"
    METADATA = "metadata-changed"
    ITERATION = "migration-iteration"
    JOB_ENDED = "job-ended"
    CLOSED = "connection-closed"


LIFECYCLE = tuple(EventKind)[:9]
"""The kinds of lifecycle events, by libvirt's number."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened.

    `detail` is libvirt's reason: ``booted``, ``migrated``, ``restored``, ``destroyed``; of METADATA the
    namespace that changed; of CLOSED why. `uuid` and `name` are "" for CLOSED.
    """

    kind: EventKind
    uuid: str
    name: str
    at: datetime
    detail: str = ""
    iteration: int | None = None
    job: JobStatistics | None = None


@dataclass(frozen=True, slots=True)
class JobStatistics:
    """A guest's job as libvirt counts it. Bytes and milliseconds; None: not said.

    Of a migration under way `downtime_ms` is what QEMU expects; of a completed one what it was.
    """

    is_running: bool
    operation: str = "unknown"
    """``migration_out``, ``migration_in``, ``save``, …"""
    elapsed_ms: int | None = None
    downtime_ms: int | None = None
    setup_ms: int | None = None
    data_total: int | None = None
    data_processed: int | None = None
    data_remaining: int | None = None
    memory_total: int | None = None
    memory_processed: int | None = None
    memory_remaining: int | None = None
    memory_bytes_per_s: int | None = None
    dirty_pages_per_s: int | None = None
    page_bytes: int | None = None
    iteration: int | None = None
    throttle_percent: int | None = None
    error: str | None = None

    @property
    def dirty_bytes_per_s(self) -> int | None:
        """How fast the guest writes."""
        if self.dirty_pages_per_s is None or self.page_bytes is None:
            return None
        return self.dirty_pages_per_s * self.page_bytes


_JOB_FIELDS = {
    "elapsed_ms": "time_elapsed",
    "downtime_ms": "downtime",
    "setup_ms": "setup_time",
    "data_total": "data_total",
    "data_processed": "data_processed",
    "data_remaining": "data_remaining",
    "memory_total": "memory_total",
    "memory_processed": "memory_processed",
    "memory_remaining": "memory_remaining",
    "memory_bytes_per_s": "memory_bps",
    "dirty_pages_per_s": "memory_dirty_rate",
    "page_bytes": "memory_page_size",
    "iteration": "memory_iteration",
    "throttle_percent": "auto_converge_throttle",
}
_OPERATIONS = (
    "unknown",
    "start",
    "save",
    "restore",
    "migration_in",
    "migration_out",
    "snapshot",
    "snapshot_revert",
    "dump",
    "backup",
    "snapshot_delete",
)


def job_statistics(said: Mapping[str, object]) -> JobStatistics:
    """The statistics of the typed parameters that libvirt gives, by their names in libvirt-domain.h."""
    kind, operation, error = said.get("type", 0), said.get("operation", 0), said.get("errmsg")
    numbers: dict[str, int] = {}
    for name, key in _JOB_FIELDS.items():
        value = said.get(key)
        if isinstance(value, int):
            numbers[name] = value
    return JobStatistics(
        kind in (1, 2),
        _OPERATIONS[operation] if isinstance(operation, int) and operation < len(_OPERATIONS) else "unknown",
        error=str(error) if error else None,
        **numbers,
    )


@dataclass(frozen=True, slots=True)
class MigrationRequest:
    """How libvirt is to migrate a guest. What is None is left to libvirt.

    `bandwidth_mib_s` bounds the transfer; `destination_xml` and `persistent_xml` replace what the destination
    runs and keeps. Post-copy is not among it: guests with VFIO devices cannot do it.
    """

    live: bool = True
    offline: bool = False
    persist_on_target: bool = True
    undefine_on_source: bool = False
    paused_on_target: bool = False
    abort_on_error: bool = True
    auto_converge: bool = False
    allow_unsafe: bool = False
    change_protection: bool = True
    copy_storage: bool = False
    """Disks go along, whole."""
    tls: bool = False
    """The memory is sent encrypted."""
    connections: int | None = None
    """How many the memory is sent over; None: one."""
    uri: str | None = None
    """Where memory goes: ``tcp://target``."""
    listen_address: str | None = None
    bandwidth_mib_s: int | None = None
    destination_name: str | None = None
    destination_xml: str | None = None
    persistent_xml: str | None = None

    def flags(self) -> int:
        """The bits of `virDomainMigrateFlags`."""
        bits = (
            (self.live and not self.offline, 1),
            (self.persist_on_target, 8),
            (self.undefine_on_source, 16),
            (self.paused_on_target, 32),
            (self.change_protection and not self.offline, 256),
            (self.allow_unsafe, 512),
            (self.offline, 1024),
            (self.abort_on_error and not self.offline, 4096),
            (self.auto_converge, 8192),
            (self.copy_storage, 64),
            (self.tls, 1 << 16),
            (self.connections is not None, 1 << 17),
        )
        return sum(bit for is_wanted, bit in bits if is_wanted)

    def parameters(self) -> dict[str, str | int]:
        """The typed parameters by libvirt's names."""
        said: dict[str, str | int | None] = {
            "migrate_uri": self.uri,
            "listen_address": self.listen_address,
            "bandwidth": self.bandwidth_mib_s,
            "parallel.connections": self.connections,
            "destination_name": self.destination_name,
            "destination_xml": self.destination_xml,
            "persistent_xml": self.persistent_xml,
        }
        return {name: value for name, value in said.items() if value is not None}
