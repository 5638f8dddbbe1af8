"""The expressions that select rows: parsed here, never evaluated as code.

    status == 'failed' and (amount > 100 or not tags contains 'test')
    owner.login in ['ann', 'bob'] and headers."content-type" startswith 'text/'

| part | forms |
|---|---|
| field | `name`, `a.b.c`, `a[0]`, `a."odd key"`; `value` where the rows are bare values |
| comparison | `==` (also `=`, `is`), `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `startswith`, `endswith` |
| value | numbers, strings in either quote, `true`, `false`, `null`, lists of them in `[]` |
| joined by | `and`, `or`, `not` (also before `in` and the like), parentheses |

A field that no row has at that place is looked for by the end of its path, so that `state` finds
`owner.state` where no other path ends so. A missing field is null.

Numbers compare by value, exactly, and a number equals a string that is written like one; likewise `true`,
because a table shows both alike. `contains` finds a part of a string, whatever its case, or a member of a
list. Values of different types are unequal, and neither is less than the other.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from headroom_core.errors import ValidationError

Path = tuple[str, ...]
_Test = Callable[[Any, Mapping[Path, Path]], bool]

_EXAMPLE = "status == 'failed' and amount > 100"
_MAX_CHARACTERS = 4000
_MAX_DEPTH = 40
_MAX_KEYS = 20

_NAME = re.compile(r"(?:[^\W\d]|[$@#])[\w$@#%:/-]*")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_STARTS_WITH_DIGIT = re.compile(r"[-+]?\.?\d[\w.:+-]*")
_KEY_AFTER_DOT = re.compile(r"\.\s*(?:(\w[\w$@#%:/-]*)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))", re.DOTALL)
_KEY_IN_BRACKETS = re.compile(r"\[\s*(?:(-?\d+)|(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))\s*\]", re.DOTALL)
_COMPARISON = re.compile(
    r"={1,3}|!={1,2}|<>|<=|>=|<|>|(?:not\s+)?(?:in|contains|startswith|endswith)\b|is\s+not\b|is\b", re.IGNORECASE
)
_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d{1,6})?", re.ASCII)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\\\"'bfnrt/]))")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_SAME = {"=": "==", "===": "==", "is": "==", "!==": "!=", "<>": "!=", "is not": "!="}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": "contains"}
_FLIPPED["not in"] = "not contains"


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
        """Return the indices of the rows that match, in order.

        Example:
            >>> parse_where("id >= 2 and state != 'shut'").select([{"id": 1}, {"id": "2"}, {"id": 3, "state": "shut"}])
            [1]
        """
        rows = [row if isinstance(row, (dict, list)) else {"value": row} for row in rows]
        places = {path: _place(path, rows) for path in self.paths}
        return [index for index, row in enumerate(rows) if self._test(row, places)]


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
        raise ValidationError(f"where: {len(text)} characters, at most {_MAX_CHARACTERS} are allowed", {"where": text})
    parser = _Parser(text)
    return Where(text, tuple(dict.fromkeys(parser.paths)), parser.test)


def field_names(rows: Sequence[Any], limit: int) -> list[str]:
    """Return the names of the first fields of the rows, dotted where they are nested, in order of appearance.

    Example:
        >>> field_names([{"id": 1, "owner": {"login": "ann"}}, {"id": 2, "note": None}], 10)
        ['id', 'owner.login', 'note']
    """
    names: dict[str, None] = {}
    for row in rows:
        for path, value in _fields(row):
            if not isinstance(value, dict):
                names[".".join(path)] = None
        if len(names) >= limit:
            break
    return list(names)[:limit]


def has_field(rows: Sequence[Any], path: Path) -> bool:
    """Return whether any row has the field, by its whole path or the end of it."""
    place = _place(path, rows)
    return any(_found(row, place) is not _MISSING for row in rows)


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
        return tests[0] if len(tests) == 1 else lambda row, places: any(test(row, places) for test in tests)

    def _all_of(self) -> _Test:
        tests = [self._negation()]
        while self._word("and", "&&"):
            tests.append(self._negation())
        return tests[0] if len(tests) == 1 else lambda row, places: all(test(row, places) for test in tests)

    def _negation(self) -> _Test:
        negated = False
        while self._word("not", "!"):
            negated = not negated
        test = self._group() if self._sign("(") else self._comparison()
        return (lambda row, places: not test(row, places)) if negated else test

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
        right = self._list() if self._sign("[", *("(" if lists else "")) else self._operand("a value")
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
        self.paths.append(path)
        negated = sign == "!=" or sign.startswith("not ")
        check = _CHECKS["==" if sign == "!=" else sign.removeprefix("not ")]
        return lambda row, places: check(_at(row, places[path]), value) is not negated

    def _comparison_sign(self) -> str:
        found = self._match(_COMPARISON)
        if not found:
            self._fail("a comparison such as == 'a', > 5, in ['a', 'b'] or contains 'a'")
        sign = " ".join(found[0].lower().split())
        return _SAME.get(sign, sign)

    def _operand(self, expected: str) -> Path | _Value:
        if found := self._match(_STRING):
            text = _unquoted(found[0])
            return self._path(text) if self._ahead(".", "[") else _Value(text)
        if found := self._match(_STARTS_WITH_DIGIT):
            return _Value(_bare_value(found[0]))
        found = self._match(_NAME)
        if not found:
            self._fail(expected)
        if found[0].lower() in _CONSTANTS and not self._ahead(".", "["):
            return _Value(_CONSTANTS[found[0].lower()])
        return self._path(found[0])

    def _path(self, first: str) -> Path:
        keys = [first]
        while found := self._match(_KEY_AFTER_DOT) or self._match(_KEY_IN_BRACKETS):
            keys.append(found[1] or _unquoted(found[2]))
        if len(keys) > _MAX_KEYS:
            self._fail(f"at most {_MAX_KEYS} keys in a path")
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
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") if "\\u" in string else text


def _bare_value(text: str) -> Any:
    """Return a number, or what only begins like one (a date, an address) as the string that it is."""
    return Decimal(text) if _NUMBER.fullmatch(text) else text


# Fields. A key may itself hold dots, so that a path may have fewer steps than keys.

_MISSING = object()


def _at(row: Any, path: Path) -> Any:
    found = _found(row, path)
    return None if found is _MISSING else found


def _found(value: Any, path: Path) -> Any:
    if not path:
        return value
    if isinstance(value, dict):
        for count in range(1, len(path) + 1):
            key = path[0] if count == 1 else ".".join(path[:count])
            if key in value and (found := _found(value[key], path[count:])) is not _MISSING:
                return found
    elif isinstance(value, list) and path[0].removeprefix("-").isdecimal() and len(path[0]) < 10:
        index = int(path[0])
        if -len(value) <= index < len(value):
            return _found(value[index], path[1:])
    return _MISSING


def _place(path: Path, rows: Sequence[Any]) -> Path:
    """Return the path itself where a row has it, else the only one that ends so, if there is one."""
    if any(_found(row, path) is not _MISSING for row in rows):
        return path
    end = "." + ".".join(path)
    endings = {other for row in rows for other, _ in _fields(row) if f".{'.'.join(other)}".endswith(end)}
    return endings.pop() if len(endings) == 1 else path


def _fields(row: Any) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of everything that has a name in the row."""
    waiting: list[tuple[Path, Any]] = [((), row)]
    while waiting:
        path, value = waiting.pop()
        if path:
            yield path, value
        if isinstance(value, dict) and len(path) < _MAX_KEYS:
            waiting.extend([((*path, key), item) for key, item in reversed(value.items())])


# Comparisons of a row's value with the expression's.


def _as_number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or value != value:
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_equal, value, other))
    if isinstance(value, str) and isinstance(other, str):
        return value == other
    if isinstance(value, bool) or isinstance(other, bool):
        return _spelt(value) == _spelt(other) is not None
    number = _as_number(value)
    return number == _as_number(other) if number is not None else value is None and other is None


def _spelt(value: Any) -> str | None:
    """Return how a table shows a boolean or a string, whatever the case."""
    return str(value).lower() if isinstance(value, (bool, str)) else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, other: Any) -> bool:
        number, limit = _as_number(value), _as_number(other)
        if number is not None and limit is not None:
            return compare(number, limit)
        return isinstance(value, str) and isinstance(other, str) and compare(value, other)

    return check


def _among(value: Any, others: list[Any]) -> bool:
    return any(_equal(value, other) for other in others)


def _contains(value: Any, part: Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(_equal(item, part) or _folded(item) == _folded(part) != "" for item in value)
    return _folded(part) in _folded(value) and _folded(part) != ""


def _folded(value: Any) -> str:
    """Return a string or a number as text to look into, other values as nothing."""
    if isinstance(value, int):
        value = Decimal(value)  # because `str` refuses integers of more than 4,300 digits
    return str(value).casefold() if isinstance(value, (str, float, Decimal)) else ""


_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "in": _among,
    "contains": _contains,
    "startswith": lambda value, part: _folded(value).startswith(_folded(part)) and _folded(part) != "",
    "endswith": lambda value, part: _folded(value).endswith(_folded(part)) and _folded(part) != "",
}
