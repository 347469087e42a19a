"""The connection, by the real library and its test hypervisor, which needs no daemon."""

from __future__ import annotations

import queue
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from tests.lab.prerequisites import imported_libvirt
from tests.vmm.guests import MDEV, some_records

from vgpu_migrate.errors import OutsideError, UnknownNameError
from vgpu_migrate.vmm.connection import Connection, connect, default_uri
from vgpu_migrate.vmm.domain_element import NAMESPACE
from vgpu_migrate.vmm.guests import read_guest, remove_records, write_records
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import (
    LIFECYCLE,
    STATES,
    DomainState,
    ErrorCode,
    Event,
    EventKind,
    JobStatistics,
    LibvirtError,
    MigrationRequest,
    Status,
    XmlForm,
    job_statistics,
)

libvirt = imported_libvirt()

URI = "test:///default"


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection to libvirt's test hypervisor."""
    with connect(URI) as found:
        yield found


@pytest.fixture
def domain(connection: Connection) -> Iterator[Domain]:
    """A running guest of it, with a mediated device."""
    name, number = f"g-{uuid.uuid4()}", uuid.uuid4()
    source = f"<source><address uuid='{MDEV}'/></source>"
    device = f"<hostdev mode='subsystem' type='mdev' model='vfio-pci'>{source}</hostdev>"
    found = connection.define(
        f"<domain type='test'><name>{name}</name><uuid>{number}</uuid><memory>1024</memory>"
        f"<os><type>hvm</type></os><devices>{device}</devices></domain>"
    )
    found.start()
    yield found
    if found.status().state.is_active:
        found.destroy()
    found.undefine()


def test_a_guest_is_found_by_name_uuid_and_id(connection: Connection, domain: Domain) -> None:
    """Its name comes first; a name that nobody has is told with those that there are."""
    for name in (domain.name, domain.uuid, domain.uuid.upper(), str(domain.id)):
        assert connection.domain(name).uuid == domain.uuid
    with pytest.raises(
        UnknownNameError, match=f"unknown guest {domain.name[:-1]}; did you mean {domain.name}"
    ):
        connection.domain(domain.name[:-1])
    assert connection.domain_of(str(uuid.uuid4())) is None
    found = connection.domain_of(domain.uuid)
    assert found is not None
    assert found.name == domain.name
    assert domain.name in [one.name for one in connection.domains(only_active=True)]


def test_a_host_says_what_it_is(connection: Connection) -> None:
    """Name, versions and capabilities are those of the other end."""
    assert (connection.uri, connection.hypervisor(), connection.is_alive()) == (URI, "TEST", True)
    assert connection.libvirt_version() == tuple(
        libvirt.getVersion() // unit % 1000 for unit in (1_000_000, 1_000, 1)
    )
    assert "<capabilities>" in connection.capabilities()
    assert connection.hostname()
    assert connection.node_device("pci_0000_ff_00_0") is None


def test_states_and_reasons_have_names(domain: Domain) -> None:
    """A state is one of ours and its reason libvirt's word."""
    assert domain.status() == Status(DomainState.RUNNING, "booted")
    domain.suspend()
    assert domain.status() == Status(DomainState.PAUSED, "user")
    domain.resume()
    assert domain.status() == Status(DomainState.RUNNING, "unpaused")
    domain.destroy()
    assert domain.status() == Status(DomainState.OFF, "destroyed")
    assert domain.id is None


def test_records_are_put_into_a_guest_that_runs_and_into_its_definition(domain: Domain) -> None:
    """The element is read again as it was written, in both, and goes from both."""
    records = some_records()
    write_records(domain, records)
    assert read_guest(domain).records == records
    for form in (XmlForm.LIVE, XmlForm.INACTIVE):
        assert domain.xml(form).count(NAMESPACE) == 1
    write_records(domain, some_records(host="h2"))
    assert read_guest(domain).records == some_records(host="h2")
    remove_records(domain)
    assert not read_guest(domain).has_element
    assert NAMESPACE not in domain.xml(XmlForm.INACTIVE)


def test_records_are_put_into_a_guest_that_is_off(domain: Domain) -> None:
    """A guest that is off has a definition alone."""
    domain.destroy()
    write_records(domain, some_records())
    assert read_guest(domain).records == some_records()
    domain.start()
    assert read_guest(domain).records == some_records()


def test_events_are_heard(connection: Connection, domain: Domain) -> None:
    """What happens to a guest comes as events with their reasons, in order, until nobody listens."""
    heard: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with connection.listening(heard.put):
        domain.suspend()
        domain.resume()
        write_records(domain, some_records())
        domain.destroy()
        domain.start()
        found: list[tuple[EventKind, str]] = []
        while (EventKind.STARTED, "booted") not in found:
            event = heard.get(timeout=10)
            assert (event.name, event.uuid) == (domain.name, domain.uuid)
            found.append((event.kind, event.detail))
    assert [one for one in found if one[0] is not EventKind.METADATA] == [
        (EventKind.SUSPENDED, "paused"),
        (EventKind.RESUMED, "unpaused"),
        (EventKind.STOPPED, "destroyed"),
        (EventKind.STARTED, "booted"),
    ]
    assert (EventKind.METADATA, NAMESPACE) in found
    domain.suspend()
    domain.resume()
    with connection.listening(heard.put):
        domain.suspend()
        assert heard.get(timeout=10).kind is EventKind.SUSPENDED


def test_errors_are_libvirts_own_sentence(domain: Domain, capfd: pytest.CaptureFixture[str]) -> None:
    """What libvirt refuses is told with what was asked, its words and code, and it prints nothing."""
    with pytest.raises(LibvirtError) as raised:
        domain.start()
    assert str(raised.value).startswith(f"guest {domain.name}: start: ")
    assert raised.value.said.endswith("is already running")
    assert raised.value.code == ErrorCode.INTERNAL
    with pytest.raises(LibvirtError) as unsupported:
        domain.job()
    assert unsupported.value.code == ErrorCode.NO_SUPPORT
    with pytest.raises(OutsideError, match="libvirt at nosuch:///system cannot be reached: "):
        connect("nosuch:///system")
    assert capfd.readouterr() == ("", "")


def test_a_read_only_connection_only_looks(domain: Domain) -> None:
    """What would change a guest is refused there."""
    with connect(URI, read_only=True) as looking, pytest.raises(LibvirtError, match="read"):
        write_records(looking.domain(domain.name), some_records())


def test_without_libvirt_python_it_is_said_how_to_get_it() -> None:
    """A machine without it gets one sentence with both ways."""
    code = (
        "import sys; sys.modules['libvirt'] = None\n"
        "from vgpu_migrate.vmm.connection import connect\n"
        "from vgpu_migrate.errors import OutsideError\n"
        "try: connect()\n"
        "except OutsideError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert "pip install 'vgpu-migrate[libvirt]'" in done.stdout
    assert "apt-get install python3-libvirt" in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_program_ends_while_events_are_heard() -> None:
    """The thread of events does not hold a program that is done, and breaks nothing as it ends."""
    code = (
        "from vgpu_migrate.vmm.connection import connect\n"
        f"connection = connect({URI!r})\n"
        "listening = connection.listening(print)\nlistening.__enter__()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_usual_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what libvirt's own variable names, else the system's QEMU."""
    monkeypatch.delenv("LIBVIRT_DEFAULT_URI", raising=False)
    assert default_uri() == "qemu:///system"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", URI)
    assert default_uri() == URI


def test_numbers_are_libvirts() -> None:
    """States, lifecycle events, error codes and flags have the numbers of libvirt's headers."""
    words = ("NOSTATE", "RUNNING", "BLOCKED", "PAUSED", "SHUTDOWN", "SHUTOFF", "CRASHED", "PMSUSPENDED")
    assert [getattr(libvirt, f"VIR_DOMAIN_{word}") for word in words] == list(range(len(STATES)))
    kinds = [getattr(libvirt, f"VIR_DOMAIN_EVENT_{kind.name}") for kind in LIFECYCLE]
    assert kinds == list(range(len(LIFECYCLE)))
    names = {ErrorCode.INTERNAL: "INTERNAL_ERROR"}
    for code in ErrorCode:
        assert getattr(libvirt, f"VIR_ERR_{names.get(code, code.name)}") == code
    assert [form.value for form in XmlForm] == [
        0,
        libvirt.VIR_DOMAIN_XML_INACTIVE,
        libvirt.VIR_DOMAIN_XML_MIGRATABLE,
    ]


def test_requests_to_migrate_are_flags_and_parameters() -> None:
    """A request says by libvirt's flags and names what it wants, and leaves out what it does not."""
    usual = MigrationRequest()
    assert usual.parameters() == {}
    assert usual.flags() == (
        libvirt.VIR_MIGRATE_LIVE
        | libvirt.VIR_MIGRATE_PERSIST_DEST
        | libvirt.VIR_MIGRATE_CHANGE_PROTECTION
        | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    )
    offline = MigrationRequest(offline=True, undefine_on_source=True)
    assert offline.flags() == (
        libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    )
    named = MigrationRequest(
        uri="tcp://h2",
        bandwidth_mib_s=100,
        destination_xml="<x/>",
        persistent_xml="<y/>",
        destination_name="n",
    )
    assert named.parameters() == {
        libvirt.VIR_MIGRATE_PARAM_URI: "tcp://h2",
        libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: 100,
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: "<x/>",
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: "<y/>",
        libvirt.VIR_MIGRATE_PARAM_DEST_NAME: "n",
    }


def test_statistics_of_jobs() -> None:
    """libvirt's typed parameters become numbers with units, and what it does not say is not there."""
    assert job_statistics({"type": 0}) == JobStatistics(False)
    said = {
        "type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
        libvirt.VIR_DOMAIN_JOB_OPERATION: libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
        libvirt.VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE: 10,
        libvirt.VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE: 4096,
        libvirt.VIR_DOMAIN_JOB_DOWNTIME: 40,
        libvirt.VIR_DOMAIN_JOB_ERRMSG: "no",
    }
    found = job_statistics(said)
    assert found == JobStatistics(
        True, "migration_out", downtime_ms=40, dirty_pages_per_s=10, page_bytes=4096, error="no"
    )
    assert found.dirty_bytes_per_s == 40960
    assert job_statistics({"type": 5, "operation": 99}).operation == "unknown"
