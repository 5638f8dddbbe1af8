"""Calls of the retrieve tool in messages: taken out of an answer, and put back before the next request.

What a caller is not shown travels with the message that it is shown, under `headroom` in `additional_kwargs`: plain
data, so that it survives every store and serialiser, and no object has to remember a conversation.
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

from headroom_core.adapters import RETRIEVE_TOOL

KEY = "headroom"
"""Where in `additional_kwargs` lies what a message does not show."""

_log = logging.getLogger(__package__)
_Message = TypeVar("_Message", bound=BaseMessage)
_CALLS = ("tool_calls", "invalid_tool_calls")


def is_retrieval(call: Any) -> bool:
    """Return whether a tool call, a piece of one, or a block of content calls the retrieve tool."""
    if not isinstance(call, Mapping):
        return False
    function = call.get("function")
    return RETRIEVE_TOOL in (
        call.get("name"),
        function.get("name") if isinstance(function, Mapping) else None,
    )


def retrievals(message: AIMessage) -> list[Any]:
    """Return a message's calls of the retrieve tool, those that cannot be read included."""
    return [call for field in _CALLS for call in getattr(message, field) if is_retrieval(call)]


def other_calls(message: AIMessage) -> list[Any]:
    """Return a message's calls of other tools."""
    return [call for field in _CALLS for call in getattr(message, field) if not is_retrieval(call)]


def retrieve_answer(call: Mapping[str, Any], text: str) -> ToolMessage:
    """Return the message that answers a call of the retrieve tool."""
    return ToolMessage(text, tool_call_id=call.get("id") or "", name=RETRIEVE_TOOL)


def as_stored(message: BaseMessage) -> BaseMessage:
    """Return a message as it will be after it travelled, so that what is sent now and later is the same."""
    return unpack_messages(pack_messages([message]))[0]


def pack_messages(messages: Iterable[BaseMessage]) -> list[dict[str, Any]]:
    """Return messages as plain data."""
    return [message_to_dict(_whole(message)) for message in messages]


def unpack_messages(data: Sequence[dict[str, Any]]) -> list[BaseMessage]:
    """Return the messages that were packed."""
    return messages_from_dict(data)


def remove_retrievals(message: AIMessage) -> tuple[AIMessage, dict[str, Any]]:
    """Return a message without its calls of the retrieve tool, and those with their places."""
    places = {field: _places(value) for field, value in _holders(message).items()}
    removed = {field: found for field, found in places.items() if found}
    return _with(
        message,
        {field: _without(_holders(message)[field], found) for field, found in removed.items()},
    ), removed


def put_back(message: AIMessage, removed: Mapping[str, Any]) -> AIMessage:
    """Return a message with the calls that were taken out of it."""
    holders = _holders(message)
    return _with(
        message,
        {field: _inserted(holders.get(field) or [], found) for field, found in removed.items()},
    )


def carried_data(
    rounds: Sequence[BaseMessage] = (),
    removed: Mapping[str, Any] | None = None,
    answers: Sequence[BaseMessage] = (),
    shown: str | int | None = None,
    shown_kwargs: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what travels with a message.

    Args:
        rounds: what was said and answered before it.
        removed: the calls that were taken out of it.
        answers: the answers to those.
        shown: what of its content the rounds said, when a stream showed it: the text, or how many blocks.
        shown_kwargs: the texts that they said under `additional_kwargs`.
    """
    said = {"shown": shown, "shown_kwargs": shown_kwargs}
    parts = {
        "rounds": pack_messages(rounds),
        "removed": removed,
        "answers": pack_messages(answers),
        **said,
    }
    return {name: part for name, part in parts.items() if part}


def restore_carried(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return messages with what travels with them at its place."""
    return [one for message in messages for one in _restored(message)]


def strip_carried(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return messages without what travels with them."""
    return [_bare(message) if _carries(message) else message for message in messages]


def _restored(message: BaseMessage) -> list[BaseMessage]:
    if not _carries(message):
        return [message]
    try:
        return _unfolded(message, message.additional_kwargs[KEY])
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        # Whatever changed it, the message itself can be sent.
        _log.warning(
            "additional_kwargs[%r] of a message cannot be read (%s): left out",
            KEY,
            type(error).__name__,
        )
        return [_bare(message)]


def _unfolded(message: AIMessage, travelling: Mapping[str, Any]) -> list[BaseMessage]:
    own = _bare(message)
    said = travelling.get("shown_kwargs", {})
    kwargs = {name: _own(value, said.get(name)) for name, value in own.additional_kwargs.items()}
    content = _own(own.content, travelling.get("shown"))
    own = own.model_copy(update={"content": content, "additional_kwargs": kwargs})
    whole = put_back(own, travelling.get("removed", {}))
    return [
        *unpack_messages(travelling.get("rounds", [])),
        whole,
        *unpack_messages(travelling.get("answers", [])),
    ]


def _own(content: Any, shown: str | int | None) -> Any:
    """Return what a message itself says of its content; all of it where somebody changed the beginning."""
    if isinstance(shown, str) and isinstance(content, str):
        return content.removeprefix(shown)
    if isinstance(shown, int) and shown > 0 and isinstance(content, list):
        return content[shown:]
    return content


def _carries(message: BaseMessage) -> TypeGuard[AIMessage]:
    return isinstance(message, AIMessage) and isinstance(
        message.additional_kwargs.get(KEY), Mapping
    )


def _bare(message: AIMessage) -> AIMessage:
    others = {name: value for name, value in message.additional_kwargs.items() if name != KEY}
    return _whole(message).model_copy(update={"additional_kwargs": others})


def _whole(message: _Message) -> _Message:
    return message_chunk_to_message(message) if isinstance(message, AIMessageChunk) else message  # type: ignore[return-value]


def _holders(message: AIMessage) -> dict[str, list[Any]]:
    """Return the lists in which a message's calls stand."""
    lists = {field: getattr(message, field) for field in _CALLS}
    lists |= {
        "content": message.content,
        "additional_kwargs": message.additional_kwargs.get("tool_calls"),
    }
    return {field: value for field, value in lists.items() if isinstance(value, list)}


def _with(message: AIMessage, lists: Mapping[str, list[Any]]) -> AIMessage:
    if not lists:
        return message
    update: dict[str, Any] = {
        field: value for field, value in lists.items() if field != "additional_kwargs"
    }
    if "additional_kwargs" in lists:
        raw = {"tool_calls": lists["additional_kwargs"]} if lists["additional_kwargs"] else {}
        others = {
            name: value for name, value in message.additional_kwargs.items() if name != "tool_calls"
        }
        update["additional_kwargs"] = {**others, **raw}
    return message.model_copy(update=update)


def _places(items: Sequence[Any]) -> list[list[Any]]:
    return [[at, item] for at, item in enumerate(items) if is_retrieval(item)]


def _without(items: Sequence[Any], places: Sequence[Sequence[Any]]) -> list[Any]:
    gone = {at for at, _ in places}
    return [item for at, item in enumerate(items) if at not in gone]


def _inserted(items: Sequence[Any], places: Sequence[Sequence[Any]]) -> list[Any]:
    whole = list(items)
    for at, item in places:
        if not is_retrieval(item):
            raise ValueError("only calls of the retrieve tool are taken out")
        whole.insert(at, item)
    return whole
