"""Compression inside the agents of `create_agent`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, ToolCallRequest
from langchain.agents.middleware.types import ModelCallResult
from langchain_core.messages import SystemMessage
from langchain_core.runnables.config import run_in_executor

from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.paths import get
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_integrations.langchain.arrivals import Arrival
from headroom_integrations.langchain.compression import Compression
from headroom_integrations.langchain.leaves import model_name
from headroom_integrations.langchain.tools import retrieve_tools


class HeadroomMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Shortens what an agent's model reads: `create_agent(model, tools, middleware=[HeadroomMiddleware()])`."""

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
            raise ConfigurationError(f"state = {state!r}: expected 'compressed' or 'original'", {"state": state})
        settings = None if config is None else config.snapshot()
        self._compression = Compression("gpt-4o", settings, query, token_budget, store, retrieve)
        self._shortens_arrivals = state == "compressed"
        self.tools = retrieve_tools(self._compression)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        """Call the model with a shorter request; the state keeps its messages."""
        sent, _ = self._sent(request)
        return handler(sent)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        """Do what `wrap_model_call` does; the work is done in a thread."""
        sent, _ = await run_in_executor(None, self._sent, request)
        return await handler(sent)

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Any]) -> Any:
        """Call the tool, and shorten its answer for the state."""
        answer = handler(request)
        return self._arrival(request).shortened(answer) if self._is_shortened(request) else answer

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Do what `wrap_tool_call` does; the work is done in a thread."""
        answer = await handler(request)
        if not self._is_shortened(request):
            return answer
        return await run_in_executor(None, self._arrival(request).shortened, answer)

    def _sent(self, request: ModelRequest[Any]) -> tuple[ModelRequest[Any], CompressResult]:
        """Return the request to hand on, and what was done to it."""
        system = [] if request.system_message is None else [request.system_message]
        compression = replace(self._compression, model=model_name(request.model))
        result = compression.compressed([*system, *request.messages])
        first, rest = result.messages[: len(system)], result.messages[len(system) :]
        if first and not isinstance(first[0], SystemMessage):
            # It did not fit either, and a user's message stands in the place of what was left out.
            first, rest = [], result.messages
        return request.override(system_message=first[0] if first else None, messages=rest), result

    def _is_shortened(self, request: ToolCallRequest) -> bool:
        return self._shortens_arrivals and not (request.tool and request.tool.return_direct)

    def _arrival(self, request: ToolCallRequest) -> Arrival:
        history = request.state if isinstance(request.state, list) else get(request.state, "messages") or []
        return Arrival(self._compression, request.tool_call, history)
