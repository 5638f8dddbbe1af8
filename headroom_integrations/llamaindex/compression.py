"""What the adapters share: how messages are compressed, and what is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage
from pydantic import AfterValidator, BaseModel, PlainSerializer

from headroom_core import compress
from headroom_core.config import HeadroomConfig
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.transforms.limits import check_budget
from headroom_integrations.llamaindex.dialect import LlamaIndexDialect

_log = logging.getLogger(__package__)


def _written(settings: BaseModel) -> dict[str, Any]:
    """Return the fields that were set, in settings within settings too, as plain values: defaults stay defaults."""
    within = {name: _written(value) for name, value in settings if isinstance(value, BaseModel)}
    own = settings.model_dump(mode="json", include=settings.model_fields_set - within.keys())
    return own | {name: written for name, written in within.items() if written}


Config = Annotated[
    HeadroomConfig | None,
    AfterValidator(lambda config: config and config.snapshot()),
    PlainSerializer(lambda config: config and _written(config)),
]
"""The settings of a component of LlamaIndex: a snapshot, written with what was set alone."""


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

    def __deepcopy__(self, memo: dict[int, Any]) -> Compression:
        # Copies of what compresses keep originals in the one store.
        return self

    def compressed(self, messages: Sequence[ChatMessage]) -> CompressResult:
        """Return what becomes of messages. Warnings are logged; they hold nothing of the texts."""
        config = self.config or HeadroomConfig()
        result = compress(
            messages,
            model=self.model,
            token_budget=self.token_budget,
            config=config if self.retrieve else config.lossless(),
            query=self.query,
            store=self.store,
            dialect=LlamaIndexDialect(),
        )
        log_warnings(result.warnings)
        return result

    async def acompressed(self, messages: Sequence[ChatMessage]) -> CompressResult:
        """Do what `compressed` does, in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.compressed, messages)


def log_warnings(warnings: Iterable[str]) -> None:
    """Log what was not done."""
    for warning in warnings:
        _log.warning("%s", warning)


def model_name(llm: BaseLLM | None) -> str:
    """Return the name of the model by which tokens are counted; `gpt-4o` where a language model tells none."""
    name = None if llm is None else llm.metadata.model_name
    return name if isinstance(name, str) and name != "unknown" else "gpt-4o"
