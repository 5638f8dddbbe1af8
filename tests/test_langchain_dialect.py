"""LangChain's messages are read, and written back as copies with another content alone."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    ToolMessageChunk,
    convert_to_messages,
)
from strategies import openai_conversations, tool_outputs

from headroom_core.dialects.base import Dialect
from headroom_core.messages import Block, Outline
from headroom_integrations.langchain import LangChainDialect

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def blocks(*messages: Any) -> tuple[Block, ...]:
    return LangChainDialect().parse(messages).blocks


def asked(name: str = "jobs", arguments: dict[str, Any] | None = None) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments or {}, "id": "c1", "type": "tool_call"}])


def rewritten(message: BaseMessage, text: str) -> BaseMessage:
    """Return the message with every text of its content replaced."""
    draft = LangChainDialect().parse([message])
    changed = tuple(block.with_text(text) for block in draft.blocks)
    (written,) = LangChainDialect().render(replace(draft, blocks=changed))
    assert isinstance(written, BaseMessage)
    return written


def test_it_is_a_dialect_that_knows_its_messages() -> None:
    dialect = LangChainDialect()
    assert isinstance(dialect, Dialect)
    assert dialect.matches([HumanMessage("hi")])
    assert not dialect.matches([{"role": "user", "content": "hi"}])


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (SystemMessage("x"), "system"),
        (HumanMessage("x"), "user"),
        (HumanMessageChunk("x"), "user"),
        (AIMessage("x"), "assistant"),
        (AIMessageChunk("x"), "assistant"),
        (ToolMessage("x", tool_call_id="c1"), "tool_result"),
        (ToolMessageChunk("x", tool_call_id="c1"), "tool_result"),
        (FunctionMessage("x", name="f"), "tool_result"),
        (ChatMessage("x", role="user"), "user"),
        (ChatMessage("x", role="developer"), "system"),
    ],
)
def test_the_class_tells_the_kind(message: BaseMessage, kind: str) -> None:
    (block,) = blocks(message)
    assert (block.kind, block.path, block.text) == (kind, ("content",), "x")


@pytest.mark.parametrize(
    "carried",
    [
        RemoveMessage(id="m1"),
        ChatMessage("x", role="narrator"),
        AIMessage(""),
        {"role": "user", "content": "x"},
        "x",
        7,
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_carried(carried: Any) -> None:
    draft = LangChainDialect().parse([carried])
    assert draft.blocks == ()
    assert LangChainDialect().render(draft)[0] is carried


def test_lists_are_read_string_by_string_and_block_by_block() -> None:
    reasoning = {"type": "reasoning", "reasoning": "hm"}
    document = {"type": "text-plain", "mime_type": "text/plain", "text": "c"}
    found = blocks(HumanMessage(["a", IMAGE, {"type": "text", "text": "b"}, document, reasoning]))
    assert [(block.path, block.kind, block.text) for block in found] == [
        (("content", 0), "user", "a"),
        (("content", 2, "text"), "user", "b"),
        (("content", 3, "text"), "document", "c"),
    ]


def test_a_result_knows_its_call() -> None:
    call, result = blocks(asked("jobs", {"day": 3}), ToolMessage("[]", tool_call_id="c1"))
    assert (call.kind, call.text, call.tool) == ("tool_call", '{"day":3}', "jobs")
    assert (result.tool, result.call) == ("jobs", '{"day":3}')


def test_a_result_of_an_invalid_call_knows_it_too() -> None:
    invalid = [{"name": "jobs", "args": "{day", "id": "c1", "error": "not JSON", "type": "invalid_tool_call"}]
    (result,) = blocks(AIMessage("", invalid_tool_calls=invalid), ToolMessage("[]", tool_call_id="c1"))
    assert (result.tool, result.call) == ("jobs", "{day")


def test_a_result_without_its_call_goes_by_its_own_name() -> None:
    found = blocks(ToolMessage("1", tool_call_id="c1"), ToolMessage("2", tool_call_id="c2", name="jobs"))
    assert [block.tool for block in found] == [None, "jobs"]


def test_retrieved_text_is_pinned() -> None:
    assert blocks(asked("headroom_retrieve"), ToolMessage("rows", tool_call_id="c1"))[-1].pinned


def outlines(*messages: Any) -> tuple[Outline, ...]:
    return LangChainDialect().parse(messages).outlines


def test_every_message_is_outlined_and_calls_are_paired_by_id() -> None:
    invalid = [{"name": "jobs", "args": "{day", "id": "c2", "error": "not JSON", "type": "invalid_tool_call"}]
    calling = AIMessage("", tool_calls=asked().tool_calls, invalid_tool_calls=invalid)
    results = [ToolMessage("[]", tool_call_id=identifier) for identifier in ("c1", "c2")]
    asking, *found = outlines(calling, *results, HumanMessage("hi"), RemoveMessage(id="m1"), "x")
    assert (asking.kind, set(asking.calls)) == ("assistant", {"c1", "c2"})
    assert [(outline.kind, outline.answers) for outline in found[:2]] == [
        ("tool_result", ("c1",)),
        ("tool_result", ("c2",)),
    ]
    assert found[2:] == [Outline("user"), Outline(None), Outline(None)]


def test_functions_are_answered_by_name_and_calls_without_ids_in_order() -> None:
    function = AIMessage("", additional_kwargs={"function_call": {"name": "jobs", "arguments": '{"day": 3}'}})
    calling, answering = outlines(function, FunctionMessage("[]", name="jobs"))
    assert calling.calls == answering.answers != ()
    assert blocks(function, FunctionMessage("[]", name="jobs"))[-1].call == '{"day": 3}'
    no_id = AIMessage("", tool_calls=[{"name": "jobs", "args": {}, "id": None, "type": "tool_call"}] * 2)
    assert len(set(outlines(no_id)[0].calls)) == 2


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("x", additional_kwargs={"cache_control": {"type": "ephemeral"}}),
        HumanMessage(["a", {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]),
        ToolMessage([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}], tool_call_id="c1"),
        HumanMessage([{"type": "text", "text": "x", "extras": {"cache_control": {"type": "ephemeral"}}}]),
        HumanMessage([{"cachePoint": {"type": "default"}}, {"type": "text", "text": "x"}]),
    ],
)
def test_a_cache_breakpoint_is_seen_wherever_it_stands(message: BaseMessage) -> None:
    assert [outline.mark for outline in outlines(message, HumanMessage("x"))] == [True, False]


def test_the_arguments_of_a_call_are_never_written() -> None:
    message = asked("jobs", {"day": 3})
    assert rewritten(message, "{}") is message


def test_a_changed_result_keeps_all_but_its_content() -> None:
    artifact = object()
    message = ToolMessage(
        ["long", IMAGE],
        tool_call_id="c1",
        id="m1",
        name="jobs",
        status="error",
        artifact=artifact,
        additional_kwargs={"cache": True},
        response_metadata={"ms": 3},
    )
    written = rewritten(message, "short")
    assert isinstance(written, ToolMessage)
    assert written.content == ["short", IMAGE]
    assert message.content == ["long", IMAGE]
    assert written.artifact is artifact
    assert written.model_dump() == {**message.model_dump(), "content": ["short", IMAGE]}


def test_a_changed_chunk_stays_a_chunk() -> None:
    assert isinstance(rewritten(AIMessageChunk("long", id="m1"), "short"), AIMessageChunk)


@given(openai_conversations().map(convert_to_messages))
def test_an_untouched_conversation_comes_back_as_the_same_objects(messages: list[BaseMessage]) -> None:
    before = copy.deepcopy(messages)
    back = LangChainDialect().render(LangChainDialect().parse(messages))
    assert [id(message) for message in back] == [id(message) for message in messages]
    assert messages == before


@given(openai_conversations().map(convert_to_messages), tool_outputs, st.data())
def test_a_changed_block_changes_its_message_alone(messages: list[BaseMessage], text: str, data: st.DataObject) -> None:
    before, draft = copy.deepcopy(messages), LangChainDialect().parse(messages)
    if not draft.blocks:
        return
    block = data.draw(st.sampled_from(draft.blocks))
    changed = tuple(each.with_text(text) if each is block else each for each in draft.blocks)
    back = LangChainDialect().render(replace(draft, blocks=changed))
    same = [index for index, pair in enumerate(zip(messages, back, strict=True)) if pair[0] is pair[1]]
    unwritten = block.kind == "tool_call" or block.text == text
    assert same == [index for index in range(len(messages)) if unwritten or index != block.message]
    assert messages == before
