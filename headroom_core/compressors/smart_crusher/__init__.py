"""SmartCrusher's compressor: keeps the rows of arrays and tables that matter, or all losslessly."""

from __future__ import annotations

from headroom_core.compressors.smart_crusher.compressor import (
    TableCompressor,
    create_table_compressor,
)

__all__ = ["TableCompressor", "create_table_compressor"]
