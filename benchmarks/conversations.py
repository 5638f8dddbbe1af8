"""Generates conversations in which eleven tools take turns; the same seed gives the same texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from random import Random

from benchmarks.data import (
    SERVICES,
    WORDS,
    Message,
    array,
    database_row,
    exchange,
    make_event,
    make_hex_id,
    make_time,
    make_words,
)


def _make_csv_table(random: Random) -> str:
    out = io.StringIO()
    table = [database_row(random, index) for index in range(80)]
    writer = csv.DictWriter(out, table[0])
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def _make_log(random: Random) -> str:
    lines = []
    for second in range(150):
        level, message = make_event(random)
        time = make_time(random, second)
        lines.append(f"{time} {level:<5} [{random.choice(SERVICES)}] {message}")
    return "\n".join(lines)


def _make_source_file(random: Random) -> str:
    return "\n\n\n".join(_make_function(random, name) for name in random.sample(WORDS, 24))


def _make_function(random: Random, name: str) -> str:
    return (
        f"def {name}_{random.choice(WORDS)}(value: int) -> int:\n"
        f'    """{make_words(random, 5, 9).capitalize()}."""\n'
        f"    total = value * {random.randrange(90)}\n"
        f"    if total > {random.randrange(900)}:\n"
        f'        raise ValueError(f"{make_words(random, 3, 5)}: {{total}}")\n'
        "    return total"
    )


def _make_grep_hits(random: Random) -> str:
    files = [f"src/{random.choice(WORDS)}/{random.choice(WORDS)}.py" for _ in range(12)]
    hits = []
    for name in files:
        for line in sorted(random.sample(range(900), 12)):
            hits.append(f"{name}:{line}:    {make_words(random, 4, 9)}")
    return "\n".join(hits)


def _make_diff(random: Random) -> str:
    hunks = []
    for _ in range(12):
        name = f"src/{random.choice(WORDS)}.py"
        body = "".join(
            f"{random.choice(' +- ')}    {make_words(random, 3, 8)}\n" for _ in range(14)
        )
        start = random.randrange(1, 400)
        hunks.append(
            f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n"
            f"@@ -{start},10 +{start},14 @@\n{body}"
        )
    return "".join(hunks)


def _make_page(random: Random) -> str:
    paragraphs = "".join(
        f'<p class="text-{make_hex_id(random, 4)}">{make_words(random, 30, 60)}.</p>\n'
        for _ in range(30)
    )
    links = "".join(
        f'<li><a href="/{word}" data-id="{make_hex_id(random, 8)}">{word}</a></li>'
        for word in random.sample(WORDS, 30)
    )
    head = "<!doctype html><html><head><style>a{color:red}</style></head>"
    return f"{head}<body><nav><ul>{links}</ul></nav>{paragraphs}</body></html>"


def _make_prose(random: Random) -> str:
    return "\n\n".join(_make_paragraph(random) for _ in range(14))


def _make_paragraph(random: Random) -> str:
    return ". ".join(make_words(random, 8, 18).capitalize() for _ in range(6)) + "."


def _rows_maker(shape: str, count: int) -> Callable[[Random], str]:
    return lambda random: array(shape, count, random.getrandbits(32))


OUTPUTS: dict[str, Callable[[Random], str]] = {
    "web_search": _rows_maker("search", 40),
    "run_sql": _rows_maker("database", 100),
    "query_logs": _rows_maker("log", 100),
    "list_pods": _rows_maker("pods", 60),
    "export_csv": _make_csv_table,
    "tail_log": _make_log,
    "read_file": _make_source_file,
    "grep": _make_grep_hits,
    "git_diff": _make_diff,
    "open_page": _make_page,
    "read_document": _make_prose,
}
"""The function that makes an output, by tool."""


def conversation(turns: int, seed: int) -> list[list[Message]]:
    """Return a conversation by turns: a question, a tool call, its output and an answer each."""
    random = Random(f"conversation {seed}")
    tools = list(OUTPUTS)
    result = []
    for number in range(turns):
        tool = tools[number % len(tools)]
        output = OUTPUTS[tool](random)
        question = f"What about the {make_words(random, 2, 4)}?"
        messages = exchange(output, number, tool, question)
        answer = {"role": "assistant", "content": f"It is the {make_words(random, 8, 14)}."}
        result.append([*messages, answer])
    return result
