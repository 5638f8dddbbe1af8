"""The contract of a provider, and what the providers share."""

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
    """Counts tokens as a model does."""

    @property
    def estimated(self) -> bool:
        """Whether counts are estimates."""
        ...

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text."""
        ...

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a conversation's messages, as a request."""
        ...


@runtime_checkable
class Provider(Protocol):
    """Knows the limits, prices and counts of models.

    Attributes:
        name: `openai`, `anthropic`, `google`, or the name of your own.
    """

    name: str

    def get_token_counter(self, model: str) -> TokenCounter:
        """Return what counts tokens as a model does."""
        ...

    def get_context_limit(self, model: str) -> int:
        """Return the tokens that a request may have as input.

        Raises:
            ProviderError: nothing is known of the model.
        """
        ...

    def estimate_cost(
        self, *, input_tokens: int, output_tokens: int, model: str, cached_tokens: int = 0
    ) -> float:
        """Return what a request costs, in USD.

        Raises:
            ProviderError: the model's price is not known.
        """
        ...

    def cache_rules(self, model: str) -> CacheRules | None:
        """Return how the model's prompts are cached, None where that is not known, or switched off."""
        ...


class CatalogProvider:
    """What providers share whose models are listed.

    Args:
        caching: off prices tokens read from the cache like other input.
        model_context_limits: limits or entries that override the built-in ones, or the path of a file of them,
            as for `model_info`.
    """

    name = ""

    def __init__(self, caching: bool, model_context_limits: Overrides | None) -> None:
        self._caching = caching
        self._overrides = model_context_limits
        if model_context_limits is not None:
            self._info("")  # so that a wrong override is told of here, not at the first request

    def get_context_limit(self, model: str) -> int:
        """Return the tokens that a request may have as input.

        Raises:
            ProviderError: nothing is known of the model.
        """
        limit = self._info(model).context_limit
        if limit is None:
            raise ProviderError(
                f"the context limit of model {model!r} is not known: "
                f"give it with model_context_limits={{{model!r}: tokens}}, or in the file that HEADROOM_MODELS names",
                {"model": model},
            )
        return limit

    def estimate_cost(
        self, *, input_tokens: int, output_tokens: int, model: str, cached_tokens: int = 0
    ) -> float:
        """Return what a request costs, in USD, by list prices.

        Args:
            input_tokens: all tokens of the request, those read from the cache included.
            output_tokens: tokens of the answer, thinking included.
            model: the model's name.
            cached_tokens: how many of the input tokens were read from the cache. What is written to it counts
                as other input here.

        Raises:
            ProviderError: the price is not known, since the model is not, or only one like it.
            ValidationError: a number is negative or not finite, or more tokens were read from the cache than sent.
        """
        counts = {
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "cached_tokens": cached_tokens,
        }
        for name, value in counts.items():
            if not (isinstance(value, Real) and 0 <= value < math.inf):
                raise ValidationError(
                    f"{name} = {value!r}: expected a number of tokens from 0 on", counts
                )
        if cached_tokens > input_tokens:
            message = f"cached_tokens = {cached_tokens}: they are part of the input_tokens, which are {input_tokens}"
            raise ValidationError(message, counts)
        prices = self._prices(model).for_request(input_tokens)
        cached = self._cached_price(prices, model) if cached_tokens else 0.0
        fresh = input_tokens - cached_tokens
        return (
            fresh * prices.input + cached_tokens * cached + output_tokens * prices.output
        ) / _MILLION

    def cache_rules(self, model: str) -> CacheRules | None:
        """Return how the model's prompts are cached, None where that is not known, or switched off."""
        return self._info(model).cache if self._caching else None

    def _info(self, model: str) -> ModelInfo:
        return model_info(model, overrides=self._overrides)

    def _prices(self, model: str) -> Prices:
        prices = self._info(model).prices
        if prices is None:
            raise _unpriced(model, "the price")
        return prices

    def _cached_price(self, prices: Prices, model: str) -> float:
        if not self._caching:
            return prices.input
        if prices.cached is None:
            raise _unpriced(model, "the price of cached tokens")
        return prices.cached


def _unpriced(model: str, what: str) -> ProviderError:
    return ProviderError(
        f"{what} of model {model!r} is not known: give an entry with prices in model_context_limits, "
        "or in the file that HEADROOM_MODELS names",
        {"model": model},
    )


def call_client(who: str, call: Callable[[], Any]) -> Any:
    """Return what a client answered.

    Args:
        who: the provider's name, for the message.
        call: asks the client.

    Raises:
        ProviderError: the client is asynchronous.
        TokenizationError: it failed, in whatever way.
    """
    try:
        answer = call()
    except Exception as error:
        # The errors of a client that was handed in share no base; their messages may show contents.
        status = getattr(error, "status_code", None) or getattr(error, "code", None)
        told = (
            f"{type(error).__name__}, status {status}"
            if isinstance(status, int)
            else type(error).__name__
        )
        message = f"{who} counted no tokens ({told}): see the cause; without a client, counts are estimates"
        raise TokenizationError(
            message, {"error": type(error).__name__, "status": status}
        ) from error
    if isawaitable(answer):
        getattr(answer, "close", lambda: None)()
        raise ProviderError(
            f"{who} cannot count with an asynchronous client: give the synchronous one"
        )
    return answer


def require_int(value: Any, who: str) -> int:
    """Return a number of tokens that a client answered.

    Raises:
        TokenizationError: it is no whole number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenizationError(
            f"{who} answered with no number of tokens, but with a {type(value).__name__}"
        )
    return value
