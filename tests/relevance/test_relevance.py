"""Test relevance by words, the bounds of scores and the splitting of words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Plus

from headroom_core.errors import ConfigurationError
from headroom_core.relevance import BM25Scorer, split_words
from headroom_core.relevance.bm25 import bm25_scores, idf
from headroom_core.relevance.words import normalize_text

RIVERS = [
    "the Elbe is 1094 km long and flows into the North Sea",
    "the Oder flows into the Baltic Sea",
    "Elbe, Elbe, Elbe: the gauge at Dresden",
    "minutes of the meeting",
]
letters = "ab cdE_1,東京"
texts = st.lists(st.text(alphabet=letters, max_size=30), max_size=12)


def best_first(items: list[str], query: str) -> list[int]:
    scores = BM25Scorer().score_items(items, query)
    return sorted(
        (index for index, score in enumerate(scores) if score), key=lambda index: -scores[index]
    )


def test_the_item_with_the_most_query_words_comes_first() -> None:
    assert best_first(RIVERS, "how long is the Elbe?")[0] == 0
    assert best_first(RIVERS, "gauge of the Elbe")[0] == 2


def test_a_rare_word_counts_more_than_a_common_word() -> None:
    assert best_first(["job done", "job done", "task failed", "job done"], "job failed")[0] == 2


def test_an_item_without_a_query_word_scores_zero() -> None:
    scores = BM25Scorer().score_items(RIVERS, "Elbe")
    assert [score > 0 for score in scores] == [True, False, True, False]


def test_repetition_and_length_count_as_configured() -> None:
    once, thrice = BM25Scorer(b=0.0).score_items(["elbe", "elbe elbe elbe"], "elbe")
    assert once < thrice
    short, long = BM25Scorer(b=0.0).score_items(["oder", "oder " + "x " * 50], "oder")
    assert short == long
    short, long = BM25Scorer().score_items(["oder", "oder " + "x " * 50], "oder")
    assert short > long


@pytest.mark.parametrize(
    "options",
    [
        {"k1": 0.0},
        {"k1": -1.0},
        {"b": 1.5},
        {"b": -0.1},
        {"k1": float("nan")},
        {"k1": float("inf")},
    ],
)
def test_invalid_parameters_are_rejected(options: dict[str, float]) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"k1 must be a finite number above 0|b must be a number between 0 and 1",
    ):
        BM25Scorer(**options)


@given(texts, st.text(alphabet=letters, max_size=20))
def test_scores_are_between_0_and_1_in_item_order(items: list[str], query: str) -> None:
    scores = BM25Scorer().score_items(items, query)
    assert len(scores) == len(items)
    assert all(0.0 <= score <= 1.0 for score in scores)
    query_words = set(split_words(query))
    assert [score > 0 for score in scores] == [
        not query_words.isdisjoint(split_words(item)) for item in items
    ]


@pytest.mark.parametrize(
    ("items", "query", "scores"),
    [
        ([], "Elbe", []),
        ([], "", []),
        (["Elbe", "Oder"], "", [0.0, 0.0]),
        (["Elbe", "Oder"], "?!", [0.0, 0.0]),
        (["", ""], "Elbe", [0.0, 0.0]),
        (["", "…", "\n"], "Elbe", [0.0, 0.0, 0.0]),
        (["Elbe"], "Weser", [0.0]),
    ],
)
def test_empty_items_or_queries_score_zero(
    items: list[str], query: str, scores: list[float]
) -> None:
    assert BM25Scorer().score_items(items, query) == scores


@given(
    texts.filter(lambda items: any(map(split_words, items))),
    st.text(alphabet=letters, max_size=20),
    st.floats(0.01, 10),
    st.floats(0, 0.99),  # at 1 rank-bm25 divides by zero for an empty item
)
def test_scores_are_textbook_scores_divided_by_the_maximum(
    items: list[str], query: str, k1: float, b: float
) -> None:
    query_words = list(dict.fromkeys(split_words(query)))
    textbook = BM25Plus(list(map(split_words, items)), k1=k1, b=b, delta=0)
    maximum = (k1 + 1) * sum(textbook.idf.get(word, 0.0) for word in query_words)
    scores = BM25Scorer(k1, b).score_items(items, query)
    assert [score * maximum for score in scores] == pytest.approx(
        textbook.get_scores(query_words).tolist(), rel=1e-9, abs=1e-9
    )


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=8),
    st.floats(0.01, 10),
    st.floats(0, 1),
)
def test_the_shared_formula_matches_the_textbook(
    items: list[list[str]], k1: float, b: float
) -> None:
    textbook = BM25Plus(items, k1=k1, b=b, delta=0)
    terms = [
        {index: item.count(word) for index, item in enumerate(items) if word in item}
        for word in textbook.idf
    ]
    assert [idf(len(items), len(term)) for term in terms] == pytest.approx([*textbook.idf.values()])
    lengths = [len(item) for item in items]
    average = sum(lengths) / len(lengths)
    assert bm25_scores(
        terms, lengths, total=len(items), average_length=average, k1=k1, b=b
    ) == pytest.approx(textbook.get_scores([*textbook.idf]).tolist())


@given(st.lists(st.text(), max_size=8), st.text())
def test_any_text_scores_between_0_and_1(items: list[str], query: str) -> None:
    scores = BM25Scorer().score_items(items, query)
    assert len(scores) == len(items)
    assert all(0.0 <= score <= 1.0 for score in scores)


@given(texts, st.text(alphabet=letters, max_size=20))
def test_equal_items_score_equally_at_any_position(items: list[str], query: str) -> None:
    scores = BM25Scorer().score_items(items + items[::-1], query)
    assert scores == scores[::-1]


def test_an_empty_item_scores_zero_even_with_full_length_normalisation() -> None:
    empty, matching = BM25Scorer(b=1.0).score_items(["", "Elbe"], "Elbe")
    assert matching > empty == 0


@pytest.mark.parametrize(
    "odd", ["\ud800 Elbe", "Elbe " + "x" * 300_000, "Elbe " + "a-" * 100_000, "Elbe\0" * 10]
)
def test_odd_texts_are_found_by_their_words(odd: str) -> None:
    first, second = BM25Scorer().score_items([odd, "Oder"], "Elbe")
    assert first > second == 0


def test_a_lone_string_or_a_non_string_item_is_rejected() -> None:
    with pytest.raises(TypeError, match="items"):
        BM25Scorer().score_items("Elbe", "Elbe")
    with pytest.raises(TypeError, match=r"items\[1\] must be a string, got dict"):
        BM25Scorer().score_items(["Elbe", {}], "Elbe")  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserName", ["getusername", "get", "user", "name"]),
        ("HTTPServer2", ["httpserver2", "http", "server", "2"]),
        ("max_retry_count=3", ["max_retry_count", "max", "retry", "count", "3"]),
        ("src/main.py:12", ["src/main.py:12", "src", "main", "py", "12"]),
        ("Zürich", ["zürich"]),
        ("東京都庁", ["東京都庁", "東京", "京都", "都庁"]),
        ("서울시", ["서울시", "서울", "울시"]),
        ("佐々木", ["佐々木", "佐々", "々木"]),
        ("iPhone手机", ["iphone手机", "iphone", "i", "phone", "手机"]),
        ("2024年", ["2024年", "2024", "年"]),
        ("größe_12", ["größe_12", "größe", "12"]),
        ("ＡＢＣ１２", ["abc12", "abc", "12"]),
        ("Zu\u0308rich", ["zürich"]),
        ("हिन्दी", ["हिन्दी"]),
        ("ไทย", ["ไทย"]),
        ("เชียงใหม่", ["เชียงใหม่", "เชีย", "ยง", "งให", "ใหม่", "เชียง", "ยงให", "งใหม่"]),
        ("ກີບ", ["ກີບ"]),
        ("ខ្មែរ", ["ខ្មែរ"]),
        ("မြန်မာ", ["မြန်မာ"]),
        ("Привет-мир", ["привет-мир", "привет", "мир"]),
        ("❤️ \ud800 ok", ["ok"]),
        ("…, !", []),
    ],
)
def test_words_are_whole_tokens_and_their_parts(text: str, expected: list[str]) -> None:
    assert split_words(text) == expected


def test_words_are_tokens_their_parts_and_pairs_of_ideographs() -> None:
    assert split_words("parseHTTPResponse2 in src/main_app.py") == [
        *("parsehttpresponse2", "parse", "http", "response", "2", "in"),
        *("src/main_app.py", "src", "main", "app", "py"),
    ]
    assert split_words("Zürich 東京都庁") == ["zürich", "東京都庁", "東京", "京都", "都庁"]


@given(st.text(alphabet="aB1_ -.ßü\u0308\u0301éＡ１½ﬁ東京ไทยहिन्\ud800"))
def test_every_word_occurs_in_the_normalized_text(text: str) -> None:
    assert [word for word in split_words(text) if word not in normalize_text(text)] == []


def test_identifiers_are_found_by_their_parts_and_ideographs_by_pairs() -> None:
    assert best_first(["def getUserName(): ...", "def get_file(): ..."], "user name") == [0]
    assert best_first(["def getUserName(): ...", "user name"], "getUserName")[0] == 0
    assert best_first(["大阪府の天気", "東京都の天気予報"], "東京") == [1]
    assert best_first(["新しいiPhone手机", "the new handset"], "iphone") == [0]
    assert best_first(["हिसाब", "हिन्दी भाषा"], "हिन्दी") == [1]


def test_importing_relevance_loads_nothing_heavy() -> None:
    code = "import sys, headroom_core.relevance; print({'numpy', 'rank_bm25'} & sys.modules.keys())"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )


def test_words_are_found_in_the_plural_and_the_singular() -> None:
    items = ["two failed uploads", "one failed upload", "a download", "a1s and boss"]
    for query in ("uploads", "upload"):
        scores = BM25Scorer().score_items(items, query)
        assert scores[0] == scores[1] > 0
        assert scores[2] == 0
    assert BM25Scorer().score_items(items, "a1") != BM25Scorer().score_items(items, "a1s")
    assert BM25Scorer().score_items(items, "bosss")[3] == 0
