"""Compression of nodes before they are indexed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.schema import BaseNode, TransformComponent

from headroom_core import HeadroomConfig, Tokenizer, compress_documents
from headroom_integrations.llamaindex.compression import (
    LlamaIndexComponent,
    LlamaIndexCompression,
    SerializedConfig,
)
from headroom_integrations.llamaindex.events import CompressionEndEvent, CompressionStartEvent
from headroom_integrations.llamaindex.nodes import is_text, sent, text_of, with_text

_dispatcher = get_dispatcher(__name__)


class HeadroomTransform(LlamaIndexComponent, TransformComponent):
    """Writes the text of nodes shorter without a loss, for ingestion pipelines: the saving is stored.

    JSON, tables and other structured texts are written shorter; prose stays, because without a query nothing is left
    out. A shortened node is a copy with another text, and so with another hash: id, embedding, metadata and
    relationships stay, and the document that came in is as it was, by which a docstore knows it again.

    Put it after the splitter, because splitters know nothing of the shorter forms. After the embedding model, the
    embeddings are those of the texts as they were; before it, those of the shorter ones.

    Attributes:
        config: the settings, of which a snapshot is taken. None: the defaults.
        model: the model whose tokens are counted.

    Raises:
        ConfigurationError: a setting has a value that is not allowed, or no setting has that name.

    Example:
        >>> from llama_index.core.schema import TextNode
        >>> rows = TextNode(text=str([{"river": "Elbe", "km": n} for n in range(60)]).replace("'", '"'))
        >>> (shorter,) = HeadroomTransform()([rows])
        >>> len(shorter.text) < len(rows.text) / 2, shorter.node_id == rows.node_id
        (True, True)
    """

    config: SerializedConfig = None
    model: str = "gpt-4o"

    @classmethod
    def class_name(cls) -> str:
        """Return the name that it is serialised under."""
        return "HeadroomTransform"

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Return the nodes, copies in the place of those that were shortened."""
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        after, told = self._compressed(nodes)
        _dispatcher.event(told)
        return after

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Return the nodes, copies in the place of those that were shortened, without blocking the event loop."""
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        after, told = await asyncio.to_thread(self._compressed, nodes)
        _dispatcher.event(told)
        return after

    def _compressed(self, nodes: Sequence[BaseNode]) -> tuple[list[BaseNode], CompressionEndEvent]:
        """Return what becomes of the nodes, and what is told of that."""
        config = (self.config or HeadroomConfig()).lossless()
        result = compress_documents(
            [text_of(node) for node in nodes], model=self.model, config=config
        )
        LlamaIndexCompression.log_warnings(result.warnings)
        count = Tokenizer(self.model).count_text
        texts = zip(nodes, result.texts, strict=True)
        after = [with_text(node, text, count) if is_text(node) else node for node, text in texts]
        before, now = (sum(count(sent(node)) for node in some) for some in (nodes, after))
        return after, CompressionEndEvent(nodes=len(after), tokens_before=before, tokens_after=now)
