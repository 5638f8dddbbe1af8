"""`compress_documents`: select and shorten retrieved passages before they are put into a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from headroom_core._internal.checks import require_count, require_fraction, require_positive_int
from headroom_core._internal.waiting import shared_wait
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.run import RunContext, block_tokens
from headroom_core.documents.budget import BudgetFiller, tokens_used
from headroom_core.documents.ranking import Ranking, RankingQuery
from headroom_core.documents.repeats import fold_repeats
from headroom_core.documents.selection import (
    TRANSFORM_NAME,
    RankedDocuments,
    SelectedDocument,
    SelectionCriteria,
    select_documents,
)
from headroom_core.documents.splitting import DocumentPart, SplitDocument
from headroom_core.errors import ConfigurationError, ValidationError
from headroom_core.messages import Block, require_list
from headroom_core.relevance import Scorer, scorer_from_config
from headroom_core.relevance.base import require_texts
from headroom_core.results import DocumentsResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.windows.limits import check_budget


@shared_wait()
def compress_documents(
    texts: Sequence[str],
    query: str | None = None,
    *,
    token_budget: int | None = None,
    model: str = "gpt-4o",
    config: HeadroomConfig | None = None,
    store: Store | None = None,
    titles: Sequence[str | None] | None = None,
    overheads: Sequence[int] | None = None,
    scorer: Scorer | None = None,
    max_documents: int | None = None,
    min_relevance: float = 0.0,
    prefer_diverse: bool = False,
) -> DocumentsResult:
    """Omit the documents, and the passages of long ones, that are not relevant to a query.

    Passages stay whole. They are cut only if they have more tokens than the budget: prose between
    sentences; code, tables and logs between lines. `[…]` marks where a document was cut.

    Args:
        texts: Documents: passages, or longer texts, which are split into passages of whole
            paragraphs.
        query: Question to answer. If None, nothing is omitted unless the budget demands it, the
            last passages first.
        token_budget: Maximum number of tokens of the documents. A warning says if even the best
            sentence has more. Defaults to no limit.
        model: Model that the documents are for, which determines how tokens are counted.
        config: Settings. `relevance` says how passages are scored and from which share of the best
            score they are kept; with `ccr` off, only the arguments of this function omit any.
            Defaults to the default settings.
        store: Accepted for symmetry with compress; documents are cut without markers, so nothing is
            stored.
        titles: Title of each document, or None for one without a title. Defaults to the headings or
            subjects that the texts begin with.
        overheads: Number of tokens that come with each document that is kept, such as its metadata,
            and count against the budget. Defaults to 0 for each.
        scorer: Scorer for the passages, instead of the one that the settings describe.
        max_documents: Number of documents to keep, the best first, even those that are not relevant
            enough otherwise. Defaults to all that are relevant.
        min_relevance: Score from 0 to 1 below which a document is omitted. Ignored if no document
            has any word of the query.
        prefer_diverse: Whether documents that repeat better ones give way to others, and are
            omitted if they repeat nearly all of one.

    Returns:
        One text for each document, in their order, empty for those that are omitted; with scores,
        token counts and changes.

    Raises:
        TypeError: `texts` or `titles` is not a list of strings, or `query` is not a string.
        ValidationError: There are more or fewer titles or overheads than texts, or an overhead is
            not a number of tokens.
        ConfigurationError: A setting, the store, the scorer, the budget or a limit is not valid.

    Example:
        >>> passages = [
        ...     "The Elbe is 1,094 km long.",
        ...     "The Oder is 840 km long.",
        ...     "Jan Hus was a priest.",
        ...     "It rained.",
        ... ]
        >>> result = compress_documents(passages, "How long is the Elbe?")
        >>> [text for text in result.texts if text] == passages[:3]
        True
    """
    check_budget(token_budget)
    criteria = _selection_criteria(max_documents, min_relevance, prefer_diverse)
    documents = require_texts("texts", texts)
    known_titles = _require_titles(titles, documents)
    known_overheads = _require_overheads(overheads, documents)
    run = RunContext(config, Tokenizer(model), store, lossless=True)
    passage_scorer = _passage_scorer(scorer, run.config)
    run.scorers.append(passage_scorer)
    ranking_query = _ranking_query(query, run.config)
    selector = _Selector(run, ranking_query, known_titles, passage_scorer, criteria=criteria)
    selection = selector.select(documents)
    if token_budget is not None:
        selection = selector.fit(selection, documents, known_overheads, token_budget)
    run.check_limit(tokens_used(selection.documents, known_overheads), token_budget, "token_budget")
    return _to_result(run, selection, has_query=bool(ranking_query.text.strip()))


class _Selection(NamedTuple):
    """Documents after the selection.

    Attributes:
        ranked: Documents with the scores of their passages.
        documents: What is kept of each.
        order: Order in which they fill a budget, or None to go by passages.
    """

    ranked: RankedDocuments
    documents: list[SelectedDocument]
    order: list[int] | None


class _Selector:
    """Selects documents, and fits them into a budget.

    Args:
        run: Request that the documents belong to.
        query: Query to rank by.
        titles: Title of each document, which may be empty.
        scorer: Scorer for the passages, or None to score them by their words.
        criteria: Conditions that whole documents have to meet.
    """

    def __init__(
        self,
        run: RunContext,
        query: RankingQuery,
        titles: Sequence[str],
        scorer: Scorer | None,
        *,
        criteria: SelectionCriteria,
    ) -> None:
        self._run, self._query, self._titles = run, query, titles
        self._scorer, self._criteria = scorer, criteria

    def select(self, texts: Sequence[str]) -> _Selection:
        """Select documents and passages without regard to a budget."""
        ranked = self._rank(texts)
        blocks = [Block(index, ("text",), "document", text) for index, text in enumerate(texts)]
        return _Selection(ranked, *select_documents(self._run, blocks, ranked, self._criteria))

    def fit(
        self, selection: _Selection, texts: Sequence[str], overheads: Sequence[int], budget: int
    ) -> _Selection:
        """Return what fits into a budget, without repeated sentences if that helps.

        Args:
            selection: Selection without regard to the budget.
            texts: Documents.
            overheads: Tokens that come with each document that is kept.
            budget: Maximum number of tokens.
        """
        if tokens_used(selection.documents, overheads) <= budget:
            return selection
        folded = [self._fold(text) for text in texts]
        if folded != texts:
            selection = self.select(folded)
        if tokens_used(selection.documents, overheads) > budget:
            filler = BudgetFiller(
                self._run,
                query=self._query,
                ranked=selection.ranked,
                selected=selection.documents,
                overheads=overheads,
                budget=budget,
            )
            filled = filler.fill(selection.ranked.fill_order(selection.order))
            self._warn_of_better(selection, filled)
            selection = selection._replace(documents=filled)
        documents = [
            document if text == short else self._count_folded(document, text)
            for document, text, short in zip(selection.documents, texts, folded)
        ]
        return selection._replace(documents=documents)

    def _rank(self, texts: Sequence[str]) -> RankedDocuments:
        """Return the documents with the scores of their passages; undivided if none matches."""

        def rank() -> RankedDocuments:
            pairs = zip(texts, self._titles)
            documents = [SplitDocument.from_text(text, title) for text, title in pairs]
            return RankedDocuments.rank(self._query, documents, self._scorer)

        parts = [SplitDocument([DocumentPart(text)], "") for text in texts]
        undivided = RankedDocuments(parts, Ranking([], 0))
        if not self._query.text.strip():
            return undivided
        failure = "no passage was left out for its relevance"
        ranked = self._run.collector.attempt(rank, undivided, failure)
        return ranked if ranked.scores else undivided

    def _fold(self, text: str) -> str:
        """Return a text with each repeated sentence once, if that has fewer tokens."""
        folded = fold_repeats(text)
        count = self._run.tokenizer.count_text
        return folded if folded == text or count(folded) < count(text) else text

    def _count_folded(self, document: SelectedDocument, text: str) -> SelectedDocument:
        """Return a document whose change also covers the folding of its repetitions.

        Args:
            document: Document after the selection.
            text: Its text before the folding.
        """
        change = replace(document.change, tokens_before=self._run.tokenizer.count_text(text))
        if change.action in ("kept", "rewritten"):
            reason = "repeated sentences are written once"
            change = replace(change, action="selected", by=TRANSFORM_NAME, reason=reason)
        return replace(document, change=change)

    def _warn_of_better(self, selection: _Selection, filled: Sequence[SelectedDocument]) -> None:
        """Warn if a document is dropped for the budget while a less relevant one is kept."""
        scores = selection.ranked.scores
        kept = [score for score, document in zip(scores, filled) if document.text]
        lowest = min(kept, default=1.0)
        dropped = [
            str(index)
            for index, (score, before, after) in enumerate(zip(scores, selection.documents, filled))
            if score > lowest and before.text and not after.text
        ]
        if dropped:
            self._run.collector.warn(
                f"document {', '.join(dropped)} does not fit into the token budget, so less "
                "relevant ones are kept: raise the budget"
            )


def _to_result(run: RunContext, selection: _Selection, *, has_query: bool) -> DocumentsResult:
    documents = selection.documents
    changes = tuple(document.change for document in documents)
    tokens_before, tokens_after = block_tokens(changes)
    # Without a query all documents are equally relevant; without any match, no document is.
    unranked_score = 0.0 if has_query else 1.0
    return DocumentsResult(
        texts=[document.text for document in documents],
        scores=selection.ranked.scores or [unranked_score] * len(documents),
        tokens_before=tokens_before,
        tokens_after=tokens_after,
        changes=changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )


def _ranking_query(query: str | None, config: HeadroomConfig) -> RankingQuery:
    if not isinstance(query, (str, type(None))):
        raise TypeError(f"query must be a string or None, got {type(query).__name__}")
    return RankingQuery(query or "", config.relevance.bm25_k1, config.relevance.bm25_b)


def _require_titles(titles: Sequence[str | None] | None, texts: Sequence[str]) -> list[str]:
    """Return the title of each document, empty if it has none."""
    values = _require_one_each("titles", titles, texts, "None for a document without a title")
    return require_texts("titles", [title or "" for title in values])


def _require_overheads(overheads: Sequence[int] | None, texts: Sequence[str]) -> list[int]:
    """Return the overhead of each document, 0 if it has none."""
    values = _require_one_each("overheads", overheads, texts, "0 for a document without any")
    return [
        0 if value is None else require_count(f"overheads[{index}]", value, error=ValidationError)
        for index, value in enumerate(values)
    ]


def _require_one_each(
    name: str, values: Sequence[Any] | None, texts: Sequence[str], otherwise: str
) -> list[Any]:
    """Return one value for each text; None for all if no values are given.

    Args:
        name: Name of the argument, for the message.
        values: Values to check.
        texts: Documents that the values belong to.
        otherwise: Value to give for a document that has none, for the message.
    """
    if values is None:
        return [None] * len(texts)
    checked = require_list(name, values)
    if len(checked) != len(texts):
        raise ValidationError(
            f"{name} has {len(checked)} entries for {len(texts)} texts: "
            f"give one for each, {otherwise}",
            {name: len(checked), "texts": len(texts)},
        )
    return checked


def _selection_criteria(
    max_documents: int | None, min_relevance: float, prefer_diverse: bool
) -> SelectionCriteria:
    if max_documents is not None:
        require_positive_int("max_documents", max_documents, alternative="None for no limit")
    require_fraction("min_relevance", min_relevance)
    return SelectionCriteria(max_documents, min_relevance, prefer_diverse)


def _passage_scorer(given: Scorer | None, config: HeadroomConfig) -> Scorer | None:
    """Return the scorer for passages, or None if they are scored by their words."""
    if isinstance(given, type):
        name = given.__name__
        raise ConfigurationError(
            f"scorer is the class {name}, not an instance: give {name}()", {"scorer": name}
        )
    if given is not None and not isinstance(given, Scorer):
        name = type(given).__name__
        raise ConfigurationError(
            f"scorer is of type {name}: give an object with a method score_items", {"scorer": name}
        )
    if given is None and config.relevance.tier != "bm25":
        return scorer_from_config(config.relevance)
    return given
