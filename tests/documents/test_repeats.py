"""Test that sentences that a document repeats are written once where a budget is too small."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import compress_documents, count_tokens_text
from headroom_core.documents.repeats import fold_repeats

NOTICE = "Please remember that the office is closed on public holidays. "
FACTS = [
    f"The {place} holds {7 * number} crates of {goods}. "
    for number, (place, goods) in enumerate(
        [
            ("barn", "apples"),
            ("ship", "tin"),
            ("cellar", "salt"),
            ("truck", "rope"),
            ("shed", "glass"),
            ("hangar", "wool"),
            ("silo", "coal"),
            ("depot", "paper"),
        ],
        start=11,
    )
]
ORDERS = {
    "before": [NOTICE] * 10 + FACTS,
    "after": FACTS + [NOTICE] * 10,
    "between": [part for fact in FACTS for part in (NOTICE, fact)] + [NOTICE] * 2,
}


@pytest.mark.parametrize("order", ORDERS)
def test_one_copy_with_its_count_leaves_room_for_the_facts(order: str) -> None:
    text = "".join(ORDERS[order])
    result = compress_documents([text], token_budget=int(0.55 * count_tokens_text(text)))
    (kept,) = result.texts
    assert kept.count("Please remember") == 1
    assert "holidays […×10]." in kept
    assert all(fact.strip() in kept for fact in FACTS)
    assert result.tokens_before == count_tokens_text(text)
    assert result.changes[0].action == "selected"
    assert result.changes[0].reason == "repeated sentences are written once"


def test_nothing_is_folded_if_the_budget_is_large_enough() -> None:
    text = "".join(ORDERS["before"])
    assert compress_documents([text], token_budget=count_tokens_text(text)).texts == [text]
    assert compress_documents([text]).texts == [text]


def test_repetitions_over_several_passages_are_folded() -> None:
    paragraph = "The river rises in the mountains and flows north to the sea. " * 8
    text = "\n\n".join([paragraph, "".join(FACTS)] * 8)
    result = compress_documents([text], token_budget=200)
    assert "[…×64]" in result.texts[0]
    assert all(fact.split(".")[0] in result.texts[0] for fact in FACTS)


@pytest.mark.parametrize(
    "text",
    [
        "x = compute_total(order, customer)\n" * 9,
        "| a long cell of a table | 1 |\n" * 9,
        "No. No. No. No.",
        "",
    ],
)
def test_code_tables_and_short_sentences_are_not_folded(text: str) -> None:
    assert fold_repeats(text) == text


@given(
    st.lists(
        st.sampled_from(
            [
                "The office is closed today. ",
                "The office is closed today.\n\n",
                "Call the other number, please! ",
                "Not yet. ",
                "日本の首都は東京です。とても大きい街である。",
                "a line without a stop at its end\n",
                "- an item of a list\n",
                "x = f(y, compute_all(z));\n",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_a_folded_text_has_every_sentence_and_no_repetition_to_fold(text: str) -> None:
    folded = fold_repeats(text)
    plain = re.sub(r" \[…×\d+\]", "", folded)
    for sentence in ("The office is closed today.", "Call the other number, please!", "Not yet."):
        assert (sentence in text) == (sentence in plain)
    assert len(plain) <= len(text)
