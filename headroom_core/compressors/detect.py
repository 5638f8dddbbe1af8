"""Finds JSON in a text, also as Python writes it: the whole of it, fenced, one value a line, or behind a label."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from headroom_core.compressors import python_literal
from headroom_core.compressors.exact_json import Value, scan

_CANDIDATE = re.compile(r"^[ \t\ufeff]*(?:[\w .()#/'-]{1,60}:[ \t]*)?([\[{])", re.MULTILINE)
_PYTHON = re.compile(r"""[\[{]+['"\dTFN-].*[\]}](?=[ \t\r]*$)""", re.MULTILINE)
_LINE_END = re.compile(r"[ \t\r]*(?=\n|\Z)")
_MIN_CHARACTERS = 40
LINES_FROM = 5
"""From how many lines on JSON lines are a table."""

# Every failed attempt reads up to where the text stops being JSON. This bounds what all of them may read.
_WASTED_SHARE = 4
_COUNTED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class JSONSpan:
    """A place in a text where JSON stands.

    Attributes:
        start: the index of its first character.
        end: the index behind its last one.
        value: what it says; for JSON lines, the list of the lines' values.
        lines: whether it is JSON lines.
        python: whether it stands there as Python writes it.
    """

    start: int
    end: int
    value: Value
    lines: bool = False
    python: bool = False


def find_json(text: str) -> list[JSONSpan]:
    """Return the JSON arrays and objects in a text, from left to right.

    They begin at the start of a line, or behind a label that ends with a colon, and end with a line. So do lists and
    dicts of Python that say no more than JSON can, each on one line.

    Example:
        >>> span, = find_json('Result: {"name": "Elbe", "length_km": 1094, "mouth": "North Sea"}')
        >>> span.start, span.value["name"]
        (8, 'Elbe')
    """
    spans: list[JSONSpan] = []
    at = 0
    waste = _WASTED_SHARE * len(text)
    while waste >= 0 and (found := _CANDIDATE.search(text, at)):
        start = found.start(1)
        try:
            value, end = scan(text, start)
        except (json.JSONDecodeError, StopIteration) as error:
            waste -= _read_in_vain(error, start)
            at = _next_line(text, start)
            spans += _as_python(text, start)
            continue
        except RecursionError:
            break
        if _LINE_END.match(text, end):
            spans.append(JSONSpan(start, end, value))
        at = _next_line(text, end - 1)
    return [span for span in _lines_joined(spans, text) if span.end - span.start >= _MIN_CHARACTERS]


def _read_in_vain(error: json.JSONDecodeError | StopIteration, start: int) -> int:
    """Return about how many characters a failed attempt has read."""
    if isinstance(error, StopIteration):
        return int(error.value) - start
    # To make this error, the lines of the whole text before it were counted, which is faster than reading.
    return error.pos - start + error.pos // _COUNTED_AT_ONCE


def _as_python(text: str, start: int) -> Iterator[JSONSpan]:
    """Yield what Python wrote at this place, if it did, and if it says no more than JSON can."""
    if found := _PYTHON.match(text, start):
        with suppress(ValueError):
            yield JSONSpan(start, found.end(), python_literal.parse(found[0]), python=True)


def _next_line(text: str, at: int) -> int:
    """Return where the line behind `at` begins."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _lines_joined(spans: list[JSONSpan], text: str) -> list[JSONSpan]:
    """Return the spans with runs of objects on lines of their own as one span each."""
    joined: list[JSONSpan] = []
    run: list[JSONSpan] = []
    for span in spans:
        if run and not _goes_on(run[-1], span, text):
            joined += _run_joined(run)
            run = []
        run.append(span)
    return joined + _run_joined(run)


def _goes_on(before: JSONSpan, span: JSONSpan, text: str) -> bool:
    return type(span.value) is dict and span.python is before.python and text[before.end : span.start] == "\n"


def _run_joined(run: list[JSONSpan]) -> list[JSONSpan]:
    if len(run) < LINES_FROM or type(run[0].value) is not dict:
        return run
    return [JSONSpan(run[0].start, run[-1].end, [span.value for span in run], True, run[0].python)]
