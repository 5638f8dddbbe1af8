"""Test that the dialect of LangChain reads messages and changes only their content."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
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
    convert_to_openai_messages,
)
from strategies import openai_conversations, tool_outputs

from headroom_core import Tokenizer
from headroom_core.dialects import OpenAIDialect
from headroom_core.dialects.base import Dialect
from headroom_core.messages import Block, Outline
from headroom_integrations.langchain import LangChainDialect

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def parse_blocks(*messages: Any) -> tuple[Block, ...]:
    return LangChainDialect().parse(messages).blocks


def calling_message(name: str = "jobs", arguments: dict[str, Any] | None = None) -> AIMessage:
    return AIMessage(
        "", tool_calls=[{"name": name, "args": arguments or {}, "id": "c1", "type": "tool_call"}]
    )


def rewrite(message: BaseMessage, text: str) -> BaseMessage:
    """Return the message with every text of its content replaced."""
    draft = LangChainDialect().parse([message])
    changed = tuple(block.with_text(text) for block in draft.blocks)
    (written,) = LangChainDialect().render(replace(draft, blocks=changed))
    assert isinstance(written, BaseMessage)
    return written


def test_the_dialect_matches_langchain_messages() -> None:
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
def test_the_class_of_a_message_determines_its_kind(message: BaseMessage, kind: str) -> None:
    (block,) = parse_blocks(message)
    assert (block.kind, block.path, block.text) == (kind, ("content",), "x")


@pytest.mark.parametrize(
    "carried",
    [
        RemoveMessage(id="m1"),
        ChatMessage("x", role="narrator"),
        AIMessage(""),
        "x",
        7,
    ],
    ids=repr,
)
def test_unreadable_messages_are_kept_unchanged(carried: Any) -> None:
    draft = LangChainDialect().parse([carried])
    assert draft.blocks == ()
    assert LangChainDialect().render(draft)[0] is carried


def test_dicts_among_the_messages_are_read_and_counted_as_chat_messages() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[Any] = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        ToolMessage("42", tool_call_id="c1"),
    ]
    dialect = LangChainDialect()
    assert [(block.kind, block.tool) for block in dialect.parse(messages).blocks] == [
        ("tool_call", "f"),
        ("tool_result", "f"),
    ]
    assert dialect.count(messages[0], len) == OpenAIDialect().count(messages[0], len)


def test_strings_and_blocks_of_lists_are_read_separately() -> None:
    reasoning = {"type": "reasoning", "reasoning": "hm"}
    document = {"type": "text-plain", "mime_type": "text/plain", "text": "c"}
    found = parse_blocks(
        HumanMessage(["a", IMAGE, {"type": "text", "text": "b"}, document, reasoning])
    )
    assert [(block.path, block.kind, block.text) for block in found] == [
        (("content", 0), "user", "a"),
        (("content", 2, "text"), "user", "b"),
        (("content", 3, "text"), "document", "c"),
    ]


CARRIED = [
    IMAGE,
    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    {"type": "file", "file": {"file_id": "f1"}},
    {"type": "file", "mime_type": "application/pdf", "base64": "AA=="},
    {"type": "image", "url": "https://host/a.png"},
    {"type": "audio", "base64": "AA==", "mime_type": "audio/wav"},
    {"type": "video", "file_id": "f1"},
    {"type": "text-plain", "mime_type": "text/plain", "base64": "AA=="},
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "c2ln"},
    {"type": "reasoning", "reasoning": "hm", "extras": {"signature": "c2ln"}},
    {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "c2ln",
    },
    {"type": "server_tool_call", "id": "s1", "name": "search", "args": {"q": "jobs"}},
    {"type": "server_tool_result", "tool_call_id": "s1", "status": "success", "output": ["rows"]},
    {"type": "invalid_tool_call", "id": "c9", "name": "jobs", "args": "{day", "error": "not JSON"},
    {"type": "function_call", "call_id": "c1", "name": "jobs", "arguments": '{"day": 3}'},
    {"type": "web_search_call", "id": "w1", "action": {"query": "jobs"}},
    {"type": "executable_code", "executable_code": "print(1)", "language": 1},
    {"type": "code_execution_result", "code_execution_result": "1", "outcome": 1},
    {"type": "non_standard", "value": {"type": "thinking", "thinking": "x"}},
    {"type": "guard_content", "text": "x"},
    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
    {"toolResult": {"toolUseId": "t1", "content": [{"text": "rows"}]}},
    {"cachePoint": {"type": "default"}},
]


@pytest.mark.parametrize("part", CARRIED, ids=lambda part: part.get("type") or next(iter(part)))
@pytest.mark.parametrize(
    "make", [HumanMessage, AIMessage, lambda parts: ToolMessage(parts, tool_call_id="c1")]
)
def test_blocks_other_than_texts_are_kept_unchanged(part: dict[str, Any], make: Any) -> None:
    text = {
        "type": "text",
        "text": "long",
        "id": "lc_1",
        "annotations": [{"type": "citation", "cited_text": "a"}],
    }
    message = make([copy.deepcopy(part), text])
    assert [block.text for block in parse_blocks(message)] == ["long"]
    assert rewrite(message, "short").content == [part, {**text, "text": "short"}]


PASSAGES = [
    {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "long"},
        "title": "T",
    },
    {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "long"}]},
    },
    {
        "type": "search_result",
        "source": "a.md",
        "title": "T",
        "content": [{"type": "text", "text": "long"}],
    },
    {"type": "text-plain", "mime_type": "text/plain", "text": "long", "title": "T"},
]


@pytest.mark.parametrize("part", PASSAGES, ids=lambda part: part["type"])
def test_documents_in_results_are_read_as_documents(part: dict[str, Any]) -> None:
    message = ToolMessage([copy.deepcopy(part)], tool_call_id="c1")
    asking, block = parse_blocks(calling_message("look"), message)
    assert (block.kind, block.text, block.tool, block.call) == (
        "document",
        "long",
        "look",
        asking.text,
    )
    assert rewrite(message, "short").content == [
        json.loads(json.dumps(part).replace("long", "short"))
    ]


def test_results_in_user_messages_are_linked_to_their_calls() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "c1",
        "content": [{"type": "text", "text": "[]"}],
    }
    (_, found) = parse_blocks(calling_message("jobs", {"day": 3}), HumanMessage([result]))
    assert (found.kind, found.tool, found.call) == ("tool_result", "jobs", '{"day":3}')
    assert parse_outlines(calling_message(), HumanMessage([result]))[1].answers == ("c1",)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "tool_use", "id": "c1", "name": "jobs", "input": {"day": 3}},
        {"type": "tool_call", "id": "c1", "name": "jobs", "args": {"day": 3}},
    ],
    ids=lambda part: part["type"],
)
@pytest.mark.parametrize(
    "tool_calls", [[], [{"id": "c1", "name": "jobs", "args": {"day": 3}, "type": "tool_call"}]]
)
def test_a_call_in_content_and_tool_calls_is_read_once(part: Any, tool_calls: Any) -> None:
    messages = AIMessage([part], tool_calls=tool_calls), ToolMessage("[]", tool_call_id="c1")
    assert [(outline.calls, outline.answers) for outline in parse_outlines(*messages)] == [
        (("c1",), ()),
        ((), ("c1",)),
    ]
    assert (parse_blocks(*messages)[-1].tool, parse_blocks(*messages)[-1].call) == (
        "jobs",
        '{"day":3}',
    )
    assert rewrite(messages[0], "{}") is messages[0]


def test_incomplete_chunks_keep_their_calls() -> None:
    pieces = [
        {"name": "jobs", "args": '{"day": 3, ', "id": "c1", "index": 0, "type": "tool_call_chunk"}
    ]
    message = AIMessageChunk("long", tool_call_chunks=pieces)
    written = rewrite(message, "short")
    assert written == message.model_copy(update={"content": "short"})
    assert (written + AIMessageChunk("er")).tool_calls == message.tool_calls


def test_results_are_linked_to_their_calls() -> None:
    call, result = parse_blocks(
        calling_message("jobs", {"day": 3}), ToolMessage("[]", tool_call_id="c1")
    )
    assert (call.kind, call.text, call.tool) == ("tool_call", '{"day":3}', "jobs")
    assert (result.tool, result.call) == ("jobs", '{"day":3}')


def test_results_are_linked_to_invalid_calls() -> None:
    invalid = [
        {
            "name": "jobs",
            "args": "{day",
            "id": "c1",
            "error": "not JSON",
            "type": "invalid_tool_call",
        }
    ]
    (result,) = parse_blocks(
        AIMessage("", invalid_tool_calls=invalid), ToolMessage("[]", tool_call_id="c1")
    )
    assert (result.tool, result.call) == ("jobs", "{day")


def test_a_result_without_a_call_uses_its_own_name() -> None:
    found = parse_blocks(
        ToolMessage("1", tool_call_id="c1"), ToolMessage("2", tool_call_id="c2", name="jobs")
    )
    assert [block.tool for block in found] == [None, "jobs"]


def test_retrieved_text_is_pinned() -> None:
    assert parse_blocks(
        calling_message("headroom_retrieve"), ToolMessage("rows", tool_call_id="c1")
    )[-1].pinned


def parse_outlines(*messages: Any) -> tuple[Outline, ...]:
    return LangChainDialect().parse(messages).outlines


def test_every_message_has_an_outline_and_ids_pair_calls() -> None:
    invalid = [
        {
            "name": "jobs",
            "args": "{day",
            "id": "c2",
            "error": "not JSON",
            "type": "invalid_tool_call",
        }
    ]
    calling = AIMessage("", tool_calls=calling_message().tool_calls, invalid_tool_calls=invalid)
    results = [ToolMessage("[]", tool_call_id=identifier) for identifier in ("c1", "c2")]
    asking, *found = parse_outlines(
        calling, *results, HumanMessage("hi"), RemoveMessage(id="m1"), "x"
    )
    assert (asking.kind, set(asking.calls)) == ("assistant", {"c1", "c2"})
    assert [(outline.kind, outline.answers) for outline in found[:2]] == [
        ("tool_result", ("c1",)),
        ("tool_result", ("c2",)),
    ]
    assert found[2:] == [Outline("user"), Outline(None), Outline(None)]


def test_functions_pair_by_name_and_calls_without_ids_are_distinct() -> None:
    function = AIMessage(
        "", additional_kwargs={"function_call": {"name": "jobs", "arguments": '{"day": 3}'}}
    )
    calling, answering = parse_outlines(function, FunctionMessage("[]", name="jobs"))
    assert calling.calls == answering.answers != ()
    assert parse_blocks(function, FunctionMessage("[]", name="jobs"))[-1].call == '{"day": 3}'
    no_id = AIMessage(
        "", tool_calls=[{"name": "jobs", "args": {}, "id": None, "type": "tool_call"}] * 2
    )
    assert len(set(parse_outlines(no_id)[0].calls)) == 2


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("x", additional_kwargs={"cache_control": {"type": "ephemeral"}}),
        HumanMessage(["a", {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]),
        ToolMessage(
            [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}],
            tool_call_id="c1",
        ),
        HumanMessage(
            [{"type": "text", "text": "x", "extras": {"cache_control": {"type": "ephemeral"}}}]
        ),
        HumanMessage([{"cachePoint": {"type": "default"}}, {"type": "text", "text": "x"}]),
    ],
)
def test_cache_breakpoints_are_found_in_all_positions(message: BaseMessage) -> None:
    assert [outline.mark for outline in parse_outlines(message, HumanMessage("x"))] == [True, False]


def test_arguments_of_calls_are_never_changed() -> None:
    message = calling_message("jobs", {"day": 3})
    assert rewrite(message, "{}") is message


def test_a_changed_result_keeps_its_other_fields() -> None:
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
    written = rewrite(message, "short")
    assert isinstance(written, ToolMessage)
    assert written.content == ["short", IMAGE]
    assert message.content == ["long", IMAGE]
    assert written.artifact is artifact
    assert written.model_dump() == {**message.model_dump(), "content": ["short", IMAGE]}


def test_a_changed_chunk_stays_a_chunk() -> None:
    assert isinstance(rewrite(AIMessageChunk("long", id="m1"), "short"), AIMessageChunk)


@given(openai_conversations().map(convert_to_messages))
def test_unchanged_conversations_are_returned_as_the_same_objects(
    messages: list[BaseMessage],
) -> None:
    before = copy.deepcopy(messages)
    back = LangChainDialect().render(LangChainDialect().parse(messages))
    assert [id(message) for message in back] == [id(message) for message in messages]
    assert messages == before


@given(openai_conversations().map(convert_to_messages), tool_outputs, st.data())
def test_a_changed_block_changes_only_its_message(
    messages: list[BaseMessage], text: str, data: st.DataObject
) -> None:
    before, draft = copy.deepcopy(messages), LangChainDialect().parse(messages)
    if not draft.blocks:
        return
    block = data.draw(st.sampled_from(draft.blocks))
    changed = tuple(each.with_text(text) if each is block else each for each in draft.blocks)
    back = LangChainDialect().render(replace(draft, blocks=changed))
    same = [
        index for index, pair in enumerate(zip(messages, back, strict=True)) if pair[0] is pair[1]
    ]
    unwritten = block.kind == "tool_call" or block.text == text
    assert same == [index for index in range(len(messages)) if unwritten or index != block.message]
    assert messages == before


# Counting.


def count_tokens(*messages: Any) -> int:
    return Tokenizer().count_messages(messages)


TOOL_CALL = {"name": "jobs", "args": {"day": 3}, "id": "c1", "type": "tool_call"}
OPENAI_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "jobs", "arguments": '{"day":3}'},
}
INVALID = {
    "name": "jobs",
    "args": "{day",
    "id": "c1",
    "error": "not JSON",
    "type": "invalid_tool_call",
}
CITED = {
    "type": "text",
    "text": "hi",
    "annotations": [{"type": "citation", "cited_text": "a long text"}],
}
FUNCTION = {"name": "jobs", "arguments": '{"day":3}'}


@pytest.mark.parametrize(
    ("message", "same"),
    [
        (SystemMessage("hi"), {"role": "system", "content": "hi"}),
        (HumanMessage("hi", name="Ann", id="m1"), {"role": "user", "content": "hi", "name": "Ann"}),
        (HumanMessageChunk("hi"), {"role": "user", "content": "hi"}),
        (ChatMessage("hi", role="developer"), {"role": "developer", "content": "hi"}),
        (FunctionMessage("hi", name="jobs"), {"role": "function", "content": "hi", "name": "jobs"}),
        (
            AIMessage("hi", response_metadata={"text": "no"}, usage_metadata=None),
            {"role": "assistant", "content": "hi"},
        ),
        (
            AIMessage("", additional_kwargs={"reasoning_content": "no"}),
            {"role": "assistant", "content": ""},
        ),
        (
            ToolMessage("[]", tool_call_id="c1", artifact={"text": "no"}, status="error"),
            {"role": "tool", "tool_call_id": "c1", "content": "[]"},
        ),
        (HumanMessage(["hi", IMAGE]), {"role": "user", "content": ["hi", IMAGE]}),
        (
            HumanMessage([{"type": "image", "base64": "AA" * 999}]),
            {"role": "user", "content": [IMAGE]},
        ),
        (HumanMessage([CITED]), {"role": "user", "content": "hi"}),
        (
            AIMessage([{"type": "reasoning", "reasoning": "hm"}]),
            {"role": "assistant", "content": "hm"},
        ),
        (
            AIMessage([{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]),
            {"role": "assistant", "content": "hm"},
        ),
        (
            AIMessage("hi", tool_calls=[TOOL_CALL]),
            {"role": "assistant", "content": "hi", "tool_calls": [OPENAI_CALL]},
        ),
        (AIMessage(content_blocks=[TOOL_CALL]), {"role": "assistant", "tool_calls": [OPENAI_CALL]}),
        (
            AIMessage(
                [{"type": "tool_use", "id": "c1", "name": "jobs", "input": {"day": 3}}],
                tool_calls=[TOOL_CALL],
            ),
            {"role": "assistant", "tool_calls": [OPENAI_CALL]},
        ),
        (
            AIMessage(
                [{"type": "function_call", "id": "fc", "call_id": "c1", **FUNCTION}],
                tool_calls=[TOOL_CALL],
            ),
            {"role": "assistant", "tool_calls": [OPENAI_CALL]},
        ),
        (
            AIMessageChunk(
                "", tool_call_chunks=[{"name": "jobs", "args": '{"day":3}', "id": "c1", "index": 0}]
            ),
            {"role": "assistant", "tool_calls": [OPENAI_CALL]},
        ),
        (
            AIMessage("", invalid_tool_calls=[INVALID]),
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "jobs", "arguments": "{day"}}],
            },
        ),
        (
            AIMessage("", additional_kwargs={"function_call": FUNCTION}),
            {"role": "assistant", "function_call": FUNCTION},
        ),
    ],
    ids=lambda each: each.__class__.__name__ if isinstance(each, BaseMessage) else "",
)
def test_only_text_that_the_model_reads_is_counted_once(
    message: BaseMessage, same: dict[str, Any]
) -> None:
    assert count_tokens(message) == count_tokens(same)


@given(openai_conversations())
def test_token_counts_match_the_format_of_openai(
    messages: list[dict[str, Any]],
) -> None:
    try:
        compact = convert_to_openai_messages(convert_to_messages(messages), text_format="block")
    except ValueError:  # older versions know fewer kinds of blocks
        reject()
    for call in (call for message in compact for call in message.get("tool_calls", ())):
        call["function"]["arguments"] = json.dumps(
            json.loads(call["function"]["arguments"]), ensure_ascii=False, separators=(",", ":")
        )
    assert count_tokens(*convert_to_messages(messages)) == count_tokens(*compact)


# Found by the class of the messages, once the package is installed.

ROOT = Path(__file__).parents[2]
COMPRESS = """
import sys
from langchain_core.messages import BaseMessage, ToolMessage
from headroom_core import MemoryStore, compress
class Mine(ToolMessage): pass
rows = [{"id": number, "state": "done"} for number in range(300)]
result = compress([Mine(str(rows).replace("'", '"'), tool_call_id="c1")], store=MemoryStore())
print(result.compressed, [type(message).__name__ for message in result.messages], result.warnings)
"""
NO_LANGCHAIN = """
import sys
from headroom_core import MemoryStore, compress
from openai.types.chat import ChatCompletionMessage
answer = ChatCompletionMessage(role="assistant", content="hi")
messages = [{"role": "user", "content": "hi"}, answer, 7]
print(compress(messages, store=MemoryStore()).messages == messages, "langchain_core" in sys.modules)
"""


def run_installed(code: str, folder: Path, points: str) -> str:
    """Return the output of code that runs with a package of these entry points installed."""
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.dialects]\n{points}\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert not done.stderr
    return done.stdout.strip()


def declared_entry_point() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(
        r'^\[project\.entry-points\."headroom\.dialects"\].*\n(.+)', text, re.MULTILINE
    )[0].replace('"', "")


def test_compress_reads_langchain_messages_by_entry_point(tmp_path: Path) -> None:
    assert run_installed(COMPRESS, tmp_path, declared_entry_point()) == "True ['Mine'] ()"


def test_other_messages_do_not_import_langchain(tmp_path: Path) -> None:
    assert run_installed(NO_LANGCHAIN, tmp_path, declared_entry_point()) == "True False"


@pytest.mark.parametrize(
    ("value", "error"),
    [("acme_nowhere:Mine", "cannot be loaded"), ("builtins:dict", "must have name, ")],
)
def test_a_dialect_that_fails_to_load_is_named_in_a_warning(
    value: str, error: str, tmp_path: Path
) -> None:
    output = run_installed(COMPRESS, tmp_path, f"langchain_core = {value}")
    assert output.startswith("False ['Mine'] ")
    assert (
        "the messages were passed through unread: ConfigurationError: dialect langchain_core = "
        in output
    )
    assert error in output
