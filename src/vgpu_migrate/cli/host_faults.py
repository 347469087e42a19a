"""`host inject` and `host clear`: faults of a simulated host's NVML functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.fault_words import FaultWords, fault_options
from vgpu_migrate.cli.host_open import socket_option
from vgpu_migrate.cli.options import json_option

if TYPE_CHECKING:
    from vgpu_migrate.hosts.live import LiveHost


@click.command("inject", short_help="Let an NVML function fail, or answer late.")
@fault_options
@socket_option
@json_option
def inject(words: FaultWords, socket: str | None, as_json: bool) -> int:
    """Let FUNCTION fail, or answer late, in every program on the host, from its next call on.

    FUNCTION is a name such as nvmlDeviceGetPowerUsage, or `any`. Calls are counted over all programs; with
    --probability and --seed the same calls fail in every run. Several faults can be set: the first that hits
    decides. See also `host show` and `host clear`.

    \b
    Examples:
      vgpu-migrate host inject nvmlDeviceGetTemperature --code TIMEOUT --gpu a1/0 --after 10
      vgpu-migrate host inject any --delay 50 --probability 0.1 --seed 7 --for 60
      vgpu-migrate host inject --gpu-lost a1/0
    """
    from vgpu_migrate.cli import host_answers, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask
    from vgpu_migrate.errors import OutsideError

    def act(live: LiveHost) -> int:
        number = live.inject(words.spec(live))
        for fault in live.show().faults:
            if fault.number == number:
                return tell(host_answers.fault(fault), host_view.show_fault, as_json=as_json)
        raise OutsideError(f"fault {number} is over already")

    return ask(socket, act, as_json=as_json)


@click.command("clear", short_help="Clear faults.")
@click.argument("numbers", metavar="[N...]", nargs=-1, type=click.IntRange(0))
@click.option("--all", "clear_all", is_flag=True, help="Clear every fault.")
@socket_option
@json_option
def clear(numbers: tuple[int, ...], clear_all: bool, socket: str | None, as_json: bool) -> int:
    """Clear the faults of these numbers, as `host show` lists them, or all.

    \b
    Example:
      vgpu-migrate host clear --all
    """
    from vgpu_migrate.cli import host_types, host_view
    from vgpu_migrate.cli.catalog_view import tell
    from vgpu_migrate.cli.host_open import ask

    if bool(numbers) == clear_all:
        raise click.UsageError("wanted the numbers of faults, or --all")

    def act(live: LiveHost) -> int:
        wanted = [None] if clear_all else list(dict.fromkeys(numbers))
        cleared = sum(live.clear(number) for number in wanted)
        return tell(host_types.ClearAnswer(cleared), host_view.show_cleared, as_json=as_json)

    return ask(socket, act, as_json=as_json)


COMMANDS = (inject, clear)
