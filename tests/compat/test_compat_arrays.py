"""Whole arrays against one pair at a time: the same table, the same answers, also after gpus change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.compat.factories import (
    DRIVERS,
    TYPES,
    UNKNOWN_RANGE,
    a_gpu,
    a_vgpu,
    gpu_traits,
    guest_gpus,
    guest_vgpus,
    hardware_gpus,
    hardware_vgpus,
    vgpu_traits,
)
from tests.compat.oracle import judge

from vgpu_migrate import facts
from vgpu_migrate.compat import GpuTraits, VgpuTraits, rules
from vgpu_migrate.compat.coding import dense_codes, renumber
from vgpu_migrate.compat.columns import Vocabulary, gpu_columns, vgpu_columns
from vgpu_migrate.compat.factors import factor_shapes
from vgpu_migrate.compat.matrix import ClassMatrix
from vgpu_migrate.compat.pair import hit_mask
from vgpu_migrate.model import Profile
from vgpu_migrate.nvml import ALL_STATES, States

BITS = {item.id: 1 << item.bit for item in rules()}
EACH_STATE = (States.COLD, States.HIBERNATE, States.SLEEP, States.LIVE)

Sized = tuple[GpuTraits, Profile]


def a_matrix(vgpus: Sequence[VgpuTraits], gpus: Sequence[Sized], words: Vocabulary) -> ClassMatrix:
    """The matrix of these."""
    return ClassMatrix(vgpu_columns(vgpus, words), gpu_columns(gpus, words), words)


def spread(
    matrix: ClassMatrix, vgpus: Sequence[VgpuTraits], gpus: Sequence[Sized]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The matrix's hits and states for every single pair; -1 for pairs of different boards."""
    hits = np.full((len(vgpus), len(gpus)), -1, dtype=np.int64)
    states = np.full((len(vgpus), len(gpus)), -1, dtype=np.int64)
    rows_of = np.array([facts.board(vgpu.board).row for vgpu in vgpus])
    columns_of = np.array([facts.board(gpu.board).row for gpu, _ in gpus])
    for board in matrix.boards():
        rows, columns = np.flatnonzero(rows_of == board), np.flatnonzero(columns_of == board)
        if len(columns):
            at = np.ix_(
                matrix.vgpus.class_of(rows) - matrix.vgpus.block(board).start,
                matrix.gpus.class_of(columns) - matrix.gpus.block(board).start,
            )
            hits[np.ix_(rows, columns)] = matrix.hits(board)[at]
            states[np.ix_(rows, columns)] = matrix.states(board)[at]
    return hits, states


def assert_same(matrix: ClassMatrix, vgpus: Sequence[VgpuTraits], gpus: Sequence[Sized]) -> None:
    """Hits, states and counts of reach are those of the plain statement, pair by pair."""
    hits, states = spread(matrix, vgpus, gpus)
    left = np.zeros((len(vgpus), len(gpus)), dtype=np.int64)
    for row, vgpu in enumerate(vgpus):
        for column, (gpu, profile) in enumerate(gpus):
            judgement = judge(vgpu, gpu, profile.value)
            left[row, column] = judgement.states
            if vgpu.board == gpu.board:
                assert hits[row, column] == sum(BITS[item] for item in judgement.rules)
                assert states[row, column] == judgement.states
            else:
                assert hits[row, column] == -1
                assert judgement.states == 0
    classes = matrix.vgpus.class_of(slice(None))
    for state in EACH_STATE:
        reached = (left & int(state) != 0).sum(axis=1)
        assert matrix.reach(state)[classes].tolist() == reached.tolist()
        assert matrix.compatible_pairs(state) == reached.sum()
        assert matrix.vgpus_without_target(state) == (reached == 0).sum()


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize(
    ("vgpus", "gpus"), [(guest_vgpus, guest_gpus), (hardware_vgpus, hardware_gpus)], ids=["guest", "hardware"]
)
def test_the_whole_small_domain_in_arrays(
    vgpus: Callable[[], Iterator[VgpuTraits]], gpus: Callable[[], Iterator[GpuTraits]], profile: Profile
) -> None:
    """On every pair of small values, hits, states and reach are those of the plain statement."""
    every_vgpu, every_gpu = list(vgpus()), [(gpu, profile) for gpu in gpus()]
    assert_same(a_matrix(every_vgpu, every_gpu, Vocabulary()), every_vgpu, every_gpu)


def test_guests_and_hardware_crossed() -> None:
    """Every guest with every hardware on every range: the arrays' hits are those of the pair call."""
    words = Vocabulary()
    few = [*hardware_vgpus()][:132:3]
    vgpus = [
        a_vgpu(item.type, **{name: getattr(item, name) for name in SOURCE} | guest_fields(guest))
        for item in few
        for guest in [*guest_vgpus()][:256:4]
    ]
    gpus = [
        (
            a_gpu(
                item.board,
                **{name: getattr(item, name) for name in (*SOURCE, "types")},
                range_min=guest.range_min,
                range_max=guest.range_max,
            ),
            profile,
        )
        for item in [*hardware_gpus()][:192:15]
        for guest in [*guest_gpus()][::8]
        for profile in Profile
    ]
    hits, _ = spread(a_matrix(vgpus, gpus, words), vgpus, gpus)
    assert hits.size > 700_000
    for row, vgpu in enumerate(vgpus):
        assert hits[row].tolist() == [hit_mask(vgpu, gpu, profile) for gpu, profile in gpus]


SOURCE = ("ecc", "sriov", "topology", "mig", "host_driver", "migration")


def guest_fields(vgpu: VgpuTraits) -> dict[str, int | bool | None]:
    """What a vgpu's guest is."""
    return {name: getattr(vgpu, name) for name in ("guest_info", "version", "guest_min", "guest_max")}


SAME_TYPES = st.sampled_from(TYPES)
SAME_BOARDS = st.sampled_from(("A100", "L40S", "T4"))
SIZED = st.tuples(gpu_traits(SAME_BOARDS), st.sampled_from(Profile))


@given(st.lists(vgpu_traits(SAME_TYPES), min_size=1, max_size=12), st.lists(SIZED, min_size=1, max_size=12))
def test_any_arrays(vgpus: list[VgpuTraits], gpus: list[Sized]) -> None:
    """Over words of 32 bits, with several profiles side by side, arrays say what the plain statement says."""
    assert_same(a_matrix(vgpus, gpus, Vocabulary()), vgpus, gpus)


def test_a_matrix_without_vgpus_or_gpus() -> None:
    """No vgpus reach nothing; vgpus without gpus are all without a target."""
    words = Vocabulary()
    assert a_matrix([], [(a_gpu(), Profile.DEFAULT)], words).compatible_pairs(States.LIVE) == 0
    matrix = a_matrix([a_vgpu(), a_vgpu()], [], words)
    assert matrix.compatible_pairs(States.COLD) == 0
    assert matrix.vgpus_without_target(States.COLD) == 2


class ChangingGpus(RuleBasedStateMachine):
    """Gpus change, also to values never seen; after each change the matrix is as one built afresh."""

    @initialize(
        vgpus=st.lists(vgpu_traits(SAME_TYPES), min_size=1, max_size=8),
        gpus=st.lists(SIZED, min_size=1, max_size=8),
        counted=st.sets(st.sampled_from(EACH_STATE)),
    )
    def begin(self, vgpus: list[VgpuTraits], gpus: list[Sized], counted: set[States]) -> None:
        """A matrix, some of whose counts are already made."""
        self.words = Vocabulary()
        self.vgpus, self.gpus = vgpus, gpus
        self.profiles = sorted({profile for _, profile in gpus})
        self.matrix = a_matrix(vgpus, gpus, self.words)
        for state in counted:
            self.matrix.reach(state)

    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        """Some gpus get other traits, under profiles that were there from the start."""
        rows = data.draw(st.lists(st.integers(0, len(self.gpus) - 1), unique=True, max_size=3))
        sized = st.tuples(gpu_traits(SAME_BOARDS), st.sampled_from(self.profiles))
        new = [data.draw(sized | st.sampled_from(self.gpus)) for _ in rows]
        self.matrix.change_gpus(rows, gpu_columns(new, self.words))
        for row, changed in zip(rows, new, strict=True):
            self.gpus[row] = changed

    @invariant()
    def as_built_afresh(self) -> None:
        """Every pair and every count is right."""
        assert_same(self.matrix, self.vgpus, self.gpus)


ChangingGpus.TestCase.settings = settings(max_examples=40, stateful_step_count=8, deadline=None)


TestChangingGpus = ChangingGpus.TestCase


def test_one_gpu_may_change_any_number_of_times() -> None:
    """However many values a gpu takes that no gpu had before, its class number has room for them."""
    words, vgpus = Vocabulary(), [a_vgpu(), a_vgpu(ecc=False)]
    gpus = [(a_gpu(), Profile.DEFAULT)] * 2
    matrix = a_matrix(vgpus, gpus, words)
    matrix.reach(States.LIVE)
    for number in range(1, 300):
        changed = (a_gpu(range_max=0x140001 + number, topology=number % 70), Profile.DEFAULT)
        matrix.change_gpus([number % 2], gpu_columns([changed], words))
        gpus[number % 2] = changed
    assert_same(matrix, vgpus, gpus)


def test_a_gpu_that_stays_as_it_is() -> None:
    """A change to the traits a gpu has already changes no count, alone or beside one that does change."""
    words, vgpus = Vocabulary(), [a_vgpu(), a_vgpu(ecc=False)]
    gpus = [(a_gpu(), Profile.DEFAULT), (a_gpu(), Profile.DEFAULT)]
    matrix = a_matrix(vgpus, gpus, words)
    matrix.reach(States.LIVE)
    matrix.change_gpus([0], gpu_columns(gpus[:1], words))
    assert_same(matrix, vgpus, gpus)
    gpus[1] = (a_gpu(ecc=False), Profile.DEFAULT)
    matrix.change_gpus([0, 1], gpu_columns(gpus, words))
    assert_same(matrix, vgpus, gpus)
    matrix.change_gpus([], gpu_columns([], words))
    assert_same(matrix, vgpus, gpus)


def test_a_profile_that_no_gpu_had_is_refused() -> None:
    """The rows of a profile that was not there were never evaluated, so a gpu cannot change to it."""
    words = Vocabulary()
    matrix = a_matrix([a_vgpu()], [(a_gpu(), Profile.DEFAULT)], words)
    with pytest.raises(AssertionError, match="profile"):
        matrix.change_gpus([0], gpu_columns([(a_gpu(), Profile.IDENTICAL_HOST_DRIVERS)], words))


@given(st.frozensets(st.sampled_from(range(len(Profile))), min_size=1))
def test_factors_share_no_column_and_hold_every_row_once(profiles: frozenset[int]) -> None:
    """Factors split the rows of the profiles: none is lost, none twice, and no column is in two factors."""
    shapes = factor_shapes(profiles)
    there = [item for shape in shapes for item in shape.rules]
    wanted = [item for item in rules() if item.profiles & {tuple(Profile)[number] for number in profiles}]
    assert sorted(item.bit for item in there) == [item.bit for item in wanted]
    for names in ("vgpu_columns", "gpu_columns"):
        columns = [name for shape in shapes for name in getattr(shape, names) if name != "profile"]
        assert len(columns) == len(set(columns))


@dataclass(frozen=True)
class Columns:
    """Columns of any values, as `dense_codes` takes them."""

    first: npt.NDArray[np.uint32]
    second: npt.NDArray[np.uint32]
    third: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.first)


VALUES = st.one_of(st.integers(0, 3), st.integers(0, 2**32 - 1))


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=60), st.integers(1, 3000))
def test_codes_are_dense_and_tell_rows_apart(rows: list[tuple[int, int, int]], times: int) -> None:
    """Two rows have the same code if and only if they are equal, however long and wide the columns are."""
    table = np.array(rows * times, dtype=np.uint32).reshape(-1, 3)
    codes, example = dense_codes(
        Columns(*(table[:, n].copy() for n in range(3))), ("first", "second", "third")
    )
    assert len(example) == len(set(rows))
    assert np.array_equal(table[example][codes], table)
    assert np.array_equal(codes[example], np.arange(len(example)))


def test_many_distinct_values_are_sorted_instead() -> None:
    """Where no small hash tells the values apart, the codes are still right."""
    rng = np.random.default_rng(5)
    columns = [rng.integers(0, 2**32, 20_000, dtype=np.uint32) for _ in range(3)]
    codes, example = dense_codes(Columns(*columns), ("first", "second", "third"))
    assert len(np.unique(codes)) == len(example) == 20_000
    for column in columns:
        assert np.array_equal(column[example][codes], column)


@given(st.lists(st.integers(0, 40)))
def test_codes_are_renumbered_without_gaps(codes: list[int]) -> None:
    """The codes that occur, ascending, and each one's position among them."""
    there, positions = renumber(np.array(codes, dtype=np.intp), 41)
    assert there.tolist() == sorted(set(codes))
    assert there[positions].tolist() == codes


def test_the_matrix_knows_an_unknown_range() -> None:
    """A range of which nothing is known silences its rows in arrays as it does in the pair call."""
    vgpus = [a_vgpu(), a_vgpu(version=2**32 - 1, guest_max=2**32 - 1)]
    gpus = [
        (a_gpu(**UNKNOWN_RANGE), Profile.RENEGOTIATING_RESUME),
        (a_gpu(host_driver=DRIVERS[1]), Profile.DEFAULT),
    ]
    hits, states = spread(a_matrix(vgpus, gpus, Vocabulary()), vgpus, gpus)
    assert hits[:, 0].tolist() == [0, 0]
    assert states.tolist() == [[ALL_STATES, ALL_STATES], [ALL_STATES, States.COLD]]
