"""Test that a limit is met as long as the newest turn fits, and what is given up for that."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import (
    HeadroomConfig,
    IntelligentContextConfig,
    MemoryStore,
    RollingWindowConfig,
    compress,
    count_tokens_messages,
    retrieve,
)
from headroom_core.transforms.windows.gap import MAX_MARKER_TOKENS

MANAGED = pytest.mark.parametrize("managed", [False, True], ids=["rolling", "intelligent"])


def settings(managed: bool, recent: int = 5) -> HeadroomConfig:
    return HeadroomConfig(
        rolling_window=RollingWindowConfig(preserve_recent_turns=recent),
        intelligent_context=IntelligentContextConfig(enabled=managed, keep_last_turns=recent),
    )


def say(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def step(*answers: str | None, call: str = "c") -> list[dict[str, Any]]:
    """Return a message with calls, and their answers; None for one that was interrupted."""
    calls = [
        {"id": f"{call}{n}", "type": "function", "function": {"name": "jobs", "arguments": "{}"}}
        for n in range(len(answers))
    ]
    results = [
        {"role": "tool", "tool_call_id": f"{call}{n}", "content": answer}
        for n, answer in enumerate(answers)
        if answer is not None
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]


def talk(count: int, words: int = 30) -> list[dict[str, Any]]:
    return [
        say(role, f"{n} " + "word " * words) for n in range(count) for role in ("user", "assistant")
    ]


@MANAGED
@pytest.mark.parametrize("words", [15, 40, 200])
def test_a_budget_below_the_protected_turns_is_met(managed: bool, words: int) -> None:
    messages = talk(12, words)
    budget = count_tokens_messages(messages[-8:])  # four turns and no marker
    store = MemoryStore()
    result = compress(messages, token_budget=budget, config=settings(managed), store=store)
    assert result.tokens_after <= budget
    assert not result.warnings
    assert result.messages[-4:] == messages[-4:]
    texts = [retrieve(key, where="message == 1", store=store).text for key in result.ccr_hashes]
    assert any("0 word word" in text for text in texts)


@MANAGED
def test_protection_gives_way_only_as_far_as_the_limit_demands(managed: bool) -> None:
    messages = talk(12)
    budget = count_tokens_messages(messages[-10:]) + 120  # of the marker
    kept = compress(
        messages, token_budget=budget, config=settings(managed), store=MemoryStore()
    ).messages
    assert kept[-10:] == messages[-10:]


@MANAGED
def test_what_is_protected_stays_if_no_cut_meets_the_limit(managed: bool) -> None:
    messages = talk(12)
    result = compress(messages, token_budget=20, config=settings(managed), store=MemoryStore())
    assert result.messages[-10:] == messages[-10:]
    assert "more than token_budget = 20" in result.warnings[0]


@MANAGED
def test_no_budget_is_missed_that_a_smaller_result_would_meet(managed: bool) -> None:
    messages = [
        *talk(2, 3),
        say("user", "Which jobs are late?"),
        *step("none " * 20, "ok"),
        *talk(3, 8),
    ]
    smallest = 10_000
    for budget in range(count_tokens_messages(messages), 20, -1):
        result = compress(
            messages, token_budget=budget, config=settings(managed), store=MemoryStore()
        )
        if result.tokens_after > budget:
            smallest = min(smallest, budget)
        else:
            assert smallest == 10_000, (budget, smallest)


@st.composite
def conversations(draw: Any) -> list[dict[str, Any]]:
    rng = random.Random(draw(st.integers(0, 2**32)))
    messages = [say("system", "Be brief.")] if rng.random() < 0.4 else []
    for turn in range(rng.randint(1, 9)):
        messages.append(say("user", f"q{turn} " + "word " * rng.choice([1, 10, 40])))
        for number in range(rng.choice([0, 0, 1, 2])):
            answers = ["out " * rng.choice([1, 5, 60]) for _ in range(rng.choice([1, 2]))]
            messages += step(*answers, call=f"c{turn}-{number}-")
        messages.append(say("assistant", "a " * rng.choice([1, 5, 30])))
    return messages


@MANAGED
@given(conversations(), st.floats(0, 1))
def test_a_budget_with_room_for_the_newest_turn_is_met(
    managed: bool, messages: list[dict[str, Any]], share: float
) -> None:
    newest = max(n for n, message in enumerate(messages) if message["role"] == "user")
    needed = [*(m for m in messages[:1] if m["role"] == "system"), *messages[newest:]]
    least = count_tokens_messages(needed) + MAX_MARKER_TOKENS
    budget = int(least + share * max(0, count_tokens_messages(messages) - least))
    result = compress(messages, token_budget=budget, config=settings(managed), store=MemoryStore())
    assert result.tokens_after <= budget


@MANAGED
@pytest.mark.parametrize("recent", [1, 5])
def test_an_interrupted_step_goes_like_others(managed: bool, recent: int) -> None:
    interrupted = step("row " * 3000, None)
    messages = [say("user", "List all jobs."), *interrupted, *talk(40)]
    result = compress(
        messages, token_budget=1500, config=settings(managed, recent), store=MemoryStore()
    )
    assert result.tokens_after <= 1500
    assert interrupted[0] not in result.messages
    assert interrupted[1] not in result.messages


@MANAGED
def test_all_interrupted_steps_but_the_newest_go(managed: bool) -> None:
    steps = [step("row " * 300, None, call=f"s{n}-") for n in range(4)]
    messages = [say("user", "go"), *(message for item in steps for message in item)]
    result = compress(
        messages, token_budget=500, config=settings(managed), store=MemoryStore()
    ).messages
    assert [steps[n][0] in result for n in range(4)] == [False, False, False, True]


@MANAGED
def test_the_newest_calls_may_still_be_waiting(managed: bool) -> None:
    waiting = step("row " * 300, None)
    messages = [*talk(12), say("user", "List all jobs."), *waiting, say("user", "Still there?")]
    kept = compress(
        messages, token_budget=900, config=settings(managed), store=MemoryStore()
    ).messages
    assert kept[-3:] == messages[-3:]


@MANAGED
def test_calls_in_several_messages_in_a_row_wait_together(managed: bool) -> None:
    first, second, third = (step("row " * 100, call=f"p{n}-") for n in range(3))
    calls = [first[0], second[0], third[0]]
    messages = [*talk(12), say("user", "List all jobs."), *calls, third[1], first[1]]
    kept = compress(
        messages, token_budget=700, config=settings(managed), store=MemoryStore()
    ).messages
    assert second[0] in kept
    assert first[1] in kept


def tool_use(*ids: str) -> dict[str, Any]:
    uses = [{"type": "tool_use", "id": name, "name": "jobs", "input": {}} for name in ids]
    return {"role": "assistant", "content": uses}


def tool_result(name: str, text: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": text}


@MANAGED
def test_interrupted_calls_of_blocks_go_with_the_results_beside_them(managed: bool) -> None:
    answer = [tool_result("a", "row " * 2000), {"type": "text", "text": "Stop."}]
    interrupted = [tool_use("a", "b"), {"role": "user", "content": answer}]
    messages = [say("user", "List all jobs."), *interrupted, *talk(40)]
    result = compress(messages, token_budget=1500, config=settings(managed), store=MemoryStore())
    assert result.tokens_after <= 1500
    assert all(message not in result.messages for message in interrupted)


@MANAGED
def test_a_late_result_beside_a_new_question_goes_later(managed: bool) -> None:
    late = {
        "role": "user",
        "content": [tool_result("a", "row " * 200), {"type": "text", "text": "And now?"}],
    }
    messages = [say("user", "List all jobs."), tool_use("a"), *talk(12), late]
    store, config = MemoryStore(), settings(managed, recent=1)
    asked = compress(messages, token_budget=640, config=config, store=store).messages
    assert messages[1] not in asked
    assert asked[-1] == late
    grown = compress([*messages, *talk(12)], token_budget=640, config=config, store=store)
    assert late not in grown.messages


def test_keys_are_merged_if_only_a_shorter_marker_meets_the_limit() -> None:
    messages = [*talk(4, 150), *talk(3, 30), say("user", "word " * 30)]
    for budget in range(90, 700, 7):
        result = compress(
            messages, token_budget=budget, config=settings(managed=False), store=MemoryStore()
        )
        assert result.tokens_after <= budget, budget
        assert not result.warnings
