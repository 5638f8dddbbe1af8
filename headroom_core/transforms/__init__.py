"""Transforms: a draft in, a draft out. Most of them can be used on messages directly."""

from __future__ import annotations

from headroom_core.transforms.base import Transform
from headroom_core.transforms.cache_aligner import CacheAligner
from headroom_core.transforms.defaults import default_transforms
from headroom_core.transforms.pipeline import TransformPipeline
from headroom_core.transforms.smart_crusher import SmartCrusher
from headroom_core.transforms.windows.intelligent import IntelligentContextManager
from headroom_core.transforms.windows.rolling import RollingWindow

__all__ = [
    "CacheAligner",
    "IntelligentContextManager",
    "RollingWindow",
    "SmartCrusher",
    "Transform",
    "TransformPipeline",
    "default_transforms",
]
