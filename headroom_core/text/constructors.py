"""Values of Python that only wrap a text or a number: `Decimal('2.50')` holds 2.50."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from headroom_core.text.exact_json import NUMBER, Value

# The start of a source up to what it holds.
_HEAD = re.compile(r"""(?:(?:[^\W\d]\w*\.)*[^\W\d]\w*\(|<|b(?=['"]))['"]?""")
_HOLE = "…"
_DATE = re.compile(r"(\d{1,4}), (\d{1,2}), (\d{1,2})")
_TIME = re.compile(
    r"(\d{1,4}), (\d{1,2}), (\d{1,2}), (\d{1,2}), (\d{1,2})(?:, (\d{1,2}))?(?:, (\d{1,6}))?"
    r"(, tzinfo=datetime\.timezone\.utc)?"
)
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_ISO_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)(?::(\d\d))?(?:\.(\d{6}))?(\+00:00)?")
_UTC = ", tzinfo=datetime.timezone.utc"


@dataclass(frozen=True, slots=True)
class Constructor:
    """What all sources of a column share, around what they hold.

    Attributes:
        head: The text before, such as `Decimal('`.
        tail: The text behind, such as `')`.
    """

    head: str
    tail: str

    def fits(self, source: str) -> bool:
        """Return whether a source has this head and tail."""
        size = len(self.head) + len(self.tail)
        return len(source) >= size and source.startswith(self.head) and source.endswith(self.tail)

    def unwrap(self, source: str) -> str:
        """Return what a source holds; dates and times as in ISO 8601.

        Example:
            >>> Constructor("datetime.date(", ")").unwrap("datetime.date(2026, 1, 5)")
            '2026-01-05'
        """
        text = source[len(self.head) : len(source) - len(self.tail)]
        if self.head == "datetime.date(" and (match := _DATE.fullmatch(text)):
            iso = "{:04}-{:02}-{:02}".format(*map(int, match.groups()))
        elif self.head == "datetime.datetime(" and (match := _TIME.fullmatch(text)):
            iso = _write_time(match)
        else:
            return text
        return iso if self.wrap(iso) == source else text

    def wrap(self, text: str) -> str:
        """Return the source that holds a text: the inverse of `unwrap`."""
        if self.head == "datetime.date(" and (match := _ISO_DATE.fullmatch(text)):
            text = ", ".join(str(int(part)) for part in match.groups())
        elif self.head == "datetime.datetime(" and (match := _ISO_TIME.fullmatch(text)):
            parts = [str(int(part)) for part in match.groups()[:7] if part]
            text = ", ".join(parts) + (_UTC if match[8] else "")
        return f"{self.head}{text}{self.tail}"

    def describe(self) -> str:
        """Return the source with an ellipsis for what it holds."""
        return f"{self.head}{_HOLE}{self.tail}"

    @classmethod
    def from_description(cls, description: str) -> Constructor:
        """Read a description."""
        head, _, tail = description.partition(_HOLE)
        return cls(head, tail)


def _write_time(match: re.Match[str]) -> str:
    year, month, day, hour, minute, second, micro = (int(part or 0) for part in match.groups()[:7])
    text = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}"
    if match[6]:
        text += f":{second:02}"
    if match[7]:
        text += f".{micro:06}"
    return text + ("+00:00" if match[8] else "")


def find_constructor(sources: Iterable[str]) -> Constructor:
    """Return the constructor that sources share; an empty one if they share none.

    Example:
        >>> find_constructor(["Decimal('2.50')", "Decimal('1')"])
        Constructor(head="Decimal('", tail="')")
    """
    distinct = list(dict.fromkeys(sources))
    first = _read_constructor(distinct[0])
    return first if first and all(map(first.fits, distinct)) else Constructor("", "")


def unwrap_source(source: str) -> Value:
    """Return what a source holds, as a number if it looks like one.

    Example:
        >>> unwrap_source("Decimal('2.50')"), unwrap_source("{1, 2}")
        (('2.50',), '{1, 2}')
    """
    constructor = _read_constructor(source) or Constructor("", "")
    return as_number(constructor.unwrap(source))


def as_number(text: str) -> Value:
    """Return a text as a number of JSON if it is one, else the text."""
    return (text,) if NUMBER.fullmatch(text) else text


def _read_constructor(source: str) -> Constructor | None:
    match = _HEAD.match(source)
    if match is None or _HOLE in match[0]:
        return None
    head = match[0]
    if head[-1] in "'\"":
        end = source.rfind(head[-1]) if head[0] == "b" else source.find(head[-1], match.end())
        return Constructor(head, source[end:]) if end >= match.end() else None
    return Constructor(head, source[-1:]) if len(source) > match.end() else None
