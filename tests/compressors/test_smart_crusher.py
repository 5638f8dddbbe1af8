"""Test the rows that SmartCrusher keeps, the summaries it writes and all of its settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import rows as random_rows

from headroom_core import (
    CrushResult,
    Hints,
    MemoryStore,
    Request,
    SmartCrusher,
    SmartCrusherConfig,
    StorageError,
    content_key,
    decode_table,
    retrieve,
)
from headroom_core.testing import FailingStore

Row = dict[str, Any]
GREEK = ("alpha", "beta", "gamma")
SPORTS = ("run", "walk", "swim")
COUNT = 400
ODD_ROW = 207
MINIMAL = {"max_items_after_crush": 1}
"""Settings that keep only rows for which there is a reason, and no samples."""


def rows(count: int = COUNT, /, **cells: Callable[[int], Any]) -> list[Row]:
    """Return ordinary rows, with further fields computed from the row number."""
    return [
        {
            "id": 1000 + n,
            "node": f"worker-{n % 9}",
            "ms": 100 + (n * 37 % 50) / 10,
            "note": f"{GREEK[n * 7 % 3]} {SPORTS[n * 5 % 3]} {n}",
            **{name: cell(n) for name, cell in cells.items()},
        }
        for n in range(count)
    ]


def cell_with_outlier(odd: Any, usual: Any, position: int = ODD_ROW) -> Callable[[int], Any]:
    """Return a cell function that gives a single row an odd value."""
    return lambda n: odd if n == position else usual


def crush(data: Any, query: str = "", *, hints: Hints | None = None, **config: Any) -> CrushResult:
    return SmartCrusher(SmartCrusherConfig(**config)).crush(
        data, query, store=MemoryStore(), hints=hints
    )


def kept_rows(
    data: list[Row], query: str = "", *, hints: Hints | None = None, **config: Any
) -> list[int]:
    """Return the numbers of the kept rows."""
    return [row["id"] - 1000 for row in crush(data, query, hints=hints, **config).data]


@pytest.mark.parametrize("query", ["", "What was the hottest hour?", "node worker-3"])
@pytest.mark.parametrize("hours", [120, 700])
def test_the_extremes_of_a_time_series_are_kept(query: str, hours: int) -> None:
    series = [
        {
            "time": f"2026-01-{1 + n // 24:02}T{n % 24:02}:00",
            "celsius": round(12 + n * 37 % 101 / 20, 2),
            "wind": n * 7 % 30,
        }
        for n in range(hours)
    ]
    kept = crush(series, query).data
    assert len(kept) < hours
    for field in ("celsius", "wind"):
        for pick in (max, min):
            assert pick(row[field] for row in series) in [row[field] for row in kept]


# Every setting changes a result.


def test_enabled() -> None:
    assert len(kept_rows(rows())) < COUNT
    off = crush(rows(), enabled=False)
    assert off.data == rows()
    assert off.text == json.dumps(rows(), separators=(",", ":"))


def test_min_tokens_to_crush() -> None:
    tokens = crush(rows()).tokens_before
    assert crush(rows(), min_tokens_to_crush=tokens).tokens_after < tokens
    assert crush(rows(), min_tokens_to_crush=tokens + 1).tokens_after == tokens


def test_min_items_to_analyze() -> None:
    assert len(kept_rows(rows(), min_items_to_analyze=COUNT)) < COUNT
    assert len(kept_rows(rows(), min_items_to_analyze=COUNT + 1)) == COUNT


def test_max_items_after_crush() -> None:
    assert len(kept_rows(rows(), max_items_after_crush=8)) == 8
    assert len(kept_rows(rows(), max_items_after_crush=20)) == 20


def test_keep_first() -> None:
    assert kept_rows(rows(), keep_first=9)[:9] == list(range(9))
    assert 0 not in kept_rows(rows(ms=lambda n: 100 + (n + 1) * 37 % 50), keep_first=0)


def test_keep_last() -> None:
    assert kept_rows(rows(), keep_last=9)[-9:] == list(range(COUNT - 9, COUNT))
    assert COUNT - 1 not in kept_rows(rows(), keep_last=0)


@pytest.mark.parametrize(
    ("field", "expected"), [("keep_first", slice(100)), ("keep_last", slice(-100, None))]
)
def test_many_first_or_last_rows_are_kept_on_request(field: str, expected: slice) -> None:
    assert kept_rows(rows(), **{field: 100})[expected] == list(range(COUNT))[expected]


def test_relevance_threshold() -> None:
    query = "the gamma walk on worker-3"
    loose, strict = (
        len(kept_rows(rows(), query, relevance_threshold=share)) for share in (0.1, 1.0)
    )
    assert loose > strict


def test_anomaly_std_threshold() -> None:
    odd = {ODD_ROW: 140.0, 303: 141.0}  # The highest number is always kept.
    data = rows(ms=lambda n: odd.get(n, 100 + (n * 37 % 50) / 10))
    assert ODD_ROW in kept_rows(data, anomaly_std_threshold=2.0, **MINIMAL)
    assert ODD_ROW not in kept_rows(data, anomaly_std_threshold=100.0, **MINIMAL)


def test_preserve_errors() -> None:
    failures = {103, ODD_ROW, 311}
    data = rows(status=lambda n: "failed" if n in failures else "ok")
    assert failures <= {*kept_rows(data, **MINIMAL)}
    assert not failures <= {*kept_rows(data, preserve_errors=False, **MINIMAL)}


def test_preserve_change_points() -> None:
    data = rows(ms=lambda n: (100 if n < ODD_ROW else 160) + (n * 37 % 50) / 10)
    assert {ODD_ROW - 1, ODD_ROW} <= {*kept_rows(data, **MINIMAL)}
    assert not {ODD_ROW - 1, ODD_ROW} & {*kept_rows(data, preserve_change_points=False, **MINIMAL)}


def test_dedup_identical_items() -> None:
    data = [{"id": 7, "town": "the same town"}] * 300 + [
        {"id": 1000 + n, "town": f"town {n}"} for n in range(100)
    ]
    deduplicated, repeated = crush(data), crush(data, dedup_identical_items=False)
    assert deduplicated.data.count(data[0]) == 1
    assert "row 0 occurs 300 times" in deduplicated.markers[0]
    assert repeated.data.count(data[0]) > 1


def test_identical_rows_are_kept_once_with_their_count() -> None:
    data = [{"id": 1000 + n, "town": f"town {n}"} for n in range(100)]
    data[20:20] = [{"id": 7, "town": "the same town"}] * 300
    result = crush(data)
    assert data[20] in result.data
    assert "row 20 occurs 300 times" in result.markers[0]


def test_preserve_fields() -> None:
    data = rows(zone=lambda n: f"z{n // 8}")
    assert len({data[n]["zone"] for n in kept_rows(data, preserve_fields=("zone",))}) == 50
    assert len({data[n]["zone"] for n in kept_rows(data)}) < 50


def test_preserve_fields_takes_dotted_paths() -> None:
    data = rows(place=lambda n: {"zone": f"z{n // 8}", "x": n})
    assert len({n // 8 for n in kept_rows(data, preserve_fields=("place.zone",))}) == 50


def test_relevance_tier() -> None:
    query = f"the walk that has {ODD_ROW} in its name"
    assert ODD_ROW in kept_rows(rows(), query, relevance_tier="bm25", **MINIMAL)
    assert ODD_ROW not in kept_rows(rows(), query, relevance_tier="none", **MINIMAL)


def test_use_feedback_hints() -> None:
    hints = Hints(confidence=0.9, keep=2.0, fields=("zone",))
    data = rows(zone=lambda n: f"z{n // 40}")
    with_hints = kept_rows(data, hints=hints)
    assert len(with_hints) > len(kept_rows(data))
    assert {n // 40 for n in with_hints} == {*range(10)}
    assert kept_rows(data, hints=hints, use_feedback_hints=False) == kept_rows(data)


def test_toin_confidence_threshold() -> None:
    hints = Hints(confidence=0.5, keep=2.0)
    assert len(kept_rows(rows(), hints=hints, toin_confidence_threshold=0.5)) > len(
        kept_rows(rows())
    )
    assert kept_rows(rows(), hints=hints, toin_confidence_threshold=0.51) == kept_rows(rows())


def test_every_setting_has_a_test_named_after_it() -> None:
    assert not [name for name in SmartCrusherConfig.model_fields if f"test_{name}" not in globals()]


# Errors, outliers, change points, rare kinds, first and last are always kept.

ERRORS = {
    "status": ("failed", "ok"),
    "state": ("TIMEOUT", "done"),
    "level": ("CRITICAL", "info"),
    "message": ("connection refused by peer", "request served"),
    "log": ("Traceback (most recent call last)", "all good"),
    "status_code": (503, 200),
    "http_status": (404, 200),
    "exit_code": (137, 0),
    "error": ("disk full", None),
    "errors": (["disk full"], []),
}
EVERYWHERE = (0, 5, ODD_ROW, COUNT - 2, COUNT - 1)


@pytest.mark.parametrize("field", ERRORS)
@pytest.mark.parametrize("position", EVERYWHERE)
def test_an_error_row_is_kept_at_any_position(field: str, position: int) -> None:
    data = rows(**{field: cell_with_outlier(*ERRORS[field], position=position)})
    assert position in kept_rows(data, **MINIMAL)
    assert position in kept_rows(data, f"tell me about {data[99]['id']}")


@pytest.mark.parametrize("field", ERRORS)
def test_errors_are_kept_beyond_the_maximum_number_of_items(field: str) -> None:
    odd, usual = ERRORS[field]
    failures = {*range(3, COUNT, 13)}
    data = rows(**{field: lambda n: odd if n in failures else usual})
    assert failures <= {*kept_rows(data, **MINIMAL)}


@pytest.mark.parametrize(
    ("field", "odd"), [("success", False), ("ok", False), ("failed", True), ("healthy", False)]
)
def test_all_rows_with_a_failure_flag_are_kept(field: str, odd: bool) -> None:
    failures = {*range(3, COUNT, 13)}
    data = rows(**{field: lambda n: (n in failures) == odd})
    assert failures <= {*kept_rows(data)}


def test_a_word_shared_by_most_rows_is_not_an_error() -> None:
    data = rows(state=lambda n: "failed" if n % 10 else "ok")
    assert len(kept_rows(data)) < 100


@pytest.mark.parametrize("every", [12, 4])
def test_many_failures_keep_a_row_of_every_kind(every: int) -> None:
    kinds = [f"error {kind}: cannot reach host" for kind in "ABCDEF"]
    data = rows(2000, message=lambda n: f"served {n}" if n % every != 1 else kinds[n // every % 6])
    kept = kept_rows(data, **MINIMAL)
    assert {data[n]["message"] for n in kept} >= {*kinds}


@pytest.mark.parametrize("position", EVERYWHERE)
@pytest.mark.parametrize("number", [900.5, -900, 1e12])
def test_an_outlier_is_kept(position: int, number: float) -> None:
    data = rows(ms=lambda n: number if n == position else 100 + (n * 37 % 50) / 10)
    assert position in kept_rows(data, **MINIMAL)


def test_both_sides_of_a_level_change_are_kept() -> None:
    data = rows(queue=lambda n: (10 if n < 251 else 30) + n * 31 % 7)
    assert {250, 251} <= {*kept_rows(data, **MINIMAL)}


def test_first_and_last_rows_are_kept_beside_the_queried_row() -> None:
    kept = kept_rows(rows(), f"tell me about {1000 + ODD_ROW}", **MINIMAL)
    assert (kept[0], kept[-1]) == (0, COUNT - 1)
    assert ODD_ROW in kept


def test_a_row_of_every_rare_kind_is_kept() -> None:
    rare = {33: "dam", 61: "lock", ODD_ROW: "weir", 303: "ferry"}
    assert {*rare} <= {
        *kept_rows(rows(kind=lambda n: rare.get(n, ("river", "lake")[n % 2])), **MINIMAL)
    }


def test_a_row_of_a_different_shape_is_kept() -> None:
    data: list[Any] = rows()
    data[ODD_ROW] = {"unlike": "the others", "id": 1000 + ODD_ROW}
    assert ODD_ROW in kept_rows(data, **MINIMAL)


def test_a_row_with_missing_fields_is_kept() -> None:
    data = rows()
    data[ODD_ROW] = {"id": 1000 + ODD_ROW}
    assert ODD_ROW in kept_rows(data, **MINIMAL)


# The rows that the query names are kept.

DAYS = {"day": lambda n: (date(2023, 1, 1) + timedelta(days=n)).isoformat()}
STAMPS = {"at": lambda n: f"{date(2023, 1, 1) + timedelta(days=n)}T08:30:00Z"}
FIRST_NAMES = (
    "Ann Bob Cyd Dan Eve Flo Gus Hal Ida Jon Kim Lee Mia Ned Oda Pam Quy Ray Sue Tom".split()
)
LAST_NAMES = (
    "Adams Brown Clark Davis Evans Ford Green Hill Irwin Jones King Lewis Moore Nash Owens Price"
).split()
PEOPLE = {"first": lambda n: FIRST_NAMES[n // 16 % 20], "last": lambda n: LAST_NAMES[n % 16]}
FLIGHTS = {"day": lambda n: f"2023-05-{1 + n // 20:02}", "flight": lambda n: f"KX{n % 20:03}"}
TITLES = {
    "title": lambda n: f"The {('red', 'blue', 'grey')[n % 3]} house by the river, part {n // 3}"
}
ORDERS = {"order": lambda n: 12_345_000 + 7 * n}

QUERIES: dict[str, tuple[dict[str, Callable[[int], Any]], str]] = {
    "an id": ({}, "what happened to 1207?"),
    "an id with a sign": ({}, "where is order #1207"),
    "a number written with separators": (ORDERS, "who placed order 12,346,449?"),
    "a date in words": (DAYS, "what happened on July 27, 2023?"),
    "a date in words, the day first": (DAYS, "what happened on the 27th of July 2023"),
    "an ISO date": (DAYS, "what happened on 2023-07-27"),
    "two fields together": (
        PEOPLE,
        f"what did {FIRST_NAMES[ODD_ROW // 16]} {LAST_NAMES[ODD_ROW % 16]} order?",
    ),
    "two fields of another kind": (FLIGHTS, "did KX007 on 2023-05-11 leave on time?"),
    "a name in quotes": (TITLES, 'who wrote "The red house by the river, part 69"?'),
    "a name in other quotes": (TITLES, "who wrote “the red house by the river, part 69”?"),
    "the day of timestamps": (STAMPS, "what happened on 2023-07-27?"),
    "the day of timestamps in words": (STAMPS, "what happened on July 27, 2023?"),
    "a date with dots": (DAYS, "what happened on 27.07.2023?"),
    "a path": (
        {"path": lambda n: f"/srv/data/{n % 20}/part-{n:05}.csv"},
        "open /srv/data/7/part-00207.csv please",
    ),
    "JSON arguments": ({}, json.dumps({"job_id": 1207, "verbose": True})),
}


@pytest.mark.parametrize("kind", QUERIES)
def test_the_row_named_in_the_query_is_kept(kind: str) -> None:
    cells, query = QUERIES[kind]
    assert ODD_ROW not in kept_rows(rows(**cells), **MINIMAL)
    assert ODD_ROW in kept_rows(rows(**cells), query, **MINIMAL)


@pytest.mark.parametrize("order", ["12 346 449", "12_346_449", "12'346'449"])
def test_a_number_with_unusual_separators_is_found(order: str) -> None:
    assert ODD_ROW in kept_rows(rows(**ORDERS), f"who placed order {order}?", **MINIMAL)


# The summary of all rows.


def test_the_summary_counts_values_over_all_rows() -> None:
    states = ["ok"] * 350 + ["late"] * 40 + ["lost"] * 10
    marker = crush(rows(state=lambda n: states[n * 143 % COUNT])).markers[0]
    assert "state: ok ×350, late ×40, lost ×10" in marker


def test_the_summary_gives_exact_numbers() -> None:
    amounts = [f"{n * 7919 % 1009 / 100:.2f}" for n in range(COUNT)]
    text = json.dumps(
        [{"id": n, "amount": None if n % 8 == 3 else f"<{amounts[n]}>"} for n in range(COUNT)]
    )
    text = text.replace('"<', "").replace('>"', "")
    known = [Decimal(amount) for n, amount in enumerate(amounts) if n % 8 != 3]
    compressed = SmartCrusher().compress(text, Request("0" * 24, tokens=5000, selecting=True))
    assert compressed is not None
    assert f"amount {min(known)}…{max(known)}, sum {sum(known)}, null 50" in compressed.text


def test_the_summary_gives_the_range_of_times() -> None:
    marker = crush(rows(at=lambda n: f"2024-03-{1 + n * 11 % 28:02}T{n % 24:02}:00:00Z")).markers[0]
    assert re.search(r"at 2024-03-01T\d\d:00:00Z…2024-03-28T\d\d:00:00Z", marker)


def test_the_summary_covers_numbers_in_falling_order() -> None:
    marker = crush(
        [{"id": n, "note": f"note {n}", "amount": 5000 - 9.5 * n} for n in range(COUNT)]
    ).markers[0]
    assert "amount 1209.5…5000.0, sum 1241900.0" in marker


def test_the_summary_counts_null_texts() -> None:
    marker = crush(rows(remark=lambda n: f"see ticket {n}" if n % 4 else None)).markers[0]
    assert "null 100" in marker


@pytest.mark.parametrize("count", [300, 1000, 4000])
def test_the_summary_takes_about_a_hundredth_of_the_array(count: int) -> None:
    columns = {f"field{k}": lambda n, k=k: f"value-{n * (k + 3) % (5 + k)}" for k in range(12)}
    result = crush(rows(count, **columns))
    whole_length = len(crush(rows(count, **columns), min_items_to_analyze=count + 1).text)
    assert len(result.markers[0]) < 0.02 * whole_length + 400


# Every kind of array.


def test_an_array_of_strings_is_reduced() -> None:
    data = [
        f"message number {n} of the queue" if n != 77 else "ERROR: disk full" for n in range(300)
    ]
    result = crush(data, "show message number 155")
    assert len(result.data) < 60
    assert {data[0], data[77], data[155], data[-1]} <= {*result.data}


def test_an_array_of_numbers_is_reduced_and_summed() -> None:
    data = [100 + n * 37 % 50 if n != 77 else 9000 for n in range(600)]
    result = crush(data)
    assert 9000 in result.data
    assert len(result.data) < 60
    assert f"value 100…9000, sum {sum(data)}" in result.markers[0]


def test_an_array_of_mixed_items_is_reduced() -> None:
    data = [
        {"id": n, "note": f"note number {n}"} if n % 10 else f"a plain remark {n}"
        for n in range(300)
    ]
    result = crush(data, "what is note number 155?")
    assert len(result.data) < 100
    assert {"id": 155, "note": "note number 155"} in result.data
    assert any(isinstance(item, str) for item in result.data)


def test_an_array_of_arrays_is_reduced() -> None:
    result = crush([[n, f"name {n}", n * 2.5] for n in range(400)])
    assert result.tokens_after < result.tokens_before / 2


def test_an_object_of_objects_is_reduced() -> None:
    data = {
        f"user-{n}": {"name": f"Name {n}", "state": "failed" if n == 123 else "ok"}
        for n in range(300)
    }
    result = crush(data, "what about user-155?")
    assert {"user-0", "user-123", "user-155"} <= {*result.data}
    assert len(result.data) < 100
    assert " of 300 entries left out here" in result.markers[0]


def test_lists_inside_rows_are_reduced() -> None:
    items = [[{"sku": f"A-{order}-{k}", "state": "sent"} for k in range(9)] for order in range(40)]
    items[7][2]["state"] = "lost"
    result = crush([{"order": order, "items": sent} for order, sent in enumerate(items)])
    kept = {order["order"]: order["items"] for order in result.data}
    assert {0, 7, 39} <= kept.keys()
    assert all(items[order] == sent for order, sent in kept.items())
    assert len(kept) < 15


def test_a_nested_array_is_reduced_and_the_rest_of_the_document_stays() -> None:
    data = {"page": {"number": 1, "of": 9}, "result": {"jobs": rows()}, "next": None}
    result = crush(data)
    assert result.text.startswith('{"page":{"number":1,"of":9},"result":{"jobs":[table ')
    assert result.text.endswith(']\n},"next":null}')
    assert {name: result.data[name] for name in ("page", "next")} == {
        "page": data["page"],
        "next": None,
    }
    assert 5 < len(result.data["result"]["jobs"]) < 100


NUMBERS = range(300)
FOUND = {77: "failed"}
LISTED = [[f"job-{n}", FOUND.get(n, "ok"), n % 7] for n in NUMBERS]
NAMES = ["id", "state", "ms"]
COLUMNS = {
    "time": [f"2026-01-{1 + n // 24:02}T{n % 24:02}:00" for n in NUMBERS],
    "celsius": [n % 17 / 2 for n in NUMBERS],
    "rain": [None if n % 5 else 0.25 for n in NUMBERS],
}
NOTES = [
    {"id": n, "note": json.dumps({"state": FOUND.get(n, "ok"), "user": f"user-{n % 5}"})}
    for n in NUMBERS
]
CELLS = [{"f": [{"v": str(n)}, {"v": f"kind {n % 3}"}]} for n in NUMBERS]


def zip_columns(columns: dict[str, Any]) -> list[Any]:
    lists = [list(item.values()) if isinstance(item, dict) else item for item in columns.values()]
    return list(zip(*lists, strict=True))


@pytest.mark.parametrize(
    ("data", "list_rows"),
    [
        ({"unit": "h", "hourly": COLUMNS}, lambda data: zip_columns(data["hourly"])),
        (
            {name: {str(n): n % size for n in NUMBERS} for name, size in (("a", 7), ("b", 300))},
            zip_columns,
        ),
        (
            {
                "labels": [f"day {n}" for n in NUMBERS],
                "series": [{"data": [n % size for n in NUMBERS]} for size in (7, 11)],
            },
            lambda data: zip_columns(
                {"": data["labels"], **dict(enumerate(series["data"] for series in data["series"]))}
            ),
        ),
        ([NAMES, *LISTED], lambda data: data[1:]),
        ({"columns": NAMES, "rows": LISTED}, lambda data: data["rows"]),
        (
            {"schema": {"fields": [{"name": "a"}, {"name": "b"}]}, "rows": CELLS},
            lambda data: data["rows"],
        ),
        (NOTES, list),
        ({"page": 1, "notes": NOTES}, lambda data: data["notes"]),
        ({f"node {row['id']}": row for row in NOTES}, lambda data: list(data.items())),
        ([{"id": n, "user": f"user-{n}"} if n % 10 else None for n in NUMBERS], list),
    ],
    ids=[
        "columns",
        "columns of objects",
        "aligned series",
        "header row",
        "names beside rows",
        "wrapped cells",
        "strings",
        "strings in an array of an object",
        "entries",
        "nulls",
    ],
)
def test_the_data_hold_exactly_the_kept_rows(
    data: Any, list_rows: Callable[[Any], list[Any]]
) -> None:
    result = crush(data)
    before, after = list_rows(data), list_rows(result.data)
    counts = {
        re.match(r"\[headroom: (\d+) of (\d+) ", marker).groups() for marker in result.markers
    }
    assert counts == {(str(len(before) - len(after)), str(len(before)))}
    assert after[0] == before[0]
    assert after[-1] == before[-1]
    rest = iter(before)
    assert all(row in rest for row in after)


def test_the_data_hold_the_kept_items_of_lists_in_rows() -> None:
    data = [
        {"group": group, "items": [{"sku": f"A-{group}-{n}", "state": "sent"} for n in range(90)]}
        for group in range(6)
    ]
    result = crush(data)
    kept = [item for row in result.data for item in row["items"]]
    assert [row["group"] for row in result.data] == list(range(6))
    assert f"{540 - len(kept)} of 540 rows left out" in result.markers[0]
    assert all(
        item in row["items"]
        for row in data
        for item in kept
        if item["sku"].startswith(f"A-{row['group']}-")
    )


def test_each_reduced_array_of_a_document_has_its_own_marker() -> None:
    users = [{"login": f"user{n}", "role": "owner" if n == 55 else "member"} for n in range(300)]
    result = crush(
        {"jobs": rows(status=cell_with_outlier("failed", "ok")), "few": [1, 2], "users": users}
    )
    assert [re.findall(r"of (\d+) rows", marker) for marker in result.markers] == [
        ["400"],
        ["300"],
    ]
    assert users[55] in result.data["users"]
    assert ODD_ROW + 1000 in [row["id"] for row in result.data["jobs"]]
    assert result.data["few"] == [1, 2]


def select_rows(text: str, query: str = "") -> str:
    compressed = SmartCrusher().compress(
        text, Request(content_key(text), len(text) // 3, query, selecting=True)
    )
    assert compressed is not None
    assert not compressed.lossless
    return compressed.text


def test_JSON_lines_are_reduced() -> None:
    text = select_rows(
        "\n".join(json.dumps(row) for row in rows(status=cell_with_outlier("failed", "ok")))
    )
    assert re.search(r"\[headroom: \d+ of 400 lines left out here", text)
    assert re.search(r"^207,1207,.*,failed$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("separator", "end"), [(",", "\n"), ("\t", "\n"), (";", "\r\n"), ("|", "\n")]
)
def test_separated_values_are_reduced(separator: str, end: str) -> None:
    data = rows(status=cell_with_outlier("failed", "ok"))
    lines = [
        separator.join(map(str, cells)) for cells in ([*data[0]], *[row.values() for row in data])
    ]
    text = select_rows(end.join(lines) + end, "what about 1155?")
    assert re.search(r"\[headroom: \d+ of 400 records left out here", text)
    for line in (lines[1], lines[ODD_ROW + 1], lines[156], lines[-1]):
        assert f"{separator}{line}\n" in text


# Arrays that are not reduced.


def test_a_small_array_is_written_whole() -> None:
    result = crush(rows(12), min_tokens_to_crush=0)
    assert result.markers == ()
    assert json.loads(decode_table(result.text)) == rows(12) == result.data


def test_an_array_of_important_rows_is_written_whole() -> None:
    zones = rows(60, zone=lambda n: f"z{n}")
    result = crush(zones, preserve_fields=("zone",))
    assert result.markers == ()
    assert json.loads(decode_table(result.text)) == zones


def test_every_row_is_written_in_lossless_mode() -> None:
    text = json.dumps(rows())
    compressed = SmartCrusher().compress(
        text, Request(content_key(text), 10_000, "what about 1207?")
    )
    assert compressed is not None
    assert compressed.lossless
    assert json.loads(decode_table(compressed.text)) == rows()


@pytest.mark.parametrize(
    "text", ["", "plain words", "{}", "[1,2]", "[table 3 rows: a]\n1\n", "a,b\n1,2\n"]
)
def test_a_text_without_a_large_array_is_left_unchanged(text: str) -> None:
    compressed = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0)).compress(
        text, Request("0" * 24, 9, selecting=True)
    )
    assert compressed is None or compressed.text == text


# crush().


def test_the_original_is_stored_before_crush_returns() -> None:
    store = MemoryStore()
    result = SmartCrusher().crush(data=rows(), store=store)
    key, where = re.findall(
        r'headroom_retrieve\(key="(\w{24})", where="([^"]+)"\)', result.markers[0]
    )[0]
    assert json.loads(retrieve(key, limit=None, store=store).text) == rows()
    assert retrieve(key, where=where, store=store).found


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "order_id",
        "orderId",
        "a b",
        "a.b",
        "in",
        "and",
        "title",
        "null",
        "true",
        "false",
    ],
)
def test_the_call_in_a_marker_retrieves_an_omitted_row(name: str) -> None:
    store = MemoryStore()
    result = SmartCrusher().crush(
        [{name: f"v-{n}", "sort": f"s{n % 7}"} for n in range(COUNT)], store=store
    )
    key, where = re.findall(
        r'headroom_retrieve\(key="(\w{24})"(?:, where="([^"]+)")?\)', result.markers[0]
    )[0]
    found = retrieve(key, where=where or None, limit=None, store=store)
    assert found.found
    assert {*re.findall(r"v-\d+", found.text)} - {row[name] for row in result.data}


def test_rows_are_not_omitted_if_the_original_cannot_be_stored() -> None:
    with pytest.raises(StorageError, match="full"):
        SmartCrusher().crush(
            rows(), store=FailingStore("put_many", error=StorageError("the disk is full"))
        )


def test_the_result_fields_are_consistent() -> None:
    data = rows()
    result = crush(data)
    assert result.tokens_after < result.tokens_before / 5
    assert len(result.markers) == 1
    assert result.markers[0] in result.text
    assert f"{COUNT - len(result.data)} of {COUNT} rows left out" in result.markers[0]


def is_subsequence(part: list[Any], whole: list[Any]) -> bool:
    rest = iter(whole)
    return all(item in rest for item in part)


@given(random_rows(min_size=30, max_size=120), st.sampled_from(["", "failed payments", "1033"]))
def test_the_kept_rows_are_a_subsequence_of_the_input(data: list[Row], query: str) -> None:
    result = crush(data, query, min_tokens_to_crush=0)
    assert is_subsequence(result.data, data)
    assert len(result.data) == len(data) or result.markers
    assert result.tokens_after <= result.tokens_before


def test_kept_rows_keep_their_null_fields() -> None:
    data = [None if n % 3 == 0 else {"id": 1000 + n, "note": None, "sign": "a"} for n in range(600)]
    kept = [row for row in crush(data).data if row]
    assert kept
    assert all([*row] == ["id", "note", "sign"] for row in kept)


def test_the_input_is_not_mutated() -> None:
    data = {"jobs": rows()}
    crush(data)
    assert data == {"jobs": rows()}


@pytest.mark.parametrize(
    "data",
    [{1, 2}, [object()], {"at": date(2024, 1, 1)}, b"bytes"],
    ids=["set", "object", "date", "bytes"],
)
def test_non_JSON_data_is_a_TypeError(data: Any) -> None:
    with pytest.raises(TypeError, match="JSON"):
        crush(data)


def test_a_decimal_is_accepted_as_text() -> None:
    assert crush(rows(price=lambda n: Decimal(f"{n}.10"))).tokens_after > 0


def test_every_process_keeps_the_same_errors() -> None:
    """Errors that start alike are of the same kind, and the budget keeps the first of a kind."""
    code = """if True:
        import json
        from headroom_core import Request, SmartCrusher, SmartCrusherConfig
        rows = [
            {"id": n, "error": f"{'x' * 90} {'abcdefghij'[n % 10]} {n} {'y' * 500}"}
            if n % 4 == 1
            else {"id": n, "error": None}
            for n in range(200)
        ]
        crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))
        request = Request("k" * 24, 10**5, selecting=True)
        print(crusher.compress(json.dumps(rows), request).text)
    """
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12345"
    }
    assert len(printed) == 1


def test_a_row_is_found_by_the_plural_or_singular_of_its_words() -> None:
    rows = [{"id": 100 + n, "text": f"note {n * 37 % 101} of the day"} for n in range(300)]
    rows[71]["text"] = "a broken turbine near the dam"
    rows[173]["text"] = "broken turbines near the dam"
    for question in ("Where are broken turbines?", "Where is the broken turbine?"):
        kept = SmartCrusher().crush(rows, question, store=MemoryStore()).data
        assert {171, 273} <= {row["id"] for row in kept}
