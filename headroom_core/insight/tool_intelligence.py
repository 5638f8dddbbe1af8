"""Learning from retrievals: which tools' originals are needed again, and which fields of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from headroom_core.compressors.base import Hints
from headroom_core.markers import content_key
from headroom_core.stores import CounterStore, Store, default_store
from headroom_core.stores.records import Records, call_store

_MAX_NAME_LENGTH = 200
_MAX_FIELDS = 32

_MAX_HINTED_FIELDS = 3
_MIN_FIELD_RETRIEVALS = 2
"""Fields are hinted from the second retrieval on: the first may have been a coincidence."""

# After this many new outputs of a source, its counters are halved: old behaviour fades, and where
# dropping rows was given up, it is tried again with a few outputs at a time.
_FADE_INTERVAL = 32

_HALF_CONFIDENCE_OUTPUTS = 8
"""Number of outputs with dropped rows at which confidence is 0.5."""

# Assumed before anything is counted, with the weight of two outputs.
_PRIOR_RATE = 0.1
_PRIOR_WEIGHT = 2.0

# A block shortened from B to B - S tokens is written to the prompt cache once, at w = 1.25 times
# the price, and read m - 1 times at r = 0.1. A retrieval costs the original again, and one more
# round trip that reads the whole context of C tokens and writes o tokens of a call at five times
# the price. So dropping rows pays while
#     S (w + (m - 1) r) > p (B (w + (m - 1) r) + r C + 5 o)
# for p retrievals per output. With S = 2,000, B = 2,500, C = 100,000 and o = 100 that is p < 0.18
# for a block that is sent once, and p < 0.27 for one sent in ten requests, as is usual with agents.
_BREAK_EVEN_RATE = 0.25

_MIN_OUTPUTS_TO_GIVE_UP = 8

# At the break-even rate, twice as many rows are kept; at most, three times as many.
_KEEP_PER_RATE = 1 / _BREAK_EVEN_RATE
_MAX_KEEP = 3.0


class ToolImportance(NamedTuple):
    """How much a tool's originals matter, judged by how often they are retrieved.

    Attributes:
        value: Share of the tool's shortened outputs that were retrieved, from 0 to 1. It is 0.1 if
            nothing is known.
        confidence: Confidence in the value, from 0 to 1. It is 0.5 after 8 outputs.
    """

    value: float
    confidence: float


class Source(NamedTuple):
    """Origin of a text: a tool, and the structure of its output.

    Attributes:
        tool: Name of the tool. A long name is cut and ends in a hash.
        shape: Fingerprint of the text's structure, from `shape_of`.
    """

    tool: str
    shape: str

    @classmethod
    def of(cls, tool: str, shape: str) -> Source:
        """Return a source, with the tool's name cut to 200 characters."""
        if len(tool) > _MAX_NAME_LENGTH:
            digest = content_key(tool)
            tool = f"{tool[: _MAX_NAME_LENGTH - len(digest)]}{digest}"
        return cls(tool, shape)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Recent counts of one or more sources, and the conclusions from them.

    Attributes:
        shortened: Number of outputs from which rows were dropped.
        asked: Number of retrievals from their originals.
        whole: Number of outputs kept complete because dropping rows did not pay.
        by: Number of retrievals by the way of selecting: `where`, `query`, `lines` or `all`.
        fields: Number of retrievals by the fields they name.
    """

    shortened: int = 0
    asked: int = 0
    whole: int = 0
    by: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)

    @property
    def importance(self) -> ToolImportance:
        """The share of outputs that were retrieved, with its confidence."""
        # Several retrievals from one original must not make the share exceed 1.
        retrieved = min(self.asked, self.shortened)
        return ToolImportance(
            value=(retrieved + _PRIOR_RATE * _PRIOR_WEIGHT) / (self.shortened + _PRIOR_WEIGHT),
            confidence=self.shortened / (self.shortened + _HALF_CONFIDENCE_OUTPUTS),
        )

    @property
    def pays(self) -> bool:
        """Whether dropping rows saves more than retrieving originals costs."""
        if self.shortened < _MIN_OUTPUTS_TO_GIVE_UP:
            return True
        return self.importance.value <= _BREAK_EVEN_RATE

    @property
    def hints(self) -> Hints | None:
        """Hints for a compressor, or None if nothing was retrieved."""
        if self.asked == 0 or self.shortened == 0:
            return None
        keep = min(_MAX_KEEP, 1 + _KEEP_PER_RATE * self.asked / self.shortened)
        candidates = [name for name, count in self.fields.items() if count >= _MIN_FIELD_RETRIEVALS]
        # The most frequent first; names break ties, so equal counts give equal hints.
        candidates.sort(key=lambda name: (-self.fields[name], name))
        fields = tuple(candidates[:_MAX_HINTED_FIELDS])
        return Hints(self.importance.confidence, keep, fields)


class ToolIntelligence:
    """Counts of retrievals by tool, and the conclusions for the tool's next outputs.

    The counters are kept in the store, which bounds their number. They contain names of tools and
    fields, fingerprints of structures, and numbers, but nothing of the texts. They fade as new
    outputs arrive. The object has no state of its own, so threads, processes and requests may
    share the store. Nothing is learned in a store that cannot count (see `CounterStore`), or that
    may forget how a block was sent while its conversation is alive.

    `compress` and `retrieve` use it on their own. Use it directly to look at the counts, or with
    `SmartCrusher.crush`.

    Args:
        store: Store of the counters. Defaults to the default store.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> toin = ToolIntelligence(MemoryStore())
        >>> for key in ("3f9a", "77b0", "c41d", "0e5f"):
        ...     toin.shortened("list_jobs", "a1b2c3", key)
        >>> toin.retrieved("77b0", by="where", fields=["status"])
        >>> toin.hints("list_jobs", "a1b2c3").keep, round(toin.importance("list_jobs").value, 2)
        (2.0, 0.2)
    """

    def __init__(self, store: Store | None = None) -> None:
        self._configured_store = store

    @property
    def learns(self) -> bool:
        """Whether the store can count and is durable."""
        return self._counter_store is not None

    @property
    def _store(self) -> Store:
        # Looked up at each use, because the environment decides which store is the default.
        return default_store() if self._configured_store is None else self._configured_store

    @property
    def _counter_store(self) -> CounterStore | None:
        store = self._store
        return store if isinstance(store, CounterStore) and store.durable else None

    # Counting.

    def shortened(self, tool: str, shape: str, key: str) -> None:
        """Count an output from which rows were dropped, and remember the origin of its original.

        Args:
            tool: Name of the tool.
            shape: Fingerprint of the output's structure, from `shape_of`.
            key: Key of the original.
        """
        source = Source.of(tool, shape)
        if self.learns:
            Records(self._store).record(self.origins({key: source}))
            self.seen([source])

    def origins(self, sources: Mapping[str, Source]) -> dict[str, str]:
        """Return the records that remember the sources of originals.

        Args:
            sources: Source of each original, by the original's key.
        """
        return {_origin_key(key): json.dumps(source) for key, source in sources.items()}

    def seen(self, shortened: Iterable[Source] = (), whole: Iterable[Source] = ()) -> None:
        """Count new outputs.

        Args:
            shortened: Sources of the outputs from which rows were dropped.
            whole: Sources of the outputs that were kept complete because dropping did not pay.
        """
        store = self._counter_store
        new_shortened, new_whole = Counter(shortened), Counter(whole)
        new = new_shortened + new_whole
        if store is None or not new:
            return
        increments: dict[str, int] = {}
        for source, count in new_shortened.items():
            increments[_counter_name(source, "shortened")] = count
        for source, count in new_whole.items():
            increments[_counter_name(source, "whole")] = count
        for source, count in new.items():
            increments[_counter_name(source, "seen")] = count
        totals = store.add(increments)
        fading = [
            source
            for source, count in new.items()
            if _passes_fade_interval(totals[_counter_name(source, "seen")], count)
        ]
        _fade(store, fading)

    def retrieved(self, key: str, *, by: str = "all", fields: Iterable[str] = ()) -> None:
        """Count a retrieval from an original, if the original's source is known.

        Args:
            key: Key of the original.
            by: Way of selecting: `where`, `query`, `lines` or `all`.
            fields: Names of the fields that the selection names.
        """
        store = self._counter_store
        source = self._find_source(key)
        if source is None or store is None:
            return
        increments = {
            # Adding 0 marks the source's other counters as used, so they are evicted together.
            _counter_name(source, "shortened"): 0,
            _counter_name(source, "seen"): 0,
            _counter_name(source, "asked"): 1,
            _counter_name(source, "by", by): 1,
        }
        for name in self._countable_fields(store, source, fields):
            increments[_counter_name(source, "field", name)] = 1
        store.add(increments)

    def _countable_fields(
        self, store: CounterStore, source: Source, fields: Iterable[str]
    ) -> list[str]:
        """Return the fields to count: at most 32 per tool, new ones as old ones fade away."""
        names = [name for name in dict.fromkeys(fields) if len(name) <= _MAX_NAME_LENGTH]
        if not names:
            return []
        lessons = _read_lessons(store.counters([_counter_prefix(source.tool)]))
        known = {name for lesson in lessons.values() for name in lesson.fields}
        new = [name for name in names if name not in known]
        room = max(0, _MAX_FIELDS - len(known))
        return [*known.intersection(names), *new[:room]]

    def _find_source(self, key: str) -> Source | None:
        """Return the source of an original, or None if it is unknown."""
        if not self.learns:
            return None
        origin_key = _origin_key(key)
        with suppress(KeyError, TypeError, ValueError):
            return Source(*json.loads(Records(self._store).recall([origin_key])[origin_key]))
        return None

    # Conclusions.

    def lessons(self, sources: Collection[Source]) -> dict[Source, Lesson]:
        """Return the counts of those sources that have any, with one query to the store."""
        store = self._counter_store
        if store is None or not sources:
            return {}
        return _read_lessons(store.counters([_counter_prefix(*source) for source in sources]))

    def hints(self, tool: str, shape: str) -> Hints | None:
        """Return hints for compressing the next output of a tool, or None if there are none."""
        return self._lesson(tool, shape).hints

    def pays(self, tool: str, shape: str) -> bool:
        """Return whether dropping rows from such outputs of a tool pays, as far as is known."""
        return self._lesson(tool, shape).pays

    def _lesson(self, tool: str, shape: str) -> Lesson:
        source = Source.of(tool, shape)
        return self.lessons([source]).get(source, Lesson())

    def importance(self, tool: str | None) -> ToolImportance:
        """Return how often a tool's originals are retrieved.

        Args:
            tool: Name of the tool, or None for a text that no tool produced.
        """
        store = self._counter_store
        if store is None or tool is None:
            return Lesson().importance
        prefix = _counter_prefix(Source.of(tool, "").tool)
        counts = call_store(lambda: store.counters([prefix]))
        return _sum_lessons(_read_lessons(counts).values()).importance

    def report(self) -> dict[str, dict[str, Any]]:
        """Return the recent counts by tool.

        Example:
            >>> from headroom_core.stores import MemoryStore
            >>> toin = ToolIntelligence(MemoryStore())
            >>> toin.shortened("list_jobs", "a1b2c3", "77b0")
            >>> toin.retrieved("77b0", by="where", fields=["status"])
            >>> toin.report()["list_jobs"]["asked"], toin.report()["list_jobs"]["fields"]
            (1, {'status': 1})
        """
        store = self._counter_store
        if store is None:
            return {}
        lessons_by_tool: dict[str, list[Lesson]] = {}
        # All names of counters start with a bracket, because they are JSON lists.
        for source, lesson in sorted(_read_lessons(store.counters(["["])).items()):
            lessons_by_tool.setdefault(source.tool, []).append(lesson)
        return {
            tool: _report_tool(_sum_lessons(lessons), shapes=len(lessons))
            for tool, lessons in lessons_by_tool.items()
        }


def _origin_key(key: str) -> str:
    return f"origin:{key}"


def _counter_name(source: Source, *parts: str) -> str:
    """Return the name of a counter. It is JSON, so no tool's name can imitate another's."""
    return json.dumps([*source, *parts])


def _counter_prefix(*parts: str) -> str:
    """Return the prefix of the names of all counters of a tool, or of a tool and a shape."""
    return f"{json.dumps(parts)[:-1]}, "


def _passes_fade_interval(total: int, new: int) -> bool:
    """Return whether the new outputs take the total past a multiple of the interval.

    The store adds up, so exactly one of all processes sees the total pass.
    """
    return total // _FADE_INTERVAL > (total - new) // _FADE_INTERVAL


def _fade(store: CounterStore, sources: Collection[Source]) -> None:
    """Halve the counters of these sources, except those of outputs seen, which time the fading."""
    if not sources:
        return
    clocks = {_counter_name(source, "seen") for source in sources}
    counts = store.counters([_counter_prefix(*source) for source in sources])
    store.add({name: -((count + 1) // 2) for name, count in counts.items() if name not in clocks})


def _read_lessons(counts: Mapping[str, int]) -> dict[Source, Lesson]:
    """Return the counts of a store, grouped by source. Names of other counters are skipped."""
    values: dict[Source, dict[str, Any]] = {}
    for name, count in counts.items():
        with suppress(ValueError, TypeError):
            tool, shape, kind, *detail = json.loads(name)
            lesson = values.setdefault(Source(tool, shape), {"by": {}, "fields": {}})
            if kind in ("shortened", "asked", "whole"):
                lesson[kind] = count
            elif kind == "by":
                lesson["by"][detail[0]] = count
            elif kind == "field":
                lesson["fields"][detail[0]] = count
    return {source: Lesson(**lesson) for source, lesson in values.items()}


def _sum_lessons(lessons: Iterable[Lesson]) -> Lesson:
    totals: Counter[str] = Counter()
    by: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    for lesson in lessons:
        totals.update(shortened=lesson.shortened, asked=lesson.asked, whole=lesson.whole)
        by.update(lesson.by)
        fields.update(lesson.fields)
    return Lesson(**totals, by=dict(by), fields=dict(fields))


def _report_tool(lesson: Lesson, *, shapes: int) -> dict[str, Any]:
    value, confidence = lesson.importance
    return {
        "shapes": shapes,
        "shortened": lesson.shortened,
        "whole": lesson.whole,
        "asked": lesson.asked,
        "importance": round(value, 3),
        "confidence": round(confidence, 3),
        "by": dict(sorted(lesson.by.items())),
        "fields": dict(sorted(lesson.fields.items())),
    }
