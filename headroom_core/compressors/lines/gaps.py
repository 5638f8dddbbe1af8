"""Write the lines that are kept, with marks in place of the others.

A text with one gap has its marker there. A text with several gaps has one marker at its top, which
names the original, and a short mark at each gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import groupby

from headroom_core.compressors.base import UNCERTAIN_RISK, Compressed, Request
from headroom_core.markers import retrieve_call, write_gap, write_marker
from headroom_core.text.numbered import read_line_numbers

MIN_GAP_CHARACTERS = 80
"""Lines with fewer characters in all stay: the mark in their place would be as long."""

Describe = Callable[[int, int], str]
"""Returns what the lines from one index up to another are, in a few words."""


def fill_short_gaps(lines: Sequence[str], kept: Collection[int]) -> list[int]:
    """Return the indices of kept lines with those added whose gap is shorter than its mark.

    Args:
        lines: All lines.
        kept: Indices of the lines to keep, in any order.
    """
    chosen = sorted(kept)
    filled: list[int] = []
    following = 0
    for index in [*chosen, len(lines)]:
        gap = range(following, index)
        if gap and sum(len(lines[number]) for number in gap) < MIN_GAP_CHARACTERS:
            filled += gap
        if index < len(lines):
            filled.append(index)
        following = index + 1
    return filled


def write_kept_lines(
    lines: Sequence[str],
    kept: Collection[int],
    request: Request,
    *,
    reason: str,
    summary: str = "",
    describe: Describe | None = None,
    numbers: Sequence[int] | None = None,
    unit: str = "line",
    risk: float = UNCERTAIN_RISK,
) -> Compressed | None:
    """Return a text of the lines that are kept, with marks in place of the others.

    Marks name the lines by the numbers that `retrieve` knows them by: those that the lines carry,
    in a view of a file, or else counted from 1.

    Args:
        lines: All lines, each with its line end.
        kept: Indices of the lines to keep. Gaps shorter than their marks are filled.
        request: Request of the compressor.
        reason: What was left out, for `CompressResult.changes`.
        summary: What all left-out lines say together, for the marker.
        describe: Returns what the lines of a gap are. Defaults to nothing.
        numbers: Number of each line, if the lines are pieces of lines. Defaults to those above.
        unit: Word for one of them.
        risk: Probability that what was left out is asked for.

    Returns:
        The text, or None if every line is kept.
    """
    filled = fill_short_gaps(lines, kept)
    omitted = len(lines) - len(filled)
    if not omitted:
        return None
    gaps = _find_gaps(filled, len(lines))
    numbers = numbers or read_line_numbers(lines) or range(1, len(lines) + 1)
    about = f" ({summary})" if summary else ""
    parts: list[str] = []
    position = 0
    for first, end in gaps:
        parts += lines[position:first]
        if len(gaps) == 1:
            call = retrieve_call(request.key, lines=f"{numbers[first]}-{numbers[end - 1]}")
            omission = f"{omitted} of {len(lines)} {unit}s left out here{about}"
            mark = write_marker(omission, [call] if request.key else [])
        else:
            mark = write_gap(
                end - first, numbers[first], describe(first, end) if describe else "", unit=unit
            )
        if parts and not parts[-1].endswith("\n"):
            mark = f"\n{mark}"
        parts.append(f"{mark}\n")
        position = end
    parts += lines[position:]
    if len(gaps) > 1:
        omission = f"{omitted} of {len(lines)} {unit}s left out at the marks below{about}"
        calls = [retrieve_call(request.key)] if request.key else []
        parts.insert(0, f"{write_marker(omission, calls)}\n")
    text = "".join(parts)
    if not lines[-1].endswith("\n"):
        text = text.removesuffix("\n")
    return Compressed(text, lossless=False, reason=reason, risk=risk)


def _find_gaps(kept: Sequence[int], total: int) -> list[tuple[int, int]]:
    """Return the index of the first line of each gap, and of the line after its last."""
    chosen = set(kept)
    gaps = []
    for is_kept, group in groupby(range(total), key=chosen.__contains__):
        if not is_kept:
            members = list(group)
            gaps.append((members[0], members[-1] + 1))
    return gaps
