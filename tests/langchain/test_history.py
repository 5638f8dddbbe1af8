"""Test `HeadroomChatMessageHistory` around other histories."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.chat_history import BaseChatMessageHistory, InMemoryChatMessageHistory
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_to_dict,
    messages_from_dict,
)
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from headroom_core import Tokenizer, retrieve
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatMessageHistory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LONG = json.dumps([{"id": 4000 + number, "state": "delivered"} for number in range(200)])


class FileHistory(BaseChatMessageHistory):
    """History in a file that creates new messages on every read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        return messages_from_dict(json.loads(self.path.read_text())) if self.path.exists() else []

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        self.path.write_text(
            json.dumps([message_to_dict(message) for message in [*self.messages, *messages]])
        )

    def clear(self) -> None:
        self.path.unlink()


@pytest.fixture(params=["memory", "file"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> BaseChatMessageHistory:
    return (
        InMemoryChatMessageHistory()
        if request.param == "memory"
        else FileHistory(tmp_path / "chat.json")
    )


def turn(number: int) -> list[BaseMessage]:
    call = {"name": "orders", "args": {"page": number}, "id": f"c{number}", "type": "tool_call"}
    return [
        HumanMessage(f"Read page {number}.", id=f"h{number}"),
        AIMessage("", tool_calls=[call], id=f"a{number}"),
        ToolMessage(LONG, tool_call_id=f"c{number}", id=f"r{number}", name="orders"),
        AIMessage(f"Page {number} is read.", id=f"b{number}"),
    ]


def wrap_history(inner: BaseChatMessageHistory, **settings: Any) -> HeadroomChatMessageHistory:
    return HeadroomChatMessageHistory(inner, store=MemoryStore(), **settings)


def test_results_are_compressed_when_read_and_stored_whole(inner: BaseChatMessageHistory) -> None:
    history = wrap_history(inner)
    history.add_messages(turn(0))
    assert inner.messages == turn(0)
    read = history.messages
    assert len(read[2].content) < len(LONG) / 2
    assert [*read[:2], read[3]] == [*turn(0)[:2], turn(0)[3]]


async def test_async_methods_give_the_same_results(inner: BaseChatMessageHistory) -> None:
    history = wrap_history(inner)
    await history.aadd_messages(turn(0))
    assert await inner.aget_messages() == turn(0)
    assert await history.aget_messages() == history.messages
    await history.aclear()
    assert await history.aget_messages() == inner.messages == []


def test_clearing_empties_the_other_history(inner: BaseChatMessageHistory) -> None:
    history = wrap_history(inner)
    history.add_user_message("hi")
    history.add_ai_message("hello")
    assert [message.text for message in inner.messages] == ["hi", "hello"]
    history.clear()
    assert history.messages == inner.messages == []


def test_a_history_that_adds_messages_singly_is_supported() -> None:
    class SingleMessageHistory(InMemoryChatMessageHistory):
        add_messages = BaseChatMessageHistory.add_messages

    inner = SingleMessageHistory()
    wrap_history(inner).add_messages(turn(0))
    wrap_history(inner).add_message(HumanMessage("hi"))
    assert inner.messages == [*turn(0), HumanMessage("hi")]


def test_messages_read_fit_the_budget_and_the_prefix_rarely_breaks(
    inner: BaseChatMessageHistory,
) -> None:
    history, before, cuts = wrap_history(inner, token_budget=6000), [], 0
    for number in range(16):
        history.add_messages(turn(number))
        read = history.messages
        assert Tokenizer().count_messages(read) <= 6000
        cuts += read[: len(before)] != before
        before = read
    assert 0 < cuts < 8
    assert len(inner.messages) == 64
    assert "[headroom:" in str(before)


def test_without_a_budget_the_prefix_never_breaks(
    inner: BaseChatMessageHistory,
) -> None:
    history, before = wrap_history(inner), []
    for number in range(6):
        history.add_messages(turn(number))
        read = history.messages
        assert read[: len(before)] == before
        before = read


def test_dropped_messages_can_be_retrieved() -> None:
    store = MemoryStore()
    history = HeadroomChatMessageHistory(
        InMemoryChatMessageHistory(), token_budget=900, store=store, retrieve=True
    )
    for number in range(6):
        history.add_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(history.messages))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


def test_a_chain_sends_messages_that_fit_and_stores_everything() -> None:
    sent: list[list[BaseMessage]] = []
    inner = InMemoryChatMessageHistory(
        messages=[message for number in range(6) for message in turn(number)]
    )
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("history"), ("human", "{question}")]
    )
    model = GenericFakeChatModel(messages=iter([AIMessage("Six.")]))
    record_prompt = RunnableLambda(lambda value: sent.append(value.to_messages()) or value)
    chain = RunnableWithMessageHistory(
        prompt | record_prompt | model,
        lambda session_id: wrap_history(inner, token_budget=2500),
        input_messages_key="question",
        history_messages_key="history",
    )
    reply = chain.invoke({"question": "How many pages?"}, {"configurable": {"session_id": "s"}})
    assert reply.content == "Six."
    assert Tokenizer().count_messages(sent[0][:-1]) <= 2500
    assert len(inner.messages) == 26
    assert [message.text for message in inner.messages[-2:]] == ["How many pages?", "Six."]


def test_settings_are_a_snapshot_and_a_wrong_budget_is_rejected() -> None:
    config = HeadroomConfig(content_router_enabled=False)
    inner = InMemoryChatMessageHistory(messages=turn(0))
    history = wrap_history(inner, config=config)
    config.content_router_enabled = True
    assert history.messages == turn(0)
    with pytest.raises(ConfigurationError, match=r"token_budget must be .* at least 1 .*, got 0"):
        wrap_history(inner, token_budget=0)
