"""Rows as one text, in which words are found without looking at every row."""

from __future__ import annotations

from bisect import bisect_right


class Haystack:
    """The rows' texts in lower case, one behind the other.

    Attributes:
        text: all of them.
        starts: where each row begins.
    """

    def __init__(self, texts: list[str]) -> None:
        self.text = "\n".join(texts).lower()
        self.starts = [0]
        if len(self.text) != sum(map(len, texts)) + max(0, len(texts) - 1):
            # A few letters have more than one in lower case: then the rows are measured one by one.
            texts = [text.lower() for text in texts]
        for text in texts:
            self.starts.append(self.starts[-1] + len(text) + 1)

    def rows_of(self, needle: str, most: int, whole: bool = True) -> dict[int, int]:
        """Return how often a text in lower case stands in which rows.

        Args:
            needle: what to find.
            most: nothing is returned when more rows than this hold it.
            whole: whether it must not be part of a longer word.
        """
        counts: dict[int, int] = {}
        text, row, at = self.text, 0, self.text.find(needle)
        while at >= 0:
            end = at + len(needle)
            if not whole or self._stands_alone(at, end):
                row = bisect_right(self.starts, at, row) - 1
                counts[row] = counts.get(row, 0) + 1
                if len(counts) > most:
                    return {}
            at = text.find(needle, end)
        return counts

    def _stands_alone(self, start: int, end: int) -> bool:
        text = self.text
        before = start and text[start].isalnum() and text[start - 1].isalnum()
        return not before and not (
            end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
        )
