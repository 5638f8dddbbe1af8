"""Compress logs: one record of each template, with the count and the last time of the others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.compressors.lines.top import write_under_marker
from headroom_core.compressors.log.templates import group_records
from headroom_core.kinds import TextKind
from headroom_core.kinds.evidence import STAMP, STAMP_CHARACTERS
from headroom_core.text.text_lines import TextLines

_MIN_LINES = 20
# Fewer records of a kind stay as they are: the count would be as long.
_MIN_SIMILAR = 3
_MIN_ERRORS = 6
_MAX_VALUES = 3
_MAX_VALUE_CHARACTERS = 60
_MAX_WORDS = 40
_MAX_HITS = 40
_MAX_DISTINCT, _RARE_SHARE, _MAX_RARE = 12, 0.01, 4
_RISK = 0.15
_MIN_STAMPED_SHARE = 0.3
_ERROR = re.compile(
    r"\b(?:error|err|fatal|critical|crit|emerg|alert|severe|panic|traceback|fail\w*|abort\w*"
    r"|\w*exception|\w*error|denied|refused|timed out|timeout|corrupt\w*|unable|cannot)\b",
    re.IGNORECASE,
)
_LEVELS = re.compile(
    r"\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|trace|debug|info|notice|warn"
    r"|warning|error|fatal|crit)\b"
)
_LEVEL_CHARACTERS = 120
_REST_OF_TIME = re.compile(r"(?::\d\d)?(?:[.,:]\d{1,9})?(?:Z|[ ]?[+-]\d\d:?\d\d)?")


@dataclass(frozen=True, slots=True)
class _Record:
    """A line with a time, and those below it without one, such as a stack trace."""

    first: int
    end: int
    text: str
    time: str
    message: str


class LogCompressor:
    """Compressor for logs of any format.

    Of records that differ only in numbers and values, the first stays with the count and the last
    time of the others. Rare records, few errors of a kind, and records that the query names stay
    as they are.
    """

    name = "log"
    fingerprint = "log 3"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is a log of some length."""
        return kind.line_count >= _MIN_LINES and kind.name == "log"

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Fold records that are alike."""
        if not request.selecting:
            return None
        lines = TextLines(text)
        records = _read_records(lines.lines)
        groups = group_records([record.message for record in records])
        named = _find_named(lines, records, request)
        written = _write_groups(records, groups, named)
        folded = len(records) - len(written)
        if not folded:
            return None
        kept = [written[index] for index in sorted(written)]
        if not text.endswith("\n"):
            kept[-1] = kept[-1].removesuffix("\n")
        return write_under_marker(
            kept,
            _describe_omission(records, written),
            request,
            reason=f"{folded} of {len(records)} records folded into {len(groups)} kinds",
            risk=_RISK,
        )


def _read_records(lines: Sequence[str]) -> list[_Record]:
    """Return the records of a log: lines with a time, or lines that are not indented."""
    stamps = [STAMP.search(line, 0, STAMP_CHARACTERS) for line in lines]
    has_times = sum(map(bool, stamps)) >= _MIN_STAMPED_SHARE * len(lines)
    starts = [
        index
        for index, line in enumerate(lines)
        if index == 0 or (stamps[index] if has_times else not line[:1].isspace())
    ]
    records = []
    for first, end in zip(starts, [*starts[1:], len(lines)]):
        text = "".join(lines[first:end])
        stamp = stamps[first] if has_times else None
        start, end_of_time = stamp.span() if stamp else (0, 0)
        if stamp:
            # A time is shown as it is written, with its seconds and its zone.
            rest = _REST_OF_TIME.match(text, end_of_time)
            end_of_time = rest.end() if rest else end_of_time
        time, message = text[start:end_of_time], text[:start] + text[end_of_time:].rstrip("\r\n")
        records.append(_Record(first, end, text, time, message))
    return records


def _find_named(lines: TextLines, records: Sequence[_Record], request: Request) -> set[int]:
    """Return the indices of the records that the query names by words that few lines have."""
    if not request.query:
        return set()
    best = find_line_hits(lines, request.query).strongest(_MAX_HITS)
    record_of = {
        line: number
        for number, record in enumerate(records)
        for line in range(record.first, record.end)
    }
    return {record_of[index] for index in best}


def _write_groups(
    records: Sequence[_Record], groups: Sequence[Sequence[int]], named: set[int]
) -> dict[int, str]:
    """Return the text of each record that stays, those alike folded into the first of them."""
    written: dict[int, str] = {}
    for group in groups:
        is_error = bool(_ERROR.search(records[group[0]].message))
        if len(group) < (_MIN_ERRORS if is_error else _MIN_SIMILAR):
            written |= {index: records[index].text for index in group}
            continue
        whole = named.intersection(group) | _find_rare(records, group)
        written |= {index: records[index].text for index in whole}
        others = [index for index in group if index not in whole]
        if others:
            written[others[0]] = _write_folded([records[index] for index in others])
    return written


def _find_rare(records: Sequence[_Record], group: Sequence[int]) -> set[int]:
    """Return records with a value that few have, where there are few values: a status of 503."""
    words = [records[index].message.split(None, _MAX_WORDS)[:_MAX_WORDS] for index in group]
    if len({len(own) for own in words}) > 1:
        return set()
    rare: set[int] = set()
    for column in zip(*words):
        counts = Counter(column)
        if not 1 < len(counts) <= _MAX_DISTINCT:
            continue
        limit = max(1, int(_RARE_SHARE * len(group)))
        few = {value for value, count in counts.items() if count <= limit}
        if len(few) < len(counts):
            rare.update(index for index, value in zip(group, column) if value in few)
    return set(sorted(rare)[:_MAX_RARE])


def _write_folded(alike: Sequence[_Record]) -> str:
    """Return the first of records that are alike, with what is known of the others."""
    first, count = alike[0], len(alike)
    if count == 1:
        return first.text
    last = alike[-1].time
    until = f" until {last}" if last and last != first.time else ""
    values = _describe_values([record.message for record in alike])
    line = first.text.rstrip("\r\n")
    end = first.text[len(line) :]
    return f"{line} [×{count}{until}{f': {values}' if values else ''}]{end}"


def _describe_values(messages: Sequence[str]) -> str:
    """Return the values of the words that take few of them."""
    words = [message.split(None, _MAX_WORDS)[:_MAX_WORDS] for message in messages]
    if len({len(own) for own in words}) > 1:
        return ""
    found = []
    for column in zip(*words):
        distinct = dict.fromkeys(column)
        if 1 < len(distinct) <= _MAX_VALUES and all(
            len(value) <= _MAX_VALUE_CHARACTERS for value in distinct
        ):
            counts = Counter(column)
            found.append("|".join(f"{value} {counts[value]}" for value in distinct))
    return "; ".join(found)


def _describe_omission(records: Sequence[_Record], written: Collection[int]) -> str:
    left_out = len(records) - len(written)
    levels = Counter(
        match[1].lower()
        for index, record in enumerate(records)
        if index not in written and (match := _LEVELS.search(record.message[:_LEVEL_CHARACTERS]))
    )
    about = [f"{count} {level}" for level, count in levels.most_common()]
    times = [record.time for record in records if record.time]
    if times:
        about.append(f"{times[0]} to {times[-1]}")
    summary = f" ({', '.join(about)})" if about else ""
    return (
        f"{left_out} of {len(records)} records left out{summary}; [×n until t] behind a record: "
        "n like it, which differ in numbers"
    )
