"""One request on its way: what is done with the blocks of its draft, and where their originals go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from headroom_core._internal.guard import Edge
from headroom_core.compressors import installed_compressors
from headroom_core.compressors.smart_crusher import TableCompressor, table_compressor
from headroom_core.config import HeadroomConfig, RelevanceScorerConfig, SmartCrusherConfig
from headroom_core.conversation.fitting import Fitting
from headroom_core.conversation.prefix_cache import Growth, Step
from headroom_core.conversation.replay import Replay, Waiting
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.errors import ConfigurationError
from headroom_core.insight import ToolIntelligence
from headroom_core.messages import Block, Change, Draft, causal_queries
from headroom_core.relevance import Scorer, scorer_from, why_words
from headroom_core.stores import Store, shared_store
from headroom_core.tokens.tokenizer import PER_REPLY, Tokenizer
from headroom_core.transforms.cache_aligner.aligner import CacheAligner
from headroom_core.transforms.router import ContentRouter, Outcome
from headroom_core.transforms.shortening import why_untouched
from headroom_core.transforms.windows.limits import budget_warnings, draft_tokens


def _snapshot(config: HeadroomConfig) -> HeadroomConfig:
    if not isinstance(config, HeadroomConfig):
        kind = type(config).__name__
        raise ConfigurationError(
            f"config is of type {kind}: give a HeadroomConfig", {"config": kind}
        )
    settings: HeadroomConfig = config.snapshot()
    return settings


def block_tokens(changes: Sequence[Change]) -> tuple[int, int]:
    """Return the tokens of all blocks before and after, those of blocks that are sent."""
    ofs = [change for change in changes if change.path]
    return sum(change.tokens_before for change in ofs), sum(change.tokens_after for change in ofs)


@lru_cache(maxsize=1)
def _defaults() -> HeadroomConfig:
    """Return the settings of requests that bring none; nobody changes them."""
    return HeadroomConfig()


@lru_cache(maxsize=32)
def _tables(crusher: str, relevance: str) -> TableCompressor:
    """Return the compressor of the settings that were set; it has no state, so that requests may share it."""
    return table_compressor(
        SmartCrusherConfig.model_validate_json(crusher),
        RelevanceScorerConfig.model_validate_json(relevance),
    )


def _stepped(draft: Draft, steps: Sequence[Step]) -> Draft:
    return replace(
        draft,
        blocks=tuple(step.block for step in steps),
        changes=tuple(step.change for step in steps),
    )


@dataclass(frozen=True, slots=True)
class Travelled:
    """What became of a conversation.

    Attributes:
        draft: the draft, with its changes.
        messages: what to send.
        tokens_before: tokens of the messages that came in.
        tokens_after: tokens of the messages to send.
    """

    draft: Draft
    messages: list[Any]
    tokens_before: int
    tokens_after: int


class Run:
    """One request: its settings, and what went wrong on the way.

    Attributes:
        config: a snapshot of the settings.
        tokenizer: counts the tokens.
        lossless: nothing may be left out, whatever the settings say.
        edge: collects the warnings.
        router: hands texts to compressors.
        replay: finds what blocks became.
        fitting: leaves out what does not fit.
        scorers: what scores relevance in this request; some may go by words alone where that was not asked for.
    """

    def __init__(
        self,
        config: HeadroomConfig | None,
        tokenizer: Tokenizer,
        store: Store | None,
        query: str | None,
        lossless: bool = False,
    ) -> None:
        self.config = _defaults() if config is None else _snapshot(config)
        self.lossless = lossless
        self.tokenizer = tokenizer
        self.edge = Edge()
        asked = self.config.smart_crusher, self.config.relevance
        tables = _tables(*(settings.model_dump_json(exclude_unset=True) for settings in asked))
        others = (
            self.edge.attempt(
                "the compressors of other packages were left out", installed_compressors
            )
            or ()
        )
        self.router = ContentRouter((*others, tables), tokenizer)
        names = ",".join(compressor.name for compressor in self.router.compressors)
        decisive = f"{tables.config.model_dump_json()} {names} {tokenizer.encoding}"
        relevance = self.config.relevance.model_dump_json()
        if relevance != _defaults().relevance.model_dump_json():
            decisive += f" {relevance}"
        kept, crusher = self._store(store), self.config.smart_crusher
        toin = (
            ToolIntelligence(kept)
            if kept is not None and self.config.ccr.feedback_enabled
            else None
        )
        followed_from = crusher.toin_confidence_threshold if crusher.use_feedback_hints else None
        self.replay = Replay(self.router, decisive, kept, query, self.edge, toin, followed_from)
        self._decisive = decisive, kept is None, self.config.content_router_enabled
        managed = self.config.intelligent_context.enabled and self.config.relevance.tier != "bm25"
        scorer = scorer_from(self.config.relevance) if managed else None
        self.scorers: list[Scorer | None] = [tables.scorer, scorer]
        self.fitting = Fitting(self.config, self.router, kept, toin, scorer, self.edge)

    def travelled(
        self, messages: list[Any], dialect: str | Dialect | None, token_budget: int | None
    ) -> Travelled:
        """Return what became of messages: the same ones where they cannot be read."""
        known = None if dialect is None else dialect_for([], dialect)
        limits = self.fitting.limits(token_budget)

        def travel() -> Travelled:
            chosen = known or dialect_for(messages)
            growth = Growth(chosen, messages, self._decisive)
            steps = self.steps(growth.draft.blocks, growth.steps)
            draft = self.aligned(_stepped(growth.draft, steps))
            counted = self._counted(messages, growth.counted)
            if counted is None:
                return Travelled(draft, chosen.render(draft), *block_tokens(draft.changes))
            growth.keep(steps, counted)
            tokens = draft_tokens(draft, counted, self.tokenizer)
            if limits is not None and tokens > limits.threshold:
                draft = self.fitting.fit(draft, limits, counted)
                tokens = draft_tokens(draft, counted, self.tokenizer)
            return Travelled(draft, chosen.render(draft), PER_REPLY + sum(counted), tokens)

        return self.edge.attempt(
            "the messages were passed through unread", travel
        ) or self._untouched(messages)

    def _untouched(self, messages: list[Any]) -> Travelled:
        counted = self._counted(messages)
        tokens = 0 if counted is None else PER_REPLY + sum(counted)
        return Travelled(Draft(tuple(messages), ()), messages, tokens, tokens)

    def _counted(self, messages: Sequence[Any], known: Sequence[int] = ()) -> list[int] | None:
        """Return the tokens of every message, None where they cannot be counted."""
        otherwise = "tokens beside the texts' were not counted"
        return self.edge.attempt(
            otherwise, lambda: [*known, *self.tokenizer.count_each(messages[len(known) :])]
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong, in words."""
        why = filter(None, map(why_words, self.scorers))
        return tuple(
            dict.fromkeys(
                [
                    *(f"relevance is scored by words alone: {one}" for one in why),
                    *self.edge.warnings,
                ]
            )
        )

    def steps(self, blocks: Sequence[Block], known: list[Step]) -> list[Step]:
        """Return what becomes of blocks, their originals stored.

        Args:
            blocks: the blocks.
            known: what became of the first of them when they came before.
        """
        new = zip(blocks[len(known) :], causal_queries(blocks)[len(known) :])
        starts = [
            *(step.start for step in known),
            *(self._start(block, query) for block, query in new),
        ]
        waiting = {at: start for at, start in enumerate(starts) if isinstance(start, Waiting)}
        outcomes = self.replay.outcomes(waiting)
        steps = []
        for at, start in enumerate(starts):
            outcome = outcomes[at] if isinstance(start, Waiting) else start
            if at < len(known) and known[at].outcome is outcome:
                steps.append(known[at])
            else:
                key = start.key if isinstance(start, Waiting) else ""
                steps.append(Step(start, outcome, *outcome.applied_to(blocks[at], key)))
        return steps

    def _start(self, block: Block, query: str) -> Waiting | Outcome:
        reason = self._why_not(block)
        return self.router.kept(block, reason) if reason else self.replay.waiting(block, query)

    def aligned(self, draft: Draft) -> Draft:
        """Return the draft with steady system prompts, where that is asked for."""
        if not self.config.cache_aligner.enabled:
            return draft
        aligner = CacheAligner(self.config.cache_aligner, model=self.tokenizer.model)
        return (
            self.edge.attempt("the system prompt was not aligned", lambda: aligner(draft)) or draft
        )

    def check_budget(self, tokens: int, token_budget: int | None) -> None:
        """Warn when the result is larger than the budget, or than the limit that the settings name for the model."""
        about = {"estimated": self.tokenizer.estimated}
        own = "model_context_limits less output_buffer_tokens"
        for name, limit in (("token_budget", token_budget), (own, self.fitting.own_limit())):
            for warning in budget_warnings(tokens, limit, name, **about):
                self.edge.warn(warning)

    def _why_not(self, block: Block) -> str | None:
        """Return why a block is not to be changed, None when it may be."""
        off = None if self.config.content_router_enabled else "content_router_enabled is off"
        return why_untouched(block) or off

    def _store(self, given: Store | None) -> Store | None:
        """Return where originals are kept, None when nothing may be left out."""
        if given is not None and not isinstance(given, Store):
            kind = type(given).__name__
            raise ConfigurationError(
                f"store is of type {kind}: give a store, such as open_store(url)", {"store": kind}
            )
        ccr = self.config.ccr
        if self.lossless or not (ccr.enabled and ccr.inject_marker):
            return None
        if given is not None:
            return given
        limits = (ccr.store_max_entries, ccr.store_ttl_seconds)
        if self.config.store_url:
            return shared_store(self.config.store_url, *limits)
        otherwise = "nothing is left out, because there is no store"
        return self.edge.attempt(otherwise, lambda: shared_store(None, *limits))
