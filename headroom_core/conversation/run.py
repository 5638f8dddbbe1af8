"""One request of `compress`: its settings, and its steps, in which failures become warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from headroom_core._internal.checks import check_text
from headroom_core._internal.guard import Success, WarningCollector, attempt
from headroom_core.compressors import REGISTRY
from headroom_core.compressors.registry import Route
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.prefix_cache import CachedConversation
from headroom_core.conversation.replay import Replay
from headroom_core.conversation.window import ConversationWindow, configured_limit, limits_for
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.dialects.declarations import declared_names, declares_retrieval
from headroom_core.dialects.unread import unread_warnings
from headroom_core.errors import ConfigurationError
from headroom_core.insight import ToolIntelligence
from headroom_core.messages import Change, Draft, stored_originals
from headroom_core.relevance import Scorer, fallback_reason, scorer_from_config
from headroom_core.stores import Store, check_store, shared_store
from headroom_core.stores.base import may_evict
from headroom_core.stores.records import Records, are_saved, keep_unsaved
from headroom_core.text.sources import can_edit
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.base import Transform, transform_name
from headroom_core.transforms.break_even import BreakEven
from headroom_core.transforms.defaults import default_transforms
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.tool_policy import ToolPolicy
from headroom_core.transforms.windows.gap import without_originals
from headroom_core.transforms.windows.limits import DraftCounter, budget_warnings

_SENT_ORIGINAL = "sent original:"
"""Prefix of the records by which this process remembers that a marker named an original."""


@lru_cache(maxsize=1)
def _default_config() -> HeadroomConfig:
    """Return the settings of requests that bring none. They are never altered."""
    return HeadroomConfig()


def block_tokens(changes: Sequence[Change]) -> tuple[int, int]:
    """Return the tokens of all blocks before and after."""
    of_blocks = [change for change in changes if change.path]
    before = sum(change.tokens_before for change in of_blocks)
    return before, sum(change.tokens_after for change in of_blocks)


class RunContext:
    """The settings of a request, and everything that they decide.

    Args:
        config: The settings, of which a snapshot is taken. Defaults to `HeadroomConfig()`.
        tokenizer: Counts tokens.
        store: Store of the originals. Defaults to the one that the settings name.
        lossless: Whether nothing may be left out, whatever the settings say.
        offers_editing: Whether the request offers a tool that edits files.
        knows_tools: Whether it is known which tools the request offers.

    Attributes:
        config: The settings.
        tokenizer: Counts tokens.
        collector: Collects warnings.
        store: Store of originals and results. None if nothing may be left out.
        routes: Routes to the compressors.
        router: Routes a text, without a memory.
        scorers: Scorers of this request, any of which may have had to fall back on words.

    Raises:
        ConfigurationError: The config or the store is of a wrong type.
    """

    def __init__(
        self,
        config: HeadroomConfig | None,
        tokenizer: Tokenizer,
        store: Store | None,
        *,
        lossless: bool = False,
        offers_editing: bool = False,
        knows_tools: bool = True,
    ) -> None:
        self.config = HeadroomConfig.snapshot_of(config) or _default_config()
        self.tokenizer = tokenizer
        self.collector = WarningCollector()
        self.store = self._open_store(store, lossless)
        self.routes = self._find_routes(self.config)
        self.router = ContentRouter(
            self.routes,
            tokenizer,
            enabled=self.config.content_router_enabled,
            selecting=self.store is not None,
            break_even=BreakEven.from_config(self.config.ccr),
            policy=ToolPolicy.from_config(
                self.config,
                self._find_routes,
                offers_editing=offers_editing,
                knows_tools=knows_tools,
            ),
        )
        self.scorers = [route.scorer for route in self.routes]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings so far, each once."""
        reasons = [reason for scorer in self.scorers if (reason := fallback_reason(scorer))]
        fallbacks = [f"relevance is scored by words alone: {reason}" for reason in reasons]
        return tuple(dict.fromkeys([*fallbacks, *self.collector.warnings]))

    def check_limit(self, tokens: int, limit: int | None, name: str, tool_tokens: int = 0) -> None:
        """Warn if a result and the request's tools have more tokens than a limit allows."""
        estimated = self.tokenizer.estimated
        for warning in budget_warnings(
            tokens, limit, name, estimated=estimated, tool_tokens=tool_tokens
        ):
            self.collector.warn(warning)

    def _open_store(self, store: Store | None, lossless: bool) -> Store | None:
        check_store(store)
        ccr = self.config.ccr
        if lossless or not (ccr.enabled and ccr.inject_marker):
            return None
        if store is not None:
            return store
        limits = ccr.store_max_entries, ccr.store_ttl_seconds
        namespace = self.config.namespace
        if self.config.store_url:
            return shared_store(self.config.store_url, *limits, namespace=namespace)
        return self.collector.attempt(
            lambda: shared_store(None, *limits, namespace=namespace),
            None,
            "nothing is left out, because there is no store",
        )

    def _find_routes(self, config: HeadroomConfig) -> tuple[Route, ...]:
        def skip(reason: str) -> None:
            self.collector.warn(f"a compressor was left out: {reason}")

        return REGISTRY.routes(config, skip=skip)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The result of a run.

    Attributes:
        messages: The messages to send.
        changes: What was done with every block, and why.
        tokens_before: Tokens of the messages that were received.
        tokens_after: Tokens of the messages to send.
    """

    messages: list[Any]
    changes: tuple[Change, ...]
    tokens_before: int
    tokens_after: int


class CompressionRun(RunContext):
    """The steps of one request of `compress`, in which failures become warnings.

    Args:
        config: The settings. Defaults to `HeadroomConfig()`.
        tokenizer: Counts tokens.
        store: Store of the originals. Defaults to the one that the settings name.
        tools: Declarations of the request's tools. None if they are not known.
        query: Text to score new blocks against. Defaults to their causal queries.
        token_budget: Maximum number of tokens of the result. Defaults to the model's limit.
        dialect: Name of the messages' format, or a dialect. Defaults to detecting it.

    Raises:
        ConfigurationError: An argument has a wrong value.
    """

    def __init__(
        self,
        config: HeadroomConfig | None,
        tokenizer: Tokenizer,
        store: Store | None,
        *,
        tools: Sequence[Any] | None = None,
        query: str | None = None,
        token_budget: int | None = None,
        dialect: str | Dialect | None = None,
    ) -> None:
        cannot_retrieve = tools is not None and not declares_retrieval(tools)
        super().__init__(
            config,
            tokenizer,
            store,
            lossless=cannot_retrieve,
            offers_editing=any(map(can_edit, declared_names(tools))),
            knows_tools=tools is not None,
        )
        self._tool_tokens = tokenizer.count_tools(tools or ())
        check_text("query", query)
        self._query = query or ""
        self._token_budget = token_budget
        self._dialect = None if dialect is None else dialect_for([], dialect)
        self._omissions: list[str] = []
        self._limits = limits_for(
            self.config,
            tokenizer.model,
            token_budget,
            self.collector,
            tool_tokens=self._tool_tokens,
        )
        self._intelligence: ToolIntelligence | None = None
        if self.store is not None and self.config.ccr.feedback_enabled:
            self._intelligence = ToolIntelligence(self.store)
        self._fingerprint = self.router.fingerprint
        self._window: ConversationWindow | None = None
        self._conversation: CachedConversation | None = None
        self._counter: DraftCounter | None = None

    def parse(self, messages: list[Any]) -> Draft:
        """Read messages, and count their tokens. Messages that cannot be read give no blocks."""
        known: Sequence[int] = ()
        outcome = attempt(lambda: self._read(messages))
        if isinstance(outcome, Success):
            draft = outcome.value.draft
            known = outcome.value.counted
            self._conversation = outcome.value
        else:
            reason = outcome.reason
            self.collector.warn(f"the messages were passed through unread: {reason}")
            draft = Draft(tuple(messages), ())
        counted = self._count(messages, known)
        self._counter = None if counted is None else DraftCounter(counted, self.tokenizer)
        return draft

    def transforms(self) -> list[Transform]:
        """Return the transforms to apply, in order: none if the messages could not be read."""
        conversation = self._conversation
        if conversation is None:
            return []
        crusher = self.config.smart_crusher
        memory = Replay(
            conversation=conversation,
            counted=None if self._counter is None else self._counter.counted,
            settings=self._fingerprint,
            store=self.store,
            query=self._query,
            collector=self.collector,
            intelligence=self._intelligence,
            min_confidence=(
                crusher.toin_confidence_threshold if crusher.use_feedback_hints else None
            ),
        )
        self._window = self._create_window()
        return default_transforms(
            self.config,
            model=self.tokenizer.model,
            router=self.router.with_memory(memory),
            window=self._window,
        )

    def apply(self, transform: Transform, draft: Draft) -> Draft:
        """Apply a transform. A draft for which it fails stays as it is."""
        outcome = attempt(lambda: transform(draft))
        if isinstance(outcome, Success):
            return outcome.value
        name = transform_name(transform)
        self.collector.warn(f"the transform {name} was not applied: {outcome.reason}")
        return draft

    def store_originals(self, draft: Draft, previous: Draft) -> Draft:
        """Store the originals that a transform added to a draft.

        Args:
            draft: The draft after the transform.
            previous: The draft before it, which is returned if the originals cannot be stored,
                unless its messages do not fit or were left out before.
        """
        new = {key: text for key, text in draft.originals.items() if key not in previous.originals}
        if not new:
            return draft
        store = self.store
        if store is None:
            return previous if self._fits(previous) else without_originals(draft)
        records = Records(store)
        sent = {f"{_SENT_ORIGINAL}{key}": "" for key in new}
        named = new if not may_evict(store) else {**stored_originals(draft), **draft.originals}
        outcome = attempt(lambda: store.put_many(named))
        if isinstance(outcome, Success):
            records.remember(sent)
            return draft
        was_sent = records.remembered(sent).keys() == sent.keys() or are_saved(store, new)
        if not was_sent and self._fits(previous):
            self._omissions.append(
                "nothing was left out of the conversation, because it cannot be kept: "
                + outcome.reason
            )
            return previous
        # What was sent once is sent again, and what does not fit must be left out. The marker is
        # the same in any case: its originals are stored as soon as the store works again.
        keep_unsaved(store, new)
        records.remember(sent)
        self._omissions.append(
            "messages that were left out are in the memory of this process alone: " + outcome.reason
        )
        return draft

    def render(self, draft: Draft) -> RunOutcome:
        """Write messages, and count them."""
        received = list(draft.messages)
        if self._conversation is None:
            return RunOutcome(received, (), *self._unchanged_tokens())
        outcome = attempt(lambda: self._write(draft))
        if isinstance(outcome, Success):
            for omission in self._omissions:
                self.collector.warn(omission)
            return outcome.value
        reason = outcome.reason
        self.collector.warn(f"the messages were passed through, because writing failed: {reason}")
        return RunOutcome(received, (), *self._unchanged_tokens())

    def check_limits(self, tokens: int) -> None:
        """Warn if the result has more tokens than the budget or the settings allow."""
        tools = self._tool_tokens
        self.check_limit(tokens, self._token_budget, "token_budget", tools)
        limit = configured_limit(self.config, self.tokenizer.model)
        self.check_limit(tokens, limit, "model_context_limits less output_buffer_tokens", tools)

    def _read(self, messages: list[Any]) -> CachedConversation:
        dialect = self._dialect or dialect_for(messages)
        self._dialect = dialect
        settings = (
            self._fingerprint,
            self.store is None,
            self.config.content_router_enabled,
            self.router.policy.offers_editing,
            self.router.policy.knows_tools,
        )
        conversation = CachedConversation(dialect, messages, settings)
        if not isinstance(conversation.draft, Draft):
            kind = type(conversation.draft).__name__
            message = f"the dialect's parse returned an object of type {kind}: return a Draft"
            raise ConfigurationError(message, {"type": kind})
        for warning in unread_warnings(conversation.draft, dialect):
            self.collector.warn(warning)
        return conversation

    def _write(self, draft: Draft) -> RunOutcome:
        dialect = self._dialect or dialect_for(draft.messages)
        messages = dialect.render(draft)
        counter = self._counter
        if counter is None:
            return RunOutcome(messages, draft.changes, *block_tokens(draft.changes))
        gap = draft.gap
        if gap is not None and len(messages) <= len(draft.messages) - len(gap.messages):
            # The dialect joined messages beside the gap, which saves their overhead.
            after = self.tokenizer.count_messages(messages, dialect)
        else:
            after = counter.count(draft)
        return RunOutcome(messages, draft.changes, counter.count_received(), after)

    def _unchanged_tokens(self) -> tuple[int, int]:
        """Return the tokens before and after of messages that are passed through."""
        tokens = 0 if self._counter is None else self._counter.count_received()
        return tokens, tokens

    def _fits(self, draft: Draft) -> bool:
        window = self._window
        if window is None:
            return True
        outcome = attempt(lambda: window.fits(draft))
        # A draft that cannot be measured keeps its messages.
        return outcome.value if isinstance(outcome, Success) else True

    def _count(self, messages: list[Any], known: Sequence[int] = ()) -> tuple[int, ...] | None:
        """Return the tokens of every message, or None if they cannot be counted."""

        def count() -> tuple[int, ...] | None:
            new = messages[len(known) :]
            return (*known, *self.tokenizer.count_each(new, self._dialect))

        return self.collector.attempt(count, None, "only the texts were counted")

    def _create_window(self) -> ConversationWindow:
        managed = self.config.intelligent_context.enabled
        scorer: Scorer | None = None
        if managed and self.config.relevance.tier != "bm25":
            scorer = scorer_from_config(self.config.relevance)
            self.scorers.append(scorer)
        return ConversationWindow(
            config=self.config,
            limits=self._limits,
            counter=self._counter,
            router=self.router,
            store=self.store,
            intelligence=self._intelligence,
            scorer=scorer,
            collector=self.collector,
        )
