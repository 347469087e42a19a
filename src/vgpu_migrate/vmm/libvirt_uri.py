"""What a URI of libvirt says of the machine that it leads to."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from vgpu_migrate.errors import InputError, Problem, quoted

_LOCAL = frozenset({"", "unix"})
"""Transports by which libvirt reaches this machine where the URI names no host."""
_LEADS_ON = frozenset({"socket", "name"})
"""Parameters that lead to another libvirtd: a socket may be forwarded, a name is opened anew."""


class UriParts(NamedTuple):
    """The parts that matter here; `transport` is "" where the URI names none."""

    transport: str
    host: str | None
    user: str | None
    port: int | None
    keyfile: str | None
    leads_on: bool

    @property
    def may_be_local(self) -> bool:
        """Whether it names no other machine; behind a socket that it names there may be one all the same."""
        return not self.host and self.transport in _LOCAL

    @property
    def is_local(self) -> bool:
        """Whether it means this machine by itself: its usual libvirtd."""
        return self.may_be_local and not self.leads_on


def parts_of(uri: str) -> UriParts:
    """The parts of a URI such as ``qemu+ssh://root@h2:2222/system?keyfile=/root/.ssh/id``.

    Raises:
        InputError: it is no URI.
    """
    try:
        parts = urlsplit(uri)
        host, user, port = parts.hostname, parts.username, parts.port
        # As libvirt reads it: `;` parts too, and a parameter's name is taken in any case.
        query = {
            name.lower(): values
            for name, values in parse_qs(parts.query.replace(";", "&"), keep_blank_values=True).items()
        }
    except ValueError as error:
        raise InputError(Problem("libvirt", f"{quoted(uri)}: {error}", "wanted a URI")) from None
    if not parts.scheme:
        raise InputError(Problem("libvirt", quoted(uri), "wanted a URI such as qemu+ssh://host/system"))
    return UriParts(
        transport=parts.scheme.partition("+")[2],
        host=host,
        user=user,
        port=port,
        keyfile=next(iter(query.get("keyfile", ())), None),
        leads_on=not _LEADS_ON.isdisjoint(query),
    )
