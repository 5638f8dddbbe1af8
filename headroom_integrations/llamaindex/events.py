"""What LlamaIndex's instrumentation is told of compression."""

from __future__ import annotations

from llama_index.core.instrumentation.events import BaseEvent
from pydantic import Field


class CompressionStartEvent(BaseEvent):
    """Nodes are about to be compressed.

    Attributes:
        nodes: how many came.
    """

    nodes: int

    @classmethod
    def class_name(cls) -> str:
        """Return the name that serialised events have."""
        return "CompressionStartEvent"


class CompressionEndEvent(BaseEvent):
    """Nodes were compressed.

    Attributes:
        nodes: how many are left.
        tokens_before: tokens of the nodes that came, as a language model reads them, with their metadata.
        tokens_after: tokens of those that are left.
        scores: how much each node that came has to do with the query, by its id: from 0 to 1, as a share of the best
            one's. Empty without a query.
    """

    nodes: int
    tokens_before: int
    tokens_after: int
    scores: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that serialised events have."""
        return "CompressionEndEvent"


class MessagesCompressedEvent(BaseEvent):
    """The messages of a request were compressed, or its prompt; the language model is called next.

    Attributes:
        tokens_before: tokens of the messages that came.
        tokens_after: tokens of those that are sent.
        transforms_applied: what changed something.
    """

    tokens_before: int
    tokens_after: int
    transforms_applied: list[str] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        """Return the name that serialised events have."""
        return "MessagesCompressedEvent"
