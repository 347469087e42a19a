"""What a URI of libvirt says of the machine that it leads to."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from vgpu_migrate.errors import InputError, Problem, quoted

_LOCAL = frozenset({"", "unix"})
"""Transports by which libvirt reaches this machine where the URI names no host."""


class UriParts(NamedTuple):
    """The parts that matter here; `transport` is "" where the URI names none."""

    transport: str
    host: str | None
    user: str | None
    port: int | None
    keyfile: str | None

    @property
    def is_local(self) -> bool:
        """Whether it means this machine."""
        return not self.host and self.transport in _LOCAL


def parts_of(uri: str) -> UriParts:
    """The parts of a URI such as ``qemu+ssh://root@h2:2222/system?keyfile=/root/.ssh/id``.

    Raises:
        InputError: it is no URI.
    """
    try:
        parts = urlsplit(uri)
        host, user, port = parts.hostname, parts.username, parts.port
        query = parse_qs(parts.query)
    except ValueError as error:
        raise InputError(Problem("libvirt", f"{quoted(uri)}: {error}", "wanted a URI")) from None
    if not parts.scheme:
        raise InputError(Problem("libvirt", quoted(uri), "wanted a URI such as qemu+ssh://host/system"))
    return UriParts(
        parts.scheme.partition("+")[2], host, user, port, next(iter(query.get("keyfile", ())), None)
    )
