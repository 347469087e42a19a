"""The laboratory: two hosts with a real libvirtd each, a line between them, and guests that live on them.

    with laboratory() as lab:
        guest = lab.new_guest("g")
        guest.start(lab.a)
        guest.carry_record()
        guest.migrate(lab.b)

All of it is gone when the block ends, and also when the process that built it is killed.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.guest_kernel import build_kernel, domain_xml
from tests.lab.lab_guest import LabGuest
from tests.lab.lab_host import LabError, LabHost, wait_until
from tests.lab.prerequisites import WHERE, libvirt, missing

from vgpu_migrate.manager import DeviceId
from vgpu_migrate.model import VmId
from vgpu_migrate.nvml import VersionRange
from vgpu_migrate.vmm.hook_files import SCRIPT

ROOT = Path(__file__).parents[2]
LONGEST_DIRECTORY = 60
"""Sockets under it have names of at most 107 bytes."""

FLEET = """\
fleetfile_version: 1
hosts:
  - {id: a, driver: 550.54.16, gpus: [{board: L40S}, {board: T4}]}
  - {id: b, driver: 550.54.16, gpus: [{board: L40S}, {board: T4}]}
"""
"""Two hosts alike, each with a gpu whose vgpus are virtual functions and one with mediated devices.
`Laboratory.make_incompatible` makes one refuse what comes from the other."""


class Laboratory:
    """Two hosts.

    Attributes:
        dir: its files.
        a, b: the hosts.
    """

    def __init__(self, directory: Path, a: LabHost, b: LabHost) -> None:
        self.dir = directory
        self.a = a
        self.b = b
        self._numbers = itertools.count(1)

    @property
    def hosts(self) -> tuple[LabHost, LabHost]:
        """Both hosts."""
        return self.a, self.b

    def other(self, host: LabHost) -> LabHost:
        """The other host."""
        return self.b if host is self.a else self.a

    def new_guest(
        self, name: str | None = None, *, vgpus: int = 1, metadata: str = "", devices: str = ""
    ) -> LabGuest:
        """A guest that is defined nowhere yet.

        Args:
            name: its name; None: another one each time.
            vgpus: how many vgpus it has.
            metadata: what is in its <metadata>.
            devices: more of its <devices>.
        """
        number = next(self._numbers)
        name = name or f"guest{number}"
        uuid = f"5eed0000-0000-4000-8000-{number:012x}"
        xml = domain_xml(name, uuid, vgpus=vgpus, metadata=metadata, devices=devices)
        return LabGuest(self.hosts, name, xml)

    def events(self, guest: LabGuest) -> list[str]:
        """What has happened to a guest by libvirt's events, as ``a started``."""
        lines = (self.a.dir / "log" / "coupling.events").read_text(encoding="utf-8").splitlines()
        found = (line.split() for line in lines)
        return [f"{words[0]} {words[2]}" for words in found if len(words) == 3 and words[1] == guest.name]

    def make_incompatible(self, host: LabHost) -> None:
        """Set a host's range of vGPU versions so that no guest of this laboratory may go on there."""
        preset, _ = host.vgpu.vgpu_versions()
        host.vgpu.set_vgpu_version(VersionRange(preset.minimum, preset.maximum - 1))

    def reset(self) -> None:
        """Put everything back as it was at the beginning."""
        self.clear()
        for host in self.hosts:
            host.vgpu.clear()
            host.vgpu.lift_range()
            for device in host.vgpu.show().devices:
                host.vgpu.remove_device(DeviceId(device.id))
            for script in host.hooks.iterdir():
                if script.name != SCRIPT.name:
                    script.unlink()
            host.hook_settings()

    def clear(self) -> None:
        """Take away every guest, on both hosts, with what it left."""
        for host in self.hosts:
            for domain in host.libvirt.listAllDomains():
                is_persistent = domain.isPersistent()
                if domain.isActive():
                    domain.destroy()
                if is_persistent:
                    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)
        for host in self.hosts:
            wait_until(host.is_empty, what=f"the VMs of host {host.name} end")
            for vm in host.vgpu.show().vms:
                host.vgpu.undefine(VmId(vm.id))
            for folder in ("run/lab", "shm"):
                for path in (host.dir / folder).iterdir():
                    if path.name != "guest.elf":
                        path.unlink()


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """A laboratory, with the hook installed on both hosts.

    Raises:
        LabError: something is missing here, or does not start.
    """
    if missing():
        raise LabError(f"no laboratory: wanted {'; '.join(missing())}")
    libvirt.registerErrorHandler(lambda *_: None, None)  # errors are raised, too
    with ExitStack() as parts:
        directory = Path(tempfile.mkdtemp(prefix="vgpu-lab-"))
        parts.callback(shutil.rmtree, directory, ignore_errors=True)
        if len(str(directory)) > LONGEST_DIRECTORY:
            raise LabError(f"{directory}: too long for sockets in it; set TMPDIR to a shorter one")
        hosts = []
        for number, name in enumerate("ab", start=1):
            host = LabHost(directory / name, name, number, FLEET)
            parts.callback(host.end)
            build_kernel(host.dir / "run" / "lab" / "guest.elf")
            hosts.append(host)
        a, b = hosts
        _connect(a, b)
        for host in hosts:
            host.install_hook()  # libvirtd looks whether there are hooks when it starts
            host.go()
        for host in hosts:
            host.wait()
        parts.enter_context(_coupling(a, b, a.dir / "log" / "coupling.out"))
        yield Laboratory(directory, a, b)


def _connect(a: LabHost, b: LabHost) -> None:
    """A line between the two, of which nothing appears outside."""
    enter = ["nsenter", "--target", str(a.pid), "--net", "ip", "link", "add", "eth0", "type", "veth"]
    command = [*enter, "peer", "name", "eth0", "netns", f"/proc/{b.pid}/ns/net"]
    done = subprocess.run(command, env={"PATH": WHERE}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"no line between the hosts: {done.stderr.strip()}")


@contextmanager
def _coupling(a: LabHost, b: LabHost, log: Path) -> Iterator[None]:
    """The process by which simulated VMs follow their guests."""
    words = [word for host in (a, b) for word in (host.uri, str(host.vgpu_socket))]
    command = [sys.executable, "-m", "tests.lab.coupling", *words]
    events = log.with_suffix(".events")
    with log.open("wb") as said, events.open("wb") as happened:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=happened,
            stderr=said,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )
    assert process.stdin is not None
    with process:
        try:
            wait_until(
                lambda: events.stat().st_size or process.poll() is not None, what="the coupling starts"
            )
            if process.poll() is not None:
                raise LabError(f"the coupling does not start: {log.read_text(errors='replace')}")
            yield
        finally:
            process.stdin.close()
