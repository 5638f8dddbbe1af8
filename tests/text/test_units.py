"""Test splitting text into sentences, lines and tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core.text.sentences import split_sentences
from headroom_core.text.units import split_units


@pytest.mark.parametrize(
    "text",
    [
        "It is a river (in Bohemia). It rises there.\n\nIt is long; it is 1,094 km. See [1].",
        "# Rivers\n\n- The Elbe. It is long.\n- The Oder. It is not.\n",
        "Dear all,\nI am here. You are not.\nWhere is it? Yours (truly)\n",
        "See the table. It is short.\n\nx = 1\n\nIt is so. All is well.\n\nAnd so on. And on.",
    ],
)
def test_prose_is_split_into_sentences(text: str) -> None:
    assert [unit.text for unit in split_units(text)] == split_sentences(text)


@given(st.text(alphabet="aB.|{`~-\n\t \"',;()[]1:=", max_size=80))
def test_units_concatenate_to_the_text(text: str) -> None:
    own = split_units(text)
    assert "".join(unit.text for unit in own) == text
    assert all(0 <= need < len(own) for unit in own for need in unit.needs)
    assert all(unit.text.strip() for unit in own) or not text.strip()
