"""Test that LangChain components reject unknown settings and invalid values."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from chat_models import Scripted
from checks import assert_refused
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError, model_validator

from headroom_core import BM25Scorer, MemoryStore
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_integrations.langchain import (
    HeadroomChatModel,
    HeadroomCompressor,
    HeadroomDocumentCompressor,
    HeadroomRetrieveTool,
)

CHAT: Callable[..., Any] = partial(HeadroomChatModel, FakeListChatModel(responses=["yes"]))
COMPONENTS: tuple[Callable[..., Any], ...] = (HeadroomCompressor, HeadroomDocumentCompressor, CHAT)
LIMITS = [
    *((component, "token_budget") for component in COMPONENTS),
    (HeadroomDocumentCompressor, "max_documents"),
    (CHAT, "max_rounds"),
]
WRONG = [
    *(
        (component, name, value)
        for component, name in LIMITS
        for value in (0, -1, 2.5, True, "many")
    ),
    *(
        (HeadroomDocumentCompressor, "min_relevance", value)
        for value in (1.5, -0.1, float("nan"), True, "0.5")
    ),
    *((component, "config", 5) for component in COMPONENTS),
    *((component, "query", 5) for component in (HeadroomCompressor, CHAT)),
    *(
        (component, "store", "memory://")
        for component in (HeadroomCompressor, CHAT, HeadroomRetrieveTool)
    ),
    (HeadroomDocumentCompressor, "scorer", "bm25"),
    (HeadroomDocumentCompressor, "scorer", BM25Scorer),
    (CHAT, "ledger", "books"),
]


@pytest.mark.parametrize(("component", "name", "value"), WRONG)
def test_a_value_that_is_not_allowed_is_refused_when_constructed_and_when_assigned(
    component: Any, name: str, value: Any
) -> None:
    assert_refused(component, name, value)


@pytest.mark.parametrize(
    ("component", "name"),
    [*((component, "config") for component in COMPONENTS), (HeadroomRetrieveTool, "store")],
)
def test_a_name_that_no_field_has_is_refused_with_those_that_there_are(
    component: Any, name: str
) -> None:
    for setting in (lambda: component(colour="red"), lambda: setattr(component(), "colour", "red")):
        with pytest.raises(
            ConfigurationError, match=rf"colour = 'red': no such field; the fields are .*\b{name}\b"
        ):
            setting()


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_is_allowed_is_set_and_settings_are_a_snapshot(component: Any) -> None:
    made, config = component(), HeadroomConfig()
    made.config, made.token_budget = config, 900
    config.content_router_enabled = False
    assert (made.config.content_router_enabled, made.token_budget) == (True, 900)


def test_a_message_says_what_to_give() -> None:
    with pytest.raises(
        ConfigurationError, match=re.escape("token_budget = 0: Input should be greater than 0")
    ):
        HeadroomCompressor(token_budget=0)
    with pytest.raises(
        ConfigurationError, match=re.escape("must be an object, such as BM25Scorer()")
    ):
        HeadroomDocumentCompressor(scorer=BM25Scorer)
    with pytest.raises(
        ConfigurationError, match=r"HeadroomChatModel\.wrapped = None: Field required"
    ):
        HeadroomChatModel(store=MemoryStore())


def test_a_setting_for_one_run_is_refused_in_the_same_way() -> None:
    budget = ConfigurableField(id="budget")
    for component in (HeadroomCompressor(), CHAT()):
        configurable = component.configurable_fields(token_budget=budget)
        with pytest.raises(ConfigurationError, match=r"token_budget = 0"):
            configurable.with_config(configurable={"budget": 0}).invoke([HumanMessage("hi")])


def test_what_LangChain_declares_is_refused_by_pydantic() -> None:
    with pytest.raises(ValidationError, match="name\n"):
        HeadroomCompressor(name=5)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="instance of HeadroomCompressor"):
        HeadroomCompressor.model_validate(5)


def test_a_model_that_cannot_call_tools_is_not_made_to_retrieve_later() -> None:
    model = CHAT()
    with pytest.raises(ConfigurationError, match="cannot call tools"):
        model.retrieve = True
    assert model.retrieve is False


def test_a_chat_model_is_checked_once_however_LangChain_fills_its_own_fields() -> None:
    class Counted(HeadroomChatModel):
        checks: int = 0

        @model_validator(mode="after")
        def _count(self) -> Counted:
            self.__dict__["checks"] += 1
            return self

    model = Counted(FakeListChatModel(responses=["yes"]))
    model.max_rounds = 3
    assert model.checks == 2


def test_a_model_that_is_wrapped_later_gives_what_LangChain_asks_of_it() -> None:
    model = HeadroomChatModel(Scripted(replies=[]))
    model.wrapped = HeadroomChatModel(FakeListChatModel(responses=["yes"], tags=["fast"]))
    assert (type(model.wrapped), model.tags) == (FakeListChatModel, ["fast"])
    assert model.invoke("Are you there?").text == "yes"
