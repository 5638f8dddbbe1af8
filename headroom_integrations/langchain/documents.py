"""Compression of what a retriever found."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import (
    ensure_config,
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
    run_in_executor,
)
from pydantic import Field

from headroom_core import DocumentsResult, compress_documents
from headroom_core.adapters import ConfigSnapshot, PositiveInt, ScorerInstance, ValidatedModel
from headroom_integrations.langchain.compression import EVENT, LangChainCompression, title_of

SCORE = "relevance_score"
"""The key of the score in a document's metadata, which rerankers share."""


class HeadroomDocumentCompressor(ValidatedModel, BaseDocumentCompressor):
    """Ranks documents, leaves out those that have little to do with the query, and shortens long ones.

    The best document comes first. Of long ones the passages stay that have to do with the query, `[…]` stands in the
    place of others; JSON and tables are written shorter without a loss. The documents are copies: another text, and
    the score under `relevance_score` in the metadata, from 0 to 1 as a share of the best one's. What stands under
    `title` in the metadata counts twice, and lets documents name each other. Without a query nothing is ranked.

    It makes no request. `config.ccr` off, only the attributes here leave anything out.

    What was done is the data of a custom event named `EVENT`, a `DocumentsResult` in the order in which the documents
    came: a handler's `on_custom_event` receives it, and `astream_events`. Each warning is also logged.

    Attributes:
        max_documents: how many documents stay at most. None: no limit.
        token_budget: tokens that they have at most together; a warning says when the best sentence has more. None: no
            limit.
        min_relevance: the score, from 0 to 1, below which a document is left out; where no document has any word of
            the query none is.
        prefer_diverse: whether documents that say the same as better ones give way to others, and are left out where
            they repeat nearly all of one.
        config: the settings, of which a snapshot is taken; `relevance` says how documents are scored. None: the
            defaults.
        model: the model whose tokens are counted.
        scorer: scores the passages, in the place of the one that the settings name.

    Raises:
        ConfigurationError: an attribute has a value that is not allowed, or none has that name.

    Example:
        >>> found = [Document(text, id=text[4:8]) for text in ("The Oder is short.", "The Elbe is long.")]
        >>> best, _ = HeadroomDocumentCompressor().compress_documents(found, "How long is the Elbe?")
        >>> best.id, best.metadata
        ('Elbe', {'relevance_score': 1.0})
    """

    max_documents: PositiveInt | None = None
    token_budget: PositiveInt | None = None
    min_relevance: float = Field(0.0, ge=0, le=1, strict=True)
    prefer_diverse: bool = False
    config: ConfigSnapshot = None
    model: str = "gpt-4o"
    scorer: ScorerInstance = None

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Return the documents that stay, the best first."""
        if not documents:
            return []
        found, result = self._compressed(documents, query)
        manager = get_callback_manager_for_config(_config(callbacks))
        manager.on_custom_event(EVENT, result, manager.parent_run_id)
        return found

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Return the documents that stay, the best first, without blocking the event loop."""
        if not documents:
            return []
        found, result = await run_in_executor(None, self._compressed, documents, query)
        manager = get_async_callback_manager_for_config(_config(callbacks))
        await manager.on_custom_event(EVENT, result, manager.parent_run_id)
        return found

    def _compressed(
        self, documents: Sequence[Document], query: str
    ) -> tuple[list[Document], DocumentsResult]:
        result = compress_documents(
            [document.page_content for document in documents],
            query,
            titles=[title_of(document) for document in documents],
            token_budget=self.token_budget,
            model=self.model,
            config=self.config,
            scorer=self.scorer,
            max_documents=self.max_documents,
            min_relevance=self.min_relevance,
            prefer_diverse=self.prefer_diverse,
        )
        LangChainCompression.log_warnings(result.warnings)
        # Empty is what was left out, or came so.
        came = enumerate(zip(documents, result.texts, strict=True))
        stay = [at for at, (document, text) in came if text or not document.page_content]
        order = sorted(stay, key=lambda at: -result.scores[at])[: self.max_documents]
        scores = result.scores if query.strip() else [None] * len(documents)
        return [_with(documents[at], result.texts[at], scores[at]) for at in order], result


def _config(callbacks: Callbacks | None) -> RunnableConfig:
    """Return the configuration of a run with these callbacks, without any those of the run around."""
    return ensure_config({"callbacks": callbacks} if callbacks is not None else None)


def _with(document: Document, text: str, score: float | None) -> Document:
    scored = {} if score is None else {SCORE: score}
    return document.model_copy(
        update={"page_content": text, "metadata": {**document.metadata, **scored}}
    )
