"""The rolling window: drops the oldest turns first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.config import RollingWindowConfig
from headroom_core.messages import Draft
from headroom_core.results import TransformResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.pipeline import transform_messages
from headroom_core.transforms.windows.cutter import WindowCutter
from headroom_core.transforms.windows.limits import Limits, room_for
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutPolicy,
    CutState,
    Shorten,
    Truncate,
    first_protected_turn,
)
from headroom_core.transforms.windows.shorten import block_truncator
from headroom_core.transforms.windows.turns import TurnUnit


class RollingWindow:
    """Transform that drops the oldest turns of a conversation that is too large.

    A turn is a user message with everything up to the next user message. A tool call is dropped
    with all its results. All other messages are called spoken. If only part of a turn has to be
    dropped, its oldest tool calls are dropped first and its spoken messages last. System messages
    and the spoken messages of the last turns are kept; tool calls in the last turns are dropped if
    there is no other way, the oldest first, and then all messages of the last turns but the newest.
    The newest message and the last user message are never dropped. Dropped messages are stored, and
    a single marker replaces them, whose text changes only when further messages are dropped, or
    when only a marker with a single key meets the limit.

    The conversation is cut message by message from its beginning: a longer conversation drops every
    message that its beginning dropped. A cut leaves more free room the longer the conversation has
    lasted, so the next turns need no cut, and a prompt cache keeps hitting.

    Args:
        config: The settings, of which a copy is taken. Defaults to `RollingWindowConfig()`.
        model: Name of the model whose tokens are counted.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> messages = [
        ...     {"role": role, "content": f"{n} " + "word " * 200}
        ...     for n in range(20)
        ...     for role in ("user", "assistant")
        ... ]
        >>> result = RollingWindow().apply(messages, max_tokens=4000, store=MemoryStore())
        >>> result.tokens_after < 4000, result.messages[-1] is messages[-1]
        (True, True)
        >>> result.messages[0]["content"][:50]
        '[headroom: 34 messages left out here; originals: h'
    """

    name = "rolling_window"

    def __init__(self, config: RollingWindowConfig | None = None, *, model: str = "gpt-4o") -> None:
        self.config = RollingWindowConfig.snapshot_of(config) or RollingWindowConfig()
        self.tokenizer = Tokenizer(model)

    def __call__(self, draft: Draft) -> Draft:
        """Fit the draft into the window of the settings."""
        return self.fit(draft, self.limits(self.config.max_tokens))

    def apply(
        self,
        messages: Sequence[Any],
        max_tokens: int | None = None,
        *,
        store: Store | None = None,
        dialect: Any = None,
    ) -> TransformResult:
        """Fit messages into a window, and store the messages that are dropped.

        Args:
            messages: Messages of any format that `compress` reads. They are not modified.
            max_tokens: Number of tokens for the conversation and the reply. Defaults to
                `max_tokens` of the settings.
            store: Where originals are stored. Defaults to the default store.
            dialect: Format of the messages, by name or as a dialect object. Defaults to detecting
                it.

        Raises:
            ConfigurationError: If `max_tokens` is less than 1, or if the dialect is unknown.
            StorageError: If originals cannot be stored.
        """
        limits = self.limits(self.config.max_tokens if max_tokens is None else max_tokens)
        return transform_messages(
            lambda draft: self.fit(draft, limits),
            messages,
            self.tokenizer,
            store=store,
            dialect=dialect,
        )

    def limits(self, max_tokens: int) -> Limits:
        """Return the limits of a conversation that shares a window with the reply.

        Args:
            max_tokens: Size of the window.

        Raises:
            ConfigurationError: If `max_tokens` is less than 1.
        """
        return Limits(room_for(max_tokens, self.config.output_buffer_tokens))

    def fit(
        self,
        draft: Draft,
        limits: Limits,
        *,
        shorten: Shorten | None = None,
        truncate: Truncate | None = None,
        counted: Sequence[int] | None = None,
    ) -> Draft:
        """Return the draft within its limits.

        Args:
            draft: The conversation, with outlines.
            limits: Maximum size of the conversation.
            shorten: Shortens blocks before messages are dropped. None if they have been shortened
                already.
            truncate: Cuts single texts, where the limit cannot be met otherwise. Defaults to
                leaving lines out of outputs, then of what users wrote.
            counted: Number of tokens of each message as received. Defaults to counting them.
        """
        if not self.config.enabled or len(draft.outlines) != len(draft.messages):
            return draft
        policy = CutPolicy(
            name=self.name,
            settings=self.config.model_dump_json(),
            rank=self._rank,
            protected_turns=self.config.preserve_recent_turns,
            keep_system=self.config.preserve_system,
            shorten=shorten,
            truncate=truncate or block_truncator(draft, self.tokenizer),
        )
        return WindowCutter(draft, self.tokenizer, limits, policy, counted=counted).run()

    def _rank(self, state: CutState) -> Iterator[Candidate]:
        """Yield unprotected turns, then tool calls of the protected turns."""
        first_protected = first_protected_turn(state, self.config.preserve_recent_turns)
        yield from self._rank_turns(
            [unit for unit in state.unprotected if unit.turn < first_protected]
        )
        for unit in state.unprotected:
            if unit.turn >= first_protected:
                yield Candidate(
                    (unit,), "tool call of a protected turn: nothing else could be dropped"
                )

    def _rank_turns(self, units: Sequence[TurnUnit]) -> Iterator[Candidate]:
        """Yield the candidates turn by turn: each tool call alone, then its spoken messages."""
        units_by_turn: dict[int, list[TurnUnit]] = {}
        for unit in units:
            units_by_turn.setdefault(unit.turn, []).append(unit)
        age = "oldest" if self.config.drop_oldest_first else "newest"
        for turn in sorted(units_by_turn, reverse=not self.config.drop_oldest_first):
            reason = f"turn {turn} was among the {age} that are not protected"
            spoken: list[TurnUnit] = []
            for unit in units_by_turn[turn]:
                if unit.is_plain_step:
                    yield Candidate((unit,), reason)
                else:
                    spoken.append(unit)
            if spoken:
                yield Candidate(tuple(spoken), reason)
