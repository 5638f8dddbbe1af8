"""The examples of the API reference, verbatim: each test supplies inputs and checks results."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from headroom_core import (
    HeadroomConfig,
    MemoryStore,
    RollingWindowConfig,
    SmartCrusherConfig,
    Tokenizer,
    ToolIntelligence,
    compress,
    default_store,
    embedding_available,
    retrieve,
)

JOBS = [
    {"id": 1000 + n, "status": "failed" if n == 321 else "ok", "node": f"worker-{n % 9}"}
    for n in range(500)
]
PROMPT = (
    "You are a careful agent. Today is 2026-11-21. "
    + "Answer in the language of whoever asks you. " * 20
)


@pytest.fixture(autouse=True)
def store_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", "memory://")


def run(code: str, **given: Any) -> dict[str, Any]:
    """Run an example and return its variables."""
    names = dict(given)
    exec(code, names)
    return names


def conversation(turns: int = 12) -> list[dict[str, Any]]:
    """Return a conversation that calls a tool in every turn."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}]
    for turn in range(turns):
        function = {"name": "list_jobs", "arguments": json.dumps({"page": turn})}
        messages += [
            {"role": "user", "content": f"What is on page {turn}?"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"call_{turn}", "type": "function", "function": function}],
            },
            {
                "role": "tool",
                "tool_call_id": f"call_{turn}",
                "content": json.dumps(JOBS[turn * 40 :][:40]),
            },
            {"role": "assistant", "content": f"Page {turn} has forty jobs."},
        ]
    return messages


# Relevance scoring


@pytest.mark.skipif(
    embedding_available(), reason="with sentence-transformers, its model would be needed"
)
def test_scorers_are_created_by_type() -> None:
    code = """
from headroom_core import create_scorer

# Auto-select best available scorer
scorer = create_scorer()

# Explicitly choose type
scorer = create_scorer(scorer_type="hybrid", alpha=0.7)
"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scorer = run(code)["scorer"]
        assert scorer.alpha_for("who failed?") == 0.7
        assert scorer.score_items(["job 7 failed", "all is well"], "failed")[1] == 0.0


def test_bm25_scores_by_words() -> None:
    code = """
from headroom_core import BM25Scorer

scorer = BM25Scorer()
scores = scorer.score_items(items=["item 1", "item 2"], query="search query")
"""
    names = run(code)
    assert names["scores"] == [0.0, 0.0]
    first, second = names["scorer"].score_items(
        items=["item 1", "item 2"], query="the second item 2"
    )
    assert 0 < first < second <= 1


def test_embeddings_are_used_if_available() -> None:
    code = """
from headroom_core import EmbeddingScorer, embedding_available

if embedding_available():
    scorer = EmbeddingScorer(model="all-MiniLM-L6-v2")
    scores = scorer.score_items(items, query)
"""
    # Even with the package its model may be missing; an empty list needs no model.
    assert run(code, items=[], query="")["embedding_available"]() is embedding_available()


@pytest.mark.skipif(
    embedding_available(), reason="with sentence-transformers, its model would be needed"
)
def test_a_hybrid_scores_by_both() -> None:
    code = """
from headroom_core import HybridScorer

scorer = HybridScorer(alpha=0.5)  # 50% BM25, 50% embedding
scores = scorer.score_items(items, query)
"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        scores = run(code, items=["the Oder", "the Elbe"], query="How long is the Elbe?")["scores"]
    assert scores[0] < scores[1] <= 1


# Configuration


def test_array_settings_match_the_defaults() -> None:
    code = """
from headroom_core import SmartCrusherConfig

config = SmartCrusherConfig(
    min_tokens_to_crush=200,
    max_items_after_crush=50,
    keep_first=3,
    keep_last=2,
    relevance_threshold=0.3,
    anomaly_std_threshold=2.0,
    preserve_errors=True,
)
"""
    assert run(code)["config"] == SmartCrusherConfig()


def test_aligner_settings_apply() -> None:
    code = """
from headroom_core import CacheAlignerConfig

config = CacheAlignerConfig(
    enabled=True,
    extract_dates=True,
    normalize_whitespace=True,
    stable_prefix_min_tokens=100,
)
"""
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}]
    sent = compress(messages, config=HeadroomConfig(cache_aligner=run(code)["config"])).messages
    assert sent[0]["content"].endswith("\n\n[Current values]\ndate: 2026-11-21")


def test_window_settings_match_the_defaults() -> None:
    code = """
from headroom_core import RollingWindowConfig

config = RollingWindowConfig(
    max_tokens=100000,
    preserve_system=True,
    preserve_recent_turns=5,
    drop_oldest_first=True,
)
"""
    assert run(code)["config"] == RollingWindowConfig()


def test_intelligent_context_settings_apply() -> None:
    code = """
from headroom_core.config import IntelligentContextConfig, ScoringWeights

config = IntelligentContextConfig(
    enabled=True,
    keep_system=True,
    keep_last_turns=2,
    output_buffer_tokens=4000,
    use_importance_scoring=True,
    scoring_weights=ScoringWeights(),
    toin_integration=True,
)
"""
    config = HeadroomConfig(intelligent_context=run(code)["config"])
    result = compress(conversation(), config=config, token_budget=2_500)
    assert result.tokens_after <= 2_500
    assert "intelligent_context" in result.transforms_applied


ALL = """
from headroom_core import HeadroomConfig

config = HeadroomConfig()
config.smart_crusher.min_tokens_to_crush = 100
config.cache_aligner.enabled = True
config.rolling_window.preserve_recent_turns = 3
"""


def test_assigned_settings_take_effect() -> None:
    config = run(ALL)["config"]
    small = {"role": "tool", "tool_call_id": "1", "content": json.dumps(JOBS[:10])}
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}, small]
    assert 100 < Tokenizer().count_text(small["content"]) < 400
    sent = compress(messages, config=config)
    assert {*sent.transforms_applied} == {"smart_crusher", "cache_aligner"}
    assert sent.messages[0]["content"].endswith("\n\n[Current values]\ndate: 2026-11-21")
    config.smart_crusher.min_tokens_to_crush = 400
    assert compress(messages, config=config).transforms_applied == ["cache_aligner"]
    assert compress(messages).messages[0] is messages[0]


@pytest.mark.parametrize("turns", [3, 5])
def test_the_assigned_number_of_recent_turns_is_kept(turns: int) -> None:
    config = run(ALL)["config"]
    config.rolling_window.preserve_recent_turns = turns
    messages = conversation()
    result = compress(messages, config=config, token_budget=1, store=MemoryStore())
    questions = [message for message in result.messages if message["role"] == "user"]
    assert questions[1:] == [message for message in messages if message["role"] == "user"][-turns:]
    assert "more than token_budget = 1" in result.warnings[0]


# Transforms, used directly


def test_the_crusher_works_directly() -> None:
    code = """
from headroom_core import SmartCrusher

crusher = SmartCrusher()
result = crusher.crush(data={"results": [...]}, query="user query")
"""
    result = run(code.replace("[...]", "jobs"), jobs=JOBS)["result"]
    assert JOBS[321] in result.data["results"]
    assert len(result.data["results"]) <= 50
    assert result.tokens_after < result.tokens_before / 5
    (key,) = keys_of("\n".join(result.markers))
    assert json.loads(retrieve(key, limit=None).text) == {"results": JOBS}


def test_the_aligner_works_directly() -> None:
    code = """
from headroom_core import CacheAligner

aligner = CacheAligner()
result = aligner.align(messages)
"""
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}]
    result = run(code, messages=messages)["result"]
    assert result.moved == ("2026-11-21",)
    assert result.messages[1] is messages[1]


def test_the_window_works_directly() -> None:
    code = """
from headroom_core import RollingWindow

window = RollingWindow(config)
result = window.apply(messages, max_tokens=100000)
"""
    messages, config = (
        conversation(),
        RollingWindowConfig(preserve_recent_turns=2, output_buffer_tokens=0),
    )
    names = run(code, messages=messages, config=config)
    assert names["result"].messages == messages
    result = names["window"].apply(messages, max_tokens=8_000)
    assert result.tokens_after <= 8_000 < result.tokens_before
    assert result.messages[-8:] == messages[-8:]
    assert all(retrieve(key, limit=None).found for key in keys_of(result.messages[1]["content"]))


def test_the_intelligent_context_works_directly() -> None:
    code = """
from headroom_core.transforms import IntelligentContextManager
from headroom_core.config import IntelligentContextConfig

config = IntelligentContextConfig(
    keep_system=True,
    keep_last_turns=2,
    use_importance_scoring=True,
)

manager = IntelligentContextManager(config, toin=toin)
result = manager.apply(messages, tokenizer, model_limit=128000)
"""
    messages, tokenizer = conversation(), Tokenizer("gpt-4o")
    names = run(
        code, messages=messages, tokenizer=tokenizer, toin=ToolIntelligence(default_store())
    )
    assert names["result"].messages == messages
    assert len(names["result"].changes) == len(messages)
    result = names["manager"].apply(messages, tokenizer, model_limit=4_000)
    assert tokenizer.count_messages(result.messages) == result.tokens_after <= 2_000
    assert {change.message for change in result.changes} == {*range(len(messages))}


def test_transforms_are_applied_in_order() -> None:
    code = """
from headroom_core import TransformPipeline

pipeline = TransformPipeline([
    SmartCrusher(),
    CacheAligner(),
    RollingWindow(),
])

result = pipeline.transform(messages)
"""
    imports = "from headroom_core import CacheAligner, RollingWindow, SmartCrusher\n"
    messages = conversation()
    messages[3]["content"] = json.dumps(JOBS)
    result = run(imports + code, messages=messages)["result"]
    assert {change.by for change in result.changes if change.action != "kept"} == {
        "smart_crusher",
        "cache_aligner",
    }
    assert result.tokens_after < result.tokens_before / 2
    assert result.messages[1] is messages[1]


def keys_of(text: str) -> list[str]:
    return [part.split('"')[0] for part in text.split('headroom_retrieve(key="')[1:]]


# Utilities


def test_tokens_are_counted() -> None:
    code = """
from headroom_core import Tokenizer, count_tokens_text, count_tokens_messages

# Quick counting
tokens = count_tokens_text("Hello, world!", model="gpt-4o")

# With tokenizer instance
tokenizer = Tokenizer(model="gpt-4o")
tokens = tokenizer.count_text("Hello")
tokens = tokenizer.count_messages(messages)
"""
    messages = [{"role": "user", "content": "Hello"}]
    names = run(code, messages=messages)
    role, text = (names["count_tokens_text"](text, model="gpt-4o") for text in ("user", "Hello"))
    assert (
        names["tokens"]
        == role + text + 6
        == names["count_tokens_messages"](messages, model="gpt-4o")
    )
    assert names["count_tokens_text"]("Hello, world!") > text > 0
