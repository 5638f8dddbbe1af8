"""The contract of a transform: a draft in, a draft out."""

from __future__ import annotations

from typing import Protocol

from headroom_core.messages import Draft


class Transform(Protocol):
    """Changes a draft: shortens its blocks, leaves turns out, or steadies its prefix.

    A transform is pure. What it leaves out stands in the new draft's `originals`, and what it did in its
    `changes`; the caller stores the originals before it hands the messages out.
    """

    def __call__(self, draft: Draft) -> Draft:
        """Return the changed draft."""
        ...
