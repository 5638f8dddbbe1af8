"""Test that the retrieve tool is found among declared tools."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from anthropic.types import ToolParam
from google.genai.types import FunctionDeclaration, Tool
from langchain_core.tools import tool as langchain_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from llama_index.core.tools import FunctionTool as LlamaIndexTool
from openai.types.responses import FunctionTool
from pydantic import BaseModel

from headroom_core import Tokenizer, retrieve_tool
from headroom_core.dialects.declarations import declared_names, declares_retrieval
from headroom_integrations.langchain import HeadroomRetrieveTool

RETRIEVE = {"name": "headroom_retrieve"}
ORDERS = {
    "type": "function",
    "function": {"name": "orders", "parameters": {"type": "object", "properties": {}}},
}


@pytest.mark.parametrize(
    "declared",
    [
        *(retrieve_tool(provider) for provider in ("openai", "anthropic", "google")),
        {"type": "function", **RETRIEVE},
        {"functionDeclarations": [RETRIEVE]},
        {"toolSpec": RETRIEVE},
        {"toolConfig": {"tools": [{"toolSpec": RETRIEVE}]}},
        {"name": "mcp__store__headroom_retrieve"},
        {"tool_spec": {"type": "generic", **RETRIEVE}},
        ToolParam(name="headroom_retrieve", input_schema={}),
        FunctionTool(type="function", name="headroom_retrieve", parameters={}, strict=True),
        Tool(
            function_declarations=[
                FunctionDeclaration(name="orders"),
                FunctionDeclaration(name="headroom_retrieve"),
            ]
        ),
        HeadroomRetrieveTool(),
    ],
    ids=lambda declared: type(declared).__name__,
)
def test_the_retrieve_tool_is_found_in_every_declaration_format(declared: Any) -> None:
    assert declares_retrieval(declared)
    assert declares_retrieval([ORDERS, declared])
    assert declares_retrieval({"tools": (ORDERS, declared), "toolChoice": {"auto": {}}})


def find_orders(day: int, state: str = "late") -> list[int]:
    """Find the orders of a day."""
    return [day, len(state)]


class FindOrders(BaseModel):
    """Find the orders of a day."""

    day: int
    state: str = "late"


class Finder:
    def __call__(self, day: int) -> int:
        return day


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        (find_orders, "find_orders"),
        (partial(find_orders, state="ok"), "find_orders"),
        (Finder(), "Finder"),
        (FindOrders, "FindOrders"),
        (langchain_tool(find_orders), "find_orders"),
        (LlamaIndexTool.from_defaults(find_orders), "find_orders"),
    ],
)
def test_tools_themselves_have_a_name_and_count_about_their_schema(tool: Any, name: str) -> None:
    assert list(declared_names([ORDERS, tool])) == ["orders", name]
    schema = Tokenizer().count_text(json.dumps(convert_to_openai_tool(find_orders)))
    if not isinstance(tool, Finder):
        assert 0.8 * schema < Tokenizer().count_tools([tool]) < 2 * schema


def headroom_retrieve(key: str) -> str:
    return key


def edit_file(path: str) -> str:
    return path


def test_the_retrieve_tool_is_found_among_functions() -> None:
    assert declares_retrieval([find_orders, headroom_retrieve])
    assert not declares_retrieval([find_orders, edit_file, FindOrders])


def test_a_type_without_a_schema_counts_by_its_signature() -> None:
    def odd(day: Finder) -> None: ...

    assert 5 < Tokenizer().count_tools([odd]) < 60


@pytest.mark.parametrize(
    "tools",
    [
        None,
        [],
        "headroom_retrieve",
        ["headroom_retrieve"],
        [ORDERS],
        [{"name": "orders", "description": "Call headroom_retrieve for more."}],
        [
            {
                "name": "orders",
                "input_schema": {"properties": {"tool": {"enum": ["headroom_retrieve"]}}},
            }
        ],
        [{"name": "orders", "input_schema": {"properties": {"tool": {"default": RETRIEVE}}}}],
        [
            {
                "name": "orders",
                "input_schema": {"properties": {"headroom_retrieve": {"type": "string"}}},
            }
        ],
        [{"type": "mcp", "server_label": "headroom_retrieve"}],
        [{"name": "headroom_retrieve_all"}],
        [
            Tool(
                function_declarations=[
                    FunctionDeclaration(name="orders", description=json.dumps(RETRIEVE))
                ]
            )
        ],
    ],
    ids=repr,
)
def test_a_tool_that_only_mentions_it_is_not_the_retrieve_tool(tools: Any) -> None:
    assert not declares_retrieval(tools)
