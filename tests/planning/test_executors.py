"""Where and how long domains are planned makes no difference to a plan that is planned to the end."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.planning.fleets import a_fleet, a_host, a_vm, random_fleet

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.model import Fleet, HostId, Settings, VmState
from vgpu_migrate.model.planfile import StuckReason, write_plan
from vgpu_migrate.planning import drain, tasks
from vgpu_migrate.planning.coordinator import Cut, Progress, Terms, plan_domains
from vgpu_migrate.planning.course import Course, CourseBounds
from vgpu_migrate.planning.executors import Where, crew
from vgpu_migrate.planning.tasks import DomainPlanner, Task, answer_task, read_answer, sub_fleets, task_bytes
from vgpu_migrate.replay import replay

LONGEST_START_S = 60.0
FROM_FILE = "given in the fleet file"


class Wish(msgspec.Struct, frozen=True):
    """An ask that a test's planner answers; `does` says how."""

    domain: str
    does: str = "answer"
    seconds: float | None = None


def grant(fleet: Fleet, wish: Wish) -> Course:
    """A course without steps whose note tells what was asked."""
    if wish.does == "interrupt":
        raise KeyboardInterrupt
    if wish.does == "die":
        os._exit(1)
    said = f"{wish.domain}: {wish.does} with {len(fleet.vms)} VMs"
    if wish.does == "tell":
        said = f"{wish.domain}: {wish.seconds} s"
    return Course(wish.domain, (), (), CourseBounds(moves=0, waves=0, makespan_s=0.0), (said,))


def answer_wish(task: bytes) -> bytes:
    """The same from bytes."""
    return answer_task(task, Wish, grant)


def give_up(fleet: Fleet, wish: Wish) -> Course:
    """A course that says so."""
    return msgspec.structs.replace(grant(fleet, Wish(wish.domain)), notes=(f"{wish.domain}: given up",))


WISHES: DomainPlanner[Wish] = DomainPlanner(
    plan=grant,
    answer=answer_wish,
    give_up=give_up,
    is_best=lambda course: False,
    within=lambda wish, seconds: msgspec.structs.replace(wish, seconds=seconds),
)


def wishes(*does: str, quick: bool = True) -> list[Task[Wish]]:
    """A task for each, in a domain and with a fleet of its own."""
    return [
        Task(
            f"d{number}",
            a_fleet([a_host("h")], [a_vm("v", "h/0")]),
            quick=Wish(f"d{number}", "answer quickly") if quick else None,
            full=Wish(f"d{number}", what),
        )
        for number, what in enumerate(does)
    ]


def notes(courses: tuple[Course, ...]) -> list[str]:
    """What the planner was asked last, by domain."""
    return [note for course in courses for note in course.notes]


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers, each a process of its own, on this machine."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip(reason='Dask is not installed: pip install "vgpu-migrate[dask]"')
    folder = tmp_path_factory.mktemp("dask")
    where = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    common = ["--scheduler-file", str(where), "--host", "127.0.0.1", "--no-dashboard"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}
    commands = [
        [*dask, "scheduler", *common, "--port", "0"],
        [*dask, "worker", *common, "--nworkers", "2", "--nthreads", "1", "--local-directory", str(folder)],
    ]
    with (folder / "log").open("w") as log:
        running = [
            subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
            for command in commands
        ]
    try:
        end = time.monotonic() + LONGEST_START_S
        while (log_text := (folder / "log").read_text()).count("Starting established connection") < 2:
            assert time.monotonic() < end, log_text
            time.sleep(0.1)
        yield msgspec.json.decode(where.read_bytes())["address"]
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait()


def a_blocked_fleet(seed: int) -> tuple[Fleet, list[HostId]]:
    """A fleet of three full domains, and hosts to drain in each."""
    fleet = random_fleet(seed, hosts=12, gpus=3, vms=90, domains=3, mixed=0.3, several=0.1, memory=True)
    return fleet, [host for number, host in enumerate(fleet.hosts) if number < 3]


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_is_the_same_in_this_process_in_others_and_on_dask(dask_cluster: str, seed: int) -> None:
    """Byte for byte, with the same notes."""
    fleet, hosts = a_blocked_fleet(seed)
    places = (Where(jobs=1), Where(jobs=2), Where(scheduler=dask_cluster), Where())
    found = [drain(fleet, hosts, defrag=True, terms=Terms(where)) for where in places]
    assert replay(fleet, found[0].plan) == ()
    assert {write_plan(planned.plan) for planned in found} == {write_plan(found[0].plan)}
    assert {planned.notes for planned in found} == {found[0].notes}


@pytest.mark.parametrize("seed", range(6))
def test_a_part_of_a_fleet_survives_its_way_as_bytes(seed: int) -> None:
    """What a worker reads is what was written, to the last version that is not known."""
    fleet = random_fleet(seed, domains=2, odd=0.6, mixed=0.5, groups=4, memory=True)
    hosts = [msgspec.structs.replace(host, range_said=FROM_FILE) for host in fleet.hosts.values()]
    fleet = a_fleet(hosts, fleet.vms.values(), domains=dict(fleet.domain_settings))
    for domain, part in sub_fleets(fleet, ["d0", "d1"]).items():
        seen: list[tuple[Fleet, Wish]] = []

        def look(there: Fleet, wish: Wish, seen: list[tuple[Fleet, Wish]] = seen) -> Course:
            seen.append((there, wish))
            return grant(there, wish)

        course = read_answer(answer_task(task_bytes(part, Wish(domain)), Wish, look))
        assert course == grant(part, Wish(domain))
        assert [(there.hosts, there.vms, wish) for there, wish in seen] == [
            (part.hosts, part.vms, Wish(domain))
        ]
        assert seen[0][0].settings_of(domain) == fleet.settings_of(domain)


def test_a_version_that_is_not_known_stays_so() -> None:
    """A running VM whose drivers would negotiate one is not given it on the way."""
    vgpus = ["h/0", "h/1"]
    vm = a_vm("v", vgpus, guest_driver="550.54.14", vgpu_version=None)
    known = msgspec.structs.replace(vm.vgpus[1], vgpu_version=0x120001)
    fleet = a_fleet([a_host("h", 2)], [msgspec.structs.replace(vm, vgpus=(vm.vgpus[0], known))])
    seen: list[Fleet] = []

    def look(there: Fleet, wish: Wish) -> Course:
        seen.append(there)
        return grant(there, wish)

    answer_task(task_bytes(fleet, Wish("default")), Wish, look)
    assert seen[0].vms == fleet.vms


def test_parts_hold_their_own_hosts_and_vms_and_the_homeless_where_wanted() -> None:
    """Each VM is in its host's part; one that is off belongs to all or to none."""
    off = a_vm("off", "x/0", state=VmState.OFF, host=None)
    hosts = [a_host("a", domain="d0"), a_host("b", domain="d1")]
    fleet = a_fleet(hosts, [a_vm("v", "a/0"), a_vm("w", "b/0"), off], domains={"d1": Settings(upgrade_s=9.0)})
    parts = sub_fleets(fleet, ["d0", "d1"])
    assert [list(part.vms) for part in parts.values()] == [["v"], ["w"]]
    assert [list(part.hosts) for part in parts.values()] == [["a"], ["b"]]
    assert [part.settings_of("d1").upgrade_s for part in parts.values()] == [1800.0, 9.0]
    assert list(sub_fleets(fleet, ["d1"], homeless=True)["d1"].vms) == ["w", "off"]


def test_a_worker_of_another_release_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer might be another, so it gives none."""
    data = task_bytes(a_fleet([a_host("h")]), Wish("d"))
    monkeypatch.setattr(tasks, "__version__", "9.9")
    answer = answer_task(data, Wish, grant)
    monkeypatch.undo()
    with pytest.raises(OutsideError, match=r"a worker runs vgpu-migrate 9.9, this is .*: install the same"):
        read_answer(answer)


def test_a_fleet_that_no_fleet_file_could_hold_is_told() -> None:
    """A fleet made by hand may be over-full; it cannot be handed to another process."""
    fleet = a_fleet([a_host("h")], [a_vm(name, "h/0", "A40-48Q") for name in ("v", "w")])
    wanted = "the fleet: .*h/0.*; wanted one that a fleet file could hold"
    with pytest.raises(InputError, match=wanted):
        read_answer(answer_task(task_bytes(fleet, Wish("d")), Wish, grant))


def test_what_is_done_is_told() -> None:
    """Domains that are done, of how many, after every answer."""
    told: list[Progress] = []
    plan_domains(WISHES, wishes("try hard", "try hard"), Terms(tell=told.append))
    assert told == [Progress(0, 2, 0), Progress(0, 2, 0), Progress(1, 2, 0), Progress(2, 2, 0)]


def test_an_interrupted_run_keeps_what_it_has() -> None:
    """Domains that were not reached keep their quick answer, or say that there is none."""
    does = ("try hard", "interrupt", "try hard")
    found = plan_domains(WISHES, wishes(*does), Terms())
    assert (found.cut, found.unfinished) == (Cut.INTERRUPT, ("d1", "d2"))
    assert notes(found.courses) == [
        "d0: try hard with 1 VMs",
        "d1: answer quickly with 1 VMs",
        "d2: answer quickly with 1 VMs",
    ]
    assert found.notes == (
        "interrupted: 2 of 3 domains not planned to the end (d1, d2); this is the best plan so far",
    )
    found = plan_domains(WISHES, wishes(*does, quick=False), Terms())
    assert notes(found.courses)[1:] == ["d1: given up", "d2: given up"]


def test_no_more_is_begun_when_the_time_is_over() -> None:
    """What the time sufficed for counts; a budget that binds is told."""
    left = iter([9.0, 9.0, 9.0, 9.0, 9.0, 0.0])
    found = plan_domains(WISHES, wishes("try hard", "try hard"), Terms(seconds_left=lambda: next(left)))
    assert (found.cut, found.unfinished) == (Cut.BUDGET, ("d1",))
    assert notes(found.courses)[0].startswith("d0: try hard")
    assert notes(found.courses)[1].startswith("d1: answer quickly")


def test_what_is_left_of_the_time_is_shared_by_the_domains_that_are_left() -> None:
    """Of three domains planned one by one the first has a third of it, the second half of the rest."""
    asked: list[float | None] = []

    def note(fleet: Fleet, wish: Wish) -> Course:
        asked.append(wish.seconds)
        return grant(fleet, wish)

    planner = DomainPlanner(plan=note, answer=answer_wish, give_up=give_up, within=WISHES.within)
    plan_domains(planner, wishes("a", "b", "c", quick=False), Terms(seconds_left=lambda: 12.0))
    assert asked == [4.0, 6.0, 12.0]


def test_domains_side_by_side_have_the_time_of_all_processes_together() -> None:
    """Of four domains in two processes the first two have half of the time each."""
    terms = Terms(Where(jobs=2), seconds_left=lambda: 8.0)
    found = plan_domains(WISHES, wishes(*["tell"] * 4, quick=False), terms)
    assert notes(found.courses)[:2] == ["d0: 4.0 s", "d1: 4.0 s"]


def test_processes_leave_ctrl_c_to_the_one_that_started_them() -> None:
    """A terminal sends it to all of them; only one decides and speaks."""
    with crew(Where(jobs=2), tasks=2, vms=0) as workers:
        assert workers is not None
        assert workers.executor.submit(signal.getsignal, signal.SIGINT).result() is signal.SIG_IGN


def test_processes_that_have_not_answered_in_time_are_left_behind() -> None:
    """The quick answers stand where the time is over while others still work."""
    left = iter([9.0] * 3 + [0.0] * 9)
    terms = Terms(Where(jobs=2), seconds_left=lambda: next(left))
    found = plan_domains(WISHES, wishes("try hard", "try hard"), terms)
    assert found.cut is Cut.BUDGET
    assert notes(found.courses) == ["d0: answer quickly with 1 VMs", "d1: answer quickly with 1 VMs"]


def test_a_drain_without_time_says_budget_for_every_vm() -> None:
    """Nothing moves, and each VM is stuck for want of time."""
    fleet, hosts = a_blocked_fleet(1)
    planned = drain(fleet, hosts, terms=Terms(budget_s=1.0, seconds_left=lambda: -1.0))
    assert planned.plan.steps == ()
    assert {item.reason for item in planned.plan.stuck} == {StuckReason.BUDGET}
    assert replay(fleet, planned.plan) == ()
    assert planned.notes[-1].startswith("the time given was used up: 3 of 3 domains not planned to the end")
    assert not planned.is_interrupted


def test_a_worker_that_dies_is_told() -> None:
    """A plan without the domain it worked on would be a lie."""
    with pytest.raises(OutsideError, match="a worker that planned a domain was lost"):
        plan_domains(WISHES, wishes("die", "try hard"), Terms(Where(jobs=2)))


def test_where_no_process_can_be_started_this_one_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default that is no matter; processes that were asked for are missed."""

    def none_here(*args: object, **kwargs: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("vgpu_migrate.planning.executors.ProcessPoolExecutor", none_here)
    monkeypatch.setattr("vgpu_migrate.planning.executors.LEAST_VMS", 0)
    found = plan_domains(WISHES, wishes("a", "b"), Terms(Where()))
    assert notes(found.courses) == ["d0: a with 1 VMs", "d1: b with 1 VMs"]
    with pytest.raises(OutsideError, match=r"processes cannot be started here .*: try --jobs 1"):
        plan_domains(WISHES, wishes("a", "b"), Terms(Where(jobs=2)))


def test_a_cluster_without_our_package_is_told(dask_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose module is not there cannot be read there."""
    monkeypatch.setattr(answer_wish, "__module__", "nowhere")
    monkeypatch.setitem(sys.modules, "nowhere", sys.modules[__name__])
    with pytest.raises(OutsideError, match=r"it cannot read our tasks: install vgpu-migrate .* there"):
        plan_domains(WISHES, wishes("a", quick=False), Terms(Where(scheduler=dask_cluster)))


def test_a_scheduler_that_is_not_there_is_told(dask_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address stands in the message, and where Dask is missing how to get it."""
    monkeypatch.setattr("vgpu_migrate.planning.dask_cluster.CONNECT_S", 0.2)
    with pytest.raises(OutsideError, match=r"Dask scheduler tcp://127\.0\.0\.1:9: cannot be reached"):
        plan_domains(WISHES, wishes("a"), Terms(Where(scheduler="tcp://127.0.0.1:9")))
    with pytest.raises(InputError, match="--scheduler: planner:8786; wanted an address like tcp://HOST:PORT"):
        plan_domains(WISHES, wishes("a"), Terms(Where(scheduler="planner:8786")))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"Dask is not installed; .* pip install \"vgpu-migrate\[dask\]\""):
        plan_domains(WISHES, wishes("a"), Terms(Where(scheduler=dask_cluster)))


def test_a_cluster_whose_workers_die_is_told(dask_cluster: str) -> None:
    """A task that ends every worker is tried on some, and then no more."""
    with pytest.raises(OutsideError, match=r"Dask scheduler tcp://.*: its workers die at a task: .*"):
        plan_domains(WISHES, wishes("die", quick=False), Terms(Where(scheduler=dask_cluster)))
