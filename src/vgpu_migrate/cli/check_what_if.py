"""`check` of a fleet as it would be: its answer, and it compared with today."""

from __future__ import annotations

from vgpu_migrate.cli import check_view
from vgpu_migrate.cli.foresight_answers import WhatIfCheckAnswer
from vgpu_migrate.cli.output import write_json
from vgpu_migrate.cli.screen import BAD, GOOD, Cell, Screen, Words, some
from vgpu_migrate.cli.what_if import Imagined, compared_with, show_compared
from vgpu_migrate.compat import Survey
from vgpu_migrate.model import Fleet, HostId


def give(
    today: Fleet,
    asked_today: Survey,
    then: Fleet,
    found: Survey,
    imagined: Imagined,
    *,
    to: HostId | None,
    show_all: bool,
    as_json: bool,
) -> None:
    """Answer with what would be, beside what is."""
    plain = check_view.answer(found)
    before, after = _live(asked_today), _live(found)
    answer = WhatIfCheckAnswer(
        vm=plain.vm,
        profile=plain.profile,
        hosts=plain.hosts,
        targets=plain.targets,
        compared=compared_with(today, then, imagined, [found.vm.id]),
        hosts_gained=[host for host in after if host not in before],
        hosts_lost=[host for host in before if host not in after],
    )
    if as_json:
        write_json(answer)
        return
    screen = Screen()
    check_view.show(then, found, to=to, show_all=show_all, screen=screen)
    show_compared(screen, answer.compared, show_all=show_all)
    rows: list[tuple[str, Words]] = []
    for name, hosts, style in (("gained", answer.hosts_gained, GOOD), ("lost", answer.hosts_lost, BAD)):
        if hosts:
            rows.append((f"live, {name}", Cell(some(hosts, len(hosts) if show_all else 6), style)))
    if rows:
        screen.facts(rows)


def _live(found: Survey) -> list[str]:
    """The hosts other than its own that take the VM live."""
    return [answer.host for answer in found.hosts if answer.is_live and answer.host != found.vm.host]
