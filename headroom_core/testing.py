"""Fakes for tests of code that uses this library: no network, no disk, and failures on demand.

| fake | stands for |
|---|---|
| `ScriptedModel` | a model that says and calls what a script says |
| `tool_conversation` | the messages of an agent that called tools, in any provider's format |
| `FailingStore` | a store that fails when a test wants it to |
| `registered_compressor` | a compressor that is registered for one test |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

from headroom_core.compressors import register_compressor, unregister_compressor
from headroom_core.compressors.base import Compressor
from headroom_core.compressors.registry import Accepts, CompressorFactory
from headroom_core.errors import StorageError, ValidationError
from headroom_core.stores import MemoryStore

__all__ = [
    "FailingStore",
    "ScriptedCall",
    "ScriptedModel",
    "registered_compressor",
    "tool_conversation",
]

Messages: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """A call of a tool.

    Attributes:
        tool: Name of the tool.
        arguments: Arguments of the call.
        result: Result of the call, for `tool_conversation`.
    """

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    result: str = ""


Reply: TypeAlias = "str | ScriptedCall | Sequence[ScriptedCall]"


class ScriptedModel:
    """A model that replies with the messages of a script, in OpenAI's format.

    Args:
        replies: The replies, in order: texts, tool calls, lists of tool calls, or functions that
            return one of these for the messages of a request.

    Attributes:
        requests: The messages of every request so far.

    Example:
        >>> model = ScriptedModel([ScriptedCall("list_jobs", {"day": 3}), "Job 77 failed."])
        >>> message = model([{"role": "user", "content": "Which job failed?"}])
        >>> message["tool_calls"][0]["function"]
        {'name': 'list_jobs', 'arguments': '{"day": 3}'}
        >>> model([message])["content"], len(model.requests)
        ('Job 77 failed.', 2)
    """

    def __init__(self, replies: Iterable[Reply | Callable[[Messages], Reply]]) -> None:
        self._replies = iter(replies)
        self._calls = 0
        self.requests: list[list[Mapping[str, Any]]] = []

    def __call__(self, messages: Messages) -> dict[str, Any]:
        """Return the next message of the script.

        Raises:
            ValidationError: The script is over.
        """
        self.requests.append([*messages])
        reply = next(self._replies, None)
        if reply is None:
            message = f"request {len(self.requests)}: the script has no more replies; add one"
            raise ValidationError(message, {"requests": len(self.requests)})
        if callable(reply):
            reply = reply(messages)
        if isinstance(reply, str):
            return {"role": "assistant", "content": reply}
        calls = [reply] if isinstance(reply, ScriptedCall) else reply
        return {"role": "assistant", "content": None, "tool_calls": [*map(self._write, calls)]}

    def _write(self, call: ScriptedCall) -> dict[str, Any]:
        self._calls += 1
        return _openai_call(f"call_{self._calls}", call)


def tool_conversation(
    question: str,
    calls: Iterable[ScriptedCall],
    *,
    dialect: Literal["openai", "anthropic", "google"] = "openai",
) -> list[dict[str, Any]]:
    """Return the messages of an agent that was asked a question and called tools, one by one.

    Args:
        question: Text of the user.
        calls: The calls, with their results.
        dialect: Format of the messages.

    Raises:
        ValidationError: There is no such format.

    Example:
        >>> call = ScriptedCall("list_jobs", result="[]")
        >>> messages = tool_conversation("Which job failed?", [call])
        >>> [message["role"] for message in messages]
        ['user', 'assistant', 'tool']
    """
    if dialect not in _FORMATS:
        message = f"dialect = {dialect!r}: must be one of {', '.join(_FORMATS)}"
        raise ValidationError(message, {"dialect": dialect})
    ask, write = _FORMATS[dialect]
    messages = [ask(question)]
    for number, call in enumerate(calls, start=1):
        messages += write(f"call_{number}", call)
    return messages


def _openai_call(identifier: str, call: ScriptedCall) -> dict[str, Any]:
    function = {"name": call.tool, "arguments": json.dumps(dict(call.arguments))}
    return {"id": identifier, "type": "function", "function": function}


def _openai_messages(identifier: str, call: ScriptedCall) -> list[dict[str, Any]]:
    called = [_openai_call(identifier, call)]
    return [
        {"role": "assistant", "content": None, "tool_calls": called},
        {"role": "tool", "tool_call_id": identifier, "content": call.result},
    ]


def _anthropic_messages(identifier: str, call: ScriptedCall) -> list[dict[str, Any]]:
    use = {
        "type": "tool_use",
        "id": identifier,
        "name": call.tool,
        "input": dict(call.arguments),
    }
    result = {"type": "tool_result", "tool_use_id": identifier, "content": call.result}
    return [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


def _google_messages(identifier: str, call: ScriptedCall) -> list[dict[str, Any]]:
    called = {"id": identifier, "name": call.tool, "args": dict(call.arguments)}
    response = {"id": identifier, "name": call.tool, "response": {"result": call.result}}
    return [
        {"role": "model", "parts": [{"function_call": called}]},
        {"role": "user", "parts": [{"function_response": response}]},
    ]


def _ask(question: str) -> dict[str, Any]:
    return {"role": "user", "content": question}


def _ask_google(question: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": question}]}


_Writer: TypeAlias = Callable[[str, ScriptedCall], list[dict[str, Any]]]

_FORMATS: dict[str, tuple[Callable[[str], dict[str, Any]], _Writer]] = {
    "openai": (_ask, _openai_messages),
    "anthropic": (_ask, _anthropic_messages),
    "google": (_ask_google, _google_messages),
}


class FailingStore(MemoryStore):
    """A store in memory whose operations fail when a test wants them to.

    Args:
        operations: Names of the methods that fail: `put_many`, `get`, `record`, `recall`, `add` or
            `counters`.
        error: The exception that they raise. Defaults to a `StorageError` that names the method.

    Attributes:
        failing: Names of the methods that fail. It may be changed at any time.

    Raises:
        ValidationError: There is no such method.

    Example:
        >>> from headroom_core import compress
        >>> store = FailingStore("put_many")
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(400))
        >>> call = ScriptedCall("list_jobs", result=f"[{rows}]")
        >>> result = compress(tool_conversation("Which failed?", [call]), store=store)
        >>> result.ccr_hashes, result.warnings[0][:34]
        ([], 'the originals cannot be stored, so')
    """

    _OPERATIONS = ("put_many", "get", "record", "recall", "add", "counters")

    def __init__(self, *operations: str, error: Exception | None = None) -> None:
        super().__init__()
        for name in operations:
            if name not in self._OPERATIONS:
                allowed = ", ".join(self._OPERATIONS)
                message = f"operation = {name!r}: must be one of {allowed}"
                raise ValidationError(message, {"operation": name})
        self.failing = set(operations)
        self._error = error

    def put_many(self, originals: Mapping[str, str]) -> None:
        """Store originals, or fail."""
        self._may_fail("put_many")
        super().put_many(originals)

    def get(self, key: str) -> str | None:
        """Return an original, or fail."""
        self._may_fail("get")
        return super().get(key)

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Record results, or fail."""
        self._may_fail("record")
        return super().record(records)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return recorded results, or fail."""
        self._may_fail("recall")
        return super().recall(keys)

    def add(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Add to counters, or fail."""
        self._may_fail("add")
        return super().add(counts)

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        """Return counters, or fail."""
        self._may_fail("counters")
        return super().counters(prefixes)

    def __reduce__(self) -> tuple[Any, ...]:
        unpickle, (cls, pickle_id, _) = super().__reduce__()
        # A store that is created elsewhere fails in the same way.
        create = partial(cls, *self.failing, error=self._error)
        return unpickle, (create, pickle_id, {})

    def _may_fail(self, operation: str) -> None:
        if operation in self.failing:
            raise self._error or StorageError(f"{operation} failed", {"operation": operation})


@contextmanager
def registered_compressor(
    compressor: Compressor | CompressorFactory, *, accepts: Accepts | None = None
) -> Iterator[None]:
    """Register a compressor for the duration of a `with` block.

    Args:
        compressor: As for `register_compressor`.
        accepts: As for `register_compressor`.
    """
    register_compressor(compressor, accepts=accepts)
    try:
        yield
    finally:
        unregister_compressor(compressor)
