"""Test the bounded caches of a process."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core._internal.caches import ProcessCaches
from headroom_core._internal.lru import LRUCache, text_key

ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 12)), max_size=30)


@given(ENTRIES, st.integers(1, 4), st.integers(0, 20))
def test_a_cache_stays_within_its_limits(
    entries: list[tuple[int, int]], max_entries: int, max_weight: int
) -> None:
    cache = LRUCache[int, str](max_entries, len, lambda: max_weight)
    latest: dict[int, str] = {}
    for key, size in entries:
        value = "x" * size
        cache.put(key, value)
        if size <= max_weight:
            latest[key] = value
            assert cache.get(key) == value
        kept = {key: cached for key in range(6) if (cached := cache.get(key)) is not None}
        assert len(kept) == len(cache) <= max_entries
        assert sum(map(len, kept.values())) <= max_weight
        assert kept.items() <= latest.items()


def test_the_least_recently_used_entry_is_evicted_first() -> None:
    cache = LRUCache[str, int](max_entries=2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_a_value_is_computed_once_and_again_after_clear() -> None:
    cache, computed = LRUCache[str, int](max_entries=2), list[str]()

    def compute() -> int:
        computed.append("a")
        return len(computed)

    assert [cache.get_or_compute("a", compute) for _ in range(3)] == [1, 1, 1]
    cache.clear()
    assert (len(cache), cache.get_or_compute("a", compute)) == (0, 2)


def test_threads_share_a_cache() -> None:
    cache = LRUCache[int, str](max_entries=7, weigh=len, max_weight=lambda: 40)

    def work(thread: int) -> bool:
        keys = [thread * number % 23 for number in range(2000)]
        return all(cache.get_or_compute(key, lambda key=key: f"{key}") == f"{key}" for key in keys)  # type: ignore[misc]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 9)))
    assert len(cache) <= 7


@given(st.text(), st.text())
def test_equal_texts_have_equal_keys(text: str, other: str) -> None:
    assert text_key(text) == text_key("".join([*text]))
    assert (text_key(text) == text_key(other)) == (text == other)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(VALUES, max_size=8))
def test_memoized_encoding_equals_plain_encoding(values: list[Any]) -> None:
    encode = ProcessCaches().memoized(json.dumps)
    for value in [*values, *values]:
        assert encode(value) == json.dumps(value)


@pytest.mark.parametrize("value", ["x" * 5000, [True, 1, 1.0], {"b": 1, "a": 2}])
def test_large_or_similar_values_are_encoded_exactly(value: Any) -> None:
    encode = ProcessCaches().memoized(json.dumps)
    assert [encode(value), encode([1, 1, 1]), encode(value)] == [
        json.dumps(value),
        "[1, 1, 1]",
        json.dumps(value),
    ]


def test_clearing_empties_every_cache() -> None:
    caches, cleared = ProcessCaches(size=lambda: 100), list[str]()
    first, second = caches.lru(5), caches.lru(5, weigh=len, share=0.25)
    caches.on_clear(lambda: cleared.append("callback"))
    first.put("a", 1)
    second.put("a", "x" * 25)
    second.put("b", "x" * 26)
    assert (len(first), len(second), caches.share_bytes(0.25)) == (1, 1, 25)
    caches.clear()
    assert (len(first), len(second), cleared) == (0, 0, ["callback"])
