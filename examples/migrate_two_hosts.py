"""Two simulated hosts and a VM that moves between them: first where it may not go, then where it may.

    python3 examples/migrate_two_hosts.py

Nothing but this package is needed. Every NVML program started with `host.env` sees the same hosts.
"""

from __future__ import annotations

from vgpu_migrate import RefusedError, VmId
from vgpu_migrate.testing import VgpuHost, simulated_hosts

FLEET = """
hosts:
  - {id: old, driver: 535.161.05, gpus: [{board: A40}]}
  - {id: new, driver: 580.126.08, gpus: [{board: A40}]}
vms:
  - {id: design, host: old, state: running, memory_mib: 32768, guest_driver: 535.161.07,
     vgpus: [{type: A40-8Q, gpu: old/0}]}
  - {id: legacy, host: old, state: running, memory_mib: 16384, guest_driver: 525.147.05,
     vgpus: [{type: A40-8Q, gpu: old/0}]}
"""


def main() -> None:
    """Say what is where, move what can be moved, and say it again."""
    with simulated_hosts(FLEET) as (old, new):
        show(old, new)
        for vm in (VmId("legacy"), VmId("design")):
            try:
                old.migrate(vm, to=new.socket)
                print(f"{vm} has moved to {new.id}")
            except RefusedError as error:
                print(f"{vm} stays: {error}")
                verdict = getattr(error.refusal, "verdict", None)
                for piece in verdict.evidence if verdict else ():
                    print(f"  {piece.rule}: {piece.remedy}")
        show(old, new)


def show(*hosts: VgpuHost) -> None:
    """The active vgpus of each host, as NVML lists them."""
    for host in hosts:
        vgpus = [f"{vgpu.type} of VM {vgpu.vm}" for gpu in host.gpus() for vgpu in host.active_vgpus(gpu.id)]
        print(f"{host.id}: {', '.join(vgpus) or 'no active vgpus'}")


if __name__ == "__main__":
    main()
