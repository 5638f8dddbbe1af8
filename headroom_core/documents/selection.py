"""Which documents stay, and which of their passages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from headroom_core.conversation.run import Run
from headroom_core.documents.diversity import select_diverse
from headroom_core.documents.ranking import Ranking, RankingQuery
from headroom_core.documents.splitting import PieceList, SplitDocument
from headroom_core.messages import Action, Block, Change
from headroom_core.relevance import Scorer
from headroom_core.transforms.router import Outcome

TRANSFORM_NAME = "passages"
_FIRST = 0.5
"""What of the bar a long document's first passage has to reach where others stay."""


@dataclass(frozen=True, slots=True)
class SelectionCriteria:
    """Which whole documents are wanted.

    Attributes:
        most: how many at most; None for any number.
        least_score: the score below which none is.
        diverse: whether documents that say the same as better ones give way.
    """

    most: int | None = None
    least_score: float = 0.0
    diverse: bool = False


@dataclass(frozen=True)
class RankedDocuments:
    """Documents, and how much their passages have to do with a query.

    Attributes:
        readings: the documents as they are read.
        ranking: what is known of their passages, document by document.
    """

    readings: Sequence[SplitDocument]
    ranking: Ranking

    @classmethod
    def by(
        cls, query: RankingQuery, readings: Sequence[SplitDocument], scorer: Scorer | None
    ) -> RankedDocuments:
        """Return documents with the scores of their passages."""
        texts = [reading.portions[at].text for reading in readings for at in reading.passages]
        titles = [title for reading in readings for title in reading.titles()]
        names = [name for reading in readings for name in reading.names()]
        return cls(readings, query.ranking(texts, titles, scorer, names))

    @cached_property
    def places(self) -> list[tuple[int, int]]:
        """The document of each passage, and its place in there."""
        return [
            (at, place) for at, reading in enumerate(self.readings) for place in reading.passages
        ]

    @cached_property
    def scores(self) -> list[float]:
        """The score of each document, which is that of its best passage; empty where nothing is known."""
        each = iter(self.ranking.scores)
        return (
            [max(next(each) for _ in reading.passages) for reading in self.readings]
            if self.ranking.scores
            else []
        )

    def passages(self, bar: float) -> list[set[int]]:
        """Return for each document the places of its passages that count as answers from a bar on.

        Of a long document none counts that has nothing to do with the query, and the first one from half the bar on
        where another one does, because it says what they are about.
        """
        scores, found = self.ranking.scores, [set[int]() for _ in self.readings]
        for at in self.ranking.relevant(bar):
            document, place = self.places[at]
            if scores[at] or not self.readings[document].apart:
                found[document].add(place)
        for (document, place), score in zip(self.places, scores):
            if (
                found[document]
                and place == self.readings[document].passages[0]
                and score >= _FIRST * bar
            ):
                found[document].add(place)
        return found

    def order(self, documents: Sequence[int] | None) -> list[tuple[int, int]]:
        """Return the passages, the best first, or those of the first document first where documents are ordered."""
        order = self.ranking.order() if self.ranking.scores else range(len(self.places))
        found = [self.places[at] for at in order]
        if documents is None:
            return found
        rank = {document: at for at, document in enumerate(documents)}
        return sorted((one for one in found if one[0] in rank), key=lambda one: rank[one[0]])


@dataclass(frozen=True, slots=True)
class SelectedDocument:
    """What a document became.

    Attributes:
        block: the document as it goes.
        change: what was done with it.
        kept: the places of the passages that stay.
    """

    block: Block
    change: Change
    kept: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        """The text as it goes."""
        return self.block.text

    def with_text(self, text: str, action: Action, reason: str, tokens: int) -> SelectedDocument:
        """Return the document with another text, which has that many tokens."""
        change = replace(
            self.change, action=action, by=TRANSFORM_NAME, reason=reason, tokens_after=tokens
        )
        return replace(self, block=self.block.with_text(text), change=change)


def select_documents(
    run: Run, blocks: Sequence[Block], ranked: RankedDocuments, wanted: SelectionCriteria
) -> tuple[list[SelectedDocument], list[int] | None]:
    """Return what documents become where no budget is set, and in which order one fills them if not by passages.

    What stays is compressed without a loss.
    """
    ccr = run.config.ccr
    bar = ranked.ranking.bar(run.config.relevance.relevance_threshold)
    if ranked.scores and ccr.enabled and ccr.inject_marker:
        kept = ranked.passages(bar)
    else:
        kept = [set(reading.passages) for reading in ranked.readings]
    reasons = _irrelevant(ranked, kept, bar, wanted)
    others = [at for at, block in enumerate(blocks) if block.text and at not in reasons]
    best = _best(others, blocks, ranked.scores or [1.0] * len(blocks), wanted)
    why = (
        "others say the same"
        if wanted.most is None
        else f"it is not among the best max_documents = {wanted.most}"
    )
    reasons |= dict.fromkeys(set(others).difference(best), why)
    chosen = [
        _left_out(run, block, reasons[at])
        if at in reasons and block.text
        else _kept(run, block, reading, kept[at])
        for at, (block, reading) in enumerate(zip(blocks, ranked.readings))
    ]
    return chosen, best if wanted.diverse else None


def _irrelevant(
    ranked: RankedDocuments, kept: Sequence[set[int]], bar: float, wanted: SelectionCriteria
) -> dict[int, str]:
    """Return why documents have too little to do with the query."""
    below = "its score is {:.2f} of the best one's, below {}{:.2f}"
    reasons = {}
    for at, score in enumerate(ranked.scores):
        if not kept[at]:
            reasons[at] = below.format(score, "", bar)
        elif score < wanted.least_score:
            reasons[at] = below.format(score, "min_relevance = ", wanted.least_score)
    return reasons


def _best(
    places: Sequence[int],
    blocks: Sequence[Block],
    scores: Sequence[float],
    wanted: SelectionCriteria,
) -> list[int]:
    """Return the documents that are wanted, the best first."""
    if wanted.diverse:
        texts, own = [blocks[at].text for at in places], [scores[at] for at in places]
        return [places[at] for at in select_diverse(texts, own, wanted.most)]
    return sorted(places, key=lambda at: -scores[at])[: wanted.most]


def _left_out(run: Run, block: Block, reason: str) -> SelectedDocument:
    tokens = run.tokenizer.count_text(block.text)
    return SelectedDocument(
        block.with_text(""),
        Change(block.message, block.path, "dropped", TRANSFORM_NAME, reason, tokens, 0),
    )


def _kept(run: Run, block: Block, reading: SplitDocument, kept: Iterable[int]) -> SelectedDocument:
    """Return a document with those of its passages that stay."""
    staying = frozenset(kept)
    if len(staying) < len(reading.passages) and block.text:
        parts: dict[int, PieceList] = {at: [(reading.portions[at].text, True)] for at in staying}
        cut = block.with_text(reading.shown(parts, reading.above(staying)))
        outcome, tokens = _routed(run, cut), run.tokenizer.count_text(block.text)
        if outcome.tokens_after < tokens:
            reason = f"{len(staying)} of {len(reading.passages)} passages have to do with the query"
            change = Change(
                block.message,
                block.path,
                "selected",
                TRANSFORM_NAME,
                reason,
                tokens,
                outcome.tokens_after,
            )
            return SelectedDocument(
                cut if outcome.text is None else cut.with_text(outcome.text), change, staying
            )
    return SelectedDocument(*_routed(run, block).applied_to(block, ""), frozenset(reading.passages))


def _routed(run: Run, block: Block) -> Outcome:
    """Return what a text becomes without a loss."""
    if not run.config.content_router_enabled:
        return run.router.kept(block, "content_router_enabled is off")
    otherwise = f"document {block.message} was passed through unchanged"
    outcome = run.edge.attempt(otherwise, lambda: run.router.route(block, "", "", selecting=False))
    return outcome or run.router.failed(block)
