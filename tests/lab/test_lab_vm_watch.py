"""`vm watch` on the hosts of the laboratory: real guests, started, migrated, reset and saved by others."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.lab.lab_guest import LabGuest
from tests.lab.lab_host import LONGEST_S, LabError, LabHost, wait_until
from tests.lab.laboratory import Laboratory
from tests.lab.prerequisites import lab_marks

from vgpu_migrate.hosts.fault_spec import FaultSpec
from vgpu_migrate.model import VmId
from vgpu_migrate.vmm.boots import SECOND
from vgpu_migrate.vmm.domain_element import NoRecords, SavedRecords, Trouble, records_in
from vgpu_migrate.vmm.domain_xml import parse_domain

pytestmark = lab_marks

Row = dict[str, Any]


class Watching:
    """A `vm watch` that runs on a host, and what it has told that nobody has waited for."""

    def __init__(self, host: LabHost, *options: str) -> None:
        program = [
            sys.executable,
            "-m",
            "vgpu_migrate",
            "vm",
            "watch",
            "--json",
            "--interval",
            "0.5",
            *options,
        ]
        # Its number within the host, by which it can be ended there.
        command = host.command(["sh", "-c", 'echo $$; exec "$@"', "sh", *program])
        self._host = host
        self.process = subprocess.Popen(
            command, env=host.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.number = self.process.stdout.readline().strip()
        self._rows: queue.SimpleQueue[Row | None] = queue.SimpleQueue()
        self._ended: tuple[int, str] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._rows.put(json.loads(line))
        self._rows.put(None)

    def wait(self, event: str, **wanted: object) -> Row:
        """The next row of that event whose fields are as wanted; those before it are passed over.

        Raises:
            LabError: it does not come, or the watch has ended.
        """
        seen: list[Row | None] = []
        while True:
            try:
                row = self._rows.get(timeout=LONGEST_S)
            except queue.Empty:
                raise LabError(f"no {event} {wanted} of the watch; it told {seen}") from None
            if row is None:
                raise LabError(f"the watch has ended: {self.end()}; it told {seen}")
            if row["event"] == event and all(row[name] == value for name, value in wanted.items()):
                return row
            seen.append(row)

    def end(self, signal: str = "TERM") -> tuple[int, str]:
        """End it by a signal; its exit status and messages."""
        if self._ended is None:
            if self.process.poll() is None:
                self._host.run(["kill", f"-{signal}", self.number], check=True)
            status = self.process.wait(timeout=LONGEST_S)
            self._reader.join()
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            self._ended = status, self.process.stderr.read()
            self.process.stdout.close()
            self.process.stderr.close()
        return self._ended


@contextmanager
def watching(host: LabHost, *options: str) -> Iterator[Watching]:
    """A watch on a host, which has reached its libvirtd."""
    found = Watching(host, *options)
    try:
        found.wait("connected")
        yield found
    finally:
        found.end()


def carried(guest: LabGuest, host: LabHost) -> SavedRecords | NoRecords:
    """The records that a guest carries on a host, as the hook would read them."""
    return records_in(parse_domain(guest.domain(host).XMLDesc().encode()))


def good(guest: LabGuest, host: LabHost) -> SavedRecords:
    """The same where they are good."""
    found = carried(guest, host)
    assert isinstance(found, SavedRecords), found
    return found


def boot_of(guest: LabGuest, host: LabHost) -> datetime:
    """When the boot began of which it carries a good record."""
    found = good(guest, host).boot
    assert found is not None
    return found


def infos(row: Row) -> list[str]:
    """Of each vgpu whether its guest driver had reported."""
    return [vgpu["guest_info"] for vgpu in row["vgpus"]]


def test_a_guest_that_others_start_gets_its_record(lab: Laboratory) -> None:
    """Each vgpu's record is there, running and kept, when the guest driver has reported."""
    guest = lab.new_guest(vgpus=2)
    with watching(lab.a) as watch:
        guest.start(lab.a)
        while infos(row := watch.wait("published", guest=guest.name)) != ["initialized"] * 2:
            pass
        found = good(guest, lab.a)
        assert [vgpu.type for vgpu in found.vgpus] == ["L40S-12Q"] * 2
        assert [vgpu.record for vgpu in found.vgpus] == list(lab.a.vgpu.saved_records(VmId(guest.name)))
        assert (found.host, found.boot) == ("a", found.last_boot)
        assert row["says"].startswith("record published (")
    kept = records_in(parse_domain(guest.domain(lab.a).XMLDesc(2).encode()))
    assert kept == found


def test_a_record_travels_and_is_taken_anew_at_the_target(lab: Laboratory, bare_guest: LabGuest) -> None:
    """After a migration the target's watch writes its own record, of the same boot."""
    guest = bare_guest
    with watching(lab.a) as there, watching(lab.b) as here:
        there.wait("published", guest=guest.name)
        before = good(guest, lab.a)
        guest.migrate(lab.b)
        row = here.wait("published", guest=guest.name)
        after = good(guest, lab.b)
        assert (before.host, after.host, row["says"].count("it has come from a")) == ("a", "b", 1)
        assert (after.boot, after.last_boot) == (before.boot, before.boot)
        guest.migrate(lab.a)
        there.wait("published", guest=guest.name)
        assert good(guest, lab.a).boot == before.boot


def test_a_reboot_makes_the_record_stale_until_the_driver_reports(
    lab: Laboratory, bare_guest: LabGuest
) -> None:
    """A reset is a new boot: the hook refuses the record of the one before, and passes the new one."""
    guest = bare_guest
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
        before = boot_of(guest, lab.a)
        guest.domain(lab.a).reset(0)
        watch.wait("marked-stale", guest=guest.name)
        stale = carried(guest, lab.a)
        assert isinstance(stale, NoRecords)
        assert stale.trouble is Trouble.STALE
        assert "its saved record is stale" in guest.refusal(lab.b)
        lab.a.vgpu.reboot_guest(VmId(guest.name))
        assert infos(watch.wait("published", guest=guest.name)) == ["uninitialized"]
        assert "may not go on live" in guest.refusal(lab.b)
        lab.a.vgpu.load_guest_driver(VmId(guest.name))
        assert infos(watch.wait("published", guest=guest.name)) == ["initialized"]
        assert boot_of(guest, lab.a) > before
        guest.migrate(lab.b)


def test_the_watch_goes_on_when_libvirtd_is_restarted(lab: Laboratory, bare_guest: LabGuest) -> None:
    """It reaches the new libvirtd by itself, knows the boot that it knew, and hears events again."""
    guest = bare_guest
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
        before = good(guest, lab.a)
        lab.a.restart_libvirtd()
        watch.wait("disconnected")
        watch.wait("connected")
        assert good(guest, lab.a) == before
        guest.domain(lab.a).suspend()
        watch.wait("published", guest=guest.name)
        assert good(guest, lab.a).state == "paused"
        assert good(guest, lab.a).boot == before.boot


def test_a_boot_that_nobody_watched_is_found_out(lab: Laboratory, bare_guest: LabGuest) -> None:
    """A watch that starts late sees that the guest's process is younger than what it carries."""
    guest = bare_guest
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
    before = boot_of(guest, lab.a)
    wait_until(lambda: datetime.now(UTC) > before + SECOND, what="another second, which the element can tell")
    guest.domain(lab.a).destroy()
    guest.wait_for_vm(lab.a, "off")
    guest.domain(lab.a).create()
    guest.wait_for_vm(lab.a)
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
        assert boot_of(guest, lab.a) > before


def test_a_saved_guest_goes_on_in_its_boot(lab: Laboratory, bare_guest: LabGuest) -> None:
    """Saved and restored, a guest carries a record of the same boot, which the hook passes."""
    guest = bare_guest
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
        before = good(guest, lab.a)
        guest.domain(lab.a).managedSave(0)
        guest.wait_for_vm(lab.a, "off")
        guest.domain(lab.a).create()
        guest.wait_for_tick(lab.a)
        guest.wait_for_vm(lab.a)
        guest.domain(lab.a).suspend()
        watch.wait("published", guest=guest.name)
        assert good(guest, lab.a).boot == before.boot


def test_the_watch_goes_on_while_the_driver_is_away(lab: Laboratory, bare_guest: LabGuest) -> None:
    """That the driver fails is told once, as is its return; a reboot meanwhile makes the record stale."""
    guest = bare_guest
    with watching(lab.a) as watch:
        watch.wait("published", guest=guest.name)
        lab.a.vgpu.inject(FaultSpec(function="nvmlDeviceGetCount_v2", code=15))
        watch.wait("driver-away")
        guest.domain(lab.a).reset(0)
        watch.wait("marked-stale", guest=guest.name)
        lab.a.vgpu.clear()
        watch.wait("driver-back")
        watch.wait("published", guest=guest.name)
        assert isinstance(carried(guest, lab.a), SavedRecords)
        assert watch.end() == (0, "")


def test_a_guest_of_libvirt_is_shown_and_written(lab: Laboratory, bare_guest: LabGuest) -> None:
    """`vm metadata` shows what a guest carries, what the driver has of it, and puts that in."""
    guest = bare_guest
    line = ["vm", "metadata", guest.name, "--connect", "qemu:///system", "--json"]
    assert json.loads(lab.a.cli(*line).stdout)["found"] == "absent"
    fresh = json.loads(lab.a.cli(*line, "--fresh", check=True).stdout)
    assert (fresh["found"], fresh["fresh"], fresh["written"]) == ("good", True, False)
    assert guest.carried(lab.a) is None
    lab.a.cli(*line, "--fresh", "--write", check=True)
    assert good(guest, lab.a).vgpus[0].record == lab.a.vgpu.saved_records(VmId(guest.name))[0]
    once = lab.a.cli("vm", "watch", "--once", "--json", check=True)
    assert json.loads(once.stdout.splitlines()[-1])["good"] == 1
    guest.migrate(lab.b)
