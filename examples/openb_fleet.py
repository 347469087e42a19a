"""Turn the openb production trace into a fleet file.

    python examples/openb_fleet.py TRACE_DIR -o openb.json

TRACE_DIR holds `openb_node_list_gpu_node.csv` and `openb_pod_list_default.csv` of Alibaba's
cluster-trace-gpu-v2023 (Weng et al., USENIX ATC 2023). The trace is not part of this project.

What the trace says is taken as it is: nodes with their GPUs, processors and memory, and tasks with what they
ask for. What it does not say is chosen here, and said here:

- The models G2 and G3 are undisclosed in the trace; they are taken as A10 and A100X.
- Each task that wants a GPU is a VM; tasks without are left out. All are taken as alive at once and placed in
  order of creation, until three quarters of the fleet's framebuffer are taken.
- A task that asks for a share of one GPU gets the smallest profile (C or Q series) that holds that share of
  the framebuffer; one that asks for whole GPUs gets as many full-board vgpus.
- A task that states no memory is taken to have 1 MiB: a VM has some.
- Drivers are not in the trace. Each node gets the host driver of a real release, each VM a guest driver that
  loads there, drawn with a fixed seed. Nodes with vGPU 17 or newer are mixed-size where the board can be.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from vgpu_migrate import facts
from vgpu_migrate.files import atomic_write
from vgpu_migrate.model import Board, Gpu, GpuId, HostId, PlacementMode, VgpuType
from vgpu_migrate.model.negotiation import negotiate
from vgpu_migrate.model.placement import Tenant, find_rooms

BOARD_OF_MODEL = {
    "T4": "T4",
    "P100": "P100",
    "V100M16": "V100X",
    "V100M32": "V100DX",
    "A10": "A10",
    "G2": "A10",  # undisclosed in the trace
    "G3": "A100X",  # undisclosed in the trace
}
HOST_RELEASES = ("16.4", "16.8", "16.11", "17.3", "17.6", "18.1", "18.4", "19.1", "19.4")
MIXED_SIZE_FROM_RELEASE = 17
FILL = 0.75


@dataclass
class Node:
    """A node being filled: its gpus, what sits on each, and what is left of processors and memory."""

    name: str
    model: str
    board: Board
    driver: str
    gpus: list[Gpu]
    memory_mib: int
    vcpus: int
    free_memory_mib: int
    free_vcpus: int
    tenants: list[list[Tenant]] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """A task that wants GPUs."""

    name: str
    vcpus: int
    memory_mib: int
    gpus: int
    share: float
    models: tuple[str, ...]


def read_nodes(path: Path, rng: random.Random) -> list[Node]:
    """The trace's nodes, each with a host driver of a real release."""
    releases = {release.release: release for release in facts.releases()}
    nodes: list[Node] = []
    for row in _rows(path):
        release = releases[rng.choice(HOST_RELEASES)]
        board = facts.board(BOARD_OF_MODEL[row["model"]])
        is_new = int(release.release.split(".")[0]) >= MIXED_SIZE_FROM_RELEASE
        mode = PlacementMode.MIXED if is_new and board.has_mixed_size else PlacementMode.EQUAL
        gpus = [_gpu(row["sn"], index, board, mode) for index in range(int(row["gpu"]))]
        memory_mib, vcpus = int(row["memory_mib"]), int(row["cpu_milli"]) // 1000
        nodes.append(
            Node(
                name=row["sn"],
                model=row["model"],
                board=board,
                driver=release.host_linux,
                gpus=gpus,
                memory_mib=memory_mib,
                vcpus=vcpus,
                free_memory_mib=memory_mib,
                free_vcpus=vcpus,
                tenants=[[] for _ in gpus],
            )
        )
    return nodes


def _gpu(node: str, index: int, board: Board, mode: PlacementMode) -> Gpu:
    return Gpu(
        id=GpuId(f"{node}/{index}"),
        host=HostId(node),
        index=index,
        board=board,
        pci=None,
        mode=mode,
        ecc=True,
        sriov=board.sriov_by_default,
        is_vgpu_host=True,
        migration=True,
        topology=0,
        mig=(),
        types=(),
    )


def read_tasks(path: Path) -> tuple[list[Task], int]:
    """The trace's tasks that want GPUs, in order of creation, and how many want none."""
    rows = sorted(_rows(path), key=lambda row: (int(row["creation_time"]), row["name"]))
    tasks = [
        Task(
            name=row["name"],
            vcpus=-(-int(row["cpu_milli"]) // 1000),
            memory_mib=max(1, int(row["memory_mib"])),
            gpus=int(row["num_gpu"]),
            share=int(row["gpu_milli"]) / 1000,
            models=tuple(filter(None, row["gpu_spec"].split("|"))),
        )
        for row in rows
        if int(row["num_gpu"]) > 0
    ]
    return tasks, len(rows) - len(tasks)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def profile_for(board: Board, share: float) -> VgpuType:
    """The smallest C or Q profile of a board that holds a share of its framebuffer; C where both do."""
    wanted_mib = share * board.framebuffer_mib
    fitting = [
        vgpu_type
        for vgpu_type in facts.types_of_board(board.key)
        if not vgpu_type.is_mig_backed
        and vgpu_type.series in ("C", "Q")
        and vgpu_type.framebuffer_mib >= wanted_mib
    ]
    return min(fitting, key=lambda item: (item.framebuffer_mib, item.series, item.row))


class Placer:
    """Puts tasks on nodes: on the model with the largest share free, on the fullest node with room."""

    def __init__(self, nodes: list[Node]) -> None:
        self.by_model: dict[str, list[Node]] = defaultdict(list)
        self.size_mib: dict[str, int] = defaultdict(int)
        self.taken_mib: dict[str, int] = defaultdict(int)
        for node in nodes:
            self.by_model[node.model].append(node)
            self.size_mib[node.model] += len(node.gpus) * node.board.framebuffer_mib

    def is_full(self) -> bool:
        """Whether the wanted share of the fleet's framebuffer is taken."""
        return sum(self.taken_mib.values()) >= FILL * sum(self.size_mib.values())

    def place(self, task: Task) -> tuple[Node, list[tuple[int, Tenant]]] | None:
        """Room for a task, taken; None where no node has any."""
        models = [model for model in task.models or self.by_model if model in self.by_model]
        for model in sorted(models, key=lambda name: (self.taken_mib[name] / self.size_mib[name], name)):
            types = [profile_for(self.by_model[model][0].board, task.share)] * task.gpus
            for node in self.by_model[model]:
                seats = self._seats(node, task, types)
                if seats is not None:
                    self._take(node, task, seats)
                    return node, seats
        return None

    def _seats(self, node: Node, task: Task, types: list[VgpuType]) -> list[tuple[int, Tenant]] | None:
        if task.memory_mib > node.free_memory_mib or task.vcpus > node.free_vcpus:
            return None
        whole = types[0].framebuffer_mib == node.board.framebuffer_mib
        if whole and sum(not tenants for tenants in node.tenants) < len(types):
            return None
        rooms = find_rooms(node.gpus, node.tenants, types)
        if rooms is None:
            return None
        return [
            (index, Tenant(vgpu_type, place.placement))
            for (index, place), vgpu_type in zip(rooms, types, strict=True)
        ]

    def _take(self, node: Node, task: Task, seats: list[tuple[int, Tenant]]) -> None:
        node.free_memory_mib -= task.memory_mib
        node.free_vcpus -= task.vcpus
        for index, tenant in seats:
            node.tenants[index].append(tenant)
            self.taken_mib[node.model] += tenant.type.framebuffer_mib


def draw_guest_driver(node: Node, guests: list[str], rng: random.Random) -> str:
    """A guest driver of a real release that loads on a node."""
    host_range = facts.host_driver(node.driver).preset_range
    loads = [
        driver
        for driver in guests
        if negotiate(
            guest_minimum=facts.guest_driver(driver).minimum,
            guest_maximum=facts.guest_driver(driver).maximum,
            host_range=host_range,
        )
    ]
    return rng.choice(loads)


def make_fleet(trace: Path, *, seed: int) -> tuple[dict[str, object], dict[str, object]]:
    """The fleet file's data, and a report of what was left out."""
    rng = random.Random(seed)
    nodes = read_nodes(trace / "openb_node_list_gpu_node.csv", rng)
    tasks, without_gpu = read_tasks(trace / "openb_pod_list_default.csv")
    branches = ("R535", "R550", "R570", "R580")
    guests = [release.guest_linux for release in facts.releases() if release.branch in branches]
    guests = sorted(set(filter(None, guests)))
    placer = Placer(nodes)
    vms: list[dict[str, object]] = []
    no_room: list[str] = []
    looked_at = 0
    for task in tasks:
        if placer.is_full():
            break
        looked_at += 1
        placed = placer.place(task)
        if placed is None:
            no_room.append(task.name)
        else:
            vms.append(_vm(task, *placed, draw_guest_driver(placed[0], guests, rng)))
    fleet: dict[str, object] = {
        "fleetfile_version": 1,
        "revision": 1,
        "hosts": [_host(node) for node in nodes],
        "vms": vms,
    }
    taken, size = sum(placer.taken_mib.values()), sum(placer.size_mib.values())
    report: dict[str, object] = {
        "hosts": len(nodes),
        "gpus": sum(len(node.gpus) for node in nodes),
        "tasks_with_gpu": len(tasks),
        "tasks_without_gpu_left_out": without_gpu,
        "vms": len(vms),
        "framebuffer_taken": round(taken / size, 4),
        "tasks_after_the_fleet_was_full": len(tasks) - looked_at,
        "tasks_without_room": no_room,
        "undisclosed_models": {"G2": BOARD_OF_MODEL["G2"], "G3": BOARD_OF_MODEL["G3"]},
        "seed": seed,
    }
    return fleet, report


def _host(node: Node) -> dict[str, object]:
    gpus = [{"board": gpu.board.key, "mode": gpu.mode.value} for gpu in node.gpus]
    return {
        "id": node.name,
        "domain": "openb",
        "driver": node.driver,
        "memory_mib": node.memory_mib,
        "vcpus": node.vcpus,
        "gpus": gpus,
    }


def _vm(task: Task, node: Node, seats: list[tuple[int, Tenant]], guest_driver: str) -> dict[str, object]:
    vgpus: list[dict[str, object]] = []
    for index, tenant in seats:
        vgpu: dict[str, object] = {"type": tenant.type.short, "gpu": f"{node.name}/{index}"}
        if tenant.placement is not None:
            vgpu["placement"] = tenant.placement
        vgpus.append(vgpu)
    return {
        "id": task.name,
        "host": node.name,
        "state": "running",
        "memory_mib": task.memory_mib,
        "vcpus": task.vcpus,
        "guest_driver": guest_driver,
        "vgpus": vgpus,
    }


def main() -> None:
    """Read the trace, write the fleet file, say what was left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trace", type=Path, help="folder with the trace's CSV files")
    parser.add_argument("-o", "--out", type=Path, required=True, help="fleet file to write (JSON)")
    parser.add_argument("--report", type=Path, help="write what was left out here (JSON)")
    parser.add_argument("--seed", type=int, default=2023, help="seed of the drivers drawn")
    arguments = parser.parse_args()
    fleet, report = make_fleet(arguments.trace, seed=arguments.seed)
    atomic_write(arguments.out, msgspec.json.encode(fleet))
    if arguments.report:
        atomic_write(arguments.report, msgspec.json.format(msgspec.json.encode(report)))
    names = report.pop("tasks_without_room")
    assert isinstance(names, list)
    for key, value in report.items():
        print(f"{key.replace('_', ' ')}: {value}", file=sys.stderr)
    print(f"tasks without room: {len(names)}: {' '.join(names) or 'none'}", file=sys.stderr)


if __name__ == "__main__":
    main()
