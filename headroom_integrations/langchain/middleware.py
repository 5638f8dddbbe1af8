"""Compression inside the agents of `create_agent`."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ModelCallResult,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
)
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.runnables.config import ensure_config, run_in_executor
from langchain_core.tools import BaseTool

from headroom_core import (
    CompressResult,
    ConfigurationError,
    HeadroomConfig,
    Store,
    Tokenizer,
    retrieve_tool,
)
from headroom_core.adapters import Ledger, MetricsMixin, get_field, is_retrieve_tool
from headroom_integrations.langchain.chat_model.inner import model_name
from headroom_integrations.langchain.compression import EVENT, LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResult, saved
from headroom_integrations.langchain.tools import retrieve_tools

_log = logging.getLogger(__package__)
_SCHEMA = json.dumps(retrieve_tool("openai"))


class HeadroomMiddleware(MetricsMixin, AgentMiddleware[AgentState[Any], Any]):
    """Shortens what the model of an agent reads: `create_agent(model, tools, middleware=[HeadroomMiddleware()])`.

    What a tool answers is shortened once, when it arrives, and that is what the agent's state keeps; its
    `response_metadata["headroom"]` says what was saved. With `state="original"` the state keeps the originals.
    Either way a model is sent the same texts, each request beginning with the one before it, so that prompt caches
    keep hitting. What every model call is sent is compressed as a whole, with its system message: answers that were
    in the state before, users' texts where nothing is lost, and whole turns where a budget or the model's limit
    asks for it. Of that the state sees nothing.

    The agent gets the tool `headroom_retrieve`, which brings back what was left out. Its answers are never shortened,
    nor are those of tools with `return_direct`, which are for the user. A middleware that selects tools must
    leave it among them. States that are kept by a checkpointer need a store that lives as long.

    Put it before middleware that edits or marks what is sent, such as prompt caching and context editing, so that
    these see the short messages. After them it works too; with `state="original"` they then count the originals.

    What was done for a model call is the data of a custom event named `EVENT`, as for `HeadroomCompressor`; with Python
    3.10 not in asynchronous runs, where LangChain cannot tell which run it belongs to. What it
    cost is in `get_metrics`. There `tokens_input_before` has the originals of answers that were shortened when they
    arrived, and nothing of what was brought back; for the call that follows a retrieval, which would not have been
    made, it is 0. It is pickled with its store.

    Attributes:
        tools: the retrieve tool, if the model may use it.

    Args:
        config: the settings, of which a snapshot is taken. None: the defaults.
        token_budget: tokens of the messages that a model is sent at most. None: no limit but the model's.
        query: what relevance is scored against. None: the last user message before each answer, and its call.
        store: where originals are kept. None: the default store.
        retrieve: whether the agent gets the retrieve tool, if `config.ccr` allows. If not, nothing is left out,
            unless `token_budget` cannot be met otherwise.
        state: what the state keeps of what tools answer, `compressed` or `original`.

    Raises:
        ConfigurationError: `state` is neither.

    Example:
        >>> [tool.name for tool in HeadroomMiddleware().tools]
        ['headroom_retrieve']
    """

    def __init__(
        self,
        config: HeadroomConfig | None = None,
        *,
        token_budget: int | None = None,
        query: str | None = None,
        store: Store | None = None,
        retrieve: bool = True,
        state: Literal["compressed", "original"] = "compressed",
    ) -> None:
        super().__init__()
        if state not in ("compressed", "original"):
            raise ConfigurationError(
                f"state = {state!r}: expected 'compressed' or 'original'", {"state": state}
            )
        settings = None if config is None else config.snapshot()
        self._compression = LangChainCompression(
            "gpt-4o", settings, query, token_budget, store, retrieve
        )
        self._keeps_originals = state == "original"
        self._ledger = Ledger()
        self.tools = retrieve_tools(self._compression)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        """Call the model with a shorter request."""
        call = self._call(request)
        if _can_be_told(call.result):
            dispatch_custom_event(EVENT, call.result)
        return self._booked(call, handler(call.sent))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelCallResult[Any]:
        """Do what `wrap_model_call` does; the work is done in a thread."""
        call = await run_in_executor(None, self._call, request)
        if _can_be_told(call.result):
            await adispatch_custom_event(EVENT, call.result)
        return self._booked(call, await handler(call.sent))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]
    ) -> Any:
        """Call the tool, and shorten its answer for the state."""
        answer = handler(request)
        return answer if self._stays(request) else self._tool_result(request).shortened(answer)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Do what `wrap_tool_call` does; the work is done in a thread."""
        answer = await handler(request)
        if self._stays(request):
            return answer
        return await run_in_executor(None, self._tool_result(request).shortened, answer)

    def _get_ledger(self) -> Ledger:
        """Return where model calls are booked."""
        return self._ledger

    def _call(self, request: ModelRequest[Any]) -> _Call:
        began = perf_counter()
        system = [] if request.system_message is None else [request.system_message]
        compression = replace(self._compression, model=model_name(request.model))
        result = compression.compress([*system, *request.messages])
        sent = _with_messages(request, result.messages, len(system))
        return _Call(sent, request.messages, len(system), result, compression.model, began)

    def _booked(self, call: _Call, response: ModelCallResult[Any]) -> ModelCallResult[Any]:
        self._ledger.record(**call.costs(response))
        return response

    def _stays(self, request: ToolCallRequest) -> bool:
        return self._keeps_originals or (request.tool is not None and request.tool.return_direct)

    def _tool_result(self, request: ToolCallRequest) -> ToolResult:
        return ToolResult(
            self._compression, request.tool_call, get_field(request.state, "messages") or ()
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """A model call.

    Attributes:
        sent: the request as it is handed on.
        given: the messages that were to be sent, without a system message.
        first: how many messages stand before them: 1 where there is a system message, else 0.
        result: what was done to all of them.
        model: the model's name.
        began: when work on it began, in seconds.
    """

    sent: ModelRequest[Any]
    given: Sequence[BaseMessage]
    first: int
    result: CompressResult
    model: str
    began: float

    def costs(self, response: ModelCallResult[Any]) -> dict[str, Any]:
        """Return what is booked of the call."""
        written = _written(response)
        used: list[Any] = [message.usage_metadata for message in written if message.usage_metadata]
        unsaid = [str(message.text) for message in written if not message.usage_metadata]
        tokenizer = Tokenizer(self.model)
        return {
            "model": self.model,
            "tokens_input_before": self._before(),
            "tokens_input_after": self.result.tokens_after
            + (tokenizer.count_text(_SCHEMA) if self._offers() else 0),
            "tokens_output": sum(usage["output_tokens"] for usage in used)
            + sum(map(tokenizer.count_text, unsaid)),
            "cached_tokens": sum(
                (usage.get("input_token_details") or {}).get("cache_read") or 0 for usage in used
            ),
            "cached_of": sum(usage["input_tokens"] for usage in used) or None,
            "transforms_applied": self.result.transforms_applied,
            "latency_ms": (perf_counter() - self.began) * 1000,
        }

    def _before(self) -> int:
        """Return the tokens that would have been sent without Headroom."""
        asking = next(
            (message for message in reversed(self.given) if not isinstance(message, ToolMessage)),
            None,
        )
        if asking is not None and _brings_back(asking):
            return 0
        at = {
            number for number, message in enumerate(self.given, self.first) if _brings_back(message)
        }
        brought = sum(
            change.tokens_before for change in self.result.changes if change.message in at
        )
        return self.result.tokens_before + saved(self.given) - brought

    def _offers(self) -> bool:
        """Return whether the retrieve tool is offered."""
        return any(
            isinstance(tool, BaseTool) and is_retrieve_tool(tool.name) for tool in self.sent.tools
        )


def _with_messages(
    request: ModelRequest[Any], messages: list[Any], first: int
) -> ModelRequest[Any]:
    """Return a request with other messages, the first of which is the system message, if there is one."""
    # Where not even that could stay, a user's message stands in the place of what was left out.
    system = messages[0] if first and isinstance(messages[0], SystemMessage) else None
    return request.override(
        system_message=system, messages=messages if system is None else messages[1:]
    )


def _written(response: ModelCallResult[Any]) -> list[AIMessage]:
    """Return what the model wrote."""
    # Newer versions wrap the response where it comes with a command.
    inner: Any = getattr(response, "model_response", response)
    messages = [inner] if isinstance(inner, AIMessage) else inner.result
    return [message for message in messages if isinstance(message, AIMessage)]


def _brings_back(message: BaseMessage) -> bool:
    """Return whether a message is there only because something was left out: a retrieval, or its answer."""
    if isinstance(message, ToolMessage):
        return is_retrieve_tool(message.name)
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return bool(calls) and all(is_retrieve_tool(call["name"]) for call in calls)


def _can_be_told(result: CompressResult) -> bool:
    """Return whether there is a run to which an event can belong; Python 3.10 tells coroutines of none."""
    traced = getattr(ensure_config().get("callbacks"), "parent_run_id", None) is not None
    if not traced:
        _log.debug(
            "%d of %d tokens are sent; there is no run that could be told",
            result.tokens_after,
            result.tokens_before,
        )
    return traced
