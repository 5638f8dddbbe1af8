"""The contract of a compressor: text in, shorter text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Hints:
    """What earlier retrievals taught about a tool's output.

    Attributes:
        confidence: how much to trust them, between 0 and 1.
        keep: by how much to multiply the number of items to keep.
        fields: names of fields whose rows were asked for.
    """

    confidence: float
    keep: float = 1.0
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a compressor may know beside the text.

    Attributes:
        key: the key under which the text will be kept, for markers. Empty where nothing will be kept: then a
            marker says that what it stands for is not available any more.
        tokens: how many tokens the text has.
        query: what relevance is scored against; empty when there is none.
        selecting: whether units may be left out behind a marker. If not, the result must be lossless.
        hints: what was learnt about the tool that produced the text.
    """

    key: str
    tokens: int
    query: str = ""
    selecting: bool = False
    hints: Hints | None = None


@dataclass(frozen=True, slots=True)
class Compressed:
    """What a compressor made of a text.

    Attributes:
        text: the shorter text.
        lossless: whether the text says all that the original did. If not, it holds a marker with the
            request's key wherever something was left out.
        reason: what was done, for the reader of `CompressResult.changes`.
    """

    text: str
    lossless: bool
    reason: str


@runtime_checkable
class Compressor(Protocol):
    """Shortens the texts that it knows.

    A compressor is pure: the same text and request give the same result, in every process. It never
    stores, logs or counts. An installed package adds one to the router with an entry point in the group
    `headroom.compressors` that names a callable without arguments which returns one.

    Attributes:
        name: how it is called in `CompressResult.changes`.
    """

    name: str

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Return a shorter form of the text, or None when the text is not for this compressor."""
        ...
