"""Compressors: a text in, a shorter text out. A new one is a file here, and a line below."""

from __future__ import annotations

from headroom_core.compressors.any_text import AnyTextCompressor
from headroom_core.compressors.base import Compressor
from headroom_core.compressors.build import BuildCompressor
from headroom_core.compressors.code import CodeCompressor
from headroom_core.compressors.diff import DiffCompressor
from headroom_core.compressors.git_log import GitLogCompressor
from headroom_core.compressors.html.compressor import HtmlCompressor
from headroom_core.compressors.listing import ListingCompressor
from headroom_core.compressors.log import LogCompressor
from headroom_core.compressors.markdown import MarkdownCompressor
from headroom_core.compressors.outline import (
    OUTLINE_KINDS,
    OutlineCompressor,
    TextTableCompressor,
)
from headroom_core.compressors.registry import Accepts, CompressorFactory, CompressorRegistry
from headroom_core.compressors.search import SearchCompressor
from headroom_core.compressors.smart_crusher.compressor import TableCompressor

__all__ = ["REGISTRY", "register_compressor", "unregister_compressor"]

REGISTRY = CompressorRegistry(
    built_in=[
        LogCompressor(),
        BuildCompressor(),
        HtmlCompressor(),
        SearchCompressor(),
        TextTableCompressor(),
        ListingCompressor(),
        GitLogCompressor(),
        DiffCompressor(),
        CodeCompressor(),
        MarkdownCompressor(),
        *map(OutlineCompressor, OUTLINE_KINDS),
        TableCompressor.from_config,
        AnyTextCompressor(),
    ]
)
"""The compressors of this process. Those that are built in are asked in the order of the list."""


def register_compressor(
    compressor: Compressor | CompressorFactory, *, accepts: Accepts | None = None
) -> None:
    """Add a compressor to this process, to be asked before all others.

    `compress`, `default_transforms`, the windows and the integrations use it from then on.

    Args:
        compressor: The compressor, or a function that creates one from a `HeadroomConfig`.
        accepts: Returns whether the compressor may be meant for a text of some `TextKind`. Defaults
            to the compressor's own method `accepts`, or to every text. It is not part of the
            fingerprint: texts that were sent before stay as they were sent.

    Raises:
        ConfigurationError: It is neither a compressor nor a function.

    Example:
        >>> from headroom_core import Compressed, compress
        >>> class Dots:
        ...     name = "dots"
        ...     fingerprint = "dots 1"
        ...     def compress(self, text, request):
        ...         if set(text) != {"."}:
        ...             return None
        ...         return Compressed(f"{len(text)} dots", lossless=True, reason="counted the dots")
        >>> dots = Dots()
        >>> register_compressor(dots)
        >>> compress([{"role": "tool", "tool_call_id": "1", "content": "." * 5000}]).messages[0]
        {'role': 'tool', 'tool_call_id': '1', 'content': '5000 dots'}
        >>> unregister_compressor(dots)
    """
    REGISTRY.register(compressor, accepts=accepts)


def unregister_compressor(compressor: Compressor | CompressorFactory) -> None:
    """Remove a compressor that `register_compressor` added.

    Raises:
        ConfigurationError: It is not registered.
    """
    REGISTRY.unregister(compressor)
