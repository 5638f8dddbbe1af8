"""Shortening the outputs of a conversation at a cut, before anything of it is left out."""

from __future__ import annotations

from dataclasses import replace

from headroom_core.messages import Block, Draft, causal_queries, content_key
from headroom_core.transforms.cuts import Shorten, Shortened
from headroom_core.transforms.router import ContentRouter

_FROM = ("tool_result", "document")


def shortening(draft: Draft, router: ContentRouter, *, kept: bool) -> Shorten:
    """Return what shortens blocks of the draft by leaving out units behind markers.

    Args:
        draft: the conversation.
        router: finds the compressor of a text.
        kept: whether the originals will be in a store. If not, the markers say so.
    """
    queries = dict(zip(map(_place, draft.blocks), causal_queries(draft.blocks)))
    selected = {(change.message, change.path) for change in draft.changes if change.action == "selected"}

    def shorten(block: Block) -> Shortened | None:
        if block.kind not in _FROM or block.pinned or _place(block) in selected:
            return None
        raw = block if block.original is None else replace(block, text=block.original, original=None)
        key = content_key(raw.text) if kept else ""
        outcome = router.route(raw, key, queries[_place(block)], selecting=True)
        if outcome.text is None or outcome.tokens_after >= router.tokenizer.count_text(block.text):
            return None
        selected.add(_place(block))
        made, change = outcome.applied_to(raw, key)
        return Shortened(made, change, {key: raw.text} if kept and outcome.action == "selected" else {})

    return shorten


def _place(block: Block) -> tuple[int, tuple[str | int, ...]]:
    return block.message, block.path
