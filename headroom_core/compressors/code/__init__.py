"""Compress source code: bodies that the query does not touch fold to their signature."""

from headroom_core.compressors.code.compressor import CodeCompressor

__all__ = ["CodeCompressor"]
