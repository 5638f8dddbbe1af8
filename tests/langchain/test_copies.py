"""Test that copies and pickles keep their store."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chat_models import Scripted
from langchain.agents import create_agent
from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool

from headroom_core import content_key
from headroom_core.stores import MemoryStore, SQLiteStore, Store
from headroom_integrations.langchain import (
    HeadroomChatMessageHistory,
    HeadroomChatModel,
    HeadroomCompressor,
    HeadroomMiddleware,
    HeadroomRetrieveTool,
    wrap_chat_model,
    wrap_tools,
)

ROWS = json.dumps(
    [{"id": n, "state": "late" if n == 77 else "sent", "city": "Utrecht"} for n in range(200)]
)
KEY = content_key(ROWS)
CALL: Any = {"name": "orders", "args": {}, "id": "c1", "type": "tool_call"}
CONVERSATION = [
    HumanMessage("Which are late?"),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage(ROWS, tool_call_id="c1"),
]


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "originals.db")


class Orders(BaseTool):
    name: str = "orders"
    description: str = "List the orders."

    def _run(self) -> str:
        return ROWS


def model() -> Scripted:
    """Return a model that calls the tool once and then answers."""
    return Scripted(replies=[AIMessage("", tool_calls=[CALL]), AIMessage("Seen.")])


class History(BaseChatMessageHistory):
    messages = CONVERSATION

    def clear(self) -> None:
        raise NotImplementedError


def run_agent(middleware: Any) -> Any:
    return create_agent(model(), [Orders()], middleware=[middleware]).invoke(
        {"messages": [("user", "Which are late?")]}
    )


ENTRY_POINTS: dict[str, tuple[Callable[[Store], Any], Callable[[Any], Any]]] = {
    "compressor": (
        lambda store: HeadroomCompressor(store=store, retrieve=True),
        lambda target: target.invoke(CONVERSATION),
    ),
    "chat model": (
        lambda store: HeadroomChatModel(model(), store=store, retrieve=True),
        lambda target: target.invoke(CONVERSATION),
    ),
    "variant": (
        lambda store: wrap_chat_model(model(), store=store, retrieve=True),
        lambda target: target.invoke(CONVERSATION),
    ),
    "middleware": (lambda store: HeadroomMiddleware(store=store), run_agent),
    "tools": (
        lambda store: wrap_tools([Orders()], store=store, retrieve=True),
        lambda target: target[0].invoke(CALL),
    ),
    "history": (
        lambda store: HeadroomChatMessageHistory(History(), store=store, retrieve=True),
        lambda target: target.messages,
    ),
}


def pickle_round_trip(original: Any) -> Any:
    return pickle.loads(pickle.dumps(original))


every_copy = pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle_round_trip])


@every_copy
@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_copies_store_originals_in_the_same_store(
    entry: str, duplicate: Callable[[Any], Any], store: Store
) -> None:
    make, use = ENTRY_POINTS[entry]
    use(duplicate(make(store)))
    assert store.get(KEY) == ROWS


@every_copy
def test_copies_of_the_retrieve_tool_read_the_same_store(
    duplicate: Callable[[Any], Any], store: Store
) -> None:
    store.put_many({KEY: ROWS})
    for tool in (HeadroomRetrieveTool(store=store), HeadroomMiddleware(store=store).tools[0]):
        assert "77,late" in duplicate(tool).invoke({"key": KEY, "where": "id == 77"})
