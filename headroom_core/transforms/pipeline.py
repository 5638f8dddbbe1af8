"""Transforms one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from headroom_core.dialects import Dialect, dialect_for
from headroom_core.errors import HeadroomError, TransformError
from headroom_core.messages import Draft, require_list
from headroom_core.results import TransformResult
from headroom_core.stores import Store, default_store
from headroom_core.tokens.tokenizer import Tokenizer


class TransformPipeline:
    """Applies any number of transforms to a conversation, in their order.

    A transform is a callable that takes a `Draft` and returns one: `SmartCrusher`, `CacheAligner`,
    `RollingWindow`, `IntelligentContextManager`, another pipeline, or a function of your own.

    Args:
        transforms: the transforms.
        model: the model whose tokens are counted in the result. Each transform counts for its own.

    Raises:
        TypeError: a transform cannot be called.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> from headroom_core.transforms import RollingWindow, SmartCrusher
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(200))
        >>> messages = [{"role": "tool", "tool_call_id": "1", "content": f"[{rows}]"}]
        >>> result = TransformPipeline([SmartCrusher(), RollingWindow()]).transform(messages, store=MemoryStore())
        >>> result.tokens_after < result.tokens_before / 5
        True
    """

    def __init__(
        self, transforms: Iterable[Callable[[Draft], Draft]], *, model: str = "gpt-4o"
    ) -> None:
        self.transforms = tuple(transforms)
        self.tokenizer = Tokenizer(model)
        for transform in self.transforms:
            if not callable(transform):
                raise TypeError(
                    f"{_name(transform)} cannot be called: give transforms, from Draft to Draft"
                )

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft after all transforms.

        Raises:
            TransformError: a transform failed.
        """
        for transform in self.transforms:
            try:
                draft = transform(draft)
            except HeadroomError:
                raise
            except Exception as error:
                name = _name(transform)
                said = f"the transform {name} failed: {type(error).__name__}"
                raise TransformError(said, {"transform": name}) from error
        return draft

    def transform(
        self,
        messages: Sequence[Any],
        *,
        store: Store | None = None,
        dialect: str | Dialect | None = None,
    ) -> TransformResult:
        """Return what the transforms make of messages, after storing what they leave out.

        Args:
            messages: OpenAI, Anthropic or Google messages. They are not altered.
            store: where what is left out is kept. None: the default store.
            dialect: the name of the messages' format, or a dialect of your own. None: told from the messages.

        Raises:
            TransformError: a transform failed.
            ConfigurationError: there is no such dialect.
            StorageError: what is left out cannot be kept.
        """
        return applied(self, messages, self.tokenizer, store, dialect)


def _name(transform: Any) -> str:
    return str(
        getattr(transform, "name", None) or getattr(transform, "__name__", type(transform).__name__)
    )


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
        tokens_before=tokenizer.count_messages(messages, chosen),
        tokens_after=tokenizer.count_messages(rendered, chosen),
        changes=draft.changes,
        warnings=draft.warnings,
        estimated=tokenizer.estimated,
    )
