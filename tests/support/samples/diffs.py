"""Diffs of several files, from Git and from `diff`."""

from __future__ import annotations

import re
from random import Random

from samples import Sample

_SHORT_HEADER = re.compile(r"diff \S+ index \S+ \d+")
_AREAS = "billing cart search stock web".split()
_ANSWER = "+    return round_half_even(total)"


def _hunks(path: str, count: int, random: Random, *, answer: bool) -> str:
    parts = []
    for number in range(count):
        line = 20 * number + 7
        old, new = random.randrange(900), random.randrange(900)
        added = _ANSWER if answer and not number else f"+    limit = min(limit, {new})"
        parts.append(
            f"@@ -{line},8 +{line},8 @@ def step_{number}(total: int) -> int:\n"
            f"     # What {path} does in step {number}.\n     order = load(total)\n"
            "     check(order)\n"
            f"-    limit = {old}\n{added}\n     write(order)\n     notify(order, {number})\n"
            "     return total\n"
        )
    return "".join(parts)


def _files(lines: int, seed: int) -> list[tuple[str, str]]:
    random = Random(seed)
    count = max(1, lines // 40)
    paths = [f"src/{random.choice(_AREAS)}/part_{number}.py" for number in range(count)]
    paths[count // 2] = "src/billing/totals.py"
    return [
        (path, _hunks(path, 4, random, answer=path == "src/billing/totals.py")) for path in paths
    ]


def _git(lines: int, seed: int) -> str:
    head = f"commit {seed:040x}\nAuthor: Ada Holm\n\n    Round totals half to even\n\n"
    return head + "".join(
        f"diff --git a/{path} b/{path}\nindex 6f5dc6a5..b023941b 100644\n"
        f"--- a/{path}\n+++ b/{path}\n{hunks}"
        for path, hunks in _files(lines, seed)
    )


def _plain(lines: int, seed: int) -> str:
    return "".join(
        f"--- {path}\t2026-03-07 09:12:00\n+++ {path}\t2026-03-07 09:30:00\n{hunks}"
        for path, hunks in _files(lines, seed)
    )


SAMPLES = [
    Sample(
        f"diff {name}",
        "diff",
        make,
        "What changed in src/billing/totals.py?",
        _ANSWER,
        tool="bash",
        call=f'{{"command": "{command}"}}',
        own_line=_SHORT_HEADER,
    )
    for name, make, command in [
        ("of git show", _git, "git show"),
        ("of plain files", _plain, "diff -ru old new"),
    ]
]
