"""Test the windows: dropped messages, kept messages and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import (
    ConfigurationError,
    IntelligentContextManager,
    MemoryStore,
    RollingWindow,
    ScoringWeights,
    SQLiteStore,
    StorageError,
    Tokenizer,
    ToolIntelligence,
    TransformResult,
    compress,
    content_key,
    retrieve,
)
from headroom_core.config import HeadroomConfig, IntelligentContextConfig, RollingWindowConfig
from headroom_core.testing import FailingStore

WORDS = "word " * 100
"""About 100 tokens."""


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def step(number: Any, output: str = WORDS, tool: str = "search") -> list[dict[str, Any]]:
    """Return a call and its result."""
    function = {"name": tool, "arguments": "{}"}
    calls = [{"id": f"c{number}", "type": "function", "function": function}]
    return [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": f"c{number}", "content": f"{number}: {output}"},
    ]


def turns(count: int, text: str = WORDS) -> list[dict[str, Any]]:
    return [
        say(role, f"{number} {text}") for number in range(count) for role in ("user", "assistant")
    ]


def apply_rolling(
    messages: list[Any], limit: int | None = None, store: Any = None, **settings: Any
) -> TransformResult:
    settings.setdefault("output_buffer_tokens", 0)
    config = RollingWindowConfig(**settings)
    return RollingWindow(config).apply(messages, limit, store=store or MemoryStore())


def apply_managed(
    messages: list[Any],
    limit: int,
    store: Any = None,
    toin: Any = None,
    scorer: Any = None,
    **settings: Any,
) -> TransformResult:
    settings = {"output_buffer_tokens": 0, "keep_last_turns": 1, **settings}
    manager = IntelligentContextManager(
        IntelligentContextConfig(**settings), toin=toin, scorer=scorer
    )
    return manager.apply(messages, None, limit, store=store or MemoryStore())


def dropped(result: TransformResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "dropped"]


def tokens(messages: list[Any]) -> int:
    return Tokenizer().count_messages(messages)


# The rolling window.


def test_the_oldest_turns_are_dropped_whole() -> None:
    messages = turns(10)
    assert dropped(apply_rolling(messages, 1500)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert dropped(apply_rolling(messages, tokens(messages))) == []


def test_the_oldest_calls_of_a_turn_are_dropped_before_its_texts() -> None:
    messages = [say("user", WORDS), *step(1), *step(2), say("assistant", WORDS), *turns(6)]
    assert dropped(apply_rolling(messages, tokens(messages) - 30)) == [1, 2]
    assert dropped(apply_rolling(messages, tokens(messages) - 130)) == [1, 2, 3, 4]
    assert dropped(apply_rolling(messages, tokens(messages) - 230)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("recent", range(7))
def test_texts_of_the_last_turns_are_kept(recent: int) -> None:
    messages = turns(6)
    result = apply_rolling(messages, 1, preserve_recent_turns=recent)
    # The last message of the user and the newest message are always kept.
    assert len(result.messages) == 2 * max(1, recent) + (recent < 6)
    assert result.messages[-1] is messages[-1]
    assert len(result.warnings) == 1


def test_calls_of_the_last_turns_are_dropped_last() -> None:
    messages = [say("user", "go"), *step(1), *step(2), *step(3)]
    assert dropped(apply_rolling(messages, tokens(messages) - 30)) == [1, 2]
    result = apply_rolling(messages, 10)
    assert dropped(result) == [1, 2, 3, 4]
    assert result.warnings


def test_system_messages_are_kept_by_default() -> None:
    messages = [say("system", WORDS), *turns(4), say("developer", WORDS), *turns(4)]
    assert not {0, 9} & {*dropped(apply_rolling(messages, 300, preserve_recent_turns=1))}
    assert {0, 9} < {
        *dropped(apply_rolling(messages, 300, preserve_recent_turns=1, preserve_system=False))
    }


def test_the_newest_unprotected_messages_can_be_dropped_first() -> None:
    result = apply_rolling(turns(8), 1400, preserve_recent_turns=2, drop_oldest_first=False)
    assert dropped(result) == [8, 9, 10, 11]


def test_a_disabled_window_drops_nothing() -> None:
    messages = turns(4)
    result = apply_rolling(messages, 10, enabled=False)
    assert (result.messages, result.tokens_saved) == (messages, 0)


@pytest.mark.parametrize(("limit", "reply", "room"), [(1500, 500, 1000), (1200, 9000, 600)])
def test_at_most_half_of_the_limit_is_reserved_for_the_reply(
    limit: int, reply: int, room: int
) -> None:
    result = apply_rolling(turns(12), limit, output_buffer_tokens=reply, preserve_recent_turns=1)
    assert room - 210 < result.tokens_after <= room


def test_the_passed_limit_overrides_the_configured_limit() -> None:
    assert apply_rolling(turns(12), max_tokens=1500).tokens_after <= 1500
    assert apply_rolling(turns(12), 2000, max_tokens=1500).tokens_after > 1500
    for wrong in (0, -5, "9", 2.5, True):
        with pytest.raises(
            ConfigurationError, match=f"max_tokens must be an integer of at least 1, got {wrong!r}"
        ):
            apply_rolling(turns(2), wrong)


def test_messages_must_be_a_list_and_are_not_mutated() -> None:
    messages = turns(8)
    before = json.dumps(messages)
    apply_rolling(messages, 600)
    assert json.dumps(messages) == before
    with pytest.raises(TypeError, match="give a list of messages"):
        RollingWindow().apply(messages[0])  # type: ignore[arg-type]


def test_a_second_answer_is_dropped_with_its_call() -> None:
    again = {"role": "tool", "tool_call_id": "c1", "content": "once more"}
    messages = [say("user", "go"), *step(1), say("assistant", WORDS * 2), again, *turns(1)]
    assert dropped(apply_rolling(messages, tokens(messages) - 30)) == [1, 2, 4]


def test_a_user_text_beside_late_answers_is_kept() -> None:
    uses = [{"type": "tool_use", "id": call, "name": "search", "input": {}} for call in "abc"]
    answers = [{"type": "tool_result", "tool_use_id": call, "content": WORDS} for call in "abc"]
    answer_with_text = {
        "role": "user",
        "content": [answers[1], {"type": "text", "text": "never delete anything"}],
    }
    calls = [{"role": "assistant", "content": uses[:1]}, {"role": "assistant", "content": uses[1:]}]
    late = {"role": "user", "content": [answers[2], answers[0]]}
    messages = [
        say("user", "go"),
        *calls,
        answer_with_text,
        late,
        say("assistant", WORDS),
        say("assistant", WORDS),
    ]
    assert answer_with_text in apply_rolling(messages, 300, preserve_recent_turns=0).messages


def test_a_user_text_beside_recent_answers_is_kept() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "search", "input": {}}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": WORDS}
    answer_with_text = {
        "role": "user",
        "content": [answer, {"type": "text", "text": "never delete anything"}],
    }
    messages = [
        say("user", "go"),
        {"role": "assistant", "content": [use]},
        answer_with_text,
        *turns(2, WORDS * 2),
    ]
    assert answer_with_text in apply_rolling(messages, 1, preserve_recent_turns=4).messages


# The marker.


def test_a_single_dropped_message_is_counted_in_the_singular() -> None:
    messages = [say("user", "word " * 300), say("user", "And now?")]
    result = apply_rolling(messages, 100, preserve_recent_turns=0)
    assert result.messages[0]["content"].startswith("[headroom: 1 message left out here; ")


def test_the_marker_replaces_the_first_dropped_message_with_a_count() -> None:
    store = MemoryStore()
    messages = [say("system", "Be brief."), *turns(8)]
    result = apply_rolling(messages, tokens(messages) - 100, store)
    (key,) = {key for change in result.changes for key in change.keys}
    marker = (
        f"[headroom: {len(dropped(result))} messages left out here; originals: "
        f'headroom_retrieve(key="{key}")]'
    )
    assert result.messages[1] == say("user", marker)
    stored = [json.loads(line) for line in retrieve(key, limit=None, store=store).text.splitlines()]
    assert stored == [{"message": index + 1, **messages[index]} for index in dropped(result)]


def test_dropped_messages_can_be_queried_as_rows() -> None:
    store = MemoryStore()
    messages = [say("user", "go"), *step(1), *step(2), *turns(6), say("assistant", WORDS * 4)]
    result = apply_rolling(messages, tokens(messages) - 300, store)
    key = result.changes[0].keys[0]
    found = retrieve(key, where="role == 'tool'", store=store)
    assert re.findall(r"^\d,(\d),c(\d),", found.text, re.MULTILINE) == [("3", "1"), ("5", "2")]
    assert "2 of 7 lines" in found.text


def test_a_few_dropped_messages_can_be_queried_as_rows() -> None:
    store = MemoryStore()
    messages = [say("user", "go"), *step(1), say("assistant", WORDS * 4)]
    result = apply_rolling(messages, tokens(messages) - 40, store)
    assert dropped(result) == [1, 2]
    assert retrieve(result.changes[0].keys[0], where="role == 'tool'", store=store).found


def test_originals_are_stored_before_messages_are_dropped() -> None:
    store = FailingStore("put_many", error=StorageError("the disk is full"))
    with pytest.raises(StorageError, match="disk is full"):
        apply_rolling(turns(8), 600, store)
    assert apply_rolling(turns(2), 600, store).messages


def test_originals_are_found_through_another_store_on_the_file(tmp_path: Any) -> None:
    result = apply_rolling(turns(9), 1200, SQLiteStore(tmp_path / "kept.db"))
    for key in {key for change in result.changes for key in change.keys}:
        assert retrieve(key, limit=None, store=SQLiteStore(tmp_path / "kept.db")).found


# The intelligent context.


def test_every_message_is_explained_once() -> None:
    messages = [say("system", "Be brief."), *turns(3), *step(1), *step(2), *turns(3)]
    for limit in (300, 900, 5000):
        explained = [
            change for change in apply_managed(messages, limit).changes if change.path == ()
        ]
        assert [change.message for change in explained] == [*range(len(messages))]
        assert all(change.reason for change in explained)
        assert {change.action for change in explained} <= {"kept", "dropped"}


def test_reasons_for_keeping_a_message_are_true() -> None:
    messages = turns(12)
    changes = apply_managed(messages, tokens(messages) * 9 // 10).changes
    kept = {change.message: change.reason for change in changes if change.action == "kept"}
    assert kept[0] == "there is room for it: user messages are dropped last"
    assert kept[len(messages) - 1] == "the newest message is kept"
    changes = apply_managed(messages, 900, use_importance_scoring=False).changes
    reasons = {change.reason for change in changes if change.action == "kept"}
    assert not any("oldest" in reason for reason in reasons)


NO_WEIGHTS = dict.fromkeys(ScoringWeights.model_fields, 0.0)
PAD = "lorem " * 95


def single_weight(name: str) -> ScoringWeights:
    return ScoringWeights(**{**NO_WEIGHTS, name: 1.0})


def three_calls(
    *texts: str, tools: Sequence[str] = ("search", "search", "search"), question: str = "go"
) -> list[Any]:
    """Return a turn of three calls, followed by another turn with a long reply."""
    steps = [
        message
        for index, text in enumerate(texts)
        for message in step(index, f"{text} {PAD}", tools[index])
    ]
    return [
        say("user", "start"),
        *steps,
        say("assistant", "done"),
        say("user", question),
        say("assistant", PAD),
    ]


def kept_calls(messages: list[Any], name: str, **more: Any) -> list[int]:
    """Return the kept calls of three if a single weight counts and a single call fits."""
    left_out = dropped(
        apply_managed(messages, tokens(messages) - 100, scoring_weights=single_weight(name), **more)
    )
    return [index for index in range(3) if 2 * index + 1 not in left_out]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    ("sign", "special"),
    [("error_indicator", "Traceback: it broke"), ("semantic_similarity", "order W2378156 is here")],
)
def test_a_single_weight_keeps_the_matching_call(sign: str, special: str, place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = special
    assert kept_calls(three_calls(*texts, question="what of W2378156?"), sign) == [place]


def test_recency_alone_keeps_the_newest_call() -> None:
    assert kept_calls(three_calls("a", "b", "c"), "recency") == [2]


@pytest.mark.parametrize("place", range(3))
def test_a_call_referenced_later_is_kept(place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = "user_id U-771 found"
    messages = three_calls(*texts)
    messages[-3] = say("assistant", "U-771 it is")
    assert kept_calls(messages, "forward_reference") == [place]


@pytest.mark.parametrize("place", range(3))
def test_a_dense_output_is_kept(place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = " ".join(f"id-{place}-{number}" for number in range(10))
    messages = three_calls(*texts)
    assert kept_calls(messages, "token_density") == [place]


@pytest.mark.parametrize("place", range(3))
def test_an_output_of_an_often_retrieved_tool_is_kept(place: int) -> None:
    store = MemoryStore()
    toin = ToolIntelligence(store)
    for number in range(40):
        for tool in ("search", "wanted"):
            toin.shortened(tool, "shape", content_key(f"{tool}{number}"))
        toin.retrieved(content_key(f"wanted{number}"), by="all")
    tools = ["search"] * 3
    tools[place] = "wanted"
    messages = three_calls("a", "b", "c", tools=tools)
    assert kept_calls(messages, "toin_importance", toin=toin, store=store) == [place]
    # Without it they are equally important, and the oldest are dropped.
    assert kept_calls(
        messages, "toin_importance", toin=toin, store=MemoryStore(), toin_integration=False
    ) == [2]


def test_a_custom_scorer_measures_similarity() -> None:
    class SecondItemScorer:
        def score_items(self, items: Sequence[str], query: str) -> list[float]:
            assert "what of it?" in query
            return [float("second" in item) for item in items]

    messages = three_calls("first", "second", "third", question="what of it?")
    assert kept_calls(messages, "semantic_similarity", scorer=SecondItemScorer()) == [1]


def test_the_oldest_messages_are_dropped_first_without_importance_scoring() -> None:
    messages = three_calls("Traceback: it broke", "plain", "plain")
    assert dropped(
        apply_managed(messages, tokens(messages) - 100, use_importance_scoring=False)
    ) == [
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("recent", range(5))
def test_importance_scoring_keeps_texts_of_the_last_turns(recent: int) -> None:
    result = apply_managed(turns(6), 1, keep_last_turns=recent)
    assert len(result.messages) == 2 * max(1, recent) + 1


def test_user_texts_are_dropped_last() -> None:
    messages = turns(6)
    assert dropped(apply_managed(messages, tokens(messages) - 300)) == [1, 3, 5, 7]
    assert {0, 1, 2, 3} < {*dropped(apply_managed(messages, 500))}


ROWS = json.dumps([{"id": f"item-{n}", "state": "ok", "zone": "eu-3"} for n in range(150)])


def shortened_messages(result: TransformResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "selected"]


def test_a_small_excess_shortens_the_oldest_outputs_as_far_as_needed() -> None:
    messages = [
        say("user", "go"),
        *step(0, ROWS),
        *step(1, ROWS),
        *step(2, ROWS),
        say("assistant", "done"),
    ]
    result = apply_managed(messages, tokens(messages) - 100, compress_threshold=0.1)
    assert (shortened_messages(result), dropped(result)) == ([2], [])


def test_a_larger_excess_shortens_all_outputs_before_dropping() -> None:
    messages = [
        say("user", "go"),
        *step(0, ROWS),
        *step(1, ROWS),
        *step(2, ROWS),
        say("assistant", "done"),
    ]
    result = apply_managed(messages, tokens(messages) - 100, compress_threshold=0.0)
    assert (shortened_messages(result), dropped(result)) == ([2, 4, 6], [])


def test_an_unknown_limit_must_be_passed() -> None:
    with pytest.raises(ConfigurationError, match=r"model = 'my-own'.*model_limit"):
        IntelligentContextManager(model="my-own").apply(turns(2), store=MemoryStore())
    result = IntelligentContextManager().apply(turns(2), Tokenizer("gpt-4"), store=MemoryStore())
    assert result.messages == turns(2)


# The weights.


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6).filter(any))
def test_weights_always_sum_to_1(values: list[float]) -> None:
    names = list(ScoringWeights.model_fields)
    weights = ScoringWeights(**dict(zip(names, values)))
    assert sum(weights.model_dump().values()) == pytest.approx(1.0)
    weights.recency = 2.0
    assert sum(weights.model_dump().values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong", [NO_WEIGHTS, {"recency": -1.0}, {"recency": float("inf")}, {"recency": float("nan")}]
)
def test_invalid_weights_are_rejected(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        ScoringWeights(**wrong)


def test_a_rejected_weight_keeps_the_previous_weights() -> None:
    weights = single_weight("recency")
    with pytest.raises(ConfigurationError, match=r"ScoringWeights\.recency = 0\.0"):
        weights.recency = 0.0
    assert weights == single_weight("recency")


# In compress.


def test_compress_uses_importance_if_enabled() -> None:
    config = HeadroomConfig(smart_crusher={"enabled": False})
    messages = three_calls("Traceback: it broke", "plain", "plain")
    budget = tokens(messages) - 100
    rolling = compress(messages, config=config, token_budget=budget, store=MemoryStore())
    assert [change.message for change in rolling.changes if change.action == "dropped"][:2] == [
        1,
        2,
    ]
    config.intelligent_context.enabled = True
    config.intelligent_context.scoring_weights = single_weight("error_indicator")
    result = compress(messages, config=config, token_budget=budget, store=MemoryStore())
    assert [change.message for change in result.changes if change.action == "dropped"] == [
        3,
        4,
        5,
        6,
    ]
    assert result.transforms_applied == ["intelligent_context"]


def test_a_user_text_beside_earlier_results_opens_the_next_turn() -> None:
    use = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "a", "name": "read", "input": {}}],
    }
    answer = {"type": "tool_result", "tool_use_id": "a", "content": "x " * 400}
    answer_with_text = {
        "role": "user",
        "content": [answer, {"type": "text", "text": "Never touch the archive."}],
    }
    messages = [
        say("user", "start"),
        use,
        answer_with_text,
        say("assistant", "done"),
        say("user", "go on"),
    ]
    config = RollingWindowConfig(preserve_recent_turns=2, output_buffer_tokens=0)
    result = RollingWindow(config).apply(messages, 1, store=MemoryStore())
    assert answer_with_text in result.messages


def test_no_more_user_texts_are_dropped_than_necessary() -> None:
    messages = [
        say("user", "0 " + "w " * 10),
        say("assistant", "yes"),
        say("user", "1 " + "w " * 66),
        say("user", "2 " + "w " * 66),
    ]
    config = IntelligentContextConfig(keep_last_turns=0, output_buffer_tokens=0)
    limit = tokens(messages) - 20
    result = IntelligentContextManager(config).apply(
        messages, model_limit=limit, store=MemoryStore()
    )
    assert 2 in dropped(result)
    assert 0 not in dropped(result)
    assert result.tokens_after <= limit
