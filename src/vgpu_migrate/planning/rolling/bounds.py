"""What no rolling upgrade of a pool can better. Proofs are in docs/upgrade.md.

The loads and capacities are those of the fleet as it is; nothing of a plan enters, but which hosts it
upgrades.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate

from vgpu_migrate import facts
from vgpu_migrate.planning.bounds import machines_bound
from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import Sharing, capacity
from vgpu_migrate.planning.rolling.guises import Phase
from vgpu_migrate.planning.rolling.reach import Kinds
from vgpu_migrate.planning.rolling.yard import Yard

SLACK = 1e-9


class PoolFigures:
    """The figures of one pool, from its yard as it is before the plan."""

    def __init__(
        self, yard: Yard, homeless: frozenset[int], fixed: frozenset[int], least_old: int = 0
    ) -> None:
        """`least_old`: no fewer hosts stay old, as is known already."""
        self._yard = yard
        self.wanted = [host for host in range(len(yard.hosts)) if yard.is_wanted[host]]
        self.loads = [len(yard.there[host]) for host in self.wanted]
        """VMs by host to be upgraded."""
        self.has_kept = any(phase is Phase.KEPT for phase in yard.phase)
        needed = max(hosts_needed(yard, yard.movers), hosts_for_types(yard, yard.movers))
        self.most_out = min(len(self.wanted), len(yard.hosts) - needed)
        """No more hosts can be empty at once."""
        gathered = [yard.movers[number] for number in sorted(homeless)]
        self.least_old = max(
            least_old, len(fixed), hosts_needed(yard, gathered), hosts_for_types(yard, gathered)
        )
        """No fewer hosts stay old."""
        self.most_upgraded = len(self.wanted) - self.least_old if self.most_out else 0

    @property
    def moves(self) -> int:
        """No fewer moves upgrade every host: each VM once, and those of the host emptied first once more."""
        again = 0 if self.has_kept or not self.loads else min(self.loads)
        return sum(self.loads) + again

    @property
    def waves(self) -> int:
        """No fewer waves upgrade every host."""
        return self.rounds(len(self.wanted), None)

    def rounds(self, hosts: int, at_once: int | None) -> int:
        """How often hosts are out at once, at the least, when so many are upgraded, so many at once."""
        most = max(1, self.most_out)
        return -(-hosts // (most if at_once is None else min(most, at_once)))

    def drain_s(self, migrations_per_host: int) -> float:
        """No host is empty sooner."""
        yard = self._yard
        return min(
            (
                machines_bound([yard.movers[n].seconds for n in yard.there[host]], migrations_per_host)
                for host in self.wanted
            ),
            default=0.0,
        )

    def migrations_s(self) -> list[float]:
        """Seconds of migrations that every plan makes which upgrades every host."""
        yard = self._yard
        seconds = [yard.movers[n].seconds for host in self.wanted for n in yard.there[host]]
        return seconds + sorted(seconds)[: self.moves - len(seconds)]

    def least_moves(self, waves: int) -> int | None:
        """No fewer moves upgrade every host in so many waves; None where no number does."""
        if waves < self.waves:
            return None
        whole = sum(self.loads)
        if self.has_kept:
            return whole
        low, high = self.moves - whole, whole
        if self._waves_with(high) > waves:
            return None
        while low < high:
            middle = (low + high) // 2
            if self._waves_with(middle) <= waves:
                high = middle
            else:
                low = middle + 1
        return whole + low

    def _waves_with(self, again: int) -> int:
        """No fewer waves upgrade every host with so many moves beyond one for each VM.

        The VMs of hosts emptied so far are on hosts upgraded before, or on old ones; each of the latter
        moves again, and so there are never more of them than such moves.
        """
        loads, rooms, heaviest = self._volumes
        on_old = heaviest[min(again, len(heaviest) - 1)]
        done = waves = 0
        while done < len(self.wanted):
            reached = min(bisect_right(loads, rooms[done] + on_old + SLACK) - 1, done + self.most_out)
            if reached <= done:
                return len(self.wanted) + 1
            done, waves = reached, waves + 1
        return waves

    def left_s(self, moves: int) -> list[float]:
        """Seconds of migrations off old hosts left when 0, 1, … upgrades could have followed each other.

        As in `_waves_with`; VMs that moved for good fill the upgraded hosts with most seconds for the room.
        """
        yard, again = self._yard, max(0, moves - sum(self.loads))
        loads, rooms, heaviest = self._volumes
        on_old = heaviest[min(again, len(heaviest) - 1)]
        weights = gpu_shares(yard)
        wanted = [mover for mover in yard.movers if yard.is_wanted[yard.host_of(mover.number)]]
        shares = sorted(
            [(mover.seconds, _weight(weights, mover)) for mover in wanted], key=lambda one: one[1] / one[0]
        )
        whole = math.fsum([seconds for seconds, _ in shares])
        twice = math.fsum(sorted([seconds for seconds, _ in shares], reverse=True)[:again])
        found, done = [whole], 0
        while not self.has_kept:
            found.append(max(0.0, whole - twice - _most_seconds(shares, rooms[done])))
            reached = min(bisect_right(loads, rooms[done] + on_old + SLACK) - 1, done + self.most_out)
            if reached <= done:
                break
            done = reached
        return found

    @cached_property
    def _volumes(self) -> tuple[list[float], list[float], list[float]]:
        """In gpus: what the lightest hosts hold together, the largest have, the largest VMs; by number."""
        yard = self._yard
        weights = gpu_shares(yard)
        loads = sorted(
            sum([_weight(weights, yard.movers[n]) for n in yard.there[host]]) for host in self.wanted
        )
        rooms = sorted((float(len(yard.floor.gpus_of[host])) for host in self.wanted), reverse=True)
        heaviest = sorted((_weight(weights, mover) for mover in yard.movers), reverse=True)
        return _sums(loads), _sums(rooms), _sums(heaviest)


def _most_seconds(shares: Sequence[tuple[float, float]], room: float) -> float:
    """The most seconds for which there is room, of (seconds, share) in the order of shares for a second."""
    found = 0.0
    for seconds, share in shares:
        if share >= room:
            return found + (seconds * room / share if share else 0.0)
        found += seconds
        room -= share
    return found


def _sums(numbers: Iterable[float]) -> list[float]:
    return list(accumulate(numbers, initial=0.0))


def hosts_needed(yard: Yard, movers: Iterable[Mover]) -> int:
    """Movers cannot be on fewer hosts of a pool, by their vgpus, their memory, their vcpus, their groups."""
    floor, movers = yard.floor, list(movers)
    weights = gpu_shares(yard)
    boards = {key: board.row for key, board in facts.boards().items()}
    needed = 1 if movers else 0
    load: dict[int, list[float]] = {}
    for mover in movers:
        for vgpu in mover.vm.vgpus:
            load.setdefault(boards[vgpu.type.board], []).append(weights[vgpu.type.row])
    for board, shares in load.items():
        there = [sum(floor.boards[gpu] == board for gpu in host) for host in floor.gpus_of]
        needed = max(needed, _fewest(math.fsum(shares), there))
    memory = [host.memory_mib for host in yard.hosts]
    if None not in memory:
        needed = max(needed, _fewest(sum(m.memory_mib for m in movers), [m or 0 for m in memory]))
    vcpus = [host.vcpus for host in yard.hosts]
    if None not in vcpus:
        needed = max(needed, _fewest(sum(m.vcpus for m in movers), [v or 0 for v in vcpus]))
    groups = Counter(group for mover in movers for group in mover.groups)
    return max([needed, *groups.values()])


def hosts_for_types(yard: Yard, movers: Sequence[Mover]) -> int:
    """Movers cannot be on fewer hosts of a pool, because an equal-size gpu has vgpus of one type only.

    So many hosts have at most so many gpus of a board, and so many of them of mixed size. Given one more
    equal-size gpu, a type takes a full gpu of vgpus off the mixed-size ones, or its rest: never more than
    before. So handing gpus to whoever gains most leaves least for those of mixed size, and if that is
    more framebuffer than they have, more hosts are needed.
    """
    floor, needed = yard.floor, 0
    boards = {board: gpu.board for board, gpu in zip(floor.boards, floor.gpus, strict=True)}
    for row, board in boards.items():
        types = [vgpu.type for m in movers for vgpu in m.vm.vgpus if vgpu.type.board == board.key]
        gpus = [[floor.sharing[gpu] for gpu in there if floor.boards[gpu] == row] for there in floor.gpus_of]
        if not types or any(vgpu_type.is_mig_backed for vgpu_type in types):
            continue
        gains, whole = [], 0
        for vgpu_type, count in Counter(types).items():
            size, most = vgpu_type.framebuffer_mib, capacity(vgpu_type.row)
            whole += count * size
            gains += [min(most, count - start) * size for start in range(0, count, most)]
        gains.sort(reverse=True)
        totals = sorted((len(there) for there in gpus), reverse=True)
        mixed = sorted((sum(kind is Sharing.MIXED for kind in there) for there in gpus), reverse=True)
        for count in range(1, len(gpus) + 1):
            of_mixed = sum(mixed[:count])
            left = whole - sum(gains[: sum(totals[:count]) - of_mixed])
            if left <= of_mixed * board.framebuffer_mib or count == len(gpus):
                needed = max(needed, count)
                break
    return needed


def never_empty(yard: Yard, kinds: Kinds) -> frozenset[int]:
    """Hosts without whose gpus there is no room for some VMs, taking only gpus that the rules leave to them.

    VMs that may be on some kinds of gpus and on no others need so many gpus of these kinds; where the other
    hosts have fewer, a host is never empty.
    """
    loads: dict[frozenset[int], list[float]] = {}
    for mover in yard.movers:
        if mover.is_single:
            loads.setdefault(kinds.of(mover)[0], []).append(kinds.share(mover))
    found = set()
    for reach in loads:
        load = math.fsum([math.fsum(shares) for other, shares in loads.items() if other <= reach])
        there = [sum(kinds.of_gpu[gpu] in reach for gpu in gpus) for gpus in yard.floor.gpus_of]
        room = sum(there)
        found |= {host for host, own in enumerate(there) if own and load > room - own + SLACK}
    return frozenset(host for host in found if yard.is_wanted[host])


def _fewest(load: float, rooms: Sequence[float]) -> int:
    """The fewest of some rooms that hold a load; all of them where they do not."""
    for count, room in enumerate(accumulate(sorted(rooms, reverse=True), initial=0)):
        if room >= load - SLACK:
            return count
    return len(rooms)


def gpu_shares(yard: Yard) -> dict[int, float]:
    """By type, the least share of a gpu of the pool that one vgpu takes."""
    floor = yard.floor
    has_mixed = {b for b, kind in zip(floor.boards, floor.sharing, strict=True) if kind is Sharing.MIXED}
    found: dict[int, float] = {}
    for vgpu_type in {vgpu.type.row: vgpu.type for m in yard.movers for vgpu in m.vm.vgpus}.values():
        # GPU instances of several sizes share a gpu in more ways than shares can tell: none is counted.
        share = 0.0 if vgpu_type.is_mig_backed else 1 / capacity(vgpu_type.row)
        board = facts.board(vgpu_type.board)
        if board.row in has_mixed:
            share = min(share, vgpu_type.framebuffer_mib / board.framebuffer_mib)
        found[vgpu_type.row] = share
    return found


def _weight(weights: dict[int, float], mover: Mover) -> float:
    return math.fsum([weights[row] for row in mover.types])
