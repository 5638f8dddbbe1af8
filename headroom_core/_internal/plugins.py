"""What installed packages add, found through their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from headroom_core.errors import ConfigurationError


@cache
def entry_points_of(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, in the order of the names.

    Of two with the same name the first on the path holds, as for modules.
    """
    found = reversed([*entry_points(group=group)])
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def load_plugin(point: EntryPoint, protocol: type[Any], needs: str) -> Any:
    """Return what the callable of an entry point makes.

    Args:
        point: the entry point.
        protocol: what has to be made.
        needs: what that has, in words.

    Raises:
        ConfigurationError: it cannot be loaded, or what it makes is something else.
    """
    where = {"group": point.group, "name": point.name, "value": point.value}
    said = f"{protocol.__name__.lower()} {point.name} = {point.value}"
    try:
        plugin = point.load()()
    except Exception as error:
        raise ConfigurationError(f"{said} cannot be loaded: {error}", where) from error
    if not isinstance(plugin, protocol):
        raise ConfigurationError(f"{said}: no {needs}", where)
    return plugin
