"""The limits of a conversation, and the window that drops messages to stay within them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headroom_core._internal.guard import Success, WarningCollector, attempt
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.insight import ToolIntelligence
from headroom_core.messages import Draft
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.stores import Store
from headroom_core.stores.records import Records
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.windows.intelligent import IntelligentContextManager
from headroom_core.transforms.windows.limits import (
    DraftCounter,
    Limits,
    check_budget,
    room_for,
)
from headroom_core.transforms.windows.policy import Shorten
from headroom_core.transforms.windows.rolling import RollingWindow
from headroom_core.transforms.windows.shorten import block_shortener, block_truncator


@dataclass(frozen=True, slots=True)
class ConversationWindow:
    """Transform that drops messages of a conversation that exceeds its limits.

    It uses the window that the settings enable.

    Attributes:
        config: The settings.
        limits: How large the conversation may be. None if nothing limits it.
        counter: Counts drafts. None if messages cannot be counted.
        router: Shortens blocks; its tokenizer counts.
        store: Records decisions. None if nothing may be stored: then blocks are shortened first.
        intelligence: Statistics learned about tools. None if there are none.
        scorer: Scores similarity to the recent messages. None to compare the values in them.
        collector: Collects warnings.
    """

    config: HeadroomConfig
    limits: Limits | None
    counter: DraftCounter | None
    router: ContentRouter
    store: Store | None
    intelligence: ToolIntelligence | None
    scorer: Scorer | None
    collector: WarningCollector

    name = "conversation_window"

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft without the messages that do not fit."""
        limits = self.limits
        if limits is None or self._count(draft) <= limits.threshold:
            return draft
        outcome = attempt(lambda: self._cut(draft, limits, self.store))
        if isinstance(outcome, Success):
            return outcome.value
        if self.store is not None:
            # Perhaps only because the store fails, which is not needed for a cut.
            unlearned = attempt(lambda: self._cut(draft, limits, None))
            if isinstance(unlearned, Success):
                self.collector.warn(
                    "importance was judged without what was learnt about tools: " + outcome.reason
                )
                return unlearned.value
        self.collector.warn(f"nothing was left out to make it fit: {outcome.reason}")
        return draft

    def fits(self, draft: Draft) -> bool:
        """Return whether a draft is within the limit that must be kept."""
        return self.limits is None or self._count(draft) <= self.limits.hard

    def _count(self, draft: Draft) -> int:
        """Return the tokens of a draft, 0 if its messages cannot be counted."""
        return 0 if self.counter is None else self.counter.count(draft)

    def _cut(self, draft: Draft, limits: Limits, records: Store | None) -> Draft:
        if len(draft.outlines) != len(draft.messages):
            raise ConfigurationError(
                "the dialect gives no outlines of the messages: let its parse fill Draft.outlines"
            )
        shorten: Shorten | None = None
        if self.store is None:
            # With a store, the router has shortened the blocks already.
            shorten = block_shortener(draft, self.router, stored=False)
        truncate = block_truncator(
            draft,
            self.router.tokenizer,
            policy=self.router.policy,
            stored=self.store is not None,
        )
        counted = None if self.counter is None else self.counter.counted
        model = self.router.tokenizer.model
        if not self.config.intelligent_context.enabled:
            window = RollingWindow(self.config.rolling_window, model=model)
            return window.fit(draft, limits, shorten=shorten, truncate=truncate, counted=counted)
        manager = IntelligentContextManager(
            self.config.intelligent_context,
            toin=self.intelligence,
            scorer=self.scorer,
            model=model,
        )
        return manager.fit(
            draft,
            limits,
            records=None if records is None else Records(records),
            shorten=shorten,
            truncate=truncate,
            shorten_within=math.inf,
            counted=counted,
        )


def reply_tokens(config: HeadroomConfig) -> int:
    """Return how many tokens are to be left free for the reply."""
    managed = config.intelligent_context
    if managed.enabled:
        return managed.output_buffer_tokens
    return config.rolling_window.output_buffer_tokens


def limits_for(
    config: HeadroomConfig,
    model: str,
    token_budget: int | None,
    collector: WarningCollector,
    *,
    tool_tokens: int = 0,
) -> Limits | None:
    """Return how large a conversation may be, or None if nothing limits it.

    The budget is kept whatever it costs. Without one, the model's limit is kept where anything may
    be left out, and a conversation beyond `rolling_window.max_tokens`, if that is set, is cut once
    that pays.

    Args:
        config: The settings.
        model: The name of the model.
        token_budget: Maximum number of tokens of the request. None for no budget.
        collector: Collects warnings.
        tool_tokens: Tokens of the request's tools, which leave less room for the conversation.

    Raises:
        ConfigurationError: The budget is not a whole number, or less than 1.
    """
    check_budget(token_budget)
    window = config.rolling_window
    if not (window.enabled or config.intelligent_context.enabled):
        return None
    reply = reply_tokens(config)
    overrides = config.model_context_limits or None
    info = collector.attempt(
        lambda: model_info(model, overrides=overrides), None, "the model's limit is not known"
    )
    may_leave_out = config.ccr.enabled and config.ccr.inject_marker
    hard = token_budget
    if info and info.context_limit and may_leave_out:
        room = room_for(info.context_limit, reply)
        hard = room if hard is None else min(hard, room)
    if "max_tokens" not in window.model_fields_set or not may_leave_out:
        return None if hard is None else Limits(_less_tools(hard, tool_tokens))
    soft = _less_tools(room_for(window.max_tokens, reply), tool_tokens)
    break_even = info.cache.break_even if info and info.cache else None
    return Limits(soft if hard is None else _less_tools(hard, tool_tokens), soft, break_even)


def _less_tools(limit: int, tool_tokens: int) -> int:
    """Return the room that tools leave. If they leave none, as much as possible is left out."""
    return max(1, limit - tool_tokens)


def configured_limit(config: HeadroomConfig, model: str) -> int | None:
    """Return the tokens that may be sent by the limit that the settings name for a model."""
    limit = config.model_context_limits.get(model)
    return None if limit is None else room_for(limit, reply_tokens(config))
