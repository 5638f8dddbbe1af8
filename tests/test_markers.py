"""Test markers and the keys in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import CCRConfig, HeadroomConfig, compress
from headroom_core.markers import (
    content_key,
    has_marker,
    is_retrieve_tool,
    marker_keys,
    pin_reason,
    retrieve_call,
    write_marker,
)

KEYS = st.text(alphabet="0123456789abcdef", min_size=24, max_size=24)


@given(st.integers(1, 10**6), st.lists(KEYS, max_size=5))
def test_a_marker_is_a_single_line_that_names_its_keys(count: int, keys: list[str]) -> None:
    calls = [retrieve_call(key, where="id == 7") for key in keys]
    marker = write_marker(f"{count} rows left out here", calls)
    assert "\n" not in marker
    assert marker.startswith(f"[headroom: {count} rows left out here; ")
    assert marker_keys(marker) == list(dict.fromkeys(keys))
    assert marker_keys(f"before\n{marker}\n{marker}") == marker_keys(marker)


@given(st.lists(KEYS, min_size=1, max_size=3, unique=True))
def test_keys_are_found_in_markers_inside_json(keys: list[str]) -> None:
    marker = write_marker("3 rows left out here", [retrieve_call(key) for key in keys])
    assert marker_keys(json.dumps({"content": marker})) == keys
    assert marker_keys(json.dumps(json.dumps([marker]))) == keys


@given(st.text())
def test_a_text_without_a_call_names_no_keys(text: str) -> None:
    assert marker_keys(f"{text} {content_key(text)}") == marker_keys(text)


@given(st.text(alphabet=st.characters()) | st.text("\ud800a"))
def test_every_text_has_a_key_of_24_digits(text: str) -> None:
    assert marker_keys(retrieve_call(content_key(text))) == [content_key(text)]


def test_a_long_text_is_hashed_as_a_whole() -> None:
    text = "é" * 100_000
    assert content_key(text) == content_key("é" * 50_000 + "é" * 50_000)
    assert content_key(text) != content_key(text[:-1] + "e")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("headroom_retrieve", True),
        ("mcp__store__headroom_retrieve", True),
        ("server.headroom_retrieve", True),
        ("my_headroom_retrieve", False),
        ("headroom_retrieve_all", False),
        ("", False),
        (None, False),
    ],
)
def test_results_of_the_retrieve_tool_are_pinned(name: str | None, expected: bool) -> None:
    assert is_retrieve_tool(name) is expected
    assert (pin_reason(name) is not None) is expected


def test_the_words_of_a_marker_alone_are_no_marker() -> None:
    assert not has_marker("The old lock is not available any more.", "")
    assert has_marker(write_marker("3 of 9 rows left out here"), "")


def test_markers_of_rows_and_of_messages_without_originals_say_so() -> None:
    rows = json.dumps([{"id": n, "name": f"user {n * 37 % 101}"} for n in range(300)])
    output = {"role": "tool", "tool_call_id": "1", "content": rows}
    said = [{"role": "user", "content": f"{n} " + "word " * 100} for n in range(20)]
    without_store = HeadroomConfig(ccr=CCRConfig(enabled=False))
    shortened = compress([output], token_budget=1500, config=without_store).messages
    assert "rows left out here" in shortened[0]["content"]
    assert "; original not available]" in shortened[0]["content"]
    cut = compress(said, token_budget=1500, config=without_store).messages
    assert cut[0]["content"].endswith("messages left out here; not available any more]")
