"""Two hosts under every operation in any order, stale tokens and reboots included, against what must hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from tests.manager.factories import PRESET, a_gpu, a_host, a_manager, a_vm

from vgpu_migrate import facts
from vgpu_migrate.errors import InputError, RefusedError
from vgpu_migrate.manager import (
    Acceptance,
    DeviceId,
    Handover,
    HostState,
    MigrationOffer,
    Receipt,
    Role,
    Seat,
    VgpuManager,
    migrate,
)
from vgpu_migrate.model import GpuId, PlacementMode, VersionRange, VmId
from vgpu_migrate.model.placement import overfull
from vgpu_migrate.nvml import InUseError, NvmlError, States, VgpuMetadata

NEWER = VersionRange(0x120001, 0x1A0001)
DEFINITIONS = {
    definition.id: definition
    for definition in (
        a_vm("vm1", "L40S-24Q"),
        a_vm("vm2", "L40S-48Q"),
        a_vm("vm3", "L40S-24Q", "L40S-16Q"),
        a_vm("vm4", "L40S-24Q"),
    )
}
ACTIVE_ROLES = (Role.RESIDENT, Role.OUTGOING)

hosts = st.sampled_from([0, 1])
vms = st.sampled_from(sorted(DEFINITIONS))
bounds = st.sampled_from([(0x70001, 0x120001), (0x140001, 0x140001), (0x140001, 0x1A0001), (None, 0x130001)])
ranges = st.sampled_from([PRESET, NEWER, VersionRange(0x120001, 0x130001), VersionRange(0x130001, 0x140001)])

device_ids = st.sampled_from([DeviceId(name) for name in ("d1", "d2", "d3")])
device_types = st.sampled_from([facts.vgpu_type(name) for name in ("L40S-24Q", "L40S-16Q", "L40S-48Q")])

Token = MigrationOffer | Acceptance | Handover | Receipt


class TwoHosts(RuleBasedStateMachine):
    """A is older, B newer; each has an equal-size and a mixed-size gpu of 48 GiB."""

    tokens: Bundle[Token] = Bundle("tokens")
    records: Bundle[tuple[bytes, ...]] = Bundle("records")

    def __init__(self) -> None:
        super().__init__()
        self.managers = [
            a_manager(
                a_host(
                    name,
                    driver=driver,
                    preset=preset,
                    gpus=[a_gpu(0, host=name), a_gpu(1, host=name, mode=PlacementMode.MIXED)],
                )
            )
            for name, driver, preset in (("A", "550.54.16", PRESET), ("B", "580.126.08", NEWER))
        ]
        self.issued: list[Token] = []
        self.there: set[VmId] = set()
        self.versions: dict[VmId, list[int]] = {}

    def attempt(self, host: int, call: Callable[[VgpuManager], Any], *, guest_changes: bool = False) -> Any:
        """Do it; what is refused must have changed nothing. Gives what it gave, or None."""
        manager = self.managers[host]
        before: HostState = manager.state
        try:
            result = call(manager)
        except (RefusedError, InputError, NvmlError):
            assert manager.state is before
            return None
        if guest_changes:
            self.versions.update(active_versions(manager))
        if isinstance(result, Token):
            self.issued.append(result)
        return True if result is None else result

    def home(self, vm: VmId) -> int:
        """The host that a VM is at home on, else the first that has a record of it."""
        with_vm = [host for host, manager in enumerate(self.managers) if vm in manager.state.vms]
        at_home = [host for host in with_vm if self.managers[host].state.vms[vm].role in ACTIVE_ROLES]
        return next(iter(at_home + with_vm), 0)

    @rule(host=hosts, vm=vms)
    def define(self, host: int, vm: VmId) -> None:
        if all(vm not in manager.state.vms for manager in self.managers):
            self.managers[host].define(DEFINITIONS[vm])
            self.there.add(vm)

    @rule(vm=vms)
    def undefine(self, vm: VmId) -> None:
        if self.attempt(self.home(vm), lambda manager: manager.undefine(vm)):
            self.there.discard(vm)

    @rule(vm=vms, bounds=bounds)
    def run(self, vm: VmId, bounds: tuple[int | None, int]) -> None:
        host = self.home(vm)
        self.attempt(host, lambda manager: manager.start(vm), guest_changes=True)
        self.attempt(
            host, lambda manager: manager.load_guest_driver(vm, "1.2", bounds=bounds), guest_changes=True
        )

    @rule(
        vm=vms,
        state=st.sampled_from([States.COLD, States.HIBERNATE, States.SLEEP, States.LIVE]),
        saved=st.none() | records,
    )
    def start(self, vm: VmId, state: States, saved: tuple[bytes, ...] | None) -> None:
        self.attempt(
            self.home(vm), lambda manager: manager.start(vm, state, records=saved), guest_changes=True
        )

    @rule(
        host=hosts,
        gpu=st.sampled_from([0, 1]),
        vgpu_type=device_types,
        device=device_ids,
        placement=st.sampled_from([None, None, 0, 24]),
        function=st.sampled_from([None, None, 0, 31, 32]),
    )
    def create_device(
        self,
        host: int,
        gpu: int,
        vgpu_type: facts.VgpuType,
        device: DeviceId,
        placement: int | None,
        function: int | None,
    ) -> None:
        on = GpuId(f"{'AB'[host]}/{gpu}")
        self.attempt(
            host,
            lambda manager: manager.create_device(
                on, vgpu_type, device, placement=placement, function=function
            ),
        )

    @rule(host=hosts, device=device_ids)
    def remove_device(self, host: int, device: DeviceId) -> None:
        self.attempt(host, lambda manager: manager.remove_device(device))

    @rule(host=hosts, device=device_ids, placement=st.sampled_from([0, 16, 24, 32]))
    def place_device(self, host: int, device: DeviceId, placement: int) -> None:
        self.attempt(host, lambda manager: manager.place_device(device, placement))

    @rule(vm=vms, devices=st.lists(device_ids, min_size=2, max_size=2))
    def start_on_devices(self, vm: VmId, devices: list[DeviceId]) -> None:
        """Its first vgpu on a device, the second too or wherever there is room."""
        host = self.home(vm)
        seats = self.seats(host, vm, devices)
        self.attempt(host, lambda manager: manager.start(vm, gpus=seats), guest_changes=True)

    @rule(target=tokens, host=hosts, token=tokens, devices=st.lists(device_ids, min_size=2, max_size=2))
    def accept_on_devices(self, host: int, token: Token, devices: list[DeviceId]) -> Any:
        if not isinstance(token, MigrationOffer):
            return multiple()
        seats = self.seats(host, token.definition.id, devices)
        return self.attempt(host, lambda manager: manager.migrate_in(token, gpus=seats)) or multiple()

    def seats(self, host: int, vm: VmId, devices: list[DeviceId]) -> list[Seat]:
        """A seat on each device that is there, else on a gpu, for the vgpus of a VM."""
        there = self.managers[host].state.devices
        return [
            Seat(there[device].gpu, device=device) if device in there else Seat(GpuId(f"{'AB'[host]}/1"))
            for device, _ in zip(devices, DEFINITIONS[vm].vgpus if vm in DEFINITIONS else (), strict=False)
        ]

    @rule(target=records, vm=vms)
    def keep_records(self, vm: VmId) -> Any:
        return self.attempt(self.home(vm), lambda manager: manager.saved_records(vm)) or multiple()

    @rule(
        vm=vms,
        operation=st.sampled_from(
            [
                "guest_driver_fails",
                "reboot_guest",
                "pause",
                "resume",
                "sleep",
                "wake",
                "hibernate",
                "shut_down",
            ]
        ),
    )
    def live(self, vm: VmId, operation: str) -> None:
        self.attempt(self.home(vm), lambda manager: getattr(manager, operation)(vm), guest_changes=True)

    @rule(host=hosts, wanted=ranges)
    def set_range(self, host: int, wanted: VersionRange) -> None:
        self.attempt(host, lambda manager: manager.set_range(wanted))

    @rule(host=hosts, operation=st.sampled_from(["reload_driver", "reboot", "restart"]))
    def whole_host(self, host: int, operation: str) -> None:
        self.attempt(host, lambda manager: getattr(manager, operation)())

    @rule(host=hosts, driver=st.sampled_from(["550.54.16", "580.126.08"]))
    def install_driver(self, host: int, driver: str) -> None:
        self.attempt(host, lambda manager: manager.install_driver(driver))

    @initialize(
        target_hosts=st.lists(hosts, min_size=4, max_size=4),
        guest=st.lists(bounds, min_size=4, max_size=4),
    )
    def begin(self, target_hosts: list[int], guest: list[tuple[int | None, int]]) -> None:
        """Most stories begin with VMs that run, else few of them come to a migration."""
        for vm, host, offered in zip(sorted(DEFINITIONS), target_hosts, guest, strict=True):
            self.define(host, vm)
            self.run(vm, offered)

    @initialize(target=tokens)
    def foreign_tokens(self) -> Any:
        return multiple(*FOREIGN)

    @rule(target=tokens, vm=vms)
    def migrate_out(self, vm: VmId) -> Any:
        return self.attempt(self.home(vm), lambda manager: manager.migrate_out(vm)) or multiple()

    @rule(target=tokens, host=hosts, token=tokens)
    def show_a_token(self, host: int, token: Token) -> Any:
        """Any token to any host, at any time: to the operation that takes its kind."""
        return self.show(host, token)

    @rule(host=hosts)
    def show_every_token(self, host: int) -> None:
        """All tokens there ever were, in their order, to one host: what a network may do at its worst."""
        for token in list(self.issued):
            self.show(host, token)

    def show(self, host: int, token: Token) -> Any:
        match token:
            case MigrationOffer():
                return self.attempt(host, lambda manager: manager.migrate_in(token)) or multiple()
            case Acceptance():
                return self.attempt(host, lambda manager: manager.hand_over(token)) or multiple()
            case Handover():
                return self.attempt(host, lambda manager: manager.commit(token)) or multiple()
            case Receipt():
                for vm, record in self.managers[host].state.vms.items():
                    if record.role is Role.HANDED_OVER:
                        self.attempt(host, partial(VgpuManager.abort, vm_id=vm, receipt=token))
                self.attempt(host, lambda manager: manager.finish(token))
                return multiple()

    @rule(target=tokens, host=hosts, vm=vms, token=st.none() | tokens)
    def abort(self, host: int, vm: VmId, token: Token | None) -> Any:
        receipt = token if isinstance(token, Receipt) else None
        found = self.attempt(host, lambda manager: manager.abort(vm, receipt))
        return found if isinstance(found, Receipt) else multiple()

    @rule(target=tokens, host=hosts, token=tokens)
    def ask(self, host: int, token: Token) -> Any:
        return self.attempt(host, lambda manager: manager.answer(token.migration))

    @rule(target=tokens, vm=vms)
    def to_the_hand_over(self, vm: VmId) -> Any:
        """The dance up to its middle in one step, so that long stories are not rare."""
        source, target = self.managers[self.home(vm)], self.managers[1 - self.home(vm)]
        try:
            offer = source.migrate_out(vm)
            acceptance = target.migrate_in(offer)
        except (RefusedError, InputError):
            return multiple()
        handover = source.hand_over(acceptance)
        self.issued += [offer, acceptance, handover]
        return multiple(offer, acceptance, handover)

    @rule(target=tokens, vm=vms)
    def settle(self, vm: VmId) -> Any:
        """What an operator does with a migration that is open: ask the target, and follow its answer."""
        for source, target in (self.managers, self.managers[::-1]):
            record = source.state.vms.get(vm)
            if record is not None and record.role is Role.HANDED_OVER:
                assert record.migration is not None
                receipt = target.answer(record.migration.id)
                if receipt.committed:
                    source.finish(receipt)
                else:
                    source.abort(vm, receipt)
                return receipt
        return multiple()

    @rule(vm=vms)
    def migrate(self, vm: VmId) -> None:
        source, target = self.managers[self.home(vm)], self.managers[1 - self.home(vm)]
        vms, before = source.state.vms, target.state
        try:
            migrate(source, target, vm)
        except (RefusedError, InputError):
            assert source.state.vms == vms
            assert target.state is before

    @invariant()
    def never_active_on_two_hosts(self) -> None:
        for vm in DEFINITIONS:
            active = [manager for manager in self.managers if vm in active_versions(manager)]
            assert len(active) <= 1

    @invariant()
    def on_exactly_one_once_answered(self) -> None:
        """A VM is at home on one host, but between hand-over and receipt."""
        for vm in DEFINITIONS:
            roles = [manager.state.vms[vm].role for manager in self.managers if vm in manager.state.vms]
            at_home = sum(role in ACTIVE_ROLES for role in roles)
            assert at_home <= 1
            if Role.HANDED_OVER not in roles:
                assert at_home == (vm in self.there)

    @invariant()
    def capacity_is_kept(self) -> None:
        for manager in self.managers:
            for gpu in manager.state.host.gpus:
                assert overfull(gpu, manager.state.tenants(gpu.id)) == []

    @invariant()
    def devices_are_what_runs_on_them(self) -> None:
        """Each is there once and used once; a vgpu on one has its type and place; no function has two."""
        for manager in self.managers:
            state = manager.state
            everything = [device for device, _ in state.all_devices()]
            assert len({device.id for device in everything}) == len(everything)
            assert len({(device.gpu, device.function) for device in everything}) == len(everything)
            for device in everything:
                assert state.devices.get(device.id, device) == device
            for gpu in state.host.gpus:
                here = Counter(device.tenant for device in everything if device.gpu == gpu.id)
                assert Counter(state.tenants(gpu.id)) == here

    @invariant()
    def in_use_if_and_only_if_a_vgpu_is_there(self) -> None:
        for manager in self.managers:
            before = manager.state
            _, current = manager.versions()
            if any(record.vgpus for record in before.vms.values()):
                with pytest.raises(InUseError):
                    manager.set_range(current)
            else:
                manager.set_range(current)
            assert manager.state == before

    @invariant()
    def the_range_is_inside_the_preset_range(self) -> None:
        for manager in self.managers:
            preset, current = manager.versions()
            assert preset.covers(current)

    @invariant()
    def the_version_held_stays(self) -> None:
        for manager in self.managers:
            for vm, held in active_versions(manager).items():
                assert held == self.versions[vm]

    @invariant()
    def the_state_can_be_kept(self) -> None:
        for manager in self.managers:
            kept = msgspec.json.decode(msgspec.json.encode(manager.to_data()))
            assert VgpuManager.from_data(kept).state == manager.state

    @invariant()
    def records_are_those_of_this_host(self) -> None:
        for manager in self.managers:
            for gpu in manager.state.host.gpus:
                for _, vgpu in manager.active_vgpus(gpu.id):
                    record = VgpuMetadata.from_bytes(manager.instance_metadata(vgpu.handle))
                    assert record.host_driver_version == manager.state.host.driver


def active_versions(manager: VgpuManager) -> dict[VmId, list[int]]:
    """The version of each vgpu of each active VM, 0 before its guest driver reported."""
    return {
        vm: [vgpu.guest.vgpu_version if vgpu.guest else 0 for vgpu in record.vgpus]
        for vm, record in manager.state.vms.items()
        if record.is_active
    }


def _foreign_tokens() -> tuple[MigrationOffer, Acceptance, Handover, Receipt]:
    """Tokens of a migration between two other hosts: foreign to both of the machine's."""
    source, target = a_manager(a_host("X")), a_manager(a_host("Y"))
    source.define(a_vm("vm9"))
    source.start(VmId("vm9"))
    source.load_guest_driver(VmId("vm9"), "1.2", bounds=(None, 0x140001))
    offer = source.migrate_out(VmId("vm9"))
    acceptance = target.migrate_in(offer)
    handover = source.hand_over(acceptance)
    # No host takes up the offer, which would only fill it with a VM that the invariants do not know.
    offer = msgspec.structs.replace(offer, domain="elsewhere")
    return offer, acceptance, handover, target.commit(handover)


FOREIGN = _foreign_tokens()

TestTwoHosts = TwoHosts.TestCase
TestTwoHosts.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
