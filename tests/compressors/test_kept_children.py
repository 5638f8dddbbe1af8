"""Test that a kept row keeps its child rows, and that errors are left out by degrees."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from headroom_core import MemoryStore, SmartCrusher, retrieve


def crush(data: Any, query: str = "", store: MemoryStore | None = None) -> Any:
    return SmartCrusher().crush(data=data, query=query, store=store or MemoryStore())


def make_orders(count: int, size: int, depth: int = 1) -> list[dict[str, Any]]:
    def items(prefix: str, levels: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            {"sku": f"{prefix}-{n}", "state": "sent"} for n in range(size)
        ]
        if levels > 1:
            for item in found:
                item["parts"] = items(item["sku"], levels - 1)
        return found

    return [
        {"order": 1000 + n, "customer": f"c{n % 7}", "items": items(f"s{n}", depth)}
        for n in range(count)
    ]


@pytest.mark.parametrize(("count", "size", "depth"), [(150, 3, 1), (60, 2, 3), (25, 12, 1)])
@pytest.mark.parametrize("query", ["", "items of order 1017?", "Where is s9-1?"])
def test_kept_rows_are_whole(count: int, size: int, depth: int, query: str) -> None:
    orders = make_orders(count, size, depth)
    orders[5]["items"][-1]["state"] = "failed"
    store = MemoryStore()
    result = crush({"orders": orders}, query, store)
    by_number = {order["order"]: order for order in orders}
    kept = result.data["orders"]
    assert all(order == by_number[order["order"]] for order in kept)
    numbers = {order["order"] for order in kept}
    assert {1000, 1005, 1000 + count - 1} <= numbers
    assert len(kept) < count / 2
    assert "1017" not in query or 1017 in numbers
    assert "s9-1" not in query or 1009 in numbers
    for marker in result.markers:
        key, where = re.findall(r'key="(\w+)", where="([^"]*)"', marker)[0]
        assert retrieve(key, where=where, store=store).found


def test_very_many_child_rows_say_how_to_get_the_rest() -> None:
    orders = make_orders(40, 2)
    orders[0]["items"] = [{"sku": f"big-{n}", "state": "sent"} for n in range(600)]
    orders[0]["items"][400]["state"] = "failed"
    store = MemoryStore()
    result = crush({"orders": orders}, "", store)
    marker = result.markers[-1]
    kept = re.search(r"of row 0 above, (\d+) of 600 are here", marker)
    assert kept
    assert 20 < int(kept[1]) < 300
    assert "big-400" in result.text
    key, where = re.findall(r'key="(\w+)", where="([^"]*)"', marker)[0]
    assert where == "orders.items.^ == 0"
    assert "big-599" in retrieve(key, where=where, limit=1000, store=store).text


def test_rows_with_other_child_rows_are_not_identical() -> None:
    orders = [{"customer": "c", "items": order["items"]} for order in make_orders(100, 3)]
    assert "identical" not in crush(orders).text


def test_the_first_and_last_rows_stay_though_they_are_identical_to_others() -> None:
    rows = [{"name": f"row {n}", "size": n} for n in range(200)]
    rows[-1] = dict(rows[77])
    result = crush(rows)
    assert result.data[0] == rows[0]
    assert result.data[-1] == rows[-1]


@pytest.mark.parametrize("column", ["level", "status"])
@pytest.mark.parametrize("query", ["", "Find errors"])
def test_the_share_of_kept_errors_falls_smoothly(column: str, query: str) -> None:
    word = {"level": "ERROR", "status": "failed"}[column]
    previous = 100.0
    for errors in range(20, 96, 5):
        rows = [
            {"id": n, column: word if n * errors % 100 < errors else "ok", "note": f"note {n * 37}"}
            for n in range(100)
        ]
        total = sum(row[column] == word for row in rows)
        kept = crush(rows, query).data
        share = 100 * sum(row[column] == word for row in kept) / total
        assert share <= previous + 10
        assert share >= previous - 30
        previous = share
        if query:
            assert sum(row[column] == word for row in kept) >= min(total, 30)


def test_the_errors_that_are_asked_for_come_before_warnings() -> None:
    rows = [
        {
            "id": n,
            "level": "ERROR" if n % 2 else ("WARN" if n % 11 == 0 else "INFO"),
            "text": f"message {n}",
        }
        for n in range(200)
    ]
    kept = crush(rows, "Find errors").data
    errors = sum(row["level"] == "ERROR" for row in kept)
    assert errors >= len(kept) / 2
    assert errors >= 40


def test_identical_errors_are_one_exemplar_and_a_count() -> None:
    rows: list[dict[str, Any]] = [{"level": "ERROR", "text": "disk full"} for _ in range(60)]
    rows += [{"level": "INFO", "text": f"ready {n}"} for n in range(140)]
    result = crush(rows, "Find errors")
    assert sum(row["level"] == "ERROR" for row in result.data) <= 2
    assert "row 0 occurs 60 times" in result.text


def test_json_of_a_kept_row_has_its_values() -> None:
    orders = make_orders(80, 4)
    text = crush(json.loads(json.dumps(orders)), "order 1033").text
    assert all(f"s33-{n}" in text for n in range(4))
