"""One host of the laboratory: a real libvirtd in namespaces of its own, and its simulated vGPU host."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab.guest_kernel import Console
from tests.lab.prerequisites import WHERE, libvirt

from vgpu_migrate.dropin import LIBRARY, library_dir
from vgpu_migrate.dropin.environment import variables
from vgpu_migrate.hosts.live import LiveHost

INIT = Path(__file__).with_name("host_init.sh")
LONGEST_S = 60.0
"""Seconds after which something that never takes long has failed."""

_LIBVIRTD = """\
host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
listen_tls = 0
listen_tcp = 1
listen_addr = "{address}"
auth_tcp = "none"
log_filters = "1:util.hook 3:qemu 3:remote 4:*"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"""
_QEMU = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "{address}"
"""
# libvirtd insists on its compiled-in user, which a package not needed here would make.
_USERS = """\
root:x:0:0:root:/root:/bin/bash
libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
_GROUPS = """\
root:x:0:
tty:x:5:
kvm:x:104:
libvirt-qemu:x:64055:
nogroup:x:65534:
"""


class LabError(Exception):
    """The laboratory does not do what it should."""


def wait_until(ready: Callable[[], object], *, what: str, seconds: float = LONGEST_S) -> None:
    """Wait for something that happens soon.

    Raises:
        LabError: it did not, in so many seconds.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


class LabHost:
    """A host. Its files are under `dir`, named as they are within it: ``dir/etc`` is /etc.

    Attributes:
        name: its host name, and its id in the fleet.
        address: its IP address, on a line to the other host alone.
        dir: its files, as seen from outside.
        uri: its libvirtd, from outside; within the host it is ``qemu:///system``.
        vgpu_socket: its simulated vGPU host, inside and outside.
        vgpu: a client of that.
    """

    def __init__(self, directory: Path, name: str, number: int, fleet: str) -> None:
        self.name = name
        self.address = f"10.77.0.{number}"
        self.dir = directory
        self.uri = f"qemu+unix:///system?socket={directory}/run/libvirt/libvirt-sock"
        self.vgpu_socket = directory / "vgpu.sock"
        self.vgpu = LiveHost(self.vgpu_socket)
        self._connection: Any = None
        self._has_fuse = os.access("/dev/fuse", os.R_OK | os.W_OK)
        self._make_files(number, fleet)
        command = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        command += ["bash", str(INIT), str(directory), name, self.address]
        with (directory / "log" / "init.out").open("wb") as out:
            # In a session of its own: Ctrl-C is for who built it, who then ends it in order.
            self._init = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={"PATH": WHERE, "HOME": "/root"},
                start_new_session=True,
            )

    def _make_files(self, number: int, fleet: str) -> None:
        for folder in ("etc/libvirt", "run/lab", "run/sys", "shm", "lib", "log", "cache", "services"):
            (self.dir / folder).mkdir(parents=True)
        etc = self.dir / "etc"
        for kept in ("ld.so.cache", "alternatives", "localtime"):
            there = Path("/etc", kept)
            if there.is_dir():
                shutil.copytree(there, etc / kept, symlinks=True)
            elif there.exists():
                shutil.copy(there, etc / kept)
        (self.dir / "fleet.yaml").write_text(fleet, encoding="ascii")
        uuid = f"{number:08x}-0000-4000-8000-000000000000"
        for name, text in {
            "passwd": _USERS,
            "group": _GROUPS,
            "nsswitch.conf": "hosts: files\n",
            "hosts": "127.0.0.1 localhost\n10.77.0.1 a\n10.77.0.2 b\n",
            "libvirt/libvirtd.conf": _LIBVIRTD.format(uuid=uuid, address=self.address),
            "libvirt/qemu.conf": _QEMU.format(address=self.address),
        }.items():
            (etc / name).write_text(text, encoding="ascii")
        vgpu = [sys.executable, "-m", "vgpu_migrate", "hostd", str(self.dir / "fleet.yaml")]
        vgpu += ["--host", self.name, "--socket", str(self.vgpu_socket), "--state", str(self.dir / "vgpu")]
        self._add_service("vgpu", [*vgpu, *(["--sysfs", "/run/sys"] if self._has_fuse else [])])
        libvirtd = ["libvirtd", "--listen", "--config", "/etc/libvirt/libvirtd.conf"]
        self._add_service("libvirtd", [*libvirtd, "--pid-file", "/run/libvirtd.pid"])

    def _add_service(self, name: str, command: Sequence[str]) -> None:
        path = self.dir / "services" / name
        path.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n", encoding="utf-8")
        path.chmod(0o755)

    @property
    def pid(self) -> int:
        """The number of its process 1, outside."""
        path = self.dir / "pid"
        wait_until(lambda: path.exists() or self._init.poll() is not None, what=f"host {self.name} begins")
        if not path.exists():
            raise LabError(f"host {self.name} ended: {self.log('init.out')}")
        return int(path.read_text())

    def go(self) -> None:
        """Let it start its services, now that the line is there."""
        assert self._init.stdin is not None
        self._init.stdin.write(b"go\n")
        self._init.stdin.flush()

    def wait(self) -> None:
        """Wait until both of its services answer.

        Raises:
            LabError: they do not.
        """
        try:
            wait_until(self._answers, what=f"host {self.name}: libvirtd and vgpu host answer")
        except LabError as error:
            raise LabError(f"{error}\n{self.log()}") from None

    def _answers(self) -> bool:
        if self._init.poll() is not None:
            raise LabError(f"host {self.name} ended")
        if not (self.vgpu_socket.exists() and (self.dir / "run/libvirt/libvirt-sock").exists()):
            return False
        try:
            return bool(self.libvirt.isAlive())
        except libvirt.libvirtError:
            return False

    def log(self, *names: str) -> str:
        """What its services have said, or these of its logs."""
        found = (self.dir / "log" / name for name in names or ("init.out", "vgpu.out", "libvirtd.out"))
        return "".join(path.read_text(errors="replace") for path in found if path.exists())

    @property
    def libvirt(self) -> Any:
        """A connection to its libvirtd, another one where that has been restarted."""
        if self._connection is None or not self._connection.isAlive():
            self._connection = libvirt.open(self.uri)
        return self._connection

    def is_empty(self) -> bool:
        """Whether its simulated vGPU host has no vgpu."""
        return not any(vm.vgpus for vm in self.vgpu.show().vms)

    def restart_libvirtd(self) -> None:
        """Restart its libvirtd, as an operator does; guests run on."""
        pid_file = self.dir / "run" / "libvirtd.pid"
        before = pid_file.read_text()
        self._disconnect()
        self.run(["kill", before.strip()], check=True)
        wait_until(
            lambda: pid_file.exists() and pid_file.read_text() not in ("", before), what="libvirtd restarts"
        )
        self.wait()

    def run(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on this host to its end, as `subprocess.run`; its output is captured as text.

        NVML in it finds the simulated vGPU host, by `environment`.
        """
        settings: dict[str, Any] = {"capture_output": True, "text": True, "check": False, **options}
        return subprocess.run(self.command(command), env={**self.environment, **(env or {})}, **settings)

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """The command that runs another on this host."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--uts", "--ipc", "--pid", "--"]
        return [*enter, *(str(word) for word in command)]

    @property
    def environment(self) -> dict[str, str]:
        """What programs on this host have."""
        path = f"{Path(sys.executable).parent}:{WHERE}"
        base = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
        return {**base, **variables(self.vgpu_socket, before=base)}

    def cli(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `vgpu-migrate` on this host."""
        return self.run([sys.executable, "-m", "vgpu_migrate", *arguments], **options)

    def install_hook(self) -> None:
        """Install the hook as an operator does, with settings for the simulated host."""
        self.cli("vm", "hook", "install", check=True)
        self.hook_settings()

    def hook_settings(self, **tables: str) -> None:
        """Write the hook's settings: those that name the simulated host, and these tables in place of theirs.

        Args:
            tables: the lines of each table; of `driver` they replace the usual ones.
        """
        usual = {"driver": f'library = "{library_dir() / LIBRARY}"\nsocket = "{self.vgpu_socket}"'}
        text = "".join(f"[{name}]\n{lines}\n" for name, lines in (usual | tables).items())
        self.hook_settings_file.write_text(text)
        self.hook_settings_file.chmod(0o644)

    @property
    def hook_settings_file(self) -> Path:
        """The hook's settings, from outside."""
        return self.dir / "etc" / "vgpu-migrate" / "hook.toml"

    @property
    def hooks(self) -> Path:
        """libvirt's directory of hooks, from outside."""
        return self.dir / "etc" / "libvirt" / "hooks" / "qemu.d"

    @property
    def sysfs(self) -> Path | None:
        """What its kernel shows of its devices, from within; None where this machine has no FUSE."""
        return Path("/run/sys") if self._has_fuse else None

    def console(self, guest: str) -> Console:
        """What a guest said here."""
        return Console(self.dir / "run" / "lab" / f"{guest}.console")

    def device_memory(self, guest: str, number: int = 0) -> Path:
        """The file that is the memory of a guest's device, here."""
        return self.dir / "shm" / f"{guest}-vgpu{number}"

    def end(self) -> None:
        """End it, with everything that runs on it."""
        self._disconnect()
        assert self._init.stdin is not None
        self._init.stdin.close()
        try:
            self._init.wait(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            self._init.kill()
            self._init.wait()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
