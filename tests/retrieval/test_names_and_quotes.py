"""Test that `where` reads every name and value that a table or a marker shows."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core.errors import ValidationError
from headroom_core.retrieval.fields import field_names
from headroom_core.retrieval.where import parse_where
from headroom_core.tables.conditions import write_condition, write_path
from headroom_core.text.exact_json import parse, to_plain


def select_rows(where: str, rows: list[Any]) -> list[int]:
    return parse_where(where).select(rows)


@pytest.mark.parametrize(
    "name",
    [
        "a-b",
        "_id",
        "@timestamp",
        "$oid",
        "#text",
        "@xsi:type",
        "x:y",
        "net/http",
        "100%",
        "R&D",
        "a|b",
        "C:\\temp",
        "~home",
        "a+b",
        "what?",
        "{id}",
        "first name",
        "Weight (kg)",
        "Price [EUR]",
        "No. of items",
        "Nr.",
        ".gitignore",
        "2024",
        "5xx count",
        "3.5 inch",
        "null",
        "Größe",
        "名前",
        "is active",
    ],
)
def test_a_name_is_read_as_a_table_prints_it(name: str) -> None:
    for row in ({name: 7}, {"outer": {name: 7}}):
        rows = [{"x": 1}, {**row, "x": 2}, {"x": 3}]
        assert select_rows(f"{name} == 7", rows) == [1]
        assert select_rows(f"x > 1 and {name} == 7 and x < 3", rows) == [1]
        assert select_rows(f"'{name}' == 7 or \"{name}\" in [7]", rows) == [1]


@pytest.mark.parametrize(
    "where",
    [
        "_source.@timestamp > '2026-01-04'",
        "_id.$oid == '65f0c1'",
        "failure.#text contains 'refused'",
        "failure.'#text' contains 'refused'",
        "meta.a-b == 3",
        "meta.two words.3rd key == true",
        "meta['two words']['3rd key'] == true",
        "meta . 'two words' . '3rd key' == true",
        ".meta.a-b == 3",
        "4 > meta.a-b",
    ],
)
def test_a_path_is_read_as_a_marker_prints_it(where: str) -> None:
    row = {
        "_source": {"@timestamp": "2026-01-05T10:00:00Z"},
        "_id": {"$oid": "65f0c1"},
        "failure": {"#text": "connection refused", "@type": "io"},
        "meta": {"a-b": 3, "two words": {"3rd key": True}},
    }
    assert select_rows(where, [{"meta": {"a-b": 9}}, row]) == [1]


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'O''Brien'", "O'Brien"),
        ('"say ""hi"""', 'say "hi"'),
        ("''''", "'"),
        ("''", ""),
        (r"'O\'Brien'", "O'Brien"),
        (r"'caf\u00e9 \x41 \ud83d\ude00 \U0001F600'", "café A 😀 😀"),
        (r"'a\tb\nc'", "a\tb\nc"),
        (r"'C:\temp\new'", r"C:\temp\new"),
        (r"'C:\\temp\\new'", r"C:\temp\new"),
        (r"'\d+\.\w'", r"\d+\.\w"),
    ],
)
def test_quotes_are_doubled_or_escaped(literal: str, value: str) -> None:
    rows = ["x", value, value + "x"]
    assert select_rows(f"value == {literal}", rows) == [1]
    assert select_rows(f"value in ['y', {literal}]", rows) == [1]
    assert select_rows(f"value == {literal} or value == 'y'", rows) == [1]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_either_unicode_form_is_found(form: Any) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    name, value = normalize(form, "Stadtteil von Zürich"), normalize(form, "Żoliborz née Ångström")
    rows: list[Any] = [{name: "x"}, {name: value}, {"in": {normalize(other, name): value}}]
    for text in (value, normalize(other, value)):
        for left in (name, normalize(other, name)):
            assert select_rows(f"{left} == '{text}'", rows)[0] == 1
            assert select_rows(f"{left} in ['{text}']", rows)[0] == 1
            assert select_rows(f"{left} contains '{text[9:]}'", rows)[0] == 1
            assert select_rows(f"{left} startswith '{text}'", rows)[0] == 1


def test_an_unknown_name_is_not_calculated_with() -> None:
    rows = [{"price": 10, "tax": 2}]
    for where in ("price-tax == 8", "price - tax == 8", "price*2 > 5", "len(price) > 1"):
        assert select_rows(where, rows) == []
        assert parse_where(where).match(rows).unknown


def test_listed_names_are_read_again() -> None:
    rows = [{"in": 1, "two words": {"a.b": 1, "it's": 2}, "a-b": 3}]
    assert field_names(rows, 9) == ["'in'", "'two words'.'a.b'", "'two words'.'it''s'", "a-b"]
    assert all(select_rows(f"{name} > 0", rows) == [0] for name in field_names(rows, 9))


texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "a.b", "it's", 'a "b"', "\\", "\\u0041", "in", "null", "#", "@", "^", "2024", "É", "a b"]
)
scalars = (
    texts
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["1", "true", "007", "1e5"])
)


@given(st.lists(texts, min_size=1, max_size=4), scalars, st.lists(scalars, max_size=3))
@example(["\ud800"], "\udc00x", [])
@example(["a\nb", "^"], "x\x00\u2028", [])
@example(["value"], "\ud83d" + "\\ude00", [])
def test_a_written_condition_finds_its_row(keys: list[str], value: Any, others: list[Any]) -> None:
    def nest(inner: Any) -> Any:
        for key in reversed(keys):
            inner = {key: inner}
        return inner

    rows = [parse(json.dumps(nest(item))) for item in (*others, value)]
    path = tuple(parse(json.dumps(keys)))
    condition = write_condition(path, parse(json.dumps(value)))
    assert condition.isprintable()
    assert '"' not in condition
    plain = list(map(to_plain, rows))
    assert len(others) in select_rows(condition, plain)
    # A model may take the argument of a call in a marker for a string with escapes. Then only a
    # backslash at the end is lost, because it escapes the quote.
    unescaped = json.loads(f'"{condition}"')
    assert "\\'" in unescaped or len(others) in select_rows(unescaped, plain)


@given(st.lists(texts, min_size=1, max_size=4))
def test_a_written_path_is_read_as_it_was(keys: list[str]) -> None:
    path = tuple(parse(json.dumps(keys)))
    assert parse_where(f"{write_path(path)} == 1").paths in ((path,), ())


def test_conditions_are_bounded() -> None:
    with pytest.raises(ValidationError, match="at most 100 comparisons"):
        parse_where(" or ".join(f"id == {number}" for number in range(101)))


@pytest.mark.parametrize(
    "fragment", ["(", "'", "a.", "[", "a ", "''", "\\", "not ", "5", "(a", "^."]
)
def test_hostile_conditions_are_read_fast(fragment: str) -> None:
    start = time.process_time()
    for text in (fragment * (3900 // len(fragment)), f"a == {fragment * (3900 // len(fragment))}"):
        with suppress(ValidationError):
            parse_where(text)
    assert time.process_time() - start < 1


def test_a_long_list_of_values_is_searched_fast() -> None:
    rows = [{"id": f"r{number}", "n": number} for number in range(100_000)]
    wanted = ", ".join(str(number) for number in range(0, 99_000, 200))
    start = time.process_time()
    assert len(select_rows(f"n in [{wanted}]", rows)) == 495
    assert time.process_time() - start < 2
