"""What the adapters share: how messages are compressed, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from langchain_core.documents import Document
from pydantic import AfterValidator

from headroom_core import compression
from headroom_core.config import HeadroomConfig
from headroom_integrations.langchain.dialect import LangChainDialect

EVENT = "headroom_compressed"
"""The name of the custom event that carries the `CompressResult`, or the `DocumentsResult`, of a run."""

_log = logging.getLogger(__package__)

Config = Annotated[HeadroomConfig | None, AfterValidator(lambda config: config and config.snapshot())]
"""The settings of a component of LangChain: a snapshot."""


@dataclass(frozen=True, slots=True)
class Compression(compression.Compression):
    """How LangChain's messages are compressed before a model reads them."""

    dialect = LangChainDialect()
    log = _log


def log_warnings(warnings: Iterable[str]) -> None:
    """Log what was not done."""
    for warning in warnings:
        _log.warning("%s", warning)


def title_of(document: Document) -> str | None:
    """Return what the metadata of a document say is its title."""
    title = document.metadata.get("title")
    return title if isinstance(title, str) else None
