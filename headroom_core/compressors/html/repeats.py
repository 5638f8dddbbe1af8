"""Fold lines that stand above already, such as a menu that a page has once for every screen."""

from __future__ import annotations

from collections.abc import Container, Sequence

_MIN_LINES = 4
_MIN_CHARACTERS = 60


def fold_repeats(lines: Sequence[str], data: Container[int] = ()) -> list[str]:
    """Return lines with a mark in place of those that follow their first line above already.

    Args:
        lines: The lines.
        data: Indices of lines that are written again wherever they stand.

    Example:
        >>> menu = ["- Orders and returns", "- Gift cards", "- Opening hours", "- Jobs with us"]
        >>> fold_repeats([*menu, "Hello", *menu])[4:]
        ['Hello', '- Orders and returns', '[headroom: 3 lines as above]']
    """
    seen: dict[tuple[str, ...], int] = {}
    folded: list[str] = []
    position = 0
    while position < len(lines):
        earlier = seen.get(tuple(lines[position : position + _MIN_LINES]), position)
        length = 0
        while position + length < len(lines) and earlier + length < position:
            if lines[earlier + length] != lines[position + length] or position + length in data:
                break
            length += 1
        size = length + sum(map(len, lines[position : position + length]))
        folded.append(lines[position])
        if length >= _MIN_LINES and size >= _MIN_CHARACTERS:
            folded.append(f"[headroom: {length - 1} lines as above]")
        else:
            length = 1
        for start in range(position, position + length):
            seen.setdefault(tuple(lines[start : start + _MIN_LINES]), start)
        position += length
    return folded
