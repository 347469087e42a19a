"""Which remedies free hosts that stay old, found out by planning the domain anew with each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from vgpu_migrate.model import Fleet, Host, Vm
from vgpu_migrate.model.planfile import Stuck
from vgpu_migrate.planning.remedies import UNVERIFIED

Replan = Callable[[Fleet], Sequence[Stuck]]
"""Who keeps hosts old, and which, with this fleet."""


class Remedy(NamedTuple):
    """What could free a host, and the VM or the host that would be another then, if planning can tell."""

    text: str
    vm: Vm | None = None
    host: Host | None = None
    """Changed, or added."""


class Held(NamedTuple):
    """A VM that keeps a host old, or such a host, and remedies that were not tried yet."""

    item: Stuck
    remedies: tuple[Remedy, ...]


def untried(held: Sequence[Held]) -> Iterator[Stuck]:
    """All remedies as they are."""
    for item, remedies in held:
        yield replace(item, remedies=tuple(dict.fromkeys(remedy.text for remedy in remedies)))


def verified(fleet: Fleet, held: Sequence[Held], replan: Replan, effort: int) -> Iterator[Stuck]:
    """Try remedies in turn, the first of each before the second of any, as long as the effort lasts.

    `effort`: how many VMs may be planned anew, all tries together. A remedy that frees nobody is left out
    where others are left.
    """
    before = [item for item, _ in held]
    found: dict[tuple[int, int], str | None] = {}
    most = max((len(remedies) for _, remedies in held), default=0)
    for rank in range(most):
        for number, (item, remedies) in enumerate(held):
            if rank >= len(remedies):
                continue
            remedy = remedies[rank]
            found[number, rank] = remedy.text
            other = _changed(fleet, remedy)
            if other is None:
                continue
            if len(other.vms) > effort:
                found[number, rank] = f"{remedy.text} ({UNVERIFIED})"
                continue
            effort -= len(other.vms)
            after = _without_added(replan(other), remedy)
            found[number, rank] = _judged(remedy, item, before, after)
    for number, (item, remedies) in enumerate(held):
        texts = [text for rank in range(len(remedies)) if (text := found[number, rank]) is not None]
        plain = [f"{remedy.text} (tried: not enough alone)" for remedy in remedies]
        yield replace(item, remedies=tuple(dict.fromkeys(texts or plain)))


def _changed(fleet: Fleet, remedy: Remedy) -> Fleet | None:
    if remedy.vm is None and remedy.host is None:
        return None
    vms = fleet.vms if remedy.vm is None else {**fleet.vms, remedy.vm.id: remedy.vm}
    hosts = fleet.hosts if remedy.host is None else {**fleet.hosts, remedy.host.id: remedy.host}
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, hosts, vms)


def _without_added(after: Sequence[Stuck], remedy: Remedy) -> list[Stuck]:
    """Those stuck; a host that was added for the trial counts for nothing."""
    return [item for item in after if remedy.host is None or item.host != remedy.host.id]


def _judged(remedy: Remedy, item: Stuck, before: Sequence[Stuck], after: Sequence[Stuck]) -> str | None:
    """A remedy with what it does; None for one that does nothing for its VM or host."""
    hosts, fewer = _hosts(before), _hosts(after)
    if fewer < hosts:
        return f"{remedy.text} (verified: {hosts - fewer:,} of {hosts:,} old hosts would be upgraded)"
    if fewer > hosts:
        # The trial took less effort than the plan.
        return f"{remedy.text} ({UNVERIFIED})"
    if item.vm is not None and all(other.vm != item.vm for other in after):
        return f"{remedy.text} (verified: it keeps no host old then, but others do)"
    return None


def _hosts(stuck: Sequence[Stuck]) -> int:
    return sum(item.vm is None for item in stuck)
