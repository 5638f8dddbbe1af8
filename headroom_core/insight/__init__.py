"""Insights from past requests: which tools' originals are retrieved."""

from __future__ import annotations

from headroom_core.insight.shape import shape_of
from headroom_core.insight.tool_intelligence import Lesson, Source, ToolImportance, ToolIntelligence

__all__ = ["Lesson", "Source", "ToolImportance", "ToolIntelligence", "shape_of"]
