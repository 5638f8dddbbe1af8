"""Python's `str()` and `repr()` of data: literals, tuples, and objects that show their fields.

Parsed values have the same types as those of `exact_json`, so that tables can hold them:

- an object, `Point(x=1, y=2)`, is a dict whose first key is `()`, with the name of the class;
- a tuple in a list or on a line is the same with the name `tuple` and the keys `c1`, `c2` etc.;
- fields on a line, `x=1 y=2`, which are the `str()` of a Pydantic model, have the name `fields`;
- everything else that JSON lacks is a string: a backslash and the source,
  `\\datetime.date(2026, 1, 5)`. So is a string that begins with a backslash itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from headroom_core.text import exact_json
from headroom_core.text.constructors import unwrap_source
from headroom_core.text.exact_json import NUMBER, Value, is_number

CLASS_KEY = "()"
"""Key of the name of the class of an object."""

TUPLE = "tuple"
"""The name of the class of tuples."""

FIELDS = "fields"
"""The name of the class of fields without a name around them."""

SOURCE_SIGN = "\\"
"""First character of a string that is the source of a value which JSON lacks."""

# A quoted string. The closing quote may be missing at the end of the text: without that
# alternative, every later quote would start another scan to the end, in quadratic time.
_STRING = re.compile(r"""('[^'\\]*(?:\\.[^'\\]*)*(?:'|\Z)|"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z))""")

# The escapes that JSON lacks. `\\` is listed first so that an escaped backslash is consumed as a
# whole and its second half is never taken for the start of another escape.
_ESCAPE = re.compile(r"\\(?:\\|'|x(?P<x>[0-9a-f]{2})|U(?P<U>[0-9a-f]{8}))")

_JSON_WORDS = {"True": "true", "False": "false", "None": "null"}

# A whole line, up to its last bracket, of which all may be JSON's data.
_LINE = re.compile(r"""[\[{]+['"\dTFN-].*[\]}](?=[ \t\r]*$)""", re.MULTILINE)
# Signs of strings and keys that have a meaning in parsed values.
_RESERVED = ("'\\\\", '"\\\\', "'()':")

_NAME = r"(?:[^\W\d]\w*\.(?:<locals>\.)?)*[^\W\d]\w*"
_PLAIN_STRING = r"""'[^'\\\n]*(?:\\.[^'\\\n]*)*'|"[^"\\\n]*(?:\\.[^"\\\n]*)*\""""
_TOKEN = re.compile(
    rf"""\s*(?:
    (?P<string>{_PLAIN_STRING})
    | (?P<complex>\((?:-?[\d.]+(?:e[-+]?\d+)?|-?nan|-?inf)[-+](?:[\d.]+(?:e[-+]?\d+)?|nan|inf)j\)
        | -?[\d.]+(?:e[-+]?\d+)?j)
    | (?P<sign>[\[\](){{}},:])
    | (?P<number>-?\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?)
    | (?P<simple>{_NAME}\((?:'[^'\\\n]*'|[-\d., ]*)\))
    | (?P<bytes>b(?:{_PLAIN_STRING}))
    | (?P<field>[^\W\d]\w*)=
    | (?P<call>{_NAME})\(
    | (?P<word>-?{_NAME})
    | (?P<angle><[^<>\n]*(?:<[^<>\n]*>[^<>\n]*)*>)
    )""",
    re.VERBOSE,
)
_FIELD = re.compile(r" ?([^\W\d]\w*)=")
# A word without quotes, as in `level=info` of a log. Must not match words of Python.
_BARE_WORD = re.compile(rf"\\(?!-?(?:nan|inf)\b)-?{_NAME}")
# The next part of a string that `pprint` has broken into several.
_NEXT_PART = re.compile(rf"[ \t]*\n\s*({_PLAIN_STRING})")
_LINE_BREAK = re.compile(r"\n\s*")
# Deeper values are no data, and the reader is recursive.
_MAX_DEPTH = 100
# Calls whose fields say nothing apart from each other.
_SCALAR_CLASSES = ("datetime.", "zoneinfo.")

_QUOTES = ("'", '"')
_WORDS: dict[str, Value] = {"True": True, "False": False, "None": None}


class PythonLiteralError(ValueError):
    """Raised for a text that is not the `repr` of data.

    Attributes:
        position: Index of the first character that does not fit.
    """

    def __init__(self, position: int) -> None:
        super().__init__(f"the text is not the repr of data at character {position}")
        self.position = position


def read(text: str, start: int) -> tuple[Value, int]:
    """Read the `repr` of a list, a dict or an object.

    Args:
        text: The text.
        start: Index of its first character.

    Returns:
        The value, and the index after it.

    Raises:
        PythonLiteralError: No such value begins there, or it is written in another way than by
            `repr` or `pprint`.

        RecursionError: If the value is nested too deeply.

    Example:
        >>> read("[(1, Decimal('2.50'))]", 0)
        ([{'()': 'tuple', 'c1': ('1',), 'c2': "\\\\Decimal('2.50')"}], 22)
    """
    reader = _Reader(text, start)
    value = reader.read_value()
    end = reader.position
    source, written = reader.source_of_value(start), dumps(value)
    if not isinstance(value, (list, dict)) or not _is_written_as(written, source):
        raise PythonLiteralError(end)
    return value, end


def read_row(line: str) -> Value | None:
    """Read a line that is a tuple, an object that shows its fields, or such fields alone.

    Example:
        >>> read_row("id=7 name='Elbe'"), read_row("draw(x, 2)")
        ({'()': 'fields', 'id': ('7',), 'name': 'Elbe'}, None)
    """
    reader = _Reader(line, 0)
    try:
        value = reader.read_fields() if _FIELD.match(line) else reader.read_value(in_list=True)
        return value if type(value) is dict and dumps(value) == line else None
    except (PythonLiteralError, RecursionError):
        return None


def read_line(text: str, start: int) -> tuple[Value, int] | None:
    """Read the rest of a line as the `repr` of JSON's data, which is much faster than `read`.

    Returns:
        The value, and the index after it, or None if the line is anything else.
    """
    match = _LINE.match(text, start)
    if match is None or any(sign in match[0] for sign in _RESERVED):
        return None
    try:
        return parse(match[0]), match.end()
    except (ValueError, RecursionError):
        return None


def _is_written_as(written: str, source: str) -> bool:
    """Return whether a source is a `repr` except for the line breaks of `pprint`."""
    if written == source:
        return True
    # `pprint` breaks lines between values, never behind the first bracket.
    if "\n" not in source or source[1:2].isspace():
        return False
    return "".join(written.split()) == "".join(source.split())


def parse(text: str) -> Value:
    """Parse the `repr` of a list or dict of JSON's data, which is a single line.

    Raises:
        ValueError: If the text is not the `repr` of strings, numbers, booleans, None, lists and
            dicts of them.
        RecursionError: If the value is nested too deeply.

    Example:
        >>> parse("[{'name': 'Elbe', 'km': 1094.0, 'dry': False}]")
        [{'name': 'Elbe', 'km': ('1094.0',), 'dry': False}]
    """
    as_json = _to_json(text)
    # The conversion is only textual. Comparing the round trip catches its mistakes.
    if repr(json.loads(as_json)) != text:
        raise ValueError("the text differs from Python's repr of the same data")
    return exact_json.parse(as_json)


def dumps(value: Value) -> str:
    """Serialize a parsed value as Python's `repr` would.

    Example:
        >>> dumps([{"()": "Point", "x": ("1",)}, {"()": "tuple", "c1": "a"}, "\\\\nan"])
        "[Point(x=1), ('a',), nan]"
    """
    kind = type(value)
    if kind is str:
        return value[1:] if value[:1] == SOURCE_SIGN else repr(value)
    if kind is dict:
        opening, entries, closing = open_dict(value)
        separator = " " if value.get(CLASS_KEY) == FIELDS else ", "
        return opening + separator.join([sign + dumps(item) for sign, item in entries]) + closing
    if kind is list:
        return "[" + ", ".join([dumps(item) for item in value]) + "]"
    return str(value[0]) if is_number(value) else repr(value)


def open_dict(value: dict[str, Value]) -> tuple[str, list[tuple[str, Value]], str]:
    """Return how a dict, an object or a tuple begins, its values with the text before, and its end.

    Example:
        >>> open_dict({"()": "Point", "x": ("1",)})
        ('Point(', [('x=', ('1',))], ')')
    """
    if CLASS_KEY not in value:
        return "{", [(f"{key!r}: ", item) for key, item in value.items()], "}"
    name, *fields = value.items()
    if name[1] == TUPLE:
        return "(", [("", item) for _, item in fields], ",)" if len(fields) == 1 else ")"
    if name[1] == FIELDS:
        return "", [(f"{key}=", item) for key, item in fields], ""
    return f"{name[1]}(", [(f"{key}=", item) for key, item in fields], ")"


class _Reader:
    """Recursive-descent parser of a literal.

    Attributes:
        text: The text.
        position: Index of the next character to read.
        joined: Where strings stand that were broken into several, and how `repr` writes each.
    """

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.joined: list[tuple[int, int, str]] = []

    def source_of_value(self, start: int) -> str:
        """Return the source from `start` up to here, with each broken string in one piece."""
        pieces = []
        for first, end, whole in self.joined:
            pieces += [self.text[start:first], whole]
            start = end
        return "".join([*pieces, self.text[start : self.position]])

    def read_value(self, depth: int = 0, *, in_list: bool = False) -> Value:
        """Read a value.

        Args:
            depth: Number of values around it.
            in_list: Whether it is an item of a list, where tuples are rows.
        """
        match = self._next()
        kind, token = match.lastgroup, match[match.lastindex or 0]
        if kind == "string":
            return self._read_strings(match.start("string"), token)
        if kind == "number" and NUMBER.fullmatch(token):
            return (token,)
        if kind == "word" and token in _WORDS:
            return _WORDS[token]
        if kind not in ("sign", "call", "field"):
            return SOURCE_SIGN + token
        if depth > _MAX_DEPTH:
            raise RecursionError("the literal is nested too deeply")
        start = match.start(match.lastindex or 0)
        if token == "[":
            return self._read_list(depth)
        if token == "{":
            return self._read_braces(start, depth)
        if token == "(":
            return self._read_parentheses(start, depth, in_list)
        if kind == "call":
            return self._read_call(start, token, depth)
        raise PythonLiteralError(self.position)

    def _read_strings(self, start: int, token: str) -> str:
        """Read the rest of a string, which `pprint` may have broken into several."""
        tokens = [token]
        while match := _NEXT_PART.match(self.text, self.position):
            self.position = match.end()
            tokens.append(match[1])
        if len(tokens) == 1:
            return _read_string(token)
        parts = [_read_text(part) for part in tokens]
        if None in parts:
            raise PythonLiteralError(self.position)
        written = repr("".join(filter(None, parts)))
        self.joined.append((start, self.position, written))
        return _read_string(written)

    def read_fields(self) -> Value:
        """Read fields up to the end, as values of an object without a name."""
        fields: dict[str, Value] = {CLASS_KEY: FIELDS}
        while match := _FIELD.match(self.text, self.position):
            self.position = match.end()
            value = self.read_value(1)
            if type(value) is str and _BARE_WORD.fullmatch(value):
                raise PythonLiteralError(self.position)
            fields[match[1]] = value
        return fields

    def _next(self) -> re.Match[str]:
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            raise PythonLiteralError(self.position)
        self.position = match.end()
        return match

    def _accept(self, sign: str) -> bool:
        """Consume a sign if it is next."""
        match = _TOKEN.match(self.text, self.position)
        if match is None or match["sign"] != sign:
            return False
        self.position = match.end()
        return True

    def _items(self, close: str) -> Iterator[None]:
        """Yield before each item up to a closing bracket; the caller reads the item."""
        if self._accept(close):
            return
        yield
        while self._accept(","):
            if close == ")" and self._accept(close):
                return
            yield
        if not self._accept(close):
            raise PythonLiteralError(self.position)

    def _read_list(self, depth: int) -> list[Value]:
        return [self.read_value(depth + 1, in_list=True) for _ in self._items("]")]

    def _read_braces(self, start: int, depth: int) -> Value:
        """Read a dict, or a set or a dict with keys that are no strings as its source."""
        items: dict[str, Value] = {}
        is_plain = True
        for _ in self._items("}"):
            key = self.read_value(depth + 1)
            if not self._accept(":"):
                is_plain = False
                continue
            value = self.read_value(depth + 1)
            is_plain = is_plain and type(key) is str and key[:1] != SOURCE_SIGN
            if is_plain:
                is_plain = key not in items and key != CLASS_KEY
                items[key] = value
        return items if is_plain else self._source_from(start)

    def _read_parentheses(self, start: int, depth: int, in_list: bool) -> Value:
        """Read a tuple in a list as a row, and any other tuple or broken string as its source."""
        items = [self.read_value(depth + 1) for _ in self._items(")")]
        # A single string in brackets is one that `pprint` has broken into several.
        is_string = len(items) == 1 and not self.text.endswith(",)", start, self.position)
        if in_list and items and not is_string:
            return {CLASS_KEY: TUPLE} | {f"c{n}": item for n, item in enumerate(items, 1)}
        return self._source_from(start)

    def _read_call(self, start: int, name: str, depth: int) -> Value:
        """Read an object that shows its fields by name, and any other as its source."""
        fields: dict[str, Value] = {}
        is_plain = not name.startswith(_SCALAR_CLASSES) and name not in (TUPLE, FIELDS)
        for _ in self._items(")"):
            match = _TOKEN.match(self.text, self.position)
            field = match["field"] if match else None
            if match and field:
                self.position = match.end()
            value = self.read_value(depth + 1)
            is_plain = is_plain and field is not None and field not in fields
            if field:
                fields[field] = value
        return {CLASS_KEY: name, **fields} if is_plain and fields else self._source_from(start)

    def _source_from(self, start: int) -> str:
        source = self.text[start : self.position]
        while self.joined and self.joined[-1][0] >= start:
            self.joined.pop()
        return SOURCE_SIGN + _LINE_BREAK.sub(" ", source)


def _read_string(token: str) -> str:
    """Return the value of a string, or its source if `repr` writes it in another way."""
    text = _read_text(token)
    return SOURCE_SIGN + token if text is None or text[:1] == SOURCE_SIGN else text


def _read_text(token: str) -> str | None:
    """Return the value of a string, or None if `repr` writes it in another way."""
    text = token[1:-1]
    if "\\" in text:
        try:
            text = json.loads(f'"{_convert_escapes(text)}"')
        except ValueError:
            return None
    return text if repr(text) == token else None


def to_bare(value: Value) -> Value:
    """Replace the sources in a parsed value by what they hold, as tables show it.

    Example:
        >>> to_bare({"price": "\\\\Decimal('2.50')", "day": "\\\\datetime.date(2026, 1, 5)"})
        {'price': ('2.50',), 'day': '2026-01-05'}
    """
    kind = type(value)
    if kind is str:
        return _unwrap(value[1:]) if value[:1] == SOURCE_SIGN else value
    if kind is dict:
        return {key: to_bare(item) for key, item in value.items()}
    if kind is list:
        return [to_bare(item) for item in value]
    return value


def _unwrap(source: str) -> Value:
    if source[:1] in _QUOTES:
        try:
            return json.loads(f'"{_convert_escapes(source[1:-1])}"')
        except ValueError:
            return source
    return unwrap_source(source)


def _to_json(text: str) -> str:
    """Rewrite a literal as JSON: strings and escapes at odd pieces, bare words between them."""
    if '"' in text or "\\" in text:
        pieces = _STRING.split(text)
        strings = [string[1:-1] for string in pieces[1::2]]
        # A repr never contains a raw line break inside a string, so joining on it is safe, and
        # one substitution over everything is much faster than one for each string.
        pieces[1::2] = _convert_escapes("\n".join(strings)).split("\n")
    else:
        pieces = text.split("'")
    pieces[::2] = _convert_words("'".join(pieces[::2])).split("'")
    return '"'.join(pieces)


def _convert_escapes(text: str) -> str:
    return _ESCAPE.sub(_convert_escape, text.replace('"', '\\"'))


def _convert_escape(match: re.Match[str]) -> str:
    if match["x"]:
        return f"\\u00{match['x']}"
    if match["U"]:
        return chr(int(match["U"], 16))
    return match[0].replace("\\'", "'")


def _convert_words(text: str) -> str:
    for word, json_word in _JSON_WORDS.items():
        text = text.replace(word, json_word)
    return text
