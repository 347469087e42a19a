"""Bring up the laboratory for a person: two libvirt hosts and a guest between them, until Ctrl-C.

    make lab
    python -m tools.make_lab [--incompatible]

Its files are in a directory of its own under the temporary one and go with it; see docs/laboratory.md.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from types import FrameType

from tests.lab.lab_host import LabError, LabHost
from tests.lab.laboratory import Laboratory, laboratory

TEXT = """\
Two libvirt hosts, each with a simulated vGPU host and the hook; guest1 runs on a with its saved record.

  host a   {a}
           {a_vgpu}
  host b   {b}
           {b_vgpu}

A shell on host a, as root; libvirt is qemu:///system there, and b is qemu+tcp://b/system:

  {dir}/a/shell

In it, or from here with virsh -c and a host's name above:

  tail -f /run/lab/guest1.console
  virsh migrate guest1 qemu+tcp://b/system --live --verbose --persistent --undefinesource
  virsh dumpxml guest1 | vgpu-migrate vm metadata -
  vgpu-migrate host show

To have b refuse guests, and take them again:

  vgpu-migrate host set-range --socket {b_vgpu} {narrow}
  vgpu-migrate host set-range --socket {b_vgpu} --preset

The hook's settings are in {dir}/a/etc/vgpu-migrate/hook.toml, and of b likewise. Ctrl-C ends everything.
"""


def main() -> int:
    """Bring it up, say how to use it, and wait."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--incompatible", action="store_true", help="host b refuses guests from the start")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with laboratory() as lab:
            lab.new_guest("guest1").start(lab.a).carry_record()
            if arguments.incompatible:
                lab.make_incompatible(lab.b)
            for host in lab.hosts:
                _write_shell(host)
            print(_text(lab), flush=True)
            while True:
                signal.pause()
    except LabError as error:
        print(error, file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _text(lab: Laboratory) -> str:
    preset, _ = lab.b.vgpu.vgpu_versions()
    return TEXT.format(
        a=lab.a.uri,
        b=lab.b.uri,
        a_vgpu=lab.a.vgpu_socket,
        b_vgpu=lab.b.vgpu_socket,
        dir=lab.dir,
        narrow=f"{preset.minimum:#x} {preset.maximum - 1:#x}",
    )


def _write_shell(host: LabHost) -> None:
    """A script that is a shell on the host."""
    settings = [f"{name}={value}" for name, value in host.environment.items()]
    path = host.dir / "shell"
    path.write_text(f"#!/bin/sh\nexec {shlex.join(host.command(['env', *settings, 'bash', '--norc']))}\n")
    path.chmod(0o700)


if __name__ == "__main__":
    sys.exit(main())
