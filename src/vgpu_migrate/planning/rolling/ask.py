"""What is asked of the rolling upgrade of one migration domain."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from vgpu_migrate.model import HostId


class Pins(StrEnum):
    """Whether hosts get an administrator's range until no host is old."""

    AUTO = "auto"
    """Where some VM that boots meanwhile could get a version that the old hosts cannot run."""
    ALWAYS = "always"
    NEVER = "never"


class UpgradeAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which driver, on which hosts of one domain, and within which limits.

    It travels to wherever the domain is planned, as JSON.
    """

    domain: str
    driver: str
    hosts: tuple[HostId, ...]
    """To be upgraded, in the fleet's order; those that have the driver already, or no vGPU Manager, are
    left as they are."""
    wave_sizes: tuple[int, ...] = ()
    """Most hosts of this domain in the first, second, … wave, 0 for none; the last `cycle` numbers repeat.
    Empty: no limit."""
    cycle: int = 1
    """How many of the last wave sizes repeat for ever; of those, some are not 0."""
    max_unavailable: int | None = None
    """Most hosts out of service at once: no wave is larger."""
    pins: Pins = Pins.AUTO
    lifts: tuple[HostId, ...] = ()
    """Hosts that have the driver already, with pins of an earlier plan: lifted when no host is old."""
    extra_moves: int = 0
    """How many moves may be spent, beyond those of the plan that makes fewest, to save waves."""
    most_waves: int | None = None
    """Fewer waves than that are not asked for; None: no move is spent."""
    attempts: int = 24
    """How many ways to roll are tried for each pool of hosts."""

    work: float = 0.0
    """Deterministic seconds for exact bounds where hosts stay old that need not by counting; 0: none."""
    seed: int = 0
    """Of the exact search."""
    remedies: int = 0
    """How many VMs may be planned anew to find out which remedies free hosts; 0: none."""

    def wave_size(self, wave: int) -> int | None:
        """Most hosts in a wave, counted from 1; None for no limit."""
        if not self.wave_sizes:
            return self.max_unavailable
        at = wave - 1
        if at >= len(self.wave_sizes):
            at = len(self.wave_sizes) - self.cycle + (at - len(self.wave_sizes)) % self.cycle
        size = self.wave_sizes[at]
        return size if self.max_unavailable is None else min(size, self.max_unavailable)
