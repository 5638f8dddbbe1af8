"""Test that JSON and tables among documents give rows if a budget does not take all."""

from __future__ import annotations

import json

import pytest

from headroom_core import compress_documents
from headroom_core.text.sentences import ELLIPSIS

WEATHER = "The weather in spring is mild. Trees bloom early. People walk along the lake."
ORDERS = [{"order": 1000 + n, "customer": f"c{n % 37}", "total": n * 1.37} for n in range(300)]
NESTED = {
    "orders": [
        {"order": 1000 + n, "items": [{"sku": f"s{n}-{item}", "qty": item} for item in range(3)]}
        for n in range(100)
    ]
}
SETTINGS = {f"kernel.{n}": {"value": n, "default": 2 * n} for n in range(300)}
LINES = "\n".join(json.dumps(order) for order in ORDERS)


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        (json.dumps(ORDERS), "What is the total of order 1234?", ["234,1234,c12,320.58"]),
        (json.dumps(NESTED), "Which items has order 1057?", ["1057", "s57-0,0", "s57-2,2"]),
        (json.dumps(SETTINGS), "value of kernel.57", ["57,kernel.57,57,114"]),
        (LINES, "What is the total of order 1234?", ["1234"]),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_budget_keeps_the_rows_that_answer(
    text: str, query: str, expected: list[str], is_first: bool
) -> None:
    texts = [text, WEATHER] if is_first else [WEATHER, text]
    result = compress_documents(texts, query, token_budget=300)
    kept = result.texts[not is_first]
    assert all(row in kept for row in expected)
    assert kept.endswith(ELLIPSIS)
    assert result.tokens_after <= 300
    assert result.changes[not is_first].action == "selected"


def test_further_rows_leave_room_for_other_documents() -> None:
    texts = [json.dumps(ORDERS), "Order 1234 was delayed by snow.", WEATHER]
    result = compress_documents(texts, "What is the total of order 1234?", token_budget=250)
    assert "1234" in result.texts[0]
    assert result.texts[1] == texts[1]


def test_without_a_query_the_first_rows_are_kept() -> None:
    result = compress_documents([json.dumps(ORDERS)], token_budget=100)
    assert result.texts[0].startswith("[table ")
    assert " of 300 rows" in result.texts[0]
    assert "0,1000,c0,0.0" in result.texts[0]


def test_a_warning_says_if_a_better_document_does_not_fit() -> None:
    record = json.dumps({"order": {"number": 1234, "note": "late " * 300}})
    result = compress_documents([record, WEATHER], "order 1234", token_budget=60)
    assert result.texts[0] == ""
    (warning,) = result.warnings
    assert "document 0" in warning
