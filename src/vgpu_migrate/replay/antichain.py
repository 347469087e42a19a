"""The heaviest set of pairwise unordered items of a partial order.

Its weight is the sum of all weights less the greatest flow from items to items behind them, each item
giving and taking at most its weight (Dilworth's theorem with weights).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise


def heaviest_antichain(weights: Sequence[int], before: Sequence[Sequence[int]]) -> int:
    """The weight of the heaviest antichain; `before[i]` lists all items behind item i, transitively."""
    count = len(weights)
    give, take = list(weights), list(weights)
    flow: list[dict[int, int]] = [{} for _ in range(count)]
    total = 0
    while True:
        came_from: dict[tuple[str, int], tuple[str, int]] = {}
        queue: deque[tuple[str, int]] = deque(("give", item) for item in range(count) if give[item])
        reached: set[tuple[str, int]] = set(queue)
        end: int | None = None
        while queue and end is None:
            side, item = node = queue.popleft()
            if side == "give":
                ahead = [("take", other) for other in before[item]]
            else:
                ahead = [("give", other) for other in range(count) if flow[other].get(item)]
            for following in ahead:
                if following not in reached:
                    reached.add(following)
                    came_from[following] = node
                    queue.append(following)
                    if following[0] == "take" and take[following[1]]:
                        end = following[1]
                        break
        if end is None:
            return sum(weights) - total
        path = [("take", end)]
        while path[-1] in came_from:
            path.append(came_from[path[-1]])
        path.reverse()
        amount = min(give[path[0][1]], take[end])
        for (side, item), (_, other) in pairwise(path):
            if side == "take":
                amount = min(amount, flow[other][item])
        for (side, item), (_, other) in pairwise(path):
            if side == "give":
                flow[item][other] = flow[item].get(other, 0) + amount
            else:
                flow[other][item] -= amount
        give[path[0][1]] -= amount
        take[end] -= amount
        total += amount
