"""Test that rows are compared, measured and written alike, one by one and many at once."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core.retrieval.comparisons import leaves, prepare_comparison
from headroom_core.retrieval.families import row_sizes
from headroom_core.retrieval.fields import values_at
from headroom_core.retrieval.where import parse_where
from headroom_core.tables.rows import find_rows

spelled = st.sampled_from(
    ["1", "1.0", "-0", "01", "1e400", "1_0", " 1", "nan", "inf", "٣", "9" * 400]
)
scalars = (
    st.integers(-2, 2)
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | spelled
    | st.text(max_size=2)
)
cells: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(
    st.sampled_from(["==", "<", "<=", ">", ">=", "in"]),
    st.lists(st.integers(-2, 2) | st.floats(-2, 2) | spelled | scalars, min_size=1, max_size=5),
    scalars,
)
@example("==", [0.1, Decimal("0.1"), "0.1", 0.1 + 2**-55], Decimal("0.1"))
@example("==", [2**53, 2**53 + 1, str(2**53 + 1)], 2**53 + 1)
@example("<", [2**53, 2**53 + 1, str(2**53)], 2**53 + 1)
@example("==", [math.nan, 1.0], math.nan)
@example(">", ["1e401", 10**400], Decimal("1e400"))
@example("<=", ["nan", "inf", " 1", "1_0"], 10)
def test_numbers_are_compared_the_same_beside_values_of_another_type(
    operator: str, values: list[Any], literal: Any
) -> None:
    passes = prepare_comparison(operator, [[literal] if operator == "in" else literal])
    assert passes(values) == passes([*values, [], {}])[:-2]


@given(st.lists(st.fixed_dictionaries({"a": cells}, optional={"b": cells}), max_size=30))
def test_the_size_of_a_row_is_that_of_its_text(rows: list[Any]) -> None:
    assert row_sizes(rows) == [len(" ".join(map(str, leaves(row)))) for row in rows]


@given(st.lists(st.fixed_dictionaries({}, optional={"a": cells, "b": cells}), max_size=20))
def test_a_comparison_selects_the_rows_that_have_such_a_value(rows: list[Any]) -> None:
    rows = [{"a": None}, *rows]
    for literal in ("1", "'1'", "true", "null", "0"):
        passes = prepare_comparison("==", [parse_literal(literal)])
        expected = [index for index, row in enumerate(rows) if any(passes(values_at(row, ("a",))))]
        assert parse_where(f"a == {literal}").select(rows) == expected


def parse_literal(literal: str) -> Any:
    return literal[1:-1] if literal.startswith("'") else json.loads(literal)


@pytest.mark.parametrize("sign", ["a", "a,b", "17", "", "x" * 40])
def test_a_part_of_a_table_is_written_as_after_the_whole(sign: str) -> None:
    rows = [
        {"id": n, "name": f"{sign}{n % 3}", "day": None if n % 2 else "5", "at": {"x": [n, sign]}}
        for n in range(12)
    ]
    (row_set,) = find_rows(json.dumps(rows))
    before = row_set.render([2, 3, 7])
    assert row_set.frame.size
    assert row_set.render([2, 3, 7]) == before
