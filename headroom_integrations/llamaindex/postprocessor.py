"""Compression of retrieved nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import Field

from headroom_core import DocumentsResult, Tokenizer, compress_documents
from headroom_core.adapters import PositiveInt, ScorerInstance, ToolSettings, budget_warnings
from headroom_integrations.llamaindex.compression import (
    LlamaIndexComponent,
    LlamaIndexCompression,
    SerializedConfig,
)
from headroom_integrations.llamaindex.events import CompressionEndEvent, CompressionStartEvent
from headroom_integrations.llamaindex.nodes import (
    is_plain_text,
    llm_text,
    node_text,
    node_title,
    replace_text,
)

_dispatcher = get_dispatcher(__name__)


class HeadroomNodePostprocessor(LlamaIndexComponent, ToolSettings, BaseNodePostprocessor):
    """Node postprocessor that drops irrelevant nodes and shortens long nodes.

    Long nodes keep the passages that are relevant to the query, with `[…]` in place of the others;
    JSON and tables are rewritten losslessly. A shortened node is a copy that differs in its text
    only: id, score, metadata and relationships are preserved. Nodes without a text, and nodes that
    hold more than a text, such as images and index nodes, are not changed. Duplicates are dropped.

    Nodes keep the retriever's order; with `top_n` the best come first, as from a reranker. The
    title of a node counts twice in the ranking, and nodes that mention each other by title share
    their scores. It is the first of `title`, `document_title`, `header_path` and `file_name` in
    the metadata. Nodes are ranked by `query_str`; without a query they are not ranked.

    No requests are made. If `config.ccr` is disabled, only the limits set here drop anything.

    Nodes that a retriever found are the result of no tool, so `exclude_tools`, `only_tools` and
    `tool_profiles` have no effect here. They are accepted, so that components can share settings.

    A `CompressionStartEvent` and a `CompressionEndEvent`, which holds the relevance scores, are
    dispatched to LlamaIndex's instrumentation. Warnings are logged.

    Attributes:
        config: Compression settings, copied on assignment; `relevance` configures how nodes are
            scored. Defaults to `HeadroomConfig()`.
        model: Model whose tokens are counted.
        token_budget: Maximum number of tokens in all nodes together, as sent to a language model
            with their metadata. A warning is logged if the best sentence alone exceeds it.
            Defaults to no limit.
        top_n: Maximum number of nodes, the best first. Defaults to no limit and the retriever's
            order.
        min_relevance: Relevance below which a node is dropped: a share of the best node's score,
            from 0 to 1. Has no effect if no node contains a word of the query.
        scorer: Scorer for the passages, not included in `to_dict`. Defaults to the scorer that the
            settings name.

    Raises:
        ConfigurationError: If a setting has an invalid value or an unknown name.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> texts = "The Oder is short.", "It rained.", "The Elbe is long.", "Jan Hus was a priest."
        >>> nodes = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts]
        >>> postprocessor = HeadroomNodePostprocessor(top_n=2)
        >>> best, *_ = postprocessor.postprocess_nodes(nodes, query_str="How long is the Elbe?")
        >>> best.text, best.score
        ('The Elbe is long.', 0.5)
    """

    config: SerializedConfig = None
    model: str = "gpt-4o"
    token_budget: PositiveInt | None = None
    top_n: PositiveInt | None = None
    min_relevance: float = Field(0.0, ge=0, le=1, strict=True)
    scorer: ScorerInstance = Field(None, exclude=True)

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in serialised form."""
        return "HeadroomNodePostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        kept, end_event = self._compress(nodes, _query_text(query_bundle))
        _dispatcher.event(end_event)
        return kept

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        # Only the work is done in a thread: handlers expect the events in the event loop.
        if not nodes:
            return []
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        kept, end_event = await asyncio.to_thread(self._compress, nodes, _query_text(query_bundle))
        _dispatcher.event(end_event)
        return kept

    def _compress(
        self, nodes: Sequence[NodeWithScore], query: str
    ) -> tuple[list[NodeWithScore], CompressionEndEvent]:
        candidates = _drop_duplicates(nodes)
        result, kept = self._fit(candidates, query)
        scores = {}
        if query:
            pairs = zip(candidates, result.scores, strict=True)
            scores = {candidate.node_id: score for candidate, score in pairs}
        end_event = CompressionEndEvent(
            nodes=len(kept),
            tokens_before=self._count_tokens(nodes),
            tokens_after=self._count_tokens(kept),
            scores=scores,
        )
        return kept, end_event

    def _fit(
        self, candidates: Sequence[NodeWithScore], query: str
    ) -> tuple[DocumentsResult, list[NodeWithScore]]:
        """Select nodes within the budget.

        `compress_documents` only controls the nodes that may be shortened. As long as the nodes
        that may not be shortened, and the metadata, push the total over the budget, the selection
        is repeated with a budget that is smaller by the excess.
        """
        budget = self.token_budget
        text_budget = budget
        result, kept = self._select(candidates, query, text_budget)
        while budget and text_budget and text_budget > 1:
            tokens = self._count_tokens(kept)
            if tokens <= budget:
                break
            text_tokens = self._count_tokens([item for item in kept if is_plain_text(item.node)])
            text_budget = max(1, min(text_budget, text_tokens) - (tokens - budget))
            result, kept = self._select(candidates, query, text_budget)
        # A warning about the reduced budget would name a value that the user never set.
        reduced = f"token_budget = {text_budget}:"
        LlamaIndexCompression.log_warnings(
            warning for warning in result.warnings if reduced not in warning
        )
        LlamaIndexCompression.log_warnings(
            budget_warnings(
                self._count_tokens(kept), budget, "token_budget", estimated=result.estimated
            )
        )
        return result, kept

    def _select(
        self, candidates: Sequence[NodeWithScore], query: str, token_budget: int | None
    ) -> tuple[DocumentsResult, list[NodeWithScore]]:
        """Select and shorten nodes to fit the plain texts among them into a budget."""
        count = Tokenizer(self.model).count_text
        texts = [node_text(candidate.node) for candidate in candidates]
        result = compress_documents(
            texts,
            query,
            titles=[node_title(candidate.node) for candidate in candidates],
            overheads=[
                max(0, count(llm_text(candidate.node)) - count(text))
                for candidate, text in zip(candidates, texts, strict=True)
            ],
            token_budget=token_budget,
            model=self.model,
            config=self.config,
            scorer=self.scorer,
            max_documents=self.top_n,
            min_relevance=self.min_relevance,
        )
        kept = [
            index
            for index, candidate in enumerate(candidates)
            if result.texts[index] or not is_plain_text(candidate.node)
        ]
        if self.top_n:
            # Sorting is stable: nodes with equal scores keep the order of the retriever.
            kept.sort(key=lambda index: -result.scores[index])
            kept = kept[: self.top_n]
        return result, [self._shorten(candidates[index], result.texts[index]) for index in kept]

    def _shorten(self, scored_node: NodeWithScore, text: str) -> NodeWithScore:
        if not is_plain_text(scored_node.node):
            return scored_node
        node = replace_text(scored_node.node, text, Tokenizer(self.model).count_text)
        if node is scored_node.node:
            return scored_node
        return scored_node.model_copy(update={"node": node})

    def _count_tokens(self, nodes: Sequence[NodeWithScore]) -> int:
        """Count the tokens of nodes as a language model is sent them."""
        count = Tokenizer(self.model).count_text
        return sum(count(llm_text(scored_node.node)) for scored_node in nodes)


def _query_text(query_bundle: QueryBundle | None) -> str:
    return query_bundle.query_str.strip() if query_bundle else ""


def _drop_duplicates(nodes: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    # Several retrievers may find the same node. The hash tells nodes apart that share an id.
    unique: dict[tuple[str, str], NodeWithScore] = {}
    for scored_node in nodes:
        unique.setdefault((scored_node.node_id, scored_node.node.hash), scored_node)
    return list(unique.values())
