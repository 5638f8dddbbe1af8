"""Folding of sentences that a document repeats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from headroom_core.text.json_spans import find_json
from headroom_core.text.sentences import split_sentences
from headroom_core.text.units import split_lines

# Shorter sentences are repeated for emphasis or as captions, and folding them saves nothing.
_MIN_REPEAT_CHARS = 20

# The stops that end a sentence, with closing quotes and brackets. The count stands before them, so
# that it stays with its sentence wherever the text is split. The bound keeps the search short.
_FINAL_STOPS = re.compile(r"[.!?…。！？]{1,9}[\"'”’»)\]」』]{0,9}\Z")


def fold_repeats(text: str) -> str:
    """Return a text with each repeated sentence once, and the number of times that it occurred.

    Only prose is folded: lines of code, data and tables stay where they are.

    Example:
        >>> fold_repeats("The office is closed. Call us. The office is closed. Call us.")
        'The office is closed […×2]. Call us. Call us.'
    """
    pieces = list(_split_prose(text))
    counts = Counter(piece.strip() for piece, is_prose in pieces if is_prose)
    folded: list[str] = []
    seen: set[str] = set()
    for piece, is_prose in pieces:
        sentence = piece.strip()
        is_repeated = is_prose and len(sentence) >= _MIN_REPEAT_CHARS and counts[sentence] > 1
        if not is_repeated:
            folded.append(piece)
        elif sentence not in seen:
            seen.add(sentence)
            folded.append(_insert_count(piece, counts[sentence]))
        else:
            # A paragraph that ends with the repetition still ends there.
            folded[-1] = _with_longer_end(folded[-1], piece)
    return "".join(folded) if seen else text


def _split_prose(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the sentences and other lines of a text, each with whether it is a sentence."""
    lines = split_lines(text, [(span.start, span.end) for span in find_json(text)])
    ends = [*(line.start for line in lines[1:]), len(text)]
    for line, end in zip(lines, ends):
        piece = text[line.start : end]
        for part in [piece] if line.is_atomic else split_sentences(piece):
            yield part, not line.is_atomic


def _insert_count(piece: str, count: int) -> str:
    """Return a sentence with the number of times that it occurred before its final stops."""
    body = piece.rstrip()
    stops = _FINAL_STOPS.search(body, max(0, len(body) - 18))
    end = stops.start() if stops else len(body)
    return f"{body[:end]} […×{count}]{piece[end:]}"


def _with_longer_end(text: str, other: str) -> str:
    """Return a text with the whitespace at the end of another one, if that has more line breaks."""
    body = text.rstrip()
    end = other[len(other.rstrip()) :]
    return body + end if end.count("\n") > text.count("\n", len(body)) else text
