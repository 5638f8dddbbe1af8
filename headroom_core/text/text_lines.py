"""A text as lines that can be searched as a whole."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate


class TextLines:
    """The lines of a text, found by searching the whole text at once.

    A line ends with a line feed, as the lines do that `retrieve` counts. Indices start at 0.

    Args:
        text: The text.

    Attributes:
        lines: The lines, each with its line feed.

    Example:
        >>> lines = TextLines("ready\\nsteady\\ngo")
        >>> lines.lines, lines.find_all(re.compile("ea"))
        (['ready\\n', 'steady\\n', 'go'], [0, 1])
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        last = self.lines.pop()
        self.lines = [f"{line}\n" for line in self.lines] + ([last] if last else [])

    def __len__(self) -> int:
        return len(self.lines)

    @cached_property
    def starts(self) -> list[int]:
        """The position of each line's first character in the text."""
        return [0, *accumulate(map(len, self.lines))][: len(self.lines)]

    @cached_property
    def lower(self) -> str:
        """The text in lower case, of the same length."""
        lower = self.text.lower()
        # A few capitals get longer, such as the Turkish dotted I.
        return lower if len(lower) == len(self.text) else _lower_ascii(self.text)

    def index_of(self, position: int) -> int:
        """Return the index of the line at a position in the text."""
        return bisect_right(self.starts, position) - 1

    def find_all(self, pattern: re.Pattern[str]) -> list[int]:
        """Return the indices of the lines in which a pattern is found, in order.

        A match counts for the line where it begins.
        """
        return list(self._search(pattern))

    def find_word(self, word: str) -> list[int]:
        """Return the indices of the lines with a word, in any case, between non-word characters.

        Args:
            word: The word in lower case. It may be a whole value, such as a path.
        """
        return list(self._find(word))

    def _search(self, pattern: re.Pattern[str]) -> Iterator[int]:
        position, text, starts = 0, self.text, self.starts
        while match := pattern.search(text, position):
            index = self.index_of(match.start())
            if index >= len(starts):
                return
            yield index
            if index + 1 == len(starts):
                return
            position = starts[index + 1]

    def _find(self, word: str) -> Iterator[int]:
        text, starts = self.lower, self.starts
        before, after = _is_word(word[:1]), _is_word(word[-1:])
        position = text.find(word)
        while position >= 0:
            end = position + len(word)
            if (before and position and _is_word(text[position - 1])) or (
                after and _is_word(text[end : end + 1])
            ):
                position = text.find(word, position + 1)
                continue
            index = self.index_of(position)
            yield index
            if index + 1 >= len(starts):
                return
            position = text.find(word, starts[index + 1])


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _lower_ascii(text: str) -> str:
    return text.translate({code: code + 32 for code in range(65, 91)})
