"""Retrieve calls in messages: removed from a response, and put back before the next request.

The parts of a conversation that the caller does not see are carried by the message that it sees,
under `headroom` in `additional_kwargs`. They are plain data and survive every store and serializer,
so no object has to remember a conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolMessage,
    message_chunk_to_message,
    message_to_dict,
    messages_from_dict,
)

from headroom_core.adapters import RETRIEVE_TOOL, ToolCall

HEADROOM_KEY = "headroom"
"""Key of this library's data in `additional_kwargs`, and in the metadata of a run."""

_log = logging.getLogger(__package__)
_Message = TypeVar("_Message", bound=BaseMessage)

_CALL_FIELDS = ("tool_calls", "invalid_tool_calls")
"""The fields of a message in which LangChain puts calls, whatever the provider's format is."""


def is_retrieve_call(piece: Any) -> bool:
    """Return whether a tool call, a chunk of one, or a block of content calls the retrieve tool."""
    if not isinstance(piece, Mapping):
        return False
    function = piece.get("function")
    function_name = function.get("name") if isinstance(function, Mapping) else None
    return RETRIEVE_TOOL in (piece.get("name"), function_name)


def read_tool_calls(message: AIMessage) -> list[ToolCall]:
    """Return a message's tool calls, including those whose arguments are invalid."""
    return [
        ToolCall(call.get("id"), call.get("name"), call.get("args") or "")
        for field in _CALL_FIELDS
        for call in getattr(message, field)
    ]


def retrieve_message(call: ToolCall, text: str) -> ToolMessage:
    """Return the message that answers a retrieve call."""
    return ToolMessage(text, tool_call_id=call.id or "", name=RETRIEVE_TOOL)


def roundtrip_message(message: BaseMessage) -> BaseMessage:
    """Return the form that a message has after it was carried.

    It is sent in this form from the first request on, so later requests repeat its bytes.
    """
    return unpack_messages(pack_messages([message]))[0]


def pack_messages(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Convert messages to plain data."""
    return [message_to_dict(_as_message(message)) for message in messages]


def unpack_messages(data: Sequence[dict[str, Any]]) -> list[BaseMessage]:
    """Convert plain data of `pack_messages` back to messages."""
    return messages_from_dict(data)


def remove_retrieve_calls(message: AIMessage) -> tuple[AIMessage, dict[str, Any]]:
    """Remove the retrieve calls from a message.

    Returns:
        The message without them, and the removed calls with their positions, for `restore_calls`.
    """
    removed: dict[str, Any] = {}
    remaining: dict[str, list[Any]] = {}
    for field, items in _call_lists(message).items():
        calls = [[position, item] for position, item in enumerate(items) if is_retrieve_call(item)]
        if calls:
            removed[field] = calls
            remaining[field] = [item for item in items if not is_retrieve_call(item)]
    return _replace_call_lists(message, remaining), removed


def restore_calls(message: AIMessage, removed: Mapping[str, Any]) -> AIMessage:
    """Put removed retrieve calls back into a message.

    Raises:
        ValueError: One of them calls another tool.
    """
    lists = _call_lists(message)
    restored = {
        field: _insert_calls(lists.get(field) or [], calls) for field, calls in removed.items()
    }
    return _replace_call_lists(message, restored)


def build_carried(
    rounds: Sequence[BaseMessage] = (),
    *,
    removed: Mapping[str, Any] | None = None,
    answers: Sequence[BaseMessage] = (),
    shown: str | int | None = None,
    shown_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the data that a message carries.

    Args:
        rounds: Messages of the rounds before it.
        removed: Retrieve calls that were removed from it.
        answers: Answers to these calls.
        shown: The part of its content that belongs to the rounds because a stream showed it: the
            text, or the number of blocks.
        shown_kwargs: Texts of its `additional_kwargs` that belong to the rounds.

    Returns:
        The data without empty entries.
    """
    data = {
        "rounds": pack_messages(rounds),
        "removed": removed,
        "answers": pack_messages(answers),
        "shown": shown,
        "shown_kwargs": shown_kwargs,
    }
    return {name: value for name, value in data.items() if value}


def restore_carried(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return messages with everything that they carry at its place in the conversation."""
    restored: list[BaseMessage] = []
    for message in messages:
        restored += _restore(message)
    return restored


def strip_carried(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return messages without the data that they carry."""
    return [_strip(message) if _has_carried(message) else message for message in messages]


def _restore(message: BaseMessage) -> list[BaseMessage]:
    if not _has_carried(message):
        return [message]
    try:
        return _unpack_carried(message, message.additional_kwargs[HEADROOM_KEY])
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # The data went through the caller's hands. However they were changed, the message itself
        # can be sent.
        _log.warning(
            "additional_kwargs[%r] of a message cannot be read (%s) and is ignored",
            HEADROOM_KEY,
            type(error).__name__,
        )
        return [_strip(message)]


def _unpack_carried(message: AIMessage, carried: Mapping[str, Any]) -> list[BaseMessage]:
    own = _strip(message)
    shown_kwargs = carried.get("shown_kwargs", {})
    kwargs = {
        name: _remove_shown(value, shown_kwargs.get(name))
        for name, value in own.additional_kwargs.items()
    }
    content = _remove_shown(own.content, carried.get("shown"))
    own = own.model_copy(update={"content": content, "additional_kwargs": kwargs})
    return [
        *unpack_messages(carried.get("rounds", [])),
        restore_calls(own, carried.get("removed", {})),
        *unpack_messages(carried.get("answers", [])),
    ]


def _remove_shown(content: Any, shown: str | int | None) -> Any:
    """Return content without the beginning that belongs to earlier rounds.

    If the caller has changed that beginning, the content is returned as it is.
    """
    if isinstance(shown, str) and isinstance(content, str):
        return content.removeprefix(shown)
    if isinstance(shown, int) and shown > 0 and isinstance(content, list):
        return content[shown:]
    return content


def _has_carried(message: BaseMessage) -> TypeGuard[AIMessage]:
    return isinstance(message, AIMessage) and isinstance(
        message.additional_kwargs.get(HEADROOM_KEY), Mapping
    )


def _strip(message: AIMessage) -> AIMessage:
    kwargs = {
        name: value for name, value in message.additional_kwargs.items() if name != HEADROOM_KEY
    }
    return _as_message(message).model_copy(update={"additional_kwargs": kwargs})


def _as_message(message: _Message) -> _Message:
    if isinstance(message, AIMessageChunk):
        return message_chunk_to_message(message)  # type: ignore[return-value]
    return message


def _call_lists(message: AIMessage) -> dict[str, list[Any]]:
    """Return the lists of a message in which calls may stand, by field.

    Providers' own calls stand in the content (Anthropic) or in `additional_kwargs` (OpenAI).
    """
    lists = {
        "tool_calls": message.tool_calls,
        "invalid_tool_calls": message.invalid_tool_calls,
        "content": message.content,
        "additional_kwargs": message.additional_kwargs.get("tool_calls"),
    }
    return {field: value for field, value in lists.items() if isinstance(value, list)}


def _replace_call_lists(message: AIMessage, lists: Mapping[str, list[Any]]) -> AIMessage:
    """Return a message with other lists of calls; see `_call_lists`."""
    if not lists:
        return message
    update: dict[str, Any] = {
        field: value for field, value in lists.items() if field != "additional_kwargs"
    }
    if "additional_kwargs" in lists:
        kwargs = {
            name: value for name, value in message.additional_kwargs.items() if name != "tool_calls"
        }
        if lists["additional_kwargs"]:
            kwargs["tool_calls"] = lists["additional_kwargs"]
        update["additional_kwargs"] = kwargs
    return message.model_copy(update=update)


def _insert_calls(items: Sequence[Any], calls: Sequence[Sequence[Any]]) -> list[Any]:
    restored = list(items)
    for position, call in calls:
        # Carried data must not smuggle in a call that the caller never saw.
        if not is_retrieve_call(call):
            raise ValueError("only retrieve calls can be restored")
        restored.insert(position, call)
    return restored
