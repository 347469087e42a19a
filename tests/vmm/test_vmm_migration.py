"""What is done around a migration, on hosts of libvirt's test hypervisor, which itself migrates nothing."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.lab.prerequisites import imported_libvirt
from tests.vmm.guests import a_record, some_records
from tests.vmm.pictures import UUID

from vgpu_migrate.errors import OutsideError
from vgpu_migrate.vmm import aftermath
from vgpu_migrate.vmm.aftermath import Before, after_arrival, after_failure
from vgpu_migrate.vmm.connection import Connection, connect
from vgpu_migrate.vmm.domain_element import NAMESPACE, SavedVgpu
from vgpu_migrate.vmm.guests import write_records
from vgpu_migrate.vmm.judgement import Judgement, Unjudged
from vgpu_migrate.vmm.libvirt_domain import Domain
from vgpu_migrate.vmm.libvirt_values import DomainState, LibvirtError, MigrationRequest, Status
from vgpu_migrate.vmm.migration import Moved, Order, migrate
from vgpu_migrate.vmm.move_picture import Line, Word
from vgpu_migrate.vmm.transfer import Ending, Transferred

imported_libvirt()

XML = f"""<domain type='test'><name>g</name><uuid>{UUID}</uuid><memory>1024</memory>
<os><type>hvm</type></os></domain>"""
RUNNING = Before(Status(DomainState.RUNNING, "booted"), is_persistent=False, is_known_there=False)
DEFINED = RUNNING._replace(is_persistent=True)
OTHER = f"<vgpus xmlns:old='{NAMESPACE}' version='9'/>".encode()


class Hosts(NamedTuple):
    """Two hosts without guests."""

    source: Connection
    target: Connection


class Counter:
    """A judge that counts so many active vgpus; None: it cannot know; a text: it does not answer."""

    name = "the judge"

    def __init__(self, answer: int | str | None) -> None:
        self._answer = answer

    def judge(self, vgpus: object) -> Judgement | Unjudged:
        """Never asked here."""
        raise AssertionError(vgpus)

    def active_vgpus(self, vm: str) -> int | None:
        """What it was given."""
        assert vm == UUID
        if isinstance(self._answer, str):
            raise OutsideError(self._answer)
        return self._answer


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    """Two hosts of the test hypervisor, each its own; nothing is waited for."""
    monkeypatch.setattr(aftermath, "SETTLE_S", 0.0)
    path = tmp_path / "node.xml"
    path.write_text("<node/>")
    with connect(f"test://{path}") as source, connect(f"test://{path}") as target:
        yield Hosts(source, target)


def words(lines: tuple[Line, ...]) -> dict[str, str]:
    """The word of each line, by check."""
    return {line.check: line.word.value for line in lines}


def arrived(
    hosts: Hosts,
    *,
    before: Before = RUNNING,
    request: MigrationRequest | None = None,
    counts: int | str | None = 1,
) -> dict[str, str]:
    """The words after libvirt has said that all went well."""
    wanted = request or MigrationRequest()
    lines = after_arrival(UUID, before, *hosts, wanted, some_records(), Counter(counts))
    assert all(line.remedy for line in lines if line.word in (Word.NO, Word.FAILED))
    return words(lines)


def on_the_target(hosts: Hosts) -> Domain:
    """A guest that runs there and carries its record."""
    guest = hosts.target.create(XML)
    write_records(guest, some_records())
    return guest


GOOD = {"arrived": "ok", "source": "ok", "record": "ok", "vgpus": "ok"}


def test_a_good_arrival(hosts: Hosts) -> None:
    """A guest that runs there with its record and is gone here is ok throughout."""
    on_the_target(hosts)
    assert arrived(hosts) == GOOD


def test_an_arrival_that_is_none(hosts: Hosts) -> None:
    """A guest that the destination does not know has not arrived, whatever libvirt says."""
    assert arrived(hosts, counts=0) == {**GOOD, "arrived": "no", "record": "no", "vgpus": "no"}


def test_an_arrival_in_another_state(hosts: Hosts) -> None:
    """A guest that should run there and is paused is a no, and one that should be paused is ok."""
    on_the_target(hosts).suspend()
    assert arrived(hosts)["arrived"] == "no"
    assert arrived(hosts, request=MigrationRequest(paused_on_target=True))["arrived"] == "ok"
    paused = RUNNING._replace(status=Status(DomainState.PAUSED, "user"))
    assert arrived(hosts, before=paused)["arrived"] == "ok"


def test_a_guest_that_runs_twice(hosts: Hosts) -> None:
    """A guest that runs on both hosts is a no."""
    on_the_target(hosts)
    hosts.source.create(XML)
    assert arrived(hosts)["source"] == "no"


def test_definitions_on_the_source(hosts: Hosts) -> None:
    """A definition stays where that was asked, and is told where it should have gone or has gone."""
    on_the_target(hosts)
    assert arrived(hosts, before=DEFINED)["source"] == "note"
    hosts.source.define(XML)
    assert arrived(hosts, before=DEFINED)["source"] == "ok"
    assert arrived(hosts, before=DEFINED, request=MigrationRequest(undefine_on_source=True))["source"] == "no"


def test_records_on_the_target(hosts: Hosts) -> None:
    """A record that did not come along is a no, another one a note, other devices in it are ok."""
    guest = hosts.target.create(XML)
    assert arrived(hosts)["record"] == "no"
    write_records(guest, some_records(SavedVgpu(a_record(type="L40S-24Q"), "L40S-24Q")))
    assert arrived(hosts)["record"] == "note"
    write_records(guest, some_records(SavedVgpu(a_record(), "L40S-12Q", "pci:0000:3b:00.4")))
    assert arrived(hosts)["record"] == "ok"


@pytest.mark.parametrize(
    ("counts", "word"), [(1, "ok"), (0, "no"), (2, "no"), (None, "note"), ("gone", "failed")]
)
def test_active_vgpus(hosts: Hosts, counts: int | str | None, word: str) -> None:
    """Every vgpu has to be active there; a judge that cannot know is a note, one that is gone a failure."""
    on_the_target(hosts)
    assert arrived(hosts, counts=counts)["vgpus"] == word


def test_a_failure_that_left_nothing(hosts: Hosts) -> None:
    """A guest that runs on as before, with nothing of it there, is ok."""
    hosts.source.create(XML)
    assert words(after_failure(UUID, RUNNING, *hosts)) == {"guest": "ok", "destination": "ok"}


def test_what_a_failure_left(hosts: Hosts) -> None:
    """A guest that is paused here or gone, and what of it is there, are told with what to do."""
    guest = hosts.source.create(XML)
    guest.suspend()
    (here, _) = after_failure(UUID, RUNNING, *hosts)
    assert (here.word, here.remedy) == (Word.NO, "virsh resume g, once it does not run on the destination")
    guest.destroy()
    there = hosts.target.define(XML)
    assert words(after_failure(UUID, RUNNING, *hosts)) == {"guest": "no", "destination": "note"}
    assert words(after_failure(UUID, RUNNING._replace(is_known_there=True), *hosts))["destination"] == "ok"
    there.start()
    assert words(after_failure(UUID, RUNNING, *hosts))["destination"] == "no"


def elements(guest: Domain) -> list[bytes | None]:
    """What it carries of ours, running and in its definition, whatever prefix it declares."""
    found = (guest.element(namespace=NAMESPACE, kept=kept) for kept in (False, True))
    return [one and re.sub(rb' xmlns:\w+="[^"]*"', b"", one) for one in found]


def fails(hosts: Hosts, guest: Domain, order: Order, *, stops: bool = False) -> Moved:
    """Migrate a guest, which the test hypervisor cannot."""
    stop = threading.Event()
    if stops:
        stop.set()
    return migrate(guest, *hosts, order, judge=None, stop=stop, show=lambda _: None)


@pytest.mark.parametrize("stops", [False, True])
@pytest.mark.parametrize("before", [(None, None), (b"<vgpus version='9'/>", None), (OTHER, b"<vgpus/>")])
def test_what_it_carried_is_put_back(
    hosts: Hosts, before: tuple[bytes | None, bytes | None], stops: bool
) -> None:
    """Where it does not arrive, the elements of the running guest and of its definition are as they were."""
    guest = hosts.source.define(XML)
    guest.start()
    for element, is_running in zip(before, (True, False), strict=True):
        guest.set_element(element, namespace=NAMESPACE, prefix="v", running=is_running, kept=not is_running)
    seen = elements(guest)
    moved = fails(hosts, guest, Order(MigrationRequest(), some_records()), stops=stops)
    assert moved.transferred.ending is (Ending.STOPPED if stops else Ending.FAILED)
    assert words(moved.lines) == {"record": "ok", "guest": "ok", "destination": "ok"}
    assert not moved.is_good
    assert elements(guest) == seen


def test_nothing_happens_where_a_limit_is_refused(hosts: Hosts) -> None:
    """Where the limit of downtime cannot be set the record is put back, and that is the error."""
    guest = hosts.source.create(XML)
    with pytest.raises(LibvirtError):
        fails(hosts, guest, Order(MigrationRequest(), some_records(), max_downtime_ms=5))
    assert guest.element(namespace=NAMESPACE) is None


def test_good_is_arrived_and_verified() -> None:
    """A migration is good where it arrived and no line says no or failed."""
    moved = Moved(
        Transferred(Ending.MIGRATED, "", 1.0), None, (Line("a", Word.OK, ""), Line("b", Word.NOTE, ""))
    )
    assert moved.is_good
    assert not replace(moved, lines=(Line("a", Word.FAILED, ""),)).is_good
    assert not replace(moved, transferred=Transferred(Ending.VETOED, "no", 1.0)).is_good
