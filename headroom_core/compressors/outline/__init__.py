"""Compress what commands and files write in columns, blocks and levels, by whole lines."""

from headroom_core.compressors.outline.levels import OUTLINE_KINDS, OutlineCompressor
from headroom_core.compressors.outline.text_table import TextTableCompressor

__all__ = ["OUTLINE_KINDS", "OutlineCompressor", "TextTableCompressor"]
