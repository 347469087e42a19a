"""A survey as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, cast

from vgpu_migrate import facts
from vgpu_migrate.cli import answers
from vgpu_migrate.cli.check_sentence import sentence
from vgpu_migrate.cli.evidence_view import BOARD, obstacles, show_obstacles
from vgpu_migrate.cli.screen import (
    BAD,
    GOOD,
    NOTE,
    STRONG,
    WEAK,
    Cell,
    Column,
    Screen,
    Words,
    count,
    seconds,
    some,
)
from vgpu_migrate.compat import Evidence, HostAnswer, Survey, Target
from vgpu_migrate.compat.fields import FIELDS
from vgpu_migrate.compat.targets import lacks_memory
from vgpu_migrate.model import Fleet, GpuId, HostId, Vm
from vgpu_migrate.model.placement import NoRoom, Tenant, find_room
from vgpu_migrate.nvml import STATE_BY_WORD, States

MOST_HOSTS_SHOWN = 24
MOST_REASONS = 4
STATE_COLUMNS = ("live", "sleep", "hibernate", "cold")


def is_yes(found: Survey, *, to: HostId | None) -> bool:
    """Whether the VM can move live: to the host named, else to some host other than its own."""
    if to is None:
        return found.is_live_elsewhere
    return any(answer.is_live for answer in found.hosts if answer.host == to)


def answer(found: Survey) -> answers.CheckAnswer:
    """The answer of `check --json`."""
    return answers.CheckAnswer(
        vm=found.vm.id,
        profile=found.profile.value,
        hosts=[
            answers.HostAnswer(host.host, host.is_live, answers.spell_states(host.states), host.fits)
            for host in found.hosts
        ],
        targets=[_target(target) for target in found.targets],
    )


def _target(target: Target) -> answers.Target:
    verdict = target.verdict
    return answers.Target(
        host=target.host,
        gpu=target.gpu,
        states=answers.spell_states(verdict.states),
        limits=answers.spell_limits(verdict.limits),
        live=verdict.is_live,
        by="prediction",
        fits=target.fits,
        supported=cast('Literal["documented", "outside", "unknown"]', target.supported.verdict),
        stun_s_estimate=target.stun_s_estimate,
        evidence=[
            answers.Evidence(piece.rule, piece.seen, piece.basis, piece.source, piece.remedy, piece.by)
            for piece in verdict.evidence
        ],
        unknown=verdict.unknown,
    )


def show(
    fleet: Fleet, found: Survey, *, to: HostId | None, show_all: bool, screen: Screen | None = None
) -> None:
    """Tell where the VM may go: a sentence, a table of hosts (or of one host's gpus), and the obstacles."""
    screen = screen or Screen()
    show_vm(screen, fleet, found.vm)
    said = sentence(found, to=to)
    screen.line(Cell(said.text, GOOD if said.is_good else BAD))
    if found.targets:
        screen.line()
        if to is None:
            _show_hosts(screen, found, show_all=show_all)
        else:
            _show_gpus(screen, fleet, found, show_all=show_all)
        _show_stun(screen, found)
    _show_obstacles(screen, found, show_all=show_all)
    _show_unknown(screen, found)
    if to is None:
        _show_left_out(screen, fleet, found)


def show_vm(screen: Screen, fleet: Fleet, vm: Vm) -> None:
    """What is being asked about, in a line or two."""
    where = "on no host" if vm.host is None else f"on {vm.host}"
    versions = {vgpu.vgpu_version for vgpu in vm.vgpus}
    held = some([f"{version:#x}" for version in sorted(v for v in versions if v is not None)])
    words = [
        f"{vm.state.value} {where}" if vm.host is not None else f"{vm.state.value}, {where}",
        _say_types(vm),
        f"vGPU version {held}" if held else "vGPU version not known",
        _say_guest(vm),
        _say_allowed(vm),
    ]
    if vm.host is not None:
        words.insert(1, f"host driver {fleet.hosts[vm.host].driver}")
    screen.line([Cell(vm.id, STRONG), f": {', '.join(words)}"])


def _say_types(vm: Vm) -> str:
    types = Counter(vgpu.type.short for vgpu in vm.vgpus)
    return some([name if number == 1 else f"{number} × {name}" for name, number in types.items()])


def _say_allowed(vm: Vm) -> str:
    return f"its owner accepts {' or '.join(reversed(vm.allow.words)) or 'no move'}"


def _say_guest(vm: Vm) -> str:
    if vm.guest_driver is None:
        return "guest driver not known"
    guest = facts.guest_driver(vm.guest_driver)
    low, high = answers.spell_version(guest.minimum), answers.spell_version(guest.maximum)
    reach = "unknown range" if low is None and high is None else f"{low or 'unknown'}-{high or 'unknown'}"
    return f"guest driver {vm.guest_driver} ({reach})"


class _Row(NamedTuple):
    """What is shown of a host, or of a gpu, its name apart."""

    states: States
    fits: bool
    supported: str
    stun_s: float
    stopped_by: tuple[str, ...]

    def cells(self, screen: Screen) -> list[Words]:
        """The row's cells."""
        ticks: list[Words] = [_tick(bool(self.states & STATE_BY_WORD[word])) for word in STATE_COLUMNS]
        is_live = bool(self.states & States.LIVE)
        stopped = Cell(", ".join(self.stopped_by), WEAK if is_live else BAD)
        if is_live and not self.fits and not self.stopped_by:
            stopped = Cell("no room now", NOTE)
        support = Cell(self.supported, "" if self.supported == "documented" else NOTE)
        return [*ticks, _tick(self.fits), support, f"{seconds(self.stun_s)}" if is_live else "–", stopped]


def _tick(is_so: bool) -> Cell:
    return Cell("✓", GOOD) if is_so else Cell("–", WEAK)


_COLUMNS = (
    *(Column(word) for word in STATE_COLUMNS),
    Column("fits"),
    Column("supported"),
    Column("stun", right=True),
    Column("stopped by", wraps=True),
)


def _show_hosts(screen: Screen, found: Survey, *, show_all: bool) -> None:
    by_host: dict[HostId, list[Target]] = {}
    for target in found.targets:
        by_host.setdefault(target.host, []).append(target)
    rows: list[tuple[str, _Row]] = []
    for host in found.hosts:
        targets = by_host[host.host]
        here = " (here)" if host.host == found.vm.host else ""
        rows.append((host.host + here, _host_row(host, targets, show_all=show_all)))
    if len(rows) > MOST_HOSTS_SHOWN and not show_all:
        rows = list(_alike(rows))
    screen.table(
        [Column("host", wraps=len(rows) != len(found.hosts)), *_COLUMNS],
        ([name, *row.cells(screen)] for name, row in rows),
    )


def _host_row(host: HostAnswer, targets: Sequence[Target], *, show_all: bool) -> _Row:
    hits = (piece.rule for target in targets for piece in _telling(target, show_all=show_all))
    return _Row(
        states=host.states,
        fits=host.fits,
        supported=targets[0].supported.verdict,
        stun_s=targets[0].stun_s_estimate,
        stopped_by=() if host.is_live else tuple(dict.fromkeys(hits)),
    )


def _alike(rows: Iterable[tuple[str, _Row]]) -> Iterable[tuple[str, _Row]]:
    """Hosts with the same answer as one row, the live ones first."""
    names: dict[_Row, list[str]] = {}
    for name, row in rows:
        names.setdefault(row, []).append(name)
    order = sorted(names, key=lambda row: (not row.states & States.LIVE, not row.fits, not row.states))
    for row in order:
        yield some(names[row], 3), row


def _show_gpus(screen: Screen, fleet: Fleet, found: Survey, *, show_all: bool) -> None:
    rows: list[list[Words]] = []
    for target in found.targets:
        row = _Row(
            states=target.verdict.states,
            fits=target.fits,
            supported=target.supported.verdict,
            stun_s=target.stun_s_estimate,
            stopped_by=tuple(piece.rule for piece in _telling(target, show_all=show_all)),
        )
        cells = row.cells(screen)
        if not target.fits:
            cells[len(STATE_COLUMNS)] = Cell(_why_no_room(fleet, found.vm, target.gpu), NOTE)
        rows.append([target.gpu, *cells])
    screen.table([Column("gpu"), *_COLUMNS], rows)


def _why_no_room(fleet: Fleet, vm: Vm, gpu_id: GpuId) -> str:
    gpu = fleet.gpus[gpu_id]
    lacking = lacks_memory(fleet, vm, fleet.hosts[gpu.host])
    if lacking is not None:
        return "no: memory" if "memory" in lacking else "no: vcpus"
    tenants = [Tenant(vgpu.type, vgpu.placement) for vgpu in fleet.tenants[gpu_id]]
    for vgpu in vm.vgpus:
        place = find_room(gpu, tenants, vgpu.type)
        if isinstance(place, NoRoom):
            return f"no: {place.value}"
    return "no: not for all"


def _show_stun(screen: Screen, found: Survey) -> None:
    if not any(target.verdict.is_live for target in found.targets):
        return
    screen.line(
        Cell(
            "stun: how long it stands still in a live move, its framebuffer over the wire. An estimate: the "
            "times published for VMware are 1.4 to 2.4 times as long.",
            WEAK,
        )
    )


def _show_obstacles(screen: Screen, found: Survey, *, show_all: bool) -> None:
    stopping = obstacles(
        (target.host, piece) for target in found.targets for piece in _telling(target, show_all=show_all)
    )
    if stopping:
        screen.line()
        screen.title("What stops it")
        show_obstacles(screen, stopping, show_all=show_all)


def _telling(target: Target, *, show_all: bool) -> Sequence[Evidence]:
    """The evidence worth showing: where the board differs, nothing else helps to know."""
    boards = [piece for piece in target.verdict.evidence if piece.rule == BOARD]
    return boards if boards and not show_all else target.verdict.evidence


def _show_unknown(screen: Screen, found: Survey) -> None:
    """What was not known, in one paragraph."""
    places: dict[str, list[str]] = {}
    for target in found.targets:
        for name in _both_ends(target.verdict.unknown):
            of_name = places.setdefault(name, [])
            if target.host not in of_name:
                of_name.append(target.host)
    if places:
        said = "; ".join(f"{name}, for {some(hosts)}" for name, hosts in places.items())
        them = "them" if len(places) > 1 or _GUEST_VERSIONS in places else "it"
        screen.line()
        screen.line([Cell("not known", NOTE), f": {said}: rules that need {them} were silent"])


def _both_ends(names: Sequence[str]) -> list[str]:
    """The names, the two ends of one range as one."""
    left = list(names)
    for ends, whole in _WHOLES.items():
        if set(ends) <= set(left):
            left = [whole, *(name for name in left if name not in ends)]
    return left


_GUEST_VERSIONS = "vGPU versions of the guest driver"
_WHOLES = {
    (FIELDS["vgpu.guest_min"].words, FIELDS["vgpu.guest_max"].words): _GUEST_VERSIONS,
    (FIELDS["gpu.range_min"].words, FIELDS["gpu.range_max"].words): "the target's range in force",
}


def _show_left_out(screen: Screen, fleet: Fleet, found: Survey) -> None:
    domain = fleet.domain_of(found.vm)
    elsewhere = 0
    reasons: list[str] = []
    for host, reason in found.left_out.items():
        if domain is not None and fleet.hosts[host].domain != domain:
            elsewhere += 1
        else:
            reasons.append(reason)
    if len(reasons) > MOST_REASONS:
        reasons = [*reasons[:MOST_REASONS], count(len(reasons) - MOST_REASONS, "more host")]
    if elsewhere:
        reasons.append(f"{count(elsewhere, 'host')} of other migration domains than {domain}")
    if reasons:
        screen.line()
        screen.line(Cell(f"Not looked at: {'; '.join(reasons)}", WEAK))
