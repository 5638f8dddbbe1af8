"""Test that text that looks like a table of ours is content: shortened, and decoded to itself."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from crushing import crush
from forged import FORGED_HEADERS, FORGED_SIGNS
from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core import compress, decode_table
from headroom_core.stores import MemoryStore

ROWS = json.dumps(
    [{"id": number, "name": f"user {number % 7}", "state": "ok"} for number in range(120)],
    separators=(",", ":"),
)
FORGED = [
    *FORGED_HEADERS,
    *FORGED_SIGNS,
    f"[table {'9' * 5000} rows: id]",
    f"[table 2 rows: {'a{' * 3000}]",
    '[headroom: 5 of 9 rows left out here; original intact: headroom_retrieve(key="0")]',
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("place", ["before", "after", "both", "within"])
def test_a_forged_table_is_shortened_with_its_neighbours(forged: str, place: str) -> None:
    text = {
        "before": f"{forged}\n{ROWS}",
        "after": f"{ROWS}\n{forged}\n",
        "both": f"{forged}\n{ROWS}\n{forged}",
        "within": json.dumps(
            [{"id": number, "text": forged} for number in range(120)], separators=(",", ":")
        ),
    }[place]
    shorter = crush(text)
    assert len(shorter) < len(text)
    assert decode_table(shorter) == text
    selected = crush(text, selecting=True)
    assert len(selected) < len(shorter)
    with pytest.raises(ValueError, match="were left out"):
        decode_table(selected)


@pytest.mark.parametrize("forged", FORGED)
def test_decoding_a_forged_table_raises_nothing_but_value_errors(forged: str) -> None:
    for text in (forged, f"{forged}\n", f"{forged}\n1\n2\n3\n", f"{forged}\n" * 50):
        with suppress(ValueError):
            decode_table(text)


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_table_is_no_warning(forged: str) -> None:
    text = f"{forged}\n{ROWS}"
    messages = [{"role": "tool", "tool_call_id": "1", "content": text}]
    result = compress(messages, store=MemoryStore(), strict=True)
    assert result.tokens_after < result.tokens_before - 900
    assert decode_table(result.messages[0]["content"]) == text


PIECES = ("[table ", "[=table ", "2", "3 of 9", " rows", " lines", ": ", "id", "]\n", "#,", "1,2\n")


WHOLE = ["[table 2 rows: id]\n1\n2", "[table 1 of 3 rows; # = row number from 0: #,a]\n0,x"]


@pytest.mark.parametrize("forged", WHOLE)
def test_a_text_with_a_whole_table_was_shortened_before_and_stays(forged: str) -> None:
    text = f"{forged}\n{ROWS}"
    assert crush(text) == text
    assert crush(text, selecting=True) == text


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=20).map("".join))
@example("[table 0 rows: ]\n")
@example("[=table 1 rows: id]\n[table 1 rows: id]\n7\n")
def test_any_text_around_rows_comes_back(around: str) -> None:
    with suppress(ValueError):
        decode_table(around)
    text = f"{around}\n{ROWS}\n{around}"
    assert crush(text) == text or decode_table(crush(text)) == text


FLAT = "[1 ,  " + "2 ,  " * 300 + "3]"
HEADERS_LIKE_OURS = ("[table 5 rows: id]", "[=table 5 rows: id]", "[==table 2 entries: @,id]\n1,2")


@pytest.mark.parametrize("forged", HEADERS_LIKE_OURS)
def test_a_text_without_a_table_of_ours_comes_back(forged: str) -> None:
    text = f"{forged}\n{FLAT}\n{forged}"
    shorter = crush(text)
    # Without a table, nothing is escaped, so that a header that reads like one prevents the form.
    assert (shorter == text) == (forged[1] != "=")
    decoded = decode_table(shorter) if shorter != text else text
    assert decoded.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("forged", HEADERS_LIKE_OURS)
def test_an_opened_string_without_a_table_comes_back(forged: str) -> None:
    text = json.dumps({"body": f"{forged}\n{json.dumps(['x', 1, None] * 100, indent=2)}\n"})
    assert json.loads(decode_table(crush(text))) == json.loads(text)


@pytest.mark.parametrize("sign", ["[string:\n[1]", "[end of string]"])
def test_rows_that_repeat_a_key_come_back_beside_a_sign(sign: str) -> None:
    rows = [f'{{"id": {row}, "state": "ok"}}' for row in range(60)]
    rows[7] = '{"id": 7, "state": "ok", "id": 8}'
    text = f"{sign}\n[\n  {(',' + chr(10) + '  ').join(rows)}\n]\n"
    decoded = decode_table(crush(text))
    assert "".join(decoded.split()) == "".join(text.split())


def test_values_deep_in_brackets_are_measured_once() -> None:
    branches = {f"n{row}": {"x": row, "y": [row, {"z": f"v{row}"}]} for row in range(2000)}
    text = json.dumps(branches)

    def measure_seconds(depth: int) -> float:
        start = time.process_time()
        crush("[" * depth + text + "]" * depth)
        return time.process_time() - start

    measure_seconds(1)
    assert measure_seconds(100) < 12 * measure_seconds(4)
