"""Which of some texts to read, where several say the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heapreplace

from headroom_core.relevance.words import split_words

_PENALTY = 0.5
"""What of the best score a text gives up whose words another one has all."""

_SAME = 0.85
"""The share of its words from which on a text repeats another one, if that has its numbers too."""


def select_diverse(
    texts: Sequence[str], scores: Sequence[float], most: int | None = None
) -> list[int]:
    """Return the places of the texts to read, best first, without those that repeat better ones.

    Each next text is the one with the highest score less half of the share of its words that one text before it
    has (maximal marginal relevance). A text is left out of whose words another one has 85 %, and all
    that hold a digit or a sign.

    Args:
        texts: the texts.
        scores: how relevant each one is, from 0 to 1.
        most: how many texts to return at most. None: no limit.

    Example:
        >>> texts = ["The Elbe is long.", "The Elbe is long, long.", "The Oder is short."]
        >>> select_diverse(texts, [1.0, 0.9, 0.6])
        [0, 2]
    """
    if not texts:
        return []
    seen = _Words()
    said = [seen.of(text) for text in texts]
    chosen: list[int] = []
    # The value of a text only ever falls, so that one that is still the highest when it is up to date is the next.
    waiting = [(-score, at, 0) for at, score in enumerate(scores)]
    shared = [0.0] * len(texts)
    heapify(waiting)
    while waiting and (most is None or len(chosen) < most):
        _, at, known = waiting[0]
        if known == len(chosen):
            heappop(waiting)
            chosen.append(at)
            continue
        mine = said[at]
        shares = [mine.share(said[other]) for other in chosen[known:]]
        if any(
            share >= _SAME and mine.numbers_in(said[other])
            for share, other in zip(shares, chosen[known:])
        ):
            heappop(waiting)
            continue
        shared[at] = max(shared[at], *shares)
        heapreplace(waiting, (_PENALTY * shared[at] - scores[at], at, len(chosen)))
    return chosen


class _Said:
    """The words of a text.

    Args:
        all_words: the words, a bit each.
        numbers: those that are not all letters.
    """

    def __init__(self, all_words: int, numbers: int) -> None:
        self._words, self._numbers = all_words, numbers
        self._count = max(1, all_words.bit_count())

    def share(self, other: _Said) -> float:
        """Return the share of the words that another text has too."""
        return (self._words & other._words).bit_count() / self._count

    def numbers_in(self, other: _Said) -> bool:
        """Return whether another text has all the numbers."""
        return not self._numbers & ~other._words


class _Words:
    """Gives each word a bit."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}

    def of(self, text: str) -> _Said:
        """Return the words of a text."""
        own = {word: self._bits.setdefault(word, len(self._bits)) for word in split_words(text)}
        return _Said(
            _mask(own.values()), _mask(bit for word, bit in own.items() if not word.isalpha())
        )


def _mask(bits: Iterable[int]) -> int:
    """Return the number in which these bits are set."""
    held = bytearray()
    for bit in bits:
        byte = bit // 8
        if byte >= len(held):
            held.extend(bytes(byte + 1 - len(held)))
        held[byte] |= 1 << bit % 8
    return int.from_bytes(held, "little")
