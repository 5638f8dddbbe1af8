"""The tool that brings originals back, and tools whose answers are shortened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from langchain_core.messages import ToolCall
from langchain_core.runnables.config import run_in_executor
from langchain_core.tools import ArgsSchema, BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, PrivateAttr, SkipValidation

from headroom_core import HeadroomConfig, Store, handle_retrieve_call, retrieve_tool
from headroom_core.adapters import ValidatedModel, is_retrieve_tool, shared_store
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResult

_DECLARED: dict[str, Any] = retrieve_tool("openai")["function"]


class HeadroomRetrieveTool(ValidatedModel, BaseTool):
    """Brings back what was left out behind a marker: the tool `headroom_retrieve`, for models to call.

    Arguments are read as models write them; what cannot be answered is answered with the reason.

    Attributes:
        store: where originals are kept. None: the default store.

    Raises:
        ConfigurationError: `store` is no store, or no attribute has that name.

    Example:
        >>> HeadroomRetrieveTool().invoke({"id": 7})
        "headroom_retrieve: no parameter is named 'id'; there are key, where, query, lines, limit, page"
    """

    model_config = ConfigDict(extra="forbid")  # LangChain ignores what no field is named.

    name: str = _DECLARED["name"]
    description: str = _DECLARED["description"]
    args_schema: Annotated[ArgsSchema | None, SkipValidation()] = _DECLARED["parameters"]
    store: Store | None = None

    def _run(self, /, **arguments: Any) -> str:
        return handle_retrieve_call(arguments, store=self.store)

    async def _arun(self, /, **arguments: Any) -> str:
        return await run_in_executor(None, lambda: self._run(**arguments))


def retrieve_tools(compression: LangChainCompression) -> list[HeadroomRetrieveTool]:
    """Return the tool that a model needs to bring back what a compression leaves out: none where nothing is."""
    config = compression.config or HeadroomConfig()
    if not (compression.retrieve and config.ccr.enabled and config.ccr.inject_marker):
        return []
    store = compression.store
    if store is None and config.store_url:
        store = shared_store(
            config.store_url, config.ccr.store_max_entries, config.ccr.store_ttl_seconds
        )
    return [HeadroomRetrieveTool(store=store)]


def wrap_tools(
    tools: Iterable[BaseTool | Callable[..., Any] | dict[str, Any]],
    *,
    config: HeadroomConfig | None = None,
    model: str = "gpt-4o",
    query: str | None = None,
    store: Store | None = None,
    retrieve: bool = False,
) -> list[BaseTool | dict[str, Any]]:
    """Return tools whose answers to a model's calls are shortened: for `create_agent`, `ToolNode` or your own loop.

    Each is a copy that is still of its tool's class, and differs in nothing else: artifacts, statuses, errors,
    injected arguments and commands stay, and a tool's own callbacks see the answer as the tool gave it. Called by code
    with arguments alone, it returns what it did before. Functions become tools. Tools that the provider runs (dicts),
    that answer the user themselves (`return_direct`) and `headroom_retrieve` are returned as they are.

    A tool sees the call alone, not the conversation: relevance is scored against the call's arguments unless `query`
    is given. `HeadroomMiddleware` also scores it against what the user asked.

    Args:
        tools: tools, functions, and dicts.
        config: the settings. None: the defaults.
        model: the model whose tokens are counted.
        query: what relevance is scored against. None: the arguments of the call.
        store: where originals are kept. None: the default store.
        retrieve: whether the model can bring back what was left out: `HeadroomRetrieveTool` is added unless it is
            there. If not, nothing is left out.

    Example:
        >>> def orders(day: int) -> str:
        ...     "List the orders of a day."
        ...     return "[]"
        >>> [tool.name for tool in wrap_tools([orders], retrieve=True)]
        ['orders', 'headroom_retrieve']
    """
    settings = None if config is None else config.snapshot()
    compression = LangChainCompression(model, settings, query, store=store, retrieve=retrieve)
    made = [one if isinstance(one, (BaseTool, dict)) else tool(one) for one in tools]
    wrapped = [_wrapped(one, compression) if isinstance(one, BaseTool) else one for one in made]
    there = any(isinstance(one, BaseTool) and is_retrieve_tool(one.name) for one in made)
    return wrapped if there else [*wrapped, *retrieve_tools(compression)]


@dataclass(frozen=True, slots=True)
class _Wrapping:
    """How a wrapped tool shortens its answers.

    Attributes:
        compression: how messages are compressed.
        shown: the names of the arguments that models are shown; the others are injected.
    """

    compression: LangChainCompression
    shown: frozenset[str]

    def call(self, name: str, given: Any, call_id: str) -> ToolCall:
        """Return the call as the model made it."""
        pairs = given.items() if isinstance(given, dict) else ()
        return ToolCall(
            name=name, args={key: value for key, value in pairs if key in self.shown}, id=call_id
        )


class _Shortening:
    """What comes before a tool's class in the class of the wrapped tool."""

    def run(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        result = self._tool_result(tool_input, kwargs.get("tool_call_id"))
        answer = super().run(tool_input, *args, **kwargs)  # type: ignore[misc]
        return result.shortened(answer) if result else answer

    async def arun(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        result = self._tool_result(tool_input, kwargs.get("tool_call_id"))
        answer = await super().arun(tool_input, *args, **kwargs)  # type: ignore[misc]
        return await run_in_executor(None, result.shortened, answer) if result else answer

    def _tool_result(self: Any, given: Any, call_id: str | None) -> ToolResult | None:
        """Return what decides what the answer becomes; None where code calls the tool."""
        if call_id is None:
            return None
        wrapping: _Wrapping = self._wrapping
        return ToolResult(wrapping.compression, wrapping.call(self.name, given, call_id))

    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _wrapped, (_plain(self), self._wrapping.compression)


@lru_cache(maxsize=256)
def _class_of(plain: type[BaseTool]) -> type[BaseTool]:
    named = {
        "__module__": plain.__module__,
        "__qualname__": plain.__qualname__,
        "_wrapping": PrivateAttr(),
    }
    return type(plain.__name__, (_Shortening, plain), named)


def _plain(wrapped: BaseTool) -> BaseTool:
    """Return the tool that was wrapped, with the changes that were made to it since."""
    private = {
        name: value
        for name, value in (wrapped.__pydantic_private__ or {}).items()
        if name != "_wrapping"
    }
    return _become(wrapped.model_copy(), type(wrapped).__mro__[2], private or None)


def _wrapped(given: BaseTool, compression: LangChainCompression) -> BaseTool:
    if given.return_direct or is_retrieve_tool(given.name):
        return given
    plain = _plain(given) if isinstance(given, _Shortening) else given
    shown = convert_to_openai_tool(plain)["function"].get("parameters", {}).get("properties", {})
    wrapping = _Wrapping(compression, frozenset(shown))
    copy = plain.model_copy()
    return _become(
        copy, _class_of(type(plain)), {**(copy.__pydantic_private__ or {}), "_wrapping": wrapping}
    )


def _become(made: BaseTool, cls: type, private: dict[str, Any] | None) -> BaseTool:
    """Return the object as one of another class; models would refuse to have it set."""
    object.__setattr__(made, "__class__", cls)
    object.__setattr__(made, "__pydantic_private__", private)
    return made
