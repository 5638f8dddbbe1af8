"""Lossless compression of nodes before they are indexed."""

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
from headroom_integrations.llamaindex.nodes import (
    is_plain_text,
    llm_text,
    node_text,
    replace_text,
)

_dispatcher = get_dispatcher(__name__)


class HeadroomTransform(LlamaIndexComponent, TransformComponent):
    """Ingestion transform that compresses the text of nodes losslessly.

    JSON, tables and other structured texts are rewritten in a shorter form, which is then stored
    in the index. Prose is not changed, because nothing is dropped without a query. A compressed
    node is a copy with a different text and therefore a different hash: id, embedding, metadata
    and relationships are preserved. The input is not modified, so a docstore still recognises the
    documents.

    Nodes of an index are the result of no tool, so there are no settings of tools.

    Place it after the splitter, because splitters do not know the compressed formats. Before the
    embedding model, the compressed texts are embedded; after it, the embeddings are those of the
    original texts.

    Attributes:
        config: Compression settings, copied on assignment. Defaults to `HeadroomConfig()`.
        model: Model whose tokens are counted.

    Raises:
        ConfigurationError: If a setting has an invalid value or an unknown name.

    Example:
        >>> import json
        >>> from llama_index.core.schema import TextNode
        >>> rows = TextNode(text=json.dumps([{"river": "Elbe", "km": km} for km in range(60)]))
        >>> (compressed,) = HeadroomTransform()([rows])
        >>> len(compressed.text) < len(rows.text) / 2
        True
        >>> compressed.node_id == rows.node_id
        True
    """

    config: SerializedConfig = None
    model: str = "gpt-4o"

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in serialised form."""
        return "HeadroomTransform"

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Compress nodes; unchanged nodes are returned as the same objects."""
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        compressed, end_event = self._compress(nodes)
        _dispatcher.event(end_event)
        return compressed

    async def acall(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Compress nodes in a thread; unchanged nodes are returned as the same objects."""
        _dispatcher.event(CompressionStartEvent(nodes=len(nodes)))
        compressed, end_event = await asyncio.to_thread(self._compress, nodes)
        _dispatcher.event(end_event)
        return compressed

    def _compress(self, nodes: Sequence[BaseNode]) -> tuple[list[BaseNode], CompressionEndEvent]:
        config = (self.config or HeadroomConfig()).lossless()
        result = compress_documents(
            [node_text(node) for node in nodes], model=self.model, config=config
        )
        LlamaIndexCompression.log_warnings(result.warnings)
        count = Tokenizer(self.model).count_text
        compressed = [
            replace_text(node, text, count) if is_plain_text(node) else node
            for node, text in zip(nodes, result.texts, strict=True)
        ]
        end_event = CompressionEndEvent(
            nodes=len(compressed),
            tokens_before=sum(count(llm_text(node)) for node in nodes),
            tokens_after=sum(count(llm_text(node)) for node in compressed),
        )
        return compressed, end_event
