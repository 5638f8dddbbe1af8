"""The contract of a compressor: a text in, a shorter text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

UNCERTAIN_RISK = 0.2
"""Probability of a retrieval if nothing shows which part of a text is needed."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Lessons from earlier retrievals of a tool's outputs.

    Attributes:
        confidence: How far to trust them, from 0 to 1.
        keep: Factor by which to multiply the number of items to keep.
        fields: Names of the fields whose rows were asked for.
    """

    confidence: float
    keep: float = 1.0
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a compressor may know besides the text.

    Attributes:
        key: Key under which the original will be stored, for markers. Empty if it will not be
            stored: markers must then say that the original is not available.
        tokens: Number of tokens of the text.
        query: Text that relevance is scored against. Empty if there is none.
        selecting: Whether units may be left out behind a marker. If not, the result must be
            lossless.
        hints: Lessons from earlier retrievals of outputs of the same tool, if there are any.
        tool: Name of the tool that returned the text, if one did and it is known.
        call: Arguments of the call that returned the text, as text, if they are known.
        verbatim: Whether every line that stays must be as it was, because the text is that of a
            file, which may be quoted.
    """

    key: str
    tokens: int
    query: str = ""
    selecting: bool = False
    hints: Hints | None = None
    tool: str | None = None
    call: str | None = None
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class Compressed:
    """The result of a compressor.

    Attributes:
        text: The shorter text.
        lossless: Whether the text says everything that the original did. If not, a marker with
            the request's key stands wherever something was left out.
        reason: A short description for the reader of `CompressResult.changes`.
        risk: Probability, from 0 to 1, that what was left out is asked for. The higher it is, the
            more must be saved.
        saved: Estimate of the tokens saved by leaving out, compared with the lossless form of the
            text. None if it is not known; then the compressor is asked for that form too.
    """

    text: str
    lossless: bool
    reason: str
    risk: float = UNCERTAIN_RISK
    saved: int | None = None


@runtime_checkable
class Compressor(Protocol):
    """Shortens texts of one kind.

    A compressor is pure: the same text and request give the same result in every process. It never
    stores, logs or counts, and threads may share it.

    Five more members are optional:

    - `fingerprint`, a string that is different whenever results may be: the version of the code and
      its settings. It is part of the key under which results are recorded, so a new version
      takes effect at once. Defaults to the name.
    - `accepts(kind: TextKind) -> bool`, a cheap test of whether a text may be of the compressor's
      kind. Defaults to accepting every text.
    - `refusal(request: Request) -> str | None`, why a text is left alone whatever it holds, such as
      its size, for the reader of `CompressResult.changes`. Defaults to None: it is not.
    - `keeps_lines`, whether every line that stays is as it was, so that it may be asked about texts
      of files. Defaults to False.
    - `scorer`, the scorer of relevance that it uses, so that a warning says if it scores by words
      because embeddings are missing.

    Attributes:
        name: Name in `CompressResult.changes`.
    """

    name: str

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Return a shorter form of the text, or None if the text is of another kind."""
        ...
