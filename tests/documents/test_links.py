"""Test that passages of questions that take two steps reach each other."""

from __future__ import annotations

import time

import pytest

from headroom_core import compress_documents

FILLERS = [
    "The Danube Bridge is a road bridge. It was opened for traffic and painted green.",
    "A film festival takes place every winter. Directors and actors attend it.",
    "The company was renamed twice. Its owners live abroad.",
    "The award is given for the best song of the year by a jury of critics.",
    "An opera house stands on the square. Its director resigned.",
    "The football club won the cup. Its coach was the director of a school.",
]


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [
        (
            "When was the director of the film Winter Road born?",
            "Winter Road is a film. Its director is Lena Okafor.",
            "Born in 1961, Okafor grew up in Enugu. She writes.",
        ),
        (
            "What does the legal form of the brewery Hopfen stand for?",
            "The brewery Hopfen was changed to the legal form KGaA in 2004.",
            "A Kommanditgesellschaft auf Aktien, abbreviated KGaA, is a partnership with shares.",
        ),
        (
            "Which river flows past the birthplace of the composer of the opera Vesna?",
            "Vesna is an opera by Jan Horský, a composer whose birthplace is Kolodeje.",
            "Kolodeje lies where the Lužnice meets the Vltava.",
        ),
    ],
)
def test_a_rare_name_leads_to_the_second_step(query: str, first: str, second: str) -> None:
    for texts in ([first, *FILLERS, second], [second, *FILLERS, first]):
        kept = [text for text in compress_documents(texts, query).texts if text]
        assert first in kept
        assert second in kept
        assert len(kept) < len(texts)


def test_a_name_that_many_passages_have_leads_nowhere() -> None:
    first = "Winter Road is a film. Its director is Lena Okafor."
    others = [f"Lena Okafor likes number {word}." for word in "one two three four five".split()]
    query = "Who is the director of the film Winter Road?"
    scores = compress_documents([first, *others], query).scores
    assert max(scores[1:]) < 0.1


def test_words_that_stand_together_count_more() -> None:
    near = "They built the opera house in 1900."
    far = "They built the house. An opera was in 1900."
    filler = "It rained. It was cold. It snowed. It was dark."
    scores = compress_documents([far, near, filler], "Who built the opera house?").scores
    assert scores[1] == 1.0 > scores[0]


@pytest.mark.parametrize("odd", ["A" * 300_000, "_A1" * 100_000, "A b " * 80_000, "9" * 300_000])
def test_odd_passages_are_linked_in_time(odd: str) -> None:
    start = time.process_time()
    compress_documents([odd, f"Ab {odd}", "Ab cd."], "Ab cd")
    assert time.process_time() - start < 3
