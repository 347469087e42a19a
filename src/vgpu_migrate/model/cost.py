"""What a migration costs in time. Our assumptions, checked against the only published table of stun times."""

from __future__ import annotations

from vgpu_migrate.model.values import Settings, Vm

BITS_PER_MIB = 2**23


def migration_s(vm: Vm, settings: Settings) -> float:
    """Seconds that one migration takes: a fixed cost, then memory and framebuffer over the wire."""
    return settings.overhead_s + transfer_s(vm.memory_mib + vm.framebuffer_mib, settings)


def stun_estimate_s(vm: Vm, settings: Settings) -> float:
    """Seconds that a VM stands still in a live move: its framebuffer over the wire.

    A lower estimate: the times published for VMware are 1.4 to 2.4 times as long (see `facts.stun_times`).
    """
    return transfer_s(vm.framebuffer_mib, settings)


def transfer_s(mib: int, settings: Settings) -> float:
    """Seconds that `mib` take at the bandwidth of one migration."""
    return mib * BITS_PER_MIB / (settings.bandwidth_gbit_s * 1e9)
