"""Test that LlamaIndex components reject unknown settings and invalid values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from checks import assert_refused
from pydantic import ValidationError

from headroom_core import BM25Scorer, MemoryStore
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_integrations.llamaindex import (
    HeadroomChatMemory,
    HeadroomMemoryBlock,
    HeadroomNodePostprocessor,
    HeadroomTransform,
)

COMPONENTS = (HeadroomChatMemory, HeadroomMemoryBlock, HeadroomNodePostprocessor, HeadroomTransform)
LIMITS = [
    (HeadroomChatMemory, "token_limit"),
    (HeadroomMemoryBlock, "token_limit"),
    (HeadroomNodePostprocessor, "token_budget"),
    (HeadroomNodePostprocessor, "top_n"),
]
WRONG = [
    *(
        (component, name, value)
        for component, name in LIMITS
        for value in (0, -1, 2.5, True, "many")
    ),
    *(
        (HeadroomNodePostprocessor, "min_relevance", value)
        for value in (1.5, -0.1, float("nan"), True, "0.5")
    ),
    *((component, name, 5) for component in COMPONENTS for name in ("model", "config")),
    *((component, "store", "memory://") for component in COMPONENTS[:2]),
    *((component, "chat_store", {"store": {}}) for component in COMPONENTS[:2]),
    (HeadroomNodePostprocessor, "scorer", "bm25"),
    (HeadroomNodePostprocessor, "scorer", BM25Scorer),
]


@pytest.mark.parametrize(("component", "name", "value"), WRONG)
def test_a_value_that_is_not_allowed_is_refused_when_constructed_and_when_assigned(
    component: Any, name: str, value: Any
) -> None:
    assert_refused(component, name, value)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_name_that_no_field_has_is_refused_with_those_that_there_are(component: Any) -> None:
    for setting in (
        lambda: component(modle="gpt-4"),
        lambda: setattr(component(), "modle", "gpt-4"),
    ):
        with pytest.raises(
            ConfigurationError, match=r"modle = 'gpt-4': no such field; the fields are .*model\b"
        ):
            setting()


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_allowed_is_set(component: Any) -> None:
    made, config = component(), HeadroomConfig(content_router_enabled=False)
    made.config, made.model = config, "gpt-4"
    assert (made.config, made.model) == (config, "gpt-4")
    assert made.config is not config


def test_a_message_says_what_to_give() -> None:
    with pytest.raises(
        ConfigurationError, match=re.escape("top_n = 0: Input should be greater than 0")
    ):
        HeadroomNodePostprocessor(top_n=0)
    with pytest.raises(
        ConfigurationError, match=re.escape("must be an object, such as BM25Scorer()")
    ):
        HeadroomNodePostprocessor(scorer=BM25Scorer)


def test_a_message_holds_little_of_what_was_said() -> None:
    chat_store = {"store": {"chat": ["secret " * 100]}}
    with pytest.raises(ConfigurationError) as caught:
        HeadroomChatMemory(chat_store=chat_store)
    assert len(str(caught.value)) < 200


def test_what_LlamaIndex_declares_is_refused_by_pydantic() -> None:
    with pytest.raises(ValidationError, match="chat_store_key"):
        HeadroomChatMemory(chat_store_key=5, store=MemoryStore())
    with pytest.raises(ValidationError, match="priority"):
        HeadroomMemoryBlock().priority = "high"
    with pytest.raises(ValidationError, match="instance of HeadroomTransform"):
        HeadroomTransform.model_validate(5)


def test_the_shorter_way_to_a_memory_refuses_in_the_same_way() -> None:
    with pytest.raises(ConfigurationError, match="token_limit = 0"):
        HeadroomChatMemory.from_defaults(token_limit=0)
    with pytest.raises(TypeError, match="token_limt"):
        HeadroomChatMemory.from_defaults(token_limt=9)


def test_settings_that_a_subclass_adds_are_settings() -> None:
    class Rounded(HeadroomTransform):
        digits: int = 2

    assert Rounded(digits=3).digits == 3
    with pytest.raises(ConfigurationError, match=r"Rounded\.digits = 'two'"):
        Rounded(digits="two")
