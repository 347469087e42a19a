"""The hook's entry point over rule, guest state, record and operation: no wrong pass and no wrong refusal.

What is right is said by the oracle of the rules' tests, which shares nothing with the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.compat.factories import NO_SOURCE, UNREPORTED, a_vgpu
from tests.compat.oracle import LIVE, SLEEP, judge
from tests.vmm.guests import (
    LATER,
    a_domain,
    an_element,
    asked,
    mdev,
    of_traits,
    settings_for,
    some_records,
    xenserver,
)

from vgpu_migrate.compat import GpuTraits, VgpuTraits
from vgpu_migrate.compat.record import read_gpu_record
from vgpu_migrate.testing import simulated_hosts
from vgpu_migrate.vmm.domain_element import GuestState, SavedVgpu

FLEET = """
domains:
  identical: {profile: identical-host-drivers}
  renegotiating: {profile: renegotiating-resume}
hosts:
  - {id: same, driver: 550.54.16, gpus: [{board: L40S}]}
  - {id: no-ecc, driver: 550.54.16, gpus: [{board: L40S, ecc: false}]}
  - {id: no-sriov, driver: 550.54.16, gpus: [{board: L40S, sriov: false}]}
  - {id: narrowed, driver: 550.54.16, range: [0x70001, 0x120001], gpus: [{board: L40S}]}
  - {id: raised, driver: 550.54.16, range: [0x130001, 0x140001], gpus: [{board: L40S}]}
  - {id: newer, driver: 580.65.05, gpus: [{board: L40S}]}
  - {id: board, driver: 550.54.16, gpus: [{board: A40}]}
  - {id: migration-off, driver: 550.54.16, gpus: [{board: L40S, migration: false}]}
  - {id: mixed, driver: 550.54.16, gpus: [{board: L40S, ecc: false}, {board: L40S}, {board: T4}]}
  - {id: types, driver: 550.54.16, gpus: [{board: L40S, types: [L40S-24Q]}]}
  - {id: mig, driver: 550.54.16, gpus: [{board: A100, mig: [3, 3]}]}
  - {id: identical, domain: identical, driver: 550.54.16, gpus: [{board: L40S}]}
  - {id: renegotiating, domain: renegotiating, driver: 550.54.16, gpus: [{board: L40S}]}
"""
PROFILES = {"identical": "identical-host-drivers", "renegotiating": "renegotiating-resume"}

VGPUS = (
    a_vgpu(),
    a_vgpu(**UNREPORTED),
    a_vgpu(**NO_SOURCE),
    a_vgpu(ecc=False),
    a_vgpu(sriov=False),
    a_vgpu(topology=9),
    a_vgpu(migration=False),
    a_vgpu(host_driver="535.161.05"),
    a_vgpu("L40S-24Q"),
    a_vgpu("A40-12Q"),
    a_vgpu("T4-8Q", sriov=False),
    a_vgpu("A100-3-20C", mig=(3, 3)),
    a_vgpu("A100-3-20C"),
    a_vgpu("A100-20C"),
    *(
        a_vgpu(version=version, guest_min=low, guest_max=high)
        for version, low, high in (
            (0x60001, 0x60001, 0x60001),
            (0x70001, 0x70001, 0x120001),
            (0x120001, 0x70001, 0x120001),
            (0x120001, None, 0x140001),
            (0x120001, 0x120001, None),
            (0x130001, 0x120001, 0x130001),
            (0x130001, 0x130001, 0x180001),
            (0x140001, 0x140001, 0x150001),
            (0x180001, 0x150001, 0x180001),
            (0x180001, None, None),
        )
    ),
    a_vgpu(ecc=False, migration=False),
    a_vgpu(ecc=False, version=0x120001, guest_max=0x130001),
    a_vgpu(guest_info=False, version=None, guest_min=None, guest_max=None, ecc=False),
)
KINDS = ("live", "saved", "damaged", "stale", "absent")
OPERATIONS = ("migrate", "restore")


class Target(NamedTuple):
    """A live host, its profile, what the rules see of its gpus, and the hook's settings there."""

    id: str
    profile: str
    gpus: tuple[GpuTraits, ...]
    settings: Path


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, ...]]:
    """Every host of the fleet, alive."""
    with ExitStack() as stack:
        hosts = stack.enter_context(simulated_hosts(FLEET))
        yield tuple(
            Target(
                host.id,
                PROFILES.get(host.id, "default"),
                tuple(read_gpu_record(host.gpu_metadata(gpu.id)) for gpu in host.gpus()),
                settings_for(tmp_path_factory.mktemp("settings"), host.socket),
            )
            for host in hosts
        )


def xml_of(vgpu: VgpuTraits, kind: str, state: GuestState) -> bytes:
    """A guest whose record is of this kind."""
    record = of_traits(vgpu)
    if kind == "absent":
        return a_domain(devices=[mdev()])
    if kind == "saved":
        return a_domain(xenserver(record))
    good = some_records(SavedVgpu(record, vgpu.type), state=state)
    if kind == "stale":
        return a_domain(an_element(some_records(SavedVgpu(record), state=state, last_boot=LATER)))
    element = an_element(good)
    return a_domain(element.replace(b'boot="2026', b'boot="2025', 1) if kind == "damaged" else element)


def is_right(target: Target, vgpu: VgpuTraits, kind: str, state: GuestState) -> bool:
    """Whether the guest may go on: by the oracle where its record can be used, else never."""
    if kind not in ("live", "saved"):
        return False
    # XenServer's form does not say that a guest sleeps.
    wanted = SLEEP if state is GuestState.SLEEPING and kind == "live" else LIVE
    return any(judge(vgpu, gpu, target.profile).states & wanted for gpu in target.gpus)


def test_no_wrong_pass_and_no_wrong_refusal(targets: tuple[Target, ...]) -> None:
    """Of more than ten thousand calls each passes if and only if the rules allow the guest's state there."""
    wrong, asked_for, passed = [], 0, 0
    for target, vgpu, kind, state in product(targets, VGPUS, KINDS, GuestState):
        xml, right = xml_of(vgpu, kind, state), is_right(target, vgpu, kind, state)
        for operation in OPERATIONS:
            found = asked(xml, target.settings, operation=operation)
            asked_for += 1
            passed += found.status == 0
            if (found.status == 0, found.out, bool(found.said)) != (right, b"", not right):
                wrong.append((target.id, vgpu, kind, state, operation, found))
    assert wrong == []
    assert asked_for == len(targets) * len(VGPUS) * len(KINDS) * 3 * 2 >= 10_000
    assert 500 < passed < asked_for / 2


def test_every_rule_decides_somewhere_in_the_product(targets: tuple[Target, ...]) -> None:
    """Each row of the table hits a pair of the product above, and some pair hits none."""
    hits = {
        rule
        for target, vgpu in product(targets, VGPUS)
        for gpu in target.gpus
        for rule in judge(vgpu, gpu, target.profile).rules or ("none",)
    }
    assert hits == {
        "none",
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
    }
