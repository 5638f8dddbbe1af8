"""Compression for LangChain; the names are loaded when they are first used."""

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

_MODULES = {
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
_EXTRAS = {"langchain_core": "langchain", "langchain": "agents", "langgraph": "agents"}
"""The extra that brings a package."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        named = package.replace("_", "-")
        raise ImportError(
            f"{name} needs {named}: pip install 'headroom-integrations[{_EXTRAS[package]}]'",
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    return __all__
