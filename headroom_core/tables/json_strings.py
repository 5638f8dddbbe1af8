"""Fields of rows that are strings with a JSON object each: opened, so that they become columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headroom_core.tables.frame import Form, Frame, build_frame
from headroom_core.tables.restore import restore_rows
from headroom_core.text.exact_json import Value, fingerprint, parse
from headroom_core.text.spelling import Spelling, guess_spelling

# The share of the rows that must have such a string.
_MIN_SHARE = 0.5


def build_opened_frame(
    items: list[Value], form: Form = "array", keys: list[str] | None = None
) -> Frame:
    """Build the frame of rows, with an object instead of each string that holds one.

    Args:
        items: The items of an array.
        form: The notation of the source.
        keys: The keys of the entries if the source is an object.
    """
    rows, spellings = _open_strings(items)
    frame = build_frame(rows, form, keys)
    if not spellings:
        return frame
    for item in frame.fields:
        item.spelling = spellings.get(item.name)
    restored = restore_rows(frame.source, frame.fields)
    return frame if fingerprint(restored) == fingerprint(items) else build_frame(items, form, keys)


def _open_strings(items: list[Value]) -> tuple[list[Value], dict[str | None, Spelling]]:
    """Return the items with objects instead of strings, and the spelling of those in each field."""
    columns: dict[str, dict[int, str]] = {}
    for row, item in enumerate(items):
        for key, value in item.items() if type(item) is dict else ():
            if type(value) is str and value[:1] == "{" and value[-1:] == "}":
                columns.setdefault(key, {})[row] = value
    rows = items
    spellings: dict[str | None, Spelling] = {}
    for key, strings in columns.items():
        spelling = _guess_spelling(list(strings.values()))
        objects = {
            row: value
            for row, text in strings.items()
            if (value := _open(text, spelling)) is not None
        }
        if len(objects) >= _MIN_SHARE * len(items):
            rows = [
                {**item, key: objects[row]} if row in objects else item
                for row, item in enumerate(rows)
            ]
            spellings[key] = spelling
    return rows, spellings


def _guess_spelling(strings: Sequence[str]) -> Spelling:
    """Return the spelling of the first string, in ASCII only if all of them may be."""
    is_ascii = all(map(str.isascii, strings)) and any("\\u" in text for text in strings)
    return replace(guess_spelling(strings[0]), is_ascii=is_ascii)


def _open(text: str, spelling: Spelling) -> Value:
    """Return the object that a string holds, or None if it does not give the same text."""
    try:
        value = parse(text)
        return value if type(value) is dict and value and spelling.dumps(value) == text else None
    except (ValueError, RecursionError):
        return None
