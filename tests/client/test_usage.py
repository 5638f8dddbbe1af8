"""Token usage: reading it in the forms of providers, and recording it over the rounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from headroom_core import CompressResult, RequestMetrics, count_tokens_text
from headroom_core.client import Usage, UsageRecorder, read_usage
from headroom_core.metrics import Ledger
from headroom_core.tokens import Tokenizer

SENT = CompressResult([], tokens_before=900, tokens_after=300, transforms_applied=["table"])
TOOLS = [{"type": "function", "function": {"name": "headroom_retrieve"}}]


def recorder(ledger: Ledger, *tools: Any) -> UsageRecorder:
    return UsageRecorder(ledger, Tokenizer("gpt-4o"), tools)


def recorded(recorder: UsageRecorder) -> RequestMetrics:
    metrics = recorder.finish()
    assert metrics is not None
    return metrics


def test_all_rounds_are_one_request() -> None:
    ledger = Ledger()
    request = recorder(ledger)
    for tokens_after in (300, 500):
        request.begin_round(CompressResult([], tokens_before=900, tokens_after=tokens_after))
        request.add_response(usage=Usage(input_tokens=400, output_tokens=20, cached_tokens=100))
    metrics = recorded(request)
    assert (metrics.tokens_input_before, metrics.tokens_input_after) == (900, 800)
    assert (metrics.tokens_output, metrics.cached_tokens) == (40, 200)
    assert ledger.get_metrics() == [metrics]


def test_the_share_of_cached_tokens_is_that_of_the_providers_input() -> None:
    request = recorder(Ledger())
    request.begin_round(SENT)
    request.add_response(usage=Usage(input_tokens=400, output_tokens=0, cached_tokens=200))
    assert recorded(request).cost_after == pytest.approx((150 * 2.5 + 150 * 1.25) / 1e6)


def test_the_schemas_of_added_tools_are_sent_in_every_round() -> None:
    bare, offering = recorder(Ledger()), recorder(Ledger(), *TOOLS)
    for request in (bare, offering):
        for _ in range(2):
            request.begin_round(SENT)
            request.add_response("yes")
    schema = recorded(offering).tokens_input_after - recorded(bare).tokens_input_after
    assert schema > 0
    assert schema % 2 == 0


def test_tokens_that_only_retrieval_added_are_not_those_of_the_caller() -> None:
    request = recorder(Ledger())
    request.begin_round(SENT, added_tokens=250)
    request.begin_round(SENT, added_tokens=800)
    request.add_response("yes")
    assert recorded(request).tokens_input_before == 650


def test_output_is_counted_in_the_rounds_whose_usage_is_not_reported() -> None:
    request = recorder(Ledger())
    for usage in (None, Usage(input_tokens=400, output_tokens=20)):
        request.begin_round(SENT)
        for piece in ("Three of ", "the orders ", "are late."):
            request.add_response(piece)
        request.add_response(usage=usage)
        request.end_response()
    counted = count_tokens_text("Three of the orders are late.")
    assert recorded(request).tokens_output == counted + 20


def test_usage_in_several_pieces_is_added_up() -> None:
    request = recorder(Ledger())
    request.begin_round(SENT)
    request.add_response(usage=Usage(input_tokens=400, cached_tokens=50))
    request.add_response(usage=Usage(output_tokens=20))
    metrics = recorded(request)
    assert (metrics.tokens_output, metrics.cached_tokens) == (20, 50)


def test_nothing_is_recorded_before_a_response_arrives() -> None:
    ledger = Ledger()
    assert recorder(ledger).finish() is None
    request = recorder(ledger)
    request.begin_round(SENT)
    assert request.finish() is None
    assert ledger.get_summary()["total_requests"] == 0


class Details(BaseModel):
    cached_tokens: int | None = None


class Reported(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: Details | None = None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (Reported(prompt_tokens=100, completion_tokens=20), Usage(100, 20)),
        (
            Reported(
                prompt_tokens=100,
                completion_tokens=20,
                prompt_tokens_details=Details(cached_tokens=64),
            ),
            Usage(100, 20, 64),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 20, "cache_read_input_tokens": 64},
            Usage(100, 20),
        ),
        (
            {
                "input_tokens": 100,
                "output_tokens": 20,
                "input_tokens_details": {"cached_tokens": 64},
            },
            Usage(100, 20, 64),
        ),
        (
            {
                "input_tokens": 30,
                "output_tokens": 20,
                "cache_read_input_tokens": 64,
                "cache_creation_input_tokens": 6,
            },
            Usage(100, 20, 64),
        ),
        ({"output_tokens": 20}, Usage(0, 20)),
        (
            {
                "prompt_token_count": 100,
                "candidates_token_count": 15,
                "thoughts_token_count": 5,
                "cached_content_token_count": 64,
            },
            Usage(100, 20, 64),
        ),
        (
            {"inputTokens": 30, "outputTokens": 20, "cacheReadInputTokens": 70},
            Usage(100, 20, 70),
        ),
    ],
)
def test_usage_is_read_in_the_form_of_each_provider(usage: Any, expected: Usage) -> None:
    assert read_usage(usage) == expected


@pytest.mark.parametrize(
    "usage",
    [None, {}, "100", 100, {"total_tokens": 120}, {"prompt_tokens": None}, {"input_tokens": -1}],
)
def test_usage_in_no_known_form_is_not_guessed(usage: Any) -> None:
    assert read_usage(usage) is None
