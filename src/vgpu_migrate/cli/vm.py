"""`vm`: what a libvirt guest carries with it, and the hook on its destination."""

from __future__ import annotations

import click

from vgpu_migrate.cli import vm_check, vm_hook, vm_metadata, vm_migrate, vm_watch
from vgpu_migrate.cli.lazy import NearGroup


@click.group("vm", cls=NearGroup)
def command() -> None:
    """Guests of libvirt: the saved record in their XML, and the hook that judges it on the destination.

    \b
    Examples:
      vgpu-migrate vm hook install
      vgpu-migrate vm watch
      virsh dumpxml guest1 | vgpu-migrate vm metadata -
      vgpu-migrate vm hook test guest1.xml
      vgpu-migrate vm migrate guest1 --to qemu+ssh://h2/system
    """


command.add_command(vm_metadata.metadata)
command.add_command(vm_watch.watch)
command.add_command(vm_check.check)
command.add_command(vm_migrate.migrate)
command.add_command(vm_hook.hook)
