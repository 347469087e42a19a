"""The rule table against a second, dumber statement of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.factories import (
    NO_SOURCE,
    UNKNOWN_RANGE,
    UNREPORTED,
    a_gpu,
    a_vgpu,
    gpu_traits,
    guest_gpus,
    guest_vgpus,
    hardware_gpus,
    hardware_vgpus,
    pairs,
    vgpu_traits,
)
from tests.compat.oracle import fresh_version, judge

from vgpu_migrate.compat import GpuTraits, VgpuTraits, check, combine, rules
from vgpu_migrate.compat.fields import FIELDS
from vgpu_migrate.compat.pair import hit_mask
from vgpu_migrate.compat.table import outcome
from vgpu_migrate.model import Profile, VersionRange
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.nvml import ALL_STATES, Limits, States

PROFILES = st.sampled_from(Profile)
BITS = {rule.id: 1 << rule.bit for rule in rules()}


def agrees(vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile) -> bool:
    """Whether the pair call, its mask and the plain statement say the same."""
    verdict, judgement = check(vgpu, gpu, profile), judge(vgpu, gpu, profile.value)
    return (
        tuple(piece.rule for piece in verdict.evidence) == judgement.rules
        and verdict.states == judgement.states
        and verdict.limits == judgement.limits
        and (verdict.limits == 0) == (verdict.states == ALL_STATES)
        and hit_mask(vgpu, gpu, profile) == sum(BITS[rule] for rule in judgement.rules)
    )


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("vgpus", "gpus"), [(guest_vgpus, guest_gpus), (hardware_vgpus, hardware_gpus)], ids=["guest", "hardware"]
)
def test_the_whole_small_domain(
    vgpus: Callable[[], Iterator[VgpuTraits]], gpus: Callable[[], Iterator[GpuTraits]], profile: Profile
) -> None:
    """On every pair of small values, the rows, states and limits are those of the plain statement."""
    every_gpu = list(gpus())
    wrong = [(v, g) for v in vgpus() for g in every_gpu if not agrees(v, g, profile)]
    assert wrong == []


@given(pairs(), PROFILES)
def test_any_values(pair: tuple[VgpuTraits, GpuTraits], profile: Profile) -> None:
    """Over all types, boards and words of 32 bits it is the same."""
    vgpu, gpu = pair
    assert agrees(vgpu, gpu, profile)


def test_every_mask_leaves_all_states_only_without_a_limit() -> None:
    """Whatever rows hit together, the limit is NONE if and only if all four states remain."""
    assert all((outcome(mask)[0] == ALL_STATES) == (outcome(mask)[1] == 0) for mask in range(1 << len(BITS)))


def test_the_rows_in_their_order() -> None:
    """The table has the specification's rows in its order; two of them belong to one profile each."""
    assert [rule.id for rule in rules()] == [
        "board",
        "type",
        "guest-info",
        "guest-older",
        "guest-newer",
        "guest-driver-older",
        "guest-driver-newer",
        "gpu-config",
        "gpu-migration-off",
        "vgpu-migration-off",
        "identical-host-drivers",
        "renegotiating-resume",
    ]
    extra = {rule.id: rule.profiles for rule in rules() if rule.profiles != frozenset(Profile)}
    assert extra == {
        "identical-host-drivers": {Profile.IDENTICAL_HOST_DRIVERS},
        "renegotiating-resume": {Profile.RENEGOTIATING_RESUME},
    }


UNKNOWN_GUEST_MIN = FIELDS["vgpu.guest_min"].words
UNKNOWN_GUEST_MAX = FIELDS["vgpu.guest_max"].words
UNKNOWN_TARGET = (FIELDS["gpu.range_min"].words, FIELDS["gpu.range_max"].words)


@pytest.mark.parametrize(
    ("vgpu", "gpu", "unknown"),
    [
        (a_vgpu(), a_gpu(), ()),
        (a_vgpu(guest_min=None), a_gpu(range_max=1), (UNKNOWN_GUEST_MIN,)),
        (a_vgpu(guest_max=None), a_gpu(range_min=0x130001), (UNKNOWN_GUEST_MAX,)),
        (a_vgpu(guest_min=None, guest_max=None), a_gpu(), (UNKNOWN_GUEST_MIN, UNKNOWN_GUEST_MAX)),
        (a_vgpu(), a_gpu(**UNKNOWN_RANGE), UNKNOWN_TARGET),
    ],
)
def test_an_unknown_value_is_told(vgpu: VgpuTraits, gpu: GpuTraits, unknown: tuple[str, ...]) -> None:
    """A bound that is not known makes its row silent, and the verdict says that it was not known."""
    verdict = check(vgpu, gpu)
    assert verdict.unknown == unknown
    assert not {"guest-driver-older", "guest-driver-newer"} & {piece.rule for piece in verdict.evidence}


def test_nothing_known_of_the_versions_is_no_obstacle() -> None:
    """With all bounds and the target's range unknown, all states remain, and four values are told."""
    verdict = check(a_vgpu(guest_min=None, guest_max=None), a_gpu(**UNKNOWN_RANGE))
    assert (verdict.states, verdict.limits, verdict.evidence) == (ALL_STATES, Limits.NONE, ())
    assert verdict.unknown == (UNKNOWN_GUEST_MIN, UNKNOWN_GUEST_MAX, *UNKNOWN_TARGET)


@pytest.mark.parametrize("profile", Profile)
def test_a_vm_without_a_gpu_has_no_source(profile: Profile) -> None:
    """Rows that compare with a source are silent without one, and nothing is reported unknown for it."""
    gpu = a_gpu(ecc=False, sriov=False, topology=7, host_driver="1.2")
    hibernated = check(a_vgpu(**NO_SOURCE), gpu, profile)
    assert (hibernated.states, hibernated.limits, hibernated.unknown) == (ALL_STATES, Limits.NONE, ())
    off = check(a_vgpu(**NO_SOURCE | UNREPORTED), gpu, profile)
    assert (off.states, off.limits) == (States.COLD, Limits.OTHER)


@given(vgpu_traits(), gpu_traits())
def test_a_renegotiation_is_the_models(vgpu: VgpuTraits, gpu: GpuTraits) -> None:
    """The profile's row sees the version that the model's negotiation gives, and so does the oracle."""
    in_force = (
        None if gpu.range_min is None or gpu.range_max is None else VersionRange(gpu.range_min, gpu.range_max)
    )
    wanted = negotiate(guest_minimum=vgpu.guest_min, guest_maximum=vgpu.guest_max, host_range=in_force)
    assert fresh_version(vgpu, gpu) == wanted
    seen = {piece.rule: piece.seen for piece in check(vgpu, gpu, Profile.RENEGOTIATING_RESUME).evidence}.get(
        "renegotiating-resume"
    )
    if wanted is not None and vgpu.guest_info and wanted != vgpu.version:
        assert seen is not None
        assert seen["pair.renegotiated"] == f"{wanted:#x}"
    else:
        assert seen is None


def test_several_vgpus_are_judged_together() -> None:
    """States are intersected, limits joined, and what both vgpus say is kept once."""
    gpu = a_gpu(migration=False, **UNKNOWN_RANGE)
    first, second = a_vgpu(**UNREPORTED), a_vgpu(migration=False)
    both = combine([check(first, gpu), check(second, gpu)])
    assert both.states == States.COLD
    assert both.limits == Limits.OTHER | Limits.GPU
    assert [piece.rule for piece in both.evidence] == [
        "guest-info",
        "gpu-migration-off",
        "vgpu-migration-off",
    ]
    assert both.unknown == UNKNOWN_TARGET
    assert combine([check(first, gpu)]) == check(first, gpu)
