"""Results of searches, as grep, ripgrep and `git grep` print them."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from samples import Sample

_AREAS = "billing cart search stock web".split()
_NAMES = "helpers models orders prices tasks views".split()
_ANSWER = "def settle_order(order: Order, *, dry_run: bool = False) -> Receipt:"
_OWN = re.compile(r"|\d{1,7}[:-].*|\S.*?(?: \(\+\d+\))?")

Found = tuple[str, int, str]


def _matches(lines: int, seed: int) -> list[Found]:
    """Return the path, the number and the text of lines with a name, a definition among them."""
    random = Random(seed)
    paths = [f"src/{area}/{name}.py" for area in _AREAS for name in _NAMES]
    per_file = max(1, lines // len(paths))
    found = []
    for path in paths[: max(1, lines // per_file)]:
        number = 0
        for _ in range(per_file):
            number += random.randrange(2, 90)
            text = random.choice(
                [
                    f"    receipt = settle_order(orders[{random.randrange(99)}])",
                    f"        # settle_order is called again after {random.randrange(60)} s",
                    "from billing.orders import settle_order",
                    f'    assert settle_order(order).total == "{random.randrange(10**4)}.50"',
                ]
            )
            found.append((path, number, text))
    place = len(found) // 2
    path, number, _ = found[place]
    found[place] = (path, number, _ANSWER)
    return found


def _flat(found: list[Found]) -> str:
    return "\n".join(f"{path}:{number}:{text}" for path, number, text in found)


def _headings(found: list[Found]) -> str:
    parts: list[str] = []
    before = ""
    for path, number, text in found:
        if path != before:
            parts += [*([""] if parts else []), path]
        parts.append(f"{number}:{text}")
        before = path
    return "\n".join(parts)


def _context(found: list[Found]) -> str:
    return "\n--\n".join(
        f"{path}-{number - 1}-\n{path}:{number}:{text}\n{path}-{number + 1}-    return receipt"
        for path, number, text in found[: max(1, len(found) // 4)] + found[len(found) // 2 :][:1]
    )


_FORMATS: dict[str, tuple[Callable[[list[Found]], str], str]] = {
    "git grep": (_flat, "git grep -n settle_order"),
    "ripgrep with headings": (_headings, "rg --heading -n settle_order"),
    "grep with context": (_context, "grep -rn -C1 settle_order src"),
}

SAMPLES = [
    Sample(
        f"search {name}",
        "search",
        lambda lines, seed, write=write: write(_matches(lines, seed)),  # type: ignore[misc]
        "Where is `settle_order` defined?",
        _ANSWER,
        tool="bash",
        call=f'{{"command": "{command}"}}',
        own_line=_OWN,
    )
    for name, (write, command) in _FORMATS.items()
]
