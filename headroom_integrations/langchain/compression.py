"""What the adapters share: how messages are compressed, and what is told of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import run_in_executor

from headroom_core import compress
from headroom_core.config import HeadroomConfig
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.transforms.limits import check_budget
from headroom_integrations.langchain.dialect import LangChainDialect

EVENT = "headroom_compressed"
"""The name of the custom event that carries the `CompressResult`, or the `DocumentsResult`, of a run."""

_log = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True)
class Compression:
    """How messages are compressed before a model reads them.

    Attributes:
        model: the model whose tokens are counted, and whose limit holds where `retrieve` is set.
        config: the settings. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        token_budget: tokens that the result has at most. None: no limit but the model's.
        store: where originals are kept. None: the default store.
        retrieve: whether the model that reads the result can call `headroom_retrieve`. If not, nothing is left
            out, unless `token_budget` cannot be met otherwise.

    Raises:
        ConfigurationError: the budget is less than 1.
    """

    model: str = "gpt-4o"
    config: HeadroomConfig | None = None
    query: str | None = None
    token_budget: int | None = None
    store: Store | None = None
    retrieve: bool = False

    def __post_init__(self) -> None:
        check_budget(self.token_budget)

    def compressed(self, messages: Sequence[BaseMessage]) -> CompressResult:
        """Return what becomes of messages. Warnings are logged; they hold nothing of the texts."""
        result = compress(messages, query=self.query, dialect=LangChainDialect(), **self.settings())
        log_warnings(result.warnings)
        return result

    async def acompressed(self, messages: Sequence[BaseMessage]) -> CompressResult:
        """Do what `compressed` does, in a thread, so that the event loop goes on."""
        return await run_in_executor(None, self.compressed, messages)

    def settings(self) -> dict[str, Any]:
        """Return the arguments that `compress` and `compress_documents` share."""
        config = self.config or HeadroomConfig()
        config = config if self.retrieve else config.lossless()
        return {"model": self.model, "token_budget": self.token_budget, "config": config, "store": self.store}


def log_warnings(warnings: Iterable[str]) -> None:
    """Log what was not done."""
    for warning in warnings:
        _log.warning("%s", warning)


def title_of(document: Document) -> str | None:
    """Return what the metadata of a document say is its title."""
    title = document.metadata.get("title")
    return title if isinstance(title, str) else None
