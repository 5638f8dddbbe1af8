"""Test the retrieve tool for LlamaIndex agents."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from llama_index.core.agent.react.formatter import get_react_tool_descriptions
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import FunctionTool
from llama_index.core.tools.calling import acall_tool, call_tool_with_selection

import headroom_core
from headroom_core import content_key, handle_retrieve_call
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import retrieve_tool

ROWS = json.dumps(
    [{"id": number, "state": "late" if number == 7 else "sent"} for number in range(50)]
)
KEY = content_key(ROWS)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put_many({KEY: ROWS})
    return store


def test_models_receive_the_schema_of_the_core() -> None:
    tool = retrieve_tool()
    assert isinstance(tool, FunctionTool)
    assert tool.metadata.name == "headroom_retrieve"
    assert tool.metadata.to_openai_tool() == headroom_core.retrieve_tool("openai")
    assert tool.metadata.get_parameters_dict() == tool.metadata.fn_schema.model_json_schema()
    assert not tool.metadata.return_direct


def test_changing_a_declaration_does_not_affect_others() -> None:
    changed = retrieve_tool().metadata.to_openai_tool()
    changed["function"]["parameters"]["properties"]["key"]["description"] = "changed"
    assert retrieve_tool().metadata.to_openai_tool() == headroom_core.retrieve_tool("openai")


def test_react_agents_can_describe_it() -> None:
    (description,) = get_react_tool_descriptions([retrieve_tool()])
    assert "Tool Name: headroom_retrieve" in description
    assert "what a headroom marker left out" in description


ARGUMENTS: list[dict[str, Any]] = [
    {"key": KEY},
    {"key": KEY, "where": "state == 'late'"},
    {"key": KEY, "where": "state == 'late'", "query": None, "lines": "", "limit": "5", "page": 1},
    {"key": KEY, "limit": 3, "page": 2},
    {"key": KEY, "lines": 1},
    {"key": KEY.upper()},
    {"key": "0" * 24},
    {"key": "f3"},
    {"key": 7},
    {"key": KEY, "limit": "many"},
    {"key": KEY, "page": [1]},
    {"key": KEY, "where": "state = late"},
    {"id": 7},
    {"key": KEY, "columns": ["id"]},
    {},
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=repr)
def test_it_answers_like_the_core(arguments: dict[str, Any], store: MemoryStore) -> None:
    tool, expected = retrieve_tool(store), handle_retrieve_call(arguments, store=store)
    assert expected
    assert tool.call(**arguments).content == expected
    assert asyncio.run(tool.acall(**arguments)).content == expected
    assert not tool.call(**arguments).is_error


async def test_agents_can_call_it(store: MemoryStore) -> None:
    tool, arguments = retrieve_tool(store), {"key": KEY, "where": "state == 'late'"}
    selection = ToolSelection(tool_id="c1", tool_name="headroom_retrieve", tool_kwargs=arguments)
    expected = handle_retrieve_call(arguments, store=store)
    assert call_tool_with_selection(selection, [tool]).content == expected
    assert (await acall_tool(tool, arguments)).content == expected


def test_it_can_be_called_directly(store: MemoryStore) -> None:
    tool = retrieve_tool(store)
    assert tool.real_fn(KEY, "state == 'late'") == handle_retrieve_call(
        {"key": KEY, "where": "state == 'late'"}, store=store
    )
    assert tool.real_fn.__name__ == "headroom_retrieve"
    assert tool.real_fn.__doc__ == tool.metadata.description


async def test_the_event_loop_is_not_blocked() -> None:
    threads: list[threading.Thread] = []

    class RecordingStore(MemoryStore):
        def get(self, key: str) -> str | None:
            threads.append(threading.current_thread())
            return super().get(key)

    await retrieve_tool(RecordingStore()).acall(key=KEY)
    assert threads[0] is not threading.current_thread()


def test_without_a_store_it_reads_the_default_store(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headroom_core.stores.default_store", lambda: store)
    assert retrieve_tool().call(key=KEY).content == handle_retrieve_call({"key": KEY}, store=store)


def test_it_opens_the_namespace_that_it_is_given() -> None:
    kept = MemoryStore()
    kept.in_namespace("first").put_many({KEY: ROWS})
    answers = [
        retrieve_tool(kept, namespace=name).call(key=KEY).content
        for name in ("first", "second", None)
    ]
    assert "late" in answers[0]
    assert all("no original is kept" in answer for answer in answers[1:])


def test_the_default_store_has_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", "memory://?namespace=host")
    headroom_core.default_store("first").put_many({KEY: ROWS})
    assert "late" in retrieve_tool(namespace="first").call(key=KEY).content
    assert "no original is kept" in retrieve_tool().call(key=KEY).content


async def test_it_opens_only_the_keys_that_are_allowed(store: MemoryStore) -> None:
    secret = "the text of another conversation"
    store.put_many({content_key(secret): secret})
    given: list[str] = []
    asking, fixed = retrieve_tool(store, allowed=lambda: given), retrieve_tool(store, allowed=[KEY])
    assert "not of this conversation" in asking.call(key=KEY).content
    given.append(KEY)
    for tool in (asking, fixed):
        assert "late" in tool.call(key=KEY).content
        assert "late" in (await tool.acall(key=KEY)).content
        assert "not of this conversation" in tool.call(key=content_key(secret)).content
        assert "not of this conversation" in (await tool.acall(key=content_key(secret))).content
