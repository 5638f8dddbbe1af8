"""Test that the dialect of LlamaIndex reads messages and changes only their texts."""

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
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.agent.workflow import CodeActAgent
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from openai.types.chat import ChatCompletionMessageFunctionToolCall
from strategies import openai_conversations, tool_outputs

from headroom_core import Tokenizer, compress
from headroom_core.dialects.base import Dialect, MessageReader
from headroom_core.messages import Block, Outline
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import LlamaIndexDialect

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n0000"
CALL = {"id": "c1", "type": "function", "function": {"name": "jobs", "arguments": '{"day": 3}'}}
CALL_OBJECT = ChatCompletionMessageFunctionToolCall.model_validate(CALL)
ACTION = "Thought: I need them.\nAction: jobs\nAction Input: {'day': 3}"
CACHE = {"type": "ephemeral"}


def parse(*messages: Any) -> Any:
    return LlamaIndexDialect().parse(messages)


def parse_blocks(*messages: Any) -> tuple[Block, ...]:
    return tuple(parse(*messages).blocks)


def parse_outlines(*messages: Any) -> tuple[Outline, ...]:
    return tuple(parse(*messages).outlines)


def text_message(text: str, role: str = "user", /, **kwargs: Any) -> ChatMessage:
    return ChatMessage(text, role=role, additional_kwargs=kwargs)


def calling_message(
    name: str = "jobs", arguments: Any = None, identifier: str | None = "c1"
) -> ChatMessage:
    call = ToolCallBlock(tool_call_id=identifier, tool_name=name, tool_kwargs=arguments or {})
    return ChatMessage(role="assistant", blocks=[call])


def calling_in_kwargs(*calls: Any, **kwargs: Any) -> ChatMessage:
    return ChatMessage(
        role="assistant",
        additional_kwargs={**({"tool_calls": [*calls]} if calls else {}), **kwargs},
    )


def rewrite(message: ChatMessage, text: str) -> ChatMessage:
    """Return the message with all its texts replaced."""
    draft = parse(message)
    changed = tuple(block.with_text(text) for block in draft.blocks)
    (written,) = LlamaIndexDialect().render(replace(draft, blocks=changed))
    assert isinstance(written, ChatMessage)
    return written


def convert(messages: list[dict[str, Any]]) -> list[ChatMessage]:
    """Return messages of OpenAI's format as LlamaIndex's, with the calls in blocks."""
    return [_convert(message) for message in messages]


def _convert(message: dict[str, Any]) -> ChatMessage:
    content = message.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    blocks: list[Any] = [
        _convert_part(part) for part in parts if part["type"] in ("text", "image_url")
    ]
    for call in message.get("tool_calls") or ():
        function = call["function"]
        blocks.append(
            ToolCallBlock(
                tool_call_id=call["id"],
                tool_name=function["name"],
                tool_kwargs=function["arguments"],
            )
        )
    kwargs = {key: message[key] for key in ("tool_call_id",) if key in message}
    return ChatMessage(role=message["role"], blocks=blocks, additional_kwargs=kwargs)


def _convert_part(part: dict[str, Any]) -> TextBlock | ImageBlock:
    if part["type"] == "text":
        return TextBlock(text=part["text"])
    return ImageBlock(image=PNG, detail=part["image_url"].get("detail"))


conversations = openai_conversations().map(convert)


def test_the_dialect_matches_llamaindex_messages() -> None:
    dialect = LlamaIndexDialect()
    assert isinstance(dialect, Dialect)
    assert isinstance(dialect, MessageReader)
    assert dialect.matches([text_message("hi")])
    assert not dialect.matches([{"role": "user", "content": "hi"}])


ROLES = {
    "system": "system developer",
    "user": "user",
    "assistant": "assistant chatbot model",
    "tool_result": "tool function",
}


@pytest.mark.parametrize(
    ("kind", "role"), [(kind, role) for kind in ROLES for role in ROLES[kind].split()]
)
def test_the_role_determines_the_kind(kind: str, role: str) -> None:
    (block,) = parse_blocks(text_message("x", role))
    assert (block.kind, block.path, block.text) == (kind, ("blocks", 0, "text"), "x")
    assert parse_outlines(text_message("x", role))[0].kind == kind


def test_every_role_is_known() -> None:
    assert {role.value for role in MessageRole} == set(" ".join(ROLES.values()).split())


@pytest.mark.parametrize("carried", ["x", 7, None], ids=repr)
def test_other_messages_are_kept_unchanged(carried: Any) -> None:
    draft = parse(carried)
    assert draft.blocks == ()
    assert draft.outlines == (Outline(None),)
    assert LlamaIndexDialect().render(draft)[0] is carried


CARRIED = [
    ThinkingBlock(content="hm", additional_information={"signature": "c2ln"}, num_tokens=1),
    ImageBlock(image=PNG),
    ImageBlock(url="https://host/a.png"),
    AudioBlock(audio=b"0000", format="wav"),
    VideoBlock(video=b"0000"),
    DocumentBlock(data=b"%PDF", title="a.pdf", document_mimetype="application/pdf"),
    CitationBlock(cited_content="quoted", source="a.md", title="T", additional_location_info={}),
    CachePoint(cache_control=CACHE),
]


@pytest.mark.parametrize("carried", CARRIED, ids=lambda block: block.block_type)
@pytest.mark.parametrize("role", ["user", "assistant", "tool"])
def test_blocks_other_than_texts_are_kept_unchanged(carried: Any, role: str) -> None:
    message = ChatMessage(
        role=role, blocks=[carried, TextBlock(text="long")], additional_kwargs={"tool_call_id": "1"}
    )
    assert [block.text for block in parse_blocks(message)] == ["long"]
    written = rewrite(message, "short")
    assert written.blocks[0] is message.blocks[0]
    assert written.blocks[1] == TextBlock(text="short")


def test_citable_texts_are_documents() -> None:
    citable = CitableBlock(
        title="T", source="a.md", content=[TextBlock(text="long"), ImageBlock(image=PNG)]
    )
    message = ChatMessage(role="tool", blocks=[citable], additional_kwargs={"tool_call_id": "c1"})
    (_, block) = parse_blocks(calling_message("look"), message)
    assert (block.kind, block.text, block.tool) == ("document", "long", "look")
    written = rewrite(message, "short").blocks[0]
    assert written == citable.model_copy(
        update={"content": [TextBlock(text="short"), citable.content[1]]}
    )


# Calls and results


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (calling_message("jobs", {"day": 3}), '{"day":3}'),
        (calling_message("jobs", '{"day": 3}'), '{"day": 3}'),
        (calling_in_kwargs(CALL), '{"day": 3}'),
        (calling_in_kwargs(CALL_OBJECT), '{"day": 3}'),
        (
            calling_in_kwargs(
                {"type": "tool_use", "id": "c1", "name": "jobs", "input": {"day": 3}}
            ),
            '{"day":3}',
        ),
        (
            calling_message("jobs", {"day": 3}).model_copy(
                update={"additional_kwargs": {"tool_calls": [CALL]}}
            ),
            '{"day":3}',
        ),
    ],
    ids=["block", "text", "dict", "object", "anthropic", "twice"],
)
def test_results_are_linked_to_their_calls(message: ChatMessage, arguments: str) -> None:
    conversation = message, text_message("[]", "tool", tool_call_id="c1")
    call, result = parse_blocks(*conversation)
    assert (call.kind, call.text, call.tool) == ("tool_call", arguments, "jobs")
    assert (result.kind, result.tool, result.call) == ("tool_result", "jobs", arguments)
    assert [(outline.calls, outline.answers) for outline in parse_outlines(*conversation)] == [
        (("c1",), ()),
        ((), ("c1",)),
    ]


def test_arguments_of_calls_are_never_changed() -> None:
    message = calling_message("jobs", {"day": 3})
    assert rewrite(message, "{}") is message


def test_functions_are_paired_by_name() -> None:
    call = calling_in_kwargs(function_call={"name": "jobs", "arguments": '{"day": 3}'})
    calling, answering = parse_outlines(call, text_message("[]", "function", name="jobs"))
    assert calling.calls == answering.answers != ()
    assert parse_blocks(call, text_message("[]", "function", name="jobs"))[-1].call == '{"day": 3}'


def test_a_result_without_a_call_uses_its_own_name() -> None:
    found = parse_blocks(
        text_message("1", "tool", tool_call_id="c1"),
        text_message("2", "tool", tool_call_id="c2", name="jobs"),
    )
    assert [block.tool for block in found] == [None, "jobs"]


def test_calls_without_ids_are_distinct() -> None:
    twice = ChatMessage(role="assistant", blocks=calling_message(identifier=None).blocks * 2)
    assert len(set(parse_outlines(twice)[0].calls)) == 2


def test_retrieved_text_is_pinned() -> None:
    assert parse_blocks(
        calling_message("headroom_retrieve"), text_message("rows", "tool", tool_call_id="c1")
    )[-1].pinned


@pytest.mark.parametrize(
    "message",
    [
        ChatMessage(blocks=[TextBlock(text="x"), CachePoint(cache_control=CACHE)]),
        text_message("x", cache_control=CACHE),
    ],
)
def test_cache_breakpoints_are_found(message: ChatMessage) -> None:
    assert [outline.mark for outline in parse_outlines(message, text_message("x"))] == [True, False]


# Calls and results that agents write as text


@pytest.mark.parametrize("role", ["user", "tool", "function"])
def test_observations_of_react_agents_are_results(role: str) -> None:
    conversation = (
        text_message("who?"),
        text_message(ACTION, "assistant"),
        text_message("Observation: []", role),
    )
    block = parse_blocks(*conversation)[-1]
    assert (block.kind, block.tool, block.call) == ("tool_result", "jobs", "{'day': 3}")
    _, calling, answering = parse_outlines(*conversation)
    assert calling.calls == answering.answers != ()
    assert answering.kind == "tool_result"


def test_execution_results_of_codeact_agents_are_results() -> None:
    code = text_message("I look. <execute>\nprint(1)\n</execute>", "assistant")
    block = parse_blocks(code, text_message("Result of executing the code given:\n\n1"))[-1]
    assert (block.kind, block.tool, block.call) == ("tool_result", "execute", "print(1)")


@given(
    st.lists(
        st.sampled_from(["<execute>", "</execute>", "print(1)", " ", "\n", "```", "`"]), max_size=9
    ).map("".join)
)
def test_code_is_extracted_like_a_codeact_agent_does(text: str) -> None:
    code = CodeActAgent._extract_code_from_response(None, text)
    *_, block = parse_blocks(
        text_message("Do."),
        text_message(text, "assistant"),
        text_message("Result of executing the code given:\n\n1"),
    )
    assert (block.kind, block.call) == (("tool_result", code) if code else ("user", None))


def test_text_that_a_react_agent_retrieved_is_pinned() -> None:
    action = text_message(ACTION.replace("jobs", "headroom_retrieve"), "assistant")
    assert parse_blocks(action, text_message("Observation: rows"))[-1].pinned


@pytest.mark.parametrize(
    "conversation",
    [
        [text_message("Observation: []")],
        [
            text_message("Thought: I know.\nAnswer: 42", "assistant"),
            text_message("Observation: []"),
        ],
        [text_message(ACTION, "assistant"), text_message("hm"), text_message("Observation: []")],
        [text_message(ACTION, "assistant"), text_message("I saw an Observation: []")],
        [text_message(ACTION, "user"), text_message("Observation: []")],
        [
            text_message(f"{ACTION}\nObservation: []\nThought: Ah.\nAnswer: 42", "assistant"),
            text_message("Observation: []"),
        ],
        [
            text_message("<execute>print(1)</execute>", "assistant"),
            text_message("Result of executing the code given: 1"),
        ],
        [text_message("<execute>print(1)</execute>", "assistant"), text_message("Observation: 1")],
        [
            text_message(ACTION, "assistant"),
            text_message("Result of executing the code given:\n\n1"),
        ],
    ],
    ids=[
        "first",
        "answered",
        "later",
        "inside",
        "of a user",
        "of a finished turn",
        "otherwise",
        "code",
        "action",
    ],
)
def test_similar_texts_of_users_are_not_results(conversation: list[ChatMessage]) -> None:
    assert parse_blocks(*conversation)[-1].kind == "user"
    assert parse_outlines(*conversation)[-1] == Outline("user")


def test_observations_of_an_assistant_are_not_results() -> None:
    assert (
        parse_blocks(
            text_message(ACTION, "assistant"), text_message("Observation: []", "assistant")
        )[-1].kind
        == "assistant"
    )


# Writing


def test_a_changed_message_keeps_its_other_fields() -> None:
    kwargs = {"tool_call_id": "c1", "mine": object()}
    message = ChatMessage(
        role="tool", blocks=[TextBlock(text="long"), CARRIED[0]], additional_kwargs=kwargs
    )
    written = rewrite(message, "short")
    assert written.additional_kwargs is message.additional_kwargs
    assert written.role is message.role
    assert [block.block_type for block in written.blocks] == ["text", "thinking"]
    assert message.blocks[0] == TextBlock(text="long")


def test_the_subclass_of_a_changed_message_is_kept() -> None:
    class NotedMessage(ChatMessage):
        note: str = ""

    written = rewrite(NotedMessage("long", note="n"), "short")
    assert (type(written), written.content, written.note) == (NotedMessage, "short", "n")


@given(conversations)
def test_unchanged_conversations_are_returned_as_the_same_objects(
    messages: list[ChatMessage],
) -> None:
    before = copy.deepcopy(messages)
    back = LlamaIndexDialect().render(parse(*messages))
    assert [id(message) for message in back] == [id(message) for message in messages]
    assert messages == before


@given(conversations, tool_outputs, st.data())
def test_a_changed_block_changes_only_its_message(
    messages: list[ChatMessage], text: str, data: st.DataObject
) -> None:
    before, draft = copy.deepcopy(messages), parse(*messages)
    if not draft.blocks:
        return
    block = data.draw(st.sampled_from(draft.blocks))
    changed = tuple(each.with_text(text) if each is block else each for each in draft.blocks)
    back = LlamaIndexDialect().render(replace(draft, blocks=changed))
    same = [
        index for index, pair in enumerate(zip(messages, back, strict=True)) if pair[0] is pair[1]
    ]
    assert all(index in same for index in range(len(messages)) if index != block.message)
    assert block.kind == "tool_call" or (block.message in same) == (block.text == text)
    assert messages == before


# Compressing

ROWS = json.dumps([{"id": number, "state": "done", "city": "Utrecht"} for number in range(900)])
PAIR = [calling_message("jobs", {"day": 3}), text_message(ROWS, "tool", tool_call_id="c1")]


def compress_messages(messages: list[Any], **settings: Any) -> Any:
    return compress(
        messages, dialect=LlamaIndexDialect(), strict=True, **{"store": MemoryStore(), **settings}
    )


def test_user_texts_and_results_are_compressed() -> None:
    result = compress_messages(
        [text_message("who?"), text_message(ROWS, "assistant"), text_message(ROWS, "system"), *PAIR]
    )
    assert [message.content == ROWS for message in result.messages] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert "headroom_retrieve(key=" in result.messages[-1].content


def test_results_are_dropped_with_their_calls_and_stored_as_json() -> None:
    store = MemoryStore()
    picture = ChatMessage(blocks=[TextBlock(text="see"), ImageBlock(image=PNG)])
    turns = [
        message for _ in range(9) for message in (picture, calling_in_kwargs(CALL_OBJECT), PAIR[1])
    ]
    result = compress_messages([*turns, text_message("who?")], token_budget=4000, store=store)
    note = result.messages[0]
    assert (type(note), note.role) == (ChatMessage, MessageRole.USER)
    keys = re.findall(r'key="(\w+)"', note.content)
    lines = [line for key in keys for line in str(store.get(key)).splitlines()]
    kept = {row["role"]: row for row in map(json.loads, lines)}
    assert [block["block_type"] for block in kept["user"]["blocks"]] == ["text", "image"]
    assert kept["assistant"]["tool_calls"] == [CALL]
    assert kept["tool"]["tool_call_id"] == "c1"
    assert kept["tool"]["content"].startswith("[")


@given(conversations, st.data())
def test_a_growing_conversation_keeps_its_compressed_prefix(
    messages: list[ChatMessage], data: st.DataObject
) -> None:
    shorter = messages[: data.draw(st.integers(0, len(messages)))]
    store = MemoryStore()
    begins = compress_messages(shorter, store=store).messages
    grown = compress_messages(messages, store=store).messages
    assert grown[: len(begins)] == begins
    assert grown == compress_messages(messages).messages


def test_fingerprints_depend_on_fields_but_not_on_image_bytes() -> None:
    fingerprint = LlamaIndexDialect().fingerprint
    assert fingerprint(text_message("a")) == fingerprint(text_message("a"))
    assert fingerprint(ChatMessage(blocks=[ImageBlock(image=PNG)])) == fingerprint(
        ChatMessage(blocks=[ImageBlock(image=PNG * 2)])
    )
    differing = [
        *(
            text_message("a"),
            text_message("b"),
            text_message("a", "system"),
            text_message("a", tool_call_id="c1"),
            text_message("a", cache_control=CACHE),
        ),
        *(
            calling_message(),
            calling_message("other"),
            calling_message(arguments={"day": 1}),
            calling_in_kwargs(CALL),
            calling_in_kwargs(CALL_OBJECT),
        ),
        *(ChatMessage(blocks=[]), ChatMessage(blocks=[TextBlock(text="a"), TextBlock(text="a")])),
        *(
            ChatMessage(blocks=[ImageBlock(image=PNG, detail="low")]),
            *(ChatMessage(blocks=[block]) for block in CARRIED[:2]),
        ),
        *(ChatMessage(blocks=[CitableBlock(title="T", source="s", content=text)]) for text in "ab"),
    ]
    assert len({fingerprint(message) for message in differing}) == len(differing)


COMPRESS = """
from llama_index.core.llms import ChatMessage
from headroom_core import MemoryStore, compress
rows = str([{"id": n} for n in range(900)]).replace("'", '"')
result = compress([ChatMessage(rows)], store=MemoryStore())
print(result.compressed, type(result.messages[0]).__name__, result.warnings)
"""


def test_compress_reads_llamaindex_messages_by_entry_point(tmp_path: Path) -> None:
    section = (
        (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("headroom.dialects")[2]
    )
    (point,) = re.findall(r"^(llama_index = )\"(.+)\"$", section, re.MULTILINE)
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.dialects]\n{''.join(point)}\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", COMPRESS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True ChatMessage ()"


# Counting


def count_tokens(*messages: Any) -> int:
    return Tokenizer().count_messages(messages)


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
OPENAI_MESSAGE = {
    "role": "assistant",
    "tool_calls": [{**CALL, "function": {"name": "jobs", "arguments": '{"day":3}'}}],
}


@pytest.mark.parametrize(
    ("message", "same"),
    [
        *(
            (text_message("hi", role.value), {"role": role.value, "content": "hi"})
            for role in MessageRole
        ),
        (
            text_message("[]", "tool", tool_call_id="c1", name="jobs"),
            {"role": "tool", "tool_call_id": "c1", "content": "[]"},
        ),
        (calling_message("jobs", {"day": 3}), OPENAI_MESSAGE),
        (calling_message("jobs", '{"day":3}'), OPENAI_MESSAGE),
        (calling_in_kwargs(CALL), {"role": "assistant", "tool_calls": [CALL]}),
        (calling_in_kwargs(CALL_OBJECT), {"role": "assistant", "tool_calls": [CALL]}),
        (
            calling_message("jobs", {"day": 3}).model_copy(
                update={"additional_kwargs": {"tool_calls": [CALL_OBJECT]}}
            ),
            OPENAI_MESSAGE,
        ),
        (
            calling_in_kwargs(function_call=CALL["function"]),
            {"role": "assistant", "function_call": CALL["function"]},
        ),
        (
            ChatMessage(blocks=[TextBlock(text="hi"), CARRIED[1]]),
            {"role": "user", "content": ["hi", IMAGE]},
        ),
        (
            ChatMessage(blocks=[ImageBlock(image=PNG, detail="low")]),
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}],
            },
        ),
        (ChatMessage(blocks=[CachePoint(cache_control=CACHE)]), {"role": "user", "content": ""}),
        (
            ChatMessage(role="assistant", blocks=[CARRIED[0]]),
            {"role": "assistant", "content": "hm"},
        ),
        (
            ChatMessage(blocks=[CitableBlock(title="T", source="a.md", content="hi")]),
            {
                "role": "user",
                "content": [
                    {"type": "search_result", "title": "T", "source": "a.md", "content": "hi"}
                ],
            },
        ),
        (
            text_message("hi", prompt_tokens=7, text="no", thinking="no"),
            {"role": "user", "content": "hi"},
        ),
    ],
)
def test_only_text_that_the_model_reads_is_counted_once(
    message: ChatMessage, same: dict[str, Any]
) -> None:
    assert count_tokens(message) == count_tokens(same)


@given(openai_conversations())
def test_token_counts_match_the_format_of_openai(
    messages: list[dict[str, Any]],
) -> None:
    def supported_fields(message: dict[str, Any]) -> dict[str, Any]:
        """Return the message with only the fields that LlamaIndex supports."""
        content = message.get("content")
        if isinstance(content, list):
            content = [part for part in content if part["type"] in ("text", "image_url")]
        return {
            "role": message["role"],
            "content": content,
            "tool_calls": message.get("tool_calls"),
        }

    assert count_tokens(*convert(messages)) == count_tokens(*map(supported_fields, messages))
