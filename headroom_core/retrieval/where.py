"""The expressions that select rows: parsed here, never evaluated as code.

    status == 'failed' and (amount > 100 or not tags contains 'test')
    owner.login in ['ann', 'bob'] and headers."content-type" startswith 'text/'

| part | forms |
|---|---|
| field | `name`, `two words`, `a.b.c`, `a[0]`, `a."odd (key)"` |
| the row itself, a bare value | `value`, `values` or `.` |
| row number | `#`, counted from 0 as tables show it; a field of that name is `"#"` |
| comparison | `==` (also `=`, `is`), `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `startswith`, `endswith` |
| value | numbers, strings in either quote, `true`, `false`, `null`, lists of them in `[]` |
| joined by | `and`, `or`, `not` (also before `in` and the like), parentheses |

A field that no row has at that place is looked for by the end of its path, so that `state` finds
`owner.state` where no other path ends so. A missing field is null.

A name steps through lists: `labels.name`, also written `labels[].name`, is the name of every label. A comparison
holds when it holds for any of the values, for a list itself or for one of its items; `!=` and `not` hold when
it does not, so that `labels.name != 'bug'` selects the rows without such a label.

Numbers compare by value, exactly, and a number equals a string that is written like one; likewise `true`,
because a table shows both alike. `contains` finds a part of a string, in a list or an object a whole value at
any depth, and a key of the object, whatever the case. Values of different types are unequal, and neither is
less than the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from headroom_core.errors import ValidationError
from headroom_core.retrieval.fields import CHECKS, MAX_KEYS, NUMBER, Path, named, place, values_at

_EXAMPLE = "status == 'failed' and amount > 100"
_MAX_CHARACTERS = 4000
_MAX_DEPTH = 40

_NAME = re.compile(r"(?:[^\W\d]|[$@#])[\w$@#%:/-]*")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_STARTS_WITH_DIGIT = re.compile(r"[-+]?\.?\d[\w.:+-]*")
_KEY_AFTER_DOT = re.compile(
    r"\.\s*(?:(\w[\w$@#%:/-]*)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))", re.DOTALL
)
_KEY_IN_BRACKETS = re.compile(
    r"\[\s*(?:(-?\d+)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))\s*\]", re.DOTALL
)
_EVERY_ITEM = re.compile(r"\[\s*\*?\s*\]")
_COMPARISON = re.compile(
    r"={1,3}|!={1,2}|<>|<=|>=|<|>|(?:not\s+)?(?:in|contains|startswith|endswith)\b|is\s+not\b|is\b",
    re.IGNORECASE,
)
_JOINED = re.compile(r"(?:and|or)\b", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\\\"'bfnrt/]))")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_SAME = {"=": "==", "===": "==", "is": "==", "!==": "!=", "<>": "!=", "is not": "!="}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": "contains"}
_FLIPPED["not in"] = "not contains"

_ROW_NUMBER: Path = ()
"""What the sign # parses to: no path to a field."""


class _Row(NamedTuple):
    number: int
    fields: Mapping[str, Any]
    places: Mapping[Path, Path]

    def values(self, path: Path) -> list[Any]:
        return values_at(self.fields, self.places[path]) if path else [self.number]


_Test = Callable[[_Row], bool]


@dataclass(frozen=True, slots=True)
class Where:
    """A parsed expression.

    Attributes:
        text: the expression as it was written.
        paths: the fields that it names.
    """

    text: str
    paths: tuple[Path, ...]
    _test: _Test

    def select(self, rows: Sequence[Any]) -> list[int]:
        """Return the indices of the rows that match, in order; they are also the rows' numbers.

        Example:
            >>> parse_where("id >= 2 and state != 'shut'").select([{"id": 1}, {"id": "2"}, {"id": 3, "state": "shut"}])
            [1]
        """
        rows = named(rows)
        places = {path: place(path, rows) for path in self.paths}
        return [index for index, row in enumerate(rows) if self._test(_Row(index, row, places))]


def parse_where(text: str) -> Where:
    """Parse an expression.

    Raises:
        ValidationError: it is not one; the message says where, what was expected there, and gives an example.

    Example:
        >>> parse_where("status = failed")
        Traceback (most recent call last):
        ...
        headroom_core.errors.ValidationError: where: expected a value (strings stand in quotes) at position 10, ...
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValidationError(
            f"where: {len(text)} characters, at most {_MAX_CHARACTERS} are allowed", {"where": text}
        )
    parser = _Parser(text)
    return Where(text, tuple(dict.fromkeys(parser.paths)), parser.test)


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


class _Parser:
    """Reads an expression from left to right; each method takes one kind of thing from where it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.paths: list[Path] = []
        self.test = self._any_of()
        self._skip_space()
        if self.at < len(text):
            self._fail("'and', 'or' or the end")

    def _any_of(self) -> _Test:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._fail(f"at most {_MAX_DEPTH} levels of parentheses")
        tests = [self._all_of()]
        while self._word("or", "||"):
            tests.append(self._all_of())
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all_of(self) -> _Test:
        tests = [self._negation()]
        while self._word("and", "&&"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _negation(self) -> _Test:
        negated = False
        while self._word("not", "!"):
            negated = not negated
        test = self._group() if self._sign("(") else self._comparison()
        return (lambda row: not test(row)) if negated else test

    def _group(self) -> _Test:
        test = self._any_of()
        if not self._sign(")"):
            self._fail("')'")
        return test

    def _comparison(self) -> _Test:
        left = self._operand("a field name")
        sign = self._comparison_sign()
        self._skip_space()
        start = self.at
        lists = sign.endswith("in")
        right = (
            self._list()
            if self._sign("[", *("(" if lists else ""))
            else self._operand("a value", _JOINED)
        )
        if isinstance(left, _Value) and isinstance(right, tuple) and sign in _FLIPPED:
            return self._compared(right, _FLIPPED[sign], left.value)
        if isinstance(right, tuple):
            self._fail("a value (strings stand in quotes)", start)
        path = (left.value,) if isinstance(left, _Value) and isinstance(left.value, str) else left
        if not isinstance(path, tuple):
            self._fail("a field name on one side", start)
        if lists and not isinstance(right.value, list):
            self._fail("a list such as ['a', 'b']", start)
        if isinstance(right.value, list) and not (lists or sign in ("==", "!=")):
            self._fail("a single value", start)
        return self._compared(path, sign, right.value)

    def _compared(self, path: Path, sign: str, value: Any) -> _Test:
        if path:
            self.paths.append(path)
        negated = sign == "!=" or sign.startswith("not ")
        check = CHECKS["==" if sign == "!=" else sign.removeprefix("not ")]
        return lambda row: any(check(found, value) for found in row.values(path)) is not negated

    def _comparison_sign(self) -> str:
        found = self._match(_COMPARISON)
        if not found:
            self._fail("a comparison such as == 'a', > 5, in ['a', 'b'] or contains 'a'")
        sign = " ".join(found[0].lower().split())
        return _SAME.get(sign, sign)

    def _operand(self, expected: str, ends: re.Pattern[str] = _COMPARISON) -> Path | _Value:
        if found := self._match(_STRING):
            text = _unquoted(found[0])
            return self._path(text) if self._ahead(".", "[") else _Value(text)
        if found := self._match(_STARTS_WITH_DIGIT):
            return _Value(_bare_value(found[0]))
        if self._sign("."):
            return self._path(".")
        found = self._match(_NAME)
        if not found:
            self._fail(expected)
        if found[0].lower() in _CONSTANTS and not self._ahead(".", "["):
            return _Value(_CONSTANTS[found[0].lower()])
        path = self._path(self._spaced(found, ends))
        return _ROW_NUMBER if path == ("#",) else path

    def _spaced(self, name: re.Match[str], ends: re.Pattern[str]) -> str:
        """Return a bare name with the words that follow it, up to what ends the name."""
        self._skip_space()
        while not ends.match(self.text, self.at) and self._match(_NAME):
            self._skip_space()
        return self.text[name.start() : self.at].rstrip()

    def _path(self, first: str) -> Path:
        keys = [first]
        while (
            found := self._match(_EVERY_ITEM)
            or self._match(_KEY_AFTER_DOT)
            or self._match(_KEY_IN_BRACKETS)
        ):
            if found.re is not _EVERY_ITEM:
                keys.append(found[1] or _unquoted(found[2]))
        if len(keys) > MAX_KEYS:
            self._fail(f"at most {MAX_KEYS} keys in a path")
        return tuple(keys)

    def _list(self) -> _Value:
        values: list[Any] = []
        while not self._sign("]", ")"):
            item = self._operand("a value or ']'")
            if not isinstance(item, _Value):
                self._fail("',' or ']' (strings stand in quotes)")
            values.append(item.value)
            if not self._sign(",") and not self._ahead("]", ")"):
                self._fail("',' or ']'")
        return _Value(values)

    def _skip_space(self) -> None:
        self.at = len(self.text) - len(self.text[self.at :].lstrip())

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self._skip_space()
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def _ahead(self, *signs: str) -> bool:
        self._skip_space()
        return self.text.startswith(signs, self.at)

    def _sign(self, *signs: str) -> bool:
        if self._ahead(*signs):
            self.at += 1
            return True
        return False

    def _word(self, word: str, sign: str) -> bool:
        self._skip_space()
        found = _NAME.match(self.text, self.at)
        if found and found[0].lower() == word:
            self.at = found.end()
            return True
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _fail(self, expected: str, at: int | None = None) -> NoReturn:
        start = self.at if at is None else at
        found = repr(self.text[start : start + 20]) if start < len(self.text) else "the end"
        raise ValidationError(
            f"where: expected {expected} at position {start + 1}, found {found}; an example: {_EXAMPLE}",
            {"where": self.text, "position": start + 1, "expected": expected},
        )


def _unquoted(string: str) -> str:
    def character(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _ESCAPED.get(escape[2], escape[2])

    text = _ESCAPE.sub(character, string[1:-1])
    # Two escapes may spell one character.
    return (
        text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        if "\\u" in string
        else text
    )


def _bare_value(text: str) -> Any:
    """Return a number, or what only begins like one (a date, an address) as the string that it is."""
    return Decimal(text) if NUMBER.fullmatch(text) else text
