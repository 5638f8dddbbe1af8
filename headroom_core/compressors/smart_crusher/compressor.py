"""Arrays and tables in a text, made small."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.smart_crusher.evidence import ColumnStats
from headroom_core.compressors.smart_crusher.hits import STANDARD, Weights
from headroom_core.compressors.smart_crusher.select import Selection, select_rows
from headroom_core.compressors.smart_crusher.summary import (
    name_rows,
    naming_column,
    only_counts,
    summarise,
)
from headroom_core.config import RelevanceScorerConfig, SmartCrusherConfig
from headroom_core.errors import ConfigurationError
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.relevance import Scorer, create_scorer, embedding_available, scorer_from_config
from headroom_core.tables.codec import (
    Part,
    lossless,
    lossless_frame,
    selection_reads_back,
    take_text_apart,
)
from headroom_core.tables.frame import Frame
from headroom_core.tables.writer import UNITS, write_table
from headroom_core.text.exact_json import is_number

_BY_MEANING = ("embedding", "hybrid")
_SELECT_FROM_CHARACTERS = 800
_MUST_SAVE = 0.10
_MARKER_CHARACTERS = 120
_TWINS_TOLD = 5
_WORDS_OF_WHERE = frozenset(
    (
        "and",
        "or",
        "not",
        "in",
        "is",
        "contains",
        "startswith",
        "endswith",
        "true",
        "false",
        "null",
        "none",
    )
)
_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PLAIN_VALUE = re.compile(r"[\w .:/@+-]{1,32}")
_PLAIN_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class TableCompressor:
    """Shortens JSON arrays, JSON lines, the same as Python writes them, CSV and TSV.

    Where nothing may be left out it writes them as lossless tables. Else it keeps the rows that matter,
    tells what all of them look like, and leaves a marker for the others.

    Args:
        config: how to shorten; a snapshot is taken.
        scorer: ranks the rows against the query, unless the tier is `none`. None: the tier's own; that of `bm25`
            looks for the query's words without taking the rows apart.
        weights: how these words count.

    Raises:
        ConfigurationError: the tier is `embedding`, and sentence-transformers is not installed.
    """

    name = "smart_crusher"

    def __init__(
        self,
        config: SmartCrusherConfig | None = None,
        scorer: Scorer | None = None,
        *,
        weights: Weights = STANDARD,
    ) -> None:
        self.config: SmartCrusherConfig = (config or SmartCrusherConfig()).snapshot()
        if scorer is not None and not isinstance(scorer, Scorer):
            kind = type(scorer).__name__
            raise ConfigurationError(
                f"scorer is of type {kind}: give a scorer, such as BM25Scorer()", {"scorer": kind}
            )
        tier = self.config.relevance_tier
        self.weights = weights
        self.scorer = create_scorer(tier) if scorer is None and tier in _BY_MEANING else scorer

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Return a shorter form of the text, or None when it holds no array or table."""
        if not self.config.enabled or request.tokens < self.config.min_tokens_to_crush:
            return None
        parts = take_text_apart(text)
        if parts is None:
            return None
        if request.selecting and (shortened := self.select(parts, request)):
            return Compressed(shortened.text, False, shortened.reason)
        whole = lossless(parts)
        if whole is None:
            return None
        return Compressed(
            whole,
            True,
            f"written as {'a lossless table' if '[table ' in whole else 'compact JSON'}",
        )

    def select(self, parts: list[Part], request: Request) -> Shortened | None:
        """Return the parts as a text with rows left out, or None when that would save too little."""
        shortening = _Shortening(self.config, request, self.scorer, self.weights)
        text = "".join(part if isinstance(part, str) else shortening.write(part) for part in parts)
        if not shortening.markers or not selection_reads_back(text, shortening.written):
            return None
        return Shortened(text, shortening.markers, shortening.kept, shortening.reason)


def table_compressor(
    crusher: SmartCrusherConfig, relevance: RelevanceScorerConfig
) -> TableCompressor:
    """Return the compressor that both settings ask for; those for arrays win where they were set.

    Where embeddings are asked for and not at hand, words score: `fallback_reason` tells of its scorer why.

    Args:
        crusher: how to shorten; its `relevance_tier` and `relevance_threshold` count where they were set.
        relevance: its `tier` and `relevance_threshold` count where those were not; and how the tier scores.

    Example:
        >>> table_compressor(SmartCrusherConfig(), RelevanceScorerConfig(relevance_threshold=0.5)).config
        SmartCrusherConfig(..., relevance_threshold=0.5, ...)
    """
    config, relevance = crusher.snapshot(), relevance.snapshot()
    if "relevance_threshold" not in crusher.model_fields_set:
        config.relevance_threshold = relevance.relevance_threshold
    if "relevance_tier" in crusher.model_fields_set:
        relevance.tier = "bm25" if config.relevance_tier == "none" else config.relevance_tier
    elif relevance.tier == "auto":
        config.relevance_tier = "hybrid" if embedding_available() else "bm25"
    else:
        config.relevance_tier = relevance.tier
    scorer = scorer_from_config(relevance) if config.relevance_tier in _BY_MEANING else None
    return TableCompressor(config, scorer, weights=Weights(relevance.bm25_k1, relevance.bm25_b))


@dataclass(frozen=True, slots=True)
class Shortened:
    """A text with rows left out.

    Attributes:
        text: the text, markers included.
        markers: the markers in it.
        kept: for every array with rows left out, the indices of those that stay.
        reason: what was left out, in words.
    """

    text: str
    markers: list[str]
    kept: list[tuple[Frame, list[int]]]
    reason: str


@dataclass(slots=True)
class _Shortening:
    """The arrays of one text on their way to a shorter form."""

    config: SmartCrusherConfig
    request: Request
    scorer: Scorer | None
    weights: Weights
    markers: list[str] = field(default_factory=list)
    kept: list[tuple[Frame, list[int]]] = field(default_factory=list)
    written: list[tuple[Frame, Sequence[int] | None]] = field(default_factory=list)

    @property
    def reason(self) -> str:
        rows = sum(len(frame.rows) for frame, _ in self.kept)
        left_out = rows - sum(len(kept) for _, kept in self.kept)
        return f"{left_out} of {rows} rows left out"

    def write(self, frame: Frame) -> str:
        """Return an array and its child tables as text."""
        selections = self._selections(frame)
        if not any(chosen for _, chosen in selections):
            text = lossless_frame(frame)
            self.written += [(item, None) for item, _ in selections if text.startswith("[table ")]
            return text
        return "".join(self._write_one(item, chosen) for item, chosen in selections)

    def _selections(self, frame: Frame) -> list[tuple[Frame, Selection | None]]:
        """Return what stays of a table and of its child tables; rows that stay keep the rows that they belong to."""
        chosen = self._selection(frame)
        below = [self._selections(child) for child in frame.children]
        if chosen:
            needed = {
                row for (child, kept), *_ in below if kept for row in child.parents_of(kept.kept)
            }
            chosen = replace(chosen, kept=sorted({*chosen.kept, *needed}))
        return [(frame, chosen), *chain.from_iterable(below)]

    def _selection(self, frame: Frame) -> Selection | None:
        """Return which rows stay, or None when leaving rows out would save too little."""
        if (
            len(frame.rows) < self.config.min_items_to_analyze
            or frame.own_size < _SELECT_FROM_CHARACTERS
        ):
            return None
        request = self.request
        chosen = select_rows(
            frame, request.query, self.config, request.hints, self.scorer, self.weights
        )
        saves = chosen.kept_size + _MARKER_CHARACTERS <= (1 - _MUST_SAVE) * chosen.size
        return chosen if saves and len(chosen.kept) < len(frame.rows) else None

    def _write_one(self, frame: Frame, chosen: Selection | None) -> str:
        self.written.append((frame, chosen.kept if chosen else None))
        if chosen is None:
            return write_table(frame)
        self.kept.append((frame, chosen.kept))
        marker = self._marker(frame, chosen)
        self.markers.append(marker)
        return f"{write_table(frame, chosen.kept)}{marker}\n"

    def _marker(self, frame: Frame, chosen: Selection) -> str:
        total = len(frame.rows)
        left_out = sorted(set(range(total)).difference(chosen.kept))
        naming = naming_column(chosen.stats)
        told = [summarise(chosen.stats, chosen.size), _tell_twins(chosen.twins)]
        over_all = "; ".join(filter(None, told))
        described = len(chosen.stats[0].rows)
        rows = f"all {total}" if described == total else f"{described} of {total}"
        about = f" (over {rows}: {over_all})" if over_all else ""
        if naming and not chosen.strong and not only_counts(naming):
            names = name_rows(naming, set(left_out), chosen.size)
            about += f"; they are {names}" if names else ""
        head = f"[headroom: {len(left_out)} of {total} {UNITS[frame.form]} left out here{about}"
        if not self.request.key:
            return f"{head}; not available any more]"
        call = f'{RETRIEVE_TOOL}(key="{self.request.key}"{_example(frame, naming, left_out)})'
        return f"{head}; original intact: {call}]"


def _tell_twins(twins: dict[int, int]) -> str:
    told = [
        f"row {row} stands for {count} identical"
        for row, count in list(twins.items())[:_TWINS_TOLD]
    ]
    return ", ".join(told)


def _example(frame: Frame, naming: ColumnStats | None, left_out: list[int]) -> str:
    """Return what a call would add to ask for one of the rows, where that is easy to write."""
    if frame.keys is not None:
        key = frame.keys[left_out[0]]
        return f", where=\"@ == '{key}'\"" if _PLAIN_VALUE.fullmatch(key) else ""
    place = {row: at for at, row in enumerate(frame.regular)}
    row = next((row for row in left_out if row in place), None)
    if naming is None or row is None:
        return ""
    path = ".".join(naming.column.path)
    if not _PLAIN_PATH.fullmatch(path) or not _WORDS_OF_WHERE.isdisjoint(path.lower().split(".")):
        return ""
    value, cell = naming.column.values[place[row]], naming.column.cells[place[row]]
    if isinstance(value, str) and cell == value and _PLAIN_VALUE.fullmatch(value):
        return f", where=\"{path} == '{value}'\""
    plain = is_number(value) and frame.form != "csv" and _PLAIN_NUMBER.fullmatch(cell)
    return f', where="{path} == {cell}"' if plain else ""
