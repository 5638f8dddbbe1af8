"""Token counts of messages, taken from the fields that a model reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, cast

from headroom_core._internal.lru import memoized
from headroom_core.dialects.access import get_field, is_mapping, result_values

CountText = Callable[[str], int]
"""Returns the number of tokens of a text."""

TOKENS_PER_MESSAGE = 3
TOKENS_PER_NAME = 1
"""Overhead of OpenAI's chat format for each message, and for a message with a name."""

TOKENS_PER_IMAGE = 765
TOKENS_PER_LOW_DETAIL_IMAGE = 85
"""Flat prices of an image: OpenAI's for 1024 by 1024 pixels, and for any size in low detail."""

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})

# Unlike the JSON that is sent, this never fails: a count is wanted for odd values too.
_encode_json = memoized(
    json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), skipkeys=True, default=str).encode
)


@dataclass(frozen=True, eq=False)
class CountedFields:
    """The fields of a message format that a model reads, at any depth of a message.

    All other fields (ids, signatures, cache breakpoints, encrypted thinking, base64) count nothing.

    Attributes:
        texts: Fields that hold a text, or parts (or lists of parts) that hold texts in turn.
        values: Fields that hold JSON values, which count as compact JSON.
        results: Fields that hold a tool's structured result.
        media: Fields that hold a file with a MIME type, of which only images count.
        kinds: Fields that name the type of a part. The first that is set decides.
        images: Types of the parts that are images.
        selected: Fields that hold metadata, each with the keys in it that a model reads.

    Example:
        >>> counted = CHAT_FIELDS | CountedFields(texts=("caption",))
        >>> counted.count({"content": [{"caption": "abc", "id": "f7"}]}, count_text=len)
        6
    """

    texts: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    selected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __or__(self, other: CountedFields) -> CountedFields:
        """Return the fields of both formats."""
        merged: dict[str, Any] = {}
        for name in (attribute.name for attribute in fields(self)):
            ours, theirs = getattr(self, name), getattr(other, name)
            if name == "selected":
                merged[name] = {**ours, **theirs}
            else:
                merged[name] = tuple(dict.fromkeys((*ours, *theirs)))
        return CountedFields(**merged)

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, with the overhead of a message.

        Args:
            message: A mapping, or an object with `model_dump`. Anything else counts as a part.
            count_text: Counts the tokens of a text.
        """
        held = self._get_fields(message)
        if not held:
            return TOKENS_PER_MESSAGE + self.count_value(message, count_text)
        tokens = TOKENS_PER_MESSAGE + self._count_fields(held, count_text)
        role = held.get("role")
        if isinstance(role, str) and role:
            tokens += count_text(role)
        if isinstance(held.get("name"), str):
            tokens += TOKENS_PER_NAME
        return tokens

    def count_value(self, value: Any, count_text: CountText) -> int:
        """Count the tokens that a model reads in a text, a part or a list of parts."""
        if isinstance(value, str):
            return count_text(value)
        if isinstance(value, (list, tuple)):
            return sum([self.count_value(part, count_text) for part in value])
        return self._count_fields(self._get_fields(value), count_text)

    @cached_property
    def _handlers(self) -> dict[str, Callable[[Any, CountText], int]]:
        return {
            **dict.fromkeys(self.texts, self.count_value),
            **dict.fromkeys(self.values, _count_json),
            **dict.fromkeys(self.results, _count_result),
            **dict.fromkeys(self.media, _count_media),
            **{name: self._count_selected(keys) for name, keys in self.selected.items()},
        }

    def _count_selected(self, keys: tuple[str, ...]) -> Callable[[Any, CountText], int]:
        def count(value: Any, count_text: CountText) -> int:
            if not value:
                return 0  # The metadata of most messages are empty.
            return self.count_value([get_field(value, key) for key in keys], count_text)

        return count

    def _count_fields(self, held: Mapping[str, Any], count_text: CountText) -> int:
        kind = None
        for name in self.kinds:
            kind = kind or held.get(name)
        if kind in self.images:
            return TOKENS_PER_LOW_DETAIL_IMAGE if _is_low_detail(held) else TOKENS_PER_IMAGE
        tokens = 0
        if kind == "text":
            # A document's source of plain text; in other parts `data` is base64.
            tokens = self.count_value(held.get("data"), count_text)
        handlers = self._handlers
        for name in held:
            handler = handlers.get(name)
            if handler is not None:
                value = held.get(name)
                if value is not None:
                    tokens += handler(value, count_text)
        return tokens

    def _get_fields(self, holder: Any) -> Mapping[str, Any]:
        """Return a mapping, or the fields of a model that may count. Empty for any other value."""
        if is_mapping(holder):
            return cast(Mapping[str, Any], holder)
        if isinstance(holder, str) or not hasattr(holder, "model_dump"):
            return _NO_FIELDS
        names = _declared_fields(self, holder.__class__)
        held = {name: getattr(holder, name, None) for name in names}
        extra = getattr(holder, "model_extra", None)
        return {**extra, **held} if extra else held

    @property
    def _read_fields(self) -> tuple[str, ...]:
        return (*self._handlers, *self.kinds, "role", "data", "detail", "image_url")


CHAT_FIELDS = CountedFields(
    texts=(
        # Messages and their parts.
        "content",
        "text",
        "name",
        "refusal",
        "reasoning",
        "thinking",
        # Calls.
        "tool_calls",
        "function",
        "custom",
        "function_call",
        "code",
        "output",
        # Documents and search results.
        "source",
        "title",
        "context",
    ),
    values=("arguments", "input"),
    kinds=("type",),
    images=("image", "image_url", "input_image"),
)
"""Fields of messages with a role and a content: OpenAI's, Anthropic's, and formats like them.

They are counted together because gateways accept Anthropic's parts in OpenAI's messages.
"""


@lru_cache(maxsize=1024)
def _declared_fields(counted: CountedFields, cls: type) -> tuple[str, ...]:
    """Return the fields of a model that may count, without properties that repeat other fields."""
    declared = getattr(cls, "model_fields", counted._read_fields)
    return tuple(name for name in counted._read_fields if name in declared)


def _count_json(value: Any, count_text: CountText) -> int:
    text = value if isinstance(value, str) else _encode_json(value)
    return count_text(text)


def _count_media(value: Any, count_text: CountText) -> int:
    mime_type = get_field(value, "mime_type") or get_field(value, "mimeType")
    is_image = isinstance(mime_type, str) and mime_type.startswith("image/")
    return TOKENS_PER_IMAGE if is_image else 0


def _count_result(result: Any, count_text: CountText) -> int:
    """Count every text or value of a tool's structured result, and the keys that lead to it."""
    tokens = 0 if is_mapping(result) else _count_json(result, count_text)
    for path, value in result_values(result):
        tokens += sum(count_text(key) for key in path if isinstance(key, str))
        if value is not None:
            tokens += _count_json(value, count_text)
    return tokens


def _is_low_detail(image: Any) -> bool:
    details = get_field(image, "detail"), get_field(get_field(image, "image_url"), "detail")
    return "low" in details
