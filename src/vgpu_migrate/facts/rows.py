"""The rows of the tables, typed. Every row names its source."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from functools import cached_property
from typing import NamedTuple

import msgspec

from vgpu_migrate.nvml import VersionRange

SYNTHETIC_TYPE_ID_BASE = 0x10000


class Generation(IntEnum):
    """A board's architecture, in order of age."""

    MAXWELL = 1
    PASCAL = 2
    VOLTA = 3
    TURING = 4
    AMPERE = 5
    ADA = 6
    HOPPER = 7
    BLACKWELL = 8


class PciId(NamedTuple):
    """PCI device and subsystem id; `subsystem` is None where only the device is known."""

    device: int
    subsystem: int | None


class Board(msgspec.Struct, frozen=True):
    """A model of physical GPU, under the name that its vgpu types carry.

    `framebuffer_mib` is that of its largest time-sliced profile; `mig_slices` is the number of slices a
    whole gpu has in MIG mode, 0 where the board has no MIG. `row` is its number in the table, from 0,
    which never changes: metadata records carry it.
    """

    row: int
    key: str
    generation: Generation
    framebuffer_mib: int
    mig_slices: int
    marketing_names: tuple[str, ...]
    pci_ids: tuple[PciId, ...]
    source: str

    def __hash__(self) -> int:
        # Rows are unique, and hashing every field costs as much as what is looked up.
        return self.row

    @property
    def framebuffer_gib(self) -> int:
        """Framebuffer in whole GiB: the region in which placement ids are offsets."""
        return self.framebuffer_mib // 1024

    @property
    def sriov_by_default(self) -> bool:
        """SR-IOV is off on Turing and older, on from Ampere on."""
        return self.generation >= Generation.AMPERE

    @property
    def has_mixed_size(self) -> bool:
        """Mixed-size placement exists from Ampere on."""
        return self.generation >= Generation.AMPERE


class VgpuType(msgspec.Struct, frozen=True, dict=True):
    """A profile that a board offers.

    `short` is `T4-8Q`, `long` is `GRID T4-8Q`; the mdev spelling is `nvidia-<type id>`. `gi_slices` is 0
    for a time-sliced type. `row` is its number in the table, from 0, which never changes.
    `max_instances` is per gpu; `max_instances_basis` says whether the vendor lists it or it is derived.
    """

    row: int
    short: str
    long: str
    board: str
    series: str
    gi_slices: int
    framebuffer_mib: int
    device_id: int
    subsystem_id: int
    known_type_id: int | None
    max_instances: int
    max_instances_basis: str
    heads: int
    max_x: int
    max_y: int
    frame_rate_limit: int
    cuda: bool
    source: str
    type_id_source: str

    def __hash__(self) -> int:
        # As for boards.
        return self.row

    @property
    def is_mig_backed(self) -> bool:
        """Whether the type lives in a MIG GPU instance rather than a time slice of the whole gpu."""
        return self.gi_slices > 0

    @property
    def framebuffer_gib(self) -> int:
        """Size in whole GiB, as placement counts it; 512 MiB types count as 1 (never placed by id)."""
        return max(1, self.framebuffer_mib // 1024)

    @property
    def has_known_type_id(self) -> bool:
        """False where the type id shown is synthetic."""
        return self.known_type_id is not None

    @cached_property
    def type_id(self) -> int:
        """NVML's type id, or a stable synthetic one: 0x10000 plus the row."""
        return SYNTHETIC_TYPE_ID_BASE + self.row if self.known_type_id is None else self.known_type_id

    @property
    def mdev_name(self) -> str:
        """The spelling of the mdev tree."""
        return f"nvidia-{self.type_id}"


class Release(msgspec.Struct, frozen=True):
    """A row of vGPU software: which host and guest drivers it brings. Empty strings are unknown."""

    release: str
    branch: str
    branch_type: str
    host_linux: str
    host_windows: str
    guest_linux: str
    guest_windows: str
    date: str
    host_range: VersionRange | None
    source: str
    note: str


class DriverTag(msgspec.Struct, frozen=True):
    """A driver tag of the vendor's open kernel modules and the version constants it carries."""

    tag: str
    date: str
    internal_version: str
    external_version: int
    host_range: VersionRange | None
    guest_minimum: int | None
    source: str


class Span(NamedTuple):
    """Driver numbers from `first` up to, not including, `before`; compared number by number."""

    first: tuple[int, ...]
    before: tuple[int, ...]

    def __contains__(self, numbers: object) -> bool:
        return isinstance(numbers, tuple) and self.first <= numbers < self.before


class Branch(msgspec.Struct, frozen=True):
    """A driver branch, or the part of one that shares a row (R570 has three).

    `spans` are the driver numbers a part holds; empty where the row is the whole branch. `basis` is
    "source", "measured" or "inferred". `vgpu_release` may carry words, such as "18 (beta)".
    """

    branch: str
    part: str
    vgpu_release: str
    internal_major: str
    newest_external: int
    host_range: VersionRange | None
    guest_minimum: int | None
    basis: str
    source: str
    spans: tuple[Span, ...] = ()


class Basis(StrEnum):
    """How a driver was found in the tables."""

    TAG = "tag"
    RELEASE = "release"
    BRANCH = "branch"
    UNKNOWN = "unknown"


class HostDriver(msgspec.Struct, frozen=True):
    """What the tables say of a host driver: its preset range (None: unknown), and how it was placed.

    `said` is a sentence for people, such as "not in the tables; placed by its branch R550".
    """

    driver: str
    preset_range: VersionRange | None
    basis: Basis
    branch: str | None
    vgpu_release: int | None
    source: str
    said: str


class GuestDriver(msgspec.Struct, frozen=True):
    """What the tables say of a guest driver: the range of vGPU versions it can negotiate.

    `minimum` and `maximum` are None where unknown.
    """

    driver: str
    minimum: int | None
    maximum: int | None
    basis: Basis
    branch: str | None
    vgpu_release: int | None
    source: str
    said: str


class Support(msgspec.Struct, frozen=True):
    """Whether the vendor documents a pairing of manager and guest branches; never part of a verdict.

    `verdict` is "documented", "outside" or "unknown".
    """

    verdict: str
    source: str


class PolicyBranch(msgspec.Struct, frozen=True):
    """A main branch of vGPU software, as the vendor's support pages list them, oldest first."""

    release: int
    branch: str
    is_lts: bool
    end_of_life: str


class BranchPolicy(msgspec.Struct, frozen=True):
    """Which guest branches a manager is documented to work with; the sources are keys, one per rule.

    A guest of the previous branch counts for managers from `previous_branch_from` on, one of the previous
    LTS branch for LTS managers from `previous_lts_from` on (both vGPU releases).
    """

    branches: tuple[PolicyBranch, ...]
    previous_branch_from: int
    previous_lts_from: int
    source: str
    same_branch_source: str
    previous_branch_source: str
    previous_lts_source: str
    otherwise_source: str


class BoardAlias(msgspec.Struct, frozen=True):
    """PCI ids that the vendor treats as those of another board."""

    alias: PciId
    stands_for: PciId
    source: str


class InternalVersion(msgspec.Struct, frozen=True):
    """Internal version numbers, `minor_first` to `minor_last`, that one external number stands for."""

    internal_major: int
    minor_first: int
    minor_last: int
    external: int
    source: str


class StunTime(msgspec.Struct, frozen=True):
    """The seconds for which a VM is expected to stand still, by the framebuffer of its vgpu."""

    framebuffer_mib: int
    seconds: int
    source: str


class Source(msgspec.Struct, frozen=True):
    """What a source key of the tables stands for: what was read, and where."""

    key: str
    title: str
    where: str
