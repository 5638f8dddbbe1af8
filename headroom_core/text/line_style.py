"""The text around the objects of JSON lines: `2026-01-05T12:00:00Z api | {"id": 7}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from headroom_core.text.exact_json import Value, parse, quote

OBJECT_SIGN = "\0"
"""What stands for the object in the outline of a line."""

ROW = "row"
"""The word for the object in the description of a line."""

# Whole words without digits, and then signs: all that lines may share without splitting a value.
_SHARED_START = re.compile(r"\s*(?:[^\s\d]+\s+)*[^\w\s]*")
_PIECE = re.compile(r'"(?:[^"\\\n]|\\.)*"|\w+')


@dataclass(frozen=True, slots=True)
class Affix:
    """Text on one side of the objects: what all lines share, around a column of the rest.

    Attributes:
        before: Text before the column.
        column: Name of the column; empty if all lines have the same text.
        after: Text after the column; empty if there is no column.
    """

    before: str = ""
    column: str = ""
    after: str = ""

    def wrap(self, row: dict[str, Value]) -> str:
        """Return the text of a row."""
        if not self.column:
            return self.before
        return f"{self.before}{row.get(self.column) or ''}{self.after}"

    def describe(self) -> list[str]:
        """Return the pieces of its description: the text as JSON strings, and the column."""
        pieces = [quote(self.before) if self.before else "", self.column]
        return [piece for piece in (*pieces, quote(self.after) if self.after else "") if piece]

    @classmethod
    def from_pieces(cls, pieces: Sequence[str]) -> Affix:
        """Read the pieces of a description."""
        column = next((piece for piece in pieces if not piece.startswith('"')), "")
        index = pieces.index(column) if column else len(pieces)
        before, after = (
            "".join(map(parse, part)) for part in (pieces[:index], pieces[index + 1 :])
        )
        return cls(before, column, after)


@dataclass(frozen=True, slots=True)
class LineStyle:
    """Text around the objects of JSON lines.

    Attributes:
        prefix: The text before each object on its line.
        suffix: The text behind it.
        end: The text between two lines.
    """

    prefix: Affix = Affix()
    suffix: Affix = Affix()
    end: str = "\n"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of the prefix and of the suffix, if they have columns."""
        return tuple(name for name in (self.prefix.column, self.suffix.column) if name)

    def render(self, rows: Iterable[Value], dumps: Callable[[Value], str]) -> str:
        """Return the text of rows; a row that is a string is a line of its own."""
        return self.end.join(
            [row if isinstance(row, str) else self._render_row(row, dumps) for row in rows]
        )

    def _render_row(self, row: dict[str, Value], dumps: Callable[[Value], str]) -> str:
        own = {key: value for key, value in row.items() if key not in self.columns}
        return f"{self.prefix.wrap(row)}{dumps(own)}{self.suffix.wrap(row)}"

    def describe(self) -> str:
        """Return the description of a line, empty if it is nothing but an object.

        Example:
            >>> LineStyle(prefix=Affix("[", "prefix", "] ")).describe()
            '"[" prefix "] " row'
        """
        pieces = [*self.prefix.describe(), ROW, *self.suffix.describe()]
        if self.end != "\n":
            pieces += ["end", quote(self.end)]
        return " ".join(pieces) if len(pieces) > 1 else ""

    def outline(self) -> str:
        r"""Return a line with a sign for the object, empty if lines begin in different ways.

        Example:
            >>> LineStyle(Affix("db.insert("), Affix(");")).outline()
            'db.insert(\x00);'
        """
        if not self.prefix.before:
            return ""
        return f"{self.prefix.wrap({})}{OBJECT_SIGN}{self.suffix.wrap({})}"

    @classmethod
    def from_description(cls, description: str) -> LineStyle:
        """Read the description of a line.

        Raises:
            ValueError: The description has no row.
        """
        pieces = _PIECE.findall(description)
        end = "\n"
        if pieces[-2:-1] == ["end"]:
            end = parse(pieces[-1])
            pieces = pieces[:-2]
        row = pieces.index(ROW)
        prefix, suffix = Affix.from_pieces(pieces[:row]), Affix.from_pieces(pieces[row + 1 :])
        return cls(prefix, suffix, end)


BARE_LINES = LineStyle()
"""Lines that are nothing but objects."""


def split_affixes(texts: Sequence[str], name: str) -> tuple[Affix, list[str]]:
    """Split texts into the parts that all share and the rest, without splitting a value.

    Args:
        texts: The texts on one side of the objects.
        name: Name of the column for the rest.

    Returns:
        The affix, and the rest of each text; no rests if all texts are the same.

    Example:
        >>> split_affixes(["[web-1] ", "[web-2] "], "prefix")
        (Affix(before='[', column='prefix', after='] '), ['web-1', 'web-2'])
    """
    distinct = set(texts)
    if len(distinct) == 1:
        return Affix(texts[0]), []
    filled = [text for text in distinct if text]
    if len(filled) < len(distinct):
        # An empty text has nothing in common with the others.
        return Affix(column=name), list(texts)
    before = _shared_start(filled)
    after = _shared_start([text[len(before) :][::-1] for text in filled])[::-1]
    ends = len(before), len(after)
    rests = [text[ends[0] : len(text) - ends[1]] for text in texts]
    return Affix(before, name, after), rests


def _shared_start(texts: list[str]) -> str:
    first, last = min(texts), max(texts)
    size = next((n for n, (a, b) in enumerate(zip(first, last)) if a != b), len(first))
    match = _SHARED_START.match(first[:size])
    return match[0] if match else ""


def free_name(name: str, rows: Iterable[Any]) -> str:
    """Return the name of a column that no row has as a key."""
    taken = {key for row in rows if type(row) is dict for key in row}
    while name in taken:
        name += "_"
    return name
