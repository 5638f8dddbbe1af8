"""Test the expressions that select rows."""

from __future__ import annotations

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import normalize
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core.errors import ValidationError
from headroom_core.retrieval.fields import field_names
from headroom_core.retrieval.where import parse_where
from headroom_core.tables.rows import find_rows

ROWS: list[Any] = [
    {
        "id": 1,
        "status": "failed",
        "amount": 9.5,
        "owner": {"login": "Ann", "state": "on"},
        "tags": ["Beta", "x"],
    },
    {
        "id": "2",
        "status": "ok",
        "amount": Decimal("0.1"),
        "owner": {"login": "bob", "state": "off"},
        "tags": [],
    },
    {
        "id": 3,
        "status": "Failed",
        "amount": None,
        "active": True,
        "http.status": 500,
        "a b": {"c.d": [10, 20]},
    },
    {
        "id": 12345678901234567890123,
        "status": 'it\'s "odd"',
        "amount": 100,
        "active": "TRUE",
        "day": "2024-05-01",
    },
]


def select_rows(where: str, rows: list[Any] = ROWS) -> list[int]:
    return parse_where(where).select(rows)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("status == 'failed'", [0]),
        ('status = "failed"', [0]),
        ("status is 'failed'", [0]),
        ("status != 'failed'", [1, 2, 3]),
        ("status <> 'failed'", [1, 2, 3]),
        ("id == 2", [1]),
        ("id == '1'", [0]),
        ("id > 1 and id <= 3", [1, 2]),
        ("2 < id", [2, 3]),
        ("1 < id and 3 >= id or 'ok' == status", [1, 2]),
        ("id == 12345678901234567890123", [3]),
        ("id == 12345678901234567890124", []),
        ("amount == 9.50", [0]),
        ("amount == 0.1", [1]),
        ("amount == 1e2", [3]),
        ("amount >= -1", [0, 1, 3]),
        ("amount == null", [2]),
        ("amount is not None", [0, 1, 3]),
        ("active == true", [2, 3]),
        ("active == 'true'", [2]),
        ("active == 1", []),
        ("active != true", [0, 1]),
        ("active < 5 or active >= 5", []),
        ("status in ['ok', 'failed']", [0, 1]),
        ("id in (1, 2)", [0, 1]),
        ("id not in [1, 2]", [2, 3]),
        ("status contains 'FAIL'", [0, 2]),
        ("status not contains 'fail'", [1, 3]),
        ("tags contains 'beta'", [0]),
        ("'x' in tags", [0]),
        ("tags == []", [1]),
        ("tags == ['Beta', 'x']", [0]),
        ("status startswith 'fa'", [0, 2]),
        ("status endswith 'D'", [0, 2]),
        ("id contains 456", [3]),
        ("owner.login == 'bob'", [1]),
        ("login == 'bob'", [1]),
        ("state == 'off'", [1]),
        ("http.status == 500", [2]),
        ('"a b"."c.d"[1] == 20', [2]),
        ("'a b'.c.d[-1] >= 20", [2]),
        ("a b . c.d[0] == 10", [2]),
        ("tags[0] == 'Beta'", [0]),
        ("tags.0 == 'Beta'", [0]),
        ("tags[7] == 'Beta'", []),
        ("day >= 2024-05-01", [3]),
        ("nothing == 1", []),
        ("nothing == null", [0, 1, 2, 3]),
        ("nothing != 1", [0, 1, 2, 3]),
        ("not nothing > 1", [0, 1, 2, 3]),
        ("status == 'it\\'s \"odd\"'", [3]),
        ("NOT (status == 'ok' OR id == 1) AND amount == 100", [3]),
        ("!(id == 1) && (id == 2 || id == 3)", [1, 2]),
        ("id == 1 or id == 2 and status == 'nope'", [0]),
    ],
)
def test_an_expression_selects_the_matching_rows(where: str, rows: list[int]) -> None:
    assert select_rows(where) == rows


def test_a_path_means_a_key_with_dots_and_nested_keys_alike() -> None:
    rows = [{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 1}}, {"a.b": 2, "a": 7}, {"a": {"b": 3}}]
    assert select_rows("a.b == 1", rows) == [0, 1]
    assert select_rows("a.b == 2", rows) == [0, 2]
    assert select_rows("'a.b' == 2", rows) == [2]


ISSUES: list[Any] = [
    {
        "id": 1,
        "labels": [{"name": "bug", "by": {"login": "ann"}}, {"name": "ui"}],
        "runs": [{"steps": [{"ms": 7}]}],
    },
    {
        "id": 2,
        "labels": [{"name": "Docs", "by": None}],
        "runs": [{"steps": [{"ms": 50}, {"ms": 90}]}],
    },
    {"id": 3, "labels": [], "scores": [10, 20]},
    {"id": 4, "grid": [[{"x": 1}], [{"x": 2}]], "labels": None},
]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("labels.name == 'bug'", [0]),
        ("labels[].name == 'bug'", [0]),
        ("labels[*].name == 'bug'", [0]),
        ("labels.name != 'bug'", [1, 2, 3]),
        ("not labels.name == 'bug'", [1, 2, 3]),
        ("labels.name in ['ui', 'Docs']", [0, 1]),
        ("labels.name not in ['ui', 'Docs']", [2, 3]),
        ("labels.name contains 'DOC'", [1]),
        ("labels.name startswith 'u'", [0]),
        ("labels.name == null", [2, 3]),
        ("labels[1].name == 'ui'", [0]),
        ("labels.by.login == 'ann'", [0]),
        ("runs.steps.ms > 60", [1]),
        ("runs[0].steps[-1].ms == 7", [0]),
        ("grid.x == 2", [3]),
        ("scores == 10", [2]),
        ("scores > 15", [2]),
        ("scores[] in [20]", [2]),
        ("scores == [10, 20]", [2]),
        ("scores != 10", [0, 1, 3]),
        ("labels contains 'BUG'", [0]),
        ("labels contains 'ann'", [0]),
        ("labels contains 'bu'", []),
        ("labels not contains 'bug'", [1, 2, 3]),
        ("runs contains 90", [1]),
    ],
)
def test_a_field_name_reaches_into_lists(where: str, rows: list[int]) -> None:
    assert select_rows(where, ISSUES) == rows


def test_fields_of_list_items_need_their_full_path() -> None:
    assert field_names(ISSUES, 4) == ["id", "labels", "labels.name", "labels.by.login"]
    assert select_rows("name == 'bug'", ISSUES) == []
    assert select_rows(
        "login == 'bob'", [{"owner": {"login": "bob"}, "watchers": [{"login": "ann"}]}]
    ) == [0]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("# == 2", [2]),
        ("#==2", [2]),
        ("# in [1, 3, 7]", [1, 3]),
        ("# not in [1, 2, 3]", [0]),
        ("# >= 1 and # < 3", [1, 2]),
        ("1 <= # and 3 > #", [1, 2]),
        ("# == 0 or status == 'ok'", [0, 1]),
        ("# == -1", []),
    ],
)
def test_rows_are_selected_by_number(where: str, rows: list[int]) -> None:
    assert select_rows(where) == rows
    assert parse_where("# == 2 and id > 1").paths == (("id",),)


def test_a_field_named_like_a_sign_is_quoted() -> None:
    rows = [{"#": 7, "#tag": "a", ".": 1}, {"#": 0, "#tag": "b", ".": 2}]
    assert select_rows("# == 0", rows) == [0]
    assert select_rows('"#" == 0', rows) == [1]
    assert select_rows("#tag == 'b'", rows) == [1]
    assert select_rows('"." == 2', rows) == [1]


@pytest.mark.parametrize("name", ["value", "values", "."])
def test_bare_values_are_named_value_or_a_dot(name: str) -> None:
    assert select_rows(f"{name} > 2", [1, 5, "x", None, "7"]) == [1, 4]
    assert select_rows(f"{name}[1] == 2", [[1, 2], [2, 1], {"a": 2}]) == [0]
    assert select_rows(f"{name} contains 'bus'", ["tram", "Busway"]) == [1]
    assert select_rows(f"5 < {name}", [1, 9]) == [1]
    assert field_names([1, 2], 5) == ["value"]


def test_a_field_named_values_takes_precedence() -> None:
    assert select_rows("values == 1", [{"value": 1, "values": 2}, {"value": 2, "values": 1}]) == [1]
    assert select_rows("values == 1", [{"metrics": {"values": 1}, "value": 2}]) == [0]


def test_a_path_suffix_must_be_unambiguous() -> None:
    rows = [{"a": {"state": "on"}}, {"b": {"state": "on"}}]
    assert select_rows("state == 'on'", rows) == []
    assert select_rows("a.state == 'on'", rows) == [0]
    assert select_rows("state == 'top'", [*rows, {"state": "top"}]) == [2]


@pytest.mark.parametrize(
    ("where", "position", "expected"),
    [
        ("", 1, "a field name"),
        ("status", 7, "a comparison"),
        ("status == failed", 11, "strings stand in quotes"),
        ("status == 'failed", 11, "a value"),
        ("status == 'a' 'b'", 15, "'and', 'or' or the end"),
        ("(status == 'a'", 15, "')'"),
        ("status in 'a'", 11, "a list"),
        ("status > ['a']", 10, "a single value"),
        ("status in ['a' 'b']", 16, "',' or ']'"),
        ("status in ['a', b]", 18, "',' or ']'"),
        ("[1] == 2", 1, "a field name"),
        ("a.b.", 4, "a comparison"),
        ("__import__('os').system('id')", 11, "a comparison"),
        ("(" * 500 + "a == 1", 41, "at most"),
        (".".join("a" * 30) + " == 1", 61, "at most"),
    ],
)
def test_a_syntax_error_has_a_position_and_an_example(
    where: str, position: int, expected: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        parse_where(where)
    assert expected in str(caught.value)
    assert "status == 'failed' and amount > 100" in str(caught.value)
    assert caught.value.details["position"] == position


def test_a_too_long_expression_is_rejected() -> None:
    with pytest.raises(ValidationError, match="4000"):
        parse_where(" and ".join(["a == 1"] * 1000))


def test_field_names_are_dotted_and_in_order() -> None:
    assert field_names(ROWS, 5) == ["id", "status", "amount", "owner.login", "owner.state"]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**17, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text()
    | st.sampled_from(["1", "1.0", "01", "true", "null", "-0", "1e3", ""])
)
any_values = st.recursive(
    scalars | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from("ab"), inner),
)
fragments = st.sampled_from(
    "a b. .c . # [] == != < >= = in not contains is and or ( ) [ ] , "
    "' \" 'x' 1 -2.5 1e9 1e999999 null true [0] \\ é 名".split(" ")
)


@given(st.text() | st.lists(fragments | st.text(max_size=3)).map(" ".join), st.lists(any_values))
@example(
    "a < 1e999999", [{"a": float("nan")}, {"a": float("inf")}, {"a": 10**5000}, {"a": "9" * 5000}]
)
@example("a contains 1", [{"a": 10**5000}, {"a": float("nan")}, {"a": Decimal("NaN")}])
@example("a" + "[0]" * 15 + " == 1", [{"a": "text"}])
def test_any_expression_and_rows_raise_only_a_validation_error(where: str, rows: list[Any]) -> None:
    try:
        found = parse_where(where).select(rows)
    except ValidationError:
        return
    assert found == [index for index in range(len(rows)) if index in set(found)]


def test_a_field_name_reaches_into_deeply_nested_lists() -> None:
    inner: Any = {"b": 1}
    for _ in range(100_000):
        inner = [inner]
    assert (
        select_rows("a.b == 1", [{"a": inner}])
        == select_rows("a contains 1", [{"a": inner}])
        == [0]
    )
    assert field_names([{"a": inner}], 5) == ["a", "a.b"]


def write_literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or value is True or value is False
        else str(value)
    )


def displayed_value(value: Any) -> tuple[str, Any]:
    """Return a value as it reads in a table: numbers by value, others by spelling."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value, parse_float=Decimal, parse_int=Decimal)
        except ValueError:
            return "text", value
        return ("number", parsed) if isinstance(parsed, Decimal) else ("text", value)
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return "number", Decimal(str(value))
    return "other", value


@given(scalars, st.lists(st.fixed_dictionaries({}, optional={"a": scalars})))
def test_equality_finds_exactly_the_equal_rows(value: Any, rows: list[dict[str, Any]]) -> None:
    def equal(other: Any) -> bool:
        if isinstance(value, bool) or isinstance(other, bool):
            return (
                not {type(value), type(other)} - {bool, str}
                and str(value).lower() == str(other).lower()
            )
        if isinstance(value, str) and isinstance(other, str):
            return other in (value, json.dumps(value)[1:-1]) or normalize(
                "NFC", value
            ) == normalize("NFC", other)
        return displayed_value(value) == displayed_value(other)

    expected = [index for index, row in enumerate(rows) if equal(row.get("a"))]
    assert select_rows(f"a == {write_literal(value)}", rows) == expected
    assert select_rows(f"a != {write_literal(value)}", rows) == [
        index for index in range(len(rows)) if index not in expected
    ]
    assert select_rows(f"a in [{write_literal(value)}]", rows) == expected


def find_in(text: str, where: str) -> list[int]:
    row_set, *_ = find_rows(text)
    return parse_where(where).select(row_set.values)


DAY = datetime(2026, 1, 5, 10, 30)
PYTHON_ROWS = [
    {"n": 0, "x": math.nan, "price": Decimal("1.5"), "at": DAY, "raw": b"a", "s": {1}},
    {
        "n": 1,
        "x": math.inf,
        "price": Decimal("2.50"),
        "at": DAY.replace(day=6),
        "raw": b"b",
        "s": "-",
    },
    {"n": 2, "x": -math.inf, "price": None, "at": DAY, "raw": b"c", "s": UUID(int=7)},
    {"n": 3, "x": 1.5, "price": Decimal(3), "at": DAY, "raw": b"d", "s": Decimal("4.5")},
]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("x == nan", [0]),
        ("x == NaN or x is inf", [0, 1]),
        ("x != nan", [1, 2, 3]),
        ("x in [-inf, 1.5]", [2, 3]),
        (r'x == "\\nan"', [0]),
        (r"x == '\nan'", [0]),
        ("price == Decimal('1.5')", [0]),
        ("price == Decimal('2.5')", [1]),
        ("price > Decimal('1.5') and n > 0", [1, 3]),
        ("price in [Decimal('1.5'), Decimal('3')]", [0, 3]),
        ("at == datetime.datetime(2026, 1, 6, 10, 30)", [1]),
        ("raw == b'c'", [2]),
        (f"s == {UUID(int=7)!r}", [2]),
        (f's == "\\\\{UUID(int=7)!r}"', [2]),
        (r"s == '\{1}'", [0]),
        ("s == Decimal('4.5')", [3]),
    ],
)
def test_values_of_python_are_read_as_a_table_prints_them(where: str, rows: list[int]) -> None:
    assert find_in(repr(PYTHON_ROWS), where) == rows


def test_the_class_of_rows_is_named_as_a_table_prints_it() -> None:
    text = repr([(n, f"a{n}", n * n) for n in range(6)])
    assert find_in(text, "() == 'tuple' and c1 == 2") == [2]
    assert find_in(text, "not () != 'tuple' and (c1 == 2 or c1 == 3)") == [2, 3]
    assert find_in(text, "() == 'Point'") == []


def test_numbers_that_json_lacks_are_found() -> None:
    text = json.dumps([{"n": n, "x": x} for n, x in enumerate([math.nan, 1.5, -math.inf, 2])])
    assert find_in(text, "x == NaN") == [0]
    assert find_in(text, "x == -Infinity") == [2]
    assert find_in(text, "x < 2") == [1, 2]
