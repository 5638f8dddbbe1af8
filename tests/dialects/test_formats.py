"""Test the formats of further APIs, and parts that hold text, data or files in any format."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from anthropic.types import TextBlockParam
from google.genai.types import Blob, Content, FunctionResponse, Part
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from llama_index.core.base.llms.types import (
    ChatMessage,
    DocumentBlock,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.tools import ToolOutput
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseReasoningItem,
)

from headroom_core import (
    CompressionError,
    CompressResult,
    HeadroomConfig,
    MemoryStore,
    Tokenizer,
    compress,
    retrieve,
)
from headroom_core.config import CCRConfig
from headroom_core.dialects import dialect_for

ITEMS = [{"id": n, "state": "late" if n % 40 == 7 else "ok", "kg": n % 7} for n in range(300)]
ROWS = json.dumps(ITEMS)
QUESTION = {"role": "user", "content": "Which orders are late?"}
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))
COUNT = Tokenizer()


def call(kind: str = "function_call", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "call_id": "c1", "name": "orders", **fields}


def output(value: Any, kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": "c1", "output": value}


def responses(value: Any) -> list[Any]:
    return [QUESTION, call(arguments="{}"), output(value)]


def bedrock(*content: Any) -> list[Any]:
    use = {"toolUse": {"toolUseId": "t1", "name": "orders", "input": {"day": 3}}}
    result = {"toolResult": {"toolUseId": "t1", "content": list(content), "status": "success"}}
    return [
        {"role": "user", "content": [{"text": "Which orders are late?"}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]


def openai(content: Any) -> list[Any]:
    function = {"name": "orders", "arguments": "{}"}
    calls = [{"id": "c1", "type": "function", "function": function}]
    return [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": content},
    ]


def anthropic(content: Any) -> list[Any]:
    use = {"type": "tool_use", "id": "t1", "name": "orders", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": content}
    return [
        QUESTION,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]


def langchain(content: Any) -> list[Any]:
    calls = [{"name": "orders", "args": {}, "id": "c1", "type": "tool_call"}]
    return [
        HumanMessage("Which orders are late?"),
        AIMessage("", tool_calls=calls),
        ToolMessage(content, tool_call_id="c1"),
    ]


def llamaindex(texts: list[str], **kwargs: Any) -> list[Any]:
    call = ToolCallBlock(tool_call_id="c1", tool_name="orders", tool_kwargs={})
    return [
        ChatMessage("Which orders are late?"),
        ChatMessage(role="assistant", blocks=[call]),
        ChatMessage(
            role="tool",
            blocks=[TextBlock(text=text) for text in texts],
            additional_kwargs={"tool_call_id": "c1", **kwargs},
        ),
    ]


def google(response: Any) -> list[Any]:
    return [
        {"role": "user", "parts": [{"text": "Which orders are late?"}]},
        {"role": "model", "parts": [{"function_call": {"name": "orders", "args": {}}}]},
        {
            "role": "user",
            "parts": [{"function_response": {"name": "orders", "response": response}}],
        },
    ]


def shorten(messages: list[Any], config: HeadroomConfig | None = None) -> CompressResult:
    """Compress messages and check the counts, prefixes and untouched messages of the result."""
    result = compress(messages, config=config, store=MemoryStore())
    name = dialect_for(messages)
    assert not result.warnings
    assert COUNT.count_messages(messages, name) == result.tokens_before
    assert COUNT.count_messages(result.messages, name) == result.tokens_after
    assert len(result.messages) == len(messages)
    for count in range(1, len(messages)):
        shorter = compress(messages[:count], config=config, store=MemoryStore())
        assert shorter.messages == result.messages[:count]
    return result


# Formats of further APIs.


@pytest.mark.parametrize(
    "messages",
    [
        responses(ROWS),
        responses([{"type": "input_text", "text": ROWS}]),
        responses([{"type": "output_text", "text": ROWS}, {"type": "input_image"}]),
        [QUESTION, call("custom_tool_call", input="x"), output(ROWS, "custom_tool_call_output")],
        [
            QUESTION,
            call("local_shell_call", action={"type": "exec", "command": ["ls"], "env": {}}),
            {"type": "local_shell_call_output", "id": "c1", "output": ROWS},
        ],
        [
            QUESTION,
            call("shell_call", action={"commands": ["ls"]}),
            output([{"stdout": ROWS, "stderr": "", "outcome": {}}], "shell_call_output"),
        ],
        bedrock({"text": ROWS}),
        bedrock({"json": {"orders": ITEMS}}),
        openai([{"type": "document", "document": {"id": "d1", "data": ROWS}}]),
        openai([{"type": "document", "document": {"id": "d1", "data": {"orders": ITEMS}}}]),
    ],
)
@pytest.mark.parametrize("config", [None, LOSSLESS])
def test_tool_results_are_shortened_in_every_format(
    messages: list[Any], config: HeadroomConfig | None
) -> None:
    result = shorten(messages, config)
    assert result.tokens_after < result.tokens_before * (0.5 if config is None else 0.75)
    assert result.messages[:2] == messages[:2]
    assert "247" in json.dumps(result.messages[2])


def test_the_sdk_objects_of_responses_are_read_and_kept() -> None:
    reasoning = ResponseReasoningItem(id="r1", type="reasoning", summary=[], encrypted_content="A")
    made = ResponseFunctionToolCall(
        type="function_call", call_id="c1", name="orders", arguments="{}", id="f1"
    )
    text = ResponseOutputText(type="output_text", text="Seven.", annotations=[])
    answer = ResponseOutputMessage(
        id="m1", type="message", role="assistant", status="completed", content=[text]
    )
    messages = [QUESTION, reasoning, made, output(ROWS), answer]
    result = shorten(messages)
    assert all(result.messages[n] is messages[n] for n in (0, 1, 2, 4))
    assert result.messages[3].keys() == messages[3].keys()


@pytest.mark.parametrize("budget", [400, 700, 1500])
def test_a_window_keeps_items_with_their_calls_and_reasoning(budget: int) -> None:
    items: list[Any] = []
    for n in range(30):
        items += [
            {"role": "user", "content": f"{n} " + "word " * 30},
            {"type": "reasoning", "id": f"r{n}", "summary": []},
            {"type": "function_call", "call_id": f"c{n}", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": f"c{n}", "output": f"{n} done"},
            {"type": "web_search_call", "id": f"w{n}", "status": "completed"},
            {"role": "assistant", "content": [{"type": "output_text", "text": f"{n} it is."}]},
        ]
    kept = compress(items, token_budget=budget, store=MemoryStore()).messages
    assert 0 < len(kept) < len(items)
    for before, item in pairwise(kept):
        if item.get("type") == "function_call":
            assert before["id"] == "r" + item["call_id"][1:]
        if before.get("type") == "reasoning":
            assert item["call_id"] == "c" + before["id"][1:]
    calls = {item["call_id"] for item in kept if item.get("type") == "function_call"}
    assert calls == {item["call_id"] for item in kept if "output" in item}


def test_a_json_block_that_is_shortened_becomes_a_text_block() -> None:
    [block] = shorten(bedrock({"json": {"orders": ITEMS}})).messages[2]["content"]
    [content] = block["toolResult"]["content"]
    assert list(content) == ["text"]
    assert block["toolResult"]["status"] == "success"


def test_the_note_of_dropped_messages_has_the_format_of_its_neighbours() -> None:
    messages = bedrock({"text": "word " * 500}) * 20
    result = compress(messages, token_budget=2_000, store=MemoryStore())
    assert result.messages[0]["content"][0]["text"].startswith("[headroom: ")


# Messages that nobody reads.


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"role": "critic", "content": "secret"}, "role 'critic'"),
        ({"type": "odd_item", "payload": "secret"}, "type 'odd_item'"),
        ({"role": "a secret text", "content": "x"}, "dict"),
        (7, "int"),
    ],
)
def test_a_warning_names_the_kind_of_unread_messages(message: Any, kind: str) -> None:
    result = compress([QUESTION, message, message], store=MemoryStore())
    [warning] = result.warnings
    assert kind in warning
    assert "secret" not in warning
    assert result.messages == [QUESTION, message, message]
    with pytest.raises(CompressionError):
        compress([QUESTION, message], store=MemoryStore(), strict=True)


# Parts of any type.


@pytest.mark.parametrize("make", [openai, anthropic, langchain])
@pytest.mark.parametrize(
    "part",
    [
        {"type": "json", "json": {"orders": ITEMS}},
        {"type": "resource", "resource": {"uri": "orders:3", "text": ROWS}},
        {"type": "file", "source_type": "text", "text": ROWS},
        {"type": "input_text", "text": ROWS},
        {"type": "output_text", "text": ROWS},
        {"text": ROWS},
        {"type": "non_standard", "value": {"type": "json", "json": ITEMS}},
    ],
)
def test_parts_of_other_formats_are_counted_and_shortened(
    make: Callable[[Any], list[Any]], part: dict[str, Any]
) -> None:
    result = shorten(make([part]))
    assert result.tokens_before > 3_000
    assert result.tokens_after < 1_500


PDF = base64.b64encode(b"%PDF-1.7" + b"x" * 40_000).decode()
FILES: list[Any] = [
    {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    },
    {"type": "document", "source": {"type": "url", "url": "https://host/a.pdf"}},
    {"type": "document", "source": {"type": "file", "file_id": "f1"}},
    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}},
    {"type": "file", "file": {"file_id": "f1"}},
    {"type": "file", "mime_type": "application/pdf", "base64": PDF},
    {"type": "file", "url": "https://host/a.pdf"},
    {"type": "input_file", "file_url": "https://host/a.pdf"},
    {"type": "media", "mime_type": "application/pdf", "data": PDF},
    {"type": "video", "url": "https://host/a.mp4"},
    {"type": "audio", "url": "https://host/a.mp3"},
    {"type": "input_audio", "input_audio": {"format": "mp3", "data": "A" * 1_000_000}},
    {"type": "resource", "resource": {"uri": "a", "mimeType": "application/pdf", "blob": PDF}},
]


@pytest.mark.parametrize("part", FILES, ids=lambda part: part["type"])
def test_files_count_by_an_estimate(part: dict[str, Any]) -> None:
    tokens = COUNT.count_messages([{"role": "user", "content": [part]}])
    assert 1_400 < tokens < 3_100


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "parts": [{"inlineData": {"mimeType": "application/pdf", "data": PDF}}]},
        {"role": "user", "parts": [{"file_data": {"file_uri": "gs://host/a.mp4"}}]},
        Content(
            role="user", parts=[Part(inline_data=Blob(data=b"x" * 30_000, mime_type="video/mp4"))]
        ),
        {"role": "user", "content": [{"document": {"format": "pdf", "source": {"bytes": b"x"}}}]},
        ChatMessage(blocks=[VideoBlock(url="https://host/a.mp4")]),
        ChatMessage(blocks=[DocumentBlock(data=b"x" * 30_000, title="a")]),
    ],
)
def test_files_of_other_formats_count_by_an_estimate(message: Any) -> None:
    assert 60 < COUNT.count_messages([message]) < 3_100


@pytest.mark.parametrize("part", FILES, ids=lambda part: part["type"])
def test_a_conversation_with_files_is_cut_to_its_limit(part: dict[str, Any]) -> None:
    turn = [{"role": "user", "content": [part]}, {"role": "assistant", "content": "I see."}]
    result = compress(turn * 200, token_budget=9_000, store=MemoryStore())
    assert result.tokens_after <= 9_000
    assert result.messages[-2]["content"] == [part]


def test_a_part_of_an_unknown_type_counts_as_json() -> None:
    part = {"type": "odd", "payload": {"words": "word " * 500}}
    assert 500 < COUNT.count_messages([{"role": "user", "content": [part]}]) < 560


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": ROWS}},
        {
            "type": "search_result",
            "source": "a",
            "title": "b",
            "content": [{"type": "text", "text": ROWS}],
        },
    ],
)
def test_cited_texts_stay_as_they_are(part: dict[str, Any]) -> None:
    cited = {**part, "citations": {"enabled": True}}
    uncited = {**part, "citations": {"enabled": False}}
    result = shorten(anthropic([cited]))
    assert result.messages[2] == anthropic([cited])[2]
    assert "citations" in next(change.reason for change in result.changes if change.message == 2)
    assert shorten(anthropic([uncited])).tokens_after < result.tokens_after / 2


# One array over many parts.


def text_parts(indent: int | None = None) -> list[dict[str, Any]]:
    return [{"type": "text", "text": json.dumps(item, indent=indent)} for item in ITEMS]


@pytest.mark.parametrize("config", [None, LOSSLESS])
@pytest.mark.parametrize(
    "messages",
    [
        openai(text_parts()),
        openai(text_parts(indent=2)),
        anthropic(text_parts()),
        langchain([{**part, "id": f"lc_{n}"} for n, part in enumerate(text_parts())]),
        langchain([part["text"] for part in text_parts()]),
        responses([{"type": "input_text", "text": part["text"]} for part in text_parts()]),
        bedrock(*({"json": item} for item in ITEMS)),
        bedrock(*({"text": part["text"]} for part in text_parts())),
        google({"content": text_parts(), "isError": False}),
        openai([{"type": "document", "document": {"data": part["text"]}} for part in text_parts()]),
        llamaindex([part["text"] for part in text_parts()]),
    ],
)
def test_an_item_a_part_becomes_one_table(
    messages: list[Any], config: HeadroomConfig | None
) -> None:
    result = shorten(messages, config)
    assert result.tokens_after < result.tokens_before * (0.35 if config is None else 0.7)


def test_parts_around_the_items_stay_where_they_are() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://host/a.png"}}
    cached = {"type": "text", "text": "{}", "cache_control": {"type": "ephemeral"}}
    head = {"type": "text", "text": "300 orders:"}
    message = shorten(anthropic([head, *text_parts(), image, cached, *text_parts()])).messages[2]
    content = message["content"][0]["content"]
    assert [part["type"] for part in content] == ["text", "text", "image", "text", "text"]
    assert (content[0], content[2], content[3]) == (head, image, cached)


def test_a_left_out_item_is_retrieved_by_its_fields() -> None:
    store = MemoryStore()
    result = compress(anthropic(text_parts()), store=store)
    found = retrieve(result.ccr_hashes[0], where="id == 123", store=store)
    assert found.found
    assert "123" in found.text


@pytest.mark.parametrize("content", [text_parts()[:4], [{"type": "text", "text": "{a}"}] * 9])
def test_few_items_and_other_texts_stay_as_they_are(content: list[TextBlockParam]) -> None:
    assert shorten(anthropic(content)).messages == anthropic(content)


def test_the_sdk_objects_of_google_hold_items_as_well() -> None:
    response = FunctionResponse(name="orders", response={"content": text_parts()})
    messages = [*google({})[:2], Content(role="user", parts=[Part(function_response=response)])]
    result = shorten(messages)
    assert result.tokens_after < result.tokens_before / 3


def test_documents_with_ids_that_answers_cite_are_not_joined() -> None:
    cited = [
        {"type": "document", "document": {"id": f"d{n}", "data": part["text"]}}
        for n, part in enumerate(text_parts())
    ]
    assert shorten(openai(cited)).messages == openai(cited)


# Errors.

PROBLEMS = json.dumps([{"row": n, "error": f"field {n % 7} is required"} for n in range(150)])
FAILED = ToolOutput(content="", tool_name="f", raw_input={}, raw_output="", is_error=True)


@pytest.mark.parametrize(
    ("messages", "is_error"),
    [
        (llamaindex([PROBLEMS], is_error=True), True),
        (llamaindex([PROBLEMS], tool_output=FAILED), True),
        (llamaindex(["Encountered error: " + PROBLEMS]), True),
        (llamaindex([PROBLEMS]), False),
        (google({"error": json.loads(PROBLEMS)}), True),
        (google({"error": PROBLEMS}), True),
        (google({"content": [{"type": "text", "text": PROBLEMS}], "isError": True}), True),
        (
            google({"result": {"content": [{"type": "text", "text": PROBLEMS}], "isError": True}}),
            True,
        ),
        (google({"error": None, "rows": json.loads(PROBLEMS)}), False),
        (google({"content": [{"type": "text", "text": PROBLEMS}], "isError": False}), False),
        (
            [
                *bedrock()[:2],
                {
                    "role": "user",
                    "content": [
                        {
                            "toolResult": {
                                "toolUseId": "t1",
                                "status": "error",
                                "content": [{"json": {"problems": json.loads(PROBLEMS)}}],
                            }
                        }
                    ],
                },
            ],
            True,
        ),
    ],
)
def test_what_a_tool_marks_as_an_error_stays_as_it_is(messages: list[Any], is_error: bool) -> None:
    assert len(PROBLEMS) < 8_000
    result = compress(messages, store=MemoryStore())
    assert (result.messages[2] is messages[2]) is is_error
