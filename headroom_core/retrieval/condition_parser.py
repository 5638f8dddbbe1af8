"""Parser of conditions on rows; see `headroom_core.retrieval.where` for the language."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from headroom_core.errors import ValidationError
from headroom_core.retrieval.comparisons import prepare_comparison
from headroom_core.retrieval.fields import MAX_KEYS, FieldName, FieldValues
from headroom_core.tables.conditions import (
    CONSTANTS,
    NAME,
    NUMBER,
    QUOTED,
    read_readings,
    read_values,
)
from headroom_core.text.constructors import unwrap_source
from headroom_core.text.exact_json import to_plain
from headroom_core.text.python_literal import CLASS_KEY

_EXAMPLE = "status == 'failed' and amount > 100"

# More would only let a text exhaust time or the stack.
_MAX_DEPTH = 40
_MAX_COMPARISONS = 100

_EXCERPT_CHARS = 20

_STRING = re.compile(QUOTED, re.DOTALL)

# A value of Python as its source: `Decimal('1.5')`, `datetime.date(2026, 1, 5)`, `b'x'`. Must not
# be tried for a name, which may end with parentheses: `Weight (kg)`.
_ARGUMENTS = rf"(?:[^()'\"]|{QUOTED})*"
_SOURCE = re.compile(
    rf"(?:[^\W\d]\w*\.)*[^\W\d]\w*\({_ARGUMENTS}(?:\({_ARGUMENTS}\){_ARGUMENTS})*\)|b(?:{QUOTED})",
    re.DOTALL,
)

# A number, or a value without quotes that only begins like one: a date, a time, an address.
_STARTS_WITH_DIGIT = re.compile(r"[-+]?\.?\d[\w.:+-]*")

# Further keys of a path: `.name`, `."odd (key)"`, `[0]`, `['odd (key)']`, and `[]` or `[*]` for
# every item, which is implied anyway.
_CLASS = re.compile(re.escape(CLASS_KEY))
_DOT_BEFORE_NAME = re.compile(rf"\.(?=\s*{NAME.pattern})")
_QUOTED_KEY = re.compile(rf"\.\s*({QUOTED})|\[\s*({QUOTED})\s*\]", re.DOTALL)
_INDEX = re.compile(r"\[\s*(-?\d+)\s*\]")
_EVERY_ITEM = re.compile(r"\[\s*\*?\s*\]")

# A comparison, in the spellings of several languages. Word operators must end at a word boundary:
# `index` is not `in` and `dex`.
_COMPARISON = re.compile(
    r"={1,3}|!={1,2}|<>|<=|>=|<|>|(?:not\s+)?(?:in|contains|startswith|endswith)\b|is\s+not\b|is\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(r"(?:and|or)\b", re.IGNORECASE)

# What follows a value. Must not match after the first word of a name such as `5 star reviews`.
_AFTER_VALUE = re.compile(
    rf"\s*(?:\Z|[\])(,]|&&|\|\||{_COMPARISON.pattern}|{_CONNECTIVE.pattern})", re.IGNORECASE
)

# Parts of a name that begin no group and no index: `Weight (kg)`, `Price [EUR]`, `Nr.`.
_NAME_SUFFIX = re.compile(
    r"\([^()'\"]*\)|\[(?!\s*(?:-?\d+|\*)?\s*\])[^\[\]'\"]*\]"
    + rf"|\.(?=\s*(?:{_COMPARISON.pattern}))",
    re.IGNORECASE,
)

_SYNONYMS = {"=": "==", "===": "==", "is": "==", "!==": "!=", "<>": "!=", "is not": "!="}

# The same comparison with its sides exchanged, for conditions such as `100 < amount`.
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MIRRORED |= {"in": "contains", "not in": "not contains"}

_SPACE = re.compile(r"\s*")

_ROW_NUMBER_SIGN, _PARENT_SIGN = "#", "^"

_Key = tuple[list[str], bool]
"""Readings of a key of a path, and whether it stands in quotes."""


Test = Callable[[FieldValues], set[int]]
"""Function that returns the indices of the rows that pass."""


@dataclass(frozen=True, slots=True)
class _Value:
    """Literal value in a condition.

    Attributes:
        readings: What it may mean; several for a string with a backslash.
        written: How it was written, for a name that looks like a value. None for a list.
    """

    readings: list[Any]
    written: str | None = None

    @property
    def is_list(self) -> bool:
        """Whether it is a list of values."""
        return self.written is None


class ConditionParser:
    """Recursive-descent parser of a condition.

    Args:
        text: Condition to parse.

    Attributes:
        names: Names of the fields, in order.
    """

    def __init__(self, text: str) -> None:
        self.names: list[FieldName] = []
        self._text = text
        self._position = 0
        self._depth = 0

    def parse(self) -> Test:
        """Parse the whole text.

        Raises:
            ValidationError: The text is not a condition.
        """
        test = self._parse_disjunction()
        self._skip_space()
        if self._position < len(self._text):
            self._fail("'and', 'or' or the end")
        return test

    def _parse_disjunction(self) -> Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"at most {_MAX_DEPTH} levels of parentheses")
        tests = [self._parse_conjunction()]
        while self._accept_word("or", "||"):
            tests.append(self._parse_conjunction())
        self._depth -= 1
        if len(tests) == 1:
            return tests[0]
        return lambda rows: set().union(*(test(rows) for test in tests))

    def _parse_conjunction(self) -> Test:
        tests = [self._parse_negation()]
        while self._accept_word("and", "&&"):
            tests.append(self._parse_negation())
        if len(tests) == 1:
            return tests[0]
        return lambda rows: set.intersection(*(test(rows) for test in tests))

    def _parse_negation(self) -> Test:
        is_negated = False
        while self._accept_word("not", "!"):
            is_negated = not is_negated
        is_group = not self._is_next(CLASS_KEY) and self._accept_sign("(")
        test = self._parse_group() if is_group else self._parse_comparison()
        return (lambda rows: rows.indices - test(rows)) if is_negated else test

    def _parse_group(self) -> Test:
        test = self._parse_disjunction()
        if not self._accept_sign(")"):
            self._fail("')'")
        return test

    def _parse_comparison(self) -> Test:
        left = self._parse_operand("a field name", _COMPARISON)
        operator = self._parse_operator()
        takes_list = operator.endswith("in")
        self._skip_space()
        start = self._position
        list_signs = ("[", "(") if takes_list else ("[",)
        if self._accept_sign(*list_signs):
            right: FieldName | _Value = self._parse_list()
        else:
            right = self._parse_source() or self._parse_operand("a value", _CONNECTIVE)
        if isinstance(left, _Value) and isinstance(right, FieldName) and operator in _MIRRORED:
            return self._make_test(right, _MIRRORED[operator], left)
        if isinstance(right, FieldName):
            self._fail("a value (strings stand in quotes)", start)
        if takes_list and not right.is_list:
            self._fail("a list such as ['a', 'b']", start)
        if right.is_list and not takes_list and operator not in ("==", "!="):
            self._fail("a single value", start)
        return self._make_test(self._as_name(left), operator, right)

    def _as_name(self, operand: FieldName | _Value) -> FieldName:
        """Return the name on the left, which may look like a value: a string, `2024`, `null`."""
        if isinstance(operand, FieldName):
            return operand
        written = operand.written or ""
        if written.startswith(("'", '"')):
            return self._make_name([(read_readings(written), True)], written)
        return self._make_name([([key], False) for key in written.split(".")], written)

    def _make_test(self, name: FieldName, operator: str, value: _Value) -> Test:
        if len(self.names) == _MAX_COMPARISONS:
            self._fail(f"at most {_MAX_COMPARISONS} comparisons")
        self.names.append(name)
        is_negated = operator == "!=" or operator.startswith("not ")
        base = "==" if operator == "!=" else operator.removeprefix("not ")
        passes = prepare_comparison(base, value.readings)
        if is_negated:
            return lambda rows: rows.indices - rows.having(name, passes)
        return lambda rows: rows.having(name, passes)

    def _parse_operator(self) -> str:
        match = self._match(_COMPARISON)
        if not match:
            self._fail("a comparison such as == 'a', > 5, in ['a', 'b'] or contains 'a'")
        operator = " ".join(match[0].lower().split())
        return _SYNONYMS.get(operator, operator)

    def _parse_operand(self, expected: str, end: re.Pattern[str]) -> FieldName | _Value:
        """Parse a name or a value.

        Args:
            expected: Description of the operand, for the message.
            end: Pattern that ends a name of several words.
        """
        self._skip_space()
        start = self._position
        match = self._match(_STRING)
        if match:
            if not self._is_next(".", "["):
                return _Value(read_values(match[0]), match[0])
            return self._parse_path((read_readings(match[0]), True), start, end)
        match = self._match(_STARTS_WITH_DIGIT)
        if match and _AFTER_VALUE.match(self._text, self._position):
            return _Value([_parse_bare_value(match[0])], match[0])
        self._position = start
        if self._accept_sign(".") and not NAME.match(self._text, self._position):
            return self._parse_path((["."], False), start, end)
        first = self._parse_words(end)
        if not first:
            self._fail(expected)
        name = self._parse_path(([first], False), start, end)
        constant = name.written.lower()
        return _Value(CONSTANTS[constant], constant) if constant in CONSTANTS else name

    def _parse_source(self) -> _Value | None:
        """Consume a value of Python that is written as its source, and return what it holds."""
        match = self._match(_SOURCE)
        return _Value([to_plain(unwrap_source(match[0]))], match[0]) if match else None

    def _parse_words(self, end: re.Pattern[str]) -> str:
        """Consume a name without quotes up to a match of `end`. Return it, or an empty string."""
        if match := self._match(_CLASS):
            return match[0]
        match = self._match(NAME)
        if not match:
            return ""
        while self._match(_NAME_SUFFIX) or (
            not end.match(self._text, self._position) and self._match(NAME)
        ):
            pass
        return self._text[match.start() : self._position].rstrip()

    def _parse_path(self, first: _Key, start: int, end: re.Pattern[str]) -> FieldName:
        keys = [first]
        while True:
            if self._match(_EVERY_ITEM):
                continue
            if self._match(_DOT_BEFORE_NAME):
                keys.append(([self._parse_words(end)], False))
                continue
            if match := self._match(_INDEX):
                keys.append(([match[1]], False))
                continue
            match = self._match(_QUOTED_KEY)
            if not match:
                break
            keys.append((read_readings(match[1] or match[2]), True))
        return self._make_name(keys, self._text[start : self._position].rstrip())

    def _make_name(self, keys: Sequence[_Key], written: str) -> FieldName:
        if len(keys) > MAX_KEYS:
            self._fail(f"at most {MAX_KEYS} keys in a path")
        signs = ([_PARENT_SIGN], False), ([_ROW_NUMBER_SIGN], False)
        start = next((index for index, key in enumerate(keys) if key in signs), 0)
        tables, keys = _read_path(keys[:start]), keys[start:]
        level = 0
        while level < len(keys) and keys[level] == signs[0]:
            level += 1
        keys = keys[level:]
        if keys in ([], [signs[1]]):
            return FieldName(written, (), level, tables)
        # A name without quotes may have dots and spaces of its own: `No. of items`.
        paths = dict.fromkeys([*_read_path(keys), (written,)])
        return FieldName(written, tuple(paths), level, tables)

    def _parse_list(self) -> _Value:
        items: list[_Value] = []
        while not self._accept_sign("]", ")"):
            item = self._parse_source() or self._parse_operand("a value or ']'", _COMPARISON)
            if not isinstance(item, _Value):
                self._fail("',' or ']' (strings stand in quotes)")
            items.append(item)
            if not self._accept_sign(",") and not self._is_next("]", ")"):
                self._fail("',' or ']'")
        count = max((len(item.readings) for item in items), default=1)
        return _Value(
            [
                [item.readings[min(n, len(item.readings) - 1)] for item in items]
                for n in range(count)
            ]
        )

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._position)
        self._position = space.end() if space else self._position

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
        match = NAME.match(self._text, self._position)
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


def _read_path(keys: Sequence[_Key]) -> tuple[tuple[str, ...], ...]:
    """Return the paths that keys may mean; none without any key."""
    paths = [tuple(key[0] for key, _ in keys), tuple(key[-1] for key, _ in keys)]
    return tuple(dict.fromkeys(paths)) if keys else ()


def _parse_bare_value(text: str) -> Decimal | str:
    """Return a number, or the text itself if it only begins like one: a date, an address."""
    return Decimal(text) if NUMBER.fullmatch(text) else text
