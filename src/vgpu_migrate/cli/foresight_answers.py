"""The answers in JSON of `pin`, `place` and `resilience`, and of what would be, as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import Answer, CheckAnswer, Count, MatrixAnswer, Optional, Range, Version


class ReachRow(Answer, frozen=True):
    """A VM, and to how many hosts it can go as it is, room apart."""

    vm: str
    today: Count
    then: Annotated[Count | None, Meta(description="With the changes; null: taken away.")]


class ComparedAnswer(Answer, frozen=True):
    """What the changes of `--with` and `--without` make of VMs, beside today. Each VM stands in one list."""

    changes: list[str]
    without: list[str]
    freed: Annotated[list[ReachRow], Meta(description="Can go nowhere today, and then can.")]
    gains: Annotated[list[ReachRow], Meta(description="Can then go to more hosts.")]
    loses: Annotated[list[ReachRow], Meta(description="Can then go to fewer hosts, but to some.")]
    stranded: Annotated[list[ReachRow], Meta(description="Can go somewhere today, and then nowhere.")]
    gone: Annotated[list[ReachRow], Meta(description="Taken away.")]
    same: Annotated[Count, Meta(description="VMs of which nothing changes.")]


class WhatIfCheckAnswer(CheckAnswer, frozen=True):
    """Where a VM may go with changes: `check`'s answer, and it compared with today."""

    compared: ComparedAnswer
    hosts_gained: Annotated[list[str], Meta(description="Take it live then, and not today.")]
    hosts_lost: Annotated[list[str], Meta(description="Take it live today, and not then.")]


class WhatIfMatrixAnswer(MatrixAnswer, frozen=True):
    """The classes of a fleet with changes: `matrix`'s answer, and its VMs compared with today."""

    compared: ComparedAnswer


class StrandedRow(Answer, frozen=True):
    """A VM that a range strands."""

    vm: str
    host: Annotated[str | None, Meta(description="Null: it is on no host.")]
    why: Literal["would-not-load", "holds-newer", "holds-older"]
    held: Version | None
    after_reboot: Annotated[
        Version | None, Meta(description="What a guest reboot under the range gives; null: none, or unknown.")
    ]


class PinRow(Answer, frozen=True):
    """A host of a group: its range in force, and what it shall be."""

    host: str
    range: Annotated[Range | None, Meta(description="In force now.")]
    wanted: Annotated[Range | None, Meta(description="Null: nothing is asked of this host.")]
    needed: Annotated[bool, Meta(description="Whether it is to be changed.")]
    is_preset: Annotated[bool, Meta(description="Whether what is wanted is the driver's preset range.")]
    commands: Annotated[list[str], Meta(description="To be run on it while it is empty.")]


class PinSplitRow(Answer, frozen=True):
    """One of two groups that a group could fall into, and whom its range strands."""

    hosts: list[str]
    range: Range | None
    stranded: list[StrandedRow]
    lowered: Annotated[Count, Meta(description="VMs whose next reboot gives an older version than now.")]


class PinGroupRow(Answer, frozen=True):
    """Hosts among which VMs move live, versions apart, and the widest range that serves them."""

    domain: str
    boards: list[str]
    part: Annotated[Count, Meta(description="Which part of its mobility group, from 1.")]
    parts: Annotated[Count, Meta(description="More than 1: no one range serves all its hosts.")]
    range: Annotated[Range | None, Meta(description="Null: no preset range is known.")]
    lowest_by: Annotated[list[str], Meta(description="Hosts without which it could begin lower.")]
    highest_by: Annotated[list[str], Meta(description="Hosts without which it could end higher.")]
    free_now: Annotated[bool, Meta(description="Whether the ranges in force will do as they are.")]
    hosts: list[PinRow]
    stranded: list[StrandedRow]
    lowered: Annotated[Count, Meta(description="VMs whose next reboot gives an older version than now.")]
    split: Annotated[
        list[PinSplitRow],
        Meta(description="Two groups instead, that strand fewest; empty: none strands fewer."),
    ]


class PinWave(Answer, frozen=True):
    """Hosts that are emptied and pinned together."""

    wave: Count
    hosts: list[str]
    moves: Count


class PinStuck(Answer, frozen=True):
    """A host that cannot be emptied, or a VM that keeps it so."""

    host: str
    vm: str | None
    reason: str
    remedies: list[str]


class PinFleetAnswer(Optional, frozen=True):
    """The ranges that keep a fleet freely migratable, whom they strand, and the order to apply them in."""

    groups: list[PinGroupRow]
    homeless: Annotated[list[StrandedRow], Meta(description="VMs on no host that would load nowhere.")]
    order: list[PinWave]
    moves: Count
    makespan_s: float
    stuck: list[PinStuck]
    compared: ComparedAnswer | None = None


class SeatRow(Answer, frozen=True):
    """Where a vgpu would go."""

    gpu: str
    placement: Count | None


class PlaceRow(Answer, frozen=True):
    """A host as the home of a new VM."""

    host: str
    domain: str
    starts: Annotated[bool, Meta(description="Whether it can start there at all, room apart.")]
    fits: Annotated[bool, Meta(description="Whether there is room for it now.")]
    version: Annotated[Version | None, Meta(description="What it would negotiate; null: none, or unknown.")]
    live_hosts: Annotated[Count, Meta(description="Other hosts that it could later reach live, room apart.")]
    live_hosts_with_room: Annotated[Count, Meta(description="Those of them that have room for it now.")]
    gpus: Annotated[list[SeatRow], Meta(description="Where its vgpus would go; empty without room.")]
    why_not: Annotated[list[str], Meta(description="Rules or room that keep it from there; empty: nothing.")]


class PlaceAnswer(Answer, frozen=True):
    """Where a new VM should start so that it stays movable, best first."""

    type: str
    count: Count
    guest_driver: str
    guest_range: Annotated[
        list[Version | None], Meta(description="What is known of its versions: oldest, newest.")
    ]
    hosts: list[PlaceRow]


class StuckRow(Answer, frozen=True):
    """A VM that cannot leave its host live."""

    vm: str
    reason: str
    rules: list[str]
    detail: str


class SpareRow(Answer, frozen=True):
    """Empty gpus that would be enough for those who find no room."""

    board: str
    gpus: Count


class ResilienceRow(Answer, frozen=True):
    """A host, and whether it can be drained live now."""

    host: str
    domain: str
    vms: Count
    live: bool
    others: Annotated[Count, Meta(description="Moves of VMs of other hosts that make room first.")]
    stuck: list[StuckRow]
    spare: Annotated[
        list[SpareRow], Meta(description="Spare capacity that would be enough; empty: none would.")
    ]
    change: Annotated[
        str | None, Meta(description="The one change that would allow it, verified; null: none.")
    ]


class DriftRow(Answer, frozen=True):
    """A host that drift has changed, and the VMs that now keep it from being drained."""

    host: str
    stuck: list[StuckRow]


class Drift(Answer, frozen=True):
    """What happened since another fleet file."""

    lost: Annotated[list[DriftRow], Meta(description="Could be drained live then, and cannot now.")]
    regained: Annotated[list[str], Meta(description="Could not then, and can now.")]
    added: Annotated[list[str], Meta(description="Hosts that were not there.")]
    removed: Annotated[list[str], Meta(description="Hosts that are not there any more.")]


class ResilienceAnswer(Optional, frozen=True):
    """Which hosts can be drained live now, and what forbids the others."""

    hosts: list[ResilienceRow]
    drainable: Count
    since: Drift | None = None
