"""`vm metadata GUEST --connect URI`: the records of a guest of libvirt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from vgpu_migrate.cli import catalog_view, vm_view
from vgpu_migrate.cli.exit_status import NO
from vgpu_migrate.cli.vm_driver import driver_settings, local_uri
from vgpu_migrate.cli.vm_metadata import boot_said, taken_said, vgpus_of
from vgpu_migrate.vmm.boots import first_life, process_start
from vgpu_migrate.vmm.connection import connect
from vgpu_migrate.vmm.domain_element import GuestState, NoRecords, SavedRecords, Trouble, fresh_enough
from vgpu_migrate.vmm.guests import Guest, read_guest, write_records
from vgpu_migrate.vmm.hook_settings import HookSettings
from vgpu_migrate.vmm.publication import fresh_records
from vgpu_migrate.vmm.taking import NotTaken, take_now


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of the guest: files of records with what was said of them, or fresh ones; or to look."""

    files: tuple[str, ...]
    said: dict[str, object]
    is_fresh: bool
    is_to_write: bool


def answer(
    name: str, uri: str, wish: Wish, socket: str | None, settings: str | None, *, as_json: bool
) -> int:
    """Show a guest's records, or take fresh ones, or put some in; gives the exit status.

    Raises:
        InputError: there is no such guest, or a file holds no records.
        OutsideError: libvirt or the driver does not answer, or libvirt refuses.
    """
    if wish.files and wish.is_fresh:
        raise click.UsageError("--fresh and --record do not go together")
    if wish.is_to_write and not (wish.files or wish.is_fresh):
        raise click.UsageError("--write goes with --fresh or --record")
    if wish.files and not wish.is_to_write:
        raise click.UsageError("--record of a guest goes with --write")
    driver = HookSettings()
    if wish.is_fresh:
        uri, driver = local_uri(uri), driver_settings(socket, settings)
    with connect(uri, read_only=not wish.is_to_write) as connection:
        domain = connection.domain(name)
        guest = read_guest(domain)
        found = _found(guest, wish, driver, host=connection.hostname())
        if wish.is_to_write and isinstance(found, SavedRecords):
            write_records(domain, found)
    told = vm_view.of_guest(guest, found, is_fresh=wish.is_fresh, is_written=wish.is_to_write)
    catalog_view.tell(told, vm_view.show_metadata, as_json=as_json)
    return 0 if told.found == "good" else NO


def _found(guest: Guest, wish: Wish, driver: HookSettings, *, host: str) -> SavedRecords | NoRecords:
    now = datetime.now(UTC)
    life = first_life(guest, now=now, started=process_start(guest.name, Path(driver.domains)))
    if wish.files:
        boot = boot_said(wish.said) or life.boot
        state = GuestState(str(wish.said["state"])) if wish.said["state"] else guest.state
        where = str(wish.said["host"] or host)
        return SavedRecords(vgpus_of(wish.files, wish.said), taken_said(wish.said), boot, boot, state, where)
    if wish.is_fresh:
        taken = take_now(guest, driver)
        if isinstance(taken, NotTaken):
            return NoRecords(Trouble.ABSENT, taken.reason)
        return fresh_records(taken, guest, life, host=host, now=now)
    if isinstance(guest.written, NoRecords):
        return guest.written
    return fresh_enough(guest.written, booted=life.boot)
