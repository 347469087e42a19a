"""`vm migrate`: migrate a guest of libvirt, looked at before and after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from vgpu_migrate.cli.vm_move_options import move_options, transfer_options

if TYPE_CHECKING:
    from vgpu_migrate.cli.vm_move_open import Ready, Sides
    from vgpu_migrate.vmm.migration import Moved, Order


@click.command("migrate", short_help="Migrate a guest: judged before, with progress, verified after.")
@move_options
@transfer_options
def migrate(guest: str, as_json: bool, shows_progress: bool | None, **given: Any) -> int:
    """Migrate GUEST, a name, UUID or id, live to another host.

    First everything is looked at that `vm check` looks at; where something stops it, nothing is done. Then
    fresh records of its vgpus are put into its domain, libvirt migrates it, and both sides are looked at
    again. Where it does not arrive, it goes on here and what was changed is put back. Ctrl-C gives it up.

    Exit status: 0 it arrived and all is well; 1 it was held back, vetoed, not there in time, or something is
    not as it should be afterwards; 3 libvirt or QEMU failed, or somebody did not answer.

    \b
    Examples:
      vgpu-migrate vm migrate guest1 --to qemu+ssh://h2/system --persistent --undefine-source
      vgpu-migrate vm migrate guest1 --to qemu+ssh://h2/system --deadline 120 --max-downtime 500
    """
    from vgpu_migrate.cli import vm_move_open, vm_move_view
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.screen import Screen
    from vgpu_migrate.vmm.move_picture import Wish
    from vgpu_migrate.vmm.preflight import may_go

    _check(given)
    named = {name: given[name] for name in ("to", "connect", "judges", "trust_hook", "socket", "settings")}
    sides = vm_move_open.sides(**named)
    wish = Wish(
        offline=given["offline"],
        post_copy=given["post_copy"],
        persistent=given["persistent"],
        undefine_source=given["undefine_source"],
        bandwidth_mib_s=given["bandwidth_mib_s"],
        deadline_s=given["deadline_s"],
    )
    with vm_move_open.looked_at(sides, guest, wish) as ready:
        goes = may_go(ready.lines)
        if not as_json:
            vm_move_view.show_check(Screen(), ready.picture, ready.lines, target=sides.target)
        moved = _move(ready, sides, given, shows_progress=shows_progress) if goes else None
        answer = vm_move_view.move_answer(
            ready.picture, ready.lines, moved, source=sides.source, target=sides.target
        )
        if as_json:
            write_json(answer)
        elif moved is not None:
            vm_move_view.show_move(Screen(), answer, moved)
        return vm_move_view.status_of(ready.lines) if moved is None else vm_move_view.status_of_move(moved)


def _check(given: dict[str, Any]) -> None:
    """What does not go together is not there together."""
    deadline_s = given["deadline_s"]
    if deadline_s is not None and not math.isfinite(deadline_s):
        raise click.UsageError(f"--deadline {deadline_s}: wanted seconds")
    of_running = ("max_downtime_ms", "bandwidth_mib_s", "suspend", "tls", "parallel", "auto_converge")
    if given["offline"]:
        if not given["persistent"]:
            raise click.UsageError("--offline wants --persistent: nothing else is moved")
        for name in (*of_running, "copy_storage", "post_copy"):
            if given[name]:
                option = {"max_downtime_ms": "max-downtime", "bandwidth_mib_s": "bandwidth"}.get(name, name)
                raise click.UsageError(f"--{option.replace('_', '-')} is for guests that run, not --offline")


def _order(ready: Ready, sides: Sides, given: dict[str, Any]) -> Order:
    from vgpu_migrate.vmm.libvirt_values import MigrationRequest
    from vgpu_migrate.vmm.migration import Order

    request = MigrationRequest(
        offline=given["offline"],
        persist_on_target=given["persistent"],
        undefine_on_source=given["undefine_source"],
        paused_on_target=given["suspend"],
        auto_converge=given["auto_converge"],
        allow_unsafe=given["unsafe"],
        copy_storage=given["copy_storage"],
        tls=given["tls"],
        connections=given["parallel"],
        uri=given["migrate_uri"],
        listen_address=given["listen_address"],
        bandwidth_mib_s=given["bandwidth_mib_s"],
    )
    return Order(
        request,
        records=ready.found.fresh_records(sides.settings),
        peer_to_peer=sides.target if given["p2p"] else None,
        deadline_s=given["deadline_s"],
        max_downtime_ms=given["max_downtime_ms"],
    )


def _move(ready: Ready, sides: Sides, given: dict[str, Any], *, shows_progress: bool | None) -> Moved:
    from vgpu_migrate.cli.vm_move_progress import shown_progress, stops_on_signals
    from vgpu_migrate.vmm.migration import migrate

    assert ready.target is not None, "the pre-flight says no where the destination is not reached"
    with stops_on_signals() as stop, shown_progress(ready.found.side.name, is_wanted=shows_progress) as show:
        return migrate(
            ready.found.handle,
            ready.source,
            ready.target,
            _order(ready, sides, given),
            judge=ready.judge,
            stop=stop,
            show=show,
        )
