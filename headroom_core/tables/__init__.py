"""The table codec: encodes rows of JSON, Python literals and CSV as compact tables, losslessly."""

from __future__ import annotations

from headroom_core.tables.codec import decode_table

__all__ = ["decode_table"]
