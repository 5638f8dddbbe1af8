"""The items of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.dialects.access import as_items, compact_json, get_field
from headroom_core.dialects.base import CallTracker, ParseState, Speaker, has_cache_breakpoint
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.openai import OpenAIDialect, get_string
from headroom_core.dialects.parts import below, read_part, read_string
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Outline

_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
}
"""Types of items that call a tool of the caller, with the field of the arguments."""

_OUTPUTS = {f"{name}_output": name for name in _CALLS}
"""Types of items that answer a call, with the type of the call."""

_REASONING = "reasoning"
_SERVER_CALLS = {"mcp_approval_request": "id", "tool_search_call": "call_id"}
"""Types of items that another item answers, with the field of their id."""

_SERVER_ANSWERS = {
    "mcp_approval_response": "approval_request_id",
    "tool_search_output": "call_id",
}
"""Types of the items that answer them, with the field of the same id."""

_SERVER_CALL_OF = dict(zip(_SERVER_ANSWERS, _SERVER_CALLS))

_SERVER_ITEMS = frozenset(
    (
        *_SERVER_CALLS,
        *_SERVER_ANSWERS,
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "compaction",
        "item_reference",
    )
)
_OWN_TYPES = frozenset((*_CALLS, *_OUTPUTS, *_SERVER_ITEMS, _REASONING))
_OWN_PART_TYPES = ("input_text", "output_text", "input_image", "input_file")
_SHELL_STREAMS = ("stdout", "stderr")

RESPONSES_FIELDS = CountedFields(
    texts=("outputs", "logs", "results", "filename", "queries", "error"),
    values=("action", "operation", "tools"),
    images=("image_generation_call", "computer_screenshot"),
)
"""Fields of items that a model reads, besides those of chat messages."""

_REASONING_ID = "\0reasoning "
"""Start of the ids that bind reasoning to the item behind it: no API hands out such an id."""


class ResponsesDialect(OpenAIDialect):
    """Dialect of the `input` of OpenAI's Responses API: dicts, or the SDK's own objects.

    Texts are those of chat messages, whose parts have types of their own here, and the outputs of
    calls: strings, parts, or the streams of a shell. The arguments of calls are never written.
    Reasoning stays with the item that it led to, because the API refuses one without the other. It
    is carried, as are the calls of the server's own tools with their results, references, and
    unknown items. A request for approval stays with its answer.

    Example:
        >>> call = {"type": "function_call", "call_id": "c1", "name": "jobs", "arguments": "{}"}
        >>> output = {"type": "function_call_output", "call_id": "c1", "output": "[]"}
        >>> block = ResponsesDialect().parse([call, output]).blocks[1]
        >>> block.kind, block.tool, block.path
        ('tool_result', 'jobs', ('output',))
    """

    name: str = "responses"
    counted_fields = CHAT_FIELDS | RESPONSES_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message is an item, or has a part, that only this API has."""
        return any(_is_own(message) for message in messages)

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one item to the state, and return its outline."""
        item_type = get_string(message, "type")
        if item_type is None or item_type not in _OWN_TYPES:
            _end_reasoning(state, is_model=get_field(message, "role") == "assistant")
            return super().read_message(index, message, state)
        output_of = _OUTPUTS.get(item_type)
        is_answer = item_type in _SERVER_ANSWERS
        _end_reasoning(state, is_model=output_of is None and not is_answer)
        if output_of is not None:
            state.blocks += _read_output(index, message, output_of, state.calls)
        elif item_type in _CALLS:
            state.blocks += _read_call(index, message, item_type, state.calls)
        elif item_type in _SERVER_CALLS:
            call_id = get_field(message, _SERVER_CALLS[item_type])
            state.calls.record_call(call_id, item_type, None)
        elif is_answer:
            call_id = get_field(message, _SERVER_ANSWERS[item_type])
            state.calls.record_result(call_id, _SERVER_CALL_OF[item_type])
        elif item_type == _REASONING:
            state.calls.record_call(f"{_REASONING_ID}{index}", None, None)
        kind: Speaker = "assistant" if output_of is None and not is_answer else "tool_result"
        return state.calls.finish_message(
            kind, has_breakpoint=has_cache_breakpoint(get_field(message, "output"))
        )


def _is_own(message: Any) -> bool:
    item_type = get_string(message, "type")
    if item_type in _OWN_TYPES and get_field(message, "role") is None:
        return True
    parts = as_items(get_field(message, "content"))
    return any(get_field(part, "type") in _OWN_PART_TYPES for part in parts)


def _end_reasoning(state: ParseState, *, is_model: bool) -> None:
    """Bind the reasoning right before an item of the model to it."""
    last = state.outlines[-1] if state.outlines else None
    if is_model and last is not None:
        for call in last.calls:
            if call.startswith(_REASONING_ID):
                state.calls.record_result(call, None)


def _read_call(index: int, item: Any, item_type: str, calls: CallTracker) -> Iterator[Block]:
    field = _CALLS[item_type]
    value = get_field(item, field)
    arguments = value if isinstance(value, str) else compact_json(_as_plain(value))
    tool = get_string(item, "name") or item_type.removesuffix("_call")
    item_id = get_field(item, "id")
    calls.record_call(get_field(item, "call_id") or item_id, tool, arguments, item_id)
    if arguments:
        yield Block(index, (field,), "tool_call", arguments, tool=tool)


def _as_plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def _read_output(index: int, item: Any, output_of: str, calls: CallTracker) -> list[Block]:
    """Return the texts of an output: a string, parts, or what a shell wrote.

    The outputs of a local shell name the call in their own id, or answer the oldest open one.
    """
    call_id = get_field(item, "call_id")
    if call_id is None and output_of == "local_shell_call":
        call_id = calls.known_id(get_field(item, "id"))
    named = None if output_of in ("function_call", "custom_tool_call") else output_of
    tool, arguments = calls.record_result(call_id, named and named.removesuffix("_call"))
    place = Block(
        index,
        ("output",),
        "tool_result",
        "",
        tool=tool,
        call=arguments,
        pinned=pin_reason(tool),
        is_error=get_field(item, "status") == "failed",
    )
    output = get_field(item, "output")
    blocks = [*read_string(output, place)]
    for position, part in enumerate(as_items(output)):
        part_place = below(place, position)
        blocks += read_part(part, part_place)
        for stream in _SHELL_STREAMS:
            blocks += read_string(get_field(part, stream), below(part_place, stream))
    return [*join_rows(item, blocks)]
