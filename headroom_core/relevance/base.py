"""The protocol of scorers: items and a query in, one score for each item out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from headroom_core.errors import TransformError
from headroom_core.messages import require_list


@runtime_checkable
class Scorer(Protocol):
    """Scores texts by their relevance to a query.

    A scorer may be called from several threads at once.
    """

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order."""
        ...


def require_texts(name: str, values: Sequence[str]) -> list[str]:
    """Return a sequence of texts as a list.

    Args:
        name: Name of the argument, for the message.
        values: Value to check.

    Raises:
        TypeError: The value is a single string or no sequence, or an item is not a string.
    """
    texts = require_list(name, values)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{index}] must be a string, got {type(text).__name__}")
    return texts


def score_and_validate(scorer: Scorer, items: Sequence[str], query: str) -> list[float]:
    """Score items, and check the scores: the scorer may be a user's own.

    Raises:
        TransformError: The scorer did not return one number from 0 to 1 for each item.
    """
    scores = scorer.score_items(items, query)
    name = type(scorer).__name__
    if len(scores) != len(items):
        raise TransformError(
            f"{name} returned {len(scores)} scores for {len(items)} items: expected one for each",
            {"scorer": name},
        )
    for score in scores:
        # Not written as `score < 0 or score > 1`, which would accept NaN.
        if not 0 <= score <= 1:
            raise TransformError(
                f"{name} returned the score {score}: expected a number from 0 to 1",
                {"scorer": name, "score": score},
            )
    return scores
