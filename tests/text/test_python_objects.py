"""Test that the `str()` of Python's objects becomes tables that decode to the same bytes."""

from __future__ import annotations

import ast
import datetime as dt
import enum
import json
import pprint
from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from crushing import crush
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import (
    MemoryStore,
    compress,
    content_key,
    decode_table,
    retrieve,
)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Job:
    id: int
    cost: Decimal
    tags: list[str]


Visit = namedtuple("Visit", "page at")


class Shown:
    """A value with the representation that another library would give it."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


ROWS: dict[str, list[Any]] = {
    "SQL rows": [
        (n, f"Carrier {n}", Decimal("12.50") + n, dt.date(2026, 1, 1 + n % 28)) for n in range(60)
    ],
    "one column": [(f"town {n}",) for n in range(60)],
    "times": [
        {"id": n, "at": dt.datetime(2026, 1, 5, 12, n % 60, n, tzinfo=dt.UTC)} for n in range(60)
    ],
    "numpy": [{"id": n, "x": Shown(f"np.float64({n * 0.5})")} for n in range(60)],
    "pandas": [
        {"id": n, "at": Shown(f"Timestamp('2026-01-05 00:00:{n:02}', tz='UTC')")} for n in range(60)
    ],
    "MongoDB": [{"_id": Shown(f"ObjectId('65a{n:021}')"), "n": n} for n in range(60)],
    "not a number": [{"id": n, "x": float("nan") if n % 9 else -n * 0.5} for n in range(60)],
    "enums and bytes": [
        {"color": Color(1 + n % 2), "raw": bytes([n]), "ids": {n, n + 1}, "key": UUID(int=n)}
        for n in range(60)
    ],
    "dataclasses": [Job(n, Decimal(n), ["a", "it's"]) for n in range(60)],
    "named tuples": [Visit(f"/p/{n}", dt.datetime(2026, 1, 5, n % 24, 0)) for n in range(60)],
    "local classes": [
        Shown(f"main.<locals>.Item(id={n}, name='n{n}', at=None)") for n in range(60)
    ],
    "complex": [{"id": n, "z": complex(n - 30, 0.5 - n), "i": complex(0, n)} for n in range(60)],
    "odd complex": [(n, complex("nan+infj"), complex(-0.0, 1e300), 2j) for n in range(60)],
    "arrays": [
        {"id": n, "x": Shown(f"array([[1., {n}.],\n       [3., 4.]])".replace("\n      ", ""))}
        for n in range(60)
    ],
    "keys that are numbers": [{"id": n, "by_day": {1: n, 2: n}} for n in range(60)],
    "backslashes": [{"id": n, "path": f"\\share\\{n}", "pattern": "\\d+"} for n in range(60)],
}


@pytest.mark.parametrize("kind", ROWS)
def test_objects_become_a_table_that_decodes_to_the_same_bytes(kind: str) -> None:
    text = str(ROWS[kind])
    table = crush(text)
    assert table.startswith("[table 60 rows; ")
    assert decode_table(table) == text
    assert len(table) < 0.7 * len(text)


def write_fields(row: dict[str, Any]) -> str:
    return " ".join(f"{key}={value!r}" for key, value in row.items())


LINES = {
    "tuples": [str(row) for row in ROWS["SQL rows"]],
    "tuples of one": [str(row) for row in ROWS["one column"]],
    "dataclasses": [str(row) for row in ROWS["dataclasses"]],
    "named tuples": [str(row) for row in ROWS["named tuples"]],
    "local classes": [str(row) for row in ROWS["local classes"]],
    "fields of times": [write_fields(row) for row in ROWS["times"]],
    "fields of enums": [write_fields(row) for row in ROWS["enums and bytes"]],
    "fields that are missing": [write_fields(row) for row in ROWS["not a number"]],
    "quotes": [
        f"id={n} name={name!r} price=Decimal('1.10')" for n, name in enumerate(["it's"] * 60)
    ],
}


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_objects_on_lines_become_a_table_that_decodes_to_the_same_bytes(
    kind: str, end: str
) -> None:
    text = f"The rows:{end}" + end.join(LINES[kind]) + end
    table = crush(text)
    assert "[table 60 lines; " in table
    assert decode_table(table) == text
    assert len(table) < len(text)


@pytest.mark.parametrize(
    "line",
    [
        "level=info msg='ready' worker={n}",
        "draw(x, {n})",
        "point(x={n}, y = 2)",
        "(see page {n})",
        "A={n} B=c",
        "total = add(a={n}, b=2)",
        "('open', {n}),",
    ],
)
def test_lines_that_str_does_not_write_stay(line: str) -> None:
    text = "\n".join(line.format(n=n) for n in range(100))
    assert "[table " not in crush(text)


def test_lines_of_objects_are_asked_for_by_their_fields() -> None:
    store = MemoryStore()
    text = "\n".join(f"id={n} name='n{n}' price=Decimal('{n}.50')" for n in range(300))
    key = compress([{"role": "tool", "content": text}], store=store).ccr_hashes[0]
    found = retrieve(key, where="price == 57.50", store=store).text
    assert "57,n57,57.50" in found


def test_cells_hold_the_bare_values_and_the_header_their_class_once() -> None:
    table = crush(str(ROWS["SQL rows"]))
    assert table.startswith(
        "[table 60 rows; from Python: "
        '()="tuple",c1,c2,c3:"Decimal(\'…\')",c4:"datetime.date(…)"]\n'
        "0,Carrier 0,12.50,2026-01-01\n"
    )
    assert table.count("Decimal") == 1


@pytest.mark.parametrize(
    ("kind", "where", "row"),
    [
        ("SQL rows", "c1 == 7", "Carrier 7,19.50"),
        ("SQL rows", "c2 == 'Carrier 7'", "Carrier 7,19.50"),
        ("SQL rows", "c3 > 71", "Carrier 59,71.50"),
        ("times", "at == '2026-01-05 12:07:07+00:00'", "2026-01-05 12:07:07+00:00"),
        ("dataclasses", "cost == 7", "7,7,"),
        ("MongoDB", "n == 7", "000007"),
    ],
)
def test_rows_can_be_asked_for_by_their_bare_values(kind: str, where: str, row: str) -> None:
    text, store = str(ROWS[kind]), MemoryStore()
    store.put_many({content_key(text): text})
    result = retrieve(content_key(text), where=where, store=store)
    assert result.found
    assert row in result.text


@pytest.mark.parametrize("kind", ["dataclasses", "times", "enums and bytes", "SQL rows"])
def test_the_line_breaks_of_pprint_are_no_part_of_the_data(kind: str) -> None:
    rows = ROWS[kind]
    assert decode_table(crush(pprint.pformat(rows, sort_dicts=False))) == str(rows)


LONG = 'it\'s the "gate" that is \\ inspected in spring\nand in autumn, unless the river is high é '


@pytest.mark.parametrize(
    "data",
    [
        [{"id": n, "text": LONG * 3} for n in range(40)],
        [{"id": n, "text": f"{n} {LONG}", "more": {"text": LONG * 2}} for n in range(40)],
        [(n, LONG * 2, "\\" + LONG) for n in range(40)],
        [{"id": n, "texts": {LONG * 2}, "pair": (LONG * 2, n)} for n in range(40)],
        {"note": LONG * 4, "rows": [{"n": n, "text": "level crossing " * 40} for n in range(40)]},
        [Shown(f"Job(id={n}, text={LONG!r})") for n in range(40)],
    ],
    ids=["strings", "nested", "tuples", "sets", "beside rows", "objects"],
)
def test_strings_that_pprint_breaks_are_joined(data: Any) -> None:
    text = pprint.pformat(data, sort_dicts=False)
    table = crush(text)
    assert "[table 40 rows; from Python: " in table
    assert "".join(decode_table(table).split()).startswith("".join(str(data)[:20].split()))


@given(
    st.lists(
        st.fixed_dictionaries({"id": st.integers(), "text": st.text("ab '\"\\\n", max_size=300)}),
        min_size=2,
    )
)
def test_broken_strings_decode_to_the_same_data(data: list[Any]) -> None:
    restored = decode_table(crush(pprint.pformat(data, sort_dicts=False)))
    assert ast.literal_eval(restored) == data


def test_objects_inside_other_objects_are_found() -> None:
    jobs = ", ".join(f"TextContent(type='text', text='page {n}', meta=None)" for n in range(30))
    text = f"meta=None content=[{jobs}] isError=False"
    table = crush(text)
    assert table.startswith('meta=None content=[table 30 rows; from Python: ()="TextContent",')
    assert decode_table(table) == text


def test_the_decoded_selection_keeps_whole_objects() -> None:
    text = str(ROWS["SQL rows"] * 5)
    messages = [{"role": "tool", "tool_call_id": "1", "content": text}]
    shorter = str(compress(messages, store=MemoryStore()).messages[0]["content"])
    assert "0,0,Carrier 0,12.50,2026-01-01\n" in shorter
    assert len(shorter) < 0.2 * len(text)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("'\"\\\n\t()[]=,xé")
    | st.binary(max_size=4)
    | st.decimals()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from((None, dt.UTC)))
    | st.sampled_from(Color)
    | st.uuids(),
    lambda within: (
        st.lists(within, max_size=4)
        | st.tuples(within, within)
        | st.sets(st.integers(), max_size=3)
        | st.dictionaries(st.text("a()\\1", max_size=3) | st.integers(), within, max_size=4)
        | st.builds(Job, st.integers(), st.decimals(), st.lists(within, max_size=2))
    ),
    max_leaves=8,
)
rows = st.lists(st.tuples(values, values), min_size=2) | st.lists(
    st.dictionaries(st.sampled_from(("id", "()", "\\x", "tags")), values, min_size=1), min_size=2
)


@given(rows)
def test_every_value_of_python_decodes_to_the_same_bytes(data: list[Any]) -> None:
    text = str(data)
    try:
        json.loads(text)
    except ValueError:
        assert decode_table(crush(text)) == text
