"""Google's models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headroom_core.dialects.access import get_field
from headroom_core.errors import TokenizationError
from headroom_core.models.lookup import Overrides
from headroom_core.providers.base import CatalogProvider, TokenCounter, call_client, require_int
from headroom_core.tokens.tokenizer import Tokenizer

_API = "Google's API"

# Google's role for each role of other formats. It has no system role inside a conversation.
_ROLES = {"user": "user", "assistant": "model", "model": "model", "system": "user"}


class GoogleProvider(CatalogProvider):
    """Limits, prices and token counts of Google's models.

    Args:
        client: A `google.genai.Client`, which then counts tokens through the API. Defaults to
            estimating counts.
        enable_context_caching: Whether tokens read from the prompt cache have their own price. If
            not, they cost as much as other input.
        model_context_limits: Limits or entries that override the built-in catalog, or the path of a
            file of them.

    Raises:
        ConfigurationError: An override has a value that is not valid.

    Example:
        >>> provider = GoogleProvider()
        >>> provider.get_context_limit("gemini-2.5-pro")
        1048576
        >>> provider.get_token_counter("gemini-2.5-pro").estimated
        True
    """

    name = "google"

    def __init__(
        self,
        client: Any = None,
        enable_context_caching: bool = True,
        *,
        model_context_limits: Overrides | None = None,
    ) -> None:
        super().__init__(enable_context_caching, model_context_limits)
        self.enable_context_caching = enable_context_caching
        self._client = client

    def get_token_counter(self, model: str) -> TokenCounter:
        """Return a counter that asks the API, or that estimates if there is no client."""
        return Tokenizer(model) if self._client is None else GoogleCounter(self._client, model)


class GoogleCounter:
    """Token counter that asks Google, with one request per count.

    Args:
        client: A `google.genai.Client`, or any object with its
            `models.count_tokens(model=, contents=)`.
        model: Name of the model.
    """

    estimated = False

    def __init__(self, client: Any, model: str) -> None:
        self.model = model
        self._client = client

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text. An empty text is 0 without a request.

        Raises:
            TokenizationError: The API did not count the text.
            ProviderError: The client is asynchronous.
        """
        return self._count(text) if text else 0

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a conversation.

        Args:
            messages: Contents in Google's format, or messages with a role and a text.

        Raises:
            TokenizationError: The API did not count the messages, or one has another format.
            ProviderError: The client is asynchronous.
        """
        contents = [_to_content(message, index) for index, message in enumerate(messages)]
        return self._count(contents) if contents else 0

    def _count(self, contents: Any) -> int:
        answer = call_client(
            _API, lambda: self._client.models.count_tokens(model=self.model, contents=contents)
        )
        return require_int(getattr(answer, "total_tokens", None), _API)


def _to_content(message: Any, index: int) -> Any:
    """Return a message in Google's format."""
    if not isinstance(message, Mapping) or "parts" in message:
        return message
    role = _ROLES.get(str(get_field(message, "role")))
    text = get_field(message, "content")
    if role is None or not isinstance(text, str):
        raise TokenizationError(
            f"{_API} cannot count messages[{index}]: it has neither parts nor a role and a text; "
            "give contents in Google's format"
        )
    return {"role": role, "parts": [{"text": text}]}
