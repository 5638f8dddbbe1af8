"""Compress logs: records by template, with counts and times."""

from headroom_core.compressors.log.compressor import LogCompressor

__all__ = ["LogCompressor"]
