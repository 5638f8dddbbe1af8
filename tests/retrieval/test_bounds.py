"""Test that no call of a retrieval takes long or answers at length, whatever it asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from headroom_core import content_key, retrieve
from headroom_core.retrieval import handle_retrieve_call
from headroom_core.stores import MemoryStore

SIZE = 500_000
SECONDS = 1.5
"""Ten times what a call takes on a machine that does nothing else; minutes without the bounds."""

MAX_ANSWER = 90_000


def fill(row: Callable[[int], str]) -> list[str]:
    count = SIZE // (len(row(0)) + 1)
    return [row(number) for number in range(count)]


def write_row(number: int) -> str:
    tags = [{"n": number % 7}, {"n": number % 5}]
    return json.dumps({"id": number, "name": f"user {number % 97}", "tags": tags})


FAMILIES = {
    "rows": lambda: f"[{','.join(fill(write_row))}]",
    "lists": lambda: json.dumps(
        [{"tags": [{"n": n % 9, "m": n} for n in range(100)]} for _ in range(SIZE // 1900)]
    ),
    "wide rows": lambda: json.dumps(
        [{f"field {n}": n for n in range(1000)} for _ in range(SIZE // 18_000)]
    ),
    "different rows": lambda: json.dumps(
        [{f"f{n}_{row}": n for n in range(1000)} for row in range(SIZE // 16_000)]
    ),
    "long cells": lambda: json.dumps([{"id": n, "data": "x y " * 50_000} for n in range(10)]),
    "strings": lambda: json.dumps(fill(lambda n: json.dumps({"a": n, "b": "x" * 20}))),
    "numbers": lambda: json.dumps(list(range(SIZE // 8))),
    "json lines": lambda: "\n".join(fill(lambda n: json.dumps({"id": n, "t": n * 7 % 991}))),
    "csv": lambda: "id,name,note\n" + "\n".join(fill(lambda n: f"{n},user {n},note {n % 991}")),
    "log": lambda: "\n".join(fill(lambda n: f"2026-01-01 INFO request {n} took {n % 991} ms")),
    "words": lambda: " ".join(fill(lambda n: f"word{n}")),
    "one line": lambda: "x" * SIZE,
    "brackets": lambda: "[" * (SIZE // 4),
}

REQUESTS: dict[str, dict[str, Any]] = {
    "everything": {},
    "a later page": {"page": 99_999},
    "many pages": {"limit": 1},
    "a condition": {"where": "id == 77"},
    "unknown fields": {"where": " or ".join(f"unknown{n} == 1" for n in range(100))},
    "fields of lists": {"where": " or ".join(f"tags.n == {n}77" for n in range(100))},
    "known fields": {"where": " or ".join(f"name contains 'z{n}'" for n in range(100))},
    "negations": {"where": " and ".join(f"not id != {n}" for n in range(100))},
    "a list": {"where": f"id in [{','.join(map(str, range(700)))}]"},
    "nested": {"where": "(" * 39 + "id == 1" + ")" * 39},
    "a long path": {"where": ".".join(["a"] * 20) + " == 1"},
    "numbers of rows": {"where": " or ".join(f"# == {n}" for n in range(100))},
    "words": {"query": " ".join(f"word{n}" for n in range(2000))},
    "words of all": {"query": "user note request name tags took info id word x y " * 200},
    "a long word": {"query": "x" * 900_000},
    "lines": {"lines": ",".join(f"{n}-{n + 1}" for n in range(1, 300, 3))},
    "many lines": {"lines": "1," * 2_000_000},
    "no lines": {"lines": "999999999-999999999"},
}


@cache
def keep(family: str) -> tuple[str, MemoryStore]:
    text = FAMILIES[family]()
    store = MemoryStore()
    store.put_many({content_key(text): text})
    return content_key(text), store


@pytest.mark.parametrize("family", FAMILIES)
def test_every_call_is_answered_quickly_and_briefly(family: str) -> None:
    key, store = keep(family)
    for name, request in REQUESTS.items():
        start = time.process_time()
        answer = handle_retrieve_call({"key": key, **request}, store=store)
        seconds = time.process_time() - start
        assert seconds < SECONDS, f"{name}: {seconds:.1f} s"
        assert 0 < len(answer) < MAX_ANSWER, f"{name}: {len(answer)} characters"


@pytest.mark.parametrize(
    "request_", [{"query": "q" * 50_000}, {"where": f"id == '{'w' * 3900}'"}, {"lines": "9" * 9000}]
)
def test_a_miss_does_not_repeat_what_was_asked(request_: dict[str, Any]) -> None:
    key, store = keep("rows")
    assert len(handle_retrieve_call({"key": key, **request_}, store=store)) < 1500


def test_too_many_comparisons_are_refused_with_a_way_out() -> None:
    rows = [{"id": number, "name": f"user {number}"} for number in range(20_000)]
    text = json.dumps(rows)
    store = MemoryStore()
    store.put_many({content_key(text): text})
    condition = " or ".join(f"id == {number}" for number in range(0, 200, 2))
    answer = handle_retrieve_call({"key": content_key(text), "where": condition}, store=store)
    assert "give fewer, or one with a list" in answer
    listed = f"id in [{','.join(map(str, range(0, 200, 2)))}]"
    found = retrieve(content_key(text), where=listed, limit=None, store=store)
    assert found.found
    assert "user 198" in found.text


def test_a_row_that_is_larger_than_an_answer_is_read_by_lines() -> None:
    key, store = keep("long cells")
    result = retrieve(key, where="id == 3", store=store)
    assert not result.found
    assert 'read the original by its lines, such as headroom_retrieve(key="' in result.reason
    assert retrieve(key, lines="1", store=store).found
    assert "x y x y" in retrieve(key, where="id == 3", limit=None, store=store).text
