"""Test the exceptions and their details."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import headroom_core
from headroom_core import (
    ConfigurationError,
    HeadroomAuthError,
    HeadroomCompressError,
    HeadroomConfig,
    HeadroomConnectionError,
    HeadroomError,
    IntelligentContextManager,
    MemoryStore,
    RollingWindow,
    RollingWindowConfig,
    SmartCrusher,
    StorageError,
    compress,
    compress_documents,
    handle_retrieve_call,
    map_proxy_error,
    retrieve,
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


MESSAGES = [{"role": "user", "content": "Which jobs failed?"}]
ROWS = [{"id": n, "status": "ok"} for n in range(500)]


class Model:
    """Model object, which is no name."""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: compress(MESSAGES, model=Model()),  # type: ignore[arg-type]
            "model must be the name of a model, such as 'gpt-4o', got Model",
        ),
        (
            lambda: compress(MESSAGES, config={"store_url": "memory://"}),  # type: ignore[arg-type]
            "config must be a HeadroomConfig, got dict; give HeadroomConfig(**values)",
        ),
        (
            lambda: compress(MESSAGES, config=RollingWindowConfig()),  # type: ignore[arg-type]
            "got RollingWindowConfig; settings of a part are a field of HeadroomConfig",
        ),
        (
            lambda: RollingWindow(HeadroomConfig()),  # type: ignore[arg-type]
            "config must be a RollingWindowConfig, got HeadroomConfig",
        ),
        (
            lambda: compress(MESSAGES, store="memory://"),  # type: ignore[arg-type]
            "store must be a Store, got str; open one with open_store(url)",
        ),
    ],
    ids=["model", "dict", "part", "whole", "store"],
)
def test_an_argument_of_a_wrong_type_says_what_to_give(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: retrieve("0" * 24, store="memory://"),  # type: ignore[arg-type]
        lambda: handle_retrieve_call({"key": "0" * 24}, store="memory://"),  # type: ignore[arg-type]
        lambda: SmartCrusher().crush(ROWS, store="memory://"),  # type: ignore[arg-type]
        lambda: IntelligentContextManager().apply(MESSAGES, store="memory://"),  # type: ignore[arg-type]
        lambda: compress_documents(["text"], store="memory://"),  # type: ignore[arg-type]
    ],
)
def test_a_url_in_place_of_a_store_says_how_to_open_it(call: Callable[[], object]) -> None:
    message = "store must be a Store, got str; open one with open_store(url)"
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        call()


def test_a_class_in_place_of_a_store_says_to_give_an_object() -> None:
    with pytest.raises(ConfigurationError, match="got the class MemoryStore; give an object of it"):
        compress(MESSAGES, store=MemoryStore)  # type: ignore[arg-type]
