"""What the page of a plan shows, as data, from the fleet and the plan."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from vgpu_migrate.compat.fields import FIELDS
from vgpu_migrate.errors import InputError, Problem
from vgpu_migrate.facts import VgpuType
from vgpu_migrate.model import Fleet, Gpu, Host, HostId, PlacementMode, VmId
from vgpu_migrate.model.planfile import How, MigrateStep, PinStep, Plan, Step, Stuck, UpgradeStep
from vgpu_migrate.pictures.aftermath import fleet_after
from vgpu_migrate.pictures.class_map import ClassNames, class_map, rule_words
from vgpu_migrate.pictures.columns import (
    NONE,
    EvidenceRow,
    Figure,
    Gpus,
    Hosts,
    Remark,
    Report,
    Stays,
    Steps,
    StuckRow,
    Types,
    Vms,
)
from vgpu_migrate.pictures.stays import stays_of

_WAYS = tuple(How)
_GUEST_HAS_REPORTED = ("vgpu.guest_info", "yes")
"""What a rule about guests sees of most of them: not worth a word."""


def report_of(
    fleet: Fleet, plan: Plan, *, notes: Sequence[str] = (), remarks: Sequence[Remark] = ()
) -> Report:
    """What the page of a plan shows.

    Args:
        fleet: as it is before the plan.
        plan: of this fleet; it need not be sound.
        notes: what its planner has to say beside it.
        remarks: what a check found wrong with it.

    Raises:
        InputError: the plan is for another revision of the fleet.
    """
    if plan.fleet_revision != fleet.revision:
        seen, wanted = (
            "none" if number is None else str(number) for number in (plan.fleet_revision, fleet.revision)
        )
        raise InputError(Problem("fleet_revision", seen, f"this fleet has revision {wanted}; plan anew"))
    steps = [step for step in plan.steps if not _unknown(fleet, step)]
    later, names = fleet_after(fleet, steps), ClassNames()
    vm_at = {vm_id: number for number, vm_id in enumerate(fleet.vms)}
    host_at = {host_id: number for number, host_id in enumerate(fleet.hosts)}
    stays, types = _stays(fleet, steps, vm_at)
    evidence, remedies = _Once(), _Once()
    return Report(
        goal=plan.goal.value,
        revision=plan.fleet_revision,
        hosts=_hosts(fleet, later),
        gpus=_gpus(list(fleet.gpus.values())),
        types=Types(
            [one.short for one in types],
            [one.max_instances for one in types],
            [one.framebuffer_gib for one in types],
        ),
        vms=Vms(
            name=list(fleet.vms),
            host=[NONE if vm.host is None else host_at[vm.host] for vm in fleet.vms.values()],
            state=[vm.state.value for vm in fleet.vms.values()],
            guest=[vm.guest_driver or "" for vm in fleet.vms.values()],
            allow=[int(vm.allow) for vm in fleet.vms.values()],
        ),
        stays=stays,
        steps=_steps(steps, vm_at, host_at),
        stuck=[_stuck_row(item, evidence, remedies) for item in plan.stuck],
        evidence=[row for row in evidence.items if isinstance(row, EvidenceRow)],
        remedies=[text for text in remedies.items if isinstance(text, str)],
        figures=_figures(plan),
        before=class_map(fleet, names),
        after=class_map(later, names),
        rules=rule_words(),
        notes=[_clean(note) for note in notes],
        remarks=[Remark(step, kind, _clean(text)) for step, kind, text in remarks],
        left_out=[_clean(said) for step in plan.steps if (said := _unknown(fleet, step))],
    )


class _Once:
    """Values, each kept once, by number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def number(self, value: Hashable) -> int:
        """The number of a value."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def items(self) -> Iterable[Hashable]:
        """The values in the order of their numbers."""
        return self._numbers


def _clean(text: str) -> str:
    """Text of a plan file, which JSON lets hold halves of characters, as text that can be written."""
    return text.encode("utf-8", "replace").decode()


def _unknown(fleet: Fleet, step: Step) -> str:
    """What a step names that the fleet lacks, in words; usually nothing."""
    hosts = [step.source, step.target] if isinstance(step, MigrateStep) else [step.host]
    missing = [f"host {host}" for host in hosts if host not in fleet.hosts]
    if isinstance(step, MigrateStep):
        missing += [f"VM {step.vm}"] if step.vm not in fleet.vms else []
        missing += [f"gpu {seat.gpu}" for seat in step.gpus if seat.gpu not in fleet.gpus]
    return f"step {step.id}: no {' and no '.join(missing)}" if missing else ""


def _hosts(fleet: Fleet, later: Fleet) -> Hosts:
    hosts, after = list(fleet.hosts.values()), list(later.hosts.values())
    return Hosts(
        name=[host.id for host in hosts],
        domain=[host.domain for host in hosts],
        driver=[host.driver for host in hosts],
        driver_after=[host.driver for host in after],
        range=[_range_words(host) for host in hosts],
        range_after=[_range_words(host) for host in after],
        closed=[int(not host.schedulable) for host in hosts],
        manager=[int(host.has_manager) for host in hosts],
        gpus=[len(host.gpus) for host in hosts],
    )


def _range_words(host: Host) -> str:
    known = host.range_in_force
    said = "unknown" if known is None else f"{known.minimum:#x}–{known.maximum:#x}"
    return f"{said}, set by hand" if host.range_is_override else said


def _gpus(gpus: Sequence[Gpu]) -> Gpus:
    return Gpus(
        name=[gpu.id for gpu in gpus],
        board=[gpu.board.key for gpu in gpus],
        kind=[_kind(gpu) for gpu in gpus],
        gib=[gpu.board.framebuffer_gib for gpu in gpus],
        mig={number: gpu.mig for number, gpu in enumerate(gpus) if gpu.mig},
    )


def _kind(gpu: Gpu) -> int:
    if not gpu.is_vgpu_host:
        return 3
    return 2 if gpu.mig else int(gpu.mode is PlacementMode.MIXED)


def _stays(fleet: Fleet, steps: Sequence[Step], vm_at: Mapping[VmId, int]) -> tuple[Stays, list[VgpuType]]:
    """The stays as columns, and the types that they refer to."""
    types: dict[int, int] = {}
    named: list[VgpuType] = []
    step_at = {id(step): number for number, step in enumerate(steps)}
    gpu_at = {gpu_id: number for number, gpu_id in enumerate(fleet.gpus)}
    found = stays_of(fleet, steps)
    for stay in found:
        if stay.type.row not in types:
            types[stay.type.row] = len(named)
            named.append(stay.type)
    columns = Stays(
        vm=[vm_at[stay.vm] for stay in found],
        gpu=[gpu_at[stay.gpu] for stay in found],
        type=[types[stay.type.row] for stay in found],
        at=[stay.at for stay in found],
        part=[stay.part for stay in found],
        begin=[NONE if stay.begin is None else step_at[id(stay.begin)] for stay in found],
        end=[NONE if stay.end is None else step_at[id(stay.end)] for stay in found],
    )
    return columns, named


def _steps(steps: Sequence[Step], vm_at: Mapping[VmId, int], host_at: Mapping[HostId, int]) -> Steps:
    moves = [step if isinstance(step, MigrateStep) else None for step in steps]
    sources = [step.source if isinstance(step, MigrateStep) else step.host for step in steps]
    targets = [step.target if isinstance(step, MigrateStep) else step.host for step in steps]
    return Steps(
        id=[step.id for step in steps],
        wave=[step.wave for step in steps],
        op=[_op(step) for step in steps],
        vm=[NONE if move is None else vm_at[move.vm] for move in moves],
        source=[host_at[host] for host in sources],
        target=[host_at[host] for host in targets],
        start=[step.start_s for step in steps],
        end=[step.end_s for step in steps],
        after=[step.after for step in steps],
        words={number: said for number, step in enumerate(steps) if (said := _words(step))},
    )


def _op(step: Step) -> int:
    if isinstance(step, MigrateStep):
        return _WAYS.index(step.how)
    if isinstance(step, UpgradeStep):
        return 4
    return 6 if step.range is None else 5


def _words(step: Step) -> str:
    if isinstance(step, UpgradeStep):
        return _clean(step.driver)
    return "–".join(map(str, step.range)) if isinstance(step, PinStep) and step.range else ""


def _stuck_row(item: Stuck, evidence: _Once, remedies: _Once) -> StuckRow:
    rows = [
        EvidenceRow(
            _clean(piece.rule),
            tuple(
                (FIELDS[name].words if name in FIELDS else _clean(name), _clean(value))
                for name, value in piece.seen.items()
                if (name, value) != _GUEST_HAS_REPORTED
            ),
            _clean(piece.basis),
            _clean(piece.source),
            _clean(piece.remedy),
            _clean(piece.by or ""),
        )
        for piece in item.evidence
    ]
    said = item.remedies or tuple(dict.fromkeys(piece.remedy for piece in item.evidence))
    return StuckRow(
        _clean(item.vm or ""),
        _clean(item.host),
        item.reason.value,
        [evidence.number(row) for row in rows],
        [remedies.number(_clean(remedy)) for remedy in said],
    )


def _figures(plan: Plan) -> list[Figure]:
    bounds = plan.bounds
    found = [
        Figure("moves", bounds.moves.value, bounds.moves.lower_bound, False, False),
        Figure("time", bounds.makespan_s.value, bounds.makespan_s.lower_bound, False, True),
    ]
    if bounds.waves.value:
        found.insert(1, Figure("waves", bounds.waves.value, bounds.waves.lower_bound, False, False))
    if bounds.hosts is not None:
        name = {"upgrade": "hosts upgraded", "pin": "hosts pinned"}.get(plan.goal.value, "hosts")
        found.insert(0, Figure(name, bounds.hosts.value, bounds.hosts.upper_bound, True, False))
    return found
