"""The software vGPU Manager: one host as a deterministic state machine."""

from vgpu_migrate.manager.codec import from_data, to_data
from vgpu_migrate.manager.device_names import mdev_uuid, parse_uuid
from vgpu_migrate.manager.fleet import definition_of, state_of_host
from vgpu_migrate.manager.functions import function_count
from vgpu_migrate.manager.lifecycle import Started, define_vm
from vgpu_migrate.manager.manager import VgpuManager, manager_from_fleet, migrate
from vgpu_migrate.manager.migration import Acceptance, Handover, MigrationOffer, Receipt
from vgpu_migrate.manager.refusal import Reason, Refusal
from vgpu_migrate.manager.seats import Seat
from vgpu_migrate.manager.state import (
    Device,
    DeviceId,
    GuestReport,
    HostState,
    MigrationId,
    Negotiation,
    OpenMigration,
    Role,
    VgpuDefinition,
    VgpuHandle,
    VgpuInstance,
    VmDefinition,
    VmRecord,
)
from vgpu_migrate.manager.transitions import TRANSITIONS, Operation, Transition

__all__ = [
    "TRANSITIONS",
    "Acceptance",
    "Device",
    "DeviceId",
    "GuestReport",
    "Handover",
    "HostState",
    "MigrationId",
    "MigrationOffer",
    "Negotiation",
    "OpenMigration",
    "Operation",
    "Reason",
    "Receipt",
    "Refusal",
    "Role",
    "Seat",
    "Started",
    "Transition",
    "VgpuDefinition",
    "VgpuHandle",
    "VgpuInstance",
    "VgpuManager",
    "VmDefinition",
    "VmRecord",
    "define_vm",
    "definition_of",
    "from_data",
    "function_count",
    "manager_from_fleet",
    "mdev_uuid",
    "migrate",
    "parse_uuid",
    "state_of_host",
    "to_data",
]
