"""Middleware that compresses the model calls and tool results of LangChain agents."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

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
from langchain_core.utils.function_calling import convert_to_openai_tool

from headroom_core import (
    CompressResult,
    ConfigurationError,
    HeadroomConfig,
    Store,
    Tokenizer,
    retrieve_tool,
)
from headroom_core.adapters import (
    Ledger,
    MetricsMixin,
    RetrieveChoice,
    check_retrieve,
    get_field,
    is_retrieve_tool,
    refuse_retrieve_call,
    with_tool_settings,
)
from headroom_integrations.langchain.chat_model.inner import model_name
from headroom_integrations.langchain.compression import EVENT, LangChainCompression
from headroom_integrations.langchain.tool_results import (
    ToolResultCompressor,
    count_saved_tokens,
    given_keys,
    with_given_keys,
)
from headroom_integrations.langchain.tools import needs_retrieval, retrieve_tools, retrieves

_log = logging.getLogger(__package__)
_RETRIEVE_SCHEMA = json.dumps(retrieve_tool("openai"))


class HeadroomMiddleware(MetricsMixin, AgentMiddleware[AgentState[Any], Any]):
    """Agent middleware that compresses tool results and the messages of every model call.

    A tool result is compressed once, on arrival, and the state of the agent keeps the compressed
    form with its savings in `response_metadata["headroom"]`. With `state="original"` the state
    keeps the original instead. The model is sent the same text either way, and each request begins
    with the previous one, so prompt caches keep hitting.

    Every model call is also compressed as a whole, including the system message: tool results that
    were in the state before, user messages where no content is lost, and whole turns if a budget
    or the limit of the model requires it. These changes never reach the state.

    The agent gets the tool `headroom_retrieve` to retrieve content that was left out; a
    middleware that selects tools must keep it. Its results are never compressed, nor are those of
    tools with `return_direct`, which are addressed to the user. If a checkpointer persists the
    state, the store must live as long as the state.

    Place it before middleware that edits or annotates requests, like prompt caching and context
    editing: these then see the compressed messages. It also works after them, but with
    `state="original"` they count the originals.

    If a later middleware calls another model, as `ModelFallbackMiddleware` does, the request is
    compressed anew for that model, from the originals of all messages or, if the messages were
    changed in between, as they are.

    Every model call emits a custom event named `EVENT` with its `CompressResult`.

    `get_metrics` and `get_summary` report tokens and costs. `tokens_input_before` counts the
    originals of tool results that were compressed on arrival and excludes retrieved content. It is
    0 for the call that follows a retrieval, because that call would not have been made without
    compression. The middleware is pickled together with its store.

    Attributes:
        tools: Retrieve tool, if the agent may use it.

    Args:
        config: Compression settings, copied on construction. Defaults to `HeadroomConfig()`.
        token_budget: Maximum number of tokens in the messages and the tools of a model call.
            Defaults to the limit of the model.
        query: Text to score relevance against. Defaults to the last user message before each tool
            result, and the call that produced it.
        store: Store that keeps the originals. Defaults to the default store.
        retrieve: Whether to give the agent the retrieve tool, if `config.ccr` allows it. If False,
            nothing is left out unless `token_budget` cannot be met otherwise. With "auto", a model
            call has the tool only if it offers other tools, or if a tool result in it has a marker.
        state: Form in which the state keeps tool results, `"compressed"` or `"original"`.
        exclude_tools: Tools whose results stay as they are. This and the next two win over the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.

    Raises:
        ConfigurationError: If `state`, `token_budget` or `retrieve` is invalid.

    Example:
        Pass it to `create_agent(model, tools, middleware=[HeadroomMiddleware()])`.

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
        retrieve: RetrieveChoice = True,
        state: Literal["compressed", "original"] = "compressed",
        exclude_tools: Sequence[str] | None = None,
        only_tools: Sequence[str] | None = None,
        tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__()
        if state not in ("compressed", "original"):
            raise ConfigurationError(
                f"state = {state!r}: expected 'compressed' or 'original'", {"state": state}
            )
        check_retrieve(retrieve, sees_tools=True)
        self._is_auto = retrieve == "auto"
        # The model is not known until a call is made: see `_prepare_call`.
        self._compression = LangChainCompression(
            config=HeadroomConfig.snapshot_of(
                with_tool_settings(config, exclude_tools, only_tools, tool_profiles)
            ),
            query=query,
            token_budget=token_budget,
            store=store,
            retrieve=bool(retrieve),
        )
        self._keeps_originals = state == "original"
        self._ledger = Ledger()
        self.tools = retrieve_tools(self._compression)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        """Call the model with a compressed request."""
        calls: list[_ModelCall] = []
        compressed = self._prepare_call(request, calls)
        if _has_current_run(calls[0].result):
            dispatch_custom_event(EVENT, calls[0].result)
        response = handler(compressed)
        self._ledger.record(**calls[-1].metrics(response))
        return calls[-1].note_keys(response)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelCallResult[Any]:
        """Call the model with a request that is compressed in a thread."""
        calls: list[_ModelCall] = []
        compressed = await run_in_executor(None, self._prepare_call, request, calls)
        if _has_current_run(calls[0].result):
            await adispatch_custom_event(EVENT, calls[0].result)
        response = await handler(compressed)
        self._ledger.record(**calls[-1].metrics(response))
        return calls[-1].note_keys(response)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]
    ) -> Any:
        """Call the tool and compress its result for the state."""
        refusal = _refuse_key(request)
        if refusal is not None:
            return refusal
        output = handler(request)
        if self._keeps_original(request):
            return output
        return self._result_compressor(request).compress(output)

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Call the tool and compress its result for the state in a thread."""
        refusal = _refuse_key(request)
        if refusal is not None:
            return refusal
        output = await handler(request)
        if self._keeps_original(request):
            return output
        return await run_in_executor(None, self._result_compressor(request).compress, output)

    def _get_ledger(self) -> Ledger:
        """Return the ledger that records the model calls."""
        return self._ledger

    def _prepare_call(
        self, request: ModelRequest[Any], calls: list[_ModelCall]
    ) -> ModelRequest[Any]:
        """Return the compressed request, and append the call to those of the agent's request."""
        started = perf_counter()
        if self._is_auto and not needs_retrieval(request.tools, request.messages):
            request = request.override(tools=[])
        system = [] if request.system_message is None else [request.system_message]
        compression = replace(self._compression, model=model_name(request.model))
        result = compression.compress([*system, *request.messages], tools=_declare_tools(request))
        compressed = _replace_messages(request, result.messages, has_system=bool(system))
        call = _ModelCall(
            request=compressed,
            original_messages=request.messages,
            first_index=len(system),
            result=result,
            model=compression.model,
            started=started,
        )
        calls.append(call)

        def compress_again(changed: ModelRequest[Any]) -> ModelRequest[Any]:
            # What a later middleware left as it was compressed is compressed from its original.
            originals: dict[str, Any] = {
                name: getattr(request, name)
                for name in ("messages", "system_message")
                if getattr(changed, name) is getattr(compressed, name)
            }
            return self._prepare_call(changed.override(**originals), calls)

        return _CompressedRequest.of(compressed, compress_again)

    def _keeps_original(self, request: ToolCallRequest) -> bool:
        return self._keeps_originals or (request.tool is not None and request.tool.return_direct)

    def _result_compressor(self, request: ToolCallRequest) -> ToolResultCompressor:
        history = get_field(request.state, "messages") or ()
        return ToolResultCompressor(self._compression, request.tool_call, history)


if TYPE_CHECKING:
    _ModelRequest = ModelRequest[Any]
else:
    _ModelRequest = ModelRequest  # Not generic before LangChain 1.1.


class _CompressedRequest(_ModelRequest):
    """Compressed request that is compressed anew if a later middleware calls another model.

    A fallback may have a smaller window than the model that the request was compressed for.
    """

    @classmethod
    def of(
        cls,
        request: ModelRequest[Any],
        compress_again: Callable[[ModelRequest[Any]], ModelRequest[Any]],
    ) -> ModelRequest[Any]:
        """Return a copy of a compressed request that can be compressed again."""
        compressed = copy(request)
        # LangChain warns of every assignment to a request.
        object.__setattr__(compressed, "__class__", cls)
        compressed.__dict__["compress_again"] = compress_again
        return compressed

    def override(self, **overrides: Any) -> ModelRequest[Any]:
        """Return a changed copy, compressed for the model that it names."""
        changed = super().override(**overrides)
        compress_again = self.__dict__.get("compress_again")
        if compress_again is None:
            return changed
        if changed.model is self.model:
            changed.__dict__["compress_again"] = compress_again
            return changed
        again: ModelRequest[Any] = compress_again(changed)
        return again


@dataclass(frozen=True, slots=True)
class _ModelCall:
    """Compressed model call.

    Attributes:
        request: Request with the compressed messages.
        original_messages: Messages before compression, without the system message.
        first_index: Index of the first of them in the compressed conversation: 1 after a system
            message, else 0.
        result: Result of compressing the system message and the messages.
        model: Name of the model.
        started: Value of `perf_counter` when compression started.
    """

    request: ModelRequest[Any]
    original_messages: Sequence[BaseMessage]
    first_index: int
    result: CompressResult
    model: str
    started: float

    def metrics(self, response: ModelCallResult[Any]) -> dict[str, Any]:
        """Compute the arguments of `Ledger.record` once the model has responded."""
        count = Tokenizer(self.model).count_text
        tokens_sent = self.result.tokens_after
        if self._offers_retrieve_tool():
            tokens_sent += count(_RETRIEVE_SCHEMA)

        tokens_output = tokens_read = tokens_cached = 0
        for message in _response_messages(response):
            usage: Any = message.usage_metadata
            if not usage:
                # Not every provider reports usage.
                tokens_output += count(str(message.text))
                continue
            tokens_output += usage["output_tokens"]
            tokens_read += usage["input_tokens"]
            tokens_cached += (usage.get("input_token_details") or {}).get("cache_read") or 0
        return {
            "model": self.model,
            "tokens_input_before": self._tokens_without_compression(),
            "tokens_input_after": tokens_sent,
            "tokens_output": tokens_output,
            "cached_tokens": tokens_cached,
            "cached_of": tokens_read or None,
            "transforms_applied": self.result.transforms_applied,
            "latency_ms": (perf_counter() - self.started) * 1000,
        }

    def note_keys(self, response: ModelCallResult[Any]) -> ModelCallResult[Any]:
        """Note in the response which keys the model was given that the state does not know yet."""
        known = given_keys(self.original_messages)
        new = [key for key in self.result.ccr_hashes if key not in known]
        if not new:
            return response
        if isinstance(response, AIMessage):
            return with_given_keys(response, new)
        inner: Any = getattr(response, "model_response", response)
        for index, message in enumerate(inner.result):
            if isinstance(message, AIMessage):
                inner.result[index] = with_given_keys(message, new)
                break
        return response

    def _tokens_without_compression(self) -> int:
        """Count the tokens that an agent without this middleware would have sent."""
        for message in reversed(self.original_messages):
            if isinstance(message, ToolMessage):
                continue
            if _is_retrieval(message):
                # The model only called again to read retrieved content.
                return 0
            break
        retrievals = {
            index
            for index, message in enumerate(self.original_messages, start=self.first_index)
            if _is_retrieval(message)
        }
        retrieved = sum(
            change.tokens_before for change in self.result.changes if change.message in retrievals
        )
        saved_on_arrival = count_saved_tokens(self.original_messages)
        return self.result.tokens_before + saved_on_arrival - retrieved

    def _offers_retrieve_tool(self) -> bool:
        return any(map(retrieves, self.request.tools))


def _replace_messages(
    request: ModelRequest[Any], messages: list[Any], *, has_system: bool
) -> ModelRequest[Any]:
    # If even the system message was dropped, a user message about it is in its position.
    if has_system and isinstance(messages[0], SystemMessage):
        return request.override(system_message=messages[0], messages=messages[1:])
    return request.override(system_message=None, messages=messages)


def _declare_tools(request: ModelRequest[Any]) -> list[Any]:
    """Return the declarations that a request carries, those of structured output included."""
    output = request.response_format
    specs = getattr(output, "schema_specs", None) or [getattr(output, "schema_spec", None)]
    schemas = [spec.json_schema for spec in specs if spec is not None]
    if not schemas and output is not None:
        schemas = [getattr(output, "schema", None)]
    declared = [
        convert_to_openai_tool(tool) if isinstance(tool, BaseTool) else tool
        for tool in request.tools
    ]
    return [*declared, *schemas]


def _response_messages(response: ModelCallResult[Any]) -> list[AIMessage]:
    """Return the messages that the model wrote."""
    # Newer versions of LangChain wrap a response that comes with a command.
    inner: Any = getattr(response, "model_response", response)
    messages = [inner] if isinstance(inner, AIMessage) else inner.result
    return [message for message in messages if isinstance(message, AIMessage)]


def _refuse_key(request: ToolCallRequest) -> ToolMessage | None:
    """Return the answer to a retrieve call with a key that its conversation was not given."""
    call = request.tool_call
    if not is_retrieve_tool(call["name"]):
        return None
    allowed = given_keys(get_field(request.state, "messages") or ())
    reason = refuse_retrieve_call(call["args"], allowed)
    if reason is None:
        return None
    return ToolMessage(reason, name=call["name"], tool_call_id=call["id"])


def _is_retrieval(message: BaseMessage) -> bool:
    """Return whether a message only retrieves omitted content, or is the result of doing so."""
    if isinstance(message, ToolMessage):
        return is_retrieve_tool(message.name)
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return bool(calls) and all(is_retrieve_tool(call["name"]) for call in calls)


def _has_current_run(result: CompressResult) -> bool:
    """Return whether there is a run to which an event can be attached.

    LangChain raises an error if no run is active.
    """
    if getattr(ensure_config().get("callbacks"), "parent_run_id", None) is not None:
        return True
    _log.debug(
        "sending %d of %d tokens; no event is emitted, because there is no current run",
        result.tokens_after,
        result.tokens_before,
    )
    return False
