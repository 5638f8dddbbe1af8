"""Finds JSON in a text, also as Python writes it: the whole of it, fenced, one value a line, or behind a label."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from headroom_core.text import python_literal
from headroom_core.text.exact_json import Value, scan

_CANDIDATE = re.compile(r"^[ \t\ufeff]*(?:[\w .()#/'-]{1,60}:[ \t]*)?([\[{])", re.MULTILINE)
_PYTHON_ALONE = re.compile(r"[\[{]+(?:'|True|False|None)")
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
        is_json_lines: whether it is JSON lines.
        python: whether it stands there as Python writes it.
    """

    start: int
    end: int
    value: Value
    is_json_lines: bool = False
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
            span, in_vain = _read(text, start, after_python=bool(spans) and spans[-1].python)
        except RecursionError:
            break
        waste -= in_vain
        if span and _LINE_END.match(text, span.end):
            spans.append(span)
        at = _next_line(text, span.end - 1 if span else start)
    return [span for span in _lines_joined(spans, text) if span.end - span.start >= _MIN_CHARACTERS]


_Read = tuple[JSONSpan | None, int]
"""What stands at a place, if anything does, and about how many characters were read in vain."""


def _read(text: str, start: int, *, after_python: bool) -> _Read:
    """Read what stands at a place, first as what it is likely to be."""
    if _PYTHON_ALONE.match(text, start):
        return _read_python(text, start)
    ways = (_read_python, _read_json) if after_python else (_read_json, _read_python)
    span, in_vain = ways[0](text, start)
    if span:
        return span, in_vain
    span, more = ways[1](text, start)
    return span, in_vain + more


def _read_json(text: str, start: int) -> _Read:
    try:
        value, end = scan(text, start)
    except StopIteration as stop:
        return None, int(stop.value) - start
    except json.JSONDecodeError as error:
        # To make this error, the lines of the whole text before it were counted, which is faster than reading.
        return None, error.pos - start + error.pos // _COUNTED_AT_ONCE
    return JSONSpan(start, end, value), 0


def _read_python(text: str, start: int) -> _Read:
    if found := _PYTHON.match(text, start):
        try:
            return JSONSpan(start, found.end(), python_literal.parse(found[0]), python=True), 0
        except (ValueError, RecursionError):
            return None, len(found[0])
    return None, 0


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
    return (
        type(span.value) is dict
        and span.python is before.python
        and text[before.end : span.start] == "\n"
    )


def _run_joined(run: list[JSONSpan]) -> list[JSONSpan]:
    if len(run) < LINES_FROM or type(run[0].value) is not dict:
        return run
    return [JSONSpan(run[0].start, run[-1].end, [span.value for span in run], True, run[0].python)]
