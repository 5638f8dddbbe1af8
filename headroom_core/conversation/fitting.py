"""Making a conversation fit: which limits hold, what is left out, and what happens where that cannot be kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headroom_core._internal.guard import Edge
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.insight import ToolIntelligence
from headroom_core.messages import Draft
from headroom_core.models.lookup import model_info
from headroom_core.relevance import Scorer
from headroom_core.stores import Store
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.shortening import shortening
from headroom_core.transforms.windows.gap import without_originals
from headroom_core.transforms.windows.intelligent import IntelligentContextManager
from headroom_core.transforms.windows.limits import Limits, check_budget, draft_tokens, room_for
from headroom_core.transforms.windows.policy import Shorten
from headroom_core.transforms.windows.rolling import RollingWindow


@dataclass(frozen=True, slots=True)
class Fitting:
    """Leaves out what does not fit of a conversation whose blocks were shortened.

    Attributes:
        config: the settings.
        router: shortens blocks; its tokenizer counts.
        store: where what is left out is kept; None when nothing may be kept.
        toin: what was learnt about tools; None when nothing was.
        scorer: scores similarity to the recent messages; None by the values that they share.
        edge: collects the warnings.
    """

    config: HeadroomConfig
    router: ContentRouter
    store: Store | None
    toin: ToolIntelligence | None
    scorer: Scorer | None
    edge: Edge

    def limits(self, token_budget: int | None) -> Limits | None:
        """Return how large a conversation may be, None when nothing limits it.

        The budget is held whatever it costs. Where anything may be left out without one, so is the model's limit,
        and a conversation beyond `rolling_window.max_tokens`, where that is set, is cut once that pays.

        Raises:
            ConfigurationError: the budget is less than 1.
        """
        check_budget(token_budget)
        window, managed = self.config.rolling_window, self.config.intelligent_context
        if not (window.enabled or managed.enabled):
            return None
        reply = self._reply()
        name, overrides = self.router.tokenizer.model, self.config.model_context_limits or None
        model = self.edge.attempt(
            "the model's limit is not known", lambda: model_info(name, overrides=overrides)
        )
        may_leave_out = self.config.ccr.enabled and self.config.ccr.inject_marker
        room = (
            room_for(model.context_limit, reply)
            if model and model.context_limit and may_leave_out
            else None
        )
        hard = min((limit for limit in (token_budget, room) if limit is not None), default=None)
        if "max_tokens" not in window.model_fields_set or not may_leave_out:
            return None if hard is None else Limits(hard)
        soft = room_for(window.max_tokens, reply)
        return Limits(
            soft if hard is None else hard,
            soft,
            model.cache.break_even if model and model.cache else None,
        )

    def own_limit(self) -> int | None:
        """Return what may be sent by the limit that the settings name for the model, None where they name none."""
        limit = self.config.model_context_limits.get(self.router.tokenizer.model)
        return None if limit is None else room_for(limit, self._reply())

    def _reply(self) -> int:
        """Return the tokens to leave free for the reply."""
        managed = self.config.intelligent_context
        return (
            managed.output_buffer_tokens
            if managed.enabled
            else self.config.rolling_window.output_buffer_tokens
        )

    def fit(self, draft: Draft, limits: Limits, counted: Sequence[int]) -> Draft:
        """Return the draft with a gap where it was too large, what is left out stored.

        Args:
            draft: the conversation, its blocks shortened.
            limits: how large it may be.
            counted: the tokens of every message as it came.
        """
        shorten = shortening(draft, self.router, kept=False) if self.store is None else None
        otherwise = "nothing was left out to make it fit"
        made = self.edge.attempt(
            otherwise, lambda: self._cut(draft, limits, shorten, counted, self.store)
        )
        if made is None and self.store is not None:
            # Perhaps only because decisions cannot be remembered.
            made = self.edge.attempt(
                otherwise, lambda: self._cut(draft, limits, shorten, counted, None)
            )
        if made is None:
            return draft
        if self._is_kept(made):
            return made
        # Nothing that need not go is lost for good.
        fits = draft_tokens(draft, counted, self.router.tokenizer) <= limits.hard
        return draft if fits else without_originals(made)

    def _cut(
        self,
        draft: Draft,
        limits: Limits,
        shorten: Shorten | None,
        counted: Sequence[int],
        records: Store | None,
    ) -> Draft:
        if len(draft.outlines) != len(draft.messages):
            raise ConfigurationError(
                "the dialect gives no outlines of the messages: let its parse fill Draft.outlines"
            )
        model = self.router.tokenizer.model
        if not self.config.intelligent_context.enabled:
            window = RollingWindow(self.config.rolling_window, model=model)
            return window.fit(draft, limits, shorten=shorten, counted=counted)
        managed = self.config.intelligent_context
        manager = IntelligentContextManager(
            managed, toin=self.toin, scorer=self.scorer, model=model
        )
        return manager.fit(
            draft,
            limits,
            records=records,
            shorten=shorten,
            shorten_within=math.inf,
            counted=counted,
        )

    def _is_kept(self, draft: Draft) -> bool:
        """Store what was left out, and return whether that went well."""
        store = self.store
        if not draft.originals:
            return True
        if store is None:
            return False

        def put() -> bool:
            store.put_many(draft.originals)
            return True

        return bool(self.edge.attempt("what was left out of the conversation cannot be kept", put))
