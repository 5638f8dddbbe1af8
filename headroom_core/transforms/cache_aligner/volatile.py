"""Finds the parts of a prompt that change from day to day: dates, times and ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from headroom_core.text.markdown import Spans, find_code_spans
from headroom_core.transforms.cache_aligner.patterns import (
    CLOCK_INSIDE,
    DATE_OR_TIME,
    HEX,
    JOINING_CHARACTERS,
    LABELED,
    LABELS_BEFORE,
    LONG_WORD,
    MIXED,
    SAME_KIND_RUN,
    ULID,
    UUID,
    VERSION_BEFORE,
    WEB_TOKEN,
)

_CONTEXT_LENGTH = 96
"""Number of characters before and after a part that are checked; longer words are rare."""

_MIN_RANDOM_LENGTH = 16
"""Minimum number of letters and digits in a random word: shorter ones are too much like names."""

# Minimum share of adjacent characters that differ in kind (lower case, upper case, digit). It is
# about 0.6 in random text, or 0.4 with letters of one case only, and far lower in names.
_MIN_KIND_CHANGES = 0.4
_MIN_KIND_CHANGES_ONE_CASE = 0.25


class VolatilePart(NamedTuple):
    """A part of a text that changes from day to day.

    Attributes:
        start: Position of its first character.
        end: Position after its last character.
        kind: Its kind, one of `KINDS`.
    """

    start: int
    end: int
    kind: str


KINDS = ("date and time", "date", "time", "id", "value")
"""The kinds of parts. A `value` was found by a pattern of the caller."""


def volatile_parts(
    text: str, patterns: Sequence[re.Pattern[str]] = (), *, known: bool = True
) -> list[VolatilePart]:
    """Find the parts of a text that change from day to day, in order.

    These are dates and times in English and numeric spellings, Unix times and ids behind a label,
    UUIDs, ULIDs, hexadecimal runs, JSON Web Tokens and other random words of 16 characters or
    more. Parts of longer words, paths, addresses, versions and code are not included.

    Args:
        text: The text.
        patterns: Patterns of further parts, which may be anywhere in the text. The part is the
            match or, if a pattern has a single group, that group.
        known: Whether to look for anything besides the patterns.

    Example:
        >>> volatile_parts("Today is Saturday, 21 November 2026, and gpt-4o-2024-08-06 is here.")
        [VolatilePart(start=9, end=35, kind='date')]
    """
    custom = _without_overlaps(part for pattern in patterns for part in _find_custom(pattern, text))
    if not known:
        return custom
    code = find_code_spans(text)
    taken = Spans((part.start, part.end) for part in custom)
    found = (
        part
        for part in _find_known(text)
        if not code.overlaps(part.start, part.end)
        and not taken.overlaps(part.start, part.end)
        and _stands_alone(text, part.start, part.end)
    )
    return sorted([*custom, *_without_overlaps(found)])


def _find_custom(pattern: re.Pattern[str], text: str) -> Iterator[VolatilePart]:
    group = 1 if pattern.groups == 1 else 0
    for match in pattern.finditer(text):
        start, end = match.span(group)
        if start < end:
            yield VolatilePart(start, end, "value")


def _find_known(text: str) -> Iterator[VolatilePart]:
    """Find parts that may change, the surest first: of equal parts, the first is kept."""
    for kind, pattern in LABELED:
        for match in pattern.finditer(text):
            # A pattern for ids has a group for each kind of value, only one of which matches.
            yield VolatilePart(*match.span(match.lastindex or 0), kind)
    for match in DATE_OR_TIME.finditer(text):
        kind = "time"
        if match["dated"]:
            kind = "date and time" if CLOCK_INSIDE.search(match[0]) else "date"
        yield VolatilePart(*match.span(), kind)
    for match in WEB_TOKEN.finditer(text):
        yield VolatilePart(*match.span(), "id")
    for match in LONG_WORD.finditer(text):
        if _is_random(match[0]):
            yield VolatilePart(*match.span(), "id")


def _is_random(word: str) -> bool:
    """Return whether a word of letters and digits is random, not a name."""
    pieces = [piece for piece in re.split("[-_]+", word) if piece]
    for piece in pieces:
        if ULID.fullmatch(piece) or (HEX.fullmatch(piece) and MIXED.match(piece)):
            return True
    if UUID.search(word):
        return True
    length = sum(map(len, pieces))
    if length < _MIN_RANDOM_LENGTH or not any(map(MIXED.match, pieces)):
        return False
    changes = sum(len(SAME_KIND_RUN.findall(piece)) - 1 for piece in pieces)
    has_one_case = word in (word.lower(), word.upper())
    min_share = _MIN_KIND_CHANGES_ONE_CASE if has_one_case else _MIN_KIND_CHANGES
    return changes >= min_share * (length - len(pieces))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether a part is neither a version nor inside of a longer word or an address.

    A label may precede it in the same word.
    """
    before = text[max(0, start - _CONTEXT_LENGTH) : start]
    after = text[end : end + _CONTEXT_LENGTH]
    word_before = before[len(before.rstrip(JOINING_CHARACTERS)) :]
    word_after = after[: len(after) - len(after.lstrip(JOINING_CHARACTERS))]
    # Punctuation at the end of a sentence or before a quote does not make a longer word.
    if word_after.strip(".:?\\"):
        return False
    if not LABELS_BEFORE.fullmatch(word_before) or VERSION_BEFORE.search(before):
        return False
    # The beginning of an address may be cut off from the part by a parenthesis or a comma.
    if not before or before[-1].isspace():
        return True
    chunk = before.split()[-1]
    return "://" not in chunk and not chunk.startswith("www.")


def _without_overlaps(parts: Iterable[VolatilePart]) -> list[VolatilePart]:
    """Return the parts that do not overlap an earlier part; of equal starts, the longest."""
    kept: list[VolatilePart] = []
    for part in sorted(parts, key=lambda part: (part.start, -part.end)):
        if not kept or part.start >= kept[-1].end:
            kept.append(part)
    return kept
