"""A chat model that compresses what it is sent, and is still of its class."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig
from pydantic import Field, InstanceOf, create_model

from headroom_core import ConfigurationError, HeadroomConfig, Store
from headroom_core.adapters import view_as
from headroom_integrations.langchain.chat_model.calls import CompressedModel
from headroom_integrations.langchain.chat_model.inner import check_tools, replace_models
from headroom_integrations.langchain.chat_model.methods import Delegating
from headroom_integrations.langchain.chat_model.rounds import CALLED, RoundSettings
from headroom_integrations.langchain.compression import LangChainCompression

_Model = TypeVar("_Model")


def wrap_chat_model(
    model: _Model,
    *,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    token_budget: int | None = None,
    store: Store | None = None,
    retrieve: bool = False,
    max_rounds: int = 5,
) -> _Model:
    """Return a copy of a chat model that compresses what it is sent, and is still an instance of its class.

    It is what code wants that asks for `isinstance(model, ChatAnthropic)`. All else is as for `HeadroomChatModel`. A
    binding, retry, fallbacks or a model with configurable fields comes back around such copies.

    Args:
        model: a chat model, or a runnable around one.
        config: the settings, of which a snapshot is taken. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        token_budget: tokens that a request has at most. None: no limit but the model's.
        store: where originals are kept. None: the default store.
        retrieve: whether the model is offered `headroom_retrieve`, whose calls are answered inside.
        max_rounds: how often such calls are answered in one request.

    Raises:
        ConfigurationError: a chat model cannot be reached in the runnable, or cannot call tools and `retrieve` is set;
            or `max_rounds` is less than 1.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = wrap_chat_model(FakeListChatModel(responses=["yes"]))
        >>> isinstance(model, FakeListChatModel), model.invoke("Are you there?").content
        (True, 'yes')
    """
    snapshot = None if config is None else config.snapshot()
    compression = LangChainCompression(CALLED, snapshot, query, token_budget, store, retrieve)
    settings = RoundSettings(compression, max_rounds)
    if retrieve:
        check_tools(model)
    wrapped: _Model | None = replace_models(model, lambda leaf: variant(leaf, settings))
    if wrapped is None:
        raise ConfigurationError(
            f"model is a {type(model).__name__}, in which no chat model can be reached: "
            "wrap the chat model before it is put in there, or use HeadroomChatModel",
            {"model": type(model).__name__},
        )
    return wrapped


def variant(model: BaseChatModel, settings: RoundSettings) -> BaseChatModel:
    """Return a copy of a bare chat model that compresses what it is sent."""
    copy = model.model_copy()
    copy.__dict__["headroom"] = settings
    return view_as(_class_of(type(model)), copy)


class _Variant(Delegating):
    """What comes before a chat model's class in the class of its variant."""

    def caller(self: Any, config: RunnableConfig | None = None) -> CompressedModel:
        return CompressedModel(self.uncompressed(), self.headroom)

    def _get_ledger(self: Any) -> Any:
        return self.headroom.ledger

    def uncompressed(self: Any) -> Any:
        return view_as(type(self).__bases__[1], self)

    @classmethod
    def lc_id(cls) -> list[str]:
        plain: Any = cls.__bases__[1]
        return list(plain.lc_id())

    def __reduce__(self: Any) -> tuple[Any, ...]:
        plain = self.uncompressed().model_copy()
        return variant, (plain, plain.__dict__.pop("headroom"))


@lru_cache(maxsize=256)
def _class_of(cls: type[BaseChatModel]) -> type[BaseChatModel]:
    bases: Any = (_Variant, cls)
    made: Any = create_model(
        cls.__name__,
        __base__=bases,
        __module__=cls.__module__,
        headroom=(InstanceOf[RoundSettings], Field(exclude=True, repr=False)),
    )
    made.__qualname__ = cls.__qualname__
    return cast("type[BaseChatModel]", made)
