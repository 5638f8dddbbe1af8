"""A conversation in which eleven tools answer in turn, generated: the same seed gives the same texts."""

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
    event,
    exchange,
    hexadecimal,
    moment,
    words,
)


def _csv_table(random: Random) -> str:
    out = io.StringIO()
    table = [database_row(random, index) for index in range(80)]
    writer = csv.DictWriter(out, table[0])
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue()


def _plain_log(random: Random) -> str:
    lines = []
    for second in range(150):
        level, message = event(random)
        lines.append(f"{moment(random, second)} {level:<5} [{random.choice(SERVICES)}] {message}")
    return "\n".join(lines)


def _source(random: Random) -> str:
    names = random.sample(WORDS, 24)
    return "\n\n\n".join(
        f'def {name}_{random.choice(WORDS)}(value: int) -> int:\n    """{words(random, 5, 9).capitalize()}."""\n'
        f"    total = value * {random.randrange(90)}\n    if total > {random.randrange(900)}:\n"
        f'        raise ValueError(f"{words(random, 3, 5)}: {{total}}")\n    return total'
        for name in names
    )


def _grep(random: Random) -> str:
    files = [f"src/{random.choice(WORDS)}/{random.choice(WORDS)}.py" for _ in range(12)]
    hits = ((name, line) for name in files for line in sorted(random.sample(range(900), 12)))
    return "\n".join(f"{name}:{line}:    {words(random, 4, 9)}" for name, line in hits)


def _diff(random: Random) -> str:
    hunks = []
    for _ in range(12):
        name = f"src/{random.choice(WORDS)}.py"
        body = "".join(f"{random.choice(' +- ')}    {words(random, 3, 8)}\n" for _ in range(14))
        start = random.randrange(1, 400)
        hunks.append(
            f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -{start},10 +{start},14 @@\n{body}"
        )
    return "".join(hunks)


def _page(random: Random) -> str:
    paragraphs = "".join(
        f'<p class="text-{hexadecimal(random, 4)}">{words(random, 30, 60)}.</p>\n'
        for _ in range(30)
    )
    linked = ((word, hexadecimal(random, 8)) for word in random.sample(WORDS, 30))
    links = "".join(
        f'<li><a href="/{word}" data-id="{number}">{word}</a></li>' for word, number in linked
    )
    head = "<!doctype html><html><head><style>a{color:red}</style></head>"
    return f"{head}<body><nav><ul>{links}</ul></nav>{paragraphs}</body></html>"


def _prose(random: Random) -> str:
    return "\n\n".join(
        ". ".join(words(random, 8, 18).capitalize() for _ in range(6)) + "." for _ in range(14)
    )


def _rows_of(shape: str, count: int) -> Callable[[Random], str]:
    return lambda random: array(shape, count, random.getrandbits(32))


OUTPUTS: dict[str, Callable[[Random], str]] = {
    "web_search": _rows_of("search", 40),
    "run_sql": _rows_of("database", 100),
    "query_logs": _rows_of("log", 100),
    "list_pods": _rows_of("pods", 60),
    "export_csv": _csv_table,
    "tail_log": _plain_log,
    "read_file": _source,
    "grep": _grep,
    "git_diff": _diff,
    "open_page": _page,
    "read_document": _prose,
}
"""Eleven tools, each with what it answers."""


def conversation(turns: int, seed: int) -> list[list[Message]]:
    """Return a conversation's turns, each a question, a tool call, its output and an answer; the tools take turns."""
    random = Random(f"conversation {seed}")
    tools = list(OUTPUTS)
    result = []
    for number in range(turns):
        tool = tools[number % len(tools)]
        messages = exchange(
            OUTPUTS[tool](random), number, tool, f"What about the {words(random, 2, 4)}?"
        )
        result.append(
            [*messages, {"role": "assistant", "content": f"It is the {words(random, 8, 14)}."}]
        )
    return result
