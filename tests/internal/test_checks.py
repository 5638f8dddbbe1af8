"""Test the checks of numeric arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from headroom_core._internal.checks import (
    require_count,
    require_fraction,
    require_positive_int,
    require_positive_number,
)
from headroom_core.errors import ConfigurationError, ValidationError

CHECKS: dict[Callable[..., Any], tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    require_positive_int: ((1, 10**30), (0, -1, 1.0, True, "1", None)),
    require_count: ((0, 1), (-1, 0.5, False, "0", None)),
    require_fraction: ((0, 0.5, 1), (-0.1, 1.1, float("nan"), True, "1", None)),
    require_positive_number: ((0.1, 7), (0, -1, float("inf"), float("nan"), True, "1", None)),
}


@pytest.mark.parametrize("check", CHECKS)
def test_valid_values_are_returned_unchanged(check: Callable[..., Any]) -> None:
    accepted, _ = CHECKS[check]
    assert [check("size", value) for value in accepted] == list(accepted)


@pytest.mark.parametrize("check", CHECKS)
def test_invalid_values_are_rejected_with_name_and_value(check: Callable[..., Any]) -> None:
    for value in CHECKS[check][1]:
        with pytest.raises(ConfigurationError, match=r"size must be a.* got ") as caught:
            check("size", value)
        assert caught.value.message.endswith(repr(value))
        assert caught.value.details.keys() == {"size"}


def test_the_error_class_and_an_alternative_can_be_set() -> None:
    with pytest.raises(ValidationError, match="of at least 1 or None for all, got 0"):
        require_positive_int("size", 0, alternative="None for all", error=ValidationError)
