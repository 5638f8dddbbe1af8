"""Test that rows are left out only where that saves more than a retrieval risks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headroom_core import ConfigurationError, compress
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.stores import MemoryStore
from headroom_core.transforms.break_even import BreakEven


def variants(count: int) -> str:
    sizes, colours = ("s", "m", "l"), ("red", "green", "blue")
    items = [
        {
            "sku": f"{7000 + 13 * n}",
            "options": {"size": sizes[n % 3], "colour": colours[n % 2]},
            "price": 40 + n * 1.37,
            "available": n % 4 != 0,
            "warehouse": f"hall {n % 5}, shelf {n * 7 % 90}",
        }
        for n in range(count)
    ]
    return json.dumps(items)


def ask(content: str, question: str = "How many are there?", **ccr: Any) -> Any:
    call = {"id": "c", "type": "function", "function": {"name": "products", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": content},
    ]
    config = HeadroomConfig(ccr=CCRConfig(**ccr))
    return compress(messages, config=config, store=MemoryStore()).changes[-1]


@pytest.mark.parametrize("count", [12, 20])
@pytest.mark.parametrize("question", ["How many are there?", "price of 7013?"])
def test_small_lists_stay_whole(count: int, question: str) -> None:
    assert ask(variants(count), question).action == "rewritten"


def test_a_small_map_and_a_dozen_prices_stay_whole() -> None:
    products = {str(n): {"price": 40 + n * 1.37, "size": "m", "name": f"n{n}"} for n in range(30)}
    prices = [{"name": f"product {n}", "price": n * 1.37} for n in range(12)]
    assert ask(json.dumps(products)).action != "selected"
    assert ask(json.dumps(prices)).action != "selected"


def test_large_lists_lose_rows() -> None:
    change = ask(variants(400), "price of 7013?")
    assert change.action == "selected"
    assert change.tokens_after < 0.2 * change.tokens_before


def test_the_minimum_is_measured_against_the_lossless_form() -> None:
    # The rows differ in one column alone, so that a table without loss is small already.
    rows = json.dumps([{"id": n, "status": "ok", "region": "eu-west-1"} for n in range(150)])
    change = ask(rows)
    assert change.action == "rewritten"
    assert change.tokens_before - change.tokens_after > 1000


def test_more_must_be_saved_if_fewer_requests_follow() -> None:
    rows = variants(45)
    assert ask(rows, expected_requests=1).action == "rewritten"
    assert ask(rows, expected_requests=100).action == "selected"


def test_the_minimum_can_be_raised_and_turned_off() -> None:
    rows = variants(60)
    assert ask(rows, min_tokens_saved=20_000).action == "rewritten"
    assert ask(variants(20), min_tokens_saved=0).action == "selected"


@pytest.mark.parametrize(
    "values", [{"min_tokens_saved": -1}, {"expected_requests": 0}, {"min_tokens_saved": "many"}]
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        CCRConfig(**values)


def test_a_higher_risk_or_fewer_requests_need_more() -> None:
    assert BreakEven(400, 10).required(0.1) <= BreakEven(400, 10).required(0.2)
    assert BreakEven(400, 10).required(0.2) < BreakEven(400, 1).required(0.2)
    assert BreakEven(400, 10).required(1.0) > 10_000
    assert BreakEven(0, 1).required(0.9) == 0
