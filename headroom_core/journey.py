"""The journey of a conversation: parse, compress, store, render."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from headroom_core.compressors.smart_crusher import TableCompressor
from headroom_core.config import HeadroomConfig, SmartCrusherConfig
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.edge import Edge
from headroom_core.errors import CompressionError, ConfigurationError
from headroom_core.messages import Block, Change, Draft, causal_queries, content_key
from headroom_core.plugins import installed_compressors
from headroom_core.relevance.bm25 import BM25Scorer
from headroom_core.replay import Replay, Waiting
from headroom_core.results import CompressResult, DocumentsResult
from headroom_core.stores import Store, shared_store
from headroom_core.tokens import Tokenizer
from headroom_core.transforms.router import ContentRouter

_UNTOUCHED = {
    "system": "system prompts are never changed",
    "assistant": "what the model said is never changed",
    "tool_call": "arguments of tool calls are never changed",
}


@dataclass(frozen=True, slots=True)
class CompressionHooks:
    """What to call before and after a compression.

    Attributes:
        pre_compress: gets the messages, and returns those to compress in their place, or None for the same.
        post_compress: gets the result, and returns the one to hand out, or None for the same.
    """

    pre_compress: Callable[[list[Any]], list[Any] | None] | None = None
    post_compress: Callable[[CompressResult], CompressResult | None] | None = None


def compress(
    messages: Sequence[Any],
    *,
    model: str = "gpt-4o",
    token_budget: int | None = None,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
    hooks: CompressionHooks | None = None,
    strict: bool = False,
) -> CompressResult:
    """Shorten the messages of a conversation before they are sent to a model.

    Tool results and documents are shortened; user texts only where nothing is lost; system prompts, what
    the model said and the arguments of its tool calls never. What a block became depends on what came
    before it alone, and is remembered, so that a longer conversation begins with the same bytes and prompt
    caches keep hitting.

    Args:
        messages: OpenAI or Anthropic messages, as dicts or as the SDKs' own types. They are not altered.
        model: the model that they are for; decides how tokens are counted.
        token_budget: tokens that the result should have at most; a warning says when it has more.
        config: the settings. None: the defaults.
        query: what relevance is scored against, for blocks that were not sent before. None: the last user
            message before each block and the arguments of its tool call.
        store: where originals are kept before their markers are handed out. None: the store at
            `config.store_url` or `HEADROOM_STORE_URL`, else a file under the user's state folder.
        dialect: the name of the messages' format, or a dialect of your own. None: told from the messages.
        hooks: what to call before and after.
        strict: raise what would be a warning.

    Raises:
        CompressionError: `strict` is set, and something was passed through unchanged or does not fit.
        ConfigurationError: there is no such dialect, or the config or the store is none.
        TypeError: the messages are no list.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(200))
        >>> result = compress([{"role": "tool", "tool_call_id": "1", "content": f"[{rows}]"}], store=MemoryStore())
        >>> result.tokens_after < result.tokens_before / 5
        True
    """
    journey = _Journey(config, Tokenizer(model), store, query)
    given = _as_list("messages", messages)
    if hooks and hooks.pre_compress:
        replaced = hooks.pre_compress(given)
        given = given if replaced is None else replaced
    draft, rendered = journey.travelled(given, dialect)
    before, after = _tokens(draft.changes)
    total = journey.edge.guarded("tokens beside the texts' were not counted", lambda: journey.count(rendered))
    total = after if total is None else total
    result = CompressResult(
        messages=rendered,
        tokens_before=total + before - after,
        tokens_after=total,
        transforms_applied=list(dict.fromkeys(change.by for change in draft.changes if change.action != "kept")),
        ccr_hashes=list(dict.fromkeys(key for change in draft.changes for key in change.keys)),
        changes=draft.changes,
        estimated=journey.tokenizer.estimated,
    )
    journey.check_budget(result.tokens_after, token_budget)
    result = replace(result, warnings=journey.warnings)
    if strict and result.warnings:
        raise CompressionError(result.warnings[0], {"warnings": list(result.warnings)})
    if hooks and hooks.post_compress:
        changed = hooks.post_compress(result)
        return result if changed is None else changed
    return result


async def acompress(
    messages: Sequence[Any],
    *,
    model: str = "gpt-4o",
    token_budget: int | None = None,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
    hooks: CompressionHooks | None = None,
    strict: bool = False,
) -> CompressResult:
    """Do what `compress` does, in a thread, so that the event loop goes on.

    Example:
        >>> import asyncio
        >>> asyncio.run(acompress([{"role": "user", "content": "hi"}])).messages
        [{'role': 'user', 'content': 'hi'}]
    """
    # asyncio takes tens of milliseconds to import, which a program that never awaits need not spend.
    import asyncio

    return await asyncio.to_thread(
        compress,
        messages,
        model=model,
        token_budget=token_budget,
        config=config,
        query=query,
        store=store,
        dialect=dialect,
        hooks=hooks,
        strict=strict,
    )


def compress_documents(
    texts: Sequence[str],
    query: str | None = None,
    *,
    token_budget: int | None = None,
    model: str = "gpt-4o",
    config: HeadroomConfig | None = None,
    store: Store | None = None,
) -> DocumentsResult:
    """Shorten retrieved passages before they are put into a prompt, keeping all that they say.

    Args:
        texts: the passages.
        query: what was asked; the passages are scored against it.
        token_budget: tokens that the passages should have at most; a warning says when they have more.
        model: the model that they are for.
        config: the settings. None: the defaults.
        store: where what each passage became is remembered.

    Example:
        >>> compress_documents(["The Elbe is 1,094 km long."]).texts
        ['The Elbe is 1,094 km long.']
    """
    journey = _Journey(lossless_config(config), Tokenizer(model), store, query)
    passages = _as_list("texts", texts)
    blocks = tuple(Block(at, ("text",), "document", text) for at, text in enumerate(passages))
    draft = journey.compressed(Draft(tuple(passages), blocks))
    before, after = _tokens(draft.changes)
    journey.check_budget(after, token_budget)
    return DocumentsResult(
        texts=[block.text for block in draft.blocks],
        scores=BM25Scorer().score_items(texts, query) if query else [1.0] * len(blocks),
        tokens_before=before,
        tokens_after=after,
        changes=draft.changes,
        warnings=journey.warnings,
        estimated=journey.tokenizer.estimated,
    )


def lossless_config(config: HeadroomConfig | None) -> HeadroomConfig:
    """Return a copy of the settings in which nothing may be left out."""
    settings = _snapshot(config or HeadroomConfig())
    settings.ccr.enabled = False
    return settings


def _as_list(name: str, values: Sequence[Any]) -> list[Any]:
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


def _tokens(changes: Sequence[Change]) -> tuple[int, int]:
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


class _Journey:
    """One request: its settings, and what went wrong on the way."""

    def __init__(
        self, config: HeadroomConfig | None, tokenizer: Tokenizer, store: Store | None, query: str | None
    ) -> None:
        self.config = _defaults() if config is None else _snapshot(config)
        self.tokenizer = tokenizer
        self.edge = Edge()
        settings = self.config.smart_crusher.model_dump_json()
        others = self.edge.guarded("the compressors of other packages were left out", installed_compressors) or ()
        self.router = ContentRouter((*others, _tables(settings)), tokenizer)
        names = ",".join(compressor.name for compressor in self.router.compressors)
        decisive = f"{settings} {names} {tokenizer.encoding}"
        self.replay = Replay(self.router, decisive, self._store(store), query, self.edge)

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
        if not (ccr.enabled and ccr.inject_marker):
            return None
        if given is not None:
            return given
        limits = (ccr.store_max_entries, ccr.store_ttl_seconds)
        if self.config.store_url:
            return shared_store(self.config.store_url, *limits)
        otherwise = "nothing is left out, because there is no store"
        return self.edge.guarded(otherwise, lambda: shared_store(None, *limits))
