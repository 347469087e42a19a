"""The demo's steps. Each is a command and exactly what that command answers."""

from __future__ import annotations

from collections import Counter

from vgpu_migrate import facts
from vgpu_migrate.cli import check_view, fleets, plan_view, replay_view
from vgpu_migrate.cli.main import PROGRAM
from vgpu_migrate.cli.screen import NOTE, STRONG, WEAK, Cell, Screen, count
from vgpu_migrate.compat import survey
from vgpu_migrate.model import Fleet
from vgpu_migrate.model.planfile import Plan
from vgpu_migrate.planning import drain
from vgpu_migrate.replay import replay

MOVES, MOVES_TO = "design-01", "a4"
FORGOTTEN_RANGE = "a5"
STAYS = "render-01"
EMPTIED = "a1"


def tell(fleet: Fleet) -> None:
    """The fleet, a VM that can move and what stops it elsewhere, one that cannot, a drain, its replay."""
    screen = Screen()
    _introduce(screen, fleet)
    _check(screen, fleet, MOVES, MOVES_TO, "A VM that can move: between two driver branches, live.")
    _check(
        screen,
        fleet,
        MOVES,
        FORGOTTEN_RANGE,
        "The same driver there, and yet no: who set the obstacle, and what helps.",
    )
    _check(screen, fleet, STAYS, None, "A VM that cannot move, seen before a migration fails half-way.")
    plan = _drain(screen, fleet)
    _replay(screen, fleet, plan)
    _end(screen)


def _introduce(screen: Screen, fleet: Fleet) -> None:
    boards = Counter(gpu.board.key for gpu in fleet.gpus.values())
    branches = sorted({facts.host_driver(host.driver).branch or host.driver for host in fleet.hosts.values()})
    gpus = ", ".join(f"{number} {board}" for board, number in boards.items())
    screen.line(
        [
            Cell("A simulated fleet", STRONG),
            f": {count(len(fleet.hosts), 'host')}, {count(len(fleet.gpus), 'gpu')} ({gpus}), "
            f"{count(len(fleet.vms), 'VM')}, host drivers of {', '.join(branches)}. No GPU is needed.",
        ]
    )


def _step(screen: Screen, says: str, command: str) -> None:
    screen.line()
    screen.line(Cell(f"# {says}", NOTE))
    screen.line(Cell(f"$ {PROGRAM} {command}", STRONG))


def _check(screen: Screen, fleet: Fleet, vm_name: str, host: str | None, says: str) -> None:
    vm = fleets.find_vm(fleet, vm_name)
    to = None if host is None else fleets.find_host(fleet, host)
    _step(screen, says, f"check demo {vm.id}" if to is None else f"check demo {vm.id} --to {to}")
    check_view.show(fleet, survey(fleet, vm, to=to), to=to, show_all=False, screen=screen)


def _drain(screen: Screen, fleet: Fleet) -> Plan:
    host = fleets.find_host(fleet, EMPTIED)
    _step(
        screen,
        "Empty a host for its upgrade, and see how far from the best possible that is.",
        f"drain demo {host} -o plan.json",
    )
    plan = drain(fleet, [host]).plan
    plan_view.show(plan, emptied=[host], show_all=False, screen=screen)
    return plan


def _replay(screen: Screen, fleet: Fleet, plan: Plan) -> None:
    _step(screen, "Check the plan with code that shares nothing with the planner.", "replay demo plan.json")
    replay_view.show(plan, replay(fleet, plan), screen=screen)


def _end(screen: Screen) -> None:
    screen.line()
    screen.line(
        Cell(
            f"That was a simulation; nothing was written. For your own fleet: `{PROGRAM} schema fleet` says "
            f"what its file holds, `{PROGRAM} rules` what decides.",
            WEAK,
        )
    )
