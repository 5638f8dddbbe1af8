"""Test the pairs, media and counts of Bedrock's blocks and of the items of OpenAI's Responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from headroom_core import HeadroomConfig, MemoryStore, Tokenizer, compress, retrieve
from headroom_core.dialects import BedrockDialect, OpenAIDialect, ResponsesDialect

IMAGE = 765
FILE = 1_500
ROWS = json.dumps([{"id": n, "state": "late" if n % 40 == 7 else "ok"} for n in range(300)])
COUNT = Tokenizer()
NAMES = "word " * 300


# Bedrock.


@pytest.mark.parametrize(
    ("block", "least", "most"),
    [
        ({"image": {"format": "png", "source": {"bytes": b"x" * 3_000_000}}}, IMAGE, IMAGE),
        (
            {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/a"}}}},
            IMAGE,
            IMAGE,
        ),
        ({"video": {"format": "mp4", "source": {"bytes": b"x" * 500_000}}}, 1_000, 1_000),
        ({"audio": {"format": "mp3", "source": {"bytes": b"x" * 500_000}}}, 1_000, 1_000),
        ({"document": {"format": "pdf", "source": {"bytes": b"x" * 80_000}}}, 2 * FILE, 2 * FILE),
        ({"document": {"format": "txt", "source": {"bytes": b"x" * 80_000}}}, 20_000, 20_000),
        ({"document": {"format": "csv", "source": {"bytes": b"x" * 80_000}}}, 20_000, 20_000),
        ({"document": {"format": "txt", "name": "a", "source": {"text": NAMES}}}, 300, 310),
        ({"document": {"name": "a", "source": {"content": [{"text": NAMES}]}}}, 300, 310),
        ({"searchResult": {"title": "a", "content": [{"text": NAMES}]}}, 300, 310),
        ({"cachePoint": {"type": "default"}}, 0, 0),
    ],
)
@pytest.mark.parametrize("is_result", [False, True])
def test_blocks_count_by_the_family_of_their_key(
    block: dict[str, Any], least: int, most: int, is_result: bool
) -> None:
    inside = [{"toolResult": {"toolUseId": "t1", "content": [block]}}] if is_result else [block]
    tokens = [
        COUNT.count_messages([{"role": "user", "content": content}], "bedrock")
        for content in (inside, [])
    ]
    assert least <= tokens[0] - tokens[1] <= most


@pytest.mark.parametrize("source", [{"text": ROWS}, {"content": [{"text": ROWS}]}])
def test_a_shortened_document_leaves_a_total_that_is_counted(source: dict[str, Any]) -> None:
    message = {"role": "user", "content": [{"document": {"name": "a", "source": source}}]}
    result = compress([message], store=MemoryStore())
    assert 0 < result.tokens_after < result.tokens_before / 2
    assert result.tokens_after == COUNT.count_messages(result.messages)


def test_the_text_beside_an_image_counts() -> None:
    image = {"type": "image", "text": ROWS, "source": {"type": "url", "url": "https://host/a"}}
    result = compress([{"role": "tool", "content": [image]}], store=MemoryStore())
    assert IMAGE < result.tokens_after < result.tokens_before / 2


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("budget", [300, 500, 900, 1_200])
def test_roles_alternate_around_the_marker_of_a_cut(budget: int, managed: bool) -> None:
    messages: list[Any] = []
    for n in range(20):
        use = {"toolUse": {"toolUseId": f"t{n}", "name": "orders", "input": {}}}
        result = {"toolResult": {"toolUseId": f"t{n}", "content": [{"text": "word " * 60}]}}
        messages += [
            {"role": "user", "content": [{"text": f"question {n}"}]},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [{"text": f"answer {n}"}]},
        ]
    config: Any = {"intelligent_context": {"enabled": managed}}
    cut = compress(
        messages, token_budget=budget, config=HeadroomConfig(**config), store=MemoryStore()
    )
    roles = [message["role"] for message in cut.messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2)
    assert "[headroom: " in json.dumps(cut.messages)
    assert cut.tokens_after == COUNT.count_messages(cut.messages, BedrockDialect()) <= budget


# Responses.


def binds(items: list[Any]) -> list[tuple[int, int]]:
    """Return the indices of items that call, with those of the items that answer them."""
    outlines = ResponsesDialect().parse(items).outlines
    made = {call: index for index, outline in enumerate(outlines) for call in outline.calls}
    return [
        (made[answer], index)
        for index, outline in enumerate(outlines)
        for answer in outline.answers
        if answer in made
    ]


def shell(item_id: str, call_id: str) -> dict[str, Any]:
    action = {"type": "exec", "command": ["ls"], "env": {}}
    return {"type": "local_shell_call", "id": item_id, "call_id": call_id, "action": action}


@pytest.mark.parametrize(
    "items",
    [
        [
            {"type": "mcp_approval_request", "id": "m1", "name": "f", "arguments": "{}"},
            {"type": "mcp_approval_request", "id": "m2", "name": "f", "arguments": "{}"},
            {"type": "mcp_approval_response", "approval_request_id": "m2", "approve": True},
            {"type": "mcp_approval_response", "approval_request_id": "m1", "approve": False},
        ],
        [
            {"type": "tool_search_call", "call_id": "s1", "arguments": {}},
            {"type": "tool_search_call", "call_id": "s2", "arguments": {}},
            {"type": "tool_search_output", "call_id": "s2", "tools": []},
            {"type": "tool_search_output", "call_id": "s1", "tools": []},
        ],
        *(
            [
                shell("lsh_1", "c1"),
                shell("lsh_2", "c2"),
                {"type": "local_shell_call_output", **second, "output": "b"},
                {"type": "local_shell_call_output", **first, "output": "a"},
            ]
            for first, second in (
                ({"id": "c1"}, {"id": "c2"}),
                ({"id": "lsh_1"}, {"id": "lsh_2"}),
                ({"call_id": "c1"}, {"call_id": "c2"}),
                ({"id": "x1", "call_id": "c1"}, {"id": "x2", "call_id": "c2"}),
            )
        ),
        *(
            [
                {"type": f"{kind}_call", "id": "i1", "call_id": "c1"},
                {"type": f"{kind}_call", "id": "i2", "call_id": "c2"},
                {"type": f"{kind}_call_output", "call_id": "c2", "output": "b"},
                {"type": f"{kind}_call_output", "call_id": "c1", "output": "a"},
            ]
            for kind in ("shell", "apply_patch", "computer", "function", "custom_tool")
        ),
    ],
    ids=lambda items: items[0]["type"],
)
def test_answers_belong_to_the_calls_that_they_name(items: list[Any]) -> None:
    assert binds(items) == [(1, 2), (0, 3)]


def test_an_output_that_names_no_call_answers_the_oldest() -> None:
    items = [shell("l1", "c1"), {"type": "local_shell_call_output", "id": "odd", "output": "a"}]
    assert binds(items) == [(0, 1)]


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        ({"type": "code_interpreter_call", "code": NAMES, "outputs": None}, 300),
        (
            {"type": "code_interpreter_call", "outputs": [{"type": "logs", "logs": NAMES}]},
            300,
        ),
        ({"type": "code_interpreter_call", "outputs": [{"type": "image", "url": "u"}]}, IMAGE),
        ({"type": "file_search_call", "queries": ["a"], "results": [{"text": NAMES}]}, 300),
        ({"type": "tool_search_output", "tools": [{"name": "f", "description": NAMES}]}, 300),
        ({"type": "mcp_list_tools", "tools": [{"name": "f", "description": NAMES}]}, 300),
        ({"type": "mcp_call", "name": "f", "arguments": "{}", "output": NAMES}, 300),
        ({"type": "web_search_call", "action": {"type": "search", "query": NAMES}}, 300),
        ({"type": "image_generation_call", "result": "A" * 9_000}, IMAGE),
        (
            {"type": "computer_call_output", "output": {"type": "computer_screenshot"}},
            IMAGE,
        ),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else None,
)
def test_the_servers_own_items_are_counted(item: dict[str, Any], tokens: int) -> None:
    counted = COUNT.count_messages([item], "responses") - COUNT.count_messages([])
    assert tokens <= counted < tokens + 30


def test_a_failed_patch_is_an_error() -> None:
    items = [
        {"type": "apply_patch_call", "call_id": "c1", "operation": {"type": "update_file"}},
        {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed", "output": "no"},
    ]
    assert ResponsesDialect().parse(items).blocks[-1].is_error


def test_messages_without_a_sign_are_read_and_counted_alike() -> None:
    messages = [{"role": "user", "content": ROWS}, {"role": "assistant", "content": "Seven."}]
    dialects = (OpenAIDialect(), ResponsesDialect(), BedrockDialect())
    assert len({dialect.parse(messages).blocks for dialect in dialects}) == 1
    assert len({COUNT.count_messages(messages, dialect) for dialect in dialects}) == 1


@pytest.mark.parametrize("write", [json.dumps, str], ids=["JSON", "Python"])
def test_an_object_in_each_part_becomes_one_table(write: Callable[[Any], str]) -> None:
    parts = [{"type": "text", "text": write({"id": n, "name": f"it's {n}"})} for n in range(300)]
    message = {"role": "tool", "tool_call_id": "c", "content": parts}
    store = MemoryStore()
    result = compress([message], store=store)
    (part,) = result.messages[0]["content"]
    assert part["text"].startswith("[table ")
    assert "203,203,it's 203" in retrieve(result.ccr_hashes[0], where="id == 203", store=store).text
