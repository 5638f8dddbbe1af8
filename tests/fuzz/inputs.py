"""Random texts of every format, plain, mutated and hostile, made from a seed alone."""

from __future__ import annotations

import json
import pprint
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from documents import (
    ABSENT,
    CELLS,
    FORGED,
    HEADS,
    LEXEMES,
    NAMES,
    PATTERNS,
    PROSE,
    STRINGS,
    STYLES,
    Document,
    JSONPiece,
    Piece,
)
from forged import FORGED_HEADERS, FORGED_SIGNS

HEADERS = (
    *FORGED_HEADERS,
    *FORGED_SIGNS,
    "[table 2 entries: @,id]\n1,2\n3,4",
    "[table 2 rows: " + "a{" * 300 + "]",
    FORGED,
)
LINE_ENDS = ("\n", "\n", "\n", "\r\n", "\r", "\x85", "\u2028", "\x0c", "\n\r\n", "\n\n")
NOISE = (*STRINGS, *PROSE, *HEADERS, *LINE_ENDS, "\ud800", "\udc00", "[", "{", '"', "'", "\\", ",")
WORDS = "invoice payment failed at eu-3 while retrying order-7f3a for Zoë ERROR timeout".split()


@dataclass(frozen=True)
class Input:
    """A text, the name of its kind, and its pieces where they are known."""

    seed: int
    kind: str
    text: str
    document: Document | None = None

    def __str__(self) -> str:
        return f"seed {self.seed}, kind {self.kind!r}"


def make_input(seed: int) -> Input:
    """Return the input of a seed. Every third is a mutation of one."""
    random = Random(seed)
    kind = random.choice(tuple(KINDS))
    made = KINDS[kind](random)
    text, document = (made.text, made) if isinstance(made, Document) else (made, None)
    if random.randrange(3) == 0:
        other = KINDS[random.choice(tuple(KINDS))](random)
        text = _mutate(random, text, other.text if isinstance(other, Document) else other)
        return Input(seed, f"mutated {kind}", text)
    return Input(seed, kind, text, document)


def _mutate(random: Random, text: str, other: str) -> str:
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 0, 1, 1, 5, 60)))
        inserted = {
            "insert": random.choice(NOISE),
            "delete": "",
            "repeat": text[start:end] * 2,
            "splice": other[: random.randint(0, 300)],
            "ends": random.choice(LINE_ENDS),
        }
        text = text[:start] + inserted[random.choice(tuple(inserted))] + text[end:]
    return text.replace("\n", "\r\n") if random.randrange(12) == 0 else text


def _count(random: Random) -> int:
    """Return a number of rows: mostly few, as every row costs time."""
    return random.randint(3, random.choice((8, 8, 16, 40)))


def _scalar(random: Random) -> Any:
    kind = random.randrange(5)
    if kind == 0:
        return (random.choice(LEXEMES),)
    if kind == 1:
        return (str(random.randint(-(10**6), 10**6)),)
    if kind == 2:
        return random.choice((None, True, False))
    return random.choice(STRINGS)


def _value(random: Random, depth: int) -> Any:
    kind = random.randrange(6) if depth else 0
    if kind == 1:
        return {"x": _value(random, depth - 1), "a.b": _value(random, depth - 1)}
    if kind == 2:
        return {name: _value(random, depth - 1) for name in random.sample(NAMES, 2)}
    if kind == 3:
        return [_value(random, depth - 1) for _ in range(random.randint(0, 3))]
    if kind == 4:
        return [{"x": _scalar(random), "y": _scalar(random)} for _ in range(random.randint(0, 3))]
    return _scalar(random)


def _column(random: Random, count: int, depth: int) -> list[Any]:
    kind, deal = random.randrange(6), random.choice(PATTERNS)
    if kind == 0:
        return [(str(1000 + row),) for row in range(count)]
    if kind == 1:
        return [f"item-{row * 7919 % 10007}" for row in range(count)]
    if kind == 2 and depth < 2:
        inner = _rows(random, depth + 1, most=6)
        return [inner[: deal(row) % (len(inner) + 1)] for row in range(count)]
    pool = [_value(random, random.randint(0, 2)) for _ in range(random.randint(1, 5))]
    pool += [ABSENT] * (kind == 3)
    return [pool[deal(row) % len(pool)] for row in range(count)]


def _rows(random: Random, depth: int = 0, most: int = 30) -> list[Any]:
    count = random.randint(2, random.choice((6, 6, 12, most)))
    names = random.sample(NAMES, random.randint(1, 5))
    columns = [_column(random, count, depth) for _ in names]
    table: list[Any] = [
        {name: value for name, value in zip(names, row) if value is not ABSENT}
        for row in zip(*columns)
    ]
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        index = random.randrange(count)
        row = table[index] if isinstance(table[index], dict) else {}
        pairs = tuple(row.items())
        table[index] = random.choice(
            (
                dict(reversed(pairs)),
                (*pairs, *pairs[:1]) if len(pairs) > 1 else {},
                _scalar(random),
                {},
                {**row, "new": _scalar(random)},
            )
        )
    return table


def _json(random: Random) -> Document:
    table, style = _rows(random), random.choice(STYLES)
    form = random.choice(("array", "array", "entries", "wrapped", "two", "nested", "scalars"))
    value: Any = {
        "entries": lambda: {f"{NAMES[row % len(NAMES)]}{row}": v for row, v in enumerate(table)},
        "wrapped": lambda: {"next": None, "": {"rows": table, "ok": True}, "n": ("7",)},
        "two": lambda: [{"first": table, "second": [*table[1:], *table[:1]]}],
        "nested": lambda: [table, [table[:3], []], {}],
        "scalars": lambda: [_scalar(random) for _ in table],
    }.get(form, lambda: table)()
    return _surround(random, [JSONPiece(style.write(value), value)])


def _json_lines(random: Random) -> Document:
    style = random.choice((STYLES[0], STYLES[1]))
    rows = [row for row in _rows(random) if isinstance(row, (dict, list))]
    pieces: list[Piece] = []
    for row in rows:
        pieces += [JSONPiece(style.write(row), row), "\n"]
    return _surround(random, pieces)


def _surround(random: Random, inside: list[Piece]) -> Document:
    kind = random.randrange(5)
    before, after = (
        "\n".join(random.choices((*PROSE, *HEADERS), k=random.randint(0, 2))) for _ in range(2)
    )
    if kind < 2:
        return Document(tuple(inside))
    if kind == 2:
        return Document(("Result of step 2: ", *inside))
    if kind == 3:
        return Document((f"{before}\n```json\n", *inside, f"\n```\n{after}"))
    return Document((f"{before}\n", *inside, f"\n{after}"))


def _separated(random: Random) -> str:
    separator, end = random.choice(",\t;|"), random.choice(("\n", "\n", "\r\n", "\r"))
    header = random.sample(HEADS, random.randint(2, 4))
    pools = [random.choices(CELLS, k=random.randint(1, 5)) for _ in header[1:]]
    deal = random.choice(PATTERNS)
    records = [
        [str(1000 + row), *(pool[deal(row) % len(pool)] for pool in pools)]
        for row in range(_count(random))
    ]
    for _ in range(random.choice((0, 0, 1, 2))):
        index = random.randrange(len(records))
        records[index] = random.choice(
            ([], ["total"], [*records[index], "more"], ['odd "quote'], ["!", "x"])
        )
    lines = [separator.join(cells) for cells in [header, *records]]
    return end.join(lines) + random.choice(("", end, end * 2))


def _log(random: Random) -> str:
    lines = [
        f"2024-03-01 08:{row // 60:02}:{row % 60:02}.{random.randrange(1000):03} "
        f"{random.choice(('INFO', 'INFO', 'WARN', 'ERROR'))} worker-{random.randint(1, 4)} "
        + " ".join(random.choices(WORDS, k=6))
        for row in range(_count(random))
    ]
    for _ in range(random.randrange(3)):
        lines.insert(random.randrange(len(lines)), random.choice(NOISE))
    return random.choice(LINE_ENDS[:5]).join(lines)


def _plain_rows(random: Random) -> list[dict[str, Any]]:
    pool = (None, True, 1.5, -7, 1e400, "it's", 'say "hi"', "a\nb", "Zoë", (1, 2), [1], {"x": 1})
    deal = random.choice(PATTERNS)
    values = random.choices(pool, k=random.randint(1, 5))
    return [
        {"id": row, "state": values[deal(row) % len(values)], "name": f"n{row % 4}"}
        for row in range(_count(random))
    ]


def _many_rows(random: Random) -> Document:
    """Return enough rows to leave some out."""
    states = random.choice((("ok", "pending"), ("ok",), ("ok", "failed", "ERROR: timeout")))
    names = random.sample(NAMES, random.randint(1, 3))
    pool = [_value(random, 1) for _ in range(random.randint(1, 4))]
    rows: list[Any] = [
        {"id": (str(row),), "state": states[row % 31 % len(states)]}
        | {name: pool[row // 5 % len(pool)] for name in names}
        for row in range(random.randint(30, 90))
    ]
    return _surround(random, [JSONPiece(STYLES[0].write(rows), rows)])


def _python(random: Random) -> str:
    rows = _plain_rows(random)
    if random.randrange(3) == 0:
        return pprint.pformat(rows, sort_dicts=False, width=random.choice((40, 80)))
    if random.randrange(3) == 0:
        return "\n".join(map(repr, rows))
    return repr(rows)


def _columns(random: Random) -> str:
    """Return rows as a Markdown table, or with aligned columns."""
    rows = [[str(cell).replace("\n", " ") for cell in row.values()] for row in _plain_rows(random)]
    if random.randrange(2):
        lines = [" | ".join(cells) for cells in [["id", "state", "name"], ["---"] * 3, *rows]]
        return "\n".join(f"| {line} |" for line in lines)
    return "\n".join("".join(cell.ljust(14) for cell in cells).rstrip() for cells in rows)


def _forged(random: Random) -> str:
    rows = json.dumps(_plain_rows(random)[:20])
    return "\n".join(random.choices((*HEADERS, *PROSE, rows, "1,2", "0,+3", "~,"), k=6))


def _nesting(random: Random) -> str:
    depth = random.choice((3, 20, 20, 60, 200))
    opening, closing = random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("(", ")")))
    inner = random.choice(("1", "", json.dumps(_plain_rows(random)[:8])))
    return opening * depth + inner + closing * (depth - random.choice((0, 0, 1)))


def _strings(random: Random) -> str:
    """Return JSON inside strings of JSON, or values between noise."""
    text = _json(random).text if random.randrange(2) else _separated(random)
    for _ in range(random.randint(1, 3)):
        text = json.dumps({"type": "text", "body": text, "ok": True})
    return text


def _passages(random: Random) -> str:
    lines = [
        " ".join(random.choices(WORDS, k=random.randint(3, 20))) + random.choice((".", "?", ":"))
        for _ in range(random.randint(2, 20))
    ]
    numbered = random.randrange(3) == 0
    lines = [f"{row:6}\t{line}" for row, line in enumerate(lines, 1)] if numbered else lines
    return random.choice(LINE_ENDS).join(lines)


def _noise(random: Random) -> str:
    return "".join(random.choices(NOISE, k=random.randint(1, 40)))


KINDS: dict[str, Callable[[Random], Document | str]] = {
    "json": _json,
    "json lines": _json_lines,
    "separated values": _separated,
    "log": _log,
    "python": _python,
    "columns": _columns,
    "many rows": _many_rows,
    "forged": _forged,
    "nesting": _nesting,
    "strings": _strings,
    "passages": _passages,
    "noise": _noise,
}
