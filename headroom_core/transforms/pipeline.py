"""The pipeline: parse messages, apply transforms in order, store originals, render messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from headroom_core._internal.waiting import shared_wait
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.errors import HeadroomError, TransformError
from headroom_core.messages import Draft, require_list
from headroom_core.results import TransformResult
from headroom_core.stores import Store, store_or_default
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.base import transform_name


def apply_transform(transform: Callable[[Draft], Draft], draft: Draft) -> Draft:
    """Apply a transform.

    Raises:
        TransformError: The transform failed, or did not return a draft.
    """
    name = transform_name(transform)
    try:
        changed = transform(draft)
    except HeadroomError:
        raise
    except Exception as error:
        message = f"the transform {name} failed: {type(error).__name__}"
        raise TransformError(message, {"transform": name}) from error
    if not isinstance(changed, Draft):
        kind = type(changed).__name__
        message = f"the transform {name} returned an object of type {kind}: return a Draft"
        raise TransformError(message, {"transform": name})
    return changed


class TransformPipeline:
    """Applies any number of transforms to a conversation, in their order.

    A transform is a callable that takes a `Draft` and returns one: `SmartCrusher`, `CacheAligner`,
    `RollingWindow`, `IntelligentContextManager`, another pipeline, or a function. The transforms of
    `compress` are those of `headroom_core.transforms.default_transforms`.

    Args:
        transforms: The transforms.
        model: The model for which the result counts tokens. Each transform counts for its own.

    Raises:
        TypeError: A transform cannot be called.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> from headroom_core.transforms import RollingWindow, SmartCrusher
        >>> rows = ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(200))
        >>> messages = [{"role": "tool", "tool_call_id": "1", "content": f"[{rows}]"}]
        >>> pipeline = TransformPipeline([SmartCrusher(), RollingWindow()])
        >>> result = pipeline.transform(messages, store=MemoryStore())
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
                name = transform_name(transform)
                raise TypeError(f"{name} is not callable: give transforms, from Draft to Draft")

    def __call__(self, draft: Draft) -> Draft:
        """Return the draft after all transforms.

        Raises:
            TransformError: A transform failed.
        """
        for transform in self.transforms:
            draft = apply_transform(transform, draft)
        return draft

    def transform(
        self,
        messages: Sequence[Any],
        *,
        store: Store | None = None,
        dialect: str | Dialect | None = None,
    ) -> TransformResult:
        """Apply the transforms to messages, and store the originals of everything left out.

        Args:
            messages: Messages of any format that `compress` reads. They are not altered.
            store: Store of the originals. Defaults to the default store.
            dialect: Name of the messages' format, or a dialect. Defaults to detecting it.

        Raises:
            TransformError: A transform failed.
            ConfigurationError: There is no such dialect.
            StorageError: Originals cannot be stored.
            TypeError: The messages are not a list.
        """
        return transform_messages(self, messages, self.tokenizer, store=store, dialect=dialect)


@shared_wait()
def transform_messages(
    transform: Callable[[Draft], Draft],
    messages: Sequence[Any],
    tokenizer: Tokenizer,
    *,
    store: Store | None = None,
    dialect: str | Dialect | None = None,
) -> TransformResult:
    """Apply one transform to messages, as `TransformPipeline.transform` does.

    Args:
        transform: The transform.
        messages: The conversation.
        tokenizer: Counts tokens.
        store: Store of the originals. Defaults to the default store.
        dialect: Name of the messages' format, or a dialect. Defaults to detecting it.

    Raises:
        ConfigurationError: There is no such dialect.
        StorageError: Originals cannot be stored.
        TypeError: The messages are not a list.
    """
    received = require_list("messages", messages)
    known = dialect_for(received, dialect)
    draft = transform(known.parse(received))
    if draft.originals:
        store_or_default(store).put_many(draft.originals)
    sent = known.render(draft)
    return TransformResult(
        messages=sent,
        tokens_before=tokenizer.count_messages(received, known),
        tokens_after=tokenizer.count_messages(sent, known),
        changes=draft.changes,
        warnings=draft.warnings,
        estimated=tokenizer.estimated,
    )
