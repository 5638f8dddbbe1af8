"""Compressors: a text in, a shorter text out."""

from __future__ import annotations

from functools import cache

from headroom_core._internal.plugins import entry_points_of, load_plugin
from headroom_core.compressors.base import Compressor

GROUP = "headroom.compressors"


@cache
def installed_compressors() -> tuple[Compressor, ...]:
    """Return the compressors that installed packages add, in the order of their entry points' names.

    Raises:
        ConfigurationError: one of them cannot be loaded, or is no compressor.
    """
    return tuple(
        load_plugin(point, Compressor, "name and compress(text, request)")
        for point in entry_points_of(GROUP).values()
    )
