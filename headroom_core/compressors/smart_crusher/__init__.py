"""Arrays and tables: taken apart, written small, and read back."""

from __future__ import annotations

from headroom_core.compressors.smart_crusher.crusher import TableCompressor, table_compressor
from headroom_core.compressors.smart_crusher.document import decode_table

__all__ = ["TableCompressor", "decode_table", "table_compressor"]
