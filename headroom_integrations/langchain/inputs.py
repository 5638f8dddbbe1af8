"""Unpacking of the values that `HeadroomCompressor` accepts, and rebuilding of the same type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import (
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import ChatPromptValue, PromptValue, StringPromptValue
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from headroom_core import CompressResult, ConfigurationError

_LANGGRAPH_READ = "__pregel_read"
"""Key in a run's configuration under which LangGraph lets a node read the state."""

_PROBE = (HumanMessage("a", id="headroom-1"), HumanMessage("b", id="headroom-2"))
_REMOVAL = RemoveMessage(id="headroom-1")
"""Messages by which reducers are told apart: those that remove, replace and append."""

Rebuild = Callable[[list[Any]], Any]
"""Builds a value of the original type around compressed messages or documents."""


def unpack_input(value: Any) -> tuple[list[Any], Rebuild]:
    """Extract the messages or documents from a value.

    Returns:
        The messages or documents, and a function that builds a value of the same type around
        their replacements.

    Raises:
        TypeError: If the type of the value is not supported.
    """
    if isinstance(value, str):
        return [ToolMessage(value, tool_call_id="")], lambda messages: messages[0].content
    if isinstance(value, (BaseMessage, Document)):
        return [value], lambda items: items[0]
    if isinstance(value, PromptValue):
        return value.to_messages(), lambda messages: _rebuild_prompt(value, messages)
    state_value = messages_in_state(value)
    if state_value is not None:
        # A text under `messages` is a user message here, not the output of a tool.
        items, rebuild = unpack_input(
            [state_value] if isinstance(state_value, str) else state_value
        )
        return items, lambda messages: _rebuild_state(value, rebuild(messages))
    if not isinstance(value, Sequence):
        raise TypeError(
            f"HeadroomCompressor cannot read {type(value).__name__}: pass a prompt value, "
            "messages, a string, documents, or a state with 'messages'"
        )
    if all(isinstance(item, Document) for item in value):
        return list(value), list
    return convert_to_messages(value), list


def messages_in_state(value: Any) -> Any:
    """Return the `messages` of a graph state, or None if the value is not a state."""
    if isinstance(value, Mapping):
        return value.get("messages")
    # LangChain's own values are pydantic models too, and some of them have `messages`.
    is_langchain_value = isinstance(value, (PromptValue, BaseMessage, Document))
    is_model_state = isinstance(value, BaseModel) and not is_langchain_value
    if is_model_state or is_dataclass(value):
        return getattr(value, "messages", None)
    return None


def state_reducer(config: RunnableConfig) -> Callable[[Any, Any], Any] | None:
    """Return the reducer of a graph's messages, or None if it is not known.

    Returns:
        The reducer of the running node's graph. For a key without a reducer, a function that
        returns its second argument.
    """
    # LangGraph gives nodes a function to read the state, whose arguments have its channels.
    read = config.get("configurable", {}).get(_LANGGRAPH_READ)
    for argument in getattr(read, "args", ()):
        channel = argument.get("messages") if isinstance(argument, Mapping) else None
        if channel is not None:
            replaces = type(channel).__name__ == "LastValue"
            reducer: Callable[[Any, Any], Any] | None = getattr(channel, "operator", None)
            return (lambda _, update: update) if replaces else reducer
    return None


def state_update(
    before: Sequence[BaseMessage],
    result: CompressResult,
    reducer: Callable[[Any, Any], Any] | None = None,
) -> list[Any]:
    """Build the update that replaces the messages of a state.

    Args:
        before: Messages in the state, before compression.
        result: Result of compressing them.
        reducer: Reducer of the messages. None if it is not known.

    Returns:
        The compressed messages. If `add_messages` or an unknown reducer has to remove dropped ones,
        they are followed by a `RemoveMessage` for each except the first, whose id the note about
        the dropped messages takes over.

    Raises:
        ConfigurationError: The reducer appends, so that no update replaces the messages.
    """
    if reducer is not None:
        left = _reduce_probe(reducer)
        if left == [_PROBE[1]]:
            pass
        elif left == [_REMOVAL]:
            return result.messages
        elif _REMOVAL in left:
            raise ConfigurationError(
                "messages: the reducer of this state appends, so a node cannot replace them; "
                "annotate the key with add_messages, or compress only what the model reads: "
                "RunnableLambda(lambda state: state['messages']) | HeadroomCompressor() | model",
                {"messages": "appended"},
            )
    dropped = sorted(change.message for change in result.changes if change.action == "dropped")
    ids = [message.id or "" for message in before]
    # `add_messages` gives every message an id, so a message without an id means that another
    # reducer is in use: it would keep `RemoveMessage` in the state instead of applying it.
    if not dropped or "" in ids:
        return result.messages
    first = dropped[0]
    note = result.messages[first].model_copy(update={"id": ids[first]})
    removals = [RemoveMessage(id=ids[index]) for index in dropped[1:]]
    return [*result.messages[:first], note, *result.messages[first + 1 :], *removals]


def _reduce_probe(reducer: Callable[[Any, Any], Any]) -> list[Any]:
    """Return what a reducer makes of two messages and the removal of the first."""
    try:
        return list(reducer([*_PROBE], [_REMOVAL]))
    except Exception:  # noqa: BLE001
        # Reducers of users may refuse the probe in any way.
        return []


def _rebuild_state(state: Any, messages: Any) -> Any:
    if isinstance(state, Mapping):
        return {**state, "messages": messages}
    if isinstance(state, BaseModel):
        return state.model_copy(update={"messages": messages})
    return replace(state, messages=messages)


def _rebuild_prompt(value: PromptValue, messages: list[BaseMessage]) -> PromptValue:
    if isinstance(value, StringPromptValue):
        return value.model_copy(update={"text": messages[0].content})
    if isinstance(value, ChatPromptValue):
        return value.model_copy(update={"messages": messages})
    return ChatPromptValue(messages=messages)
