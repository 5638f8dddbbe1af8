"""What blocks became: recalled where they were sent before, worked out and recorded where not."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from headroom_core._internal.guard import Edge
from headroom_core._internal.lru import LRUCache, memoized
from headroom_core.insight import Lesson, Source, ToolIntelligence, shape_of
from headroom_core.markers import content_key
from headroom_core.messages import OUTPUT_KINDS, Block
from headroom_core.stores import CounterStore, MemoryStore, Store
from headroom_core.transforms.router import ContentRouter, Outcome

_VERSION = "1"
_MEMO_BYTES = 64 * 2**20
_NOTHING_LEARNT = "nothing is learnt from retrievals"
_memo = MemoryStore(max_bytes=_MEMO_BYTES)
"""Outcomes of requests that may not store anything. They are pure, so that this saves time alone."""

_hashed = memoized(lambda parts: content_key(json.dumps(parts)))

_LOADED, _LOADED_CHARACTERS = 16_384, 32 * 2**20
_outcomes = LRUCache[str, tuple[str, Outcome]](
    _LOADED, lambda held: len(held[0]), _LOADED_CHARACTERS
)
"""The outcomes that were loaded last, by the keys of their records, each with the line that it was loaded from."""

_UNRECORDED_BYTES = 16 * 2**20
_unrecorded: WeakKeyDictionary[Store, MemoryStore] = WeakKeyDictionary()
"""What was sent while a store could not record it: the same must be sent until it can, whatever is asked or learnt."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A block whose outcome is to be found.

    Attributes:
        block: the block.
        key: the key of its text.
        causal_query: what was asked before it.
        record: the key of the record of what it becomes.
    """

    block: Block
    key: str
    causal_query: str
    record: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Finds outcomes, so that what was sent once is sent the same way again.

    Attributes:
        router: works out new outcomes.
        settings: all that decides them beside the block and what was asked, as text.
        store: where originals and outcomes are kept; None when nothing may be left out.
        query: what relevance is scored against in the place of the causal query, for new blocks.
        edge: collects the warnings.
        toin: learns from new blocks; None when nothing is to be learnt.
        followed_from: the confidence from which new blocks become what retrievals taught; None when never.
    """

    router: ContentRouter
    settings: str
    store: Store | None
    query: str | None
    edge: Edge
    toin: ToolIntelligence | None = None
    followed_from: float | None = None

    def waiting(self, block: Block, causal_query: str) -> Waiting:
        """Return a block as one whose outcome is to be found."""
        key = content_key(block.text)
        parts = (
            _VERSION,
            self.settings,
            self._may_select(block),
            block.kind,
            block.tool,
            key,
            causal_query,
        )
        return Waiting(block, key, causal_query, _hashed(parts))

    def outcomes(self, waiting: Mapping[int, Waiting]) -> dict[int, Outcome]:
        """Return the outcomes. The originals of what was left out are stored when this returns."""
        store = _memo if self.store is None else self.store
        items = {item.record: item for item in waiting.values()}
        recalled = self._recalled(store, items)
        held = _held(store, items.keys() - (recalled or {}).keys())
        current = held | (recalled or {})
        known = _loaded(current)
        sources = (
            {}
            if recalled is None
            else self._sources({k: i for k, i in items.items() if k not in current})
        )
        learnt = self._learnt(sources)
        new = {
            key: self._worked_out(item, self._may_select(item.block), learnt.get(key))
            for key, item in items.items()
            if key not in known
        }
        for key in self._not_stored(known | new, items):
            # Recorded as it is sent: should the store recover, the same block must not change.
            (new if key in new else known)[key] = self._worked_out(items[key], selecting=False)
        selected = {
            items[key].key: source
            for key, source in sources.items()
            if new[key].action == "selected"
        }
        lines = held | {key: outcome.dumps() for key, outcome in new.items() if not outcome.failed}
        stands = self._recorded(store, lines, current, selected)
        if stands is None and learnt:
            # Not remembered, the same blocks would become something else as soon as something else is learnt.
            return replace(self, toin=None, edge=Edge()).outcomes(waiting)
        if stands is None:
            stands = _hold(store, lines)
        else:
            self._count(
                selected.values(),
                [sources[key] for key, lesson in learnt.items() if not lesson.pays],
            )
        known |= new | _loaded({key: stands[key] for key in new.keys() & stands.keys()})
        return {at: known[item.record] for at, item in waiting.items()}

    def _may_select(self, block: Block) -> bool:
        return self.store is not None and block.kind in OUTPUT_KINDS

    def _worked_out(self, item: Waiting, selecting: bool, lesson: Lesson | None = None) -> Outcome:
        query = self.query or item.causal_query
        otherwise = f"message {item.block.message} was passed through unchanged"
        pays, hints = (lesson.pays, lesson.hints) if lesson else (True, None)
        outcome = self.edge.attempt(
            otherwise,
            lambda: self.router.route(item.block, item.key, query, selecting and pays, hints),
        )
        if outcome and not pays and outcome.action == "rewritten":
            return replace(
                outcome,
                reason=f"{outcome.reason}, whole because its tool's originals are asked for often",
            )
        return outcome or self.router.failed(item.block)

    def _recalled(self, store: Store, keys: Collection[str]) -> dict[str, str] | None:
        return self.edge.attempt(
            "what was sent before cannot be recalled", lambda: store.recall(keys)
        )

    def _recorded(
        self,
        store: Store,
        lines: Mapping[str, str],
        current: Mapping[str, str],
        origins: Mapping[str, Source],
    ) -> dict[str, str] | None:
        """Record new outcomes and where originals came from, and return what stands: another process may be first.

        Failures are not recorded, so that each request tells of them, and none outlives what caused it.
        """
        if not lines:
            return {}
        more = self.toin.origins(origins) if self.toin else {}
        # A store that may evict is told of all that this request uses: what a call names, that call does not evict.
        used = {} if isinstance(store, CounterStore) and store.durable else current
        named = {**used, **lines, **more}
        return self.edge.attempt(
            "what is sent now cannot be remembered", lambda: store.record(named)
        )

    def _sources(self, items: Mapping[str, Waiting]) -> dict[str, Source]:
        """Return which tools the new blocks came from of which rows may be left out."""
        toin = self.toin
        if toin is None or not items or not toin.learns:
            return {}
        blocks = {key: item.block for key, item in items.items() if self._may_select(item.block)}
        return {
            key: Source.of(block.tool, shape_of(block.text))
            for key, block in blocks.items()
            if block.tool
        }

    def _learnt(self, sources: Mapping[str, Source]) -> dict[str, Lesson]:
        """Return what retrievals taught about new blocks, where it is sure enough to be followed."""
        toin, least = self.toin, self.followed_from
        if toin is None or least is None or not sources:
            return {}
        found = self.edge.attempt(_NOTHING_LEARNT, lambda: toin.lessons({*sources.values()})) or {}
        followed = {
            source
            for source, lesson in found.items()
            if lesson.asked and lesson.importance.confidence >= least
        }
        return {key: found[source] for key, source in sources.items() if source in followed}

    def _count(self, shortened: Collection[Source], whole: Collection[Source]) -> None:
        toin = self.toin
        if toin and (shortened or whole):
            self.edge.attempt(_NOTHING_LEARNT, lambda: toin.seen(shortened, whole))

    def _not_stored(
        self, outcomes: Mapping[str, Outcome], items: Mapping[str, Waiting]
    ) -> list[str]:
        """Store the originals of what was left out, and return the record keys of those that cannot be stored."""
        store = self.store
        selected = [key for key, outcome in outcomes.items() if outcome.action == "selected"]
        if store is None or not selected:
            return []

        def put() -> bool:
            store.put_many({items[key].key: items[key].block.text for key in selected})
            return True

        if self.edge.attempt(
            "originals cannot be stored, so that no more than before is left out", put
        ):
            return []
        return [key for key in selected if not _is_stored(store, items[key])]


def _held(store: Store, keys: Collection[str]) -> dict[str, str]:
    """Return what was sent already of what the store does not know, because it could not record it."""
    with suppress(TypeError):  # A store to which nothing can refer weakly, or that has no hash.
        return _unrecorded[store].recall(keys) if keys and store in _unrecorded else {}
    return {}


def _hold(store: Store, lines: dict[str, str]) -> dict[str, str]:
    """Hold lines until the store can record them, and return what stands."""
    with suppress(TypeError):
        return _unrecorded.setdefault(store, MemoryStore(max_bytes=_UNRECORDED_BYTES)).record(lines)
    return lines


def _loaded(lines: Mapping[str, str]) -> dict[str, Outcome]:
    """Return the outcomes that were recorded, without those that cannot be read any more."""
    outcomes = {}
    for key, line in lines.items():
        known = _outcomes.get(key)
        with suppress(ValueError, TypeError):
            outcomes[key] = known[1] if known and known[0] == line else _load(key, line)
    return outcomes


def _load(key: str, line: str) -> Outcome:
    outcome = Outcome.loads(line)
    _outcomes.put(key, (line, outcome))
    return outcome


def _is_stored(store: Store, item: Waiting) -> bool:
    return Edge().attempt("", lambda: store.get(item.key)) == item.block.text
