"""A host that the software vGPU Manager plays."""

from __future__ import annotations

from vgpu_migrate.compat import check, read_gpu_record, read_vgpu_record
from vgpu_migrate.errors import RecordError
from vgpu_migrate.hosts.protocol import ActiveVgpu, PhysicalGpu
from vgpu_migrate.manager import VgpuManager
from vgpu_migrate.model import GpuId
from vgpu_migrate.nvml import Compatibility, InvalidArgumentError, VersionRange


class SimulatedHost:
    """The five calls of one simulated host. What it answers is the state of its manager, at each call."""

    def __init__(self, manager: VgpuManager) -> None:
        self.manager = manager

    def gpus(self) -> tuple[PhysicalGpu, ...]:
        """The gpus of the host, in the order of its file; the name is the board's first marketing name."""
        return tuple(
            PhysicalGpu(gpu.id, next(iter(gpu.board.marketing_names), gpu.board.key), gpu.pci)
            for gpu in self.manager.state.host.gpus
        )

    def active_vgpus(self, gpu: GpuId) -> tuple[ActiveVgpu, ...]:
        """The active vgpus of a gpu, by handle.

        Raises:
            InvalidArgumentError: the host has no such gpu.
            NotSupportedError: the gpu is no vGPU host, or there is no vGPU Manager.
        """
        self.manager.vgpu_host(gpu)
        is_xen = self.manager.state.host.hypervisor == "xen"
        return tuple(
            ActiveVgpu(
                instance=vgpu.handle,
                uuid=vgpu.uuid,
                vm=str(record.domid) if is_xen else record.definition.uuid,
                type=vgpu.type.short,
            )
            for record, vgpu in self.manager.active_vgpus(gpu)
        )

    def instance_metadata(self, instance: int) -> bytes:
        """The 212 bytes of an active vgpu's record.

        Raises:
            InvalidArgumentError: the instance is 0.
            NotFoundError: no active vgpu has this handle.
        """
        return self.manager.instance_metadata(instance)

    def gpu_metadata(self, gpu: GpuId) -> bytes:
        """The 128 bytes of a gpu's record.

        Raises:
            InvalidArgumentError: the host has no such gpu.
            NotSupportedError: the gpu is no vGPU host, or there is no vGPU Manager.
        """
        return self.manager.gpu_metadata(gpu)

    def compatibility(
        self, vgpu_record: bytes | bytearray | memoryview, pgpu_record: bytes | bytearray | memoryview
    ) -> Compatibility:
        """The verdict of the rule table on two records, under the profile of this host's domain.

        Capacity is never looked at, nor anything behind the fixed part of either record.

        Raises:
            InvalidArgumentError: a record is malformed or not ours, or the two are swapped.
        """
        try:
            vgpu, gpu = read_vgpu_record(vgpu_record), read_gpu_record(pgpu_record)
        except RecordError as error:
            raise InvalidArgumentError(str(error)) from error
        verdict = check(vgpu, gpu, self.manager.state.profile)
        return Compatibility(verdict.states, verdict.limits)

    def vgpu_versions(self) -> tuple[VersionRange, VersionRange]:
        """The preset range and the range in force.

        Raises:
            NotSupportedError: there is no vGPU Manager.
            UnknownError: the preset range of the host driver is not known.
        """
        return self.manager.versions()

    def set_vgpu_version(self, wanted: VersionRange) -> None:
        """Override the preset range; seen by the next call of everyone who shares the manager.

        Raises:
            InvalidArgumentError: not a range inside the preset one.
            NotSupportedError: there is no vGPU Manager.
            UnknownError: the preset range of the host driver is not known.
            InUseError: a VM is running on the host.
        """
        self.manager.set_range(wanted)
