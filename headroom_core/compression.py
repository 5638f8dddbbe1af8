"""What adapters to frameworks share: settings that go along, and what is done by them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from headroom_core.config import HeadroomConfig
from headroom_core.dialects import Dialect
from headroom_core.journey import compress
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.transforms.limits import check_budget


@dataclass(frozen=True, slots=True)
class Compression:
    """How messages are compressed before a model reads them. An adapter's own says in which dialect.

    Attributes:
        model: the model whose tokens are counted, and whose limit holds where `retrieve` is set.
        config: the settings. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        token_budget: tokens that the result has at most. None: no limit but the model's.
        store: where originals are kept. None: the default store.
        retrieve: whether the model that reads the result can call `headroom_retrieve`. If not, nothing is left
            out, unless `token_budget` cannot be met otherwise.
        dialect: reads and writes the messages. None: told from the messages.
        log: where warnings go.

    Raises:
        ConfigurationError: the budget is less than 1.

    Example:
        >>> Compression().compressed([{"role": "user", "content": "hi"}]).messages
        [{'role': 'user', 'content': 'hi'}]
    """

    model: str = "gpt-4o"
    config: HeadroomConfig | None = None
    query: str | None = None
    token_budget: int | None = None
    store: Store | None = None
    retrieve: bool = False

    dialect: ClassVar[Dialect | None] = None
    log: ClassVar[logging.Logger] = logging.getLogger(__name__)

    def __post_init__(self) -> None:
        check_budget(self.token_budget)

    def compressed(self, messages: Sequence[Any]) -> CompressResult:
        """Return what becomes of messages. Warnings are logged; they hold nothing of the texts."""
        result = compress(messages, query=self.query, dialect=self.dialect, **self.settings())
        for warning in result.warnings:
            self.log.warning("%s", warning)
        return result

    async def acompressed(self, messages: Sequence[Any]) -> CompressResult:
        """Do what `compressed` does, in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.compressed, messages)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compression:
        # Copies of what compresses keep originals in the one store.
        return self

    def settings(self) -> dict[str, Any]:
        """Return the arguments that `compress` and `compress_documents` share."""
        config = self.config if self.retrieve else (self.config or HeadroomConfig()).lossless()
        return {"model": self.model, "token_budget": self.token_budget, "config": config, "store": self.store}
