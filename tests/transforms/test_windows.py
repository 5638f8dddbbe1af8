"""The windows: what goes first, what is kept, and what their settings change."""

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

WORDS = "word " * 100
"""About 100 tokens."""


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def step(number: Any, output: str = WORDS, tool: str = "search") -> list[dict[str, Any]]:
    """Return a call and what it brought."""
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


def rolled(
    messages: list[Any], limit: int | None = None, store: Any = None, **settings: Any
) -> TransformResult:
    settings.setdefault("output_buffer_tokens", 0)
    config = RollingWindowConfig(**settings)
    return RollingWindow(config).apply(messages, limit, store=store or MemoryStore())


def managed(
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


def gone(result: TransformResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "dropped"]


def tokens(messages: list[Any]) -> int:
    return Tokenizer().count_messages(messages)


# The rolling window.


def test_the_oldest_turns_go_whole() -> None:
    messages = turns(10)
    assert gone(rolled(messages, 1500)) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert gone(rolled(messages, tokens(messages))) == []


def test_of_a_turn_the_oldest_calls_go_before_what_was_said() -> None:
    messages = [say("user", WORDS), *step(1), *step(2), say("assistant", WORDS), *turns(6)]
    assert gone(rolled(messages, tokens(messages) - 30)) == [1, 2]
    assert gone(rolled(messages, tokens(messages) - 130)) == [1, 2, 3, 4]
    assert gone(rolled(messages, tokens(messages) - 230)) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("recent", range(7))
def test_what_was_said_in_the_last_turns_stays(recent: int) -> None:
    messages = turns(6)
    result = rolled(messages, 1, preserve_recent_turns=recent)
    # The last user's message and the newest one stay in any case.
    assert len(result.messages) == 2 * max(1, recent) + (recent < 6)
    assert result.messages[-1] is messages[-1]
    assert len(result.warnings) == 1


def test_of_the_last_turns_calls_go_where_nothing_else_can_but_the_newest() -> None:
    messages = [say("user", "go"), *step(1), *step(2), *step(3)]
    assert gone(rolled(messages, tokens(messages) - 30)) == [1, 2]
    result = rolled(messages, 10)
    assert gone(result) == [1, 2, 3, 4]
    assert result.warnings


def test_system_messages_stay_unless_they_need_not() -> None:
    messages = [say("system", WORDS), *turns(4), say("developer", WORDS), *turns(4)]
    assert not {0, 9} & {*gone(rolled(messages, 300, preserve_recent_turns=1))}
    assert {0, 9} < {*gone(rolled(messages, 300, preserve_recent_turns=1, preserve_system=False))}


def test_the_newest_of_what_is_not_protected_can_go_first() -> None:
    result = rolled(turns(8), 1400, preserve_recent_turns=2, drop_oldest_first=False)
    assert gone(result) == [8, 9, 10, 11]


def test_a_window_that_is_off_leaves_nothing_out() -> None:
    messages = turns(4)
    result = rolled(messages, 10, enabled=False)
    assert (result.messages, result.tokens_saved) == (messages, 0)


@pytest.mark.parametrize(("limit", "reply", "room"), [(1500, 500, 1000), (1200, 9000, 600)])
def test_room_is_left_for_the_reply_but_no_more_than_half(
    limit: int, reply: int, room: int
) -> None:
    result = rolled(turns(12), limit, output_buffer_tokens=reply, preserve_recent_turns=1)
    assert room - 210 < result.tokens_after <= room


def test_the_limit_is_the_one_passed_else_the_one_set() -> None:
    assert rolled(turns(12), max_tokens=1500).tokens_after <= 1500
    assert rolled(turns(12), 2000, max_tokens=1500).tokens_after > 1500
    for wrong in (0, -5, "9", 2.5, True):
        with pytest.raises(
            ConfigurationError, match=f"max_tokens must be an integer of at least 1, got {wrong!r}"
        ):
            rolled(turns(2), wrong)


def test_messages_are_a_list_and_are_not_altered() -> None:
    messages = turns(8)
    before = json.dumps(messages)
    rolled(messages, 600)
    assert json.dumps(messages) == before
    with pytest.raises(TypeError, match="give a list of messages"):
        RollingWindow().apply(messages[0])  # type: ignore[arg-type]


def test_a_second_answer_goes_where_its_call_has_gone() -> None:
    again = {"role": "tool", "tool_call_id": "c1", "content": "once more"}
    messages = [say("user", "go"), *step(1), say("assistant", WORDS * 2), again, *turns(1)]
    assert gone(rolled(messages, 260)) == [1, 2, 4]


def test_the_last_words_stay_where_later_answers_join_their_step_to_another() -> None:
    uses = [{"type": "tool_use", "id": call, "name": "search", "input": {}} for call in "abc"]
    answers = [{"type": "tool_result", "tool_use_id": call, "content": WORDS} for call in "abc"]
    words = {
        "role": "user",
        "content": [answers[1], {"type": "text", "text": "never delete anything"}],
    }
    calls = [{"role": "assistant", "content": uses[:1]}, {"role": "assistant", "content": uses[1:]}]
    late = {"role": "user", "content": [answers[2], answers[0]]}
    messages = [
        say("user", "go"),
        *calls,
        words,
        late,
        say("assistant", WORDS),
        say("assistant", WORDS),
    ]
    assert words in rolled(messages, 300, preserve_recent_turns=0).messages


def test_what_a_user_said_beside_answers_in_the_last_turns_stays() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "search", "input": {}}
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": WORDS}
    words = {"role": "user", "content": [answer, {"type": "text", "text": "never delete anything"}]}
    messages = [
        say("user", "go"),
        {"role": "assistant", "content": [use]},
        words,
        *turns(2, WORDS * 2),
    ]
    assert words in rolled(messages, 700, preserve_recent_turns=4).messages


# The marker.


def test_the_marker_stands_where_the_first_went_and_says_how_many() -> None:
    store = MemoryStore()
    messages = [say("system", "Be brief."), *turns(8)]
    result = rolled(messages, tokens(messages) - 100, store)
    (key,) = {key for change in result.changes for key in change.keys}
    marker = f'[headroom: {len(gone(result))} messages left out here; originals: headroom_retrieve(key="{key}")]'
    assert result.messages[1] == say("user", marker)
    told = [json.loads(line) for line in retrieve(key, limit=None, store=store).text.splitlines()]
    assert told == [{"message": index + 1, **messages[index]} for index in gone(result)]


def test_rows_of_what_was_left_out_can_be_asked_for() -> None:
    store = MemoryStore()
    messages = [say("user", "go"), *step(1), *step(2), *turns(6), say("assistant", WORDS * 4)]
    result = rolled(messages, tokens(messages) - 300, store)
    key = result.changes[0].keys[0]
    found = retrieve(key, where="role == 'tool'", store=store)
    assert re.findall(r"^\d,(\d),c(\d),", found.text, re.MULTILINE) == [("3", "1"), ("5", "2")]
    assert "2 of 7 lines" in found.text


def test_rows_of_few_messages_can_be_asked_for() -> None:
    store = MemoryStore()
    messages = [say("user", "go"), *step(1), say("assistant", WORDS * 4)]
    result = rolled(messages, tokens(messages) - 40, store)
    assert gone(result) == [1, 2]
    assert retrieve(result.changes[0].keys[0], where="role == 'tool'", store=store).found


def test_originals_are_there_before_the_result_is_or_nothing_is_left_out() -> None:
    class Full(MemoryStore):
        def put_many(self, originals: Any) -> None:
            raise StorageError("the disk is full")

    with pytest.raises(StorageError, match="disk is full"):
        rolled(turns(8), 600, Full())
    assert rolled(turns(2), 600, Full()).messages


def test_originals_are_found_in_another_store_on_the_same_file(tmp_path: Any) -> None:
    result = rolled(turns(9), 1200, SQLiteStore(tmp_path / "kept.db"))
    for key in {key for change in result.changes for key in change.keys}:
        assert retrieve(key, limit=None, store=SQLiteStore(tmp_path / "kept.db")).found


# The intelligent context.


def test_every_message_is_explained_once() -> None:
    messages = [say("system", "Be brief."), *turns(3), *step(1), *step(2), *turns(3)]
    for limit in (300, 900, 5000):
        explained = [change for change in managed(messages, limit).changes if change.path == ()]
        assert [change.message for change in explained] == [*range(len(messages))]
        assert all(change.reason for change in explained)
        assert {change.action for change in explained} <= {"kept", "dropped"}


ONLY = dict.fromkeys(ScoringWeights.model_fields, 0.0)
PAD = "lorem " * 95


def only(name: str) -> ScoringWeights:
    return ScoringWeights(**{**ONLY, name: 1.0})


def outputs(
    *texts: str, tools: Sequence[str] = ("search", "search", "search"), asked: str = "go"
) -> list[Any]:
    """Return a turn of three calls, the answers to which are then talked about, at last at some length."""
    steps = [
        message for at, text in enumerate(texts) for message in step(at, f"{text} {PAD}", tools[at])
    ]
    return [
        say("user", "start"),
        *steps,
        say("assistant", "done"),
        say("user", asked),
        say("assistant", PAD),
    ]


def stays(messages: list[Any], name: str, **more: Any) -> list[int]:
    """Return which of the three calls are left when one sign counts, and the last message leaves room for one."""
    left_out = gone(managed(messages, tokens(messages) - 100, scoring_weights=only(name), **more))
    return [at for at in range(3) if 2 * at + 1 not in left_out]


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    ("sign", "special"),
    [("error_indicator", "Traceback: it broke"), ("semantic_similarity", "order W2378156 is here")],
)
def test_a_sign_alone_keeps_what_it_speaks_for(sign: str, special: str, place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = special
    assert stays(outputs(*texts, asked="what of W2378156?"), sign) == [place]


def test_what_is_newest_stays_where_age_alone_counts() -> None:
    assert stays(outputs("a", "b", "c"), "recency") == [2]


@pytest.mark.parametrize("place", range(3))
def test_what_the_model_came_back_to_stays(place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = "user_id U-771 found"
    messages = outputs(*texts)
    messages[-3] = say("assistant", "U-771 it is")
    assert stays(messages, "forward_reference") == [place]


@pytest.mark.parametrize("place", range(3))
def test_what_says_much_for_its_tokens_stays(place: int) -> None:
    texts = ["plain"] * 3
    texts[place] = " ".join(f"id-{place}-{number}" for number in range(10))
    messages = outputs(*texts)
    assert stays(messages, "token_density") == [place]


@pytest.mark.parametrize("place", range(3))
def test_what_a_tool_returned_that_is_often_asked_for_stays(place: int) -> None:
    store = MemoryStore()
    toin = ToolIntelligence(store)
    for number in range(40):
        for tool in ("search", "wanted"):
            toin.shortened(tool, "shape", content_key(f"{tool}{number}"))
        toin.retrieved(content_key(f"wanted{number}"), by="all")
    tools = ["search"] * 3
    tools[place] = "wanted"
    messages = outputs("a", "b", "c", tools=tools)
    assert stays(messages, "toin_importance", toin=toin, store=store) == [place]
    # Without it nothing tells them apart, and the oldest go.
    assert stays(
        messages, "toin_importance", toin=toin, store=MemoryStore(), toin_integration=False
    ) == [2]


def test_a_scorer_decides_what_is_similar() -> None:
    class Second:
        def score_items(self, items: Sequence[str], query: str) -> list[float]:
            assert "what of it?" in query
            return [float("second" in item) for item in items]

    messages = outputs("first", "second", "third", asked="what of it?")
    assert stays(messages, "semantic_similarity", scorer=Second()) == [1]


def test_the_oldest_go_first_where_importance_does_not_count() -> None:
    messages = outputs("Traceback: it broke", "plain", "plain")
    assert gone(managed(messages, tokens(messages) - 100, use_importance_scoring=False)) == [
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("kept", range(5))
def test_what_was_said_in_the_last_turns_stays_with_importance_too(kept: int) -> None:
    result = managed(turns(6), 1, keep_last_turns=kept)
    assert len(result.messages) == 2 * max(1, kept) + 1


def test_what_users_said_goes_last() -> None:
    messages = turns(6)
    assert gone(managed(messages, tokens(messages) - 300)) == [1, 3, 5, 7]
    assert {0, 1, 2, 3} < {*gone(managed(messages, 500))}


ROWS = json.dumps([{"id": f"item-{n}", "state": "ok", "zone": "eu-3"} for n in range(150)])


def shortened(result: TransformResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "selected"]


def test_a_small_excess_shortens_the_oldest_outputs_as_far_as_needed() -> None:
    messages = [
        say("user", "go"),
        *step(0, ROWS),
        *step(1, ROWS),
        *step(2, ROWS),
        say("assistant", "done"),
    ]
    result = managed(messages, tokens(messages) - 100, compress_threshold=0.1)
    assert (shortened(result), gone(result)) == ([2], [])


def test_a_larger_excess_shortens_all_before_anything_goes() -> None:
    messages = [
        say("user", "go"),
        *step(0, ROWS),
        *step(1, ROWS),
        *step(2, ROWS),
        say("assistant", "done"),
    ]
    result = managed(messages, tokens(messages) - 100, compress_threshold=0.0)
    assert (shortened(result), gone(result)) == ([2, 4, 6], [])


def test_a_limit_that_is_not_known_has_to_be_given() -> None:
    with pytest.raises(ConfigurationError, match=r"model = 'my-own'.*model_limit"):
        IntelligentContextManager(model="my-own").apply(turns(2), store=MemoryStore())
    result = IntelligentContextManager().apply(turns(2), Tokenizer("gpt-4"), store=MemoryStore())
    assert result.messages == turns(2)


# The weights.


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6).filter(any))
def test_weights_always_sum_to_one(values: list[float]) -> None:
    names = list(ScoringWeights.model_fields)
    weights = ScoringWeights(**dict(zip(names, values)))
    assert sum(weights.model_dump().values()) == pytest.approx(1.0)
    weights.recency = 2.0
    assert sum(weights.model_dump().values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong", [ONLY, {"recency": -1.0}, {"recency": float("inf")}, {"recency": float("nan")}]
)
def test_weights_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        ScoringWeights(**wrong)


def test_a_weight_that_is_refused_leaves_the_old_ones() -> None:
    weights = only("recency")
    with pytest.raises(ConfigurationError, match=r"ScoringWeights\.recency = 0\.0"):
        weights.recency = 0.0
    assert weights == only("recency")


# In compress.


def test_compress_uses_importance_where_that_is_on() -> None:
    config = HeadroomConfig(smart_crusher={"enabled": False})
    messages = outputs("Traceback: it broke", "plain", "plain")
    budget = tokens(messages) - 100
    rolling = compress(messages, config=config, token_budget=budget, store=MemoryStore())
    assert [change.message for change in rolling.changes if change.action == "dropped"][:2] == [
        1,
        2,
    ]
    config.intelligent_context.enabled = True
    config.intelligent_context.scoring_weights = only("error_indicator")
    result = compress(messages, config=config, token_budget=budget, store=MemoryStore())
    assert [change.message for change in result.changes if change.action == "dropped"] == [
        3,
        4,
        5,
        6,
    ]
    assert result.transforms_applied == ["intelligent_context"]


def test_what_a_user_said_beside_results_of_the_turn_before_opens_the_next_turn() -> None:
    use = {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "a", "name": "read", "input": {}}],
    }
    answer = {"type": "tool_result", "tool_use_id": "a", "content": "x " * 400}
    both = {
        "role": "user",
        "content": [answer, {"type": "text", "text": "Never touch the archive."}],
    }
    messages = [say("user", "start"), use, both, say("assistant", "done"), say("user", "go on")]
    config = RollingWindowConfig(preserve_recent_turns=2, output_buffer_tokens=0)
    result = RollingWindow(config).apply(messages, 300, store=MemoryStore())
    assert both in result.messages


def test_no_more_old_words_of_users_go_than_have_to() -> None:
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
    assert 2 in gone(result)
    assert 0 not in gone(result)
    assert result.tokens_after <= limit
