"""Shortening the outputs of a conversation at a cut, before any message is dropped."""

from __future__ import annotations

from collections.abc import Hashable

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache
from headroom_core.markers import content_key
from headroom_core.messages import Block, Draft, causal_queries, original_text
from headroom_core.transforms.router import ContentRouter, RouteResult
from headroom_core.transforms.windows.policy import Shorten, ShortenedBlock

_MAX_RESULTS = 16_384
_BYTES_PER_RESULT = 500
_CACHE_SHARE = 0.1


def _result_bytes(result: RouteResult) -> int:
    return _BYTES_PER_RESULT + len(result.text or "")


_results: LRUCache[Hashable, RouteResult] = process_caches.lru(
    _MAX_RESULTS, _result_bytes, _CACHE_SHARE
)
"""Results at the cuts of conversations, which are cut there again when they are longer."""

_Place = tuple[int, tuple[str | int, ...]]


def block_shortener(draft: Draft, router: ContentRouter, *, stored: bool) -> Shorten:
    """Return a function that shortens a block of a draft by leaving out units behind markers.

    Each block is shortened at most once.

    Args:
        draft: The conversation.
        router: Finds the compressor of a text.
        stored: Whether originals will be stored. If not, markers say that they are not available.
    """
    queries = dict(zip(map(_place, draft.blocks), causal_queries(draft.blocks)))
    editing = dict(zip(map(_place, draft.blocks), router.policy.editing_before(draft.blocks)))
    shortened = {
        (change.message, change.path) for change in draft.changes if change.action == "selected"
    }

    def shorten(block: Block) -> ShortenedBlock | None:
        place = _place(block)
        if block.pinned or place in shortened:
            return None
        shortened.add(place)
        original = block.with_text(original_text(block))
        if router.treat(original, editing=editing[place]).kept:
            return None
        text_key, query = content_key(original.text), queries[place]
        key = text_key if stored else ""
        known_by = router.fingerprint, stored, original.kind, original.tool, text_key, query
        result = _results.get_or_compute(
            known_by,
            lambda: router.route(original, key, query, selecting=True, must_fit=True),
        )
        if result.text is None:
            return None
        if result.tokens_after >= router.tokenizer.count_text(block.text):
            return None
        routed = result.apply_to(original, key)
        originals = {key: original.text} if stored and result.action == "selected" else {}
        return ShortenedBlock(routed.block, routed.change, originals)

    return shorten


def _place(block: Block) -> _Place:
    return block.message, block.path
