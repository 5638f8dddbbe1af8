"""Test `retrieve="auto"`: the retrieve tool is offered where a request offers other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from chat_models import Scripted
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest
from langchain.agents.structured_output import ToolStrategy
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel

from headroom_core import ConfigurationError, MemoryStore
from headroom_integrations.langchain import (
    HeadroomChatMessageHistory,
    HeadroomChatModel,
    HeadroomCompressor,
    HeadroomMiddleware,
    compress_messages,
    wrap_chat_model,
    wrap_tools,
)

WRAPPERS: list[Callable[..., Any]] = [HeadroomChatModel, wrap_chat_model]


def list_of_orders() -> str:
    states = ("delivered", "sent", "late")
    return json.dumps(
        [{"id": 4000 + n, "state": states[n * 7 % 3], "weight": n * n % 13} for n in range(300)]
    )


@tool
def orders() -> str:
    """List the orders."""
    return list_of_orders()


class Verdict(BaseModel):
    """Whether all is well."""

    is_well: bool


def ask_for_orders(turn: int = 0) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "orders", "args": {}, "id": f"c{turn}"}])


def conversation() -> list[BaseMessage]:
    answer = ToolMessage(list_of_orders(), tool_call_id="c0", name="orders")
    return [HumanMessage("Which are late?"), ask_for_orders(), answer]


def offered(model: Any) -> list[list[str]]:
    """Return the names of the tools of each request."""
    return [[one["function"]["name"] for one in sent.get("tools", ())] for sent in model.bound]


def scripted(*replies: AIMessage) -> Scripted:
    return Scripted(replies=list(replies) or [AIMessage("Done.")] * 9)


def run_agent(model: Any, tools: list[Any], *middleware: Any, **options: Any) -> list[Any]:
    agent = create_agent(model, tools, middleware=middleware, **options)
    state = {"messages": [HumanMessage("Which are late?")]}
    return list(agent.invoke(state)["messages"])  # type: ignore[arg-type]


class WithoutTools(AgentMiddleware[Any, Any]):
    """Takes the agent's tools away, from the second request on."""

    def wrap_model_call(self, request: ModelRequest[Any], handler: Any) -> Any:
        is_first = not any(isinstance(message, ToolMessage) for message in request.messages)
        kept = [one for one in request.tools if getattr(one, "name", "") != "orders"]
        return handler(request if is_first else request.override(tools=kept))


class TestChatModels:
    """A wrapped model offers the tool beside tools of the caller."""

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_requests_with_tools_offer_it_and_may_lose_rows(self, wrap: Any) -> None:
        model = scripted()
        wrapped = wrap(model, retrieve="auto", store=MemoryStore()).bind_tools([orders])
        wrapped.invoke(conversation())
        assert offered(model) == [["orders", "headroom_retrieve"]]
        assert "rows left out here" in model.sent[0][-1].text

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_requests_without_tools_are_those_without_retrieval(self, wrap: Any) -> None:
        sent: list[Any] = []
        for retrieve in ("auto", False):
            model = scripted()
            wrap(model, retrieve=retrieve, store=MemoryStore()).invoke(conversation())
            assert offered(model) == [[]]
            sent.append([message.text for message in model.sent[0]])
        assert sent[0] == sent[1]

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_a_conversation_with_tools_has_it_from_the_first_request_on(self, wrap: Any) -> None:
        model = scripted(AIMessage("Which ones?"), ask_for_orders(), AIMessage("Done."))
        wrapped = wrap(model, retrieve="auto", store=MemoryStore()).bind_tools([orders])
        messages: list[BaseMessage] = [HumanMessage("Hi.")]
        for following in ([HumanMessage("The late ones.")], conversation()[-1:], []):
            messages += [wrapped.invoke(messages), *following]
        assert offered(model) == [["orders", "headroom_retrieve"]] * 3
        for shorter, longer in zip(model.sent, model.sent[1:]):
            assert longer[: len(shorter)] == shorter

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_messages_stay_the_same_when_tools_are_bound_later(self, wrap: Any) -> None:
        model = scripted()
        wrapped = wrap(model, retrieve="auto", store=MemoryStore())
        messages: list[BaseMessage] = [HumanMessage(list_of_orders()), AIMessage("Thanks.")]
        wrapped.invoke(messages[:1])
        wrapped.bind_tools([orders]).invoke([*messages, HumanMessage("Which are late?")])
        assert model.sent[1][:1] == model.sent[0]

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_an_agent_with_tools_has_it_and_one_without_does_not(self, wrap: Any) -> None:
        for tools, names in (([orders], ["orders", "headroom_retrieve"]), ([], [])):
            model = scripted()
            run_agent(wrap(model, retrieve="auto", store=MemoryStore()), tools)
            assert offered(model) == [names]

    @pytest.mark.parametrize("wrap", WRAPPERS)
    def test_a_model_that_cannot_call_tools_is_accepted(self, wrap: Any) -> None:
        model = wrap(FakeListChatModel(responses=["yes"]), retrieve="auto")
        assert model.invoke(conversation()).text == "yes"

    def test_a_model_that_cannot_be_reached_is_refused(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda _: AIMessage("yes")), retrieve="auto")
        with pytest.raises(ConfigurationError, match=r"retrieve = 'auto': in RunnableLambda no"):
            model.invoke("hi")


class TestMiddleware:
    """The agent's calls have the tool beside other tools."""

    def test_an_agent_with_tools_retrieves_from_the_first_call_on(self) -> None:
        model = scripted(ask_for_orders(), AIMessage("Done."))
        headroom = HeadroomMiddleware(retrieve="auto", store=MemoryStore())
        messages = run_agent(model, [orders], headroom)
        assert [sorted(names) for names in offered(model)] == [["headroom_retrieve", "orders"]] * 2
        assert "rows left out here" in messages[2].text

    @pytest.mark.parametrize("options", [{}, {"response_format": ToolStrategy(Verdict)}])
    def test_an_agent_without_tools_never_does(self, options: dict[str, Any]) -> None:
        verdict = {"name": "Verdict", "args": {"is_well": True}, "id": "v"}
        model = scripted(AIMessage("", tool_calls=[verdict] if options else []))
        headroom = HeadroomMiddleware(retrieve="auto", store=MemoryStore())
        run_agent(model, [], headroom, **options)
        assert "headroom_retrieve" not in offered(model)[0]
        assert headroom.get_summary()["total_tokens_saved"] == 0

    def test_an_agent_that_loses_its_tools_can_still_read_markers(self) -> None:
        model = scripted(ask_for_orders(), AIMessage("Done."))
        headroom = HeadroomMiddleware(retrieve="auto", store=MemoryStore())
        run_agent(model, [orders], WithoutTools(), headroom)
        assert offered(model)[1] == ["headroom_retrieve"]
        assert "rows left out here" in model.sent[1][-1].text

    def test_the_default_offers_it_alone_too(self) -> None:
        model = scripted()
        run_agent(model, [], HeadroomMiddleware(store=MemoryStore()))
        assert offered(model) == [["headroom_retrieve"]]


@pytest.mark.parametrize(("retrieve", "most"), [(True, 120), ("auto", 120), (False, 0)])
def test_a_conversation_of_tiny_results_pays_for_the_tool_alone(retrieve: Any, most: int) -> None:
    @tool
    def weather(city: str) -> str:
        """Return the weather in a city."""
        return json.dumps({"city": city, "celsius": 21, "sky": "clear"})

    cities = ("Utrecht", "Brno", "Lyon", "Porto", "Graz", "Turku")
    calls = [{"name": "weather", "args": {"city": city}, "id": city} for city in cities]
    model = scripted(*(AIMessage("", tool_calls=[call]) for call in calls), AIMessage("Clear."))
    headroom = HeadroomMiddleware(retrieve=retrieve, store=MemoryStore())
    run_agent(model, [weather], headroom)
    requests = headroom.get_metrics()
    added = [one.tokens_input_after - one.tokens_input_before for one in requests]
    assert len(requests) == 7
    assert max(added) <= most


@pytest.mark.parametrize("value", ["yes", "Auto", 1, None, ["auto"]])
@pytest.mark.parametrize(
    "component",
    [
        partial(HeadroomChatModel, FakeListChatModel(responses=["yes"])),
        partial(wrap_chat_model, FakeListChatModel(responses=["yes"])),
        HeadroomMiddleware,
    ],
)
def test_other_values_are_refused(component: Any, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"retrieve = .*must be True, False or 'auto'"):
        component(retrieve=value)


@pytest.mark.parametrize("value", ["auto", "yes", 1])
@pytest.mark.parametrize(
    "component",
    [
        HeadroomCompressor,
        compress_messages,
        partial(compress_messages, []),
        partial(wrap_tools, [orders]),
        partial(HeadroomChatMessageHistory, None),
    ],
)
def test_components_that_see_no_tools_accept_only_booleans(component: Any, value: Any) -> None:
    reason = "the tools of requests are not seen here; " if value == "auto" else ""
    with pytest.raises(
        ConfigurationError, match=rf"retrieve = {value!r}: .*must be True or False: {reason}give"
    ):
        component(retrieve=value)
