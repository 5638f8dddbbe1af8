"""Test that failures become warnings that reveal no contents."""

from __future__ import annotations

import pytest

from headroom_core._internal.guard import Failure, Success, WarningCollector, attempt
from headroom_core.errors import StorageError


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("value", [0, None, "", []])
def test_falsy_values_are_successes(value: object) -> None:
    assert attempt(lambda: value) == Success(value)


@pytest.mark.parametrize("error", [ValueError("secret"), KeyError("secret"), MemoryError("secret")])
def test_messages_of_foreign_errors_are_hidden(error: Exception) -> None:
    assert attempt(lambda: fail(error)) == Failure(type(error).__name__)


def test_messages_of_library_errors_are_shown() -> None:
    outcome = attempt(lambda: fail(StorageError("the disk is full")))
    assert outcome == Failure("StorageError: the disk is full")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_is_not_caught(error: type[BaseException]) -> None:
    with pytest.raises(error):
        attempt(lambda: fail(error()))


def test_only_failures_are_collected_in_order() -> None:
    collector = WarningCollector()
    assert collector.attempt(lambda: 7, 0, "unused") == 7
    assert collector.attempt(lambda: 1 // 0, 0, "the first was skipped") == 0
    collector.warn("look here")
    assert collector.warnings == ["the first was skipped: ZeroDivisionError", "look here"]
