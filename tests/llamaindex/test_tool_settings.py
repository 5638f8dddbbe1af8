"""Test that the memory and wrapped models of LlamaIndex follow the settings of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage, MockLLM

from headroom_core import ConfigurationError
from headroom_integrations.llamaindex import HeadroomChatMemory, wrap_llm

ROWS = json.dumps([{"id": n, "name": f"user {n * 37 % 101}", "city": "Brno"} for n in range(200)])
SETTINGS: list[dict[str, Any]] = [
    {"exclude_tools": ["list_users"]},
    {"only_tools": ["list_jobs"]},
    {"tool_profiles": {"list_*": {"skip_compression": True}}},
]


def conversation() -> list[ChatMessage]:
    call = ToolCallBlock(tool_call_id="c1", tool_name="list_users", tool_kwargs={})
    return [
        ChatMessage("Who lives there?"),
        ChatMessage(role="assistant", blocks=[call]),
        ChatMessage(ROWS, role="tool", additional_kwargs={"tool_call_id": "c1"}),
    ]


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_memory_leaves_a_tool_alone(settings: dict[str, Any]) -> None:
    memory = HeadroomChatMemory.from_defaults(conversation(), token_limit=20_000, **settings)
    assert memory.get()[-1].content == ROWS
    plain = HeadroomChatMemory.from_defaults(conversation(), token_limit=20_000)
    assert plain.get()[-1].content != ROWS


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_wrapped_model_leaves_a_tool_alone(settings: dict[str, Any]) -> None:
    assert ROWS in str(wrap_llm(MockLLM(), **settings).chat(conversation()))
    assert ROWS not in str(wrap_llm(MockLLM()).chat(conversation()))


def test_wrong_fields_of_a_profile_are_refused() -> None:
    wrong = {"tool_profiles": {"list_users": {"keep_frist": 3}}}
    with pytest.raises(ConfigurationError, match=r"list_users.*keep_frist"):
        wrap_llm(MockLLM(), **wrong)
    with pytest.raises(ConfigurationError, match=r"list_users.*keep_frist"):
        HeadroomChatMemory(**wrong)
