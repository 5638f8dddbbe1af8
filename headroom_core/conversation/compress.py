"""The journey of a conversation: parse, compress, store, render."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headroom_core.config import HeadroomConfig
from headroom_core.conversation.run import CompressionRun, RunOutcome
from headroom_core.dialects import Dialect
from headroom_core.errors import CompressionError
from headroom_core.messages import require_list
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer


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

    Tool results and documents are shortened; user texts only where nothing is lost; what the model said and the
    arguments of its tool calls never; system prompts are aligned where that is asked for, which may cost tokens.
    What a block became depends on what came before it alone, and is remembered, so that a longer conversation
    begins with the same bytes and prompt caches keep hitting.

    Args:
        messages: OpenAI, Anthropic or Google messages, as dicts or as the SDKs' own types. They are not altered.
        model: the model that they are for; decides how tokens are counted.
        token_budget: tokens that the result has at most: what matters least for it is left out, whole turns and
            calls behind one marker. A warning says when what is protected is larger by itself. None: the model's
            limit less the tokens of the reply, or `config.rolling_window.max_tokens` where that is set.
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
    run = CompressionRun(
        config,
        Tokenizer(model),
        store,
        query=query,
        token_budget=token_budget,
        dialect=dialect,
    )
    received = require_list("messages", messages)
    if hooks and hooks.pre_compress:
        replaced = hooks.pre_compress(received)
        received = received if replaced is None else replaced

    draft = run.parse(received)
    for transform in run.transforms(draft):
        changed = run.apply(transform, draft)
        draft = run.store_originals(changed, previous=draft)
    outcome = run.render(draft)

    run.check_limits(outcome.tokens_after)
    result = _result(run, outcome)
    if strict and result.warnings:
        raise CompressionError(result.warnings[0], {"warnings": list(result.warnings)})
    if hooks and hooks.post_compress:
        changed_result = hooks.post_compress(result)
        result = result if changed_result is None else changed_result
    return result


def _result(run: CompressionRun, outcome: RunOutcome) -> CompressResult:
    changed_by = [change.by for change in outcome.changes if change.action != "kept"]
    keys = [key for change in outcome.changes for key in change.keys]
    return CompressResult(
        messages=outcome.messages,
        tokens_before=outcome.tokens_before,
        tokens_after=outcome.tokens_after,
        transforms_applied=list(dict.fromkeys(changed_by)),
        ccr_hashes=list(dict.fromkeys(keys)),
        changes=outcome.changes,
        warnings=run.warnings,
        estimated=run.tokenizer.estimated,
    )


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
