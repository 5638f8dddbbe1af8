"""Dropped messages: their originals, and the marker that replaces them in the conversation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from headroom_core.dialects.counting import TOKENS_PER_MESSAGE
from headroom_core.errors import TransformError
from headroom_core.markers import NO_LONGER_AVAILABLE, content_key, retrieve_call, write_marker
from headroom_core.messages import Draft, Gap, to_mapping
from headroom_core.tokens.tokenizer import Tokenizer

# Upper bounds for a message with a marker, whatever its keys and the vocabulary.
MAX_MARKER_TOKENS = 52
"""Maximum number of tokens of a message whose marker has a single key."""

MAX_FURTHER_KEY_TOKENS = 34
"""Maximum number of tokens that each further key adds."""

_MIN_TOKENS_PER_FURTHER_KEY = 2_000
"""Tokens of the limit for each further key: in a small one, the newest turn may need the room."""

_MAX_ROLE_TOKENS = 1
_MAX_KEY_TOKENS = 24
"""A key has 24 hexadecimal digits; if digits and letters alternate, each is a token of its own."""


@dataclass(slots=True)
class DroppedMessages:
    """Dropped messages, in parts that are stored under a key each.

    Each part has more than twice as many tokens as the next. So there are few parts, which keeps
    the marker short, and a new drop stores only the small parts again, unless the marker has room
    for a single key only. The parts change only at a drop: between two drops, the marker must stay
    the same.

    Attributes:
        max_parts: Maximum number of parts.
        parts: Indices of the messages of each part, in any order.
        key_of: The key under which each message is stored, by the message's index.
    """

    max_parts: int
    parts: list[list[int]] = field(default_factory=list)
    key_of: dict[int, str] = field(default_factory=dict)
    _part_tokens: list[int] = field(default_factory=list)
    _extent: _Extent | None = None

    @classmethod
    def within(cls, limit: int) -> DroppedMessages:
        """Return an empty collection for a conversation of at most `limit` tokens."""
        return cls(1 + limit // _MIN_TOKENS_PER_FURTHER_KEY)

    @property
    def messages(self) -> list[int]:
        """Indices of all dropped messages, in order."""
        return sorted(message for part in self.parts for message in part)

    def count_marker_tokens(self, tokenizer: Tokenizer) -> int:
        """Return the maximum number of tokens of the message with the marker, 0 without a marker.

        The keys depend on the messages' texts, which are only serialized at the end.
        """
        return 0 if self._extent is None else self._extent.marker_tokens(len(self.parts), tokenizer)

    def marker_tokens_with(
        self, messages: Sequence[int], tokens: int, room: int, tokenizer: Tokenizer
    ) -> int:
        """Return the maximum number of tokens of the marker if further messages were dropped.

        Args:
            messages: Indices of the messages, in order.
            tokens: Number of tokens of the messages.
            room: Number of tokens that the message with the marker should not exceed.
            tokenizer: Counts the tokens.
        """
        extent = _Extent.of(messages).with_extent(self._extent)
        part_count = len(_add_part(self._part_tokens, tokens, self.max_parts))
        marker_tokens = extent.marker_tokens(part_count, tokenizer)
        if marker_tokens <= room or part_count < 2:
            return marker_tokens
        return extent.marker_tokens(1, tokenizer)

    def fit_marker(self, room: int, tokenizer: Tokenizer) -> int:
        """Merge all parts if their keys leave no room otherwise, and return the marker's tokens.

        Args:
            room: Number of tokens that the message with the marker should not exceed.
            tokenizer: Counts the tokens.
        """
        tokens = self.count_marker_tokens(tokenizer)
        if tokens <= room or len(self.parts) < 2:
            return tokens
        self._part_tokens = [sum(self._part_tokens)]
        self._merge_parts()
        return self.count_marker_tokens(tokenizer)

    def add(self, messages: Sequence[int], tokens: int) -> None:
        """Add further dropped messages, given in order, which have so many tokens together."""
        self.parts.append([*messages])
        self._extent = _Extent.of(messages).with_extent(self._extent)
        self._part_tokens = _add_part(self._part_tokens, tokens, self.max_parts)
        self._merge_parts()

    def _merge_parts(self) -> None:
        """Merge the last parts, the smaller into the larger, until there are as many as planned."""
        while len(self.parts) > len(self._part_tokens):
            smaller, larger = sorted((self.parts.pop(), self.parts.pop()), key=len)
            larger.extend(smaller)
            self.parts.append(larger)


class _Extent(NamedTuple):
    """The number of dropped messages, and the indices of the first and the last of them."""

    total: int
    first: int
    last: int

    @classmethod
    def of(cls, messages: Sequence[int]) -> _Extent:
        return cls(len(messages), messages[0], messages[-1])

    def with_extent(self, other: _Extent | None) -> _Extent:
        if other is None:
            return self
        first, last = min(self.first, other.first), max(self.last, other.last)
        return _Extent(self.total + other.total, first, last)

    def marker_tokens(self, key_count: int, tokenizer: Tokenizer) -> int:
        text = _render_marker(self, [""] * key_count)
        fixed = TOKENS_PER_MESSAGE + _MAX_ROLE_TOKENS + tokenizer.count_text(text)
        return fixed + _MAX_KEY_TOKENS * key_count


def _add_part(part_tokens: Sequence[int], tokens: int, max_parts: int) -> list[int]:
    """Return the tokens of each part after a part was added, and merged where it must be."""
    parts = [*part_tokens, tokens]
    while len(parts) > max_parts or (len(parts) > 1 and parts[-2] <= 2 * parts[-1]):
        parts[-2:] = [sum(parts[-2:])]
    return parts


def with_gap(draft: Draft, dropped: DroppedMessages, dropped_at: Mapping[int, int]) -> Draft:
    """Return the draft with a gap for its dropped messages, and with their originals.

    The keys of the originals are recorded in `dropped.key_of`.

    Args:
        draft: The conversation.
        dropped: The messages to drop.
        dropped_at: For each of them, the index of the message at which it was dropped.

    Raises:
        TransformError: If a dropped message cannot be written as JSON.
    """
    if not dropped.parts:
        return draft
    originals: dict[str, str] = {}
    for part in dropped.parts:
        text = _to_json_lines(draft, sorted(part))
        key = content_key(text)
        originals[key] = text
        dropped.key_of.update(dict.fromkeys(part, key))
    messages = dropped.messages
    gap = Gap(
        messages=tuple(messages),
        marker=_render_marker(_Extent.of(messages), list(originals)),
        since=tuple(dropped_at[message] for message in messages),
    )
    return replace(draft, gap=gap, originals={**draft.originals, **originals})


def without_originals(draft: Draft) -> Draft:
    """Return the draft with a marker that has no keys, for originals that cannot be stored."""
    if draft.gap is None:
        return draft
    changes = tuple(
        replace(change, keys=()) if change.action == "dropped" else change
        for change in draft.changes
    )
    gap = replace(draft.gap, marker=_render_marker(_Extent.of(draft.gap.messages), []))
    return replace(draft, gap=gap, changes=changes, originals={})


def _to_json_lines(draft: Draft, part: Iterable[int]) -> str:
    """Serialize messages as JSON lines, which a retrieval can filter as rows."""
    return "\n".join(_to_json(draft, index) for index in part)


def _to_json(draft: Draft, index: int) -> str:
    message = draft.messages[index]
    try:
        fields = {"text": message} if isinstance(message, str) else draft.plain(message)
        row = {"message": index + 1, **fields}
        return json.dumps(row, ensure_ascii=False, skipkeys=True, default=_json_default)
    except (TypeError, ValueError, RecursionError) as error:
        raise TransformError(
            f"message {index + 1} cannot be stored as JSON ({type(error).__name__}): "
            "pass messages of plain JSON values",
            {"message": index + 1},
        ) from None


def _json_default(value: Any) -> Any:
    """Return a JSON value for an object that JSON cannot represent.

    Not the object's `repr`: it may contain an address, which would give the same message another
    key in each process.
    """
    if isinstance(value, Mapping) or hasattr(value, "model_dump"):
        return dict(to_mapping(value))
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return f"<{type(value).__name__}>"


def _render_marker(extent: _Extent, keys: Sequence[str]) -> str:
    are_adjacent = extent.last - extent.first < extent.total
    place = "here" if are_adjacent else "from here on"
    count = "1 message" if extent.total == 1 else f"{extent.total} messages"
    omission = f"{count} left out {place}"
    calls = [retrieve_call(key) for key in keys]
    return write_marker(omission, calls, label="originals", without=NO_LONGER_AVAILABLE)
