"""Test that the declarations of a request's tools count towards its budgets and limits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from anthropic.types import ToolParam
from chat_models import Scripted
from google.genai.types import FunctionDeclaration, Schema, Tool
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.tools import StructuredTool
from llama_index.core.llms import ChatMessage, MockLLM
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from headroom_core import (
    CompressionError,
    HeadroomConfig,
    MemoryStore,
    Tokenizer,
    acompress,
    compress,
    retrieve_tool,
)
from headroom_integrations.langchain import HeadroomChatModel, HeadroomMiddleware
from headroom_integrations.llamaindex import wrap_llm

WORDS = "A long sentence about the state of an order in Utrecht. " * 12
ROWS = json.dumps([{"id": n, "state": "ok" if n % 9 else "late", "kg": n % 7} for n in range(300)])
COUNT = Tokenizer("gpt-4o")


def openai_tool(number: int) -> dict[str, Any]:
    properties = {f"field_{n}": {"type": "string", "description": WORDS[:200]} for n in range(6)}
    parameters = {"type": "object", "properties": properties}
    function = {"name": f"tool_{number}", "description": WORDS[:300], "parameters": parameters}
    return {"type": "function", "function": function}


def talk(turns: int = 60) -> list[dict[str, Any]]:
    return [
        {"role": role, "content": f"{n} {WORDS}"}
        for n in range(turns)
        for role in ("user", "assistant")
    ]


def tool_result() -> list[dict[str, Any]]:
    function = {"name": "orders", "arguments": "{}"}
    call = {"id": "c1", "type": "function", "function": function}
    return [
        {"role": "user", "content": "Which orders are late?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": ROWS},
    ]


class Order(BaseModel):
    """An order."""

    city: str = Field(description=WORDS)


def find_orders(city: str, day: int = 0) -> str:
    """Find the orders of a day."""
    return ""


FORTY = [openai_tool(n) for n in range(40)]
ANTHROPIC: ToolParam = {"name": "a", "description": WORDS, "input_schema": {"type": "object"}}
GOOGLE = Tool(
    function_declarations=[
        FunctionDeclaration(name="g", description=WORDS, parameters=Schema(type="OBJECT"))
    ]
)


@pytest.mark.parametrize("tool", [openai_tool(1), ANTHROPIC, GOOGLE, Order])
def test_tools_of_every_format_are_counted(tool: Any) -> None:
    assert COUNT.count_tools([tool]) > COUNT.count_text(WORDS[:200])


def test_functions_count_by_their_schema_and_docstring() -> None:
    assert 40 < COUNT.count_tools([find_orders]) < 100


@pytest.mark.parametrize("tools", [FORTY, [*FORTY[:20], retrieve_tool()]])
@pytest.mark.parametrize("budget", [None, 22_000])
def test_messages_and_tools_fit_together(tools: list[Any], budget: int | None) -> None:
    config = HeadroomConfig(model_context_limits={"gpt-4o": 28_000})
    result = compress(talk(), tools=tools, token_budget=budget, config=config, store=MemoryStore())
    tools_as_sent = COUNT.count_text(json.dumps(tools))
    assert result.tokens_after + tools_as_sent <= (budget or 24_000)
    assert not result.warnings


async def test_acompress_counts_tools_as_well() -> None:
    arguments: dict[str, Any] = {"tools": FORTY, "token_budget": 14_000}
    first = compress(talk(), store=MemoryStore(), **arguments)
    second = await acompress(talk(), store=MemoryStore(), **arguments)
    assert first.messages == second.messages


def test_tools_larger_than_the_budget_are_named_in_the_warning() -> None:
    with pytest.raises(CompressionError, match="the tools have about"):
        compress(talk(2), tools=FORTY, token_budget=500, store=MemoryStore(), strict=True)


def test_a_single_tool_is_refused() -> None:
    with pytest.raises(TypeError, match="give a list of tools"):
        compress(talk(1), tools=FORTY[0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tools", "selected"),
    [(None, True), ([], False), (FORTY[:1], False), ([FORTY[0], retrieve_tool()], True)],
)
def test_rows_are_left_out_unless_the_tools_cannot_retrieve(
    tools: Sequence[Any] | None, selected: bool
) -> None:
    result = compress(tool_result(), tools=tools, store=MemoryStore())
    assert ("headroom_retrieve(" in str(result.messages)) is selected
    assert result.tokens_after < result.tokens_before


def test_dropped_messages_are_not_offered_if_no_tool_can_retrieve_them() -> None:
    result = compress(talk(), tools=FORTY[:1], token_budget=4_000, store=MemoryStore())
    assert "headroom" in str(result.messages)
    assert "headroom_retrieve(" not in str(result.messages)


# Integrations.


def many_tools() -> list[StructuredTool]:
    def run(city: str) -> str:
        return ""

    return [
        StructuredTool.from_function(run, name=f"tool_{n}", description=WORDS[:400])
        for n in range(40)
    ]


def sent_tokens(model: Scripted) -> int:
    """Return the tokens of the last request with its tools, without those of our estimate."""
    tools = model.bound[-1].get("tools", [])
    return COUNT.count_messages(model.sent[-1]) + COUNT.count_text(json.dumps(tools))


LIMITED = HeadroomConfig(model_context_limits={"gpt-4o": 20_000})


def history() -> list[Any]:
    return [(message["role"], message["content"]) for message in talk()]


def test_the_middleware_counts_the_tools_of_a_request() -> None:
    model = Scripted(replies=[AIMessage("done")])
    middleware = HeadroomMiddleware(LIMITED, store=MemoryStore())
    agent = create_agent(model, many_tools(), middleware=[middleware])
    agent.invoke({"messages": history()})
    assert len(model.bound[-1]["tools"]) == 41
    assert sent_tokens(model) <= 16_000


def test_the_middleware_counts_the_schema_of_structured_output() -> None:
    class Report(BaseModel):
        """A report."""

        text: str = Field(description=WORDS * 40)

    reply = AIMessage(
        "", tool_calls=[{"name": "Report", "args": {"text": "x"}, "id": "1", "type": "tool_call"}]
    )
    model = Scripted(replies=[reply])
    middleware = HeadroomMiddleware(LIMITED, store=MemoryStore())
    agent = create_agent(model, [], middleware=[middleware], response_format=Report)
    agent.invoke({"messages": history()})
    assert sent_tokens(model) <= 16_000


@pytest.mark.parametrize("retrieve", [True, False])
def test_the_chat_model_counts_bound_tools(retrieve: bool) -> None:
    model = Scripted(replies=[AIMessage("done")])
    budget = None if retrieve else 15_000
    wrapped = HeadroomChatModel(
        model, config=LIMITED, retrieve=retrieve, token_budget=budget, store=MemoryStore()
    )
    wrapped.bind_tools(many_tools()).invoke(history())
    assert sent_tokens(model) <= (budget or 16_000)


def test_a_wrapped_llm_counts_the_tools_of_a_request() -> None:
    seen: list[ChatMessage] = []

    class RecordingLLM(MockLLM):
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            seen.extend(messages)

    llm = wrap_llm(RecordingLLM(), token_budget=15_000, store=MemoryStore())
    tools = [FunctionTool.from_defaults(find_orders), *FORTY[:20]]
    messages = [ChatMessage(message["content"], role=message["role"]) for message in talk()]
    llm.chat(messages, tools=tools)
    assert COUNT.count_messages(seen) + COUNT.count_tools(FORTY[:20]) <= 15_000
