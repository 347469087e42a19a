"""`vm hook`: put the hook in its place, take it away, and ask it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vgpu_migrate.cli.lazy import NearGroup
from vgpu_migrate.cli.options import Decorator, FileName, json_option, single_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vgpu_migrate.vmm.hook_files import FileDone

LONGEST_HOOK_S = 310

root_option: Decorator = single_option(
    "--root", metavar="DIR", type=FileName(), help="The root directory of the host; by default /."
)


@click.group("hook", cls=NearGroup, short_help="The hook that judges guests on their destination.")
def hook() -> None:
    """The hook that libvirt runs on the destination of a migration, and before a saved guest is restored.

    It refuses a guest whose vgpus this host's driver does not take as they are, before any memory is sent.
    """


@hook.command("install")
@root_option
@json_option
def install(root: str | None, as_json: bool) -> int:
    """Put the hook and its settings in place; settings that are there stay.

    libvirtd looks for hooks when it starts: restart it where this is its first. Running guests go on.
    """
    from vgpu_migrate.vmm import hook_files

    # Not resolved: a virtual environment's interpreter is a link.
    python = Path(sys.executable).absolute()
    hook_files.require_running(python)
    return _tell(hook_files.install(Path(root or "/").absolute(), python), as_json=as_json)


@hook.command("uninstall")
@root_option
@json_option
def uninstall(root: str | None, as_json: bool) -> int:
    """Take the hook away, and its settings where nobody changed them."""
    from vgpu_migrate.vmm import hook_files

    return _tell(hook_files.uninstall(Path(root or "/").absolute()), as_json=as_json)


def _tell(files: Sequence[FileDone], *, as_json: bool) -> int:
    from vgpu_migrate.cli import catalog_view, vm_types, vm_view

    rows = [vm_types.HookFileRow(str(file.path), file.done.value) for file in files]
    return catalog_view.tell(vm_types.HookFilesAnswer(rows), vm_view.show_files, as_json=as_json)


@hook.command("test")
@click.argument("file", type=FileName(), metavar="FILE")
@click.option(
    "--operation",
    type=click.Choice(["migrate", "restore"]),
    default="migrate",
    show_default=True,
    help="What libvirt would be about to do.",
)
@single_option(
    "--settings", metavar="FILE", type=FileName(), help="Other settings than /etc/vgpu-migrate/hook.toml."
)
@json_option
def test(file: str, operation: str, settings: str | None, as_json: bool) -> int:
    """What the hook says on this host to a guest whose domain XML FILE holds (`-`: standard input).

    The hook is run in a process of its own, with the arguments, input and environment that libvirt gives it.
    A refusal is exit status 1.
    """
    from vgpu_migrate.cli import catalog_view, vm_types, vm_view
    from vgpu_migrate.cli.exit_status import NO
    from vgpu_migrate.errors import InputError
    from vgpu_migrate.files import read_bytes
    from vgpu_migrate.vmm.domain_xml import LARGEST, parse_domain

    data = read_bytes(file, what="a domain's XML", most=LARGEST)
    try:
        names = [one.text.strip() for one in parse_domain(data).named("name")]
    except InputError as error:
        raise InputError(error.problems, source=file) from None
    guest = names[0] if names and names[0] else "guest"
    status, out, said = _run(guest, operation, data, settings)
    found = vm_types.HookTestAnswer(
        guest, "restore" if operation == "restore" else "migrate", status == 0, said, out or None
    )
    catalog_view.tell(found, vm_view.show_test, as_json=as_json)
    return 0 if found.passes else NO


def _run(guest: str, operation: str, data: bytes, settings: str | None) -> tuple[int, str, str]:
    """The hook's exit status, output and line, of the installed one unless it shall have other settings."""
    import subprocess

    from vgpu_migrate.errors import OutsideError
    from vgpu_migrate.vmm.hook_files import SCRIPT
    from vgpu_migrate.vmm.hook_settings import SETTINGS

    if settings is None and SCRIPT.is_file():
        command = [str(SCRIPT)]
    else:
        path = str(Path(settings or SETTINGS).absolute())
        code = (
            f"from pathlib import Path; from vgpu_migrate.vmm.hook import main; main(settings=Path({path!r}))"
        )
        command = [sys.executable, "-I", "-c", code]
    try:
        done = subprocess.run(  # noqa: S603 (this program's own hook)
            [*command, guest, operation, "begin", "-"],
            input=data,
            env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"},
            capture_output=True,
            check=False,
            timeout=LONGEST_HOOK_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutsideError(f"the hook cannot be run: {error}") from None
    said = done.stderr.decode("utf-8", "replace").strip()
    return done.returncode, done.stdout.decode("utf-8", "replace"), said
