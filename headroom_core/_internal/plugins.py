"""Plug-ins of installed packages, found through their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from headroom_core.errors import ConfigurationError


@cache
def entry_points_of(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name, sorted by name.

    Of several with the same name, the first on the path wins, as for modules.

    Raises:
        ConfigurationError: The packages cannot be read, for want of file descriptors perhaps.
    """
    try:
        points = reversed([*entry_points(group=group)])
    except OSError as error:
        raise ConfigurationError(
            f"plug-ins of the group {group} cannot be looked for: {error.strerror}",
            {"group": group},
        ) from error
    return {point.name: point for point in sorted(points, key=lambda point: point.name)}


def load_plugin(point: EntryPoint, protocol: type[Any], members: str) -> Any:
    """Load an entry point, call it without arguments, and return the object that it returns.

    Args:
        point: The entry point.
        protocol: The protocol of the object.
        members: The members of the protocol, for the error message.

    Raises:
        ConfigurationError: It cannot be loaded, or returns another object.
    """
    details = {"group": point.group, "name": point.name, "value": point.value}
    described = f"{protocol.__name__.lower()} {point.name} = {point.value}"
    try:
        plugin = point.load()()
    except Exception as error:
        raise ConfigurationError(f"{described} cannot be loaded: {error}", details) from error
    if not isinstance(plugin, protocol):
        raise ConfigurationError(f"{described}: must have {members}", details)
    return plugin
