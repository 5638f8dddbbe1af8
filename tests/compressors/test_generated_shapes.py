"""Test 300 generated documents: kept rows are whole, and left-out ones come back whole."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from headroom_core import MemoryStore, compress, decode_table, retrieve
from headroom_core.markers import marker_keys
from headroom_core.tables.codec import parse_text, render_lossless
from headroom_core.text.exact_json import fingerprint, parse

WORDS = "amber basalt cedar delta ember fjord grove heath islet jetty karst ledge".split()
NAMES = ["status", "owner", "qty", "price", "day", "note", "flag", "zone code", "a-b", "@at", "x.y"]
EXAMPLE = re.compile(r'where="((?:[^"\\]|\\.)*)"')


@dataclass
class Shape:
    """Generated document.

    Attributes:
        value: The document.
        name: The field by whose values rows are asked for.
        rows: The values of each row, by the value of that field.
        children: The values of its children.
    """

    value: Any
    name: str
    rows: dict[str, list[Any]]
    children: dict[str, list[Any]] = field(default_factory=dict)


def make_rows(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return rows with a distinct id first, and values of one kind in each column."""
    kinds: dict[str, Callable[[int], Any]] = {
        "word": lambda n: rng.choice(WORDS),
        "integer": lambda n: rng.randrange(10_000),
        "decimal": lambda n: rng.randrange(10_000) / 100,
        "date": lambda n: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "sentence": lambda n: ", ".join(rng.choices(WORDS, k=rng.randint(1, 4))),
        "flag": lambda n: rng.random() < 0.5,
        "number as text": lambda n: f"{rng.randrange(1000):05}",
    }
    columns = {name: rng.choice(list(kinds)) for name in rng.sample(NAMES, rng.randint(2, 6))}
    return [
        {"id": f"R-{n:04}", **{name: kinds[kind](n) for name, kind in columns.items()}}
        for n in range(count)
    ]


def values_by_id(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {row["id"]: list(row.values()) for row in rows}


def nested(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 150))
    named = [{**row, "by": {"login": f"u-{n}", "team": rng.choice(WORDS)}} for n, row in
             enumerate(rows)]  # fmt: skip
    value: Any = named
    for key in rng.sample(["data", "result", "page", "edges"], rng.randint(0, 3)):
        value = {"ok": True, key: value}
    found = {row["id"]: [*list(row.values())[:-1], *row["by"].values()] for row in named}
    return Shape(value, "id", found)


def aligned(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 300))
    members = [(name, [row[name] for row in rows]) for name in rows[0]]
    members.insert(rng.randrange(len(members)), ("unit", "mm"))
    return Shape({"place": "Brno", "hourly": dict(members)}, "id", values_by_id(rows))


def by_column(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 300))
    keys = [str(n) for n in range(len(rows))]
    if rng.random() < 0.3:
        keys = [f"k{n}" for n in range(len(rows))]
    if rng.random() < 0.3:
        split = {"columns": list(rows[0]), "index": keys, "data": [[*row.values()] for row in rows]}
        return Shape(split, "id", values_by_id(rows))
    columns = {name: dict(zip(keys, [row[name] for row in rows])) for name in rows[0]}
    return Shape(columns, "id", values_by_id(rows))


def below_a_header(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 300))
    lists = [list(row.values()) for row in rows]
    if rng.random() < 0.5:
        return Shape({"range": "A1", "values": [list(rows[0]), *lists]}, "id", values_by_id(rows))
    columns = [{"name": name, "type": "any"} for name in rows[0]]
    return Shape({"columns": columns, "rows": lists}, "id", values_by_id(rows))


def cells_in_objects(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 300))
    fields = {"fields": [{"name": name} for name in rows[0]]}
    cells = [{"f": [{"v": cell} for cell in row.values()]} for row in rows]
    return Shape({"schema": fields, "rows": cells}, "id", values_by_id(rows))


def map_of_objects(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(60, 150))
    keys = [f"node_modules/{row['id']}{rng.choice(['', chr(39), ' x', '/@s'])}" for row in rows]
    entries = {
        key: {name: cell for name, cell in row.items() if name == "id" or rng.random() < 0.7}
        for key, row in zip(keys, rows)
    }
    found = {key: [key, *entry.values()] for key, entry in entries.items()}
    return Shape({"packages": entries}, "@", found)


def map_of_scalars(rng: random.Random) -> Shape:
    entries: dict[str, Any] = {
        f"{rng.choice(WORDS)}.{rng.choice(WORDS)}_{n}{rng.choice(['', ' ', chr(39), '-b'])}": (
            rng.randrange(100_000) if rng.random() < 0.95 else rng.choice(WORDS)
        )
        for n in range(rng.randint(120, 600))
    }
    return Shape(entries, "@", {key: [key, value] for key, value in entries.items()})


def children(rng: random.Random) -> Shape:
    rows = make_rows(rng, rng.randint(40, 90))
    for n, row in enumerate(rows):
        row["items"] = [
            {"sku": f"S-{n:03}-{k}", "amount": rng.randrange(90), "label": rng.choice(WORDS)}
            for k in range(rng.randint(0, 4))
        ]
    found = {row["id"]: list(row.values())[:-1] for row in rows}
    items = {row["id"]: [cell for item in row["items"] for cell in item.values()] for row in rows}
    return Shape({"orders": rows}, "id", found, items)


KINDS = [
    nested,
    aligned,
    by_column,
    below_a_header,
    cells_in_objects,
    map_of_objects,
    map_of_scalars,
    children,
]


def as_shown(value: Any) -> str:
    """Return a value as a table shows it."""
    return value if isinstance(value, str) else json.dumps(value)


def missing_values(values: list[Any], text: str) -> list[Any]:
    quoted = [(value, json.dumps(as_shown(value))[1:-1]) for value in values if value is not None]
    return [value for value, shown in quoted if shown not in text and as_shown(value) not in text]


def shown_rows(shape: Shape, text: str) -> Iterator[str]:
    """Yield the ids of the rows that stand in the tables of a text."""
    tables = re.sub(r"^\[headroom: .*\]$", "", text, flags=re.MULTILINE)
    cells = set(re.split(r'[,\n"]', tables.replace('\\"', "")))
    return (key for key in shape.rows if key in cells or f'"{key}"' in tables)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_generated_documents_are_whole(kind: Callable[[random.Random], Shape]) -> None:
    count = -(-300 // len(KINDS))
    for seed in range(count):
        rng = random.Random(f"{kind.__name__} {seed}")
        shape = kind(rng)
        text = json.dumps(shape.value, indent=rng.choice([None, 2]))
        written = render_lossless(parse_text(text) or [])
        assert written is not None
        assert fingerprint(parse(decode_table(written))) == fingerprint(parse(text))
        wanted = rng.choice(list(shape.rows))
        check_selection(shape, text, wanted, rng)


def check_selection(shape: Shape, text: str, wanted: str, rng: random.Random) -> None:
    """Check that kept rows are whole in the output, and that left-out ones can be retrieved."""
    store = MemoryStore()
    messages = [
        {"role": "user", "content": f"What do you know of {wanted}?"},
        {"role": "tool", "tool_call_id": "call_1", "content": text},
    ]
    output = str(compress(messages, store=store).messages[1]["content"])
    (key,) = marker_keys(output)
    kept = set(shown_rows(shape, output))
    assert wanted in kept
    for name in kept:
        assert missing_values(shape.rows[name], output) == [], (name, output)
    left_out = [name for name in shape.rows if name not in kept]
    assert left_out
    for name in rng.sample(left_out, min(12, len(left_out))):
        condition = f"{shape.name} == '{name.replace(chr(39), chr(39) * 2)}'"
        found = retrieve(key, where=condition, store=store)
        assert found.found, found.reason
        values = [*shape.rows[name], *shape.children.get(name, [])]
        assert missing_values(values, found.text) == [], (condition, found.text)
    for example in EXAMPLE.findall(output):
        assert retrieve(key, where=example, store=store).found, example
