"""Compress tables of text, as commands print them: whole rows stay or go."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.gaps import write_kept_lines
from headroom_core.compressors.lines.hits import asks_for_list, find_line_hits
from headroom_core.kinds import TextKind
from headroom_core.text.signs import FILE_MODE
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 12
_COLUMN = re.compile(r"[ ]{2,}|\t+|[ ]*[|│║][ ]*")
_RULE = re.compile(r"^[\s+|│┌├└╔╠╚╒╞╘─━═=:-]*(?:--|──|══|==|━━)[^\w\n]*$")
# A line of `ls -l`, among the first.
_LONG = re.compile(rf"\A(?:[^\n]{{0,200}}\n){{0,4}}{FILE_MODE}[.+@]?[ ]")
_HEADER = re.compile(r"[A-Za-z]{2}")
_TOTAL = re.compile(r"^\W{0,4}(?:grand )?totals?\b|^\(\d+ rows?\)", re.IGNORECASE)
_ERROR = re.compile(
    r"(?:\b|_)(?:error\w*|fail\w*|fatal|crash\w*|denied|dead|down|exited|evicted|oomkilled|unknown"
    r"|pending|terminating|unhealthy|not ?ready|offline|degraded|critical|warning|timeout|refused"
    r"|zombie|defunct|stopped|masked|blocked|suspended|lost|invalid|expired|imagepullbackoff"
    r"|notready)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"([-+]?\d[\d,]{0,17}(?:\.\d{1,9})?)\s?(?:%|ms|s|([kKMmgGtTpP])i?[Bb]?)?")
# A small m is a thousandth, as in the load of a container.
_FACTORS = {"m": 1e-3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_MAX_HITS, _MAX_LISTED, _MAX_STRONG = 12, 60, 20
_MAX_ERROR_SHARE, _RARE_SHARE = 0.3, 0.02
_MAX_CATEGORIES = 12
_OUTLIER_DEVIATIONS = 8
_MAX_UNUSUAL, _MAX_UNUSUAL_IF_NAMED, _MAX_ERRORS_IF_NAMED = 60, 16, 8
_RISK = 0.15


class TextTableCompressor:
    """Compressor for tables of text, fixed-width or in boxes, and for long listings of files.

    The header stays, with the first and the last row, rows that the query names, errors, rare
    values, and the largest numbers of each column.
    """

    name = "text_table"
    fingerprint = "text_table 2"
    keeps_lines = True

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a table, or a long listing of files, of some length."""
        if kind.line_count < _MIN_LINES:
            return False
        return kind.name == "table" or (kind.name == "listing" and bool(_LONG.search(kind.text)))

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Leave out rows that nothing makes special."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        rows = _find_rows(lines.lines)
        if len(rows) < _MIN_LINES // 2:
            return None
        errors = _find_errors(lines.lines, rows)
        unusual, counts = _find_unusual_rows(lines.lines, rows)
        hits = find_line_hits(lines, request.query)
        named = _find_named(hits.weights, hits.strong, set(rows), request.query)
        kept = set(range(len(lines))) - set(rows)
        kept |= {rows[0], rows[-1], *named}
        if hits.strong & set(rows):
            # Where the query names a row, little else is asked for.
            kept |= {*errors[:_MAX_ERRORS_IF_NAMED], *unusual[:_MAX_UNUSUAL_IF_NAMED]}
        else:
            kept |= {*errors, *unusual[:_MAX_UNUSUAL]}
        reason = f"{len(set(rows) - kept)} of {len(rows)} rows left out"
        return write_kept_lines(
            lines.lines, kept, request, reason=reason, summary=counts, risk=_RISK
        )


def _find_rows(lines: Sequence[str]) -> list[int]:
    """Return the indices of the lines that are rows, and not headers, rules, totals or blank."""
    rows: list[int] = []
    position = 0
    for blank, group in groupby(lines, key=str.isspace):
        members = list(range(position, position + len(list(group))))
        position += len(members)
        if blank:
            continue
        rules = [index for index in members[:6] if _RULE.match(lines[index])]
        start = rules[-1] + 1 if rules else members[0] + 1
        rows += [
            index
            for index in members
            if index >= start and not _RULE.match(lines[index]) and not _TOTAL.match(lines[index])
        ]
    return rows


def _find_named(
    weights: dict[int, float], strong: frozenset[int], rows: set[int], query: str
) -> set[int]:
    ranked = sorted((index for index in weights if index in rows), key=lambda i: (-weights[i], i))
    if not ranked:
        return set()
    is_list = asks_for_list(query)
    least = weights[ranked[0]] * (0.45 if is_list else 0.7)
    best = [index for index in ranked if weights[index] >= least]
    named = set(best[: _MAX_LISTED if is_list else _MAX_HITS])
    named.update(sorted(strong & rows, key=lambda index: -weights[index])[:_MAX_STRONG])
    return named


def _find_errors(lines: Sequence[str], rows: Sequence[int]) -> list[int]:
    """Return the rows with a word for an error, unless so many have one that it is normal."""
    errors = [index for index in rows if _ERROR.search(lines[index])]
    return errors if len(errors) <= _MAX_ERROR_SHARE * len(rows) else []


def _find_unusual_rows(lines: Sequence[str], rows: Sequence[int]) -> tuple[list[int], str]:
    """Return rows with extreme numbers and rare values, and counts of values."""
    header = next(
        (lines[index] for index in range(rows[0] - 1, -1, -1) if _HEADER.search(lines[index])), ""
    )
    cells = _split_cells([lines[index] for index in rows], header)
    extreme: dict[int, None] = {}
    rare: dict[int, None] = {}
    counted: list[tuple[int, str]] = []
    for column in zip(*cells):
        numbers = [_number(value) for value in column]
        known = [number for number in numbers if number is not None]
        if len(known) > 0.6 * len(rows) and len(set(known)) > 2:
            extreme |= dict.fromkeys(rows[place] for place in _outliers(numbers, known))
        values = Counter(column)
        most = max(4, min(_MAX_CATEGORIES, len(rows) * 3 // 10))
        if len(values) > most and values.most_common(1)[0][1] >= len(rows) / 2:
            once = [place for place, value in enumerate(column) if values[value] == 1]
            rare |= dict.fromkeys(rows[place] for place in once[:_MAX_CATEGORIES])
        if 1 < len(values) <= most:
            limit = max(1, int(_RARE_SHARE * len(rows)))
            few = {value for value, count in values.items() if count <= limit}
            rare |= dict.fromkeys(rows[place] for place, value in enumerate(column) if value in few)
            if all(value and len(value) <= 24 for value in values):
                shown = ", ".join(f"{count} {value}" for value, count in values.most_common())
                counted.append((len(shown), shown))
    counts = "; ".join(shown for _, shown in sorted(counted)[:3])
    return list(dict.fromkeys([*extreme, *rare])), counts


def _split_cells(rows: Sequence[str], header: str) -> list[list[str]]:
    """Return the cells of rows, equally many of each: by wide gaps, or by words."""
    names = len(header.split())
    splits = [[[cell.strip() for cell in _COLUMN.split(row.strip())] for row in rows]]
    splits.append([row.split() for row in rows])
    if names > 2:
        # The last column may hold blanks, such as a command.
        splits.append([row.split(None, names - 1) for row in rows])
    best = max(splits, key=lambda split: (_steadiness(split), len(split[0])))
    width = Counter(map(len, best)).most_common(1)[0][0]
    return [[*cells[:width], *[""] * (width - len(cells))] for cells in best]


def _steadiness(split: Sequence[Sequence[str]]) -> int:
    width, count = Counter(map(len, split)).most_common(1)[0]
    return count * 10 // len(split) if width > 1 else 0


def _number(cell: str) -> float | None:
    match = _NUMBER.fullmatch(cell)
    if not match:
        return None
    unit = match[2] or ""
    factor = _FACTORS.get(unit) or _FACTORS.get(unit.upper(), 1.0)
    return float(match[1].replace(",", "")) * factor


def _outliers(numbers: Sequence[float | None], known: Sequence[float]) -> Iterator[int]:
    """Yield the places of the largest number and of those far from the others."""
    middle = median(known)
    deviation = median(abs(number - middle) for number in known)
    largest = max(known)
    far = 0
    for place, number in enumerate(numbers):
        if number is None:
            continue
        if number == largest and known.count(largest) <= 3:
            yield place
        elif deviation and abs(number - middle) > _OUTLIER_DEVIATIONS * deviation and far < 4:
            far += 1
            yield place
