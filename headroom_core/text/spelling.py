"""The exact spelling of JSON: spaces, indentation and escapes, as programs usually write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii

from headroom_core.text.exact_json import Value, is_number, quote

_INDENT = re.compile(r"[\[{]\n( {1,8})")
_COLON = re.compile(r'"(:\s?)')
_DESCRIPTION = re.compile(r"JSON( with spaces)?(?: indented by (\d) at level (\d+))?( in ASCII)?")
# Enough to see whether there are spaces behind the signs.
_SAMPLE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Spelling:
    """Spelling of a JSON value.

    Attributes:
        has_spaces: Whether a space follows commas and colons.
        is_ascii: Whether all other characters are escaped.
        indent: Number of spaces by which each level is indented; 0 if all is on one line.
        level: Number of values around the value.
    """

    has_spaces: bool = False
    is_ascii: bool = False
    indent: int = 0
    level: int = 0

    def at(self, depth: int) -> Spelling:
        """Return the spelling of a value at a depth within this one."""
        if not self.indent or not depth:
            return self
        return Spelling(self.has_spaces, self.is_ascii, self.indent, self.level + depth)

    @property
    def comma(self) -> str:
        """The sign between two values, with the space behind it."""
        if self.indent:
            return f",{self._line_break(self.level + 1)}"
        return ", " if self.has_spaces else ","

    def quote(self, text: str) -> str:
        """Return a text as a JSON string."""
        return encode_basestring_ascii(text) if self.is_ascii else quote(text)

    def open_dict(self, value: dict[str, Value]) -> tuple[str, list[tuple[str, Value]], str]:
        """Return how an object begins, its values with the text before, and its end."""
        opening, closing = self.enclose("{}", value)
        return opening, self._entries(value.items()), closing

    def _entries(self, pairs: Iterable[tuple[str, Value]]) -> list[tuple[str, Value]]:
        colon = ": " if self.has_spaces else ":"
        return [(self.quote(key) + colon, item) for key, item in pairs]

    def enclose(self, brackets: str, value: Value) -> tuple[str, str]:
        """Return the brackets around a value, with the line breaks within them."""
        if not self.indent or not value:
            return brackets[0], brackets[1]
        first, last = self._line_break(self.level + 1), self._line_break(self.level)
        return brackets[0] + first, last + brackets[1]

    def dumps(self, value: Value) -> str:
        """Serialize a parsed value."""
        kind = type(value)
        if kind is str:
            return self.quote(value)
        if is_number(value):
            return str(value[0])
        if kind not in (dict, list, tuple):
            return {None: "null", True: "true", False: "false"}[value]
        inner = self.at(1)
        if kind is list:
            opening, closing = self.enclose("[]", value)
            return opening + self.comma.join([inner.dumps(item) for item in value]) + closing
        # An object that repeats a key is a tuple of pairs.
        entries = self._entries(value if kind is tuple else value.items())
        opening, closing = self.enclose("{}", value)
        return (
            opening + self.comma.join([key + inner.dumps(item) for key, item in entries]) + closing
        )

    def _line_break(self, level: int) -> str:
        return "\n" + " " * (self.indent * level)

    def describe(self) -> str:
        """Return a description, empty for compact JSON.

        Example:
            >>> Spelling(has_spaces=True, indent=2, level=1).describe()
            'JSON with spaces indented by 2 at level 1'
        """
        words = [
            " with spaces" if self.has_spaces else "",
            f" indented by {self.indent} at level {self.level}" if self.indent else "",
            " in ASCII" if self.is_ascii else "",
        ]
        return f"JSON{''.join(words)}" if any(words) else ""

    @classmethod
    def from_description(cls, description: str) -> Spelling:
        """Read a description.

        Raises:
            ValueError: It is not one.
        """
        match = _DESCRIPTION.fullmatch(description)
        if match is None:
            raise ValueError(f"unknown spelling {description!r}")
        spaces, indent, level, is_ascii = match.groups()
        return cls(bool(spaces), bool(is_ascii), int(indent or 0), int(level or 0))


COMPACT = Spelling()
"""JSON without spaces."""


def guess_spelling(text: str) -> Spelling:
    """Return the spelling that a JSON text seems to have, by its beginning.

    Example:
        >>> guess_spelling('[{"id": 1}]')
        Spelling(has_spaces=True, is_ascii=False, indent=0, level=0)
    """
    indented = _INDENT.match(text)
    sample = text[:_SAMPLE_CHARACTERS]
    colon = _COLON.search(sample)
    has_spaces = colon[1] == ": " if colon else ", " in sample
    return Spelling(
        has_spaces=has_spaces,
        is_ascii="\\u" in text and text.isascii(),
        indent=len(indented[1]) if indented else 0,
    )
