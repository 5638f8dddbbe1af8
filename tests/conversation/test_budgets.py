"""Budgets and limits in `compress`: what fits, what is left out for it, when, and what that costs."""

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
    compress,
    retrieve,
)
from headroom_core.config import IntelligentContextConfig, RollingWindowConfig

ROOT = Path(__file__).parents[2]
WORDS = "word " * 100
ROWS = json.dumps([{"id": f"item-{n}", "state": "ok", "zone": "eu-3"} for n in range(200)])
CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
MARKER = 100
"""Tokens that a marker may be taken to have beyond those that it has."""

NOTHING_KEPT = HeadroomConfig(ccr=CCRConfig(enabled=False))


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def turns(count: int, text: str = WORDS) -> list[dict[str, Any]]:
    return [
        say(role, f"{number} {text}") for number in range(count) for role in ("user", "assistant")
    ]


def called(output: str, call: str = "c1") -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": call}]},
        {"role": "tool", "tool_call_id": call, "content": output},
    ]


def tokens(messages: list[Any], model: str = "gpt-4o") -> int:
    return Tokenizer(model).count_messages(messages)


def run(messages: list[Any], budget: int | None = None, **more: Any) -> CompressResult:
    more.setdefault("store", MemoryStore())
    return compress(messages, token_budget=budget, **more)


def gone(result: CompressResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "dropped"]


def selected(result: CompressResult) -> list[int]:
    return [change.message for change in result.changes if change.action == "selected"]


def limited(tokens: int, model: str = "gpt-4o", **window: Any) -> HeadroomConfig:
    return HeadroomConfig(
        model_context_limits={model: tokens},
        rolling_window=RollingWindowConfig(**{"output_buffer_tokens": 0, **window}),
    )


def managing(**more: Any) -> HeadroomConfig:
    settings = {"enabled": True, "output_buffer_tokens": 0, "keep_last_turns": 1, **more}
    return HeadroomConfig(intelligent_context=IntelligentContextConfig(**settings))


CONFIGS = st.sampled_from((HeadroomConfig(), managing(), NOTHING_KEPT))


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
    assert not result.tokens_before <= budget or not gone(result)
    stays = [message for index, message in enumerate(talk.messages) if index not in gone(result)]
    said = {("answer", id(message)) for message in stays}
    assert {
        one[:2] for one in orphans(stays, talk.form) - orphans(talk.messages, talk.form)
    } <= said


@settings(max_examples=max(10, settings.default.max_examples // 10))
@given(talks(most_turns=4), SHARES, CONFIGS, st.data())
def test_what_was_left_out_stays_out_whatever_is_asked(
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
            (one.message, one.action)
            for one in result.changes
            if one.action in ("selected", "rewritten")
        ]
        if before is not None:
            assert {*before[0]} <= {*gone(result)}
            if before[:2] == (gone(result), [one for one in changed if one[0] < count - 1]):
                assert sent[: len(before[2])] == before[2]
        before = gone(result), changed, sent
        for key in result.ccr_hashes[:2] if config.ccr.enabled else ():
            assert retrieve(key, store=store).found


@settings(max_examples=max(10, settings.default.max_examples // 20))
@given(
    long_talks(),
    st.sampled_from((0.6, 0.75, 0.9)),
    st.sampled_from((NOTHING_KEPT, managing().lossless())),
)
def test_what_was_shortened_stays_so_and_nothing_changes_while_there_is_room(
    talk: Talk, share: float, config: HeadroomConfig
) -> None:
    whole = run(talk.messages, config=config, dialect=talk.dialect)
    sizes, budget = Tokenizer().count_each(whole.messages), int(share * whole.tokens_after)
    before: tuple[CompressResult, dict[int, str]] | None = None
    for count in range(len(talk.messages) // 2, len(talk.messages) + 1):
        result = run(talk.messages[:count], budget, config=config, dialect=talk.dialect)
        now = shortened(result, count)
        assert result.tokens_after <= budget
        if before is not None:
            last, was = before
            assert was.items() - now.items() <= {
                (message, was.get(message)) for message in gone(result)
            }
            if last.tokens_after + sizes[count - 1] + MARKER <= budget:
                assert result.messages[:-1] == last.messages
        before = result, now


def shortened(result: CompressResult, count: int) -> dict[int, str]:
    """Return those of so many messages whose outputs were shortened with a loss, as they are sent."""
    out = gone(result)
    stays = [index for index in range(count) if index not in out]
    sent = [
        repr(message) for at, message in enumerate(result.messages) if not out or at != min(out)
    ]
    return {index: text for index, text in zip(stays, sent) if index in selected(result)}


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_below_one_is_refused(budget: int) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"token_budget must be .* None for no budget, got {budget}"
    ):
        run(turns(1), budget)


@pytest.mark.parametrize(
    "config", [HeadroomConfig(), managing(), NOTHING_KEPT], ids=["rolling", "managed", "kept"]
)
def test_a_budget_below_the_last_question_cuts_nothing_inside(config: HeadroomConfig) -> None:
    messages = [say("system", "Be brief."), *turns(3), say("user", "why? " * 500)]
    result = run(messages, 200, config=config)
    assert result.messages[0] is messages[0]
    assert result.messages[-1] is messages[-1]
    (warning,) = result.warnings
    assert "more than token_budget = 200" in warning
    with pytest.raises(CompressionError, match="token_budget = 200"):
        run(messages, 200, config=config, strict=True)


def test_a_budget_that_shortening_meets_leaves_nothing_out() -> None:
    messages = [*turns(2), say("user", "which?"), *called(ROWS)]
    result = run(messages, 1500)
    assert (gone(result), result.warnings) == ([], ())
    assert result.transforms_applied == ["smart_crusher"]


# Limits.


def test_without_a_budget_the_models_limit_less_the_reply_holds() -> None:
    messages = turns(20)
    result = run(messages, config=limited(3000, output_buffer_tokens=1000, preserve_recent_turns=1))
    assert 1700 < result.tokens_after <= 2000
    assert not gone(run(messages, config=limited(tokens(messages))))
    assert not gone(run(messages))


def test_the_smaller_of_budget_and_limit_holds() -> None:
    config = limited(3000, preserve_recent_turns=1)
    assert run(turns(20), 1000, config=config).tokens_after <= 1000
    assert 2000 < run(turns(20), 3500, config=config).tokens_after <= 3000


def test_a_model_that_nobody_knows_has_no_limit() -> None:
    messages = turns(10, "word " * 20_000)
    assert run(messages, model="my-own-model").messages == messages


def test_a_limit_that_what_is_protected_exceeds_is_a_warning() -> None:
    result = run([say("user", WORDS * 5)], config=limited(100))
    assert len(result.warnings) == 1
    with pytest.raises(CompressionError):
        run([say("user", WORDS * 5)], config=limited(100), strict=True)


def test_nothing_is_left_out_beyond_a_limit_where_it_may_not_be() -> None:
    config = limited(500)
    config.ccr.enabled = False
    assert run(turns(10), config=config).messages == turns(10)


def test_the_window_can_be_off_while_nothing_is_hard() -> None:
    assert gone(run(turns(20), config=limited(10**6, max_tokens=500, enabled=False))) == []


# A soft limit.


def soft(model: str, count: int, budget: int | None = None) -> list[int]:
    config = HeadroomConfig()
    config.rolling_window.max_tokens = 6000
    config.rolling_window.output_buffer_tokens = 0
    config.rolling_window.preserve_recent_turns = 1
    return gone(run(turns(count, WORDS * 3), budget, config=config, model=model))


def first_cut(model: str) -> int:
    """Return after how many turns of 600 tokens a soft limit of 6000 cuts."""
    return next(count for count in range(5, 200) if soft(model, count))


def test_a_soft_limit_waits_while_a_steady_prefix_is_worth_more() -> None:
    at_once, cached = first_cut("my-own-model"), first_cut("claude-sonnet-4")
    assert at_once == pytest.approx(10, abs=1)
    assert cached > at_once + 5


def test_a_budget_forces_what_a_soft_limit_puts_off() -> None:
    count = first_cut("my-own-model") + 1
    assert not soft("claude-sonnet-4", count)
    assert soft("claude-sonnet-4", count, budget=6000)


def test_a_soft_limit_counts_only_when_it_is_set() -> None:
    long = turns(40, "word " * 1500)
    assert tokens(long) > RollingWindowConfig().max_tokens
    assert not gone(run(long))
    config = HeadroomConfig(rolling_window=RollingWindowConfig(max_tokens=100_000))
    assert gone(run(long, config=config, model="my-own-model"))


# The marker, and where it leads.


def marker_of(result: CompressResult) -> str:
    (marker,) = [
        m["content"] for m in result.messages if str(m["content"]).startswith("[headroom: ")
    ]
    return str(marker)


def test_the_marker_leads_to_the_messages_from_another_process_too(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    messages = [say("user", 'Zoë says "hi"\n' + WORDS), *called(ROWS), *turns(8)]
    result = run(messages, 1200, store=SQLiteStore(path))
    keys = re.findall(r'key="(\w+)"', marker_of(result))
    code = (
        "import json, sys; from headroom_core import SQLiteStore, retrieve\n"
        "for key in sys.argv[2:]: print(json.dumps(retrieve(key, limit=None, store=SQLiteStore(sys.argv[1])).text))"
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
    told = {row.pop("message") - 1: row for row in rows}
    assert told == {index: messages[index] for index in gone(result)}
    assert {*keys} <= {*result.ccr_hashes}


class Full(MemoryStore):
    """A store that can keep nothing."""

    def put_many(self, originals: Any) -> None:
        raise StorageError("the disk is full")


def test_a_store_that_fails_is_told_and_the_marker_promises_nothing() -> None:
    result = run(turns(10), 1200, store=Full())
    assert (
        marker_of(result)
        == f"[headroom: {len(gone(result))} messages left out here; not available any more]"
    )
    assert result.ccr_hashes == []
    assert result.tokens_after <= 1200
    assert any(
        "cannot be kept" in warning and "disk is full" in warning for warning in result.warnings
    )


def test_where_nothing_is_kept_a_budget_leaves_out_all_the_same() -> None:
    store = MemoryStore()
    result = run(turns(10), 1200, store=store, config=NOTHING_KEPT)
    assert marker_of(result).endswith("left out here; not available any more]")
    assert (result.tokens_after <= 1200, result.warnings, result.ccr_hashes) == (True, (), [])
    assert store.purge() == 0


def test_where_nothing_is_kept_the_newest_output_is_shortened_for_a_budget() -> None:
    messages = [say("user", "which?"), *called(ROWS)]
    result = run(messages, 1500, config=NOTHING_KEPT)
    assert (result.tokens_after <= 1500, result.warnings, gone(result)) == (True, (), [])
    assert "headroom_retrieve" not in result.messages[-1]["content"]
    assert result.ccr_hashes == []


# Growing.


@pytest.mark.parametrize("config", [HeadroomConfig(), managing()], ids=["rolling", "managed"])
def test_in_a_long_conversation_the_prefix_breaks_once_in_twenty_turns(
    config: HeadroomConfig,
) -> None:
    messages: list[Any] = []
    for turn in range(200):
        output = called(f"{turn} " + WORDS * 3, f"c{turn}")
        messages += [say("user", f"{turn}? {WORDS}"), *output, say("assistant", f"{turn} is done")]
    store, breaks, before = MemoryStore(), list[int](), list[Any]()
    for turn in range(100, 201, 2):
        result = run(messages[: 4 * turn], 32_000, config=config, store=store)
        assert result.tokens_after <= 32_000
        if result.messages[: len(before)] != before:
            breaks.append(turn)
        before = result.messages
    assert 1 <= len(breaks) <= 5, breaks


def listed(turn: int) -> list[dict[str, Any]]:
    rows = [
        {
            "id": f"item-{turn}-{n}",
            "owner": (turn + 1) * n % 89,
            "spent": n * n % 97,
            "zone": "eu-3",
        }
        for n in range(40)
    ]
    return [say("user", f"{turn}? {WORDS}"), *called(json.dumps(rows), f"c{turn}")]


@pytest.mark.parametrize(
    "config", [NOTHING_KEPT, managing().lossless()], ids=["rolling", "managed"]
)
def test_where_nothing_is_kept_it_breaks_once_in_ten_turns_and_the_newest_result_stays_whole(
    config: HeadroomConfig,
) -> None:
    messages = [message for turn in range(60) for message in listed(turn)]
    breaks, before = list[int](), list[Any]()
    for turn in range(60, 120):
        messages += listed(turn)
        result = run(messages, 24_000, config=config)
        assert result.tokens_after <= 24_000
        assert len(messages) - 1 not in selected(result)
        breaks += [turn] if result.messages[: len(before)] != before else []
        before = result.messages
    assert 1 <= len(breaks) <= 6, breaks


@pytest.mark.parametrize(("count", "least", "most"), [(10, 0.0, 0.1), (60, 0.3, 0.4)])
def test_the_older_a_conversation_is_the_more_results_are_shortened_at_once_before_any_goes(
    count: int, least: float, most: float
) -> None:
    messages = [message for turn in range(count) for message in listed(turn)]
    whole = run(messages, config=NOTHING_KEPT).tokens_after
    result = run(messages, whole - 1, config=NOTHING_KEPT)
    assert (gone(result), result.warnings) == ([], ())
    assert least < 1 - result.tokens_after / whole < most
    assert selected(result) == [3 * turn + 2 for turn in range(len(selected(result)))]


def test_a_further_turn_encodes_its_own_texts_and_the_markers_alone() -> None:
    store, counter, config = MemoryStore(), Tokenizer().counter, managing()
    conversation: list[Any] = []
    for turn in range(60):
        new = [say("user", f"turn {turn}? {WORDS}"), *called(f"{turn}: " + WORDS * 3, f"c{turn}")]
        conversation, encoded = conversation + new, counter.encoded_characters
        run(conversation, 8000, config=config, store=store)
        assert counter.encoded_characters - encoded <= len(json.dumps(new)) + 3000


def test_a_second_request_encodes_nothing() -> None:
    store, counter = MemoryStore(), Tokenizer().counter
    first = run(turns(60), 3000, store=store)
    encoded = counter.encoded_characters
    assert run(turns(60), 3000, store=store) == first
    assert counter.encoded_characters == encoded


def test_compress_and_the_window_agree() -> None:
    config = RollingWindowConfig(output_buffer_tokens=0)
    alone = RollingWindow(config).apply(turns(20), 1500, store=MemoryStore())
    assert (
        run(turns(20), 1500, config=HeadroomConfig(rolling_window=config)).messages
        == alone.messages
    )
