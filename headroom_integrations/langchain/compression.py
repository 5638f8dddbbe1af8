"""What the adapters share: how messages are compressed, and what is told of it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from langchain_core.documents import Document

from headroom_core.adapters import CompressionSettings
from headroom_integrations.langchain.dialect import LangChainDialect

EVENT = "headroom_compressed"
"""The name of the custom event that carries the `CompressResult`, or the `DocumentsResult`, of a run."""


@dataclass(frozen=True, slots=True)
class LangChainCompression(CompressionSettings):
    """How LangChain's messages are compressed before a model reads them."""

    dialect = LangChainDialect()
    log = logging.getLogger(__package__)


def title_of(document: Document) -> str | None:
    """Return what the metadata of a document say is its title."""
    title = document.metadata.get("title")
    return title if isinstance(title, str) else None
