"""Where code stands in a prompt, and the whitespace around it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]+\1(?!`)")

_BLANK_LINES = r"(?P<blank>^[ \t]*\r?\n)(?:[ \t]*\r?\n)+"
_TRAILING = r"(?P<trailing>(?<![ \t\r])[ \t]+(?=\r?\n|\Z))"
_INSIDE = r"(?<=[^ \t\r\n])(?:[ \t]{2,}|\t)"


class Spans:
    """Places of a text that do not overlap.

    Args:
        spans: where each begins and ends.

    Example:
        >>> Spans([(2, 5)]).overlaps(4, 9), Spans([(2, 5)]).overlaps(5, 9)
        (True, False)
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)
        self._ends = [end for _, end in self._spans]

    def overlaps(self, start: int, end: int) -> bool:
        """Return whether any of them stands between two places."""
        # The first that ends behind the start is the only one to look at.
        at = bisect_right(self._ends, start)
        return at < len(self._spans) and self._spans[at][0] < end


def find_code_spans(text: str) -> Spans:
    """Return where the fenced blocks and the inline code of a text stand.

    A fence that is never closed reaches to the end, as Markdown has it.

    Example:
        >>> find_code_spans("run `date -u` now").overlaps(5, 9)
        True
    """
    fenced = [*_fenced(text)]
    inside_fences = Spans(fenced)
    inline = (match.span() for match in _INLINE.finditer(text))
    return Spans([*fenced, *(span for span in inline if not inside_fences.overlaps(*span))])


def normalize_whitespace(text: str, *, spaces: bool, blank_lines: bool) -> str:
    """Return a text with less whitespace; indentation, line ends and code stay.

    Args:
        text: the text.
        spaces: write runs of spaces and tabs inside a line as one space, and none at a line's end.
        blank_lines: write several blank lines as one.

    Example:
        >>> normalize_whitespace("a  b \\n\\n\\n  c", spaces=True, blank_lines=True)
        'a b\\n\\n  c'
    """
    patterns = [_BLANK_LINES] * blank_lines + [_TRAILING, _INSIDE] * spaces
    if not patterns:
        return text
    code = find_code_spans(text)

    def shorter(match: re.Match[str]) -> str:
        if code.overlaps(*match.span()):
            return match[0]
        if match.lastgroup == "blank":
            return match["blank"].lstrip(" \t") if spaces else match["blank"]
        return "" if match.lastgroup == "trailing" else " "

    return re.sub("|".join(patterns), shorter, text, flags=re.MULTILINE)


def _fenced(text: str) -> Iterator[Span]:
    start, fence = 0, ""
    for match in _FENCE.finditer(text):
        if fence:
            if match[1].startswith(fence) and not match[2].strip():
                yield start, match.end()
                fence = ""
        # With another backtick on its line it is inline code.
        elif not (match[1].startswith("`") and "`" in match[2]):
            start, fence = match.start(), match[1]
    if fence:
        yield start, len(text)
