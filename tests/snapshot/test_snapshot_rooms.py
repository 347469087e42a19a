"""Which GPU instance a vgpu sits in, and what a gpu has room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.manager.factories import a_gpu
from tests.snapshot.hosts import MIG_LAYOUTS

from vgpu_migrate import facts
from vgpu_migrate.model.placement import (
    NoRoom,
    Place,
    Tenant,
    find_room,
    instances_per_gpu_instance,
)
from vgpu_migrate.snapshot.rooms import find_type_rooms, seat_in_gpu_instances

BLACKWELL = "RTX Pro 6000 Blackwell DC"


def test_vgpus_of_one_type_share_a_gpu_instance_where_it_holds_several() -> None:
    """On Blackwell the first instance is filled before the next, and another type gets one of its own."""
    gpu = a_gpu(board=BLACKWELL, mig=(1, 1, 1, 1))
    small, other = facts.vgpu_type(f"{BLACKWELL}-1-3Q"), facts.vgpu_type(f"{BLACKWELL}-1-6Q")
    most = instances_per_gpu_instance(gpu.board, small)
    vgpus = [(handle, small) for handle in range(1, most + 2)] + [(100, other)]
    seats = seat_in_gpu_instances(gpu, vgpus, {})
    assert seats == {**dict.fromkeys(range(1, most + 1), 0), most + 1: 1, 100: 2}


def test_where_what_stays_leaves_no_room_all_are_seated_anew() -> None:
    """Two half-empty instances of one type make way for another type that has room by number."""
    gpu = a_gpu(board=BLACKWELL, mig=(2, 2))
    types = [one for one in facts.types_of_board(BLACKWELL) if one.gi_slices == 2]
    small = next(one for one in types if instances_per_gpu_instance(gpu.board, one) > 1)
    other = next(one for one in types if one is not small)
    before = {1: 0, 2: 1}
    staying = [(1, small), (2, small)]
    assert seat_in_gpu_instances(gpu, staying, before) == before
    assert seat_in_gpu_instances(gpu, [*staying, (3, other)], before) == {1: 0, 2: 0, 3: 1}


@given(st.data())
def test_whatever_placement_lets_in_has_a_gpu_instance(data: st.DataObject) -> None:
    """After any arrivals and departures that placement allows, every vgpu sits in one of its size."""
    board = data.draw(st.sampled_from(sorted(MIG_LAYOUTS)))
    gpu = a_gpu(board=board, mig=data.draw(st.sampled_from(MIG_LAYOUTS[board])))
    types = [one for one in facts.types_of_board(board) if one.gi_slices in gpu.mig]
    vgpus: list[tuple[int, facts.VgpuType]] = []
    seats: dict[int, int] = {}
    for handle in range(1, data.draw(st.integers(1, 24))):
        leaves = data.draw(st.integers(0, 2 * len(vgpus)))
        del vgpus[leaves : leaves + 1]
        wanted = data.draw(st.sampled_from(types))
        if isinstance(find_room(gpu, [Tenant(one, None) for _, one in vgpus], wanted), Place):
            vgpus.append((handle, wanted))
        seats = seat_in_gpu_instances(gpu, vgpus, seats)
        assert set(seats) == {number for number, _ in vgpus}
        for instance, slices in enumerate(gpu.mig):
            inside = [one for number, one in vgpus if seats[number] == instance]
            assert len(set(inside)) <= 1
            for one in inside:
                assert one.gi_slices == slices
                assert len(inside) <= instances_per_gpu_instance(gpu.board, one)


@given(st.data())
def test_rooms_are_placements_own_answers(data: st.DataObject) -> None:
    """Types that are asked for together get what each gets when asked alone."""
    board = data.draw(st.sampled_from(["T4", "A100", BLACKWELL]))
    gpu = a_gpu(board=board, mig=data.draw(st.sampled_from([(), *MIG_LAYOUTS.get(board, ())])))
    types = facts.types_of_board(board)
    tenants: list[Tenant] = []
    for wanted in data.draw(st.lists(st.sampled_from(types), max_size=6)):
        if isinstance(find_room(gpu, tenants, wanted), Place):
            tenants.append(Tenant(wanted, None))
    rooms = find_type_rooms(gpu, tenants, types)
    assert [room.creatable for room in rooms] == [
        not isinstance(find_room(gpu, tenants, one), NoRoom) for one in types
    ]
