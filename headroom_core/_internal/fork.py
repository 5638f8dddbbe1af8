"""What must be at rest while the process forks: locks that the child could never take, connections to files."""

from __future__ import annotations

import os
from threading import Lock
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An object whose lock or connection must not be in use while the process forks."""

    def before_fork(self) -> None:
        """Come to rest, and stay so."""
        ...

    def after_fork(self) -> None:
        """Go on; called in the parent and in the child."""
        ...


_turn = Lock()
_watched: WeakSet[Forkable] = WeakSet()
_resting: list[Forkable] = []


def watch(thing: Forkable) -> None:
    """Bring the object to rest whenever the process forks, for as long as the object lives."""
    with _turn:
        _watched.add(thing)


class ForkSafeLock:
    """A lock that is free in a forked child, and guards nothing half done there.

    A thread that forks waits until nobody holds it, and holds it meanwhile: a child could never release one that
    another thread held. Do not fork while holding it.

    Example:
        >>> lock = ForkSafeLock()
        >>> with lock:
        ...     pass
    """

    def __init__(self) -> None:
        self._lock = Lock()
        watch(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def before_fork(self) -> None:
        """Take the lock."""
        self._lock.acquire()

    def after_fork(self) -> None:
        """Release the lock."""
        self._lock.release()


def _rest() -> None:
    _turn.acquire()
    for thing in list(_watched):
        thing.before_fork()
        _resting.append(thing)


def _go_on() -> None:
    while _resting:
        _resting.pop().after_fork()
    _turn.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest, after_in_parent=_go_on, after_in_child=_go_on)
