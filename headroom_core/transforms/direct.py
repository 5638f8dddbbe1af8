"""Transforms on their own: messages in, messages out, with what is left out in a store before they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from headroom_core.dialects import Dialect, dialect_for
from headroom_core.messages import Draft, require_list
from headroom_core.results import TransformResult
from headroom_core.stores import Store, default_store
from headroom_core.tokens.tokenizer import Tokenizer


def applied(
    transform: Callable[[Draft], Draft],
    messages: Sequence[Any],
    tokenizer: Tokenizer,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
) -> TransformResult:
    """Return what a transform makes of messages.

    Args:
        transform: what to do with the draft.
        messages: the conversation.
        tokenizer: counts the tokens.
        store: where originals are kept. None: the default store.
        dialect: the name of the messages' format, or a dialect. None: told from the messages.

    Raises:
        TypeError: the messages are no list.
        ConfigurationError: there is no such dialect.
        StorageError: originals cannot be kept, so that nothing may be left out.
    """
    messages = require_list("messages", messages)
    chosen = dialect_for(messages, dialect)
    draft = transform(chosen.parse(messages))
    if draft.originals:
        (default_store() if store is None else store).put_many(draft.originals)
    rendered = chosen.render(draft)
    return TransformResult(
        messages=rendered,
        tokens_before=tokenizer.count_messages(messages),
        tokens_after=tokenizer.count_messages(rendered),
        changes=draft.changes,
        warnings=draft.warnings,
        estimated=tokenizer.estimated,
    )
