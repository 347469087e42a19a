"""The sentence that answers `check`: where the VM can go in the state that it is in.

Yes and no are words for a VM that runs or is paused: the exit status asks whether it can move live, and for
any other the sentence says what it can do instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vgpu_migrate.cli.screen import some
from vgpu_migrate.compat import HostAnswer, Survey
from vgpu_migrate.model import HostId, Vm, VmState
from vgpu_migrate.nvml import States

_SAID = {"cold": "powered off", "hibernate": "hibernated", "sleep": "asleep", "live": "live"}


class _Way(NamedTuple):
    """How a VM in some state goes on elsewhere as it is, in words."""

    it_is: str
    can: str
    cannot: str


_WAYS = {
    VmState.SLEEPING: _Way("It is asleep", "asleep it can move to", "it cannot move asleep to"),
    VmState.HIBERNATED: _Way(
        "It is hibernated",
        "it can be started from hibernation on",
        "it cannot be started from hibernation on",
    ),
    VmState.OFF: _Way("It is off", "it can start on", "it cannot start on"),
    VmState.BOOTING: _Way("It is booting", "powered off it can move to", "it cannot move powered off to"),
}


class Sentence(NamedTuple):
    """The answer in words, and whether it is good news."""

    text: str
    is_good: bool


def sentence(found: Survey, *, to: HostId | None) -> Sentence:
    """Where the VM can go as it is: to the host named, else to which of the hosts other than its own."""
    vm = found.vm
    if to is not None and to in found.left_out:
        said = f"{found.left_out[to]}."
        return Sentence(f"No: {said}" if _needs_live(vm) else f"{_WAYS[vm.state].it_is}; {said}", False)
    if to is not None and _is_at_home(vm, to):
        return _at_home(found.hosts[0])
    others = [host for host in found.hosts if not _is_at_home(vm, host.host)]
    taking = [host for host in others if host.states & vm.state.needs]
    only: str | None = None
    if to is not None:
        only = to
    elif len(others) == 1:
        other = " other" if vm.state.holds_vgpus else ""
        only = f"{others[0].host}, the only{other} host"
    say = _say_live if _needs_live(vm) else _say_as_it_is
    return Sentence(say(vm, others, taking, only), bool(taking))


def _needs_live(vm: Vm) -> bool:
    return vm.state.needs is States.LIVE


def _is_at_home(vm: Vm, host: HostId) -> bool:
    return vm.host == host and vm.state.holds_vgpus


def _at_home(host: HostAnswer) -> Sentence:
    left = ", ".join(reversed(host.states.words)) or "no state"
    return Sentence(f"It is on {host.host} already; the verdict for that host: {left}.", bool(host.states))


def _say_live(vm: Vm, others: Sequence[HostAnswer], taking: Sequence[HostAnswer], only: str | None) -> str:
    if not others:
        return "No: there is no other host that it could move to."
    if only is None:
        if taking:
            return f"Yes: it can move live to {len(taking):,} of {_others(vm, others)}; {_say_room(taking)}."
        return f"No: it can move live to none of {_others(vm, others)}{_say_instead(vm, others)}."
    if taking:
        return f"Yes: it can move live to {only}{_say_room_there(taking)}."
    if others[0].states:
        comma = "," if "," in only else ""
        return f"Not live: to {only}{comma} it can move only {_ways(others[0].states)}."
    return f"No: it cannot move live to {only}, nor in any other state."


def _say_as_it_is(
    vm: Vm, others: Sequence[HostAnswer], taking: Sequence[HostAnswer], only: str | None
) -> str:
    way = _WAYS[vm.state]
    if not others:
        missing = (
            "no other host that it could move to"
            if vm.state.holds_vgpus
            else "no host that it could start on"
        )
        return f"{way.it_is}; there is {missing}."
    if only is not None:
        if taking:
            return f"{way.it_is}; {way.can} {only}{_say_room_there(taking)}."
        return f"{way.it_is}; {way.cannot} {only}{_say_instead(vm, others)}."
    if not taking:
        return f"{way.it_is}; {way.can} none of {_others(vm, others)}{_say_instead(vm, others)}."
    room = "" if all(host.fits for host in taking) else f"; {_say_room(taking)}"
    return f"{way.it_is}; {way.can} {_names(taking)}{room}."


def _others(vm: Vm, others: Sequence[HostAnswer]) -> str:
    return f"{len(others):,} {'other ' if vm.state.holds_vgpus else ''}hosts"


def _names(hosts: Sequence[HostAnswer], most: int = 6) -> str:
    return some([host.host for host in hosts], most)


def _say_room(taking: Sequence[HostAnswer]) -> str:
    roomy = [host for host in taking if host.fits]
    return f"room there is now on {_names(roomy)}" if roomy else "none of them has room now"


def _say_room_there(taking: Sequence[HostAnswer]) -> str:
    return "" if taking[0].fits else ", but it has no room there as it stands"


def _say_instead(vm: Vm, others: Sequence[HostAnswer]) -> str:
    """The states that are left, which the owner may or may not accept."""
    left = States.NONE
    for host in others:
        left |= host.states
    if not left:
        return "" if vm.state is VmState.OFF else ", nor in any other state"
    verb = "move to" if vm.state.holds_vgpus else "start on"
    return f"; {_ways(left)} it can {verb} {_names([host for host in others if host.states], 4)}"


def _ways(states: States) -> str:
    return " or ".join(_SAID[word] for word in reversed(states.words))
