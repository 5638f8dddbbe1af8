"""A server of OpenAI's chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from servers.replies import Call, Reply, Task, thirds, words
from servers.wire import ModelServer, Request, usage


class OpenAIServer(ModelServer):
    """Server of `/v1/chat/completions`, whole or streamed.

    Example:
        >>> with OpenAIServer([Reply("hello")]) as server:
        ...     server.url.endswith("/v1")
        True
    """

    base_path = "/v1"

    def task(self, body: Mapping[str, Any]) -> Task:
        """Return the task of a request."""
        functions = [tool["function"] for tool in body.get("tools", ())]
        return Task(
            question=_question(body["messages"]),
            answered=body["messages"][-1]["role"] == "tool",
            tools={
                function["name"]: function.get("parameters") or {"type": "object"}
                for function in functions
            },
            choice=_choice(body.get("tool_choice")),
            schema=_schema(body.get("response_format")),
        )

    def pairs(self, messages: list[dict[str, Any]]) -> Iterator[tuple[set[str], set[str]]]:
        """Yield the ids of the calls in each message, and of those that it answers."""
        for message in messages:
            answered = {message["tool_call_id"]} if message["role"] == "tool" else set()
            yield {call["id"] for call in message.get("tool_calls") or ()}, answered

    def complete(self, request: Request, reply: Reply) -> dict[str, Any]:
        """Return a reply as a chat completion."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": reply.text or None,
            "refusal": None,
        }
        if reply.calls:
            message["tool_calls"] = [self._call(call) for call in reply.calls]
        choice = {"index": 0, "message": message, "finish_reason": _reason(reply), "logprobs": None}
        return self._envelope("chat.completion", request) | {
            "choices": [choice],
            "usage": _usage(request, reply),
        }

    def stream(self, request: Request, reply: Reply) -> Iterator[str]:
        """Yield the chunks of a chat completion, the usage last if requested."""
        envelope = self._envelope("chat.completion.chunk", request)

        def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
            return _event(
                envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            )

        yield chunk({"role": "assistant", "content": None if reply.calls else ""})
        for word in words(reply.text):
            yield chunk({"content": word})
        for index, call in enumerate(reply.calls):
            function_call = self._call(call)
            arguments = function_call["function"]["arguments"]
            function_call["function"]["arguments"] = ""
            yield chunk({"tool_calls": [{"index": index, **function_call}]})
            for piece in thirds(arguments):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield chunk({}, _reason(reply))
        if (request.body.get("stream_options") or {}).get("include_usage"):
            yield _event(envelope | {"choices": [], "usage": _usage(request, reply)})
        yield "data: [DONE]\n\n"

    def _envelope(self, kind: str, request: Request) -> dict[str, Any]:
        return {
            "id": self.new_id("chatcmpl"),
            "object": kind,
            "created": 1,
            "model": request.body["model"],
        }

    def _call(self, call: Call) -> dict[str, Any]:
        function = {"name": call.tool, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
        return {"id": self.new_id("call"), "type": "function", "function": function}


def _question(messages: list[dict[str, Any]]) -> str:
    questions = [message["content"] for message in messages if message["role"] == "user"]
    return str(questions[-1]) if questions else ""


def _choice(choice: Any) -> str | None:
    if isinstance(choice, dict):
        return choice["function"]["name"]
    return "" if choice == "required" else None


def _schema(form: Any) -> Mapping[str, Any] | None:
    if form is None or form["type"] == "text":
        return None
    return form["json_schema"]["schema"] if form["type"] == "json_schema" else {}


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _usage(request: Request, reply: Reply) -> dict[str, int]:
    input_tokens, output_tokens = usage(request, reply)
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
