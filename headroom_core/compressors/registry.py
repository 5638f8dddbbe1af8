"""The registry of compressors: built-in, installed and registered ones, in the order of asking.

Registered compressors are asked first, the newest of them before the others, then those of
installed packages by the names of their entry points, then the built-in ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from headroom_core._internal.fork import ForkSafeLock
from headroom_core._internal.plugins import entry_points_of, load_plugin
from headroom_core.compressors.base import Compressor
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.text.kinds import TextKind

GROUP = "headroom.compressors"
"""The group of entry points of installed packages' compressors."""

Accepts: TypeAlias = Callable[[TextKind], bool]
CompressorFactory: TypeAlias = Callable[[HeadroomConfig], Compressor]

_MEMBERS = "name and compress(text, request)"


def accept_any_text(kind: TextKind) -> bool:
    """Accept every text."""
    return True


@dataclass(frozen=True, slots=True)
class Route:
    """A compressor, and the texts that it is asked about.

    Attributes:
        accepts: Returns whether the compressor may be meant for a text of some kind.
        compressor: The compressor.
    """

    accepts: Accepts
    compressor: Compressor

    @classmethod
    def to(cls, compressor: Compressor, accepts: Accepts | None = None) -> Route:
        """Return the route to a compressor, by its own test unless another one is given."""
        own: Accepts = getattr(compressor, "accepts", accept_any_text)
        return cls(own if accepts is None else accepts, compressor)

    @property
    def fingerprint(self) -> str:
        """A string that is different whenever the compressor's results may be."""
        compressor = self.compressor
        return str(getattr(compressor, "fingerprint", compressor.name))


class _Registration:
    """A compressor, or a function that creates one from the settings of a request."""

    def __init__(self, source: Compressor | CompressorFactory, accepts: Accepts | None) -> None:
        self.source = source
        self._accepts = accepts
        # Asking whether an object fits a protocol takes longer than compressing a short message,
        # so that it is asked once for each compressor.
        self._route = Route.to(source, accepts) if isinstance(source, Compressor) else None
        self._create: Any = source

    def route(self, config: HeadroomConfig) -> Route:
        """Return the route to the compressor, created from the settings where needed."""
        route = self._route
        if route is not None and route.compressor is self.source:
            return route
        compressor = self._create(config)
        if route is not None and route.compressor is compressor:
            return route
        if not isinstance(compressor, Compressor):
            kind = type(compressor).__name__
            message = f"a compressor factory returned a {kind}: return an object with {_MEMBERS}"
            raise ConfigurationError(message, {"type": kind})
        # Not read again from the attribute, which another thread may have set meanwhile.
        route = self._route = Route.to(compressor, self._accepts)
        return route


class CompressorRegistry:
    """An ordered list of compressors and the kinds of text that each accepts.

    It may be shared by threads.

    Args:
        built_in: Factories of the built-in compressors, asked in this order after all others.
        group: Group of entry points through which installed packages add compressors.
    """

    def __init__(self, built_in: Iterable[CompressorFactory] = (), group: str = GROUP) -> None:
        self._built_in = [_Registration(factory, None) for factory in built_in]
        self._group = group
        self._installed: list[_Registration] | None = None
        self._registered: list[_Registration] = []
        self._lock = ForkSafeLock()

    def register(
        self, compressor: Compressor | CompressorFactory, *, accepts: Accepts | None = None
    ) -> None:
        """Add a compressor, to be asked before all others.

        Args:
            compressor: The compressor, or a function that creates one from a `HeadroomConfig`.
            accepts: Returns whether the compressor may be meant for a text. Defaults to the
                compressor's own method `accepts`, or to every text.

        Raises:
            ConfigurationError: It is neither.
        """
        if isinstance(compressor, type) or not (
            isinstance(compressor, Compressor) or callable(compressor)
        ):
            name = getattr(compressor, "__name__", type(compressor).__name__)
            message = f"compressor = {name}: must be an object with {_MEMBERS}, such as {name}()"
            raise ConfigurationError(message, {"compressor": name})
        with self._lock:
            self._registered = [_Registration(compressor, accepts), *self._registered]

    def unregister(self, compressor: Compressor | CompressorFactory) -> None:
        """Remove a compressor that was registered.

        Raises:
            ConfigurationError: It is not registered.
        """
        with self._lock:
            kept = [item for item in self._registered if item.source is not compressor]
            if len(kept) == len(self._registered):
                name = type(compressor).__name__
                message = f"compressor of type {name} is not registered: register it first"
                raise ConfigurationError(message, {"compressor": name})
            self._registered = kept

    def built_in_routes(self, config: HeadroomConfig) -> tuple[Route, ...]:
        """Return the routes to the built-in compressors alone."""
        return tuple(registration.route(config) for registration in self._built_in)

    def routes(self, config: HeadroomConfig) -> tuple[Route, ...]:
        """Return the routes to all compressors, in the order in which they are asked.

        Raises:
            ConfigurationError: A compressor of an installed package, or a registered factory,
                cannot be used.
        """
        registrations = [*self._registered, *self._load_installed()]
        added = tuple(registration.route(config) for registration in registrations)
        return added + self.built_in_routes(config)

    def _load_installed(self) -> list[_Registration]:
        if self._installed is None:
            self._installed = [
                _Registration(load_plugin(point, Compressor, _MEMBERS), None)
                for point in entry_points_of(self._group).values()
            ]
        return self._installed
