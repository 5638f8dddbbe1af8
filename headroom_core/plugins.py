"""Compressors of other packages, found through their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from headroom_core.compressors.base import Compressor
from headroom_core.errors import ConfigurationError

GROUP = "headroom.compressors"


@cache
def installed_compressors() -> tuple[Compressor, ...]:
    """Return the compressors that installed packages add, in the order of their names.

    Raises:
        ConfigurationError: one of them cannot be loaded, or is no compressor.
    """
    return tuple(_load(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _load(point: EntryPoint) -> Compressor:
    where = {"group": GROUP, "name": point.name, "value": point.value}
    try:
        made = point.load()()
    except Exception as error:
        raise ConfigurationError(f"compressor {point.name} = {point.value} cannot be loaded: {error}", where) from error
    if not isinstance(made, Compressor):
        raise ConfigurationError(f"compressor {point.name} = {point.value}: no name and compress(text, request)", where)
    return made
