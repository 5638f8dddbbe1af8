"""A copy of a language model that compresses its requests and keeps its class."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

from headroom_core import CompressResult, ConfigurationError, HeadroomConfig, Store, Tokenizer
from headroom_core import retrieve_tool as declare_retrieve_tool
from headroom_core.adapters import (
    RETRIEVE_TOOL,
    Ledger,
    MetricsMixin,
    RetrieveChoice,
    UsageRecorder,
    as_items,
    check_retrieve,
    declares_retrieval,
    model_info,
    view_as,
    with_tool_settings,
)
from headroom_integrations.llamaindex.compression import LlamaIndexCompression, model_name
from headroom_integrations.llamaindex.events import MessagesCompressedEvent
from headroom_integrations.llamaindex.usage import (
    arecord_stream,
    count_retrieval_tokens,
    record_response,
    record_stream,
)

_dispatcher = get_dispatcher(__name__)
_LLM = TypeVar("_LLM", bound=BaseLLM)

_DEFAULT_CONFIG = HeadroomConfig()
"""Shared by all requests, which only copy it: validating a new one takes longer than the copy."""

# The retrieve tool in the system prompts of `ReActAgent` (first alternative, quoted or not) and of
# `CodeActAgent` (second). It must not match prose that only mentions the tool.
_TOOL_DESCRIPTION = re.compile(
    rf"^(?:> )?Tool Name: {RETRIEVE_TOOL}$|^def {RETRIEVE_TOOL}\(", re.MULTILINE
)


def wrap_llm(
    llm: _LLM,
    *,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    token_budget: int | None = None,
    store: Store | None = None,
    retrieve: RetrieveChoice = False,
    exclude_tools: Sequence[str] | None = None,
    only_tools: Sequence[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> _LLM:
    """Return a copy of a language model that compresses its requests and keeps its class.

    Agents, chat engines and query engines accept it instead of the model, and their memories keep
    the full messages; `FunctionAgent` and `ReActAgent` send tool results compressed. The prompt of
    a completion is a user's text, of which nothing is dropped. Events and callbacks show the
    messages that were sent. Wrapping a wrapped model wraps the model inside it.

    A `MessagesCompressedEvent` reports the tokens before and after compression to LlamaIndex's
    instrumentation, before the model is called. Each warning is logged. The copy also has
    `get_metrics()` and `get_summary()`, as `HeadroomChatModel` has for LangChain: they report the
    tokens and costs of all requests, chats and completions, whole and streamed. A stream is
    recorded when it ends or is closed. Copies record in the same ledger. The model is pickled with
    its store, but without recorded requests.

    Args:
        llm: A language model.
        config: Settings, of which a snapshot is taken. Defaults to `HeadroomConfig()`.
        query: Query to score relevance against. Defaults to the last user message before each
            block.
        token_budget: Maximum number of tokens in a request's messages and the declarations of its
            tools. By default there is only the model's limit, if `retrieve` is set: the limit
            in `config.model_context_limits`, or else the model's own `metadata.context_window`.
        store: Store to keep originals in. Defaults to the default store.
        retrieve: Whether units may be dropped from requests that offer the model
            `headroom_retrieve`: give `retrieve_tool()` to the agent. Nothing is dropped from other
            requests unless `token_budget` cannot be met otherwise. As the tools of each request
            decide, "auto" is the same as True.
        exclude_tools: Tools whose results stay as they are. This and the next two win over the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.

    Raises:
        ConfigurationError: `llm` is not a language model of LlamaIndex, `token_budget` is less
            than 1, or `retrieve` is neither a boolean nor "auto".

    Example:
        >>> from llama_index.core.llms import MockLLM
        >>> llm = wrap_llm(MockLLM())
        >>> isinstance(llm, MockLLM), llm.complete("Are you there?").text
        (True, 'Are you there?')
        >>> llm.get_summary()["total_requests"]
        1
    """
    if not isinstance(llm, BaseLLM):
        kind = type(llm).__name__
        raise ConfigurationError(
            f"llm is of type {kind}: expected a language model of LlamaIndex", {"llm": kind}
        )
    check_retrieve(retrieve, sees_tools=True)
    compression = LlamaIndexCompression(
        model="",
        config=HeadroomConfig.snapshot_of(
            with_tool_settings(config, exclude_tools, only_tools, tool_profiles)
        ),
        query=query,
        token_budget=token_budget,
        store=store,
        retrieve=bool(retrieve),
    )
    wrapped: _LLM = _wrap(llm, compression, Ledger())
    return wrapped


class _CompressingMethods(MetricsMixin):
    """Methods that override those of a model's class in the class of its wrapped copy.

    They call the original model with compressed messages, so calls between its own methods are
    not compressed, and recorded, again.
    """

    def chat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        request = _prepare(self, messages, kwargs)
        response: ChatResponse = _unwrap(self).chat(request.messages, **kwargs)
        record_response(request.recorder, response)
        return response

    async def achat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        request = await _aprepare(self, messages, kwargs)
        response: ChatResponse = await _unwrap(self).achat(request.messages, **kwargs)
        await asyncio.to_thread(record_response, request.recorder, response)
        return response

    def stream_chat(self: Any, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        request = _prepare(self, messages, kwargs)
        chunks: ChatResponseGen = _unwrap(self).stream_chat(request.messages, **kwargs)
        return record_stream(request.recorder, chunks)

    async def astream_chat(
        self: Any, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        request = await _aprepare(self, messages, kwargs)
        chunks: ChatResponseAsyncGen = await _unwrap(self).astream_chat(request.messages, **kwargs)
        return arecord_stream(request.recorder, chunks)

    def complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        request = _prepare_prompt(self, prompt)
        response: CompletionResponse = _unwrap(self).complete(
            request.prompt or prompt, formatted=formatted, **kwargs
        )
        record_response(request.recorder, response)
        return response

    async def acomplete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        request = await _aprepare_prompt(self, prompt)
        response: CompletionResponse = await _unwrap(self).acomplete(
            request.prompt or prompt, formatted=formatted, **kwargs
        )
        await asyncio.to_thread(record_response, request.recorder, response)
        return response

    def stream_complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        request = _prepare_prompt(self, prompt)
        chunks: CompletionResponseGen = _unwrap(self).stream_complete(
            request.prompt or prompt, formatted=formatted, **kwargs
        )
        return record_stream(request.recorder, chunks)

    async def astream_complete(
        self: Any, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        request = await _aprepare_prompt(self, prompt)
        chunks: CompletionResponseAsyncGen = await _unwrap(self).astream_complete(
            request.prompt or prompt, formatted=formatted, **kwargs
        )
        return arecord_stream(request.recorder, chunks)

    def _get_ledger(self: Any) -> Ledger:
        ledger: Ledger = self._headroom_ledger
        return ledger

    def __reduce__(self: Any) -> tuple[Any, ...]:
        # The class is created at run time, so a pickle cannot name it. The copy is needed because
        # LlamaIndex removes unpicklable attributes from the object that is pickled.
        original = _unwrap(self).model_copy()
        for name in _PRIVATE_NAMES:
            original.__pydantic_private__.pop(name)
        return _wrap, (original, self._headroom, self._headroom_ledger)


@dataclass(frozen=True, slots=True)
class _CompressedChat:
    """The compressed messages of a request that is about to be sent.

    Attributes:
        result: The compressed messages, and the tokens before and after.
        recorder: Records the usage of the request.
    """

    result: CompressResult
    recorder: UsageRecorder

    @property
    def messages(self) -> list[ChatMessage]:
        """The messages to send."""
        return self.result.messages

    @property
    def prompt(self) -> str | None:
        """The prompt to send, if the only message was a prompt."""
        return self.messages[-1].content


def _prepare(llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> _CompressedChat:
    """Compress the messages of a request and report that to LlamaIndex's instrumentation."""
    return _announce(_compress(llm, messages, kwargs))


async def _aprepare(
    llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]
) -> _CompressedChat:
    # Handlers expect events in the event loop, so only the rest runs in a thread.
    return _announce(await asyncio.to_thread(_compress, llm, messages, kwargs))


def _prepare_prompt(llm: Any, prompt: str) -> _CompressedChat:
    return _prepare(llm, [ChatMessage(prompt)], {})


async def _aprepare_prompt(llm: Any, prompt: str) -> _CompressedChat:
    return await _aprepare(llm, [ChatMessage(prompt)], {})


def _announce(request: _CompressedChat) -> _CompressedChat:
    event = MessagesCompressedEvent(
        tokens_before=request.result.tokens_before,
        tokens_after=request.result.tokens_after,
        transforms_applied=[*request.result.transforms_applied],
    )
    _dispatcher.event(event)
    return request


def _compress(llm: Any, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> _CompressedChat:
    """Compress the messages of a request and start to record it."""
    compression: LlamaIndexCompression = llm._headroom
    is_declared = compression.retrieve and _declares_retrieve_tool(kwargs.get("tools"))
    can_retrieve = compression.retrieve and _can_retrieve(messages, kwargs, is_declared)
    name = model_name(llm)
    tokenizer = Tokenizer(name)
    recorder = UsageRecorder(
        llm._headroom_ledger,
        tokenizer,
        [declare_retrieve_tool("openai")] if is_declared else (),
    )
    config = _apply_context_window(compression.config or _DEFAULT_CONFIG, llm)
    settings = replace(compression, model=name, config=config, retrieve=can_retrieve)
    result = settings.compress(messages, tools=_declare_tools(kwargs.get("tools")))
    added = count_retrieval_tokens(messages, result, tokenizer) if compression.retrieve else 0
    recorder.begin_round(result, added_tokens=added)
    return _CompressedChat(result, recorder)


def _apply_context_window(config: HeadroomConfig, llm: BaseLLM) -> HeadroomConfig:
    """Return the settings with the model's own context window, unless they limit the model."""
    name, window = model_name(llm), llm.metadata.context_window
    # LlamaIndex's default stands for a window that is not known.
    if window < 1 or window == DEFAULT_CONTEXT_WINDOW:
        return config
    limits = config.model_context_limits
    if limits:
        # The settings may name the model without its date, so their effect is compared.
        limited = model_info(name, overrides=limits).context_limit
        if limited != model_info(name).context_limit:
            return config
    return config.model_copy(update={"model_context_limits": {name: window, **limits}})


def _can_retrieve(
    messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], is_declared: bool
) -> bool:
    """Return whether the model can call the retrieve tool.

    Args:
        messages: Messages of the request, whose system prompt may describe the tool.
        kwargs: The request's other arguments.
        is_declared: Whether the tool is among the request's tools.
    """
    if kwargs.get("tool_choice") in ("none", {"type": "none"}):
        return False
    if is_declared:
        return True
    return any(
        _TOOL_DESCRIPTION.search(message.content or "")
        for message in messages
        if message.role.value in ("system", "developer")
    )


def _declares_retrieve_tool(tools: Any) -> bool:
    """Return whether the retrieve tool is among tools, declared or as LlamaIndex's objects."""
    return declares_retrieval(tools) or any(
        tool.metadata.name == RETRIEVE_TOOL
        for tool in as_items(tools)
        if isinstance(tool, BaseTool)
    )


def _declare_tools(tools: Any) -> Any:
    """Return tools with declarations in place of LlamaIndex's objects."""
    if not isinstance(tools, (list, tuple)):
        return tools
    return [
        tool.metadata.to_openai_tool() if isinstance(tool, BaseTool) else tool for tool in tools
    ]


_PRIVATE_NAMES = ("_headroom", "_headroom_ledger")
"""Private attributes of wrapped copies, of names that no model's class uses."""


def _wrap(llm: Any, compression: LlamaIndexCompression, ledger: Ledger) -> Any:
    """Copy a language model as an object of its compressing subclass."""
    original = _unwrap(llm) if isinstance(llm, _CompressingMethods) else llm
    copy = original.model_copy()
    private = {
        **(copy.__pydantic_private__ or {}),
        "_headroom": compression,
        "_headroom_ledger": ledger,
    }
    object.__setattr__(copy, "__pydantic_private__", private)
    cls: Any = type(original)
    return view_as(_wrapped_class(cls), copy)


def _unwrap(llm: Any) -> Any:
    """Return a wrapped model as an object of its original class, with the same state."""
    return view_as(type(llm).__bases__[1], llm)


@lru_cache(maxsize=256)  # More classes than a program wraps; tests may define many.
def _wrapped_class(cls: Any) -> Any:
    """Return a subclass that compresses, with the same name and module."""
    namespace = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    namespace.update((name, PrivateAttr()) for name in _PRIVATE_NAMES)
    return type(cls)(cls.__name__, (_CompressingMethods, cls), namespace)
