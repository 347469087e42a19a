"""`rules`: the compatibility rules, with their sources."""

from __future__ import annotations

import click

from vgpu_migrate.cli.options import json_option, single_option


def complete_rule(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the rules that begin so."""
    from vgpu_migrate.compat import rules

    return [rule.id for rule in rules() if rule.id.startswith(incomplete)]


def complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The profiles that begin so."""
    from vgpu_migrate.model import Profile

    return [profile.value for profile in Profile if profile.value.startswith(incomplete)]


@click.command("rules")
@click.argument("rule", metavar="[RULE]", required=False, shell_complete=complete_rule)
@single_option(
    "--profile", metavar="PROFILE", shell_complete=complete_profile, help="Only the rules of this profile."
)
@json_option
def command(rule: str | None, profile: str | None, as_json: bool) -> int:
    """The compatibility rules: one table, the only thing here that decides compatibility.

    Every row is evaluated; the states left are intersected, the limits joined. With RULE, that row with its
    remedies.

    \b
    Examples:
      vgpu-migrate rules
      vgpu-migrate rules gpu-config
      vgpu-migrate rules --profile identical-host-drivers
    """
    from vgpu_migrate.cli import rules_view
    from vgpu_migrate.cli.output import write_json

    rows = rules_view.find(rule=rule, profile=profile)
    if as_json:
        write_json(rules_view.answer(rows))
    elif rule is None:
        rules_view.show_table(rows)
    else:
        rules_view.show_one(rows[0])
    return 0
