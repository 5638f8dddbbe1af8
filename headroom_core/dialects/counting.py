"""Token counts of messages, taken from the fields that a model reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property, lru_cache
from math import ceil
from types import MappingProxyType
from typing import Any, cast

from headroom_core._internal.caches import process_caches
from headroom_core.dialects.access import get_field, is_mapping, result_values
from headroom_core.dialects.media import (
    BYTES_PER_TOKEN,
    FILE_KINDS,
    TOKENS_PER_IMAGE,
    TOKENS_PER_LOW_DETAIL_IMAGE,
    count_file,
)

CountText = Callable[[str], int]
"""Returns the number of tokens of a text."""

TOKENS_PER_MESSAGE = 3
TOKENS_PER_NAME = 1
"""Overhead of OpenAI's chat format for a message, and for a name in it."""

_KNOWN_KINDS = frozenset(
    ("redacted_thinking", "compaction", "cache_point", "cache", "item_reference", "text")
)
"""Types of parts that count nothing, or nothing but their known fields."""

_FILE_LABELS = ("title", "context", "name")
"""Fields beside a file that a model reads."""

_UNREAD_FIELDS = frozenset(
    (
        "type",
        "id",
        "index",
        "status",
        "signature",
        "cache_control",
        "cachePoint",
        "encrypted_content",
        "thought",
        "thought_signature",
        "thoughtSignature",
    )
)

_CONTENT_FIELDS = ("content", "output", "parts")
"""Fields that may hold a value of any type. One without known fields counts as JSON."""

_NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


def _describe(value: Any) -> Any:
    """Return an object as JSON values, or as a text that is the same in every process."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if is_dataclass(value) and not isinstance(value, type):
        return vars(value) if hasattr(value, "__dict__") else type(value).__name__
    cls: Any = type(value)
    if (cls.__str__, cls.__repr__) == (object.__str__, object.__repr__):
        return cls.__name__  # The default text of an object is its address.
    return str(value)


# Unlike the JSON that is sent, this never fails: a count is wanted for odd values too.
_encode_json = process_caches.memoized(
    json.JSONEncoder(
        ensure_ascii=False, separators=(",", ":"), skipkeys=True, default=_describe
    ).encode
)


@dataclass(frozen=True, eq=False)
class CountedFields:
    """The fields of a message format that a model reads, at any depth of a message.

    All other fields (ids, signatures, cache breakpoints, encrypted thinking) count nothing. Files
    count by their size. Parts, contents and outputs of an unknown type without such a field count
    as JSON, and bytes as a text of four bytes a token.

    Attributes:
        texts: Fields that hold a text, or parts (or lists of parts) that hold texts in turn.
        values: Fields that hold JSON values, which count as compact JSON.
        results: Fields that hold a tool's structured result.
        media: Fields that hold a file with a MIME type.
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
        """Return the fields of two formats together."""
        return CountedFields(
            texts=_merge(self.texts, other.texts),
            values=_merge(self.values, other.values),
            results=_merge(self.results, other.results),
            media=_merge(self.media, other.media),
            kinds=_merge(self.kinds, other.kinds),
            images=_merge(self.images, other.images),
            selected={**self.selected, **other.selected},
        )

    def count(self, message: Any, count_text: CountText) -> int:
        """Count the tokens of a message, with the overhead of a message.

        Args:
            message: A mapping, or an object with `model_dump`. Anything else counts as a part.
            count_text: Counts the tokens of a text.
        """
        mapping = self._get_fields(message)
        role = mapping.get("role")
        if isinstance(role, str) and role:
            tokens = self._count_fields(mapping, count_text) + count_text(role)
        else:
            tokens = self._count_part(message, count_text)
        if isinstance(mapping.get("name"), str):
            tokens += TOKENS_PER_NAME
        return TOKENS_PER_MESSAGE + tokens

    def count_value(self, value: Any, count_text: CountText) -> int:
        """Count the tokens that a model reads in a text, a part or a list of parts."""
        if isinstance(value, str):
            return count_text(value)
        if isinstance(value, (list, tuple)):
            return sum([self._count_part(part, count_text) for part in value])
        return self._count_fields(self._get_fields(value), count_text)

    def _count_content(self, value: Any, count_text: CountText) -> int:
        """Count a content of a message or part, which is read if it is a text or a list."""
        if isinstance(value, (str, list, tuple)):
            return self.count_value(value, count_text)
        return self._count_part(value, count_text)

    def _count_part(self, part: Any, count_text: CountText) -> int:
        """Count a part of a content. Of an unknown type, it is counted as JSON."""
        tokens = self.count_value(part, count_text)
        if tokens or part is None or isinstance(part, (str, list, tuple, int, float)):
            return tokens
        return 0 if self.knows(part) else _count_unknown(part, count_text)

    def knows(self, part: Any) -> bool:
        """Return whether the type of a part is known, or one of its fields is read."""
        mapping = self._get_fields(part)
        return self._kind_of(mapping) in _KNOWN_KINDS or any(map(self._handlers.get, mapping))

    def _kind_of(self, mapping: Mapping[str, Any]) -> str | None:
        """Return the type of a part, None if it has none."""
        kind = None
        for name in self.kinds:
            named = mapping.get(name)
            kind = kind or (named if isinstance(named, str) else None)
        return kind

    @cached_property
    def _handlers(self) -> dict[str, Callable[[Any, CountText], int]]:
        return {
            **dict.fromkeys(self.texts, self.count_value),
            **{name: self._count_content for name in _CONTENT_FIELDS if name in self.texts},
            **dict.fromkeys(self.values, _count_json),
            **dict.fromkeys(self.results, _count_result),
            **{name: self._media_counter(FILE_KINDS.get(name, "")) for name in self.media},
            **{name: self._select_counter(keys) for name, keys in self.selected.items()},
        }

    def _media_counter(self, kind: str) -> Callable[[Any, CountText], int]:
        def count(value: Any, count_text: CountText) -> int:
            tokens = count_file(value, kind)
            if not tokens:
                return self.count_value(value, count_text)  # A document may hold its text.
            return tokens + _count_labels(value, count_text)

        return count

    def _select_counter(self, keys: tuple[str, ...]) -> Callable[[Any, CountText], int]:
        def count(value: Any, count_text: CountText) -> int:
            if not value:
                return 0  # Most messages have no metadata.
            return self.count_value([get_field(value, key) for key in keys], count_text)

        return count

    def _count_fields(self, mapping: Mapping[str, Any], count_text: CountText) -> int:
        # Every part of every message is counted here: this loop decides how fast counting is.
        kind = self._kind_of(mapping)
        if kind in self.images:
            image = TOKENS_PER_LOW_DETAIL_IMAGE if _is_low_detail(mapping) else TOKENS_PER_IMAGE
            return image + self.count_value(mapping.get("text"), count_text)
        tokens = 0
        if kind == "text":
            # The source of a document in plain text. In all other parts, `data` is base64.
            tokens = self.count_value(mapping.get("data"), count_text)
        elif kind is not None and kind in FILE_KINDS:
            tokens = count_file(mapping, FILE_KINDS[kind])
            if tokens:
                return tokens + _count_labels(mapping, count_text)
        elif kind == "non_standard":
            tokens = self.count_value(mapping.get("value"), count_text)
        handlers = self._handlers
        for name in mapping:
            handler = handlers.get(name)
            if handler is not None:
                value = mapping.get(name)
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
        mapping = {name: getattr(holder, name, None) for name in names}
        extra = getattr(holder, "model_extra", None)
        return {**extra, **mapping} if extra else mapping

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
        "stdout",
        "stderr",
        # Documents and search results.
        "source",
        "title",
        "context",
        "resource",
    ),
    values=("arguments", "input", "json"),
    kinds=("type",),
    images=("image", "image_url", "input_image"),
)
"""Fields of messages with a role and a content: OpenAI's, Anthropic's, and formats like them.

They are counted together because gateways mix them: a message may have Anthropic's parts and
OpenAI's calls, and a part that its dialect only carries is paid for as well.
"""


def _merge(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*names, *others)))


@lru_cache(maxsize=1024)
def _declared_fields(counted: CountedFields, cls: type) -> tuple[str, ...]:
    """Return the fields of a model that may count, without properties that repeat other fields."""
    declared = getattr(cls, "model_fields", counted._read_fields)
    return tuple(name for name in counted._read_fields if name in declared)


def _count_json(value: Any, count_text: CountText) -> int:
    text = value if isinstance(value, str) else _encode_json(value)
    return count_text(text)


def _count_labels(file: Any, count_text: CountText) -> int:
    labels = [get_field(file, name) for name in _FILE_LABELS]
    return sum(count_text(label) for label in labels if isinstance(label, str))


def _count_unknown(part: Any, count_text: CountText) -> int:
    """Count a part of an unknown type, which may be paid for as a whole."""
    if isinstance(part, (bytes, bytearray)):
        return ceil(len(part) / BYTES_PER_TOKEN["text"])
    if not is_mapping(part):
        return _count_json(part, count_text)
    fields = {name: value for name, value in part.items() if name not in _UNREAD_FIELDS}
    return _count_json(fields, count_text) if fields else 0


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
