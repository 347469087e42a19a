"""How `vm check` and `vm migrate` come to the picture of a move and to its pre-flight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import click

from vgpu_migrate.cli.progress import long_work
from vgpu_migrate.cli.vm_driver import driver_settings, local_uri
from vgpu_migrate.vmm.connection import Connection, connect
from vgpu_migrate.vmm.hook_settings import HookSettings
from vgpu_migrate.vmm.judgement import Judgement, Unjudged
from vgpu_migrate.vmm.judges import Judge, is_of_this_machine, judge_for
from vgpu_migrate.vmm.libvirt_uri import parts_of
from vgpu_migrate.vmm.move_look import Found, look_at_source, target_side
from vgpu_migrate.vmm.move_picture import HookTrusted, Line, Picture, Wish
from vgpu_migrate.vmm.preflight import look


class Sides(NamedTuple):
    """What was named on the line: both URIs, who judges, and this machine's settings."""

    source: str
    target: str
    judges: tuple[str, ...]
    trusts_hook: bool
    settings: HookSettings


class Ready(NamedTuple):
    """Everything that was looked at. `target` is None where the destination is not reached."""

    found: Found
    source: Connection
    target: Connection | None
    judge: Judge | None
    picture: Picture
    lines: tuple[Line, ...]


def sides(
    *,
    to: str,
    connect: str | None,
    judges: Sequence[str],
    trust_hook: bool,
    socket: str | None,
    settings: str | None,
) -> Sides:
    """What the line names, as far as it can be checked without asking anybody.

    Raises:
        InputError: a URI is none, the guest's libvirt is another machine's, or the settings are broken.
        OutsideError: a simulated host is named, and the library for it has not been built.
    """
    if trust_hook and judges:
        raise click.UsageError("--judge and --trust-hook do not go together")
    parts_of(to)
    return Sides(local_uri(connect), to, tuple(judges), trust_hook, driver_settings(socket, settings))


@contextmanager
def looked_at(named: Sides, guest: str, wish: Wish) -> Iterator[Ready]:
    """Look at both sides; the connections are open meanwhile.

    Raises:
        InputError: there is no such guest, or nobody who judges.
        OutsideError: the guest's own libvirt does not answer.
    """
    given = judge_for(named.judges, named.target) if named.judges else None
    with connect(named.source) as source:
        found = look_at_source(source, guest, named.settings, offline=wish.offline)
        judge = given
        if judge is None and found.side.has_vgpu and not named.trusts_hook:
            judge = judge_for((), named.target)
        with target_side(named.target, found) as (target, side):
            judged = _judged(found, judge, trusts_hook=named.trusts_hook)
            is_here = judge is not None and is_of_this_machine(judge)
            picture = Picture(found.side, side, judged, is_judged_here=is_here)
            yield Ready(found, source, target, judge, picture, look(picture, wish))


def _judged(
    found: Found, judge: Judge | None, *, trusts_hook: bool
) -> Judgement | Unjudged | HookTrusted | None:
    vgpus = found.side.vgpus
    if not isinstance(vgpus, tuple) or not vgpus:
        return None
    if trusts_hook or judge is None:
        return HookTrusted()
    with long_work(f"asking {judge.name}", is_long=True):
        return judge.judge(vgpus)
