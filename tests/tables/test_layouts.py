"""Test which values are one table by row, what names its columns have, and which are no table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headroom_core import MemoryStore, content_key, decode_table, retrieve
from headroom_core.tables.codec import parse_text, render_lossless
from headroom_core.tables.frame import Frame
from headroom_core.text.exact_json import fingerprint, parse

DAYS = [f"2026-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(60)]
RAIN = [round(n * 7 % 31 / 10, 1) for n in range(60)]
WIND = ["north" if n % 3 else "south" for n in range(60)]
TAGS = [["wet", n, "cold"][: n % 4] for n in range(60)]
ROWS = [list(row) for row in zip(DAYS, RAIN, WIND)]
NAMES = ["day", "rain", "wind"]
TEXTS = [[str(cell) for cell in row] for row in ROWS]
# Each value, and the header of its table.
HEADERS: dict[str, tuple[Any, str]] = {
    "arrays side by side": (
        {"units": {"rain": "mm"}, "daily": {"day": DAYS, "rain": RAIN, "wind": WIND}},
        "[table 60 rows; by column: day,rain,wind]",
    ),
    "arrays with other members between": (
        {"s": "ok", "day": DAYS, "unit": "mm", "rain": RAIN, "wind": WIND, "v": 1},
        '[table 60 rows; by column; == is no column: day,unit=="mm",rain,wind]',
    ),
    "arrays beside a list of objects": (
        {"ids": DAYS, "texts": WIND, "meta": [{"rain": rain} for rain in RAIN], "none": None},
        "[table 60 rows; by column: ids,texts,meta{rain}]",
    ),
    "arrays of lists and of mixed values beside others": (
        {
            "day": DAYS,
            "tags": TAGS,
            "wind": WIND,
            "rain": [n or [n, {}] for n in RAIN],
        },
        "[table 60 rows; by column: day,tags,wind,rain]",
    ),
    "pairs beside times": (
        {"day": DAYS, "wind": WIND, "bids": [[rain, 1] for rain in RAIN]},
        "[table 60 rows; by column: day,wind,bids]",
    ),
    "objects by column with numbers as keys": (
        {name: {str(n): row[k] for n, row in enumerate(ROWS)} for k, name in enumerate(NAMES)},
        "[table 60 rows; by column; keys = row numbers: day,rain,wind]",
    ),
    "objects by column with dates as keys": (
        {"rain": dict(zip(DAYS, RAIN)), "wind": dict(zip(DAYS, WIND))},
        "[table 60 rows; by column; @ = key: @,rain,wind]",
    ),
    "names, index and rows": (
        {"columns": NAMES, "index": list(range(60)), "data": ROWS},
        "[table 60 rows; by column: index,data[day,rain,wind]]",
    ),
    "header row above numbers": (
        {"range": "A1:C61", "values": [NAMES, *ROWS]},
        "[table 60 rows; names from the first row: [day,rain,wind]]",
    ),
    "header row above strings": (
        [NAMES, *TEXTS],
        "[table 60 rows; names from the first row: [day,rain:str,wind]]",
    ),
    "names beside the rows": (
        {"header": NAMES, "rows": ROWS},
        "[table 60 rows: [day,rain,wind]]",
    ),
    "columns described beside the rows": (
        {"columns": [{"type": "text", "name": name} for name in NAMES], "data_array": ROWS},
        "[table 60 rows: [day,rain,wind]]",
    ),
    "columns described under another key": (
        {"metaData": [{"name": name, "dbType": 2} for name in NAMES], "rowSet": ROWS},
        "[table 60 rows: [day,rain,wind]]",
    ),
    "a type for each column": (
        {"meta": {"rowType": [{"table": "t", "name": n} for n in NAMES], "n": 60}, "data": TEXTS},
        "[table 60 rows: [day,rain:str,wind]]",
    ),
    "descriptions of a cursor": (
        {"description": [[name, 1, None] for name in NAMES], "rows": ROWS},
        "[table 60 rows: [day,rain,wind]]",
    ),
    "names above the rows": (
        {"manifest": {"schema": {"columns": [{"name": n} for n in NAMES]}}, "result": {"a": ROWS}},
        "[table 60 rows: [day,rain,wind]]",
    ),
    "objects as cells with a schema": (
        {
            "schema": {"fields": [{"name": name, "mode": "NULLABLE"} for name in NAMES]},
            "rows": [{"f": [{"v": cell} for cell in row]} for row in ROWS],
        },
        "[table 60 rows: f[day,rain,wind]{v}]",
    ),
    "dimensions and metrics": (
        {
            "dimensionHeaders": [{"name": "day"}, {"name": "wind"}],
            "metricHeaders": [{"name": "rain", "type": "TYPE_FLOAT"}],
            "rows": [
                {
                    "dimensionValues": [{"value": day}, {"value": wind}],
                    "metricValues": [{"value": str(rain)}],
                }
                for day, rain, wind in ROWS
            ],
        },
        "[table 60 rows: dimensionValues[day,wind]{value},metricValues[rain:str]{value}]",
    ),
    "header row of objects as cells": (
        {"Rows": [{"Data": [{"VarCharValue": cell} for cell in row]} for row in [NAMES, *TEXTS]]},
        "[table 60 rows; names from the first row: Data[day,rain:str,wind]{VarCharValue}]",
    ),
}
NO_TABLES: dict[str, Any] = {
    "two lists of messages, as long by chance": {
        "errors": ["disk is full", "no route", "bad name", "late", "no reply"],
        "warnings": ["disk is old", "slow", "short name", "early", "retried twice"],
    },
    "coordinates": {"tags": ["road", "bridge"], "points": [[n, n * 2] for n in range(20)]},
    "lists of strings without a header": {"pairs": [[f"a{n}", f"b{n}"] for n in range(20)]},
    "record of objects": {
        "server": {"port": 80, "host": "a", "enabled": True},
        "database": {"url": "b", "pool": 5, "enabled": True},
        "cache": {"size": 10, "ttl": 5, "policy": "lru"},
        "mail": {"from": "c", "retries": 2, "enabled": False},
        "log": {"level": "info", "file": "d", "rotate": "daily"},
    },
    "record of many fields": {f"field_{chr(97 + n)}": f"value {n}" for n in range(26)},
}


def find_frames(value: Any) -> list[Frame]:
    return [part for part in parse_text(json.dumps(value)) or [] if isinstance(part, Frame)]


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("write", [json.dumps, repr])
def test_rows_are_written_as_one_table_and_read_back(kind: str, write: Any) -> None:
    value, header = HEADERS[kind]
    text = write(value)
    written = render_lossless(parse_text(text) or []) or ""
    expected = header if write is json.dumps else header.replace(": ", "; from Python: ", 1)
    assert expected in written
    assert written.count("[table 60") == 1
    decoded = decode_table(written)
    assert (
        fingerprint(parse(decoded)) == fingerprint(parse(text))
        if write is json.dumps
        else (decoded == text)
    )


@pytest.mark.parametrize("kind", HEADERS)
def test_rows_are_found_by_the_names_of_their_columns(kind: str) -> None:
    text = json.dumps(HEADERS[kind][0])
    store = MemoryStore()
    store.put_many({content_key(text): text})
    names = {"arrays beside a list of objects": ("ids", "texts")}.get(kind, ("day", "wind"))
    day = "@" if "dates as keys" in kind else names[0]
    where = f"{day} == '2026-01-18' and {names[1]} == 'north'"
    found = retrieve(content_key(text), where=where, store=store).text
    assert "\n17," in found
    assert "\n18," not in found
    assert all(cell in found.replace("north", WIND[17]) for cell in ("2026-01-18", str(RAIN[17])))


@pytest.mark.parametrize("kind", NO_TABLES)
def test_what_only_looks_like_a_table_is_none(kind: str) -> None:
    assert all(frame.is_scalar for frame in find_frames(NO_TABLES[kind]))


def test_lists_of_objects_of_one_length_are_tables_of_their_own() -> None:
    users = [{"user": n, "name": f"u{n}"} for n in range(20)]
    orders = [{"order": n, "total": n * 3} for n in range(20)]
    frames = find_frames({"users": users, "orders": orders})
    assert [frame.name for frame in frames] == ["users", "orders"]


def test_rows_shorter_and_longer_than_their_header_are_read_back() -> None:
    values = [NAMES, *ROWS, [], ["2026-05-01"], ["2026-05-02", 1, "north", "a note"]]
    written = render_lossless(parse_text(json.dumps(values)) or []) or ""
    assert "[table 63 rows" in written
    assert json.loads(decode_table(written)) == values


def test_rows_are_named_by_the_nearest_list_of_names() -> None:
    results = [
        {"columns": [f"{name} {number}" for name in NAMES], "rows": ROWS} for number in range(3)
    ]
    frames = find_frames({"columns": ["x", "y", "z"], "results": results})
    assert [frame.columns[0].path for frame in frames] == [("day 0",), ("day 1",), ("day 2",)]
    assert [frame.name for frame in frames] == [f"results[{number}].rows" for number in range(3)]


def test_columns_that_differ_in_length_stay_apart() -> None:
    frames = find_frames({"day": DAYS, "rain": RAIN, "wind": WIND[:50], "note": WIND[:49]})
    assert [len(frame.columns) for frame in frames] == [2, 1, 1]


def test_what_is_large_between_columns_is_a_table_of_its_own() -> None:
    events = [{"event": n, "text": f"event {n}"} for n in range(90)]
    value = {"day": DAYS, "rain": RAIN, "events": events, "wind": WIND, "tags": TAGS}
    frames = find_frames(value)
    assert [(len(frame.rows), len(frame.columns)) for frame in frames] == [
        (60, 2),
        (90, 2),
        (60, 2),
    ]
    assert (
        json.loads(decode_table(render_lossless(parse_text(json.dumps(value)) or []) or ""))
        == value
    )


def test_lists_longer_than_the_array_that_holds_them_are_rows_themselves() -> None:
    value = {"names": [f"n{n}" for n in range(6)], "units": ["mm"] * 6, "series": [RAIN] * 6}
    assert "series" not in find_frames(value)[0].columns[-1].path


def test_records_that_do_not_describe_columns_name_none() -> None:
    users = [{"name": f"u{n}", "role": "admin"} for n in range(3)]
    *_, points = find_frames({"users": users, "points": [[n, n * 2, n * 3] for n in range(20)]})
    assert points.is_scalar
