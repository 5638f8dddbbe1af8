"""Which of many things to give up, so that enough room is made and little is lost."""

from __future__ import annotations

import bisect
from collections.abc import Sequence


def first_come(weights: Sequence[int], excess: int) -> list[int]:
    """Return the first positions whose weights together reach the excess, as far as there are enough.

    Example:
        >>> first_come([5, 3, 9, 1], 7)
        [0, 1]
    """
    taken: list[int] = []
    for position, weight in enumerate(weights):
        if excess <= 0:
            break
        excess -= weight
        taken.append(position)
    return taken


def least_loss(weights: Sequence[int], losses: Sequence[float], excess: int) -> list[int]:
    """Return positions whose weights together reach the excess, and whose losses together are small.

    Taken are the first so many positions and then, at most, one that is heavy enough to reach the excess alone:
    the best of all such choices. Where everything together does not reach it, everything is taken.

    Args:
        weights: how much room each makes.
        losses: what each costs; they should rise by weight, so that the first are the cheapest for their room.
        excess: how much room is needed.

    Example:
        >>> least_loss([100, 900, 120], [10.0, 180.0, 60.0], 150)
        [0, 2]
    """
    last = first_come(weights, excess)
    best, best_loss = last, sum(losses[position] for position in last)
    made, lost = sum(weights[: len(last)]), sum(losses[: len(last)])
    # Of the positions from `start` on, by rising weight and loss: those that no heavier one beats on loss.
    heavy: list[int] = []
    cheapest: list[tuple[float, int]] = []
    for start in range(len(weights) - 1, -1, -1):
        _insert(heavy, cheapest, weights[start], losses[start], start)
        if start < len(last):
            made, lost = made - weights[start], lost - losses[start]
            at = bisect.bisect_left(heavy, excess - made)
            if at < len(heavy) and lost + cheapest[at][0] < best_loss:
                best, best_loss = [*range(start), cheapest[at][1]], lost + cheapest[at][0]
    return best


def _insert(
    heavy: list[int], cheapest: list[tuple[float, int]], weight: int, loss: float, position: int
) -> None:
    at = bisect.bisect_left(heavy, weight)
    if at < len(heavy) and cheapest[at][0] <= loss:
        return
    if at < len(heavy) and heavy[at] == weight:
        del heavy[at], cheapest[at]
    while at and cheapest[at - 1][0] >= loss:
        at -= 1
        del heavy[at], cheapest[at]
    heavy.insert(at, weight)
    cheapest.insert(at, (loss, position))
