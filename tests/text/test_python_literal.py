"""Test that Python literals are compressed like JSON and restored exactly."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from checks import assert_rows_shown
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import rows

from headroom_core import (
    MemoryStore,
    Request,
    SmartCrusher,
    SmartCrusherConfig,
    compress,
    content_key,
    decode_table,
)
from headroom_core.config import HeadroomConfig
from headroom_core.retrieval.originals import retrieve
from headroom_core.text import python_literal
from headroom_core.text.exact_json import from_plain, to_plain
from headroom_core.text.json_spans import find_json

LOSSLESS = HeadroomConfig().lossless()
JOBS = [
    {"id": 700 + n, "ok": n != 77, "host": None, "load": n * 0.5, "note": "can't wait"}
    for n in range(150)
]
crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0, max_items_after_crush=8))

odd_texts = st.text("'\"\\\n\tTrue, [{:}]xU0é\x00\x7f\u2028\ud800\U000e0001😀") | st.text()
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | odd_texts
)
data = st.recursive(scalars, lambda within: st.lists(within) | st.dictionaries(odd_texts, within))
tables = (
    st.lists(st.dictionaries(st.sampled_from(("id", "it's", "tags")), data, min_size=1), min_size=2)
    | rows()
)
labels = st.sampled_from(("", "Observation: ", "Found:\n"))


def crush_text(text: str, *, selecting: bool = False) -> str:
    """Return the output of the crusher for a text, or the text."""
    compressed = crusher.compress(text, Request(content_key(text), 10**6, "", selecting))
    return compressed.text if compressed and compressed.lossless is not selecting else text


def compress_text(text: str, role: str = "tool", **settings: Any) -> str:
    message = {"role": role, "content": text, **({"tool_call_id": "1"} if role == "tool" else {})}
    return str(compress([message], **settings).messages[0]["content"])


def is_json(text: str) -> bool:
    """Return whether a Python literal is also JSON because its strings hold single quotes."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@given(data)
def test_python_literals_round_trip(value: Any) -> None:
    text = repr([value])
    read, end = python_literal.read(text, 0)
    assert (python_literal.dumps(read), end) == (text, len(text))
    if "\\" not in text:
        assert python_literal.parse(text) == read
        assert to_plain(read) == [value]


@given(tables | st.fixed_dictionaries({"found": tables, "more": data}), labels)
def test_the_lossless_form_decodes_to_the_same_bytes(value: Any, label: str) -> None:
    text = f"{label}{value}"
    assume(not is_json(str(value)))
    assert decode_table(crush_text(text)) == text


@given(rows(min_size=40, max_size=120))
def test_a_selection_shows_whole_rows_and_counts_the_omitted_rows(
    table: list[dict[str, Any]],
) -> None:
    text = str(table)
    if (shorter := crush_text(text, selecting=True)) != text:
        assert assert_rows_shown(shorter, [from_plain(table)], content_key(text)) > 0


@pytest.mark.parametrize("value", [JOBS, {"jobs": JOBS, "next": None}], ids=["list", "dict"])
def test_python_literals_compress_nearly_as_well_as_json(value: Any) -> None:
    results = [
        compress([{"role": "tool", "tool_call_id": "1", "content": text}], config=LOSSLESS)
        for text in (str(value), json.dumps(value))
    ]
    python, from_json = (result.tokens_after for result in results)
    assert python < 0.4 * results[0].tokens_before
    assert python <= from_json + 12


@pytest.mark.parametrize("note", ["x", "both ' and \"", "it's"])
def test_many_lines_of_dicts_become_a_table(note: str) -> None:
    text = "\n".join(str({**job, "note": note}) for job in JOBS * 20)
    assert compress_text(text, config=LOSSLESS).startswith("[table 3000 lines; ")
    assert decode_table(compress_text(text, config=LOSSLESS)) == text


def test_a_json_line_among_python_lines_is_read_as_python() -> None:
    text = "\n".join(str({"can't": 1 if n == 77 else None}) for n in range(150))
    assert decode_table(compress_text(text, config=LOSSLESS)) == text
    assert compress_text(text, config=LOSSLESS).startswith("[table 150 lines; ")


@pytest.mark.parametrize(
    "hostile", ["['" + "\\'" * 50_000 + "]", "[\"'" + '\\"' * 50_000 + "]", "['" * 50_000 + "]"]
)
def test_a_python_literal_lookalike_is_rejected_in_time(hostile: str) -> None:
    start = time.perf_counter()
    assert find_json(hostile) == []
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("depth", [900, 990, 5000])
def test_too_deeply_nested_values_do_not_affect_others(depth: int) -> None:
    deep = "{'a': " * depth + "'x'" + "}" * depth
    text, store = f"{JOBS}\n{deep}", MemoryStore()
    assert "headroom_retrieve" in compress_text(
        text, store=store, config=HeadroomConfig(model_context_limits={"gpt-4o": 10**9})
    )
    assert "777" in retrieve(content_key(text), where="id == 777", store=store).text


def test_rows_and_the_original_can_be_retrieved() -> None:
    text, store = str(JOBS), MemoryStore()
    assert content_key(text) in compress_text(text, store=store)
    assert (
        "777,false"
        in retrieve(content_key(text), where="ok == false and host == null", store=store).text
    )
    assert retrieve(content_key(text), limit=None, store=store).text == text


@pytest.mark.parametrize(
    "text",
    [
        str(JOBS).replace(", ", ","),
        "\n".join(
            f"[{name}() for {name} in jobs if {name}['ok'] is True]" for name in "abcdefghijkl"
        ),
    ],
    ids=["otherwise spaced", "code"],
)
def test_text_that_repr_does_not_write_stays_unchanged(text: str) -> None:
    assert compress_text(text, store=MemoryStore()) == text


def test_a_short_python_list_of_a_user_stays_unchanged() -> None:
    text = "Why does this print None?\n" + str(
        [True, None, "it's", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] * 3
    )
    assert compress_text(text, "user") == text
