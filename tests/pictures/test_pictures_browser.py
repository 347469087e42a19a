"""The page as a browser shows it: drawn without complaint, and answering mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.fleets import Recipe, make_fleet
from tests.pictures.browser import Tab, browser_marks, browsing
from tests.pictures.plans import EVIL, drawn, every_kind
from tests.planning.fleets import a_fleet, a_host
from tests.replay.plans import plan as plan_by_hand

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.planfile import Plan
from vgpu_migrate.pictures import Remark, page, report_of
from vgpu_migrate.planning import drain

pytestmark = browser_marks

LARGEST_PAGE_BYTES = 5_000_000


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """One tab for all pages of the module."""
    with browsing() as found:
        yield found


@pytest.fixture(autouse=True)
def quiet(tab: Tab) -> Iterator[None]:
    """Every page is drawn without a complaint on the console and without asking for another file."""
    tab.size(1440, 900)
    tab.complaints.clear()
    tab.requests.clear()
    yield
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("file:", "about:"))] == []
    assert len([url for url in tab.requests if url.startswith("file:")]) <= 1


def show(tab: Tab, folder: Path, fleet: Fleet, plan: Plan, **said: list[Remark] | list[str]) -> None:
    """Open the page of a plan."""
    path = folder / "plan.html"
    path.write_bytes(page(report_of(fleet, plan, **said)))  # type: ignore[arg-type]
    tab.open(path)


def pixels(tab: Tab, canvas: str, colour: str) -> int:
    """How many pixels of a canvas have a colour of the theme, named as in the style."""
    script = """(() => {
      const canvas = document.querySelector(%r), probe = document.createElement("canvas").getContext("2d");
      probe.fillStyle = paint.colour[%r]; probe.fillRect(0, 0, 1, 1);
      const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
      const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let found = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at] === r && data[at + 1] === g && data[at + 2] === b) found++;
      }
      return found;
    })()"""
    found: int = tab.get(script % (canvas, colour))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("width", [1440, 800, 360])
def test_real_plans_are_drawn(tab: Tab, tmp_path: Path, seed: int, width: int) -> None:
    """Drains and upgrades on screens of three widths, which need not be scrolled sideways."""
    tab.size(width, 900, dark=bool(seed % 2))
    fleet, plan = drawn(seed)
    show(tab, tmp_path, fleet, plan)
    assert tab.get("document.title") == f"vgpu-migrate: {plan.goal} plan"
    assert tab.get("document.documentElement.scrollWidth") <= width
    assert pixels(tab, "#lanes canvas", "live") > 0
    values = tab.get("[...document.querySelectorAll('#figures .value')].map(each => each.textContent)")
    assert f"{plan.bounds.moves.value:,}" in values
    assert values[-1] == str(len(plan.stuck))


def test_names_that_are_markup_do_no_harm(tab: Tab, tmp_path: Path) -> None:
    """Wherever names and texts are shown they are text: no element comes of them and no script runs."""
    fleet, plan = every_kind(EVIL)
    show(tab, tmp_path, fleet, plan, notes=[EVIL], remarks=[Remark(1, EVIL, EVIL)])
    tab.get("document.getElementById('search').focus()")
    tab.type("</script>")
    assert EVIL in tab.get("document.getElementById('found').textContent")
    tab.press("Enter")
    assert tab.get("document.getElementById('detail-h').textContent") == f"VM {EVIL}"
    assert EVIL in tab.get("document.getElementById('stuck-table').textContent")
    assert tab.get("document.getElementById('remarks').textContent").count(EVIL) == 3
    assert tab.get("document.querySelectorAll('img').length") == 0
    assert tab.get("document.title") == "vgpu-migrate: drain plan"


def test_the_policy_holds(tab: Tab, tmp_path: Path) -> None:
    """A script that was not there when the page was written does not run, and no picture is fetched."""
    show(tab, tmp_path, *every_kind())
    tab.get("""(() => {
      const script = document.createElement("script");
      script.textContent = "document.title = 'run'";
      document.body.append(script);
      const image = document.createElement("img");
      image.src = "file:///etc/hostname";
      document.body.append(image);
    })()""")
    tab.settle()
    assert tab.get("document.title") == "vgpu-migrate: drain plan"
    assert len(tab.complaints) == 2
    assert all("Content Security Policy" in complaint for complaint in tab.complaints)
    tab.complaints.clear()
    tab.requests.clear()


def test_every_kind_of_step_has_its_mark(tab: Tab, tmp_path: Path) -> None:
    """The legend names each, and the bars have the colours of the theme."""
    show(tab, tmp_path, *every_kind())
    ways = tab.get("[...document.querySelectorAll('#ways li')].map(each => each.textContent)")
    assert ways == [
        *(f"moved {way}" for way in ("live", "sleep", "hibernate", "cold")),
        "upgrade",
        "pin",
        "lift pin",
    ]
    tab.get("setView(0, 60)")
    tab.settle()
    for colour in ("live", "sleep", "hibernate", "cold", "upgrade"):
        assert pixels(tab, "#lanes canvas", colour) > 20, colour
    tab.get("setView(1700, 1940)")
    tab.settle()
    assert pixels(tab, "#lanes canvas", "pin") > 20


def test_the_slider_moves_the_gpus(tab: Tab, tmp_path: Path) -> None:
    """Keys on the slider, its buttons, the moments and a wave's number set the time of the strips."""
    show(tab, tmp_path, *every_kind())
    now = "document.getElementById('now').textContent"
    there = "staysAt(1, clock.time).map(stay => vms.name[stays.vm[stay]])"
    assert (tab.get(now), tab.get(there)) == ("before the plan", ["asleep", "slow", "cold"])
    tab.get("document.getElementById('time').focus()")
    tab.press("End")
    assert (tab.get(now), tab.get(there)) == ("after 32 min 20 s, at the end", [])
    tab.get("document.getElementById('moment').value = '-0.5'")
    tab.get("document.getElementById('moment').dispatchEvent(new Event('change'))")
    assert tab.get(now) == "before the plan"
    tab.get("document.getElementById('later').click()")
    assert tab.get(now) == "after 0.0 s"
    assert tab.get("isLeaving(staysAt(0, clock.time)[0], clock.time)") is True
    tab.get("document.querySelector('#waves-table tbody button').click()")
    assert tab.get(now) == "after 30 min 40 s"
    assert "6 steps done" in tab.get("document.getElementById('strips-said').textContent")


def test_search_finds_hosts_and_vms(tab: Tab, tmp_path: Path) -> None:
    """Names that begin so come first; arrows and Enter choose, and the choice is told and shown."""
    show(tab, tmp_path, *every_kind())
    tab.get("document.getElementById('search').focus()")
    tab.type("a")
    names = tab.get("[...document.querySelectorAll('#found li')].map(each => each.textContent)")
    assert names == ["a1 · host", "a2 · host", "asleep · VM", "stays · VM"]
    tab.press("ArrowDown", "Enter")
    assert tab.get("document.getElementById('detail-h').textContent") == "Host a2"
    assert tab.get("hosts.name[gantt.chosen]") == "a2"
    tab.get("document.getElementById('search').select()")
    tab.type("nobody")
    assert tab.get("document.getElementById('found').textContent") == "No host or VM has this in its name."
    tab.get("document.getElementById('search').select()")
    tab.type("stays")
    tab.press("Enter")
    said = tab.get("document.getElementById('detail-body').textContent")
    assert "A100-3-20C on m1/0" in said
    assert "No step moves it." in said


def test_the_lanes_answer_the_keyboard_and_the_mouse(tab: Tab, tmp_path: Path) -> None:
    """Arrows choose a host and are told; Enter tells its steps; a click on a bar tells its VM."""
    show(tab, tmp_path, *every_kind())
    tab.get("document.getElementById('lanes').focus()")
    tab.press("ArrowDown")
    assert tab.get("document.getElementById('lanes').ariaLabel") == "a1: 7 steps. Enter tells them."
    tab.press("+", "ArrowRight")
    assert tab.get("[view.from, view.to].map(Math.round)") == [606, 1576]
    tab.press("Enter")
    assert tab.get("document.getElementById('detail-h').textContent") == "Host a1"
    assert tab.get("document.getElementById('told').textContent") == "a1: 7 steps. Enter tells them."
    tab.press("Escape")
    assert tab.get("document.getElementById('detail').hidden") is True
    tab.get("setView(0, 60); document.getElementById('gantt').scrollIntoView({behavior: 'instant'})")
    tab.settle()
    x, y = tab.get("""(() => {
      const box = gantt.canvas.getBoundingClientRect();
      return [box.left + xOf(3, box.width), box.top + PAD + BAR / 2 - gantt.box.scrollTop];
    })()""")
    tab.click(x, y)
    assert tab.get("document.getElementById('detail-h').textContent") == "VM web-1"


def test_the_map_shows_before_and_after(tab: Tab, tmp_path: Path) -> None:
    """The upgraded host's gpus are of another class afterwards; arrows go from cell to cell."""
    show(tab, tmp_path, *every_kind())
    heads = "[...document.querySelectorAll('#maps thead th')].map(each => each.textContent)"
    before = tab.get(heads)
    tab.get("document.querySelector('input[value=after]').click()")
    assert tab.get(heads) != before
    tab.get("document.querySelector('#maps td[tabindex=\"0\"]').focus()")
    tab.press("ArrowRight")
    assert tab.get("document.activeElement.dataset.said.includes(' on G')") is True
    said = tab.get("document.activeElement.closest('#maps > div').querySelector('.cell-said').textContent")
    assert said == tab.get("document.activeElement.dataset.said")


def test_colours_follow_the_reader(tab: Tab, tmp_path: Path) -> None:
    """Dark where the reader's system is dark, and the other way round at the button."""
    tab.size(1440, 900, dark=True)
    show(tab, tmp_path, *every_kind())
    assert tab.get("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 28)"
    assert pixels(tab, "#lanes canvas", "panel") > 1000
    tab.get("document.getElementById('theme').click()")
    tab.settle()
    assert tab.get("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert pixels(tab, "#lanes canvas", "panel") > 1000


def test_text_stands_out_from_what_is_behind_it(tab: Tab, tmp_path: Path) -> None:
    """Words on the page, its panels and its bars have a contrast of 4.5 to 1, dark and light."""
    show(tab, tmp_path, *every_kind())
    script = """(() => {
      const probe = document.createElement("canvas").getContext("2d");
      const light = (name) => {
        probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
        probe.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).map(value => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pairs = [["text", "page"], ["text", "panel"], ["weak", "page"], ["weak", "panel"],
        ["bad", "page"], ["bad", "panel"], ["good", "panel"], ["focus", "page"], ["text", "chosen"],
        ...["live", "sleep", "hibernate", "cold", "upgrade"].map(name => ["on-" + name, name])];
      return pairs.filter(([one, other]) => {
        const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05) < 4.5;
      });
    })()"""
    for _ in ("light", "dark"):
        assert tab.get(script) == []
        tab.get("document.getElementById('theme').click()")


def test_every_control_has_a_name(tab: Tab, tmp_path: Path) -> None:
    """What a reader can reach by keyboard is named, headings go down one at a time, ids are unique."""
    show(tab, tmp_path, *every_kind())
    nameless = tab.get("""[...document.querySelectorAll('button, input, select, canvas:not([aria-hidden])')]
      .filter(each => !(each.labels?.length || each.ariaLabel || each.textContent.trim()))
      .map(each => each.id)""")
    assert nameless == []
    levels = tab.get(
        "[...document.querySelectorAll('main h1, main h2, main h3')].map(each => +each.tagName[1])"
    )
    assert all(later - earlier <= 1 for earlier, later in zip([1, *levels], levels, strict=False))
    assert tab.get("document.querySelectorAll('th:not([scope])').length") == 0
    assert (
        tab.get("""(() => { const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
      return ids.length - new Set(ids).size; })()""")
        == 0
    )


def test_it_can_be_printed(tab: Tab, tmp_path: Path) -> None:
    """On paper the colours are light, and afterwards as they were."""
    tab.size(1200, 900, dark=True)
    show(tab, tmp_path, *every_kind())
    assert tab.printed().startswith(b"%PDF")
    assert tab.get("document.documentElement.dataset.theme") == "dark"


def test_plans_and_fleets_of_nothing_are_drawn(tab: Tab, tmp_path: Path) -> None:
    """No step, no host, no VM: the page says so."""
    show(tab, tmp_path, a_fleet([a_host("h1")]), plan_by_hand(a_fleet([a_host("h1")])))
    assert tab.get("document.getElementById('steps-table').textContent") == "None."
    assert tab.get("gantt.rows") == [0]
    empty = replace(a_fleet([]), revision=None)
    show(tab, tmp_path / ".", empty, plan_by_hand(empty))
    assert tab.get("document.getElementById('subtitle').textContent").startswith(
        "fleet without a revision · 0"
    )
    tab.requests.clear()


def test_a_thousand_hosts_stay_readable(tab: Tab, tmp_path: Path) -> None:
    """The page is small, only rows in sight are drawn, and a host far down is found."""
    fleet = make_fleet(Recipe(varied=0.05), 1)
    hosts = [HostId(f"h{number:04}") for number in range(0, 1000, 11)]
    show(tab, tmp_path, fleet, drain(fleet, hosts, defrag=False).plan)
    assert (tmp_path / "plan.html").stat().st_size < LARGEST_PAGE_BYTES
    assert tab.get("gantt.canvas.height") <= 900
    assert tab.get("document.querySelectorAll('*').length") < 5000
    assert tab.get("document.getElementById('rows').value") == "dense"
    tab.get("document.getElementById('search').focus()")
    tab.type("h0990")
    tab.press("Enter")
    assert tab.get("gantt.box.scrollTop") > 0
    assert tab.get("hosts.name[gantt.chosen]") == "h0990"
    assert tab.get("hosts.name[gpuLanes.chosen]") == "h0990"
