"""The intelligent context manager: drops the least important messages first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from headroom_core.compressors import REGISTRY
from headroom_core.config import HeadroomConfig, IntelligentContextConfig
from headroom_core.errors import ConfigurationError, StorageError
from headroom_core.messages import Change, Draft
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.results import TransformResult
from headroom_core.stores import Store, store_or_default
from headroom_core.stores.records import Records
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.pipeline import transform_messages
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.windows.cutter import WindowCutter
from headroom_core.transforms.windows.importance import ImportanceSource
from headroom_core.transforms.windows.limits import Limits, room_for
from headroom_core.transforms.windows.policy import (
    CutPolicy,
    Remember,
    Shorten,
    Truncate,
)
from headroom_core.transforms.windows.ranking import ImportanceRanking
from headroom_core.transforms.windows.shorten import block_shortener, block_truncator


class IntelligentContextManager:
    """Transform that drops the least important messages of a conversation that is too large.

    Importance is the weighted sum of six signals, with the weights of `ScoringWeights`: how new a
    message is, how many values it shares with the last messages, how often outputs of its tool
    have been retrieved, whether it reports an error, how many later messages use a value that it
    introduced, and how many values would be lost with it, relative to its tokens. A tool call is
    dropped with all its results. All other messages are called spoken. Those of users in older
    turns are dropped last, and those of the last turns only if the limit cannot be met otherwise;
    the newest message and the last user message are never dropped.

    Dropped messages are stored, and a single marker replaces them. Like `RollingWindow`, this cuts
    the conversation message by message from its beginning; importance is computed only at cuts.

    Args:
        config: The settings, of which a copy is taken. Defaults to `IntelligentContextConfig()`.
        toin: Statistics learned about tools, such as a `ToolIntelligence`. They are optional.
        scorer: Scores the similarity to the recent messages. Defaults to the share of their values
            that a message contains.
        model: Name of the model whose tokens are counted.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> messages = [
        ...     {"role": role, "content": f"{n} " + "word " * 200}
        ...     for n in range(20)
        ...     for role in ("user", "assistant")
        ... ]
        >>> manager = IntelligentContextManager()
        >>> result = manager.apply(messages, model_limit=4000, store=MemoryStore())
        >>> result.tokens_after < 4000, result.messages[-1] is messages[-1]
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
        self.config = IntelligentContextConfig.snapshot_of(config) or IntelligentContextConfig()
        self.tokenizer = Tokenizer(model)
        self._toin = toin if self.config.toin_integration else None
        self._scorer = scorer

    def __call__(self, draft: Draft) -> Draft:
        """Fit the draft into the context window of the model, if its size is known.

        Statistics learned about tools are ignored here, since no store can remember the decisions.
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
        """Fit messages into a context window, and store the messages that are dropped.

        If the excess is within `compress_threshold` of the limit, outputs of tools are shortened
        first.

        Args:
            messages: Messages of any format that `compress` reads. They are not modified.
            tokenizer: Counts the tokens. Defaults to the manager's tokenizer.
            model_limit: Number of tokens for the conversation and the reply. Defaults to the size
                of the model's context window.
            store: Where originals are stored. Defaults to the default store.
            dialect: Format of the messages, by name or as a dialect object. Defaults to detecting
                it.

        Returns:
            The result, whose `changes` explain every message.

        Raises:
            ConfigurationError: If `model_limit` is less than 1 or is missing for a model of
                unknown size, or if the dialect is unknown.
            StorageError: If originals cannot be stored.
        """
        counter = tokenizer or self.tokenizer
        limits = self.limits(_limit_of(counter.model) if model_limit is None else model_limit)
        kept = store_or_default(store)
        router = ContentRouter(REGISTRY.routes(HeadroomConfig()), counter)

        def transform(draft: Draft) -> Draft:
            return self.fit(
                draft,
                limits,
                records=Records(kept),
                shorten=block_shortener(draft, router, stored=True),
                counter=counter,
            )

        return transform_messages(transform, messages, counter, store=kept, dialect=dialect)

    def limits(self, model_limit: int) -> Limits:
        """Return the limits of a conversation that shares a context window with the reply.

        Args:
            model_limit: Size of the context window in tokens.

        Raises:
            ConfigurationError: If `model_limit` is less than 1.
        """
        return Limits(room_for(model_limit, self.config.output_buffer_tokens))

    def fit(
        self,
        draft: Draft,
        limits: Limits,
        *,
        records: Records | None = None,
        shorten: Shorten | None = None,
        truncate: Truncate | None = None,
        shorten_within: float | None = None,
        counter: Tokenizer | None = None,
        counted: Sequence[int] | None = None,
    ) -> Draft:
        """Return the draft within its limits, with a change that explains each message.

        Args:
            draft: The conversation, with outlines.
            limits: Maximum size of the conversation.
            records: Remembers decisions that depend on learned statistics. If None, learned
                statistics are ignored.
            shorten: Shortens blocks before messages are dropped. None if they have been shortened
                already.
            truncate: Cuts single texts, where the limit cannot be met otherwise. Defaults to
                leaving lines out of outputs, then of what users wrote.
            shorten_within: Share of the limit up to which an excess is met by shortening only the
                oldest outputs. Defaults to `compress_threshold` of the settings.
            counter: Counts the tokens. Defaults to the manager's tokenizer.
            counted: Number of tokens of each message as received. Defaults to counting them.
        """
        if len(draft.outlines) != len(draft.messages):
            return draft
        tokenizer = counter or self.tokenizer
        toin = None if records is None else self._toin
        ranking = ImportanceRanking(self.config, draft, toin, self._scorer)
        policy = CutPolicy(
            name=self.name,
            settings=f"{self.config.model_dump_json()} {type(self._scorer).__name__}",
            rank=ranking.rank,
            protected_turns=self.config.keep_last_turns,
            keep_system=self.config.keep_system,
            remember=self._make_remember(records, ranking),
            shorten=shorten,
            shorten_within=(
                self.config.compress_threshold if shorten_within is None else shorten_within
            ),
            truncate=truncate or block_truncator(draft, tokenizer),
        )
        cutter = WindowCutter(draft, tokenizer, limits, policy, counted=counted)
        result = cutter.run()
        explanations = self._explain_kept(cutter, ranking)
        # Explanations by an earlier manager in a pipeline refer to that manager's limit.
        others = (change for change in result.changes if change.path or change.action != "kept")
        changes = sorted((*others, *explanations), key=lambda change: change.message)
        return replace(result, changes=tuple(changes))

    def _explain_kept(self, cutter: WindowCutter, ranking: ImportanceRanking) -> list[Change]:
        """Return a change for each kept message that says why it is kept."""
        reasons = self._explain(cutter, ranking) if cutter.dropped else {}
        return [
            Change(
                message=message,
                path=(),
                action="kept",
                by=self.name,
                reason=reasons.get(message, "there is room for it"),
                tokens_before=size,
                tokens_after=size,
            )
            for message, size in enumerate(cutter.sizes)
            if message not in cutter.dropped
        ]

    def _explain(self, cutter: WindowCutter, ranking: ImportanceRanking) -> Mapping[int, str]:
        try:
            return ranking.explain(cutter.state())
        except StorageError:
            # What was decided stays decided, even if the statistics can no longer be read.
            ranking.ignore_toin()
            return ranking.explain(cutter.state())

    def _make_remember(
        self, records: Records | None, ranking: ImportanceRanking
    ) -> Remember | None:
        """Return a function that stores decisions based on the current learned statistics.

        Without it, the same cut might be decided differently once more has been learned.
        """
        if records is None or self._toin is None:
            # The decisions of a custom scorer must not be shared: its settings are unknown.
            return None if self._scorer is None else _decide_anew

        def remember(key: str, decide: Callable[[], dict[int, str]]) -> dict[int, str]:
            try:
                stored = records.recall([key]).get(key)
                if not stored:
                    stored = records.record({key: json.dumps(decide())})[key]
                decision = _read_decision(stored)
            except (StorageError, ValueError):
                # A decision that cannot be stored or read back must not depend on statistics.
                ranking.ignore_toin()
                decision = decide()
            records.remember({key: json.dumps(decision)})
            remembered = records.remembered([key])
            return _read_decision(remembered[key]) if remembered else decision

        return remember


def _read_decision(text: str) -> dict[int, str]:
    return {int(message): reason for message, reason in json.loads(text).items()}


def _decide_anew(_key: str, decide: Callable[[], dict[int, str]]) -> dict[int, str]:
    return decide()


def _limit_of(model: str) -> int:
    limit = model_info(model).context_limit
    if limit is None:
        raise ConfigurationError(
            f"model = {model!r} has no known context limit: pass model_limit", {"model": model}
        )
    return limit
