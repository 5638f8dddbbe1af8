"""Compressors: a text in, a shorter text out."""

from __future__ import annotations

from functools import cache

from headroom_core.compressors.base import Compressor
from headroom_core.plugins import made, points

GROUP = "headroom.compressors"


@cache
def installed_compressors() -> tuple[Compressor, ...]:
    """Return the compressors that installed packages add, in the order of their entry points' names.

    Raises:
        ConfigurationError: one of them cannot be loaded, or is no compressor.
    """
    return tuple(made(point, Compressor, "name and compress(text, request)") for point in points(GROUP).values())
