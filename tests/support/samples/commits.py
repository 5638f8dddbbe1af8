"""Lists of commits, as `git log` prints them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from samples import Sample

_VERBS = "Add Fix Move Remove Rename Simplify Test".split()
_THINGS = "the cart,the login page,the price list,old migrations,retries,the search index".split(
    ","
)
_AUTHORS = ["Ada Holm", "Ben Okoro", "Chi Lindqvist"]
_SUBJECT = "Round totals half to even"


class _Commit(NamedTuple):
    key: str
    author: str
    day: int
    subject: str


def _commits(count: int, seed: int) -> list[_Commit]:
    random = Random(seed)
    commits = [
        _Commit(
            f"{random.randrange(16**40):040x}",
            random.choice(_AUTHORS),
            1 + number % 28,
            f"{random.choice(_VERBS)} {random.choice(_THINGS)} (#{random.randrange(9000)})",
        )
        for number in range(max(1, count))
    ]
    place = len(commits) // 2
    commits[place] = _Commit("5e77" * 10, "Ada Holm", 9, _SUBJECT)
    return commits


def _one_line(lines: int, seed: int) -> str:
    return "\n".join(f"{commit.key[:8]} {commit.subject}" for commit in _commits(lines, seed))


def _graph(lines: int, seed: int) -> str:
    return "\n".join(f"* {commit.key[:8]} {commit.subject}" for commit in _commits(lines, seed))


def _medium(lines: int, seed: int) -> str:
    return "\n".join(
        f"commit {commit.key}\nAuthor: {commit.author} <{commit.author[:3].lower()}@example.org>\n"
        f"Date:   Sat Mar {commit.day:2} 09:30:00 2026 +0100\n\n    {commit.subject}\n"
        for commit in _commits(lines // 6, seed)
    )


def _stat(lines: int, seed: int) -> str:
    return "\n".join(
        f"commit {commit.key}\nAuthor: {commit.author} <{commit.author[:3].lower()}@example.org>\n"
        f"Date:   2026-03-{commit.day:02} 09:30:00 +0100\n\n    {commit.subject}\n\n"
        f" src/cart.py | {commit.day} +-\n 1 file changed, {commit.day} insertions(+)\n"
        for commit in _commits(lines // 9, seed)
    )


_FORMATS: dict[str, tuple[Callable[[int, int], str], str]] = {
    "one line": (_one_line, "git log --oneline"),
    "graph": (_graph, "git log --oneline --graph"),
    "medium": (_medium, "git log"),
    "stat": (_stat, "git log --stat"),
}

SAMPLES = [
    Sample(
        f"git log {name}",
        "git_log",
        make,
        f'Which commit is "{_SUBJECT}"?',
        _SUBJECT,
        tool="bash",
        call=f'{{"command": "{command}"}}',
    )
    for name, (make, command) in _FORMATS.items()
]
