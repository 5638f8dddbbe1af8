"""Forking safely: locks and connections must not be in use while the process forks."""

from __future__ import annotations

import os
from threading import Lock
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An object that must not be in use while the process forks."""

    def before_fork(self) -> None:
        """Wait until the object is not in use, and keep others from using it."""
        ...

    def after_fork(self) -> None:
        """Let others use the object again, in the parent and in the child."""
        ...


_watch_lock = Lock()
_watched: WeakSet[Forkable] = WeakSet()
_paused: list[Forkable] = []


def watch(item: Forkable) -> None:
    """Call an object's methods whenever the process forks, for as long as the object lives."""
    with _watch_lock:
        _watched.add(item)


class ForkSafeLock:
    """A lock that is free in a forked child.

    A thread that forks waits for the lock and holds it meanwhile, because a child could never
    release a lock that another thread of its parent holds. Do not fork while holding it.

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


def _pause_all() -> None:
    _watch_lock.acquire()
    for item in list(_watched):
        item.before_fork()
        _paused.append(item)


def _resume_all() -> None:
    while _paused:
        _paused.pop().after_fork()
    _watch_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_resume_all)
