"""The messages of Amazon Bedrock's Converse API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import (
    as_items,
    get_field,
    is_mapping,
    render_draft,
)
from headroom_core.dialects.base import CallTracker, MessageReader, ParseState, Speaker
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.parts import (
    as_document,
    below,
    read_json,
    read_part,
    read_parts,
    read_string,
    read_tool_use,
)
from headroom_core.markers import pin_reason
from headroom_core.messages import Block, Draft, Gap, Outline, to_mapping

_SPEAKERS: dict[str, Speaker] = {"system": "system", "user": "user", "assistant": "assistant"}
_TEXT_BLOCKS = (
    "toolUse",
    "toolResult",
    "reasoningContent",
    "guardContent",
    "searchResult",
    "citationsContent",
)
_MEDIA_BLOCKS = ("image", "document", "video", "audio")
_OWN_KEYS = ("text", "cachePoint", *_TEXT_BLOCKS, *_MEDIA_BLOCKS)

BEDROCK_FIELDS = CountedFields(texts=(*_TEXT_BLOCKS, "reasoningText"), media=_MEDIA_BLOCKS)
"""Fields of the messages that a model reads."""


class BedrockDialect(MessageReader):
    """Dialect of the messages of Bedrock's Converse API: blocks that are told by their only key.

    Texts are blocks with `text`, documents and search results, and the `text` and `json` in tool
    results. A `json` that is shortened becomes a block with `text`. The input of a tool use is
    shown as compact JSON and never written. All else is carried: reasoning, images, audio, video,
    files, cache points, and documents of which answers cite places.

    Example:
        >>> result = {"toolUseId": "t1", "content": [{"json": {"rows": [1, 2]}}]}
        >>> [block] = BedrockDialect().parse(
        ...     [{"role": "user", "content": [{"toolResult": result}]}]
        ... ).blocks
        >>> block.path, block.text
        (('content', 0, 'toolResult', 'content', 0, 'json'), '{"rows":[1,2]}')
    """

    name: str = "bedrock"
    counted_fields = CHAT_FIELDS | BEDROCK_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether a block of this dialect comes before any sign of another dialect.

        The first sign decides, so a conversation keeps its dialect as it grows.
        """
        for message in messages:
            # The role may be of any type, also one without a hash.
            if get_field(message, "role") not in (*_SPEAKERS,) or get_field(message, "tool_calls"):
                return False
            parts = as_items(get_field(message, "content"))
            if any(get_field(part, "type") is not None for part in parts):
                return False
            if any(_is_own(part) for part in parts):
                return True
        return False

    def read_message(self, index: int, message: Any, state: ParseState) -> Outline:
        """Add the texts and calls of one message to the state, and return its outline."""
        role = get_field(message, "role")
        speaker = _SPEAKERS.get(role) if isinstance(role, str) else None
        content = get_field(message, "content")
        parts = as_items(content)
        if speaker is not None:
            place = Block(index, ("content",), speaker, "")
            state.blocks += read_string(content, place)
            for position, part in enumerate(parts):
                state.blocks += _read_block(part, below(place, position), state.calls)
        if speaker == "user" and parts and all(get_field(part, "toolResult") for part in parts):
            speaker = "tool_result"
        has_breakpoint = any(get_field(part, "cachePoint") is not None for part in parts)
        return state.calls.finish_message(speaker, has_breakpoint=has_breakpoint)

    def build_draft(self, messages: Sequence[Any], state: ParseState) -> Draft:
        """Return the draft of messages that the state has read."""
        return replace(super().build_draft(messages, state), note=_write_note)

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts.

        Messages of one role that dropped messages leave side by side become one, because the API
        refuses two messages of one role in a row.
        """
        messages = render_draft(draft)
        return messages if draft.gap is None else _join_neighbours(messages, draft.gap)


def _is_own(part: Any) -> bool:
    return is_mapping(part) and any(part.get(key) is not None for key in _OWN_KEYS)


def _write_note(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": text}]}


def _join_neighbours(messages: Sequence[Any], gap: Gap) -> list[Any]:
    """Return messages with those of one role as one that stand side by side because of a gap."""
    first, dropped = gap.messages[0], set(gap.messages)
    received = [index for index in range(len(messages) + len(dropped) - 1) if index not in dropped]
    # The note stands where the first of the dropped messages stood.
    indices: list[int | None] = [*received[:first], None, *received[first:]]
    joined: list[Any] = []
    last: int | None = None
    for index, message in zip(indices, messages, strict=True):
        is_received_so = index is not None and last == index - 1
        if joined and not is_received_so and _have_one_role(joined[-1], message):
            before = joined.pop()
            content = [*_blocks_of(before), *_blocks_of(message)]
            message = {**to_mapping(before), "content": content}
        joined.append(message)
        last = index
    return joined


def _have_one_role(message: Any, other: Any) -> bool:
    role = get_field(message, "role")
    return role in ("user", "assistant") and role == get_field(other, "role")


def _blocks_of(message: Any) -> Sequence[Any]:
    content = get_field(message, "content")
    return [{"text": content}] if isinstance(content, str) else as_items(content)


def _read_block(part: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    call = get_field(part, "toolUse")
    result = get_field(part, "toolResult")
    if call is not None:
        place = below(below(place, "toolUse"), "input")
        yield from read_tool_use(call, place, calls, id_field="toolUseId")
    elif result is not None:
        yield from _read_result(result, below(place, "toolResult"), calls)
    else:
        yield from _read_passage(part, place)


def _read_result(result: Any, place: Block, calls: CallTracker) -> Iterator[Block]:
    tool, arguments = calls.record_result(get_field(result, "toolUseId"), None)
    content_place = replace(
        below(place, "content"),
        kind="tool_result",
        tool=tool,
        call=arguments,
        pinned=pin_reason(tool),
        is_error=get_field(result, "status") == "error",
    )
    blocks = [
        block
        for position, part in enumerate(as_items(get_field(result, "content")))
        for block in _read_passage(part, below(content_place, position))
    ]
    yield from join_rows(result, blocks, skipped=len(place.path))


def _read_passage(part: Any, place: Block) -> Iterator[Block]:
    """Yield the texts of a text, a JSON value, a document or a search result."""
    document, found = get_field(part, "document"), get_field(part, "searchResult")
    if document is not None:
        source = get_field(document, "source")
        place = below(below(as_document(document, place), "document"), "source")
        yield from read_part(source, place)
        yield from read_parts(get_field(source, "content"), below(place, "content"))
    elif found is not None:
        place = below(below(as_document(found, place), "searchResult"), "content")
        yield from read_parts(get_field(found, "content"), place)
    elif get_field(part, "json") is not None:
        yield from read_json(get_field(part, "json"), below(place, "json"))
    else:
        yield from read_part(part, place)
