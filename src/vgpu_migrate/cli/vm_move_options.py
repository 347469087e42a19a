"""The options of `vm check` and `vm migrate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from vgpu_migrate.cli.options import Decorator, json_option, single_option
from vgpu_migrate.cli.vm_driver import connect_option, settings_option, socket_option

MOST_CONNECTIONS = 255
MOST_DOWNTIME_MS = 2_000_000
"""QEMU's own limit."""

_OF_BOTH: tuple[Decorator, ...] = (
    click.argument("guest", metavar="GUEST"),
    single_option(
        "--to", "to", metavar="URI", required=True, help="The destination's libvirt: qemu+ssh://host/system."
    ),
    connect_option,
    click.option(
        "--judge",
        "judges",
        metavar="WHO",
        multiple=True,
        help="Who gives the verdict for the destination: ssh:[USER@]HOST, its driver by ssh; SOCKET of a "
        "simulated host; FILE with records of its gpus, any number of them, a prediction; local. By default "
        "by ssh where --to goes by ssh.",
    ),
    click.option(
        "--trust-hook", is_flag=True, help="Ask nobody beforehand: the destination's hook decides alone."
    ),
    socket_option,
    settings_option,
    click.option("--offline", is_flag=True, help="Move only the definition of a guest that is off."),
    click.option("--persistent", is_flag=True, help="The destination keeps a definition of it."),
    click.option(
        "--undefine-source", "--undefinesource", is_flag=True, help="The source forgets its definition."
    ),
    json_option,
)


_OF_A_TRANSFER: tuple[Decorator, ...] = (
    click.option(
        "--deadline",
        "deadline_s",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        help="Give it up, and leave the guest where it is, when so much time has passed.",
    ),
    click.option(
        "--max-downtime",
        "max_downtime_ms",
        metavar="MS",
        type=click.IntRange(min=1, max=MOST_DOWNTIME_MS),
        help="The longest that the guest may be stopped; by default what QEMU has set.",
    ),
    click.option(
        "--bandwidth",
        "bandwidth_mib_s",
        metavar="MIB/S",
        type=click.IntRange(min=1),
        help="The most that its memory may use.",
    ),
    click.option("--suspend", is_flag=True, help="Leave it paused on the destination."),
    click.option("--p2p", is_flag=True, help="Its own libvirtd opens --to and manages the migration."),
    single_option("--migrate-uri", metavar="URI", help="Where its memory goes: tcp://10.0.0.2."),
    single_option("--listen-address", metavar="ADDRESS", help="Where the destination listens for it."),
    click.option("--tls", is_flag=True, help="Send its memory encrypted."),
    click.option(
        "--parallel",
        metavar="N",
        type=click.IntRange(min=1, max=MOST_CONNECTIONS),
        help="Send its memory over so many connections.",
    ),
    click.option("--auto-converge", is_flag=True, help="Slow the guest down where it writes too fast."),
    click.option("--copy-storage", is_flag=True, help="Its disks go along, whole."),
    click.option("--unsafe", is_flag=True, help="As of virsh: also where its disks' caches may be at risk."),
    click.option("--postcopy", "post_copy", is_flag=True, help="Always refused: nothing for VFIO devices."),
    click.option(
        "--progress/--no-progress",
        "shows_progress",
        default=None,
        help="Tell how far it is, on standard error; by default on a terminal.",
    ),
)


def move_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What both commands take, in the order of `--help`."""
    return _put(_OF_BOTH, function)


def transfer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How the guest is to be moved."""
    return _put(_OF_A_TRANSFER, function)


def _put(options: tuple[Decorator, ...], function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(options):
        function = option(function)
    return function
