"""What a verdict says: the values each row saw, and the remedy that was thought through for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.factories import DRIVERS, NO_SOURCE, UNREPORTED, a_gpu, a_vgpu, pairs

from vgpu_migrate import facts
from vgpu_migrate.compat import Evidence, GpuTraits, VgpuTraits, check, rules
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import ALL_STATES, Limits, States

ADMINISTRATOR = "administrator-range"
OR_NOT_LIVE = "or move the VM hibernated or powered off"


def a_range(low: int, high: int, preset: tuple[int, int] | None = None) -> dict[str, Any]:
    """A target's range in force, and its preset range where that differs."""
    preset_min, preset_max = preset or (low, high)
    return {"range_min": low, "range_max": high, "preset_min": preset_min, "preset_max": preset_max}


def evidence(vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile = Profile.DEFAULT) -> dict[str, Evidence]:
    """The evidence by rule."""
    return {piece.rule: piece for piece in check(vgpu, gpu, profile).evidence}


R550, R535, R580, R595 = (
    a_range(*preset)
    for preset in ((0x70001, 0x140001), (0x70001, 0x120001), (0x120001, 0x1A0001), (0x180001, 0x1C0001))
)


@pytest.mark.parametrize(
    ("driver", "preset"),
    [("550.54.16", R550), ("535.161.05", R535), ("580.65.05", R580), ("595.58.02", R595)],
)
def test_the_ranges_of_the_examples_are_the_drivers(driver: str, preset: dict[str, int]) -> None:
    """The ranges used below are those that the tables give for these branches."""
    known = facts.host_driver(driver).preset_range
    assert known == (preset["preset_min"], preset["preset_max"])


@pytest.mark.parametrize(
    ("vgpu", "gpu", "profile", "states", "limits"),
    [
        pytest.param(
            a_vgpu(guest_max=0x180002),
            a_gpu(**R580),
            Profile.DEFAULT,
            ALL_STATES,
            Limits.NONE,
            id="R570 guest of an R550 host to R580",
        ),
        pytest.param(
            a_vgpu(guest_max=0x180002),
            a_gpu(**R580),
            Profile.RENEGOTIATING_RESUME,
            States.LIVE | States.COLD,
            Limits.HOST_DRIVER,
            id="the same, where a resume negotiates again",
        ),
        pytest.param(
            a_vgpu(guest_max=0x180002),
            a_gpu(**R595),
            Profile.DEFAULT,
            States.COLD,
            Limits.GUEST_DRIVER,
            id="the same to R595",
        ),
        pytest.param(
            a_vgpu(version=0x180002, guest_max=0x180002),
            a_gpu(**a_range(0x120001, 0x180001)),
            Profile.DEFAULT,
            States.COLD,
            Limits.HOST_DRIVER,
            id="R570 guest at 18.2 to a host at 18.1",
        ),
        pytest.param(
            a_vgpu(version=0x120001, guest_max=0x120001),
            a_gpu(**R595),
            Profile.DEFAULT,
            States.NONE,
            Limits.GUEST_DRIVER,
            id="R535 guest to R595",
        ),
        pytest.param(
            a_vgpu(guest_min=0x140001),
            a_gpu(**R535),
            Profile.DEFAULT,
            States.NONE,
            Limits.HOST_DRIVER,
            id="R550 guest to R535",
        ),
    ],
)
def test_the_worked_examples(
    vgpu: VgpuTraits, gpu: GpuTraits, profile: Profile, states: States, limits: Limits
) -> None:
    """The five worked examples of the research, the first under two profiles, come out as worked."""
    verdict = check(vgpu, gpu, profile)
    assert (verdict.states, verdict.limits, verdict.unknown) == (states, limits, ())


def test_no_hit_has_no_evidence() -> None:
    """A pair on which no row hits has all states, no limit, no evidence, and nothing unknown."""
    verdict = check(a_vgpu(), a_gpu())
    assert (verdict.states, verdict.limits, verdict.evidence, verdict.unknown) == (ALL_STATES, 0, (), ())
    assert verdict.is_live


CASES: list[tuple[str, VgpuTraits, GpuTraits, Profile, dict[str, str], str, str | None]] = [
    (
        "board",
        a_vgpu("A40-8Q"),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.board": "A40", "gpu.board": "L40S"},
        "choose a gpu of board A40",
        None,
    ),
    (
        "board",
        a_vgpu("A100-3-20C"),
        a_gpu("A100"),
        Profile.DEFAULT,
        {"vgpu.mig_backed": "yes", "gpu.mig_enabled": "no"},
        "choose a gpu in MIG mode, or enable MIG on this one while it is empty",
        None,
    ),
    (
        "board",
        a_vgpu("A100-20C"),
        a_gpu("A100", mig=(3, 3)),
        Profile.DEFAULT,
        {"vgpu.mig_backed": "no", "gpu.mig_enabled": "yes"},
        "choose a gpu that is not in MIG mode, or disable MIG on this one while it is empty",
        None,
    ),
    (
        "board",
        a_vgpu("A100-20C"),
        a_gpu("A100X", mig=(3, 3)),
        Profile.DEFAULT,
        {"vgpu.board": "A100", "gpu.board": "A100X", "vgpu.mig_backed": "no", "gpu.mig_enabled": "yes"},
        "choose a gpu of board A100",
        None,
    ),
    (
        "type",
        a_vgpu(),
        a_gpu(types=frozenset({"L40S-8Q", "L40S-1B"})),
        Profile.DEFAULT,
        {"vgpu.type": "L40S-12Q", "gpu.types": "L40S-1B, L40S-8Q"},
        "choose a gpu that offers L40S-12Q, or have this one offer it",
        None,
    ),
    (
        "guest-info",
        a_vgpu(**UNREPORTED),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.guest_info": "no"},
        "check again when the guest driver has loaded and reported, or move the VM powered off",
        None,
    ),
    (
        "guest-info",
        a_vgpu(**UNREPORTED | {"guest_min": None, "guest_max": None}),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.guest_info": "no"},
        "check again when the guest driver has loaded and reported; if no table has that driver, "
        "the fleet file can name the version it holds; or move the VM powered off",
        None,
    ),
    (
        "guest-older",
        a_vgpu(guest_max=0x180002),
        a_gpu(**R595),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x140001", "gpu.range_min": "0x180001"},
        "a guest reboot suffices: started afresh on the target, "
        "the guest driver reaches 0x180002 and negotiates 0x180002",
        None,
    ),
    (
        "guest-older",
        a_vgpu(version=0x120001, guest_max=0x120001),
        a_gpu(**R595),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x120001", "gpu.range_min": "0x180001"},
        "upgrade the guest driver to one that reaches 0x180001; this one ends at 0x120001",
        None,
    ),
    (
        "guest-older",
        a_vgpu(guest_max=None),
        a_gpu(**R595),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x140001", "gpu.range_min": "0x180001"},
        "reboot the guest if its driver reaches 0x180001, which is not known; else upgrade the guest driver",
        None,
    ),
    (
        "guest-older",
        a_vgpu(version=0x120001, guest_max=0x120001),
        a_gpu(**a_range(0x140001, 0x140001, (0x70001, 0x140001))),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x120001", "gpu.range_min": "0x140001"},
        "empty the host and lift the range: its preset 0x70001-0x140001 admits 0x120001",
        ADMINISTRATOR,
    ),
    (
        "guest-older",
        a_vgpu(version=0x120001),
        a_gpu(**a_range(0x140001, 0x140001, (0x70001, 0x140001))),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x120001", "gpu.range_min": "0x140001"},
        "empty the host and lift the range: its preset 0x70001-0x140001 admits 0x120001; "
        "or a guest reboot suffices: started afresh on the target, the guest driver negotiates 0x140001",
        ADMINISTRATOR,
    ),
    (
        "guest-older",
        a_vgpu(version=0x70001, guest_min=0x1B0001, guest_max=0x1C0001),
        a_gpu(**R580),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x70001", "gpu.range_min": "0x120001"},
        "choose a host whose range includes 0x70001",
        None,
    ),
    (
        "guest-newer",
        a_vgpu(),
        a_gpu(**R535),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x140001", "gpu.range_max": "0x120001"},
        "move it powered off: a fresh start there negotiates 0x120001; "
        "or upgrade the target's host driver to one that reaches 0x140001",
        None,
    ),
    (
        "guest-newer",
        a_vgpu(guest_min=0x140001),
        a_gpu(**R535),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x140001", "gpu.range_max": "0x120001"},
        "upgrade the target's host driver to one that reaches 0x140001",
        None,
    ),
    (
        "guest-newer",
        a_vgpu(),
        a_gpu(**a_range(0x70001, 0x120001, (0x70001, 0x140001))),
        Profile.DEFAULT,
        {"vgpu.guest_info": "yes", "vgpu.version": "0x140001", "gpu.range_max": "0x120001"},
        "empty the host and lift the range: its preset 0x70001-0x140001 admits 0x140001",
        ADMINISTRATOR,
    ),
    (
        "guest-driver-older",
        a_vgpu(guest_max=0x120001, **UNREPORTED),
        a_gpu(**R595),
        Profile.DEFAULT,
        {"vgpu.guest_max": "0x120001", "gpu.range_min": "0x180001"},
        "upgrade the guest driver to one that reaches 0x180001; this one ends at 0x120001",
        None,
    ),
    (
        "guest-driver-older",
        a_vgpu(guest_max=0x120001, version=0x120001),
        a_gpu(**a_range(0x140001, 0x140001, (0x70001, 0x140001))),
        Profile.DEFAULT,
        {"vgpu.guest_max": "0x120001", "gpu.range_min": "0x140001"},
        "empty the host and lift the range: its preset 0x70001-0x140001 admits 0x120001",
        ADMINISTRATOR,
    ),
    (
        "guest-driver-newer",
        a_vgpu(guest_min=0x140001),
        a_gpu(**R535),
        Profile.DEFAULT,
        {"vgpu.guest_min": "0x140001", "gpu.range_max": "0x120001"},
        "upgrade the target's host driver to one that reaches 0x140001, or install an older guest driver",
        None,
    ),
    (
        "guest-driver-newer",
        a_vgpu(guest_min=0x140001),
        a_gpu(**a_range(0x70001, 0x120001, (0x70001, 0x140001))),
        Profile.DEFAULT,
        {"vgpu.guest_min": "0x140001", "gpu.range_max": "0x120001"},
        "empty the host and lift the range: its preset 0x70001-0x140001 admits 0x140001",
        ADMINISTRATOR,
    ),
    (
        "gpu-config",
        a_vgpu(ecc=False),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.ecc": "off", "gpu.ecc": "on"},
        f"switch the target gpu's ECC off (it must be empty; takes a reset); {OR_NOT_LIVE}",
        None,
    ),
    (
        "gpu-config",
        a_vgpu(sriov=False),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.sriov": "off", "gpu.sriov": "on"},
        f"switch the target gpu's SR-IOV off; {OR_NOT_LIVE}",
        None,
    ),
    (
        "gpu-config",
        a_vgpu(topology=0x20),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.topology": "0x20", "gpu.topology": "0"},
        f"choose a gpu whose topology word is 0x20; {OR_NOT_LIVE}",
        None,
    ),
    (
        "gpu-config",
        a_vgpu("A100-3-20C", mig=(3, 3)),
        a_gpu("A100", mig=(4, 3)),
        Profile.DEFAULT,
        {"vgpu.mig": "3+3", "gpu.mig": "4+3"},
        f"give the target gpu the MIG layout 3+3; {OR_NOT_LIVE}",
        None,
    ),
    (
        "gpu-config",
        a_vgpu("A100-3-20C", mig=(3, 4), ecc=False, sriov=False, topology=3),
        a_gpu("A100", mig=(4, 3)),
        Profile.DEFAULT,
        {
            "vgpu.ecc": "off",
            "gpu.ecc": "on",
            "vgpu.sriov": "off",
            "gpu.sriov": "on",
            "vgpu.topology": "3",
            "gpu.topology": "0",
            "vgpu.mig": "3+4",
            "gpu.mig": "4+3",
        },
        "switch the target gpu's ECC off (it must be empty; takes a reset); "
        "switch the target gpu's SR-IOV off; choose a gpu whose topology word is 3; "
        f"give the target gpu the MIG layout 3+4; {OR_NOT_LIVE}",
        None,
    ),
    (
        "gpu-migration-off",
        a_vgpu(),
        a_gpu(migration=False),
        Profile.DEFAULT,
        {"gpu.migration": "off"},
        "choose a gpu that can migrate vgpus, or enable migration on the target's vGPU Manager",
        None,
    ),
    (
        "vgpu-migration-off",
        a_vgpu(migration=False),
        a_gpu(),
        Profile.DEFAULT,
        {"vgpu.migration": "off"},
        "stop debuggers and profilers and leave off unified memory in the guest, or enable migration "
        "on its own gpu; or move the VM hibernated or powered off",
        None,
    ),
    (
        "identical-host-drivers",
        a_vgpu(),
        a_gpu(host_driver=DRIVERS[1]),
        Profile.IDENTICAL_HOST_DRIVERS,
        {"vgpu.host_driver": "550.54.16", "gpu.host_driver": "535.161.05"},
        "choose a host with driver 550.54.16, or install it on the target",
        None,
    ),
    (
        "renegotiating-resume",
        a_vgpu(guest_max=0x180002),
        a_gpu(**R580),
        Profile.RENEGOTIATING_RESUME,
        {"vgpu.guest_info": "yes", "pair.renegotiated": "0x180002", "vgpu.version": "0x140001"},
        "move it live, or powered off; a resume there would negotiate 0x180002 instead of 0x140001",
        None,
    ),
]


@pytest.mark.parametrize(
    ("rule", "vgpu", "gpu", "profile", "seen", "remedy", "by"),
    CASES,
    ids=[f"{number:02}-{case[0]}" for number, case in enumerate(CASES)],
)
def test_what_a_row_says(
    rule: str,
    vgpu: VgpuTraits,
    gpu: GpuTraits,
    profile: Profile,
    seen: dict[str, str],
    remedy: str,
    by: str | None,
) -> None:
    """Each row, in each branch of its remedy, tells what it saw, its basis and source, and what helps."""
    row = next(row for row in rules() if row.id == rule)
    assert evidence(vgpu, gpu, profile)[rule] == Evidence(rule, seen, row.basis, row.source, remedy, by)


def test_the_cases_reach_every_remedy() -> None:
    """No branch of a remedy is left without a case above."""
    reached = {rule: {case[5] for case in CASES if case[0] == rule} for rule in {case[0] for case in CASES}}
    for row in rules():
        wanted = len(row.remedies) - 1 if row.all_remedies else len(row.remedies)
        assert len(reached[row.id]) >= wanted, row.id


@given(pairs(), st.sampled_from(Profile))
def test_an_administrators_range_is_never_a_drivers_fault(
    pair: tuple[VgpuTraits, GpuTraits], profile: Profile
) -> None:
    """Where the preset range admits what the range in force excludes, the remedy names the administrator."""
    vgpu, gpu = pair
    found = evidence(vgpu, gpu, profile)
    at_fault = {
        "guest-older": vgpu.version,
        "guest-newer": vgpu.version,
        "guest-driver-older": vgpu.guest_max,
        "guest-driver-newer": vgpu.guest_min,
    }
    for rule, value in at_fault.items():
        if rule in found:
            assert value is not None
            preset = (gpu.preset_min, gpu.preset_max)
            admitted = None not in preset and preset[0] <= value <= preset[1]  # type: ignore[operator]
            assert (found[rule].by == ADMINISTRATOR) == admitted
            assert found[rule].remedy.startswith("empty the host and lift the range") == admitted
            assert not (admitted and "upgrade" in found[rule].remedy)
    assert all(piece.by is None for rule, piece in found.items() if rule not in at_fault)


@given(pairs(), st.sampled_from(Profile))
def test_evidence_is_filled_in(pair: tuple[VgpuTraits, GpuTraits], profile: Profile) -> None:
    """Every piece names a row and its source, has a remedy without gaps, and tells only known values."""
    vgpu, gpu = pair
    for rule, piece in evidence(vgpu, gpu, profile).items():
        row = next(row for row in rules() if row.id == rule)
        assert (piece.basis, piece.source) == (row.basis, row.source)
        assert piece.remedy
        assert not set("{}") & set(piece.remedy)
        assert piece.seen
        assert "unknown" not in piece.seen.values()


def test_a_guest_reboot_suffices_if_and_only_if_the_driver_reaches_the_range() -> None:
    """Over all maxima around a target's minimum, the remedy of guest-older turns at that minimum."""
    gpu = a_gpu(**R595)
    for newest in range(0x17FFF0, 0x180010):
        remedy = evidence(a_vgpu(guest_max=newest), gpu)["guest-older"].remedy
        assert ("a guest reboot suffices" in remedy) == (newest >= 0x180001)
        assert ("upgrade the guest driver" in remedy) == (newest < 0x180001)


def test_a_hibernated_vm_is_not_told_of_a_source() -> None:
    """Without a source gpu there is nothing to compare, so no piece of evidence speaks of one."""
    found = evidence(a_vgpu(**NO_SOURCE), a_gpu(ecc=False, sriov=False, host_driver="1.1"))
    assert found == {}
