"""`compress`: parse messages, apply transforms, store originals, render messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, TypeVar

from headroom_core._internal.waiting import shared_wait
from headroom_core.config import HeadroomConfig
from headroom_core.conversation.run import CompressionRun, RunOutcome
from headroom_core.dialects import Dialect
from headroom_core.errors import CompressionError, ConfigurationError, ValidationError
from headroom_core.messages import require_list
from headroom_core.results import CompressResult
from headroom_core.stores import Store
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.tool_policy import with_tool_settings

_Hooked = TypeVar("_Hooked")


class CompressionHooks:
    """What to do before and after a compression: two functions, or the methods of a subclass.

    A hook that raises changes nothing, and gives a warning.

    Args:
        pre_compress: Receives the messages, and returns those to compress instead, or None.
        post_compress: Receives the result, and returns the one to hand out instead, or None.

    Example:
        >>> class WithoutSystem(CompressionHooks):
        ...     def pre_compress(self, messages):
        ...         return [message for message in messages if message["role"] != "system"]
        >>> messages = [{"role": "system", "content": "Hi."}, {"role": "user", "content": "Go."}]
        >>> len(compress(messages, hooks=WithoutSystem()).messages)
        1
    """

    # Class attributes, because a subclass may define a constructor of its own.
    _before: Callable[[list[Any]], list[Any] | None] | None = None
    _after: Callable[[CompressResult], CompressResult | None] | None = None

    def __init__(
        self,
        pre_compress: Callable[[list[Any]], list[Any] | None] | None = None,
        post_compress: Callable[[CompressResult], CompressResult | None] | None = None,
    ) -> None:
        self._before, self._after = pre_compress, post_compress

    def pre_compress(self, messages: list[Any]) -> list[Any] | None:
        """Return the messages to compress instead, or None."""
        return self._before(messages) if self._before else None

    def post_compress(self, result: CompressResult) -> CompressResult | None:
        """Return the result to hand out instead, or None."""
        return self._after(result) if self._after else None


@shared_wait()
def compress(
    messages: Sequence[Any],
    *,
    model: str = "gpt-4o",
    tools: Sequence[Any] | None = None,
    token_budget: int | None = None,
    config: HeadroomConfig | None = None,
    exclude_tools: Sequence[str] | None = None,
    only_tools: Sequence[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
    query: str | None = None,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
    hooks: CompressionHooks | None = None,
    strict: bool = False,
) -> CompressResult:
    """Compress the messages of a conversation before they are sent to a model.

    Tool results and documents are shortened, and texts of users rewritten without loss. Texts of
    the model, arguments of tool calls and system prompts stay, but for prompts that are to be
    aligned, which may cost tokens. The result of a text depends only on the messages up to it and
    is recorded, so that a longer conversation begins with the same bytes and prompt caches hit.

    Args:
        messages: Messages of OpenAI (Chat Completions or Responses), Anthropic, Google, Bedrock
            (Converse) or Cohere, as dicts or as the SDKs' own objects. They are not altered.
        model: The model that they are for, which decides how tokens are counted.
        tools: Declarations of the tools that the request will carry, in the format of any
            provider. Their tokens count towards the budget and the model's limit. If
            `headroom_retrieve` is not among them, units are not left out of texts, because the
            model could not ask for them, unless the budget cannot be met otherwise. Defaults to not
            knowing the tools.
        token_budget: Maximum number of tokens of the result and the tools. To meet it, the oldest
            turns are dropped behind one marker, or with the intelligent context the least important
            messages and tool calls; a warning says if the rest is larger by itself. Defaults to the
            model's limit less the tokens of the reply, or to `config.rolling_window.max_tokens` if
            that is set.
        config: The settings. Defaults to `HeadroomConfig()`.
        exclude_tools: Tools whose results stay as they are. This and the next two replace the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.
        query: Text that relevance is scored against, for blocks that were not sent before.
            Defaults to the last user message before each block and the arguments of its tool call.
        store: Store of the originals, which are stored before their markers are handed out.
            Defaults to the store at `config.store_url` or `HEADROOM_STORE_URL`, or else to a file
            in the user's state folder.
        dialect: Name of the messages' format, or a dialect. Defaults to detecting it.
        hooks: What to do before and after.
        strict: Raise an error instead of adding a warning.

    Raises:
        CompressionError: `strict` is set, and there is a warning.
        ConfigurationError: The config, the store, the budget, the query, the hooks or the dialect
            is invalid.
        TypeError: The messages, or the tools, are not a list.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(200))
        >>> messages = [{"role": "tool", "tool_call_id": "1", "content": f"[{rows}]"}]
        >>> result = compress(messages, store=MemoryStore())
        >>> result.tokens_after < result.tokens_before / 5
        True
    """
    run = CompressionRun(
        with_tool_settings(config, exclude_tools, only_tools, tool_profiles),
        Tokenizer(model),
        store,
        tools=None if tools is None else require_list("tools", tools),
        query=query,
        token_budget=token_budget,
        dialect=dialect,
    )
    received = require_list("messages", messages)
    if not isinstance(hooks, CompressionHooks | None):
        raise ConfigurationError(
            f"hooks must be a CompressionHooks, got {hooks!r:.40}; give CompressionHooks(...) or "
            "an object of a subclass",
            {"hooks": hooks},
        )
    if hooks is not None:
        received = _call_hook(run, "pre_compress", hooks.pre_compress, received)

    draft = run.parse(received)
    for transform in run.transforms():
        changed = run.apply(transform, draft)
        draft = run.store_originals(changed, previous=draft)
    outcome = run.render(draft)

    run.check_limits(outcome.tokens_after)
    result = _result(run, outcome)
    warning_count = len(result.warnings)
    _check_strict(strict, result)
    if hooks is not None:
        result = _call_hook(run, "post_compress", hooks.post_compress, result)
        if len(run.warnings) > warning_count:
            result = replace(result, warnings=run.warnings)
            _check_strict(strict, result)
    return result


def _check_strict(strict: bool, result: CompressResult) -> None:
    if strict and result.warnings:
        raise CompressionError(result.warnings[0], {"warnings": list(result.warnings)})


def _call_hook(
    run: CompressionRun, name: str, hook: Callable[[_Hooked], _Hooked | None], value: _Hooked
) -> _Hooked:
    """Return what a hook returns instead of a value; the value itself if it returns None."""

    def call() -> _Hooked | None:
        # A copy, because a hook may fail after it has changed the value.
        changed = hook(copy(value))
        if changed is None or isinstance(changed, type(value)):
            return changed
        kind, wanted = type(changed).__name__, type(value).__name__
        raise ValidationError(f"it returned a {kind}: return a {wanted} or None", {"hook": name})

    changed = run.collector.attempt(call, None, f"the hook {name} changed nothing")
    return value if changed is None else changed


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
    tools: Sequence[Any] | None = None,
    token_budget: int | None = None,
    config: HeadroomConfig | None = None,
    exclude_tools: Sequence[str] | None = None,
    only_tools: Sequence[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
    query: str | None = None,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
    hooks: CompressionHooks | None = None,
    strict: bool = False,
) -> CompressResult:
    """Do the same as `compress`, in a thread, so that the event loop is not blocked.

    Example:
        >>> import asyncio
        >>> asyncio.run(acompress([{"role": "user", "content": "hi"}])).messages
        [{'role': 'user', 'content': 'hi'}]
    """
    # Imported here, because it takes tens of milliseconds that only async programs need.
    import asyncio

    return await asyncio.to_thread(
        compress,
        messages,
        model=model,
        tools=tools,
        token_budget=token_budget,
        config=config,
        exclude_tools=exclude_tools,
        only_tools=only_tools,
        tool_profiles=tool_profiles,
        query=query,
        store=store,
        dialect=dialect,
        hooks=hooks,
        strict=strict,
    )
