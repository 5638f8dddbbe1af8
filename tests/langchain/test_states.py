"""Test the compressor in graphs with any reducer, and requests that fall back to another model."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from chat_models import Scripted
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelFallbackMiddleware
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, StateGraph, add_messages

from headroom_core import ConfigurationError, HeadroomConfig, MemoryStore, Tokenizer
from headroom_integrations.langchain import HeadroomCompressor, HeadroomMiddleware

WORDS = "A long sentence about the state of an order in Utrecht. " * 12


def talk(turns: int = 40) -> list[AnyMessage]:
    return [
        make(f"{n} {WORDS}", id=f"{make.__name__}-{n}")
        for n in range(turns)
        for make in (HumanMessage, AIMessage)
    ]


class Added(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]


class Concatenated(TypedDict):
    messages: Annotated[list[AnyMessage], lambda old, new: [*old, *new]]


class Merged(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Plain(TypedDict):
    messages: list[AnyMessage]


class Replaced(TypedDict):
    messages: Annotated[list[AnyMessage], lambda old, new: new]


def run_node(state: Any) -> list[AnyMessage]:
    graph = StateGraph(state)
    graph.add_node("shorten", HeadroomCompressor(token_budget=2_000, store=MemoryStore()))
    graph.add_edge(START, "shorten")
    messages: list[AnyMessage] = graph.compile().invoke({"messages": talk()})["messages"]
    return messages


@pytest.mark.parametrize("state", [Merged, Plain, Replaced])
def test_a_node_replaces_the_messages_of_a_state(state: Any) -> None:
    messages = run_node(state)
    assert Tokenizer().count_messages(messages) <= 2_000
    assert messages[-1].content == talk()[-1].content
    assert not any(isinstance(message, RemoveMessage) for message in messages)


@pytest.mark.parametrize("state", [Added, Concatenated])
def test_a_node_refuses_a_reducer_that_appends(state: Any) -> None:
    with pytest.raises(ConfigurationError, match="annotate the key with add_messages"):
        run_node(state)


class Failing(Scripted):
    """A model that is down."""

    model_name: str = "gpt-4o"

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("down")


class Small(Scripted):
    """A model with a smaller window."""

    model_name: str = "gpt-4"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_async", [True, False])
async def test_a_request_is_compressed_for_the_model_that_is_called(
    is_first: bool, is_async: bool
) -> None:
    small = Small(replies=[AIMessage("done")])
    config = HeadroomConfig(model_context_limits={"gpt-4o": 20_000, "gpt-4": 12_000})
    headroom = HeadroomMiddleware(config, store=MemoryStore())
    fallback = ModelFallbackMiddleware(small)
    middleware: list[Any] = [headroom, fallback] if is_first else [fallback, headroom]
    agent = create_agent(Failing(replies=[]), [], middleware=middleware, system_prompt="Be brief.")
    request = {"messages": talk(80)}
    answer = await agent.ainvoke(request) if is_async else agent.invoke(request)
    assert answer["messages"][-1].content == "done"
    assert Tokenizer("gpt-4").count_messages(small.sent[-1]) <= 8_000
    assert small.sent[-1][0].content == "Be brief."
    assert [metric.model for metric in headroom.get_metrics()][-1] == "gpt-4"


class Rerouting(AgentMiddleware):
    """Middleware that calls another model with further messages."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        messages = [*talk(80)[:-1], *request.messages]
        return handler(request.override(model=self._model, messages=messages))


def test_a_request_with_another_model_and_messages_is_compressed_for_that_model() -> None:
    small = Small(replies=[AIMessage("done")])
    config = HeadroomConfig(model_context_limits={"gpt-4o": 40_000, "gpt-4": 12_000})
    headroom = HeadroomMiddleware(config, store=MemoryStore())
    agent = create_agent(
        Failing(replies=[]), [], middleware=[headroom, Rerouting(small)], system_prompt="Be brief."
    )
    agent.invoke({"messages": talk(4)})
    assert Tokenizer("gpt-4").count_messages(small.sent[-1]) <= 8_000
    assert small.sent[-1][-1].content == talk(4)[-1].content
    assert headroom.get_metrics()[-1].model == "gpt-4"
