"""`completion`: the script that completes this command in a shell."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the script that completes this command in SHELL.

    Commands, options, and the hosts and VMs of the fleet file on the line.

    \b
    Examples:
      vgpu-migrate completion bash > ~/.local/share/bash-completion/completions/vgpu-migrate
      vgpu-migrate completion zsh > ~/.zfunc/_vgpu-migrate
      vgpu-migrate completion fish > ~/.config/fish/completions/vgpu-migrate.fish
    """
    from click.shell_completion import get_completion_class

    from vgpu_migrate.cli.main import COMPLETE_VARIABLE, PROGRAM, cli

    kind = get_completion_class(shell)
    assert kind is not None, "click knows the three shells"
    # `ShellComplete.source`, not bash's own, which would start a bash to ask for its version.
    completion = kind(cli, {}, PROGRAM, COMPLETE_VARIABLE)
    click.echo(completion.source_template % completion.source_vars())
    return 0
