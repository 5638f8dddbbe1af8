"""Conditions that select rows: parsed here, never evaluated as code.

    status == 'failed' and (amount > 100 or not tags contains 'test')
    owner.login in ['ann', 'bob'] and headers."content-type" startswith 'text/'

| part | forms |
|---|---|
| field | `name`, `two words`, `a.b.c`, `a[0]`, `a-b`, `_id.$oid`, `a.'odd (key)'` |
| the row itself, if it is a bare value | `value`, `values` or `.` |
| row number | `#`, counted from 0 as tables show it; a field of that name is `"#"` |
| key of an entry of an object | `@` |
| field of one of several tables | `data.orders.id` or `orders.id`: behind the name of the table |
| row of one of several tables | `data.orders.# == 7`, `'table 2'.# == 7`, `items.^ == 7` |
| row that the row belongs to | `^`: its number in the table above; `^.id`: a field of it |
| comparison | `==` (also `=`, `is`), `!=`, `<`, `<=`, `>`, `>=` |
| | `in`, `contains`, `startswith`, `endswith` |
| value | numbers, strings in either quote, `true`, `false`, `null`, `NaN`, `Infinity`, lists of |
| | them in `[]`, and values of Python as they are written: `Decimal('1.5')`, `b'x'` |
| joined by | `and`, `or`, `not` (also before `in`, `contains`, …), parentheses |

A name needs quotes if a word of the table above stands in it, or a quote, a comma or a sign of a
comparison. There is no arithmetic: `a-b` is a name. In quotes, a doubled quote is one quote, as in
`'O''Brien'`, and a backslash escapes, as in JSON; a value with the backslash itself matches too.

If no row has a field by its whole path, the field is looked up by the end of its path: `state`
finds `owner.state` if no other path ends so. If its own table has no such field, a child row is
asked for that of the row it belongs to. A missing field is null.

A path steps through lists: `labels.name`, also written `labels[].name`, is the name of every label.
A comparison holds if it holds for any of the values, for a list itself or for one of its items;
`!=` and `not` hold if it does not, so `labels.name != 'bug'` selects the rows without such a label.

Numbers compare by value, exactly, and a number equals a string that spells it; likewise `true`,
because a table shows both alike. Letters are the same however Unicode composes them. `contains`
finds a part of a string, a whole value at any depth of a list or an object, and a key of an object,
ignoring case. Values of different types are not equal, and neither is less than the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from headroom_core.errors import ValidationError
from headroom_core.retrieval.condition_parser import ConditionParser, Test
from headroom_core.retrieval.fields import FieldName, FieldValues, Path
from headroom_core.tables.rows import RowSet

# Models write conditions of a line. More would only let a text exhaust time or the stack.
_MAX_CHARS = 4000


class Matches(NamedTuple):
    """Rows that meet a condition.

    Attributes:
        rows: Indices of the rows, in order.
        unknown: Fields of the condition that no row has, as they were written.
        known: Names of the other fields.
        is_about: Whether the condition names any field of the rows, or none at all.
        names_table: Whether it names the table before a field: `data.orders.id`.
    """

    rows: list[int]
    unknown: list[str]
    known: list[str]
    is_about: bool
    names_table: bool


@dataclass(frozen=True, slots=True)
class Where:
    """Parsed condition on rows.

    Attributes:
        text: Condition as it was written.
        names: Names of the fields in it.
    """

    text: str
    names: tuple[FieldName, ...]
    _test: Test

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths of the fields that it names."""
        return tuple(dict.fromkeys(name.paths[0] for name in self.names if name.paths))

    def select(self, rows: Sequence[Any]) -> list[int]:
        """Return the indices of the rows that match, in order, which are also their row numbers.

        Example:
            >>> rows = [{"id": 1}, {"id": "2"}, {"id": 3, "state": "shut"}]
            >>> parse_where("id >= 2 and state != 'shut'").select(rows)
            [1]
        """
        return self.match(rows).rows

    def match(self, rows: Sequence[Any], row_set: RowSet | None = None) -> Matches:
        """Return the rows that match, and which fields of the condition they have.

        Args:
            rows: Rows to test.
            row_set: Row set that they are. Defaults to rows without a table.
        """
        tested = FieldValues(rows, self.names, row_set)
        unknown = [name for name in self.names if tested.readers[name] is None]
        fields = [name for name in self.names if name.paths or name.level or name.tables]
        return Matches(
            rows=sorted(self._test(tested)),
            unknown=[name.written for name in unknown],
            known=[
                ".".join(name.paths[0]) for name in fields if name.paths and name not in unknown
            ],
            is_about=not fields or len(unknown) < len(fields),
            names_table=tested.names_table,
        )


def parse_where(text: str) -> Where:
    """Parse a condition on rows.

    Args:
        text: Condition to parse.

    Raises:
        ValidationError: The text is not a condition. The message names the position and the
            expected part, with an example.

    Example:
        >>> parse_where("status = failed")
        Traceback (most recent call last):
        ...
        headroom_core.errors.ValidationError: where: expected a value (strings stand in quotes) ...
    """
    if len(text) > _MAX_CHARS:
        raise ValidationError(
            f"where: {len(text)} characters, at most {_MAX_CHARS} are allowed", {"where": text}
        )
    parser = ConditionParser(text)
    test = parser.parse()
    return Where(text, tuple(dict.fromkeys(parser.names)), test)
