"""What a model is asked for, what it says, and the model that does what it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of a tool, as the model makes it."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What the model says: text, then calls. `usage` is the tokens read and written; a status over 200 is an error."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = None
    status: int = 200


@dataclass(frozen=True)
class Task:
    """What a request asks for, in no provider's format.

    Attributes:
        question: the user's last text.
        answered: whether the last message is the result of a tool.
        tools: the JSON schema of each tool's arguments.
        choice: the tool that has to be called; "" where any has to be, None where none has.
        schema: the JSON schema of the answer; {} for any JSON, None for text.
    """

    question: str
    answered: bool
    tools: Mapping[str, Mapping[str, Any]]
    choice: str | None
    schema: Mapping[str, Any] | None


def obliging(task: Task) -> Reply:
    """Call the tool that is asked for, or the first one before anything is answered; else say what is asked for."""
    if task.tools and (task.choice is not None or not task.answered):
        tool = task.choice or next(iter(task.tools))
        return Reply(calls=(Call(tool, _sample(task.tools[tool], task.question)),))
    if task.schema is not None:
        return Reply(json.dumps(_sample(task.schema, task.question), ensure_ascii=False))
    return Reply("This is an answer of eight words, roughly.")


def _sample(schema: Mapping[str, Any], question: str) -> Any:
    """Return a value that a JSON schema allows: 3 for numbers, what the question quotes for texts."""
    quoted = re.findall(r"'([^']+)'", question)
    defined = schema.get("$defs") or schema.get("definitions") or {}

    def value(of: Mapping[str, Any]) -> Any:
        if "$ref" in of:
            return value(defined[of["$ref"].rpartition("/")[2]])
        for key in ("anyOf", "oneOf", "allOf"):
            if key in of:
                return value(of[key][0])
        if "enum" in of:
            return of["enum"][0]
        kinds = {
            "object": lambda: {
                key: value(inner) for key, inner in of.get("properties", {}).items()
            },
            "array": lambda: [value(of["items"])],
            "integer": lambda: 3,
            "number": lambda: 3.5,
            "boolean": lambda: True,
            "null": lambda: None,
        }
        return kinds.get(of.get("type", ""), lambda: quoted[0] if quoted else "something")()

    return value(schema) if schema else dict.fromkeys(quoted, "something")


def words(text: str) -> list[str]:
    """Return a text in pieces, as models stream it."""
    return re.findall(r"\S+\s*|\s+", text)


def thirds(text: str) -> list[str]:
    """Return a text in up to three pieces that care for no syntax, as arguments are streamed."""
    size = -(-len(text) // 3)
    return [text[at : at + size] for at in range(0, len(text), size)]
