"""Test the size of the caches, and clearing them at any time."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from documents import openai_turn

from headroom_core import CCRConfig, HeadroomConfig, MemoryStore, clear_caches, compress
from headroom_core._internal.caches import ProcessCaches, cache_bytes

ROWS = json.dumps([{"id": row, "state": "sent"} for row in range(200)])
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    clear_caches()
    yield
    clear_caches()


@pytest.mark.parametrize("size", ["0", "0.5", "64"])
def test_the_size_is_a_number_of_megabytes(monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("HEADROOM_CACHE_MB", size)
    assert cache_bytes() == float(size) * 2**20


@pytest.mark.parametrize("size", ["abc", "-1", "nan", "inf", "12 MB"])
def test_an_unusable_size_is_logged_once_and_compression_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, size: str
) -> None:
    expected = compress(openai_turn("Which are late?", ROWS), store=MemoryStore())
    monkeypatch.setenv("HEADROOM_CACHE_MB", size)
    clear_caches()
    with caplog.at_level(logging.WARNING):
        results = [compress(openai_turn("Which are late?", ROWS), config=LOSSLESS)]
        for _ in range(2):
            results.append(compress(openai_turn("Which are late?", ROWS), store=MemoryStore()))
    assert [result.warnings for result in results] == [(), (), ()]
    assert results[1].messages == results[2].messages == expected.messages
    (record,) = caplog.records
    assert record.getMessage().startswith(f"HEADROOM_CACHE_MB = {size!r}: must be a number")


def test_the_size_is_asked_for_once_until_the_caches_are_cleared() -> None:
    asked: list[int] = []

    def size() -> int:
        asked.append(1)
        return 1000

    caches = ProcessCaches(size)
    texts = caches.lru(10, len, share=0.5)
    for text in "abc":
        texts.put(text, text)
    assert len(asked) == 1
    caches.clear()
    texts.put("a", "a")
    assert len(asked) == 2


def test_encoded_values_are_limited_by_size() -> None:
    encoded: list[Any] = []

    def encode(value: Any) -> str:
        encoded.append(value)
        return json.dumps(value)

    for megabytes, times in ((0, 2), (1, 1)):
        encode_memoized = ProcessCaches(lambda: megabytes * 2**20).memoized(encode)  # noqa: B023
        encoded.clear()
        assert encode_memoized([1]) == encode_memoized([1]) == "[1]"
        assert len(encoded) == times


def test_caches_may_be_cleared_at_any_moment_of_a_request() -> None:
    expected = compress(openai_turn("Which are late?", ROWS), config=LOSSLESS)

    def clear(frame: Any, event: str, argument: object) -> Any:
        code = frame.f_code
        # The lambda weighs an entry while its cache is locked.
        if not code.co_filename.endswith("replay.py") or code.co_name == "<lambda>":
            return None
        clear_caches()
        return clear

    before = sys.gettrace()
    sys.settrace(clear)
    try:
        result = compress(openai_turn("Which are late?", ROWS), config=LOSSLESS)
    finally:
        sys.settrace(before)
    assert (result.messages, result.warnings) == (expected.messages, ())
