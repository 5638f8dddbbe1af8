"""The messages of Cohere's Chat API, version 2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.dialects.access import as_items, get_field, result_values
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.dialects.parts import below, read_json, read_string
from headroom_core.messages import Block

COHERE_FIELDS = CountedFields(texts=("document", "tool_plan"), results=("data",))
"""Fields of the messages that a model reads, besides those of chat messages."""


class CohereDialect(OpenAIDialect):
    """Dialect of Cohere's chat messages: dicts, or the SDK's own objects.

    Besides the texts of chat messages, the `data` of a tool's documents is a text. If it is an
    object, each of its values is one, shown as compact JSON where it is no string.

    Example:
        >>> document = {"type": "document", "document": {"id": "d1", "data": {"text": "42"}}}
        >>> message = {"role": "tool", "tool_call_id": "c1", "content": [document]}
        >>> [block] = CohereDialect().parse([message]).blocks
        >>> block.path, block.text
        (('content', 0, 'document', 'data', 'text'), '42')
    """

    name: str = "cohere"
    counted_fields = CHAT_FIELDS | COHERE_FIELDS

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether any message has documents or a plan as only this API has them."""
        return any(_is_own(message) for message in messages)

    def read_part(self, part: Any, place: Block) -> Iterator[Block]:
        """Yield the texts of a part of a content."""
        if not _is_document(part):
            yield from super().read_part(part, place)
            return
        place = below(below(place, "document"), "data")
        data = get_field(get_field(part, "document"), "data")
        yield from read_string(data, place)
        for path, value in result_values(data):
            yield from read_json(value, replace(place, path=(*place.path, *path)))


def _is_own(message: Any) -> bool:
    parts = as_items(get_field(message, "content"))
    return get_field(message, "tool_plan") is not None or any(map(_is_document, parts))


def _is_document(part: Any) -> bool:
    return get_field(part, "type") == "document" and get_field(part, "document") is not None
