"""Full-text search over rows without a loop over the rows."""

from __future__ import annotations

from bisect import bisect_right


class RowTextIndex:
    """Lowercase texts of the rows, joined into a single string that is fast to search.

    Args:
        texts: The text of each row.

    Attributes:
        text: The joined texts, separated by line breaks.
        starts: Index at which each row starts, followed by the index at which a next row would.
    """

    def __init__(self, texts: list[str]) -> None:
        self.text = "\n".join(texts).lower()
        self.starts = [0]
        if len(self.text) != sum(map(len, texts)) + max(0, len(texts) - 1):
            # A few letters, such as `İ`, get longer in lowercase: measure the lowercase texts.
            texts = [text.lower() for text in texts]
        for text in texts:
            self.starts.append(self.starts[-1] + len(text) + 1)

    def count_by_row(
        self, needle: str, max_rows: int, *, whole_word: bool = True
    ) -> dict[int, int]:
        """Count the occurrences of a lowercase text in each row that contains it.

        A word of letters is also found in the plural.

        Args:
            needle: The text to find.
            max_rows: Return no counts if more rows than this contain the text.
            whole_word: Whether to skip occurrences that are part of a longer word.
        """
        counts: dict[int, int] = {}
        text, row, start = self.text, 0, self.text.find(needle)
        while start >= 0:
            end = start + len(needle)
            if not whole_word or self._is_whole_word(start, end):
                row = bisect_right(self.starts, start, row) - 1
                counts[row] = counts.get(row, 0) + 1
                if len(counts) > max_rows:
                    return {}
            start = text.find(needle, end)
        return counts

    def _is_whole_word(self, start: int, end: int) -> bool:
        text = self.text
        if text.startswith("s", end) and text[start:end].isalpha():
            end += 1
        if start and text[start].isalnum() and text[start - 1].isalnum():
            return False
        return not (end < len(text) and text[end].isalnum() and text[end - 1].isalnum())
