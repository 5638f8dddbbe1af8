"""Views of files whose lines carry their numbers, as `cat -n` and reading tools print them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

# A number and the sign after it: `    57\tx`, `57: x`, `57→x`, `57 | x`, `57  x`. Must not match
# times since 1970, which are longer.
_NUMBER = re.compile(r"[ ]*(\d{1,7})[ ]{0,2}([\t→│|:-]|(?<=[ ]))")
# A search prints a colon after the number of a match, and a hyphen after that of its context.
_SEARCH_SIGNS = {"-": ":"}
# After these signs, numbers may skip lines. Elsewhere, rising numbers may be ids of records.
_SIGNS_OF_LINES = frozenset(":→│")
# Signs that separate the cells of records as well.
_SIGNS_OF_CELLS = frozenset("\t|")

# The same as whole files are shown: one sign in all lines, and a space after a colon.
_VIEW_NUMBER = re.compile(r"[ ]*(\d{1,9})(\t|→|[ ]?[│|]|:[ ])")

_MIN_LINES = 3
_MIN_NUMBERED_SHARE = 0.9
_MIN_CONSECUTIVE_SHARE = 0.8
_MIN_VIEW_SHARE = 0.9
_SAMPLED_LINES = 60
_SAMPLED_CHARACTERS = 12_000


def has_line_numbers(text: str) -> bool:
    r"""Return whether the lines of a text are numbered in sequence, as editors and `cat -n` do.

    Ids of records rise in sequence too. Records have equally many cells, or a header above them
    that is divided as they are.

    Example:
        >>> has_line_numbers("     7\tdef f():\n     8\t    return 1\n     9\t")
        True
        >>> has_line_numbers("1\tAnna\t30\n2\tBob\t31\n3\tCleo\t32")
        False
        >>> has_line_numbers("id\tstatus\n1\topen\n2\topen\n3\tclosed")
        False
    """
    lines = text[:_SAMPLED_CHARACTERS].split("\n", _SAMPLED_LINES)[:_SAMPLED_LINES]
    matches = [_VIEW_NUMBER.match(line) for line in lines]
    found = [match for match in matches if match]
    filled = sum([bool(line.strip()) for line in lines])
    if len(found) < max(_MIN_LINES, _MIN_VIEW_SHARE * filled):
        return False
    steps = [int(after[1]) - int(before[1]) for before, after in pairwise(found)]
    if steps.count(1) < _MIN_VIEW_SHARE * len(steps) or len({match[2] for match in found}) > 1:
        return False
    sign = found[0][2].strip() or "\t"
    is_padded = found[0][0][0] == " "
    if is_padded or sign in "→│":
        return True
    # Ids of rows stand at the start of the line, and the rows have equally many cells.
    widths = {match.string.count(sign) for match in found}
    has_header = _divides(lines[: matches.index(found[0])], sign)
    return not has_header and (len(widths) > 1 or widths == {1})


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
    is_indented = any(line.startswith(" ") for line, number in zip(lines, numbers) if number)
    first = next((index for index, number in enumerate(numbers) if number), 0)
    if not is_indented and _divides(lines[:first], sign):
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


def _divides(lines: Iterable[str], sign: str) -> bool:
    """Return whether a sign divides one of the lines above the first number, such as a header."""
    return sign in _SIGNS_OF_CELLS and any(
        sign in line and line.strip(f" {sign}") for line in lines
    )


def _continue(numbers: list[int]) -> list[int]:
    """Give every line without a number that of the line before it."""
    last = 0
    continued = []
    for number in numbers:
        last = number or last
        continued.append(last)
    return continued
