"""Which nodes of a directed graph lie on circles together: its strongly connected components."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def knots(edges: Sequence[Collection[int]]) -> list[int]:
    """By node, the number of its component; nodes on a circle have the same. Tarjan's, without recursion.

    Args:
        edges: by node, the nodes that it leads to.
    """
    found = [-1] * len(edges)
    order = [-1] * len(edges)
    lowest = [0] * len(edges)
    open_nodes: list[int] = []
    clock = components = 0
    for root in range(len(edges)):
        if order[root] >= 0:
            continue
        walk = [(root, iter(edges[root]))]
        order[root] = lowest[root] = clock
        clock += 1
        open_nodes.append(root)
        while walk:
            node, ahead = walk[-1]
            for following in ahead:
                if order[following] < 0:
                    order[following] = lowest[following] = clock
                    clock += 1
                    open_nodes.append(following)
                    walk.append((following, iter(edges[following])))
                    break
                if found[following] < 0:
                    lowest[node] = min(lowest[node], order[following])
            else:
                walk.pop()
                if walk:
                    lowest[walk[-1][0]] = min(lowest[walk[-1][0]], lowest[node])
                if lowest[node] == order[node]:
                    while True:
                        member = open_nodes.pop()
                        found[member] = components
                        if member == node:
                            break
                    components += 1
    return found
