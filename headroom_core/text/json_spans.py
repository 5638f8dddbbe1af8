"""Find JSON, and Python literals, anywhere in a text.

The data may be the whole text, fenced, one value per line, behind text or before it, or cut off.
"""

from __future__ import annotations

import json
import re

from headroom_core.text import python_literal
from headroom_core.text.exact_json import scan
from headroom_core.text.json_runs import JSONSpan, join_runs

# Indentation, a byte order mark, and a label such as `Result of step 2: `. Must not match code or
# JSON before a bracket: a label has no double quotes, commas, equals signs or brackets, and at
# most 60 characters, which also keeps the search linear.
LABEL_BEFORE_JSON = r"^[ \t\ufeff]*(?:[\w .()#/'-]{1,60}:[ \t]*)?"
"""Matches the start of a line up to the JSON in it, label included. For use with `re.MULTILINE`."""

_LABEL = re.compile(LABEL_BEFORE_JSON, re.MULTILINE)
_MAX_LABEL_CHARACTERS = 100
# A bracket and the first value within it. The group matches scalars, which in a list are rarely
# data. Must not match links of Markdown, `[text](url)`, and headings in brackets, `[INFO]`.
_CANDIDATE = re.compile(
    r"""\{(?=\s*["'])"""
    r"""|\[(?=\s*(?:[\[{(<]|[A-Za-z_][\w.]{0,100}(?:<locals>[\w.]{0,100})?\("""
    r"""|(["'\d-]|b["']|(?:true|false|null|True|False|None|nan|inf|NaN)\b)))"""
)
# Brackets followed by a single quote or a word of Python. Must not match the start of any JSON. The
# bound keeps a long run of brackets from being read again at each of them.
_ONLY_PYTHON = re.compile(
    r"""[\[{\s]{0,100}+(?:['(<]|b["']|True\b|False\b|None\b|nan\b|inf\b|-inf\b"""
    r"""|[A-Za-z_][\w.<>]{0,200}\()"""
)
# The first character of what Python writes and JSON does not.
_PYTHON_START = re.compile(r"['(<{-]|[^\W\d]")
# A whole line that may be a tuple, an object with fields, or fields alone: `(7, 'Elbe')`,
# `River(id=7, name='Elbe')`, `id=7 name='Elbe'`.
_ROW_LINE = re.compile(
    r"^(?:\((?=['\"\d(-]|[A-Z])|[A-Za-z_][\w.<>]{0,100}\([A-Za-z_]\w{0,100}=)[^\n]*\)(?=\r?$)"
    r"|^[A-Za-z_]\w{0,100}=[^\s=][^\n]* [A-Za-z_]\w{0,100}=[^\r\n]+(?=\r?$)",
    re.MULTILINE,
)
_MAX_CHARACTERS_ABOVE = 2_000
_MIN_ROWS_SHARE = 0.5
_MAX_OTHER_LINES = 20
_LINE_END = re.compile(r"[ \t\r]*(?=\n|\Z)")
# Shorter values are rarely data, and never worth a table.
_MIN_CHARACTERS = 40
# The same for values with other text on their line.
_MIN_INLINE_CHARACTERS = 200
_MIN_INLINE_SCALARS = 1_000

# Every failed attempt reads up to where the text stops being JSON. The share bounds the characters
# that all failed attempts together may read, relative to the text: once for each bracket that is
# open where a text is cut off.
_MAX_WASTED_SHARE = 8
# Counting lines is this many times as fast as parsing.
_LINE_COUNTING_SPEEDUP = 32
# Reading Python is so many times as slow, and so is an attempt that reads nothing.
_PYTHON_SLOWDOWN = 4
_ATTEMPT = 256


def find_json(text: str) -> list[JSONSpan]:
    """Find the JSON arrays and objects in a text, in order.

    Values with other text on their line are data only if they are long, or if they are alike line
    by line. The literals of Python that `python_literal` reads count too.

    Example:
        >>> text = 'Result: {"name": "Elbe", "length_km": 1094, "mouth": "North Sea"}'
        >>> span, = find_json(text)
        >>> span.start, span.value["name"]
        (8, 'Elbe')
    """
    rows = _find_rows(text)
    if rows:
        return rows
    spans: list[JSONSpan] = []
    position = 0
    waste_left = _MAX_WASTED_SHARE * len(text)
    while waste_left >= 0 and (match := _CANDIDATE.search(text, position)):
        start = match.start()
        position = start + 1
        if match[1] and not _may_be_data(text, start):
            continue
        try:
            span, wasted = _read(text, start, prefer_python=bool(spans) and spans[-1].is_python)
        except RecursionError:
            break
        waste_left -= wasted if span else wasted + _ATTEMPT
        if span:
            spans.append(span)
            position = span.end
    return [span for span in join_runs(spans, text) if _is_data(span, text)]


def find_string(text: str) -> JSONSpan | None:
    r"""Return the JSON string that a whole text is, as where a tool writes JSON twice.

    Example:
        >>> find_string('"[{\\"id\\": 7}, {\\"id\\": 8}, {\\"id\\": 9}]"').value
        '[{"id": 7}, {"id": 8}, {"id": 9}]'
    """
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] != '"':
        return None
    try:
        value, end = scan(text, start)
    except (StopIteration, json.JSONDecodeError):
        return None
    is_whole = end == len(text.rstrip()) and end - start >= _MIN_CHARACTERS
    return JSONSpan(start, end, value) if is_whole else None


def _find_rows(text: str) -> list[JSONSpan]:
    """Find lines that are tuples or objects of Python, if they are most of a text."""
    if not _ROW_LINE.search(text[:_MAX_CHARACTERS_ABOVE]):
        return []
    spans: list[JSONSpan] = []
    for number, match in enumerate(_ROW_LINE.finditer(text)):
        value = python_literal.read_row(match[0])
        if value is not None:
            spans.append(JSONSpan(*match.span(), value, is_python=True))
        elif number > _MAX_OTHER_LINES + 2 * len(spans):
            return []
    runs = [span for span in join_runs(spans, text) if span.form == "lines"]
    size = sum(span.end - span.start for span in runs)
    return runs if size >= _MIN_ROWS_SHARE * len(text) else []


def _may_be_data(text: str, start: int) -> bool:
    """Return whether a list of scalars is at the start of a line, or long."""
    if _follows_label(text, start):
        return True
    return text.find("]", start, start + _MIN_INLINE_SCALARS) < 0


def _follows_label(text: str, start: int) -> bool:
    """Return whether there is nothing but a label before a value on its line."""
    line_start = text.rfind("\n", max(0, start - _MAX_LABEL_CHARACTERS), start) + 1
    if not line_start and start > _MAX_LABEL_CHARACTERS:
        return False
    match = _LABEL.match(text, line_start, start)
    return match is not None and match.end() == start


def _is_data(span: JSONSpan, text: str) -> bool:
    size = span.end - span.start
    if span.form == "lines":
        return size >= _MIN_CHARACTERS
    if _LINE_END.match(text, span.end) and _follows_label(text, span.start):
        return size >= _MIN_CHARACTERS
    is_scalar_list = type(span.value) is list and type(span.value[0]) not in (dict, list)
    return size >= (_MIN_INLINE_SCALARS if is_scalar_list else _MIN_INLINE_CHARACTERS)


_ReadAttempt = tuple[JSONSpan | None, int]
"""The value, or None, and the approximate number of characters that were read for nothing."""


def _read(text: str, start: int, *, prefer_python: bool) -> _ReadAttempt:
    """Read the value at a position, trying the more likely notation first."""
    if prefer_python or _ONLY_PYTHON.match(text, start):
        span, wasted = _read_python(text, start)
        return (span, wasted) if span or not prefer_python else _read_json(text, start)
    return _read_json(text, start)


def _read_json(text: str, start: int) -> _ReadAttempt:
    try:
        value, end = scan(text, start)
    except StopIteration as stop:
        return _read_python_from(text, start, int(stop.value))
    except json.JSONDecodeError as error:
        # Creating this error counted the lines of the whole text before it, which is not free.
        span, wasted = _read_python_from(text, start, error.pos)
        return span, wasted + error.pos // _LINE_COUNTING_SPEEDUP
    return JSONSpan(start, end, value), 0


def _read_python_from(text: str, start: int, position: int) -> _ReadAttempt:
    """Read Python if it may be why the text is not JSON at a position."""
    wasted = position - start
    if not _PYTHON_START.match(text, position):
        return None, wasted
    span, wasted_again = _read_python(text, start)
    return span, wasted + wasted_again


def _read_python(text: str, start: int) -> _ReadAttempt:
    # Only one value begins behind a label, so no line is read twice.
    line = python_literal.read_line(text, start) if _follows_label(text, start) else None
    try:
        value, end = line or python_literal.read(text, start)
    except python_literal.PythonLiteralError as error:
        return None, _PYTHON_SLOWDOWN * (error.position - start)
    return JSONSpan(start, end, value, is_python=True), 0
