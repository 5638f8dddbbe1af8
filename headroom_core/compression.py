"""What adapters to frameworks share: settings that go along, and what is done by them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from headroom_core.config import HeadroomConfig
from headroom_core.dialects import Dialect
from headroom_core.journey import compress
from headroom_core.relevance import Scorer
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.transforms.limits import check_budget


def _object(scorer: Scorer | None) -> Scorer | None:
    if isinstance(scorer, type):
        raise ValueError(f"give an object, such as {scorer.__name__}()")
    return scorer


Config = Annotated[HeadroomConfig | None, AfterValidator(lambda config: config and config.snapshot())]
"""The settings of a component of a framework: a snapshot."""

OwnScorer = Annotated[Scorer | None, AfterValidator(_object)]
"""The scorer that a component of a framework is given."""


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
        self.log_warnings(result.warnings)
        return result

    async def acompressed(self, messages: Sequence[Any]) -> CompressResult:
        """Do what `compressed` does, in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.compressed, messages)

    @classmethod
    def log_warnings(cls, warnings: Iterable[str]) -> None:
        """Log what was not done."""
        for warning in warnings:
            cls.log.warning("%s", warning)

    def __deepcopy__(self, memo: dict[int, Any]) -> Compression:
        # Copies of what compresses keep originals in the one store.
        return self

    def settings(self) -> dict[str, Any]:
        """Return the arguments that `compress` and `compress_documents` share."""
        config = self.config if self.retrieve else (self.config or HeadroomConfig()).lossless()
        return {"model": self.model, "token_budget": self.token_budget, "config": config, "store": self.store}
