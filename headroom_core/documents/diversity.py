"""Selection of texts that do not repeat each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heapreplace

from headroom_core.relevance.words import split_words

# Share of the best score that a text loses if another one has all of its words.
_REPETITION_PENALTY = 0.5

# A text repeats another one if that has this share of its words, and all of its numbers: texts that
# differ only in a number say different things.
_DUPLICATE_SHARE = 0.85


def select_diverse(
    texts: Sequence[str], scores: Sequence[float], limit: int | None = None
) -> list[int]:
    """Return the indices of the texts to read, the best first, without those that repeat others.

    Each next text is the one with the highest score, less half of the share of its words that a
    text before it has (maximal marginal relevance). A text is omitted if another one has 85 % of
    its words, and all that contain a digit or a sign.

    Args:
        texts: Texts to select from.
        scores: Relevance of each text, from 0 to 1.
        limit: Maximum number of texts to return. Defaults to no limit.

    Example:
        >>> texts = ["The Elbe is long.", "The Elbe is long, long.", "The Oder is short."]
        >>> select_diverse(texts, [1.0, 0.9, 0.6])
        [0, 2]
    """
    if not texts:
        return []
    vocabulary = _Vocabulary()
    word_sets = [vocabulary.encode(text) for text in texts]
    selected: list[int] = []
    # Entries are the negated value, the index, and how many of the selected texts the value takes
    # into account. A value only ever falls: an entry that is up to date and still the highest is
    # the next text, and the others need not be updated.
    queue = [(-score, index, 0) for index, score in enumerate(scores)]
    shared = [0.0] * len(texts)
    heapify(queue)
    while queue and (limit is None or len(selected) < limit):
        _, index, compared = queue[0]
        if compared == len(selected):
            heappop(queue)
            selected.append(index)
            continue
        words = word_sets[index]
        others = [word_sets[other] for other in selected[compared:]]
        shares = [words.share_in(other) for other in others]
        if any(
            share >= _DUPLICATE_SHARE and words.numbers_in(other)
            for share, other in zip(shares, others)
        ):
            heappop(queue)
            continue
        shared[index] = max(shared[index], *shares)
        value = scores[index] - _REPETITION_PENALTY * shared[index]
        heapreplace(queue, (-value, index, len(selected)))
    return selected


class _WordSet:
    """Set of the words of a text, as bits: comparing every pair of texts has to be fast.

    Args:
        words: Bits of all words.
        numbers: Bits of the words that are not all letters.
    """

    def __init__(self, words: int, numbers: int) -> None:
        self._words, self._numbers = words, numbers
        self._count = max(1, words.bit_count())

    def share_in(self, other: _WordSet) -> float:
        """Return the share of the words that another text has too."""
        return (self._words & other._words).bit_count() / self._count

    def numbers_in(self, other: _WordSet) -> bool:
        """Return whether another text has all the numbers."""
        return not self._numbers & ~other._words


class _Vocabulary:
    """Mapping from words to bits."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}

    def encode(self, text: str) -> _WordSet:
        """Return the words of a text as a set of bits."""
        bits = {word: self._bits.setdefault(word, len(self._bits)) for word in split_words(text)}
        numbers = [bit for word, bit in bits.items() if not word.isalpha()]
        return _WordSet(_to_mask(bits.values()), _to_mask(numbers))


def _to_mask(bits: Iterable[int]) -> int:
    """Return the integer with these bits set.

    Setting bits of an integer one by one would copy it every time; bytes are changed in place.
    """
    mask = bytearray()
    for bit in bits:
        byte = bit // 8
        if byte >= len(mask):
            mask.extend(bytes(byte + 1 - len(mask)))
        mask[byte] |= 1 << bit % 8
    return int.from_bytes(mask, "little")
