"""A chat model around another one, which compresses what that one is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams, LanguageModelInput
from langchain_core.load import Serializable
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, InstanceOf, field_validator, model_validator

from headroom_core import ConfigurationError, Store
from headroom_core.adapters import ConfigSnapshot, Ledger, PositiveInt, ValidatedModel
from headroom_integrations.langchain.chat_model.calls import CompressedModel
from headroom_integrations.langchain.chat_model.inner import (
    check_tools,
    inner_model,
    replace_models,
    unwrap,
)
from headroom_integrations.langchain.chat_model.methods import Delegating
from headroom_integrations.langchain.chat_model.rounds import CALLED, RoundSettings
from headroom_integrations.langchain.chat_model.wrap import variant
from headroom_integrations.langchain.compression import LangChainCompression


class HeadroomChatModel(Delegating, ValidatedModel, BaseChatModel):
    """A chat model that compresses what another one is sent: `HeadroomChatModel(llm)`.

    The other model is called in the way in which this one is called, and does all else itself: callbacks, caches,
    rate limits, streaming, structured output. Its attributes are read through this one. A trace shows what was sent,
    with what it saved under `headroom` in the metadata. It is pickled with its store.

    With `retrieve` the model is offered the tool `headroom_retrieve` in each request, and its calls are answered
    here, in up to `max_rounds` more requests. The caller sees none of it: text streams as it comes, and calls of the
    caller's own tools come back alone. What the caller does not see travels in the answer's
    `additional_kwargs["headroom"]`, and is put back when the answer comes in again with a later request, so that each
    request begins with the bytes of the one before. A model that still asks is told that there is no more, and gets
    one last request in which it is to call nothing; if it asks even then, the answer is a text that says so.

    The answer's usage is that of the last request, which tells how large the conversation is. Callbacks see each of
    the requests with its usage, in a run named `headroom`; `get_metrics` has what they cost together. A stream also
    shows what the model said before it asked; `invoke` returns the answer alone.

    The tool is not offered, and so nothing is left out, where the answer has to be of one form (structured output, a
    forced tool), by `generate` and for typed events (`version="v3"`). Such a request begins with other bytes, as it
    does anyway where its tools differ.

    Attributes:
        wrapped: the chat model, or a runnable around one: a binding, retry, fallbacks, configurable fields.
        config: the settings, of which a snapshot is taken. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        token_budget: tokens that a request has at most. None: no limit but the model's.
        store: where originals are kept. None: the default store.
        retrieve: whether the model is offered the retrieve tool. If not, nothing is left out, unless `token_budget`
            cannot be met otherwise.
        max_rounds: how often calls of the retrieve tool are answered in one request.
        ledger: where requests are booked. Copies share it.

    Raises:
        ConfigurationError: an attribute has a value that is not allowed, or none has that name; `retrieve` is set, and
            the model cannot call tools; or a setting of chat models, such as `cache`, is given here rather than to
            the wrapped model.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = HeadroomChatModel(FakeListChatModel(responses=["yes"]))
        >>> model.invoke("Are you there?").content, model.get_summary()["total_requests"]
        ('yes', 1)
    """

    model_config = ConfigDict(extra="forbid")  # LangChain ignores what no field is named.

    wrapped: InstanceOf[Runnable]  # type: ignore[type-arg]
    config: ConfigSnapshot = None
    query: str | None = None
    token_budget: PositiveInt | None = None
    store: Store | None = None
    retrieve: bool = False
    max_rounds: PositiveInt = 5
    ledger: InstanceOf[Ledger] = Field(default_factory=Ledger, exclude=True, repr=False)

    def __init__(self, wrapped: Runnable[Any, Any] | None = None, /, **settings: Any) -> None:
        if wrapped is not None:
            settings["wrapped"] = wrapped
        _check_settings(settings)
        super().__init__(**settings)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in BaseChatModel.model_fields:
                super().__setattr__(name, value)
                return
            # LangChain assigns some when a model is validated, which would validate it again without an end.
            if name != "profile":
                _check_settings({"wrapped": self.wrapped, name: value})
            self.__dict__[name] = value

    @field_validator("wrapped")
    @classmethod
    def _uncompressed(cls, wrapped: Runnable[Any, Any]) -> Any:
        return unwrap(wrapped)

    @model_validator(mode="after")
    def _is_the_wrapped_model_in_all_else(self) -> HeadroomChatModel:
        if self.retrieve:
            check_tools(self.wrapped)
        if (inner := inner_model(self.wrapped)) is not None:
            self.__dict__.update(
                {name: getattr(inner, name) for name in BaseChatModel.model_fields}
            )
        return self

    @property
    def _inner(self) -> Any:
        """The chat model that is wrapped; of several the first, and what is wrapped where none can be reached."""
        return inner_model(self.wrapped) or self.wrapped

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)  # type: ignore[misc]
        except AttributeError:
            if name.startswith("__") or "wrapped" not in self.__dict__:
                raise
            return getattr(self._inner, name)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return whether LangChain's `dumps` can write it: it writes what is wrapped."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The settings that are not written, by the environment variables that have them."""
        return dict(getattr(self.wrapped, "lc_secrets", {}))

    def to_json(self) -> Any:
        """Return how what is wrapped is written, since `loads` takes no class of another package."""
        return (
            self.wrapped.to_json()
            if isinstance(self.wrapped, Serializable)
            else self.to_json_not_implemented()
        )

    def uncompressed(self) -> Runnable[Any, Any]:
        """Return what is wrapped."""
        return self.wrapped

    def _get_ledger(self) -> Ledger:
        """Return where requests are booked."""
        return self.ledger

    def caller(self, config: RunnableConfig | None = None) -> Any:
        """Return what sends requests to the wrapped model, or to each chat model inside what is wrapped."""
        if isinstance(self.wrapped, BaseChatModel):
            return self._caller(self.wrapped)
        inside = replace_models(self.wrapped, self._around, ensure_config(config))
        if inside is None and self.retrieve:
            raise ConfigurationError(
                f"retrieve = True: in {type(self.wrapped).__name__} no chat model can be reached that is to be offered "
                "the tool; wrap the chat model before it is put in there, or use retrieve=False",
                {"retrieve": True, "wrapped": type(self.wrapped).__name__},
            )
        return self._caller(self.wrapped) if inside is None else inside

    def _around(self, inner: Any) -> HeadroomChatModel:
        return self.model_copy(update={"wrapped": inner})

    def _caller(self, model: Any) -> CompressedModel:
        return CompressedModel(model, self._settings)

    @property
    def _settings(self) -> RoundSettings:
        compression = LangChainCompression(
            CALLED, self.config, self.query, self.token_budget, self.store, self.retrieve
        )
        return RoundSettings(compression, self.max_rounds, self.ledger)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools that it may call."""
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        bound = self.wrapped.bind_tools(tools, **choice, **kwargs)  # type: ignore[attr-defined]
        if isinstance(bound, RunnableBinding) and bound.bound is self._inner:
            return self.bind(**bound.kwargs).with_config(bound.config)
        return self._around(bound)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable whose answers are of a schema, as the wrapped model makes it."""
        settings = {"include_raw": include_raw, **kwargs}
        inside = replace_models(self.wrapped, self._compressing)
        if inside is not None:
            return _structured(inside, schema, **settings)

        def chosen(_: Any, config: RunnableConfig) -> Any:
            return _structured(self._inside(config), schema, **settings)

        return RunnableLambda(chosen, name="headroom")

    def _inside(self, config: RunnableConfig) -> Any:
        """Return what is wrapped, around chat models that compress, where only a request says which they are."""
        inside = replace_models(self.wrapped, self._compressing, config)
        if inside is None:
            kind = type(self.wrapped).__name__
            raise ConfigurationError(
                f"with_structured_output: in {kind} no chat model can be reached whose requests are to be compressed; "
                "wrap the chat model before it is put in there",
                {"wrapped": kind},
            )
        return inside

    def _compressing(self, model: BaseChatModel) -> BaseChatModel:
        return variant(model, self._settings)

    def configurable_fields(self, **kwargs: Any) -> Any:
        """Return a runnable whose fields, or the wrapped model's, can be configured for each request."""
        own = {name: field for name, field in kwargs.items() if name in _OWN}
        others = {name: field for name, field in kwargs.items() if name not in _OWN}
        inside: Any = self.wrapped
        model = self._around(inside.configurable_fields(**others)) if others else self
        return BaseChatModel.configurable_fields(model, **own) if own else model

    @property
    def _llm_type(self) -> str:
        return str(getattr(self._inner, "_llm_type", "headroom"))

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return dict(getattr(self._inner, "_identifying_params", {}))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params: LangSmithParams = self._inner._get_ls_params(stop=stop, **kwargs)
        return params

    def get_token_ids(self, text: str) -> list[int]:
        """Return the ids of a text's tokens, as the wrapped model tells them."""
        return list(self._inner.get_token_ids(text))

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text, as the wrapped model counts them."""
        return int(self._inner.get_num_tokens(text))

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> int:
        """Return the number of tokens of messages as they are, as the wrapped model counts them."""
        return int(self._inner.get_num_tokens_from_messages(messages, *args, **kwargs))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(
            generations=[ChatGeneration(message=self.invoke(messages, stop=stop, **kwargs))]
        )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self.stream(messages, stop=stop, **kwargs):
            yield ChatGenerationChunk(message=chunk)


def _structured(model: Any, schema: Any, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
    made: Runnable[LanguageModelInput, Any] = model.with_structured_output(schema, **kwargs)
    return made


def _check_settings(settings: dict[str, Any]) -> None:
    """Check that what the wrapped model does is not asked of its wrapper."""
    inner = inner_model(settings.get("wrapped"))
    for name in settings.keys() & BaseChatModel.model_fields.keys():
        value = settings[name]
        if value and value != getattr(inner, name, None):
            raise ConfigurationError(
                f"{name} = {value!r}: give it to the model that is wrapped", {name: value}
            )


_OWN = {*HeadroomChatModel.model_fields} - {*BaseChatModel.model_fields}
