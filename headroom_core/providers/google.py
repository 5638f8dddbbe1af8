"""Google's models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headroom_core.dialects.access import get_field
from headroom_core.errors import TokenizationError
from headroom_core.models.lookup import Overrides
from headroom_core.providers.base import CatalogProvider, TokenCounter, call_client, require_int
from headroom_core.tokens.tokenizer import Tokenizer

_WHO = "Google's API"
_ROLES = {"user": "user", "assistant": "model", "model": "model", "system": "user"}


class GoogleProvider(CatalogProvider):
    """Limits, prices and counts of Google's models.

    Args:
        client: a `google.genai.Client`, which then counts tokens through the API. None: counts are estimates.
        enable_context_caching: off prices tokens read from the cache like other input.
        model_context_limits: limits or entries that override the built-in ones, or the path of a file of them.

    Raises:
        ConfigurationError: an override has a wrong value.

    Example:
        >>> provider = GoogleProvider()
        >>> provider.get_context_limit("gemini-2.5-pro"), provider.get_token_counter("gemini-2.5-pro").estimated
        (1048576, True)
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
        """Return what counts tokens: the API with a client, else an estimate that says that it is one."""
        return Tokenizer(model) if self._client is None else GoogleCounter(self._client, model)


class GoogleCounter:
    """Counts tokens by asking Google, one request for each count.

    Args:
        client: a `google.genai.Client`, or whatever has its `models.count_tokens(model=, contents=)`.
        model: the model's name.
    """

    estimated = False

    def __init__(self, client: Any, model: str) -> None:
        self.model = model
        self._client = client

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text, 0 for an empty one without asking.

        Raises:
            TokenizationError: the API counted nothing.
            ProviderError: the client is asynchronous.
        """
        return self._count(text) if text else 0

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a conversation.

        Args:
            messages: contents of Google's format, or messages with a role and a text, which are sent as such.

        Raises:
            TokenizationError: the API counted nothing, or a message is of another format.
            ProviderError: the client is asynchronous.
        """
        contents = [_content(message, index) for index, message in enumerate(messages)]
        return self._count(contents) if contents else 0

    def _count(self, contents: Any) -> int:
        answer = call_client(
            _WHO, lambda: self._client.models.count_tokens(model=self.model, contents=contents)
        )
        return require_int(getattr(answer, "total_tokens", None), _WHO)


def _content(message: Any, index: int) -> Any:
    """Return a message as Google's content."""
    if not isinstance(message, Mapping) or "parts" in message:
        return message
    role, text = _ROLES.get(str(get_field(message, "role"))), get_field(message, "content")
    if role is None or not isinstance(text, str):
        problem = f"messages[{index}] is neither a content with parts nor a role with a text"
        raise TokenizationError(
            f"{_WHO} cannot count this: {problem}; give contents of Google's format"
        )
    return {"role": role, "parts": [{"text": text}]}
