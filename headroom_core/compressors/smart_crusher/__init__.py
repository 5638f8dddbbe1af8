"""SmartCrusher's compressor: rows of arrays and tables, the ones that matter or all of them as a lossless table."""

from __future__ import annotations

from headroom_core.compressors.smart_crusher.compressor import (
    TableCompressor,
    create_table_compressor,
)

__all__ = ["TableCompressor", "create_table_compressor"]
