"""Test that the retrieve tool is found among declared tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import ToolParam
from google.genai.types import FunctionDeclaration, Tool
from openai.types.responses import FunctionTool

from headroom_core import retrieve_tool
from headroom_core.dialects.declarations import declares_retrieval
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
