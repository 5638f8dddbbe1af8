"""Retrieved passages, chosen and shortened before they are put into a prompt."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from headroom_core.compressors.detect import find_json
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError, ValidationError
from headroom_core.messages import Action, Block, Change, as_list
from headroom_core.passages import Query, Ranking, title_of
from headroom_core.relevance import Scorer, scorer_from
from headroom_core.results import DocumentsResult
from headroom_core.run import Run, block_tokens
from headroom_core.sentences import GAP, excerpt
from headroom_core.stores import Store
from headroom_core.tokens import Tokenizer
from headroom_core.transforms.limits import check_budget
from headroom_core.transforms.router import Outcome
from headroom_core.units import Unit, units

_BY = "passages"
_GIVEN_UP = 8
"""One in so many kept units is given up at once where they are too many."""


def compress_documents(
    texts: Sequence[str],
    query: str | None = None,
    *,
    token_budget: int | None = None,
    model: str = "gpt-4o",
    config: HeadroomConfig | None = None,
    store: Store | None = None,
    titles: Sequence[str | None] | None = None,
    scorer: Scorer | None = None,
) -> DocumentsResult:
    """Leave out the passages that have little to do with the query, and shorten the others.

    Passages stay whole. Only where they have more tokens than the budget are they cut: prose between sentences, code,
    tables and logs between lines.

    Args:
        texts: the passages.
        query: what was asked. None: no passage is left out unless the budget demands it, the last ones first.
        token_budget: tokens that the passages should have at most; a warning says when even the best sentence has
            more.
        model: the model that they are for.
        config: the settings. None: the defaults. `relevance` says how passages are scored, and from which share of
            the best score on they stay; `ccr` off, that only the budget leaves any out.
        store: not needed here, because the caller holds the originals.
        titles: the passages' titles, None where one has none. Without them a passage's heading or subject is taken.
        scorer: scores the passages, in the place of the one that the settings name.

    Raises:
        TypeError: the texts or titles are no list of texts, or the query is no text.
        ValidationError: there are more or fewer titles than texts.
        ConfigurationError: the settings, the store, the scorer or the budget are of no use.

    Example:
        >>> passages = ["The Elbe is 1,094 km long.", "The Oder is 840 km long.", "Jan Hus was a priest.", "It rained."]
        >>> compress_documents(passages, "How long is the Elbe?").texts
        ['The Elbe is 1,094 km long.', 'The Oder is 840 km long.', 'Jan Hus was a priest.', '']
    """
    check_budget(token_budget)
    if not isinstance(query, (str, type(None))):
        raise TypeError(f"query is of type {type(query).__name__}: give a text, or None")
    run = Run(config, Tokenizer(model), store, query, lossless=True)
    passages = _all_texts("texts", texts)
    named = _titles(titles, passages)
    chosen = _scorer(scorer, run.config)
    run.scorers.append(chosen)
    asked = Query(query or "", run.config.relevance.bm25_k1, run.config.relevance.bm25_b)
    otherwise = "no passage was left out for its relevance"
    ranking = run.edge.guarded(otherwise, lambda: asked.ranking(passages, named, chosen)) or Ranking([], 0)
    blocks = tuple(Block(at, ("text",), "document", text) for at, text in enumerate(passages))
    outcomes = _relevant(run, blocks, ranking)
    if token_budget is not None and sum(outcome.change.tokens_after for outcome in outcomes) > token_budget:
        order = ranking.order() if ranking.scores else range(len(blocks))
        outcomes = _Budget(run.tokenizer, asked, token_budget).fitted(outcomes, order)
    changes = tuple(outcome.change for outcome in outcomes)
    before, after = block_tokens(changes)
    run.check_budget(after, token_budget)
    return DocumentsResult(
        texts=[outcome.text for outcome in outcomes],
        scores=ranking.scores or [0.0 if asked.text.strip() else 1.0] * len(blocks),
        tokens_before=before,
        tokens_after=after,
        changes=changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a passage became.

    Attributes:
        block: the passage as it goes.
        change: what was done with it.
    """

    block: Block
    change: Change

    @property
    def text(self) -> str:
        """The text as it goes."""
        return self.block.text

    def with_text(self, text: str, action: Action, reason: str, tokens: int) -> _Outcome:
        """Return the passage with another text, which has that many tokens."""
        was = self.change
        change = Change(was.message, was.path, action, _BY, reason, was.tokens_before, tokens)
        return _Outcome(self.block.with_text(text), change)


def _relevant(run: Run, blocks: Sequence[Block], ranking: Ranking) -> list[_Outcome]:
    """Return what passages become where no budget is set: those that stay are compressed without a loss."""
    bar = ranking.bar(run.config.relevance.relevance_threshold)
    choosing = ranking.scores and run.config.ccr.enabled and run.config.ccr.inject_marker
    kept = ranking.relevant(bar) if choosing else range(len(blocks))
    outcomes = []
    for at, block in enumerate(blocks):
        if at in kept or not block.text:
            outcomes.append(_Outcome(*_routed(run, block).applied_to(block, "")))
        else:
            tokens = run.tokenizer.count_text(block.text)
            reason = f"its score is {ranking.scores[at]:.2f} of the best one's, below {bar:.2f}"
            outcomes.append(_Outcome(block.with_text(""), Change(at, block.path, "dropped", _BY, reason, tokens, 0)))
    return outcomes


def _routed(run: Run, block: Block) -> Outcome:
    """Return what a passage becomes without a loss."""
    if not run.config.content_router_enabled:
        return run.router.kept(block, "content_router_enabled is off")
    otherwise = f"document {block.message} was passed through unchanged"
    outcome = run.edge.guarded(otherwise, lambda: run.router.route(block, "", "", selecting=False))
    return outcome or run.router.failed(block)


@dataclass(frozen=True, slots=True)
class _Budget:
    """What of some passages fits into a number of tokens.

    Attributes:
        tokenizer: counts the tokens.
        query: what sentences are scored against.
        tokens: the budget.
    """

    tokenizer: Tokenizer
    query: Query
    tokens: int

    def fitted(self, outcomes: Sequence[_Outcome], order: Sequence[int]) -> list[_Outcome]:
        """Return the passages, whole while there is room, then what parts of others there is room for."""
        fitted, room = list(outcomes), self.tokens
        for at in order:
            if outcomes[at].change.tokens_after > max(0, room):
                reason = f"it does not fit into token_budget = {self.tokens} beside better ones"
                fitted[at] = self._part(outcomes[at], room) or outcomes[at].with_text("", "dropped", reason, 0)
            room -= fitted[at].change.tokens_after
        best = next((at for at in order if outcomes[at].text), None)
        if best is not None and not any(outcome.text for outcome in fitted):
            fitted[best] = self._part(outcomes[best], 0, least=1) or outcomes[best]
        return fitted

    def _part(self, outcome: _Outcome, room: int, least: int = 0) -> _Outcome | None:
        """Return a passage with as many of its units as there is room for, the best first; None where none fits.

        Args:
            outcome: the passage.
            room: the tokens that it may have.
            least: the units that are kept beyond that.
        """
        if (room < 1 and not least) or _is_structured(outcome):
            return None
        own = units(outcome.text, [(span.start, span.end) for span in find_json(outcome.text) if not span.lines])
        parts = [unit.text for unit in own]
        kept = _Choice(own, self.tokenizer, room).filled(self.query.scores(parts), least)
        # Where counts are estimates, parts may count fewer tokens than together.
        while len(kept) > least and self.tokenizer.count_text(excerpt(parts, chain(*kept))) > room:
            del kept[max(least, len(kept) - 1 - len(kept) // _GIVEN_UP) :]
        text = excerpt(parts, chain(*kept))
        tokens = self.tokenizer.count_text(text)
        if not kept or tokens >= outcome.change.tokens_after:
            return None
        staying = sum(map(len, kept))
        reason = f"{staying} of {len(parts)} sentences or lines fit into token_budget = {self.tokens}"
        return outcome.with_text(text, "selected", reason, tokens)


class _Choice:
    """What of a text is kept, and the tokens of that with the marks between.

    Spaces count with what follows them, and line ends with what they end, as tokens have it: for prose the sum is
    hardly ever off where the model's vocabulary is at hand.

    Args:
        units: the text's units.
        tokenizer: counts the tokens.
        room: the tokens that there may be.
    """

    def __init__(self, units: Sequence[Unit], tokenizer: Tokenizer, room: int) -> None:
        self._units, self._count, self._room = units, tokenizer.count_text, room
        bodies = [unit.text.rstrip() for unit in units]
        spaces = [unit.text[len(body) :] for unit, body in zip(units, bodies, strict=True)]
        ends = [space[: space.rfind("\n") + 1] for space in spaces[:-1]] + spaces[-1:]
        self._leads = ["", *(space[len(end) :] for space, end in zip(spaces, ends, strict=True))]
        self._ends = ends
        self._own = list(map("".join, zip(self._leads, bodies, ends, strict=False)))
        self._kept: set[int] = set()
        self._spent = self._opened(0) + self._closed(len(units) - 1) if units else 0

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
        group = [place for place in dict.fromkeys((*self._units[at].needs, at)) if place not in self._kept]
        spent = self._spent
        for place in group:
            self._spent += self._cost(place)
            self._kept.add(place)
        if self._spent <= self._room or anyway:
            return [group] if group else []
        self._kept.difference_update(group)
        self._spent = spent
        return []

    def _cost(self, at: int) -> int:
        """Return how many tokens more there are when a unit is kept too: its own, and what marks then begin or end."""
        before = -self._opened(at) if at == 0 or at - 1 in self._kept else self._closed(at - 1)
        last = at == len(self._units) - 1
        after = -self._closed(at) if last or at + 1 in self._kept else self._opened(at + 1)
        return self._count(self._own[at]) + before + after

    def _opened(self, at: int) -> int:
        """Return the tokens of a mark that begins in the place of a unit."""
        return self._count(self._leads[at] + GAP)

    def _closed(self, at: int) -> int:
        """Return the tokens more that a mark has that ends in the place of a unit."""
        return self._count(GAP + self._ends[at]) - self._count(GAP)


def _is_structured(outcome: _Outcome) -> bool:
    """Return whether a passage is a table or JSON, whose sentences would be parts of values."""
    if outcome.change.action == "rewritten":
        return True
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(outcome.text), (dict, list))
    return False


def _all_texts(name: str, values: Sequence[str]) -> list[str]:
    texts = as_list(name, values)
    if (odd := next((at for at, text in enumerate(texts) if not isinstance(text, str)), None)) is not None:
        raise TypeError(f"{name}[{odd}] is of type {type(texts[odd]).__name__}: give a list of texts")
    return texts


def _titles(titles: Sequence[str | None] | None, passages: Sequence[str]) -> list[str]:
    """Return a title for each passage: the one given, else what the passage itself tells."""
    given = [None] * len(passages) if titles is None else as_list("titles", titles)
    if len(given) != len(passages):
        message = (
            f"titles has {len(given)} entries for {len(passages)} texts: give one for each, None where it has none"
        )
        raise ValidationError(message, {"titles": len(given), "texts": len(passages)})
    return _all_texts("titles", [title or title_of(text) for title, text in zip(given, passages, strict=True)])


def _scorer(given: Scorer | None, config: HeadroomConfig) -> Scorer | None:
    """Return what scores the passages, None where their words do."""
    if isinstance(given, type):
        name = given.__name__
        raise ConfigurationError(f"scorer is the class {name}: give an object, such as {name}()", {"scorer": name})
    if given is not None and not isinstance(given, Scorer):
        kind = type(given).__name__
        raise ConfigurationError(f"scorer is of type {kind}: give one that has score_items", {"scorer": kind})
    if given is None and config.relevance.tier != "bm25":
        return scorer_from(config.relevance)
    return given
