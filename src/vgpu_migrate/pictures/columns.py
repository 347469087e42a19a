"""The tables of the page's data. They refer to each other by number and are columns where they are long, so
that thousands of hosts make a small file. `report` fills them, the scripts in `web` draw them.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from vgpu_migrate.pictures.class_map import ClassMap

NONE = -1
"""In a column of numbers: none."""


class Remark(NamedTuple):
    """What somebody has to say about a plan; of no single step where `step` is None."""

    step: int | None
    kind: str
    text: str


class Hosts(msgspec.Struct, frozen=True):
    """A column per field; drivers and ranges are those before and after the plan."""

    name: list[str]
    domain: list[str]
    driver: list[str]
    driver_after: list[str]
    range: list[str]
    range_after: list[str]
    closed: list[int]
    """1 where the host is not schedulable."""
    manager: list[int]
    gpus: list[int]
    """How many; the gpus stand host by host."""


class Gpus(msgspec.Struct, frozen=True):
    """A column per field. `kind`: 0 equal-size, 1 mixed-size, 2 MIG, 3 no vGPU host."""

    name: list[str]
    board: list[str]
    kind: list[int]
    gib: list[int]
    mig: dict[int, tuple[int, ...]]
    """The slices of each GPU instance, of MIG gpus alone."""


class Types(msgspec.Struct, frozen=True):
    """A column per field: how many fit on a gpu of one type, and the size in GiB."""

    name: list[str]
    most: list[int]
    gib: list[int]


class Vms(msgspec.Struct, frozen=True):
    """A column per field. `allow` are states as bits; `host` is -1 for a VM without one."""

    name: list[str]
    host: list[int]
    state: list[str]
    guest: list[str]
    allow: list[int]


class Stays(msgspec.Struct, frozen=True):
    """A column per field, gpu by gpu; `begin` and `end` are numbers of steps, -1 for none."""

    vm: list[int]
    gpu: list[int]
    type: list[int]
    at: list[int]
    part: list[int]
    begin: list[int]
    end: list[int]


class Steps(msgspec.Struct, frozen=True):
    """A column per field, in the plan's order.

    `op`: 0 live, 1 sleep, 2 hibernate, 3 cold, 4 upgrade, 5 pin, 6 lifting a pin. `vm` is -1 but for moves;
    `target` is the host itself where nothing moves. `words` are a driver or a range.
    """

    id: list[int]
    wave: list[int]
    op: list[int]
    vm: list[int]
    source: list[int]
    target: list[int]
    start: list[float]
    end: list[float]
    after: list[tuple[int, ...]]
    words: dict[int, str]


class StuckRow(msgspec.Struct, frozen=True, array_like=True):
    """A VM, or with "" a host, that stays; `evidence` and `remedies` are numbers of what is said once."""

    vm: str
    host: str
    reason: str
    evidence: list[int]
    remedies: list[int]


class EvidenceRow(msgspec.Struct, frozen=True, array_like=True):
    """A piece of evidence as the plan gives it."""

    rule: str
    seen: tuple[tuple[str, str], ...]
    basis: str
    source: str
    remedy: str
    by: str


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """A figure of the plan and what no plan can better; `is_time`: in seconds."""

    name: str
    value: float
    bound: float
    is_upper: bool
    is_time: bool


class Report(msgspec.Struct, frozen=True):
    """Everything that the page shows."""

    goal: str
    revision: int | None
    hosts: Hosts
    gpus: Gpus
    types: Types
    vms: Vms
    stays: Stays
    steps: Steps
    stuck: list[StuckRow]
    evidence: list[EvidenceRow]
    remedies: list[str]
    figures: list[Figure]
    before: ClassMap
    after: ClassMap
    rules: dict[str, str]
    notes: list[str]
    remarks: list[Remark]
    left_out: list[str]
    """Steps that name what the fleet lacks, in words."""
