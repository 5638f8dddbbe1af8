"""The state machine that answers retrieve calls, as a client of any provider drives it."""

from __future__ import annotations

from typing import Any

import pytest

from headroom_core import ConfigurationError, content_key
from headroom_core.client import RetrieveRounds, RoundStep, ToolCall
from headroom_core.stores import MemoryStore

TEXT = "first line\nsecond line\n"
KEY = content_key(TEXT)
RETRIEVE = ToolCall("call_1", "headroom_retrieve", {"key": KEY})
ORDERS = ToolCall("call_2", "orders", '{"day": 3}')
NO_MORE = "headroom_retrieve: no more can be asked for before your answer"


def rounds(max_rounds: int = 5) -> RetrieveRounds:
    store = MemoryStore()
    store.put_many({KEY: TEXT})
    return RetrieveRounds(max_rounds, store=store)


@pytest.mark.parametrize("calls", [[], [ORDERS]])
def test_a_response_without_retrieve_calls_is_shown(calls: list[ToolCall]) -> None:
    decision = rounds().decide(calls)
    assert (decision.step, decision.answers, decision.continues) == (RoundStep.SHOW, (), False)


def test_every_response_is_shown_if_the_tool_was_not_offered() -> None:
    assert RetrieveRounds(is_offered=False).decide([RETRIEVE]).step is RoundStep.SHOW


def test_retrieve_calls_are_answered_in_another_round() -> None:
    machine = rounds()
    broken = ToolCall(None, "headroom_retrieve", '{"key": ')
    decision = machine.decide([RETRIEVE, broken])
    assert (decision.step, decision.continues) == (RoundStep.CONTINUE, True)
    assert [answer.call for answer in decision.answers] == [RETRIEVE, broken]
    assert decision.answers[0].text.endswith(TEXT)
    assert "the arguments must be a JSON object" in decision.answers[1].text
    assert machine.answered == 1


def test_calls_of_other_tools_are_shown_and_retrieve_calls_answered() -> None:
    machine = rounds(max_rounds=1)
    decision = machine.decide([ORDERS, RETRIEVE])
    assert (decision.step, decision.continues) == (RoundStep.SHOW_OTHER_CALLS, False)
    assert [answer.call for answer in decision.answers] == [RETRIEVE]
    assert "the last call" not in decision.answers[0].text
    assert machine.answered == 0


def test_the_model_reads_when_the_rounds_are_over() -> None:
    machine = rounds(max_rounds=2)
    decisions = [machine.decide([RETRIEVE]) for _ in range(4)]
    assert [decision.step for decision in decisions] == [
        RoundStep.CONTINUE,
        RoundStep.CONTINUE,
        RoundStep.LAST_REQUEST,
        RoundStep.GIVE_UP,
    ]
    texts = [decision.answers[0].text for decision in decisions]
    assert ["the last call" in text for text in texts] == [False, True, False, False]
    assert texts[2:] == [NO_MORE, NO_MORE]
    assert decisions[3].text.endswith("than max_rounds = 2 allows.")
    assert not any(decision.text for decision in decisions[:3])


@pytest.mark.parametrize("max_rounds", [0, -1, 2.5, "3", True, None])
def test_there_is_at_least_one_round(max_rounds: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"at least 1, got {max_rounds!r}; use retrieve="):
        RetrieveRounds(max_rounds)
