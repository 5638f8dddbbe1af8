"""A language model that compresses what it is sent, and is still of its class."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.tools import BaseTool
from pydantic import PrivateAttr

from headroom_core import CompressResult, ConfigurationError, HeadroomConfig, Store
from headroom_core.adapters import RETRIEVE_TOOL, as_items, declares_retrieval, model_info, view_as
from headroom_integrations.llamaindex.compression import LlamaIndexCompression, model_name
from headroom_integrations.llamaindex.events import MessagesCompressedEvent

_dispatcher = get_dispatcher(__name__)
_LLM = TypeVar("_LLM", bound=BaseLLM)
_DESCRIBED = re.compile(
    rf"^(?:> )?Tool Name: {RETRIEVE_TOOL}$|^def {RETRIEVE_TOOL}\(", re.MULTILINE
)
"""How the system prompts of `ReActAgent` and of `CodeActAgent` describe the retrieve tool."""


def wrap_llm(
    llm: _LLM,
    *,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    token_budget: int | None = None,
    store: Store | None = None,
    retrieve: bool = False,
) -> _LLM:
    """Return a copy of a language model that compresses what it is sent, and is still an instance of its class.

    Agents, chat engines and query engines take it where they take the model, and keep in their memories what was
    said; `FunctionAgent` and `ReActAgent` send the results of tools shortened. Prompts for completion are a user's
    text, of which nothing is left out. Events and callbacks show what was sent. To wrap what is wrapped already is
    to wrap the model inside it.

    A `MessagesCompressedEvent` tells LlamaIndex's instrumentation of each request, before the model is called, how many
    tokens it had and has. Each warning is logged. It is pickled with its store.

    Args:
        llm: a language model.
        config: the settings, of which a snapshot is taken. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        token_budget: tokens that a request's messages have at most; declarations of tools do not count. None: no limit
            but the model's, where `retrieve` is set: the one that `config.model_context_limits` names, or else the
            model's own `metadata.context_window`.
        store: where originals are kept. None: the default store.
        retrieve: whether something may be left out of requests that offer the model `headroom_retrieve`: give
            `retrieve_tool()` to the agent. Of other requests nothing is, unless `token_budget` cannot be met otherwise.

    Raises:
        ConfigurationError: it is no language model of LlamaIndex, or the budget is less than 1.

    Example:
        >>> from llama_index.core.llms import MockLLM
        >>> llm = wrap_llm(MockLLM())
        >>> isinstance(llm, MockLLM), llm.complete("Are you there?").text
        (True, 'Are you there?')
    """
    if not isinstance(llm, BaseLLM):
        kind = type(llm).__name__
        raise ConfigurationError(
            f"llm is of type {kind}: give a language model of LlamaIndex", {"llm": kind}
        )
    snapshot = None if config is None else config.snapshot()
    wrapped: _LLM = _wrapped(
        llm, LlamaIndexCompression("", snapshot, query, token_budget, store, retrieve)
    )
    return wrapped


class _Compressing:
    """What comes before a model's class in the class of its copy.

    The model itself is called with what was compressed: what its methods say to each other is not compressed again.
    """

    def chat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        answer: ChatResponse = _plain(self).chat(_sent(self, messages, kwargs), **kwargs)
        return answer

    async def achat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        sent = await _asent(self, messages, kwargs)
        answer: ChatResponse = await _plain(self).achat(sent, **kwargs)
        return answer

    def stream_chat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        chunks: ChatResponseGen = _plain(self).stream_chat(_sent(self, messages, kwargs), **kwargs)
        return chunks

    async def astream_chat(
        self: Any, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        sent = await _asent(self, messages, kwargs)
        chunks: ChatResponseAsyncGen = await _plain(self).astream_chat(sent, **kwargs)
        return chunks

    def complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        answer: CompletionResponse = _plain(self).complete(
            _prompt(self, prompt), formatted=formatted, **kwargs
        )
        return answer

    async def acomplete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        sent = await _aprompt(self, prompt)
        answer: CompletionResponse = await _plain(self).acomplete(
            sent, formatted=formatted, **kwargs
        )
        return answer

    def stream_complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        sent = _prompt(self, prompt)
        chunks: CompletionResponseGen = _plain(self).stream_complete(
            sent, formatted=formatted, **kwargs
        )
        return chunks

    async def astream_complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        sent = await _aprompt(self, prompt)
        chunks: CompletionResponseAsyncGen = await _plain(self).astream_complete(
            sent, formatted=formatted, **kwargs
        )
        return chunks

    def __reduce__(self: Any) -> tuple[Any, ...]:
        plain = _plain(self).model_copy()  # Pickling takes out of a model what cannot be pickled.
        plain.__pydantic_private__.pop("_headroom")
        return _wrapped, (plain, self._headroom)


def _sent(llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> list[ChatMessage]:
    """Return what becomes of the messages of a request."""
    return _told(_compressed(llm, messages, kwargs))


async def _asent(
    llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]
) -> list[ChatMessage]:
    # The event is dispatched in the event loop, where handlers expect it.
    return _told(await asyncio.to_thread(_compressed, llm, messages, kwargs))


def _prompt(llm: Any, prompt: str) -> str:
    return _sent(llm, [ChatMessage(prompt)], {})[-1].content or prompt


async def _aprompt(llm: Any, prompt: str) -> str:
    return (await _asent(llm, [ChatMessage(prompt)], {}))[-1].content or prompt


def _told(result: CompressResult) -> list[ChatMessage]:
    """Tell LlamaIndex's instrumentation what was done, and return the messages."""
    tokens = {"tokens_before": result.tokens_before, "tokens_after": result.tokens_after}
    _dispatcher.event(
        MessagesCompressedEvent(**tokens, transforms_applied=[*result.transforms_applied])
    )
    return result.messages


def _compressed(
    llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]
) -> CompressResult:
    compression: LlamaIndexCompression = llm._headroom
    retrieve = compression.retrieve and _offers_retrieval(messages, kwargs)
    config = _limited(compression.config or HeadroomConfig(), llm)
    return replace(compression, model=model_name(llm), config=config, retrieve=retrieve).compress(
        messages
    )


def _limited(config: HeadroomConfig, llm: BaseLLM) -> HeadroomConfig:
    """Return the settings with the limit that a language model tells of itself, where they name none for it."""
    name, window, limits = model_name(llm), llm.metadata.context_window, config.model_context_limits
    if window < 1 or window == DEFAULT_CONTEXT_WINDOW:  # That is what those have that do not tell.
        return config
    if (
        limits
        and model_info(name, overrides=limits).context_limit != model_info(name).context_limit
    ):
        return config  # They may name the model without its date.
    return config.model_copy(update={"model_context_limits": {name: window, **limits}})


def _offers_retrieval(messages: Sequence[ChatMessage], kwargs: Mapping[str, Any]) -> bool:
    """Return whether the model can call the retrieve tool: it is among the tools, or a system prompt describes it."""
    if kwargs.get("tool_choice") in ("none", {"type": "none"}):
        return False
    tools = kwargs.get("tools")
    names = (tool.metadata.name for tool in as_items(tools) if isinstance(tool, BaseTool))
    systems = (
        message.content or ""
        for message in messages
        if message.role.value in ("system", "developer")
    )
    return (
        declares_retrieval(tools) or RETRIEVE_TOOL in names or any(map(_DESCRIBED.search, systems))
    )


def _wrapped(llm: Any, compression: LlamaIndexCompression) -> Any:
    plain = _plain(llm) if isinstance(llm, _Compressing) else llm
    copy = plain.model_copy()
    private = {**(copy.__pydantic_private__ or {}), "_headroom": compression}
    object.__setattr__(copy, "__pydantic_private__", private)
    cls: Any = type(plain)
    return view_as(_class_of(cls), copy)


def _plain(llm: Any) -> Any:
    return view_as(type(llm).__bases__[1], llm)


@lru_cache(maxsize=256)
def _class_of(cls: Any) -> Any:
    named = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "_headroom": PrivateAttr(),
    }
    return type(cls)(cls.__name__, (_Compressing, cls), named)
