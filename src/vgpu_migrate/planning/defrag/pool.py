"""Hosts that share gpu boards, and who may sit there: what can be solved apart from the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vgpu_migrate.planning.cast import Mover
from vgpu_migrate.planning.floor import Floor

SMALL = 60
"""Pools with no more residents are solved exactly as a whole, also where only fewer moves are to be found."""


class Pool(NamedTuple):
    """Hosts by number, who leaves for them, and who is on them and may be moved."""

    hosts: tuple[int, ...]
    leaving: tuple[Mover, ...]
    residents: tuple[Mover, ...]


def pools(floor: Floor, leaving: Sequence[Mover], residents: Sequence[Mover]) -> Iterator[Pool]:
    """The pools of a floor, as it is before the first move, in the order of their first hosts.

    Who could not go to any gpu of the floor is in none.
    """
    pool_of = _pool_of_hosts(floor)
    hosts: dict[int, list[int]] = {}
    for host, pool in enumerate(pool_of):
        hosts.setdefault(pool, []).append(host)
    by_board = {board: pool_of[host] for board, host in zip(floor.boards, floor.host_of, strict=True)}
    movers: dict[int, list[Mover]] = {pool: [] for pool in hosts}
    for mover in leaving:
        if mover.possible and mover.board in by_board:
            movers[by_board[mover.board]].append(mover)
    there: dict[int, list[Mover]] = {pool: [] for pool in hosts}
    for mover in residents:
        there[pool_of[mover.home]].append(mover)
    for pool, its_hosts in hosts.items():
        yield Pool(tuple(its_hosts), tuple(movers[pool]), tuple(there[pool]))


def _pool_of_hosts(floor: Floor) -> list[int]:
    """By host, the first host that it shares a board with, directly or through others."""
    root = list(range(len(floor.hosts)))

    def find(host: int) -> int:
        while root[host] != host:
            host = root[host]
        return host

    first: dict[int, int] = {}
    for board, host in zip(floor.boards, floor.host_of, strict=True):
        one, other = find(host), find(first.setdefault(board, host))
        root[max(one, other)] = min(one, other)
    return [find(host) for host in range(len(floor.hosts))]
