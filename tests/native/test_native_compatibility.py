"""The library's verdict on two records is Python's, whatever the records are."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.native.host import serving
from tests.snapshot.hosts import a_full_host

from vgpu_migrate import facts
from vgpu_migrate.compat.record import gpu_record, vgpu_record
from vgpu_migrate.compat.traits import GpuTraits, VgpuTraits
from vgpu_migrate.hosts.simulated import SimulatedHost
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import NvmlError
from vgpu_migrate.snapshot import Publisher

ANSWER = 8
PAIRS = 3000
VERSIONS = (0, 0x70001, 0x120001, 0x130001, 0x140001, 0x180001)
DRIVERS = ("550.54.16", "550.90.05", "", "5" * 63, "5" * 64, "5" * 79)
LAYOUTS = ((), (3, 3), (1, 1, 2, 3), (7,))
BOARDS = ("L40S", "A100", "A40", "T4", "M10", "RTX Pro 6000 Blackwell DC")


class Judges(NamedTuple):
    """The library and Python, asked the same."""

    nvml: ctypes.CDLL
    host: SimulatedHost

    def agree(self, vgpu: bytes, gpu: bytes) -> tuple[int, bytes]:
        """The common answer: a code, and eight bytes that were not touched unless it is 0."""
        out = ctypes.create_string_buffer(b"\xa5" * ANSWER, ANSWER)
        code = self.nvml.nvmlGetVgpuCompatibility(vgpu, gpu, out)
        try:
            wanted = 0, self.host.compatibility(vgpu, gpu).to_bytes()
        except NvmlError as error:
            wanted = int(error.code), b"\xa5" * ANSWER
        assert (code, out.raw) == wanted, (vgpu.hex(), gpu.hex())
        return wanted


@pytest.fixture(params=list(Profile), ids=str)
def judges(
    request: pytest.FixtureRequest, load_again: Callable[[], ctypes.CDLL], tmp_path: Path
) -> Iterator[Judges]:
    """Both judges under each profile."""
    state = a_full_host().state
    manager = VgpuManager(type(state)(host=state.host, profile=request.param))
    with ExitStack() as stack:
        publisher = stack.enter_context(Publisher(manager.state))
        stack.enter_context(serving(publisher, tmp_path / "socket"))
        nvml = load_again()
        assert nvml.nvmlInit_v2() == 0
        yield Judges(nvml, SimulatedHost(manager))


def some_vgpu(chance: random.Random) -> bytes:
    """A valid record of a vgpu, of any kind."""
    vgpu_type = chance.choice(facts.types_of_board(chance.choice(BOARDS)))
    has_source, reported = chance.random() < 0.8, chance.random() < 0.8
    traits = VgpuTraits(
        board=vgpu_type.board,
        type=vgpu_type.short,
        mig_backed=vgpu_type.is_mig_backed,
        guest_info=reported,
        version=chance.choice(VERSIONS),
        guest_min=chance.choice((None, *VERSIONS)),
        guest_max=chance.choice((None, *VERSIONS)),
        host_driver=chance.choice(DRIVERS) if has_source else None,
        ecc=chance.random() < 0.5 if has_source else None,
        sriov=chance.random() < 0.5 if has_source else None,
        topology=chance.choice((0, 1)) if has_source else None,
        mig=chance.choice(LAYOUTS) if has_source else None,
        migration=chance.random() < 0.8,
    )
    return vgpu_record(traits, guest_driver="550.54.14")


def some_gpu(chance: random.Random) -> bytes:
    """A valid record of a gpu, of any kind."""
    board = chance.choice(BOARDS)
    offered = [one.short for one in facts.types_of_board(board)]
    lists_types = chance.random() < 0.5
    has_range = chance.random() < 0.9
    traits = GpuTraits(
        board=board,
        mig_enabled=False,
        types=frozenset(chance.sample(offered, 3)) if lists_types else None,
        range_min=chance.choice(VERSIONS) if has_range else None,
        range_max=chance.choice(VERSIONS) if has_range else None,
        preset_min=chance.choice(VERSIONS) if has_range else None,
        preset_max=chance.choice(VERSIONS) if has_range else None,
        host_driver=chance.choice(DRIVERS[:4] if lists_types else DRIVERS),
        ecc=chance.random() < 0.5,
        sriov=chance.random() < 0.5,
        topology=chance.choice((0, 1)),
        mig=chance.choice(LAYOUTS),
        migration=chance.random() < 0.8,
    )
    return gpu_record(traits)


def mutated(chance: random.Random, record: bytes) -> bytes:
    """The record with a few of its bytes or bits changed."""
    changed = bytearray(record)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed))
        changed[at] = chance.choice(
            (0, 1, 0xFF, changed[at] ^ 1 << chance.randrange(8), chance.randrange(256))
        )
    return bytes(changed)


def test_valid_records_get_the_same_verdict(judges: Judges) -> None:
    """Records of every kind, and every pairing of them, are judged alike and never refused."""
    chance = random.Random(1)
    verdicts = {judges.agree(some_vgpu(chance), some_gpu(chance)) for _ in range(PAIRS)}
    assert {code for code, _ in verdicts} == {0}
    assert len(verdicts) > 8


def test_records_of_a_published_host_get_the_same_verdict(judges: Judges) -> None:
    """What the library itself hands out is judged alike, the source's own gpu as LIVE without a limit."""
    manager = a_full_host(1)
    host = SimulatedHost(manager)
    gpu = host.gpus()[0].id
    vgpu = host.instance_metadata(host.active_vgpus(gpu)[0].instance)
    judges.agree(vgpu, host.gpu_metadata(gpu))


def test_mutated_records_are_refused_or_judged_alike(judges: Judges) -> None:
    """A record with a changed byte is refused by both, or both find the same verdict."""
    chance = random.Random(2)
    codes = set()
    for _ in range(PAIRS):
        vgpu, gpu = some_vgpu(chance), some_gpu(chance)
        changes_vgpu = chance.random() < 0.5
        vgpu = mutated(chance, vgpu) if changes_vgpu else vgpu
        gpu = gpu if changes_vgpu else mutated(chance, gpu)
        codes.add(judges.agree(vgpu, gpu)[0])
    assert codes == {0, 2}


def test_random_and_swapped_bytes_are_refused(judges: Judges) -> None:
    """Bytes that are no record of ours, or the other structure's record, answer INVALID_ARGUMENT."""
    chance = random.Random(3)
    vgpu, gpu = some_vgpu(chance), some_gpu(chance)
    assert judges.agree(gpu.ljust(212, b"\0"), vgpu[:128])[0] == 2
    for _ in range(PAIRS):
        assert judges.agree(chance.randbytes(212), gpu)[0] == 2
        assert judges.agree(vgpu, chance.randbytes(128))[0] == 2
