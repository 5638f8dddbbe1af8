"""What retrievals teach: which tools' originals are asked for again, and what of them."""

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

_LONGEST_NAME = 200
_MOST_FIELDS = 32
_FIELDS_HINTED = 3
_ASKED_AGAIN = 2

# Counters of a source are halved whenever so many more outputs were seen: what tools did long ago fades, and
# where leaving rows out was given up it is tried again, a few outputs at a time.
_FADES_EVERY = 32

# Until so many outputs were shortened, there is as much doubt as knowledge.
_HALF_CONFIDENT = 8
_PRIOR_RATE, _PRIOR_WEIGHT = 0.1, 2.0

# A block shortened from B to B - S tokens is written to the prompt cache once, at w = 1.25 times the price, and read
# m - 1 times at r = 0.1. A retrieval costs the original again, and one more round trip that reads the whole context of
# C tokens and writes o tokens of a call at five times the price. So leaving rows out pays while
#     S (w + (m - 1) r) > p (B (w + (m - 1) r) + r C + 5 o)
# for p retrievals an output. With S = 2,000, B = 2,500, C = 100,000 and o = 100 that is p < 0.18 for a block that is
# sent once, and p < 0.27 for one that is sent in ten requests, as is usual with agents.
_BREAK_EVEN = 0.25
_ENOUGH_TO_GIVE_UP = 8

# At the break-even point twice as much is kept.
_KEEP_MORE = 1 / _BREAK_EVEN
_KEEP_MOST = 3.0


class ToolImportance(NamedTuple):
    """How much a tool's originals matter, judged by how often they were asked for.

    Attributes:
        value: the share of its shortened outputs that were asked for, between 0 and 1; 0.1 where nothing is known.
        confidence: how much to trust that, between 0 and 1; 0.5 after 8 outputs.
    """

    value: float
    confidence: float


class Source(NamedTuple):
    """Where a text came from.

    Attributes:
        tool: the name of the tool; long ones end in a hash.
        shape: what the text looks like, as `shape_of` names it.
    """

    tool: str
    shape: str

    @classmethod
    def of(cls, tool: str, shape: str) -> Source:
        """Return the source, its tool's name at most 200 characters long."""
        if len(tool) > _LONGEST_NAME:
            digest = content_key(tool)
            tool = f"{tool[: _LONGEST_NAME - len(digest)]}{digest}"
        return cls(tool, shape)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was counted of late.

    Attributes:
        shortened: outputs of which rows were left out.
        asked: how often one of their originals was asked for.
        whole: outputs that were left whole because leaving rows out did not pay.
        by: how they were asked for: `where`, `query`, `lines` or `all`, and how often.
        fields: the fields that were asked for, and how often.
    """

    shortened: int = 0
    asked: int = 0
    whole: int = 0
    by: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, int] = field(default_factory=dict)

    @property
    def importance(self) -> ToolImportance:
        """How often an original is asked for, and how sure that is."""
        asked = min(self.asked, self.shortened)
        value = (asked + _PRIOR_RATE * _PRIOR_WEIGHT) / (self.shortened + _PRIOR_WEIGHT)
        return ToolImportance(value, self.shortened / (self.shortened + _HALF_CONFIDENT))

    @property
    def pays(self) -> bool:
        """Whether leaving rows out saves more than bringing originals back costs."""
        return self.shortened < _ENOUGH_TO_GIVE_UP or self.importance.value <= _BREAK_EVEN

    @property
    def hints(self) -> Hints | None:
        """What a compressor should do about it, None where nothing was asked for."""
        if not (self.asked and self.shortened):
            return None
        keep = min(_KEEP_MOST, 1 + _KEEP_MORE * self.asked / self.shortened)
        often = sorted(
            (-count, name) for name, count in self.fields.items() if count >= _ASKED_AGAIN
        )
        return Hints(
            self.importance.confidence, keep, tuple(name for _, name in often[:_FIELDS_HINTED])
        )


class ToolIntelligence:
    """Counts which tools' originals are asked for, and tells what follows from it.

    The counters live in the store, which bounds them: names of tools and of fields, hashes of shapes, numbers, and
    nothing of what the texts say. They fade as new outputs come. It has no state of its own, so that threads,
    processes and requests may share the store. Nothing is learnt in a store that cannot count (see `TallyStore`),
    or that may forget what became of a block while its conversation lives.

    `compress` and `retrieve` do all this by themselves. Use it to look at what was learnt, or with
    `SmartCrusher.crush`.

    Args:
        store: where it is counted. None: the default store.

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
        self._given = store

    @property
    def learns(self) -> bool:
        """Whether the store can count, and is lasting."""
        return self._counters is not None

    # What is counted.

    def shortened(self, tool: str, shape: str, key: str) -> None:
        """Count an output of which rows were left out, and remember where the original came from.

        Args:
            tool: the name of the tool.
            shape: what the output looks like, as `shape_of` names it.
            key: the key of the original.
        """
        source = Source.of(tool, shape)
        if self.learns:
            self._store.record(self.origins({key: source}))
            self.seen([source])

    def origins(self, sources: Mapping[str, Source]) -> dict[str, str]:
        """Return the records that tell where originals came from, by the originals' keys."""
        return {_origin(key): json.dumps(source) for key, source in sources.items()}

    def seen(self, shortened: Iterable[Source] = (), whole: Iterable[Source] = ()) -> None:
        """Count new outputs: those of which rows were left out, and those that were left whole."""
        store = self._counters
        if store is None:
            return
        new = {"shortened": Counter(shortened), "whole": Counter(whole)}
        more = {
            _name(source, what): count
            for what, counts in new.items()
            for source, count in counts.items()
        }
        seen = new["shortened"] + new["whole"]
        if not seen:
            return
        now = store.add(more | {_name(source, "seen"): count for source, count in seen.items()})
        # The store adds up, so that of all processes one alone sees the number pass.
        totals = {source: now[_name(source, "seen")] for source in seen}
        _fade(
            store,
            [
                s
                for s, total in totals.items()
                if total // _FADES_EVERY > (total - seen[s]) // _FADES_EVERY
            ],
        )

    def retrieved(self, key: str, *, by: str = "all", fields: Iterable[str] = ()) -> None:
        """Count that an original was asked for, if it is known where it came from.

        Args:
            key: the key of the original.
            by: how it was asked for: `where`, `query`, `lines` or `all`.
            fields: the names of the fields that the question was about.
        """
        store = self._counters
        source = self._source(key)
        if source is None or store is None:
            return
        # Adding 0 keeps what belongs together from being forgotten one by one.
        more = {_name(source, "shortened"): 0, _name(source, "seen"): 0}
        more |= {_name(source, "asked"): 1, _name(source, "by", by): 1}
        more |= {_name(source, "field", name): 1 for name in self._counted(store, source, fields)}
        store.add(more)

    def _counted(self, store: CounterStore, source: Source, fields: Iterable[str]) -> list[str]:
        """Return those of the fields that are counted: 32 of a tool at most, others once those have faded."""
        names = [name for name in dict.fromkeys(fields) if len(name) <= _LONGEST_NAME]
        if not names:
            return []
        lessons = _lessons(store.counters([_prefix(source.tool)]))
        known = {name for lesson in lessons.values() for name in lesson.fields}
        new = [name for name in names if name not in known]
        return [*known.intersection(names), *new[: max(0, _MOST_FIELDS - len(known))]]

    # What follows from it.

    def lessons(self, sources: Collection[Source]) -> dict[Source, Lesson]:
        """Return what was counted of these sources, with one look into the store; without those that are unknown."""
        store = self._counters
        if not sources or store is None:
            return {}
        return _lessons(store.counters([_prefix(*source) for source in sources]))

    def hints(self, tool: str, shape: str) -> Hints | None:
        """Return what a compressor should do about the next output of this tool and shape, None for nothing."""
        source = Source.of(tool, shape)
        return self.lessons([source]).get(source, Lesson()).hints

    def pays(self, tool: str, shape: str) -> bool:
        """Return whether leaving rows out of outputs of this tool and shape pays, as far as is known."""
        source = Source.of(tool, shape)
        return self.lessons([source]).get(source, Lesson()).pays

    def importance(self, tool: str | None) -> ToolImportance:
        """Return how often the originals of this tool are asked for, and how sure that is; None: of no tool."""
        store = self._counters
        if tool is None or store is None:
            return Lesson().importance
        return _summed(
            _lessons(store.counters([_prefix(Source.of(tool, "").tool)])).values()
        ).importance

    def report(self) -> dict[str, dict[str, Any]]:
        """Return what was counted of late, by tool.

        Example:
            >>> from headroom_core.stores import MemoryStore
            >>> toin = ToolIntelligence(MemoryStore())
            >>> toin.shortened("list_jobs", "a1b2c3", "77b0")
            >>> toin.retrieved("77b0", by="where", fields=["status"])
            >>> toin.report()["list_jobs"]["asked"], toin.report()["list_jobs"]["fields"]
            (1, {'status': 1})
        """
        store = self._counters
        if store is None:
            return {}
        tools: dict[str, list[Lesson]] = {}
        for source, lesson in sorted(_lessons(store.counters(["["])).items()):
            tools.setdefault(source.tool, []).append(lesson)
        return {tool: _told(_summed(lessons), len(lessons)) for tool, lessons in tools.items()}

    @property
    def _store(self) -> Store:
        return default_store() if self._given is None else self._given

    @property
    def _counters(self) -> CounterStore | None:
        store = self._store
        return store if isinstance(store, CounterStore) and store.durable else None

    def _source(self, key: str) -> Source | None:
        """Return where an original came from, None where that is not known."""
        if self.learns:
            with suppress(KeyError, TypeError, ValueError):
                return Source(*json.loads(self._store.recall([_origin(key)])[_origin(key)]))
        return None


def _origin(key: str) -> str:
    return f"origin:{key}"


def _name(source: Source, *what: str) -> str:
    """Return the name of a counter: JSON, in which no tool's name can pass for another's."""
    return json.dumps([*source, *what])


def _prefix(*parts: str) -> str:
    """Return how the names of all counters of a tool, or of a tool and a shape, begin."""
    return f"{json.dumps(parts)[:-1]}, "


def _fade(store: CounterStore, sources: Collection[Source]) -> None:
    """Halve the counters of these sources."""
    if not sources:
        return
    clocks = {_name(source, "seen") for source in sources}
    found = store.counters([_prefix(*source) for source in sources])
    store.add({name: -((count + 1) // 2) for name, count in found.items() if name not in clocks})


def _lessons(tallies: Mapping[str, int]) -> dict[Source, Lesson]:
    """Return the counters, put together by their sources."""
    counted: dict[Source, dict[str, Any]] = {}
    for name, count in tallies.items():
        with suppress(ValueError, TypeError):
            tool, shape, what, *detail = json.loads(name)
            found = counted.setdefault(Source(tool, shape), {"by": {}, "fields": {}})
            if what in ("shortened", "asked", "whole"):
                found[what] = count
            elif what in ("by", "field"):
                found["fields" if what == "field" else what][detail[0]] = count
    return {source: Lesson(**found) for source, found in counted.items()}


def _summed(lessons: Iterable[Lesson]) -> Lesson:
    numbers: Counter[str] = Counter()
    by: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    for lesson in lessons:
        numbers.update(shortened=lesson.shortened, asked=lesson.asked, whole=lesson.whole)
        by.update(lesson.by)
        fields.update(lesson.fields)
    return Lesson(numbers["shortened"], numbers["asked"], numbers["whole"], dict(by), dict(fields))


def _told(lesson: Lesson, shapes: int) -> dict[str, Any]:
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
