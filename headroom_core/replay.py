"""What blocks became: recalled where they were sent before, worked out and recorded where not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
        if self.store is None:
            return self._found(waiting, _memo, selecting=False)
        outcomes = self._found(waiting, self.store, selecting=True)
        selected = {at: waiting[at] for at, outcome in outcomes.items() if outcome.action == "selected"}
        lost = self._not_stored(selected, self.store)
        return outcomes | self._found({at: waiting[at] for at in lost}, _memo, selecting=False)

    def _found(self, waiting: Mapping[int, Waiting], store: Store, selecting: bool) -> dict[int, Outcome]:
        may_select = {at: selecting and item.block.kind in _SELECTED_FROM for at, item in waiting.items()}
        keys = {at: self._record_key(item, may_select[at]) for at, item in waiting.items()}
        known = self._recalled(store, keys.values())
        new: dict[str, Outcome] = {}
        for at, key in keys.items():
            if key not in known and key not in new:
                new[key] = self._worked_out(waiting[at], may_select[at])
        for at, key in keys.items():
            if key in known and known[key].failed:
                self.edge.warn(f"message {waiting[at].block.message} was passed through unchanged, as before")
        known |= self._recorded(store, new)
        return {at: known[key] for at, key in keys.items()}

    def _record_key(self, item: Waiting, selecting: bool) -> str:
        """Return a hash of all that decides what a block becomes."""
        parts = (_VERSION, self.settings, selecting, item.block.kind, item.block.tool, item.key, item.causal_query)
        return content_key(json.dumps(parts))

    def _worked_out(self, item: Waiting, selecting: bool) -> Outcome:
        query = self.query or item.causal_query
        otherwise = f"message {item.block.message} was passed through unchanged"
        outcome = self.edge.guarded(otherwise, lambda: self.router.route(item.block, item.key, query, selecting))
        return outcome or self.router.failed(item.block)

    def _recalled(self, store: Store, keys: Iterable[str]) -> dict[str, Outcome]:
        otherwise = "what was sent before cannot be recalled"
        return _loaded(self.edge.guarded(otherwise, lambda: store.recall(keys)) or {})

    def _recorded(self, store: Store, outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
        """Record new outcomes, and return what stands: another process may have been first."""
        if not outcomes:
            return {}
        lines = {key: outcome.dumps() for key, outcome in outcomes.items()}
        stands = self.edge.guarded("what is sent now cannot be remembered", lambda: store.record(lines))
        return outcomes | _loaded(stands or {})

    def _not_stored(self, selected: Mapping[int, Waiting], store: Store) -> list[int]:
        """Store the originals, and return those of the blocks for which that failed."""

        def put() -> bool:
            store.put_many({item.key: item.block.text for item in selected.values()})
            return True

        otherwise = "originals cannot be stored, so that no more than before is left out"
        if not selected or self.edge.guarded(otherwise, put):
            return []
        return [at for at, item in selected.items() if not _is_stored(store, item)]


def _loaded(lines: Mapping[str, str]) -> dict[str, Outcome]:
    """Return the outcomes that were recorded, without those that cannot be read any more."""
    outcomes = {}
    for key, line in lines.items():
        with suppress(ValueError, TypeError):
            outcomes[key] = Outcome.loads(line)
    return outcomes


def _is_stored(store: Store, item: Waiting) -> bool:
    return Edge().guarded("", lambda: store.get(item.key)) == item.block.text
