"""The content router's memory of results: a text is always sent the same way."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from headroom_core._internal.caches import process_caches
from headroom_core._internal.guard import Failure, Success, WarningCollector, attempt
from headroom_core._internal.lru import LRUCache
from headroom_core.conversation.prefix_cache import CachedConversation
from headroom_core.insight import Lesson, Source, ToolIntelligence, shape_of
from headroom_core.markers import content_key
from headroom_core.messages import Block
from headroom_core.stores import MemoryStore, Store
from headroom_core.stores.base import may_evict
from headroom_core.stores.records import Records, are_saved, keep_unsaved
from headroom_core.transforms.router import ContentRouter, PendingBlock, RoutedBlock, RouteResult

_VERSION = "3"
"""To be raised whenever recorded results can no longer be used."""

_MEMO_SHARE = 0.4
_LOADED_SHARE = 0.2
_MAX_LOADED = 16_384

_NOTHING_LEARNED = "nothing is learnt from retrievals"
_NOT_FOLLOWED = "results cannot be recorded, and what was learnt is not followed"
_REMEMBERED = "results cannot be recorded, and this process remembers them"
_DAMAGED = (
    "records of the store are damaged, and their texts were worked out anew: purge the store if "
    "this goes on"
)
_NOT_REMEMBERED = "results cannot be recorded or remembered, so texts may change"

_hash_parts = process_caches.memoized(lambda parts: content_key(json.dumps(parts)))

_memo: list[MemoryStore] = []
"""The results of requests that may not store anything. They are pure, so this only saves time.

Created when it is first used, because its size is read from the environment.
"""

_loaded_results: LRUCache[str, tuple[str, RouteResult]] = process_caches.lru(
    _MAX_LOADED, lambda loaded: len(loaded[0]), _LOADED_SHARE
)
"""Results by the keys of their records, each with the line from which it was loaded."""


def _memo_store() -> MemoryStore:
    # Without a lock: another thread may clear the caches, or create its own store, at any time.
    try:
        return _memo[0]
    except IndexError:
        store = MemoryStore(max_bytes=process_caches.share_bytes(_MEMO_SHARE))
        _memo[:] = [store]
        return store


process_caches.on_clear(_memo.clear)


@dataclass(frozen=True, slots=True)
class Replay:
    """Finds the results of a request's blocks, recorded or new.

    Attributes:
        conversation: The conversation, of which the first blocks may have been routed before.
        counted: Tokens of every message. None if they cannot be counted.
        settings: Everything that decides results, apart from the block and the query, as text.
        store: Store of originals and results. None if nothing may be left out.
        query: Text to score new blocks against, instead of the causal query. Empty for the latter.
        collector: Collects warnings.
        intelligence: Learns from new blocks. None if nothing is to be learnt.
        min_confidence: Confidence from which new blocks follow what was learnt. None for never.
    """

    conversation: CachedConversation
    counted: Sequence[int] | None
    settings: str
    store: Store | None
    query: str
    collector: WarningCollector
    intelligence: ToolIntelligence | None = None
    min_confidence: float | None = None

    @property
    def routed(self) -> Sequence[RoutedBlock]:
        """The leading blocks that were routed before."""
        return self.conversation.routed

    def remember(self, routed: Sequence[RoutedBlock]) -> None:
        """Remember the blocks for longer versions of the conversation."""
        if self.counted is not None:
            self.conversation.remember(routed, self.counted)

    def record_key(self, block: Block, key: str, causal_query: str, *, selecting: bool) -> str:
        """Return the key under which the result of a block is recorded."""
        source = block.kind, block.tool, block.call
        return _hash_parts((_VERSION, self.settings, selecting, *source, key, causal_query))

    def resolve(
        self, pending: Mapping[int, PendingBlock], router: ContentRouter
    ) -> Mapping[int, RouteResult]:
        """Return the results of blocks. Originals of left out units are stored when it returns."""
        records = Records(_memo_store() if self.store is None else self.store)
        items = {item.record: item for item in pending.values()}
        current, is_readable = self._recall(records, items)
        known = _load_results(current)
        unknown = {key: item for key, item in items.items() if key not in current}
        sources = self._sources(unknown) if is_readable else {}
        lessons = self._lessons(sources)
        new = {
            key: self._route(router, item, item.selecting, lessons.get(key))
            for key, item in items.items()
            if key not in known
        }
        for key in self._store_originals(records, known | new, items):
            # Recorded as it is sent: if the store recovers, the same block must not change.
            without = self._route(router, items[key], selecting=False)
            (new if key in new else known)[key] = without
        selected = {
            items[key].key: source
            for key, source in sources.items()
            if new[key].action == "selected"
        }
        lines = {key: result.dumps() for key, result in new.items() if not result.failed}
        missing = {key: line for key, line in current.items() if key not in records.stored}
        outcome = self._record(records, missing | lines, current, selected)
        recorded = current | lines
        if isinstance(outcome, Success):
            recorded |= outcome.value
            whole = [sources[key] for key, lesson in lessons.items() if not lesson.pays]
            self._count_outputs(selected.values(), whole)
        elif lessons:
            self.collector.warn(f"{_NOT_FOLLOWED}: {outcome.reason}")
            # Unrecorded, the blocks would change as soon as something else is learnt.
            unlearned = replace(self, intelligence=None, collector=WarningCollector())
            return unlearned.resolve(pending, router)
        are_kept = self.store is None or records.remember(recorded)
        if isinstance(outcome, Failure):
            message = _REMEMBERED if are_kept else _NOT_REMEMBERED
            self.collector.warn(f"{message}: {outcome.reason}")
        # Another process, or another thread, may have been first: then its results hold.
        recorded |= records.remembered(new)
        first = _load_results({key: recorded[key] for key in new.keys() & recorded.keys()})
        results = known | new | first
        return {index: results[item.record] for index, item in pending.items()}

    def _route(
        self,
        router: ContentRouter,
        item: PendingBlock,
        selecting: bool,
        lesson: Lesson | None = None,
    ) -> RouteResult:
        query = self.query or item.causal_query
        pays = lesson is None or lesson.pays
        hints = lesson.hints if lesson else None
        block = item.block
        outcome = attempt(lambda: router.route(block, item.key, query, selecting and pays, hints))
        if isinstance(outcome, Failure):
            message = f"message {block.message} was passed through unchanged: {outcome.reason}"
            self.collector.warn(message)
            return router.fail(block)
        result = outcome.value
        if not pays and result.action == "rewritten":
            why = "whole because its tool's originals are asked for often"
            return replace(result, reason=f"{result.reason}, {why}")
        return result

    def _recall(self, records: Records, keys: Collection[str]) -> tuple[dict[str, str], bool]:
        """Return known results as lines, and whether the store can be read."""
        outcome = attempt(lambda: records.recall(keys))
        if records.damaged:
            self.collector.warn(_DAMAGED)
        if isinstance(outcome, Success):
            return outcome.value, True
        self.collector.warn(
            f"earlier results cannot be read, so texts may change: {outcome.reason}"
        )
        return records.remembered(keys), False

    def _record(
        self,
        records: Records,
        lines: Mapping[str, str],
        current: Mapping[str, str],
        origins: Mapping[str, Source],
    ) -> Success[dict[str, str]] | Failure:
        """Record new results and the sources of originals.

        Failures of compressors are not recorded, so every request warns of them, and they end
        with their cause.

        Returns:
            The lines that are recorded, by this process or by another that was first, or the
            reason why the store cannot record.
        """
        if not lines:
            return Success({})
        more = self.intelligence.origins(origins) if self.intelligence else {}
        # A store that evicts keeps what the same call names: here, all results of the request.
        used = current if self.store is not None and may_evict(self.store) else {}
        named = {**used, **lines, **more}
        return attempt(lambda: records.record(named))

    def _sources(self, items: Mapping[str, PendingBlock]) -> dict[str, Source]:
        """Return the tools of new blocks that may lose units, by the keys of the records."""
        if self.intelligence is None or not items or not self.intelligence.learns:
            return {}
        sources: dict[str, Source] = {}
        for key, item in items.items():
            block = item.block
            if block.tool and item.selecting:
                sources[key] = Source.of(block.tool, shape_of(block.text))
        return sources

    def _lessons(self, sources: Mapping[str, Source]) -> dict[str, Lesson]:
        """Return the lessons about new blocks that are certain enough to be followed."""
        intelligence, min_confidence = self.intelligence, self.min_confidence
        if intelligence is None or min_confidence is None or not sources:
            return {}
        none: dict[Source, Lesson] = {}
        lessons = self.collector.attempt(
            lambda: intelligence.lessons({*sources.values()}), none, _NOTHING_LEARNED
        )
        followed: dict[str, Lesson] = {}
        for key, source in sources.items():
            lesson = lessons.get(source)
            if lesson and lesson.asked and lesson.importance.confidence >= min_confidence:
                followed[key] = lesson
        return followed

    def _count_outputs(self, shortened: Collection[Source], whole: Collection[Source]) -> None:
        intelligence = self.intelligence
        if intelligence and (shortened or whole):
            self.collector.attempt(
                lambda: intelligence.seen(shortened, whole), None, _NOTHING_LEARNED
            )

    def _store_originals(
        self,
        records: Records,
        results: Mapping[str, RouteResult],
        items: Mapping[str, PendingBlock],
    ) -> list[str]:
        """Store the originals of texts that lost units.

        Returns:
            The keys of the records whose originals are not stored.
        """
        store = self.store
        selected = [key for key, result in results.items() if result.action == "selected"]
        if store is None or not selected:
            return []
        originals = {items[key].key: items[key].block.text for key in selected}
        outcome = attempt(lambda: store.put_many(originals))
        if isinstance(outcome, Success):
            return []
        self.collector.warn(
            f"the originals cannot be stored, so nothing further is left out: {outcome.reason}"
        )
        sent = records.remembered(selected)
        return [key for key in selected if not _holds(store, items[key], was_sent=key in sent)]


def _holds(store: Store, item: PendingBlock, *, was_sent: bool) -> bool:
    """Return whether the marker of a text may be sent although the text cannot be stored now."""
    original = {item.key: item.block.text}
    saved = are_saved(store, original)
    if saved is None and was_sent:
        # It was stored when it was sent first. Until the store can be read, this process has it.
        keep_unsaved(store, original)
        return True
    return bool(saved)


def _load_results(lines: Mapping[str, str]) -> dict[str, RouteResult]:
    """Return recorded results, without those that can no longer be read."""
    results: dict[str, RouteResult] = {}
    for key, line in lines.items():
        cached = _loaded_results.get(key)
        if cached and cached[0] == line:
            results[key] = cached[1]
            continue
        with suppress(ValueError, TypeError):
            results[key] = RouteResult.loads(line)
            _loaded_results.put(key, (line, results[key]))
    return results
