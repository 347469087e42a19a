"""Moves of a wave that a VM need not make: from a host to a second and on to a third, which had room at once.

Whoever makes room for others sends a VM aside, and it may be emptied again with the host it went to. When the
wave is known, some of these pairs are one move.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from vgpu_migrate.model.planfile import How
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import Seats
from vgpu_migrate.planning.moves import WAYS
from vgpu_migrate.planning.rolling.yard import Act, Moved, Worked, Yard


class _Detour(NamedTuple):
    """Two moves of one VM, by their places among the acts, and what the VM is after the second."""

    first: int
    second: int
    after: Mover


def straightened(first: Yard, done: Yard) -> Yard:
    """A yard after the same acts, but for moves of detours that one move stands for.

    Args:
        first: the yard before any act.
        done: the yard after all of them, no act of which lifts a pin.

    Returns:
        `done` itself where every detour is needed; else another yard, which ends in the same state.
    """
    while detours := _detours(done):
        yard = _without(first, done, detours)
        if len(yard.acts) == len(done.acts):
            break
        done = yard
    return done


def _detours(done: Yard) -> dict[int, _Detour]:
    """By the place of the first move. No host is worked on before the second; the third is not the first."""
    found: dict[int, _Detour] = {}
    last: dict[int, tuple[int, Moved]] = {}
    for at, act in enumerate(done.acts):
        if isinstance(act, Worked):
            last.clear()
            continue
        number = act.mover.number
        if number in last:
            before, earlier = last[number]
            if earlier.source != act.target:
                found[before] = _Detour(before, at, done.movers[number])
        last[number] = at, act
    seconds = {detour.second: detour for detour in found.values()}
    # Whoever moves again later is, after the detour, what it was before that.
    waiting: dict[int, _Detour] = {}
    for at, act in enumerate(done.acts):
        if isinstance(act, Moved):
            detour = waiting.pop(act.mover.number, None)
            if detour is not None:
                found[detour.first] = detour._replace(after=act.mover)
            if at in seconds:
                waiting[act.mover.number] = seconds[at]
    return found


def _without(first: Yard, done: Yard, detours: dict[int, _Detour]) -> Yard:
    """The acts again, each detour in one move where that works out."""
    yard = first.copy()
    left_out: set[int] = set()
    for at, act in enumerate(done.acts):
        if at in left_out:
            continue
        if isinstance(act, Worked):
            yard.work(act.host, act.wave, pin=act.pin is not None)
            continue
        detour = detours.get(at)
        seats = act.seats
        if detour is not None and _is_short(yard, done.acts, detour, left_out):
            left_out.add(detour.second)
            onward = done.acts[detour.second]
            assert isinstance(onward, Moved)
            seats = onward.seats
        yard.move(act.mover.number, seats, act.wave)
    for host, phase in enumerate(done.phase):
        yard.set_phase(host, phase)
    return yard


def _is_short(yard: Yard, acts: Sequence[Act], detour: _Detour, left_out: Container[int]) -> bool:
    """Whether all moves up to the second are possible, in the same ways, with one move in place of both.

    After the second everything is as it would have been. Nothing is changed here.
    """
    first, second = acts[detour.first], acts[detour.second]
    assert isinstance(first, Moved)
    assert isinstance(second, Moved)
    mark = len(yard.acts)
    is_short = _goes(yard, first, second.seats, max(first.how, second.how, key=WAYS.index))
    if is_short:
        now = yard.movers[first.mover.number]
        # Where it may go from there is as it was: for a VM started anew it depends on where that was.
        is_short = (now.vm, now.ways) == (detour.after.vm, detour.after.ways)
    for at in range(detour.first + 1, detour.second):
        if not is_short:
            break
        act = acts[at]
        assert isinstance(act, Moved)
        is_short = at in left_out or _goes(yard, act, act.seats, act.how)
    yard.undo(mark)
    return is_short


def _goes(yard: Yard, act: Moved, seats: Seats, most: How) -> bool:
    """Move the VM of an act to seats if there is room, with no more interruption than `most`."""
    number = act.mover.number
    mover = yard.movers[number]
    states = yard.states_at(mover, seats)
    if not states or not _fits(yard, mover, seats):
        return False
    if 4 - states.bit_length() > WAYS.index(most):
        return False
    yard.move(number, seats, act.wave)
    return True


def _fits(yard: Yard, mover: Mover, seats: Seats) -> bool:
    floor = yard.floor
    if not floor.fits_host(floor.host_of[seats[0][0]], mover):
        return False
    held = []
    for (gpu, placement), type_row in zip(seats, mover.types, strict=True):
        if not floor.has_room(gpu, type_row, placement):
            break
        floor.hold(gpu, type_row, placement)
        held.append((gpu, type_row, placement))
    for gpu, type_row, placement in reversed(held):
        floor.release(gpu, type_row, placement)
    return len(held) == len(seats)
