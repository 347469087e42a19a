"""The part of the pre-flight that is about vgpus: their records, and the judge's verdicts on them."""

from __future__ import annotations

from collections.abc import Iterator

from vgpu_migrate.nvml import GuestInfoState, States
from vgpu_migrate.vmm.domain_element import SavedVgpu
from vgpu_migrate.vmm.judgement import CHOICES, By, Judgement, Unjudged, remedies, spell_verdict
from vgpu_migrate.vmm.move_picture import HookTrusted, Line, NoVgpus, Picture, TargetSide, Wish, Word

BOARD = "board"
"""The rule of compatibility that says least: another board is no obstacle that anybody can take away."""


def vgpu_lines(picture: Picture, wish: Wish) -> Iterator[Line]:
    """The fresh records of its vgpus, and whether the guest driver has reported."""
    source, check = picture.source, "vgpus"
    if wish.offline:
        return
    if isinstance(source.vgpus, NoVgpus):
        word = Word.FAILED if source.vgpus.is_outside else Word.NO
        yield Line(
            check,
            word,
            source.vgpus.reason,
            "this has to run where the guest's driver is; nvidia-smi vgpu shows whether it answers",
        )
        return
    mdevs = [device for device in source.vfio_devices if device.startswith("mdev:")]
    count = f"{len(source.vgpus)} vgpu{'s' if len(source.vgpus) != 1 else ''}"
    if len(mdevs) > len(source.vgpus):
        yield Line(
            check,
            Word.NO,
            f"{count} active, mediated devices that the guest is given: {len(mdevs)}",
            "wait until the guest has started wholly; nvidia-smi vgpu -q shows its vgpus",
        )
        return
    if not source.vgpus:
        devices = f"; it is given {', '.join(source.vfio_devices)}" if source.vfio_devices else ""
        yield Line(check, Word.NOTE, f"{source.name} has no vGPU{devices}: there is nothing to judge")
        return
    types = ", ".join(vgpu.type or "of unknown type" for vgpu in source.vgpus)
    yield Line(check, Word.OK, f"{count} recorded: {types}")
    waiting = [
        str(number)
        for number, vgpu in enumerate(source.vgpus)
        if vgpu.guest_info is not GuestInfoState.INITIALIZED
    ]
    if waiting:
        yield Line(
            "guest-driver",
            Word.NOTE,
            f"the guest's driver has not reported for vgpu {', '.join(waiting)}",
            "wait until it is loaded in the guest: until then a vgpu goes nowhere but cold",
        )


def post_copy_lines(picture: Picture, wish: Wish) -> Iterator[Line]:
    """Post-copy is nothing for VFIO devices, and other guests have no need of us."""
    source = picture.source
    if not wish.post_copy:
        return
    if source.has_vgpu or source.vfio_devices:
        evidence = "the guest has VFIO devices, whose state cannot follow after it runs"
        remedy = "leave --postcopy out"
    else:
        evidence = "the guest shows no VFIO device; it would be moved before it runs there all the same"
        remedy = "leave --postcopy out, or use `virsh migrate --postcopy`"
    yield Line("post-copy", Word.NO, evidence, remedy)


def verdict_lines(picture: Picture, wish: Wish) -> Iterator[Line]:
    """What the judge says of each vgpu."""
    judged, source, check = picture.judgement, picture.source, "verdict"
    if wish.offline or not source.vgpus or isinstance(source.vgpus, NoVgpus) or judged is None:
        return
    if picture.is_judged_here and _is_another_host(picture):
        yield _judged_elsewhere(picture)
    elif isinstance(judged, HookTrusted):
        yield Line(
            check,
            Word.NOTE,
            "not asked for: the destination's hook decides alone (--trust-hook)",
            "vgpu-migrate vm hook test, on the destination, shows what it would say",
        )
    elif isinstance(judged, Unjudged):
        yield _unjudged(judged)
    else:
        for number, vgpu in enumerate(source.vgpus):
            yield _judged(judged, number, vgpu, source.needs)


def _is_another_host(picture: Picture) -> bool:
    """Whether the destination is not shown to be the source's own host."""
    here, there = picture.source.host_uuid, picture.target
    return not isinstance(there, TargetSide) or not here or here != there.host_uuid


def _judged_elsewhere(picture: Picture) -> Line:
    source, target = picture.source, picture.target
    if isinstance(target, TargetSide):
        there = f"{target.host} (UUID {target.host_uuid or 'unknown'})"
    else:
        there = target.uri
    return Line(
        "verdict",
        Word.NO,
        f"judged by another host: {source.host} (UUID {source.host_uuid or 'unknown'}) does not know what "
        f"the driver of {there} takes",
        f"name who knows the destination: {CHOICES}",
    )


def _unjudged(judged: Unjudged) -> Line:
    if judged.is_outside:
        return Line(
            "verdict",
            Word.FAILED,
            judged.reason,
            "see that the judge answers, name another with --judge, or rely on the hook with --trust-hook",
        )
    return Line(
        "verdict",
        Word.NO,
        judged.reason,
        "ask the destination's own driver: --judge ssh:HOST; real and simulated hosts do not understand "
        "each other's records",
    )


def _judged(judged: Judgement, number: int, vgpu: SavedVgpu, needs: States) -> Line:
    name = f"vgpu {number}" + (f" ({vgpu.type})" if vgpu.type else "")
    how = "asleep" if needs is States.SLEEP else "live"
    verdicts = judged.vgpus[number]
    if not verdicts:
        return Line(
            "verdict",
            Word.NO,
            f"{name}: no gpu of the destination takes vgpus",
            "is its vGPU Manager loaded? vgpu-migrate host gpus, there, tells",
        )
    takers = judged.takers(number, needs)
    unknown = tuple(dict.fromkeys(field for one in verdicts for field in one.unknown))
    unsure = f"; not known: {', '.join(unknown)}" if unknown else ""
    if takers:
        says = "our rules predict that it" if judged.by is By.PREDICTION else f"{judged.judge} says that it"
        said = f"{name}: {says} may go on {how} on {', '.join(takers)}{unsure}"
        if judged.by is By.PREDICTION:
            return Line("verdict", Word.NOTE, said, "a prediction: the destination's own driver decides")
        return Line("verdict", Word.OK, said)
    near = [one for one in verdicts if all(piece.rule != BOARD for piece in one.evidence)]
    said = "; ".join(map(spell_verdict, near or verdicts))
    return Line(
        "verdict",
        Word.NO,
        f"{name} may not go on {how} on any gpu of the destination: {said}{unsure}",
        "; ".join(remedies(near or verdicts))
        or "choose another destination: vgpu-migrate check, of the fleet's file, lists them with evidence",
    )
