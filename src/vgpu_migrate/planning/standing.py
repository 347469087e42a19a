"""How far a plan has come: which of its steps are done, told from the fleet as it is now."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from vgpu_migrate.model import Fleet, HostId
from vgpu_migrate.model.planfile import MigrateStep, PinStep, Plan, Step, UpgradeStep


def done_steps(fleet: Fleet, old: Plan) -> frozenset[int]:
    """The ids of the steps of a plan whose effect is there, or needed by an effect that is.

    An upgrade is done where the host has the driver, a pin where the range is in force, and with them all
    that they waited for. A VM has come as far as the last of its moves that ends where it is now and that
    nothing keeps from having been made. A pin whose range is no longer in force was lifted, or never set:
    what its lifting waits for tells which. What cannot be told apart counts as done.
    """
    return _Standing(fleet, old).done()


class _Standing:
    def __init__(self, fleet: Fleet, old: Plan) -> None:
        self._fleet = fleet
        self._steps = sorted(old.steps, key=lambda step: (step.start_s, step.end_s, step.id))
        self._after = {step.id: step.after for step in self._steps}
        self._drivers = {step.host: step.driver for step in self._steps if isinstance(step, UpgradeStep)}
        self._moves: dict[str, list[MigrateStep]] = {}
        self._lifts: dict[HostId, list[int]] = {}
        for step in self._steps:
            if isinstance(step, MigrateStep):
                self._moves.setdefault(step.vm, []).append(step)
            elif isinstance(step, PinStep) and step.range is None:
                self._lifts.setdefault(step.host, []).append(step.id)

    def done(self) -> frozenset[int]:
        """Start from all that may be done, and take away what cannot be until nothing changes."""
        sure = self._sure()
        done = {step.id for step in self._steps if step.id in sure or self._may_be_done(step)}
        count = -1
        while count != len(done):
            count = len(done)
            for step in self._steps:
                if step.id in done and step.id not in sure and not self._is_held(step, done):
                    done.remove(step.id)
            for chain in self._moves.values():
                done.difference_update(list(self._not_reached(chain, done, sure)))
        return frozenset(done)

    def _sure(self) -> set[int]:
        """Steps whose effect is seen, and all that they wait for."""
        left = [step.id for step in self._steps if self._is_seen(step)]
        found: set[int] = set()
        while left:
            step_id = left.pop()
            if step_id not in found and step_id in self._after:
                found.add(step_id)
                left += self._after[step_id]
        return found

    def _is_seen(self, step: Step) -> bool:
        if isinstance(step, MigrateStep) or not self._has_driver(step):
            return False
        wanted = None if isinstance(step, UpgradeStep) else step.version_range
        return isinstance(step, UpgradeStep) or (
            wanted is not None and self._fleet.hosts[step.host].range_in_force == wanted
        )

    def _has_driver(self, step: UpgradeStep | PinStep) -> bool:
        """Whether a host is there, with the driver that the plan installs on it, if any."""
        host = self._fleet.hosts.get(step.host)
        return host is not None and host.driver == self._drivers.get(step.host, host.driver)

    def _may_be_done(self, step: Step) -> bool:
        """Whether nothing seen of the step's host, or its VM, says that it is not done."""
        if isinstance(step, MigrateStep):
            return step.vm in self._fleet.vms
        if isinstance(step, UpgradeStep) or not self._has_driver(step):
            return False
        host = self._fleet.hosts[step.host]
        return host.range_in_force == host.preset_range

    def _is_held(self, step: Step, done: Collection[int]) -> bool:
        """Whether the other steps that this one needs to be done may be, too."""
        if not all(earlier in done for earlier in step.after):
            return False
        if isinstance(step, PinStep) and step.range is not None:
            return any(lift in done for lift in self._lifts.get(step.host, ()))
        return True

    def _not_reached(
        self, chain: list[MigrateStep], done: Collection[int], sure: Collection[int]
    ) -> Iterator[int]:
        """The moves of one VM, in their order, that come after the last one made."""
        reached = max((number for number, step in enumerate(chain, 1) if step.id in sure), default=0)
        vm = self._fleet.vms.get(chain[0].vm)
        for number, step in enumerate(chain, 1):
            if step.id not in done:
                break
            if vm is not None and vm.host == step.target:
                reached = max(reached, number)
        yield from (step.id for step in chain[reached:])
