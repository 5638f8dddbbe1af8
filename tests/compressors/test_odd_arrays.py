"""Test odd arrays, large arrays and arrays with many failures."""

from __future__ import annotations

import json
import time
from decimal import localcontext
from typing import Any

import pytest

from headroom_core import MemoryStore, compress, decode_table, handle_retrieve_call
from headroom_core.text.exact_json import fingerprint, parse


def compress_output(
    data: Any, store: MemoryStore | None = None, question: str = "anything odd?"
) -> str:
    """Return the compressed output of a tool; strings are used verbatim."""
    text = data if isinstance(data, str) else json.dumps(data)
    messages = [
        {"role": "user", "content": question},
        {"role": "tool", "tool_call_id": "c1", "content": text},
    ]
    result = compress(messages, store=store or MemoryStore())
    assert result.warnings == ()
    return str(result.messages[1]["content"])


def test_rows_with_reordered_keys_are_counted_and_kept_alike() -> None:
    rows: list[Any] = [
        {"id": n, "status": "failed" if n % 25 == 3 else "ok", "ms": n * 3 % 97} for n in range(600)
    ]
    rows[::3] = [{"status": row["status"], "id": row["id"], "ms": row["ms"]} for row in rows[::3]]
    text = compress_output(rows)
    assert "over all 600: status: ok ×576, failed ×24" in text
    assert text.count("failed") >= 24


@pytest.mark.parametrize("field", ["error_message", "errorCode", "last_error", "failure_reason"])
def test_every_distinct_error_is_kept(field: str) -> None:
    rows = [
        {"id": n, field: f"quota reached on volume {n}" if n % 16 == 0 else None}
        for n in range(1000)
    ]
    assert compress_output(rows).count("quota reached") == 63


def test_frequent_errors_keep_a_row_of_every_kind() -> None:
    rows = [
        {"id": n, "error": f"reason {'abcdefgh'[n // 3 % 8]} at {n}" if n % 3 == 0 else None}
        for n in range(300)
    ]
    assert all(f"reason {kind} at" in compress_output(rows) for kind in "abcdefgh")


def test_status_codes_as_strings_mark_errors_too() -> None:
    rows = [
        {"id": n, "status": "503" if n % 20 == 7 else "200", "path": f"/page/{n}"}
        for n in range(1000)
    ]
    assert compress_output(rows).count('"503"') + compress_output(rows).count(",503,") >= 50


def test_the_parent_of_a_kept_nested_row_is_kept() -> None:
    orders = [
        {
            "order": n,
            "lines": [{"sku": f"s{n}-{k}", "state": "ok", "note": "x" * 30} for k in range(4)],
        }
        for n in range(120)
    ]
    orders[57]["lines"][1]["state"] = "failed"
    lines = compress_output(orders).split("\n")
    assert any(line.startswith("57,57,+4") for line in lines)
    assert any(line.startswith("229,57,s57-1,failed") for line in lines)


def test_a_sum_does_not_depend_on_the_callers_decimal_context() -> None:
    rows = [{"id": n, "amount": 1000.25 + n} for n in range(300)]
    with localcontext() as context:
        context.prec = 3
        assert "sum 344925.00" in compress_output(rows)


def test_numbers_beyond_every_type_can_be_retrieved() -> None:
    store = MemoryStore()
    text = json.dumps([{"id": n, "v": n} for n in range(300)]).replace(
        '"v": 7}', '"v": 1e9999999999999999999}'
    )
    key = compress_output(text, store).partition('key="')[2][:24]
    assert "1e9999999999999999999" in handle_retrieve_call(
        {"key": key, "where": "id == 7"}, store=store
    )


def test_huge_numbers_do_not_break_the_selection() -> None:
    assert "left out here" in compress_output([{"id": n, "v": 1e200 * (n % 7)} for n in range(200)])


def test_an_object_with_duplicate_keys_is_kept_in_a_cell() -> None:
    text = (
        "["
        + ",".join(
            [f'{{"id":{n},"v":null}}' for n in range(60)] + ['{"id":60,"v":{"x":[1],"x":2}}']
        )
        + "]"
    )
    assert '{"x":[1],"x":2}' in compress_output(text)


def test_a_first_column_named_with_an_at_sign_is_ordinary() -> None:
    text = json.dumps([{"@": f"name {n}", "v": n % 3} for n in range(8)])
    assert fingerprint(parse(decode_table(compress_output(text)))) == fingerprint(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{f"user_{n}": n} for n in range(40_000)]),
        json.dumps([{"a": "1" * 40_000 + "x", "b": n} for n in range(6)]),
        "id,name\n" + "".join(f"{'1' * 40_000}x,{n}\n" for n in range(6)),
        json.dumps(
            {"rows": [{"a": n, "b": "x" * 20} for n in range(50)], "p": "[table 1 rows: " * 20_000}
        ),
        json.dumps({f"key {n}": [{"series": list(range(20))}] for n in range(3000)}),
    ],
    ids=["a key a row", "digits", "digits in CSV", "headers", "series"],
)
def test_large_arrays_take_linear_time(text: str) -> None:
    started = time.perf_counter()
    compress_output(text)
    assert time.perf_counter() - started < 10


def test_a_long_question_is_parsed_only_once_for_many_arrays() -> None:
    arrays = [[{"a": n, "b": f"v {n}", "c": n * 2.5} for n in range(30)] for _ in range(200)]
    started = time.perf_counter()
    compress_output(arrays, question=" ".join(f"word{n}" for n in range(1000)))
    assert time.perf_counter() - started < 5
