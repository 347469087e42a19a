"""The pre-flight of a migration: which lines follow from which picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vmm.pictures import UUID, a_judgement, a_picture, a_source, a_target, a_verdict, a_vgpu

from vgpu_migrate.compat import Evidence
from vgpu_migrate.nvml import Limits, States
from vgpu_migrate.vmm.judgement import By, Judgement, Unjudged
from vgpu_migrate.vmm.move_picture import (
    HookTrusted,
    Line,
    Namesake,
    NoTarget,
    NoVgpus,
    Picture,
    Power,
    Wish,
    Word,
)
from vgpu_migrate.vmm.preflight import look, may_go

MDEV = "mdev:b1ae8bf4-c1a0-4b32-9b35-0c1a4a3f9a01"
COLD = States.COLD


def told(picture: Picture, wish: Wish | None = None) -> list[tuple[str, str]]:
    """Checks and words, those that are ok left out."""
    return [
        (line.check, line.word.value) for line in look(picture, wish or Wish()) if line.word is not Word.OK
    ]


def the_line(picture: Picture, check: str, wish: Wish | None = None) -> Line:
    """The one line of that name."""
    (found,) = (line for line in look(picture, wish or Wish()) if line.check == check)
    return found


def test_a_good_guest_may_go() -> None:
    """Where nothing is in the way every line is ok, in the order in which things are looked at."""
    lines = look(a_picture(), Wish())
    assert lines == (
        Line("guest", Word.OK, "g is running on h1"),
        Line("destination", Word.OK, "h2 answers"),
        Line("vgpus", Word.OK, "1 vgpu recorded: L40S-12Q"),
        Line("verdict", Word.OK, "vgpu 0 (L40S-12Q): h2's driver says that it may go on live on h2/0"),
    )
    assert may_go(lines)


@pytest.mark.parametrize(
    ("power", "word"),
    [
        (Power.RUNNING, "ok"),
        (Power.PAUSED, "ok"),
        (Power.SLEEPING, "ok"),
        (Power.OFF, "no"),
        (Power.OTHER, "no"),
    ],
)
def test_only_a_guest_that_is_there_goes_live(power: Power, word: str) -> None:
    """A running, paused or sleeping guest can go; one that is off wants --offline."""
    assert the_line(a_picture(source=a_source(power=power)), "guest").word == word


def test_a_sleeping_guest_needs_sleep() -> None:
    """A sleeping guest needs a verdict that allows SLEEP, and LIVE is of no use to it."""
    verdicts = {
        states: told(
            a_picture(
                source=a_source(power=Power.SLEEPING), judgement=a_judgement((a_verdict(states=states),))
            )
        )
        for states in (States.SLEEP | COLD, States.LIVE | COLD)
    }
    assert verdicts == {States.SLEEP | COLD: [], States.LIVE | COLD: [("verdict", "no")]}


def test_offline_moves_a_definition_alone() -> None:
    """With --offline the guest has to be off and defined; of a vGPU the hook's word is told beforehand."""
    wish = Wish(offline=True, persistent=True)
    off = a_source(power=Power.OFF, is_persistent=True, vgpus=())
    assert told(a_picture(source=off, judgement=None), wish) == [("definition", "note")]
    with_vgpu = a_picture(source=replace(off, shows_vgpu=True), judgement=None)
    assert told(with_vgpu, wish) == [("hook", "note"), ("definition", "note")]
    line = the_line(with_vgpu, "hook", wish)
    assert "as if it were live" in line.evidence
    assert line.remedy.endswith("virsh dumpxml --inactive g | virsh -c URI define /dev/stdin")
    assert told(a_picture(), wish) == [("guest", "no")]
    transient = a_source(power=Power.OFF, is_persistent=False, vgpus=())
    assert told(a_picture(source=transient, judgement=None), wish) == [("guest", "no")]


@pytest.mark.parametrize(
    ("wish", "persistent", "said"),
    [
        (Wish(), True, "gone there once it stops (--persistent); one stays on the source"),
        (Wish(persistent=True), True, "one stays on the source, off (--undefine-source)"),
        (Wish(undefine_source=True), True, "it will have none on the destination"),
        (Wish(persistent=True, undefine_source=True), True, None),
        (Wish(), False, None),
        (Wish(persistent=True), False, None),
    ],
)
def test_what_becomes_of_the_definition_is_told(wish: Wish, persistent: bool, said: str | None) -> None:
    """Where a definition stays behind or is lost, a note says so and names the option."""
    lines = look(a_picture(source=a_source(is_persistent=persistent)), wish)
    found = [line.evidence for line in lines if line.check == "definition"]
    assert (said is None) == (not found)
    assert said is None or said in found[0]
    assert may_go(lines)


def test_what_is_not_defined_cannot_be_undefined() -> None:
    """--undefine-source of a guest without a definition is a no."""
    assert told(a_picture(), Wish(undefine_source=True)) == [("definition", "no")]


@pytest.mark.parametrize(
    ("target", "check", "word"),
    [
        (NoTarget("qemu+ssh://h2/system", "no route to host"), "destination", "failed"),
        (a_target(host_uuid="1"), "destination", "no"),
        (a_target(machine_trouble="unknown machine type"), "machine", "no"),
        (a_target(namesakes=(Namesake("g", UUID, True),)), "name", "no"),
        (a_target(namesakes=(Namesake("g", UUID, False),)), "name", "note"),
        (a_target(namesakes=(Namesake("g", "other", False),)), "name", "no"),
        (a_target(namesakes=(Namesake("other", UUID, False),)), "name", "no"),
    ],
)
def test_destinations_that_will_not_do(target: Any, check: str, word: str) -> None:
    """An unreachable, identical or unable destination and namesakes stop it, its own definition not."""
    assert told(a_picture(target=target)) == [(check, word)]


def test_a_host_without_a_uuid_is_not_taken_for_the_same() -> None:
    """Two hosts of which libvirt says no UUID are two."""
    assert told(a_picture(source=a_source(host_uuid=""), target=a_target(host_uuid=""))) == []


@pytest.mark.parametrize(
    ("changes", "judged", "expected"),
    [
        ({"job": "migration out"}, a_judgement(), [("job", "no")]),
        ({"vgpus": NoVgpus("no driver", is_outside=True)}, None, [("vgpus", "failed")]),
        ({"vgpus": NoVgpus("no active vgpu", is_outside=False)}, None, [("vgpus", "no")]),
        ({"vgpus": ()}, None, [("vgpus", "note")]),
        ({"vgpus": (), "vfio_devices": (MDEV,)}, None, [("vgpus", "no")]),
        ({"vfio_devices": (MDEV, MDEV[:-1] + "2")}, a_judgement(), [("vgpus", "no")]),
        ({"vgpus": (a_vgpu(guest_info=False, version=None),)}, a_judgement(), [("guest-driver", "note")]),
    ],
)
def test_guests_whose_vgpus_are_in_doubt(
    changes: dict[str, Any], judged: Judgement | None, expected: list[tuple[str, str]]
) -> None:
    """A guest whose vgpus cannot be recorded one for each device does not go; one without any does."""
    assert told(a_picture(source=a_source(**changes), judgement=judged)) == expected


@pytest.mark.parametrize(
    ("judged", "word"),
    [
        (a_judgement(), "ok"),
        (a_judgement(by=By.SIMULATED), "ok"),
        (a_judgement(by=By.PREDICTION), "note"),
        (HookTrusted(), "note"),
        (Unjudged("h2's driver", "no answer", is_outside=True), "failed"),
        (Unjudged("h2's driver", "unknown record", is_outside=False), "no"),
        (a_judgement((a_verdict(states=COLD, limits=Limits.GPU),)), "no"),
        (a_judgement((a_verdict(states=COLD, limits=Limits.GPU), a_verdict("h2/1"))), "ok"),
        (a_judgement(()), "no"),
    ],
)
def test_the_judges_word(judged: Any, word: str) -> None:
    """A driver's yes is ok, a prediction's or a trusted hook's a note, and without a verdict nothing goes."""
    assert the_line(a_picture(judgement=judged), "verdict").word == word


@pytest.mark.parametrize(
    ("here", "target"),
    [("1", a_target()), ("1", a_target(host_uuid="")), ("", a_target(host_uuid=""))],
)
def test_this_host_does_not_judge_for_another(here: str, target: Any) -> None:
    """A yes of the source's own driver about another host is a no, and the choices are told."""
    picture = a_picture(source=a_source(host_uuid=here), target=target, is_judged_here=True)
    line = the_line(picture, "verdict")
    assert (line.word, line.evidence.partition(":")[0]) == (Word.NO, "judged by another host")
    assert "--judge ssh:[USER@]HOST" in line.remedy
    assert not may_go(look(picture, Wish()))


def test_each_vgpu_is_judged_for_itself() -> None:
    """Every vgpu needs some gpu, not all the same one, and each that finds none is named."""
    cold: dict[str, Any] = {"states": COLD, "limits": Limits.GPU}
    first, second = (a_verdict("x", **cold), a_verdict("y")), (a_verdict("x"), a_verdict("y", **cold))
    source = a_source(vgpus=(a_vgpu(), a_vgpu()))
    assert told(a_picture(source=source, judgement=a_judgement(first, second))) == []
    lines = look(a_picture(source=source, judgement=a_judgement(first, (a_verdict("x", **cold),))), Wish())
    assert [line.evidence for line in lines if line.word is Word.NO] == [
        "vgpu 1 (L40S-12Q) may not go on live on any gpu of the destination: x allows cold, limited by gpu"
    ]


def test_remedies_are_of_gpus_that_could_do() -> None:
    """What would help is told of the gpus of the same board; that another board is another helps nobody."""
    board = Evidence("board", {}, "inferred", "", "choose another board")
    older = Evidence("guest-older", {}, "inferred", "", "reboot the guest")
    verdicts = (
        a_verdict("a", States.NONE, Limits.GPU, evidence=(board,)),
        a_verdict("b", COLD, Limits.GUEST_DRIVER, evidence=(older,)),
    )
    line = the_line(a_picture(judgement=a_judgement(verdicts)), "verdict")
    assert line.remedy == "reboot the guest"
    assert "a allows" not in line.evidence
    only = the_line(a_picture(judgement=a_judgement(verdicts[:1])), "verdict")
    assert only.remedy == "choose another board"


def test_what_the_rules_did_not_know_is_told() -> None:
    """A verdict for which a value was missing says which."""
    verdict = a_verdict(unknown=("guest_min",))
    assert the_line(a_picture(judgement=a_judgement((verdict,))), "verdict").evidence.endswith(
        "; not known: guest_min"
    )


@pytest.mark.parametrize(
    ("changes", "has_other_way"),
    [
        ({}, False),
        ({"vgpus": (), "vfio_devices": ("pci:0000:3b:00.4",)}, False),
        ({"vgpus": NoVgpus("x", is_outside=True)}, False),
        ({"vgpus": ()}, True),
    ],
)
def test_post_copy_is_refused(changes: dict[str, Any], has_other_way: bool) -> None:
    """Post-copy is always refused; a guest without VFIO devices is shown virsh's."""
    line = the_line(a_picture(source=a_source(**changes)), "post-copy", Wish(post_copy=True))
    assert (line.word, "virsh" in line.remedy) == (Word.NO, has_other_way)


def test_a_deadline_that_cannot_be_met_is_told() -> None:
    """Where all memory at the bandwidth takes longer than the deadline, a note says by how much."""
    late = the_line(a_picture(), "deadline", Wish(bandwidth_mib_s=100, deadline_s=30))
    assert (late.word, late.evidence) == (
        Word.NOTE,
        "4,096 MiB at 100 MiB/s take 41 s if every page is used, the deadline is 30 s",
    )
    assert told(a_picture(), Wish(bandwidth_mib_s=100, deadline_s=60)) == []


STATES = st.integers(0, 15).map(States)
VERDICTS = st.lists(STATES.map(lambda states: a_verdict(states=states)), max_size=3).map(tuple)
JUDGED = st.lists(VERDICTS, min_size=1, max_size=3).map(tuple)


@given(judged=JUDGED, power=st.sampled_from(Power), by=st.sampled_from(By))
def test_no_guest_goes_against_the_verdict(judged: Any, power: Power, by: By) -> None:
    """A guest may go if and only if it is there and every vgpu finds a gpu that allows the state it needs."""
    source = a_source(power=power, vgpus=tuple(a_vgpu() for _ in judged))
    needed = States.SLEEP if power is Power.SLEEPING else States.LIVE
    expected = power in (Power.RUNNING, Power.PAUSED, Power.SLEEPING) and all(
        any(one.states & needed for one in verdicts) for verdicts in judged
    )
    assert may_go(look(a_picture(source=source, judgement=a_judgement(*judged, by=by)), Wish())) is expected


@given(
    power=st.sampled_from(Power),
    is_persistent=st.booleans(),
    vgpus=st.sampled_from([(), (a_vgpu(),), NoVgpus("x", is_outside=True), NoVgpus("x", is_outside=False)]),
    target=st.sampled_from([a_target(), NoTarget("u", "x"), a_target(host_uuid="1")]),
    offline=st.booleans(),
    post_copy=st.booleans(),
)
def test_every_obstacle_comes_with_a_remedy(
    offline: bool, post_copy: bool, target: Any, **source: Any
) -> None:
    """A line that stops the guest says what would help, and a guest with an obstacle never goes."""
    picture = a_picture(source=a_source(**source), target=target)
    lines = look(picture, Wish(offline=offline, post_copy=post_copy))
    stopping = [line for line in lines if line.word in (Word.NO, Word.FAILED)]
    assert all(line.remedy and line.evidence for line in stopping)
    assert may_go(lines) is not bool(stopping)
