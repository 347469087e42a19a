"""libvirt's callbacks, made into events."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from vgpu_migrate.vmm.libvirt_library import constant_name, library
from vgpu_migrate.vmm.libvirt_values import LIFECYCLE, Event, EventKind, job_statistics


class Callbacks:
    """libvirt's callbacks, which make our events."""

    def __init__(self, hear: Callable[[Event], None]) -> None:
        self._hear = hear

    def by_kind(self) -> tuple[tuple[int, Callable[..., None]], ...]:
        """Each kind of event, by libvirt's number, with what to call."""
        libvirt = library()
        return (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._rebooted),
            (libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, self._metadata),
            (libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._iteration),
            (libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._job_ended),
        )

    def _tell(self, kind: EventKind, raw: Any, **said: Any) -> None:
        self._hear(Event(kind, str(raw.UUIDString()), str(raw.name()), _now(), **said))

    def _lifecycle(self, _conn: Any, raw: Any, event: int, detail: int, _opaque: Any) -> None:
        if 0 <= event < len(LIFECYCLE):
            kind = LIFECYCLE[event]
            word = constant_name(f"VIR_DOMAIN_EVENT_{kind.name}_", detail)
            self._tell(kind, raw, detail=word)

    def _rebooted(self, _conn: Any, raw: Any, _opaque: Any) -> None:
        self._tell(EventKind.REBOOTED, raw)

    def _metadata(self, _conn: Any, raw: Any, kind: int, namespace: str | None, _opaque: Any) -> None:
        self._tell(EventKind.METADATA, raw, detail=namespace or "")

    def _iteration(self, _conn: Any, raw: Any, iteration: int, _opaque: Any) -> None:
        self._tell(EventKind.ITERATION, raw, iteration=iteration)

    def _job_ended(self, _conn: Any, raw: Any, said: dict[str, object], _opaque: Any) -> None:
        self._tell(EventKind.JOB_ENDED, raw, job=job_statistics({**said, "type": 0}))

    def closed(self, _conn: Any, reason: int, _opaque: Any) -> None:
        """The connection is lost."""
        why = constant_name("VIR_CONNECT_CLOSE_REASON_", reason)
        self._hear(Event(EventKind.CLOSED, "", "", _now(), why))


def _now() -> datetime:
    return datetime.now(UTC)
