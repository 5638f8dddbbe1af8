"""Test splitting prose into sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core.text.sentences import excerpt, split_sentences


@pytest.mark.parametrize(
    "parts",
    [
        [
            "Dr. A. Bo of the U.S. Army wrote vol. 3 in Jan. 1990. ",
            "It sold!  ",
            "Why? ",
            "See p. 3.",
        ],
        ['He said "no." ', "Then 3.5 m of it fell... and it stopped. ", "End"],
        ["# Heading\n\n", "- one\n", "- two. ", "Three"],
        ["東京は大きい。", "本当？", "はい"],
        ["  \n Led by space. ", "Next"],
        ["   "],
        [],
    ],
)
def test_sentences_end_where_a_reader_expects(parts: list[str]) -> None:
    assert split_sentences("".join(parts)) == parts


def test_long_runs_of_full_stops_are_split_in_time() -> None:
    assert "".join(split_sentences("." * 200_000 + "a")) == "." * 200_000 + "a"
    assert len(split_sentences(". " * 50_000)) <= 50_001


@given(st.text(alphabet="aB.!?\n \"'…。) 1", max_size=60))
def test_sentences_concatenate_to_the_text(text: str) -> None:
    parts = split_sentences(text)
    assert "".join(parts) == text
    assert excerpt(parts, range(len(parts))) == text
    assert all(part.strip() for part in parts) or not text.strip()
