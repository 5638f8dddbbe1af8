"""Leave out the values that nobody reads, each as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from headroom_core.markers import retrieve_call, write_marker
from headroom_core.text.opaque import OpaqueValue

_MAX_LINES = 10


def replace_values(text: str, values: Sequence[OpaqueValue]) -> str:
    """Return a text with the kind of each value in its place.

    Example:
        >>> replace_values("id=AAAA", [OpaqueValue(3, 7, "base64, 4 characters")])
        'id=[headroom: base64, 4 characters]'
    """
    # A list of numbers becomes a string: in the quotes of the text that it is in.
    quote = '"' if text.count('": ') + text.count('":') >= text.count("': ") else "'"
    pieces: list[str] = []
    position = 0
    for value in values:
        mark = f"[headroom: {value.kind}]"
        pieces += [text[position : value.start], f"{quote}{mark}{quote}" if value.is_list else mark]
        position = value.end
    return "".join([*pieces, text[position:]])


def write_values_marker(text: str, values: Sequence[OpaqueValue], key: str) -> str:
    """Return the marker, on a line of its own, for the values that a text has lost."""
    kinds = Counter(value.kind.partition(",")[0].partition(" of ")[0] for value in values)
    described = ", ".join(f"{kind} ×{count}" for kind, count in kinds.items())
    unit = "value" if len(values) == 1 else "values"
    calls = [retrieve_call(key, **_lines_argument(text, values))] if key else []
    marker = write_marker(f"{len(values)} {unit} left out above ({described})", calls)
    return f"\n{marker}\n"


def _lines_argument(text: str, values: Sequence[OpaqueValue]) -> dict[str, str]:
    """Return the argument that retrieves the lines of values, if there are lines to choose from."""
    if "\n" not in text.strip() or len(values) > _MAX_LINES:
        return {}
    lines: dict[int, None] = {}
    line, position = 1, 0
    for value in values:
        line += text.count("\n", position, value.start)
        position = value.start
        lines[line] = None
    return {"lines": ",".join(map(str, lines))}
