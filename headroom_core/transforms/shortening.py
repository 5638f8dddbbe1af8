"""Shortening the blocks of a conversation: all at once, or one by one at a cut, before anything is left out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

from headroom_core._internal.lru import LRUCache
from headroom_core.markers import content_key
from headroom_core.messages import OUTPUT_KINDS, Block, Change, Draft, causal_queries, original_text
from headroom_core.transforms.router import ContentRouter, Outcome
from headroom_core.transforms.windows.policy import Shorten, ShortenedBlock

_OUTCOMES, _BYTES, _BYTES_AN_OUTCOME = 16_384, 32 * 2**20, 500

_UNTOUCHED = {
    "system": "system prompts are never changed",
    "assistant": "what the model said is never changed",
    "tool_call": "arguments of tool calls are never changed",
}

_selections = LRUCache[Hashable, Outcome](
    _OUTCOMES, lambda outcome: _BYTES_AN_OUTCOME + len(outcome.text or ""), _BYTES
)
"""What blocks became at the cuts of conversations that come again when they are longer."""


def why_untouched(block: Block) -> str | None:
    """Return why no text of this kind is shortened, None when it may be."""
    return block.pinned or _UNTOUCHED.get(block.kind)


def shortened(draft: Draft, router: ContentRouter) -> Draft:
    """Return the draft with outputs and documents shortened, and users' texts where nothing is lost."""
    blocks: list[Block] = []
    changes: list[Change] = []
    originals: dict[str, str] = {}
    for block, query in zip(draft.blocks, causal_queries(draft.blocks)):
        key, why = content_key(block.text), why_untouched(block)
        outcome = (
            router.kept(block, why)
            if why
            else router.route(block, key, query, selecting=block.kind in OUTPUT_KINDS)
        )
        made, change = outcome.applied_to(block, key)
        blocks.append(made)
        changes.append(change)
        originals |= {key: block.text} if outcome.action == "selected" else {}
    return replace(
        draft,
        blocks=tuple(blocks),
        changes=(*draft.changes, *changes),
        originals={**draft.originals, **originals},
    )


def shortening(draft: Draft, router: ContentRouter, *, kept: bool) -> Shorten:
    """Return what shortens outputs of the draft, each once, by leaving out units behind markers.

    Args:
        draft: the conversation.
        router: finds the compressor of a text.
        kept: whether the originals will be in a store. If not, the markers say so.
    """
    queries = dict(zip(map(_place, draft.blocks), causal_queries(draft.blocks)))
    done = {
        (change.message, change.path) for change in draft.changes if change.action == "selected"
    }

    def shorten(block: Block) -> ShortenedBlock | None:
        if block.pinned or _place(block) in done:
            return None
        done.add(_place(block))
        raw = block.with_text(original_text(block))
        text, query = content_key(raw.text), queries[_place(block)]
        key = text if kept else ""
        known_by = (
            router.compressors,
            router.tokenizer.encoding,
            kept,
            raw.kind,
            raw.tool,
            text,
            query,
        )
        outcome = _once(known_by, lambda: router.route(raw, key, query, selecting=True))
        if outcome.text is None or outcome.tokens_after >= router.tokenizer.count_text(block.text):
            return None
        made, change = outcome.applied_to(raw, key)
        return ShortenedBlock(
            made, change, {key: raw.text} if kept and outcome.action == "selected" else {}
        )

    return shorten


def _once(known_by: tuple[object, ...], route: Callable[[], Outcome]) -> Outcome:
    """Return an outcome, worked out only where it is not known; a stranger's compressor may have no hash."""
    try:
        return _selections.of(known_by, route)
    except TypeError:
        return route()


def _place(block: Block) -> tuple[int, tuple[str | int, ...]]:
    return block.message, block.path
