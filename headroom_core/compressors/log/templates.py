"""Group the records of a log by what they have in common besides numbers and names.

Two records belong together if they differ only in digits and in hexadecimal numbers, or in a single
word that looks like a value. Levels and words for errors are never such a value.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

_DIGITS = re.compile(r"\d+")
# Hexadecimal numbers, after digits were masked: at least one mask among the letters.
_HEX = re.compile(r"(?:0x)?\b(?=[a-fA-F]{0,32}#)[a-fA-F#]{4,64}\b")
_NUMBERS = re.compile(r"#(?:[.:,_-]?#){1,40}")
_VALUE_SIGN = re.compile(r"[#/=@\\]")
_KEPT_WORD = re.compile(
    r"^\W{0,3}(?:trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|alert|emerg"
    r"|fail\w*|exception\w*|panic|denied|refused|timeout|ok|success\w*|true|false)\W{0,3}$",
    re.IGNORECASE,
)
# Ends of words and of cells: `Core|7|start`, `level=info`.
_WORD_END = re.compile(r"[ |=]")
_MIN_VALUES = 10
_MAX_WORDS = 40_000
_MAX_MERGED_TEMPLATES = 4000
_MAX_TOKENS = 60


def group_records(records: Sequence[str]) -> list[list[int]]:
    """Return the indices of the records of each template, templates by their first record.

    Args:
        records: The records, without their times.

    Example:
        >>> group_records(["user 7 in", "disk full", "user 9 in"])
        [[0, 2], [1]]
    """
    by_digits: dict[str, list[int]] = defaultdict(list)
    for index, record in enumerate(records):
        by_digits[_DIGITS.sub("#", record)].append(index)
    by_mask: dict[str, list[int]] = defaultdict(list)
    for masked, indices in by_digits.items():
        by_mask[_NUMBERS.sub("#", _HEX.sub("#", masked))] += indices
    merged = _merge(list(by_mask))
    groups: dict[int, list[int]] = defaultdict(list)
    for number, indices in enumerate(by_mask.values()):
        groups[merged[number]] += indices
    return sorted(map(sorted, groups.values()))


def _merge(templates: Sequence[str]) -> list[int]:
    """Return for each template the number of the one that it is merged into, or its own."""
    parents = list(range(len(templates)))
    if len(templates) > _MAX_MERGED_TEMPLATES:
        return parents
    for members in _alike(templates):
        first = _root(parents, members[0])
        for member in members[1:]:
            parents[_root(parents, member)] = first
    return [_root(parents, number) for number in range(len(templates))]


def _alike(templates: Sequence[str]) -> Iterator[list[int]]:
    """Yield templates that differ in one word only, which looks like a value."""
    words = [_WORD_END.split(template) for template in templates]
    if sum(map(len, words)) > _MAX_WORDS:
        return
    by_rest: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for number, own in enumerate(words):
        if len(own) <= _MAX_TOKENS:
            for place in range(len(own)):
                rest = hash((*own[:place], None, *own[place + 1 :]))
                by_rest[len(own), place, rest].append(number)
    for (_, place, _), members in by_rest.items():
        values = {words[number][place] for number in members}
        if len(values) > 1 and _are_values(values, place):
            yield members


def _are_values(values: set[str], place: int) -> bool:
    if any(map(_KEPT_WORD.match, values)):
        return False
    return all(map(_VALUE_SIGN.search, values)) or (len(values) >= _MIN_VALUES and place > 0)


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number
