"""Test the local servers that other tests use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import anthropic
import openai
import pytest
from servers import AnthropicServer, Call, OpenAIServer, Reply, Request

CALL = {"id": "c1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL, CALL | {"id": "c2"}]}
FIRST, SECOND = ({"role": "tool", "tool_call_id": name, "content": "[]"} for name in ("c1", "c2"))
QUESTION = {"role": "user", "content": "Which are late?"}


def ask_openai(server: OpenAIServer, messages: Sequence[Any], **settings: Any) -> Any:
    with openai.OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=messages, **settings)
        return list(answer) if settings.get("stream") else answer


@pytest.mark.parametrize(
    "messages",
    [
        [QUESTION, FIRST],
        [QUESTION, CALLING],
        [QUESTION, CALLING, FIRST],
        [QUESTION, CALLING, FIRST, QUESTION, SECOND],
        [QUESTION, CALLING, FIRST, SECOND, SECOND],
        [QUESTION, CALLING, FIRST, FIRST],
    ],
)
def test_unpaired_calls_and_results_are_rejected(messages: list[Any]) -> None:
    with OpenAIServer() as server, pytest.raises(openai.BadRequestError, match="calls"):
        ask_openai(server, messages)


def test_anthropic_pairs_are_read_from_its_blocks() -> None:
    results = [{"type": "tool_result", "tool_use_id": "c1", "content": "[]"}]
    calls = [{"type": "tool_use", "id": "c1", "name": "orders", "input": {}}]
    question, calling, answering = (
        {"role": role, "content": content}
        for role, content in (("user", "Which are late?"), ("assistant", calls), ("user", results))
    )
    with (
        AnthropicServer() as server,
        anthropic.Anthropic(base_url=server.url, api_key="none") as client,
    ):
        send = client.with_options(max_retries=0).messages.create
        assert send(
            model="claude-haiku-4-5", max_tokens=9, messages=[question, calling, answering]
        ).content
        with pytest.raises(anthropic.BadRequestError, match="without results"):
            send(model="claude-haiku-4-5", max_tokens=9, messages=[question, calling, question])


def test_a_request_continues_another_only_with_an_unchanged_prefix() -> None:
    def create_request(*messages: Any, **body: Any) -> Request:
        body = {"messages": messages, "model": "gpt-4o-mini", **body}
        return Request(
            "/", json.dumps(body, separators=(",", ":")).encode(), json.loads(json.dumps(body))
        )

    earlier = create_request(QUESTION, CALLING)
    assert create_request(QUESTION, CALLING, FIRST, SECOND).continues(earlier)
    assert create_request(QUESTION, CALLING).continues(earlier)
    assert not create_request(QUESTION).continues(earlier)
    assert not create_request(QUESTION, CALLING | {"content": ""}, FIRST).continues(earlier)
    assert not create_request(QUESTION, dict(reversed(CALLING.items()))).continues(earlier)
    assert not create_request(QUESTION, CALLING, FIRST, tools=[]).continues(earlier)


def test_a_stream_has_the_content_of_a_whole_answer() -> None:
    reply = Reply("Let me see.", (Call("orders", {"city": "Zürich"}), Call("orders")), usage=(7, 3))
    with OpenAIServer([reply, reply]) as server:
        whole = ask_openai(server, [QUESTION])
        chunks = ask_openai(server, [QUESTION], stream=True, stream_options={"include_usage": True})
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    arguments = [
        "".join(call.function.arguments for call in calls if call.index == index)
        for index in (0, 1)
    ]
    assert (
        "".join(delta.content or "" for delta in deltas)
        == whole.choices[0].message.content
        == reply.text
    )
    assert arguments == [call.function.arguments for call in whole.choices[0].message.tool_calls]
    assert len(calls) > 4
    assert chunks[-1].usage == whole.usage


def test_an_exhausted_script_is_an_error() -> None:
    with OpenAIServer([Reply("once")]) as server:
        assert ask_openai(server, [QUESTION]).choices[0].message.content == "once"
        with pytest.raises(openai.BadRequestError, match="the script is over"):
            ask_openai(server, [QUESTION])
        assert len(server.requests) == 2
