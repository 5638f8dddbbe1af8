"""Test that JSON inside strings becomes tables, which decode to the very strings."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

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

ROWS = [{"id": n, "name": f"Zoë {n}", "tags": ["a", "b"], "ok": n % 7 > 0} for n in range(40)]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SPELLINGS: dict[str, Callable[[Any], str]] = {
    "compact": compact,
    "Python's default": json.dumps,
    "with spaces": lambda value: json.dumps(value, ensure_ascii=False),
    "indented by 2": lambda value: json.dumps(value, ensure_ascii=False, indent=2),
    "indented by 4 in ASCII": lambda value: json.dumps(value, indent=4),
    "lines": lambda value: "\n".join(map(json.dumps, value)) + "\n",
    "a label": lambda value: f"Found {len(value)} rows:\n{json.dumps(value)}\nDone.",
    "Python": str,
}
ENVELOPES: dict[str, Callable[[str], Any]] = {
    "an MCP server's content": lambda text: [{"type": "text", "text": text}],
    "an MCP server's result": lambda text: {
        "content": [{"type": "text", "text": text}, {"type": "text", "text": "done"}],
        "isError": False,
    },
    "a Lambda's body": lambda text: {"statusCode": 200, "headers": {}, "body": text},
    "a result": lambda text: {"result": text},
    "a string and nothing else": lambda text: text,
    "the output of a command": lambda text: {"stdout": text, "stderr": "", "code": 0},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_data_in_a_string_becomes_a_table(spelling: str, envelope: str) -> None:
    text = compact(ENVELOPES[envelope](SPELLINGS[spelling](ROWS)))
    shorter = crush(text)
    assert "[table 40 " in shorter
    assert decode_table(shorter) == text
    assert len(shorter) < 0.6 * len(text)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_strings_in_strings_are_opened_too(spelling: str) -> None:
    text = compact({"body": SPELLINGS["Python's default"]({"result": SPELLINGS[spelling](ROWS)})})
    shorter = crush(text)
    assert "[table 40 " in shorter
    assert decode_table(shorter) == text


def test_strings_of_python_are_opened_too() -> None:
    text = str({"result": json.dumps(ROWS, indent=2), "error": None})
    assert crush(text).startswith("{'result': [string, Python:\n[table 40 rows; ")
    assert decode_table(crush(text)) == text


def test_the_signs_around_a_string_are_as_documented() -> None:
    text = compact({"status": 200, "body": compact([{"id": n, "at": 7 * n} for n in range(30)])})
    shorter = crush(text)
    assert shorter.startswith('{"status":200,"body":[string:\n[table 30 rows: id,at]\n0,0\n')
    assert shorter.endswith("\n29,203\n\n[end of string]}")


def test_rows_in_a_string_can_be_asked_for() -> None:
    text, store = compact([{"type": "text", "text": json.dumps(ROWS * 9)}]), MemoryStore()
    message = {"role": "tool", "tool_call_id": "1", "content": text}
    shorter = str(compress([message], store=store).messages[0]["content"])
    assert len(shorter) < 0.2 * len(text)
    assert "Zoë 17" in retrieve(content_key(text), where="id == 17", store=store).text


@pytest.mark.parametrize(
    "inner",
    [
        json.dumps(ROWS).replace('"a"', '"a\\/"'),
        json.dumps(ROWS).replace(", ", " , "),
        json.dumps(ROWS) + "\n[end of string]",
        "a long text without data " * 40,
    ],
    ids=["escaped slashes", "odd spaces", "the sign", "prose"],
)
def test_a_string_that_would_not_come_back_stays(inner: str) -> None:
    text = compact({"body": inner, "status": 200})
    assert "[string" not in crush(text)
    assert json.loads(decode_table(crush(text)))["body"] == inner


BODIES = [
    {"order": n, "total": 1.5 * n, "buyer": {"name": f"Zoë {n}"}, "state": "paid"}
    for n in range(40)
]
ROW_SHAPES: dict[str, Callable[[list[str]], Any]] = {
    "blocks of MCP": lambda bodies: {"content": [{"type": "text", "text": b} for b in bodies]},
    "records of a queue": lambda bodies: {
        "Records": [{"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
    },
    "entries of an object": lambda bodies: {f"key-{n}": {"data": b} for n, b in enumerate(bodies)},
    "two fields": lambda bodies: [{"before": b, "n": n, "after": b} for n, b in enumerate(bodies)],
    "some without": lambda bodies: [
        {"n": n, "body": None if n % 9 == 4 else "none" if n % 9 == 5 else body}
        for n, body in enumerate(bodies)
    ],
}


@pytest.mark.parametrize(
    "spelling", ["compact", "Python's default", "with spaces", "indented by 2"]
)
@pytest.mark.parametrize("shape", ROW_SHAPES)
@pytest.mark.parametrize("write", [compact, str])
def test_strings_with_an_object_in_each_row_become_columns(
    spelling: str, shape: str, write: Callable[[Any], str]
) -> None:
    text = write(ROW_SHAPES[shape]([SPELLINGS[spelling](body) for body in BODIES]))
    shorter = crush(text)
    assert decode_table(shorter) == text
    assert '\\"order' not in shorter
    assert shape == "some without" or "{order,total,buyer{name},state" in shorter
    store = MemoryStore()
    store.put_many({content_key(text): text})
    field = "before." if shape == "two fields" else ""
    where = f"{field}order == 17 and {field}buyer.name == 'Zoë 17'"
    found = retrieve(content_key(text), where=where, store=store)
    assert "25.5" in found.text


@pytest.mark.parametrize(
    "body",
    ['{"a": 1, "a": 2}', '{"a" : 1}', "{a}", "{}", '{"a": "\\/"}', '{"a": [1,2]}'],
)
def test_objects_that_would_not_give_the_same_string_stay_strings(body: str) -> None:
    text = compact([{"n": n, "body": body, "text": f"row {n}"} for n in range(20)])
    shorter = crush(text)
    assert ":json" not in shorter
    assert decode_table(shorter) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\\n[]é\x00:,', max_size=8),
    lambda within: (
        st.lists(within, max_size=3) | st.dictionaries(st.text('a"b', max_size=2), within)
    ),
    max_leaves=6,
)


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), json_values), min_size=2, max_size=30),
    st.sampled_from(sorted(SPELLINGS)),
    st.sampled_from(sorted(SPELLINGS)),
    st.text("[]\n ab", max_size=9),
)
def test_any_string_comes_back(rows: list[Any], inner: str, outer: str, text: str) -> None:
    body = SPELLINGS[inner](rows)
    nested = SPELLINGS[outer if outer != "lines" else "compact"]({"r": text + body + text})
    message = compact({"s": nested, "t": body})
    assert json.loads(decode_table(crush(message))) == json.loads(message)


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), json_values, min_size=1), min_size=2, max_size=20
    ),
    st.sampled_from(["compact", "Python's default", "with spaces", "indented by 2"]),
    st.lists(st.sampled_from(["{", "{}", None, 1, {"a": 1}]), max_size=3),
)
def test_any_objects_in_rows_come_back(rows: list[Any], inner: str, odd: list[Any]) -> None:
    bodies = [SPELLINGS[inner](row) for row in rows] + odd
    text = compact([{"n": n, "b": body} for n, body in enumerate(bodies)])
    assert json.loads(decode_table(crush(text))) == json.loads(text)
