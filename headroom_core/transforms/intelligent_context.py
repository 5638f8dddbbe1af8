"""The intelligent context: the least important goes first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from headroom_core.compressors.smart_crusher import TableCompressor
from headroom_core.config import IntelligentContextConfig
from headroom_core.errors import ConfigurationError
from headroom_core.messages import Change, Draft, content_key
from headroom_core.models import model_info
from headroom_core.relevance import Scorer
from headroom_core.results import TransformResult
from headroom_core.stores import Store, default_store
from headroom_core.tokens import Tokenizer
from headroom_core.transforms.cuts import Fold, Leaving, Moment, Remember, Shorten, first_kept_turn
from headroom_core.transforms.direct import applied
from headroom_core.transforms.importance import Importance, Learnt, Signs, original
from headroom_core.transforms.limits import Limits, room_for
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.shortening import shortening
from headroom_core.transforms.turns import Unit

_VERSION = "1"
_LEAST, _USERS = 0.001, 2.0
"""What is lost with each token at least, and with each of an old message of the user's: more than of anything else."""

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
        toin: Learnt | None = None,
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
        return draft if limit is None else self.fitted(draft, self.limits(limit))

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
            return self.fitted(
                draft, limits, records=kept, shorten=shortening(draft, router, kept=True), counter=counter
            )

        return applied(transform, messages, counter, kept, dialect)

    def limits(self, model_limit: int) -> Limits:
        """Return what a conversation may have when so many tokens are to hold it and the reply."""
        return Limits(room_for(model_limit, self.config.output_buffer_tokens))

    def fitted(
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
            shorten_within: the share of the limit up to which no more is shortened than is needed. None: the settings'.
            counter: counts the tokens. None: that of the manager's model.
            counted: the tokens of every message as it came. None: they are counted.
        """
        if len(draft.outlines) != len(draft.messages):
            return draft
        ranking = _Ranking(self.config, draft, self._learnt if records else None, self._scorer)
        within = self.config.compress_threshold if shorten_within is None else shorten_within
        remember = self._remember(draft, limits, records)
        fold = Fold(
            draft,
            counter or self.tokenizer,
            limits,
            ranking.rank,
            remember=remember,
            shorten=shorten,
            shorten_within=within,
            by=self.name,
            settings=self.config.model_dump_json(),
            counted=counted,
        )
        made = fold.run()
        explained = [
            Change(message, (), "kept", self.name, ranking.why_kept(message), size, size)
            for message, size in enumerate(fold.sizes)
            if message not in fold.gone
        ]
        return replace(made, changes=tuple(sorted((*made.changes, *explained), key=lambda change: change.message)))

    def _remember(self, draft: Draft, limits: Limits, records: Records | None) -> Remember | None:
        """Return what lets a decision stand that was made with what was learnt until then."""
        if self._scorer is not None and (records is None or self._learnt is None):
            return lambda _, decide: decide()
        if records is None or self._learnt is None:
            return None
        texts = [(block.message, block.path, content_key(original(block))) for block in draft.blocks]
        settings = self.config.model_dump_json()

        def remember(index: int, decide: Callable[[], dict[int, str]]) -> dict[int, str]:
            parts = (_VERSION, settings, limits.hard, limits.soft, index, [t for t in texts if t[0] <= index])
            key = content_key(json.dumps(parts))
            stands = records.recall([key]).get(key) or records.record({key: json.dumps(decide())})[key]
            return {int(message): reason for message, reason in json.loads(stands).items()}

        return remember


def _limit_of(model: str) -> int:
    limit = model_info(model).context_limit
    if limit is None:
        raise ConfigurationError(f"model = {model!r}: its limit is not known; give model_limit", {"model": model})
    return limit


class _Ranking:
    """One conversation's order of going, and why each message stays."""

    def __init__(
        self, config: IntelligentContextConfig, draft: Draft, learnt: Learnt | None, scorer: Scorer | None
    ) -> None:
        self._config = config
        self._learnt = learnt
        self._importance = Importance(draft, config.recency_decay_rate, self._tool, scorer)
        self._told: dict[int, str] = {}

    def rank(self, moment: Moment) -> Iterator[Leaving]:
        """Yield what may go, the least important first."""
        kept_from = first_kept_turn(moment, self._config.keep_last_turns)
        protected = {"user"} if not self._config.keep_system else {"user", "system"}
        loose = [
            unit
            for unit in moment.present
            if unit.kind not in protected and (unit.kind == "step" or unit.turn < kept_from)
        ]
        self._told = {message: _protection(unit, moment) for unit in moment.turns.units for message in unit.messages}
        for unit, reason, worth in self._in_order(loose, moment):
            self._told.update(dict.fromkeys(unit.messages, reason))
            yield Leaving((unit,), reason, worth)
        for unit in moment.present:
            if unit.kind == "user" and unit.turn < kept_from:
                self._told.update(dict.fromkeys(unit.messages, "what users said goes last"))
                yield Leaving((unit,), "an old message of the user's, since nothing else could go", _USERS)

    def why_kept(self, message: int) -> str:
        """Return why a message stays."""
        return self._told.get(message, "there is room for it")

    def _in_order(self, units: list[Unit], moment: Moment) -> list[tuple[Unit, str, float | None]]:
        if not self._config.use_importance_scoring:
            return [(unit, "the oldest that is not protected", None) for unit in units]
        weights = self._config.scoring_weights
        signs = self._importance.signs(units, moment.turns, moment.sizes)
        ranked: list[tuple[Unit, Signs]] = sorted(zip(units, signs), key=lambda pair: pair[1].weighed(weights))
        return [(unit, sign.told(weights), _LEAST + sign.weighed(weights)) for unit, sign in ranked]

    def _tool(self, name: str | None) -> float:
        if self._learnt is None:
            return _UNKNOWN_TOOL
        value, confidence = self._learnt.importance(name)
        return value if confidence >= self._config.toin_confidence_threshold else _UNKNOWN_TOOL


def _protection(unit: Unit, moment: Moment) -> str:
    """Return why a unit would be protected."""
    if unit.kind == "system":
        return "system messages are kept"
    if unit is moment.turns.spoke:
        return "the last user's message is kept"
    if unit is moment.turns.of[-1]:
        return "the newest message is kept"
    return "a call is kept until it has its result" if unit.unanswered else "what was said in the last turns is kept"
