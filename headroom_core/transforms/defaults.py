"""The transforms of `compress`, in the order in which they are applied."""

from __future__ import annotations

from headroom_core.compressors import REGISTRY
from headroom_core.config import HeadroomConfig
from headroom_core.tokens.tokenizer import Tokenizer
from headroom_core.transforms.base import Transform
from headroom_core.transforms.break_even import BreakEven
from headroom_core.transforms.cache_aligner.aligner import CacheAligner
from headroom_core.transforms.router import ContentRouter
from headroom_core.transforms.tool_policy import ToolPolicy
from headroom_core.transforms.windows.intelligent import IntelligentContextManager
from headroom_core.transforms.windows.rolling import RollingWindow


def default_transforms(
    config: HeadroomConfig | None = None,
    *,
    model: str = "gpt-4o",
    router: ContentRouter | None = None,
    window: Transform | None = None,
) -> list[Transform]:
    """Return the transforms of `compress`, in order.

    A step over the whole draft, such as references to earlier messages, belongs between the router
    and the aligner: texts are as short as they will be, and no message is dropped yet.

    Args:
        config: The settings. Defaults to `HeadroomConfig()`.
        model: The model that the messages are for.
        router: Shortens texts. Defaults to one with all compressors of this process.
        window: Drops messages that do not fit. Defaults to the window that the settings enable,
            with its own limit. `compress` gives one that also knows the budget.

    Example:
        >>> [transform.name for transform in default_transforms()]
        ['content_router', 'rolling_window']
    """
    config = config or HeadroomConfig()
    if router is None:
        router = ContentRouter(
            REGISTRY.routes(config),
            Tokenizer(model),
            enabled=config.content_router_enabled,
            selecting=config.ccr.enabled and config.ccr.inject_marker,
            break_even=BreakEven.from_config(config.ccr),
            policy=ToolPolicy.from_config(config),
        )
    transforms: list[Transform] = [router]
    if config.cache_aligner.enabled:
        transforms.append(CacheAligner(config.cache_aligner, model=model))
    transforms.append(_window(config, model) if window is None else window)
    return transforms


def _window(config: HeadroomConfig, model: str) -> Transform:
    if config.intelligent_context.enabled:
        return IntelligentContextManager(config.intelligent_context, model=model)
    return RollingWindow(config.rolling_window, model=model)
