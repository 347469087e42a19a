"""A domain's planning as a task: the domain's part of the fleet and what is asked, as bytes and back.

A task and its answer travel as JSON, so that any executor can carry them: to a process here or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from msgspec.structs import replace

from vgpu_migrate import __version__
from vgpu_migrate.errors import InputError, OutsideError, Problem
from vgpu_migrate.model import Fleet, Host, HostId, Vm, VmId
from vgpu_migrate.model.fleetfile import fleet_to_data, parse_fleet_bytes
from vgpu_migrate.planning.course import Course

Ask = TypeVar("Ask", bound=msgspec.Struct)


@dataclass(frozen=True)
class DomainPlanner(Generic[Ask]):
    """How domains are planned for one goal."""

    plan: Callable[[Fleet, Ask], Course]
    """A pure function: the same part of a fleet and the same ask give the same course."""
    answer: Callable[[bytes], bytes]
    """The same for a task in bytes, see `answer_task`; a function of a module, to be found by its name."""
    give_up: Callable[[Fleet, Ask], Course]
    """What is said of a domain that was not planned in time: nothing moves; who is stuck, with `budget`."""
    is_best: Callable[[Course], bool] = lambda course: not course.stuck
    """Whether a quick answer needs no full one."""
    within: Callable[[Ask, float], Ask] = lambda ask, _: ask
    """The ask, for an answer within so many seconds."""


@dataclass(frozen=True)
class Task(Generic[Ask]):
    """What to plan for one domain.

    `quick`: an ask that takes little time, answered here; `full` is tried only where that answer
    could be better, and may not be answered in time. With one of them None only the other is asked.
    """

    domain: str
    fleet: Fleet
    quick: Ask | None
    full: Ask | None

    @property
    def ask(self) -> Ask:
        """One of its asks, to say what is wanted."""
        ask = self.full if self.quick is None else self.quick
        assert ask is not None, "a task that asks nothing"
        return ask


class _TaskForm(msgspec.Struct, frozen=True):
    program_version: str
    fleet: msgspec.Raw
    ask: msgspec.Raw
    versionless: dict[VmId, list[int]]
    """Of each VM the vgpus, by number, that hold no version: where negotiation would give one, a fleet file
    cannot say that.
    """


class _AnswerForm(msgspec.Struct, frozen=True):
    program_version: str
    course: Course | None = None
    refused: str | None = None
    """Why the task could not be read."""


def sub_fleets(fleet: Fleet, domains: Collection[str], *, homeless: bool = False) -> dict[str, Fleet]:
    """By domain, the part of a fleet that its planning needs: its hosts, and the VMs on them.

    Args:
        fleet: the whole.
        domains: of which parts are wanted.
        homeless: whether VMs without a host, off or hibernated, are in every part.
    """
    hosts: dict[str, dict[HostId, Host]] = {domain: {} for domain in domains}
    vms: dict[str, dict[VmId, Vm]] = {domain: {} for domain in domains}
    domain_of: dict[HostId, str] = {}
    for host in fleet.hosts.values():
        if host.domain in hosts:
            hosts[host.domain][host.id] = host
            domain_of[host.id] = host.domain
    for vm in fleet.vms.values():
        if vm.host is None:
            for there in vms.values() if homeless else ():
                there[vm.id] = vm
        elif (domain := domain_of.get(vm.host)) is not None:
            vms[domain][vm.id] = vm
    return {
        domain: Fleet(
            fleet.revision,
            fleet.settings,
            {name: own for name, own in fleet.domain_settings.items() if name == domain},
            hosts[domain],
            vms[domain],
        )
        for domain in domains
    }


def task_bytes(fleet: Fleet, ask: msgspec.Struct) -> bytes:
    """A task as JSON."""
    encode = msgspec.json.encode
    versionless = _versionless(fleet.vms.values())
    parts = msgspec.Raw(encode(fleet_to_data(fleet))), msgspec.Raw(encode(ask))
    return encode(_TaskForm(__version__, *parts, versionless))


def _versionless(vms: Iterable[Vm]) -> dict[VmId, list[int]]:
    found = {}
    for vm in vms:
        without = [number for number, vgpu in enumerate(vm.vgpus) if vgpu.vgpu_version is None]
        if without:
            found[vm.id] = without
    return found


def answer_task(data: bytes, ask_type: type[Ask], plan: Callable[[Fleet, Ask], Course]) -> bytes:
    """Read a task, plan it and write the answer.

    A task of another release is not planned, since its answer could be another: the answer says so.
    """
    form = msgspec.json.decode(data, type=_TaskForm)
    answer = _AnswerForm(__version__)
    if form.program_version == __version__:
        try:
            fleet = parse_fleet_bytes(bytes(form.fleet), source="a task", format="json")
        except InputError as error:
            answer = replace(answer, refused=str(error.problems[0]))
        else:
            ask = msgspec.json.decode(form.ask, type=ask_type)
            course = plan(_with_versions_lost(fleet, form.versionless), ask)
            answer = replace(answer, course=course)
    return msgspec.json.encode(answer)


def _with_versions_lost(fleet: Fleet, versionless: Mapping[VmId, Collection[int]]) -> Fleet:
    vms = dict(fleet.vms)
    for vm_id, without in versionless.items():
        vgpus = [
            replace(vgpu, vgpu_version=None) if number in without else vgpu
            for number, vgpu in enumerate(vms[vm_id].vgpus)
        ]
        vms[vm_id] = replace(vms[vm_id], vgpus=tuple(vgpus))
    return Fleet(fleet.revision, fleet.settings, fleet.domain_settings, fleet.hosts, vms)


def read_answer(data: bytes) -> Course:
    """The course that `answer_task` wrote.

    Raises:
        InputError: the fleet is none that a fleet file could hold.
        OutsideError: the worker runs another release.
    """
    form = msgspec.json.decode(data, type=_AnswerForm)
    if form.refused is not None:
        raise InputError(Problem("the fleet", form.refused, "wanted one that a fleet file could hold"))
    if form.course is None:
        text = f"a worker runs vgpu-migrate {form.program_version}, this is {__version__}"
        raise OutsideError(f"{text}: install the same release on all of them")
    return form.course
