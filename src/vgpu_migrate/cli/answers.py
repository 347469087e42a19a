"""The answers in JSON as types, one place for each field. `vgpu-migrate schema NAME` prints their schemas.

States are spelled `cold hibernate sleep live`, limits `host_driver guest_driver gpu other`; vGPU versions are
`0x…` texts; times are seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta

from vgpu_migrate.nvml import Limits, States, VersionRange

StateWord = Literal["cold", "hibernate", "sleep", "live"]
LimitWord = Literal["host_driver", "guest_driver", "gpu", "other"]
StateWords = Annotated[tuple[StateWord, ...], Meta(description="States left, cold first.")]
LimitWords = Annotated[
    tuple[LimitWord, ...], Meta(description="Limits, joined; empty if and only if all four states are left.")
]
Version = Annotated[str, Meta(pattern="^0x[0-9a-f]{1,8}$", description="A vGPU version, in hex.")]
Range = Annotated[tuple[Version, Version], Meta(description="A range of vGPU versions, both ends included.")]
Count = Annotated[int, Meta(ge=0)]


def spell_states(states: States) -> StateWords:
    """States as words."""
    return cast("StateWords", states.words)


def spell_limits(limits: Limits) -> LimitWords:
    """Limits as words."""
    return cast("LimitWords", limits.words)


def spell_version(version: int | None) -> str | None:
    """A vGPU version in hex; None where it is unknown."""
    return None if version is None else f"{version:#x}"


def spell_range(bounds: VersionRange | None) -> tuple[str, str] | None:
    """A range of vGPU versions in hex; None where it is unknown."""
    return None if bounds is None else (f"{bounds.minimum:#x}", f"{bounds.maximum:#x}")


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all: closed objects."""


class Optional(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The base of objects with keys that may be absent."""


class Evidence(Optional, frozen=True):
    """A rule that hit: the values it saw, its basis and source, and what would help."""

    rule: str
    seen: dict[str, str]
    basis: str
    source: str
    remedy: str
    by: Annotated[str | None, Meta(description="Who set the obstacle: `administrator-range`.")] = None


class HostAnswer(Answer, frozen=True):
    """A host as a target: the states for which every vgpu of the VM finds some gpu of it."""

    host: str
    live: bool
    states: StateWords
    fits: Annotated[bool, Meta(description="Capacity and placement as they stand, compatibility apart.")]


class Target(Optional, frozen=True):
    """A gpu as a target: for a VM with several vgpus, states intersected and limits joined."""

    host: str
    gpu: str
    states: StateWords
    limits: LimitWords
    live: bool
    by: Annotated[Literal["prediction", "driver"], Meta(description="Who gave the verdict.")]
    fits: bool
    supported: Annotated[
        Literal["documented", "outside", "unknown"],
        Meta(description="Whether the vendor documents this pairing of manager and guest branches."),
    ]
    stun_s_estimate: Annotated[
        float,
        Meta(description="Framebuffer over the wire; published times are 1.4 to 2.4 times as long."),
    ]
    evidence: list[Evidence]
    unknown: Annotated[
        tuple[str, ...],
        Meta(description="Values that were not known, so that rules were silent. Absent if all were."),
    ] = ()


class CheckAnswer(Answer, frozen=True):
    """Where a VM may go."""

    vm: str
    profile: str
    hosts: list[HostAnswer]
    targets: list[Target]


class VgpuKey(Optional, frozen=True):
    """What the rules see of a vgpu. Absent: unknown, or there is none."""

    type: str
    board: str
    mig_backed: bool
    guest_info: bool
    migration: bool
    version: Version | None = None
    guest_min: Version | None = None
    guest_max: Version | None = None
    host_driver: str | None = None
    ecc: bool | None = None
    sriov: bool | None = None
    topology: int | None = None
    mig: tuple[int, ...] | None = None


class VmKey(Answer, frozen=True):
    """What the rules see of a VM: its vgpus, those that look alike once."""

    vgpus: list[VgpuKey]


class GpuKey(Optional, frozen=True):
    """What the rules see of a gpu. Absent: unknown, or not compared."""

    board: str
    profile: str
    ecc: bool
    sriov: bool
    topology: int
    mig_enabled: bool
    mig: tuple[int, ...]
    migration: bool
    range: Range | None = None
    preset_range: Range | None = None
    host_driver: str | None = None
    types: list[str] | None = None


class VmClass(Answer, frozen=True):
    """VMs that look alike to the rules."""

    id: Count
    key: VmKey
    vms: Count


class GpuClass(Answer, frozen=True):
    """Gpus that look alike to the rules."""

    id: Count
    key: GpuKey
    gpus: Count


class Cell(Answer, frozen=True):
    """The verdict of a VM class on a gpu class."""

    vm_class: Count
    gpu_class: Count
    states: StateWords
    limits: LimitWords
    rules: Annotated[tuple[str, ...], Meta(description="The rules that hit.")]


class MatrixAnswer(Answer, frozen=True):
    """Classes of VMs against classes of gpus; cells whose board rule hits are left out."""

    vm_classes: list[VmClass]
    gpu_classes: list[GpuClass]
    cells: list[Cell]


class Violation(Answer, frozen=True):
    """A promise that a step, or with `step` null the plan as a whole, does not keep."""

    step: int | None
    kind: str
    text: str


class ReplayAnswer(Answer, frozen=True):
    """What an independent check of a plan found."""

    sound: bool
    steps: Count
    violations: list[Violation]


class Remedy(Optional, frozen=True):
    """What would help where `when` holds; absent: always."""

    text: str
    when: str | None = None
    by: str | None = None


class Rule(Answer, frozen=True):
    """A row of the rule table."""

    id: str
    when: str
    leaves: StateWords
    limit: LimitWord
    profiles: list[str]
    basis: str
    source: str
    says: str
    remedies: list[Remedy]


class RulesAnswer(Answer, frozen=True):
    """The rule table, in order."""

    rules: list[Rule]


class BoardRow(Answer, frozen=True):
    """A model of physical GPU."""

    board: str
    generation: str
    framebuffer_mib: Count
    mig_slices: Count
    marketing_names: list[str]
    pci_ids: list[str]
    vgpu_types: Count
    source: str


class BoardsAnswer(Answer, frozen=True):
    """All boards."""

    boards: list[BoardRow]


class TypeRow(Answer, frozen=True):
    """A vgpu type."""

    type: str
    long: str
    mdev: Annotated[str | None, Meta(description="The mdev spelling; null where the type id is synthetic.")]
    board: str
    series: str
    framebuffer_mib: Count
    gi_slices: Annotated[int, Meta(description="Slices of the GPU instance it lives in; 0: time-sliced.")]
    max_instances: Count
    max_instances_basis: str
    type_id: Count
    type_id_known: bool
    device_id: str
    subsystem_id: str
    heads: Count
    max_x: Count
    max_y: Count
    frame_rate_limit: Count
    cuda: bool
    placements: Annotated[list[int], Meta(description="Placement ids on a mixed-size gpu of its board.")]
    source: str
    type_id_source: str


class TypesAnswer(Answer, frozen=True):
    """All vgpu types, or those of one board."""

    types: list[TypeRow]


class BoardAnswer(Answer, frozen=True):
    """A board and the vgpu types it offers."""

    board: BoardRow
    types: list[TypeRow]


class TagRow(Answer, frozen=True):
    """A driver tag and the versions it carries. Null: unknown."""

    driver: str
    date: str
    internal_version: str
    external_version: Version
    host_range: Range | None
    guest_minimum: Version | None
    source: str


class DriversAnswer(Answer, frozen=True):
    """All driver tags."""

    drivers: list[TagRow]


class DriverAnswer(Answer, frozen=True):
    """What the tables say of one driver, as a host's or as a guest's. Null: unknown."""

    driver: str
    side: Literal["host", "guest"]
    minimum: Version | None
    maximum: Version | None
    basis: str
    branch: str | None
    vgpu_release: int | None
    said: str
    source: str


class ReleaseRow(Answer, frozen=True):
    """A release of vGPU software. Empty texts and null: unknown."""

    release: str
    branch: str
    branch_type: str
    host_linux: str
    host_windows: str
    guest_linux: str
    guest_windows: str
    date: str
    host_range: Range | None
    source: str
    note: str


class ReleasesAnswer(Answer, frozen=True):
    """All releases, newest first."""

    releases: list[ReleaseRow]


class BranchRow(Answer, frozen=True):
    """A driver branch, or the part of one that shares a row."""

    branch: str
    part: str
    vgpu_release: str
    newest_external: Version
    host_range: Range | None
    guest_minimum: Version | None
    basis: str
    source: str


class BranchesAnswer(Answer, frozen=True):
    """All driver branches, oldest first."""

    branches: list[BranchRow]


class SourceRow(Answer, frozen=True):
    """What a source key stands for."""

    key: str
    title: str
    where: str


class SourcesAnswer(Answer, frozen=True):
    """All sources of the tables."""

    sources: list[SourceRow]


class HitRow(Answer, frozen=True):
    """A row that spells the text searched for."""

    kind: str
    name: str
    summary: str
    source: str


class SearchAnswer(Answer, frozen=True):
    """What a search found."""

    text: str
    hits: list[HitRow]
