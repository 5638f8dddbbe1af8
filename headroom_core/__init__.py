"""Compress what agents and RAG pipelines send to language models, and bring every original back.

Names are imported when they are first used, so importing the package costs nothing. The types of
messages are imported by their names only: `import *` would shadow a framework's classes with them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from headroom_core._internal.caches import clear_caches
    from headroom_core.compressors import register_compressor, unregister_compressor
    from headroom_core.compressors.base import Compressed, Compressor, Hints, Request
    from headroom_core.config import (
        CacheAlignerConfig,
        CCRConfig,
        HeadroomConfig,
        IntelligentContextConfig,
        RelevanceScorerConfig,
        RollingWindowConfig,
        ScoringWeights,
        SmartCrusherConfig,
    )
    from headroom_core.conversation.compress import CompressionHooks, acompress, compress
    from headroom_core.dialects import Dialect
    from headroom_core.documents import compress_documents
    from headroom_core.errors import (
        CacheError,
        CompressionError,
        ConfigurationError,
        HeadroomAuthError,
        HeadroomCompressError,
        HeadroomConnectionError,
        HeadroomError,
        ProviderError,
        StorageError,
        TokenizationError,
        TransformError,
        ValidationError,
        map_proxy_error,
    )
    from headroom_core.insight import ToolIntelligence
    from headroom_core.markers import content_key
    from headroom_core.messages import AssistantMessage as AssistantMessage
    from headroom_core.messages import Block, Change, Draft
    from headroom_core.messages import SystemMessage as SystemMessage
    from headroom_core.messages import ToolMessage as ToolMessage
    from headroom_core.messages import UserMessage as UserMessage
    from headroom_core.providers import AnthropicProvider, GoogleProvider, OpenAIProvider
    from headroom_core.relevance import (
        BM25Scorer,
        EmbeddingScorer,
        HybridScorer,
        Scorer,
        create_scorer,
        embedding_available,
    )
    from headroom_core.results import (
        CompressResult,
        CrushResult,
        DocumentsResult,
        RequestMetrics,
        RetrievalResult,
        TransformResult,
    )
    from headroom_core.retrieval import aretrieve, handle_retrieve_call, retrieve, retrieve_tool
    from headroom_core.stores import MemoryStore, SQLiteStore, Store, default_store, open_store
    from headroom_core.tables import decode_table
    from headroom_core.tokens import Tokenizer, count_tokens_messages, count_tokens_text
    from headroom_core.transforms import (
        CacheAligner,
        IntelligentContextManager,
        RollingWindow,
        SmartCrusher,
        Transform,
        TransformPipeline,
    )

_MODULES = {
    "_internal.caches": ("clear_caches",),
    "compressors": ("register_compressor", "unregister_compressor"),
    "compressors.base": (
        "Compressed",
        "Compressor",
        "Hints",
        "Request",
    ),
    "config": (
        "CCRConfig",
        "CacheAlignerConfig",
        "HeadroomConfig",
        "IntelligentContextConfig",
        "RelevanceScorerConfig",
        "RollingWindowConfig",
        "ScoringWeights",
        "SmartCrusherConfig",
    ),
    "conversation.compress": ("CompressionHooks", "acompress", "compress"),
    "dialects": ("Dialect",),
    "documents": ("compress_documents",),
    "errors": (
        "CacheError",
        "CompressionError",
        "ConfigurationError",
        "HeadroomAuthError",
        "HeadroomCompressError",
        "HeadroomConnectionError",
        "HeadroomError",
        "ProviderError",
        "StorageError",
        "TokenizationError",
        "TransformError",
        "ValidationError",
        "map_proxy_error",
    ),
    "insight": ("ToolIntelligence",),
    "markers": ("content_key",),
    "messages": (
        "AssistantMessage",
        "Block",
        "Change",
        "Draft",
        "SystemMessage",
        "ToolMessage",
        "UserMessage",
    ),
    "providers": (
        "AnthropicProvider",
        "GoogleProvider",
        "OpenAIProvider",
    ),
    "relevance": (
        "BM25Scorer",
        "EmbeddingScorer",
        "HybridScorer",
        "Scorer",
        "create_scorer",
        "embedding_available",
    ),
    "results": (
        "CompressResult",
        "CrushResult",
        "DocumentsResult",
        "RequestMetrics",
        "RetrievalResult",
        "TransformResult",
    ),
    "retrieval": (
        "aretrieve",
        "handle_retrieve_call",
        "retrieve",
        "retrieve_tool",
    ),
    "stores": (
        "MemoryStore",
        "SQLiteStore",
        "Store",
        "default_store",
        "open_store",
    ),
    "tables": ("decode_table",),
    "tokens": (
        "Tokenizer",
        "count_tokens_messages",
        "count_tokens_text",
    ),
    "transforms": (
        "CacheAligner",
        "IntelligentContextManager",
        "RollingWindow",
        "SmartCrusher",
        "Transform",
        "TransformPipeline",
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [
    "AnthropicProvider",
    "BM25Scorer",
    "Block",
    "CCRConfig",
    "CacheAligner",
    "CacheAlignerConfig",
    "CacheError",
    "Change",
    "CompressResult",
    "Compressed",
    "CompressionError",
    "CompressionHooks",
    "Compressor",
    "ConfigurationError",
    "CrushResult",
    "Dialect",
    "DocumentsResult",
    "Draft",
    "EmbeddingScorer",
    "GoogleProvider",
    "HeadroomAuthError",
    "HeadroomCompressError",
    "HeadroomConfig",
    "HeadroomConnectionError",
    "HeadroomError",
    "Hints",
    "HybridScorer",
    "IntelligentContextConfig",
    "IntelligentContextManager",
    "MemoryStore",
    "OpenAIProvider",
    "ProviderError",
    "RelevanceScorerConfig",
    "Request",
    "RequestMetrics",
    "RetrievalResult",
    "RollingWindow",
    "RollingWindowConfig",
    "SQLiteStore",
    "Scorer",
    "ScoringWeights",
    "SmartCrusher",
    "SmartCrusherConfig",
    "StorageError",
    "Store",
    "TokenizationError",
    "Tokenizer",
    "ToolIntelligence",
    "Transform",
    "TransformError",
    "TransformPipeline",
    "TransformResult",
    "ValidationError",
    "acompress",
    "aretrieve",
    "clear_caches",
    "compress",
    "compress_documents",
    "content_key",
    "count_tokens_messages",
    "count_tokens_text",
    "create_scorer",
    "decode_table",
    "default_store",
    "embedding_available",
    "handle_retrieve_call",
    "map_proxy_error",
    "open_store",
    "register_compressor",
    "retrieve",
    "retrieve_tool",
    "unregister_compressor",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_MODULE_OF)
