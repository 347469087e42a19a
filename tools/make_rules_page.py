"""Write docs/rules.md from the rule table.

    python tools/make_rules_page.py [--check]

With `--check` nothing is written; exit status 1 if the page is not what the table gives.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vgpu_migrate.compat import Rule, rules
from vgpu_migrate.compat.fields import FIELDS, MUST_BE_KNOWN, FieldSpec
from vgpu_migrate.compat.table import Comparison
from vgpu_migrate.model import Profile

PAGE = Path(__file__).resolve().parent.parent / "docs" / "rules.md"

HEAD = """# The rules

This page is made from `src/vgpu_migrate/facts/data/rules.toml` by `tools/make_rules_page.py`. The same table
serves the call on one pair, the call on whole fleets, and `vgpu-migrate rules`; nothing else decides
compatibility.

Every row is evaluated. The states that the rows which hit leave are intersected, their limits are joined,
and each of them is kept as evidence with the values it saw. If no row hits, all four states remain and the
limit is NONE; the limit is NONE only then. A comparison with an unknown value never holds, so its row is
silent. A VM without a gpu has no source: rows that compare with one are silent. Where one of these is not
known, the verdict says so: {must_be_known}.

The limit codes are inferred in every row, because the vendor's own comparison is closed. *Basis* is that of
the condition: documented by the vendor, read in the source of the vendor's open kernel modules, or inferred.
"""


def page() -> str:
    """The whole page."""
    must_be_known = ", ".join(FIELDS[name].words for name in MUST_BE_KNOWN)
    parts = [HEAD.format(must_be_known=must_be_known), overview(), *map(section, rules()), fields()]
    return "\n".join(parts)


def overview() -> str:
    """All rows as one table."""
    lines = ["| rule | leaves | limit | basis | in profiles |", "|---|---|---|---|---|"]
    lines += [
        f"| [{rule.id}](#{rule.id}) | {leaves(rule)} | {' '.join(rule.limit.words)} | {rule.basis} "
        f"| {profiles(rule)} |"
        for rule in rules()
    ]
    return "\n".join(lines) + "\n"


def section(rule: Rule) -> str:
    """One row: what it says, its condition, its source, and what would help."""
    lines = [
        f"## {rule.id}",
        "",
        rule.says,
        "",
        f"- when: `{rule.when_text}`",
        f"- leaves: {leaves(rule)}; limit: {' '.join(rule.limit.words)}",
        f"- basis: {rule.basis} ({rule.source})",
    ]
    if rule.profiles != frozenset(Profile):
        lines.append(f"- only in the profile {profiles(rule)}")
    lines += [
        "",
        "What would help, every line that applies:" if rule.all_remedies else "What would help:",
        "",
    ]
    for remedy in rule.remedies:
        when = " or ".join(" and ".join(map(comparison, part)) for part in remedy.when)
        always = "always" if rule.all_remedies or len(rule.remedies) == 1 else "else"
        by = f" (by: {remedy.by})" if remedy.by else ""
        lines.append(f"- {f'where `{when}`' if when else always}{by}: {remedy.text}")
    return "\n".join(lines) + "\n"


def comparison(each: Comparison) -> str:
    """A comparison as the table spells it."""
    if each.right is None:
        return f"{each.left.dotted} {each.operator}"
    if isinstance(each.right, FieldSpec):
        right = each.right.dotted
    elif isinstance(each.right, bool):
        right = "yes" if each.right else "no"
    else:
        right = str(each.right)
    return f"{each.left.dotted} {each.operator} {right}"


def leaves(rule: Rule) -> str:
    """The states a row leaves."""
    return " ".join(rule.leaves.words) or "none"


def profiles(rule: Rule) -> str:
    """The profiles a row is in."""
    return "all" if rule.profiles == frozenset(Profile) else ", ".join(sorted(rule.profiles))


def fields() -> str:
    """The fields that conditions and remedies name."""
    lines = ["## Fields", "", "| field | what it is | may be unknown |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {spec.words} | {'yes' if spec.nullable else ''} |" for name, spec in FIELDS.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or say whether it is current."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true")
    wanted = page()
    if not parser.parse_args().check:
        PAGE.write_text(wanted, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        sys.exit("docs/rules.md is not what the rule table gives; run python tools/make_rules_page.py")


if __name__ == "__main__":
    main()
