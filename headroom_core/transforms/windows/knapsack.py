"""Choose items to drop, to make enough room at a small loss."""

from __future__ import annotations

import bisect
from collections.abc import Sequence


def take_in_order(weights: Sequence[int], excess: int) -> list[int]:
    """Return the leading positions whose weights add up to the excess, or all positions.

    Example:
        >>> take_in_order([5, 3, 9, 1], 7)
        [0, 1]
    """
    taken: list[int] = []
    for position, weight in enumerate(weights):
        if excess <= 0:
            break
        excess -= weight
        taken.append(position)
    return taken


def take_least_loss(weights: Sequence[int], losses: Sequence[float], excess: int) -> list[int]:
    """Return the positions of items to drop, to make enough room at a small loss.

    Two kinds of choices are compared, and the one with the smallest loss is returned:

    - the first items, as many as are needed;
    - fewer of the first items, and one later item that makes the rest of the room.

    All positions are returned if all items together do not make enough room.

    Args:
        weights: Room that each item makes.
        losses: Loss that each item causes. Items should be sorted by loss per weight: the first
            are then the cheapest for the room they make.
        excess: Room that is needed.

    Example:
        >>> take_least_loss([100, 900, 120], [10.0, 180.0, 60.0], 150)
        [0, 2]
    """
    leading = take_in_order(weights, excess)
    best: tuple[int, int] | None = None
    best_loss = sum(losses[position] for position in leading)
    room = sum(weights[: len(leading)])
    loss = sum(losses[: len(leading)])
    # Items from `start` on that no other item beats in both weight and loss. Both lists rise, so
    # a binary search by weight finds the cheapest item that is heavy enough.
    front_weights: list[int] = []
    front: list[tuple[float, int]] = []
    for start in range(len(weights) - 1, -1, -1):
        _add_to_front(front_weights, front, weights[start], losses[start], position=start)
        if start >= len(leading):
            continue
        room -= weights[start]
        loss -= losses[start]
        index = bisect.bisect_left(front_weights, excess - room)
        if index < len(front):
            extra_loss, position = front[index]
            if loss + extra_loss < best_loss:
                best = start, position
                best_loss = loss + extra_loss
    return leading if best is None else [*range(best[0]), best[1]]


def _add_to_front(
    front_weights: list[int],
    front: list[tuple[float, int]],
    weight: int,
    loss: float,
    *,
    position: int,
) -> None:
    """Add an item unless a heavier item costs less, and remove the items that it beats."""
    index = bisect.bisect_left(front_weights, weight)
    if index < len(front) and front[index][0] <= loss:
        return
    if index < len(front) and front_weights[index] == weight:
        del front_weights[index], front[index]
    while index and front[index - 1][0] >= loss:
        index -= 1
        del front_weights[index], front[index]
    front_weights.insert(index, weight)
    front.insert(index, (loss, position))
