"""Compress the output of builds, tests and linters: leave out what says that all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.build.signs import (
    Sign,
    drop_told_twice,
    find_signs,
    mask_numbers,
    message_of,
    strip_codes,
)
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 20
_HEAD, _TAIL = 6, 30
_MIN_TAIL, _MAX_TAIL_CHARACTERS = 6, 2400
_BEFORE, _AFTER = 4, 8
_AROUND_HIT = 2
# With many different errors, each has less around it.
_MANY_ERRORS = 40
_BEFORE_MANY, _AFTER_MANY = 1, 3
_MAX_ALIKE_ERRORS, _MAX_ALIKE_WARNINGS, _MAX_ALIKE_OTHERS = 90, 30, 3
_MAX_HITS = 40
_RISK = 0.1


class BuildCompressor:
    """Compressor for the output of compilers, linters, test runners and CI jobs.

    Errors stay with the lines around them, each once; warnings, results and the command of each
    failing step stay, too. Passed tests, progress and repeats are left out, and counted.
    """

    name = "build"
    fingerprint = "build 1"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is the output of a build of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "build"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out lines that report no failure, warning or result."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        plain = TextLines(strip_codes(text))  # May lack the last line, if that has only codes.
        signs = find_signs(plain)
        kept = {*range(_HEAD), *_choose_tail(lines.lines)}
        kept |= _choose_lines(plain.lines, signs)
        kept |= _choose_hits(plain, request.query)
        kept = {index for index in kept if 0 <= index < len(lines)}

        def describe(first: int, end: int) -> str:
            return _count_signs(signs, range(first, end))

        return write_kept_lines(
            lines.lines,
            kept,
            request,
            reason="passed, repeated and other lines without a problem left out",
            summary=_count_signs(signs, (index for index in signs if index not in kept)),
            risk=_RISK,
        )


def _choose_tail(lines: Sequence[str]) -> range:
    """Return the indices of the last lines, fewer of a short text and of long lines."""
    first = len(lines)
    most = min(_TAIL, len(lines) // 8)
    characters = 0
    while first > 0 and len(lines) - first < max(_MIN_TAIL, most):
        characters += len(lines[first - 1])
        if characters > _MAX_TAIL_CHARACTERS and len(lines) - first >= _MIN_TAIL:
            break
        first -= 1
    return range(first, len(lines))


def _choose_lines(lines: Sequence[str], signs: dict[int, Sign]) -> set[int]:
    """Return the lines that report something, with those around errors."""
    by_sign: dict[str, list[int]] = {}
    for index, sign in signs.items():
        by_sign.setdefault(sign, []).append(index)
    found = by_sign.get("error", [])
    errors = drop_told_twice(lines, found)
    distinct, exemplars = _choose_distinct(lines, errors, _MAX_ALIKE_ERRORS, whole=True)
    kept = set(distinct)
    is_many = len(exemplars) > _MANY_ERRORS
    before, after = (_BEFORE_MANY, _AFTER_MANY) if is_many else (_BEFORE, _AFTER)
    # A heading of a failure is no more than that where a summary tells its name, too.
    steps = sorted([*by_sign.get("step", []), *set(found).difference(errors)])
    for index in exemplars:
        around = range(index - before, index + after + 1)
        kept.update(other for other in around if signs.get(other) != "passed")
    kept |= _steps_before(steps, exemplars)
    warnings, _ = _choose_distinct(
        lines, by_sign.get("warning", []), _MAX_ALIKE_WARNINGS, whole=not errors
    )
    kept.update(warnings)
    for sign in ("result", "problem"):
        kept.update(_choose_distinct(lines, by_sign.get(sign, []), _MAX_ALIKE_OTHERS)[0])
    return kept


def _choose_distinct(
    lines: Sequence[str], indices: Iterable[int], most: int, *, whole: bool = False
) -> tuple[list[int], list[int]]:
    """Return lines of different messages, and the first of each message apart from its numbers.

    Args:
        lines: All lines.
        indices: Indices of the lines to choose from.
        most: Maximum number of lines that differ in numbers alone.
        whole: Whether lines with the same message at other places are different.
    """
    seen: set[str] = set()
    alike: Counter[str] = Counter()
    chosen: list[int] = []
    exemplars: list[int] = []
    for index in indices:
        line = lines[index].strip()
        message = message_of(line)
        key = line if whole else message
        if key in seen:
            continue
        seen.add(key)
        masked = mask_numbers(message)
        alike[masked] += 1
        if alike[masked] <= most:
            chosen.append(index)
        if alike[masked] == 1:
            exemplars.append(index)
    return chosen, exemplars


def _steps_before(steps: Sequence[int], indices: Iterable[int]) -> set[int]:
    """Return the last step before each of some lines."""
    found: set[int] = set()
    position = 0
    for index in indices:
        while position < len(steps) and steps[position] <= index:
            position += 1
        if position:
            found.add(steps[position - 1])
    return found


def _choose_hits(lines: TextLines, query: str) -> set[int]:
    """Return the lines around those that the query names by words that few lines have."""
    if not query:
        return set()
    best = find_line_hits(lines, query).strongest(_MAX_HITS)
    return {
        around for index in best for around in range(index - _AROUND_HIT, index + _AROUND_HIT + 1)
    }


def _count_signs(signs: dict[int, Sign], indices: Iterable[int]) -> str:
    """Return how many of some lines say what, for a marker."""
    counts = Counter(signs[index] for index in indices if index in signs)
    names: dict[Sign, str] = {
        "passed": "passed",
        "error": "repeated errors",
        "warning": "repeated warnings",
    }
    return ", ".join(f"{counts[sign]} {name}" for sign, name in names.items() if counts[sign])
