"""A chat model that wraps another one and compresses its requests."""

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

from headroom_core import ConfigurationError
from headroom_core.adapters import (
    Ledger,
    PositiveInt,
    RetrieveSetting,
    StoreInstance,
    ToolSettings,
)
from headroom_integrations.langchain.chat_model.calls import CompressedModel
from headroom_integrations.langchain.chat_model.inner import (
    check_tools,
    inner_model,
    replace_models,
    unwrap_model,
)
from headroom_integrations.langchain.chat_model.methods import WrapperMethods
from headroom_integrations.langchain.chat_model.rounds import UNKNOWN_MODEL, RoundSettings
from headroom_integrations.langchain.chat_model.wrap import make_variant
from headroom_integrations.langchain.compression import LangChainCompression


class HeadroomChatModel(WrapperMethods, ToolSettings, BaseChatModel):
    """A chat model that compresses the requests of another one: `HeadroomChatModel(llm)`.

    The other model is called in the same way as this one and does everything else itself:
    callbacks, caches, rate limits, streaming, structured output. Its attributes can be read through
    this one. A trace shows the messages that were sent, and the tokens before and after compression
    under `headroom` in the metadata. The model is pickled with its store.

    With `retrieve` the model is offered the tool `headroom_retrieve` in each request, and its calls
    are answered here, in up to `max_rounds` more requests. The caller sees none of it: text streams
    as it arrives, and calls of the caller's own tools come back alone. Whatever the caller does not
    see is carried in the answer's `additional_kwargs["headroom"]`, and is put back when the answer
    is part of a later request, so each request begins with the bytes of the one before. A
    model that keeps retrieving is informed that it can retrieve no more, and gets a last request in
    which it may call no tool; if it retrieves even then, the answer is a text that says so.

    The answer's usage is that of the last request, which shows how large the conversation is.
    Callbacks see each of the requests with its usage, in a run named `headroom`; `get_metrics` has
    their total. A stream also shows the text of a model before it retrieved; `invoke` returns the
    answer alone.

    The tool is not offered, and so nothing is dropped, if the answer has a fixed format (structured
    output, a forced tool), by `generate` and for typed events (`version="v3"`). Such a request
    begins with other bytes, as it does anyway if its tools differ.

    Attributes:
        wrapped: The chat model, or a runnable around one: a binding, retry, fallbacks or
            configurable fields.
        config: Settings, of which a snapshot is taken. Defaults to `HeadroomConfig()`.
        exclude_tools, only_tools, tool_profiles: Settings of tools, which win over the fields of
            `config` with these names, which describe them.
        query: Query to score relevance against. Defaults to the last user message before each
            block.
        token_budget: Maximum number of tokens in a request. Defaults to the model's limit.
        store: Store to keep originals in. Defaults to the default store.
        retrieve: Whether the model is offered the retrieve tool. If not, nothing is dropped unless
            `token_budget` cannot be met otherwise. With "auto" it is offered in requests that offer
            other tools, so a conversation whose tools are always the same has it from the first
            request or never.
        max_rounds: Maximum number of rounds in which retrieve calls are answered in one request.
        ledger: Ledger to record requests in. Copies share it.

    Raises:
        ConfigurationError: An attribute's value is not allowed, there is no attribute of that name,
            `retrieve` is set and the model cannot call tools, or a setting of chat models, such as
            `cache`, is set here instead of on the wrapped model.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = HeadroomChatModel(FakeListChatModel(responses=["yes"]))
        >>> model.invoke("Are you there?").content, model.get_summary()["total_requests"]
        ('yes', 1)
    """

    model_config = ConfigDict(extra="forbid")  # LangChain's models ignore unknown names.

    wrapped: InstanceOf[Runnable]  # type: ignore[type-arg]
    query: str | None = None
    token_budget: PositiveInt | None = None
    store: StoreInstance = None
    retrieve: RetrieveSetting = False
    max_rounds: PositiveInt = 5
    ledger: InstanceOf[Ledger] = Field(default_factory=Ledger, exclude=True, repr=False)

    def __init__(self, wrapped: Runnable[Any, Any] | None = None, /, **settings: Any) -> None:
        if wrapped is not None:
            settings["wrapped"] = wrapped
        if "wrapped" not in settings:
            raise _explain_missing_model(settings)
        _check_settings(settings)
        super().__init__(**settings)

    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: Any) -> None:
            if name not in BaseChatModel.model_fields:
                super().__setattr__(name, value)
                return
            # LangChain assigns `profile` during validation, and validating that assignment would
            # never end.
            if name != "profile":
                _check_settings({"wrapped": self.wrapped, name: value})
            self.__dict__[name] = value

    @field_validator("wrapped")
    @classmethod
    def _unwrap_model(cls, wrapped: Runnable[Any, Any]) -> Any:
        return unwrap_model(wrapped)

    @model_validator(mode="after")
    def _copy_inner_settings(self) -> HeadroomChatModel:
        # Without tools of the caller, "auto" offers none.
        if self.retrieve is True:
            check_tools(self.wrapped)
        inner = inner_model(self.wrapped)
        if inner is not None:
            self.__dict__.update(
                {name: getattr(inner, name) for name in BaseChatModel.model_fields}
            )
        return self

    @property
    def _inner(self) -> Any:
        """The first chat model inside `wrapped`, or `wrapped` itself if none can be reached."""
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
        """Return whether LangChain's `dumps` can serialize it: it serializes the wrapped model."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Names of environment variables for the settings that are not serialized."""
        return dict(getattr(self.wrapped, "lc_secrets", {}))

    def to_json(self) -> Any:
        """Serialize the wrapped model, because `loads` accepts no class of another package."""
        if isinstance(self.wrapped, Serializable):
            return self.wrapped.to_json()
        return self.to_json_not_implemented()

    def unwrap(self) -> Runnable[Any, Any]:
        """Return the wrapped model."""
        return self.wrapped

    def _get_ledger(self) -> Ledger:
        return self.ledger

    def _get_compressed_model(self, config: RunnableConfig | None = None) -> Any:
        """Return the runnable that compresses the requests of each chat model in `wrapped`."""
        if isinstance(self.wrapped, BaseChatModel):
            return CompressedModel(self.wrapped, self._settings)
        # Fallbacks and retries have to repeat the rounds of one model, so each model is wrapped.
        replaced = replace_models(self.wrapped, self._copy_around, ensure_config(config))
        if replaced is not None:
            return replaced
        if self.retrieve:
            kind = type(self.wrapped).__name__
            raise ConfigurationError(
                f"retrieve = {self.retrieve!r}: in {kind} no chat model can be reached that could "
                "be offered the retrieve tool; wrap the chat model before you put it in there, or "
                "use retrieve=False",
                {"retrieve": self.retrieve, "wrapped": kind},
            )
        return CompressedModel(self.wrapped, self._settings)

    def _copy_around(self, wrapped: Any) -> HeadroomChatModel:
        return self.model_copy(update={"wrapped": wrapped})

    def _make_variant(self, model: BaseChatModel) -> BaseChatModel:
        return make_variant(model, self._settings)

    @property
    def _settings(self) -> RoundSettings:
        compression = LangChainCompression(
            model=UNKNOWN_MODEL,
            config=self.config_with_tools(),
            query=self.query,
            token_budget=self.token_budget,
            store=self.store,
        )
        return RoundSettings(compression, self.retrieve, self.max_rounds, self.ledger)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools that the model may call."""
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        bound = self.wrapped.bind_tools(tools, **choice, **kwargs)  # type: ignore[attr-defined]
        if isinstance(bound, RunnableBinding) and bound.bound is self._inner:
            return self.bind(**bound.kwargs).with_config(bound.config)
        return self._copy_around(bound)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that answers in a schema, as the wrapped model builds it."""
        settings = {"include_raw": include_raw, **kwargs}
        replaced = replace_models(self.wrapped, self._make_variant)
        if replaced is not None:
            return _bind_schema(replaced, schema, **settings)

        def bind_configured(_: Any, config: RunnableConfig) -> Any:
            return _bind_schema(self._replace_configured(config), schema, **settings)

        return RunnableLambda(bind_configured, name="headroom")

    def _replace_configured(self, config: RunnableConfig) -> Any:
        """Return `wrapped` around compressing models if only a request's config selects them."""
        replaced = replace_models(self.wrapped, self._make_variant, config)
        if replaced is None:
            kind = type(self.wrapped).__name__
            raise ConfigurationError(
                f"with_structured_output: in {kind} no chat model can be reached whose requests "
                "could be compressed; wrap the chat model before you put it in there",
                {"wrapped": kind},
            )
        return replaced

    def configurable_fields(self, **kwargs: Any) -> Any:
        """Make fields of this model, or of the wrapped one, configurable for each request."""
        own = {name: field for name, field in kwargs.items() if name in _OWN_FIELDS}
        others = {name: field for name, field in kwargs.items() if name not in _OWN_FIELDS}
        wrapped: Any = self.wrapped
        model = self._copy_around(wrapped.configurable_fields(**others)) if others else self
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
        """Return the ids of a text's tokens according to the wrapped model."""
        return list(self._inner.get_token_ids(text))

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens of a text according to the wrapped model."""
        return int(self._inner.get_num_tokens(text))

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> int:
        """Return the number of tokens of uncompressed messages according to the wrapped model."""
        return int(self._inner.get_num_tokens_from_messages(messages, *args, **kwargs))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self.invoke(messages, stop=stop, **kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self.stream(messages, stop=stop, **kwargs):
            yield ChatGenerationChunk(message=chunk)


def _bind_schema(model: Any, schema: Any, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
    bound: Runnable[LanguageModelInput, Any] = model.with_structured_output(schema, **kwargs)
    return bound


def _explain_missing_model(settings: dict[str, Any]) -> ConfigurationError:
    """Return the error of a call that gave no model, or gave it under another name."""
    for name, value in settings.items():
        if isinstance(value, Runnable):
            kind = type(value).__name__
            return ConfigurationError(
                f"HeadroomChatModel.{name} = {kind}: unknown field; "
                f"give wrapped={name}, or HeadroomChatModel({name})",
                {name: kind},
            )
    return ConfigurationError(
        "wrapped is missing: give the chat model, as in HeadroomChatModel(llm)", {"wrapped": None}
    )


def _check_settings(settings: dict[str, Any]) -> None:
    """Check that no setting of the wrapped model is set on its wrapper.

    Raises:
        ConfigurationError: A setting differs from the wrapped model's.
    """
    inner = inner_model(settings.get("wrapped"))
    for name in settings.keys() & BaseChatModel.model_fields.keys():
        value = settings[name]
        if value and value != getattr(inner, name, None):
            raise ConfigurationError(
                f"{name} = {value!r}: set it on the model that is wrapped", {name: value}
            )


_OWN_FIELDS = {*HeadroomChatModel.model_fields} - {*BaseChatModel.model_fields}
