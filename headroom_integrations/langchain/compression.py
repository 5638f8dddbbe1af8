"""Compression settings and helpers shared by the LangChain components."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from langchain_core.documents import Document

from headroom_core.adapters import CompressionSettings
from headroom_integrations.langchain.dialect import LangChainDialect

EVENT = "headroom_compressed"
"""Name of the custom event that carries the `CompressResult` or `DocumentsResult` of a run."""


@dataclass(frozen=True, slots=True)
class LangChainCompression(CompressionSettings):
    """Settings for compressing LangChain messages before a model reads them."""

    dialect = LangChainDialect()
    log = logging.getLogger(__package__)


def document_title(document: Document) -> str | None:
    """Return the title in a document's metadata, or None if it has no text title."""
    title = document.metadata.get("title")
    return title if isinstance(title, str) else None
