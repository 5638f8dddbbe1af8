"""Shortening the texts of a conversation at a cut, before messages are dropped or after."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache
from headroom_core.compressors.base import Request
from headroom_core.compressors.excerpt import make_excerpt
from headroom_core.markers import content_key
from headroom_core.messages import Block, Draft, causal_queries, original_text
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.router import ContentRouter, RouteResult
from headroom_core.transforms.tool_policy import ToolPolicy
from headroom_core.transforms.windows.policy import Shorten, ShortenedBlock, Truncate

_MAX_RESULTS = 16_384
_BYTES_PER_RESULT = 500
_CACHE_SHARE = 0.1

_EXCERPT = "excerpt"
_QUESTION_CHARACTERS = 600

_ROOM_SHARES = (1.0, 0.8, 0.5, 0.25, 0.0)
"""Shares of the room to try in turn, because tokens are estimated when an excerpt is made."""


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


def block_truncator(
    draft: Draft, tokenizer: Tokenizer, *, policy: ToolPolicy | None = None, stored: bool = True
) -> Truncate:
    """Return a function that cuts a block of a draft to a number of tokens.

    What must never be changed stays as it is: retrieved texts, and the results of tools that the
    settings exclude.

    Args:
        draft: The conversation.
        tokenizer: Counts tokens.
        policy: The settings of tools. Defaults to `ToolPolicy()`.
        stored: Whether originals will be stored. If not, markers say that they are not available.
    """
    queries = dict(zip(map(_place, draft.blocks), causal_queries(draft.blocks)))
    rules = policy or ToolPolicy()

    def truncate(block: Block, max_tokens: int) -> ShortenedBlock | None:
        original = block.with_text(original_text(block))
        if block.pinned or rules.why_kept(original):
            return None
        # A text that was shortened before says more in as many tokens than the original would. It
        # is stored, too, and its own marker names the original.
        text, tokens = block.text, tokenizer.count_text(block.text)
        key = content_key(text) if stored else ""
        query = queries[_place(block)]
        if block.kind == "user":
            # The question stands at the end of what a user pastes.
            query = f"{query}\n{text[-_QUESTION_CHARACTERS:]}"
        request = Request(key, tokens, query, selecting=True, tool=block.tool, call=block.call)
        result = _cut_text(text, request, max_tokens, tokenizer)
        if result is None or result.tokens_after >= tokens:
            return None
        before = tokenizer.count_text(original.text)
        routed = replace(result, tokens_before=before).apply_to(original, key)
        return ShortenedBlock(routed.block, routed.change, {key: text} if stored else {})

    return truncate


def _cut_text(
    text: str, request: Request, max_tokens: int, tokenizer: Tokenizer
) -> RouteResult | None:
    """Return an excerpt of a text in at most so many tokens, or the shortest that there is."""
    result = None
    for share in _ROOM_SHARES:
        excerpt = make_excerpt(text, request, int(share * max_tokens))
        if excerpt is None:
            break
        after = tokenizer.count_text(excerpt.text)
        result = RouteResult(
            text=excerpt.text,
            action="selected",
            by=_EXCERPT,
            reason=excerpt.reason,
            tokens_before=request.tokens,
            tokens_after=after,
        )
        if after <= max_tokens:
            break
    return result


def _place(block: Block) -> _Place:
    return block.message, block.path
