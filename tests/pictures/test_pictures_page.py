"""The page as bytes: whole in itself, closed, and safe from every name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from tests.cli.program import start
from tests.pictures.plans import EVIL, drawn, every_kind

from vgpu_migrate.pictures import page, report_of
from vgpu_migrate.pictures.page import SCRIPTS


class _Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] in ("script", "style") and data.strip():
            self.texts.setdefault(self.found[-1][0], []).append(data)


def elements(html: bytes) -> _Elements:
    """The page, parsed."""
    parser = _Elements()
    parser.feed(html.decode())
    parser.close()
    return parser


def test_the_same_plan_gives_the_same_bytes() -> None:
    """A page has no clock, no dice and no order of a set in it."""
    fleet, plan = drawn(2)
    assert page(report_of(fleet, plan)) == page(report_of(fleet, plan))


def test_a_name_that_is_markup_stays_a_name() -> None:
    """Names and texts of a plan stand in the data alone, which no markup can end."""
    fleet, plan = every_kind(EVIL)
    parsed = elements(page(report_of(fleet, plan, notes=[EVIL])))
    assert "img" not in [tag for tag, _ in parsed.found]
    assert len(parsed.texts["script"]) == 2
    data = json.loads(parsed.texts["script"][0])
    assert data["vms"]["name"][0] == EVIL
    assert data["notes"] == [EVIL]
    assert data["remedies"] == ["another gpu", EVIL]


def test_the_page_loads_nothing_and_says_so() -> None:
    """No element names a file or an address, and the policy allows the page's own parts by hash alone."""
    parsed = elements(page(report_of(*every_kind())))
    assert [
        (tag, held) for tag, held in parsed.found if held.keys() & {"src", "srcset", "action", "style"}
    ] == []
    assert [held["href"] for _, held in parsed.found if "href" in held] == ["#summary"]
    policy = next(held["content"] for _, held in parsed.found if held.get("http-equiv"))
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (*parsed.texts["style"], parsed.texts["script"][1])
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_scripts_put_text_in_as_text() -> None:
    """Nothing in the scripts reads text as markup or as code, or reaches out of the page."""
    banned = re.compile(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|srcdoc|DOMParser"
        r"|fetch\(|XMLHttpRequest|WebSocket|importScripts|localStorage|https?:"
    )
    folder = resources.files("vgpu_migrate.pictures").joinpath("web")
    assert {part.name for part in folder.iterdir()} == {"page.html", "page.css", *SCRIPTS}
    for part in folder.iterdir():
        assert banned.findall(part.read_text(encoding="utf-8")) == [], part.name


def test_a_page_is_written_beside_the_plan(tmp_path: Path) -> None:
    """`drain`, `upgrade` and `replay` draw with --report; the page is its owner's alone."""
    plan, html = tmp_path / "plan.json", tmp_path / "plan.html"
    drained = start("drain", "demo", "a1", "-o", str(plan), "--report", str(html))
    assert (drained.status, drained.err.splitlines()[:2]) == (
        0,
        [f"plan written to {plan}", f"page written to {html}"],
    )
    assert stat.S_IMODE(html.stat().st_mode) == 0o600
    assert b"<title>vgpu-migrate: drain plan</title>" in html.read_bytes()
    again = tmp_path / "again.html"
    assert start("replay", "demo", str(plan), "--report", str(again)).status == 0
    assert again.read_bytes().count(b"</script>") == 2
    upgraded = start("upgrade", "demo", "--driver", "580.126.08", "--report", str(html), "--json")
    assert json.loads(upgraded.out)["goal"] == "upgrade"
    assert b"<title>vgpu-migrate: upgrade plan</title>" in html.read_bytes()


def test_the_page_of_a_broken_plan_tells_what_is_wrong(tmp_path: Path) -> None:
    """What the replay finds stands on the page that it draws."""
    plan, html = tmp_path / "plan.json", tmp_path / "plan.html"
    start("drain", "demo", "a1", "-o", str(plan))
    plan.write_text(plan.read_text().replace('"target":"a2"', '"target":"l1"'))
    replayed = start("replay", "demo", str(plan), "--report", str(html))
    assert replayed.status == 1
    data = json.loads(elements(html.read_bytes()).texts["script"][0])
    assert {kind for _, kind, _ in data["remarks"]} >= {"seats"}


@pytest.mark.parametrize("name", ["plan.json", "fleet.yaml"])
def test_a_page_replaces_no_other_file(tmp_path: Path, name: str) -> None:
    """The plan file and the fleet file, which are no pages, are not overwritten by one."""
    fleet = tmp_path / "fleet.yaml"
    fleet.write_bytes(resources.files("vgpu_migrate").joinpath("demo", "fleet.yaml").read_bytes())
    before = fleet.read_bytes()
    drained = start(
        "drain", str(fleet), "a1", "-o", str(tmp_path / "plan.json"), "--report", str(tmp_path / name)
    )
    assert drained.status == 2
    assert "a file that is no page; wanted a new file, or a page to replace" in drained.err
    assert fleet.read_bytes() == before
    assert json.loads((tmp_path / "plan.json").read_bytes())["goal"] == "drain"


@pytest.mark.parametrize(
    ("name", "said"), [("-", "wanted a file for the page, such as plan.html"), ("", "the name is empty")]
)
def test_a_page_is_written_to_a_file_alone(name: str, said: str) -> None:
    """Bad usage, and what is meant instead."""
    drained = start("drain", "demo", "a1", "--report", name)
    assert drained.status == 2
    assert said in drained.err


def test_the_plan_of_a_pin_is_drawn(tmp_path: Path) -> None:
    """`pin --report` draws the order in which hosts are emptied and pinned."""
    html = tmp_path / "pin.html"
    pinned = start("pin", "demo", "--report", str(html))
    assert f"page written to {html}\n" in pinned.err
    assert json.loads(elements(html.read_bytes()).texts["script"][0])["figures"][0][0] == "hosts pinned"
