"""Everything that adapters to frameworks may import besides the public names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, model_validator

from headroom_core._internal.checks import check_text
from headroom_core._internal.validated import PositiveInt, ValidatedModel
from headroom_core.client import (
    RetrieveChoice,
    RetrieveRounds,
    RoundDecision,
    RoundStep,
    ToolCall,
    Usage,
    UsageRecorder,
    allows_tool_choice,
    check_max_rounds,
    check_retrieve,
    forbid_tool_calls,
    has_strict_tools,
    read_usage,
    retrieve_rule,
)
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.compress import compress
from headroom_core.dialects import Dialect
from headroom_core.dialects.access import as_items, compact_json, get_field, render_draft
from headroom_core.dialects.anthropic import parse_anthropic_part
from headroom_core.dialects.base import (
    CallTracker,
    Fingerprint,
    MessageReader,
    ParseState,
    Speaker,
    fingerprint_of,
    has_cache_breakpoint,
)
from headroom_core.dialects.counting import CHAT_FIELDS, CountedFields, CountText
from headroom_core.dialects.declarations import declares_retrieval
from headroom_core.dialects.google import GOOGLE_FIELDS
from headroom_core.dialects.joined import join_rows
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.dialects.parts import read_string
from headroom_core.documents.ranking import extract_title
from headroom_core.errors import ConfigurationError
from headroom_core.markers import RETRIEVE_TOOL, is_retrieve_tool, marker_keys, pin_reason
from headroom_core.messages import Outline, require_list, to_mapping
from headroom_core.metrics import Ledger, MetricsMixin, Summary
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.results import CompressResult
from headroom_core.retrieval.tool import refuse_retrieve_call
from headroom_core.stores import Store, check_store, shared_store, store_or_default
from headroom_core.transforms.tool_policy import with_tool_settings
from headroom_core.transforms.windows.limits import budget_warnings, check_budget

__all__ = [
    "CHAT_FIELDS",
    "GOOGLE_FIELDS",
    "RETRIEVE_TOOL",
    "CallTracker",
    "CompressionSettings",
    "ConfigSnapshot",
    "CountText",
    "CountedFields",
    "Fingerprint",
    "Ledger",
    "MessageReader",
    "MetricsMixin",
    "OpenAIDialect",
    "Outline",
    "ParseState",
    "PositiveInt",
    "RetrieveChoice",
    "RetrieveFlag",
    "RetrieveRounds",
    "RetrieveSetting",
    "RoundDecision",
    "RoundStep",
    "ScorerInstance",
    "Speaker",
    "StoreInstance",
    "Summary",
    "ToolCall",
    "ToolSettings",
    "Usage",
    "UsageRecorder",
    "ValidatedModel",
    "allows_tool_choice",
    "as_items",
    "budget_warnings",
    "check_max_rounds",
    "check_retrieve",
    "check_store",
    "compact_json",
    "declares_retrieval",
    "extract_title",
    "fingerprint_of",
    "forbid_tool_calls",
    "get_field",
    "has_cache_breakpoint",
    "has_strict_tools",
    "is_retrieve_tool",
    "join_rows",
    "marker_keys",
    "model_info",
    "parse_anthropic_part",
    "pin_reason",
    "read_string",
    "read_usage",
    "refuse_retrieve_call",
    "render_draft",
    "require_list",
    "shared_store",
    "store_or_default",
    "to_mapping",
    "view_as",
    "with_tool_settings",
]


def _require_instance(scorer: Scorer | None) -> Scorer | None:
    # A class has the method of its objects, so the type check alone would let it pass.
    if isinstance(scorer, type):
        raise ValueError(f"must be an object, such as {scorer.__name__}()")
    return scorer


def _require_store(store: Any) -> Any:
    try:
        check_store(store)
    except ConfigurationError as error:
        # The model names the field itself.
        raise ValueError(str(error).removeprefix("store ")) from None
    return store


def _require_retrieve(value: Any, *, sees_tools: bool = False) -> Any:
    rule = retrieve_rule(value, sees_tools=sees_tools)
    if rule:
        raise ValueError(rule)
    return value


def _snapshot(config: HeadroomConfig | None) -> HeadroomConfig | None:
    return HeadroomConfig.snapshot_of(config)


ConfigSnapshot = Annotated[HeadroomConfig | None, AfterValidator(_snapshot)]
"""Type of a component's field for settings, of which a snapshot is taken."""

ScorerInstance = Annotated[Scorer | None, AfterValidator(_require_instance)]
"""Type of a component's field for a scorer."""

RetrieveFlag = Annotated[bool, BeforeValidator(_require_retrieve)]
"""Type of a component's field `retrieve` if the component sees no tools of requests."""

RetrieveSetting = Annotated[
    RetrieveChoice, BeforeValidator(partial(_require_retrieve, sees_tools=True))
]
"""Type of a component's field `retrieve` if the component sees the tools of requests."""

StoreInstance = Annotated[Store | None, BeforeValidator(_require_store)]
"""Type of a component's field for a store."""


class ToolSettings(ValidatedModel):
    """Base class of components with settings of tools, which win over those of their `config`.

    Attributes:
        config: The settings, of which a snapshot is taken. Defaults to `HeadroomConfig()`.
        exclude_tools: See `HeadroomConfig.exclude_tools`. None leaves the decision to `config`.
        only_tools: See `HeadroomConfig.only_tools`. None leaves the decision to `config`.
        tool_profiles: See `HeadroomConfig.tool_profiles`. None leaves the decision to `config`.

    Raises:
        ConfigurationError: A field has a value that is not allowed.
    """

    config: ConfigSnapshot = None
    exclude_tools: tuple[str, ...] | None = None
    only_tools: tuple[str, ...] | None = None
    tool_profiles: dict[str, dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _check_tool_settings(self) -> ToolSettings:
        self.config_with_tools()
        return self

    def config_with_tools(self) -> HeadroomConfig | None:
        """Return `config` with the settings of tools."""
        return with_tool_settings(
            self.config, self.exclude_tools, self.only_tools, self.tool_profiles
        )


@dataclass(frozen=True, slots=True)
class CompressionSettings:
    """Settings with which an adapter compresses messages before a model reads them.

    Each adapter derives its own class, which names its dialect and its logger.

    Attributes:
        model: The model that counts tokens, and whose limit holds if `retrieve` is set.
        config: The settings. Defaults to `HeadroomConfig()`.
        query: Text that relevance is scored against. Defaults to the last user message before each
            block.
        token_budget: Maximum number of tokens of the result, and of the request's tools if they are
            known. Defaults to the model's limit.
        store: Store of the originals. Defaults to the default store.
        retrieve: Whether the model that reads the result can call `headroom_retrieve`. If not,
            nothing is left out, unless `token_budget` cannot be met otherwise.
        dialect: Reads and writes the messages. Defaults to detecting it from them.
        log: Logger of warnings.

    Raises:
        ConfigurationError: The budget is less than 1, the query is no string, the store is no
            `Store`, or `retrieve` is no boolean.

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
        check_text("query", self.query)
        check_store(self.store)
        check_retrieve(self.retrieve)

    def compress(self, messages: Sequence[Any], *, tools: Any = None) -> CompressResult:
        """Compress messages, and log the warnings, which hold nothing of the texts.

        Args:
            messages: The messages.
            tools: Declarations of the request's tools, a list or a single object that holds them.
                They leave less room for the messages. None if they are not known.
        """
        if tools is not None and not isinstance(tools, (list, tuple)):
            tools = [tools]
        result = compress(
            messages, tools=tools, query=self.query, dialect=self.dialect, **self.arguments()
        )
        self.log_warnings(result.warnings)
        return result

    async def acompress(self, messages: Sequence[Any]) -> CompressResult:
        """Compress messages in a thread, without blocking the event loop."""
        return await asyncio.to_thread(self.compress, messages)

    @classmethod
    def log_warnings(cls, warnings: Iterable[str]) -> None:
        """Log warnings."""
        for warning in warnings:
            cls.log.warning("%s", warning)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompressionSettings:
        # Copies of a component that compresses share its store.
        return self

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that `compress` and `compress_documents` share."""
        config = self.config
        if not self.retrieve:
            config = (config or HeadroomConfig()).lossless()
        return {
            "model": self.model,
            "token_budget": self.token_budget,
            "config": config,
            "store": self.store,
        }


_Model = TypeVar("_Model", bound=BaseModel)


def view_as(cls: type[_Model], model: BaseModel) -> _Model:
    """Return a pydantic model as an object of another class, with which it shares all of its state.

    A framework's object gets methods that compress first, without creating its client anew.

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
    view = cls.__new__(cls)
    for slot in BaseModel.__slots__:
        object.__setattr__(view, slot, getattr(model, slot))
    return view
