"""Test that LangChain components reject unknown settings and invalid values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from chat_models import Scripted
from checks import assert_rejected
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError, model_validator

from headroom_core import BM25Scorer, MemoryStore
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_integrations.langchain import (
    HeadroomChatMessageHistory,
    HeadroomChatModel,
    HeadroomCompressor,
    HeadroomDocumentCompressor,
    HeadroomMiddleware,
    HeadroomRetrieveTool,
    wrap_chat_model,
    wrap_tools,
)
from headroom_integrations.llamaindex import HeadroomNodePostprocessor

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
def test_an_invalid_value_is_rejected_at_construction_and_assignment(
    component: Any, name: str, value: Any
) -> None:
    assert_rejected(component, name, value)


@pytest.mark.parametrize(
    ("component", "name"),
    [*((component, "config") for component in COMPONENTS), (HeadroomRetrieveTool, "store")],
)
def test_an_unknown_field_is_rejected_with_the_known_fields(component: Any, name: str) -> None:
    for setting in (lambda: component(colour="red"), lambda: setattr(component(), "colour", "red")):
        with pytest.raises(
            ConfigurationError, match=rf"colour = 'red': no such field; the fields are .*\b{name}\b"
        ):
            setting()


@pytest.mark.parametrize("component", COMPONENTS)
def test_valid_values_are_set_and_settings_are_a_snapshot(component: Any) -> None:
    instance, config = component(), HeadroomConfig()
    instance.config, instance.token_budget = config, 900
    config.content_router_enabled = False
    assert (instance.config.content_router_enabled, instance.token_budget) == (True, 900)


def test_error_messages_name_valid_values() -> None:
    with pytest.raises(
        ConfigurationError, match=re.escape("token_budget = 0: must be greater than 0")
    ):
        HeadroomCompressor(token_budget=0)
    with pytest.raises(
        ConfigurationError, match=re.escape("must be an object, such as BM25Scorer()")
    ):
        HeadroomDocumentCompressor(scorer=BM25Scorer)
    with pytest.raises(
        ConfigurationError,
        match=r"wrapped is missing: give the chat model, as in HeadroomChatModel",
    ):
        HeadroomChatModel(store=MemoryStore())


def test_an_invalid_setting_for_a_single_run_is_rejected() -> None:
    budget = ConfigurableField(id="budget")
    for component in (HeadroomCompressor(), CHAT()):
        configurable = component.configurable_fields(token_budget=budget)
        with pytest.raises(ConfigurationError, match=r"token_budget = 0"):
            configurable.with_config(configurable={"budget": 0}).invoke([HumanMessage("hi")])


def test_fields_declared_by_LangChain_are_rejected_by_pydantic() -> None:
    with pytest.raises(ValidationError, match="name\n"):
        HeadroomCompressor(name=5)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="instance of HeadroomCompressor"):
        HeadroomCompressor.model_validate(5)


def test_a_model_without_tool_calls_cannot_enable_retrieval_later() -> None:
    model = CHAT()
    with pytest.raises(ConfigurationError, match="cannot call tools"):
        model.retrieve = True
    assert model.retrieve is False


def test_a_chat_model_is_validated_once_per_change() -> None:
    class CountingChatModel(HeadroomChatModel):
        checks: int = 0

        @model_validator(mode="after")
        def _count(self) -> CountingChatModel:
            self.__dict__["checks"] += 1
            return self

    model = CountingChatModel(FakeListChatModel(responses=["yes"]))
    model.max_rounds = 3
    assert model.checks == 2


def test_a_model_assigned_later_provides_the_LangChain_fields() -> None:
    model = HeadroomChatModel(Scripted(replies=[]))
    model.wrapped = HeadroomChatModel(FakeListChatModel(responses=["yes"], tags=["fast"]))
    assert (type(model.wrapped), model.tags) == (FakeListChatModel, ["fast"])
    assert model.invoke("Are you there?").text == "yes"


@pytest.mark.parametrize("name", ["llm", "model", "chat_model"])
def test_a_model_under_another_name_is_told_the_right_one(name: str) -> None:
    message = rf"HeadroomChatModel\.{name} = FakeListChatModel: unknown field; give wrapped={name}"
    with pytest.raises(ConfigurationError, match=message):
        HeadroomChatModel(query="late", **{name: FakeListChatModel(responses=["yes"])})


@pytest.mark.parametrize(
    "component",
    [
        HeadroomMiddleware,
        HeadroomRetrieveTool,
        HeadroomCompressor,
        CHAT,
        partial(wrap_chat_model, FakeListChatModel(responses=["yes"])),
        partial(wrap_tools, []),
    ],
)
def test_a_url_in_place_of_a_store_says_how_to_open_it(component: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a Store.*open_store") as caught:
        component(store="sqlite:///headroom.db")
    blamed = "HeadroomRetrieveTool" in str(caught.value)
    assert blamed == (component is HeadroomRetrieveTool)


class ListHistory(BaseChatMessageHistory):
    def __init__(self, messages: list[Any]) -> None:
        self.messages = messages

    def clear(self) -> None:
        self.messages = []


def test_a_history_takes_the_settings_of_tools() -> None:
    rows = json.dumps([{"id": n, "state": "ok"} for n in range(300)])
    call = {"name": "orders", "args": {}, "id": "c1", "type": "tool_call"}
    full = ListHistory([AIMessage("", tool_calls=[call]), ToolMessage(rows, tool_call_id="c1")])
    settings: list[dict[str, Any]] = [
        {},
        {"exclude_tools": ["orders"]},
        {"only_tools": ["others"]},
        {"tool_profiles": {"orders": {"skip_compression": True}}},
    ]
    kept = [
        HeadroomChatMessageHistory(full, store=MemoryStore(), **more).messages[1]
        is full.messages[1]
        for more in settings
    ]
    assert kept == [False, True, True, True]


@pytest.mark.parametrize("make", [HeadroomDocumentCompressor, HeadroomNodePostprocessor])
def test_components_for_documents_accept_the_settings_of_tools(make: Any) -> None:
    assert make(exclude_tools=["read_*"]).exclude_tools == ("read_*",)
    with pytest.raises(ConfigurationError, match=r"exclude_tools = 'x': must be a list"):
        make(exclude_tools="x")
