"""Test that LlamaIndex components reject unknown settings and invalid values."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from checks import assert_rejected
from llama_index.core.llms import MockLLM
from pydantic import ValidationError

from headroom_core import BM25Scorer, MemoryStore
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_integrations.llamaindex import (
    HeadroomChatMemory,
    HeadroomMemoryBlock,
    HeadroomNodePostprocessor,
    HeadroomTransform,
    retrieve_tool,
    wrap_llm,
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
def test_an_invalid_value_is_rejected_at_construction_and_assignment(
    component: Any, name: str, value: Any
) -> None:
    assert_rejected(component, name, value)


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_unknown_field_is_rejected_with_the_known_fields(component: Any) -> None:
    for setting in (
        lambda: component(modle="gpt-4"),
        lambda: setattr(component(), "modle", "gpt-4"),
    ):
        with pytest.raises(
            ConfigurationError, match=r"modle = 'gpt-4': no such field; the fields are .*model\b"
        ):
            setting()


@pytest.mark.parametrize("component", COMPONENTS)
def test_valid_values_are_set(component: Any) -> None:
    instance, config = component(), HeadroomConfig(content_router_enabled=False)
    instance.config, instance.model = config, "gpt-4"
    assert (instance.config, instance.model) == (config, "gpt-4")
    assert instance.config is not config


def test_error_messages_name_valid_values() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("top_n = 0: must be greater than 0")):
        HeadroomNodePostprocessor(top_n=0)
    with pytest.raises(
        ConfigurationError, match=re.escape("must be an object, such as BM25Scorer()")
    ):
        HeadroomNodePostprocessor(scorer=BM25Scorer)


def test_error_messages_truncate_the_rejected_value() -> None:
    chat_store = {"store": {"chat": ["secret " * 100]}}
    with pytest.raises(ConfigurationError) as caught:
        HeadroomChatMemory(chat_store=chat_store)
    assert len(str(caught.value)) < 200


def test_fields_declared_by_LlamaIndex_are_rejected_by_pydantic() -> None:
    with pytest.raises(ValidationError, match="chat_store_key"):
        HeadroomChatMemory(chat_store_key=5, store=MemoryStore())
    with pytest.raises(ValidationError, match="priority"):
        HeadroomMemoryBlock().priority = "high"
    with pytest.raises(ValidationError, match="instance of HeadroomTransform"):
        HeadroomTransform.model_validate(5)


def test_from_defaults_rejects_invalid_settings_too() -> None:
    with pytest.raises(ConfigurationError, match="token_limit = 0"):
        HeadroomChatMemory.from_defaults(token_limit=0)
    with pytest.raises(TypeError, match="token_limt"):
        HeadroomChatMemory.from_defaults(token_limt=9)


def test_fields_added_by_a_subclass_are_validated_too() -> None:
    class Rounded(HeadroomTransform):
        digits: int = 2

    assert Rounded(digits=3).digits == 3
    with pytest.raises(ConfigurationError, match=r"Rounded\.digits = 'two'"):
        Rounded(digits="two")


@pytest.mark.parametrize(
    "component",
    [HeadroomChatMemory, HeadroomMemoryBlock, partial(wrap_llm, MockLLM()), retrieve_tool],
)
def test_a_url_in_place_of_a_store_says_how_to_open_it(component: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a Store.*open_store"):
        component(store="memory://")
