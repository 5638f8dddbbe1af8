"""Lines that are found by searching their whole text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from headroom_core.text.text_lines import TextLines

texts = st.text(alphabet="aB1_ \n\rİ.", max_size=60)


@given(texts)
def test_the_lines_joined_are_the_text(text: str) -> None:
    assert "".join(TextLines(text).lines) == text


@given(texts)
def test_lines_are_found_as_by_searching_each(text: str) -> None:
    lines = TextLines(text)
    expected = [index for index, line in enumerate(lines.lines) if "a" in line]
    assert lines.find_all(re.compile("a")) == expected


# Without the capital whose small letter is two characters.
@given(st.text(alphabet="aB1_ \n\r.", max_size=60))
def test_words_are_found_between_other_characters(text: str) -> None:
    lines = TextLines(text)
    word = re.compile(r"(?<![\w])b1(?![\w])")
    expected = [n for n, line in enumerate(lines.lines) if word.search(line.lower())]
    assert lines.find_word("b1") == expected
