"""Hostile documents whose pieces are known, and what must be true of a shorter form of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from headroom_core.compressors.exact_json import Value, fingerprint, scan
from headroom_core.compressors.smart_crusher.reader import ReadTable, read_tables

LONG = "the gates are inspected in spring and in autumn, unless the river is high"
STRINGS = (
    *(
        "1.10",
        "true",
        "null",
        "NaN",
        "-Infinity",
        "1e5",
        "+3",
        "-",
        "1,000",
        "~",
        "*1",
        "*1 a",
        "&1",
        "!x",
        "^0",
        "#",
        "@",
    ),
    *(
        "[x",
        "{x",
        "[]",
        "{}",
        "[1,2]",
        '{"a":1}',
        '"',
        '""',
        'say "hi", twice',
        " leads",
        "trails ",
        "",
        " ",
        ",",
        "a,b",
    ),
    *(
        "two\nlines",
        "cr\r\nlf",
        "\r",
        "\t",
        "nul\x00 \x1f\x7f",
        "nel\x85",
        "\x85",
        "line\u2028end",
        "\ufeffbom",
        "\xa0",
    ),
    *("\ud800 alone", "\udc00", "🙂 Zoë", "\\", "\\n", "\\u0041", ".", "x:str", "a.b", "http://a.b/c?d=e&f=g#h", LONG),
    *("[table 1 rows: a]", "[table 2 rows; empty = null: a,b]\n1,2\n3,4\n", "*1 a legend line", "; original intact"),
    '[headroom: 3 of 9 rows left out here; original intact: headroom_retrieve(key="0123456789abcdef01234567")]',
)
NAMES = (
    *(
        "id",
        "name",
        "state",
        "a",
        "b",
        "a.b",
        "a,b",
        "{",
        "}",
        "[x]",
        "x[]",
        "[]{a}",
        'q"q',
        "k:str",
        "k=1",
        "k+",
        "k&",
        "",
    ),
    *(
        ".",
        " leads",
        "trails ",
        "#",
        "^",
        "@",
        "~",
        "*1",
        "!",
        ";",
        "\\",
        "é",
        "two\nlines",
        "\x85",
        "\ud800",
        "a: b",
        "]",
    ),
)
LEXEMES = (
    "0",
    "-0",
    "1",
    "1.10",
    "0.1000",
    "1e5",
    "1E400",
    "-1.5e-7",
    "9" * 400,
    "12345678901234567890",
    "NaN",
    "-Infinity",
)

PROSE = (
    "Here is what I found.",
    "",
    "  three rows, two columns",
    "[table 3 rows: a,b]",
    "[table 1 rows: a]",
    "[table 2 of 9 records; # = row number from 0: #,a]",
    "*1 a legend line",
    "1,2",
    "~,",
    '[headroom: 3 of 9 rows left out here; original intact: headroom_retrieve(key="0123456789abcdef01234567")]',
    "\ud800 \x85 \u2028 \x0c end",
    "{not json}",
    "[neither,",
    "label: [1, 2",
)


@dataclass(frozen=True, slots=True)
class JSONPiece:
    """A JSON value inside a document, as it is written there."""

    text: str
    value: Value


Piece = str | JSONPiece


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A text whose pieces are known: JSON values, and the text around them."""

    pieces: tuple[Piece, ...]

    def __repr__(self) -> str:
        return f"Document of {self.text!r}"

    @property
    def text(self) -> str:
        return "".join(piece if isinstance(piece, str) else piece.text for piece in self.pieces)

    @property
    def values(self) -> list[Value]:
        return [piece.value for piece in self.pieces if isinstance(piece, JSONPiece)]


@dataclass(frozen=True, slots=True)
class Style:
    """How JSON is written: what stands between its tokens, and whether it is ASCII."""

    comma: str = ","
    colon: str = ":"
    indent: str = ""
    ascii: bool = False

    def write(self, value: Value, depth: int = 0) -> str:
        if isinstance(value, tuple) and len(value) == 1:
            return str(value[0])
        if isinstance(value, (dict, tuple)):
            pairs = value.items() if isinstance(value, dict) else value
            return self._wrapped(
                "{}", [self._string(k) + self.colon + self.write(v, depth + 1) for k, v in pairs], depth
            )
        if isinstance(value, list):
            return self._wrapped("[]", [self.write(item, depth + 1) for item in value], depth)
        return self._string(value) if isinstance(value, str) else json.dumps(value)

    def _wrapped(self, signs: str, items: list[str], depth: int) -> str:
        if not self.indent or not items:
            return signs[0] + self.comma.join(items) + signs[1]
        line = "\n" + self.indent * (depth + 1)
        return signs[0] + line + f",{line}".join(items) + "\n" + self.indent * depth + signs[1]

    def _string(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.ascii)


STYLES = (
    Style(),
    Style(", ", ": "),
    Style(", ", ": ", "  "),
    Style(",", ":", "\t", ascii=True),
    Style(" ,\t", " : ", ascii=True),
)

PATTERNS = (lambda row: row, lambda row: row // 7, lambda row: row * row * 31 + row // 3)
"""How the values of a pool are dealt out to rows; columns dealt alike come together."""

scalars = st.one_of(
    st.sampled_from(STRINGS),
    st.sampled_from(LEXEMES).map(lambda lexeme: (lexeme,)),
    st.sampled_from((None, True, False)),
    st.text(max_size=12),
    st.integers(-(10**6), 10**6).map(lambda number: (str(number),)),
)


def _nested(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    names = st.sampled_from(NAMES)
    same = st.fixed_dictionaries({"x": inner, "a.b": inner})
    return same | st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=3) | st.lists(same, max_size=3)


deep_values = _nested(scalars | _nested(scalars))
_strings = st.sampled_from(STRINGS) | st.text(max_size=20)
_numbers = st.sampled_from(LEXEMES).map(lambda lexeme: (lexeme,))
_pools = st.one_of(
    st.lists(_strings, min_size=1, max_size=6),
    st.lists(_numbers, min_size=1, max_size=6),
    st.lists(scalars | deep_values, min_size=1, max_size=4),
    st.lists(st.fixed_dictionaries({"x": scalars, "y": scalars}), min_size=1, max_size=4),
)
ABSENT: Any = object()


@st.composite
def columns(draw: st.DrawFn, count: int, depth: int = 0) -> list[Value]:
    """The values of one column, `ABSENT` where a row has no such key."""
    kind = draw(st.sampled_from(("pool", "pool", "optional", "serial", "identifier", "lists")))
    if kind == "serial":
        return [(str(1000 + row),) for row in range(count)]
    if kind == "identifier":
        return [f"item-{row * 7919 % 10007}" for row in range(count)]
    deal = draw(st.sampled_from(PATTERNS))
    if kind == "lists" and depth < 2:
        inner = draw(rows(12, depth + 1))
        return [inner[: deal(row) % (len(inner) + 1)] for row in range(count)]
    pool = draw(_pools) + [ABSENT] * (kind == "optional")
    return [pool[deal(row) % len(pool)] for row in range(count)]


@st.composite
def rows(draw: st.DrawFn, most: int = 40, depth: int = 0) -> list[Value]:
    """The rows of a table: alike for the most part, with what breaks the pattern among them."""
    count = draw(st.integers(2, most))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    cells = [draw(columns(count, depth)) for _ in names]
    found: list[Value] = [{k: v for k, v in zip(names, row) if v is not ABSENT} for row in zip(*cells)]
    for _ in range(draw(st.integers(0, 2))):
        at, how = (
            draw(st.integers(0, count - 1)),
            draw(st.sampled_from(("turned", "twice", "scalar", "empty", "new key"))),
        )
        found[at] = _broken(found[at], how, draw(scalars))
    return found


def _broken(row: Value, how: str, value: Value) -> Value:
    """Return a row that is not like the others; lists stay out of it, so that their items can be counted."""
    if not isinstance(row, dict) or how == "scalar":
        return value
    flat = [(name, inner) for name, inner in row.items() if not isinstance(inner, (dict, list))]
    if how == "turned":
        return dict(reversed(flat))
    if how == "twice":
        return (*flat, *flat[:1]) if len(flat) > 1 else {}
    return {} if how == "empty" else {**row, "new": value}


def _as_entries(found: list[Value]) -> Value:
    return {f"{NAMES[at % len(NAMES)]}{at}": row for at, row in enumerate(found)}


@st.composite
def documents(draw: st.DrawFn, most: int = 40) -> Document:
    """Arrays, objects of objects, JSON lines, several arrays in one value, alone or with prose around them."""
    style = draw(st.sampled_from(STYLES))
    form = draw(st.sampled_from(("array", "array", "entries", "lines", "wrapped", "two", "scalars", "nested")))
    found = draw(st.lists(scalars, min_size=2, max_size=most)) if form == "scalars" else draw(rows(most))
    value: Value = {
        "entries": lambda: _as_entries(found),
        "wrapped": lambda: {"next": None, "": {"rows": found, "ok": True}, "count": (str(len(found)),)},
        "two": lambda: [{"first": found, "second": [*found[1:], *found[:1]]}],
        "nested": lambda: [found, [found[:3], []], {}],
    }.get(form, lambda: found)()
    if form == "lines":
        flat = Style(style.comma, style.colon, ascii=style.ascii)
        lines = [JSONPiece(flat.write(row), row) for row in found if isinstance(row, (dict, list))]
        inside: list[Piece] = [piece for line in lines for piece in (line, "\n")]
    else:
        inside = [JSONPiece(style.write(value), value)]
    return Document(tuple(draw(surrounded(inside))))


@st.composite
def surrounded(draw: st.DrawFn, inside: list[Piece]) -> list[Piece]:
    """The pieces alone, behind a label, in a fence or amid prose."""
    how = draw(st.sampled_from(("alone", "alone", "label", "fence", "prose")))
    if how == "alone":
        return inside
    if how == "label":
        return ["Result of step 2: ", *inside]
    before, after = ("\n".join(draw(st.lists(st.sampled_from(PROSE), max_size=3))) for _ in range(2))
    if how == "fence":
        return [f"{before}\n```json\n", *inside, f"\n```\n{after}"]
    return [f"{before}\n", *inside, f"\n{after}"]


CELLS = (
    '"a,b"',
    '"two\nlines"',
    '"say ""hi"""',
    "",
    "1.10",
    "-0",
    "x",
    " x ",
    "~",
    "*1",
    "!x",
    "[x",
    "Zoë 🙂",
    "NaN",
    LONG,
    '""',
    '"cr\r\nlf"',
)


@st.composite
def csv_texts(draw: st.DrawFn, most: int = 40) -> str:
    """Separated values, with quoted cells over several lines, ragged records, and any line end."""
    separator, end = draw(st.sampled_from(",\t;|")), draw(st.sampled_from(("\n", "\r\n")))
    header = draw(
        st.lists(
            st.sampled_from(("id", "name", "a b", '"c,d"', '"e\nf"', "x.y", "k:str", "#")),
            min_size=2,
            max_size=4,
            unique=True,
        )
    )
    count = draw(st.integers(5, most))
    pools = [draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=5)) for _ in header[1:]]
    deal = draw(st.sampled_from(PATTERNS))
    records = [[str(1000 + row), *(pool[deal(row) % len(pool)] for pool in pools)] for row in range(count)]
    for at in draw(st.lists(st.integers(0, count - 1), max_size=2)):
        records[at] = draw(st.sampled_from(([], ["total"], [*records[at], "more"], ['odd "quote'], ["!", "x"])))
    lines = [separator.join(cells) for cells in [header, *records]]
    return end.join(lines) + draw(st.sampled_from(("", end, end * 2)))


# What must be true.


def says_the_same(text: str, document: Document) -> bool:
    """Return whether a text has the document's JSON tokens and, to the letter, what stands around them."""
    at = 0
    for piece in document.pieces:
        if isinstance(piece, str):
            if not text.startswith(piece, at):
                return False
            at += len(piece)
            continue
        value, at = scan(text, at)
        if fingerprint(value) != fingerprint(piece.value):
            return False
    return at == len(text)


def standing_values(value: Value) -> Iterator[str]:
    """Yield the number lexemes and the strings of four characters or more that JSON need not escape."""
    if isinstance(value, str):
        if len(value) >= 4 and value.isprintable() and not set(value) & {'"', "\\"}:
            yield value
    elif isinstance(value, tuple) and len(value) == 1:
        yield value[0]
    elif isinstance(value, (dict, list, tuple)):
        inner = (
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else [v for _, v in value]
        )
        for item in inner:
            yield from standing_values(item)


def arrays_in(value: Value) -> Iterator[list[Value]]:
    """Yield every array of a value, and the entries of every object."""
    if isinstance(value, (dict, list)):
        items = list(value.values() if isinstance(value, dict) else value)
        yield items
        for item in items:
            yield from arrays_in(item)


_MARKER = re.compile(
    r'\[headroom: (\d+) of (\d+) (\w+) left out here.*; original intact: headroom_retrieve\(key="(\w{24})".*\)\]\n'
)


def assert_rows_hold(text: str, arrays: Sequence[list[Value]], key: str) -> int:
    """Check that the tables show whole rows of the arrays under their numbers, and that markers tell what is missing.

    Returns:
        How many rows are left out.
    """
    tables = read_tables(text)
    return sum(_left_out(text, table, tables, arrays, key) for table in tables)


def _left_out(
    text: str, table: ReadTable, following: Iterator[ReadTable], arrays: Sequence[list[Value]], key: str
) -> int:
    source = next((rows for rows in arrays if _shows(table, rows)), None)
    assert source is not None, f"no array has the rows of the table at {table.start}"
    left_out = table.total - len(table.rows)
    marker = _MARKER.match(text, table.end)
    if left_out:
        assert marker is not None
        assert (int(marker[1]), int(marker[2]), marker[4]) == (left_out, table.total, key)
    else:
        assert marker is None
    for path in table.nested:
        items = [item for row in source for item in _at(row, path)]
        left_out += _left_out(text, next(following), following, [items], key)
    return left_out


def _shows(table: ReadTable, source: list[Value]) -> bool:
    if table.total != len(source) or (table.numbers is None and len(table.rows) != len(source)):
        return False
    numbers = range(len(source)) if table.numbers is None else table.numbers
    expected = [source[number] for number in numbers]
    for path in table.nested:
        expected = [_counted(row, path) for row in expected]
    return list(numbers) == sorted(set(numbers)) and fingerprint(table.rows) == fingerprint(expected)


def _at(row: Value, path: tuple[str, ...]) -> list[Value]:
    for name in path:
        row = row.get(name) if isinstance(row, dict) else None
    return row if isinstance(row, list) else []


def _counted(row: Value, path: tuple[str, ...]) -> Value:
    if not path:
        return (f"+{len(row)}",) if isinstance(row, list) and row else row
    if not isinstance(row, dict) or path[0] not in row:
        return row
    return {**row, path[0]: _counted(row[path[0]], path[1:])}


def csv_arrays(text: str) -> list[list[Value]]:
    """Return the records of separated values below the header, as the one array that they are."""
    body = text.rstrip("\r\n")
    end = "\r\n" if body.split("\n")[0].endswith("\r") else "\n"
    records: list[str] = []
    for line in body.split(end):
        if records and records[-1].count('"') % 2:
            records[-1] += end.replace("\r", "") + line
        else:
            records.append(line)
    return [list(records[1:])]


# Conversations that hold them.

texts = documents().map(lambda document: document.text) | csv_texts()


@st.composite
def conversations(
    draw: st.DrawFn, most_turns: int = 3, outputs: st.SearchStrategy[str] = texts
) -> list[dict[str, Any]]:
    """Turns of a question, a call and its result, in OpenAI's or in Anthropic's format."""
    turn = draw(st.sampled_from((openai_turn, anthropic_turn)))
    questions = st.sampled_from(("", "which item failed?", "item-7919", "who is Zoë?")) | outputs
    turns = draw(st.lists(st.tuples(questions, outputs), min_size=1, max_size=most_turns))
    return [message for at, (question, output) in enumerate(turns) for message in turn(question, output, f"call_{at}")]


def openai_turn(question: str, output: str, call: str = "call", tool: str = "search") -> list[dict[str, Any]]:
    """A question, a call of a tool, and what the tool answered."""
    function = {"name": tool, "arguments": json.dumps({"query": question[:20]})}
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [{"id": call, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": call, "content": output},
    ]


def anthropic_turn(question: str, output: str, call: str = "call", tool: str = "search") -> list[dict[str, Any]]:
    """The same in Anthropic's format, the answer in a part beside a document."""
    use = {"type": "tool_use", "id": call, "name": tool, "input": {"query": question[:20]}}
    source = {"type": "text", "media_type": "text/plain", "data": output}
    answer = {"type": "tool_result", "tool_use_id": call, "content": [{"type": "text", "text": output}]}
    return [
        {"role": "user", "content": [{"type": "text", "text": question}, {"type": "document", "source": source}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [answer]},
    ]


def text_at(messages: Sequence[Any], message: int, path: Sequence[str | int]) -> str:
    """Return the text that stands at a change's place; for a call's input, the compact JSON that is counted."""
    found = messages[message]
    for key in path:
        found = found[key]
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, separators=(",", ":"))
