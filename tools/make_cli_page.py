"""Write docs/cli.md: each command's help, and what it answers in the scenarios that the tests run.

    python tools/make_cli_page.py [--check]

`--check` writes nothing and exits with 1 if the page is not what it would write.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "cli.md"
SCENARIOS = ROOT / "tests" / "scenarios"

INTRODUCTION = """# The command line

Every example is a test: the command and exactly what it answers. `demo` is the embedded fleet; put your own
file in its place. Answers go to standard output, messages to standard error; `--json` is on every command
that answers something, and `vgpu-migrate schema NAME` prints the JSON Schema of each answer.

| exit status | |
|---|---|
| 0 | yes, or done |
| 1 | a clear no: not live-migratable, a plan with stuck VMs, a plan that breaks a rule |
| 2 | bad usage or bad input; nothing was written |
| 3 | a failure outside: a disk, a host, a driver |
| 130 | interrupted (Ctrl-C) |
| 141 | nobody reads the answer any more (a closed pipe) |

Completion: `eval "$(vgpu-migrate completion bash)"`, likewise for zsh and fish; it knows the hosts and VMs of
the fleet file on the line. Man pages come with the package.
"""

EXAMPLES = {
    "check": ["check-everywhere", "check-administrator-range", "check-several-vgpus", "check-json"],
    "matrix": ["matrix"],
    "drain": ["drain", "drain-stuck"],
    "replay": ["replay", "replay-broken"],
    "import": [],
    "rules": ["rules-one"],
    "catalog": ["catalog-unknown-driver", "catalog-type", "catalog-search"],
    "schema": [],
    "sim": ["sim-faults", "sim-in-use", "sim-status"],
    "hostd": [],
    "host": ["sim-show", "sim-compat", "sim-no-driver", "sim-device", "sim-inject"],
    "vm": [],
    "completion": [],
}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for command, names in EXAMPLES.items():
        parts.append(f"## {command}\n\n```\n{run([command, '--help'])}\n```\n")
        parts += [example(name) for name in names]
    parts.append(f"## When something is wrong\n\n{example('mistakes')}\n{example('mistake-vm')}")
    return "\n".join(parts)


def run(arguments: list[str]) -> str:
    """What one of our commands prints."""
    done = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, "-m", "vgpu_migrate", *arguments],
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def example(name: str) -> str:
    """A scenario as a listing."""
    scenario = tomllib.loads((SCENARIOS / f"{name}.toml").read_text(encoding="utf-8"))
    said = "\n".join(filter(None, [scenario["stdout"].strip("\n"), scenario["stderr"].strip("\n")]))
    status = "" if scenario["status"] == 0 else f"  # exit status {scenario['status']}"
    command = f"$ vgpu-migrate {shlex.join(scenario['command'])}{status}"
    return f"{scenario['says']}\n\n```\n{command}\n{said}\n```\n"


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
