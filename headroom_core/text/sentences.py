"""Sentence splitting, and excerpts of texts from which sentences were dropped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

ELLIPSIS = "[…]"
"""Replaces each run of dropped sentences."""

# A stop that ends an initial or one of these abbreviations must not end a sentence. Abbreviations
# are grouped by length because a lookbehind needs a fixed width.
_NOT_AFTER_ABBREVIATION = (
    r"(?<!\b[^\W\d_]\.)"
    r"(?<!\b(?:Dr|Mr|Ms|St|Jr|Sr|vs|No|Co|Lt|Ft|Mt|pp|al|ca|cf|Nr|Bd)\.)"
    r"(?<!\b(?:Mrs|Inc|Ltd|Gen|Col|Sgt|Rev|Hon|Gov|Sen|Rep|[Ff]ig|[Vv]ol|Ave|etc|est)\.)"
    r"(?<!\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\.)"
    r"(?<!\b(?:Prof|Corp|Capt|Sept|Dept|Univ)\.)"
)
_CLOSING_SIGNS = "[\"'”’»)\\]]*"
_SMALL_LETTERS = "a-zß-öø-ÿа-яё"
# The end of a sentence with the whitespace after it: a line break, a full-width stop, or a run of
# stops before whitespace. Must not match a stop after an abbreviation, before a small letter on
# the same line, or inside a number or name such as `3.5` or `a.py`.
# All alternatives share one set of first characters, so the search jumps from candidate to
# candidate.
_SENTENCE_END = re.compile(
    r"[.!?…。！？\n](?:"
    r"(?<=\n)\s*"
    r"|(?<=[。！？])[」』”’]*\s*"
    rf"|(?<=[.!?…])(?<![.!?…]{{2}})[.!?…]*{_NOT_AFTER_ABBREVIATION}{_CLOSING_SIGNS}"
    rf"(?:\s*\n\s*|\s+(?![\s{_SMALL_LETTERS}])))"
)


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences, each with the whitespace after it.

    The sentences joined are the text. A line break ends a sentence too. A stop after an initial or
    a common abbreviation, or before a small letter, does not: joining two sentences is better than
    cutting one in two.

    Example:
        >>> split_sentences("Dr. A. Bo wrote it. It sold well! See p. 3.")
        ['Dr. A. Bo wrote it. ', 'It sold well! ', 'See p. 3.']
    """
    sentences: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        sentence = text[start : match.end()]
        if sentence.isspace():
            continue
        sentences.append(sentence)
        start = match.end()
    if start < len(text):
        sentences.append(text[start:])
    return sentences


def excerpt(parts: Sequence[str], kept: Iterable[int]) -> str:
    """Join the kept parts of a text in order, with `[…]` instead of each run of dropped parts.

    Args:
        parts: The parts of the text, in order.
        kept: Indices of the parts to keep.

    Example:
        >>> excerpt(["One. ", "Two. ", "Three."], [1])
        '[…] Two. […]'
    """
    kept_indices = frozenset(kept)
    pieces: list[str] = []
    for is_kept, indices in groupby(range(len(parts)), kept_indices.__contains__):
        run = "".join(parts[index] for index in indices)
        # The whitespace at the end of a dropped run stays, to keep paragraphs apart.
        pieces.append(run if is_kept else ELLIPSIS + run[len(run.rstrip()) :])
    return "".join(pieces)
