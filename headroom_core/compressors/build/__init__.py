"""Compress the output of builds, tests and linters: errors, warnings and results stay."""

from headroom_core.compressors.build.compressor import BuildCompressor

__all__ = ["BuildCompressor"]
