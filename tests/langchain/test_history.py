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
    """A history in a file, of which every reading makes new messages."""

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
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> BaseChatMessageHistory:
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


def wrapped(kept: BaseChatMessageHistory, **settings: Any) -> HeadroomChatMessageHistory:
    return HeadroomChatMessageHistory(kept, store=MemoryStore(), **settings)


def test_results_are_read_shortened_and_kept_whole(kept: BaseChatMessageHistory) -> None:
    history = wrapped(kept)
    history.add_messages(turn(0))
    assert kept.messages == turn(0)
    read = history.messages
    assert len(read[2].content) < len(LONG) / 2
    assert [*read[:2], read[3]] == [*turn(0)[:2], turn(0)[3]]


async def test_async_methods_do_the_same(kept: BaseChatMessageHistory) -> None:
    history = wrapped(kept)
    await history.aadd_messages(turn(0))
    assert await kept.aget_messages() == turn(0)
    assert await history.aget_messages() == history.messages
    await history.aclear()
    assert await history.aget_messages() == kept.messages == []


def test_clearing_empties_the_other_history(kept: BaseChatMessageHistory) -> None:
    history = wrapped(kept)
    history.add_user_message("hi")
    history.add_ai_message("hello")
    assert [message.text for message in kept.messages] == ["hi", "hello"]
    history.clear()
    assert history.messages == kept.messages == []


def test_a_history_that_only_adds_one_message_at_a_time_will_do() -> None:
    class OneByOne(InMemoryChatMessageHistory):
        add_messages = BaseChatMessageHistory.add_messages

    kept = OneByOne()
    wrapped(kept).add_messages(turn(0))
    wrapped(kept).add_message(HumanMessage("hi"))
    assert kept.messages == [*turn(0), HumanMessage("hi")]


def test_what_is_read_fits_the_budget_and_begins_as_before_but_where_a_cut_made_room(
    kept: BaseChatMessageHistory,
) -> None:
    history, before, cuts = wrapped(kept, token_budget=6000), [], 0
    for number in range(16):
        history.add_messages(turn(number))
        read = history.messages
        assert Tokenizer().count_messages(read) <= 6000
        cuts += read[: len(before)] != before
        before = read
    assert 0 < cuts < 8
    assert len(kept.messages) == 64
    assert "[headroom:" in str(before)


def test_without_a_budget_a_longer_history_always_begins_as_it_was_read(
    kept: BaseChatMessageHistory,
) -> None:
    history, before = wrapped(kept), []
    for number in range(6):
        history.add_messages(turn(number))
        read = history.messages
        assert read[: len(before)] == before
        before = read


def test_what_was_left_out_can_be_brought_back() -> None:
    store = MemoryStore()
    history = HeadroomChatMessageHistory(
        InMemoryChatMessageHistory(), token_budget=900, store=store, retrieve=True
    )
    for number in range(6):
        history.add_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(history.messages))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


def test_a_chain_with_a_history_is_sent_what_fits_and_keeps_everything() -> None:
    sent: list[list[BaseMessage]] = []
    kept = InMemoryChatMessageHistory(
        messages=[message for number in range(6) for message in turn(number)]
    )
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("history"), ("human", "{question}")]
    )
    model = GenericFakeChatModel(messages=iter([AIMessage("Six.")]))
    noted = RunnableLambda(lambda value: sent.append(value.to_messages()) or value)
    chain = RunnableWithMessageHistory(
        prompt | noted | model,
        lambda session_id: wrapped(kept, token_budget=2500),
        input_messages_key="question",
        history_messages_key="history",
    )
    reply = chain.invoke({"question": "How many pages?"}, {"configurable": {"session_id": "s"}})
    assert reply.content == "Six."
    assert Tokenizer().count_messages(sent[0][:-1]) <= 2500
    assert len(kept.messages) == 26
    assert [message.text for message in kept.messages[-2:]] == ["How many pages?", "Six."]


def test_settings_are_a_snapshot_and_a_wrong_budget_is_refused() -> None:
    config = HeadroomConfig(content_router_enabled=False)
    kept = InMemoryChatMessageHistory(messages=turn(0))
    history = wrapped(kept, config=config)
    config.content_router_enabled = True
    assert history.messages == turn(0)
    with pytest.raises(ConfigurationError, match=r"token_budget must be .* at least 1 .*, got 0"):
        wrapped(kept, token_budget=0)
