"""What the demonstration prints: plain text within a hundred columns."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from headroom_core.results import CompressResult

WIDTH = 100
_LEFT = 42
_SHORT = re.compile(rf".{{1,{WIDTH - 11}}}(?:[ ,]|$)|.{{1,{WIDTH - 10}}}")


def styled(text: str, code: str) -> str:
    """Return the text in a style where the terminal shows styles and nobody objects."""
    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    return text if plain else f"\033[{code}m{text}\033[0m"


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{styled(text, '1')}\n{styled('─' * WIDTH, '2')}")


def show(label: str, text: str) -> None:
    """Print a labelled text, its lines broken after a space or a comma."""
    first, *more = [
        part.strip() for line in text.splitlines() for part in _SHORT.findall(line)
    ] or [""]
    print(f"{styled(label.ljust(9), '36')} {first}")
    print("".join(f"{'':10}{line}\n" for line in more), end="")


def show_messages(result: CompressResult, schema: int = 0, before: Sequence[Any] = ()) -> None:
    """Print what became of every message; those that were sent `before` in the same form on one line.

    The tokens of the tool's `schema` are part of what the request costs, and not of what it would have cost.
    """
    print(styled(f"\n{'message':<24}{'before':>8}{'after':>8}", "2"))
    same = next(
        (n for n, pair in enumerate(zip(before, result.messages)) if pair[0] != pair[1]),
        len(before),
    )
    if same:
        known = [change for change in result.changes if change.message < same]
        tokens = (
            sum(change.tokens_before for change in known),
            sum(change.tokens_after for change in known),
        )
        _line(f"the first {same}", *tokens, "as they were sent before, byte for byte")
    for change in result.changes:
        if change.message >= same:
            message = result.messages[change.message]
            name = (
                f"{message.type}, call"
                if change.path[0] == "tool_calls"
                else f"{message.type} {message.name or ''}"
            )
            did = "" if change.action == "kept" else f"{change.by}: {change.reason}"
            _line(name, change.tokens_before, change.tokens_after, did)
    if schema:
        _line("the tool's schema", 0, schema, "headroom_retrieve, which the model may call")
    cost = result.tokens_before, result.tokens_after + schema
    _line("the request", *cost, saving(*cost), style="1;32")
    print()


def total(name: str, results: Sequence[CompressResult], schema: int = 0) -> None:
    """Print what the requests of one pipeline cost, each with the tool's schema, and what they would have cost."""
    costs = [(result.tokens_before, result.tokens_after + schema) for result in results]
    before, after = (sum(column) for column in zip(*costs))
    requests = f"{len(results)} request{'s' if len(results) > 1 else ''}"
    print(
        f"{name:<16}{requests:<12}{before:>9,} -> {after:>7,} tokens   {styled(saving(before, after), '1;32')}"
    )


def saving(before: int, after: int) -> str:
    """Return the share of the tokens that was saved, in words."""
    return f"{1 - after / before:.1%} saved"


def _line(name: str, before: int, after: int, text: str, style: str = "0") -> None:
    first, *more = textwrap.wrap(text, WIDTH - _LEFT) or [""]
    print(f"{name:<24}{before:>8,}{after:>8,}  {styled(first, style)}".rstrip())
    print("".join(f"{'':{_LEFT}}{line}\n" for line in more), end="")
