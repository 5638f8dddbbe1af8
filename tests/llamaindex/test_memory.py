"""Test that `HeadroomChatMemory` compresses messages when they are read."""

from __future__ import annotations

import asyncio
import re
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.llms import ChatMessage, LLMMetadata, MockLLM
from llama_index.core.storage.chat_store import SimpleChatStore
from orders import (
    TABLE,
    call_and_result,
    create_memory,
    dump_messages,
    is_paired,
    starts_with,
    tokens,
    turn,
)

from headroom_core import retrieve
from headroom_core.config import HeadroomConfig
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import HeadroomChatMemory

# Reading


@pytest.mark.parametrize("block", [True, False])
def test_results_are_compressed_when_read_and_stored_whole(block: bool) -> None:
    memory = create_memory()
    memory.put_messages(turn(0, block=block))
    assert memory.get_all() == turn(0, block=block)
    read = memory.get()
    assert read[2].content.startswith(TABLE)
    assert [*read[:2], read[3]] == [*turn(0, block=block)[:2], turn(0, block=block)[3]]


async def test_async_methods_give_the_same_results() -> None:
    memory = create_memory(2500)
    await memory.aset([ChatMessage("Be brief.", role="system")])
    for number in range(6):
        await memory.aput_messages(turn(number))
    await memory.aput(ChatMessage("And now?"))
    assert await memory.aget_all() == memory.get_all()
    assert len(memory.get_all()) == 26
    assert await memory.aget(input="And now?", initial_token_count=300) == memory.get(
        initial_token_count=300
    )
    await memory.areset()
    assert await memory.aget() == memory.get_all() == []


async def test_async_methods_use_the_async_chat_store() -> None:
    method_calls: list[str] = []

    class RecordingChatStore(SimpleChatStore):
        def __getattribute__(self, name: str) -> Any:
            if "messages" in name or name.endswith("add_message"):
                method_calls.append(name)
            return super().__getattribute__(name)

        async def aget_messages(self, key: str) -> list[ChatMessage]:
            return self.store.get(key, [])

        async def aset_messages(self, key: str, messages: list[ChatMessage]) -> None:
            self.store[key] = messages

        async def async_add_message(self, key: str, message: ChatMessage) -> None:
            self.store.setdefault(key, []).append(message)

    memory = create_memory(chat_store=RecordingChatStore())
    await memory.aset(turn(0))
    await memory.aput_messages(turn(1))
    assert len(await memory.aget()) == 8
    assert method_calls == ["aset_messages", *["async_add_message"] * 4, "aget_messages"]


async def test_the_event_loop_is_not_blocked() -> None:
    memory, ticks = (
        create_memory(chat_history=[message for number in range(20) for message in turn(number)]),
        0,
    )
    task = asyncio.create_task(memory.aget())
    while not task.done():
        ticks += 1
        await asyncio.sleep(0)
    assert ticks > 10


@pytest.mark.parametrize("block", [True, False])
def test_messages_read_fit_the_limit_and_the_prefix_rarely_breaks(block: bool) -> None:
    memory, before, cuts = create_memory(3000), list[ChatMessage](), 0
    memory.put(ChatMessage("Be brief.", role="system"))
    for number in range(60):
        memory.put_messages(turn(number, block=block, rows=20))
        read = memory.get()
        assert tokens(read) <= 3000
        assert is_paired(read)
        assert read[0].content == "Be brief."
        cuts += not starts_with(before, read)
        before = read
    assert 0 < cuts < 15
    assert len(memory.get_all()) == 241
    assert "[headroom:" in str(before)


def test_below_the_limit_the_prefix_never_breaks() -> None:
    memory, before = create_memory(), list[ChatMessage]()
    for message in (message for number in range(6) for message in turn(number)):
        memory.put(message)
        read = memory.get(input=f"About {message.role}?")
        assert starts_with(before, read)
        before = read


def test_dropped_messages_can_be_retrieved() -> None:
    store = MemoryStore()
    memory = create_memory(900, store=store, retrieve=True)
    for number in range(6):
        memory.put_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(memory.get()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


def test_a_single_long_turn_is_shortened() -> None:
    memory = create_memory(5000)
    memory.put(ChatMessage("Which orders are late?"))
    for number in range(40):
        memory.put_messages(call_and_result(number))
    read = memory.get()
    assert read[0].content == "Which orders are late?"
    assert tokens(read) <= 5000 < tokens(memory.get_all()) / 8
    assert is_paired(read)
    assert read[-1].additional_kwargs["tool_call_id"] == "c39"


@pytest.mark.parametrize(
    "large",
    [
        ChatMessage("word " * 700),
        ChatMessage(
            role="assistant", blocks=[ThinkingBlock(content="word " * 700), TextBlock(text="Yes.")]
        ),
        ChatMessage(
            blocks=[ImageBlock(url="https://example.com/one.png"), TextBlock(text="What is it?")]
        ),
    ],
    ids=["text", "thinking", "image"],
)
def test_every_kind_of_content_counts_towards_the_limit(large: ChatMessage) -> None:
    history = [
        message
        for _ in range(6)
        for message in (ChatMessage("So?"), large, ChatMessage("Well.", role="assistant"))
    ]
    limit = tokens(history) // 2
    read = create_memory(limit, chat_history=history).get()
    assert tokens(read) <= limit
    assert len(read) < len(history)


def test_tool_calls_count_towards_the_limit() -> None:
    memory = create_memory(1500)
    for number in range(10):
        call = ToolCallBlock(
            tool_call_id=f"c{number}", tool_name="write", tool_kwargs={"text": "word " * 300}
        )
        done = ChatMessage("Done.", role="tool", additional_kwargs={"tool_call_id": f"c{number}"})
        memory.put_messages(
            [ChatMessage("Write."), ChatMessage(role="assistant", blocks=[call]), done]
        )
    assert tokens(memory.get()) <= 1500
    assert is_paired(memory.get())


def test_initial_tokens_reduce_the_limit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = create_memory(
        4000, chat_history=[message for number in range(20) for message in turn(number)]
    )
    assert tokens(memory.get(initial_token_count=2500)) <= 1500 < tokens(memory.get()) <= 4000
    assert not caplog.messages


def test_small_changes_of_the_initial_tokens_change_nothing() -> None:
    memory = create_memory(
        4000, chat_history=[message for number in range(20) for message in turn(number)]
    )
    assert memory.get(initial_token_count=1260) == memory.get(initial_token_count=1490)
    assert tokens(memory.get(initial_token_count=3990)) < tokens(
        memory.get(initial_token_count=3000)
    )


async def test_too_many_initial_tokens_raise_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = create_memory(
        4000, chat_history=[message for number in range(20) for message in turn(number)]
    )
    for read in (memory.get(initial_token_count=5000), await memory.aget(initial_token_count=4000)):
        assert read[-1] == turn(19)[-1]
        assert len(read) < len(memory.get_all()) / 4
    assert "initial_token_count = 5000 leaves no room within token_limit = 4000" in caplog.text
    assert "Utrecht" not in caplog.text


def test_a_message_above_the_limit_is_kept_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    history = [ChatMessage("word " * 500), *turn(0), ChatMessage("other " * 500)]
    assert create_memory(100, chat_history=history).get()[-1] == history[-1]
    assert "token_budget = 100" in caplog.text


# Settings


class SmallContextLLM(MockLLM):
    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-4", context_window=8000)


class UnknownContextLLM(MockLLM):
    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=-1)


def test_the_limit_and_the_model_come_from_the_llm() -> None:
    from_defaults = HeadroomChatMemory.from_defaults
    memories = [
        from_defaults(),
        from_defaults(llm=SmallContextLLM()),
        from_defaults(llm=SmallContextLLM(), token_limit=500, model="gpt-4.1"),
        from_defaults(llm=MockLLM()),
    ]
    assert [memory.token_limit for memory in memories] == [30_000, 6000, 500, 2925]
    assert [memory.model for memory in memories] == ["gpt-4o", "gpt-4", "gpt-4.1", "gpt-4o"]
    assert from_defaults(llm=UnknownContextLLM()).token_limit == 30_000


def test_settings_are_a_snapshot() -> None:
    config = HeadroomConfig(content_router_enabled=False)
    memory = create_memory(config=config, chat_history=turn(0))
    config.content_router_enabled = True
    assert memory.get() == turn(0)


def test_a_chat_store_keeps_several_conversations() -> None:
    store = SimpleChatStore()
    first, second = (create_memory(chat_store=store, chat_store_key=key) for key in ("one", "two"))
    first.put_messages(turn(1))
    second.put(ChatMessage("hi"))
    assert store.get_messages("one") == first.get_all() == turn(1)
    assert second.get() == [ChatMessage("hi")]
    first.reset()
    assert store.get_keys() == ["two"]
    assert create_memory(chat_store=store, chat_store_key="two").get() == [ChatMessage("hi")]


async def test_lists_passed_in_are_not_mutated() -> None:
    history = [ChatMessage("hi")]
    memory = create_memory(chat_history=history)
    memory.put(ChatMessage("hello", role="assistant"))
    memory.get().clear()
    assert len(memory.get_all()) == 2
    await memory.aset(history)
    memory.put(ChatMessage("again"))
    assert history == [ChatMessage("hi")]


# Laws

questions = st.builds(lambda text: [ChatMessage(f"{text} then?")], st.text(max_size=30))
replies = st.builds(
    lambda text: [ChatMessage(text, role="assistant")], st.text(min_size=1, max_size=400)
)
results = st.builds(
    lambda number, block, rows: call_and_result(number, block=block, rows=rows),
    st.integers(0, 10**6),
    st.booleans(),
    st.integers(0, 40),
)
turns = st.builds(
    lambda first, rest: [*first, *(message for part in rest for message in part)],
    questions,
    st.lists(results | replies),
)


def unique(conversation: list[list[ChatMessage]]) -> list[ChatMessage]:
    """Return the messages, each call with an id of its own."""
    messages = [message.model_copy(deep=True) for part in conversation for message in part]
    for number, message in enumerate(messages):
        for block in message.blocks:
            if isinstance(block, ToolCallBlock):
                block.tool_call_id = f"c{number}"
        for call in message.additional_kwargs.get("tool_calls", ()):
            call["id"] = f"c{number}"
        if "tool_call_id" in message.additional_kwargs:
            message.additional_kwargs["tool_call_id"] = f"c{number - 1}"
    return messages


@settings(
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(turns, min_size=1, max_size=6), st.integers(50, 3000), st.booleans())
def test_any_conversation_is_read_within_the_limit(
    caplog: pytest.LogCaptureFixture,
    conversation: list[list[ChatMessage]],
    limit: int,
    retrieving: bool,
) -> None:
    caplog.clear()
    history, store = unique(conversation), MemoryStore()
    before = dump_messages(history)
    memory = create_memory(limit, chat_history=history, store=store, retrieve=retrieving)
    read = memory.get()
    assert dump_messages(memory.get_all()) == before, "a chat store's messages were changed"
    assert is_paired(read), "a call or its result stands alone"
    assert read[0].role.value == "user"
    assert tokens(read) <= limit or "token_budget" in caplog.text
    assert read[-1].role == history[-1].role
    assert dump_messages(memory.get()) == dump_messages(read)
    for key in re.findall(
        r'headroom_retrieve\(key="(\w+)"', " ".join(message.content or "" for message in read)
    ):
        assert retrieve(key, limit=None, store=store).found


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(turns, min_size=1, max_size=6), st.booleans())
def test_below_the_limit_new_messages_never_change_earlier_messages(
    conversation: list[list[ChatMessage]], retrieving: bool
) -> None:
    memory, before = create_memory(retrieve=retrieving), list[ChatMessage]()
    for message in unique(conversation):
        memory.put(message)
        read = memory.get()
        assert starts_with(before, read)
        assert len(read) == len(before) + 1
        before = read


def test_threads_share_a_memory() -> None:
    memory = create_memory(4000)
    failed: list[BaseException] = []

    def talk(start: int) -> None:
        try:
            for number in range(start, start + 10):
                memory.put(ChatMessage(f"What about {number}?"))
                assert is_paired(memory.get())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [Thread(target=talk, args=(start,)) for start in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(memory.get()) == len({message.content for message in memory.get_all()}) == 20
