"""What can go wrong, as one tree to catch from.

HeadroomError
  + ConfigurationError         a setting has a value that is not allowed
  + ProviderError              a provider or a model is unknown, or answered with an error
  + StorageError               originals or records could not be read or written
  + CompressionError           strict mode: something would have been passed through with a warning
  + ValidationError            the set-up is not valid
  + TokenizationError          tokens could not be counted
  + CacheError                 a cache operation failed
  + TransformError             a transform could not be applied
  + HeadroomConnectionError    the server cannot be reached
  + HeadroomAuthError          the server refused the API key
  + HeadroomCompressError      the server answered with an error
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HeadroomError(Exception):
    """Base of every error that Headroom raises.

    Args:
        message: what is wrong and what to do about it.
        details: the values behind the message, by name.

    Example:
        >>> HeadroomError("no such model", {"model": "x-1"}).details
        {'model': 'x-1'}
    """

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})


class ConfigurationError(HeadroomError):
    """A setting has a value that is not allowed, or no setting has that name."""


class ProviderError(HeadroomError):
    """A provider or a model is unknown, or the provider answered with an error."""


class StorageError(HeadroomError):
    """Originals or records could not be read or written."""


class CompressionError(HeadroomError):
    """Strict mode: something would otherwise have been passed through with a warning."""


class ValidationError(HeadroomError):
    """The set-up is not valid."""


class TokenizationError(HeadroomError):
    """Tokens could not be counted."""


class CacheError(HeadroomError):
    """A cache operation failed."""


class TransformError(HeadroomError):
    """A transform could not be applied."""


class HeadroomConnectionError(HeadroomError):
    """The server cannot be reached."""


class HeadroomAuthError(HeadroomError):
    """The server refused the API key (401)."""


class HeadroomCompressError(HeadroomError):
    """The server answered with an error.

    Args:
        message: what the server said.
        status_code: the HTTP status.
        error_type: the server's own name for the error.
        details: further values, by name.
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


_BY_TYPE: dict[str, type[HeadroomError]] = {
    "configuration_error": ConfigurationError,
    "provider_error": ProviderError,
    "storage_error": StorageError,
    "validation_error": ValidationError,
    "tokenization_error": TokenizationError,
    "cache_error": CacheError,
    "transform_error": TransformError,
}


def map_proxy_error(status: int, type: str, message: str) -> HeadroomError:
    """Return the error that stands for a server's error response.

    Args:
        status: the HTTP status; 0 when no response came at all.
        type: the error's type as the server named it.
        message: the server's message.

    Returns:
        `HeadroomAuthError` for 401, `HeadroomConnectionError` for 0, the class that the type names where
        there is one, else `HeadroomCompressError`. It is returned, not raised.

    Example:
        >>> map_proxy_error(401, "authentication_error", "bad key")
        HeadroomAuthError('bad key')
    """
    details = {"status_code": status, "error_type": type}
    if status == 401:
        return HeadroomAuthError(message, details)
    if status == 0:
        return HeadroomConnectionError(message, details)
    if type in _BY_TYPE:
        return _BY_TYPE[type](message, details)
    return HeadroomCompressError(message, status_code=status, error_type=type)
