"""Selection of the documents to keep, and of the passages to keep of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from headroom_core.conversation.run import RunContext
from headroom_core.documents.diversity import select_diverse
from headroom_core.documents.ranking import Ranking, RankingQuery
from headroom_core.documents.splitting import PieceList, SplitDocument
from headroom_core.messages import Action, Block, Change
from headroom_core.relevance import Scorer
from headroom_core.transforms.router import RouteResult

TRANSFORM_NAME = "passages"

# The first passage of a long document stays from this share of the threshold on if any other
# passage does: it introduces the subject of the others.
_FIRST_PASSAGE_SHARE = 0.5

PassageLocation = tuple[int, int]
"""Index of a document, and index of the passage among its parts."""


@dataclass(frozen=True, slots=True)
class SelectionCriteria:
    """Conditions that whole documents have to meet.

    Attributes:
        max_documents: Maximum number of documents. None for no limit.
        min_relevance: Score below which a document is dropped.
        prefer_diverse: Whether documents that repeat better ones give way to others.
    """

    max_documents: int | None = None
    min_relevance: float = 0.0
    prefer_diverse: bool = False


@dataclass(frozen=True)
class RankedDocuments:
    """Documents with the scores of their passages.

    Attributes:
        documents: Documents, split into passages.
        ranking: Scores of all passages, document by document.
    """

    documents: Sequence[SplitDocument]
    ranking: Ranking

    @classmethod
    def rank(
        cls, query: RankingQuery, documents: Sequence[SplitDocument], scorer: Scorer | None
    ) -> RankedDocuments:
        """Rank the passages of documents by their relevance to a query.

        Args:
            query: Query to rank by.
            documents: Documents, split into passages.
            scorer: Scorer to use instead of words.
        """
        texts = [
            document.parts[index].text for document in documents for index in document.passages
        ]
        titles = [title for document in documents for title in document.passage_titles()]
        names = [name for document in documents for name in document.passage_names()]
        return cls(documents, query.rank(texts, titles, scorer, names))

    @cached_property
    def locations(self) -> list[PassageLocation]:
        """Location of each passage."""
        return [
            (document_index, part_index)
            for document_index, document in enumerate(self.documents)
            for part_index in document.passages
        ]

    @cached_property
    def scores(self) -> list[float]:
        """Score of each document: that of its best passage. Empty if no passage matches."""
        if not self.ranking.scores:
            return []
        passage_scores = iter(self.ranking.scores)
        return [
            max([next(passage_scores) for _ in document.passages]) for document in self.documents
        ]

    def select_passages(self, threshold: float) -> list[set[int]]:
        """Return for each document the indices of its relevant passages.

        In a long document, a passage that does not match at all is never relevant; the first one is
        from half the threshold on if another one is, because it introduces their subject.

        Args:
            threshold: Share of the best score from which a passage is relevant.
        """
        scores = self.ranking.scores
        selected = [set[int]() for _ in self.documents]
        for index in self.ranking.select_relevant(threshold):
            document_index, part_index = self.locations[index]
            if scores[index] or not self.documents[document_index].is_divided:
                selected[document_index].add(part_index)
        for (document_index, part_index), score in zip(self.locations, scores):
            is_first = part_index == self.documents[document_index].passages[0]
            if is_first and selected[document_index] and score >= _FIRST_PASSAGE_SHARE * threshold:
                selected[document_index].add(part_index)
        return selected

    def fill_order(self, document_order: Sequence[int] | None) -> list[PassageLocation]:
        """Return the locations of the passages, in the order in which they fill a budget.

        Args:
            document_order: Indices of the documents to fill one after the other; the passages of
                others are omitted. None to go by the scores of the passages alone.
        """
        if self.ranking.scores:
            locations = [self.locations[index] for index in self.ranking.best_first()]
        else:
            locations = self.locations
        if document_order is None:
            return locations
        position = {document: index for index, document in enumerate(document_order)}
        known = [location for location in locations if location[0] in position]
        return sorted(known, key=lambda location: position[location[0]])


@dataclass(frozen=True, slots=True)
class SelectedDocument:
    """Document after the selection.

    Attributes:
        block: Block with the text to return, which is empty if the document is dropped.
        change: Change to the document.
        kept: Indices of the passages that are kept, among the document's parts.
    """

    block: Block
    change: Change
    kept: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        """Text to return."""
        return self.block.text

    def with_text(self, text: str, action: Action, reason: str, tokens: int) -> SelectedDocument:
        """Return the document with another text.

        Args:
            text: Text to return.
            action: Action of the change.
            reason: Reason for the change.
            tokens: Number of tokens of the text.
        """
        change = replace(
            self.change, action=action, by=TRANSFORM_NAME, reason=reason, tokens_after=tokens
        )
        return replace(self, block=self.block.with_text(text), change=change)


def select_documents(
    run: RunContext, blocks: Sequence[Block], ranked: RankedDocuments, criteria: SelectionCriteria
) -> tuple[list[SelectedDocument], list[int] | None]:
    """Select documents and their passages without regard to a budget, and compress them losslessly.

    Args:
        run: Request that the documents belong to.
        blocks: Block of each document.
        ranked: Documents with the scores of their passages.
        criteria: Conditions that whole documents have to meet.

    Returns:
        The documents, and the order in which they fill a budget if not by passages.
    """
    ccr = run.config.ccr
    threshold = ranked.ranking.scale_threshold(run.config.relevance.relevance_threshold)
    if ranked.scores and ccr.enabled and ccr.inject_marker:
        kept = ranked.select_passages(threshold)
        _add_best_documents(ranked, kept, criteria.max_documents)
    else:
        kept = [set(document.passages) for document in ranked.documents]
    reasons = _explain_irrelevant(ranked, kept, threshold, criteria)
    candidates = [
        index for index, block in enumerate(blocks) if block.text and index not in reasons
    ]
    scores = ranked.scores or [1.0] * len(blocks)
    best = _select_best(candidates, blocks, scores, criteria)
    reason = "repeats other documents"
    if criteria.max_documents is not None:
        reason = f"not among the best max_documents = {criteria.max_documents}"
    reasons.update(dict.fromkeys(set(candidates).difference(best), reason))
    selected = []
    for index, (block, document) in enumerate(zip(blocks, ranked.documents)):
        if index in reasons and block.text:
            selected.append(_drop_document(run, block, reasons[index]))
        else:
            selected.append(_keep_passages(run, block, document, kept[index]))
    return selected, best if criteria.prefer_diverse else None


def _add_best_documents(
    ranked: RankedDocuments, kept: Sequence[set[int]], max_documents: int | None
) -> None:
    """Add the best passage of each of the best documents that have none, as many as are asked for.

    Args:
        ranked: Documents with the scores of their passages.
        kept: Indices of the passages to keep of each document, which are added to.
        max_documents: Number of documents that are asked for, or None to add nothing.
    """
    if max_documents is None:
        return
    passage_scores = dict(zip(ranked.locations, ranked.ranking.scores))
    best_first = sorted(range(len(kept)), key=lambda index: -ranked.scores[index])
    for index in best_first[:max_documents]:
        if not kept[index]:
            passages = ranked.documents[index].passages
            kept[index].add(max(passages, key=lambda part: passage_scores[index, part]))


def _explain_irrelevant(
    ranked: RankedDocuments,
    kept: Sequence[set[int]],
    threshold: float,
    criteria: SelectionCriteria,
) -> dict[int, str]:
    """Return, by index, why documents are not relevant enough to keep."""
    reasons = {}
    for index, score in enumerate(ranked.scores):
        if not kept[index]:
            reasons[index] = (
                f"score {score:.2f}, as a share of the best, is below the threshold {threshold:.2f}"
            )
        elif score < criteria.min_relevance:
            reasons[index] = (
                f"score {score:.2f}, as a share of the best, "
                f"is below min_relevance = {criteria.min_relevance:.2f}"
            )
    return reasons


def _select_best(
    candidates: Sequence[int],
    blocks: Sequence[Block],
    scores: Sequence[float],
    criteria: SelectionCriteria,
) -> list[int]:
    """Return the indices of the documents to keep, the best first."""
    if criteria.prefer_diverse:
        selected = select_diverse(
            [blocks[index].text for index in candidates],
            [scores[index] for index in candidates],
            criteria.max_documents,
        )
        return [candidates[position] for position in selected]
    best_first = sorted(candidates, key=lambda index: -scores[index])
    return best_first[: criteria.max_documents]


def _drop_document(run: RunContext, block: Block, reason: str) -> SelectedDocument:
    change = Change(
        message=block.message,
        path=block.path,
        action="dropped",
        by=TRANSFORM_NAME,
        reason=reason,
        tokens_before=run.tokenizer.count_text(block.text),
        tokens_after=0,
    )
    return SelectedDocument(block.with_text(""), change)


def _keep_passages(
    run: RunContext, block: Block, document: SplitDocument, kept: Iterable[int]
) -> SelectedDocument:
    """Return a document with the passages to keep, or whole if that takes no more tokens."""
    indices = frozenset(kept)
    if len(indices) < len(document.passages) and block.text:
        pieces: Mapping[int, PieceList] = {
            index: [(document.parts[index].text, True)] for index in indices
        }
        cut = block.with_text(document.render(pieces, document.headings_above(indices)))
        outcome, tokens = _compress_losslessly(run, cut), run.tokenizer.count_text(block.text)
        if outcome.tokens_after < tokens:
            change = Change(
                message=block.message,
                path=block.path,
                action="selected",
                by=TRANSFORM_NAME,
                reason=f"{len(indices)} of {len(document.passages)} passages are relevant",
                tokens_before=tokens,
                tokens_after=outcome.tokens_after,
            )
            if outcome.text is not None:
                cut = cut.with_text(outcome.text)
            return SelectedDocument(cut, change, indices)
    routed = _compress_losslessly(run, block).apply_to(block)
    return SelectedDocument(routed.block, routed.change, frozenset(document.passages))


def _compress_losslessly(run: RunContext, block: Block) -> RouteResult:
    treatment = run.router.treat(block, editing=False)
    if treatment.kept:
        return run.router.keep(block, treatment.kept)
    return run.collector.attempt(
        lambda: run.router.route(block, "", "", selecting=False),
        run.router.fail(block),
        f"document {block.message} was passed through unchanged",
    )
