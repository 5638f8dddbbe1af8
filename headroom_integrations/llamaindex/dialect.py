"""The dialect of LlamaIndex's messages."""

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
from llama_index.core.tools import ToolOutput
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
    OpenAIDialect,
    Outline,
    ParseState,
    Speaker,
    as_items,
    compact_json,
    fingerprint_of,
    get_field,
    join_rows,
    pin_reason,
    read_string,
    render_draft,
    to_mapping,
)

_SPEAKERS: dict[str, Speaker] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "tool": "tool_result",
    "function": "tool_result",
}

# Agents without native tool calls write their calls and results as text: `ReActAgent` as an action
# and an observation, `CodeActAgent` as code in tags and its result.

_ERROR_PREFIX = "Encountered error: "
"""Start of the result of a tool that raised, as LlamaIndex writes it."""

# The action that ends a text of `ReActAgent`, as its own parser finds it. An action earlier in the
# text, with anything behind its input, is not a call.
_ACTION = re.compile(r"(?:^|\n)Action: ([^\n]+)\nAction Input: ([^\n]*)\Z")
_OBSERVATION_PREFIX = "Observation: "

# `CodeActAgent` executes everything but whitespace between the tags, even inside a fenced block.
_CODE_END = "</execute>"
_CODE = re.compile(rf"<execute>(.*?){_CODE_END}", re.DOTALL)
_EXECUTION_PREFIX = "Result of executing the code given:\n\n"

_CHAT = OpenAIDialect()
"""Reads the dicts that may stand among the messages."""

_MODEL_KWARGS = ("tool_calls", "function_call", "tool_call_id", "name")
"""Keys of `additional_kwargs` that a model reads."""

# Fields of blocks that are neither read nor counted, and may hold any object.
_UNREAD_FIELDS = (
    "additional_information",
    "audio",
    "data",
    "image",
    "num_tokens",
    "path",
    "url",
    "video",
)


class LlamaIndexDialect(MessageReader):
    """Dialect of LlamaIndex's `ChatMessage`.

    Texts are text blocks, and citable blocks, which hold documents. The arguments of tool calls, in
    blocks or in `additional_kwargs`, are shown as JSON; dicts are shown as compact JSON and never
    written. All other blocks are carried: thinking, images, audio, video, files, citations, cache
    points. A changed message is a copy with another text. Other messages among them are read as
    chat messages of OpenAI.

    The observations of `ReActAgent` and `CodeActAgent` are tool results, though their role is that
    of a user: a text with the agent's prefix, right after a text of the model in which the agent
    finds a call.

    Example:
        >>> call = ToolCallBlock(tool_call_id="c1", tool_name="answer")
        >>> result = ChatMessage(
        ...     role="tool", content="42", additional_kwargs={"tool_call_id": "c1"}
        ... )
        >>> messages = [ChatMessage(role="assistant", blocks=[call]), result]
        >>> block = LlamaIndexDialect().parse(messages).blocks[1]
        >>> block.kind, block.tool
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
        """Add the texts and calls of one message to the state, and return its outline."""
        if not isinstance(message, ChatMessage):
            return _CHAT.read_message(index, message, state)
        speaker, tool, arguments = _identify_speaker(index, message, state)
        place = Block(
            index,
            ("blocks",),
            speaker,
            "",
            tool=tool,
            call=arguments,
            pinned=pin_reason(tool),
            is_error=speaker == "tool_result" and _is_error(message),
        )
        state.blocks += join_rows(message, [*_read_blocks(message, place, state.calls)])
        return state.calls.finish_message(speaker, has_breakpoint=_has_breakpoint(message))

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that the state has read."""
        draft = super().build_draft(messages, state)
        return replace(draft, plain=_to_plain, note=ChatMessage)

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, with a call that it holds twice counted once.

        Args:
            message: The message.
            count_text: Counts the tokens of a text.
        """
        if not isinstance(message, ChatMessage):
            return _CHAT.count(message, count_text)
        tokens = self.counted_fields.count(message, count_text)
        repeated = _repeated_calls(message)
        if repeated:
            tokens -= self.counted_fields.count_value(repeated, count_text)
        return tokens

    def fingerprint(self, message: Any) -> Fingerprint:
        """Return a value that is equal only for messages that are read and counted the same way.

        Raises:
            ValueError: The message holds a value that is not plain data.
        """
        if not isinstance(message, ChatMessage):
            return super().fingerprint(message)
        cls = type(message)
        text = _only_text(message)
        blocks = []
        if text is None:
            blocks = [_strip_unread(block) for block in message.blocks]
        extra = message.additional_kwargs
        kwargs = {
            key: _strip_unread(extra[key])
            for key in (*_MODEL_KWARGS, "cache_control")
            if key in extra
        }
        values = (id(cls), cls.__qualname__, message.role.value, blocks, kwargs, _is_error(message))
        return fingerprint_of(values, text)

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


def _to_plain(message: Any) -> Mapping[str, Any]:
    """Return the fields that a model reads, without metadata."""
    if not isinstance(message, ChatMessage):
        return to_mapping(message)
    fields = {
        key: _dump_models(value)
        for key, value in message.additional_kwargs.items()
        if key in _MODEL_KWARGS
    }
    text = _only_text(message)
    if text is not None:
        return {"role": message.role.value, "content": text, **fields}
    blocks = [block.model_dump(mode="json", exclude_none=True) for block in message.blocks]
    return {"role": message.role.value, "blocks": blocks, **fields}


def _only_text(message: ChatMessage) -> str | None:
    """Return the text of a message that has one text block and nothing else."""
    if len(message.blocks) != 1:
        return None
    block = message.blocks[0]
    return block.text if isinstance(block, TextBlock) else None


def _dump_models(value: Any) -> Any:
    if isinstance(value, list):
        return [_dump_models(item) for item in value]
    return dict(to_mapping(value)) if isinstance(value, BaseModel) else value


def _identify_speaker(
    index: int, message: ChatMessage, state: ParseState
) -> tuple[Speaker, str | None, str | None]:
    """Return the speaker of a message, and for a tool its name and the arguments of its call."""
    speaker = _SPEAKERS[message.role.value]
    if index and speaker != "assistant":
        action_id = _action_id(index - 1, _observation_prefix(message))
        if action_id in state.outlines[index - 1].calls:
            return ("tool_result", *state.calls.record_result(action_id, None))
    if speaker == "tool_result":
        extra = message.additional_kwargs
        name = extra.get("name")
        tool = name if isinstance(name, str) else None
        return (speaker, *state.calls.record_result(extra.get("tool_call_id"), tool))
    return speaker, None, None


def _is_error(message: ChatMessage) -> bool:
    """Return whether a tool's result is an error: by a flag, its output, or LlamaIndex's prefix."""
    extra = message.additional_kwargs
    if extra.get("is_error") is True:
        return True
    if any(isinstance(value, ToolOutput) and value.is_error for value in extra.values()):
        return True
    first = message.blocks[0] if message.blocks else None
    return isinstance(first, TextBlock) and first.text.startswith(_ERROR_PREFIX)


def _observation_prefix(message: ChatMessage) -> str | None:
    """Return the prefix by which the message is an agent's observation, if it has one."""
    first = message.blocks[0] if message.blocks else None
    if isinstance(first, TextBlock):
        for prefix in (_OBSERVATION_PREFIX, _EXECUTION_PREFIX):
            if first.text.startswith(prefix):
                return prefix
    return None


def _read_blocks(message: ChatMessage, place: Block, calls: CallTracker) -> Iterator[Block]:
    """Yield the texts of a message, and record its calls.

    Args:
        message: The message.
        place: A block without text at the path of the message's blocks.
        calls: The calls so far.
    """
    has_call_blocks = False
    for position, block in enumerate(message.blocks):
        path = (*place.path, position)
        if isinstance(block, TextBlock):
            yield from read_string(block.text, replace(place, path=(*path, "text")))
        elif isinstance(block, CitableBlock):
            content_place = replace(place, path=(*path, "content"), kind="document")
            yield from _read_documents(block, content_place)
        elif isinstance(block, ToolCallBlock):
            has_call_blocks = True
            yield from _read_call(
                block.tool_call_id,
                block.tool_name,
                block.tool_kwargs,
                Block(place.message, (*path, "tool_kwargs"), "tool_call", ""),
                calls=calls,
            )
    if place.kind == "assistant" and not has_call_blocks:
        yield from _read_other_calls(message, place, calls)


def _read_documents(block: CitableBlock, place: Block) -> Iterator[Block]:
    for position, part in enumerate(block.content):
        if isinstance(part, TextBlock):
            yield from read_string(part.text, replace(place, path=(*place.path, position, "text")))


def _read_call(
    call_id: Any, name: Any, arguments: Any, place: Block, *, calls: CallTracker
) -> Iterator[Block]:
    """Record a call, and yield its arguments."""
    tool = name if isinstance(name, str) else None
    text = arguments if isinstance(arguments, str) else compact_json(arguments)
    calls.record_call(call_id, tool, text)
    if text:
        yield replace(place, text=text, tool=tool)


def _read_other_calls(message: ChatMessage, place: Block, calls: CallTracker) -> Iterator[Block]:
    """Record the calls in `additional_kwargs`, or else in the text, and yield their arguments."""
    listed = _listed_calls(message.additional_kwargs)
    for path, call in listed:
        # OpenAI's calls nest a function. Anthropic's and Google's are flat.
        function = get_field(call, "function")
        holder = call if function is None else function
        if function is not None:
            path = (*path, "function")
        key = _arguments_key(holder)
        yield from _read_call(
            get_field(call, "id"),
            get_field(holder, "name"),
            get_field(holder, key),
            Block(place.message, ("additional_kwargs", *path, key), "tool_call", ""),
            calls=calls,
        )
    if not listed:
        action = _find_action(message.content or "")
        if action is not None:
            prefix, tool, arguments = action
            calls.record_call(_action_id(place.message, prefix), tool, arguments)


def _listed_calls(extra: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], Any]]:
    listed: list[tuple[tuple[str | int, ...], Any]] = [
        (("tool_calls", position), call)
        for position, call in enumerate(as_items(extra.get("tool_calls")))
    ]
    legacy = extra.get("function_call")
    if legacy is not None:
        listed.append((("function_call",), legacy))
    return listed


def _arguments_key(holder: Any) -> str:
    for key in ("arguments", "input", "args"):
        if get_field(holder, key) is not None:
            return key
    return "arguments"


def _find_action(text: str) -> tuple[str, str, str] | None:
    """Return the call that an agent finds in a text.

    Returns:
        The prefix of the agent's observation, the name of the tool, and the arguments.
    """
    action = _ACTION.search(text)
    if action:
        return _OBSERVATION_PREFIX, action[1], action[2]
    # Without the text behind the last closing tag, no opening tag makes the search scan in vain.
    closed = text[: text.rfind(_CODE_END) + len(_CODE_END)]
    code = "\n\n".join(part.strip() for part in _CODE.findall(closed))
    return (_EXECUTION_PREFIX, "execute", code) if code else None


def _action_id(index: int, prefix: str | None) -> str:
    # No API hands out an id that begins with this character.
    return f"\0{prefix} {index}"


def _has_breakpoint(message: ChatMessage) -> bool:
    has_cache_point = any(isinstance(block, CachePoint) for block in message.blocks)
    return has_cache_point or "cache_control" in message.additional_kwargs


def _strip_unread(value: Any) -> Any:
    """Return a value as plain values, without the fields that are not read."""
    if isinstance(value, TextBlock):
        return value.text
    if isinstance(value, BaseModel):
        fields = {**vars(value), **(value.model_extra or {})}
        return type(value).__qualname__, {
            name: _strip_unread(item) for name, item in fields.items() if name not in _UNREAD_FIELDS
        }
    if isinstance(value, list):
        return [_strip_unread(item) for item in value]
    return value
