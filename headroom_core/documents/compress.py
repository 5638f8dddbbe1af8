"""Retrieved passages, chosen and shortened before they are put into a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headroom_core.config import HeadroomConfig
from headroom_core.conversation.run import Run, block_tokens
from headroom_core.documents.budget import BudgetFiller, tokens_used
from headroom_core.documents.ranking import Ranking, RankingQuery
from headroom_core.documents.selection import RankedDocuments, SelectionCriteria, select_documents
from headroom_core.documents.splitting import DocumentPart, SplitDocument
from headroom_core.errors import ConfigurationError, ValidationError
from headroom_core.messages import Block, require_list
from headroom_core.relevance import Scorer, scorer_from_config
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
    """Leave out the documents, and of long ones the passages, that have little to do with the query.

    Passages stay whole. Only where they have more tokens than the budget are they cut: prose between sentences, code,
    tables and logs between lines. `[…]` stands where something was left out of a document.

    Args:
        texts: the documents: passages, or longer texts, which are read as passages of whole paragraphs.
        query: what was asked. None: nothing is left out unless the budget demands it, the last passages first.
        token_budget: tokens that the documents should have at most; a warning says when even the best sentence has
            more.
        model: the model that they are for.
        config: the settings. None: the defaults. `relevance` says how passages are scored, and from which share of
            the best score on they stay; `ccr` off, that only the arguments here leave any out.
        store: not needed here, because the caller holds the originals.
        titles: the documents' titles, None where one has none. Without them a heading or subject is taken.
        overheads: the tokens that come with each document that stays, such as its metadata, and that the budget pays
            for too. None: the budget is for the texts alone.
        scorer: scores the passages, in the place of the one that the settings name.
        max_documents: how many documents stay at most, the best ones. None: no limit.
        min_relevance: the score, from 0 to 1, below which a document is left out; where no document has any word of
            the query none is.
        prefer_diverse: whether documents that say the same as better ones give way to others, and are left out where
            they repeat nearly all of one.

    Raises:
        TypeError: the texts or titles are no list of texts, or the query is no text.
        ValidationError: there are more or fewer titles or overheads than texts, or an overhead is no number of tokens.
        ConfigurationError: the settings, the store, the scorer, the budget or a limit are of no use.

    Example:
        >>> passages = ["The Elbe is 1,094 km long.", "The Oder is 840 km long.", "Jan Hus was a priest.", "It rained."]
        >>> compress_documents(passages, "How long is the Elbe?").texts
        ['The Elbe is 1,094 km long.', 'The Oder is 840 km long.', 'Jan Hus was a priest.', '']
    """
    check_budget(token_budget)
    wanted = _wanted(max_documents, min_relevance, prefer_diverse)
    if not isinstance(query, (str, type(None))):
        raise TypeError(f"query is of type {type(query).__name__}: give a text, or None")
    run = Run(config, Tokenizer(model), store, query, lossless=True)
    documents = _all_texts("texts", texts)
    named, beside = _titles(titles, documents), _overheads(overheads, documents)
    chosen = _scorer(scorer, run.config)
    run.scorers.append(chosen)
    asked = RankingQuery(query or "", run.config.relevance.bm25_k1, run.config.relevance.bm25_b)
    ranked = _ranked(run, asked, documents, named, chosen)
    blocks = tuple(Block(at, ("text",), "document", text) for at, text in enumerate(documents))
    after, first = select_documents(run, blocks, ranked, wanted)
    if token_budget is not None and tokens_used(after, beside) > token_budget:
        after = BudgetFiller(run, asked, ranked, after, beside, token_budget).fit(
            ranked.order(first)
        )
    changes = tuple(one.change for one in after)
    tokens_before, tokens_after = block_tokens(changes)
    run.check_budget(tokens_used(after, beside), token_budget)
    return DocumentsResult(
        texts=[one.text for one in after],
        scores=ranked.scores or [0.0 if asked.text.strip() else 1.0] * len(blocks),
        tokens_before=tokens_before,
        tokens_after=tokens_after,
        changes=changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )


def _ranked(
    run: Run,
    query: RankingQuery,
    texts: Sequence[str],
    titles: Sequence[str],
    scorer: Scorer | None,
) -> RankedDocuments:
    """Return the documents with the scores of their passages; undivided where no passage has any."""

    def rank() -> RankedDocuments:
        return RankedDocuments.by(
            query, [SplitDocument.of(text, title) for text, title in zip(texts, titles)], scorer
        )

    asked = query.text.strip()
    found = run.edge.attempt("no passage was left out for its relevance", rank) if asked else None
    return (
        found
        if found and found.scores
        else RankedDocuments(
            [SplitDocument([DocumentPart(text)], "") for text in texts], Ranking([], 0)
        )
    )


def _all_texts(name: str, values: Sequence[str]) -> list[str]:
    texts = require_list(name, values)
    if (
        odd := next((at for at, text in enumerate(texts) if not isinstance(text, str)), None)
    ) is not None:
        raise TypeError(
            f"{name}[{odd}] is of type {type(texts[odd]).__name__}: give a list of texts"
        )
    return texts


def _titles(titles: Sequence[str | None] | None, texts: Sequence[str]) -> list[str]:
    """Return the title of each document, empty where none is given."""
    given = _one_each("titles", titles, texts, "None where it has none")
    return _all_texts("titles", [title or "" for title in given])


def _overheads(overheads: Sequence[int] | None, texts: Sequence[str]) -> list[int]:
    given = _one_each("overheads", overheads, texts, "0 where nothing comes with it")
    counts = [0 if overhead is None else overhead for overhead in given]
    if (odd := next((at for at, count in enumerate(counts) if not _is_count(count)), None)) is None:
        return counts
    message = f"overheads[{odd}] = {counts[odd]!r}: give a number of tokens, 0 or more"
    raise ValidationError(message, {"overheads": counts[odd]})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_each(
    name: str, values: Sequence[Any] | None, texts: Sequence[str], otherwise: str
) -> list[Any]:
    """Return what is given for each text, None for all where nothing is."""
    given = [None] * len(texts) if values is None else require_list(name, values)
    if len(given) != len(texts):
        message = f"{name} has {len(given)} entries for {len(texts)} texts: give one for each, {otherwise}"
        raise ValidationError(message, {name: len(given), "texts": len(texts)})
    return given


def _wanted(
    max_documents: int | None, min_relevance: float, prefer_diverse: bool
) -> SelectionCriteria:
    whole = (
        isinstance(max_documents, int) and not isinstance(max_documents, bool) and max_documents > 0
    )
    if max_documents is not None and not whole:
        message = f"max_documents = {max_documents!r}: give a whole number from 1 on, or None"
        raise ConfigurationError(message, {"max_documents": max_documents})
    number = isinstance(min_relevance, (int, float)) and not isinstance(min_relevance, bool)
    if not number or not 0 <= min_relevance <= 1:
        message = f"min_relevance = {min_relevance!r}: give a number from 0 to 1"
        raise ConfigurationError(message, {"min_relevance": min_relevance})
    return SelectionCriteria(max_documents, min_relevance, prefer_diverse)


def _scorer(given: Scorer | None, config: HeadroomConfig) -> Scorer | None:
    """Return what scores the passages, None where their words do."""
    if isinstance(given, type):
        name = given.__name__
        raise ConfigurationError(
            f"scorer is the class {name}: give an object, such as {name}()", {"scorer": name}
        )
    if given is not None and not isinstance(given, Scorer):
        kind = type(given).__name__
        raise ConfigurationError(
            f"scorer is of type {kind}: give one that has score_items", {"scorer": kind}
        )
    if given is None and config.relevance.tier != "bm25":
        return scorer_from_config(config.relevance)
    return given
