"""Test that growing conversations reuse earlier work and give the same results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

import pytest
from conversations import Talk, talks
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from openai.types.chat import ChatCompletionMessage

from headroom_core import CompressResult, compress
from headroom_core.dialects import AnthropicDialect, Dialect, GoogleDialect, OpenAIDialect
from headroom_core.dialects.base import ParseState
from headroom_core.messages import Draft, Outline
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import LangChainDialect


class UncachedOpenAI(OpenAIDialect):
    def parse(self, messages: Sequence[Any]) -> Draft:
        return super().parse(messages)


class UncachedAnthropic(AnthropicDialect):
    def parse(self, messages: Sequence[Any]) -> Draft:
        return super().parse(messages)


class UncachedGoogle(GoogleDialect):
    def parse(self, messages: Sequence[Any]) -> Draft:
        return super().parse(messages)


class UncachedLangChain(LangChainDialect):
    def parse(self, messages: Sequence[Any]) -> Draft:
        return super().parse(messages)


DIALECTS: dict[str, tuple[Dialect, Dialect]] = {
    "openai": (OpenAIDialect(), UncachedOpenAI()),
    "anthropic": (AnthropicDialect(), UncachedAnthropic()),
    "google": (GoogleDialect(), UncachedGoogle()),
    "langchain": (LangChainDialect(), UncachedLangChain()),
}
"""Every dialect with a subclass that is never cached because it overrides `parse`."""


class RecordingDialect(OpenAIDialect):
    """Dialect that records the indexes of the messages it reads."""

    def __init__(self, read: list[int]) -> None:
        self.read_indexes = read

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        self.read_indexes.append(index)
        return super().read_message(index, message, state)


def rows(number: int, size: int = 40) -> str:
    return json.dumps(
        [
            {"id": number * 1000 + index, "state": "ok" if index % 9 else "failed"}
            for index in range(size)
        ]
    )


def turn(number: int, **arguments: Any) -> list[dict[str, Any]]:
    function = {"name": "jobs", "arguments": json.dumps({"day": number, **arguments})}
    call = {"id": f"c{number}", "type": "function", "function": function}
    return [
        {"role": "user", "content": f"Which of the jobs of day {number} failed?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": rows(number)},
    ]


def langchain_turn(number: int, **arguments: Any) -> list[Any]:
    call = {"id": f"c{number}", "name": "jobs", "args": {"day": number, **arguments}}
    return [
        HumanMessage(f"Which of the jobs of day {number} failed?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage(rows(number), tool_call_id=f"c{number}"),
    ]


def assert_same_as_uncached(form: str, messages: Sequence[Any], **options: Any) -> CompressResult:
    """Compress messages and check that the result is the same without a cache."""
    cached, uncached = DIALECTS[form]
    actual = compress(messages, dialect=cached, store=MemoryStore(), **options)
    expected = compress(messages, dialect=uncached, store=MemoryStore(), **options)
    assert (actual.messages, actual.changes) == (expected.messages, expected.changes)
    assert (actual.tokens_before, actual.tokens_after) == (
        expected.tokens_before,
        expected.tokens_after,
    )
    return actual


@given(talks(), st.data())
def test_a_growing_or_branching_conversation_equals_a_fresh_compression(
    talk: Talk, data: st.DataObject
) -> None:
    for _ in range(4):
        head = talk.messages[: data.draw(st.integers(0, len(talk.messages)))]
        tail = talk.messages[data.draw(st.integers(0, len(talk.messages))) :]
        assert_same_as_uncached(
            talk.form, [*head, *tail], token_budget=data.draw(st.none() | st.integers(50, 500))
        )


@pytest.mark.parametrize("form", ["openai", "langchain"])
def test_a_message_changed_in_place_is_read_again(form: str) -> None:
    make = {"openai": turn, "langchain": langchain_turn}[form]
    messages = [*make(1), *make(2)]
    before = assert_same_as_uncached(form, messages)
    message = messages[2]
    if form == "openai":
        message["content"] = rows(7)
    else:
        message.content = rows(7)
    after = assert_same_as_uncached(form, messages)
    assert after.messages[2] != before.messages[2]
    assert after.messages[5] == before.messages[5]


def test_arguments_that_only_compare_equal_are_distinguished() -> None:
    message = langchain_turn(1, deep={"a": 1, "b": [1]})[1]
    results = []
    for arguments in (
        {"a": 1, "b": [1]},
        {"b": [1], "a": 1},
        {"a": True, "b": [1]},
        {"a": 1, "b": [1.0]},
        {"a": 1},
    ):
        message.tool_calls[0]["args"]["deep"] = arguments
        results.append(DIALECTS["langchain"][0].parse([message]).blocks[0].text)
        assert_same_as_uncached("langchain", [message])
    assert len(set(results)) == 5


def test_the_same_text_in_another_role_is_a_different_message() -> None:
    for role in ("user", "assistant", "system", "tool", "unknown"):
        result = assert_same_as_uncached("openai", [{"role": role, "content": rows(1)}])
        assert (result.messages[0]["content"] == rows(1)) == (role not in ("tool", "user"))


def test_only_new_messages_are_read() -> None:
    store, read = MemoryStore(), list[int]()
    messages = [message for number in range(6) for message in turn(number, about="reading once")]
    compress(messages[:12], dialect=RecordingDialect(read), store=store)
    read.clear()
    compress(messages, dialect=RecordingDialect(read), store=store)
    assert read == [12, 13, 14, 15, 16, 17]
    read.clear()
    # A caller may replace a message by its compressed form.
    compress(
        [*messages[:14], {**messages[14], "content": "shortened"}, *messages[15:]],
        dialect=RecordingDialect(read),
        store=store,
    )
    assert read == [14, 15, 16, 17]


def test_a_message_changed_while_being_read_is_not_cached() -> None:
    class Changing(OpenAIDialect):
        text = "Set by another thread at this moment."

        def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
            message["content"] = self.text or message["content"]
            return super().read_message(index, message, state)

    message = {"role": "user", "content": "What is new?"}
    expected = compress([message], store=MemoryStore())
    compress([{**message}], dialect=Changing(), store=MemoryStore())
    Changing.text = ""
    again = compress([message], dialect=Changing(), store=MemoryStore())
    assert (again.tokens_before, again.changes) == (expected.tokens_before, expected.changes)


def test_a_forgotten_original_is_stored_again() -> None:
    store, messages = MemoryStore(), [*turn(1), *turn(2)]
    messages[2]["content"] = rows(1, 1000)
    first = compress(messages, store=store)
    store.purge()
    again = compress([*messages, {"role": "user", "content": "And today?"}], store=store)
    assert first.ccr_hashes == again.ccr_hashes != []
    assert all(store.get(key) for key in again.ccr_hashes)


def test_objects_without_plain_values_are_read_each_time() -> None:
    reply = ChatCompletionMessage(role="assistant", content="One failed.")
    messages = [*turn(1), reply]
    assert_same_as_uncached("openai", messages)
    reply.content = "Two failed."
    assert (
        assert_same_as_uncached("openai", messages).tokens_before
        == assert_same_as_uncached("openai", deepcopy(messages)).tokens_before
    )


def test_a_tool_artifact_may_be_any_object() -> None:
    messages = langchain_turn(1)
    messages[2].artifact = object()
    result = assert_same_as_uncached("langchain", messages)
    assert result.messages[2].artifact is messages[2].artifact


def test_threads_that_branch_a_conversation_do_not_interfere() -> None:
    shared = [message for number in range(5) for message in turn(number, about="threads")]
    branches = [[*shared, *turn(10 + number % 8), *turn(30 + number % 4)] for number in range(48)]
    store = MemoryStore()
    expected = [
        compress(branch, dialect=UncachedOpenAI(), store=store).messages for branch in branches
    ]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda branch: compress(branch, store=store), branches))
    assert [result.messages for result in results] == expected
