"""The contract of a dialect: somebody's messages in, a draft out, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from headroom_core.messages import Draft


@runtime_checkable
class Dialect(Protocol):
    """Reads and writes one family of message formats.

    Rendering a draft in which no block was changed gives back the very objects that were parsed. A
    changed block changes that text alone: images, thinking, signatures, cache breakpoints and fields
    that nobody here knows stay in the message that they came in.

    Attributes:
        name: how the dialect is called in `compress(dialect=…)`.
    """

    name: str

    def matches(self, messages: Sequence[Any]) -> bool:
        """Return whether the messages are of this dialect."""
        ...

    def parse(self, messages: Sequence[Any]) -> Draft:
        """Return the messages' texts as blocks, and an outline of each message."""
        ...

    def note(self, text: str) -> Any:
        """Return a user's message with this text, which stands where messages are left out."""
        ...

    def render(self, draft: Draft) -> list[Any]:
        """Return the messages with the draft's texts, and the note of its gap in the place of what is left out."""
        ...
