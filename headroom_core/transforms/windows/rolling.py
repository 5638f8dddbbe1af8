"""The rolling window: the oldest turns go first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from headroom_core.config import RollingWindowConfig
from headroom_core.messages import Draft
from headroom_core.results import TransformResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.pipeline import applied
from headroom_core.transforms.windows.cutter import WindowCutter
from headroom_core.transforms.windows.limits import Limits, room_for
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutPolicy,
    CutState,
    Shorten,
    first_kept_turn,
)
from headroom_core.transforms.windows.turns import TurnUnit


class RollingWindow:
    """Leaves out the oldest turns of a conversation that is larger than it may be.

    A turn is a user's message with all that follows up to the next one; a call goes with all its results. Of a
    turn that need not go whole, its oldest calls go first and what was said last. What is said in system messages
    and in the last turns is kept; of the last turns' calls the oldest go where there is no other way, the newest
    message never. What goes stands in the store, behind one marker, whose text changes only when something more goes.

    The conversation is cut message by message from the first one on: what a longer one leaves out holds all that
    a shorter one left out. So that the next turns need no cut, and a prompt cache keeps hitting, a cut goes
    deeper the longer the conversation has gone on.

    Args:
        config: what to keep; a snapshot is taken. None: the defaults.
        model: the model whose tokens are counted.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> roles = ("user", "assistant")
        >>> talk = [{"role": role, "content": f"{n} " + "word " * 200} for n in range(20) for role in roles]
        >>> result = RollingWindow().apply(talk, max_tokens=4000, store=MemoryStore())
        >>> result.tokens_after < 4000, result.messages[-1] is talk[-1], result.messages[0]["content"][:50]
        (True, True, '[headroom: 30 messages left out here; originals: h')
    """

    name = "rolling_window"

    def __init__(self, config: RollingWindowConfig | None = None, *, model: str = "gpt-4o") -> None:
        self.config: RollingWindowConfig = (config or RollingWindowConfig()).snapshot()
        self.tokenizer = Tokenizer(model)

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with a gap where it is larger than the settings allow."""
        return self.fit(draft, self.limits(self.config.max_tokens))

    def apply(
        self,
        messages: Sequence[Any],
        max_tokens: int | None = None,
        *,
        store: Store | None = None,
        dialect: Any = None,
    ) -> TransformResult:
        """Return the messages that stay, and store those that do not.

        Args:
            messages: OpenAI, Anthropic or Google messages. They are not altered.
            max_tokens: tokens that the conversation may have, those of the reply included. None: the settings'.
            store: where what is left out is kept. None: the default store.
            dialect: the name of the messages' format, or a dialect of your own. None: told from the messages.

        Raises:
            ConfigurationError: max_tokens is less than 1, or there is no such dialect.
            StorageError: what is left out cannot be kept.
        """
        limits = self.limits(self.config.max_tokens if max_tokens is None else max_tokens)
        return applied(
            lambda draft: self.fit(draft, limits), messages, self.tokenizer, store, dialect
        )

    def limits(self, max_tokens: int) -> Limits:
        """Return what a conversation may have when so many tokens are to hold it and the reply."""
        return Limits(room_for(max_tokens, self.config.output_buffer_tokens))

    def fit(
        self,
        draft: Draft,
        limits: Limits,
        *,
        shorten: Shorten | None = None,
        counted: Sequence[int] | None = None,
    ) -> Draft:
        """Return the draft with a gap where it is larger than the limits allow.

        Args:
            draft: the conversation, with outlines.
            limits: how large it may be.
            shorten: shortens blocks before anything is left out. None: that was done before.
            counted: the tokens of every message as it came. None: they are counted.
        """
        if not self.config.enabled or len(draft.outlines) != len(draft.messages):
            return draft
        policy = CutPolicy(self.name, self.config.model_dump_json(), self._rank, shorten=shorten)
        return WindowCutter(draft, self.tokenizer, limits, policy, counted).run()

    def _rank(self, moment: CutState) -> Iterator[Candidate]:
        kept_from = first_kept_turn(moment, self.config.preserve_recent_turns)
        loose = [
            unit
            for unit in moment.present
            if unit.kind != "system" or not self.config.preserve_system
        ]
        yield from self._turns([unit for unit in loose if unit.turn < kept_from])
        for unit in loose:
            if unit.turn >= kept_from and unit.kind == "step" and not unit.spoken:
                yield Candidate(
                    (unit,), "an old call of the last turns, since nothing else could go"
                )

    def _turns(self, units: Sequence[TurnUnit]) -> Iterator[Candidate]:
        """Yield whole turns in the order in which they go, those with calls piece by piece."""
        turns: dict[int, list[TurnUnit]] = {}
        for unit in units:
            turns.setdefault(unit.turn, []).append(unit)
        first = self.config.drop_oldest_first
        for turn in sorted(turns, reverse=not first):
            reason = (
                f"turn {turn} is among the {'oldest' if first else 'newest'} that are not protected"
            )
            steps = [unit for unit in turns[turn] if unit.kind == "step" and not unit.spoken]
            said = tuple(unit for unit in turns[turn] if unit.kind != "step" or unit.spoken)
            yield from (Candidate((step,), reason) for step in steps)
            if said:
                yield Candidate(said, reason)
