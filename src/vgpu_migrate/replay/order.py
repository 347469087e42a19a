"""Which step waits for which: `after`, followed to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from vgpu_migrate.model.planfile import Plan, Step
from vgpu_migrate.replay.violations import Kind, Violation

TIME_SLACK_S = 1e-6


class Order:
    """The steps of a plan in an order that `after` allows, and who waits for whom, directly or not."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self._web = _webs(steps)
        self._bit: dict[int, int] = {}
        """By step, its number among those of its web: bits of whole plans would be a square of them."""
        self._ancestors: dict[int, int] = {}
        sizes: Counter[int] = Counter()
        for step in steps:
            web = self._web[step.id]
            self._bit[step.id] = sizes[web]
            sizes[web] += 1
            mask = 0
            for earlier in step.after:
                mask |= self._ancestors[earlier] | 1 << self._bit[earlier]
            self._ancestors[step.id] = mask

    def waits(self, later: int, earlier: int) -> bool:
        """Whether step `later` waits for step `earlier`, directly or through others. Ids."""
        if self._web[later] != self._web[earlier]:
            return False
        return bool(self._ancestors[later] >> self._bit[earlier] & 1)

    def events(self) -> list[tuple[float, bool, Step]]:
        """Starts and ends in the order of time: (seconds, whether it is a start, step).

        At one moment what ends comes before what starts, and what starts follows `after`.
        """
        keyed = []
        for position, step in enumerate(self.steps):
            start, end = round(step.start_s, 6), round(step.end_s, 6)
            keyed.append(((start, 1, position, 0), True, step))
            is_moment = end <= start
            keyed.append(((end, 1, position, 1) if is_moment else (end, 0, position, 0), False, step))
        keyed.sort(key=lambda item: item[0])
        return [(key[0], is_start, step) for key, is_start, step in keyed]


def _webs(steps: Sequence[Step]) -> dict[int, int]:
    """By step, one step that stands for all that `after` ties it to, in either direction."""
    leader = {step.id: step.id for step in steps}

    def find(step_id: int) -> int:
        while leader[step_id] != step_id:
            leader[step_id] = leader[leader[step_id]]
            step_id = leader[step_id]
        return step_id

    for step in steps:
        for earlier in step.after:
            leader[find(earlier)] = find(step.id)
    return {step.id: find(step.id) for step in steps}


def order_of(plan: Plan) -> Order | list[Violation]:
    """The order of a plan's steps, or what keeps them from having one."""
    violations = list(_malformed(plan))
    if violations:
        return violations
    by_id = {step.id: step for step in plan.steps}
    rank = {
        step.id: number for number, step in enumerate(sorted(plan.steps, key=lambda s: (s.start_s, s.id)))
    }
    missing = {step.id: len(set(step.after)) for step in plan.steps}
    followers: dict[int, list[int]] = {step.id: [] for step in plan.steps}
    for step in plan.steps:
        for earlier in set(step.after):
            followers[earlier].append(step.id)
    ready = sorted((step_id for step_id, count in missing.items() if not count), key=rank.__getitem__)
    ordered: list[Step] = []
    for step_id in ready:  # grows while it is walked
        ordered.append(by_id[step_id])
        for follower in sorted(followers[step_id], key=rank.__getitem__):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    if len(ordered) < len(plan.steps):
        caught = sorted(step_id for step_id, count in missing.items() if count)
        return [
            Violation(caught[0], Kind.CYCLE, f"steps {_list(caught)} wait for each other or for such steps")
        ]
    return Order(ordered)


def _malformed(plan: Plan) -> Iterator[Violation]:
    for step_id, count in Counter(step.id for step in plan.steps).items():
        if count > 1:
            yield Violation(step_id, Kind.DUPLICATE, f"{count} steps have this id")
    known = {step.id for step in plan.steps}
    for step in plan.steps:
        for earlier in step.after:
            if earlier not in known:
                yield Violation(step.id, Kind.UNKNOWN, f"it waits for step {earlier}, which is not there")


def _list(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, ids[:8]))
    return shown if len(ids) <= 8 else f"{shown} and {len(ids) - 8} more"


def check_timing(order: Order) -> Iterator[Violation]:
    """No step starts before all that it waits for have ended."""
    ends = {step.id: step.end_s for step in order.steps}
    for step in order.steps:
        if step.end_s < step.start_s:
            yield Violation(
                step.id, Kind.TIMING, f"it ends at {step.end_s} s, before its start at {step.start_s} s"
            )
        for earlier in step.after:
            if step.start_s < ends[earlier] - TIME_SLACK_S:
                text = f"it starts at {step.start_s} s, but step {earlier} ends at {ends[earlier]} s"
                yield Violation(step.id, Kind.TIMING, text)
