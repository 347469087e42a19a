"""Where vgpus find room: placement ids as the vendor's source gives them, and room for several at once."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.model.fleet_makers import a_gpu

from vgpu_migrate import facts
from vgpu_migrate.facts import Board, VgpuType
from vgpu_migrate.model import Gpu, PlacementMode
from vgpu_migrate.model.placement import (
    NoRoom,
    Place,
    Tenant,
    creatable_placements,
    find_room,
    find_rooms,
    gpu_instances_used,
    instances_per_gpu_instance,
    overfull,
    supported_placements,
)

LOST_LATER = {2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 32, 33, 38, 39, 44, 45}
MIXED = PlacementMode.MIXED


def ids_of(name: str) -> tuple[int, ...]:
    """The placement ids of a type on its own board."""
    vgpu_type = facts.vgpu_type(name)
    return supported_placements(facts.board(vgpu_type.board), vgpu_type)


def tenants_of(*seats: tuple[str, int | None]) -> list[Tenant]:
    """Tenants by type name and placement id."""
    return [Tenant(facts.vgpu_type(name), placement) for name, placement in seats]


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("A40-8Q", (0, 16, 24, 40)),
        ("A40-48Q", (0,)),
        ("A40-24Q", (0, 24)),
        ("A40-12Q", (0, 12, 24, 36)),
        ("A10-1Q", (0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 23)),
        ("L40S-16Q", (0, 32)),
        ("L40S-1Q", (0, 5, 6, 11, 12, 17, 18, 23, 24, 29, 30, 35, 36, 41, 42, 47)),
    ],
)
def test_placement_ids_are_those_of_the_vendor(name: str, ids: tuple[int, ...]) -> None:
    """A type's ids are the edges of the region halved again and again, as in the vendor's source."""
    assert ids_of(name) == ids


@pytest.mark.parametrize("name", ["A40-1Q", "A40-1B", "RTXA6000-1Q"])
def test_one_gib_types_lose_two_ids_on_ampere(name: str) -> None:
    """A 1 GiB type with 32 instances on a 48 GiB Ampere board has every edge but 8 and 32."""
    edges = {edge for part in range(16) for edge in (3 * part, 3 * part + 2)}
    assert set(ids_of(name)) == edges - {8, 32}


@pytest.mark.parametrize("name", ["L40S-1Q", "L40-1Q", "L20-1Q", "RTX6000-Ada-1Q"])
def test_one_gib_types_lose_sixteen_ids_from_ada_on(name: str) -> None:
    """A 1 GiB type with 32 instances on a 48 GiB board of Ada has every edge but the sixteen lost."""
    edges = {edge for part in range(16) for edge in (3 * part, 3 * part + 2)}
    assert set(ids_of(name)) == edges - LOST_LATER


def test_the_captured_pair_is_legal() -> None:
    """Two 3 GiB vgpus of a 96 GiB gpu sit at 0 and 3, as a capture of a real host shows."""
    gpu = a_gpu("RTX Pro 6000 Blackwell DC", mode=MIXED)
    name = "RTX Pro 6000 Blackwell DC-3Q"
    assert {0, 3} <= set(ids_of(name))
    assert overfull(gpu, tenants_of((name, 0), (name, 3))) == []
    assert creatable_placements(gpu, tenants_of((name, 0)), facts.vgpu_type(name))[0] == 3


def ids_by_halving(board: Board, vgpu_type: VgpuType) -> set[int]:
    """The rule once more, straight from its words, partition by partition."""
    size, most = vgpu_type.framebuffer_gib, vgpu_type.max_instances
    largest_power = max(power for power in (1, 2, 4, 8, 16, 32) if power <= most)
    parts, count = [(0, board.framebuffer_gib, "left")], 1
    while count <= 16:
        if 2 * count == most:
            return {edge for low, high, _ in parts for edge in (low, high - size)}
        if (largest_power < most and largest_power == count) or most == count == 1:
            return {low if side == "left" else high - size for low, high, side in parts}
        parts = [
            half
            for low, high, _ in parts
            for half in ((low, (low + high) // 2, "left"), ((low + high) // 2, high, "right"))
        ]
        count *= 2
    return set()


def test_every_type_follows_the_rule() -> None:
    """For each time-sliced type of each board with the mode, the ids are those of the rule's words."""
    seen = 0
    for vgpu_type in facts.vgpu_types().values():
        board = facts.board(vgpu_type.board)
        if vgpu_type.is_mig_backed or not board.has_mixed_size:
            assert supported_placements(board, vgpu_type) == ()
            continue
        wanted = ids_by_halving(board, vgpu_type)
        if vgpu_type.framebuffer_gib == 1 and vgpu_type.max_instances == 32 and board.framebuffer_gib == 48:
            wanted -= {8, 32} if board.generation == 5 else LOST_LATER
        assert set(supported_placements(board, vgpu_type)) == wanted, vgpu_type.short
        seen += 1
    assert seen > 500


def test_ids_stay_inside_the_board() -> None:
    """No region reaches past the board's framebuffer, and ids are in rising order without repeats."""
    for vgpu_type in facts.vgpu_types().values():
        board = facts.board(vgpu_type.board)
        ids = supported_placements(board, vgpu_type)
        assert all(0 <= start <= board.framebuffer_gib - vgpu_type.framebuffer_gib for start in ids)
        assert all(low < high for low, high in pairwise(ids))


def test_turing_and_older_have_no_ids() -> None:
    """Boards up to Turing have no mixed-size mode."""
    assert ids_of("T4-8Q") == ()
    assert ids_of("V100D-8Q") == ()


def test_another_board_has_no_ids() -> None:
    """A type has ids on its own board alone."""
    assert supported_placements(facts.board("L40"), facts.vgpu_type("L40S-8Q")) == ()


@pytest.mark.parametrize(
    ("gpu", "there", "name", "answer"),
    [
        (a_gpu(), [], "L40S-12Q", Place(None)),
        (a_gpu(), [("L40S-12Q", None)] * 3, "L40S-12Q", Place(None)),
        (a_gpu(), [("L40S-12Q", None)] * 4, "L40S-12Q", NoRoom.FULL),
        (a_gpu(), [("L40S-12Q", None)], "L40S-24Q", NoRoom.TYPE_LOCKED),
        (a_gpu(), [("L40S-1Q", None)] * 32, "L40S-1Q", NoRoom.FULL),
        (a_gpu(), [], "L40-12Q", NoRoom.OTHER_BOARD),
        (a_gpu(is_vgpu_host=False), [], "L40S-12Q", NoRoom.NOT_A_VGPU_HOST),
        (a_gpu(mode=MIXED), [("L40S-12Q", 0)], "L40S-24Q", Place(24)),
        (a_gpu(mode=MIXED), [("L40S-12Q", 12), ("L40S-12Q", 24)], "L40S-24Q", NoRoom.NO_PLACEMENT),
        (a_gpu(mode=MIXED), [("L40S-12Q", 12)], "L40S-12Q", Place(0)),
        (a_gpu("A100"), [], "A100-3-20C", NoRoom.MIG_MODE),
        (a_gpu("A100", mig=(3, 3)), [], "A100-20C", NoRoom.MIG_MODE),
        (a_gpu("A100", mig=(3, 3)), [("A100-3-20C", None)], "A100-3-20C", Place(None)),
        (a_gpu("A100", mig=(3, 3)), [("A100-3-20C", None)] * 2, "A100-3-20C", NoRoom.FULL),
        (a_gpu("A100", mig=(3, 1)), [("A100-3-20C", None)], "A100-3-20C", NoRoom.NO_GPU_INSTANCE),
        (a_gpu("A100", mig=(3, 3)), [], "A100-2-10C", NoRoom.NO_GPU_INSTANCE),
    ],
)
def test_room_on_one_gpu(
    gpu: Gpu, there: list[tuple[str, int | None]], name: str, answer: Place | NoRoom
) -> None:
    """Each way a gpu has room or has none, by mode."""
    assert find_room(gpu, tenants_of(*there), facts.vgpu_type(name)) == answer


def test_blackwell_shares_a_gpu_instance() -> None:
    """48 vgpus on the four 1-slice instances of a Blackwell board: twelve share one, of one type."""
    board = facts.board("RTX Pro 6000 Blackwell DC")
    two, three = (facts.vgpu_type(f"RTX Pro 6000 Blackwell DC-1-{size}Q") for size in (2, 3))
    assert instances_per_gpu_instance(board, two) == 12
    assert instances_per_gpu_instance(board, three) == 8
    gpu = a_gpu(board, mig=(1, 1))
    tenants = [Tenant(two, None)] * 12 + [Tenant(three, None)]
    assert gpu_instances_used(gpu, tenants) == {1: 2}
    assert find_room(gpu, tenants, two) is NoRoom.NO_GPU_INSTANCE
    assert find_room(gpu, tenants, three) == Place(None)
    assert overfull(gpu, [*tenants, Tenant(two, None)]) != []


def test_before_blackwell_one_vgpu_has_its_gpu_instance() -> None:
    """On every MIG board before Blackwell a GPU instance holds one vgpu."""
    for vgpu_type in facts.vgpu_types().values():
        board = facts.board(vgpu_type.board)
        if vgpu_type.is_mig_backed and board.generation < 8:
            assert instances_per_gpu_instance(board, vgpu_type) == 1, vgpu_type.short


SMALL_TYPES = tuple(facts.vgpu_type(f"A10-{size}Q") for size in (4, 6, 8, 12, 24))
seats = st.lists(st.tuples(st.sampled_from(SMALL_TYPES), st.integers(0, 99)), max_size=6)


def fill(gpu: Gpu, wishes: list[tuple[VgpuType, int]]) -> list[Tenant]:
    """Tenants placed one after the other wherever a wish may be granted."""
    tenants: list[Tenant] = []
    for vgpu_type, lot in wishes:
        if isinstance(find_room(gpu, tenants, vgpu_type), NoRoom):
            continue
        free = creatable_placements(gpu, tenants, vgpu_type)
        tenants.append(Tenant(vgpu_type, free[lot % len(free)] if gpu.mode is MIXED else None))
    return tenants


@given(wishes=seats)
def test_creatable_ids_never_overlap(wishes: list[tuple[VgpuType, int]]) -> None:
    """Whatever creatable ids are taken one after the other, no two regions overlap and none is lost."""
    gpu = a_gpu("A10", mode=MIXED)
    tenants = fill(gpu, wishes)
    taken = [
        unit
        for tenant in tenants
        for unit in range(tenant.placement or 0, (tenant.placement or 0) + tenant.type.framebuffer_gib)
    ]
    assert len(taken) == len(set(taken))
    assert overfull(gpu, tenants) == []


def room_by_trying_all(gpus: list[Gpu], there: list[list[Tenant]], types: list[VgpuType]) -> bool:
    """Whether any assignment of gpus and ids to the types at all is legal."""
    choices = [
        [
            (index, start)
            for index, gpu in enumerate(gpus)
            for start in (supported_placements(gpu.board, vgpu_type) if gpu.mode is MIXED else (None,))
        ]
        for vgpu_type in types
    ]
    for picked in product(*choices):
        after = [list(tenants) for tenants in there]
        for vgpu_type, (index, start) in zip(types, picked, strict=True):
            after[index].append(Tenant(vgpu_type, start))
        if all(
            not overfull(gpu, tenants) and all(tenant.type.board == gpu.board.key for tenant in tenants)
            for gpu, tenants in zip(gpus, after, strict=True)
        ):
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(
    modes=st.lists(st.sampled_from(PlacementMode), min_size=1, max_size=2),
    wishes=st.lists(seats, min_size=2, max_size=2),
    types=st.lists(st.sampled_from(SMALL_TYPES), min_size=1, max_size=3),
)
def test_rooms_are_found_where_there_are_any(
    modes: list[PlacementMode], wishes: list[list[tuple[VgpuType, int]]], types: list[VgpuType]
) -> None:
    """find_rooms answers exactly where trying everything does, and its answer is legal."""
    gpus = [a_gpu("A10", mode=mode) for mode in modes]
    there = [fill(gpu, wish) for gpu, wish in zip(gpus, wishes, strict=False)]
    rooms = find_rooms(gpus, there, types)
    assert (rooms is not None) == room_by_trying_all(gpus, there, types)
    if rooms is not None:
        assert len(rooms) == len(types)
        for vgpu_type, (index, place) in zip(types, rooms, strict=True):
            there[index].append(Tenant(vgpu_type, place.placement))
        assert all(not overfull(gpu, tenants) for gpu, tenants in zip(gpus, there, strict=True))


MIG_TYPES = tuple(facts.vgpu_type(name) for name in ("A100-1-5C", "A100-2-10C", "A100-3-20C", "A100-4-20C"))


@settings(max_examples=100, deadline=None)
@given(
    layouts=st.lists(st.sampled_from([(3, 3), (4, 3), (2, 2, 3), (1, 1, 2, 3)]), min_size=1, max_size=2),
    types=st.lists(st.sampled_from(MIG_TYPES), min_size=1, max_size=4),
)
def test_rooms_are_found_in_gpu_instances(layouts: list[tuple[int, ...]], types: list[VgpuType]) -> None:
    """The same for MIG: several vgpus find their GPU instances exactly where trying everything does."""
    gpus = [a_gpu("A100", mig=layout) for layout in layouts]
    there: list[list[Tenant]] = [[] for _ in gpus]
    assert (find_rooms(gpus, there, types) is not None) == room_by_trying_all(gpus, there, types)


def test_rooms_need_the_search_to_go_back() -> None:
    """The first free place for one vgpu may have to be given up so that the other fits too."""
    gpu = a_gpu("A10", mode=MIXED)
    there = tenants_of(("A10-6Q", 6))
    types = [facts.vgpu_type("A10-6Q"), facts.vgpu_type("A10-12Q")]
    assert find_rooms([gpu], [there], types) == ((0, Place(0)), (0, Place(12)))
    assert find_rooms([gpu], [tenants_of(("A10-6Q", 12))], types) == ((0, Place(18)), (0, Place(0)))


@pytest.mark.parametrize(
    ("gpu", "there", "clauses"),
    [
        (a_gpu(), [], []),
        (a_gpu(), [("L40S-24Q", None)] * 3, ["it holds 3 of L40S-24Q, at most 2 fit"]),
        (
            a_gpu(),
            [("L40S-24Q", None), ("L40S-12Q", None)],
            ["it holds L40S-12Q, L40S-24Q, but an equal-size gpu has vgpus of one type"],
        ),
        (a_gpu(is_vgpu_host=False), [("L40S-24Q", None)], ["it holds 1 vgpus but is no vGPU host"]),
        (
            a_gpu("A100", mig=(3, 3)),
            [("A100-2-10C", None)],
            ["A100-2-10C need 1 GPU instances of 2 slices, it has 0"],
        ),
        (
            a_gpu(mode=MIXED),
            [("L40S-24Q", 0), ("L40S-12Q", 12)],
            ["a L40S-12Q at 12 overlaps a L40S-24Q at 0"],
        ),
        (
            a_gpu(mode=MIXED),
            [("L40S-24Q", 5)],
            ["placement 5 of a L40S-24Q; its ids are 0, 24"],
        ),
        (a_gpu(mode=MIXED), [("L40S-24Q", None)], ["a L40S-24Q on a mixed-size gpu has no placement id"]),
    ],
)
def test_what_is_wrong_is_said(gpu: Gpu, there: list[tuple[str, int | None]], clauses: list[str]) -> None:
    """An over-full gpu is told in a clause that names what it holds and what it could."""
    assert overfull(gpu, tenants_of(*there)) == clauses
