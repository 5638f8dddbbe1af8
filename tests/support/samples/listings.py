"""Listings of files: `ls`, `find`, `tree`, `git ls-tree`, `git status`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from random import Random

from samples import Sample

_AREAS = "api billing cart docs search stock web".split()
_PARTS = "core forms models pages tests".split()
_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty".split()
_ANSWER = "quarterly_tax_report.py"


def _paths(lines: int, seed: int) -> list[tuple[str, str]]:
    """Return directories and names of files, by directory."""
    random = Random(seed)
    directories = [f"{area}/{part}" for area in _AREAS for part in _PARTS]
    chosen = sorted(random.choice(directories) for _ in range(lines))
    paths = [
        (directory, f"{random.choice(_WORDS)}_{number}.{random.choice(['py', 'ts', 'md'])}")
        for number, directory in enumerate(chosen)
    ]
    paths[lines // 2] = (paths[lines // 2][0], _ANSWER)
    return paths


def _find(paths: list[tuple[str, str]]) -> str:
    return "\n".join(f"./{directory}/{name}" for directory, name in paths)


def _long(paths: list[tuple[str, str]]) -> str:
    parts = []
    for directory, group in groupby(paths, key=lambda path: path[0]):
        rows = [
            f"-rw-r--r-- 1 root root {len(name) * 97:6} Mar  7 09:1{len(name) % 10} {name}"
            for _, name in group
        ]
        parts.append("\n".join([f"./{directory}:", f"total {4 * len(rows)}", *rows]))
    return "\n\n".join(parts)


def _tree(paths: list[tuple[str, str]]) -> str:
    parts = ["."]
    for directory, group in groupby(paths, key=lambda path: path[0]):
        parts.append(f"├── {directory}")
        parts += [f"│   ├── {name}" for _, name in group]
    return "\n".join(parts)


def _ls_tree(paths: list[tuple[str, str]]) -> str:
    return "\n".join(
        f"100644 blob {Random(name).randrange(16**40):040x}\t{directory}/{name}"
        for directory, name in paths
    )


_FORMATS: dict[str, tuple[Callable[[list[tuple[str, str]]], str], str]] = {
    "find": (_find, "find . -type f"),
    "ls -lR": (_long, "ls -lR"),
    "tree": (_tree, "tree"),
    "git ls-tree": (_ls_tree, "git ls-tree -r HEAD"),
}

SAMPLES = [
    Sample(
        f"listing {name}",
        "listing",
        lambda lines, seed, write=write: write(_paths(lines, seed)),  # type: ignore[misc]
        "Which file makes the quarterly tax report?",
        _ANSWER,
        tool="bash",
        call=f'{{"command": "{command}"}}',
    )
    for name, (write, command) in _FORMATS.items()
]
