"""The errors that Headroom raises.

They form one tree:

    HeadroomError
    ├── ConfigurationError         a setting, file or plugin cannot be used
    ├── ProviderError              a provider or model cannot do what was asked
    ├── StorageError               a store cannot be read or written
    ├── CompressionError           strict mode refuses a result with warnings
    ├── ValidationError            an argument of a call is not valid
    ├── TokenizationError          tokens cannot be counted
    ├── CacheError                 a cache cannot be used
    ├── TransformError             a transform or scorer failed
    ├── HeadroomConnectionError    a Headroom server cannot be reached
    ├── HeadroomAuthError          a Headroom server refused the API key
    └── HeadroomCompressError      a Headroom server answered with another error

Mistakes in a program, such as unknown keywords, raise the built-in `TypeError` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HeadroomError(Exception):
    """Base class of all errors that Headroom raises.

    Args:
        message: Description of the problem and of the way out.
        details: Values behind the message, by name.

    Example:
        >>> HeadroomError("no such model", {"model": "x-1"}).details
        {'model': 'x-1'}
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})


class ConfigurationError(HeadroomError):
    """Error of a setting that has an unknown name or a value that is not allowed.

    Settings are the fields of configuration models, the arguments of constructors and of
    `compress` that configure it, store URLs, model files, and plugins.
    """


class ProviderError(HeadroomError):
    """Error of a provider or model that cannot do what was asked.

    Its limit or price is unknown, its client is asynchronous, or its answer is unusable.
    """


class StorageError(HeadroomError):
    """Error of a store that cannot read or write, or that contains damaged texts."""


class CompressionError(HeadroomError):
    """Error of `compress` in strict mode, where it would otherwise return warnings."""


class ValidationError(HeadroomError):
    """Error of an argument that is not valid in a single call.

    Examples are the arguments of `retrieve`, `handle_retrieve_call`, `get_metrics` and
    `Provider.estimate_cost`, and the titles and overheads of documents.
    """


class TokenizationError(HeadroomError):
    """Error of a tokenizer or provider that cannot count tokens."""


class CacheError(HeadroomError):
    """Error of a cache operation. A server reports it as `cache_error`."""


class TransformError(HeadroomError):
    """Error of a transform or scorer that failed, or that returned something unusable."""


class HeadroomConnectionError(HeadroomError):
    """Error of a Headroom server that cannot be reached."""


class HeadroomAuthError(HeadroomError):
    """Error of a Headroom server that refused the API key (HTTP status 401)."""


class HeadroomCompressError(HeadroomError):
    """Error that a Headroom server answered with, of a type that has no class of its own.

    Args:
        message: Message of the server.
        status_code: HTTP status.
        error_type: Type of the error, as the server names it.
        details: Further values, by name.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        error_type: str,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            message, {"status_code": status_code, "error_type": error_type, **(details or {})}
        )
        self.status_code = status_code
        self.error_type = error_type


_CLASS_OF_TYPE: dict[str, type[HeadroomError]] = {
    "configuration_error": ConfigurationError,
    "provider_error": ProviderError,
    "storage_error": StorageError,
    "validation_error": ValidationError,
    "tokenization_error": TokenizationError,
    "cache_error": CacheError,
    "transform_error": TransformError,
}


def map_proxy_error(status: int, type: str, message: str) -> HeadroomError:
    """Return the exception for an error response of a Headroom server, without raising it.

    Args:
        status: HTTP status, or 0 if there was no response.
        type: Type of the error, as the server names it.
        message: Message of the server.

    Returns:
        A `HeadroomAuthError` for status 401, a `HeadroomConnectionError` for 0, an instance of
        the class that the type names if there is one, and a `HeadroomCompressError` otherwise.

    Example:
        >>> map_proxy_error(401, "authentication_error", "bad key")
        HeadroomAuthError('bad key')
    """
    details = {"status_code": status, "error_type": type}
    if status == 401:
        return HeadroomAuthError(message, details)
    if status == 0:
        return HeadroomConnectionError(message, details)
    if type in _CLASS_OF_TYPE:
        return _CLASS_OF_TYPE[type](message, details)
    return HeadroomCompressError(message, status_code=status, error_type=type)
