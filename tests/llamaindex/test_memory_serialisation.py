"""Test serialising, copying and pickling of `HeadroomChatMemory`."""

from __future__ import annotations

import copy
import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ThinkingBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store import SimpleChatStore
from orders import create_memory, dump_messages, turn
from pydantic_core import PydanticSerializationError

from headroom_core import retrieve
from headroom_core.config import HeadroomConfig, SmartCrusherConfig
from headroom_core.errors import ConfigurationError
from headroom_core.stores import MemoryStore, SQLiteStore
from headroom_integrations.llamaindex import HeadroomChatMemory


def create_rich_memory() -> HeadroomChatMemory:
    config = HeadroomConfig(
        smart_crusher=SmartCrusherConfig(min_tokens_to_crush=50, preserve_fields=("state",))
    )
    image = ChatMessage(
        blocks=[ImageBlock(url="https://example.com/one.png"), TextBlock(text="What is it?")]
    )
    thought = ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="A hat.")]
    )
    history = [*turn(0), *turn(1, block=False), image, thought]
    return create_memory(
        3000, chat_history=history, config=config, chat_store_key="ours", retrieve=True
    )


def pickle_memory(memory: HeadroomChatMemory) -> Any:
    return pickle.loads(pickle.dumps(memory))


@pytest.mark.parametrize(
    "serialise",
    [
        lambda memory, store: HeadroomChatMemory.from_dict(memory.to_dict(), store=store),
        lambda memory, store: HeadroomChatMemory.from_dict(
            json.loads(json.dumps(memory.to_dict())), store=store
        ),
        lambda memory, store: HeadroomChatMemory.from_string(memory.to_string(), store=store),
        lambda memory, store: pickle_memory(memory),
        lambda memory, store: copy.deepcopy(memory),
        lambda memory, store: memory.model_copy(deep=True),
    ],
    ids=["dict", "json", "string", "pickle", "deepcopy", "model_copy"],
)
def test_a_memory_survives_serialisation(
    serialise: Callable[[HeadroomChatMemory, Any], HeadroomChatMemory],
) -> None:
    memory = create_rich_memory()
    restored = serialise(memory, memory.store)
    assert restored == memory
    assert restored.chat_store is not memory.chat_store
    assert restored.to_dict() == memory.to_dict()
    assert (
        restored.to_dict()["class_name"] == HeadroomChatMemory.class_name() == "HeadroomChatMemory"
    )
    assert dump_messages(restored.get()) == dump_messages(memory.get())
    assert restored.store is memory.store is not None


def test_an_assigned_setting_is_serialised() -> None:
    config = HeadroomConfig()
    config.rolling_window.preserve_recent_turns = 3
    restored = HeadroomChatMemory.from_string(create_memory(config=config).to_string())
    assert restored.config == config


def test_a_serialised_memory_is_not_mutated() -> None:
    serialised = create_rich_memory().to_dict()
    before = copy.deepcopy(serialised)
    HeadroomChatMemory.from_dict(serialised).put(ChatMessage("More."))
    assert serialised == before


def test_a_custom_chat_store_must_be_passed_again() -> None:
    class CustomChatStore(SimpleChatStore):
        @classmethod
        def class_name(cls) -> str:
            return "CustomChatStore"

    store = CustomChatStore()
    serialised = create_memory(chat_store=store, chat_history=turn(0)).to_dict()
    assert serialised["chat_store"]["class_name"] == "CustomChatStore"
    with pytest.raises(ConfigurationError, match="Invalid ChatStore name: CustomChatStore"):
        HeadroomChatMemory.from_dict(serialised)
    assert HeadroomChatMemory.from_dict(serialised, chat_store=store).get_all() == turn(0)


def test_a_conversation_continues_from_a_persisted_chat_store(tmp_path: Path) -> None:
    path = str(tmp_path / "chats" / "store.json")
    memory, originals = create_rich_memory(), MemoryStore()
    assert isinstance(memory.chat_store, SimpleChatStore)
    try:
        memory.chat_store.persist(path)
    except PydanticSerializationError:
        pytest.skip("LlamaIndex cannot write its chat stores with this version of pydantic")
    restored = memory.model_copy(
        update={"chat_store": SimpleChatStore.from_persist_path(path), "store": originals}
    )
    assert dump_messages(restored.get()) == dump_messages(memory.get())


def test_originals_in_a_configured_file_outlast_the_process(tmp_path: Path) -> None:
    config = HeadroomConfig(store_url=f"sqlite:///{tmp_path}/originals.db")
    memory = create_memory(900, store=None, config=config, retrieve=True)
    memory.put_messages([message for number in range(6) for message in turn(number)])
    restored = HeadroomChatMemory.from_string(memory.to_string())
    assert restored.get() == memory.get()
    assert "headroom_retrieve(key=" in str(restored.get())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle_memory])
@pytest.mark.parametrize("file", [False, True], ids=["memory", "file"])
def test_copies_share_the_store_of_originals(copied: Any, file: bool, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "originals.db") if file else MemoryStore()
    memory = copied(create_memory(900, store=store, retrieve=True))
    memory.put_messages([message for number in range(6) for message in turn(number)])
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(memory.get()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


def test_stores_that_cannot_be_pickled_are_left_behind() -> None:
    class UnpicklableStore(MemoryStore):
        def __reduce__(self) -> Any:
            raise TypeError("cannot pickle a connection")

    class UnpicklableChatStore(SimpleChatStore):
        def __reduce__(self) -> Any:
            raise TypeError("cannot pickle a connection")

    store, chat_store = UnpicklableStore(), UnpicklableChatStore()
    memory = create_memory(
        store=store, chat_store=chat_store, chat_history=turn(0), chat_store_key="ours"
    )
    restored = pickle_memory(memory)
    assert (restored.store, restored.chat_store_key, restored.get_all()) == (None, "ours", [])
    assert (memory.store, memory.chat_store, memory.get_all()) == (store, chat_store, turn(0))
