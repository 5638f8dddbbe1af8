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
        *complete, last = text.split("\n")
        self.lines = [f"{line}\n" for line in complete] + ([last] if last else [])

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
        found: list[int] = []
        position = 0
        while (match := pattern.search(self.text, position)) and match.start() < len(self.text):
            found.append(self.index_of(match.start()))
            position = self._end(found[-1])
        return found

    def find_text(self, text: str) -> Iterator[int]:
        """Yield the indices of the lines with a text, in any case, in order.

        Args:
            text: The text in lower case. A line feed at its beginning stands for the start of a
                line other than the first.
        """
        shift = text.startswith("\n")
        position = self.lower.find(text)
        while position >= 0:
            index = self.index_of(position + shift)
            yield index
            position = self.lower.find(text, self._end(index) - shift)

    def find_word(self, word: str) -> list[int]:
        """Return the indices of the lines with a word, in any case, between non-word characters.

        Args:
            word: The word in lower case. It may be a whole value, such as a path.
        """
        found: list[int] = []
        text = self.lower
        before, after = _is_word(word[:1]), _is_word(word[-1:])
        position = text.find(word)
        while position >= 0:
            end = position + len(word)
            if (before and position and _is_word(text[position - 1])) or (
                after and _is_word(text[end : end + 1])
            ):
                position = text.find(word, position + 1)
                continue
            found.append(self.index_of(position))
            position = text.find(word, self._end(found[-1]))
        return found

    def _end(self, index: int) -> int:
        """Return the position behind a line."""
        return self.starts[index] + len(self.lines[index])


def lines_around(index: int, count: int, bounds: range) -> range:
    """Return the indices of a line and of so many lines before and after it, within bounds.

    Example:
        >>> lines_around(1, 3, range(9))
        range(0, 5)
    """
    return range(max(bounds.start, index - count), min(bounds.stop, index + count + 1))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _lower_ascii(text: str) -> str:
    return text.translate({code: code + 32 for code in range(65, 91)})
