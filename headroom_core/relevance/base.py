"""The contract of a scorer: items and a query in, a score for each item out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from headroom_core.errors import TransformError


@runtime_checkable
class Scorer(Protocol):
    """Tells how much each of many texts has to do with a query.

    A scorer may be used from several threads at once.
    """

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        """Return a score from 0 to 1 for each item, in their order."""
        ...


def as_texts(items: Sequence[str]) -> list[str]:
    """Return the items as a list.

    Raises:
        TypeError: they are one text, whose letters would be scored, or one of them is no text.
    """
    if isinstance(items, str):
        raise TypeError("items is of type str: give a list of texts")
    texts = list(items)
    if (
        odd := next((at for at, text in enumerate(texts) if not isinstance(text, str)), None)
    ) is not None:
        raise TypeError(
            f"items[{odd}] is of type {type(texts[odd]).__name__}: give a list of texts"
        )
    return texts


def score_and_validate(scorer: Scorer, items: Sequence[str], query: str) -> list[float]:
    """Return what a scorer, which may be somebody else's, says of the items.

    Raises:
        TransformError: it does not give one number from 0 to 1 an item.
    """
    scores = scorer.score_items(items, query)
    name = type(scorer).__name__
    if len(scores) != len(items):
        raise TransformError(
            f"{name} gave {len(scores)} scores for {len(items)} items", {"scorer": name}
        )
    if (odd := next((score for score in scores if not 0 <= score <= 1), None)) is not None:
        raise TransformError(
            f"{name} gave the score {odd}: expected 0 to 1", {"scorer": name, "score": odd}
        )
    return scores
