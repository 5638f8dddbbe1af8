"""A copy of a chat model that compresses its requests and keeps its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from pydantic import Field, InstanceOf, create_model

from headroom_core import ConfigurationError, HeadroomConfig, Store
from headroom_core.adapters import Ledger, RetrieveChoice, view_as, with_tool_settings
from headroom_integrations.langchain.chat_model.calls import CompressedModel
from headroom_integrations.langchain.chat_model.inner import check_tools, replace_models
from headroom_integrations.langchain.chat_model.methods import WrapperMethods
from headroom_integrations.langchain.chat_model.rounds import UNKNOWN_MODEL, RoundSettings
from headroom_integrations.langchain.compression import LangChainCompression

_Model = TypeVar("_Model")


def wrap_chat_model(
    model: _Model,
    *,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    token_budget: int | None = None,
    store: Store | None = None,
    retrieve: RetrieveChoice = False,
    max_rounds: int = 5,
    exclude_tools: Sequence[str] | None = None,
    only_tools: Sequence[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> _Model:
    """Return a copy of a chat model that compresses its requests and keeps its class.

    Use it where code checks the class, such as `isinstance(model, ChatAnthropic)`. In all else it
    works as `HeadroomChatModel` does. A binding, retry, fallbacks or a model with configurable
    fields is rebuilt around such copies.

    Args:
        model: A chat model, or a runnable around one.
        config: Settings, of which a snapshot is taken. Defaults to `HeadroomConfig()`.
        query: Query to score relevance against. Defaults to the last user message before each
            block.
        token_budget: Maximum number of tokens in a request. Defaults to the model's limit.
        store: Store to keep originals in. Defaults to the default store.
        retrieve: Whether the model is offered `headroom_retrieve`, whose calls are answered
            inside. With "auto" it is offered in requests that offer other tools.
        max_rounds: Maximum number of rounds in which such calls are answered in one request.
        exclude_tools: Tools whose results stay as they are. This and the next two win over the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.

    Raises:
        ConfigurationError: No chat model can be reached in the runnable, `retrieve` is set and a
            model cannot call tools, `retrieve` is neither a boolean nor "auto", or `max_rounds` is
            less than 1.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = wrap_chat_model(FakeListChatModel(responses=["yes"]))
        >>> isinstance(model, FakeListChatModel), model.invoke("Are you there?").content
        (True, 'yes')
    """
    compression = LangChainCompression(
        model=UNKNOWN_MODEL,
        config=HeadroomConfig.snapshot_of(
            with_tool_settings(config, exclude_tools, only_tools, tool_profiles)
        ),
        query=query,
        token_budget=token_budget,
        store=store,
    )
    settings = RoundSettings(compression, retrieve, max_rounds)
    # Without tools of the caller, "auto" offers none.
    if retrieve is True:
        check_tools(model)
    wrapped: _Model | None = replace_models(model, lambda inner: make_variant(inner, settings))
    if wrapped is None:
        raise ConfigurationError(
            f"model is a {type(model).__name__}, inside which no chat model can be reached: "
            "wrap the chat model before you put it in there, or use HeadroomChatModel",
            {"model": type(model).__name__},
        )
    return wrapped


def make_variant(model: BaseChatModel, settings: RoundSettings) -> BaseChatModel:
    """Return a copy of a chat model that compresses its requests."""
    copy = model.model_copy()
    copy.__dict__["headroom"] = settings
    return view_as(_variant_class(type(model)), copy)


class _VariantMethods(WrapperMethods):
    """Methods that override those of a chat model's class in the class of its variant."""

    def _get_compressed_model(self: Any, config: RunnableConfig | None = None) -> CompressedModel:
        return CompressedModel(self.unwrap(), self.headroom)

    def _get_ledger(self: Any) -> Ledger:
        settings: RoundSettings = self.headroom
        return settings.ledger

    def unwrap(self: Any) -> Any:
        return view_as(type(self).__bases__[1], self)

    @classmethod
    def lc_id(cls) -> list[str]:
        # Traces and serializers know the original class.
        original: Any = cls.__bases__[1]
        return list(original.lc_id())

    def __reduce__(self: Any) -> tuple[Any, ...]:
        # The variant's class is created at run time, so a pickle cannot name it.
        original = self.unwrap().model_copy()
        return make_variant, (original, original.__dict__.pop("headroom"))


@lru_cache(maxsize=256)  # More classes than a program wraps; tests may define many.
def _variant_class(cls: type[BaseChatModel]) -> type[BaseChatModel]:
    """Return the variant of a class, which has the same name and module."""
    bases: Any = (_VariantMethods, cls)
    variant: Any = create_model(
        cls.__name__,
        __base__=bases,
        __module__=cls.__module__,
        headroom=(InstanceOf[RoundSettings], Field(exclude=True, repr=False)),
    )
    variant.__qualname__ = cls.__qualname__
    return cast("type[BaseChatModel]", variant)
