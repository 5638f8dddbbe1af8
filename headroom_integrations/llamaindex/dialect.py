"""LlamaIndex's messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    CitableBlock,
    TextBlock,
    ToolCallBlock,
)
from pydantic import BaseModel

from headroom_core import Block, Draft
from headroom_core.adapters import (
    CHAT_FIELDS,
    GOOGLE_FIELDS,
    CallTracker,
    CountedFields,
    CountText,
    Fingerprint,
    MessageReader,
    Outline,
    ParseState,
    Speaker,
    as_items,
    compact_json,
    fingerprint_of,
    get_field,
    pin_reason,
    render_draft,
    to_mapping,
)

_KINDS: dict[str, Speaker] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("assistant", "chatbot", "model"), "assistant"),
    **dict.fromkeys(("tool", "function"), "tool_result"),
    "user": "user",
}

_ACTION = re.compile(r"(?:^|\n)Action: ([^\n]+)\nAction Input: ([^\n]*)\Z")
_CLOSED = "</execute>"
_CODE = re.compile(rf"<execute>(.*?){_CLOSED}", re.DOTALL)
_OBSERVED, _EXECUTED = "Observation: ", "Result of executing the code given:\n\n"
"""How agents write down calls and results as text: `ReActAgent` the first of each, `CodeActAgent` the second.

`CodeActAgent` executes whatever stands between the tags, in a fenced block too, if it is more than whitespace.
"""

_BESIDE = ("tool_calls", "function_call", "tool_call_id", "name")
"""What a model reads of `additional_kwargs`."""

_CARRIED = (
    "additional_information",
    "audio",
    "data",
    "image",
    "num_tokens",
    "path",
    "url",
    "video",
)
"""The fields of blocks that are neither read nor counted, and may hold any object."""


class LlamaIndexDialect(MessageReader):
    """Reads and writes LlamaIndex's `ChatMessage`.

    Text stands in text blocks, and in citable blocks, whose texts are documents. The arguments of tool calls, in
    blocks or in `additional_kwargs`, are shown as JSON, dicts as compact JSON that is never written. All other blocks
    are carried: thinking, images, audio, video, files, citations, cache points. A changed message is a copy with
    another text. What `ReActAgent` and `CodeActAgent` observe is a tool's result, though a user says it: a text that
    begins as the one or the other writes it, right after a text of the model in which that agent finds a call. What
    is no `ChatMessage` is carried.

    Example:
        >>> draft = LlamaIndexDialect().parse([
        ...     ChatMessage(role="assistant", blocks=[ToolCallBlock(tool_call_id="c1", tool_name="answer")]),
        ...     ChatMessage(role="tool", content="42", additional_kwargs={"tool_call_id": "c1"}),
        ... ])
        >>> draft.blocks[1].kind, draft.blocks[1].tool
        ('tool_result', 'answer')
    """

    name: str = "llamaindex"
    # Calls in `additional_kwargs` keep the form of the provider whose model made them.
    counted_fields = (
        CHAT_FIELDS
        | GOOGLE_FIELDS
        | CountedFields(
            texts=("blocks", "cited_content", "tool_name"),
            values=("tool_kwargs",),
            kinds=("block_type",),
            selected={"additional_kwargs": ("function_call", "tool_calls")},
        )
    )

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message is LlamaIndex's."""
        return any(isinstance(message, ChatMessage) for message in messages)

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts of the message at an index to a state, and return the message's outline."""
        if not isinstance(message, ChatMessage):
            return state.calls.finish_message(None)
        kind, tool, call = _speaker(index, message, state)
        at = Block(index, ("blocks",), kind, "", tool, call, pin_reason(tool))
        state.blocks += _texts(message, at, state.calls)
        return state.calls.finish_message(kind, has_breakpoint=_marked(message))

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that were read."""
        return replace(super().build_draft(messages, state), plain=_plain, note=ChatMessage)

    def fingerprint(self, message: Any) -> Fingerprint:
        """Return what is equal only where messages are read, and counted, in the same way.

        Raises:
            ValueError: there is no such thing, because the message holds something else than plain values.
        """
        if not isinstance(message, ChatMessage):
            return super().fingerprint(message)
        cls, extra, text = type(message), message.additional_kwargs, _only_text(message)
        blocks = [] if text is not None else [_held(block) for block in message.blocks]
        beside = {key: _held(extra[key]) for key in (*_BESIDE, "cache_control") if key in extra}
        return fingerprint_of((id(cls), cls.__qualname__, message.role.value, blocks, beside), text)

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, of which a call that stands in two places counts once.

        Args:
            message: The message.
            count_text: Counts the tokens of a text.
        """
        tokens = self.counted_fields.count(message, count_text)
        if isinstance(message, ChatMessage) and (repeated := _repeated_calls(message)):
            tokens -= self.counted_fields.count_value(repeated, count_text)
        return tokens

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts."""
        return render_draft(draft)


def _repeated_calls(message: ChatMessage) -> list[Any]:
    """Return the calls in `additional_kwargs` that also stand in the message's blocks."""
    calls = as_items(message.additional_kwargs.get("tool_calls"))
    if not calls:
        return []
    ids = [
        block.tool_call_id
        for block in message.blocks
        if isinstance(block, ToolCallBlock) and block.tool_call_id
    ]
    return [call for call in calls if (get_field(call, "call_id") or get_field(call, "id")) in ids]


def _plain(message: Any) -> Mapping[str, Any]:
    """Return what a model reads of a message: metadata are not for it."""
    if not isinstance(message, ChatMessage):
        return to_mapping(message)
    beside = {
        key: _listed(value) for key, value in message.additional_kwargs.items() if key in _BESIDE
    }
    if (text := _only_text(message)) is not None:
        return {"role": message.role.value, "content": text, **beside}
    blocks = [block.model_dump(mode="json", exclude_none=True) for block in message.blocks]
    return {"role": message.role.value, "blocks": blocks, **beside}


def _only_text(message: ChatMessage) -> str | None:
    only = message.blocks[0] if len(message.blocks) == 1 else None
    return only.text if isinstance(only, TextBlock) else None


def _listed(value: Any) -> Any:
    if isinstance(value, list):
        return [_listed(item) for item in value]
    return dict(to_mapping(value)) if isinstance(value, BaseModel) else value


def _speaker(
    index: int, message: ChatMessage, state: ParseState
) -> tuple[Speaker, str | None, str | None]:
    """Return who speaks, and of a tool its name and the arguments of the call that it answers."""
    kind, extra = _KINDS[message.role.value], message.additional_kwargs
    acted = _action_id(index - 1, _observes(message))
    if index and kind != "assistant" and acted in state.outlines[index - 1].calls:
        return ("tool_result", *state.calls.record_result(acted, None))
    if kind == "tool_result":
        return (
            kind,
            *state.calls.record_result(extra.get("tool_call_id"), _string(extra.get("name"))),
        )
    return kind, None, None


def _observes(message: ChatMessage) -> str | None:
    """Return how a message begins, if that is as agents write down results."""
    first = message.blocks[0] if message.blocks else None
    text = first.text if isinstance(first, TextBlock) else ""
    return next((begins for begins in (_OBSERVED, _EXECUTED) if text.startswith(begins)), None)


def _texts(message: ChatMessage, at: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of a message, and note its calls; `at` stands where its blocks stand."""
    made = False
    for position, block in enumerate(message.blocks):
        path = (*at.path, position)
        if isinstance(block, TextBlock):
            yield from _text(block.text, replace(at, path=(*path, "text")))
        elif isinstance(block, CitableBlock):
            yield from _documents(block, replace(at, path=(*path, "content"), kind="document"))
        elif isinstance(block, ToolCallBlock):
            made = True
            here = Block(at.message, (*path, "tool_kwargs"), "tool_call", "")
            yield from _called(block.tool_call_id, block.tool_name, block.tool_kwargs, here, calls)
    if at.kind == "assistant" and not made:
        yield from _called_beside(message, at, calls)


def _text(text: str, at: Block) -> Iterator[Block]:
    if text:
        yield Block(at.message, at.path, at.kind, text, at.tool, at.call, at.pinned)


def _documents(block: CitableBlock, at: Block) -> Iterator[Block]:
    for position, part in enumerate(block.content):
        if isinstance(part, TextBlock):
            yield from _text(part.text, replace(at, path=(*at.path, position, "text")))


def _called(
    identifier: Any, name: Any, given: Any, at: Block, calls: CallTracker
) -> Iterator[Block]:
    tool, arguments = _string(name), given if isinstance(given, str) else compact_json(given)
    calls.record_call(identifier, tool, arguments)
    if arguments:
        yield replace(at, text=arguments, tool=tool)


def _called_beside(message: ChatMessage, at: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the calls in `additional_kwargs`, as OpenAI's or Anthropic's models made them, and note one in the text."""
    extra = message.additional_kwargs
    beside: list[tuple[tuple[str | int, ...], Any]] = [
        (("tool_calls", position), call)
        for position, call in enumerate(as_items(extra.get("tool_calls")))
    ]
    if (single := extra.get("function_call")) is not None:
        beside.append((("function_call",), single))
    for path, call in beside:
        function = get_field(call, "function")
        holder, inside = (call, ()) if function is None else (function, ("function",))
        key = next(
            (key for key in ("arguments", "input", "args") if get_field(holder, key) is not None),
            "arguments",
        )
        here = Block(at.message, ("additional_kwargs", *path, *inside, key), "tool_call", "")
        yield from _called(
            get_field(call, "id"), get_field(holder, "name"), get_field(holder, key), here, calls
        )
    if not beside and (acted := _acted(message.content or "")):
        observed, tool, arguments = acted
        calls.record_call(_action_id(at.message, observed), tool, arguments)


def _acted(text: str) -> tuple[str, str, str] | None:
    """Return how the result of what a text calls will begin, which tool, and with what, as agents read texts."""
    if action := _ACTION.search(text):
        return _OBSERVED, action[1], action[2]
    closed = text[
        : text.rfind(_CLOSED) + len(_CLOSED)
    ]  # So that no search runs beyond the last one in vain.
    code = "\n\n".join(part.strip() for part in _CODE.findall(closed))
    return (_EXECUTED, "execute", code) if code else None


def _action_id(index: int, observed: str | None) -> str:
    return f"\0{observed} {index}"  # No API hands out an id that begins with this character.


def _marked(message: ChatMessage) -> bool:
    """Return whether the message holds a cache breakpoint."""
    return "cache_control" in message.additional_kwargs or any(
        isinstance(one, CachePoint) for one in message.blocks
    )


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _held(value: Any) -> Any:
    """Return a value with the models in it as plain values, without what is carried."""
    if isinstance(value, TextBlock):
        return value.text
    if isinstance(value, BaseModel):
        held = {**vars(value), **(value.model_extra or {})}
        return type(value).__qualname__, {
            key: _held(one) for key, one in held.items() if key not in _CARRIED
        }
    if isinstance(value, list):
        return [_held(one) for one in value]
    return value
