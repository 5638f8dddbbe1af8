"""Filling of a token budget with documents, passages, and parts of passages."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from headroom_core.conversation.run import RunContext
from headroom_core.documents.ranking import RankingQuery
from headroom_core.documents.rows import RowCutter
from headroom_core.documents.selection import PassageLocation, RankedDocuments, SelectedDocument
from headroom_core.documents.splitting import PieceList
from headroom_core.text.json_spans import find_json
from headroom_core.text.sentences import ELLIPSIS, excerpt
from headroom_core.text.units import TextUnit, split_units
from headroom_core.tokens.tokenizer import Tokenizer

# Where the count turns out too high, one in this many units or tokens is given up at once: few
# enough to lose little, many enough not to count for long.
_BACKOFF_DIVISOR = 8

# The ellipses that may stand before and after a passage, and their tokens with it.
_ELLIPSES = f"{ELLIPSIS}\n\n{ELLIPSIS}\n\n"


@dataclass(frozen=True, slots=True)
class _FittedPassage:
    """Passage, or a part of it, that fits into a budget.

    Attributes:
        pieces: Pieces of the passage, each with whether it is kept.
        tokens: Tokens that the passage takes, its ellipses and headings included.
        above: Indices of the headings that are kept along with it.
        fits: How much of it fits, for readers. Empty if all of it does.
    """

    pieces: PieceList
    tokens: int
    above: tuple[int, ...] = ()
    fits: str = ""


def tokens_used(documents: Sequence[SelectedDocument], overheads: Sequence[int]) -> int:
    """Return the tokens of documents, including the overhead of each one that is kept."""
    return sum(
        document.change.tokens_after + overhead
        for document, overhead in zip(documents, overheads)
        if document.text
    )


class BudgetFiller:
    """Fills a token budget with as much of some documents as fits.

    Args:
        run: Request that the documents belong to.
        query: Query that sentences are ranked by.
        ranked: Documents with the scores of their passages.
        selected: Documents after the selection.
        overheads: Tokens that come with each document that is kept.
        budget: Maximum number of tokens.
    """

    def __init__(
        self,
        run: RunContext,
        *,
        query: RankingQuery,
        ranked: RankedDocuments,
        selected: Sequence[SelectedDocument],
        overheads: Sequence[int],
        budget: int,
    ) -> None:
        self._tokenizer = run.tokenizer
        self._count = run.tokenizer.count_text
        self._query = query
        self._documents = ranked.documents
        self._selected = selected
        self._overheads = overheads
        self._budget = budget
        self._row_cutters: dict[PassageLocation, RowCutter | None] = {}

    def fill(self, order: Iterable[PassageLocation]) -> list[SelectedDocument]:
        """Return the documents with whole passages while they fit, then parts of further ones.

        If nothing fits, the best sentence or line of the first passage is kept all the same.

        Args:
            order: Locations of the passages, the best first.
        """
        kept = [location for location in order if self._is_kept(*location)]
        room = self._budget
        documents = self._fill_room(kept, room)
        # Passages are counted apart, and together they may have more tokens.
        excess = tokens_used(documents, self._overheads) - self._budget
        while excess > 0:
            room -= max(excess, room // _BACKOFF_DIVISOR)
            documents = self._fill_room(kept, room)
            excess = tokens_used(documents, self._overheads) - self._budget
        if kept and not any(document.text for document in documents):
            documents[kept[0][0]] = self._shortest_cut(*kept[0])
        return documents

    def _is_kept(self, document_index: int, part_index: int) -> bool:
        selected = self._selected[document_index]
        return bool(selected.text) and part_index in selected.kept

    def _fill_room(self, order: Sequence[PassageLocation], room: int) -> list[SelectedDocument]:
        fitted: list[dict[int, _FittedPassage]] = [{} for _ in self._selected]
        for document_index, part_index in order:
            others = fitted[document_index]
            overhead = 0 if others else self._overheads[document_index]
            passage = self._fit_passage(
                document_index, part_index, room - overhead, others.values()
            )
            if passage:
                others[part_index] = passage
                room -= passage.tokens + overhead
        return [self._with_passages(index, passages) for index, passages in enumerate(fitted)]

    def _fit_passage(
        self, document_index: int, part_index: int, room: int, others: Iterable[_FittedPassage]
    ) -> _FittedPassage | None:
        """Return as much of a passage as fits, or None if nothing does.

        Args:
            document_index: Index of the document.
            part_index: Index of the passage among its parts.
            room: Number of tokens that are left.
            others: Passages of the same document that fit already.
        """
        document = self._documents[document_index]
        text = self._passage_text(document_index, part_index)
        if document.is_divided:
            tokens, ellipses = self._count(text), self._count(_ELLIPSES)
        else:
            tokens, ellipses = self._selected[document_index].change.tokens_after, 0
        paid = {heading for other in others for heading in other.above}
        above = tuple(
            heading for heading in document.parts[part_index].above if heading not in paid
        )
        headings = sum(self._count(document.parts[heading].text) for heading in above)
        total = tokens + ellipses + headings
        if total <= max(0, room):
            return _FittedPassage([(text, True)], total, above)
        return self._cut_passage(
            document_index, part_index, tokens, room=room - ellipses, overhead=ellipses
        )

    def _cut_passage(
        self,
        document_index: int,
        part_index: int,
        tokens: int,
        *,
        room: int,
        overhead: int = 0,
        min_units: int = 0,
    ) -> _FittedPassage | None:
        """Return a passage cut to its best rows, sentences or lines, or None if it cannot be cut.

        Args:
            document_index: Index of the document.
            part_index: Index of the passage among its parts.
            tokens: Number of tokens of the passage.
            room: Number of tokens that are left.
            overhead: Tokens that come with the passage.
            min_units: Number of rows or units to keep even if they do not fit.
        """
        text = self._documents[document_index].parts[part_index].text
        is_table = self._selected[document_index].change.action == "rewritten"
        rows = self._find_rows(document_index, part_index) if is_table or _is_json(text) else None
        if rows is not None:
            table = rows.cut(room, min_units)
            pieces: PieceList = [(table.text, True)] if table else []
            fits = table.fits if table else ""
        else:
            pieces = _cut_text(text, self._query, self._tokenizer, room=room, min_units=min_units)
            fits = (
                f"{sum(is_kept for _, is_kept in pieces)} of {len(pieces)} sentences or lines fit"
            )
        cost = self._count(_render_pieces(pieces))
        return _FittedPassage(pieces, cost + overhead, fits=fits) if 0 < cost < tokens else None

    def _find_rows(self, document_index: int, part_index: int) -> RowCutter | None:
        """Return the rows of a passage that is mostly a table, else None."""
        location = document_index, part_index
        if location not in self._row_cutters:
            text = self._documents[document_index].parts[part_index].text
            cutter = RowCutter(text, self._query, self._tokenizer)
            self._row_cutters[location] = cutter if cutter.is_structured else None
        return self._row_cutters[location]

    def _shortest_cut(self, document_index: int, part_index: int) -> SelectedDocument:
        """Return a document with the best sentence or line of a passage, or with all of it."""
        selected = self._selected[document_index]
        is_divided = self._documents[document_index].is_divided
        text = self._passage_text(document_index, part_index)
        tokens = self._count(text) if is_divided else selected.change.tokens_after
        passage = self._cut_passage(document_index, part_index, tokens, room=0, min_units=1)
        if passage is None:
            if not is_divided:
                return selected
            passage = _FittedPassage([(text, True)], tokens)
        return self._with_passages(document_index, {part_index: passage})

    def _with_passages(
        self, document_index: int, passages: Mapping[int, _FittedPassage]
    ) -> SelectedDocument:
        """Return a document with the passages that fit."""
        selected, document = self._selected[document_index], self._documents[document_index]
        is_whole = passages.keys() == selected.kept and not any(
            passage.fits for passage in passages.values()
        )
        if is_whole or not selected.text:
            return selected
        if not passages:
            reason = f"does not fit into token_budget = {self._budget} after better documents"
            return selected.with_text("", "dropped", reason, 0)
        if document.is_divided:
            pieces = {index: passage.pieces for index, passage in passages.items()}
            above = {heading for passage in passages.values() for heading in passage.above}
            text = document.render(pieces, above)
            fits = f"{len(passages)} of {len(document.passages)} passages fit"
        else:
            (passage,) = passages.values()
            text, fits = _render_pieces(passage.pieces), passage.fits
        reason = f"{fits} into token_budget = {self._budget}"
        return selected.with_text(text, "selected", reason, self._count(text))

    def _passage_text(self, document_index: int, part_index: int) -> str:
        document = self._documents[document_index]
        if document.is_divided:
            return document.parts[part_index].text
        return self._selected[document_index].text


def _render_pieces(pieces: PieceList) -> str:
    """Return the text of a passage, with `[…]` instead of the pieces that are dropped."""
    kept = [index for index, (_, is_kept) in enumerate(pieces) if is_kept]
    return excerpt([text for text, _ in pieces], kept)


def _cut_text(
    text: str, query: RankingQuery, tokenizer: Tokenizer, *, room: int, min_units: int
) -> PieceList:
    """Cut a text to its best units; without any if none fits or it cannot be cut.

    Args:
        text: Text to cut.
        query: Query that units are ranked by.
        tokenizer: Tokenizer to count with.
        room: Maximum number of tokens.
        min_units: Number of units to keep even if they do not fit.
    """
    if (room < 1 and not min_units) or _is_json(text):
        return []
    # JSON inside prose is one unit; lines of JSON may be kept one by one.
    json_spans = [(span.start, span.end) for span in find_json(text) if span.form == "value"]
    units = split_units(text, json_spans)
    texts = [unit.text for unit in units]
    groups = _UnitSelector(units, tokenizer, room).select(query.score_texts(texts), min_units)
    # If counts are estimates, units may count fewer tokens apart than together.
    while len(groups) > min_units and tokenizer.count_text(excerpt(texts, chain(*groups))) > room:
        del groups[max(min_units, len(groups) - 1 - len(groups) // _BACKOFF_DIVISOR) :]
    if not groups:
        return []
    kept = set(chain(*groups))
    return [(unit_text, index in kept) for index, unit_text in enumerate(texts)]


class _UnitSelector:
    """Selects units of a text that fit into a number of tokens, the ellipses between included.

    Spaces are counted with the text that follows them, and line breaks with the text that they end,
    as tokenizers merge them: for prose the sum is hardly ever off if the vocabulary is available.

    Args:
        units: Units of the text.
        tokenizer: Tokenizer to count with.
        room: Maximum number of tokens.
    """

    def __init__(self, units: Sequence[TextUnit], tokenizer: Tokenizer, room: int) -> None:
        self._units, self._count, self._room = units, tokenizer.count_text, room
        bodies = [unit.text.rstrip() for unit in units]
        spaces = [unit.text[len(body) :] for unit, body in zip(units, bodies, strict=True)]
        # Line breaks end a unit; the indentation after them leads the next. The last unit has all.
        self._ends = [space[: space.rfind("\n") + 1] for space in spaces[:-1]] + spaces[-1:]
        leads = [space[len(end) :] for space, end in zip(spaces, self._ends, strict=True)]
        self._leads = ["", *leads]
        self._texts = [
            lead + body + end
            for lead, body, end in zip(self._leads, bodies, self._ends, strict=False)
        ]
        self._kept: set[int] = set()
        # With nothing kept, the whole text is one ellipsis.
        self._spent = 0
        if units:
            self._spent = self._ellipsis_start(0) + self._ellipsis_end(len(units) - 1)

    def select(self, scores: Sequence[float], min_units: int) -> list[list[int]]:
        """Return the indices of the best units that fit, each grouped with those that it needs.

        Units that do not match the query are kept only as neighbours of others, or if none matches.

        Args:
            scores: Score of each unit.
            min_units: Number of units to keep even if they do not fit.
        """
        best_first = sorted(range(len(scores)), key=lambda index: -scores[index])
        matching = [index for index in best_first if scores[index]]
        groups: list[list[int]] = []
        for index in matching or best_first:
            group = self._keep(index, force=len(groups) < min_units)
            if group:
                groups.append(group)
        # Spread outwards from the units that match, while their neighbours fit.
        neighbours_of = deque(chain(*groups) if matching else ())
        while neighbours_of:
            index = neighbours_of.popleft()
            for neighbour in (index + 1, index - 1):
                if 0 <= neighbour < len(scores):
                    group = self._keep(neighbour)
                    if group:
                        groups.append(group)
                        neighbours_of.extend(group)
        return groups

    def _keep(self, index: int, force: bool = False) -> list[int]:
        """Keep a unit and those that it needs, if they fit.

        Args:
            index: Index of the unit.
            force: Whether to keep them even if they do not fit.

        Returns:
            The indices of the units that were added.
        """
        needed = dict.fromkeys((*self._units[index].needs, index))
        group = [unit_index for unit_index in needed if unit_index not in self._kept]
        spent_before = self._spent
        # The cost of each depends on its neighbours, so they are added one by one and taken back.
        for unit_index in group:
            self._spent += self._cost(unit_index)
            self._kept.add(unit_index)
        if self._spent <= self._room or force:
            return group
        self._kept.difference_update(group)
        self._spent = spent_before
        return []

    def _cost(self, index: int) -> int:
        """Return how many tokens are added if a unit is kept too.

        It takes its own tokens, and ellipses on either side that begin, end or disappear.
        """
        last = len(self._units) - 1
        if index == 0 or index - 1 in self._kept:
            before = -self._ellipsis_start(index)
        else:
            before = self._ellipsis_end(index - 1)
        if index == last or index + 1 in self._kept:
            after = -self._ellipsis_end(index)
        else:
            after = self._ellipsis_start(index + 1)
        return self._count(self._texts[index]) + before + after

    def _ellipsis_start(self, index: int) -> int:
        """Return the tokens of an ellipsis that begins instead of a unit."""
        return self._count(self._leads[index] + ELLIPSIS)

    def _ellipsis_end(self, index: int) -> int:
        """Return the tokens that an ellipsis has more if it ends instead of a unit."""
        return self._count(ELLIPSIS + self._ends[index]) - self._count(ELLIPSIS)


def _is_json(text: str) -> bool:
    """Return whether a text is JSON, whose apparent sentences are parts of values."""
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(text), (dict, list))
    return False
