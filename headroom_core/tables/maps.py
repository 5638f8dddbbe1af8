"""Objects that map keys to entries of one kind, in contrast to records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from headroom_core.text.exact_json import Value

# An object with fewer entries is a record, not a mapping from keys to records.
_MIN_ENTRIES = 5
# The share of filled cells from which the entries of an object are alike enough for a table.
_MIN_FILL = 0.5
# That many objects under different keys are entries, however different they are.
_MANY_OBJECTS = 20
_MOST = 0.9
# A record rarely has as many fields. With fewer entries, the keys have to look like data.
_MANY_SCALARS = 100
_MIN_SCALARS = 30
_MAINLY = 0.8
# A name that a programmer gives to a field. Must not match keys that are data: paths, addresses,
# dates, names with spaces.
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_]*\d?")


def is_map(value: dict[str, Value]) -> bool:
    """Return whether an object maps keys to objects, or to scalars, of one kind.

    Example:
        >>> is_map({f"node-{n}": {"cpu": "0.5", "role": "worker"} for n in range(5)})
        True
        >>> is_map({"id": "7", "name": "Elbe", "kind": "river", "sea": "North Sea", "side": "left"})
        False
    """
    if len(value) < _MIN_ENTRIES:
        return False
    entries = list(value.values())
    objects = [entry for entry in entries if type(entry) is dict and entry]
    if len(objects) == len(entries) and _are_alike(objects):
        return True
    if len(objects) >= max(_MANY_OBJECTS, _MOST * len(entries)):
        return True
    return len(entries) >= _MIN_SCALARS and not objects and _maps_to_scalars(value)


def _are_alike(objects: list[dict[str, Value]]) -> bool:
    """Return whether most of what the objects hold is what most of them hold."""
    counts = Counter(name for entry in objects for name in entry)
    filled = sum(counts.values())
    if filled >= _MIN_FILL * len(counts) * len(objects):
        return True
    common = sum(count for count in counts.values() if 2 * count >= len(objects))
    return 2 * common >= filled


def _maps_to_scalars(value: dict[str, Value]) -> bool:
    entries = value.values()
    if any(type(entry) is dict or contains_containers(entry) for entry in entries):
        return False
    if len(value) < _MANY_SCALARS and not _are_data(value):
        return False
    kinds = Counter(type(entry) for entry in entries if entry is not None)
    return max(kinds.values(), default=0) >= _MAINLY * kinds.total()


def _are_data(keys: Collection[str]) -> bool:
    """Return whether keys are rather data than names of fields."""
    names = sum(_FIELD_NAME.fullmatch(key) is not None for key in keys)
    return names <= (1 - _MAINLY) * len(keys)


def contains_containers(item: Value) -> bool:
    """Return whether a value is a list that holds lists or objects."""
    return type(item) is list and any(type(inner) in (dict, list) for inner in item)
