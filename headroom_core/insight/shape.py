"""Fingerprints of the structure of tool outputs, equal for outputs of the same kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice

from headroom_core.markers import content_key
from headroom_core.text.json_spans import LABEL_BEFORE_JSON

# The limits below bound the time per output. A structure shows at its beginning.
_MAX_CHARACTERS = 100_000
_MAX_TOKENS = 1_000
_MAX_LABEL_START = 2_000

_FINGERPRINT_LENGTH = 12
_MAX_ROW_DEPTH = 2
"""Rows are in the outermost list, or in a list of the outermost object; deeper lists are values."""

# The start of JSON at the beginning of a line, possibly after a label such as "Result (3 rows):".
# It must not match a bracket in running text.
_JSON_START = re.compile(LABEL_BEFORE_JSON + r"(?=[\[{])", re.MULTILINE)

# A complete JSON string, or a character of JSON's structure. A quote alone is a string that does
# not end in the text. Numbers, literals and commas do not matter to the structure.
_JSON_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}:]', re.DOTALL)

# The start of another object on the next line: the text is JSON lines, not one document.
_NEXT_JSON_LINE = re.compile(r"[ \t\r]*\n[ \t]*\{")

# A column name: it starts with a letter, as a row of numbers is no header.
_HEADER_CELL = re.compile(r"[^\W\d][\w .()/%-]{0,60}")

_SEPARATORS = ",\t;|"


def shape_of(text: str) -> str:
    """Return a fingerprint of a text's structure: 12 hexadecimal digits.

    The fingerprint of JSON depends on the field names of its first row, and that of a table on its
    column names, never on values. Only the beginning of the text is read.

    Example:
        >>> first = '{"jobs": [{"id": 7, "state": "ok"}]}'
        >>> second = '{"jobs": [{"state": "failed", "id": 8}, {}]}'
        >>> shape_of(first) == shape_of(second)
        True
    """
    beginning = text[:_MAX_CHARACTERS]
    start = _JSON_START.search(beginning, 0, _MAX_LABEL_START)
    fields = _row_fields(beginning, start.end()) if start else []
    if fields:
        return _fingerprint("json", fields)
    columns = _columns(beginning)
    if columns:
        return _fingerprint("table", columns)
    kind = "markup" if beginning.lstrip().startswith("<") else "text"
    return _fingerprint(kind, ())


def _fingerprint(kind: str, names: Iterable[str]) -> str:
    return content_key(json.dumps([kind, *sorted(set(names))]))[:_FINGERPRINT_LENGTH]


def _row_fields(text: str, start: int) -> list[str]:
    """Return the field names of the first row, without those of objects nested in it.

    The first row is the first object in a list that `_MAX_ROW_DEPTH` allows. If there is none, it
    is the first object inside another object, which may be an entry of a mapping. If there is
    none, or if more objects follow on lines of their own, it is the outermost object.

    The text is scanned rather than parsed, because it may be incomplete or no valid JSON.
    """
    fields_by_role: dict[str, list[str]] = {}
    # For each open bracket, the field names of its object, or None if it is a list.
    open_brackets: list[list[str] | None] = []
    previous = ""
    for match in islice(_JSON_TOKEN.finditer(text, start), _MAX_TOKENS):
        token = match[0]
        if token == '"':
            break
        if token == ":":
            innermost = open_brackets[-1] if open_brackets else None
            if innermost is not None:
                innermost.append(previous)
        elif token == "[":
            open_brackets.append(None)
        elif token == "{":
            fields: list[str] = []
            role = _role(open_brackets)
            if role is not None:
                fields_by_role.setdefault(role, fields)
            open_brackets.append(fields)
        elif token in "]}":
            closed = open_brackets.pop() if open_brackets else None
            if not open_brackets and _NEXT_JSON_LINE.match(text, match.end()):
                return closed or []
            if not open_brackets or _is_first_row_of_list(closed, fields_by_role):
                break
        previous = token
    for role in ("row", "entry", "outermost"):
        if fields_by_role.get(role):
            return fields_by_role[role]
    return []


def _role(open_brackets: list[list[str] | None]) -> str | None:
    """Return the role of an object that starts inside these brackets, or None if it has none."""
    if not open_brackets:
        return "outermost"
    if open_brackets[-1] is not None:
        return "entry"
    return "row" if len(open_brackets) <= _MAX_ROW_DEPTH else None


def _is_first_row_of_list(closed: list[str] | None, fields_by_role: dict[str, list[str]]) -> bool:
    """Return whether the first row just ended, and the outermost bracket is a list.

    In an outermost object the scan goes on: more objects may follow on lines of their own.
    """
    if closed is None or "outermost" in fields_by_role:
        return False
    return closed is fields_by_role.get("row")


def _columns(text: str) -> list[str]:
    """Return the column names if the first two lines are a header and a row, else nothing."""
    lines = text.lstrip("\ufeff\r\n").split("\n", 2)
    if len(lines) == 1:
        return []
    header, row = lines[:2]
    for separator in _SEPARATORS:
        cells = [cell.strip(" \r\"'") for cell in header.split(separator)]
        if len(cells) > 1 and separator in row and all(map(_HEADER_CELL.fullmatch, cells)):
            return cells
    return []
