"""Test the cheap signs of the kind of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core.kinds import TextKind
from headroom_core.text.signs import DATA_LINE, NON_PROSE_LINE


@pytest.mark.parametrize(
    "line",
    [
        "def f(x):",
        "    y = 3",
        "x += 1",
        "return x;",
        "print(msg)",
        "@decorator",
        "<li>item</li>",
        "name: value",
        "1,2,3,a,b",
        ">>> compress(messages)",
        "@@ -1,3 +1,4 @@",
        "2024-05-01 12:00:00 started",
        "[ERROR] disk full",
        "192.168.10.20 GET /",
    ],
)
def test_code_data_and_logs_are_not_prose(line: str) -> None:
    assert NON_PROSE_LINE.search(line)


@pytest.mark.parametrize(
    "line",
    [
        "The Elbe is long (see below).",
        "It cost 1,000,000 in 2024.",
        "Note: this is a remark.",
        "At 10:30 it rained.",
        "- an item of a list",
        "return to sender",
        "It is less: 3 < 4, and a == b.",
        "It costs $5 today.",
    ],
)
def test_ordinary_sentences_are_prose(line: str) -> None:
    assert not NON_PROSE_LINE.search(line)
    assert not DATA_LINE.search(line)


@pytest.mark.parametrize("line", ["| a | b |", '{"a": 1}', "id\tname", "['a', 'b']"])
def test_strong_signs_mark_data(line: str) -> None:
    assert DATA_LINE.search(line)


@given(st.text(alphabet='ab[{"\r\n ,'))
def test_the_signs_of_a_kind_describe_its_text(text: str) -> None:
    kind = TextKind(text)
    assert kind.has_brackets == any(bracket in text for bracket in "[{")
    assert kind.first_line in text
    assert "\n" not in kind.first_line
    assert kind.line_count == len(text.rstrip("\r\n").split("\n"))
