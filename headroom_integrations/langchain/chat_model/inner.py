"""The chat models inside whatever runnable was put around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable, RunnableConfigurableAlternatives

from headroom_core import ConfigurationError


class Compressing:
    """Marks chat models that compress what they are sent."""

    def uncompressed(self) -> Runnable[Any, Any]:
        """Return the model, or the runnable around one, that gets what was compressed."""
        raise NotImplementedError


def unwrap(model: Any) -> Any:
    """Return a model without the compression around it."""
    while isinstance(model, Compressing):
        model = model.uncompressed()
    return model


def inner_model(runnable: Any) -> BaseChatModel | None:
    """Return the chat model inside bindings, retries, fallbacks (the first one) and configurable models.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = FakeListChatModel(responses=["yes"])
        >>> inner_model(model.with_retry().bind(stop=["."])) is model
        True
    """
    runnable = unwrap(runnable)
    if isinstance(runnable, BaseChatModel):
        return runnable
    if isinstance(runnable, RunnableBindingBase):
        return inner_model(runnable.bound)
    if isinstance(runnable, RunnableWithFallbacks):
        return inner_model(runnable.runnable)
    if isinstance(runnable, DynamicRunnable):
        return inner_model(runnable.default)
    return None


def replace_models(
    runnable: Any,
    wrap: Callable[[BaseChatModel], Runnable[Any, Any]],
    config: RunnableConfig | None = None,
) -> Any:
    """Return the runnable around other chat models, None where one of them cannot be reached.

    Args:
        runnable: a chat model, bare or compressing, or bindings, retries, fallbacks and configurable models
            around some.
        wrap: what becomes of each chat model.
        config: what a request configures, by which configurable models are chosen. None: it is not known yet, and a
            configurable model of `init_chat_model` cannot be reached.
    """

    def mapped(inner: Any) -> Any:
        return None if inner is None else replace_models(inner, wrap, config)

    runnable = unwrap(runnable)
    if isinstance(runnable, BaseChatModel):
        return wrap(runnable)
    if isinstance(runnable, RunnableBindingBase):
        return _replaced(runnable, {"bound": mapped(runnable.bound)})
    if isinstance(runnable, RunnableWithFallbacks):
        others = [mapped(other) for other in runnable.fallbacks]
        first = mapped(runnable.runnable)
        return (
            None
            if None in others
            else _replaced(runnable, {"runnable": first, "fallbacks": others})
        )
    if isinstance(runnable, DynamicRunnable) and config is not None:
        chosen, bound = runnable.prepare({"configurable": config.get("configurable", {})})
        inside = mapped(chosen)
        return None if inside is None else inside.with_config(bound)
    if isinstance(runnable, RunnableConfigurableAlternatives):
        return _alternatives(runnable, mapped)
    if isinstance(runnable, DynamicRunnable):
        return _replaced(runnable, {"default": mapped(runnable.default)})
    if config is not None and (configured := getattr(type(runnable), "_model", None)) is not None:
        return mapped(configured(runnable, config))
    return None


def _replaced(runnable: Any, parts: dict[str, Any]) -> Any:
    return None if None in parts.values() else runnable.model_copy(update=parts)


def _alternatives(
    runnable: RunnableConfigurableAlternatives[Any, Any], mapped: Callable[[Any], Any]
) -> Any:
    others: dict[str, Any] = {}
    for name, other in runnable.alternatives.items():
        if isinstance(other, Runnable):
            others[name] = mapped(other)
        else:
            others[name] = lambda make=other: mapped(make())
    default = mapped(runnable.default)
    return (
        None
        if None in others.values()
        else _replaced(runnable, {"default": default, "alternatives": others})
    )


def check_tools(runnable: Any) -> None:
    """Check that the chat models in a runnable can be offered the retrieve tool.

    Raises:
        ConfigurationError: one of them cannot call tools.
    """

    def check(model: BaseChatModel) -> BaseChatModel:
        if type(model).bind_tools is BaseChatModel.bind_tools:
            name = type(model).__name__
            raise ConfigurationError(
                f"retrieve = True: {name} cannot call tools, since it has no bind_tools; "
                "use retrieve=False, which leaves nothing out, or a model that can",
                {"retrieve": True, "model": name},
            )
        return model

    replace_models(runnable, check)


def model_name(runnable: Any) -> str:
    """Return the name of the model by which tokens are counted; `gpt-4o` where a model tells none."""
    inner = inner_model(runnable)
    names = (
        () if inner is None else (getattr(inner, "model_name", None), getattr(inner, "model", None))
    )
    return next((name for name in names if isinstance(name, str) and name), "gpt-4o")
