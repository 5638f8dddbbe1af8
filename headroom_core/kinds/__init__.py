"""The kind of a text: what it is, and which compressors may be meant for it."""

from __future__ import annotations

from functools import cached_property

from headroom_core.kinds.detect import KindName, detect_kind
from headroom_core.text.separated import find_separators


class TextKind:
    """The kind of a text, by cheap signs that are each looked for once, when first asked for.

    Compressors that cannot be meant skip a text by its signs. A compressor that may be meant looks
    for evidence itself.

    Args:
        text: The text.
        tool: Name of the tool that returned it, if one did and it is known.
        call: Arguments of the call that returned it, as text, if they are known.

    Example:
        >>> kind = TextKind('{"status": "ok"}')
        >>> kind.name, kind.has_brackets, kind.line_count, kind.first_line
        ('json', True, 1, '{"status": "ok"}')
    """

    def __init__(self, text: str, *, tool: str | None = None, call: str | None = None) -> None:
        self.text = text
        self.tool, self.call = tool, call

    @cached_property
    def name(self) -> KindName:
        """Name of the kind, `unknown` if the evidence for none is strong enough."""
        return detect_kind(self.text, tool=self.tool, call=self.call)

    @cached_property
    def has_brackets(self) -> bool:
        """Whether a bracket or a brace opens in it, as in JSON and in Python literals."""
        return "[" in self.text or "{" in self.text

    @cached_property
    def has_separators(self) -> bool:
        """Whether most lines have equally many of a separator, as in separated values."""
        return bool(find_separators(self.text))

    @cached_property
    def line_count(self) -> int:
        """Number of lines, without blank ones at the end."""
        return self.text.rstrip("\r\n").count("\n") + 1

    @cached_property
    def first_line(self) -> str:
        """The first line, without its line end."""
        return self.text.partition("\n")[0].rstrip("\r")
