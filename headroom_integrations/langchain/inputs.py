"""What the compressor takes: the messages or documents in a value, and a value of the same type around others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, RemoveMessage, ToolMessage, convert_to_messages
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from pydantic import BaseModel

from headroom_core import CompressResult

Close = Callable[[list[Any]], Any]


def opened(value: Any) -> tuple[list[Any], Close]:
    """Return the messages or documents in a value, and what puts others into one of the same type.

    Raises:
        TypeError: the value is of no type that holds any.
    """
    if isinstance(value, str):
        return [ToolMessage(value, tool_call_id="")], lambda messages: messages[0].content
    if isinstance(value, (BaseMessage, Document)):
        return [value], lambda items: items[0]
    if isinstance(value, PromptValue):
        return value.to_messages(), lambda messages: _prompt(value, messages)
    if (inner := in_state(value)) is not None:
        items, close = opened([inner] if isinstance(inner, str) else inner)
        return items, lambda messages: _with_messages(value, close(messages))
    if not isinstance(value, Sequence):
        raise TypeError(
            f"HeadroomCompressor cannot read {type(value).__name__}; it takes a prompt value, messages, a string, "
            "documents, or a state with 'messages'"
        )
    if all(isinstance(item, Document) for item in value):
        return list(value), list
    return convert_to_messages(value), list


def in_state(value: Any) -> Any:
    """Return the messages in a state, None where the value is none."""
    if isinstance(value, Mapping):
        return value.get("messages")
    held = isinstance(value, BaseModel) and not isinstance(
        value, (PromptValue, BaseMessage, Document)
    )
    return getattr(value, "messages", None) if held or is_dataclass(value) else None


def replacing(before: Sequence[BaseMessage], result: CompressResult) -> list[Any]:
    """Return the messages as an update, of which `add_messages` makes a state that holds them and no others."""
    gone = sorted(change.message for change in result.changes if change.action == "dropped")
    ids = [message.id or "" for message in before]
    # Where a message has none, `add_messages` does not reduce the state, and would not take the others out.
    if not gone or "" in ids:
        return result.messages
    note = result.messages[gone[0]].model_copy(update={"id": ids[gone[0]]})
    removed = [RemoveMessage(id=ids[index]) for index in gone[1:]]
    return [*result.messages[: gone[0]], note, *result.messages[gone[0] + 1 :], *removed]


def _with_messages(state: Any, messages: Any) -> Any:
    if isinstance(state, Mapping):
        return {**state, "messages": messages}
    if isinstance(state, BaseModel):
        return state.model_copy(update={"messages": messages})
    return replace(state, messages=messages)


def _prompt(value: PromptValue, messages: list[BaseMessage]) -> PromptValue:
    if isinstance(value, StringPromptValue):
        return value.model_copy(update={"text": messages[0].content})
    if isinstance(value, ChatPromptValue):
        return value.model_copy(update={"messages": messages})
    return ChatPromptValue(messages=messages)
