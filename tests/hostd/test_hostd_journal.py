"""What is kept on disk, and who may have it."""

from __future__ import annotations

import re
import sqlite3
import stat
from pathlib import Path

import pytest
from tests.hostd.fleets import H1, H2, OFF, VM, a_fleet, a_kept

from vgpu_migrate.errors import InputError, OutsideError
from vgpu_migrate.hostd import restore
from vgpu_migrate.hostd.journal import Entry, Journal, Outgoing
from vgpu_migrate.manager import MigrationId, VgpuManager
from vgpu_migrate.model import PlacementMode, VersionRange, VmState
from vgpu_migrate.nvml import InUseError


def an_entry() -> Entry:
    """A host of the file as it begins."""
    return restore.from_file(a_fleet(), H1, incarnation="abc").entry


def changed(entry: Entry, manager: VgpuManager) -> Entry:
    """The same with another state."""
    return entry._replace(state=manager.state)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Every field of the state but host and profile, and open migrations, come back as they were."""
    entry = an_entry()
    going = {MigrationId("h01/abc/1"): Outgoing(VM, H2, "/run/h02")}
    journal = Journal(tmp_path / "state")
    assert journal.read() is None
    journal.write(None, entry._replace(outgoing=going))
    journal.close()
    journal = Journal(tmp_path / "state")
    kept = journal.read()
    journal.close()
    assert kept is not None
    fields = {name: getattr(entry.state, name) for name in entry.state.__struct_fields__}
    assert {**kept.fields, "host": entry.state.host, "profile": entry.state.profile} == fields
    assert (kept.host, kept.outgoing) == (entry.host, going)
    assert list(kept.fields["vms"]) == list(entry.state.vms)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """A change of one VM writes its row alone; nothing changed writes nothing; a VM that went has no row."""
    entry, journal = an_entry(), Journal(tmp_path / "state")
    journal.write(None, entry)
    statements: list[str] = []
    journal._database.set_trace_callback(statements.append)
    manager = VgpuManager(entry.state)
    manager.pause(VM)
    paused = changed(entry, manager)
    journal.write(entry, paused)
    assert [one.partition(" VALUES")[0] for one in statements] == [
        "BEGIN IMMEDIATE",
        "INSERT INTO vms (id, data)",
        "COMMIT",
    ]
    statements.clear()
    journal.write(paused, paused)
    assert statements == []
    manager.undefine(OFF)
    journal.write(paused, changed(entry, manager))
    journal.close()
    with sqlite3.connect(tmp_path / "state" / "journal.sqlite3") as database:
        assert database.execute("SELECT id FROM vms").fetchall() == [(VM,)]
    database.close()


def test_everything_is_written_again_after_a_failure(tmp_path: Path) -> None:
    """A write that fails says so, and the next one writes all, as nobody knows what reached the disk."""
    entry, journal = an_entry(), Journal(tmp_path / "state")
    journal.write(None, entry)
    manager = VgpuManager(entry.state)
    manager.pause(VM)
    journal._database.execute("PRAGMA query_only = ON")
    with pytest.raises(OutsideError, match=r"cannot be written: attempt to write a readonly database"):
        journal.write(entry, changed(entry, manager))
    journal._database.execute("PRAGMA query_only = OFF")
    manager.resume(VM)
    journal._database.execute("DELETE FROM vms")
    journal.write(entry, changed(entry, manager))
    kept = journal.read()
    journal.close()
    assert kept is not None
    assert kept.fields["vms"] == manager.state.vms


def test_a_directory_has_one_keeper(tmp_path: Path) -> None:
    """A second process is refused, and the first keeps what it has."""
    journal = Journal(tmp_path / "state")
    with pytest.raises(OutsideError) as caught:
        Journal(tmp_path / "state")
    assert str(caught.value) == f"{tmp_path / 'state'}: another process keeps a host there"
    with pytest.raises(OutsideError):
        Journal(tmp_path / "state", fresh=True)
    journal.close()
    Journal(tmp_path / "state").close()


def test_everything_is_owner_only(tmp_path: Path) -> None:
    """Directory 700 and files 600; a directory in which others have their files is not taken."""
    (tmp_path / "state").mkdir(mode=0o755)
    Journal(tmp_path / "state").close()
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "state").iterdir()} == {0o600}
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open" / "mine").touch()
    with pytest.raises(InputError, match=r"others may enter it \(mode 755\); wanted a directory of its own"):
        Journal(tmp_path / "open")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"wanted a directory"):
        Journal(tmp_path / "file")


def test_another_version_is_refused(tmp_path: Path) -> None:
    """A journal of another data version is not touched; a fresh start forgets it."""
    Journal(tmp_path / "state").close()
    file = tmp_path / "state" / "journal.sqlite3"
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(InputError, match=r"data version 0\.7; wanted 1\.1; a fresh start forgets"):
        Journal(tmp_path / "state")
    Journal(tmp_path / "state", fresh=True).close()


@pytest.mark.parametrize("damage", [b"no database at all, " * 100, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_file_is_an_error(tmp_path: Path, damage: bytes) -> None:
    """What SQLite cannot read is said, with what helps; a fresh start forgets it."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "journal.sqlite3").write_bytes(damage)
    with pytest.raises(OutsideError, match=r"a fresh start forgets it"):
        Journal(tmp_path / "state")
    Journal(tmp_path / "state", fresh=True).close()


def test_a_damaged_row_is_an_error(tmp_path: Path) -> None:
    """A row that this program would not have written names the file and the place."""
    journal = Journal(tmp_path / "state")
    journal.write(None, an_entry())
    journal._database.execute("UPDATE vms SET data = '{}' WHERE id = ?", (VM,))
    with pytest.raises(InputError, match=re.escape(f"{journal.path}: VM {VM}.definition: missing")):
        journal.read()
    journal.close()


def test_a_host_begins_again_with_what_was_kept(tmp_path: Path) -> None:
    """VMs and saved records outlive the process; a range set at run time and the flags of gpus do not."""
    fleet = a_fleet()
    with a_kept(tmp_path, H1, fleet) as host:
        host.live.shut_down(VM)
        records = host.live.saved_records(VM)
        host.live.set_vgpu_version(VersionRange(0x70001, 0x120001))
        host.live.set_persistence(host.live.gpus()[0].id, is_on=True)
        host.live.start(OFF)
        before = host.live.state()
    with a_kept(tmp_path, H1, fleet) as host:
        after = host.live.state()
        assert host.live.saved_records(VM) == records
        assert host.live.vgpu_versions()[1] == host.live.vgpu_versions()[0]
        assert not host.live.show().gpus[0].persistence
        assert (after.vms, after.incarnation) == (before.vms, before.incarnation)
    with a_kept(tmp_path, H1, fleet, fresh=True) as host:
        assert host.live.state().vms[VM].power is VmState.RUNNING
        assert host.live.state().incarnation != before.incarnation


def test_the_files_range_is_in_force_again(tmp_path: Path) -> None:
    """A range of the fleet file is applied at each start, before and although VMs run."""
    fleet = a_fleet(
        ("{id: h01, driver: 550.54.16,", "{id: h01, driver: 550.54.16, range: [0x70001, 0x120001],")
    )
    for _ in range(2):
        with a_kept(tmp_path, H1, fleet) as host:
            assert host.live.vgpu_versions()[1] == VersionRange(0x70001, 0x120001)
            with pytest.raises(InUseError):
                host.live.lift_range()


def test_another_hosts_directory_is_refused(tmp_path: Path) -> None:
    """What is kept of one host is not another's."""
    with a_kept(tmp_path, H1):
        pass
    (tmp_path / "h01.state").rename(tmp_path / "h02.state")
    with pytest.raises(InputError, match=r"it keeps host h01; wanted host h02"), a_kept(tmp_path, H2):
        pass


def test_a_gpu_that_is_gone_must_not_hold_vgpus(tmp_path: Path) -> None:
    """A fleet file without the gpu that a kept VM is on is refused, one with more gpus is taken."""
    with a_kept(tmp_path, H1):
        pass
    one = ("{id: h01, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}",)
    gone = a_fleet(
        (one[0], "{id: h01, driver: 550.54.16, gpus: [{board: L40S, id: other}]}"),
        ("- {id: vm1, host: h01, state: running", '- {id: vm1, state: "off"'),
        ("gpu: h01/0", ""),
    )
    with (
        pytest.raises(InputError, match=r"VM vm1: its L40S-12Q is on gpu h01/0, which is gone"),
        a_kept(tmp_path, H1, gone),
    ):
        pass
    more = a_fleet((one[0], one[0].replace("]}", ", {board: T4}]}")))
    with a_kept(tmp_path, H1, more) as host:
        assert len(host.live.gpus()) == 3


def test_what_was_set_at_run_time_gives_way_to_a_changed_file(tmp_path: Path) -> None:
    """A driver installed and a mode set outlive a restart, until the file says otherwise, with a notice."""
    with a_kept(tmp_path, H1) as host:
        host.live.shut_down(VM)
        host.live.install_driver("570.124.03")
        host.live.set_heterogeneous(host.live.gpus()[1].id, is_on=True)
    with a_kept(tmp_path, H1) as host:
        view = host.live.show()
        assert (view.driver, view.gpus[1].mode) == ("570.124.03", PlacementMode.MIXED)
        assert view.notices == ()
    newer = a_fleet(
        (
            "{id: h01, driver: 550.54.16, gpus: [{board: L40S}, {board: L40S}]}",
            "{id: h01, driver: 550.90.05, gpus: [{board: L40S}, {board: L40S, mode: mixed}]}",
        ),
        (
            "- {id: off1,",
            '- {id: off2, state: "off", memory_mib: 1, vgpus: [{type: L40S-4Q}]}\n  - {id: off1,',
        ),
    )
    with a_kept(tmp_path, H1, newer) as host:
        view = host.live.show()
        assert (view.driver, view.gpus[1].mode) == ("550.90.05", PlacementMode.MIXED)
        assert view.notices == (
            "driver 550.90.05 of the fleet file takes the place of 570.124.03, installed when the file named "
            "550.54.16",
            "gpu h01/1 is in mixed mode, as the fleet file now says",
            "new in the fleet file and not added: VM off2; a fresh start adds them",
        )


def test_a_change_that_cannot_be_kept_is_not_made(tmp_path: Path) -> None:
    """Where the disk fails the request is answered with an error, and everybody sees the state before."""
    with a_kept(tmp_path, H1) as host:
        journal = host.keeper._journal
        assert journal is not None
        journal._database.execute("PRAGMA query_only = ON")
        generation = host.keeper.generation
        with pytest.raises(OutsideError, match=r"cannot be written"):
            host.live.pause(VM)
        assert host.live.show().vms[0].power is VmState.RUNNING
        assert host.keeper.generation == generation
        journal._database.execute("PRAGMA query_only = OFF")
        host.live.pause(VM)


def test_what_programs_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    """A driver version that fits no record is refused before anything of it is kept."""
    with a_kept(tmp_path, H1) as host:
        host.live.shut_down(VM)
        with pytest.raises(InputError, match=r"^host h01: driver: "):
            host.live.install_driver("550." + "1" * 200)
        assert host.live.show().driver == "550.54.16"
