"""The content router: every text to the compressor that knows it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from headroom_core.compressors.base import Compressor, Hints, Request
from headroom_core.messages import Action, Block, Change
from headroom_core.tokens.tokenizer import Tokenizer

_NOT_TAKEN = "no compressor takes it: of no known kind, too small, or turned off"
_FAILED = "its compressor failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block became: the part of a `Change` that does not depend on where the block stands.

    Attributes:
        text: the new text, None where the block stays as it is.
        action: what kind of change it is.
        by: the compressor that made it.
        reason: why, or why not.
        tokens_before: the block's tokens as it came.
        tokens_after: the block's tokens as it goes.
    """

    text: str | None
    action: Action
    by: str
    reason: str
    tokens_before: int
    tokens_after: int

    @property
    def failed(self) -> bool:
        """Whether the block stays as it is because a compressor failed."""
        return self.reason == _FAILED

    def dumps(self) -> str:
        """Return the outcome as a line of JSON, to be remembered."""
        # Escaped, two surrogates that stand apart would be read back as one character.
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def loads(cls, line: str) -> Outcome:
        """Return the outcome that was remembered as this line."""
        return cls(**json.loads(line))

    def applied_to(self, block: Block, key: str) -> tuple[Block, Change]:
        """Return the block, whose text is kept under that key if any, with its new text, and the change."""
        keys = (key,) if key and self.action == "selected" else ()
        change = Change(
            block.message,
            block.path,
            self.action,
            self.by,
            self.reason,
            self.tokens_before,
            self.tokens_after,
            keys,
        )
        return (block if self.text is None else block.with_text(self.text)), change


@lru_cache(maxsize=4096)
def _kept(reason: str, tokens: int) -> Outcome:
    return Outcome(None, "kept", "", reason, tokens, tokens)


class ContentRouter:
    """Hands a text to the first compressor that claims it, and keeps the result only where it has fewer tokens.

    A result that leaves something out counts only where that is allowed and a marker in it names the original.

    Args:
        compressors: who is asked, in this order.
        tokenizer: counts the tokens.
    """

    def __init__(self, compressors: Sequence[Compressor], tokenizer: Tokenizer) -> None:
        self.compressors = tuple(compressors)
        self.tokenizer = tokenizer

    def kept(self, block: Block, reason: str) -> Outcome:
        """Return the outcome of leaving the block as it is."""
        return _kept(reason, self.tokenizer.count_text(block.text))

    def failed(self, block: Block) -> Outcome:
        """Return the outcome of a compressor's failure."""
        return self.kept(block, _FAILED)

    def route(
        self, block: Block, key: str, query: str, selecting: bool, hints: Hints | None = None
    ) -> Outcome:
        """Return what the block becomes.

        Args:
            block: the block.
            key: the key of its text, for markers.
            query: what relevance is scored against.
            selecting: whether units may be left out behind a marker.
            hints: what was learnt about the tool that produced the text.
        """
        tokens = self.tokenizer.count_text(block.text)
        request = Request(key, tokens, query, selecting, hints)
        for compressor in self.compressors:
            made = compressor.compress(block.text, request)
            lost = made is not None and not made.lossless and not (selecting and key in made.text)
            if made is None or lost:
                continue
            after = self.tokenizer.count_text(made.text)
            if after >= tokens:
                return Outcome(
                    None, "kept", compressor.name, "no form with fewer tokens", tokens, tokens
                )
            action: Action = "rewritten" if made.lossless else "selected"
            return Outcome(made.text, action, compressor.name, made.reason, tokens, after)
        return self.kept(block, _NOT_TAKEN)
