"""How large a conversation may be, and how large it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headroom_core.errors import ConfigurationError
from headroom_core.messages import Draft
from headroom_core.tokens.tokenizer import PER_REPLY, Tokenizer


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a conversation may be, in tokens, the request for the reply included.

    Attributes:
        hard: what the result has at most, if that can be had.
        soft: from where to cut if it pays; None: not before `hard`.
        break_even: from the tokens that would be sent anew and those that would go, how many further requests it
            takes until changing what was sent has paid; None: it always pays.
    """

    hard: int
    soft: int | None = None
    break_even: Callable[[int, int], float] | None = None

    @property
    def threshold(self) -> int:
        """The tokens up to which nothing is ever cut."""
        return self.hard if self.soft is None else min(self.hard, self.soft)


def room_for(max_tokens: int, reply: int) -> int:
    """Return how many tokens may be sent when so many are to hold the conversation and the reply.

    Args:
        max_tokens: what is to hold both.
        reply: what to leave free for the reply; at most half is.

    Raises:
        ConfigurationError: max_tokens is less than 1.
    """
    if max_tokens < 1:
        raise ConfigurationError(
            f"max_tokens = {max_tokens}: give at least 1", {"max_tokens": max_tokens}
        )
    return max_tokens - min(reply, max_tokens // 2)


def check_budget(token_budget: int | None) -> None:
    """Refuse a budget that nothing can meet.

    Raises:
        ConfigurationError: it is no whole number, or less than 1.
    """
    if token_budget is None:
        return
    if not isinstance(token_budget, int) or isinstance(token_budget, bool):
        message = f"token_budget = {token_budget!r}: give a whole number of tokens, or None"
        raise ConfigurationError(message, {"token_budget": token_budget})
    if token_budget < 1:
        raise ConfigurationError(
            f"token_budget = {token_budget}: give at least 1", {"token_budget": token_budget}
        )


def budget_warnings(
    tokens: int, limit: int | None, name: str = "the limit", *, estimated: bool = False
) -> list[str]:
    """Return a warning where a result has more tokens than it may have.

    Example:
        >>> budget_warnings(120, 100, "token_budget")
        ['the result has 120 tokens, more than token_budget = 100: too little of it may be left out; ...']
    """
    if limit is None or tokens <= limit:
        return []
    said = f"the result has {'about ' * estimated}{tokens} tokens, more than {name} = {limit}"
    return [f"{said}: too little of it may be left out; protect less, send less, or raise it"]


def message_sizes(draft: Draft, counted: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """Return the tokens of every message as the draft's blocks have it.

    Args:
        draft: the draft.
        counted: the tokens of every message as it came.
        tokenizer: what counted them.
    """
    sizes = [*counted]
    for block in draft.blocks:
        if block.original is not None:
            sizes[block.message] += tokenizer.count_text(block.text) - tokenizer.count_text(
                block.original
            )
    return sizes


def draft_tokens(draft: Draft, counted: Sequence[int], tokenizer: Tokenizer) -> int:
    """Return the tokens of what a draft sends, the marker of its gap included; it takes what `message_sizes` takes."""
    return sent_tokens(draft, message_sizes(draft, counted, tokenizer), tokenizer)


def sent_tokens(draft: Draft, sizes: Sequence[int], tokenizer: Tokenizer) -> int:
    """Return the tokens of what a draft sends, the marker of its gap included, from the sizes of its messages."""
    if draft.gap is None:
        return PER_REPLY + sum(sizes)
    gone = sum(sizes[message] for message in draft.gap.messages)
    return PER_REPLY + sum(sizes) - gone + tokenizer.count_message(draft.note(draft.gap.marker))
