"""Why hosts stay old: the VMs that no upgraded host may take, what would free each, and hosts out of room."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from vgpu_migrate import facts
from vgpu_migrate.compat import Evidence, Verdict, check, combine, gpu_traits, vgpu_traits
from vgpu_migrate.model import Host, VersionRange, Vm
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.planfile import Stuck, StuckEvidence, StuckReason
from vgpu_migrate.nvml import States
from vgpu_migrate.planning.moves import least_interruption, possible_ways
from vgpu_migrate.planning.remedies import empty_copy, with_version
from vgpu_migrate.planning.rolling.downgrades import TOO_NEW, is_downgrade, remedy_of
from vgpu_migrate.planning.rolling.guises import Guise
from vgpu_migrate.planning.rolling.pool import Pool
from vgpu_migrate.planning.rolling.remedies import Held, Remedy
from vgpu_migrate.planning.rolling.yard import Yard

OF_VERSIONS = TOO_NEW | {"guest-older", "guest-driver-older"}
"""The rules whose own remedies say less than `_by_version`, which knows the driver asked for."""


def held_of(pool: Pool, driver: str) -> Iterator[Held]:
    """The hosts of a pool that stay old, each after those of its VMs that keep it so."""
    assert pool.result is not None
    yard = pool.result.yard
    for host, guise in enumerate(yard.guise):
        if yard.is_wanted[host] and guise is Guise.BEFORE:
            held = sorted(number for number in yard.there[host] if number in pool.stranded)
            # As it was at first: a move to another old host changes nothing of why.
            vms = [pool.first.movers[number].vm for number in held]
            for vm in vms:
                yield _stranded(yard, yard.hosts[host], vm, driver)
            yield _host(pool, yard, host, vms)


def _stranded(yard: Yard, host: Host, vm: Vm, driver: str) -> Held:
    verdict = _nearest(yard, vm, host)
    possible = (verdict.states if verdict else States.NONE) & possible_ways(vm.state)
    is_down = is_downgrade(host, driver)
    pieces = tuple([_as_evidence(piece, is_down=is_down) for piece in verdict.evidence]) if verdict else ()
    remedies = []
    how = least_interruption(possible)
    if how is not None:
        text = f"allow {how} for {vm.id}: an upgraded host could take it so"
        remedies.append(Remedy(text, replace(vm, allow=vm.allow | how.state)))
    by_version = list(_by_version(host, vm, driver))
    said = OF_VERSIONS if by_version else frozenset()
    remedies += by_version
    remedies += [Remedy(piece.remedy) for piece in pieces if piece.rule not in said]
    if verdict is None:
        boards = ", ".join(sorted({vgpu.type.board for vgpu in vm.vgpus}))
        text = f"make a host of domain {host.domain} with a gpu of {boards} schedulable, or add one"
        remedies.append(Remedy(text))
    elif not remedies:
        remedies.append(Remedy(f"find one host of domain {host.domain} for all its vgpus together"))
    reason = StuckReason.NO_COMPATIBLE_HOST if how is None else StuckReason.OWNER_FORBIDS
    return Held(Stuck(vm.id, host.id, reason, pieces, ()), tuple(remedies))


def _nearest(yard: Yard, vm: Vm, home: Host) -> Verdict | None:
    """The verdict of the upgraded gpu of its boards elsewhere that leaves most, None where there is none."""
    guises, fleet = yard.guises, yard.guises.fleet
    boards = {vgpu.type.board for vgpu in vm.vgpus}
    verdicts = {}
    for number, gpu in enumerate(yard.floor.gpus):
        host = yard.hosts[yard.floor.host_of[number]]
        is_open = host.schedulable and host.id != home.id and yard.is_wanted[yard.floor.host_of[number]]
        if gpu.board.key in boards and is_open:
            gpu_class = guises.classes[gpu.id][Guise.MIDWAY]
            if gpu_class not in verdicts:
                ghost = fleet.gpus[guises.name(gpu.id, Guise.MIDWAY)]
                at = fleet.hosts[ghost.host]
                traits, profile = gpu_traits(at, ghost), fleet.settings_of(at.domain).profile
                pieces = [check(vgpu_traits(fleet, vm, vgpu), traits, profile) for vgpu in vm.vgpus]
                verdicts[gpu_class] = combine(pieces)
    possible = possible_ways(vm.state)
    found = sorted(
        verdicts.values(), key=lambda verdict: (-int(verdict.states & possible), len(verdict.evidence))
    )
    return found[0] if found else None


def _by_version(host: Host, vm: Vm, driver: str) -> Iterator[Remedy]:
    """What a reboot of the guest, or a newer guest driver, would do for its vGPU version."""
    preset = facts.host_driver(driver).preset_range
    held = vm.vgpus[0].vgpu_version
    if preset is None or vm.guest_driver is None or (held is not None and held in preset):
        return
    guest = facts.guest_driver(vm.guest_driver)
    here = _version(guest.minimum, guest.maximum, host.range_in_force)
    if here is not None and here in preset:
        text = f"reboot the guest of {vm.id} where it is: it then gets {here:#x}, which {driver} takes"
        yield Remedy(text, with_version(vm, here))
        return
    common = None if host.preset_range is None else host.preset_range.intersection(preset)
    pinned = _version(guest.minimum, guest.maximum, common)
    if common is not None and pinned is not None:
        span = f"{common.minimum:#x} to {common.maximum:#x}"
        yield Remedy(
            f"pin a host that is still old to {span}, and start {vm.id} anew there: it gets {pinned:#x}",
            with_version(vm, pinned),
        )
    elif _version(guest.minimum, guest.maximum, preset) is not None:
        text = f"start {vm.id} anew on an upgraded host: its guest driver {vm.guest_driver} loads there"
        yield Remedy(text)
    elif guest.minimum is not None and guest.minimum > preset.maximum:
        instead = "do not downgrade" if is_downgrade(host, driver) else "choose a newer host driver"
        yield Remedy(
            f"install an older guest driver for {vm.id}, or {instead}: {vm.guest_driver} has no version from "
            f"{preset.minimum:#x} to {preset.maximum:#x}, which {driver} takes"
        )
    else:
        yield Remedy(
            f"upgrade the guest driver of {vm.id}: {vm.guest_driver} has no version from "
            f"{preset.minimum:#x} to {preset.maximum:#x}, which {driver} takes"
        )


def _version(minimum: int | None, maximum: int | None, known: VersionRange | None) -> int | None:
    return negotiate(guest_minimum=minimum, guest_maximum=maximum, host_range=known)


def _host(pool: Pool, yard: Yard, host: int, stranded: list[Vm]) -> Held:
    name = yard.hosts[host].id
    if stranded:
        names = _some([vm.id for vm in stranded])
        seen = {"VMs that no upgraded host may take": names, "VMs there in all": str(len(yard.there[host]))}
        remedy = f"free {name} of {names}, as said for each, and plan again"
        piece = StuckEvidence("upgrade", seen, "fleet", "counted in the fleet file", remedy)
        return Held(Stuck(None, name, StuckReason.NO_COMPATIBLE_HOST, (piece,), ()), (Remedy(remedy),))
    there = len(yard.there[host])
    figures = pool.figures
    seen = {
        "VMs there": str(there),
        "hosts of its kind": str(len(yard.hosts)),
        "that can be empty at once, at most": str(max(0, figures.most_out)),
    }
    one_more = empty_copy(yard.hosts[host], yard.guises.fleet)
    remedy = f"add a host with gpus of its board, or take VMs off {name}, and plan again"
    piece = StuckEvidence("capacity", seen, "fleet", "counted in the fleet file", remedy)
    by_host = f"one empty host more in domain {yard.hosts[host].domain}, like {name}"
    remedies = (Remedy(by_host, host=one_more), Remedy(remedy))
    return Held(Stuck(None, name, StuckReason.NO_CAPACITY, (piece,), ()), remedies)


def _as_evidence(piece: Evidence, *, is_down: bool) -> StuckEvidence:
    remedy = remedy_of(piece.rule, piece.remedy, is_down=is_down)
    return StuckEvidence(piece.rule, piece.seen, piece.basis, piece.source, remedy, piece.by)


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"
