"""Test the conversion of parsed JSON to ordinary types, all values of a field at once."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from headroom_core.text.exact_json import parse, to_plain, to_plain_all

numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1.10", "-0", "-0.0", "1e5", "1E400", "0.1000000000000000055", "12.0"]),
).map(lambda number: (str(number),))
repeated_keys = st.sampled_from([(("a", ("1",)), ("a", "x")), (("b", None), ("b", ("2.50",)))])
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3) | numbers | repeated_keys,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.fixed_dictionaries({"a": inner, "b": inner})
    ),
    max_leaves=6,
)


@given(values, st.integers(1, 30), st.lists(values, max_size=3))
@example(("1.5",), 1, [("1.50",)])
@example({"a": {"b": []}}, 30, [{"a": {"b": [("1",)]}}])
@example(parse("[" * 60 + "1" + "]" * 60), 2, [])
def test_values_at_once_are_converted_as_each_for_itself(
    value: Any, count: int, others: list[Any]
) -> None:
    alike = [value] * count + others
    assert repr(to_plain_all(alike)) == repr(list(map(to_plain, alike)))


def test_objects_are_not_changed_when_they_are_converted() -> None:
    rows = parse('[{"km": 1, "of": {"sea": 2}}, {"km": 3, "of": {"sea": 4}}]')
    before = repr(rows)
    assert to_plain_all(rows)[1] == {"km": 3, "of": {"sea": 4}}
    assert repr(rows) == before
