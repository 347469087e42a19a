"""`demo`: the whole story on an embedded simulated fleet."""

from __future__ import annotations

import click


@click.command("demo")
def command() -> int:
    """The whole story on an embedded simulated fleet, each step with the command that does the same.

    Needs no GPU, no driver and no network, and writes nothing.
    """
    from vgpu_migrate.cli import demo_story, fleets

    demo_story.tell(fleets.read_demo())
    return 0
