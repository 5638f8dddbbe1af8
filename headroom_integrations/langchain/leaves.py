"""The chat model inside whatever runnable was put around it."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable


def leaf(runnable: Any) -> BaseChatModel | None:
    """Return the chat model inside bindings, retries, fallbacks (the first one) and configurable models.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = FakeListChatModel(responses=["yes"])
        >>> leaf(model.with_retry().bind(stop=["."])) is model
        True
    """
    if isinstance(runnable, BaseChatModel):
        return runnable
    if isinstance(runnable, RunnableBindingBase):
        return leaf(runnable.bound)
    if isinstance(runnable, RunnableWithFallbacks):
        return leaf(runnable.runnable)
    if isinstance(runnable, DynamicRunnable):
        return leaf(runnable.default)
    return None


def model_name(runnable: Any) -> str:
    """Return the name of the model by which tokens are counted; `gpt-4o` where a model tells none."""
    inner = leaf(runnable)
    names = () if inner is None else (getattr(inner, "model_name", None), getattr(inner, "model", None))
    return next((name for name in names if isinstance(name, str) and name), "gpt-4o")
