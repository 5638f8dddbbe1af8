"""The tool that brings originals back."""

from __future__ import annotations

import asyncio
from typing import Any

from llama_index.core.tools import FunctionTool, ToolMetadata
from pydantic import BaseModel, ConfigDict

from headroom_core import Store, handle_retrieve_call
from headroom_core import retrieve_tool as declaration


def _declared() -> dict[str, Any]:
    function: dict[str, Any] = declaration("openai")["function"]
    return function


class _Arguments(BaseModel):
    """The arguments of the tool, declared to models as the core declares them."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra=lambda schema: schema.update(_declared()["parameters"])
    )


def retrieve_tool(store: Store | None = None) -> FunctionTool:
    """Return the tool `headroom_retrieve`, which brings back what was left out behind a marker, for an agent's tools.

    Arguments are read as models write them; what cannot be answered is answered with the reason.

    Args:
        store: where originals are kept. None: the default store.

    Example:
        >>> print(retrieve_tool().call(id=7).content)
        headroom_retrieve: no parameter is named 'id'; there are key, where, query, lines, limit, page
    """

    def headroom_retrieve(
        key: str = "",
        where: str = "",
        query: str = "",
        lines: str = "",
        limit: int | None = None,
        page: int = 1,
        **unknown: Any,
    ) -> str:
        named = {
            "key": key,
            "where": where,
            "query": query,
            "lines": lines,
            "limit": limit,
            "page": page,
        }
        return handle_retrieve_call({**unknown, **named}, store=store)

    async def aheadroom_retrieve(*args: Any, **arguments: Any) -> str:
        return await asyncio.to_thread(headroom_retrieve, *args, **arguments)

    declared = _declared()
    # CodeActAgent shows models the function itself.
    headroom_retrieve.__doc__ = declared["description"]
    metadata = ToolMetadata(declared["description"], declared["name"], _Arguments)
    return FunctionTool(headroom_retrieve, metadata, aheadroom_retrieve)
