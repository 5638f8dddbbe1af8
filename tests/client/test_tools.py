"""Offering the retrieve tool in a request, whichever provider it goes to."""

from __future__ import annotations

from typing import Any

import pytest

from headroom_core.client import allows_tool_choice, forbid_tool_calls, has_strict_tools

FORMAT = {"type": "json_object"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({}, True),
        ({"tool_choice": None}, True),
        ({"tool_choice": "auto"}, True),
        ({"tool_choice": "required"}, True),
        ({"tool_choice": {"type": "any"}}, True),
        ({"tool_choice": {"any": {}}}, True),
        ({"tool_choice": "none"}, False),
        ({"tool_choice": {"type": "none"}}, False),
        ({"tool_choice": {"type": "function", "function": {"name": "orders"}}}, False),
        ({"response_format": FORMAT}, False),
        ({"response_format": FORMAT, "tools": [{"name": "orders"}]}, True),
    ],
)
def test_a_request_leaves_the_model_a_choice_of_tools_or_not(
    request_: dict[str, Any], expected: bool
) -> None:
    assert allows_tool_choice(request_) is expected


@pytest.mark.parametrize("choice", [None, "any", {"auto": {}}, {"mode": "AUTO"}])
def test_no_choice_is_made_up_in_an_unknown_form(choice: Any) -> None:
    assert forbid_tool_calls(choice) is None


def test_strict_tools_are_recognized_in_both_forms_of_openai() -> None:
    assert has_strict_tools([{"name": "orders"}, {"name": "refunds", "strict": True}])
    assert has_strict_tools([{"type": "function", "function": {"strict": True}}])
    assert not has_strict_tools([{"name": "orders", "strict": False}, "orders"])
