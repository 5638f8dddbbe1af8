"""The journey of a conversation: parse, compress, store, render."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from headroom_core.compressors.base import Compressor
from headroom_core.compressors.smart_crusher import SmartCrusher
from headroom_core.config import HeadroomConfig
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.errors import CompressionError, HeadroomError, StorageError
from headroom_core.messages import Block, Draft, causal_queries, content_key
from headroom_core.plugins import installed_compressors
from headroom_core.results import CompressResult, DocumentsResult
from headroom_core.stores import MemoryStore, Store, shared_store
from headroom_core.tokens import Tokenizer
from headroom_core.transforms.router import ContentRouter, Outcome

_MEMO_BYTES = 64 * 2**20
_memo = MemoryStore(max_bytes=_MEMO_BYTES)
"""What blocks became, for requests that may not store anything: outcomes are pure, so this saves time alone."""

_RECORD_VERSION = "1"
_SELECTED_FROM = ("tool_result", "document")
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
        ConfigurationError: there is no such dialect.

    Example:
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(200))
        >>> result = compress([{"role": "tool", "tool_call_id": "1", "content": f"[{rows}]"}], store=MemoryStore())
        >>> result.tokens_after < result.tokens_before / 5
        True
    """
    given = list(messages)
    if hooks and hooks.pre_compress:
        given = hooks.pre_compress(given) or given
    journey = _Journey(config, Tokenizer(model), store, query)
    chosen = dialect_for(given, dialect)
    draft = journey.guarded("the messages were passed through unread", lambda: chosen.parse(given))
    if draft is None:
        draft = Draft(tuple(given), ())
    draft = journey.compressed(draft)
    result = journey.result(draft, chosen.render(draft))
    if token_budget is not None and result.tokens_after > token_budget:
        journey.warnings.append(
            f"the result has {result.tokens_after} tokens, more than token_budget = {token_budget}: "
            "send fewer messages or raise the budget"
        )
    result = replace(result, warnings=tuple(journey.warnings))
    if strict and result.warnings:
        raise CompressionError(result.warnings[0], {"warnings": list(result.warnings)})
    return hooks.post_compress(result) or result if hooks and hooks.post_compress else result


async def acompress(messages: Sequence[Any], **settings: Any) -> CompressResult:
    """Do what `compress` does, in a thread, so that the event loop goes on.

    Args:
        messages: the messages.
        settings: the keyword arguments of `compress`.
    """
    # asyncio takes tens of milliseconds to import, which a program that never awaits need not spend.
    import asyncio

    return await asyncio.to_thread(compress, messages, **settings)


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
        query: what was asked.
        token_budget: tokens that the passages should have at most; a warning says when they have more.
        model: the model that they are for.
        config: the settings. None: the defaults.
        store: where what each passage became is remembered.

    Example:
        >>> compress_documents(["The Elbe is 1,094 km long."]).texts
        ['The Elbe is 1,094 km long.']
    """
    settings = lossless_config(config)
    journey = _Journey(settings, Tokenizer(model), store, query)
    blocks = tuple(Block(at, ("text",), "document", text) for at, text in enumerate(texts))
    draft = journey.compressed(Draft(tuple(texts), blocks))
    before, after = (sum(counts) for counts in _token_columns(draft))
    if token_budget is not None and after > token_budget:
        journey.warnings.append(
            f"the passages have {after} tokens, more than token_budget = {token_budget}: pass fewer of them"
        )
    return DocumentsResult(
        texts=[block.text for block in draft.blocks],
        scores=[1.0] * len(blocks),
        tokens_before=before,
        tokens_after=after,
        changes=draft.changes,
        warnings=tuple(journey.warnings),
        estimated=journey.tokenizer.estimated,
    )


def lossless_config(config: HeadroomConfig | None) -> HeadroomConfig:
    """Return a copy of the settings in which nothing may be left out."""
    settings: HeadroomConfig = (config or HeadroomConfig()).snapshot()
    settings.ccr.enabled = False
    return settings


def _token_columns(draft: Draft) -> tuple[list[int], list[int]]:
    changes = draft.changes
    return [change.tokens_before for change in changes], [change.tokens_after for change in changes]


@dataclass(slots=True)
class _Journey:
    """One request: what it may do, and what it learnt that the caller should know."""

    given: HeadroomConfig | None
    tokenizer: Tokenizer
    given_store: Store | None
    query: str | None
    warnings: list[str] = field(default_factory=list)
    config: HeadroomConfig = field(init=False)
    router: ContentRouter = field(init=False)

    def __post_init__(self) -> None:
        self.config = (self.given or HeadroomConfig()).snapshot()
        self.router = ContentRouter(self._compressors(), self.tokenizer)

    def guarded(self, otherwise: str, work: Callable[[], Any]) -> Any:
        """Return what the work returns; None, with a warning, when it fails.

        This is the edge: whatever a text does to a compressor, the caller's request goes on.
        """
        try:
            return work()
        except Exception as error:  # noqa: BLE001
            kind = type(error).__name__
            self.warnings.append(f"{otherwise}: {kind}" + (f": {error}" if isinstance(error, HeadroomError) else ""))
            return None

    def compressed(self, draft: Draft) -> Draft:
        """Return the draft with its blocks shortened, their originals stored."""
        store = self._store() if self.config.ccr.enabled and self.config.ccr.inject_marker else None
        queries = causal_queries(draft.blocks)
        outcomes = [self._untouched(block) for block in draft.blocks]
        open_blocks = {at: draft.blocks[at] for at, outcome in enumerate(outcomes) if outcome is None}
        for at, outcome in self._outcomes(open_blocks, queries, store).items():
            outcomes[at] = outcome
        applied = [outcome.applied_to(block) for block, outcome in zip(draft.blocks, outcomes) if outcome]
        return replace(draft, blocks=tuple(b for b, _ in applied), changes=tuple(c for _, c in applied))

    def _untouched(self, block: Block) -> Outcome | None:
        """Return the outcome of a block that is not to be changed, None for the others."""
        if block.pinned:
            return self.router.kept(block, block.pinned)
        if block.kind in _UNTOUCHED:
            return self.router.kept(block, _UNTOUCHED[block.kind])
        if not self.config.content_router_enabled:
            return self.router.kept(block, "content_router_enabled is off")
        return None

    def _outcomes(self, blocks: Mapping[int, Block], queries: list[str], store: Store | None) -> dict[int, Outcome]:
        """Return what the blocks become, originals stored and outcomes remembered."""
        if store is None:
            return self._remembered(blocks, queries, _memo, selecting=False)
        outcomes = self._remembered(blocks, queries, store, selecting=True)
        selected = {at for at, outcome in outcomes.items() if outcome.action == "selected"}
        lost = self._store_originals({at: blocks[at] for at in selected}, store)
        if lost:
            outcomes |= self._remembered({at: blocks[at] for at in lost}, queries, _memo, selecting=False)
        return outcomes

    def result(self, draft: Draft, messages: list[Any]) -> CompressResult:
        """Return the result of a compressed draft."""
        before, after = (sum(counts) for counts in _token_columns(draft))
        total = self.guarded("tokens outside of texts were not counted", lambda: self._count(draft))
        total = before if total is None else total
        keys = dict.fromkeys(key for change in draft.changes for key in change.keys)
        return CompressResult(
            messages=messages,
            tokens_before=total,
            tokens_after=total - before + after,
            transforms_applied=list(dict.fromkeys(c.by for c in draft.changes if c.action != "kept")),
            ccr_hashes=list(keys),
            changes=draft.changes,
            estimated=self.tokenizer.estimated,
        )

    def _remembered(
        self, blocks: Mapping[int, Block], queries: Sequence[str], store: Store, selecting: bool
    ) -> dict[int, Outcome]:
        """Return what the blocks became earlier, and for new ones what they become now, which is recorded."""
        keys = {at: self._record_key(block, queries[at], selecting) for at, block in blocks.items()}
        known = self._recalled(store, keys.values())
        new: dict[str, Outcome] = {}
        for at, key in keys.items():
            if key not in known and key not in new:
                new[key] = self._routed(blocks[at], self.query or queries[at], selecting)
        known |= self._recorded(store, new)
        return {at: known[key] for at, key in keys.items()}

    def _routed(self, block: Block, query: str, selecting: bool) -> Outcome:
        may_select = selecting and block.kind in _SELECTED_FROM
        where = f"message {block.message} was passed through unchanged"
        outcome = self.guarded(where, lambda: self.router.route(block, query, may_select))
        return outcome or self.router.kept(block, "its compressor failed")

    def _recalled(self, store: Store, keys: Iterable[str]) -> dict[str, Outcome]:
        try:
            lines = store.recall(keys)
        except StorageError as error:
            self.warnings.append(f"what was sent before cannot be recalled: {error}")
            return {}
        return _loaded(lines)

    def _recorded(self, store: Store, outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
        """Record new outcomes and return what stands: another process may have been first."""
        if not outcomes:
            return {}
        try:
            stands = store.record({key: outcome.dumps() for key, outcome in outcomes.items()})
        except StorageError as error:
            self.warnings.append(f"what is sent now cannot be remembered: {error}")
            return outcomes
        return outcomes | _loaded(stands)

    def _store_originals(self, blocks: Mapping[int, Block], store: Store) -> set[int]:
        """Store the texts of the blocks, and return those that could not be stored."""
        if not blocks:
            return set()
        try:
            store.put_many({content_key(block.text): block.text for block in blocks.values()})
        except StorageError as error:
            lost = {at for at, block in blocks.items() if not _is_stored(store, block.text)}
            if lost:
                self.warnings.append(f"nothing new was left out, because originals cannot be stored: {error}")
            return lost
        return set()

    def _record_key(self, block: Block, query: str, selecting: bool) -> str:
        """Return a hash of all that decides what a block becomes."""
        parts = [
            _RECORD_VERSION,
            self.config.smart_crusher.model_dump_json(),
            self.tokenizer.encoding,
            *(compressor.name for compressor in self.router.compressors),
            str(selecting and block.kind in _SELECTED_FROM),
            block.kind,
            block.tool or "",
            content_key(block.text),
            query,
        ]
        return content_key(json.dumps(parts))

    def _compressors(self) -> list[Compressor]:
        return [*installed_compressors(), SmartCrusher(self.config.smart_crusher)]

    def _store(self) -> Store:
        ccr = self.config.ccr
        return self.given_store or shared_store(self.config.store_url, ccr.store_max_entries, ccr.store_ttl_seconds)

    def _count(self, draft: Draft) -> int:
        return self.tokenizer.count_messages(draft.messages)


def _loaded(lines: Mapping[str, str]) -> dict[str, Outcome]:
    """Return the outcomes that were recorded, without those that cannot be read any more."""
    outcomes = {}
    for key, line in lines.items():
        with suppress(ValueError, TypeError):
            outcomes[key] = Outcome.loads(line)
    return outcomes


def _is_stored(store: Store, text: str) -> bool:
    with suppress(StorageError):
        return store.get(content_key(text)) == text
    return False
