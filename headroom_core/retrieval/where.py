"""Conditions that select rows: parsed here, never evaluated as code.

    status == 'failed' and (amount > 100 or not tags contains 'test')
    owner.login in ['ann', 'bob'] and headers."content-type" startswith 'text/'

| part | forms |
|---|---|
| field | `name`, `two words`, `a.b.c`, `a[0]`, `a."odd (key)"` |
| the row itself, if it is a bare value | `value`, `values` or `.` |
| row number | `#`, counted from 0 as tables show it; a field of that name is `"#"` |
| comparison | `==` (also `=`, `is`), `!=`, `<`, `<=`, `>`, `>=` |
| | `in`, `contains`, `startswith`, `endswith` |
| value | numbers, strings in either quote, `true`, `false`, `null`, lists of them in `[]` |
| joined by | `and`, `or`, `not` (also before `in`, `contains`, …), parentheses |

If no row has a field by its whole path, the field is looked up by the end of its path: `state`
finds `owner.state` if no other path ends so. A missing field is null.

A path steps through lists: `labels.name`, also written `labels[].name`, is the name of every label.
A comparison holds if it holds for any of the values, for a list itself or for one of its items;
`!=` and `not` hold if it does not, so `labels.name != 'bug'` selects the rows without such a label.

Numbers compare by value, exactly, and a number equals a string that spells it; likewise `true`,
because a table shows both alike. `contains` finds a part of a string, a whole value at any depth of
a list or an object, and a key of an object, ignoring case. Values of different types are not equal,
and neither is less than the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from headroom_core.errors import ValidationError
from headroom_core.retrieval.fields import (
    CHECKS,
    MAX_KEYS,
    NUMBER,
    Path,
    as_objects,
    resolve_path,
    values_at,
)

_EXAMPLE = "status == 'failed' and amount > 100"

# Models write conditions of a line. More would only let a text exhaust time or the stack.
_MAX_CHARS = 4000
_MAX_DEPTH = 40

_EXCERPT_CHARS = 20

# A name without quotes: a letter, or a sign that begins names in query languages, then also the
# signs inside header names and ids. Not dots and brackets, which separate keys.
_NAME = re.compile(r"(?:[^\W\d]|[$@#])[\w$@#%:/-]*")

# A string in either quote; a backslash escapes the next character.
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_STRING = re.compile(_QUOTED, re.DOTALL)

# A number, or a value without quotes that only begins like one: a date, a time, an address.
_STARTS_WITH_DIGIT = re.compile(r"[-+]?\.?\d[\w.:+-]*")

# Further keys of a path: `.name`, `."odd (key)"`, `[0]`, `['odd (key)']`, and `[]` or `[*]` for
# every item, which is implied anyway.
_KEY_AFTER_DOT = re.compile(rf"\.\s*(?:(\w[\w$@#%:/-]*)|({_QUOTED}))", re.DOTALL)
_KEY_IN_BRACKETS = re.compile(rf"\[\s*(?:(-?\d+)|({_QUOTED}))\s*\]", re.DOTALL)
_EVERY_ITEM = re.compile(r"\[\s*\*?\s*\]")

# A comparison, in the spellings of several languages. Word operators must end at a word boundary:
# `index` is not `in` and `dex`.
_COMPARISON = re.compile(
    r"={1,3}|!={1,2}|<>|<=|>=|<|>|(?:not\s+)?(?:in|contains|startswith|endswith)\b|is\s+not\b|is\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(r"(?:and|or)\b", re.IGNORECASE)

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\\\"'bfnrt/]))")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_SYNONYMS = {"=": "==", "===": "==", "is": "==", "!==": "!=", "<>": "!=", "is not": "!="}

# The same comparison with its sides exchanged, for conditions such as `100 < amount`.
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MIRRORED |= {"in": "contains", "not in": "not contains"}

_ROW_NUMBER: Path = ()
"""Path that the sign `#` is parsed to: it has no keys, because no field is meant."""


class _Row(NamedTuple):
    """Row to test.

    Attributes:
        number: Row number, counted from 0.
        fields: Row as an object.
        full_paths: Full path of each path in the condition.
    """

    number: int
    fields: Mapping[str, Any]
    full_paths: Mapping[Path, Path]

    def values(self, path: Path) -> list[Any]:
        """Return the values at a path of the condition."""
        return values_at(self.fields, self.full_paths[path]) if path else [self.number]


_Test = Callable[[_Row], bool]


@dataclass(frozen=True, slots=True)
class Where:
    """Parsed condition on rows.

    Attributes:
        text: Condition as it was written.
        paths: Paths of the fields that it names.
    """

    text: str
    paths: tuple[Path, ...]
    _test: _Test

    def select(self, rows: Sequence[Any]) -> list[int]:
        """Return the indices of the rows that match, in order, which are also their row numbers.

        Example:
            >>> rows = [{"id": 1}, {"id": "2"}, {"id": 3, "state": "shut"}]
            >>> parse_where("id >= 2 and state != 'shut'").select(rows)
            [1]
        """
        objects = as_objects(rows)
        full_paths = {path: resolve_path(path, objects) for path in self.paths}
        return [
            index for index, row in enumerate(objects) if self._test(_Row(index, row, full_paths))
        ]


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
    parser = _Parser(text)
    test = parser.parse()
    return Where(text, tuple(dict.fromkeys(parser.paths)), test)


@dataclass(frozen=True, slots=True)
class _Value:
    """Literal value in a condition, to tell it from a path."""

    value: Any


class _Parser:
    """Recursive-descent parser of a condition.

    Args:
        text: Condition to parse.

    Attributes:
        paths: Paths of the fields that were named, in order.
    """

    def __init__(self, text: str) -> None:
        self.paths: list[Path] = []
        self._text = text
        self._position = 0
        self._depth = 0

    def parse(self) -> _Test:
        """Parse the whole text.

        Raises:
            ValidationError: The text is not a condition.
        """
        test = self._parse_disjunction()
        self._skip_space()
        if self._position < len(self._text):
            self._fail("'and', 'or' or the end")
        return test

    def _parse_disjunction(self) -> _Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"at most {_MAX_DEPTH} levels of parentheses")
        tests = [self._parse_conjunction()]
        while self._accept_word("or", "||"):
            tests.append(self._parse_conjunction())
        self._depth -= 1
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _parse_conjunction(self) -> _Test:
        tests = [self._parse_negation()]
        while self._accept_word("and", "&&"):
            tests.append(self._parse_negation())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _parse_negation(self) -> _Test:
        is_negated = False
        while self._accept_word("not", "!"):
            is_negated = not is_negated
        test = self._parse_group() if self._accept_sign("(") else self._parse_comparison()
        return (lambda row: not test(row)) if is_negated else test

    def _parse_group(self) -> _Test:
        test = self._parse_disjunction()
        if not self._accept_sign(")"):
            self._fail("')'")
        return test

    def _parse_comparison(self) -> _Test:
        left = self._parse_operand("a field name")
        operator = self._parse_operator()
        takes_list = operator.endswith("in")
        self._skip_space()
        start = self._position
        list_signs = ("[", "(") if takes_list else ("[",)
        if self._accept_sign(*list_signs):
            right: Path | _Value = self._parse_list()
        else:
            right = self._parse_operand("a value", _CONNECTIVE)
        if isinstance(left, _Value) and isinstance(right, tuple) and operator in _MIRRORED:
            return self._make_test(right, _MIRRORED[operator], left.value)
        if isinstance(right, tuple):
            self._fail("a value (strings stand in quotes)", start)
        # A quoted name on the left is a field.
        path = (left.value,) if isinstance(left, _Value) and isinstance(left.value, str) else left
        if not isinstance(path, tuple):
            self._fail("a field name on one side", start)
        is_list = isinstance(right.value, list)
        if takes_list and not is_list:
            self._fail("a list such as ['a', 'b']", start)
        if is_list and not takes_list and operator not in ("==", "!="):
            self._fail("a single value", start)
        return self._make_test(path, operator, right.value)

    def _make_test(self, path: Path, operator: str, value: Any) -> _Test:
        if path:
            self.paths.append(path)
        is_negated = operator == "!=" or operator.startswith("not ")
        check = CHECKS["==" if operator == "!=" else operator.removeprefix("not ")]
        return lambda row: any(check(found, value) for found in row.values(path)) is not is_negated

    def _parse_operator(self) -> str:
        match = self._match(_COMPARISON)
        if not match:
            self._fail("a comparison such as == 'a', > 5, in ['a', 'b'] or contains 'a'")
        operator = " ".join(match[0].lower().split())
        return _SYNONYMS.get(operator, operator)

    def _parse_operand(self, expected: str, end: re.Pattern[str] = _COMPARISON) -> Path | _Value:
        """Parse a path or a value.

        Args:
            expected: Description of the operand, for the message.
            end: Pattern that ends a name of several words.
        """
        match = self._match(_STRING)
        if match:
            text = _unquote(match[0])
            return self._parse_path(text) if self._is_next(".", "[") else _Value(text)
        match = self._match(_STARTS_WITH_DIGIT)
        if match:
            return _Value(_parse_bare_value(match[0]))
        if self._accept_sign("."):
            return self._parse_path(".")
        match = self._match(_NAME)
        if not match:
            self._fail(expected)
        if match[0].lower() in _CONSTANTS and not self._is_next(".", "["):
            return _Value(_CONSTANTS[match[0].lower()])
        path = self._parse_path(self._extend_name(match, end))
        return _ROW_NUMBER if path == ("#",) else path

    def _extend_name(self, name: re.Match[str], end: re.Pattern[str]) -> str:
        """Return a name with the words that follow it, up to a match of `end`."""
        self._skip_space()
        while not end.match(self._text, self._position) and self._match(_NAME):
            self._skip_space()
        return self._text[name.start() : self._position].rstrip()

    def _parse_path(self, first: str) -> Path:
        keys = [first]
        while True:
            if self._match(_EVERY_ITEM):
                continue
            match = self._match(_KEY_AFTER_DOT) or self._match(_KEY_IN_BRACKETS)
            if not match:
                break
            keys.append(match[1] or _unquote(match[2]))
        if len(keys) > MAX_KEYS:
            self._fail(f"at most {MAX_KEYS} keys in a path")
        return tuple(keys)

    def _parse_list(self) -> _Value:
        values: list[Any] = []
        while not self._accept_sign("]", ")"):
            item = self._parse_operand("a value or ']'")
            if not isinstance(item, _Value):
                self._fail("',' or ']' (strings stand in quotes)")
            values.append(item.value)
            if not self._accept_sign(",") and not self._is_next("]", ")"):
                self._fail("',' or ']'")
        return _Value(values)

    def _skip_space(self) -> None:
        rest = self._text[self._position :]
        self._position += len(rest) - len(rest.lstrip())

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Skip spaces, and consume a match of a pattern if there is one."""
        self._skip_space()
        match = pattern.match(self._text, self._position)
        if match:
            self._position = match.end()
        return match

    def _is_next(self, *signs: str) -> bool:
        self._skip_space()
        return self._text.startswith(signs, self._position)

    def _accept_sign(self, *signs: str) -> bool:
        """Consume one of some single characters, and return whether there was one."""
        if self._is_next(*signs):
            self._position += 1
            return True
        return False

    def _accept_word(self, word: str, sign: str) -> bool:
        """Consume a word or the sign that means the same, and return whether there was one."""
        self._skip_space()
        match = _NAME.match(self._text, self._position)
        if match and match[0].lower() == word:
            self._position = match.end()
            return True
        if self._text.startswith(sign, self._position):
            self._position += len(sign)
            return True
        return False

    def _fail(self, expected: str, position: int | None = None) -> NoReturn:
        """Raise the error for a missing part.

        Args:
            expected: Description of the part.
            position: Position of the error. Defaults to the current one.
        """
        start = self._position if position is None else position
        found = "the end"
        if start < len(self._text):
            found = repr(self._text[start : start + _EXCERPT_CHARS])
        raise ValidationError(
            f"where: expected {expected} at position {start + 1}, found {found}; "
            f"an example: {_EXAMPLE}",
            {"where": self._text, "position": start + 1, "expected": expected},
        )


def _unquote(string: str) -> str:
    """Return the text of a string literal."""

    def replace_escape(escape: re.Match[str]) -> str:
        return chr(int(escape[1], 16)) if escape[1] else _ESCAPED.get(escape[2], escape[2])

    text = _ESCAPE.sub(replace_escape, string[1:-1])
    if "\\u" not in string:
        return text
    # Two escapes may be the halves of a surrogate pair, which is one character.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _parse_bare_value(text: str) -> Decimal | str:
    """Return a number, or the text itself if it only begins like one: a date, an address."""
    return Decimal(text) if NUMBER.fullmatch(text) else text
