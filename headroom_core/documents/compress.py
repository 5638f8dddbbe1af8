"""`compress_documents`: select and shorten retrieved passages before they are put into a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headroom_core._internal.checks import require_count, require_fraction, require_positive_int
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.run import RunContext, block_tokens
from headroom_core.documents.budget import BudgetFiller, tokens_used
from headroom_core.documents.ranking import Ranking, RankingQuery
from headroom_core.documents.selection import RankedDocuments, SelectionCriteria, select_documents
from headroom_core.documents.splitting import DocumentPart, SplitDocument
from headroom_core.errors import ConfigurationError, ValidationError
from headroom_core.messages import Block, require_list
from headroom_core.relevance import Scorer, scorer_from_config
from headroom_core.relevance.base import require_texts
from headroom_core.results import DocumentsResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.windows.limits import check_budget


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
        max_documents: Maximum number of documents to keep, the best first. Defaults to no limit.
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
    if not isinstance(query, (str, type(None))):
        raise TypeError(f"query must be a string or None, got {type(query).__name__}")
    run = RunContext(config, Tokenizer(model), store, lossless=True)
    documents = require_texts("texts", texts)
    known_titles = _require_titles(titles, documents)
    known_overheads = _require_overheads(overheads, documents)
    passage_scorer = _passage_scorer(scorer, run.config)
    run.scorers.append(passage_scorer)
    relevance = run.config.relevance
    ranking_query = RankingQuery(query or "", relevance.bm25_k1, relevance.bm25_b)
    ranked = _rank_documents(run, ranking_query, documents, known_titles, scorer=passage_scorer)
    blocks = tuple(
        Block(index, ("text",), "document", text) for index, text in enumerate(documents)
    )
    selected, document_order = select_documents(run, blocks, ranked, criteria)
    if token_budget is not None and tokens_used(selected, known_overheads) > token_budget:
        filler = BudgetFiller(
            run,
            query=ranking_query,
            ranked=ranked,
            selected=selected,
            overheads=known_overheads,
            budget=token_budget,
        )
        selected = filler.fill(ranked.fill_order(document_order))
    run.check_limit(tokens_used(selected, known_overheads), token_budget, "token_budget")
    changes = tuple(document.change for document in selected)
    tokens_before, tokens_after = block_tokens(changes)
    # Without a query all documents are equally relevant; without any match, no document is.
    unranked_score = 0.0 if ranking_query.text.strip() else 1.0
    return DocumentsResult(
        texts=[document.text for document in selected],
        scores=ranked.scores or [unranked_score] * len(blocks),
        tokens_before=tokens_before,
        tokens_after=tokens_after,
        changes=changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )


def _rank_documents(
    run: RunContext,
    query: RankingQuery,
    texts: Sequence[str],
    titles: Sequence[str],
    *,
    scorer: Scorer | None,
) -> RankedDocuments:
    """Return the documents with the scores of their passages; undivided if none matches."""

    def rank() -> RankedDocuments:
        documents = [SplitDocument.from_text(text, title) for text, title in zip(texts, titles)]
        return RankedDocuments.rank(query, documents, scorer)

    parts = [SplitDocument([DocumentPart(text)], "") for text in texts]
    undivided = RankedDocuments(parts, Ranking([], 0))
    if not query.text.strip():
        return undivided
    ranked = run.collector.attempt(rank, undivided, "no passage was left out for its relevance")
    return ranked if ranked.scores else undivided


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
