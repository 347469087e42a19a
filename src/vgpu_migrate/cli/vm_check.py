"""`vm check`: whether a guest of libvirt may be migrated to a destination, and what stops it."""

from __future__ import annotations

from typing import Any

import click

from vgpu_migrate.cli.vm_move_options import move_options


@click.command("check", short_help="Whether a guest may be migrated to a destination, and what stops it.")
@move_options
def check(
    guest: str, as_json: bool, offline: bool, persistent: bool, undefine_source: bool, **named: Any
) -> int:
    """Look at GUEST and at the destination, and change nothing: what `vm migrate` looks at before it begins.

    GUEST is a name, UUID or id. This machine's driver gives fresh records of its vgpus, the judge says
    whether they may go on live on the destination. Exit status 1: something stops it.

    \b
    Examples:
      vgpu-migrate vm check guest1 --to qemu+ssh://h2/system
      vgpu-migrate vm check guest1 --to qemu+tls://h2/system --judge ssh:root@h2
    """
    from vgpu_migrate.cli import vm_move_open, vm_move_view
    from vgpu_migrate.cli.output import write_json
    from vgpu_migrate.cli.screen import Screen
    from vgpu_migrate.vmm.move_picture import Wish

    sides = vm_move_open.sides(**named)
    wish = Wish(offline=offline, persistent=persistent, undefine_source=undefine_source)
    with vm_move_open.looked_at(sides, guest, wish) as ready:
        if as_json:
            answer = vm_move_view.check_answer(
                ready.picture, ready.lines, source=sides.source, target=sides.target
            )
            write_json(answer)
        else:
            vm_move_view.show_check(Screen(), ready.picture, ready.lines, target=sides.target)
        return vm_move_view.status_of(ready.lines)
