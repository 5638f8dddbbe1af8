"""Test `retrieve="auto"`: rows are left out of requests that offer the retrieve tool."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("llama_index.llms.openai")

from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.llms import MockLLM
from llama_index.llms.openai import OpenAI
from servers import Call, OpenAIServer, Reply, Request

from headroom_core import ConfigurationError, MemoryStore
from headroom_integrations.llamaindex import (
    HeadroomChatMemory,
    HeadroomMemoryBlock,
    retrieve_tool,
    wrap_llm,
)

STATES = ("delivered", "sent", "late")
MARKER = "rows left out here"


def orders() -> str:
    """List the orders."""
    return json.dumps(
        [{"id": 4000 + n, "state": STATES[n * 7 % 3], "weight": n * n % 13} for n in range(300)]
    )


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def list_with_call() -> Reply:
    return Reply("", (Call("orders", {}),))


def list_with_action() -> Reply:
    return Reply("Thought: I need them.\nAction: orders\nAction Input: {}")


async def requests_of_agent(
    server: OpenAIServer, agent: Any, first: Reply, retrieve: Any, offers: bool
) -> list[Request]:
    """Return the requests of an agent that lists the orders once."""
    server.script(iter([first, Reply("Thought: I know.\nAnswer: Some are late.")]))
    store = MemoryStore()
    llm = OpenAI(model="gpt-4o-mini", api_base=server.url, api_key="none", max_retries=0)
    tools: list[Any] = [orders, retrieve_tool(store)] if offers else [orders]
    wrapped = wrap_llm(llm, retrieve=retrieve, store=store)
    await agent(llm=wrapped, tools=tools, streaming=False).run("Which are late?")
    return list(server.requests)


@pytest.mark.parametrize(
    ("agent", "reply"), [(FunctionAgent, list_with_call), (ReActAgent, list_with_action)]
)
@pytest.mark.parametrize("offers", [True, False])
async def test_the_tools_of_a_request_decide(
    server: OpenAIServer, agent: Any, reply: Callable[[], Reply], offers: bool
) -> None:
    requests = await requests_of_agent(server, agent, reply(), "auto", offers)
    assert ("headroom_retrieve" in requests[0].raw.decode()) == offers
    assert (MARKER in requests[-1].raw.decode()) == offers
    same = await requests_of_agent(server, agent, reply(), True, offers)
    assert [request.messages[-1]["content"] for request in requests] == [
        request.messages[-1]["content"] for request in same
    ]


@pytest.mark.parametrize("value", ["yes", "AUTO", 1, None])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"retrieve = .*must be True, False or 'auto'"):
        wrap_llm(MockLLM(), retrieve=value)


@pytest.mark.parametrize("value", ["auto", "yes", 1])
@pytest.mark.parametrize(
    "component", [HeadroomChatMemory, HeadroomChatMemory.from_defaults, HeadroomMemoryBlock]
)
def test_memories_see_no_tools_and_accept_only_booleans(component: Any, value: Any) -> None:
    reason = "the tools of requests are not seen here; " if value == "auto" else ""
    with pytest.raises(
        ConfigurationError, match=rf"retrieve = {value!r}: .*must be True or False: {reason}give"
    ):
        component(retrieve=value)
