"""The intelligent context: the least important goes first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from headroom_core.compressors.smart_crusher import TableCompressor
from headroom_core.config import IntelligentContextConfig
from headroom_core.errors import ConfigurationError, StorageError
from headroom_core.messages import Change, Draft
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.results import TransformResult
from headroom_core.stores import Store, default_store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.pipeline import applied
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.shortening import shortening
from headroom_core.transforms.windows.cutter import WindowCutter
from headroom_core.transforms.windows.importance import (
    ImportanceScorer,
    ImportanceSignals,
    ImportanceSource,
)
from headroom_core.transforms.windows.limits import Limits, room_for
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutPolicy,
    CutState,
    Remember,
    Shorten,
    first_kept_turn,
)
from headroom_core.transforms.windows.turns import TurnUnit

_LEAST = 0.001
"""What is lost with each token at least."""

_UNKNOWN_TOOL = 0.5
"""What a tool counts for about which too little was learnt."""


class Records(Protocol):
    """The part of a store that remembers decisions."""

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        """Remember what is not known yet, and return what stands now."""
        ...

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        """Return those of the records that are known."""
        ...


class IntelligentContextManager:
    """Leaves out what matters least of a conversation that is larger than it may be.

    Importance is the sum of six signs, weighed by `ScoringWeights`: how new a message is, how many values it
    shares with the last messages, how often what its tool returned was asked for again, whether it tells of an
    error, how many later messages use a value that it was the first to name, and how many values it alone holds
    for its tokens. A call goes with all its results. What users and the model said in the last turns is kept, and
    of the older turns what users said goes last; the newest message and the last user's are never left out.

    What goes stands in the store, behind one marker. The conversation is cut message by message from the first
    one on, as `RollingWindow` does; importance is looked at only at cuts.

    Args:
        config: what to keep, and what counts; a snapshot is taken. None: the defaults.
        toin: what was learnt about tools; a `ToolIntelligence`. None: nothing.
        scorer: scores similarity to the recent messages. None: by the values that they share.
        model: the model whose tokens are counted.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> roles = ("user", "assistant")
        >>> talk = [{"role": role, "content": f"{n} " + "word " * 200} for n in range(20) for role in roles]
        >>> result = IntelligentContextManager().apply(talk, model_limit=4000, store=MemoryStore())
        >>> result.tokens_after < 4000, result.messages[-1] is talk[-1]
        (True, True)
        >>> result.changes[1].action, result.changes[1].reason[:10]
        ('dropped', 'importance')
    """

    name = "intelligent_context"

    def __init__(
        self,
        config: IntelligentContextConfig | None = None,
        *,
        toin: ImportanceSource | None = None,
        scorer: Scorer | None = None,
        model: str = "gpt-4o",
    ) -> None:
        self.config: IntelligentContextConfig = (config or IntelligentContextConfig()).snapshot()
        self.tokenizer = Tokenizer(model)
        self._learnt = toin if self.config.toin_integration else None
        self._scorer = scorer

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft with a gap where it is larger than the model's limit, if that is known.

        What was learnt about tools counts for nothing here, since no store remembers the decisions.
        """
        limit = model_info(self.tokenizer.model).context_limit
        return draft if limit is None else self.fit(draft, self.limits(limit))

    def apply(
        self,
        messages: Sequence[Any],
        tokenizer: Tokenizer | None = None,
        model_limit: int | None = None,
        *,
        store: Store | None = None,
        dialect: Any = None,
    ) -> TransformResult:
        """Return the messages that stay, and store those that do not.

        Outputs of tools are shortened first, where the excess is within `compress_threshold` of the limit.

        Args:
            messages: OpenAI, Anthropic or Google messages. They are not altered.
            tokenizer: counts the tokens. None: that of the manager's model.
            model_limit: tokens that the conversation may have, those of the reply included. None: the model's.
            store: where what is left out is kept. None: the default store.
            dialect: the name of the messages' format, or a dialect of your own. None: told from the messages.

        Returns:
            The result; its `changes` explain every message.

        Raises:
            ConfigurationError: model_limit is less than 1, or not given for a model whose limit is not known, or
                there is no such dialect.
            StorageError: what is left out cannot be kept.
        """
        counter = tokenizer or self.tokenizer
        limits = self.limits(_limit_of(counter.model) if model_limit is None else model_limit)
        kept = default_store() if store is None else store
        router = ContentRouter((TableCompressor(),), counter)

        def transform(draft: Draft) -> Draft:
            return self.fit(
                draft,
                limits,
                records=kept,
                shorten=shortening(draft, router, kept=True),
                counter=counter,
            )

        return applied(transform, messages, counter, kept, dialect)

    def limits(self, model_limit: int) -> Limits:
        """Return what a conversation may have when so many tokens are to hold it and the reply."""
        return Limits(room_for(model_limit, self.config.output_buffer_tokens))

    def fit(
        self,
        draft: Draft,
        limits: Limits,
        *,
        records: Records | None = None,
        shorten: Shorten | None = None,
        shorten_within: float | None = None,
        counter: Tokenizer | None = None,
        counted: Sequence[int] | None = None,
    ) -> Draft:
        """Return the draft with a gap where it is larger than the limits allow, and with each message explained.

        Args:
            draft: the conversation, with outlines.
            limits: how large it may be.
            records: where decisions are remembered that rest on what was learnt. None: nothing learnt counts.
            shorten: shortens blocks before anything is left out. None: that was done before.
            shorten_within: the share of the limit up to which an excess is met by shortening some outputs, the oldest
                first. None: the settings'.
            counter: counts the tokens. None: that of the manager's model.
            counted: the tokens of every message as it came. None: they are counted.
        """
        if len(draft.outlines) != len(draft.messages):
            return draft
        learnt = None if records is None else self._learnt
        ranking = _Ranking(self.config, draft, learnt, self._scorer)
        policy = CutPolicy(
            self.name,
            f"{self.config.model_dump_json()} {type(self._scorer).__name__}",
            ranking.rank,
            remember=self._remembering(records, ranking),
            shorten=shorten,
            shorten_within=self.config.compress_threshold
            if shorten_within is None
            else shorten_within,
        )
        fold = WindowCutter(draft, counter or self.tokenizer, limits, policy, counted)
        made = fold.run()
        reasons = ranking.explained(fold.moment()) if fold.gone else {}
        explained = [
            Change(
                message,
                (),
                "kept",
                self.name,
                reasons.get(message, "there is room for it"),
                size,
                size,
            )
            for message, size in enumerate(fold.sizes)
            if message not in fold.gone
        ]
        # Another manager's explanations, of a pipeline, gave the reasons of its own limit.
        others = (change for change in made.changes if change.path or change.action != "kept")
        return replace(
            made, changes=tuple(sorted((*others, *explained), key=lambda change: change.message))
        )

    def _remembering(self, records: Records | None, ranking: _Ranking) -> Remember | None:
        """Return what lets a decision stand that was made with what was learnt until then."""
        if records is None or self._learnt is None:
            return None if self._scorer is None else lambda _, decide: decide()

        def remember(key: str, decide: Callable[[], dict[int, str]]) -> dict[int, str]:
            try:
                stands = (
                    records.recall([key]).get(key)
                    or records.record({key: json.dumps(decide())})[key]
                )
                return {int(message): reason for message, reason in json.loads(stands).items()}
            except (StorageError, ValueError):
                # What was learnt counts for nothing where the decision cannot be kept, or read again.
                ranking.unlearn()
                return decide()

        return remember


def _limit_of(model: str) -> int:
    limit = model_info(model).context_limit
    if limit is None:
        raise ConfigurationError(
            f"model = {model!r}: its limit is not known; give model_limit", {"model": model}
        )
    return limit


class _Ranking:
    """One conversation's order of going, and why each message stays."""

    def __init__(
        self,
        config: IntelligentContextConfig,
        draft: Draft,
        learnt: ImportanceSource | None,
        scorer: Scorer | None,
    ) -> None:
        self._config = config
        self._learnt = learnt
        self._importance = ImportanceScorer(draft, config.recency_decay_rate, self._tool, scorer)

    def unlearn(self) -> None:
        """Let what was learnt about tools count for nothing from here on."""
        self._learnt = None

    def rank(self, moment: CutState) -> Iterator[Candidate]:
        """Yield what may go, the least important first, and what users said after everything else."""
        for unit, reason, worth in self._in_order(self._loose(moment), moment):
            yield Candidate((unit,), reason, worth)
        for unit in moment.present:
            if self._is_old(unit, moment) and _is_said_by_users(unit):
                yield Candidate(
                    (unit,), "an old message of the user's, since nothing else could go"
                )

    def explained(self, moment: CutState) -> dict[int, str]:
        """Return why each message would stay."""
        reasons = {id(unit): _protection(unit, moment) for unit in moment.turns.units}
        for unit, why, _ in self._in_order(self._loose(moment), moment):
            reasons[id(unit)] = f"there is room for it: {why}"
        return {
            message: reasons[id(unit)] for unit in moment.turns.units for message in unit.messages
        }

    def _loose(self, moment: CutState) -> list[TurnUnit]:
        """Return what may go by its importance."""
        return [
            unit
            for unit in moment.present
            if not _is_said_by_users(unit)
            and (unit.kind != "system" or not self._config.keep_system)
            and (unit.kind == "step" or self._is_old(unit, moment))
        ]

    def _is_old(self, unit: TurnUnit, moment: CutState) -> bool:
        return unit.turn < first_kept_turn(moment, self._config.keep_last_turns)

    def _in_order(
        self, units: list[TurnUnit], moment: CutState
    ) -> list[tuple[TurnUnit, str, float | None]]:
        if not self._config.use_importance_scoring:
            return [(unit, "the oldest that is not protected", None) for unit in units]
        weights = self._config.scoring_weights
        signs = self._importance.signs(units, moment.turns, moment.sizes)
        ranked: list[tuple[TurnUnit, ImportanceSignals]] = sorted(
            zip(units, signs), key=lambda pair: pair[1].weighed(weights)
        )
        return [(unit, sign.told(weights), _LEAST + sign.weighed(weights)) for unit, sign in ranked]

    def _tool(self, name: str | None) -> float:
        if self._learnt is None:
            return _UNKNOWN_TOOL
        value, confidence = self._learnt.importance(name)
        return value if confidence >= self._config.toin_confidence_threshold else _UNKNOWN_TOOL


def _protection(unit: TurnUnit, moment: CutState) -> str:
    """Return why a unit would be protected."""
    if unit.kind in ("system", "unknown"):
        return f"{unit.kind} messages are kept"
    if unit is moment.turns.spoke:
        return "the last user's message is kept"
    if unit is moment.turns.of[-1]:
        return "the newest message is kept"
    return (
        "a call is kept until it has its result"
        if unit.unanswered
        else "what was said in the last turns is kept"
    )


def _is_said_by_users(unit: TurnUnit) -> bool:
    return unit.kind == "user" or unit.spoken
