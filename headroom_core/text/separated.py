"""Signs of separated values in samples of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
"""The characters that may separate the cells of a line, and their names."""

MIN_RECORDS = 5
"""Fewer records below a header are weak evidence of a table."""

# What is sampled: the start of the text, and three places inside it, in case it begins with
# something else.
_FIRST_CHARACTERS = 16_000
_INNER_CHARACTERS = 6_000
_INNER_PLACES = (1 / 4, 1 / 2, 3 / 4)
_MAX_FIRST_LINES = 60
_MAX_INNER_LINES = 20
# The share of the lines of a sample with equally many separators.
_MIN_EQUAL_SHARE = 0.5

# A quoted cell, which may contain separators and line breaks.
_QUOTED = re.compile(r'"[^"]*"')


def find_separators(text: str) -> list[str]:
    """Return the separators of which most lines have equally many, the steadiest first.

    This is no evidence of a table, but a table has such a separator. Only samples of
    the text are read, so the work does not grow with it.

    Example:
        >>> find_separators("river,km\\n" + "Elbe,1094\\n" * 9)
        [',']
    """
    shares: Counter[str] = Counter()
    for sample in read_samples(text):
        for lines in _variants(sample):
            for separator in SEPARATORS:
                share = _equal_share(lines, separator)
                if share >= _MIN_EQUAL_SHARE:
                    shares[separator] = max(shares[separator], round(100 * share))
    return [separator for separator, _ in shares.most_common()]


def read_samples(text: str) -> Iterator[str]:
    """Yield the start of a text and, if it is long, the lines at three places inside it."""
    start = text[:_FIRST_CHARACTERS]
    if len(text) == len(start):
        yield text
        return
    end = "\n" if "\n" in start else "\r"
    yield _first_lines(start, end, _MAX_FIRST_LINES)
    for place in _INNER_PLACES:
        position = text.find(end, int(place * len(text))) + 1
        yield _first_lines(text[position : position + _INNER_CHARACTERS], end, _MAX_INNER_LINES)


def _first_lines(sample: str, end: str, most: int) -> str:
    """Return the first lines of a sample whose last line is cut off."""
    lines = sample.split(end, most)
    return end.join(lines[:-1]) if len(lines) > 1 else ""


def _variants(sample: str) -> Iterator[Sequence[str]]:
    """Yield the lines of a sample, and those that remain without quoted cells."""
    end = "\n" if "\n" in sample else "\r"
    yield _split(sample, end)
    if '"' in sample:
        yield _split(_QUOTED.sub("", sample), end)


def _split(sample: str, end: str) -> Sequence[str]:
    lines = sample.split(end, _MAX_FIRST_LINES)[:_MAX_FIRST_LINES]
    return [line for line in lines if line and not line.isspace()]


def _equal_share(lines: Sequence[str], separator: str) -> float:
    """Return the share of lines with the most frequent number of separators, if it is not 0."""
    counts = Counter([line.count(separator) for line in lines])
    del counts[0]
    if not counts:
        return 0.0
    equal = counts.most_common(1)[0][1]
    return equal / len(lines) if equal >= MIN_RECORDS else 0.0
