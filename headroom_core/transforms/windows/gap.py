"""What is left out of a conversation: its originals, and the one marker that stands in their place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headroom_core.dialects.counting import TOKENS_PER_MESSAGE
from headroom_core.errors import TransformError
from headroom_core.markers import content_key, retrieve_call, write_marker
from headroom_core.messages import Draft, Gap, to_mapping
from headroom_core.tokens.tokenizer import Tokenizer

FIRST_KEY, FURTHER_KEY = 52, 34
"""Tokens that a message with a marker takes at most with one key, and with each further one."""

_ROLE = 1
"""Tokens that the role of the message with the marker takes at most."""

_KEY = 24
"""Tokens that a key takes at most, where digits and letters take turns: 24 hexadecimal digits."""


@dataclass(slots=True)
class DroppedMessages:
    """The messages that are left out, in parts that are kept under a key each.

    Every part is more than twice as large as the next: there are few of them, so that the marker stays short, and
    what is stored again stays in proportion.

    Attributes:
        parts: the indices of each part's messages, in order.
        key_of: the key under which each message is kept.
    """

    parts: list[list[int]] = field(default_factory=list)
    key_of: dict[int, str] = field(default_factory=dict)
    _tokens: list[int] = field(default_factory=list)

    @property
    def keys(self) -> int:
        """How many keys the marker names."""
        return len(self.parts)

    def marker_tokens(self, tokenizer: Tokenizer) -> int:
        """Return how many tokens the message with the marker takes at most."""
        if not self.parts:
            return 0
        messages = sorted(message for part in self.parts for message in part)
        text = _marker(messages, [""] * self.keys)
        return TOKENS_PER_MESSAGE + _ROLE + tokenizer.count_text(text) + _KEY * self.keys

    def added(self, messages: list[int], tokens: int) -> DroppedMessages:
        """Return a copy in which further messages are left out."""
        copy = DroppedMessages([*self.parts], {}, [*self._tokens])
        copy.add(messages, tokens)
        return copy

    def add(self, messages: list[int], tokens: int) -> None:
        """Leave out further messages."""
        self.parts.append(messages)
        self._tokens.append(tokens)
        while len(self.parts) > 1 and self._tokens[-2] <= 2 * self._tokens[-1]:
            last = self.parts.pop()
            self.parts[-1] = sorted([*self.parts[-1], *last])
            self._tokens[-2:] = [sum(self._tokens[-2:])]


def with_gap(draft: Draft, left: DroppedMessages, since: Mapping[int, int]) -> Draft:
    """Return the draft with its gap, and with the originals to be stored.

    Raises:
        TransformError: a message that is to be left out cannot be written as JSON.
    """
    if not left.parts:
        return draft
    originals = {content_key(text): text for text in (_record(draft, part) for part in left.parts)}
    for key, part in zip(originals, left.parts):
        left.key_of.update(dict.fromkeys(part, key))
    messages = sorted(message for part in left.parts for message in part)
    gap = Gap(
        tuple(messages),
        _marker(messages, list(originals)),
        tuple(since[message] for message in messages),
    )
    return replace(draft, gap=gap, originals={**draft.originals, **originals})


def without_originals(draft: Draft) -> Draft:
    """Return the draft with a marker that promises nothing, for where the originals cannot be kept."""
    if draft.gap is None:
        return draft
    changes = tuple(
        replace(change, keys=()) if change.action == "dropped" else change
        for change in draft.changes
    )
    gap = replace(draft.gap, marker=_marker(draft.gap.messages, []))
    return replace(draft, gap=gap, changes=changes, originals={})


def _record(draft: Draft, part: Iterable[int]) -> str:
    """Return messages as lines of JSON, so that they can be asked for as rows."""
    return "\n".join(_line(draft, index) for index in part)


def _line(draft: Draft, index: int) -> str:
    try:
        row = {"message": index + 1, **_plain(draft, draft.messages[index])}
        return json.dumps(row, ensure_ascii=False, skipkeys=True, default=_inside)
    except (TypeError, ValueError, RecursionError) as error:
        said = f"message {index + 1} cannot be kept ({type(error).__name__}): give messages of plain JSON values"
        raise TransformError(said, {"message": index + 1}) from None


def _plain(draft: Draft, message: Any) -> Mapping[str, Any]:
    return {"text": message} if isinstance(message, str) else draft.plain(message)


def _inside(value: Any) -> Any:
    """Return what stands for a value that JSON cannot say: its own text might hold an address, each time another."""
    if isinstance(value, Mapping) or hasattr(value, "model_dump"):
        return dict(to_mapping(value))
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return f"<{type(value).__name__}>"


def _marker(messages: Sequence[int], keys: Sequence[str]) -> str:
    is_one_run = messages[-1] - messages[0] < len(messages)
    omission = f"{len(messages)} messages left out {'here' if is_one_run else 'from here on'}"
    return write_marker(omission, [retrieve_call(key) for key in keys], label="originals")
