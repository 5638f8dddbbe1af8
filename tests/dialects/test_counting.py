"""Test token counts of messages by the dialect that reads them.

Texts are counted by their characters, so that the numbers below hold without a vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import ChatMessage as LlamaIndexMessage
from llama_index.core.base.llms.types import TextBlock, ToolCallBlock

from headroom_core import Block, Draft, MemoryStore, RollingWindow, Tokenizer, compress
from headroom_core.dialects import AnthropicDialect, GoogleDialect, OpenAIDialect
from headroom_core.dialects.base import MessageReader
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.messages import Outline
from headroom_integrations.langchain.dialect import LangChainDialect
from headroom_integrations.llamaindex.dialect import LlamaIndexDialect

IMAGE = 765
FILE = 1_500

FUNCTION = {"name": "jobs", "arguments": '{"day":3}'}
OPENAI_CALL = {"id": "c1", "type": "function", "function": FUNCTION}
ANTHROPIC_CALL = {"type": "tool_use", "id": "c1", "name": "jobs", "input": {"day": 3}}
LANGCHAIN_CALL = {"name": "jobs", "args": {"day": 3}, "id": "c1", "type": "tool_call"}
LINKED = {"type": "image_url", "image_url": {"url": "https://host/a.png", "detail": "low"}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}

OPENAI: list[tuple[Any, int]] = [
    ({"role": "user", "content": "12345"}, 3 + 4 + 5),
    ({"role": "user", "name": "Ann", "content": "12345"}, 3 + 4 + 5 + 3 + 1),
    ({"role": "user", "content": [{"type": "text", "text": "12"}, "345"]}, 3 + 4 + 5),
    ({"role": "user", "content": [LINKED, {"type": "input_image"}]}, 3 + 4 + 85 + IMAGE),
    ({"role": "assistant", "content": None, "tool_calls": [OPENAI_CALL]}, 3 + 9 + 4 + 9),
    ({"role": "assistant", "function_call": FUNCTION}, 3 + 9 + 4 + 9),
    (
        {"role": "assistant", "tool_calls": [{"custom": {"name": "sh", "input": "ls"}}]},
        3 + 9 + 2 + 2,
    ),
    ({"role": "assistant", "refusal": "no", "reasoning": "hm"}, 3 + 9 + 2 + 2),
    ({"role": "tool", "tool_call_id": "c1", "content": "[1,2]"}, 3 + 4 + 5),
    ("a string", 3 + 8),
    (None, 3),
]
ANTHROPIC: list[tuple[Any, int]] = [
    ({"role": "assistant", "content": [ANTHROPIC_CALL]}, 3 + 9 + 4 + 9),
    (
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm", "signature": "A"}],
        },
        3 + 9 + 2,
    ),
    ({"role": "assistant", "content": [{"type": "redacted_thinking", "data": "A" * 99}]}, 3 + 9),
    ({"role": "user", "content": [PICTURE]}, 3 + 4 + IMAGE),
    (
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "content": [{"type": "text", "text": "123"}, PICTURE],
                }
            ],
        },
        3 + 4 + 3 + IMAGE,
    ),
    (
        {
            "role": "user",
            "content": [
                {
                    "type": "document",
                    "title": "T",
                    "context": "ctx",
                    "source": {"type": "text", "data": "12345"},
                },
                {"type": "search_result", "source": "a.md", "title": "T", "content": ["123"]},
            ],
        },
        3 + 4 + 1 + 3 + 5 + 4 + 1 + 3,
    ),
]
GOOGLE: list[tuple[Any, int]] = [
    ({"role": "user", "parts": [{"text": "123"}, "45"]}, 3 + 4 + 5),
    ({"role": "model", "parts": [{"functionCall": {"name": "jobs", "args": {"day": 3}}}]}, 3 + 18),
    (
        {
            "role": "user",
            "parts": [
                {"function_response": {"name": "jobs", "response": {"result": [1, 2], "ok": True}}}
            ],
        },
        3 + 4 + 4 + 6 + 5 + 2 + 4,
    ),
    (
        {"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "A"}}]},
        7 + IMAGE,
    ),
    ({"role": "user", "parts": [{"fileData": {"mimeType": "text/csv", "fileUri": "a"}}]}, 7 + FILE),
    ({"role": "model", "parts": [{"executableCode": {"code": "x=1"}}]}, 3 + 5 + 3),
    ({"role": "model", "parts": [{"code_execution_result": {"output": "1"}}]}, 3 + 5 + 1),
    ("a string", 3 + 8),
]
LANGCHAIN: list[tuple[Any, int]] = [
    (HumanMessage("12345", name="Ann"), 3 + 4 + 5 + 3 + 1),
    (AIMessage("12345", tool_calls=[LANGCHAIN_CALL]), 3 + 9 + 5 + 4 + 9),
    (AIMessage([ANTHROPIC_CALL, PICTURE], tool_calls=[LANGCHAIN_CALL]), 3 + 9 + 4 + 9 + IMAGE),
    (
        AIMessage("", tool_calls=[LANGCHAIN_CALL], additional_kwargs={"tool_calls": [OPENAI_CALL]}),
        3 + 9 + 4 + 9,
    ),
    (AIMessage("", additional_kwargs={"function_call": FUNCTION, "parsed": "x"}), 3 + 9 + 4 + 9),
    (AIMessage([{"type": "executable_code", "executable_code": "x=1"}]), 3 + 9 + 3),
    (ToolMessage("12345", tool_call_id="c1", name="jobs", artifact={"text": "x"}), 3 + 4 + 10),
    ({"role": "user", "content": "12345"}, 3 + 4 + 5),
]
LLAMAINDEX: list[tuple[Any, int]] = [
    (LlamaIndexMessage(role="user", content="12345"), 3 + 4 + 5),
    (
        LlamaIndexMessage(
            role="assistant",
            blocks=[
                TextBlock(text="12345"),
                ToolCallBlock(tool_call_id="c1", tool_name="jobs", tool_kwargs={"day": 3}),
            ],
            additional_kwargs={"tool_calls": [OPENAI_CALL], "prompt_tokens": 7},
        ),
        3 + 9 + 5 + 4 + 9,
    ),
    (
        LlamaIndexMessage(
            role="assistant", content="", additional_kwargs={"tool_calls": [ANTHROPIC_CALL]}
        ),
        3 + 9 + 4 + 9,
    ),
]


@pytest.mark.parametrize(
    ("dialect", "message", "tokens"),
    [
        (dialect, message, tokens)
        for dialect, counts in (
            (OpenAIDialect(), OPENAI),
            (AnthropicDialect(), ANTHROPIC),
            (GoogleDialect(), GOOGLE),
            (LangChainDialect(), LANGCHAIN),
            (LlamaIndexDialect(), LLAMAINDEX),
        )
        for message, tokens in counts
    ],
)
def test_dialects_count_the_texts_that_a_model_reads(
    dialect: MessageReader, message: Any, tokens: int
) -> None:
    assert dialect.count(message, len) == tokens


def test_both_dialects_count_mixed_openai_calls_and_anthropic_documents() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "12345"}}
    message = {"role": "assistant", "content": [document], "tool_calls": [OPENAI_CALL]}
    for dialect in (OpenAIDialect(), AnthropicDialect()):
        assert dialect.count(message, len) == 3 + 9 + 5 + 4 + 9


def test_combined_fields_count_both_formats() -> None:
    own = CountedFields(texts=("caption",), kinds=("form",), images=("chart",))
    both = CHAT_FIELDS | own
    parts = [{"caption": "123"}, {"form": "chart"}, {"type": "text", "text": "45"}]
    assert both.count({"role": "user", "content": parts}, len) == 3 + 4 + 3 + IMAGE + 2
    assert own.count({"caption": "123", "content": "45"}, len) == 3 + 3


# Dialects of other packages.


class Captions:
    """Dialect of another package without a base class of this library."""

    name = "captions"

    def matches(self, messages: Sequence[Any]) -> bool:
        return True

    def parse(self, messages: Sequence[Any]) -> Draft:
        blocks = tuple(
            Block(index, ("content",), "user", message["content"])
            for index, message in enumerate(messages)
        )
        return Draft(tuple(messages), blocks, outlines=tuple(Outline("user") for _ in messages))

    def render(self, draft: Draft) -> list[Any]:
        return list(draft.messages)


class CountedCaptions(Captions):
    """Dialect of another package with its own method `count`."""

    def count(self, message: Any, count_text: Callable[[str], int]) -> int:
        return 100 + count_text(message["content"])


MESSAGES: list[Any] = [{"role": "user", "content": "hi"}, {"role": "user", "content": "there"}]


def test_dialects_without_count_use_the_count_of_chat_messages() -> None:
    tokenizer = Tokenizer()
    assert tokenizer.count_each(MESSAGES, Captions()) == tokenizer.count_each(MESSAGES, "openai")
    result = compress(MESSAGES, dialect=Captions(), store=MemoryStore())
    assert result.tokens_before == tokenizer.count_messages(MESSAGES) == result.tokens_after


def test_all_token_reports_use_the_count_of_the_dialect() -> None:
    dialect = CountedCaptions()
    tokens = 3 + 200 + sum(map(Tokenizer().count_text, ("hi", "there")))
    assert Tokenizer().count_messages(MESSAGES, dialect) == tokens
    assert compress(MESSAGES, dialect=dialect, store=MemoryStore()).tokens_before == tokens
    window = RollingWindow().apply(MESSAGES, dialect=dialect, store=MemoryStore())
    assert window.tokens_before == window.tokens_after == tokens


# Parts of a conversation.


def test_single_messages_are_counted_in_the_given_dialect() -> None:
    tokenizer = Tokenizer()
    strings: list[Any] = ["hi", {"role": "user", "content": "hi"}]
    for name in ("google", "openai", None):
        assert tokenizer.count_each(strings, name) == [
            3 + tokenizer.count_text("hi"),
            3 + tokenizer.count_text("user") + tokenizer.count_text("hi"),
        ]
    part = {"function_response": {"name": "jobs", "response": {"result": "rows"}}}
    content = {"role": "user", "parts": [part]}
    texts = sum(map(tokenizer.count_text, ("user", "jobs", "result", "rows")))
    assert tokenizer.count_message(content) == tokenizer.count_message(content, "google")
    assert tokenizer.count_message(content, GoogleDialect()) == 3 + texts


@pytest.mark.parametrize(
    ("dialect", "messages"),
    [
        (OpenAIDialect(), [{"role": "user", "content": "hi"}]),
        (GoogleDialect(), [{"role": "user", "parts": [{"text": "hi"}]}]),
        (LangChainDialect(), [HumanMessage("hi")]),
        (LlamaIndexDialect(), [LlamaIndexMessage(content="hi")]),
    ],
)
def test_notes_are_counted_like_messages_of_the_draft(
    dialect: MessageReader, messages: list[Any]
) -> None:
    draft = dialect.parse(messages)
    note = draft.note("hi")
    assert isinstance(note, (dict, BaseMessage, LlamaIndexMessage))
    assert draft.counter is dialect
    counts = Tokenizer().count_each([*messages, note], draft.counter)
    assert counts[0] == counts[1]
