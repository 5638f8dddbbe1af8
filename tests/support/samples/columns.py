"""Tables of text, as commands print them."""

from __future__ import annotations

from random import Random

from samples import Sample

_QUERY = "How old is pod mail-77?"
_ANSWER = "mail-77"


def _rows(lines: int, seed: int) -> list[tuple[str, str, str, str]]:
    random = Random(seed)
    rows = [
        (
            f"{random.choice(['cart', 'mail', 'shop'])}-{1000 + number}",
            "Running",
            str(random.randrange(4)),
            f"{random.randrange(1, 90)}d",
        )
        for number in range(lines)
    ]
    rows[lines // 2] = ("mail-77", "Running", "2", "41d")
    rows[lines // 3] = ("shop-31", "CrashLoopBackOff", "812", "3d")
    return rows


def make_columns(lines: int, seed: int) -> str:
    rows = [("NAME", "STATUS", "RESTARTS", "AGE"), *_rows(lines, seed)]
    return "\n".join(f"{a:14}{b:20}{c:12}{d}" for a, b, c, d in rows)


def make_box(lines: int, seed: int) -> str:
    rule = f"+{'-' * 16}+{'-' * 20}+{'-' * 12}+{'-' * 8}+"
    rows = [("name", "status", "restarts", "age"), *_rows(lines, seed)]
    written = [f"| {a:15}| {b:19}| {c:11}| {d:7}|" for a, b, c, d in rows]
    return "\n".join([rule, written[0], rule, *written[1:], rule])


SAMPLES = [
    Sample("columns", "table", make_columns, _QUERY, _ANSWER, tool="list_pods"),
    Sample("box", "table", make_box, _QUERY, _ANSWER, tool="list_pods"),
]
