"""What adapters to frameworks share: settings that go along, and what is done by them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel

from headroom_core._internal.validated import PositiveInt, ValidatedModel
from headroom_core.client import (
    RetrieveRounds,
    RoundDecision,
    RoundStep,
    ToolCall,
    Usage,
    UsageRecorder,
    allows_tool_choice,
    check_max_rounds,
    forbid_tool_calls,
    has_strict_tools,
    read_usage,
)
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.compress import compress
from headroom_core.dialects import Dialect
from headroom_core.dialects.access import as_items, get_field, render_draft
from headroom_core.dialects.anthropic import part_texts
from headroom_core.dialects.base import (
    Calls,
    Image,
    Reader,
    Reading,
    Speaker,
    compact,
    image_of,
    marked,
)
from headroom_core.documents.ranking import title_of
from headroom_core.markers import RETRIEVE_TOOL, is_retrieve_tool, pin_reason
from headroom_core.messages import Outline, require_list, to_mapping
from headroom_core.metrics import Ledger, MetricsMixin, Summary
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.results import CompressResult
from headroom_core.retrieval.originals import declares_retrieval
from headroom_core.stores import Store, shared_store
from headroom_core.transforms.windows.limits import budget_warnings, check_budget

__all__ = [
    "RETRIEVE_TOOL",
    "Calls",
    "CompressionSettings",
    "ConfigSnapshot",
    "Image",
    "Ledger",
    "MetricsMixin",
    "Outline",
    "PositiveInt",
    "Reader",
    "Reading",
    "RetrieveRounds",
    "RoundDecision",
    "RoundStep",
    "ScorerInstance",
    "Speaker",
    "Summary",
    "ToolCall",
    "Usage",
    "UsageRecorder",
    "ValidatedModel",
    "allows_tool_choice",
    "as_items",
    "budget_warnings",
    "check_max_rounds",
    "compact",
    "declares_retrieval",
    "forbid_tool_calls",
    "get_field",
    "has_strict_tools",
    "image_of",
    "is_retrieve_tool",
    "marked",
    "model_info",
    "part_texts",
    "pin_reason",
    "read_usage",
    "render_draft",
    "require_list",
    "shared_store",
    "title_of",
    "to_mapping",
    "view_as",
]


def _object(scorer: Scorer | None) -> Scorer | None:
    if isinstance(scorer, type):
        raise ValueError(f"give an object, such as {scorer.__name__}()")
    return scorer


ConfigSnapshot = Annotated[
    HeadroomConfig | None, AfterValidator(lambda config: config and config.snapshot())
]
"""The settings of a component of a framework: a snapshot."""

ScorerInstance = Annotated[Scorer | None, AfterValidator(_object)]
"""The scorer that a component of a framework is given."""


@dataclass(frozen=True, slots=True)
class CompressionSettings:
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
        >>> CompressionSettings().compress([{"role": "user", "content": "hi"}]).messages
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

    def compress(self, messages: Sequence[Any]) -> CompressResult:
        """Return what becomes of messages. Warnings are logged; they hold nothing of the texts."""
        result = compress(messages, query=self.query, dialect=self.dialect, **self.settings())
        self.log_warnings(result.warnings)
        return result

    async def acompress(self, messages: Sequence[Any]) -> CompressResult:
        """Do what `compressed` does, in a thread, so that the event loop goes on."""
        return await asyncio.to_thread(self.compress, messages)

    @classmethod
    def log_warnings(cls, warnings: Iterable[str]) -> None:
        """Log what was not done."""
        for warning in warnings:
            cls.log.warning("%s", warning)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompressionSettings:
        # Copies of what compresses keep originals in the one store.
        return self

    def settings(self) -> dict[str, Any]:
        """Return the arguments that `compress` and `compress_documents` share."""
        config = self.config if self.retrieve else (self.config or HeadroomConfig()).lossless()
        return {
            "model": self.model,
            "token_budget": self.token_budget,
            "config": config,
            "store": self.store,
        }


_Seen = TypeVar("_Seen", bound=BaseModel)


def view_as(cls: type[_Seen], model: BaseModel) -> _Seen:
    """Return a pydantic model as an object of another class: what the one keeps, such as a client, the other has too.

    So a framework's own class gets methods that compress first, and nothing that its object made is made again.

    Example:
        >>> class Plain(BaseModel):
        ...     sent: list[str] = []
        >>> class Loud(Plain):
        ...     def send(self, text: str) -> None:
        ...         self.sent.append(text.upper())
        >>> plain = Plain()
        >>> view_as(Loud, plain).send("hi")
        >>> plain.sent
        ['HI']
    """
    seen = cls.__new__(cls)
    for slot in BaseModel.__slots__:
        object.__setattr__(seen, slot, getattr(model, slot))
    return seen
