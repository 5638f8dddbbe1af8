"""Compression of retrieved documents."""

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
from headroom_core.adapters import PositiveInt, ScorerInstance, ToolSettings
from headroom_integrations.langchain.compression import (
    EVENT,
    LangChainCompression,
    document_title,
)

_SCORE_KEY = "relevance_score"
"""Metadata key of the score, the same as in LangChain's rerankers."""


class HeadroomDocumentCompressor(ToolSettings, BaseDocumentCompressor):
    """Document compressor that ranks, filters and shortens documents.

    The best document comes first. Long documents keep the passages that are relevant to the query,
    with `[…]` in place of the others; JSON and tables are rewritten losslessly. The returned
    documents are copies, with the score under `relevance_score` in the metadata: a share of the
    best document's score, from 0 to 1. The `title` in a document's metadata counts twice in the
    ranking, and documents that mention each other by title share their scores. Without a query,
    documents are not ranked.

    No requests are made. If `config.ccr` is disabled, only the limits set here drop anything.

    Documents that a retriever found are the result of no tool, so `exclude_tools`, `only_tools` and
    `tool_profiles` have no effect here. They are accepted, so that components can share settings.

    Every run emits a custom event named `EVENT`, which reaches the `on_custom_event` of callback
    handlers and `astream_events`. Its data is the `DocumentsResult`, in the order of the input.
    Warnings are also logged.

    Attributes:
        max_documents: Maximum number of documents to return. Defaults to no limit.
        token_budget: Maximum number of tokens in all documents together. A warning is issued if
            the best sentence alone exceeds it. Defaults to no limit.
        min_relevance: Score from 0 to 1 below which a document is dropped. Has no effect if no
            document contains a word of the query.
        prefer_diverse: Whether to rank a document lower if a better document says the same, and to
            drop it if it repeats nearly all of another.
        config: Compression settings, copied on assignment; `relevance` configures how documents
            are scored. Defaults to `HeadroomConfig()`.
        model: Model whose tokens are counted.
        scorer: Scorer for the passages. Defaults to the scorer that the settings name.

    Raises:
        ConfigurationError: If an attribute has an invalid value or an unknown name.

    Example:
        >>> texts = ("The Oder is short.", "The Elbe is long.")
        >>> found = [Document(text, id=text[4:8]) for text in texts]
        >>> compressor = HeadroomDocumentCompressor()
        >>> best, _ = compressor.compress_documents(found, "How long is the Elbe?")
        >>> best.id, best.metadata
        ('Elbe', {'relevance_score': 1.0})
    """

    max_documents: PositiveInt | None = None
    token_budget: PositiveInt | None = None
    min_relevance: float = Field(0.0, ge=0, le=1, strict=True)
    prefer_diverse: bool = False
    model: str = "gpt-4o"
    scorer: ScorerInstance = None

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Compress documents and return those that are kept, best first."""
        if not documents:
            return []
        kept, result = self._compress(documents, query)
        manager = get_callback_manager_for_config(_run_config(callbacks))
        manager.on_custom_event(EVENT, result, manager.parent_run_id)
        return kept

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """Compress documents in a thread and return those that are kept, best first."""
        if not documents:
            return []
        kept, result = await run_in_executor(None, self._compress, documents, query)
        manager = get_async_callback_manager_for_config(_run_config(callbacks))
        await manager.on_custom_event(EVENT, result, manager.parent_run_id)
        return kept

    def _compress(
        self, documents: Sequence[Document], query: str
    ) -> tuple[list[Document], DocumentsResult]:
        result = compress_documents(
            [document.page_content for document in documents],
            query,
            titles=[document_title(document) for document in documents],
            token_budget=self.token_budget,
            model=self.model,
            config=self.config,
            scorer=self.scorer,
            max_documents=self.max_documents,
            min_relevance=self.min_relevance,
            prefer_diverse=self.prefer_diverse,
        )
        LangChainCompression.log_warnings(result.warnings)
        # An empty text means that the document was dropped, unless it was empty to begin with.
        kept = [
            index
            for index, (document, text) in enumerate(zip(documents, result.texts, strict=True))
            if text or not document.page_content
        ]
        # Sorting is stable: documents with equal scores keep the order of the retriever.
        best_first = sorted(kept, key=lambda index: -result.scores[index])[: self.max_documents]
        is_ranked = bool(query.strip())
        compressed = [
            _compressed_copy(
                documents[index], result.texts[index], result.scores[index] if is_ranked else None
            )
            for index in best_first
        ]
        return compressed, result


def _run_config(callbacks: Callbacks | None) -> RunnableConfig:
    """Build the config of a run with the given callbacks, or with those of the enclosing run."""
    return ensure_config(None if callbacks is None else {"callbacks": callbacks})


def _compressed_copy(document: Document, text: str, score: float | None) -> Document:
    metadata = dict(document.metadata)
    if score is not None:
        metadata[_SCORE_KEY] = score
    return document.model_copy(update={"page_content": text, "metadata": metadata})
