"""The retrieve tool for LlamaIndex agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel, ConfigDict

from headroom_core import Store, handle_retrieve_call
from headroom_core import retrieve_tool as core_retrieve_tool
from headroom_core.adapters import check_store, store_or_default


def _declaration() -> dict[str, Any]:
    function: dict[str, Any] = core_retrieve_tool("openai")["function"]
    return function


def _declare_parameters(schema: dict[str, Any]) -> None:
    # Some language models are sent the whole JSON schema of the class below, including its name
    # and its docstring, which would cost tokens in every request.
    schema.clear()
    schema.update(_declaration()["parameters"])


class _Arguments(BaseModel):
    """The arguments of the tool, declared to models as the core declares them."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_declare_parameters)


def retrieve_tool(
    store: Store | None = None,
    *,
    namespace: str | None = None,
    allowed: Iterable[str] | Callable[[], Iterable[str]] | None = None,
) -> FunctionTool:
    """Create the tool `headroom_retrieve`, with which an agent retrieves omitted content.

    Arguments are parsed leniently, as models write them. A call that cannot be answered returns
    the reason instead of raising an error.

    A LlamaIndex tool sees no conversation: it opens every key that the namespace of its store
    holds, also one that a text brought from another conversation. Give each tenant a namespace, or
    the keys of the conversation.

    Args:
        store: Store that keeps the originals. Defaults to the default store.
        namespace: Tenant of the store whose originals the tool opens. Defaults to that of the
            store.
        allowed: Keys that the tool opens, or a function that returns them at each call. Defaults
            to all keys of the namespace.

    Raises:
        ConfigurationError: `store` is not a store, or it has no namespaces but one is given.

    Example:
        >>> print(retrieve_tool().call(id=7).content)
        headroom_retrieve: no parameter is named 'id'; there are key, where, ...
    """
    check_store(store)
    if namespace is not None:
        store = store_or_default(store, namespace)
    if not (allowed is None or callable(allowed)):
        allowed = frozenset(allowed)

    # Named like the tool, and with explicit parameters, because CodeActAgent shows models the name,
    # the signature and the docstring of the function itself.
    def headroom_retrieve(
        key: str = "",
        where: str = "",
        query: str = "",
        lines: str = "",
        limit: int | None = None,
        page: int = 1,
        **unknown: Any,
    ) -> str:
        arguments = {
            **unknown,
            "key": key,
            "where": where,
            "query": query,
            "lines": lines,
            "limit": limit,
            "page": page,
        }
        keys = allowed() if callable(allowed) else allowed
        return handle_retrieve_call(arguments, allowed=keys, store=store)

    async def aheadroom_retrieve(*args: Any, **arguments: Any) -> str:
        return await asyncio.to_thread(headroom_retrieve, *args, **arguments)

    declaration = _declaration()
    headroom_retrieve.__doc__ = declaration["description"]
    metadata = ToolMetadata(
        description=declaration["description"], name=declaration["name"], fn_schema=_Arguments
    )
    return FunctionTool(headroom_retrieve, metadata, aheadroom_retrieve)
