"""LlamaIndex integration.

Public names are imported on first use, so importing the package does not load LlamaIndex.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headroom_integrations.llamaindex.dialect import LlamaIndexDialect
    from headroom_integrations.llamaindex.events import (
        CompressionEndEvent,
        CompressionStartEvent,
        MessagesCompressedEvent,
    )
    from headroom_integrations.llamaindex.llm import wrap_llm
    from headroom_integrations.llamaindex.memory import HeadroomChatMemory
    from headroom_integrations.llamaindex.memory_block import HeadroomMemoryBlock
    from headroom_integrations.llamaindex.postprocessor import HeadroomNodePostprocessor
    from headroom_integrations.llamaindex.tools import retrieve_tool
    from headroom_integrations.llamaindex.transform import HeadroomTransform

__all__ = [
    "CompressionEndEvent",
    "CompressionStartEvent",
    "HeadroomChatMemory",
    "HeadroomMemoryBlock",
    "HeadroomNodePostprocessor",
    "HeadroomTransform",
    "LlamaIndexDialect",
    "MessagesCompressedEvent",
    "retrieve_tool",
    "wrap_llm",
]

_MODULE_BY_NAME = {
    "CompressionEndEvent": "events",
    "CompressionStartEvent": "events",
    "HeadroomChatMemory": "memory",
    "HeadroomMemoryBlock": "memory_block",
    "HeadroomNodePostprocessor": "postprocessor",
    "HeadroomTransform": "transform",
    "LlamaIndexDialect": "dialect",
    "MessagesCompressedEvent": "events",
    "retrieve_tool": "tools",
    "wrap_llm": "llm",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULE_BY_NAME[name]}")
    except ModuleNotFoundError as error:
        # A missing module of any other package is not fixed by installing the extra.
        if (error.name or "").partition(".")[0] != "llama_index":
            raise
        raise ImportError(
            f"{name} needs llama-index-core: pip install 'headroom-integrations[llamaindex]'",
            name=error.name,
        ) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
