"""Test that tables that stand apart but belong together lose the same rows and are found as one."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from headroom_core import MemoryStore, compress, content_key, decode_table, retrieve
from headroom_core.tables.codec import parse_text, render_lossless
from headroom_core.tables.frame import Frame
from headroom_core.tables.reader import read_tables

COUNT = 240
TIMES = [1_700_000_000 + 3600 * n for n in range(COUNT)]
DAYS = [f"day {n}" for n in range(COUNT)]


def series(seed: int) -> list[float]:
    return [
        round(50 + 20 * math.sin(n / 9 + seed) + n * 7919 * (seed + 1) % 101 / 30, 2)
        for n in range(COUNT)
    ]


def pairs(seed: int) -> list[Any]:
    return [[time, str(value)] for time, value in zip(TIMES, series(seed))]


SHAPES: dict[str, Any] = {
    "Yahoo": {
        "chart": {
            "result": [
                {
                    "meta": {"symbol": "ABC", "range": "1d"},
                    "timestamp": TIMES,
                    "indicators": {
                        "quote": [{"open": series(1), "high": series(2), "low": series(3)}],
                        "adjclose": [{"adjclose": series(4)}],
                    },
                }
            ]
        }
    },
    "Chart.js": {
        "type": "line",
        "data": {
            "labels": DAYS,
            "datasets": [{"label": f"s{n}", "data": series(n)} for n in range(2)],
        },
    },
    "Chart.js with many lines": {
        "labels": DAYS,
        "datasets": [{"label": f"s{n}", "data": series(n)} for n in range(7)],
    },
    "Plotly": {"data": [{"x": DAYS, "y": series(n), "name": f"t{n}"} for n in range(3)]},
    "Prometheus": {
        "status": "success",
        "data": {
            "resultType": "matrix",
            "result": [{"metric": {"job": f"j{n}"}, "values": pairs(n)} for n in range(6)],
        },
    },
    "Grafana": [{"target": f"s{n}", "datapoints": pairs(n)} for n in range(3)],
    "columns around a large list": {
        "time": TIMES,
        "events": [{"event": n, "text": f"event {n}"} for n in range(30)],
        "value": series(1),
    },
    "Highcharts": {
        "xAxis": {"categories": DAYS},
        "series": [{"name": f"s{n}", "data": series(n)} for n in range(5)],
    },
}


def shorten(value: Any) -> tuple[str, MemoryStore]:
    store = MemoryStore()
    message = {"role": "tool", "tool_call_id": "1", "content": json.dumps(value)}
    return str(compress([message], store=store).messages[0]["content"]), store


@pytest.mark.parametrize("shape", SHAPES)
def test_aligned_tables_lose_the_same_rows(shape: str) -> None:
    text, store = shorten(SHAPES[shape])
    tables = [table for table in read_tables(text) if table.total == COUNT]
    assert len(tables) > 1
    assert {tuple(table.numbers or ()) for table in tables} == {tuple(tables[0].numbers or ())}
    assert 0 < len(tables[0].rows) < COUNT / 2
    calls = set(re.findall(r'key="(\w+)", where="([^"]*# == (\d+))"', text))
    assert calls
    for key, where, number in calls:
        found = retrieve(key, where=where, store=store).text
        assert f"\n{number}," in found
        assert found.startswith(("row ", "1 of "))


@pytest.mark.parametrize("shape", SHAPES)
def test_aligned_tables_are_read_back(shape: str) -> None:
    written = render_lossless(parse_text(json.dumps(SHAPES[shape])) or []) or ""
    assert json.loads(decode_table(written)) == SHAPES[shape]


@pytest.mark.parametrize(
    "where",
    [
        "# == 7",
        f"timestamp == {TIMES[7]}",
        f"chart.result[0].timestamp == {TIMES[7]}",
        f"value == {TIMES[7]}",
        f". == {TIMES[7]}",
        f"open == {series(1)[7]} and high == {series(2)[7]} and # < 9",
        f"chart.result[0].indicators.quote[0].open == {series(1)[7]} and # < 9",
        "chart.result[0].timestamp.# == 7",
        "timestamp.# in [7]",
    ],
)
def test_a_row_is_found_whole_over_aligned_tables(where: str) -> None:
    text, store = json.dumps(SHAPES["Yahoo"]), MemoryStore()
    store.put_many({content_key(text): text})
    found = retrieve(content_key(text), where=where, store=store).text
    assert found.startswith(f"row 7 of {COUNT} where")
    assert all(str(cell[7]) in found for cell in (TIMES, series(1), series(2), series(4)))


def test_extremes_of_aligned_series_are_kept() -> None:
    text, _ = shorten(SHAPES["Yahoo"])
    assert all(str(pick(series(n))) in text for n in (1, 2) for pick in (min, max))


def test_independent_lists_of_one_length_are_shortened_as_much() -> None:
    lists = [{"q": f"q{k}", "ids": [f"doc-{k}-{n}" for n in range(100)]} for k in range(8)]
    others = [{**item, "ids": item["ids"][: 100 - k]} for k, item in enumerate(lists)]
    together, apart = (len(shorten({"results": value})[0]) for value in (lists, others))
    assert together < 1.2 * apart


@pytest.mark.parametrize(
    "value",
    [
        [{"id": n, "vector": [n * k % 97 for k in range(64)]} for n in range(3)],
        [
            {"name": f"f{n}", "geometry": {"coordinates": [[k, n * k] for k in range(50)]}}
            for n in range(9)
        ],
        [{"name": f"n{n}", "friends": [f"friend {k}" for k in range(20 + n)]} for n in range(9)],
    ],
    ids=["vectors", "geometry", "friends"],
)
def test_long_lists_of_records_stay_in_their_rows(value: Any) -> None:
    assert [
        len(part.rows) for part in parse_text(json.dumps(value)) or [] if isinstance(part, Frame)
    ] == [len(value)]


# Several tables of one text.

USERS = [{"id": n, "name": f"user {n}", "note": f"note {n * 7}"} for n in range(150)]
ORDERS = [{"id": n, "total": n * 31 % 97, "note": f"order {n * 3}"} for n in range(150)]
PLAIN = [{"total": n * 31 % 97, "note": f"order {n * 3}"} for n in range(150)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps({"users": USERS, "orders": PLAIN}), "orders"),
        (json.dumps({"in": USERS, "or": PLAIN}), "'or'"),
        (json.dumps(USERS) + "\n" + json.dumps(PLAIN), "'table 2'"),
        (json.dumps({"rows": USERS}) + "\n" + json.dumps({"rows": PLAIN}), "'table 2'"),
    ],
)
def test_an_example_by_number_names_its_table(text: str, name: str) -> None:
    store = MemoryStore()
    message = {"role": "tool", "tool_call_id": "1", "content": text}
    shorter = str(compress([message], store=store).messages[0]["content"])
    key, where = re.findall(r'key="(\w+)", where="([^"]*)"', shorter)[-1]
    assert re.fullmatch(rf"{name}\.# == \d+", where)
    found = retrieve(key, where=where, store=store).text
    assert found.startswith("1 of 300 rows in 2 tables")
    assert f"{name.strip(chr(39))}:\n[table 1 of 150 rows" in found
    assert f"150 rows of {name.strip(chr(39))};" in shorter


def test_child_tables_are_told_apart() -> None:
    text = json.dumps(
        [
            {
                "id": n,
                "items": [{"sku": f"s{n}{k}", "text": "x" * 20} for k in range(3)],
                "payments": [{"sum": n * k, "text": "y" * 20} for k in range(2)],
            }
            for n in range(30)
        ]
    )
    store = MemoryStore()
    store.put_many({content_key(text): text})
    found = retrieve(content_key(text), where="payments.^ == 3", store=store).text
    assert "y" * 20 in found
    assert "x" * 20 not in found
    assert retrieve(content_key(text), where="items.# == 3", store=store).text.startswith("1 of ")
