"""Compression for LangChain; the names are loaded when they are first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headroom_integrations.langchain.compressor import EVENT, HeadroomCompressor
    from headroom_integrations.langchain.dialect import LangChainDialect

__all__ = ["EVENT", "HeadroomCompressor", "LangChainDialect"]

_MODULES = {"EVENT": "compressor", "HeadroomCompressor": "compressor", "LangChainDialect": "dialect"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "langchain_core":
            raise
        raise ImportError(
            f"{name} needs langchain-core: pip install 'headroom-integrations[langchain]'", name=error.name
        ) from error


def __dir__() -> list[str]:
    return __all__
