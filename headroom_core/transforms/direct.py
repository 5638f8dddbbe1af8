"""Transforms on their own: messages in, messages out, with what is left out in a store before they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headroom_core.dialects import Dialect, dialect_for
from headroom_core.messages import Draft
from headroom_core.results import TransformResult
from headroom_core.stores import Store, default_store
from headroom_core.tokens import Tokenizer


def applied(
    transform: Callable[[Draft], Draft],
    messages: Sequence[Any],
    tokenizer: Tokenizer,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
    limit: int | None = None,
) -> TransformResult:
    """Return what a transform makes of messages.

    Args:
        transform: what to do with the draft.
        messages: the conversation.
        tokenizer: counts the tokens.
        store: where originals are kept. None: the default store.
        dialect: the name of the messages' format, or a dialect. None: told from the messages.
        limit: tokens that the result should have at most; a warning says when it has more.

    Raises:
        TypeError: the messages are no list.
        ConfigurationError: there is no such dialect.
        StorageError: originals cannot be kept, so that nothing may be left out.
    """
    if isinstance(messages, (str, bytes, Mapping)):
        raise TypeError(f"messages is of type {type(messages).__name__}: give a list of messages")
    chosen = dialect_for(messages, dialect)
    draft = transform(chosen.parse(messages))
    if draft.originals:
        (default_store() if store is None else store).put_many(draft.originals)
    rendered = chosen.render(draft)
    after = tokenizer.count_messages(rendered)
    return TransformResult(
        messages=rendered,
        tokens_before=tokenizer.count_messages(messages),
        tokens_after=after,
        changes=draft.changes,
        warnings=(*draft.warnings, *over(after, limit, estimated=tokenizer.estimated)),
        estimated=tokenizer.estimated,
    )


def over(tokens: int, limit: int | None, name: str = "the limit", *, estimated: bool = False) -> list[str]:
    """Return a warning where a result has more tokens than it may have.

    Example:
        >>> over(120, 100, "token_budget")
        ['the result has 120 tokens, more than token_budget = 100: what is protected is larger; ...']
    """
    if limit is None or tokens <= limit:
        return []
    said = f"the result has {'about ' * estimated}{tokens} tokens, more than {name} = {limit}"
    return [f"{said}: what is protected is larger; protect less, send less, or raise it"]
