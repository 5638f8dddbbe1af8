"""The retrieve tool, and wrappers of tools that compress their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from langchain_core.messages import BaseMessage, ToolCall, ToolMessage
from langchain_core.runnables.config import run_in_executor
from langchain_core.tools import ArgsSchema, BaseTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ConfigDict, PrivateAttr, SkipValidation

from headroom_core import HeadroomConfig, Store, handle_retrieve_call, retrieve_tool
from headroom_core.adapters import (
    StoreInstance,
    ValidatedModel,
    is_retrieve_tool,
    marker_keys,
    shared_store,
)
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResultCompressor

_DECLARATION: dict[str, Any] = retrieve_tool("openai")["function"]
"""The declaration of the retrieve tool, as models are sent it."""


class HeadroomRetrieveTool(ValidatedModel, BaseTool):
    """Tool `headroom_retrieve`, with which a model retrieves content that was left out.

    Arguments are parsed leniently, as models write them. A call that cannot be answered returns
    the reason instead of raising an error.

    Attributes:
        store: Store that keeps the originals. Defaults to the default store.

    Raises:
        ConfigurationError: If `store` is not a store, or if an attribute has an unknown name.

    Example:
        >>> HeadroomRetrieveTool().invoke({"id": 7})
        "headroom_retrieve: no parameter is named 'id'; there are key, where, ..."
    """

    # LangChain's default is to ignore unknown fields, which would hide misspelt settings.
    model_config = ConfigDict(extra="forbid")

    name: str = _DECLARATION["name"]
    description: str = _DECLARATION["description"]
    args_schema: Annotated[ArgsSchema | None, SkipValidation()] = _DECLARATION["parameters"]
    store: StoreInstance = None

    def _run(self, /, **arguments: Any) -> str:
        return handle_retrieve_call(arguments, store=self.store)

    async def _arun(self, /, **arguments: Any) -> str:
        return await run_in_executor(None, lambda: self._run(**arguments))


def retrieve_tools(compression: LangChainCompression) -> list[HeadroomRetrieveTool]:
    """Return the retrieve tool in a list, which is empty if the settings leave nothing out."""
    config = compression.config or HeadroomConfig()
    if not (compression.retrieve and config.ccr.enabled and config.ccr.inject_marker):
        return []
    store = compression.store
    # The same store that `compress` opens for these settings, or the tool would not find anything.
    if store is None and (config.store_url or config.namespace):
        store = shared_store(
            config.store_url,
            config.ccr.store_max_entries,
            config.ccr.store_ttl_seconds,
            namespace=config.namespace,
        )
    return [HeadroomRetrieveTool(store=store)]


def retrieves(tool: Any) -> bool:
    """Return whether a tool is the retrieve tool."""
    return isinstance(tool, BaseTool) and is_retrieve_tool(tool.name)


def needs_retrieval(tools: Iterable[Any], messages: Iterable[BaseMessage]) -> bool:
    """Return whether a request offers other tools than the retrieve tool, or has markers."""
    return not all(map(retrieves, tools)) or any(
        isinstance(message, ToolMessage) and marker_keys(message.text) for message in messages
    )


def wrap_tools(
    tools: Iterable[BaseTool | Callable[..., Any] | dict[str, Any]],
    *,
    config: HeadroomConfig | None = None,
    model: str = "gpt-4o",
    query: str | None = None,
    store: Store | None = None,
    retrieve: bool = False,
) -> list[BaseTool | dict[str, Any]]:
    """Wrap tools to compress their results when a model calls them.

    Use it for `create_agent`, `ToolNode` or a tool loop of your own. A wrapped tool is a copy that
    is still an instance of the tool's class and differs in nothing but its results: artifacts,
    statuses, errors, injected arguments and commands are preserved, and the tool's callbacks see
    the original output. A call from code, with arguments only, returns the original output too.

    Functions are converted to tools. Tools that the provider runs (dicts), tools that answer the
    user directly (`return_direct`) and `headroom_retrieve` are returned unchanged.

    A tool sees only its call and not the conversation, so relevance is scored against the
    arguments of the call unless `query` is given. `HeadroomMiddleware` also scores against the
    question of the user.

    Args:
        tools: Tools, functions and dicts.
        config: Compression settings. Defaults to `HeadroomConfig()`.
        model: Model whose tokens are counted.
        query: Text to score relevance against. Defaults to the arguments of the call.
        store: Store that keeps the originals. Defaults to the default store.
        retrieve: Whether the model can retrieve content that was left out, for which
            `HeadroomRetrieveTool` is added unless it is already included. If False, nothing is
            left out.

    Returns:
        The wrapped tools, in the same order.

    Raises:
        TypeError: The tools are a single one.
        ConfigurationError: The config, the model or the store is of a wrong type.

    Example:
        >>> def orders(day: int) -> str:
        ...     "List the orders of a day."
        ...     return "[]"
        >>> [tool.name for tool in wrap_tools([orders], retrieve=True)]
        ['orders', 'headroom_retrieve']
    """
    # A tool object can be iterated too: over its fields.
    if isinstance(tools, (BaseTool, dict, str)) or not isinstance(tools, Iterable):
        kind = type(tools).__name__
        raise TypeError(f"tools must be a list of tools, got {kind}; give [tool] for a single one")
    compression = LangChainCompression(
        model=model,
        config=HeadroomConfig.snapshot_of(config),
        query=query,
        store=store,
        retrieve=retrieve,
    )
    wrapped: list[BaseTool | dict[str, Any]] = []
    has_retrieve_tool = False
    for item in tools:
        candidate = item if isinstance(item, (BaseTool, dict)) else tool(item)
        if isinstance(candidate, BaseTool):
            has_retrieve_tool = has_retrieve_tool or is_retrieve_tool(candidate.name)
            candidate = _wrap(candidate, compression)
        wrapped.append(candidate)
    if not has_retrieve_tool:
        wrapped += retrieve_tools(compression)
    return wrapped


@dataclass(frozen=True, slots=True)
class _WrapSettings:
    """Settings of a wrapped tool.

    Attributes:
        compression: Settings for compressing the results.
        visible_arguments: Names of the arguments in the schema that models see. Other arguments
            are injected.
    """

    compression: LangChainCompression
    visible_arguments: frozenset[str]

    def build_call(self, name: str, tool_input: Any, call_id: str) -> ToolCall:
        """Rebuild the call as the model made it, without injected arguments."""
        arguments = tool_input if isinstance(tool_input, dict) else {}
        visible = {key: value for key, value in arguments.items() if key in self.visible_arguments}
        return ToolCall(name=name, args=visible, id=call_id)


class _CompressingTool:
    """Mixin that precedes the original tool's class in the class of a wrapped tool."""

    def run(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the original tool and compress its output."""
        compressor = self._result_compressor(tool_input, kwargs.get("tool_call_id"))
        output = super().run(tool_input, *args, **kwargs)  # type: ignore[misc]
        return compressor.compress(output) if compressor else output

    async def arun(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the original tool and compress its output in a thread."""
        compressor = self._result_compressor(tool_input, kwargs.get("tool_call_id"))
        output = await super().arun(tool_input, *args, **kwargs)  # type: ignore[misc]
        if compressor is None:
            return output
        return await run_in_executor(None, compressor.compress, output)

    def _result_compressor(
        self: Any, tool_input: Any, call_id: str | None
    ) -> ToolResultCompressor | None:
        # Only the calls of models have an id. Code that calls the tool gets the original output.
        if call_id is None:
            return None
        settings: _WrapSettings = self._wrap_settings
        call = settings.build_call(self.name, tool_input, call_id)
        return ToolResultCompressor(settings.compression, call)

    def __reduce__(self: Any) -> tuple[Any, ...]:
        # The class is created at run time, so pickle cannot import it: wrap again on loading.
        return _wrap, (_unwrap(self), self._wrap_settings.compression)


# Bounded, because applications may create tool classes without end. A class that was evicted is
# created again, with no effect other than a second, equal class.
@lru_cache(maxsize=256)
def _wrapped_class(tool_class: type[BaseTool]) -> type[BaseTool]:
    namespace = {
        "__module__": tool_class.__module__,
        "__qualname__": tool_class.__qualname__,
        "_wrap_settings": PrivateAttr(),
    }
    return type(tool_class.__name__, (_CompressingTool, tool_class), namespace)


def _wrap(original: BaseTool, compression: LangChainCompression) -> BaseTool:
    if original.return_direct or is_retrieve_tool(original.name):
        return original
    if isinstance(original, _CompressingTool):
        # Wrapping again replaces the settings instead of compressing twice.
        original = _unwrap(original)
    parameters = convert_to_openai_tool(original)["function"].get("parameters", {})
    settings = _WrapSettings(
        compression=compression, visible_arguments=frozenset(parameters.get("properties", {}))
    )
    copy = original.model_copy()
    private = {**(copy.__pydantic_private__ or {}), "_wrap_settings": settings}
    return _set_class(copy, _wrapped_class(type(original)), private)


def _unwrap(wrapped: BaseTool) -> BaseTool:
    """Return the original tool, with the changes made to its wrapped copy since."""
    private = dict(wrapped.__pydantic_private__ or {})
    private.pop("_wrap_settings", None)
    # The method resolution order is the wrapped class, `_CompressingTool`, the original class.
    original_class = type(wrapped).__mro__[2]
    return _set_class(wrapped.model_copy(), original_class, private or None)


def _set_class(instance: BaseTool, cls: type, private: dict[str, Any] | None) -> BaseTool:
    # pydantic's own `__setattr__` refuses both names.
    object.__setattr__(instance, "__class__", cls)
    object.__setattr__(instance, "__pydantic_private__", private)
    return instance
