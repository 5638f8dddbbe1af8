"""What is a table of separated values, and what only looks like one."""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headroom_core import (
    MemoryStore,
    Request,
    SmartCrusher,
    SmartCrusherConfig,
    compress,
    decode_table,
    retrieve,
)
from headroom_core.kinds import TextKind
from headroom_core.tables.codec import parse_text
from headroom_core.tables.csv.parse import parse_csv
from headroom_core.tables.frame import Frame
from headroom_core.tables.writer import write_table

CITIES = ("Elbe", "Oder", "Rhine", "Spree", "Main")
WORDS = "worker request cache unused import argument value missing returns expected".split()


def records(count: int = 40, separator: str = ",") -> list[str]:
    return [
        separator.join(
            (f"{1000 + n}", CITIES[n % 5], f"{n * 7 % 31}.{n % 10}", f"2026-01-{n % 28 + 1:02}")
        )
        for n in range(count)
    ]


def table(head: str = "id,river,depth,day", separator: str = ",", end: str = "\n") -> str:
    lines = [head.replace(",", separator), *records(separator=separator)]
    return "".join(line + end for line in lines)


def lossless(text: str, call: str | None = None) -> str | None:
    crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))
    result = crusher.compress(text, Request(key="0" * 24, tokens=len(text), call=call))
    if result:
        assert decode_table(result.text) == text
    return result.text if result else None


# Other regular lines.


def sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 6)))


LINES: dict[str, Callable[[random.Random, int], str]] = {
    "linter": lambda r, n: f"src/m{n}.py:{n}:{r.randint(1, 80)}: F401 [*] `os` imported, remove it",
    "linter, apart": lambda r, n: f"  {n}:{r.randint(1, 80)}  error  '{sentence(r)}', unused  no-x",
    "type checker": lambda r, n: f"a.ts({n},{r.randint(1, 80)}): error TS{n}: {sentence(r)}.",
    "compiler": lambda r, n: f"src/a.c:{n}:5: warning: {sentence(r)}, in '{n}' [-Wunused]",
    "compiler, bar": lambda r, n: f"{n:5} |     int {r.choice(WORDS)}_{n} = {n};",
    "logger": lambda r, n: f"2026-01-05 12:00:{n % 60:02},{n:03} INFO {sentence(r)}",
    "logger, bars": lambda r, n: f"20260105-12:00:{n % 60:02}|step|3000|{sentence(r)} {n}",
    "logger, tabs": lambda r, n: f"2026-01-05T12:00:{n % 60:02}\tINFO\t{n}\t{sentence(r)}",
    "containers": lambda r, n: f"{r.choice(('api', 'db'))}-1  | GET /{r.choice(WORDS)} {n}",
    "changes": lambda r, n: f" src/{r.choice(WORDS)}_{n}.py | {n % 30} {'+' * (n % 9)}--",
    "imports": lambda r, n: f"from {r.choice(WORDS)} import {r.choice(WORDS)}, a{n}",
    "statements": lambda r, n: f"INSERT INTO t (a, b) VALUES ({n}, '{sentence(r)}', '2026-01-05');",
    "rules": lambda r, n: f"  {r.choice(WORDS)}-{n}: {n}px;",
    "prose": lambda r, n: f"The {sentence(r)}, and then {sentence(r)}.",
    "settings": lambda r, n: f"{r.choice(WORDS)}_{n}=a,{n}",
    "calls": lambda r, n: f"draw({n}, {n * 3}, '{r.choice(WORDS)}')",
    "requirements": lambda r, n: f"{r.choice(WORDS)}{n}>=1.{n},<2",
    "a drawn table": lambda r, n: f"| {r.choice(CITIES)} | {n} | {n * 3} |",
}


@pytest.mark.parametrize("kind", LINES)
def test_regular_lines_are_no_table(kind: str) -> None:
    for seed in range(50):
        rng = random.Random(seed)
        lines = [LINES[kind](rng, n) for n in range(1, rng.randint(20, 120))]
        text = "\n".join(["Starting the worker, please wait"] * (seed % 2) + lines)
        assert parse_text(text) is None
        assert "[table " not in compress_output(text)


def compress_output(text: str) -> str:
    message = {"role": "tool", "tool_call_id": "c", "content": text}
    return str(compress([message], store=MemoryStore()).messages[0]["content"])


def source_files(count: int) -> list[Path]:
    found: list[Path] = []
    for suffix in (".py", ".pyi", ".js", ".css", ".toml", ".md", ".h", ".txt"):
        paths = sorted(
            path
            for folder in map(Path, sys.path)
            if folder.name == "site-packages"
            for path in folder.rglob(f"*{suffix}")
            if 2_000 < path.stat().st_size < 60_000
        )
        found += random.Random(suffix).sample(paths, min(len(paths), count // 4))
    return found[:count]


VIEWS: dict[str, Callable[[int, str], str]] = {
    "plain": lambda n, line: line,
    "cat -n": lambda n, line: f"{n:6}\t{line}",
    "arrow": lambda n, line: f"{n:5}→{line}",
    "colon": lambda n, line: f"{n}: {line}",
}


@pytest.mark.parametrize("view", VIEWS)
def test_source_files_are_no_tables_of_separated_values(view: str) -> None:
    for path in source_files(200):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        text = "\n".join(VIEWS[view](n, line) for n, line in enumerate(lines, 1))
        parts = parse_text(text) or []
        assert not [part for part in parts if not isinstance(part, str) and part.form == "csv"]


def fastest(call: Callable[[], object]) -> float:
    """Return the shortest time of a call in seconds of the processor."""
    times = []
    for _ in range(7):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("kind", LINES)
def test_telling_that_lines_are_no_table_is_cheaper_than_finding_their_words(kind: str) -> None:
    rng = random.Random(kind)
    text = "\n".join(LINES[kind](rng, n) for n in range(6_000))[:100_000]
    words = fastest(lambda: re.findall(r"\w+", text))
    assert fastest(lambda: TextKind(text).has_separators) < words / 4
    assert fastest(lambda: parse_csv(text)) < 1.5 * words  # mostly a third


# Tables.

TABLES = {
    "comma": table(),
    "tab": table(separator="\t"),
    "semicolon": table(separator=";"),
    "bar": table(separator="|"),
    "title": f"Export of 2026-01-05, all rows\n\n{table()}",
    "comments": f"# source: the gauges\n# rows, all of them\n{table()}",
    "comment below the header": table().replace("day\n", "day\n# in metres\n"),
    "fence": f"Here it is:\n\n```csv\n{table()}```\nThat is all.\n",
    "total": f"{table()}\n(40 rows)\n",
    "index": "".join(
        f"{number}{line}\n"
        for number, line in zip(
            ["", *range(40)], [",id,river,depth,day", *["," + r for r in records()]]
        )
    ),
    "equal names": table("id,river,depth,id"),
    "numeric names": table("region,river,2024,2025"),
    "quoted names": table('"id","river","depth","day"'),
    "some quoted names": table('"id",river,"depth",day'),
    "no header": "\n".join(records()),
    "no header, tab": "\n".join(records(separator="\t")),
    "no header, semicolon": "\n".join(records(separator=";")),
    "CRLF": table(end="\r\n"),
    "CR": table(end="\r"),
    "mixed ends": table().replace("1\n", "1\r\n"),
    "byte order mark": f"\ufeff{table()}",
    "ragged": table().replace("\n1009,", "\n1009,,").replace("\n1020,", "\nclosed "),
    "sections": f"North\n{table()}\nSouth\n{table('key,lake,length,since')}",
    "quotes": "\n".join(
        ["id,note", *[f'{n},"in flood, see\n{n % 3} ""below"""' for n in range(30)]]
    ),
    "inches": "\n".join(["id\tpipe", *[f'{n}\t{n % 4}" pipe' for n in range(1000, 1040)]]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_decoded_byte_for_byte(kind: str) -> None:
    text = TABLES[kind]
    parts = parse_text(text) or []
    frames = [part for part in parts if not isinstance(part, str)]
    assert len(frames) == 1 + (kind == "sections")
    written = "".join(part if isinstance(part, str) else write_table(part) for part in parts)
    assert decode_table(written) == text
    assert lossless(text) in (None, text, written)
    assert (frames[0].layout.header is None) == kind.startswith("no header")


def frames_in(text: str) -> list[Frame]:
    return [part for part in parse_csv(text) or () if isinstance(part, Frame)]


@pytest.mark.parametrize("header", ["2023,2024,2025", "2024,2025", "2025,2024,2023"])
def test_years_alone_are_names(header: str) -> None:
    rows = [",".join(str(n * k) for k in range(3, 4 + header.count(","))) for n in range(100)]
    (frame,) = frames_in("\n".join([header, *rows]))
    assert [field.name for field in frame.fields] == header.split(",")


def test_years_in_each_record_are_no_names() -> None:
    (frame,) = frames_in("\n".join(f"{1900 + n},{1901 + n},{1902 + n}" for n in range(100)))
    assert len(frame.source) == 100


@pytest.mark.parametrize(
    "units", [("ms", "GB"), (" s", " req/s"), (" min", " km/h"), (" °C", " EUR"), ("px", " m²")]
)
def test_numbers_with_units_are_alike(units: tuple[str, str]) -> None:
    rows = [f"web-{n},{n * 7 % 90 + 1}.5{units[0]},{n * 3 % 50}{units[1]}" for n in range(60)]
    (frame,) = [
        part
        for part in parse_text("\n".join(["host,first,second", *rows])) or ()
        if not isinstance(part, str)
    ]
    assert frame.layout.header == "host,first,second"
    assert len(frame.rows) == 60


def test_the_rows_of_tables_are_not_read_again() -> None:
    rows = "".join(f"{line}\n" for line in records())
    text = f'Step 2: {{"first":[table 40 rows: id,river,depth,day]\n{rows}, "second": 1}}'
    assert parse_text(text) is None


@pytest.mark.parametrize("separator", ["\t", "|"])
@pytest.mark.parametrize("header", ["id,status", "Ticket No.,Current status", ",status"])
def test_two_columns_with_rising_ids_are_shortened(separator: str, header: str) -> None:
    rows = [f"{n}{separator}{('open', 'closed', 'held')[n % 3]}" for n in range(1, 501)]
    text = "\n".join([header.replace(",", separator), *rows])
    assert len(compress_output(text)) < len(text) / 3
    numbered = "\n".join(f"{n:6}\t{line}" for n, line in enumerate(text.split("\n"), 1))
    sent = [line for line in compress_output(numbered).split("\n") if "[headroom: " not in line]
    assert {*sent} <= {*numbered.split("\n")}


@pytest.mark.parametrize("separators", [",\t", "\t,", ";|", ",\t,;"])
@pytest.mark.parametrize("title", ["", "The gauges\n"])
def test_tables_with_different_separators_may_follow(separators: str, title: str) -> None:
    text = "\n".join(f"{title}{table(separator=separator)}" for separator in separators)
    parts = parse_text(text) or []
    frames = [part for part in parts if not isinstance(part, str)]
    assert [frame.separator for frame in frames] == list(separators)
    written = "".join(part if isinstance(part, str) else write_table(part) for part in parts)
    assert decode_table(written) == text


def test_a_column_without_a_name_is_asked_for_by_its_number() -> None:
    store = MemoryStore()
    text = "\n".join(records(300))
    message = {"role": "tool", "tool_call_id": "c", "content": text}
    result = compress([message], store=store)
    assert "$n = column n without a name" in result.messages[0]["content"]
    assert ": #,$1,$2,$3,$4]" in result.messages[0]["content"]
    found = retrieve(result.ccr_hashes[0], where="$1 == 1203", store=store)
    assert records(300)[203] in found.text
    indexed = ",id,river,depth,day\n" + "".join(f"{n},{r}\n" for n, r in enumerate(records(300)))
    key = compress([{**message, "content": indexed}], store=store).ccr_hashes[0]
    assert "57,57,1057," in retrieve(key, where="$1 == 57", store=store).text


def test_equal_names_are_asked_for_together() -> None:
    store = MemoryStore()
    text = "id,river,id\n" + "".join(f"{n},{CITIES[n % 5]},{5000 + n}\n" for n in range(300))
    message = {"role": "tool", "tool_call_id": "c", "content": text}
    key = compress([message], store=store).ccr_hashes[0]
    assert "57,57,Main,5057" in retrieve(key, where="id == 5057", store=store).text.replace(
        CITIES[57 % 5], "Main"
    )


def test_a_file_name_in_the_call_declares_a_table() -> None:
    rng = random.Random(1)
    people = [f"{sentence(rng)} {n},{sentence(rng)}" for n in range(9)]
    text = "\n".join(["name,city", *people])
    assert parse_text(text) is None
    assert parse_text(text, is_declared=True) is not None
    lines = "\n".join(LINES["logger"](rng, n) for n in range(90))
    assert lossless(lines, call='{"command": "python load.py data.csv"}') is None
