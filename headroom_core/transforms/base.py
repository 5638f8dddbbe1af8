"""The contract of a transform: a draft in, a draft out."""

from __future__ import annotations

from typing import Any, Protocol

from headroom_core.messages import Draft


class Transform(Protocol):
    """Changes a draft: shortens its blocks, drops messages, or steadies its prefix.

    A transform is pure. The texts that it leaves out are added to the draft's `originals`, and each
    thing that it did to its `changes`; the caller stores the originals before any message is sent.
    """

    def __call__(self, draft: Draft) -> Draft:
        """Return the changed draft."""
        ...


def transform_name(transform: Any) -> str:
    """Return the name of a transform for messages: its `name`, or that of its function or class."""
    name = getattr(transform, "name", None) or getattr(transform, "__name__", None)
    return str(name or type(transform).__name__)
