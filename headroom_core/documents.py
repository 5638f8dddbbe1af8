"""Retrieved passages, shortened before they are put into a prompt."""

from __future__ import annotations

from collections.abc import Sequence

from headroom_core.config import HeadroomConfig
from headroom_core.messages import Block, Draft
from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.results import DocumentsResult
from headroom_core.run import Run, as_list, block_tokens, lossless_config
from headroom_core.stores import Store
from headroom_core.tokens import Tokenizer


def compress_documents(
    texts: Sequence[str],
    query: str | None = None,
    *,
    token_budget: int | None = None,
    model: str = "gpt-4o",
    config: HeadroomConfig | None = None,
    store: Store | None = None,
) -> DocumentsResult:
    """Shorten retrieved passages before they are put into a prompt, keeping all that they say.

    Args:
        texts: the passages.
        query: what was asked; the passages are scored against it.
        token_budget: tokens that the passages should have at most; a warning says when they have more.
        model: the model that they are for.
        config: the settings. None: the defaults.
        store: where what each passage became is remembered.

    Example:
        >>> compress_documents(["The Elbe is 1,094 km long."]).texts
        ['The Elbe is 1,094 km long.']
    """
    run = Run(lossless_config(config), Tokenizer(model), store, query)
    passages = as_list("texts", texts)
    blocks = tuple(Block(at, ("text",), "document", text) for at, text in enumerate(passages))
    draft = run.compressed(Draft(tuple(passages), blocks))
    before, after = block_tokens(draft.changes)
    run.check_budget(after, token_budget)
    return DocumentsResult(
        texts=[block.text for block in draft.blocks],
        scores=BM25Scorer().score_items(texts, query) if query else [1.0] * len(blocks),
        tokens_before=before,
        tokens_after=after,
        changes=draft.changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )
