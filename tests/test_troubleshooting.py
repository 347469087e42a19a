"""The pages for operators held to the code: what they quote is said, what is said is there, commands too."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import click
import pytest

from vgpu_migrate.cli.main import cli
from vgpu_migrate.cli.pin_types import Why
from vgpu_migrate.nvml import Return

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "vgpu_migrate"
GAP = "…"
"""What differs from case to case, on the page; in the sources the value of an f-string."""
OPERATORS_PAGES = (
    "troubleshooting",
    "hook",
    "record",
    "live-migration",
    "doctor",
    "pin",
    "real-host",
    "import",
)


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


@cache
def prose() -> str:
    """The pages on which an operator looks for a message, without marks and line ends."""
    return flat(" ".join(page(name) for name in OPERATORS_PAGES))


def flat(text: str) -> str:
    """Text as it is compared: no backticks, no escapes of a table, single blanks."""
    return " ".join(text.replace("`", "").replace("\\|", "|").split())


def literals(tree: ast.AST) -> Iterator[str]:
    """Each text of a program, with a gap for each value of an f-string; docstrings are among them."""
    for node in ast.walk(tree):
        found = spelled(node)
        if found is not None:
            yield found


def spelled(node: ast.AST) -> str | None:
    """A text, or None where the node is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(spelled(value) or GAP for value in node.values)
    return None


def tree_of(path: Path) -> ast.Module:
    """A module, parsed, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and spelled(node.value) is not None:
            node.value = ast.Constant(value=None)
    return tree


@cache
def said() -> tuple[str, ...]:
    """What the programs can say: every text of the package's sources, and of the drop-in library's."""
    python = (text for path in sorted(SOURCES.rglob("*.py")) for text in literals(tree_of(path)))
    native = (
        text
        for path in sorted((ROOT / "native").glob("*.c"))
        for text in re.findall(r'"((?:[^"\\]|\\.)*)"', path.read_text(encoding="utf-8"))
    )
    return tuple(dict.fromkeys(flat(text) for text in (*python, *native)))


def messages() -> Iterator[str]:
    """Each message that troubleshooting.md quotes: in backticks, in the column of that name."""
    column: int | None = None
    for line in page("troubleshooting").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            column = None
        elif "message" in cells:
            column = cells.index("message")
        elif column is not None:
            yield from re.findall(r"`([^`]+)`", cells[column])


def fragments(message: str) -> list[str]:
    """The parts of a message between its gaps; `place: seen; wanted` is put together of three texts."""
    parts = re.split(rf"{GAP}|: |; ", message)
    return [part for one in parts if len(part := one.strip(" ,():;").strip()) > 1]


def test_the_page_quotes_many_messages() -> None:
    """The reader of the page finds its tables."""
    found = list(messages())
    assert len(found) > 200
    assert len(found) - len(set(found)) < 20


@pytest.mark.parametrize("message", sorted(set(messages())))
def test_a_quoted_message_is_said(message: str) -> None:
    """Each part of a message on the page stands in a text of the sources."""
    missing = [part for part in fragments(message) if not any(part in text for text in said())]
    assert missing == []


RAISED = {
    "vmm": {"OutsideError", "_Refusal", "_Unjudged", "_Damage", "NotTaken", "NoVgpus", "NoRecords", "Line"},
    "hosts/nvml_binding.py": {"OutsideError"},
    "hosts/driver.py": {"OutsideError", "InUseError", "InvalidArgumentError"},
    "hosts/pin.py": {"OutsideError"},
    "doctor": {"fail", "warn", "unknown", "OutsideError"},
    "settingsio.py": {"Problem"},
    "pinio.py": {"Problem", "OutsideError"},
    "units": {"OutsideError", "Problem"},
    "vmm/domain_xml.py": {"Problem"},
    "vmm/hook_settings.py": {"Problem"},
    "vmm/hook_files.py": {"Problem"},
}
"""By which calls a module tells an operator that something is not as it should be."""

LEAST = 12
"""Characters of a part that has to be on a page; shorter ones are names and signs."""


def refusals() -> list[tuple[str, str]]:
    """Module and text of each refusal: the first texts of the calls above, without remedies and ok lines."""
    found: list[tuple[str, str]] = []
    for place, calls in RAISED.items():
        path = SOURCES / place
        for module in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(tree_of(module)):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
                    given = node.args[:3]
                    if node.func.id in {"fail", "warn", "unknown"}:
                        given = node.args[1:2]
                    if any(isinstance(one, ast.Attribute) and one.attr == "OK" for one in given):
                        continue
                    texts = [text for argument in given if (text := spelled(argument)) is not None]
                    found += [(module.stem, flat(text)) for text in texts if " " in text.strip()]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(("module", "text"), refusals())
def test_a_refusal_is_on_a_page(module: str, text: str) -> None:
    """Of each refusal of the programs for real hosts the first part stands on a page for operators."""
    parts = [part for one in fragments(text) for part in one.split(", ") if len(part) >= LEAST]
    assert not parts or parts[0] in prose(), f"{module}: {text}"


def words_of(directory: str, call: str) -> set[str]:
    """The first arguments of a call in a room's modules, where they are plain words."""
    found = set()
    for module in (SOURCES / directory).glob("*.py"):
        text = module.read_text(encoding="utf-8")
        found |= set(re.findall(rf'\b(?:{call})\(\s*"([a-z-]+)"', text))
        found |= set(re.findall(r'\bcheck(?:: \w+)? = "([a-z-]+)"', text))
    return found


def test_every_line_of_doctor_has_its_place() -> None:
    """Each name of a line stands in the tables of doctor.md, or of this page."""
    names = words_of("doctor", "ok|warn|fail|unknown")
    assert {"kernel", "qemu", "migration-switch", "functions", "ecc", "hook", "pin-unit"} <= names
    assert {name for name in names if f"`{name}`" not in page("doctor")} == set()
    in_tables = {
        name
        for row in re.findall(r"^\| ([a-z, -]+) \|", page("troubleshooting"), re.M)
        for name in row.split(", ")
    }
    assert names - in_tables == set()


def test_every_line_of_a_migration_has_its_place() -> None:
    """Each name of a line of the pre-flight and of the aftermath stands in a table of live-migration.md."""
    names = words_of("vmm", "Line")
    assert {"guest", "job", "destination", "vgpus", "verdict", "arrived", "record", "downtime"} <= names
    assert {
        name for name in names if not re.search(rf"^\| {name} \||^{name} ", page("live-migration"), re.M)
    } == set()


def test_every_why_of_the_pin_has_its_place() -> None:
    """Each `why` stands in the table of pin.md."""
    assert [why for why in get_args(Why) if f"| `{why}` |" not in page("pin")] == []


def test_codes_are_nvmls() -> None:
    """The page's table of return codes has NVML's numbers with NVML's texts."""
    rows = re.findall(r"^\| (\d+) \| `([^`]+)` \|", page("troubleshooting"), re.M)
    assert len(rows) > 5
    assert [(number, text) for number, text in rows if Return(int(number)).text != text] == []


def shown_commands(name: str) -> list[str]:
    """The lines of a page's listings that run the program, each command of a line by itself."""
    listing = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
    lines = [line.split("  #")[0] for text in listing.findall(page(name)) for line in text.splitlines()]
    inline = set(re.findall(r"`([^`\n]+)`", listing.sub("", page(name)).replace("\\|", "|")))
    lines += sorted(inline - set(messages()))
    found = (
        re.search(r"(?:^|\s|/)vgpu-migrate (?=[a-z])([^|]*)", part)
        for line in lines
        for part in line.split("&&")
    )
    return [match[1].strip() for match in found if match]


def require_known(words: list[str]) -> None:
    """Follow the words of a command line through the program; raise where one is unknown."""
    command: click.Command = cli
    while words:
        word, *words = words
        if word.startswith("-") and word != "-":
            options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
            assert word.partition("=")[0] in options | {"-h", "--help"}, word
        elif isinstance(command, click.Group):
            inner = command.get_command(click.Context(command), word)
            assert inner is not None, word
            command = inner


@pytest.mark.parametrize("name", ["operator", "troubleshooting", "security"])
def test_the_commands_of_a_page_are_there(name: str) -> None:
    """Each command line of a page names commands and options that there are."""
    shown = shown_commands(name)
    assert shown
    for line in shown:
        require_known(shlex.split(line))
