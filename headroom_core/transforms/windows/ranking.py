"""Ranks the units of a conversation by importance, and explains why each is kept or dropped."""

from __future__ import annotations

from collections.abc import Iterator

from headroom_core.config import IntelligentContextConfig
from headroom_core.messages import Draft
from headroom_core.relevance import Scorer
from headroom_core.transforms.windows.importance import (
    ImportanceScorer,
    ImportanceSignals,
    ImportanceSource,
)
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutState,
    first_protected_turn,
)
from headroom_core.transforms.windows.turns import TurnUnit

_MIN_LOSS_PER_TOKEN = 0.001
"""Added to the importance: among unimportant units, a small one is preferred."""

_THERE_IS_ROOM = "there is room for it"

_UNKNOWN_TOOL_IMPORTANCE = 0.5
"""Importance of a tool about which too little has been learned."""


class ImportanceRanking:
    """The order in which units of a conversation are dropped, and why the others are kept.

    Args:
        config: The settings.
        draft: The conversation.
        toin: Statistics learned about tools. None if they are ignored.
        scorer: Scores the similarity to the recent messages. Defaults to the share of their values
            that a unit contains.
    """

    def __init__(
        self,
        config: IntelligentContextConfig,
        draft: Draft,
        toin: ImportanceSource | None,
        scorer: Scorer | None,
    ) -> None:
        self._config = config
        self._toin = toin
        self._scorer = ImportanceScorer(
            draft, config.recency_decay_rate, self._tool_importance, scorer
        )

    def ignore_toin(self) -> None:
        """Ignore statistics learned about tools from here on."""
        self._toin = None

    def rank(self, state: CutState) -> Iterator[Candidate]:
        """Yield the least important units, then old messages of users."""
        yield from self._candidates(state)
        for unit in state.unprotected:
            if unit.has_user_text:
                yield Candidate((unit,), "old user message: nothing else could be dropped")

    def explain(self, state: CutState) -> dict[int, str]:
        """Return the reason why each message would be kept."""
        reasons = {id(unit): self._protection_reason(unit, state) for unit in state.turns.units}
        scored = self._config.use_importance_scoring
        for candidate in self._candidates(state):
            reason = f"{_THERE_IS_ROOM}: {candidate.reason}" if scored else _THERE_IS_ROOM
            for unit in candidate.units:
                reasons[id(unit)] = reason
        return {
            message: reasons[id(unit)] for unit in state.turns.units for message in unit.messages
        }

    def _candidates(self, state: CutState) -> list[Candidate]:
        """Return the units that may be dropped for their importance, the least important first."""
        units = [unit for unit in state.unprotected if not unit.has_user_text]
        if not self._config.use_importance_scoring:
            return [Candidate((unit,), "it was the oldest that is not protected") for unit in units]
        weights = self._config.scoring_weights
        scored: list[tuple[float, ImportanceSignals, TurnUnit]] = [
            (signals.weighted(weights), signals, unit)
            for unit, signals in zip(units, self._scorer.score(units, state.turns))
        ]
        scored.sort(key=lambda entry: entry[0])
        return [
            Candidate((unit,), signals.describe(weights), _MIN_LOSS_PER_TOKEN + importance)
            for importance, signals, unit in scored
        ]

    def _is_old(self, unit: TurnUnit, state: CutState) -> bool:
        return unit.turn < first_protected_turn(state, self._config.keep_last_turns)

    def _tool_importance(self, tool: str | None) -> float:
        if self._toin is None:
            return _UNKNOWN_TOOL_IMPORTANCE
        importance, confidence = self._toin.importance(tool)
        if confidence < self._config.toin_confidence_threshold:
            return _UNKNOWN_TOOL_IMPORTANCE
        return importance

    def _protection_reason(self, unit: TurnUnit, state: CutState) -> str:
        """Return why a unit that has no importance is kept."""
        if unit.kind in ("system", "unknown"):
            return f"{unit.kind} messages are kept"
        if unit is state.turns.last_user_unit:
            return "the last user message is kept"
        if unit is state.turns.unit_of[-1]:
            return "the newest message is kept"
        if state.turns.is_waiting(unit):
            return "tool calls are kept until they have their results"
        if self._is_old(unit, state):
            return f"{_THERE_IS_ROOM}: user messages are dropped last"
        return "spoken messages of the last turns are kept"
