"""Token limits of a conversation, and the token counts that are compared with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headroom_core._internal.checks import require_positive_int
from headroom_core.dialects.access import write_blocks
from headroom_core.messages import Block, Draft
from headroom_core.tokens.tokenizer import TOKENS_PER_REPLY, Tokenizer


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum size of a conversation in tokens, including those that prime the reply.

    Attributes:
        hard: Maximum size of the result, if it can be reached.
        soft: Size from which to cut if a cut pays off. None if only `hard` counts.
        break_even: Takes the number of tokens that would be sent uncached and the number that
            would be dropped, and returns how many further requests it takes until a cut has paid
            off. None if a cut always pays off.
    """

    hard: int
    soft: int | None = None
    break_even: Callable[[int, int], float] | None = None

    @property
    def threshold(self) -> int:
        """Size up to which nothing is ever cut."""
        return self.hard if self.soft is None else min(self.hard, self.soft)


def room_for(max_tokens: int, reply: int) -> int:
    """Return how many tokens of a context window are left for the conversation.

    Args:
        max_tokens: Size of the window, which must hold the conversation and the reply.
        reply: Number of tokens to reserve for the reply; at most half of the window is reserved.

    Raises:
        ConfigurationError: `max_tokens` is not an integer of at least 1.
    """
    require_positive_int("max_tokens", max_tokens)
    return max_tokens - min(reply, max_tokens // 2)


def check_budget(token_budget: int | None) -> None:
    """Check that a token budget is an integer of at least 1, or None.

    Raises:
        ConfigurationError: It is not.
    """
    if token_budget is not None:
        require_positive_int("token_budget", token_budget, alternative="None for no budget")


def budget_warnings(
    tokens: int,
    limit: int | None,
    name: str = "the limit",
    *,
    estimated: bool = False,
    tool_tokens: int = 0,
) -> list[str]:
    """Return a warning if a result and its tools exceed a limit, otherwise an empty list.

    Args:
        tokens: Number of tokens of the result.
        limit: Maximum number of tokens, or None if there is no limit.
        name: Name of the limit in the warning.
        estimated: Whether `tokens` is an estimate.
        tool_tokens: Number of tokens of the request's tools.

    Example:
        >>> budget_warnings(120, 100, "token_budget")
        ['the result has 120 tokens, more than token_budget = 100: too little of it may be ...']
    """
    if limit is None or tokens + tool_tokens <= limit:
        return []
    amount = f"about {tokens}" if estimated else str(tokens)
    and_tools = f" and the tools have about {tool_tokens}" if tool_tokens else ""
    return [
        f"the result has {amount} tokens{and_tools}, more than {name} = {limit}: "
        "too little of it may be left out; protect less, send less, or raise it"
    ]


def message_sizes(draft: Draft, counted: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """Return the number of tokens of each message with the current texts of its blocks.

    Args:
        draft: The draft.
        counted: Number of tokens of each message as received.
        tokenizer: The tokenizer that counted them.
    """
    sizes = [*counted]
    joined: set[int] = set()
    changed: dict[int, list[Block]] = {}
    for block in draft.blocks:
        if block.original is not None:
            before = tokenizer.count_text(block.original)
            sizes[block.message] += tokenizer.count_text(block.text) - before
            changed.setdefault(block.message, []).append(block)
            if block.span > 1:
                joined.add(block.message)
    for index in joined:
        # The parts that were joined are counted by the dialect, each by itself.
        written = write_blocks(draft.messages[index], changed[index])
        sizes[index] = tokenizer.count_message(written, draft.counter)
    return sizes


class DraftCounter:
    """Counts the tokens that drafts of one conversation send.

    Args:
        counted: Number of tokens of each message as received.
        tokenizer: The tokenizer that counted them.
    """

    def __init__(self, counted: Sequence[int], tokenizer: Tokenizer) -> None:
        self.counted = counted
        self._tokenizer = tokenizer
        # The draft that the window measures is mostly the one that is sent.
        self._last: tuple[Draft, int] | None = None

    def count(self, draft: Draft) -> int:
        """Return the number of tokens that a draft sends, including the marker of its gap."""
        if self._last is not None and self._last[0] is draft:
            return self._last[1]
        sizes = message_sizes(draft, self.counted, self._tokenizer)
        tokens = sent_tokens(draft, sizes, self._tokenizer)
        self._last = draft, tokens
        return tokens

    def count_received(self) -> int:
        """Return the number of tokens of the conversation as received."""
        return TOKENS_PER_REPLY + sum(self.counted)


def sent_tokens(draft: Draft, sizes: Sequence[int], tokenizer: Tokenizer) -> int:
    """Return the number of tokens that a draft sends, including the marker of its gap.

    Args:
        draft: The draft.
        sizes: Number of tokens of each message with the current texts of its blocks.
        tokenizer: The tokenizer that counted them.
    """
    tokens = TOKENS_PER_REPLY + sum(sizes)
    if draft.gap is None:
        return tokens
    dropped = sum(sizes[message] for message in draft.gap.messages)
    note = tokenizer.count_message(draft.note(draft.gap.marker), draft.counter)
    return tokens - dropped + note
