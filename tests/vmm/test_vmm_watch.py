"""The watch before a simulated host, with guests of real libvirt's test hypervisor, in this process."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.prerequisites import imported_libvirt
from tests.vmm.guests import MDEV, OTHER_MDEV, a_domain, mdev, settings_for, some_records

from vgpu_migrate import facts
from vgpu_migrate.errors import OutsideError
from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.manager import DeviceId, Seat, VgpuDefinition, VmDefinition
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import GuestInfoState
from vgpu_migrate.testing import VgpuHost, simulated_host
from vgpu_migrate.vmm.connection import connect
from vgpu_migrate.vmm.domain_element import GuestState, NoRecords, SavedRecords, Trouble
from vgpu_migrate.vmm.guests import guest_of, read_guest, remove_records, write_records
from vgpu_migrate.vmm.hook_settings import HookSettings, read_settings
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import DomainState, Status
from vgpu_migrate.vmm.taking import NotTaken, take_now
from vgpu_migrate.vmm.watch import News, Report, Watch

imported_libvirt()

URI = "test:///default"
VM = VmId("g")
WAIT_S = 20.0


@pytest.fixture
def domain() -> Iterator[Domain]:
    """A running guest of libvirt's test hypervisor."""
    with connect(URI) as connection:
        found = connection.define(
            f"<domain type='test'><name>g-{uuid.uuid4()}</name><uuid>{uuid.uuid4()}</uuid>"
            "<memory>1024</memory><os><type>hvm</type></os></domain>"
        )
        found.start()
        yield found
        if found.status().state.is_active:
            found.destroy()
        found.undefine()


@pytest.fixture
def host(domain: Domain) -> Iterator[VgpuHost]:
    """A simulated host where the guest has two vgpus, and its guest driver has reported."""
    fleet = f"""
    hosts: [{{id: h1, driver: 550.54.16, gpus: [{{board: L40S}}]}}]
    vms:
      - {{id: {VM}, uuid: {domain.uuid}, host: h1, state: running, memory_mib: 4096, guest_driver: 550.54.14,
         vgpus: [{{type: L40S-12Q, gpu: h1/0}}, {{type: L40S-12Q, gpu: h1/0}}]}}
    """
    with simulated_host(fleet) as found:
        yield found


@pytest.fixture
def settings(host: VgpuHost, tmp_path: Path) -> HookSettings:
    """Settings that name the simulated host."""
    return read_settings(settings_for(tmp_path, host.socket))


class Watching:
    """A watch that runs in a thread, and what it has told."""

    def __init__(self, settings: HookSettings, *, interval_s: float = 60.0) -> None:
        self._told: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.watch = Watch(URI, settings, self._told.put, interval_s=interval_s)
        self.thread = threading.Thread(target=self.watch.run)
        self.thread.start()

    def wait(self, news: News) -> Report:
        """The next report of that kind; others before it are passed over."""
        while (report := self._told.get(timeout=WAIT_S)).news is not news:
            pass
        return report


@contextmanager
def watching(settings: HookSettings, *, interval_s: float = 60.0) -> Iterator[Watching]:
    """A watch that has reached libvirt, and ends clean."""
    found = Watching(settings, interval_s=interval_s)
    try:
        found.wait(News.CONNECTED)
        yield found
    finally:
        found.watch.stop()
        found.thread.join(WAIT_S)
        assert not found.thread.is_alive()


def good(domain: Domain) -> SavedRecords:
    """The good records that a guest carries."""
    found = read_guest(domain).records
    assert isinstance(found, SavedRecords), found
    return found


def test_a_look_publishes_once(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """The first look writes every vgpu's record, in order, and the next one finds nothing to do."""
    told: list[Report] = []
    watch = Watch(URI, settings, told.append, interval_s=1)
    for _ in range(2):
        look = watch.once()
        assert (look.guests, look.good, look.is_driver_away) == (1, 1, False)
    assert [(report.news, report.guest) for report in told] == [(News.PUBLISHED, domain.name)]
    assert told[0].says == "record published (its first): " + "; ".join(
        ["L40S-12Q, guest driver 550.54.14"] * 2
    )
    assert [vgpu.record for vgpu in good(domain).vgpus] == list(host.saved_records(VM))


def test_mediated_devices_are_named_in_the_guests_order(tmp_path: Path) -> None:
    """The driver's UUID of a device is the guest's; it finds them also where it calls the VM otherwise."""
    devices = (OTHER_MDEV, MDEV)
    with simulated_host("hosts: [{id: h1, driver: 550.54.16, gpus: [{board: V100}]}]") as host:
        settings = read_settings(settings_for(tmp_path, host.socket))
        gpu, kind = host.gpus()[0].id, facts.vgpu_type("V100-8Q")
        for device in sorted(devices):
            host.create_device(gpu, kind, DeviceId(device))
        host.define(VmDefinition(VM, str(uuid.uuid4()), (VgpuDefinition(kind),) * 2, 1024))
        host.start(VM, gpus=[Seat(gpu, device=DeviceId(device)) for device in sorted(devices)])
        xml = a_domain(devices=[mdev(device) for device in devices]).decode()
        status = Status(DomainState.RUNNING, "booted")
        guest = guest_of(xml, name="g", uuid=str(uuid.uuid4()), number=1, status=status)
        taken = take_now(guest, settings)
        assert not isinstance(taken, NotTaken), taken
        assert [vgpu.device for vgpu in taken] == [f"mdev:{device}" for device in devices]
        assert {vgpu.type for vgpu in taken} == {"V100-8Q"}


def test_a_guest_driver_that_reports_later_is_seen(
    domain: Domain, host: VgpuHost, settings: HookSettings
) -> None:
    """What is known is published first; between events the clock sees that the driver has reported."""
    host.reboot_guest(VM)
    with watching(settings, interval_s=0.2) as watch:
        first = watch.wait(News.PUBLISHED).records
        host.load_guest_driver(VM)
        second = watch.wait(News.PUBLISHED).records
    assert first is not None
    assert second is not None
    assert {vgpu.guest_info for vgpu in first.vgpus} == {GuestInfoState.UNINITIALIZED}
    assert {vgpu.guest_info for vgpu in second.vgpus} == {GuestInfoState.INITIALIZED}
    assert second == good(domain)
    assert second.boot == first.boot


def test_events_are_enough(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """A pause, and an element that somebody takes away, are seen without waiting for the clock."""
    with watching(settings) as watch:
        watch.wait(News.PUBLISHED)
        domain.suspend()
        assert watch.wait(News.PUBLISHED).says.startswith("record published (it is paused now)")
        assert good(domain).state is GuestState.PAUSED
        remove_records(domain)
        assert watch.wait(News.PUBLISHED).says.startswith("record published (its first)")


def test_another_start_is_another_boot(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """Stopped and started, a guest carries a stale record until the driver has one of the new boot."""
    with watching(settings, interval_s=0.2) as watch:
        watch.wait(News.PUBLISHED)
        before = good(domain)
        domain.destroy()
        domain.start()
        watch.wait(News.MARKED_STALE)
        stale = read_guest(domain).records
        assert isinstance(stale, NoRecords)
        assert stale.trouble is Trouble.STALE
        host.reboot_guest(VM)
        watch.wait(News.PUBLISHED)
        after = good(domain)
        assert before.boot is not None
        assert after.boot is not None
        assert after.boot > before.boot


def test_the_driver_may_be_away(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """Its failure is told once and its return once, and what the guest carries stays meanwhile."""
    watch_once = Watch(URI, settings, lambda _: None, interval_s=1)
    host.inject(FaultSpec(function="nvmlDeviceGetCount_v2", code=15))
    assert watch_once.once().is_driver_away
    write_records(domain, some_records())
    with watching(settings, interval_s=0.1) as watch:
        assert "answered 15" in watch.wait(News.DRIVER_AWAY).says
        host.clear()
        assert watch.wait(News.DRIVER_BACK).says == "this host's driver answers again"
        watch.wait(News.PUBLISHED)


def test_a_driver_that_hangs_is_away(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """A driver that does not answer within the settings' deadline is told as away, and holds nobody."""
    host.inject(FaultSpec(function="nvmlDeviceGetCount_v2", delay_s=2))
    short = replace(settings, deadline_s=0.2)
    with pytest.raises(OutsideError, match=r"^no answer within 0\.2 s$"):
        take_now(read_guest(domain), short)
    with watching(short, interval_s=0.2) as watch:
        said = watch.wait(News.DRIVER_AWAY).says
        assert said == "this host's driver does not answer: no answer within 0.2 s"
        host.clear()
        watch.wait(News.DRIVER_BACK)
        watch.wait(News.PUBLISHED)


def test_a_guest_that_the_driver_fails_for_does_not_hold_others(
    domain: Domain, host: VgpuHost, settings: HookSettings
) -> None:
    """A guest whose record cannot be taken is told, once, and the driver is not away for that."""
    host.inject(FaultSpec(function="nvmlVgpuInstanceGetMetadata", code=999))
    with connect(URI) as connection, watching(settings, interval_s=0.1) as watch:
        other = connection.domain("test")
        write_records(other, some_records())
        try:
            assert "no fresh record: this host's driver" in watch.wait(News.NO_RECORD).says
            host.clear()
            assert watch.wait(News.PUBLISHED).guest == domain.name
        finally:
            remove_records(other)


def test_a_guest_that_cannot_be_read_does_not_hold_others(
    domain: Domain, host: VgpuHost, settings: HookSettings
) -> None:
    """A guest with XML of more than 4 MiB is told, once, and the others get their records."""
    told: list[Report] = []
    with connect(URI) as connection:
        other = connection.domain("test")
        other.set_element(b"<x>" + b"y" * (5 << 20) + b"</x>", namespace="urn:another", prefix="x")
        try:
            watch = Watch(URI, settings, told.append, interval_s=1)
            assert (watch.once().good, watch.once().good) == (1, 1)
        finally:
            other.set_element(None, namespace="urn:another", prefix="x")
    assert [(report.news, report.guest) for report in told] == [
        (News.NO_RECORD, "test"),
        (News.PUBLISHED, domain.name),
    ]
    assert told[0].says == "it cannot be read: domain XML: more than 4194304 bytes; wanted a domain's"


def test_other_guests_are_left_alone(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """A guest without a vGPU gets no element."""
    with connect(URI) as connection:
        Watch(URI, settings, lambda _: None, interval_s=1).once()
        assert not read_guest(connection.domain("test")).has_element


def test_fresh_records_can_be_asked_for(domain: Domain, host: VgpuHost, settings: HookSettings) -> None:
    """One call takes a guest's records; where the driver has none that is a value with its reason."""
    taken = take_now(read_guest(domain), settings)
    assert not isinstance(taken, NotTaken)
    assert [vgpu.record for vgpu in taken] == list(host.saved_records(VM))
    host.shut_down(VM)
    gone = take_now(read_guest(domain), settings)
    assert gone == NotTaken("this host's driver has no active vgpu of it", has_none=True)
