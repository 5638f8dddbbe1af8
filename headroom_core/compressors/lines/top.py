"""Write what is kept under one marker, where the units that are left out are all of one sort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from headroom_core.compressors.base import Compressed, Request
from headroom_core.markers import retrieve_call, write_marker

STRONG_RISK, WEAK_RISK = 0.1, 0.25
"""Probabilities of a retrieval, if the query names what is kept and if it does not."""

_DEPTH = 12
"""Directories are told apart up to this depth."""


def write_under_marker(
    kept: Iterable[str], omission: str, request: Request, *, reason: str, risk: float
) -> Compressed:
    """Return units under one marker that says what is left out between them.

    Args:
        kept: The units that are kept, each with its line end.
        omission: The number and kind of the others.
        request: Request of the compressor.
        reason: What was left out, for `CompressResult.changes`.
        risk: Probability that what was left out is asked for.
    """
    calls = [retrieve_call(request.key)] if request.key else []
    text = f"{write_marker(omission, calls)}\n{''.join(kept)}"
    return Compressed(text, lossless=False, reason=reason, risk=risk)


def count_by_directory(paths: Iterable[str], most: int = 10) -> str:
    """Return how many paths there are by directory, as deep as few words allow.

    Args:
        paths: The paths.
        most: Maximum number of directories to name.

    Example:
        >>> count_by_directory(["app/a.py", "app/b.py", "app/db/c.py", "d.py"])
        'app/ 2, ./ 1, app/db/ 1'
        >>> count_by_directory(["app/a.py", "app/b.py", "app/db/c.py", "d.py"], most=2)
        'app/ 3, ./ 1'
    """
    parents = (path.rpartition("/")[0] for path in paths)
    directories = Counter("/".join(parent.split("/", _DEPTH)[:_DEPTH]) for parent in parents)
    while len(directories) > most:
        depth = max(directory.count("/") for directory in directories)
        if not depth:
            break
        shorter: Counter[str] = Counter()
        for directory, count in directories.items():
            is_deep = directory.count("/") == depth
            shorter[directory.rpartition("/")[0] if is_deep else directory] += count
        directories = shorter
    ranked = sorted(directories.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{directory or '.'}/ {count}" for directory, count in ranked[:most]]
    others = sum(count for _, count in ranked[most:])
    return ", ".join([*named, *([f"others {others}"] if others else [])])
