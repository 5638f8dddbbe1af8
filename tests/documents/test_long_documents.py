"""Test `compress_documents` on long documents, and the selection of whole documents."""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any

import pytest
from checks import is_made_of
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import (
    CCRConfig,
    ConfigurationError,
    HeadroomConfig,
    compress_documents,
    count_tokens_text,
)
from headroom_core.documents.diversity import select_diverse
from headroom_core.documents.splitting import SplitDocument, split_document
from headroom_core.text.sentences import ELLIPSIS

QUESTION = "How long is the Elbe?"
ANSWER = (
    "The Elbe is 1,094 km long, of which 727 km lie in Germany. "
    "Barges travel on it from Hamburg to Bohemia."
)
FILLERS = {
    "Jan Hus": (
        "Jan Hus was a priest and a teacher at Charles University, and spoke against indulgences. "
    ),
    "Becherovka": "Becherovka is made of herbs in Karlovy Vary, and drunk cold after meals. ",
    "Prague Castle": (
        "Prague Castle is the seat of the president, with a cathedral in its third courtyard. "
    ),
    "Beer": (
        "Beer has been brewed in Plzeň since the town was founded, "
        "from soft water and hops of Žatec. "
    ),
    "Hockey": "Hockey is played by children and grown men alike, in winter on every pond. ",
}


def page(
    answer: str = ANSWER, title: str = "# Bohemia\n\nA country in the middle of Europe.\n\n"
) -> str:
    """Return a long document with headings and the answer in the middle."""
    sections = [f"## {name}\n\n{(text * 5).rstrip()}\n\n" for name, text in FILLERS.items()]
    return "".join([title, *sections[:3], f"## Rivers\n\n{answer}\n\n", *sections[3:]])


# Cuts inside documents.


def test_irrelevant_passages_of_a_long_document_are_dropped() -> None:
    result = compress_documents([page()], QUESTION)
    assert ANSWER in result.texts[0]
    assert result.tokens_after < result.tokens_before / 1.6
    assert f"\n\n{ELLIPSIS}\n\n" in result.texts[0]
    (change,) = result.changes
    assert (change.action, change.by) == ("selected", "passages")
    assert change.reason.endswith("of 7 passages are relevant")


def test_a_kept_passage_keeps_its_headings_and_a_relevant_introduction() -> None:
    (text,) = compress_documents(
        [page(title="# Bohemia\n\nThe Elbe leaves it in the north.\n\n")], QUESTION
    ).texts
    assert text.startswith("# Bohemia\n\nThe Elbe leaves it in the north.\n\n")
    assert f"\n\n## Rivers\n\n{ANSWER}\n\n" in text
    left_out = [name for name in FILLERS if name not in text]
    assert all(f"## {name}" not in text for name in left_out)
    assert left_out


def test_paragraphs_without_headings_are_split_too() -> None:
    paragraphs = [text * 5 for text in FILLERS.values()]
    for between in ("\n\n", "\n"):
        (text,) = compress_documents([between.join([*paragraphs, ANSWER])], QUESTION).texts
        assert ANSWER in text
        assert not any(paragraph.strip() in text for paragraph in paragraphs)


def test_a_very_long_paragraph_is_cut_between_sentences() -> None:
    text = "".join(sentence * 30 for sentence in FILLERS.values()) + ANSWER
    (kept,) = compress_documents([text], QUESTION).texts
    assert len(kept) < len(text) / 2
    for run in kept.split(ELLIPSIS):
        assert not run.strip() or (run.strip() in text and run.rstrip().endswith("."))


def test_wrapped_lines_are_not_cut_from_their_sentence() -> None:
    wrapped = "\n".join(f"No {n} of the rivers that\nrun to the sea is long." for n in range(90))
    kept = compress_documents([wrapped + "\n" + ANSWER], QUESTION).texts[0]
    assert len(kept) < len(wrapped)
    for run in kept.split(ELLIPSIS):
        assert not run.strip() or run.strip().startswith(("No ", "The Elbe"))


@pytest.mark.parametrize(
    "whole",
    [
        "| river | km |\n|---|---|\n" + "".join(f"| No {n}. It | {n} |\n" for n in range(150)),
        "```python\n" + "x = 'Elbe. Long'\n\ny = 1\n\n" * 60 + "```\n",
        json.dumps(
            {
                "rivers": [
                    {"name": f"No {n}", "tributaries": {"left": [n], "right": []}}
                    for n in range(60)
                ]
            }
        ),
        "id,name,note\n" + "".join(f"{n},Item. Blue,Is red. Or not\n" for n in range(200)),
        "".join(f"2024-05-01 12:00:{n % 60:02} INFO Failed. Retry {n}.\n" for n in range(100)),
    ],
)
def test_tables_fenced_code_JSON_and_logs_are_kept_whole_or_dropped(whole: str) -> None:
    assert split_document(whole)[0].text == whole
    around = page() + whole + "\nThat was it. " + FILLERS["Beer"]
    assert any(whole in portion.text for portion in split_document(around))
    (kept,) = compress_documents(
        [around], QUESTION, config=HeadroomConfig(content_router_enabled=False)
    ).texts
    assert whole in kept or whole[20:60] not in kept


def test_code_is_split_between_top_level_blocks() -> None:
    functions = [
        f"def call_{n}(x):\n    y = x + {n}\n\n    return [y] * {n}\n" + "    # note\n" * 40
        for n in range(9)
    ]
    found = [portion.text.strip() for portion in split_document("\n\n".join(functions))]
    assert found == [function.strip() for function in functions]


def test_the_introduction_of_a_list_stays_with_it() -> None:
    steps = "Do this:\n\n- one thing\n- another\n\n"
    text = page() + "Some words. " * 30 + "\n\n" + steps + "More words. " * 50
    assert any("Do this:\n\n- one" in portion.text for portion in split_document(text))


@pytest.mark.parametrize("config", [HeadroomConfig(ccr=CCRConfig(enabled=False))])
def test_long_documents_stay_whole_in_lossless_mode(config: HeadroomConfig) -> None:
    assert compress_documents([page()], QUESTION, config=config).texts == [page()]


@pytest.mark.parametrize("query", [None, "", "zyzzyva"])
def test_long_documents_stay_whole_if_relevance_is_unknown(
    query: str | None,
) -> None:
    assert compress_documents([page()], query).texts == [page()]


def test_JSON_in_a_kept_passage_is_shortened_losslessly() -> None:
    rows = json.dumps([{"river": "Elbe", "gauge": n, "state": "ok"} for n in range(40)])
    result = compress_documents([page(f"{ANSWER}\n\nGauges of the Elbe:\n\n{rows}\n")], QUESTION)
    assert ANSWER in result.texts[0]
    assert rows not in result.texts[0]
    assert result.tokens_after == count_tokens_text(result.texts[0])


# Scores.


def test_the_score_of_a_document_is_that_of_its_best_passage() -> None:
    other = page(FILLERS["Beer"] + "Nothing is said about it. ")
    result = compress_documents([other, page(), "The Oder is long."], QUESTION)
    assert result.scores[1] == 1.0
    assert max(result.scores[0], result.scores[2]) < 1
    assert len(result.texts) == len(result.scores) == len(result.changes) == 3


def test_a_scorer_receives_passages_with_their_headings() -> None:
    class HockeyScorer:
        def score_items(self, items: Any, query: str) -> list[float]:
            self.items = list(items)
            return [float("Hockey" in item) for item in items]

    scorer = HockeyScorer()
    (text,) = compress_documents([page()], QUESTION, titles=["Travel guide"], scorer=scorer).texts
    assert len(scorer.items) == 7
    assert scorer.items[-1].startswith("Travel guide Bohemia Hockey\nHockey is played")
    assert (FILLERS["Hockey"] * 5).rstrip() in text


# Budgets.


@pytest.mark.parametrize("budget", [2000, 600, 200, 60, 25])
def test_a_budget_is_filled_with_the_best_passages_of_all_documents(budget: int) -> None:
    result = compress_documents(
        [page(FILLERS["Beer"]), page(), ANSWER[:26]], QUESTION, token_budget=budget
    )
    assert result.tokens_after <= budget
    assert "The Elbe is 1,094 km long" in "".join(result.texts)
    # Only the short document fits into the smallest budget, and a longer one is better.
    assert bool(result.warnings) == (budget == 25)


def test_without_a_query_the_first_passages_fill_the_budget() -> None:
    result = compress_documents([page(), page()], token_budget=100)
    assert result.tokens_after <= 100
    assert result.texts[0].startswith("# Bohemia")
    assert result.texts[1] == ""


# Laws.

blocks = st.sampled_from(
    [
        *(f"## {name}\n\n{text * 3}" for name, text in FILLERS.items()),
        *(text * 6 for text in FILLERS.values()),
        *(
            ANSWER,
            "# Rivers",
            "### Elbe",
            "Rivers\n======",
            "The Elbe",
            "Long",
            "",
            "   ",
            "It is long:",
            "1. The Elbe.",
        ),
        "- one\n  - two\n\n  more\n- three. Four.",
        "```\nx = 1\n\ny. Elbe\n```",
        "| a | b |\n|---|---|\n| Elbe. Is | long |\n",
        '{"river": "Elbe. It is long.", "km": 1094, "mouth": "North Sea"}',
        "def f(x):\n    return x\n\n\ndef g(x):\n    return [\n1\n]\n",
        "日本の首都は東京です。とても大きい。" * 20,
    ]
)
joins = st.sampled_from(["\n\n", "\n", " ", "\r\n\r\n", "\n\n\n\n"])
texts = st.lists(st.tuples(blocks, joins).map("".join), min_size=1, max_size=14).map("".join)


@given(texts)
def test_portions_concatenate_to_the_text_and_follow_their_headings(text: str) -> None:
    portions = split_document(text)
    assert "".join(portion.text for portion in portions) == text
    for index, portion in enumerate(portions):
        assert list(portion.above) == sorted(set(portion.above))
        assert all(head < index and portions[head].is_heading for head in portion.above)
        assert len(portions) == 1 or portion.text.strip() or not text.strip()
    assert any(not portion.is_heading for portion in portions)
    document = SplitDocument(portions, "")
    assert (
        document.render(
            {index: [(portions[index].text, True)] for index in document.passages},
            range(len(portions)),
        )
        == text
    )


@given(
    st.lists(texts, min_size=1, max_size=3),
    st.sampled_from([QUESTION, "Who was Jan Hus?", "首都は", "x"]),
)
def test_kept_passages_are_whole_unchanged_and_in_order(documents: list[str], query: str) -> None:
    result = compress_documents(
        documents, query, config=HeadroomConfig(content_router_enabled=False)
    )
    assert result.tokens_before == sum(map(count_tokens_text, documents))
    assert result.tokens_after == sum(map(count_tokens_text, result.texts)) <= result.tokens_before
    for original, text, change in zip(documents, result.texts, result.changes, strict=True):
        if change.action == "selected":
            assert change.tokens_after < change.tokens_before
            assert is_made_of(text, [portion.text for portion in split_document(original)])
        else:
            assert text == (original if change.action == "kept" else "")


@given(
    st.lists(texts, min_size=1, max_size=3),
    st.none() | st.just(QUESTION),
    st.integers(5, 600),
    st.booleans(),
)
def test_a_budget_is_met_or_a_warning_says_so(
    documents: list[str], query: str | None, budget: int, diversity: bool
) -> None:
    result = compress_documents(documents, query, token_budget=budget, prefer_diverse=diversity)
    assert result.tokens_after == sum(map(count_tokens_text, result.texts)) <= result.tokens_before
    assert result.tokens_after <= budget or len(result.warnings) == 1


def test_long_documents_take_linear_time() -> None:
    compress_documents([page()], QUESTION)
    times = []
    for count in (10, 160):
        texts = [page(f"{ANSWER} No {n}.") * 3 for n in range(count)]
        start = time.process_time()
        compress_documents(texts, QUESTION)
        times.append(time.process_time() - start)
    assert times[1] < 50 * times[0]


@pytest.mark.parametrize(
    "odd", ["#\n" * 9_000, "# a\n\n" * 9_000, "a\n\n" * 9_000, "- " * 20_000, "```\n" * 9_000]
)
def test_odd_documents_are_split_in_time(odd: str) -> None:
    start = time.process_time()
    assert "".join(portion.text for portion in split_document(odd)) == odd
    assert time.process_time() - start < 3


# The selection of whole documents.

RIVERS = [
    "The Oder is 840 km long.",
    "It rained all day.",
    "The Elbe is 1,094 km long.",
    "The river Elbe is long and blue.",
    "Jan Hus was a priest.",
]


@pytest.mark.parametrize("config", [None, HeadroomConfig(ccr=CCRConfig(enabled=False))])
def test_at_most_max_documents_are_kept(config: HeadroomConfig | None) -> None:
    result = compress_documents(RIVERS, QUESTION, max_documents=2, config=config)
    assert result.texts == ["", "", RIVERS[2], RIVERS[3], ""]
    assert result.changes[0].reason == "not among the best max_documents = 2"


def test_as_many_documents_are_kept_as_asked_for() -> None:
    texts = [f"{words * 3}" for words in FILLERS.values()]
    for number in (4, 5, 10):
        kept = [
            text for text in compress_documents(texts, "beer", max_documents=number).texts if text
        ]
        assert len(kept) == min(number, len(texts))


def test_without_a_query_the_first_documents_are_kept() -> None:
    assert compress_documents(["", *RIVERS], max_documents=2).texts == ["", *RIVERS[:2], "", "", ""]


def test_documents_below_min_relevance_are_dropped() -> None:
    result = compress_documents(RIVERS, QUESTION, min_relevance=0.6)
    assert [bool(text) for text in result.texts] == [score >= 0.6 for score in result.scores]
    assert any(change.reason.endswith("is below min_relevance = 0.60") for change in result.changes)


def test_min_relevance_drops_nothing_if_relevance_is_unknown() -> None:
    assert compress_documents(RIVERS, "zyzzyva", min_relevance=0.5).texts == RIVERS


@pytest.mark.parametrize(
    "limits",
    [
        *({"max_documents": odd} for odd in (0, -1, 2.5, "3", True)),
        *({"min_relevance": odd} for odd in (-0.1, 1.1, float("nan"), "1", True, None)),
    ],
)
def test_invalid_limits_are_rejected(limits: dict[str, Any]) -> None:
    (name,) = limits
    with pytest.raises(ConfigurationError, match=f"{name} must be a") as caught:
        compress_documents(RIVERS, QUESTION, **limits)
    assert caught.value.details.keys() == {name}


def test_prefer_diverse_drops_repetitions_of_better_documents() -> None:
    again = "The Elbe is 1,094 km long!"
    plain = compress_documents([RIVERS[2], again, RIVERS[0]], QUESTION)
    assert all(plain.texts)
    result = compress_documents([RIVERS[2], again, RIVERS[0]], QUESTION, prefer_diverse=True)
    assert result.texts == [RIVERS[2], "", RIVERS[0]]
    assert result.changes[1].reason == "repeats other documents"


def test_a_new_aspect_is_preferred_to_a_repetition() -> None:
    texts = [
        "The Elbe is a long river.",
        "A long, long river the Elbe is indeed.",
        "The Elbe freezes.",
    ]
    assert compress_documents(texts, "long river Elbe", max_documents=2).texts == [*texts[:2], ""]
    diverse_texts = compress_documents(
        texts, "long river Elbe", max_documents=2, prefer_diverse=True
    ).texts
    assert diverse_texts[2]
    assert sum(map(bool, diverse_texts)) == 2


def test_documents_with_different_numbers_are_not_repetitions() -> None:
    texts = [
        f"In the year {year} the trade on the river Elbe grew by far more than before."
        for year in (1901, 1902)
    ]
    assert compress_documents(texts, "trade", prefer_diverse=True).texts == texts


@given(
    st.lists(st.sampled_from([*RIVERS, "", "a b c d", "a b c", "a 1", "a 2"]), max_size=12),
    st.data(),
)
def test_diverse_selection_follows_its_definition(texts: list[str], data: st.DataObject) -> None:
    scores = [data.draw(st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0])) for _ in texts]
    found = select_diverse(texts, scores)
    assert len(set(found)) == len(found)
    assert select_diverse(texts, scores, 3) == found[:3]
    assert {texts[index] for index in found} == set(texts) or len(found) >= 1
    if texts:
        assert scores[found[0]] == max(scores)


def test_a_thousand_documents_are_diversified_in_time() -> None:
    random = Random(7)
    texts = [" ".join(f"w{random.randrange(4000)}" for _ in range(100)) for _ in range(1000)]
    start = time.process_time()
    result = compress_documents(texts, "w1 w2 w3 w4", prefer_diverse=True, max_documents=50)
    assert time.process_time() - start < 5
    assert sum(map(bool, result.texts)) <= 50
