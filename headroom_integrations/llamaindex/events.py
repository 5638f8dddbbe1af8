"""Events of LlamaIndex's instrumentation that report compression."""

from __future__ import annotations

from llama_index.core.instrumentation.events import BaseEvent
from pydantic import Field


class CompressionStartEvent(BaseEvent):
    """Event that is dispatched before nodes are compressed.

    Attributes:
        nodes: Number of nodes to compress.
    """

    nodes: int

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the event in serialised form."""
        return "CompressionStartEvent"


class CompressionEndEvent(BaseEvent):
    """Event that is dispatched after nodes were compressed.

    Attributes:
        nodes: Number of nodes that were kept.
        tokens_before: Tokens of all nodes before compression, as sent to a language model, with
            their metadata.
        tokens_after: Tokens of the nodes that were kept, counted in the same way.
        scores: Relevance of every node to the query by node id, including dropped nodes: a share
            of the best node's score, from 0 to 1. Empty without a query.
    """

    nodes: int
    tokens_before: int
    tokens_after: int
    scores: dict[str, float] = Field(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the event in serialised form."""
        return "CompressionEndEvent"


class MessagesCompressedEvent(BaseEvent):
    """Event that is dispatched after a request was compressed, before the language model is called.

    Attributes:
        tokens_before: Tokens of the messages, or of the prompt, before compression.
        tokens_after: Tokens of the messages, or of the prompt, that are sent.
        transforms_applied: Names of the transforms that changed something.
    """

    tokens_before: int
    tokens_after: int
    transforms_applied: list[str] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the event in serialised form."""
        return "MessagesCompressedEvent"
