"""The chat models inside the runnables that were put around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable, RunnableConfigurableAlternatives

from headroom_core import ConfigurationError


class ModelWrapper:
    """Base of chat models that compress their requests and pass them to another model."""

    def unwrap(self) -> Runnable[Any, Any]:
        """Return the model, or the runnable around one, that receives compressed messages."""
        raise NotImplementedError


def unwrap_model(model: Any) -> Any:
    """Return a model without the compression around it."""
    while isinstance(model, ModelWrapper):
        model = model.unwrap()
    return model


def inner_model(runnable: Any) -> BaseChatModel | None:
    """Return the chat model inside bindings, retries, fallbacks and configurable models.

    If there are several, return the first; return None if none can be reached.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> model = FakeListChatModel(responses=["yes"])
        >>> inner_model(model.with_retry().bind(stop=["."])) is model
        True
    """
    runnable = unwrap_model(runnable)
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
    """Rebuild a runnable around other chat models.

    Args:
        runnable: A chat model, with or without compression, or bindings, retries, fallbacks and
            configurable models around some.
        wrap: Returns the replacement of a chat model.
        config: Config of the request, which selects among configurable models. None if it is not
            known yet; a configurable model of `init_chat_model` cannot be reached then.

    Returns:
        The runnable, or None if one of its chat models cannot be reached.
    """

    def replace_inner(inner: Any) -> Any:
        return None if inner is None else replace_models(inner, wrap, config)

    runnable = unwrap_model(runnable)
    if isinstance(runnable, BaseChatModel):
        return wrap(runnable)
    if isinstance(runnable, RunnableBindingBase):
        return _copy_with(runnable, {"bound": replace_inner(runnable.bound)})
    if isinstance(runnable, RunnableWithFallbacks):
        return _replace_fallbacks(runnable, replace_inner)
    if isinstance(runnable, DynamicRunnable) and config is not None:
        selected, bound_config = runnable.prepare({"configurable": config.get("configurable", {})})
        replaced = replace_inner(selected)
        return None if replaced is None else replaced.with_config(bound_config)
    if isinstance(runnable, RunnableConfigurableAlternatives):
        return _replace_alternatives(runnable, replace_inner)
    if isinstance(runnable, DynamicRunnable):
        return _copy_with(runnable, {"default": replace_inner(runnable.default)})
    # The class of `init_chat_model`'s configurable models is private; this method marks it.
    build_model = getattr(type(runnable), "_model", None)
    if config is not None and build_model is not None:
        return replace_inner(build_model(runnable, config))
    return None


def _copy_with(runnable: Any, parts: dict[str, Any]) -> Any:
    """Return a copy with other parts, None if one of the parts is None."""
    return None if None in parts.values() else runnable.model_copy(update=parts)


def _replace_fallbacks(
    runnable: RunnableWithFallbacks[Any, Any], replace_inner: Callable[[Any], Any]
) -> Any:
    fallbacks = [replace_inner(fallback) for fallback in runnable.fallbacks]
    first = replace_inner(runnable.runnable)
    if None in fallbacks:
        return None
    return _copy_with(runnable, {"runnable": first, "fallbacks": fallbacks})


def _replace_alternatives(
    runnable: RunnableConfigurableAlternatives[Any, Any], replace_inner: Callable[[Any], Any]
) -> Any:
    alternatives: dict[str, Any] = {}
    for name, alternative in runnable.alternatives.items():
        if isinstance(alternative, Runnable):
            alternatives[name] = replace_inner(alternative)
        else:
            # A factory makes its model only when that is selected.
            alternatives[name] = lambda make=alternative: replace_inner(make())
    default = replace_inner(runnable.default)
    if None in alternatives.values():
        return None
    return _copy_with(runnable, {"default": default, "alternatives": alternatives})


def check_tools(runnable: Any) -> None:
    """Check that the chat models in a runnable can be offered the retrieve tool.

    Raises:
        ConfigurationError: One of them cannot call tools.
    """

    def check(model: BaseChatModel) -> BaseChatModel:
        if type(model).bind_tools is BaseChatModel.bind_tools:
            name = type(model).__name__
            raise ConfigurationError(
                f"retrieve = True: {name} cannot call tools because it does not implement "
                "bind_tools; use retrieve=False, which drops nothing, or a model that can call "
                "tools",
                {"retrieve": True, "model": name},
            )
        return model

    replace_models(runnable, check)


def model_name(runnable: Any) -> str:
    """Return the name of the model whose tokens are counted.

    Defaults to `gpt-4o` if the model has no name.
    """
    inner = inner_model(runnable)
    if inner is not None:
        for name in (getattr(inner, "model_name", None), getattr(inner, "model", None)):
            if isinstance(name, str) and name:
                return name
    return "gpt-4o"
