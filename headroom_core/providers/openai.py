"""OpenAI's models."""

from __future__ import annotations

from headroom_core.models.lookup import Overrides
from headroom_core.providers.base import CatalogProvider, TokenCounter
from headroom_core.tokens.tokenizer import Tokenizer


class OpenAIProvider(CatalogProvider):
    """Limits, prices and token counts of OpenAI's models.

    Args:
        enable_prefix_caching: Whether tokens read from the prompt cache have their own price. If
            not, they cost as much as other input.
        model_context_limits: Limits or entries that override the built-in catalog, or the path of a
            file of them.

    Raises:
        ConfigurationError: An override has a value that is not valid.

    Example:
        >>> provider = OpenAIProvider()
        >>> provider.get_context_limit("gpt-4o")
        128000
        >>> provider.estimate_cost(input_tokens=1000, output_tokens=500, model="gpt-4o")
        0.0075
    """

    name = "openai"

    def __init__(
        self, enable_prefix_caching: bool = True, *, model_context_limits: Overrides | None = None
    ) -> None:
        super().__init__(enable_prefix_caching, model_context_limits)
        self.enable_prefix_caching = enable_prefix_caching

    def get_token_counter(self, model: str) -> TokenCounter:
        """Return a counter that is exact if the model's vocabulary is on this machine."""
        return Tokenizer(model)
