"""Retrieval of originals: `retrieve()`, and the tool with which a model asks for them."""

from __future__ import annotations

from headroom_core.retrieval.originals import aretrieve, retrieve
from headroom_core.retrieval.tool import handle_retrieve_call, retrieve_tool

__all__ = ["aretrieve", "handle_retrieve_call", "retrieve", "retrieve_tool"]
