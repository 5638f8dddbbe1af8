"""What blocks became: recalled where they were sent before, worked out and recorded where not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from headroom_core.edge import Edge
from headroom_core.messages import Block, content_key
from headroom_core.stores import MemoryStore, Store
from headroom_core.transforms.router import ContentRouter, Outcome

_VERSION = "1"
_SELECTED_FROM = ("tool_result", "document")
_MEMO_BYTES = 64 * 2**20
_memo = MemoryStore(max_bytes=_MEMO_BYTES)
"""Outcomes of requests that may not store anything. They are pure, so that this saves time alone."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A block whose outcome is to be found.

    Attributes:
        block: the block.
        key: the key of its text.
        causal_query: what was asked before it.
    """

    block: Block
    key: str
    causal_query: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Finds outcomes, so that what was sent once is sent the same way again.

    Attributes:
        router: works out new outcomes.
        settings: all that decides them beside the block and what was asked, as text.
        store: where originals and outcomes are kept; None when nothing may be left out.
        query: what relevance is scored against in the place of the causal query, for new blocks.
        edge: collects the warnings.
    """

    router: ContentRouter
    settings: str
    store: Store | None
    query: str | None
    edge: Edge

    def outcomes(self, waiting: Mapping[int, Waiting]) -> dict[int, Outcome]:
        """Return the outcomes. The originals of what was left out are stored when this returns."""
        store = _memo if self.store is None else self.store
        keys = {at: self._record_key(item) for at, item in waiting.items()}
        items = {key: waiting[at] for at, key in keys.items()}
        known = self._recalled(store, items)
        new = {key: self._worked_out(item, self._may_select(item)) for key, item in items.items() if key not in known}
        for key in self._not_stored(known | new, items):
            # Recorded as it is sent: should the store recover, the same block must not change.
            (new if key in new else known)[key] = self._worked_out(items[key], selecting=False)
        known |= self._recorded(store, new)
        return {at: known[key] for at, key in keys.items()}

    def _may_select(self, item: Waiting) -> bool:
        return self.store is not None and item.block.kind in _SELECTED_FROM

    def _record_key(self, item: Waiting) -> str:
        """Return a hash of all that decides what a block becomes."""
        block, selecting = item.block, self._may_select(item)
        parts = (_VERSION, self.settings, selecting, block.kind, block.tool, item.key, item.causal_query)
        return content_key(json.dumps(parts))

    def _worked_out(self, item: Waiting, selecting: bool) -> Outcome:
        query = self.query or item.causal_query
        otherwise = f"message {item.block.message} was passed through unchanged"
        outcome = self.edge.guarded(otherwise, lambda: self.router.route(item.block, item.key, query, selecting))
        return outcome or self.router.failed(item.block)

    def _recalled(self, store: Store, keys: Collection[str]) -> dict[str, Outcome]:
        otherwise = "what was sent before cannot be recalled"
        return _loaded(self.edge.guarded(otherwise, lambda: store.recall(keys)) or {})

    def _recorded(self, store: Store, outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
        """Record new outcomes, and return what stands: another process may have been first.

        Failures are not recorded, so that each request tells of them, and none outlives what caused it.
        """
        lines = {key: outcome.dumps() for key, outcome in outcomes.items() if not outcome.failed}
        if not lines:
            return outcomes
        stands = self.edge.guarded("what is sent now cannot be remembered", lambda: store.record(lines))
        return outcomes | _loaded(stands or {})

    def _not_stored(self, outcomes: Mapping[str, Outcome], items: Mapping[str, Waiting]) -> list[str]:
        """Store the originals of what was left out, and return the record keys of those that cannot be stored."""
        store = self.store
        selected = [key for key, outcome in outcomes.items() if outcome.action == "selected"]
        if store is None or not selected:
            return []

        def put() -> bool:
            store.put_many({items[key].key: items[key].block.text for key in selected})
            return True

        if self.edge.guarded("originals cannot be stored, so that no more than before is left out", put):
            return []
        return [key for key in selected if not _is_stored(store, items[key])]


def _loaded(lines: Mapping[str, str]) -> dict[str, Outcome]:
    """Return the outcomes that were recorded, without those that cannot be read any more."""
    outcomes = {}
    for key, line in lines.items():
        with suppress(ValueError, TypeError):
            outcomes[key] = Outcome.loads(line)
    return outcomes


def _is_stored(store: Store, item: Waiting) -> bool:
    return Edge().guarded("", lambda: store.get(item.key)) == item.block.text
