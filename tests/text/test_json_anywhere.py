"""Test that JSON is found beside other text, line by line, and where a text is cut off."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from crushing import crush
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import (
    MemoryStore,
    content_key,
    decode_table,
    retrieve,
)
from headroom_core.text.json_spans import find_json

OBJECTS = [
    {"id": n, "status": "failed" if n == 33 else "ok", "region": ("eu", "us")[n % 2]}
    for n in range(60)
]


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


LINES = [as_json(item) for item in OBJECTS]
ARRAY = as_json(OBJECTS)


BESIDE_TEXT = {
    "an HTTP status": ("HTTP 200 OK ", ""),
    "an error": ("Error: 400 rows are invalid: ", ". Try again."),
    "tags": ("<result>", "</result>"),
    "a question": ("Context: ", " Question: which of them failed?"),
    "an assignment": ("rows = ", ";"),
    "brackets": ("[2026-01-05] [INFO] ", " [done]"),
    "a header": ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "\r\n"),
}


@pytest.mark.parametrize("kind", BESIDE_TEXT)
def test_an_array_beside_other_text_becomes_a_table(kind: str) -> None:
    before, after = BESIDE_TEXT[kind]
    text = before + ARRAY + after
    assert crush(text).startswith(f"{before}[table 60 rows: id,status,region]\n")
    assert decode_table(crush(text)) == text


BY_LINE = {
    "numbers": ([f"{n}. {line}" for n, line in enumerate(LINES, 1)], "\n"),
    "bullets": ([f"- {line}" for line in LINES], "\n"),
    "times": ([f"2026-01-05T12:00:{n:02}Z {line}" for n, line in enumerate(LINES)], "\n"),
    "times of pods": (
        [f"2026-01-05 12:00:{n:02} [web-{n % 3}] {line}" for n, line in enumerate(LINES)],
        "\n",
    ),
    "pods": ([f"[pod/web-{n % 3}] {line}" for n, line in enumerate(LINES)], "\n"),
    "a service": ([f"api | {line}" for line in LINES], "\n"),
    "events": ([f"data: {line}" for line in LINES], "\n\n"),
    "named events": ([f"event: row\nid: {n}\ndata: {x}" for n, x in enumerate(LINES)], "\n\n"),
    "text behind": ([f"{line} took {n} ms" for n, line in enumerate(LINES)], "\n"),
    "CRLF": (LINES, "\r\n"),
    "blank lines": (LINES, "\n\n"),
    "CRLF and blank lines": (LINES, "\r\n\r\n"),
    "plain lines": ([f"GET /{n} 200" if n % 4 == 1 else x for n, x in enumerate(LINES)], "\n"),
    "some blank lines": ([x if n % 7 else f"{x}\n" for n, x in enumerate(LINES)], "\n"),
}


@pytest.mark.parametrize("kind", BY_LINE)
@pytest.mark.parametrize("tail", ["", "end"])
def test_an_object_a_line_becomes_a_table(kind: str, tail: str) -> None:
    lines, end = BY_LINE[kind]
    text = end.join(lines) + end + tail
    table = crush(text)
    assert table.startswith("[table ")
    assert decode_table(table) == text
    assert len(table) < 0.65 * len(text)


@pytest.mark.parametrize("prefix", ["", "x ", "api | "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_empty_key_in_lines_reads_back(prefix: str, end: str) -> None:
    lines = [f'{prefix}{{"id":{n},"":"value {n}"}}' for n in range(60)]
    text = end.join(lines)
    assert crush(text).startswith("[table 60 lines")
    assert decode_table(crush(text)) == text


def test_the_header_shows_how_a_line_is_written() -> None:
    text = "\n".join(f"[pod/web-{n % 3}] {line}" for n, line in enumerate(LINES))
    assert crush(text).startswith(
        '[table 60 lines; line = "[" prefix "] " row: prefix,id,status,region]\npod/web-0,0,ok,eu\n'
    )


def test_rows_can_be_asked_for_by_the_text_before_them() -> None:
    text, store = "\n".join(BY_LINE["times"][0]), MemoryStore()
    store.put_many({content_key(text): text})
    result = retrieve(content_key(text), where="prefix == '2026-01-05T12:00:33Z'", store=store)
    assert "33,2026-01-05T12:00:33Z,33,failed" in result.text


@pytest.mark.parametrize(
    "text",
    [
        ARRAY[:1500],
        f'{{"data":{{"items":{ARRAY}'[:1500],
        ARRAY[700:],
        f"{ARRAY[:1500]} … [3000 characters truncated] … {ARRAY[2000:]}",
        str(OBJECTS)[:1500],
    ],
    ids=["end", "end of nested", "beginning", "middle", "Python"],
)
def test_whole_rows_of_data_that_is_cut_off_become_a_table(text: str) -> None:
    table = crush(text)
    assert " items" in table
    assert decode_table(table) == text
    assert len(table) < 0.6 * len(text)


@pytest.mark.parametrize(
    "text",
    [
        "As shown before [1], the set {x} and [2, 3] are equal [4].\n" * 40,
        "The value {'a': 1} of config[0] is f([x for x in y]) here.\n" * 40,
        "[INFO] 12:00 [main] started {} in [5] ms\n" * 40,
        "See [the guide](https://example.org/a) and [b][c]; use `[]` or `{}`.\n" * 40,
    ],
)
def test_brackets_in_text_are_no_data(text: str) -> None:
    assert find_json(text) == []


def test_short_examples_in_documentation_and_code_stay() -> None:
    example = json.dumps(OBJECTS[:4], indent=2)
    guide = f"## Rows\n\nThe call returns rows:\n\n```json\n{example}\n```\n\n" + "More text. " * 60
    code = f'def rows():\n    """Return rows.\n\n{example}\n    """\n' + "    run(a, b)\n" * 90
    assert crush(guide) == guide
    assert crush(code) == code


@pytest.mark.parametrize(
    "hostile",
    ["[", "(", "[(", "{'", '{"', "['", "[<", "[a(", "[[1,", "{'a':", '[{"a":1},', "[('b\n", "\\'"],
)
def test_hostile_text_is_read_in_linear_time(hostile: str) -> None:
    start = time.perf_counter()
    find_json(hostile * (200_000 // len(hostile)))
    assert time.perf_counter() - start < 5


texts = st.text("ab1 [](){}:,|-\"'\r\n.", max_size=12)


@given(st.lists(st.tuples(texts, st.sampled_from(LINES), texts), min_size=5), texts, texts)
def test_any_text_around_objects_comes_back(
    parts: list[tuple[str, str, str]], before: str, after: str
) -> None:
    text = before + "\n".join("".join(part) for part in parts) + after
    assert decode_table(crush(text)) == text
