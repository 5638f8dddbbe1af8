"""Compression of retrieved documents before they are put into a prompt."""

from __future__ import annotations

from headroom_core.documents.compress import compress_documents

__all__ = ["compress_documents"]
