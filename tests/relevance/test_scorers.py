"""Test scorers by meaning, hybrid scorers and the fallback to words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import DeterministicFakeEmbedding, FakeEmbeddings
from llama_index.core import MockEmbedding

from headroom_core import (
    BM25Scorer,
    CompressionError,
    CompressResult,
    ConfigurationError,
    EmbeddingScorer,
    HeadroomConfig,
    HybridScorer,
    MemoryStore,
    ProviderError,
    Scorer,
    TransformError,
    compress,
    create_scorer,
    embedding_available,
)
from headroom_core._internal.caches import process_caches
from headroom_core.compressors.base import Request
from headroom_core.compressors.smart_crusher import TableCompressor, create_table_compressor
from headroom_core.config import RelevanceScorerConfig, SmartCrusherConfig
from headroom_core.relevance import fallback_reason, hybrid, scorer_from_config
from headroom_core.testing import ScriptedCall, tool_conversation

Vectors = list[list[float]]

STAND_IN = """
MADE = []

class SentenceTransformer:
    def __init__(self, name, local_files_only=False):
        MADE.append((name, local_files_only))
        if name == "far-away" and local_files_only:
            raise OSError("not in the cache, and the network is not to be used")

    def encode(self, texts):
        return [[text.count(letter) for letter in "aeiou"] for text in texts]
"""
MEANINGS = ("car automobile vehicle", "river stream water", "money price cost")
ITEMS = ["the automobile", "a stream", "its price"]


def encode_meaning(texts: Sequence[str]) -> Vectors:
    return [
        [float(len({*text.split()} & {*group.split()})) for group in MEANINGS] for text in texts
    ]


class Recorder:
    """Encoder that records its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Vectors:
        self.batches.append(texts)
        return encode_meaning(texts)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, bool]]]:
    """Replace sentence-transformers by a fake and yield the loaded models."""
    (tmp_path / "sentence_transformers.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    models: list[tuple[str, bool]] = []
    yield models
    loaded = sys.modules.pop("sentence_transformers", None)
    models += loaded.MADE if loaded else []


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setattr(hybrid, "_warned_reasons", {})


def loaded_models() -> list[tuple[str, bool]]:
    models: list[tuple[str, bool]] = sys.modules["sentence_transformers"].MADE
    return models


# Meaning


def test_items_are_scored_by_meaning_in_order() -> None:
    assert EmbeddingScorer(encode_meaning).score_items(ITEMS, "which car?") == [0.0, 0.0, 0.0]
    assert EmbeddingScorer(encode_meaning).score_items(ITEMS, "which vehicle") == [1.0, 0.0, 0.0]


def test_opposite_vectors_score_zero() -> None:
    vectors = {"up": [1.0], "down": [-1.0]}
    assert EmbeddingScorer(lambda texts: [vectors[text] for text in texts]).score_items(
        ["down", "up"], "up"
    ) == [0, 1]


@pytest.mark.parametrize(
    "model",
    [
        encode_meaning,
        SimpleNamespace(encode=encode_meaning),
        SimpleNamespace(encode=lambda texts: np.array(encode_meaning(texts), dtype=np.float32)),
        SimpleNamespace(
            embed_documents=encode_meaning, embed_query=lambda text: encode_meaning([text])[0]
        ),
        SimpleNamespace(
            get_text_embedding_batch=encode_meaning,
            get_query_embedding=lambda text: encode_meaning([text])[0],
        ),
    ],
)
def test_models_are_recognised_by_their_methods(model: Any) -> None:
    assert EmbeddingScorer(model).score_items(ITEMS, "water") == [0.0, 1.0, 0.0]


def test_langchain_embeddings_are_accepted() -> None:
    scores = EmbeddingScorer(DeterministicFakeEmbedding(size=64)).score_items(
        ["Oder", "Elbe", "Oder"], "Elbe"
    )
    assert scores[1] == 1.0
    assert scores[0] == scores[2] < 1
    assert all(
        0 <= score <= 1
        for score in EmbeddingScorer(FakeEmbeddings(size=8)).score_items(ITEMS, "Elbe")
    )


def test_llamaindex_embeddings_are_accepted() -> None:
    assert EmbeddingScorer(MockEmbedding(embed_dim=8)).score_items(["Oder", "Elbe"], "Elbe") == [
        1.0,
        1.0,
    ]


@pytest.mark.parametrize(
    "model", [7, None, "", object(), DeterministicFakeEmbedding, SimpleNamespace(encode=1)]
)
def test_an_invalid_model_is_rejected_with_the_valid_kinds(model: Any) -> None:
    with pytest.raises(
        ConfigurationError, match="a name or a folder of a sentence-transformers model"
    ):
        EmbeddingScorer(model)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"cache_size": 0}, {"batch_size": 1.5}])
def test_sizes_below_1_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="size must be an integer of at least 1, got"):
        EmbeddingScorer(encode_meaning, **options)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda texts: [[1.0]] * (len(texts) + 1), "expected a vector for each of"),
        (lambda texts: [], "expected a vector for each of"),
        (lambda texts: None, "expected a vector for each of|not a table of numbers|not finite"),
        (lambda texts: [[]] * len(texts), "expected a vector for each of"),
        (lambda texts: [1.0] * len(texts), "expected a vector for each of"),
        (
            lambda texts: [[1.0] * (index + 1) for index, _ in enumerate(texts)] * 2,
            "not a table of numbers|vector for each",
        ),
        (lambda texts: [["a"]] * len(texts), "not a table of numbers"),
        (lambda texts: [[float("nan")]] * len(texts), "not finite"),
        (lambda texts: [[float("inf")]] * len(texts), "not finite"),
        (lambda texts: [[1.0] * len(texts)] * len(texts), "vectors of 1 and of 3 numbers"),
    ],
)
def test_invalid_vectors_are_a_provider_error(
    answer: Callable[[list[str]], Any], message: str
) -> None:
    with pytest.raises(ProviderError, match=message):
        EmbeddingScorer(answer).score_items(ITEMS, "water")


def test_a_zero_vector_scores_zero_and_length_does_not_count() -> None:
    vectors = {
        "none": [0.0, 0.0],
        "small": [1e-300, 0.0],
        "large": [1e300, 1e300],
        "query": [1e200, 0.0],
    }
    scores = EmbeddingScorer(lambda texts: [vectors[text] for text in texts]).score_items(
        [*vectors], "query"
    )
    assert scores == [0.0, 1.0, pytest.approx(0.5**0.5, abs=1e-6), 1.0]


@pytest.mark.parametrize(("items", "query"), [([], "Elbe"), (["", " "], "Elbe"), (["Elbe"], " \n")])
def test_empty_texts_are_not_embedded(items: list[str], query: str) -> None:
    recorder = Recorder()
    assert EmbeddingScorer(recorder).score_items(items, query) == [0.0] * len(items)
    assert recorder.batches == []


def test_no_text_is_embedded_twice() -> None:
    recorder = Recorder()
    scorer = EmbeddingScorer(recorder)
    first = scorer.score_items([*ITEMS, *ITEMS, "water"], "water")
    assert scorer.score_items([*ITEMS, *ITEMS, "water"], "water") == first
    assert sorted(text for batch in recorder.batches for text in batch) == sorted([*ITEMS, "water"])


def test_the_least_recently_used_vector_is_evicted_first() -> None:
    recorder = Recorder()
    scorer = EmbeddingScorer(recorder, cache_size=3)
    scorer.score_items(["a stream", "its price"], "water")
    scorer.score_items(["a stream"], "water")
    scorer.score_items(["the automobile"], "water")
    recorder.batches.clear()
    scorer.score_items(["a stream"], "water")
    assert recorder.batches == []
    scorer.score_items(["its price"], "water")
    assert recorder.batches == [["its price"]]


def test_texts_are_embedded_in_batches_without_lone_surrogates() -> None:
    recorder = Recorder()
    EmbeddingScorer(recorder, batch_size=2).score_items(["a", "b", "c\ud800"], "water")
    assert recorder.batches == [["water"], ["a", "b"], ["c?"]]


def test_threads_share_a_scorer_that_embeds_each_text_once() -> None:
    recorder = Recorder()
    scorer = EmbeddingScorer(recorder, batch_size=3)
    items = [f"water {index}" if index % 2 else f"price {index}" for index in range(50)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: scorer.score_items(items, "water"), range(16)))
    assert all(result == [float(index % 2) for index in range(50)] for result in results)
    assert sorted(text for batch in recorder.batches for text in batch) == sorted([*items, "water"])


@given(
    st.lists(st.text(max_size=8), max_size=8),
    st.text(max_size=8),
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2),
)
def test_scores_by_meaning_are_between_0_and_1(
    items: list[str], query: str, base: list[float]
) -> None:
    scorer = EmbeddingScorer(
        lambda texts: [[base[0] * len(text), base[1] - len(text)] for text in texts]
    )
    scores = scorer.score_items(items, query)
    assert len(scores) == len(items)
    assert all(0.0 <= score <= 1.0 for score in scores)


# Models of sentence-transformers


def test_a_named_model_is_loaded_lazily_once_and_locally(
    package: Any,
) -> None:
    scorer = EmbeddingScorer()
    assert "sentence_transformers" not in sys.modules
    assert scorer.score_items(["banana", "kiwi"], "alabama") == [1.0, 0.0]
    assert scorer.score_items(["kiwi"], "kiwi") == [1.0]
    assert loaded_models() == [("all-MiniLM-L6-v2", True)]


def test_a_missing_model_is_named_with_a_solution(package: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"'far-away' cannot be loaded from this machine: .*allow_download"
    ):
        EmbeddingScorer("far-away").score_items(["kiwi"], "kiwi")
    assert EmbeddingScorer("far-away", allow_download=True).score_items(["kiwi"], "kiwi") == [1.0]
    assert loaded_models() == [("far-away", True), ("far-away", False)]


def test_a_folder_can_name_a_model(package: Any, tmp_path: Path) -> None:
    assert EmbeddingScorer(tmp_path).score_items(["kiwi"], "kiwi") == [1.0]
    assert loaded_models() == [(str(tmp_path), True)]


def test_embedding_available_does_not_import_the_package(package: Any) -> None:
    assert embedding_available()
    assert "sentence_transformers" not in sys.modules


@pytest.mark.usefixtures("no_package")
def test_without_the_package_the_error_names_the_extra() -> None:
    assert not embedding_available()
    with pytest.raises(
        ConfigurationError, match=re.escape("pip install headroom-integrations[relevance]")
    ):
        EmbeddingScorer()


def test_an_import_failure_names_the_extra(tmp_path: Path, package: Any) -> None:
    (tmp_path / "sentence_transformers.py").write_text("import torch_that_nobody_has")
    with pytest.raises(ConfigurationError, match=r"torch_that_nobody_has.*\[relevance\]"):
        EmbeddingScorer().score_items(["kiwi"], "kiwi")


# Both


@given(
    st.lists(st.sampled_from([*ITEMS, "automobile", ""])),
    st.sampled_from(["automobile", "water"]),
    st.floats(0, 1),
)
def test_a_hybrid_score_is_the_weighted_sum_of_both(
    items: list[str], query: str, alpha: float
) -> None:
    both = HybridScorer(alpha, embedding=encode_meaning).score_items(items, query)
    by_words, by_meaning = (
        BM25Scorer().score_items(items, query),
        EmbeddingScorer(encode_meaning).score_items(items, query),
    )
    expected = [alpha * word + (1 - alpha) * other for word, other in zip(by_words, by_meaning)]
    assert both == pytest.approx(expected)


@pytest.mark.parametrize(
    ("query", "alpha"),
    [
        ("why did it fail?", 0.5),
        ("Why did it fail, and where? Really!", 0.5),
        ("", 0.5),
        ("job 1203", 0.75),
        ("what is getUserName?", 0.75),
        ("see max_retry.", 0.75),
        ("see __init__", 0.75),
        ("see src/main and a@b", 0.875),
        ('the "big one"', 0.75),
        ("`run all` of 3", 0.875),
    ],
)
def test_identifiers_in_a_query_give_words_a_larger_share(query: str, alpha: float) -> None:
    assert HybridScorer(embedding=encode_meaning).alpha_for(query) == alpha
    assert HybridScorer(embedding=encode_meaning, adaptive_alpha=False).alpha_for(query) == 0.5


def test_scoring_by_words_only_embeds_nothing() -> None:
    recorder = Recorder()
    by_words = BM25Scorer(k1=0.5)
    scorer = HybridScorer(1.0, bm25=by_words, embedding=EmbeddingScorer(recorder))
    assert scorer.score_items(ITEMS, "stream") == by_words.score_items(ITEMS, "stream")
    assert recorder.batches == []


@pytest.mark.usefixtures("no_package")
def test_without_embeddings_words_are_scored_with_a_single_warning() -> None:
    with pytest.warns(RuntimeWarning, match=r"by words alone: .*\[relevance\]") as caught:
        scores = [HybridScorer(alpha).score_items(ITEMS, "stream") for alpha in (0.1, 0.5, 0.9)]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert scores == [BM25Scorer().score_items(ITEMS, "stream")] * 3


def test_a_missing_model_falls_back_to_words_with_a_single_warning(
    package: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hybrid, "_warned_reasons", {})
    scorer = HybridScorer(embedding="far-away")
    with pytest.warns(RuntimeWarning, match="'far-away'") as caught:
        scores = [scorer.score_items(ITEMS, "stream") for _ in range(2)]
    assert scores == [BM25Scorer().score_items(ITEMS, "stream")] * 2
    assert [warning.filename for warning in caught] == [__file__]
    assert loaded_models() == [("far-away", True)]


@pytest.mark.parametrize(
    "options", [{"alpha": 1.5}, {"alpha": -0.1}, {"alpha": "0.5"}, {"alpha": float("nan")}]
)
def test_an_alpha_outside_0_to_1_is_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="alpha must be a number between 0 and 1, got"):
        HybridScorer(**options, embedding=encode_meaning)


class FixedScorer:
    """Scorer that returns fixed scores."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def score_items(self, items: Sequence[str], query: str) -> list[float]:
        return self.scores


@pytest.mark.parametrize(
    "scores", [[float("nan")] * 3, [1.0], [0.5] * 4, [0.1, 2.0, 0.3], [-0.1, 0.0, 0.0]]
)
def test_invalid_scores_of_a_part_are_an_error(scores: list[float]) -> None:
    fine, wrong, items = FixedScorer([0.2, 0.4, 0.6]), FixedScorer(scores), ["a", "b", "c"]
    assert HybridScorer(bm25=fine, embedding=fine).score_items(items, "a") == pytest.approx(
        fine.scores
    )
    for parts in ({"bm25": wrong, "embedding": fine}, {"bm25": fine, "embedding": wrong}):
        with pytest.raises(TransformError, match="FixedScorer returned"):
            HybridScorer(**parts).score_items(items, "a")
    with pytest.raises(TransformError, match="FixedScorer returned"):
        HybridScorer(1.0, bm25=wrong, embedding=fine).score_items(items, "a")


def test_invalid_parts_are_rejected() -> None:
    with pytest.raises(ConfigurationError, match="bm25 is of type int"):
        HybridScorer(bm25=3, embedding=encode_meaning)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="model is of type int"):
        HybridScorer(embedding=3)


# Creation


@pytest.mark.parametrize(
    ("kind", "options", "scorer_class"),
    [
        ("bm25", {"k1": 1.2, "b": 0.5}, BM25Scorer),
        ("embedding", {"model": encode_meaning, "batch_size": 8}, EmbeddingScorer),
        ("hybrid", {"alpha": 0.7, "embedding": encode_meaning}, HybridScorer),
        ("auto", {"embedding": encode_meaning}, HybridScorer),
        ("BM25", {}, BM25Scorer),
        ("Hybrid", {"embedding": encode_meaning}, HybridScorer),
        ("AUTO", {"embedding": encode_meaning}, HybridScorer),
    ],
)
def test_create_scorer_selects_the_class_by_type(
    kind: str, options: dict[str, Any], scorer_class: type
) -> None:
    scorer = create_scorer(kind, **options)
    assert type(scorer) is scorer_class
    assert isinstance(scorer, Scorer)


def test_auto_selects_the_hybrid_scorer_if_embeddings_are_available(package: Any) -> None:
    assert type(create_scorer()) is HybridScorer


@pytest.mark.usefixtures("no_package")
def test_auto_selects_words_without_embeddings_and_does_not_warn() -> None:
    own = BM25Scorer(k1=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert type(create_scorer(alpha=0.7)) is BM25Scorer
        assert create_scorer("auto", bm25=own) is own
    with pytest.raises(ConfigurationError, match=r"\[relevance\]"):
        create_scorer("embedding")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("tfidf", {}, "scorer_type = 'tfidf': expected one of auto, bm25, embedding, hybrid"),
        ("bm25", {"alpha": 0.5}, "bm25 scorers have no option alpha: the options are k1, b"),
        (
            "auto",
            {"k1": 0.5},
            "auto scorers have no option k1: "
            "the options are alpha, adaptive_alpha, bm25, embedding",
        ),
        ("bm25", {"k1": -1}, "k1 must be a finite number above 0, got -1"),
        ("bm25", {"k1": "x"}, "k1 must be a finite number above 0, got 'x'"),
        ("bm25", {"b": None}, "b must be a number between 0 and 1, got None"),
        ("auto", {"alpha": 7}, "alpha must be a number between 0 and 1, got 7"),
        ("auto", {"bm25": "junk"}, "bm25 is of type str"),
        ("auto", {"bm25": BM25Scorer}, "bm25 is the class BM25Scorer"),
        ([], {}, r"scorer_type = \[\]: expected one of"),
    ],
)
@pytest.mark.usefixtures("no_package")
def test_unknown_types_and_options_are_rejected_with_the_valid_values(
    kind: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        create_scorer(kind, **options)


def test_settings_create_the_described_scorer(package: Any) -> None:
    assert scorer_from_config(RelevanceScorerConfig(bm25_k1=0.9, bm25_b=0.1)).__dict__ == {
        "k1": 0.9,
        "b": 0.1,
    }
    config = RelevanceScorerConfig(scorer_type="auto", hybrid_alpha=0.2, adaptive_alpha=False)
    items, query = ["kiwi 7", "a car"], "kiwi 7 car"
    both = HybridScorer(0.2, adaptive_alpha=False).score_items(items, query)
    assert scorer_from_config(config).score_items(items, query) == both
    named = scorer_from_config(
        RelevanceScorerConfig(tier="embedding", embedding_model="one of ours")
    )
    assert named.score_items(["kiwi"], "kiwi") == [1.0]
    assert loaded_models()[-1] == ("one of ours", True)


@pytest.mark.parametrize("tier", ["embedding", "hybrid"])
def test_settings_with_a_missing_model_fall_back_to_words(tier: Any, package: Any) -> None:
    scorer = scorer_from_config(
        RelevanceScorerConfig(tier=tier, embedding_model="far-away", bm25_k1=0.9)
    )
    assert fallback_reason(scorer) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = [scorer.score_items(ITEMS, "stream") for _ in range(2)]
    assert scores == [BM25Scorer(k1=0.9).score_items(ITEMS, "stream")] * 2
    assert "'far-away' cannot be loaded" in str(fallback_reason(scorer))
    assert loaded_models() == [("far-away", True)]


def test_an_explicit_missing_model_in_a_hybrid_is_an_error(package: Any) -> None:
    with pytest.raises(ConfigurationError, match="'far-away'"):
        HybridScorer(embedding=EmbeddingScorer("far-away")).score_items(ITEMS, "stream")


def compress_query(strict: bool = False, **relevance: Any) -> CompressResult:
    messages = tool_conversation("which vehicle?", [ScriptedCall("rows", result=ROWS)])
    config = HeadroomConfig(relevance=RelevanceScorerConfig(**relevance))
    return compress(messages, config=config, store=MemoryStore(), strict=strict)


@pytest.mark.parametrize("tier", ["embedding", "hybrid"])
@pytest.mark.parametrize("model", ["", "far-away"])
def test_a_fallback_to_words_is_a_warning_every_time(
    tier: str, model: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("package" if model else "no_package")
    process_caches.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = [compress_query(tier=tier, embedding_model=model or None) for _ in range(2)]
    for result in results:
        (warning,) = result.warnings
        assert warning.startswith("relevance is scored by words alone: ")
        assert result.tokens_after < result.tokens_before / 2
    assert compress_query(tier="bm25").warnings == ()
    with pytest.raises(CompressionError, match="by words alone"):
        compress_query(strict=True, tier=tier, embedding_model=model or None)


def test_small_changes_of_bm25_parameters_keep_the_same_rows() -> None:
    """Nearby parameters keep the same rows; distant parameters keep other rows."""
    random, words = (
        Random(3),
        "river stream quay harbour ship cargo delay crane storm pilot berth tide".split(),
    )
    texts = [
        " ".join(random.choices(words, range(1, 13), k=random.randint(3, 30))) for _ in range(400)
    ]
    rows = json.dumps([{"id": n, "text": text} for n, text in enumerate(texts)])

    def kept_rows(k1: float, b: float) -> set[int]:
        compressor = create_table_compressor(
            SmartCrusherConfig(**BARE), RelevanceScorerConfig(bm25_k1=k1, bm25_b=b)
        )
        done = compressor.compress(rows, Request("0" * 24, 5000, "river quay ship", selecting=True))
        assert done
        return {int(found) for found in re.findall(r"^(\d+),", done.text, re.MULTILINE)}

    default_rows = kept_rows(1.5, 0.75)
    assert kept_rows(1.5000001, 0.75) == default_rows
    assert kept_rows(9.0, 0.0) != default_rows


# Tables


ROWS = "\n".join(
    [
        "id,text",
        *(f"{index},its price is {index * 7}" for index in range(321)),
        "321,the automobile stood still",
        *(f"{index},its price is {index * 7}" for index in range(322, 500)),
    ]
)
BARE = {
    "min_tokens_to_crush": 0,
    "keep_first": 0,
    "keep_last": 0,
    "max_items_after_crush": 1,
    "anomaly_std_threshold": 1e9,
}


def crush_rows(compressor: TableCompressor, query: str) -> str:
    compressed = compressor.compress(ROWS, Request("0" * 24, 5000, query, selecting=True))
    assert compressed
    return compressed.text


def test_rows_are_ranked_by_a_custom_scorer() -> None:
    query = "which vehicle"
    config = SmartCrusherConfig(**BARE, preserve_change_points=False, preserve_errors=False)
    text = crush_rows(TableCompressor(config, EmbeddingScorer(encode_meaning)), query)
    assert "automobile" in text.split("[headroom:")[0]


def test_exact_ids_count_whatever_scorer_ranks_the_rows() -> None:
    config = SmartCrusherConfig(**BARE)
    text = crush_rows(
        TableCompressor(config, EmbeddingScorer(lambda texts: [[1.0]] * len(texts))),
        "row with price 2002?",
    )
    assert "286,its price is 2002" in text


def test_the_disabled_tier_calls_no_scorer() -> None:
    recorder = Recorder()
    crush_rows(
        TableCompressor(SmartCrusherConfig(relevance_tier="none"), EmbeddingScorer(recorder)),
        "vehicle",
    )
    assert recorder.batches == []


@pytest.mark.usefixtures("no_package")
def test_a_tier_without_its_package_fails_at_construction() -> None:
    with pytest.raises(ConfigurationError, match=r"\[relevance\]"):
        TableCompressor(SmartCrusherConfig(relevance_tier="embedding"))
    with pytest.warns(RuntimeWarning, match="by words alone"):
        compressor = TableCompressor(SmartCrusherConfig(relevance_tier="hybrid"))
    assert "321,the automobile stood still" in crush_rows(compressor, "automobile")


@pytest.mark.parametrize("scores", [[0.5], [2.0] * 500, [float("nan")] * 500])
def test_invalid_row_scores_are_an_error(scores: list[float]) -> None:
    odd = SimpleNamespace(score_items=lambda items, query: scores)
    with pytest.raises(TransformError, match="SimpleNamespace returned"):
        crush_rows(TableCompressor(None, odd), "automobile")


def test_a_scorer_of_the_wrong_type_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match="scorer is of type str"):
        TableCompressor(None, "bm25")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("crusher", "relevance", "tier", "scorer"),
    [
        ({}, {}, "bm25", False),
        ({}, {"tier": "hybrid"}, "hybrid", True),
        ({}, {"tier": "auto"}, "hybrid", True),
        ({}, {"bm25_k1": 0.5}, "bm25", False),
        ({"relevance_tier": "bm25"}, {"tier": "hybrid"}, "bm25", False),
        ({"relevance_tier": "embedding"}, {"tier": "bm25"}, "embedding", True),
        ({"relevance_tier": "none"}, {"tier": "embedding"}, "none", False),
    ],
)
def test_explicit_array_settings_take_precedence(
    crusher: dict[str, Any], relevance: dict[str, Any], tier: str, scorer: bool, package: Any
) -> None:
    compressor = create_table_compressor(
        SmartCrusherConfig(**crusher), RelevanceScorerConfig(**relevance)
    )
    assert (compressor.config.relevance_tier, compressor.scorer is not None) == (tier, scorer)


def test_explicit_array_thresholds_take_precedence() -> None:
    relevance = RelevanceScorerConfig(relevance_threshold=0.9)
    assert (
        create_table_compressor(SmartCrusherConfig(), relevance).config.relevance_threshold == 0.9
    )
    assert (
        create_table_compressor(
            SmartCrusherConfig(relevance_threshold=0.3), relevance
        ).config.relevance_threshold
        == 0.3
    )


def test_explicitly_set_fields_survive_serialisation() -> None:
    """The pipeline keeps compressors by their settings as JSON."""
    crusher = SmartCrusherConfig(relevance_threshold=0.3).model_dump_json(exclude_unset=True)
    relevance = RelevanceScorerConfig(scorer_type="bm25", relevance_threshold=0.9).model_dump_json(
        exclude_unset=True
    )
    compressor = create_table_compressor(
        SmartCrusherConfig.model_validate_json(crusher),
        RelevanceScorerConfig.model_validate_json(relevance),
    )
    assert compressor.config.relevance_threshold == 0.3


# The reference's examples


BY_MEANING = """
from headroom_core import EmbeddingScorer, embedding_available

if embedding_available():
    scorer = EmbeddingScorer(model="all-MiniLM-L6-v2")
    scores = scorer.score_items(items, query)
"""


def test_the_embedding_example_of_the_reference_runs(package: Any) -> None:
    names: dict[str, Any] = {"items": ["banana", "kiwi"], "query": "alabama"}
    exec(BY_MEANING, names)
    assert names["scores"] == [1.0, 0.0]


@pytest.mark.usefixtures("no_package")
def test_the_embedding_example_is_skipped_without_the_package() -> None:
    names: dict[str, Any] = {"items": ["banana", "kiwi"], "query": "alabama"}
    exec(BY_MEANING, names)
    assert "scores" not in names


def test_importing_the_scorers_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pydantic', 'rank_bm25', 'sentence_transformers', 'torch'}"
    code = (
        "import sys;"
        " from headroom_core import BM25Scorer, EmbeddingScorer, HybridScorer, create_scorer;"
        f" BM25Scorer().score_items(['a'], 'a'); print({heavy} & sys.modules.keys())"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "set()\n"
    )
