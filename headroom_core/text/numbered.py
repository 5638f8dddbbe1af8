"""Views of files whose lines carry their numbers, as `cat -n` and reading tools print them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

# A number and the sign after it: `    57\tx`, `57: x`, `57→x`, `57 | x`, `57  x`. Must not match
# times since 1970, which are longer.
_NUMBER = re.compile(r"[ ]*(\d{1,7})[ ]{0,2}([\t→│|:-]|(?<=[ ]))")
# A search prints a colon after the number of a match, and a hyphen after that of its context.
_SEARCH_SIGNS = {"-": ":"}
# After these signs, numbers may skip lines. Elsewhere, rising numbers may be ids of records.
_SIGNS_OF_LINES = frozenset(":→│")

_MIN_LINES = 3
_MIN_NUMBERED_SHARE = 0.9
_MIN_CONSECUTIVE_SHARE = 0.8


def read_line_numbers(lines: Sequence[str]) -> list[int] | None:
    """Return the number that each line carries, or None if the lines are no view of a file.

    A line without a number, such as a blank one of `nl`, has that of the line before it. Lines
    before the first number have the number 0.

    Args:
        lines: All lines of a text, with or without line ends.

    Example:
        >>> read_line_numbers(["    56\\tdef area():", "    57\\t    return 2", "    58\\t"])
        [56, 57, 58]
        >>> read_line_numbers(["12:00:00 ready", "12:00:01 busy", "12:00:01 ready"])
    """
    matches = [_NUMBER.match(line) for line in lines]
    signs = Counter(_sign(match) for match in matches if match)
    if not signs:
        return None
    sign, count = signs.most_common(1)[0]
    numbers = [int(match[1]) if match and _sign(match) == sign else 0 for match in matches]
    filled = sum([bool(line.strip()) for line in lines])
    if count < max(_MIN_LINES, _MIN_NUMBERED_SHARE * filled):
        return None
    # If other lines have a tab too, such as a header, these are the records of a table.
    is_indented = any(line.startswith(" ") for line, number in zip(lines, numbers) if number)
    has_other_records = any("\t" in line for line, number in zip(lines, numbers) if not number)
    if sign == "\t" and has_other_records and not is_indented:
        return None
    return _continue(numbers) if _count_lines([n for n in numbers if n], sign) else None


def _sign(match: re.Match[str]) -> str:
    return _SEARCH_SIGNS.get(match[2], match[2])


def _count_lines(numbers: list[int], sign: str) -> bool:
    """Return whether numbers are those of lines: they rise, and most of them one by one."""
    steps = [after - before for before, after in pairwise(numbers)]
    if not steps or min(steps) < 1:
        return False
    return sign in _SIGNS_OF_LINES or steps.count(1) >= _MIN_CONSECUTIVE_SHARE * len(steps)


def _continue(numbers: list[int]) -> list[int]:
    """Give every line without a number that of the line before it."""
    last = 0
    continued = []
    for number in numbers:
        last = number or last
        continued.append(last)
    return continued
