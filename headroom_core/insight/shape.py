"""What a tool's output looks like, whatever it says: a name that two answers of one kind share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice

from headroom_core.markers import content_key
from headroom_core.text.json_spans import LABEL_BEFORE_JSON

_LOOKED_AT = 100_000
_MOST_SIGNS = 1_000
_LABEL = re.compile(LABEL_BEFORE_JSON + r"(?=[\[{])", re.MULTILINE)
_LABEL_WITHIN = 2_000
_SIGN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}:]', re.DOTALL)
_NEXT_LINE = re.compile(r"[ \t\r]*\n[ \t]*\{")
_HEADER_CELL = re.compile(r"[^\W\d][\w .()/%-]{0,60}")
_SEPARATORS = ",\t;|"
_DIGITS = 12
_ROWS_WITHIN = 2


def shape_of(text: str) -> str:
    """Return a name for what a text looks like, 12 hexadecimal digits.

    Of JSON the names of the first row's fields count, of a table those of its columns, and nothing of what they
    hold. Only the beginning of the text is looked at.

    Example:
        >>> shape_of('{"jobs": [{"id": 7, "state": "ok"}]}') == shape_of('{"jobs": [{"state": "failed", "id": 8}, {}]}')
        True
    """
    head = text[:_LOOKED_AT]
    found = _LABEL.search(head, 0, _LABEL_WITHIN)
    if found and (names := _fields(head, found.end())):
        return _named("json", names)
    if names := _columns(head):
        return _named("table", names)
    return _named("markup" if head.lstrip().startswith("<") else "text", ())


def _named(kind: str, names: Iterable[str]) -> str:
    return content_key(json.dumps([kind, *sorted(set(names))]))[:_DIGITS]


def _fields(text: str, start: int) -> list[str]:
    """Return the names of the fields of the first row, without those inside of its values.

    That is the first object of the outermost list, or of a list in the outermost object; if there is none, the
    first that another object holds, because it may be the entry of a table of entries; if there is none, or lines
    follow that are objects too, the outermost.
    """
    found: dict[str, list[str]] = {}
    around: list[
        list[str] | None
    ] = []  # of each bracket that is open, the fields where it is an object
    last = ""
    for sign in islice(_SIGN.finditer(text, start), _MOST_SIGNS):
        token = sign[0]
        if token == '"':
            break
        if token == ":" and around and around[-1] is not None:
            around[-1].append(last)
        elif token in "[{":
            fields: list[str] | None = [] if token == "{" else None
            if fields is not None and (place := _place(around)):
                found.setdefault(place, fields)
            around.append(fields)
        elif token in "]}":
            closed = around.pop() if around else None
            if not around and _NEXT_LINE.match(text, sign.end()):
                return closed or []
            if not around or (
                closed is not None and closed is found.get("row") and "outermost" not in found
            ):
                break
        last = token
    return found.get("row") or found.get("entry") or found.get("outermost") or []


def _place(around: list[list[str] | None]) -> str | None:
    """Return what an object is that opens inside of these brackets."""
    if not around:
        return "outermost"
    if around[-1] is not None:
        return "entry"
    return "row" if len(around) <= _ROWS_WITHIN else None


def _columns(text: str) -> list[str]:
    """Return the names of the columns where the first two lines are a header and a record, else nothing."""
    lines = text.lstrip("\ufeff\r\n").split("\n", 2)
    for separator in _SEPARATORS:
        cells = [cell.strip(" \r\"'") for cell in lines[0].split(separator)]
        if (
            len(cells) > 1
            and len(lines) > 1
            and separator in lines[1]
            and all(map(_HEADER_CELL.fullmatch, cells))
        ):
            return cells
    return []
