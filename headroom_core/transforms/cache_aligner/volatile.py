"""Finding what changes from day to day in a prompt: dates, times and ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from headroom_core.text.markdown import Spans, find_code_spans


class VolatilePart(NamedTuple):
    """A part of a text that changes.

    Attributes:
        start: where it begins.
        end: where it ends.
        kind: what it is: one of `KINDS`.
    """

    start: int
    end: int
    kind: str


KINDS = ("date and time", "date", "time", "id", "value")
"""What a part may be; a value is what a pattern of the caller's finds."""

_GAP = "[ \u00a0\u202f]{1,2}"
_WEEKDAY = r"(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?"
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?"
    r"|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_MM, _DD = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_M = r"(?:1[0-2]|0?[1-9])"
_D = r"(?:[12]\d|3[01]|0?[1-9])(?!\d)"
_DAY = rf"{_D}(?:st|nd|rd|th)?"

_ZONE = (
    rf"(?:(?:{_GAP})?(?:Z|(?:UTC|GMT)(?:[+-]\d\d?(?::?\d\d)?)?|[+-]\d\d:?\d\d|[ECMP][SD]?T|AK[SD]T|HST|BST|WES?T|CES?T"
    r"|EES?T|MSK|I[SD]T|PKT|[JK]ST|[SH]K?GT|HKT|A[CEW][SD]T|NZ[SD]T|SAST|[AB]RT)(?![A-Za-z0-9_])"
    rf"|{_GAP}(?:[A-Z][a-z]+ ){{0,2}}(?:Standard|Daylight|Summer|Universal|Mean|Eastern|Central|Mountain|Pacific) Time)"
    rf"(?:{_GAP}\([A-Z][A-Za-z ]{{2,40}}\))?"
)
_HALF = rf"(?:{_GAP})?(?:[AaPp][Mm](?![A-Za-z0-9_])|[AaPp]\.[Mm]\.)"
_ITS_YEAR = rf"(?:{_YEAR}(?![-/.]?\d)|['’]?\d\d(?![-/.:,]?\d|[%°]|{_HALF}))"
"""The year after a day and a month's name, which is no start of another date, a time, a number or a share."""
_HM = r"(?:[01]?\d|2[0-3]):[0-5]\d"
_HMS = rf"{_HM}:[0-5]\d(?:[.,]\d{{1,9}}(?![./:]?\d|-\d\d-))?"
_CLOCK = rf"(?:(?:{_HMS}|{_HM})(?:{_HALF})?|1?\d{_HALF})(?:{_ZONE})?"
_LONE_CLOCK = rf"(?:{_HMS}(?:{_HALF})?(?:{_ZONE})?|{_HM}{_HALF}(?:{_ZONE})?|{_HM}{_ZONE})"

_PLAIN_DATE = (
    rf"(?:{_YEAR}(?P<sep>[-/]){_M}(?P=sep){_D}|{_YEAR}年\d\d?月\d\d?日"
    rf"|{_D}(?P<mark>[-/.]){_D}(?P=mark){_YEAR}|\d\d?/\d\d?/\d\d"
    rf"|{_YEAR}(?:,?{_GAP}{_MONTH}{_GAP}|-{_MONTH}-){_DAY}"
    rf"|{_DAY}\.?(?:{_GAP}(?:of )?|-){_MONTH}(?:(?:,?{_GAP}|-){_ITS_YEAR})?"
    rf"|{_MONTH}{_GAP}{_DAY}(?:,?{_GAP}{_ITS_YEAR})?)"
)
_ITS_WEEKDAY = rf"(?:,? \({_WEEKDAY}\)|, {_WEEKDAY}(?!,?{_GAP}(?:[A-Z]|\d\d?{_GAP})))"
_DATE = rf"(?:{_WEEKDAY},?{_GAP}(?:the )?)?{_PLAIN_DATE}(?:{_ITS_WEEKDAY})?"
_STAMPS = (
    rf"{_WEEKDAY},?{_GAP}{_MONTH}{_GAP}{_DAY}{_GAP}{_HMS}(?:{_ZONE})?{_GAP}{_YEAR}",
    rf"{_YEAR}{_MM}{_DD}T\d{{4}}(?:\d\d)?(?:{_ZONE})?",
    rf"(?:{_CLOCK}(?:,| on)?{_GAP})?{_DATE}(?:(?:T|,?{_GAP}(?:at |- |\| )?|,){_CLOCK})?",
)
_MOMENT = re.compile(
    rf"(?<![A-Za-z0-9_])(?=[0-9A-Z])(?:(?P<dated>{'|'.join(_STAMPS)})|{_LONE_CLOCK})(?![A-Za-z0-9_])",
    re.ASCII,
)
_CLOCK_INSIDE = re.compile(rf"\d:\d\d|\d{{8}}T|\d{_HALF}", re.ASCII)

_OF_IDS = (
    "request|req|session|sess|trace|span|run|correlation|conversation|thread|transaction|execution|invocation"
    "|interaction|chat|message|user"
)
_IS = r"""["'*_]{0,3}\s?(?:is\s|[:=>#])["'*_#\s]{0,4}"""
_DRAWN = r"(?=[_-]{0,8}[A-Za-z0-9])([A-Za-z0-9_-]{16,512})"
_VALUES_OF_IDS = (
    # Of ids drawn at random, one in some dozens holds no digit, or begins with a dash.
    rf"""["'*_]{{0,3}}[ \t]?[:=>#]["'*_# \t]{{0,4}}?{_DRAWN}""",
    # After `is` a long word may be one of the sentence.
    rf"""[ \t]is[ \t]["'*_]{{0,3}}?(?=[A-Za-z_-]{{0,512}}(?:\d|(?-i:[A-Za-z][A-Z]))){_DRAWN}""",
    rf"{_IS}(?=[A-Za-z_-]{{0,128}}\d)([A-Za-z0-9][A-Za-z0-9_-]{{0,127}})",
)
_LABELLED = (
    ("id", rf"(?<![A-Za-z])(?:{_OF_IDS})[ _-]?id(?:{'|'.join(_VALUES_OF_IDS)})"),
    ("time", rf"\b(?:time|now|clock)(?:{_IS}|\s)({_HM})"),
    (
        "time",
        r"\b(?:timestamp|epoch|unix)[^\n\d]{0,24}((?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d{1,9})?)",
    ),
)
_LABELS = [
    (kind, re.compile(rf"{pattern}(?![A-Za-z0-9_-])", re.ASCII | re.IGNORECASE))
    for kind, pattern in _LABELLED
]

_WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_.-])eyJ[\w-]{8,2048}\.[\w-]{8,4096}(?:\.[\w-]{8,1024})?(?![A-Za-z0-9_-])",
    re.ASCII,
)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z_-]{0,512}\d)(?=[\d_-]{0,512}[A-Za-z])[\w-]{16,512}(?![A-Za-z0-9_-])",
    re.ASCII,
)
_UUID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE
)
_HEX = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_RUNS = re.compile(r"[a-z]+|[A-Z]+|[0-9]+")
_MIXED = re.compile(r"(?=.{8})(?:[A-Za-z]+\d|\d+[A-Za-z])")

_NEAR = 96
_JOINED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./\\:@#%&?=+~$-"
_LABEL = re.compile(r"(?:[A-Za-z_][\w-]*[:=]){0,2}", re.ASCII)
_VERSION = re.compile(r"""version["'*_]{0,3}\s?(?:is\s)?[:=]?\s?["'*]{0,2}\Z""", re.IGNORECASE)


def volatile_parts(
    text: str, patterns: Sequence[re.Pattern[str]] = (), *, known: bool = True
) -> list[VolatilePart]:
    """Return the parts of a text that change from day to day, in order.

    Dates and times in their English and their numeric spellings, Unix times and ids after a word that says so,
    UUIDs, ULIDs, hex runs, web tokens and other random words of 16 characters or more. What is part of a longer
    word, a path, an address, a version or code is none.

    Args:
        text: the text.
        patterns: what else changes, wherever it stands: the whole match, or the group of a pattern that has just one.
        known: whether to look for more than the patterns.

    Example:
        >>> volatile_parts("Today is Saturday, 21 November 2026, and gpt-4o-2024-08-06 is here.")
        [VolatilePart(start=9, end=35, kind='date')]
    """
    given = _without_overlaps(part for pattern in patterns for part in _matched(pattern, text))
    if not known:
        return given
    closed = find_code_spans(text)
    taken = Spans(part[:2] for part in given)
    found = (
        part
        for part in _known(text)
        if not closed.overlaps(*part[:2])
        and not taken.overlaps(*part[:2])
        and _stands_alone(text, part.start, part.end)
    )
    return sorted([*given, *_without_overlaps(found)])


def _matched(pattern: re.Pattern[str], text: str) -> Iterator[VolatilePart]:
    group = 1 if pattern.groups == 1 else 0
    for match in pattern.finditer(text):
        start, end = match.span(group)
        if start < end:
            yield VolatilePart(start, end, "value")


def _known(text: str) -> Iterator[VolatilePart]:
    """Yield what may be a part, the surest first."""
    for kind, pattern in _LABELS:
        yield from (
            VolatilePart(*match.span(match.lastindex or 0), kind)
            for match in pattern.finditer(text)
        )
    for match in _MOMENT.finditer(text):
        timed = _CLOCK_INSIDE.search(match[0])
        yield VolatilePart(
            *match.span(), ("date and time" if timed else "date") if match["dated"] else "time"
        )
    yield from (VolatilePart(*match.span(), "id") for match in _WEB_TOKEN.finditer(text))
    yield from (
        VolatilePart(*match.span(), "id") for match in _TOKEN.finditer(text) if _is_random(match[0])
    )


def _is_random(token: str) -> bool:
    """Return whether a word of letters and digits was drawn rather than named."""
    pieces = [piece for piece in re.split("[-_]+", token) if piece]
    drawn = any(
        _ULID.fullmatch(piece) or (_HEX.fullmatch(piece) and _MIXED.match(piece))
        for piece in pieces
    )
    if drawn or _UUID.search(token):
        return True
    letters = sum(map(len, pieces))
    if letters < 16 or not any(map(_MIXED.match, pieces)):
        return False
    # Between two characters drawn at random, their kind changes more often than inside names.
    changes = sum(len(_RUNS.findall(piece)) - 1 for piece in pieces)
    share = 0.25 if token in (token.lower(), token.upper()) else 0.4
    return changes >= share * (letters - len(pieces))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether it is no part of a longer word, and no version; a label may stand before it."""
    before, after = text[max(0, start - _NEAR) : start], text[end : end + _NEAR]
    word = before[len(before.rstrip(_JOINED)) :]
    rest = after[: len(after) - len(after.lstrip(_JOINED))]
    if rest.strip(".:?\\") or not _LABEL.fullmatch(word) or _VERSION.search(before):
        return False
    chunk = "" if before[-1:].isspace() else before.split()[-1:]
    return not any("://" in piece or piece.startswith("www.") for piece in chunk)


def _without_overlaps(parts: Iterator[VolatilePart]) -> list[VolatilePart]:
    """Return the parts that come first, the longest of those that begin at one place."""
    kept: list[VolatilePart] = []
    for part in sorted(parts, key=lambda part: (part.start, -part.end)):
        if not kept or part.start >= kept[-1].end:
            kept.append(part)
    return kept
