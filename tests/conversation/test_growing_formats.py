"""Test conversations of every format as properties: they grow, are cut, and are counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from conversations import ALL_FORMS, SHARES, Talk, new_orphans, talks
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from strategies import anthropic_conversations, google_conversations, openai_conversations

from headroom_core import (
    CCRConfig,
    CompressResult,
    HeadroomConfig,
    MemoryStore,
    Tokenizer,
    compress,
)
from headroom_core.dialects import Dialect, dialect_for

EAGER = HeadroomConfig(ccr=CCRConfig(min_tokens_saved=0))
COUNT = Tokenizer()
ROWS = json.dumps([{"id": n, "state": "ok", "zone": "eu-3"} for n in range(80)])


def dump(messages: Sequence[Any]) -> list[str]:
    return [
        message.model_dump_json() if isinstance(message, BaseMessage) else json.dumps(message)
        for message in messages
    ]


def send(messages: list[Any], **more: Any) -> list[str]:
    return dump(compress(messages, store=MemoryStore(), config=EAGER, **more).messages)


def mixed_conversations() -> st.SearchStrategy[list[Any]]:
    """Return messages of several formats in a row, in any order."""
    pool = st.one_of(
        talks(ALL_FORMS, most_turns=1).map(lambda talk: talk.messages),
        openai_conversations(max_turns=1),
        anthropic_conversations(max_turns=1),
        google_conversations(max_turns=1),
        st.sampled_from(ODD_MESSAGES).map(lambda message: [message]),
    )
    return st.lists(pool.flatmap(st.permutations), min_size=1, max_size=4).map(
        lambda parts: [message for part in parts for message in part[:4]]
    )


ODD_MESSAGES: list[Any] = [
    "a string",
    None,
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": ROWS},
    {"role": "user", "content": [{"text": ROWS}]},
    {"role": "user", "content": [{"type": "text", "text": ROWS}]},
    {"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": ROWS}}]},
    {"role": "assistant", "tool_plan": "I look.", "content": None},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
    {"role": ["user"], "content": ROWS},
    {"type": "web_search_call", "id": "w1", "action": {"type": "search", "query": "rows"}},
    {"parts": [{"text": ROWS}]},
    HumanMessage(ROWS),
    ToolMessage(ROWS, tool_call_id="c1"),
    AIMessage("hi"),
]


# Growing conversations.


@given(talks(ALL_FORMS, most_turns=3))
def test_a_longer_conversation_starts_with_the_same_bytes(talk: Talk) -> None:
    whole = send(talk.messages)
    for count in range(1, len(talk.messages)):
        assert send(talk.messages[:count]) == whole[:count]


@given(mixed_conversations())
def test_formats_that_follow_each_other_do_not_change_what_was_sent(messages: list[Any]) -> None:
    whole = send(messages)
    for count in range(1, len(messages)):
        assert send(messages[:count]) == whole[:count]


@given(talks(ALL_FORMS, most_turns=3), SHARES)
def test_a_cut_conversation_grows_by_its_new_messages_alone(talk: Talk, share: float) -> None:
    store, budget = MemoryStore(), int(share * COUNT.count_messages(talk.messages)) + 100
    before: list[str] = []
    last_cut: Any = None
    for count in range(1, len(talk.messages) + 1):
        result = compress(talk.messages[:count], token_budget=budget, store=store, config=EAGER)
        now = dump(result.messages)
        cut = [
            (change.message, change.keys, change.tokens_after)
            for change in result.changes
            if change.path == () or change.by == "excerpt"
        ]
        if cut == last_cut:
            assert now[: len(before)] == before
        before, last_cut = now, cut


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (["tool_use", "tool_plan"], "anthropic"),
        (["tool_plan", "tool_use"], "cohere"),
        (["tool_use", "function_call"], "anthropic"),
        (["function_call", "tool_use"], "responses"),
        (["tool_calls", "tool_use"], "openai"),
        (["tool_calls", "function_call"], "responses"),
        (["text", "text", "toolUse"], "bedrock"),
        (["function_call", "parts"], "responses"),
        (["toolUse", "tool_plan", "function_call"], "bedrock"),
    ],
)
def test_the_first_sign_of_a_format_decides(messages: list[str], name: str) -> None:
    signs: dict[str, Any] = {
        "text": {"role": "user", "content": "hi"},
        "tool_use": {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "f"}],
        },
        "tool_plan": {"role": "assistant", "tool_plan": "I look.", "tool_calls": []},
        "function_call": {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        "tool_calls": {"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]},
        "toolUse": {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t"}}]},
        "parts": {"role": "user", "parts": [{"text": "hi"}]},
    }
    assert dialect_for([signs[sign] for sign in messages]).name == name


# Cuts.


def compress_to_share(
    talk: Talk, share: float, *, managed: bool, **settings: Any
) -> tuple[CompressResult, set[int]]:
    """Compress a conversation to a share of its tokens; return also the dropped messages."""
    result = compress(
        talk.messages,
        token_budget=int(share * COUNT.count_messages(talk.messages)) + 50,
        store=MemoryStore(),
        config=HeadroomConfig(intelligent_context={"enabled": managed}, **settings),
    )
    return result, {change.message for change in result.changes if change.action == "dropped"}


@given(talks(ALL_FORMS, most_turns=4), SHARES, st.booleans())
def test_cuts_keep_calls_with_their_results_and_count_what_is_sent(
    talk: Talk, share: float, managed: bool
) -> None:
    result, dropped = compress_to_share(talk, share, managed=managed, ccr=EAGER.ccr)
    assert not new_orphans(talk, dropped)
    assert 0 <= result.tokens_after <= result.tokens_before
    dialect = dialect_for(talk.messages)
    assert result.tokens_after == COUNT.count_messages(result.messages, dialect)


@given(talks(("bedrock",)), SHARES, st.booleans())
def test_a_cut_leaves_no_two_messages_of_a_role_side_by_side(
    talk: Talk, share: float, managed: bool
) -> None:
    result, dropped = compress_to_share(talk, share, managed=managed)
    received = pairs_of_roles(talk.messages)
    if dropped and not received:
        assert not pairs_of_roles(result.messages)


def pairs_of_roles(messages: list[Any]) -> list[str]:
    return [
        after["role"]
        for before, after in pairwise(messages)
        if before["role"] == after["role"] != "system"
    ]


# Counts.

LONG = "word " * 40
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    (LONG, "", None, 7, [LONG], [{"text": LONG}], {"text": LONG}, {"rows": [LONG]}, b"bytes")
)
SOURCES = st.sampled_from(
    (
        {"type": "text", "data": LONG},
        {"type": "content", "content": [{"type": "text", "text": LONG}]},
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
        {"text": LONG},
        {"content": [{"text": LONG}]},
        {"bytes": b"x" * 99},
    )
)
PART_TYPES = st.sampled_from(
    (
        *("text", "json", "image", "image_url", "input_image", "document", "search_result", "file"),
        *("resource", "non_standard", "tool_result", "tool_use", "thinking", "refusal", "audio"),
        *("video", "input_text", "output_text", "media", "x_unknown", "text-plain", "input_file"),
    )
)


def parts(depth: int = 1) -> st.SearchStrategy[dict[str, Any]]:
    """Return parts of content with fields of any format."""
    inner = parts(depth - 1) if depth else st.just({"text": LONG})
    fields = {
        "text": VALUES,
        "json": VALUES,
        "content": VALUES | st.lists(inner, max_size=2),
        "value": inner,
        "resource": inner,
        "source": SOURCES,
        "refusal": VALUES,
        "document": st.fixed_dictionaries(
            {}, optional={"source": SOURCES, "data": VALUES, "format": st.just("txt")}
        ),
        "searchResult": st.fixed_dictionaries({}, optional={"content": VALUES}),
        "toolResult": st.fixed_dictionaries({}, optional={"content": st.lists(inner, max_size=2)}),
        "image": st.just({"format": "png", "source": {"bytes": b"x" * 99}}),
        "stdout": VALUES,
        "function_response": st.fixed_dictionaries({"name": st.just("f"), "response": VALUES}),
        "input": VALUES,
    }
    chosen = st.lists(st.sampled_from(sorted(fields)), max_size=2, unique=True)
    typed = PART_TYPES.map(lambda name: {"type": name}) | st.just({})
    return st.tuples(
        typed, chosen.flatmap(lambda names: st.fixed_dictionaries({n: fields[n] for n in names}))
    ).map(lambda pair: {**pair[0], **pair[1]})


DICT_DIALECTS = ("openai", "anthropic", "google", "bedrock", "cohere", "responses")


@given(st.lists(parts(), max_size=3), st.sampled_from(DICT_DIALECTS))
def test_every_text_that_is_read_is_counted(content: list[Any], name: str) -> None:
    dialect = dialect_for([], name)
    for message in messages_with(content):
        read = sum(len(block.text) for block in dialect.parse([message]).blocks)
        assert counted(dialect, message) >= read


def counted(dialect: Dialect, message: Any) -> int:
    tokens: int = dialect.count(message, len)  # type: ignore[attr-defined]
    return tokens


def messages_with(content: list[Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "user", "content": content}
    yield {"role": "user", "parts": content}
    yield {"role": "tool", "tool_call_id": "c1", "content": content}
    yield {"type": "function_call_output", "call_id": "c1", "output": content}
    for part in content:
        yield {"role": "user", "content": part}
