"""The sentences of a text, and what is left of it when some are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

ELLIPSIS = "[…]"
"""What stands where sentences were left out."""

_ABBREVIATION = (
    r"(?<!\b[^\W\d_]\.)"
    r"(?<!\b(?:Dr|Mr|Ms|St|Jr|Sr|vs|No|Co|Lt|Ft|Mt|pp|al|ca|cf|Nr|Bd)\.)"
    r"(?<!\b(?:Mrs|Inc|Ltd|Gen|Col|Sgt|Rev|Hon|Gov|Sen|Rep|[Ff]ig|[Vv]ol|Ave|etc|est)\.)"
    r"(?<!\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\.)"
    r"(?<!\b(?:Prof|Corp|Capt|Sept|Dept|Univ)\.)"
)
_CLOSING = "[\"'”’»)\\]]*"
_SMALL_LETTERS = "a-zß-öø-ÿа-яё"
# All ways to end begin with one set of characters, so that the search leaps from one of them to the next.
_END = re.compile(
    r"[.!?…。！？\n](?:"
    r"(?<=\n)\s*"
    r"|(?<=[。！？])[」』”’]*\s*"
    rf"|(?<=[.!?…])(?<![.!?…]{{2}})[.!?…]*{_ABBREVIATION}{_CLOSING}(?:\s*\n\s*|\s+(?![\s{_SMALL_LETTERS}])))"
)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with the space that follows it, so that together they are the text.

    A line ends a sentence too. A stop after an initial or a common abbreviation, or before a small letter, ends
    none: two sentences in one are better than one cut in two.

    Example:
        >>> split_sentences("Dr. A. Bo wrote it. It sold well! See p. 3.")
        ['Dr. A. Bo wrote it. ', 'It sold well! ', 'See p. 3.']
    """
    found, start = [], 0
    for end in _END.finditer(text):
        if text[start : end.end()].isspace():
            continue
        found.append(text[start : end.end()])
        start = end.end()
    return [*found, text[start:]] if start < len(text) else found


def excerpt(parts: Sequence[str], kept: Iterable[int]) -> str:
    """Return the kept parts of a text in their order, with `[…]` where others stood.

    Example:
        >>> excerpt(["One. ", "Two. ", "Three."], [1])
        '[…] Two. […]'
    """
    staying = frozenset(kept)
    runs = [
        (stays, "".join(parts[at] for at in run))
        for stays, run in groupby(range(len(parts)), staying.__contains__)
    ]
    return "".join(run if stays else ELLIPSIS + run[len(run.rstrip()) :] for stays, run in runs)
