"""The registry of compressors: built-in, installed and registered ones, in the order of asking.

Registered compressors are asked first, the newest of them before the others, then those of
installed packages by the names of their entry points, then the built-in ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint
from typing import Any, TypeAlias

from headroom_core._internal.fork import ForkSafeLock
from headroom_core._internal.guard import Failure, Success, attempt
from headroom_core._internal.plugins import entry_points_of, load_plugin
from headroom_core.compressors.base import Compressor, Request
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.kinds import TextKind
from headroom_core.relevance import Scorer

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

    def refusal(self, request: Request) -> str | None:
        """Return why the compressor leaves a text alone whatever it holds, None if it does not."""
        refusal: Callable[[Request], str | None] = getattr(
            self.compressor, "refusal", lambda _: None
        )
        return refusal(request)

    @property
    def keeps_lines(self) -> bool:
        """Whether every line that stays is as it was."""
        return bool(getattr(self.compressor, "keeps_lines", False))

    @property
    def scorer(self) -> Scorer | None:
        """The compressor's scorer of relevance, if it has one."""
        scorer: Scorer | None = getattr(self.compressor, "scorer", None)
        return scorer


class _Registration:
    """A compressor, or a function that creates one from the settings of a request."""

    def __init__(self, source: Compressor | CompressorFactory, accepts: Accepts | None) -> None:
        self.source = source
        self._accepts = accepts
        # Asking whether an object fits a protocol takes longer than compressing a short message,
        # so it is asked once for each compressor.
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
            message = (
                f"a compressor factory returned an object of type {kind}: "
                f"return an object with {_MEMBERS}"
            )
            raise ConfigurationError(message, {"type": kind})
        # Not read again from the attribute, which another thread may have set meanwhile.
        route = self._route = Route.to(compressor, self._accepts)
        return route


class CompressorRegistry:
    """An ordered list of compressors and the kinds of text that each accepts.

    It may be shared by threads.

    Args:
        built_in: The built-in compressors, or factories of those with settings, asked in this order
            after all others.
        group: Group of entry points through which installed packages add compressors.
    """

    def __init__(
        self, built_in: Iterable[Compressor | CompressorFactory] = (), group: str = GROUP
    ) -> None:
        self._built_in = [_Registration(source, None) for source in built_in]
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
            message = (
                f"compressor must be an object with {_MEMBERS}, got {name}; "
                f"register an object, such as {name}()"
            )
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

    def routes(
        self, config: HeadroomConfig, *, skip: Callable[[str], None] | None = None
    ) -> tuple[Route, ...]:
        """Return the routes to all compressors, in the order in which they are asked.

        Args:
            config: The settings from which compressors are created.
            skip: Receives the reason for each added compressor that cannot be used, which is left
                out. Defaults to raising the error.

        Raises:
            ConfigurationError: A compressor of an installed package, or a registered factory,
                cannot be used.
        """
        added: list[Route] = []
        if skip is None:
            installed = self._find_installed()
        else:
            found = attempt(self._find_installed)
            installed = found.value if isinstance(found, Success) else []
            if isinstance(found, Failure):
                skip(found.reason)
        for registration in [*self._registered, *installed]:
            if skip is None:
                added.append(registration.route(config))
                continue
            outcome = attempt(partial(_find_usable, registration, config))
            if isinstance(outcome, Success):
                added.append(outcome.value)
            else:
                skip(outcome.reason)
        return (*added, *(registration.route(config) for registration in self._built_in))

    def _find_installed(self) -> list[_Registration]:
        installed = self._installed
        if installed is None:
            points = entry_points_of(self._group).values()
            installed = [_Registration(_loader(point), None) for point in points]
            self._installed = installed
        return installed


def _loader(point: EntryPoint) -> CompressorFactory:
    """Return a factory of an installed compressor, which is loaded once."""
    load = cache(partial(load_plugin, point, Compressor, _MEMBERS))
    return lambda config: load()


def _find_usable(registration: _Registration, config: HeadroomConfig) -> Route:
    """Return a route, after reading the members in which the code of a plug-in may fail."""
    route = registration.route(config)
    _ = route.fingerprint, route.scorer
    return route
