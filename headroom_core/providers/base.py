"""The provider protocols, and the implementation that the built-in providers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from inspect import isawaitable
from numbers import Real
from typing import Any, Protocol, runtime_checkable

from headroom_core.errors import ProviderError, TokenizationError, ValidationError
from headroom_core.models.lookup import CacheRules, ModelInfo, Overrides, Prices, model_info

_MILLION = 1_000_000


@runtime_checkable
class TokenCounter(Protocol):
    """A counter of tokens for one model."""

    @property
    def estimated(self) -> bool:
        """Whether counts are estimates."""
        ...

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text."""
        ...

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a request with these messages."""
        ...


@runtime_checkable
class Provider(Protocol):
    """A source of limits, prices and token counts of models.

    Attributes:
        name: `openai`, `anthropic`, `google`, or the name of your own provider.
    """

    name: str

    def get_token_counter(self, model: str) -> TokenCounter:
        """Return a token counter for the model."""
        ...

    def get_context_limit(self, model: str) -> int:
        """Return the maximum number of input tokens of a request.

        Raises:
            ProviderError: The limit of the model is unknown.
        """
        ...

    def estimate_cost(
        self, *, input_tokens: int, output_tokens: int, model: str, cached_tokens: int = 0
    ) -> float:
        """Return the cost of a request in USD.

        Raises:
            ProviderError: The price of the model is unknown.
        """
        ...

    def cache_rules(self, model: str) -> CacheRules | None:
        """Return the rules of the prompt cache, or None if they are unknown or caching is off."""
        ...


class CatalogProvider:
    """Base class of providers that look up limits and prices in the model catalog.

    Args:
        caching: Whether tokens read from the prompt cache have their own price. If not, they cost
            as much as other input.
        model_context_limits: Limits or entries that override the built-in catalog, or the path of a
            file of them, as for `model_info`.

    Raises:
        ConfigurationError: An override has a value that is not valid.
    """

    name = ""

    def __init__(self, caching: bool, model_context_limits: Overrides | None) -> None:
        self._caching = caching
        self._overrides = model_context_limits
        if model_context_limits is not None:
            # Look up any name: a bad override should fail here, not at the first request.
            self._info("")

    def get_context_limit(self, model: str) -> int:
        """Return the maximum number of input tokens of a request.

        Raises:
            ProviderError: The limit of the model is unknown.
        """
        limit = self._info(model).context_limit
        if limit is None:
            raise ProviderError(
                f"the context limit of model {model!r} is unknown: give it with "
                f"model_context_limits={{{model!r}: tokens}}, or in the file that "
                "HEADROOM_MODELS names",
                {"model": model},
            )
        return limit

    def estimate_cost(
        self, *, input_tokens: int, output_tokens: int, model: str, cached_tokens: int = 0
    ) -> float:
        """Return the cost of a request in USD, at list prices.

        Args:
            input_tokens: Number of all input tokens, including those read from the cache.
            output_tokens: Number of output tokens, including thinking.
            model: Name of the model.
            cached_tokens: Number of input tokens read from the cache. Tokens written to the cache
                are priced as other input.

        Raises:
            ProviderError: The price of the model is unknown, or only that of a similar model is
                known.
            ValidationError: A number is negative or not finite, or `cached_tokens` is greater
                than `input_tokens`.
        """
        _check_token_counts(input_tokens, output_tokens, cached_tokens)
        prices = self._prices(model).for_request(input_tokens)
        cached_price = self._cached_price(prices, model) if cached_tokens else 0.0
        uncached_tokens = input_tokens - cached_tokens
        cost = (
            uncached_tokens * prices.input
            + cached_tokens * cached_price
            + output_tokens * prices.output
        )
        return cost / _MILLION

    def cache_rules(self, model: str) -> CacheRules | None:
        """Return the rules of the prompt cache, or None if they are unknown or caching is off."""
        return self._info(model).cache if self._caching else None

    def _info(self, model: str) -> ModelInfo:
        return model_info(model, overrides=self._overrides)

    def _prices(self, model: str) -> Prices:
        prices = self._info(model).prices
        if prices is None:
            raise _unknown_price(model, "the price")
        return prices

    def _cached_price(self, prices: Prices, model: str) -> float:
        if not self._caching:
            return prices.input
        if prices.cached is None:
            raise _unknown_price(model, "the price of cached tokens")
        return prices.cached


def _check_token_counts(input_tokens: int, output_tokens: int, cached_tokens: int) -> None:
    counts = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached_tokens": cached_tokens,
    }
    for name, value in counts.items():
        if not (isinstance(value, Real) and 0 <= value < math.inf):
            raise ValidationError(
                f"{name} must be a number of tokens, at least 0, got {value!r}", counts
            )
    if cached_tokens > input_tokens:
        raise ValidationError(
            f"cached_tokens must be at most input_tokens = {input_tokens}, which include them, "
            f"got {cached_tokens}",
            counts,
        )


def _unknown_price(model: str, price: str) -> ProviderError:
    return ProviderError(
        f"{price} of model {model!r} is unknown: give an entry with prices in "
        "model_context_limits, or in the file that HEADROOM_MODELS names",
        {"model": model},
    )


def call_client(api: str, call: Callable[[], Any]) -> Any:
    """Call a provider's client to count tokens, and return its answer.

    Args:
        api: Name of the API, for error messages.
        call: Function that calls the client.

    Raises:
        ProviderError: The client is asynchronous.
        TokenizationError: The call failed.
    """
    try:
        answer = call()
    except Exception as error:
        raise _counting_failed(api, error) from error
    if isawaitable(answer):
        # A coroutine that is dropped without being closed warns that it was never awaited.
        if hasattr(answer, "close"):
            answer.close()
        raise ProviderError(
            f"{api} cannot count tokens with an asynchronous client: give a synchronous client"
        )
    return answer


def _counting_failed(api: str, error: Exception) -> TokenizationError:
    # The errors of the SDKs share no base class, and their messages may quote the conversation,
    # so only the class and the HTTP status are repeated.
    name = type(error).__name__
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    description = f"{name}, status {status}" if isinstance(status, int) else name
    return TokenizationError(
        f"{api} failed to count tokens ({description}): see the cause; without a client, counts "
        "are estimates",
        {"error": name, "status": status},
    )


def require_int(value: Any, api: str) -> int:
    """Return the number of tokens in a client's answer.

    Args:
        value: The value in the answer.
        api: Name of the API, for error messages.

    Raises:
        TokenizationError: The value is not an integer.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenizationError(
            f"{api} must answer with an integer number of tokens, got {type(value).__name__}: "
            "check the version of the client"
        )
    return value
