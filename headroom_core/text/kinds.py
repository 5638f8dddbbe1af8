"""The kind of a text: cheap signs of JSON, tables, code, logs and diffs.

A sign is necessary, not sufficient. It lets a text skip the compressors that cannot be meant; a
compressor that is meant looks for evidence itself.
"""

from __future__ import annotations

from functools import cached_property


class TextKind:
    """The signs of a text. Each is looked for when it is first asked for, and once.

    Args:
        text: The text.

    Example:
        >>> kind = TextKind('{"status": "ok"}')
        >>> kind.has_brackets, kind.line_count, kind.first_line
        (True, 1, '{"status": "ok"}')
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def has_brackets(self) -> bool:
        """Whether a bracket or a brace opens in it, as in JSON and in Python literals."""
        return "[" in self.text or "{" in self.text

    @cached_property
    def line_count(self) -> int:
        """Number of lines, without blank ones at the end."""
        return self.text.rstrip("\r\n").count("\n") + 1

    @cached_property
    def first_line(self) -> str:
        """The first line, without its line end."""
        return self.text.partition("\n")[0].rstrip("\r")
