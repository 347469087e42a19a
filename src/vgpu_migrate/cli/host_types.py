"""The answers of `host` in JSON as types, one place for each field.

As in `answers`: versions are `0x…` texts, states and limits words. `instance` is NVML's handle of a vgpu.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vgpu_migrate.cli.answers import (
    Answer,
    Count,
    Evidence,
    LimitWords,
    Optional,
    Range,
    StateWords,
    Version,
)

Code = Annotated[int, Meta(ge=0, description="An NVML return code.")]


class Guest(Answer, frozen=True):
    """What the guest driver reported when it loaded. Null: unknown."""

    driver: str
    version: Version
    minimum: Version | None
    maximum: Version | None


class VgpuRow(Answer, frozen=True):
    """A vgpu: active, or held for a VM that is on its way."""

    instance: Count
    uuid: str
    vm: str
    type: str
    gpu: str
    placement: Annotated[int | None, Meta(description="On a mixed-size gpu: its placement id, in GiB.")]
    active: bool
    guest: Annotated[Guest | None, Meta(description="Null while guest info is UNINITIALIZED.")]
    device: Annotated[str | None, Meta(description="The device made for it before; null: one of its own.")]


class DeviceRow(Answer, frozen=True):
    """A device that an administrator made: room taken, whether a VM uses it (`vm`, `instance`) or not."""

    device: str
    type: str
    gpu: str
    placement: Annotated[int | None, Meta(description="On a mixed-size gpu: its placement id, in GiB.")]
    function: Annotated[
        int | None, Meta(description="On an SR-IOV gpu: its virtual function, counted from 0.")
    ]
    vm: str | None
    instance: int | None


class VgpusAnswer(Answer, frozen=True):
    """The vgpus of a host, held ones too, and the devices that were made for vgpus."""

    vgpus: list[VgpuRow]
    devices: list[DeviceRow]


class GpuRow(Answer, frozen=True):
    """A gpu. `used_mib` counts active and held vgpus; of the real driver, it is what NVML says.

    Null: the real driver does not say; a simulated host says all but `pci`.
    """

    gpu: str
    index: Count
    name: str
    board: str | None
    pci: str | None
    vgpu: Annotated[bool, Meta(description="Whether it is a vGPU host.")]
    mode: Literal["equal", "mixed"] | None
    ecc: bool | None
    sriov: bool | None
    migration: bool | None
    mig: tuple[int, ...] | None
    persistence: bool | None
    memory_mib: Count
    used_mib: Count
    instances: tuple[int, ...]


class GpusAnswer(Answer, frozen=True):
    """The gpus of a host, in its order."""

    gpus: list[GpuRow]


class Loading(Answer, frozen=True):
    """A guest driver's attempt to load: both ranges, and the version, null where it did not load."""

    driver: str
    loaded: bool
    version: Version | None
    guest_minimum: Version | None
    guest_maximum: Version | None
    host_range: Range | None


class VmRow(Answer, frozen=True):
    """A VM of a host."""

    vm: str
    uuid: str
    domid: Count
    state: Literal["running", "paused", "sleeping", "hibernated", "off", "booting"]
    role: Annotated[
        Literal["resident", "outgoing", "handed-over", "incoming"],
        Meta(description="Its part in a migration; resident: none."),
    ]
    active: Annotated[bool, Meta(description="Whether its processors may run here.")]
    memory_mib: Count
    guest_driver: str | None
    types: list[str]
    vgpus: list[VgpuRow]
    saved_records: Count
    guest_driver_load: Loading | None
    migration: str | None


class FaultRow(Answer, frozen=True):
    """A fault that is set. Null: every function, gpu or vgpu."""

    fault: Count
    function: str | None
    gpu: str | None
    instance: int | None
    code: Code
    says: str
    after: Count
    probability: float
    seed: Count
    delay_ms: float
    left_s: float | None
    calls: Annotated[int, Meta(ge=0, description="Matching calls so far.")]


class MigrationRow(Answer, frozen=True):
    """A migration that is not settled, seen from this host."""

    migration: str
    vm: str
    direction: Literal["out", "in"]
    stage: Literal["offered", "handed-over", "held", "withdrawn"]
    peer: str | None
    socket: str | None
    asks: Count
    said: str


class HostAnswer(Answer, frozen=True):
    """Everything about a host at one moment."""

    host: str
    domain: str
    profile: str
    driver: str
    manager: bool
    hypervisor: str
    schedulable: bool
    preset_range: Range | None
    range: Range | None
    override: bool
    range_source: str
    gpus: list[GpuRow]
    vms: list[VmRow]
    devices: list[DeviceRow]
    migrations: list[MigrationRow]
    faults: list[FaultRow]
    notices: list[str]


class DriverAnswer(Answer, frozen=True):
    """Everything that the real driver says of its host. `host` is the machine's name."""

    host: str
    driver: str
    preset_range: Range | None
    range: Range | None
    override: bool
    range_source: str
    gpus: list[GpuRow]
    vgpus: list[VgpuRow]


class VersionAnswer(Answer, frozen=True):
    """The driver of a host and its ranges of vGPU versions."""

    host: str
    driver: str
    preset_range: Range | None
    range: Range | None
    override: Annotated[bool, Meta(description="Whether an administrator's range is in force.")]
    range_source: str


class RecordRow(Optional, frozen=True):
    """A metadata record: its bytes, and what its fields say."""

    record: Annotated[str, Meta(description="The whole record, in base64.")]
    seen: Annotated[
        dict[str, str], Meta(description="What the rules see in it, spelled as in evidence; absent: unknown.")
    ]
    guest_driver: Annotated[str | None, Meta(description="Absent while guest info is UNINITIALIZED.")] = None
    instance: Annotated[int | None, Meta(description="Absent where the vgpu is not there now.")] = None


class MetadataAnswer(Optional, frozen=True):
    """The metadata records of a VM's vgpus in order, or of a gpu."""

    records: list[RecordRow]
    vm: str | None = None
    gpu: str | None = None


class Predicted(Answer, frozen=True):
    """What our rules say beside the driver, and whether the driver says the same."""

    states: StateWords
    limits: LimitWords
    agrees: bool


class CompatTarget(Optional, frozen=True):
    """What the target says: for several records, states intersected and limits joined.

    `evidence` is of our rules, also where the verdict is the driver's.
    """

    gpu: str
    states: StateWords
    limits: LimitWords
    live: bool
    by: Annotated[Literal["prediction", "driver"], Meta(description="Who gave the verdict.")]
    evidence: list[Evidence]
    unknown: tuple[str, ...] = ()
    prediction: Annotated[
        Predicted | None,
        Meta(description="Where the verdict is the driver's; absent: our rules cannot read the records."),
    ] = None


class CompatAnswer(Answer, frozen=True):
    """Where the vgpus of a VM, or of records, may go among the gpus asked about."""

    vgpu: str
    targets: list[CompatTarget]


class StartAnswer(Answer, frozen=True):
    """A VM that was started, and what an operator should know of it."""

    vm: VmRow
    warnings: list[str]


class MigrateAnswer(Answer, frozen=True):
    """A migration that was committed."""

    vm: str
    target: str
    migration: str
    committed: bool


class ClearAnswer(Answer, frozen=True):
    """How many faults were cleared."""

    cleared: Count


class DoneAnswer(Answer, frozen=True):
    """What was done; there is nothing to show of it."""

    done: str


class Refused(Optional, frozen=True):
    """Why an operation is not possible now; nothing has changed."""

    reason: str
    thing: str | None
    detail: str
    code: Annotated[int | None, Meta(description="NVML's code for it, where it has one.")] = None
    states: StateWords | None = None
    limits: LimitWords | None = None
    evidence: list[Evidence] | None = None
    unknown: tuple[str, ...] = ()


class RefusedAnswer(Answer, frozen=True):
    """The answer of any `host` command that a host refuses; exit status 1."""

    refused: Refused
