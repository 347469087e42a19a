"""Traits to test with, the small domain of them, and random ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement, product
from typing import Any

from hypothesis import strategies as st

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, VgpuTraits

TYPES = ("A100-20C", "A100-40C", "A100-3-20C", "L40S-12Q")
BOARDS = ("A100", "L40S")
VERSIONS = (1, 2, 3)
DRIVERS = ("550.54.16", "535.161.05")


def a_vgpu(vgpu_type: str = "L40S-12Q", **changes: Any) -> VgpuTraits:
    """The traits of a running vgpu that suits `a_gpu()` in every respect."""
    row = facts.vgpu_type(vgpu_type)
    fields: dict[str, Any] = {
        "board": row.board,
        "type": row.short,
        "mig_backed": row.is_mig_backed,
        "guest_info": True,
        "version": 0x140001,
        "guest_min": 0x70001,
        "guest_max": 0x140001,
        "host_driver": DRIVERS[0],
        "ecc": True,
        "sriov": True,
        "topology": 0,
        "mig": (3,) if row.is_mig_backed else (),
        "migration": True,
    }
    return VgpuTraits(**fields | changes)


def a_gpu(board: str = "L40S", **changes: Any) -> GpuTraits:
    """The traits of a gpu that suits `a_vgpu()`; `mig` decides whether it is in MIG mode."""
    fields: dict[str, Any] = {
        "board": board,
        "mig_enabled": bool(changes.get("mig", ())),
        "types": None,
        "range_min": 0x70001,
        "range_max": 0x140001,
        "preset_min": 0x70001,
        "preset_max": 0x140001,
        "host_driver": DRIVERS[0],
        "ecc": True,
        "sriov": True,
        "topology": 0,
        "mig": (),
        "migration": True,
    }
    return GpuTraits(**fields | changes)


NO_SOURCE: dict[str, Any] = {"host_driver": None, "ecc": None, "sriov": None, "topology": None, "mig": None}
"""What a VM without a gpu knows of its source."""

UNREPORTED: dict[str, Any] = {"guest_info": False, "version": None}
UNKNOWN_RANGE: dict[str, Any] = {"range_min": None, "range_max": None, "preset_min": None, "preset_max": None}


def guests() -> Iterator[dict[str, Any]]:
    """Every guest: reported with some version or not, each bound of its driver known or not."""
    for version, guest_min, guest_max in product((None, *VERSIONS), (None, *VERSIONS), (None, *VERSIONS)):
        yield {
            "guest_info": version is not None,
            "version": version,
            "guest_min": guest_min,
            "guest_max": guest_max,
        }


def ranges() -> Iterator[dict[str, Any]]:
    """Every range in force over the small versions, and an unknown one."""
    yield {"range_min": None, "range_max": None}
    for low, high in combinations_with_replacement(VERSIONS, 2):
        yield {"range_min": low, "range_max": high}


def sources() -> Iterator[dict[str, Any]]:
    """Every source gpu, and none."""
    yield NO_SOURCE
    yield from configurations()


def configurations() -> Iterator[dict[str, Any]]:
    """Every configuration of a gpu and its host: ECC, SR-IOV, topology, MIG layout, host driver."""
    for ecc, sriov, topology, mig, driver in product(
        (True, False), (True, False), (0, 9), ((), (3, 3)), DRIVERS
    ):
        yield {"ecc": ecc, "sriov": sriov, "topology": topology, "mig": mig, "host_driver": driver}


def listings(board: str) -> tuple[frozenset[str] | None, ...]:
    """Types not listed, none listed, one of the board's listed."""
    return (
        None,
        frozenset(),
        frozenset({next(name for name in TYPES if facts.vgpu_type(name).board == board)}),
    )


def hardware_vgpus() -> Iterator[VgpuTraits]:
    """Every vgpu by its type, source and capability, one guest."""
    for name, source, migration in product(TYPES, sources(), (True, False)):
        yield a_vgpu(name, version=2, guest_min=1, guest_max=3, migration=migration, **source)


def hardware_gpus() -> Iterator[GpuTraits]:
    """Every gpu by its board, listed types, configuration and capability, one range."""
    for board, configuration, migration in product(BOARDS, configurations(), (True, False)):
        for types in listings(board):
            yield a_gpu(board, range_min=1, range_max=3, types=types, migration=migration, **configuration)


def guest_vgpus() -> Iterator[VgpuTraits]:
    """Every guest on vgpus of two types, with the source's driver and capability either way."""
    for name, guest, driver, migration in product(TYPES[1:3], guests(), DRIVERS, (True, False)):
        yield a_vgpu(name, mig=(), host_driver=driver, migration=migration, **guest)


def guest_gpus() -> Iterator[GpuTraits]:
    """Every range on gpus that differ in MIG, ECC and capability."""
    for in_force, mig, ecc, migration in product(ranges(), ((), (3,)), (True, False), (True, False)):
        yield a_gpu("A100", ecc=ecc, migration=migration, mig=mig, **in_force)


_words = st.integers(0, 2**32 - 1)
_versions = st.one_of(st.integers(1, 6), st.integers(1, 2**32 - 1))
_types = st.sampled_from(sorted(facts.vgpu_types()))
_boards = st.sampled_from(sorted(facts.boards()))
_drivers = st.one_of(st.sampled_from(DRIVERS), st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,4}){1,3}\Z"))
_layouts = st.lists(st.integers(1, 7), max_size=7).map(tuple)


def _subsets(names: Iterable[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(sorted(names)))


@st.composite
def vgpu_traits(draw: st.DrawFn, names: st.SearchStrategy[str] = _types) -> VgpuTraits:
    """Any traits that a vgpu can have."""
    row = facts.vgpu_type(draw(names))
    reported = draw(st.booleans())
    source = NO_SOURCE
    if draw(st.booleans()):
        source = {
            "host_driver": draw(_drivers),
            "ecc": draw(st.booleans()),
            "sriov": draw(st.booleans()),
            "topology": draw(_words),
            "mig": draw(_layouts),
        }
    return a_vgpu(
        row.short,
        guest_info=reported,
        version=draw(_versions | st.just(0)) if reported else None,
        guest_min=draw(st.none() | _versions),
        guest_max=draw(st.none() | _versions),
        migration=draw(st.booleans()),
        **source,
    )


@st.composite
def gpu_traits(draw: st.DrawFn, boards: st.SearchStrategy[str] = _boards) -> GpuTraits:
    """Any traits that a gpu can have."""
    board = draw(boards)
    known = dict(UNKNOWN_RANGE)
    if draw(st.booleans()):
        low, in_low, in_high, high = sorted(draw(st.tuples(_versions, _versions, _versions, _versions)))
        known = {"range_min": in_low, "range_max": in_high, "preset_min": None, "preset_max": None}
        if draw(st.booleans()):
            known |= {"preset_min": low, "preset_max": high}
    return a_gpu(
        board,
        types=draw(st.none() | _subsets(item.short for item in facts.types_of_board(board))),
        host_driver=draw(_drivers),
        ecc=draw(st.booleans()),
        sriov=draw(st.booleans()),
        topology=draw(_words),
        mig=draw(_layouts),
        migration=draw(st.booleans()),
        **known,
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[VgpuTraits, GpuTraits]:
    """A vgpu and a gpu that are likely to have something in common."""
    vgpu = draw(vgpu_traits())
    gpu = draw(gpu_traits(st.just(vgpu.board) | _boards))
    shared = draw(st.sets(st.sampled_from(("ecc", "sriov", "topology", "mig", "host_driver"))))
    if vgpu.ecc is not None:
        vgpu = a_vgpu(
            vgpu.type,
            **{
                name: getattr(gpu if name in shared else vgpu, name)
                for name in VgpuTraits.__struct_fields__
                if name not in ("board", "type", "mig_backed")
            },
        )
    return vgpu, gpu
