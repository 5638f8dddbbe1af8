"""Test the exceptions and their details."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import headroom_core
from headroom_core import (
    ConfigurationError,
    HeadroomAuthError,
    HeadroomCompressError,
    HeadroomConnectionError,
    HeadroomError,
    StorageError,
    map_proxy_error,
)


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "authentication_error", HeadroomAuthError),
        (0, "connect", HeadroomConnectionError),
        (400, "configuration_error", ConfigurationError),
        (500, "storage_error", StorageError),
        (503, "overloaded", HeadroomCompressError),
    ],
)
def test_a_server_error_maps_to_the_matching_class(status: int, kind: str, error: type) -> None:
    instance = map_proxy_error(status, kind, "what the server said")
    assert type(instance) is error
    assert str(instance) == instance.message == "what the server said"
    assert instance.details == {"status_code": status, "error_type": kind}


def test_a_server_error_keeps_its_status_and_type() -> None:
    error = map_proxy_error(503, "overloaded", "later")
    assert isinstance(error, HeadroomCompressError)
    assert (error.status_code, error.error_type) == (503, "overloaded")


def errors() -> Iterator[type[HeadroomError]]:
    classes = (getattr(headroom_core, name) for name in headroom_core.__all__)
    return (item for item in classes if inspect.isclass(item) and issubclass(item, HeadroomError))


@pytest.mark.parametrize("error", list(errors()))
def test_every_error_is_a_HeadroomError_with_details(error: type[HeadroomError]) -> None:
    more: dict[str, Any] = (
        {"status_code": 500, "error_type": "x"} if error is HeadroomCompressError else {}
    )
    instance = error("what is wrong", details={"field": 1}, **more)
    assert isinstance(instance, HeadroomError)
    assert instance.details == {"field": 1, **more}
    assert error("what is wrong", **more).details == more
