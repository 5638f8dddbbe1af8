"""LangChain integration.

Public names are imported on first use, so a component only needs the packages it builds on:
`HeadroomMiddleware` needs `langchain`, everything else needs `langchain-core` alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headroom_integrations.langchain.chat_model.model import HeadroomChatModel
    from headroom_integrations.langchain.chat_model.wrap import wrap_chat_model
    from headroom_integrations.langchain.compression import EVENT
    from headroom_integrations.langchain.compressor import HeadroomCompressor, compress_messages
    from headroom_integrations.langchain.dialect import LangChainDialect
    from headroom_integrations.langchain.documents import HeadroomDocumentCompressor
    from headroom_integrations.langchain.history import HeadroomChatMessageHistory
    from headroom_integrations.langchain.middleware import HeadroomMiddleware
    from headroom_integrations.langchain.tools import HeadroomRetrieveTool, wrap_tools

__all__ = [
    "EVENT",
    "HeadroomChatMessageHistory",
    "HeadroomChatModel",
    "HeadroomCompressor",
    "HeadroomDocumentCompressor",
    "HeadroomMiddleware",
    "HeadroomRetrieveTool",
    "LangChainDialect",
    "compress_messages",
    "wrap_chat_model",
    "wrap_tools",
]

_MODULE_BY_NAME = {
    "EVENT": "compression",
    "HeadroomChatMessageHistory": "history",
    "HeadroomChatModel": "chat_model.model",
    "HeadroomCompressor": "compressor",
    "HeadroomDocumentCompressor": "documents",
    "HeadroomMiddleware": "middleware",
    "HeadroomRetrieveTool": "tools",
    "LangChainDialect": "dialect",
    "compress_messages": "compressor",
    "wrap_chat_model": "chat_model.wrap",
    "wrap_tools": "tools",
}
_EXTRA_BY_PACKAGE = {"langchain_core": "langchain", "langchain": "agents", "langgraph": "agents"}
"""The optional dependency group ("extra") that installs each third-party package."""


def __getattr__(name: str) -> Any:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULE_BY_NAME[name]}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        # A missing module of any other package is not fixed by installing an extra.
        if package not in _EXTRA_BY_PACKAGE:
            raise
        distribution = package.replace("_", "-")
        extra = _EXTRA_BY_PACKAGE[package]
        raise ImportError(
            f"{name} needs {distribution}: pip install 'headroom-integrations[{extra}]'",
            name=error.name,
        ) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
