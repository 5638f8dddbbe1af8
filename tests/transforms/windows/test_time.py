"""Test that cutting a conversation takes time in proportion to its length."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from headroom_core import HeadroomConfig, IntelligentContextManager, MemoryStore, compress
from headroom_core.config import IntelligentContextConfig

Messages = list[dict[str, Any]]

_BUDGET = 3000
_COUNT = 1000
_MAX_RATIO = 7.5
"""Four times the messages take about 4 times as long, or 16 times if the time is quadratic."""

_LEAST_SECONDS = 0.03
"""Shorter times are mostly noise."""

_QUESTION = {"role": "user", "content": "go"}


def tool_call(number: int, call_id: str | None = None) -> dict[str, Any]:
    function = {"name": "read", "arguments": json.dumps({"part": number})}
    call = {"type": "function", "function": function}
    return call if call_id is None else {**call, "id": call_id}


def assistant(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [*calls]}


def answer(number: int, call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": f"part {number} is fine"}


def unanswered_calls_without_ids(count: int) -> Messages:
    return [_QUESTION, *(assistant(tool_call(number)) for number in range(count))]


def unanswered_calls_with_the_same_id(count: int) -> Messages:
    return [_QUESTION, *(assistant(tool_call(number, "c")) for number in range(count))]


def parallel_calls(count: int) -> Messages:
    calls = [tool_call(number, f"c{number}") for number in range(count)]
    return [
        _QUESTION,
        assistant(*calls),
        *(answer(number, f"c{number}") for number in range(count)),
    ]


def results_of_one_call(count: int) -> Messages:
    return [
        _QUESTION,
        assistant(tool_call(0, "c")),
        *(answer(number, "c") for number in range(count)),
    ]


def calls_with_a_single_answer(count: int) -> Messages:
    results = [
        {"type": "tool_result", "tool_use_id": f"c{number}", "content": f"part {number} is fine"}
        for number in range(count)
    ]
    uses = (
        {"type": "tool_use", "id": f"c{number}", "name": "read", "input": {"part": number}}
        for number in range(count)
    )
    return [
        _QUESTION,
        *({"role": "assistant", "content": [use]} for use in uses),
        {"role": "user", "content": results},
    ]


def system_messages(count: int) -> Messages:
    rules: Messages = [{"role": "system", "content": f"rule {number}"} for number in range(count)]
    return [*rules, _QUESTION]


def assistant_messages(count: int) -> Messages:
    return [
        _QUESTION,
        *({"role": "assistant", "content": f"thought {number}"} for number in range(count)),
    ]


def tiny_messages(count: int) -> Messages:
    return [
        {"role": ("user", "assistant")[number % 2], "content": f"m {number}"}
        for number in range(count)
    ]


SHAPES = (
    unanswered_calls_without_ids,
    unanswered_calls_with_the_same_id,
    parallel_calls,
    results_of_one_call,
    calls_with_a_single_answer,
    system_messages,
    assistant_messages,
    tiny_messages,
)


def cut(messages: Messages, *, managed: bool) -> None:
    config = HeadroomConfig(intelligent_context=IntelligentContextConfig(enabled=managed))
    compress(messages, token_budget=_BUDGET, store=MemoryStore(), config=config)


def shorten_and_cut(messages: Messages) -> None:
    manager = IntelligentContextManager(IntelligentContextConfig(output_buffer_tokens=0))
    manager.apply(messages, model_limit=_BUDGET, store=MemoryStore())


def fastest(run: Callable[[Messages], None], messages: Messages) -> float:
    """Return the processor time of the faster of two runs, in seconds."""
    times: list[float] = []
    for _ in range(2):
        gc.collect()
        start = time.process_time()
        run(messages)
        times.append(time.process_time() - start)
    return min(times)


def is_proportional(run: Callable[[Messages], None], shape: Callable[[int], Messages]) -> bool:
    less, more = shape(_COUNT), shape(4 * _COUNT)
    return fastest(run, more) < _MAX_RATIO * max(fastest(run, less), _LEAST_SECONDS)


@pytest.mark.parametrize("managed", [False, True], ids=["rolling", "managed"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_cut_takes_time_in_proportion_to_the_messages(
    shape: Callable[[int], Messages], managed: bool
) -> None:
    assert is_proportional(partial(cut, managed=managed), shape)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_outputs_are_shortened_in_time_in_proportion_to_the_messages(
    shape: Callable[[int], Messages],
) -> None:
    assert is_proportional(shorten_and_cut, shape)
