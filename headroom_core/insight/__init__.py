"""What is learnt on the way."""

from __future__ import annotations

from headroom_core.insight.shape import shape_of
from headroom_core.insight.tool_intelligence import Importance, Lesson, Source, ToolIntelligence

__all__ = ["Importance", "Lesson", "Source", "ToolIntelligence", "shape_of"]
