"""The judge of a fleet: this machine's driver, or the simulated host at a socket, asked pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from vgpu_migrate.compat import read_gpu_record
from vgpu_migrate.compat.cases import JudgedBy, JudgeKind
from vgpu_migrate.compat.judged import Answer, Ask, Refused
from vgpu_migrate.errors import OutsideError, RecordError
from vgpu_migrate.hosts.driver import DriverHost, open_driver
from vgpu_migrate.hosts.live import LiveHost
from vgpu_migrate.hosts.protocol import ActiveVgpu, Host
from vgpu_migrate.model import Fleet, GpuId, Profile, Vm, VmId
from vgpu_migrate.model.fleet_records import FleetRecords
from vgpu_migrate.nvml import ALL_STATES, InvalidArgumentError, Limits, NotSupportedError, UnknownError

DRIVER_WORD = "driver"

_ALL_LIMITS = Limits.HOST_DRIVER | Limits.GUEST_DRIVER | Limits.GPU | Limits.OTHER


class Judge(NamedTuple):
    """Who is asked, and how. `profile` is the set of rules that it applies, for our prediction."""

    name: str
    by: JudgedBy
    profile: Profile
    ask: Ask
    host: Host


@contextmanager
def opened_judge(name: str) -> Iterator[Judge]:
    """The judge of that name, for as long as the `with` block lasts.

    Args:
        name: `driver` for this machine's, or else the socket of a simulated host.

    Raises:
        OutsideError: there is no driver, no vGPU on this machine, or the host cannot be reached.
    """
    if name != DRIVER_WORD:
        live = LiveHost(name)
        try:
            view = live.show()
        except OutsideError as error:
            raise OutsideError(
                f"{error}; --judge takes the word driver, or a simulated host's socket"
            ) from None
        by = JudgedBy(JudgeKind.SIMULATED, view.driver)
        yield Judge(f"the simulated host {view.id}", by, view.profile, _asking(live), live)
        return
    with open_driver() as host:
        by = driver_itself(host)
        what = "this machine's driver" if by.kind is JudgeKind.DRIVER else "the drop-in library"
        yield Judge(what, by, Profile.DEFAULT, _asking(host), host)


def driver_itself(host: DriverHost) -> JudgedBy:
    """What may be said of a library that is asked as a driver: its records tell the drop-in one.

    A verdict of the drop-in library is one of our rules, and must never pass for a driver's.
    """
    gpus = [gpu.id for gpu in host.describe() if gpu.is_vgpu_host]
    is_ours = any(_is_ours(host.gpu_metadata(gpu)) for gpu in gpus)
    return JudgedBy(JudgeKind.SIMULATED if is_ours else JudgeKind.DRIVER, host.driver_version())


def _asking(host: Host) -> Ask:
    def ask(vgpu: bytes, gpu: bytes) -> Answer:
        try:
            said = host.compatibility(vgpu, gpu)
        except (InvalidArgumentError, UnknownError) as error:
            return Refused(str(error))
        if int(said.states) & ~int(ALL_STATES) or int(said.limits) & ~int(_ALL_LIMITS):
            numbers = f"states {int(said.states):#x}, limits {int(said.limits):#x}"
            return Refused(f"an answer that NVML does not define: {numbers}")
        return said

    return ask


def _is_ours(record: bytes) -> bool:
    try:
        read_gpu_record(record)
    except RecordError:
        return False
    return True


def own_records(host: Host, fleet: Fleet) -> FleetRecords:
    """Fresh records of what the fleet has on the judge itself: its gpus, and VMs that are active there."""
    gpus: dict[GpuId, bytes] = {}
    active: dict[str, list[tuple[GpuId, ActiveVgpu]]] = {}
    for gpu in host.gpus():
        if gpu.id not in fleet.gpus:
            continue
        try:
            gpus[gpu.id] = host.gpu_metadata(gpu.id)
            for vgpu in host.active_vgpus(gpu.id):
                active.setdefault(vgpu.vm, []).append((gpu.id, vgpu))
        except NotSupportedError:
            continue
    vgpus: dict[VmId, dict[int, bytes]] = {}
    for vm in fleet.vms.values():
        instances = _instances(vm, active.get(vm.uuid) or active.get(vm.id) or [])
        if instances:
            vgpus[vm.id] = {place: host.instance_metadata(one) for place, one in enumerate(instances)}
    return FleetRecords(vgpus, gpus)


def _instances(vm: Vm, active: list[tuple[GpuId, ActiveVgpu]]) -> list[int]:
    """The active vgpus of a VM in its order, told apart by gpu and type; empty if they do not fit."""
    left = sorted(active, key=lambda one: one[1].instance)
    found: list[int] = []
    for wanted in vm.vgpus:
        fitting = [one for one in left if one[0] == wanted.gpu and one[1].type == wanted.type.short]
        if not fitting:
            return []
        left.remove(fitting[0])
        found.append(fitting[0][1].instance)
    return [] if left else found
