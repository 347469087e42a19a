"""Where one VM may go: every gpu of every host in question, with verdict, room and support side by side.

The three never mix: the verdict is compatibility alone, `fits` is capacity as it stands, and `supported` is
what the vendor's documents say of the pairing of drivers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vgpu_migrate import facts
from vgpu_migrate.compat.pair import Verdict, check, combine
from vgpu_migrate.compat.traits import VgpuTraits, gpu_traits, vgpu_traits
from vgpu_migrate.errors import UnknownNameError
from vgpu_migrate.facts import Support, VgpuType
from vgpu_migrate.model import Fleet, Gpu, GpuId, Host, HostId, Profile, Vm
from vgpu_migrate.model.cost import stun_estimate_s
from vgpu_migrate.model.placement import NoRoom, Tenant, find_room, find_rooms
from vgpu_migrate.nvml import ALL_STATES, States


@dataclass(frozen=True, slots=True)
class Target:
    """One gpu as a target of a VM.

    For a VM with several vgpus the verdict is of all of them on this gpu: states intersected, limits
    joined. `fits` says that the VM's vgpus together find room on the host with one of them on this gpu.
    """

    host: HostId
    gpu: GpuId
    verdict: Verdict
    fits: bool
    supported: Support
    stun_s_estimate: float


@dataclass(frozen=True, slots=True)
class HostAnswer:
    """One host as a target: the states for which every vgpu finds some gpu, and whether all fit together."""

    host: HostId
    states: States
    fits: bool

    @property
    def is_live(self) -> bool:
        """Whether the VM can move there live, room apart."""
        return bool(self.states & States.LIVE)


@dataclass(frozen=True, slots=True)
class Survey:
    """Where a VM may go. `left_out` says why a host in question is no target at all."""

    vm: Vm
    profile: Profile
    hosts: tuple[HostAnswer, ...]
    targets: tuple[Target, ...]
    left_out: Mapping[HostId, str]

    @property
    def is_live_elsewhere(self) -> bool:
        """Whether some host other than the VM's own takes it live."""
        return any(answer.is_live for answer in self.hosts if answer.host != self.vm.host)


def survey(fleet: Fleet, vm: Vm, *, to: HostId | None = None) -> Survey:
    """Judge a VM on every gpu of every schedulable host of its migration domain, and of its own host.

    A VM without a host belongs to no domain and is judged on the hosts of all. Each target applies the
    profile of its own domain.

    Args:
        fleet: the fleet that the VM is part of.
        vm: the VM.
        to: look at this host alone.

    Raises:
        UnknownNameError: the fleet has no host `to`.
    """
    if to is not None and to not in fleet.hosts:
        raise UnknownNameError("host", to, fleet.hosts)
    domain = fleet.domain_of(vm)
    traits = [vgpu_traits(fleet, vm, vgpu) for vgpu in vm.vgpus]
    answers: list[HostAnswer] = []
    targets: list[Target] = []
    left_out: dict[HostId, str] = {}
    for host in fleet.hosts.values() if to is None else [fleet.hosts[to]]:
        reason = why_no_target(host, vm, domain)
        if reason is not None:
            left_out[host.id] = reason
            continue
        answer, of_host = _judge_host(fleet, vm, traits, host)
        answers.append(answer)
        targets += of_host
    profile = (fleet.settings if domain is None else fleet.settings_of(domain)).profile
    return Survey(vm, profile, tuple(answers), tuple(targets), left_out)


def why_no_target(host: Host, vm: Vm, domain: str | None) -> str | None:
    """Why a host is no target of a VM at all, in a clause for people; None where it is one."""
    if domain is not None and host.domain != domain:
        return f"{host.id} is in migration domain {host.domain}, {vm.id} in {domain}"
    if not host.has_manager:
        return f"{host.id} runs no vGPU Manager"
    if not any(gpu.is_vgpu_host for gpu in host.gpus):
        return f"no gpu of {host.id} is a vGPU host"
    if not host.schedulable and host.id != vm.host:
        return f"{host.id} is not schedulable"
    return None


def _judge_host(
    fleet: Fleet, vm: Vm, traits: Sequence[VgpuTraits], host: Host
) -> tuple[HostAnswer, list[Target]]:
    settings = fleet.settings_of(host.domain)
    support = facts.supported(
        facts.host_driver(host.driver),
        None if vm.guest_driver is None else facts.guest_driver(vm.guest_driver),
    )
    room = _Room(fleet, vm, host)
    reached = [States.NONE] * len(traits)
    targets: list[Target] = []
    for gpu in host.gpus:
        if not gpu.is_vgpu_host:
            continue
        there = gpu_traits(host, gpu)
        verdicts = [check(of_vgpu, there, settings.profile) for of_vgpu in traits]
        reached = [states | verdict.states for states, verdict in zip(reached, verdicts, strict=True)]
        targets.append(
            Target(
                host=host.id,
                gpu=gpu.id,
                verdict=combine(verdicts),
                fits=room.on_gpu(gpu),
                supported=support,
                stun_s_estimate=stun_estimate_s(vm, settings),
            )
        )
    states = ALL_STATES
    for found in reached:
        states &= found
    return HostAnswer(host.id, states, room.on_host()), targets


class _Room:
    """Whether one VM finds room on one host as it stands."""

    def __init__(self, fleet: Fleet, vm: Vm, host: Host) -> None:
        self._gpus = host.gpus
        self._tenants = [
            [Tenant(vgpu.type, vgpu.placement) for vgpu in fleet.tenants[gpu.id]] for gpu in host.gpus
        ]
        self._types: tuple[VgpuType, ...] = tuple(vgpu.type for vgpu in vm.vgpus)
        self._home = {vgpu.gpu for vgpu in vm.vgpus}
        self._is_home = vm.host == host.id and vm.state.holds_vgpus
        self._has_memory = self._is_home or not lacks_memory(fleet, vm, host)

    def on_host(self) -> bool:
        """All vgpus together; a VM fits where it is."""
        if self._is_home:
            return True
        return self._has_memory and find_rooms(self._gpus, self._tenants, self._types) is not None

    def on_gpu(self, gpu: Gpu) -> bool:
        """All vgpus together with one of them on this gpu; a gpu where one of them sits fits."""
        if gpu.id in self._home:
            return True
        return self._has_memory and any(self._with_first_on(gpu))

    def _with_first_on(self, gpu: Gpu) -> Iterator[bool]:
        index = gpu.index
        for position, vgpu_type in enumerate(self._types):
            rest = self._types[:position] + self._types[position + 1 :]
            place = find_room(gpu, self._tenants[index], vgpu_type)
            if isinstance(place, NoRoom):
                continue
            tenants = list(self._tenants)
            tenants[index] = [*tenants[index], Tenant(vgpu_type, place.placement)]
            yield not rest or find_rooms(self._gpus, tenants, rest) is not None


def lacks_memory(fleet: Fleet, vm: Vm, host: Host) -> str | None:
    """What a host lacks for a VM in memory or processors, in a clause for people; None where nothing.

    Where the file gives no figure it is not checked.
    """
    residents = fleet.residents[host.id]
    if host.memory_mib is not None:
        free = host.memory_mib - sum(resident.memory_mib for resident in residents)
        if vm.memory_mib > free:
            return f"{vm.id} needs {vm.memory_mib} MiB of memory, {host.id} has {max(0, free)} free"
    if host.vcpus is not None and vm.vcpus is not None:
        free = host.vcpus - sum(resident.vcpus or 0 for resident in residents)
        if vm.vcpus > free:
            return f"{vm.id} needs {vm.vcpus} vcpus, {host.id} has {max(0, free)} free"
    return None
