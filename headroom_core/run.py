"""One request on its way: what is done with the blocks of its draft, and where their originals go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from headroom_core.compressors.smart_crusher import TableCompressor
from headroom_core.config import HeadroomConfig, SmartCrusherConfig
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.edge import Edge
from headroom_core.errors import ConfigurationError
from headroom_core.insight import ToolIntelligence
from headroom_core.messages import Block, Change, Draft, causal_queries, content_key
from headroom_core.plugins import installed_compressors
from headroom_core.replay import Replay, Waiting
from headroom_core.stores import Store, shared_store
from headroom_core.tokens import Tokenizer
from headroom_core.transforms.router import ContentRouter

_UNTOUCHED = {
    "system": "system prompts are never changed",
    "assistant": "what the model said is never changed",
    "tool_call": "arguments of tool calls are never changed",
}


def as_list(name: str, values: Sequence[Any]) -> list[Any]:
    """Return the values as a list: a lone text or message would come apart into its letters or keys."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is of type {type(values).__name__}: give a list of {name}")
    return list(values)


def _snapshot(config: HeadroomConfig) -> HeadroomConfig:
    if not isinstance(config, HeadroomConfig):
        kind = type(config).__name__
        raise ConfigurationError(f"config is of type {kind}: give a HeadroomConfig", {"config": kind})
    settings: HeadroomConfig = config.snapshot()
    return settings


def block_tokens(changes: Sequence[Change]) -> tuple[int, int]:
    """Return the tokens of all blocks before and after."""
    return sum(change.tokens_before for change in changes), sum(change.tokens_after for change in changes)


@lru_cache(maxsize=1)
def _defaults() -> HeadroomConfig:
    """Return the settings of requests that bring none; nobody changes them."""
    return HeadroomConfig()


@lru_cache(maxsize=32)
def _tables(settings: str) -> TableCompressor:
    """Return the compressor of these settings; it has no state, so that requests may share it."""
    return TableCompressor(SmartCrusherConfig.model_validate_json(settings))


class Run:
    """One request: its settings, and what went wrong on the way.

    Attributes:
        config: a snapshot of the settings.
        tokenizer: counts the tokens.
        lossless: nothing may be left out, whatever the settings say.
        edge: collects the warnings.
        router: hands texts to compressors.
        replay: finds what blocks became.
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
        settings = self.config.smart_crusher.model_dump_json()
        others = self.edge.guarded("the compressors of other packages were left out", installed_compressors) or ()
        self.router = ContentRouter((*others, _tables(settings)), tokenizer)
        names = ",".join(compressor.name for compressor in self.router.compressors)
        decisive = f"{settings} {names} {tokenizer.encoding}"
        kept, crusher = self._store(store), self.config.smart_crusher
        toin = ToolIntelligence(kept) if kept is not None and self.config.ccr.feedback_enabled else None
        followed_from = crusher.toin_confidence_threshold if crusher.use_feedback_hints else None
        self.replay = Replay(self.router, decisive, kept, query, self.edge, toin, followed_from)

    def travelled(self, messages: list[Any], dialect: str | Dialect | None) -> tuple[Draft, list[Any]]:
        """Return the compressed draft of messages, and what to send: the same messages where they cannot be read."""
        known = None if dialect is None else dialect_for([], dialect)

        def travel() -> tuple[Draft, list[Any]]:
            chosen = known or dialect_for(messages)
            draft = self.compressed(chosen.parse(messages))
            return draft, chosen.render(draft)

        return self.edge.guarded("the messages were passed through unread", travel) or (
            Draft(tuple(messages), ()),
            messages,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What went wrong, in words."""
        return tuple(self.edge.warnings)

    def compressed(self, draft: Draft) -> Draft:
        """Return the draft with its blocks shortened, their originals stored."""
        blocks = dict(enumerate(draft.blocks))
        reasons = {at: self._why_not(block) for at, block in blocks.items()}
        keys = {at: content_key(block.text) for at, block in blocks.items() if not reasons[at]}
        queries = causal_queries(draft.blocks)
        outcomes = {at: self.router.kept(blocks[at], reason) for at, reason in reasons.items() if reason}
        outcomes |= self.replay.outcomes({at: Waiting(blocks[at], key, queries[at]) for at, key in keys.items()})
        applied = [outcomes[at].applied_to(block, keys.get(at, "")) for at, block in blocks.items()]
        return replace(draft, blocks=tuple(b for b, _ in applied), changes=tuple(c for _, c in applied))

    def count(self, messages: Sequence[Any]) -> int:
        """Return the tokens of the messages as they go, whose texts are shorter to look up."""
        return self.tokenizer.count_messages(messages)

    def check_budget(self, tokens: int, budget: int | None) -> None:
        """Warn when the result is larger than the budget."""
        if budget is not None and tokens > budget:
            about = "about " * self.tokenizer.estimated
            self.edge.warn(
                f"the result has {about}{tokens} tokens, more than token_budget = {budget}: "
                "send less, or raise the budget"
            )

    def _why_not(self, block: Block) -> str | None:
        """Return why a block is not to be changed, None when it may be."""
        if block.pinned or block.kind in _UNTOUCHED:
            return block.pinned or _UNTOUCHED[block.kind]
        return None if self.config.content_router_enabled else "content_router_enabled is off"

    def _store(self, given: Store | None) -> Store | None:
        """Return where originals are kept, None when nothing may be left out."""
        if given is not None and not isinstance(given, Store):
            kind = type(given).__name__
            raise ConfigurationError(f"store is of type {kind}: give a store, such as open_store(url)", {"store": kind})
        ccr = self.config.ccr
        if self.lossless or not (ccr.enabled and ccr.inject_marker):
            return None
        if given is not None:
            return given
        limits = (ccr.store_max_entries, ccr.store_ttl_seconds)
        if self.config.store_url:
            return shared_store(self.config.store_url, *limits)
        otherwise = "nothing is left out, because there is no store"
        return self.edge.guarded(otherwise, lambda: shared_store(None, *limits))
