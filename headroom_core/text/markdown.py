"""Code and whitespace in Markdown prompts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Start and end index of a place in a text."""

# A line that may open or close a fenced block, with the text after its fence. Whether it does
# depends on the fence that is open, so `_find_fenced_blocks` decides. `units` has a pattern of its
# own: it also takes a fence with an info string for the end of a block, because a wrongly joined
# block is harmless here (its whitespace stays) and costly there (its lines stay together).
_FENCE_LINE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
# Code between one to three backticks on one line. Must not match within a longer run of backticks.
_INLINE_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)[^`\n]+\1(?!`)")

# Two or more blank lines; the group is the first, which is kept.
_BLANK_LINES = r"(?P<blank>^[ \t]*\r?\n)(?:[ \t]*\r?\n)+"
# Spaces at the end of a line. The lookbehind makes the run match as a whole or not at all, which
# keeps the search linear.
_TRAILING_SPACES = r"(?P<trailing>(?<![ \t\r])[ \t]+(?=\r?\n|\Z))"
# Spaces between words. Must not match indentation, nor a single space.
_INNER_SPACES = r"(?<=[^ \t\r\n])(?:[ \t]{2,}|\t)"


class Spans:
    """Non-overlapping places in a text.

    Args:
        spans: Start and end index of each place.

    Example:
        >>> Spans([(2, 5)]).overlaps(4, 9), Spans([(2, 5)]).overlaps(5, 9)
        (True, False)
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)
        self._ends = [end for _, end in self._spans]

    def overlaps(self, start: int, end: int) -> bool:
        """Return whether any of the places overlaps the range from `start` to `end`."""
        # The spans do not overlap, so only the first that ends after the start can.
        index = bisect_right(self._ends, start)
        return index < len(self._spans) and self._spans[index][0] < end


def find_code_spans(text: str) -> Spans:
    """Find the fenced blocks and the inline code of a text.

    As in Markdown, an unclosed fence extends to the end of the text.

    Example:
        >>> find_code_spans("run `date -u` now").overlaps(5, 9)
        True
    """
    blocks = list(_find_fenced_blocks(text))
    fenced = Spans(blocks)
    inline = (match.span() for match in _INLINE_CODE.finditer(text))
    return Spans([*blocks, *(span for span in inline if not fenced.overlaps(*span))])


def normalize_whitespace(text: str, *, spaces: bool, blank_lines: bool) -> str:
    """Shorten the whitespace in a text; indentation, line endings and code are unchanged.

    Args:
        text: The text.
        spaces: Whether to collapse runs of spaces and tabs inside a line, and strip them from its
            end.
        blank_lines: Whether to collapse several blank lines into one.

    Example:
        >>> normalize_whitespace("a  b \\n\\n\\n  c", spaces=True, blank_lines=True)
        'a b\\n\\n  c'
    """
    patterns: list[str] = []
    if blank_lines:
        patterns.append(_BLANK_LINES)
    if spaces:
        patterns += [_TRAILING_SPACES, _INNER_SPACES]
    if not patterns:
        return text
    code = find_code_spans(text)

    def shorten(match: re.Match[str]) -> str:
        if code.overlaps(*match.span()):
            return match[0]
        if match.lastgroup == "blank":
            return match["blank"].lstrip(" \t") if spaces else match["blank"]
        return "" if match.lastgroup == "trailing" else " "

    return re.sub("|".join(patterns), shorten, text, flags=re.MULTILINE)


def _find_fenced_blocks(text: str) -> Iterator[Span]:
    start, fence = 0, ""
    for match in _FENCE_LINE.finditer(text):
        if fence:
            if match[1].startswith(fence) and not match[2].strip():
                yield start, match.end()
                fence = ""
        # Backticks with another backtick on their line are inline code.
        elif not (match[1].startswith("`") and "`" in match[2]):
            start, fence = match.start(), match[1]
    if fence:
        yield start, len(text)
