"""The cache aligner: makes system prompts begin with the same bytes every day."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from headroom_core.config import CacheAlignerConfig
from headroom_core.dialects import Dialect
from headroom_core.dialects.access import as_items, get_field
from headroom_core.dialects.base import has_cache_breakpoint
from headroom_core.messages import Action, Block, Change, Draft
from headroom_core.results import TransformResult
from headroom_core.stores import Store
from headroom_core.text.markdown import normalize_whitespace
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.cache_aligner.volatile import KINDS, VolatilePart, volatile_parts
from headroom_core.transforms.pipeline import transform_messages

# The name of a moved part, "date" or "date 2", as it stands in placeholders and in the tail.
_NAME = rf"(?:{'|'.join(KINDS)})(?: \d+)?"

# A placeholder of a moved part; not other text in brackets.
_PLACEHOLDER = re.compile(rf"\[({_NAME}): see end\]")

# A letter or a digit; not punctuation, which may surround a part at the very end of a prompt.
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")

_MOVED = "what changes from day to day moved to the end of the message"
_NORMALIZED = "whitespace was normalized"
_STEADY = "nothing that changes from day to day stands before its end"
_ALREADY_ALIGNED = "it was aligned before"
_MARKED = "the caller's cache_control stands in it or after it"
_SHORT = "its steady part has fewer tokens than stable_prefix_min_tokens"


@dataclass(frozen=True, slots=True)
class _AlignedMessage:
    """A system message after alignment.

    Attributes:
        texts: Its texts.
        reasons: For each text, why it was changed or kept.
        moved: The parts that were moved to the tail.
    """

    texts: Sequence[str]
    reasons: Sequence[str]
    moved: tuple[str, ...] = ()


class CacheAligner:
    """Transform that makes system prompts begin with the same bytes every day.

    A provider's prompt cache only hits if a prompt begins as before. Dates, times, ids and matches
    of the configured patterns are moved to a tail at the end of the same system message. In their
    place stands a placeholder that is the same every day and names their line of the tail.
    Everything up to the last `cache_control` of the caller is kept as it is. Nothing is moved if
    no other text follows it, and a prompt that has been aligned already is kept.

    This gains cache hits, not fewer tokens: placeholders and the tail add some, which the results
    report.

    Args:
        config: The settings, of which a copy is taken. Defaults to `CacheAlignerConfig()`.
        model: Name of the model whose tokens are counted.

    Example:
        >>> prompt = "Today is Saturday, 21 November 2026. You are a travel agent."
        >>> config = CacheAlignerConfig(stable_prefix_min_tokens=0)
        >>> result = CacheAligner(config).align([{"role": "system", "content": prompt}])
        >>> print(result.messages[0]["content"])
        Today is [date: see end]. You are a travel agent.
        <BLANKLINE>
        [Current values]
        date: Saturday, 21 November 2026
        >>> result.moved
        ('Saturday, 21 November 2026',)
    """

    name = "cache_aligner"

    def __init__(self, config: CacheAlignerConfig | None = None, *, model: str = "gpt-4o") -> None:
        self.config = CacheAlignerConfig.snapshot_of(config) or CacheAlignerConfig()
        self.tokenizer = Tokenizer(model)
        self._patterns = [re.compile(pattern) for pattern in self.config.dynamic_patterns]
        # The beginning of a tail: the separator and the first name of its first line.
        self._tail_start = re.compile(
            rf"{re.escape(self.config.dynamic_tail_separator)}({_NAME})(?:, |: )"
        )

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with aligned system prompts."""
        aligned, _ = self._align_draft(draft)
        return aligned

    def align(
        self,
        messages: Sequence[Any],
        *,
        store: Store | None = None,
        dialect: str | Dialect | None = None,
    ) -> TransformResult:
        """Align the system prompts of messages.

        Args:
            messages: OpenAI or Anthropic messages, as dicts or as objects of their SDKs. They are
                not modified.
            store: Ignored. The aligner omits nothing, so there are no originals to store. With this
                parameter, all transforms can be called alike.
            dialect: Format of the messages, by name or as a dialect object. Defaults to detecting
                it.

        Returns:
            The result, whose `moved` lists the parts that were moved.

        Raises:
            ConfigurationError: If the dialect is unknown.
            TokenizationError: If a message contains itself or is nested hundreds of levels deep.
            TypeError: If the messages are not a list.
        """
        moved: list[str] = []

        def transform(draft: Draft) -> Draft:
            aligned, parts = self._align_draft(draft)
            moved.extend(parts)
            return aligned

        result = transform_messages(
            transform, messages, self.tokenizer, store=store, dialect=dialect
        )
        return replace(result, moved=tuple(moved))

    def _align_draft(self, draft: Draft) -> tuple[Draft, list[str]]:
        """Return the draft with aligned system prompts, and the parts that were moved."""
        blocks = [*draft.blocks]
        changes: list[Change] = []
        moved: list[str] = []
        positions: list[int] = []
        last_mark = -1
        if self.config.enabled:
            positions = [
                position for position, block in enumerate(blocks) if block.kind == "system"
            ]
        if positions:
            last_mark = _last_marked_message(draft)
        for message, group in groupby(positions, key=lambda position: blocks[position].message):
            message_positions = [*group]
            message_blocks = [blocks[position] for position in message_positions]
            fixed_count = _count_fixed(message_blocks, draft.messages[message], last_mark)
            aligned = self._align_texts([block.text for block in message_blocks], fixed_count)
            for position, text, reason in zip(message_positions, aligned.texts, aligned.reasons):
                changes.append(self._make_change(blocks[position], text, reason))
                blocks[position] = blocks[position].with_text(text)
            moved += aligned.moved
        merged = _merge_changes(draft.changes, changes)
        return replace(draft, blocks=tuple(blocks), changes=merged), moved

    def _align_texts(self, texts: Sequence[str], fixed_count: int) -> _AlignedMessage:
        """Align the texts of a system message, the first `fixed_count` of which must stay."""
        fixed, free = texts[:fixed_count], texts[fixed_count:]
        if not free:
            return _AlignedMessage(texts, [_MARKED] * len(texts))
        if self._is_aligned(texts):
            return _AlignedMessage(texts, [_ALREADY_ALIGNED] * len(texts))
        normalized = [self._normalize(text) for text in free]
        parts_by_text = [
            volatile_parts(text, self._patterns, known=self.config.extract_dates)
            for text in normalized
        ]
        if not _is_text_after_parts(normalized, parts_by_text):
            parts_by_text = [[] for _ in normalized]
        tail = _Tail(texts)
        bodies = [tail.extract(text, parts) for text, parts in zip(normalized, parts_by_text)]
        # The tail is not counted, since the decision must be the same every day.
        token_count = sum(self.tokenizer.count_text(text) for text in (*fixed, *bodies))
        if token_count < self.config.stable_prefix_min_tokens:
            return _AlignedMessage(texts, [_SHORT] * len(texts))
        reasons = [_MOVED if parts else _NORMALIZED for parts in parts_by_text]
        if tail.values:
            bodies[-1] = self._append_tail(bodies[-1], tail)
            reasons[-1] = _MOVED
        for index, (body, text) in enumerate(zip(bodies, free)):
            if body == text:
                reasons[index] = _STEADY
        return _AlignedMessage([*fixed, *bodies], [_MARKED] * len(fixed) + reasons, tail.values)

    def _normalize(self, text: str) -> str:
        return normalize_whitespace(
            text,
            spaces=self.config.normalize_whitespace,
            blank_lines=self.config.collapse_blank_lines,
        )

    def _is_aligned(self, texts: Sequence[str]) -> bool:
        """Return whether the texts have a tail already that a placeholder refers to."""
        names = {match[1] for text in texts for match in _PLACEHOLDER.finditer(text)}
        if not names:
            return False
        return any(match[1] in names for text in texts for match in self._tail_start.finditer(text))

    def _append_tail(self, body: str, tail: _Tail) -> str:
        separator = self.config.dynamic_tail_separator
        if self.config.collapse_blank_lines and separator.startswith("\n"):
            body = body.rstrip("\r\n")
        return f"{body}{separator}{tail}"

    def _make_change(self, block: Block, text: str, reason: str) -> Change:
        action: Action
        if text == block.text:
            action = "kept"
        elif reason == _NORMALIZED:
            action = "rewritten"
        else:
            action = "moved"
        return Change(
            message=block.message,
            path=block.path,
            action=action,
            by="" if action == "kept" else self.name,
            reason=reason,
            tokens_before=self.tokenizer.count_text(block.text),
            tokens_after=self.tokenizer.count_text(text),
        )


class _Tail:
    """The parts moved out of a system message, under the names that their placeholders use.

    Each occurrence has a name of its own, so two values that happen to be equal on one day change
    no placeholder.

    Args:
        texts: The texts of the message. Names that they use in placeholders already are avoided.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._taken_names = {match[1] for text in texts for match in _PLACEHOLDER.finditer(text)}
        self._name_counts: dict[str, int] = defaultdict(int)
        # The names of each value, by its kind and text.
        self._names: dict[tuple[str, str], list[str]] = {}

    @property
    def values(self) -> tuple[str, ...]:
        """The different values that were moved, in order."""
        return tuple(value for _, value in self._names)

    def extract(self, text: str, parts: Sequence[VolatilePart]) -> str:
        """Move parts of a text into the tail, and return the text with placeholders."""
        pieces: list[str] = []
        position = 0
        for part in parts:
            name = self._make_name(part.kind)
            value = text[part.start : part.end]
            self._names.setdefault((part.kind, value), []).append(name)
            pieces.append(text[position : part.start])
            pieces.append(f"[{name}: see end]")
            position = part.end
        pieces.append(text[position:])
        return "".join(pieces)

    def __str__(self) -> str:
        return "\n".join(
            f"{', '.join(names)}: {value}" for (_, value), names in self._names.items()
        )

    def _make_name(self, kind: str) -> str:
        while True:
            self._name_counts[kind] += 1
            count = self._name_counts[kind]
            name = kind if count == 1 else f"{kind} {count}"
            if name not in self._taken_names:
                return name


def _is_text_after_parts(
    texts: Sequence[str], parts_by_text: Sequence[Sequence[VolatilePart]]
) -> bool:
    """Return whether any letter or digit that stays follows the first part that changes.

    Otherwise the parts are at the end already, and moving them would gain nothing.
    """
    has_part = False
    for text, parts in zip(texts, parts_by_text):
        position = 0
        for part in parts:
            if has_part and _LETTER_OR_DIGIT.search(text, position, part.start):
                return True
            has_part = True
            position = part.end
        if has_part and _LETTER_OR_DIGIT.search(text, position):
            return True
    return False


def _last_marked_message(draft: Draft) -> int:
    """Return the index of the last message with a cache breakpoint, or -1 if there is none."""
    marks = [outline.mark for outline in draft.outlines]
    if not marks:
        # The draft comes from a dialect without outlines.
        marks = [
            get_field(message, "cache_control") is not None
            or has_cache_breakpoint(get_field(message, "content"))
            for message in draft.messages
        ]
    return max((index for index, mark in enumerate(marks) if mark), default=-1)


def _count_fixed(blocks: Sequence[Block], message: Any, last_mark: int) -> int:
    """Return how many leading blocks of a message must stay as they are.

    These are the blocks up to the last block that is pinned or precedes a cache breakpoint.
    """
    last_fixed_part = _last_fixed_part(blocks[0].message, message, last_mark)
    count = 0
    for number, block in enumerate(blocks, 1):
        if block.pinned or _part_index(block) <= last_fixed_part:
            count = number
    return count


def _last_fixed_part(index: int, message: Any, last_mark: int) -> float:
    """Return the index of the last content part that must stay: -1 if none must, inf if all."""
    if index > last_mark:
        return -1
    marked_parts = [
        part_index
        for part_index, part in enumerate(as_items(get_field(message, "content")))
        if has_cache_breakpoint([part])
    ]
    is_marked_as_whole = get_field(message, "cache_control") is not None
    if index < last_mark or is_marked_as_whole or not marked_parts:
        return math.inf
    return marked_parts[-1]


def _part_index(block: Block) -> int:
    """Return the index of a block's content part, 0 if its message has no parts."""
    return next((key for key in block.path if isinstance(key, int)), 0)


def _merge_changes(earlier: Sequence[Change], own: Sequence[Change]) -> tuple[Change, ...]:
    """Replace earlier changes with the changes of this transform to the same blocks.

    A block that this transform keeps retains its earlier change.
    """
    own_by_place = {(change.message, change.path): change for change in own}
    merged: list[Change] = []
    for change in earlier:
        now = own_by_place.pop((change.message, change.path), None)
        if now is None or now.action == "kept":
            merged.append(change)
        else:
            merged.append(replace(now, tokens_before=change.tokens_before))
    return (*merged, *own_by_place.values())
