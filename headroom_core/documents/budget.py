"""What of some documents fits into a number of tokens."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from headroom_core.conversation.run import RunContext
from headroom_core.documents.ranking import RankingQuery
from headroom_core.documents.selection import RankedDocuments, SelectedDocument
from headroom_core.documents.splitting import PieceList
from headroom_core.text.json_spans import find_json
from headroom_core.text.sentences import ELLIPSIS, excerpt
from headroom_core.text.units import TextUnit, split_units
from headroom_core.tokens.tokenizer import Tokenizer

_GIVEN_UP = 8
"""One in so many kept units, or tokens of the room, is given up at once where there are too many."""

_MARKS = f"{ELLIPSIS}\n\n{ELLIPSIS}\n\n"
"""The marks that may stand around a passage."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """What of a passage stays, what that costs, and the places of the headings that come along."""

    part: PieceList
    tokens: int
    above: tuple[int, ...] = ()


def tokens_used(chosen: Sequence[SelectedDocument], overheads: Sequence[int]) -> int:
    """Return the tokens of documents, with those that come with each one that stays."""
    return sum(
        one.change.tokens_after + overhead for one, overhead in zip(chosen, overheads) if one.text
    )


class BudgetFiller:
    """What of documents fits into a number of tokens.

    Args:
        run: the request.
        query: what sentences are scored against.
        ranked: the documents as they came.
        chosen: what they became.
        overheads: the tokens that come with each document that stays.
        tokens: the budget.
    """

    def __init__(
        self,
        run: RunContext,
        query: RankingQuery,
        ranked: RankedDocuments,
        chosen: Sequence[SelectedDocument],
        overheads: Sequence[int],
        tokens: int,
    ) -> None:
        self._tokenizer, self._count, self._query = run.tokenizer, run.tokenizer.count_text, query
        self._readings, self._chosen, self._overheads, self._tokens = (
            ranked.readings,
            chosen,
            overheads,
            tokens,
        )

    def fit(self, order: Sequence[tuple[int, int]]) -> list[SelectedDocument]:
        """Return the documents, passages whole while there is room, then what parts of others there is room for.

        Args:
            order: the passages, the best first.
        """
        order = [
            (at, place)
            for at, place in order
            if self._chosen[at].text and place in self._chosen[at].kept
        ]
        room = self._tokens
        fitted = self._filled(order, room)
        while (over := tokens_used(fitted, self._overheads) - self._tokens) > 0:
            room -= max(over, room // _GIVEN_UP)
            fitted = self._filled(order, room)
        if order and not any(one.text for one in fitted):
            fitted[order[0][0]] = self._least(*order[0])
        return fitted

    def _filled(self, order: Sequence[tuple[int, int]], room: int) -> list[SelectedDocument]:
        taken: list[dict[int, _Taken]] = [{} for _ in self._chosen]
        for at, place in order:
            overhead = 0 if taken[at] else self._overheads[at]
            if one := self._taken(at, place, room - overhead, taken[at].values()):
                taken[at][place] = one
                room -= one.tokens + overhead
        return [self._with(at, parts) for at, parts in enumerate(taken)]

    def _taken(self, at: int, place: int, room: int, others: Iterable[_Taken]) -> _Taken | None:
        """Return as much of a passage as there is room for, None where nothing fits."""
        text, beside = self._text(at, place), self._count(_MARKS) if self._readings[at].apart else 0
        there = {head for other in others for head in other.above}
        above = tuple(
            head for head in self._readings[at].portions[place].above if head not in there
        )
        heads = sum(self._count(self._readings[at].portions[head].text) for head in above)
        whole = beside + (
            self._count(text) if self._readings[at].apart else self._chosen[at].change.tokens_after
        )
        if whole + heads <= max(0, room):
            return _Taken([(text, True)], whole + heads, above)
        return self._part(at, text, whole - beside, room - beside, beside)

    def _part(
        self, at: int, text: str, tokens: int, room: int, beside: int = 0, least: int = 0
    ) -> _Taken | None:
        structured = self._chosen[at].change.action == "rewritten"
        part = None if structured else _part(text, self._query, self._tokenizer, room, least)
        cost = self._count(_written(part)) if part else tokens
        return _Taken(part, cost + beside) if part and cost < tokens else None

    def _least(self, at: int, place: int) -> SelectedDocument:
        """Return a document with the best sentence or line of a passage, or what cannot be cut."""
        text, was = self._text(at, place), self._chosen[at]
        tokens = self._count(text) if self._readings[at].apart else was.change.tokens_after
        one = self._part(at, text, tokens, 0, least=1)
        if one is None and not self._readings[at].apart:
            return was
        return self._with(at, {place: one or _Taken([(text, True)], tokens)})

    def _with(self, at: int, taken: Mapping[int, _Taken]) -> SelectedDocument:
        """Return a document with what stays of its passages."""
        was, reading = self._chosen[at], self._readings[at]
        whole = taken.keys() == was.kept and all(
            stays for one in taken.values() for _, stays in one.part
        )
        if whole or not was.text:
            return was
        if not taken:
            return was.with_text(
                "",
                "dropped",
                f"it does not fit into token_budget = {self._tokens} beside better ones",
                0,
            )
        if self._readings[at].apart:
            above = {head for one in taken.values() for head in one.above}
            text = reading.shown({place: one.part for place, one in taken.items()}, above)
            reason = f"{len(taken)} of {len(reading.passages)} passages fit"
        else:
            (one,) = taken.values()
            text = _written(one.part)
            reason = (
                f"{sum(stays for _, stays in one.part)} of {len(one.part)} sentences or lines fit"
            )
        return was.with_text(
            text, "selected", f"{reason} into token_budget = {self._tokens}", self._count(text)
        )

    def _text(self, at: int, place: int) -> str:
        return (
            self._readings[at].portions[place].text
            if self._readings[at].apart
            else self._chosen[at].text
        )


def _written(part: PieceList) -> str:
    """Return a passage with `[…]` in the place of what does not stay."""
    return excerpt([text for text, _ in part], [at for at, (_, stays) in enumerate(part) if stays])


def _part(
    text: str, query: RankingQuery, tokenizer: Tokenizer, room: int, least: int
) -> PieceList | None:
    """Return a passage with as many of its units as there is room for, the best first; None where none fits.

    Args:
        text: the passage.
        query: what units are scored against.
        tokenizer: counts the tokens.
        room: the tokens that the passage may have.
        least: the units that are kept beyond that.
    """
    if (room < 1 and not least) or _is_json(text):
        return None
    own = split_units(
        text, [(span.start, span.end) for span in find_json(text) if not span.is_json_lines]
    )
    parts = [unit.text for unit in own]
    kept = _Choice(own, tokenizer, room).filled(query.scores(parts), least)
    # Where counts are estimates, parts may count fewer tokens than together.
    while len(kept) > least and tokenizer.count_text(excerpt(parts, chain(*kept))) > room:
        del kept[max(least, len(kept) - 1 - len(kept) // _GIVEN_UP) :]
    staying = set(chain(*kept))
    return [(part, at in staying) for at, part in enumerate(parts)] if kept else None


class _Choice:
    """What of a text is kept, and the tokens of that with the marks between.

    Spaces count with what follows them, and line ends with what they end, as tokens have it: for prose the sum is
    hardly ever off where the model's vocabulary is at hand.

    Args:
        units: the text's units.
        tokenizer: counts the tokens.
        room: the tokens that there may be.
    """

    def __init__(self, split_units: Sequence[TextUnit], tokenizer: Tokenizer, room: int) -> None:
        self._units, self._count, self._room = split_units, tokenizer.count_text, room
        bodies = [unit.text.rstrip() for unit in split_units]
        spaces = [unit.text[len(body) :] for unit, body in zip(split_units, bodies, strict=True)]
        ends = [space[: space.rfind("\n") + 1] for space in spaces[:-1]] + spaces[-1:]
        self._leads = ["", *(space[len(end) :] for space, end in zip(spaces, ends, strict=True))]
        self._ends = ends
        self._own = list(map("".join, zip(self._leads, bodies, ends, strict=False)))
        self._kept: set[int] = set()
        self._spent = self._opened(0) + self._closed(len(split_units) - 1) if split_units else 0

    def filled(self, scores: Sequence[float], least: int) -> list[list[int]]:
        """Keep the best units that there is room for, and return them, each with those that it needs.

        Units that have nothing to do with the query are kept beside kept ones only, or where none has anything.

        Args:
            scores: the score of each unit.
            least: the units that are kept in any case.
        """
        order = sorted(range(len(scores)), key=lambda at: -scores[at])
        telling = [at for at in order if scores[at]]
        groups: list[list[int]] = []
        for at in telling or order:
            groups += self._taken(at, len(groups) < least)
        beside = deque(chain(*groups) if telling else ())
        while beside:
            at = beside.popleft()
            for other in (at + 1, at - 1):
                if 0 <= other < len(scores):
                    more = self._taken(other)
                    groups += more
                    beside.extend(chain(*more))
        return groups

    def _taken(self, at: int, anyway: bool = False) -> list[list[int]]:
        """Keep a unit and those that it needs, if there is room: return them as a group, else no group."""
        group = [
            place
            for place in dict.fromkeys((*self._units[at].needs, at))
            if place not in self._kept
        ]
        tokens_used = self._spent
        for place in group:
            self._spent += self._cost(place)
            self._kept.add(place)
        if self._spent <= self._room or anyway:
            return [group] if group else []
        self._kept.difference_update(group)
        self._spent = tokens_used
        return []

    def _cost(self, at: int) -> int:
        """Return how many tokens more there are when a unit is kept too: its own, and what marks then begin or end."""
        before = -self._opened(at) if at == 0 or at - 1 in self._kept else self._closed(at - 1)
        last = at == len(self._units) - 1
        after = -self._closed(at) if last or at + 1 in self._kept else self._opened(at + 1)
        return self._count(self._own[at]) + before + after

    def _opened(self, at: int) -> int:
        """Return the tokens of a mark that begins in the place of a unit."""
        return self._count(self._leads[at] + ELLIPSIS)

    def _closed(self, at: int) -> int:
        """Return the tokens more that a mark has that ends in the place of a unit."""
        return self._count(ELLIPSIS + self._ends[at]) - self._count(ELLIPSIS)


def _is_json(text: str) -> bool:
    """Return whether a text is JSON, whose sentences would be parts of values."""
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(text), (dict, list))
    return False
