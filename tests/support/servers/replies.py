"""Tasks of requests, replies, and a model that does what a request asks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A tool call of the model."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """A reply of the model: text, then calls.

    Attributes:
        text: The text.
        calls: The tool calls.
        usage: Input and output tokens. Defaults to an estimate.
        status: HTTP status; above 200 the reply is an error.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = None
    status: int = 200


@dataclass(frozen=True)
class Task:
    """The task of a request, independent of the provider's format.

    Attributes:
        question: Last text of the user.
        answered: Whether the last message is the result of a tool.
        tools: JSON schema of each tool's arguments.
        choice: The tool that must be called, "" for any tool, None if a call is optional.
        schema: JSON schema of the answer, {} for any JSON, None for text.
    """

    question: str
    answered: bool
    tools: Mapping[str, Mapping[str, Any]]
    choice: str | None
    schema: Mapping[str, Any] | None


def obliging(task: Task) -> Reply:
    """Call the requested tool, or the first tool before any answer; otherwise answer."""
    if task.tools and (task.choice is not None or not task.answered):
        tool = task.choice or next(iter(task.tools))
        return Reply(calls=(Call(tool, _sample(task.tools[tool], task.question)),))
    if task.schema is not None:
        return Reply(json.dumps(_sample(task.schema, task.question), ensure_ascii=False))
    return Reply("This is an answer of eight words, roughly.")


def _sample(schema: Mapping[str, Any], question: str) -> Any:
    """Return a value that a JSON schema allows: 3 for numbers, quoted words for texts."""
    quoted = re.findall(r"'([^']+)'", question)
    defined = schema.get("$defs") or schema.get("definitions") or {}

    def value(part: Mapping[str, Any]) -> Any:
        if "$ref" in part:
            return value(defined[part["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf", "allOf"):
            if key in part:
                return value(part[key][0])
        if "enum" in part:
            return part["enum"][0]
        kinds = {
            "object": lambda: {
                key: value(inner) for key, inner in part.get("properties", {}).items()
            },
            "array": lambda: [value(part["items"])],
            "integer": lambda: 3,
            "number": lambda: 3.5,
            "boolean": lambda: True,
            "null": lambda: None,
        }
        return kinds.get(part.get("type", ""), lambda: quoted[0] if quoted else "something")()

    return value(schema) if schema else dict.fromkeys(quoted, "something")


def words(text: str) -> list[str]:
    """Split a text into pieces, as models stream it."""
    return re.findall(r"\S+\s*|\s+", text)


def thirds(text: str) -> list[str]:
    """Split a text into up to three pieces at any characters, as arguments are streamed."""
    size = -(-len(text) // 3)
    return [text[index : index + size] for index in range(0, len(text), size)]
