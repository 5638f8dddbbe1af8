"""Test that rows are retrieved with the child rows that belong to them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from headroom_core import MemoryStore, retrieve
from headroom_core.markers import content_key

ORDERS = {
    "orders": [
        {
            "order": 1000 + n,
            "status": "late" if n == 57 else "ok",
            "items": [
                {
                    "sku": f"sku-{n}-{i}",
                    "qty": i + 1,
                    "parts": [{"code": f"p{n}.{i}.{p}", "maker": f"maker {p}"} for p in range(2)],
                }
                for i in range(3)
            ],
        }
        for n in range(120)
    ]
}


def ask(data: Any, **arguments: Any) -> str:
    text = json.dumps(data)
    store = MemoryStore()
    store.put_many({content_key(text): text})
    result = retrieve(content_key(text), store=store, **arguments)
    return result.text if result.found else f"not found: {result.reason}"


@pytest.mark.parametrize(
    "where",
    [
        "order == 1057",
        "status == 'late'",
        "items.sku == 'sku-57-1'",
        "items.parts.code == 'p57.1.0'",
        "order == 1057 and status != 'ok'",
    ],
)
def test_a_row_comes_with_its_children_and_theirs(where: str) -> None:
    text = ask(ORDERS, where=where)
    assert "1057,late" in text
    for i in range(3):
        assert f"57,sku-57-{i},{i + 1}" in text
        assert all(f"p57.{i}.{p},maker {p}" in text for p in range(2))
    assert "sku-58" not in text
    assert text.splitlines()[0].endswith(f"{where}, with 9 child rows")


@pytest.mark.parametrize(
    ("where", "found", "missing"),
    [
        ("^ == 57", ["sku-57-0", "sku-57-2"], "sku-58"),
        ("^.order == 1057", ["sku-57-0", "sku-57-2", "p57.2.1"], "1057,late"),
        ("^.order == 1057 and qty == 2", ["sku-57-1", "p57.1.0"], "sku-57-0"),
        ("order == 1057 and sku endswith '-2'", ["sku-57-2", "p57.2.0"], "sku-57-1"),
        ("^.^.order == 1057", ["p57.0.0", "p57.2.1"], "sku-57"),
        ("^.sku == 'sku-3-1'", ["p3.1.0", "p3.1.1"], "p3.2"),
        ("^.^ == 3 and code contains '.1.'", ["p3.1.0", "p3.1.1"], "p3.2"),
    ],
)
def test_the_row_above_can_be_asked_for(where: str, found: list[str], missing: str) -> None:
    text = ask(ORDERS, where=where)
    assert all(part in text for part in found)
    assert missing not in text.partition("\n")[2]


def test_a_table_without_the_fields_is_passed_over() -> None:
    data = {"jobs": [{"id": n, "state": "ok" if n else "bad"} for n in range(30)]}
    data["hosts"] = [{"host": f"h{n}", "cpu": n} for n in range(30)]
    text = ask(data, where="state != 'ok'")
    assert "0,0,bad" in text
    assert "h3" not in text
    assert "no row has nope; fields: id, state, host, cpu" in ask(data, where="nope == 1")


def test_very_many_children_are_paged() -> None:
    data = [
        {"name": f"host {n}", "logs": [{"line": f"{n}:{i} {'-' * 60} started"} for i in range(700)]}
        for n in range(6)
    ]
    text = ask(data, where="name == 'host 3'")
    assert "3,3,host 3" in text or "3,host 3,+700" in text
    note = text.splitlines()[-1]
    assert " of 700 rows that belong to row 3; the others: headroom_retrieve(key=" in note
    seen = {line.split(",")[-1] for line in text.splitlines() if " started" in line}
    where = json.loads(note[note.index('where="') + 6 : note.index(")]")].split(", page")[0])
    for page in range(1, 200):
        more = ask(data, where=where, page=page)
        if more.startswith("not found"):
            break
        seen |= {line.split(",")[-1] for line in more.splitlines() if " started" in line}
    assert seen == {f"3:{i} {'-' * 60} started" for i in range(700)}


def test_a_word_of_a_child_row_finds_that_row() -> None:
    data = [{**order, "order": f"order {order['order']}"} for order in ORDERS["orders"]]
    text = ask(data, query="Who makes p57.1.0?")
    assert "p57.1.0,maker 0" in text
    assert "sku-58" not in text


def test_megabytes_are_read_in_seconds() -> None:
    data = [
        {
            "order": n,
            "customer": {"name": f"customer {n}", "city": f"city {n % 50}"},
            "items": [{"sku": f"sku-{n}-{i}", "note": "x" * 60, "qty": i} for i in range(4)],
        }
        for n in range(4_000)
    ]
    start = time.process_time()
    assert "sku-3000-3" in ask(data, where="order == 3000")
    assert "sku-77-2" in ask(data, where="^.customer.name == 'customer 77' and qty == 2")
    assert "no row has nope" in ask(data, where="nope == 3000")
    assert time.process_time() - start < 20
