"""The cache aligner: system prompts that begin with the same bytes every day."""

from __future__ import annotations

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

_NAME = rf"(?:{'|'.join(KINDS)})(?: \d+)?"
_PLACEHOLDER = re.compile(rf"\[({_NAME}): see end\]")
_WORD = re.compile(r"[^\W_]")

_MOVED = "what changes from day to day moved to the end of the message"
_TIDIED = "whitespace was normalised"
_STEADY = "nothing that changes from day to day stands before its end"
_ALIGNED = "it was aligned before"
_MARKED = "the caller's cache_control stands in it or after it"
_SHORT = "its steady part has fewer tokens than stable_prefix_min_tokens"


@dataclass(frozen=True, slots=True)
class _Aligned:
    """What the texts of one system message became, why each did, and what moved."""

    texts: Sequence[str]
    reasons: Sequence[str]
    moved: tuple[str, ...] = ()


class CacheAligner:
    """Makes system prompts begin with the same bytes every day, so that a provider's prompt cache hits.

    Dates, times, ids and what the patterns of the settings find move to a tail at the end of the same system
    message. A placeholder that is the same every day stands in their place and names their line of the tail.
    What the caller has marked with `cache_control`, and all before it, stays as it is. Where nothing follows
    on what changes, nothing moves, and a prompt that was aligned stays as it is.

    This buys cache hits, not fewer tokens: placeholders and the tail add some, as the results report.

    Args:
        config: what to move; a snapshot is taken. None: the defaults.
        model: the model whose tokens are counted.

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
        self.config: CacheAlignerConfig = (config or CacheAlignerConfig()).snapshot()
        self.tokenizer = Tokenizer(model)
        self._patterns = [re.compile(pattern) for pattern in self.config.dynamic_patterns]
        self._tail = re.compile(
            rf"{re.escape(self.config.dynamic_tail_separator)}({_NAME})(?:, |: )"
        )

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with steady system prompts."""
        return self._aligned(draft)[0]

    def align(
        self,
        messages: Sequence[Any],
        *,
        store: Store | None = None,
        dialect: str | Dialect | None = None,
    ) -> TransformResult:
        """Return the messages with steady system prompts, and what moved.

        Args:
            messages: OpenAI or Anthropic messages, as dicts or as the SDKs' own types. They are not altered.
            store: taken as by the other transforms; nothing is left out, so that nothing goes there.
            dialect: the name of their format, or a dialect of your own. None: told from the messages.

        Raises:
            ConfigurationError: there is no such dialect.
            TokenizationError: a message refers to itself, or is nested hundreds of levels deep.
            TypeError: the messages are no list.
        """
        moved: list[str] = []

        def step(draft: Draft) -> Draft:
            aligned, parts = self._aligned(draft)
            moved.extend(parts)
            return aligned

        result = transform_messages(step, messages, self.tokenizer, store=store, dialect=dialect)
        return replace(result, moved=tuple(moved))

    def _aligned(self, draft: Draft) -> tuple[Draft, tuple[str, ...]]:
        """Return the draft with steady system prompts, and what moved."""
        blocks, changes, moved = [*draft.blocks], list[Change](), list[str]()
        system = (
            [at for at, block in enumerate(blocks) if block.kind == "system"]
            if self.config.enabled
            else []
        )
        last_mark = _last_mark(draft) if system else -1
        for message, group in groupby(system, key=lambda at: blocks[at].message):
            places = [*group]
            here = [blocks[at] for at in places]
            became = self._message(
                [block.text for block in here], _fixed(here, draft.messages[message], last_mark)
            )
            for at, text, reason in zip(places, became.texts, became.reasons):
                changes.append(self._change(blocks[at], text, reason))
                blocks[at] = blocks[at].with_text(text)
            moved += became.moved
        return replace(draft, blocks=tuple(blocks), changes=_merged(draft.changes, changes)), tuple(
            moved
        )

    def _message(self, texts: Sequence[str], fixed: int) -> _Aligned:
        """Return what the texts of a system message become, of which so many must stay as they are."""
        free = texts[fixed:]
        if not free or self._was_aligned(texts):
            return _Aligned(texts, [_MARKED if not free else _ALIGNED] * len(texts))
        settings = self.config
        tidy = [
            normalize_whitespace(
                text,
                spaces=settings.normalize_whitespace,
                blank_lines=settings.collapse_blank_lines,
            )
            for text in free
        ]
        parts = [
            volatile_parts(text, self._patterns, known=settings.extract_dates) for text in tidy
        ]
        if not _is_followed(tidy, parts):
            parts = [[] for _ in tidy]
        tail = _Tail(texts)
        bodies = [tail.taken_from(text, found) for text, found in zip(tidy, parts)]
        # Counted without what changes, so that every day decides alike.
        if (
            sum(map(self.tokenizer.count_text, [*texts[:fixed], *bodies]))
            < settings.stable_prefix_min_tokens
        ):
            return _Aligned(texts, [_SHORT] * len(texts))
        reasons = [_MOVED if found else _TIDIED for found in parts]
        if tail.values:
            bodies[-1] = self._with_tail(bodies[-1], tail)
            reasons[-1] = _MOVED
        became = [
            _STEADY if body == text else reason for body, text, reason in zip(bodies, free, reasons)
        ]
        return _Aligned([*texts[:fixed], *bodies], [_MARKED] * fixed + became, tail.values)

    def _was_aligned(self, texts: Sequence[str]) -> bool:
        """Return whether one of the texts has a tail already, to which a placeholder points."""
        names = {match[1] for text in texts for match in _PLACEHOLDER.finditer(text)}
        return bool(names) and any(
            match[1] in names for text in texts for match in self._tail.finditer(text)
        )

    def _with_tail(self, body: str, tail: _Tail) -> str:
        separator = self.config.dynamic_tail_separator
        if self.config.collapse_blank_lines and separator.startswith("\n"):
            body = body.rstrip("\r\n")
        return f"{body}{separator}{tail}"

    def _change(self, block: Block, text: str, reason: str) -> Change:
        action: Action = (
            "kept" if text == block.text else "rewritten" if reason == _TIDIED else "moved"
        )
        before, after = self.tokenizer.count_text(block.text), self.tokenizer.count_text(text)
        return Change(
            block.message,
            block.path,
            action,
            "" if action == "kept" else self.name,
            reason,
            before,
            after,
        )


class _Tail:
    """What moved out of a system message, and the names under which its placeholders know it.

    Every place has a name of its own, so that two values that happen to be equal today change no placeholder.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._taken = {match[1] for text in texts for match in _PLACEHOLDER.finditer(text)}
        self._counts: dict[str, int] = defaultdict(int)
        self._lines: dict[tuple[str, str], list[str]] = {}

    @property
    def values(self) -> tuple[str, ...]:
        """What moved, in order, each value once."""
        return tuple(value for _, value in self._lines)

    def taken_from(self, text: str, parts: Sequence[VolatilePart]) -> str:
        """Return the text with placeholders for its parts, which go into the tail."""
        pieces, at = list[str](), 0
        for start, end, kind in parts:
            name = self._new_name(kind)
            self._lines.setdefault((kind, text[start:end]), []).append(name)
            pieces += text[at:start], f"[{name}: see end]"
            at = end
        return "".join([*pieces, text[at:]])

    def __str__(self) -> str:
        return "\n".join(
            f"{', '.join(names)}: {value}" for (_, value), names in self._lines.items()
        )

    def _new_name(self, kind: str) -> str:
        while True:
            self._counts[kind] += 1
            name = kind if self._counts[kind] == 1 else f"{kind} {self._counts[kind]}"
            # The prompt may speak of such a placeholder itself.
            if name not in self._taken:
                return name


def _is_followed(texts: Sequence[str], parts: Sequence[Sequence[VolatilePart]]) -> bool:
    """Return whether any word that stays the same follows on the first part that changes."""
    begun = False
    for text, found in zip(texts, parts):
        at = 0
        for part in found:
            if begun and _WORD.search(text, at, part.start):
                return True
            begun, at = True, part.end
        if begun and _WORD.search(text, at):
            return True
    return False


def _last_mark(draft: Draft) -> int:
    """Return the index of the last message that holds a cache breakpoint of the caller's, -1 where none does."""
    marks = [outline.mark for outline in draft.outlines] or [
        get_field(message, "cache_control") is not None
        or has_cache_breakpoint(get_field(message, "content"))
        for message in draft.messages
    ]
    return max((at for at, mark in enumerate(marks) if mark), default=-1)


def _fixed(blocks: Sequence[Block], message: Any, last_mark: int) -> int:
    """Return how many of a message's blocks must stay: those up to the last that is pinned, or at or before a mark."""
    if blocks[0].message <= last_mark:
        parts = as_items(get_field(message, "content"))
        last = max(
            (at for at, part in enumerate(parts) if has_cache_breakpoint([part])), default=None
        )
        whole = (
            blocks[0].message < last_mark
            or last is None
            or get_field(message, "cache_control") is not None
        )
        stays = [whole or _position(block) <= (last or 0) for block in blocks]
    else:
        stays = [False for _ in blocks]
    return max(
        (at for at, block in enumerate(blocks, 1) if stays[at - 1] or block.pinned), default=0
    )


def _position(block: Block) -> int:
    """Return the index of the part in which a block stands; 0 where the message has no parts."""
    return next((key for key in block.path if isinstance(key, int)), 0)


def _merged(earlier: Sequence[Change], own: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes with those that were made now in the place of earlier ones of the same blocks."""
    mine = {(change.message, change.path): change for change in own}
    merged = []
    for change in earlier:
        now = mine.pop((change.message, change.path), change)
        merged.append(
            change if now.action == "kept" else replace(now, tokens_before=change.tokens_before)
        )
    return (*merged, *mine.values())
