"""Test the budgets and limits of `compress`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conversations import SHARES, Talk, long_talks, orphans, talks
from hypothesis import given, settings
from hypothesis import strategies as st

from headroom_core import (
    CCRConfig,
    CompressionError,
    CompressResult,
    ConfigurationError,
    HeadroomConfig,
    MemoryStore,
    RollingWindow,
    SQLiteStore,
    StorageError,
    Tokenizer,
    ToolIntelligence,
    compress,
    retrieve,
)
from headroom_core.config import IntelligentContextConfig, RollingWindowConfig
from headroom_core.testing import FailingStore, ScriptedCall, tool_conversation

ROOT = Path(__file__).parents[2]
WORDS = "word " * 100
ROWS = json.dumps([{"id": f"item-{n}", "state": "ok", "zone": "eu-3"} for n in range(200)])
CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
MARKER_TOKENS = 100
"""Upper bound of the tokens that are reserved for a marker."""

WITHOUT_STORE = HeadroomConfig(ccr=CCRConfig(enabled=False))


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def turns(count: int, text: str = WORDS) -> list[dict[str, Any]]:
    return [
        say(role, f"{number} {text}") for number in range(count) for role in ("user", "assistant")
    ]


def call_and_result(output: str, call: str = "c1") -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": call}]},
        {"role": "tool", "tool_call_id": call, "content": output},
    ]


def tokens(messages: list[Any], model: str = "gpt-4o") -> int:
    return Tokenizer(model).count_messages(messages)


def run(messages: list[Any], budget: int | None = None, **more: Any) -> CompressResult:
    more.setdefault("store", MemoryStore())
    return compress(messages, token_budget=budget, **more)


def dropped(result: CompressResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "dropped"]


def shortened_outputs(result: CompressResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "selected"]


def config_with_limit(tokens: int, model: str = "gpt-4o", **window: Any) -> HeadroomConfig:
    return HeadroomConfig(
        model_context_limits={model: tokens},
        rolling_window=RollingWindowConfig(**{"output_buffer_tokens": 0, **window}),
    )


def config_with_importance(**more: Any) -> HeadroomConfig:
    settings = {"enabled": True, "output_buffer_tokens": 0, "keep_last_turns": 1, **more}
    return HeadroomConfig(intelligent_context=IntelligentContextConfig(**settings))


CONFIGS = st.sampled_from((HeadroomConfig(), config_with_importance(), WITHOUT_STORE))


# Budgets.


@settings(max_examples=max(10, settings.default.max_examples // 2))
@given(talks(), SHARES, CONFIGS, st.sampled_from(("gpt-4o", "gpt-4-turbo", "claude-sonnet-4")))
def test_a_budget_is_met_or_a_warning_says_so(
    talk: Talk, share: float, config: HeadroomConfig, model: str
) -> None:
    budget = max(1, int(share * tokens(talk.messages, model)))
    result = run(talk.messages, budget, config=config, dialect=talk.dialect, model=model)
    assert result.tokens_before == tokens(talk.messages, model)
    assert result.tokens_after == tokens(result.messages, model) <= result.tokens_before
    assert bool(result.warnings) == (result.tokens_after > budget)
    assert not result.tokens_before <= budget or not dropped(result)
    kept = [message for index, message in enumerate(talk.messages) if index not in dropped(result)]
    kept_answers = {("answer", id(message)) for message in kept}
    assert {
        orphan[:2] for orphan in orphans(kept, talk.form) - orphans(talk.messages, talk.form)
    } <= kept_answers


@settings(max_examples=max(10, settings.default.max_examples // 10))
@given(talks(most_turns=4), SHARES, CONFIGS, st.data())
def test_dropped_messages_stay_dropped_whatever_the_query(
    talk: Talk, share: float, config: HeadroomConfig, data: st.DataObject
) -> None:
    budget, store = max(1, int(share * tokens(talk.messages))), MemoryStore()
    before = None
    for count in range(1, len(talk.messages) + 1):
        query = data.draw(st.sampled_from((None, "item-3", "which failed?")))
        result = run(
            talk.messages[:count],
            budget,
            config=config,
            dialect=talk.dialect,
            store=store,
            query=query,
        )
        sent = [repr(message) for message in result.messages]
        changed = [
            (change.message, change.action, change.tokens_after)
            for change in result.changes
            if change.action in ("selected", "rewritten")
        ]
        if before is not None:
            assert {*before[0]} <= {*dropped(result)}
            if before[:2] == (
                dropped(result),
                [entry for entry in changed if entry[0] < count - 1],
            ):
                assert sent[: len(before[2])] == before[2]
        before = dropped(result), changed, sent
        for key in result.ccr_hashes[:2] if config.ccr.enabled else ():
            assert retrieve(key, store=store).found


@settings(max_examples=max(10, settings.default.max_examples // 20))
@given(
    long_talks(),
    st.sampled_from((0.6, 0.75, 0.9)),
    st.sampled_from((WITHOUT_STORE, config_with_importance().lossless())),
)
def test_shortened_messages_stay_shortened_while_there_is_room(
    talk: Talk, share: float, config: HeadroomConfig
) -> None:
    whole = run(talk.messages, config=config, dialect=talk.dialect)
    sizes, budget = Tokenizer().count_each(whole.messages), int(share * whole.tokens_after)
    before: tuple[CompressResult, dict[int, str]] | None = None
    for count in range(len(talk.messages) // 2, len(talk.messages) + 1):
        result = run(talk.messages[:count], budget, config=config, dialect=talk.dialect)
        now = shortened_texts(result, count)
        assert result.tokens_after <= budget
        if before is not None:
            last, was = before
            assert was.items() - now.items() <= {
                (message, was.get(message)) for message in dropped(result)
            }
            if last.tokens_after + sizes[count - 1] + MARKER_TOKENS <= budget:
                assert result.messages[:-1] == last.messages
        before = result, now


def shortened_texts(result: CompressResult, count: int) -> dict[int, str]:
    """Return the messages whose outputs lost units, as they are sent."""
    dropped_messages = dropped(result)
    kept = [index for index in range(count) if index not in dropped_messages]
    sent = [
        repr(message)
        for position, message in enumerate(result.messages)
        if not dropped_messages or position != min(dropped_messages)
    ]
    return {index: text for index, text in zip(kept, sent) if index in shortened_outputs(result)}


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_1_is_rejected(budget: int) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"token_budget must be .* None for no budget, got {budget}"
    ):
        run(turns(1), budget)


@pytest.mark.parametrize(
    "config",
    [HeadroomConfig(), config_with_importance(), WITHOUT_STORE],
    ids=["rolling", "importance", "without store"],
)
def test_a_budget_smaller_than_the_last_question_leaves_it_intact(config: HeadroomConfig) -> None:
    messages = [say("system", "Be brief."), *turns(3), say("user", "why? " * 500)]
    result = run(messages, 200, config=config)
    assert result.messages[0] is messages[0]
    assert result.messages[-1] is messages[-1]
    (warning,) = result.warnings
    assert "more than token_budget = 200" in warning
    with pytest.raises(CompressionError, match="token_budget = 200"):
        run(messages, 200, config=config, strict=True)


def test_nothing_is_dropped_if_shortening_meets_the_budget() -> None:
    messages = [*turns(2), say("user", "which?"), *call_and_result(ROWS)]
    result = run(messages, 1500)
    assert (dropped(result), result.warnings) == ([], ())
    assert result.transforms_applied == ["smart_crusher"]


# Limits.


def test_the_model_limit_minus_the_reply_is_the_default_budget() -> None:
    messages = turns(20)
    result = run(
        messages, config=config_with_limit(3000, output_buffer_tokens=1000, preserve_recent_turns=1)
    )
    assert 1700 < result.tokens_after <= 2000
    assert not dropped(run(messages, config=config_with_limit(tokens(messages))))
    assert not dropped(run(messages))


def test_the_smaller_of_budget_and_limit_applies() -> None:
    config = config_with_limit(3000, preserve_recent_turns=1)
    assert run(turns(20), 1000, config=config).tokens_after <= 1000
    assert 2000 < run(turns(20), 3500, config=config).tokens_after <= 3000


def test_an_unknown_model_has_no_limit() -> None:
    messages = turns(10, "word " * 20_000)
    assert run(messages, model="my-own-model").messages == messages


def test_protected_messages_over_the_limit_are_a_warning() -> None:
    result = run([say("user", WORDS * 5)], config=config_with_limit(100))
    assert len(result.warnings) == 1
    with pytest.raises(CompressionError):
        run([say("user", WORDS * 5)], config=config_with_limit(100), strict=True)


def test_a_model_limit_drops_nothing_in_lossless_mode() -> None:
    config = config_with_limit(500)
    config.ccr.enabled = False
    assert run(turns(10), config=config).messages == turns(10)


def test_a_disabled_window_ignores_a_soft_limit() -> None:
    assert (
        dropped(run(turns(20), config=config_with_limit(10**6, max_tokens=500, enabled=False)))
        == []
    )


# A soft limit.


def dropped_by_soft_limit(model: str, count: int, budget: int | None = None) -> list[int]:
    config = HeadroomConfig()
    config.rolling_window.max_tokens = 6000
    config.rolling_window.output_buffer_tokens = 0
    config.rolling_window.preserve_recent_turns = 1
    return dropped(run(turns(count, WORDS * 3), budget, config=config, model=model))


def first_cut(model: str) -> int:
    """Return the number of turns of 600 tokens after which a soft limit of 6000 cuts."""
    return next(count for count in range(5, 200) if dropped_by_soft_limit(model, count))


def test_a_soft_limit_waits_while_a_cached_prefix_is_cheaper() -> None:
    at_once, cached = first_cut("my-own-model"), first_cut("claude-sonnet-4")
    assert at_once == pytest.approx(10, abs=1)
    assert cached > at_once + 5


def test_a_budget_forces_a_cut_that_a_soft_limit_postpones() -> None:
    count = first_cut("my-own-model") + 1
    assert not dropped_by_soft_limit("claude-sonnet-4", count)
    assert dropped_by_soft_limit("claude-sonnet-4", count, budget=6000)


def test_a_soft_limit_applies_only_when_set() -> None:
    long = turns(40, "word " * 1500)
    assert tokens(long) > RollingWindowConfig().max_tokens
    assert not dropped(run(long))
    config = HeadroomConfig(rolling_window=RollingWindowConfig(max_tokens=100_000))
    assert dropped(run(long, config=config, model="my-own-model"))


# The marker and its originals.


def marker_of(result: CompressResult) -> str:
    (marker,) = [
        m["content"] for m in result.messages if str(m["content"]).startswith("[headroom: ")
    ]
    return str(marker)


def test_another_process_retrieves_the_messages_behind_a_marker(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    messages = [say("user", 'Zoë says "hi"\n' + WORDS), *call_and_result(ROWS), *turns(8)]
    result = run(messages, 1200, store=SQLiteStore(path))
    keys = re.findall(r'key="(\w+)"', marker_of(result))
    code = (
        "import json, sys; from headroom_core import SQLiteStore, retrieve\n"
        "store = SQLiteStore(sys.argv[1])\n"
        "for key in sys.argv[2:]:\n"
        "    print(json.dumps(retrieve(key, limit=None, store=store).text))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), *keys],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [
        json.loads(row)
        for text in done.stdout.splitlines()
        for row in json.loads(text).splitlines()
    ]
    stored = {row.pop("message") - 1: row for row in rows}
    assert stored == {index: messages[index] for index in dropped(result)}
    assert {*keys} <= {*result.ccr_hashes}


def test_with_a_failing_store_the_process_keeps_dropped_messages() -> None:
    store = FailingStore("put_many", error=StorageError("the disk is full"))
    result = run(turns(10), 1200, store=store)
    (key,) = result.ccr_hashes
    assert f'headroom_retrieve(key="{key}")' in marker_of(result)
    assert retrieve(key, store=store).found
    assert result.tokens_after <= 1200
    assert any(
        "in the memory of this process alone" in warning and "disk is full" in warning
        for warning in result.warnings
    )


def learn_about_jobs(store: MemoryStore) -> None:
    """Compress eight outputs of a tool and retrieve each original once."""
    for number in range(8):
        rows = [
            {"id": 1000 * number + n, "state": "failed" if n == 77 else "ok"} for n in range(600)
        ]
        call = ScriptedCall("list_jobs", result=json.dumps(rows))
        result = run(tool_conversation(f"Which jobs of run {number} failed?", [call]), store=store)
        assert retrieve(result.ccr_hashes[0], where="state == 'failed'", store=store).found


def test_a_decision_that_cannot_be_recalled_still_drops_messages() -> None:
    store = FailingStore("recall", error=ConnectionError("host unreachable"))
    store.failing.clear()
    learn_about_jobs(store)
    assert ToolIntelligence(store).report()["list_jobs"]["asked"] == 8
    messages = [
        message
        for number in range(10)
        for message in (
            *tool_conversation(
                f"How did run {number} go?",
                [ScriptedCall("list_jobs", result=f"{number} {WORDS * 3}")],
            ),
            say("assistant", f"Run {number} is fine."),
        )
    ]
    store.failing.add("recall")
    result = run(messages, 2000, store=store, config=config_with_importance())
    assert dropped(result)
    assert result.tokens_after <= 2000
    assert (
        "earlier results cannot be read, so texts may change: StorageError: the store raised "
        "ConnectionError" in result.warnings
    )
    assert not any("nothing was left out" in warning for warning in result.warnings)
    assert "host unreachable" not in str(result.warnings)


def test_without_stored_originals_a_budget_still_drops_messages() -> None:
    store = MemoryStore()
    result = run(turns(10), 1200, store=store, config=WITHOUT_STORE)
    assert marker_of(result).endswith("left out here; not available any more]")
    assert (result.tokens_after <= 1200, result.warnings, result.ccr_hashes) == (True, (), [])
    assert store.purge() == 0


def test_without_stored_originals_a_budget_shortens_the_newest_output() -> None:
    messages = [say("user", "which?"), *call_and_result(ROWS)]
    result = run(messages, 1500, config=WITHOUT_STORE)
    assert (result.tokens_after <= 1500, result.warnings, dropped(result)) == (True, (), [])
    assert "headroom_retrieve" not in result.messages[-1]["content"]
    assert result.ccr_hashes == []


# Growing conversations.


@pytest.mark.parametrize(
    "config", [HeadroomConfig(), config_with_importance()], ids=["rolling", "importance"]
)
def test_a_long_conversation_breaks_its_prefix_every_twenty_turns(
    config: HeadroomConfig,
) -> None:
    messages: list[Any] = []
    for turn in range(200):
        output = call_and_result(f"{turn} " + WORDS * 3, f"c{turn}")
        messages += [say("user", f"{turn}? {WORDS}"), *output, say("assistant", f"{turn} is done")]
    store, breaks, before = MemoryStore(), list[int](), list[Any]()
    for turn in range(100, 201, 2):
        result = run(messages[: 4 * turn], 32_000, config=config, store=store)
        assert result.tokens_after <= 32_000
        if result.messages[: len(before)] != before:
            breaks.append(turn)
        before = result.messages
    assert 1 <= len(breaks) <= 5, breaks


def listing_turn(turn: int) -> list[dict[str, Any]]:
    rows = [
        {
            "id": f"item-{turn}-{n}",
            "owner": (turn + 1) * n % 89,
            "spent": n * n % 97,
            "zone": "eu-3",
        }
        for n in range(40)
    ]
    return [say("user", f"{turn}? {WORDS}"), *call_and_result(json.dumps(rows), f"c{turn}")]


@pytest.mark.parametrize(
    "config", [WITHOUT_STORE, config_with_importance().lossless()], ids=["rolling", "importance"]
)
def test_without_stored_originals_the_prefix_breaks_every_ten_turns(
    config: HeadroomConfig,
) -> None:
    messages = [message for turn in range(60) for message in listing_turn(turn)]
    breaks, before = list[int](), list[Any]()
    for turn in range(60, 120):
        messages += listing_turn(turn)
        result = run(messages, 24_000, config=config)
        assert result.tokens_after <= 24_000
        assert len(messages) - 1 not in shortened_outputs(result)
        breaks += [turn] if result.messages[: len(before)] != before else []
        before = result.messages
    assert 1 <= len(breaks) <= 6, breaks


@pytest.mark.parametrize(("count", "min_saved", "max_saved"), [(10, 0.0, 0.1), (60, 0.3, 0.4)])
def test_longer_conversations_shorten_more_results_at_once(
    count: int, min_saved: float, max_saved: float
) -> None:
    messages = [message for turn in range(count) for message in listing_turn(turn)]
    whole = run(messages, config=WITHOUT_STORE).tokens_after
    result = run(messages, whole - 1, config=WITHOUT_STORE)
    assert (dropped(result), result.warnings) == ([], ())
    assert min_saved < 1 - result.tokens_after / whole < max_saved
    assert shortened_outputs(result) == [
        3 * turn + 2 for turn in range(len(shortened_outputs(result)))
    ]


def test_a_new_turn_encodes_only_its_texts_and_the_markers() -> None:
    store, counter, config = MemoryStore(), Tokenizer().counter, config_with_importance()
    conversation: list[Any] = []
    for turn in range(60):
        new = [
            say("user", f"turn {turn}? {WORDS}"),
            *call_and_result(f"{turn}: " + WORDS * 3, f"c{turn}"),
        ]
        conversation, encoded = conversation + new, counter.encoded_characters
        run(conversation, 8000, config=config, store=store)
        assert counter.encoded_characters - encoded <= len(json.dumps(new)) + 3000


def test_a_second_request_encodes_nothing() -> None:
    store, counter = MemoryStore(), Tokenizer().counter
    first = run(turns(60), 3000, store=store)
    encoded = counter.encoded_characters
    assert run(turns(60), 3000, store=store) == first
    assert counter.encoded_characters == encoded


def test_compress_and_the_window_drop_the_same_messages() -> None:
    config = RollingWindowConfig(output_buffer_tokens=0)
    alone = RollingWindow(config).apply(turns(20), 1500, store=MemoryStore())
    assert (
        run(turns(20), 1500, config=HeadroomConfig(rolling_window=config)).messages
        == alone.messages
    )
