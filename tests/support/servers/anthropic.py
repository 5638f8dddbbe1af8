"""A server of Anthropic's messages API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from servers.replies import Reply, Task, thirds, words
from servers.wire import ModelServer, Request, usage


class AnthropicServer(ModelServer):
    """Server of `/v1/messages`, whole or streamed, and `/v1/messages/count_tokens`.

    Example:
        >>> with AnthropicServer([Reply("hello")]) as server:
        ...     server.requests
        []
    """

    def answer(self, path: str, raw: bytes) -> dict[str, Any] | Iterator[str]:
        """Return the body of the answer; requests that count tokens are not recorded."""
        return (
            {"input_tokens": len(raw) // 4}
            if path.endswith("/count_tokens")
            else super().answer(path, raw)
        )

    def task(self, body: Mapping[str, Any]) -> Task:
        """Return the task of a request."""
        return Task(
            question=_question(body["messages"]),
            answered=any(block["type"] == "tool_result" for block in _blocks(body["messages"][-1])),
            tools={tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools", ())},
            choice=_choice(body.get("tool_choice") or {}),
            schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
        )

    def pairs(self, messages: list[dict[str, Any]]) -> Iterator[tuple[set[str], set[str]]]:
        """Yield the ids of the calls in each message, and of those that it answers."""
        for message in messages:
            blocks = _blocks(message)
            yield (
                {block["id"] for block in blocks if block["type"] == "tool_use"},
                {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"},
            )

    def complete(self, request: Request, reply: Reply) -> dict[str, Any]:
        """Return a reply as a whole message."""
        input_tokens, output_tokens = usage(request, reply)
        return self._message(request, self._content(reply), input_tokens, output_tokens) | {
            "stop_reason": _reason(reply)
        }

    def stream(self, request: Request, reply: Reply) -> Iterator[str]:
        """Yield the events of a message, block by block."""
        input_tokens, output_tokens = usage(request, reply)
        yield _event("message_start", message=self._message(request, [], input_tokens, 1))
        for index, block in enumerate(self._content(reply)):
            yield from _stream_block(index, block)
        end = {"stop_reason": _reason(reply), "stop_sequence": None}
        yield _event("message_delta", delta=end, usage={"output_tokens": output_tokens})
        yield _event("message_stop")

    def _message(
        self, request: Request, content: list[dict[str, Any]], input_tokens: int, output_tokens: int
    ) -> dict[str, Any]:
        return {
            "id": self.new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": request.body["model"],
            "content": content,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens},
        }

    def _content(self, reply: Reply) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
        return blocks + [
            {
                "type": "tool_use",
                "id": self.new_id("toolu"),
                "name": call.tool,
                "input": dict(call.arguments),
            }
            for call in reply.calls
        ]


def _stream_block(index: int, block: dict[str, Any]) -> Iterator[str]:
    """Yield the events of a block: its start, its pieces and its end."""
    if block["type"] == "text":
        start, key, kind, pieces = block | {"text": ""}, "text", "text_delta", words(block["text"])
    else:
        arguments = ["", *thirds(json.dumps(block["input"], ensure_ascii=False))]
        start, key, kind, pieces = (
            block | {"input": {}},
            "partial_json",
            "input_json_delta",
            arguments,
        )
    yield _event("content_block_start", index=index, content_block=start)
    for piece in pieces:
        yield _event("content_block_delta", index=index, delta={"type": kind, key: piece})
    yield _event("content_block_stop", index=index)


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _question(messages: list[dict[str, Any]]) -> str:
    questions = [
        block["text"]
        for message in messages
        if message["role"] == "user"
        for block in _blocks(message)
        if block["type"] == "text"
    ]
    return questions[-1] if questions else ""


def _choice(choice: Mapping[str, Any]) -> str | None:
    return choice.get("name", "") if choice.get("type") in ("any", "tool") else None


def _reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
