"""Printing of the demonstration: plain text in at most 100 columns."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from headroom_core.messages import Change
from headroom_core.results import CompressResult

WIDTH = 100
_LABEL_WIDTH = 10
_TABLE_WIDTH = 42
# A piece of a long line that fits next to a label: up to a space or a comma if possible, else cut.
_LINE_PIECE = re.compile(
    rf".{{1,{WIDTH - _LABEL_WIDTH - 1}}}(?:[ ,]|$)|.{{1,{WIDTH - _LABEL_WIDTH}}}"
)


def style(text: str, code: str) -> str:
    """Style text with an ANSI code if the output is a terminal and NO_COLOR is not set."""
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    return f"\033[{code}m{text}\033[0m"


def print_title(text: str) -> None:
    """Print a heading."""
    print(f"\n{style(text, '1')}\n{style('─' * WIDTH, '2')}")


def print_text(label: str, text: str) -> None:
    """Print a text next to a label, with lines broken after a space or a comma."""
    pieces = [
        piece.strip() for line in text.splitlines() for piece in _LINE_PIECE.findall(line)
    ] or [""]
    print(f"{style(label.ljust(_LABEL_WIDTH - 1), '36')} {pieces[0]}")
    for piece in pieces[1:]:
        print(f"{'':{_LABEL_WIDTH}}{piece}")


def print_messages(
    result: CompressResult, schema_tokens: int = 0, previous: Sequence[Any] = ()
) -> None:
    """Print the tokens of every message before and after compression.

    Args:
        result: Result of compressing the messages of a request.
        schema_tokens: Tokens of the tool's schema. They are part of the request with compression,
            but not of the request without it.
        previous: Compressed messages of the previous request. Messages that were sent before in
            the same form are summed up in one line.
    """
    print(style(f"\n{'message':<24}{'before':>8}{'after':>8}", "2"))
    unchanged = _count_common(previous, result.messages)
    if unchanged:
        changes = [change for change in result.changes if change.message < unchanged]
        _print_row(
            f"the first {unchanged}",
            sum(change.tokens_before for change in changes),
            sum(change.tokens_after for change in changes),
            "sent before in the same form, byte for byte",
        )
    for change in result.changes:
        if change.message >= unchanged:
            _print_change(change, result.messages[change.message])
    if schema_tokens:
        _print_row(
            "the tool's schema", 0, schema_tokens, "headroom_retrieve, which the model may call"
        )
    before, after = result.tokens_before, result.tokens_after + schema_tokens
    _print_row("the request", before, after, format_saving(before, after), code="1;32")
    print()


def print_total(name: str, results: Sequence[CompressResult], schema_tokens: int = 0) -> None:
    """Print the tokens of all requests of a pipeline together.

    Args:
        name: Name of the pipeline.
        results: Result of each request.
        schema_tokens: Tokens of the tool's schema, which every request carries.
    """
    before = sum(result.tokens_before for result in results)
    after = sum(result.tokens_after + schema_tokens for result in results)
    requests = "1 request" if len(results) == 1 else f"{len(results)} requests"
    saving = style(format_saving(before, after), "1;32")
    print(f"{name:<16}{requests:<12}{before:>9,} -> {after:>7,} tokens   {saving}")


def format_saving(before: int, after: int) -> str:
    """Format the share of tokens that was saved."""
    return f"{1 - after / before:.1%} saved"


def _count_common(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Count the messages at the beginning that two requests have in common."""
    count = 0
    for message, other in zip(first, second):
        if message != other:
            break
        count += 1
    return count


def _print_change(change: Change, message: Any) -> None:
    name = f"{message.type}, call"
    if change.path[0] != "tool_calls":
        name = f"{message.type} {message.name or ''}"
    description = "" if change.action == "kept" else f"{change.by}: {change.reason}"
    _print_row(name, change.tokens_before, change.tokens_after, description)


def _print_row(name: str, before: int, after: int, text: str, *, code: str = "0") -> None:
    first, *more = textwrap.wrap(text, WIDTH - _TABLE_WIDTH) or [""]
    print(f"{name:<24}{before:>8,}{after:>8,}  {style(first, code)}".rstrip())
    for line in more:
        print(f"{'':{_TABLE_WIDTH}}{line}")
