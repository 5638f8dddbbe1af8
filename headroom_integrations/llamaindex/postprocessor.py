"""Compression of the nodes that a retriever found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import Field

from headroom_core import DocumentsResult, Tokenizer, compress_documents
from headroom_core.adapters import PositiveInt, ScorerInstance, budget_warnings
from headroom_integrations.llamaindex.compression import (
    LlamaIndexComponent,
    LlamaIndexCompression,
    SerializedConfig,
)
from headroom_integrations.llamaindex.events import CompressionEndEvent, CompressionStartEvent
from headroom_integrations.llamaindex.nodes import is_text, sent, text_of, title, with_text

_dispatcher = get_dispatcher(__name__)


class HeadroomNodePostprocessor(LlamaIndexComponent, BaseNodePostprocessor):
    """Leaves out the nodes that have little to do with the query, and shortens the text of long ones.

    Of long ones the passages stay that have to do with the query, `[…]` stands in the place of others; JSON and tables
    are written shorter without a loss. A shortened node is a copy with another text: id, score, metadata and
    relationships stay, and so does the retriever's score. A node that holds more than a text, such as an image or an
    index, stays as it is, and so does one without a text. A node that came more than once stays once.

    Nodes stay in the retriever's order; with `top_n` the best come first, as rerankers have it. What is in the
    metadata under `title`, `document_title`, `header_path` or `file_name`, the first that there is, counts twice, and
    lets nodes name each other. Without a query nothing is ranked. `query_str` is what counts of a query.

    It makes no request. `config.ccr` off, only the attributes here leave anything out.

    A `CompressionStartEvent` and a `CompressionEndEvent` tell LlamaIndex's instrumentation what was done; the second
    holds the scores of relevance. Each warning is logged.

    Attributes:
        config: the settings, of which a snapshot is taken; `relevance` says how nodes are scored. None: the defaults.
        model: the model whose tokens are counted.
        token_budget: tokens that the nodes have at most together as a language model is sent them, with their
            metadata; a warning says when the best sentence has more. None: no limit.
        top_n: how many nodes stay at most, the best first. None: no limit, and the retriever's order.
        min_relevance: the score of relevance, from 0 to 1 as a share of the best one's, below which a node is left
            out; where no node has any word of the query none is.
        scorer: scores the passages, in the place of the one that the settings name. `to_dict` leaves it out.

    Raises:
        ConfigurationError: a setting has a value that is not allowed, or no setting has that name.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> texts = "The Oder is short.", "It rained.", "The Elbe is long.", "Jan Hus was a priest."
        >>> found = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in texts]
        >>> best, *_ = HeadroomNodePostprocessor(top_n=2).postprocess_nodes(found, query_str="How long is the Elbe?")
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
        """Return the name that it is serialised under."""
        return "HeadroomNodePostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if not nodes:
            return []
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        left, told = self._compressed(nodes, _asked(query_bundle))
        _dispatcher.event(told)
        return left

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        # The events are dispatched in the event loop, where handlers expect them.
        if not nodes:
            return []
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        left, told = await asyncio.to_thread(self._compressed, nodes, _asked(query_bundle))
        _dispatcher.event(told)
        return left

    def _compressed(
        self, nodes: Sequence[NodeWithScore], query: str
    ) -> tuple[list[NodeWithScore], CompressionEndEvent]:
        """Return the nodes that are left, and what is told of that."""
        came = _distinct(nodes)
        result, left = self._fitted(came, query)
        scored = zip(came, result.scores, strict=True) if query else ()
        told = CompressionEndEvent(
            nodes=len(left),
            tokens_before=self._tokens(nodes),
            tokens_after=self._tokens(left),
            scores={one.node_id: score for one, score in scored},
        )
        return left, told

    def _fitted(
        self, came: Sequence[NodeWithScore], query: str
    ) -> tuple[DocumentsResult, list[NodeWithScore]]:
        """Return what is left where the nodes that stay as they are, and their metadata, leave room in the budget."""
        budget = room = self.token_budget
        result, left = self._chosen(came, query, room)
        while budget and room and room > 1 and (tokens := self._tokens(left)) > budget:
            texts = self._tokens([one for one in left if is_text(one.node)])
            room = max(1, min(room, texts) - (tokens - budget))
            result, left = self._chosen(came, query, room)
        LlamaIndexCompression.log_warnings(
            warning for warning in result.warnings if f"token_budget = {room}:" not in warning
        )
        LlamaIndexCompression.log_warnings(
            budget_warnings(self._tokens(left), budget, "token_budget", estimated=result.estimated)
        )
        return result, left

    def _chosen(
        self, came: Sequence[NodeWithScore], query: str, room: int | None
    ) -> tuple[DocumentsResult, list[NodeWithScore]]:
        """Return the nodes that are left where those that need not stay as they are have at most so many tokens."""
        texts, count = [text_of(one.node) for one in came], Tokenizer(self.model).count_text
        result = compress_documents(
            texts,
            query,
            titles=[title(one.node) for one in came],
            overheads=[
                max(0, count(sent(one.node)) - count(text))
                for one, text in zip(came, texts, strict=True)
            ],
            token_budget=room,
            model=self.model,
            config=self.config,
            scorer=self.scorer,
            max_documents=self.top_n,
            min_relevance=self.min_relevance,
        )
        stay = [at for at, one in enumerate(came) if result.texts[at] or not is_text(one.node)]
        if self.top_n:
            stay = sorted(stay, key=lambda at: -result.scores[at])[: self.top_n]
        return result, [self._with(came[at], result.texts[at]) for at in stay]

    def _with(self, one: NodeWithScore, text: str) -> NodeWithScore:
        node = (
            with_text(one.node, text, Tokenizer(self.model).count_text)
            if is_text(one.node)
            else one.node
        )
        return one if node is one.node else one.model_copy(update={"node": node})

    def _tokens(self, nodes: Sequence[NodeWithScore]) -> int:
        """Return the tokens of nodes as a language model is sent them."""
        count = Tokenizer(self.model).count_text
        return sum(count(sent(one.node)) for one in nodes)


def _asked(query_bundle: QueryBundle | None) -> str:
    return query_bundle.query_str.strip() if query_bundle else ""


def _distinct(nodes: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    """Return the nodes, each once where it came first: several retrievers may have found it."""
    first: dict[tuple[str, str], NodeWithScore] = {}
    for one in nodes:
        first.setdefault((one.node_id, one.node.hash), one)
    return list(first.values())
