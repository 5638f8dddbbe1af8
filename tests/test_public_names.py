"""Test the public names of `headroom_core`, their signatures, fields and defaults."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import headroom_core

SOURCE = Path(headroom_core.__file__)
TREE = ast.parse(SOURCE.read_text(encoding="utf-8"))

PROMISED = {
    "compressing": "compress acompress compress_documents CompressionHooks CompressResult"
    " DocumentsResult Change",
    "retrieval": "retrieve retrieve_tool RetrievalResult decode_table",
    "metrics": "RequestMetrics",
    "protocols": "Store Compressor Dialect Scorer Transform",
    "stores": "MemoryStore SQLiteStore",
    "settings": "HeadroomConfig SmartCrusherConfig CCRConfig CacheAlignerConfig"
    " RollingWindowConfig IntelligentContextConfig ScoringWeights RelevanceScorerConfig",
    "errors": "HeadroomError ConfigurationError ProviderError StorageError CompressionError"
    " ValidationError TokenizationError CacheError TransformError HeadroomConnectionError"
    " HeadroomAuthError HeadroomCompressError map_proxy_error",
    "tokens": "Tokenizer count_tokens_text count_tokens_messages",
    "messages": "SystemMessage UserMessage AssistantMessage ToolMessage",
    "transforms": "SmartCrusher CrushResult CacheAligner RollingWindow IntelligentContextManager"
    " TransformPipeline TransformResult ToolIntelligence",
    "relevance": "create_scorer BM25Scorer EmbeddingScorer HybridScorer embedding_available",
    "providers": "OpenAIProvider AnthropicProvider GoogleProvider",
}
MESSAGE_TYPES = PROMISED["messages"].split()
MODULE_NAMES = {
    "headroom_core.config": (
        "SmartCrusherConfig",
        "CCRConfig",
        "CacheAlignerConfig",
        "RollingWindowConfig",
        "IntelligentContextConfig",
        "ScoringWeights",
        "RelevanceScorerConfig",
        "HeadroomConfig",
    ),
    "headroom_core.transforms": (
        "SmartCrusher",
        "CacheAligner",
        "RollingWindow",
        "IntelligentContextManager",
        "TransformPipeline",
    ),
    "headroom_core.providers": ("OpenAIProvider", "AnthropicProvider", "GoogleProvider"),
    "headroom_core.relevance": ("create_scorer", "BM25Scorer", "EmbeddingScorer", "HybridScorer"),
    "headroom_integrations.langchain": ("HeadroomCompressor",),
}
SIGNATURES = {
    "compress": "messages, *, model, tools, token_budget, config, exclude_tools, only_tools,"
    " tool_profiles, query, store, dialect, hooks, strict",
    "compress_documents": "texts, query, *, token_budget, model, config, store, titles, overheads,"
    " scorer, max_documents, min_relevance, prefer_diverse",
    "retrieve": "key, *, where, query, lines, limit, page, store, namespace",
    "map_proxy_error": "status, type, message",
    "decode_table": "text",
}
FIELDS = {
    "CompressResult": "messages tokens_before tokens_after tokens_saved compression_ratio"
    " transforms_applied ccr_hashes compressed changes warnings",
    "DocumentsResult": "texts scores tokens_before tokens_after changes",
    "RetrievalResult": "text found reason next_page",
    "CrushResult": "text data tokens_before tokens_after markers",
    "TransformResult": "messages tokens_before tokens_after changes warnings",
}
METRICS = (
    "request_id timestamp model tokens_input_before tokens_input_after tokens_output cost_before"
    " cost_after transforms_applied provider cached_tokens latency_ms"
)
DEFAULTS: dict[str, dict[str, object]] = {
    "SmartCrusherConfig": {
        "enabled": True,
        "min_tokens_to_crush": 200,
        "min_items_to_analyze": 5,
        "max_items_after_crush": 50,
        "keep_first": 3,
        "keep_last": 2,
        "relevance_threshold": 0.3,
        "anomaly_std_threshold": 2.0,
        "preserve_errors": True,
        "preserve_change_points": True,
        "dedup_identical_items": True,
        "preserve_fields": (),
        "relevance_tier": "bm25",
        "use_feedback_hints": True,
        "toin_confidence_threshold": 0.3,
    },
    "CacheAlignerConfig": {
        "enabled": True,
        "extract_dates": True,
        "normalize_whitespace": True,
        "collapse_blank_lines": True,
        "stable_prefix_min_tokens": 100,
        "dynamic_patterns": (),
    },
    "RollingWindowConfig": {
        "enabled": True,
        "max_tokens": 100_000,
        "preserve_system": True,
        "preserve_recent_turns": 5,
        "drop_oldest_first": True,
        "output_buffer_tokens": 4000,
    },
    "IntelligentContextConfig": {
        "enabled": False,
        "keep_system": True,
        "keep_last_turns": 2,
        "output_buffer_tokens": 4000,
        "use_importance_scoring": True,
        "recency_decay_rate": 0.1,
        "toin_integration": True,
        "toin_confidence_threshold": 0.3,
        "compress_threshold": 0.1,
    },
    "ScoringWeights": {
        "recency": 0.20,
        "semantic_similarity": 0.20,
        "toin_importance": 0.25,
        "error_indicator": 0.15,
        "forward_reference": 0.15,
        "token_density": 0.05,
    },
    "RelevanceScorerConfig": {
        "tier": "bm25",
        "bm25_k1": 1.5,
        "bm25_b": 0.75,
        "embedding_model": None,
        "hybrid_alpha": 0.5,
        "adaptive_alpha": True,
        "relevance_threshold": 0.25,
    },
    "CCRConfig": {
        "enabled": True,
        "inject_marker": True,
        "feedback_enabled": True,
        "store_max_entries": None,
        "store_ttl_seconds": 2_592_000.0,
    },
}


def lazy_names() -> dict[str, set[str]]:
    """Return the names of the lazy table, by module."""
    table = next(
        node.value
        for node in TREE.body
        if isinstance(node, ast.Assign)
        and [ast.unparse(target) for target in node.targets] == ["_MODULES"]
    )
    return {
        f"headroom_core.{module}": {*names} for module, names in ast.literal_eval(table).items()
    }


def typed_names() -> dict[str, set[str]]:
    """Return the names that type checkers see, by module."""
    block = next(
        node
        for node in TREE.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    names: dict[str, set[str]] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            seen = names.setdefault(str(node.module), set())
            seen.update(alias.asname or alias.name for alias in node.names)
    return names


def test_type_checkers_see_the_names_of_the_lazy_table() -> None:
    assert typed_names() == lazy_names()


def test_the_public_names_are_those_of_the_lazy_table() -> None:
    names = [name for names in lazy_names().values() for name in names]
    listed = {*names} - {*MESSAGE_TYPES}
    assert sorted(listed) == sorted(headroom_core.__all__) == headroom_core.__all__
    assert len(names) == len({*names})


def test_importing_everything_leaves_the_messages_of_frameworks_alone() -> None:
    names: dict[str, object] = dict.fromkeys(MESSAGE_TYPES, "a framework's class")
    exec("from headroom_core import *", names)
    assert {names[name] for name in MESSAGE_TYPES} == {"a framework's class"}
    assert names["compress"] is headroom_core.compress


def test_the_version_is_that_of_the_package() -> None:
    assert headroom_core.__version__ == importlib.metadata.version("headroom-integrations")


@pytest.mark.parametrize("name", [*headroom_core.__all__, *MESSAGE_TYPES])
def test_a_public_name_is_documented_and_defined_by_its_module(name: str) -> None:
    value = getattr(headroom_core, name)
    (module,) = [module for module, names in lazy_names().items() if name in names]
    assert value is getattr(importlib.import_module(module), name)
    assert inspect.getdoc(value)


def test_dir_lists_the_public_names() -> None:
    assert {*headroom_core.__all__} <= {*dir(headroom_core)}


def test_an_unknown_name_is_a_helpful_AttributeError() -> None:
    with pytest.raises(AttributeError, match="module 'headroom_core' has no attribute 'compres'"):
        _ = headroom_core.compres


@pytest.mark.parametrize("group", PROMISED)
def test_the_promised_names_exist(group: str) -> None:
    assert {*PROMISED[group].split()} <= {*dir(headroom_core)}


@pytest.mark.parametrize("module", MODULE_NAMES)
def test_the_promised_names_exist_in_their_modules(module: str) -> None:
    assert all(hasattr(importlib.import_module(module), name) for name in MODULE_NAMES[module])


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_parameters_are_those_promised(name: str) -> None:
    parameters = inspect.signature(getattr(headroom_core, name)).parameters.values()
    assert [item.name for item in parameters] == SIGNATURES[name].replace("*, ", "").split(", ")
    keywords = [item.name for item in parameters if item.kind is item.KEYWORD_ONLY]
    assert keywords == (
        SIGNATURES[name].split("*, ")[1].split(", ") if "*" in SIGNATURES[name] else []
    )


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_of_a_result_are_those_promised(name: str) -> None:
    assert {*FIELDS[name].split()} <= {*dir(getattr(headroom_core, name))}


def test_the_fields_of_metrics_are_those_promised_in_order() -> None:
    assert [
        item.name for item in dataclasses.fields(headroom_core.RequestMetrics)
    ] == METRICS.split()


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_defaults_of_the_settings_are_those_promised(name: str) -> None:
    defaults = getattr(headroom_core, name)().model_dump()
    assert {**defaults, **DEFAULTS[name]} == defaults


def test_importing_the_package_loads_no_submodule() -> None:
    code = (
        "import sys, headroom_core\n"
        "print(*sorted(m for m in sys.modules if m.startswith('headroom_core')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE.parents[1],
    )
    assert done.stdout.split() == ["headroom_core"]


def test_an_error_can_be_caught_without_loading_heavy_modules() -> None:
    heavy = "{'pydantic', 'numpy', 'tiktoken', 'rank_bm25', 'sqlite3', 'asyncio'}"
    code = (
        "import sys; from headroom_core import HeadroomError, Change\n"
        f"print(*sorted({heavy} & {{*sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=SOURCE.parents[1],
    )
    assert done.stdout.split() == []
