"""The cache of conversations: only the messages that are new in one are read and routed again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headroom_core._internal.caches import process_caches
from headroom_core._internal.fork import ForkSafeLock
from headroom_core.dialects.base import Dialect, Fingerprint, MessageReader, ParseState
from headroom_core.messages import Draft
from headroom_core.transforms.router import RoutedBlock

_MAX_SNAPSHOTS = 64
_CACHE_SHARE = 0.2
_BYTES_PER_MESSAGE = 1000
"""Approximate overhead of a message in bytes, without its text."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The work that was done for a conversation. It is never altered.

    Attributes:
        settings: Everything that decides the results, apart from the messages.
        fingerprints: Fingerprints of the messages.
        parsed: State of reading the messages.
        routed: The blocks after routing.
        counted: Tokens of every message.
        size: Approximate size of the snapshot in bytes.
    """

    settings: Hashable
    fingerprints: list[Fingerprint]
    parsed: ParseState
    routed: list[RoutedBlock]
    counted: list[int]
    size: int

    def shared_messages(self, fingerprints: Sequence[Fingerprint]) -> int:
        """Return how many leading messages two conversations share."""
        for index, (ours, theirs) in enumerate(zip(self.fingerprints, fingerprints)):
            if ours != theirs:
                return index
        return min(len(self.fingerprints), len(fingerprints))


class PrefixCache:
    """The snapshots of the last conversations. It is shared by threads."""

    def __init__(self) -> None:
        self._snapshots: list[Snapshot] = []
        self._lock = ForkSafeLock()

    def find_longest(
        self, settings: Hashable, fingerprints: Sequence[Fingerprint]
    ) -> tuple[Snapshot | None, int]:
        """Return the snapshot that shares the most leading messages, and their number."""
        longest: Snapshot | None = None
        shared = 0
        for snapshot in reversed(self._snapshots):
            if snapshot.settings != settings:
                continue
            count = snapshot.shared_messages(fingerprints)
            if count > shared:
                longest, shared = snapshot, count
                if count == len(snapshot.fingerprints):
                    break
        return longest, shared

    def put(self, snapshot: Snapshot, replaces: Snapshot | None) -> None:
        """Keep a snapshot.

        Args:
            snapshot: The snapshot.
            replaces: An earlier snapshot of the same conversation, to be forgotten.
        """
        max_bytes = process_caches.share_bytes(_CACHE_SHARE)
        if snapshot.size > max_bytes:
            return
        with self._lock:
            kept = [other for other in self._snapshots if other is not replaces]
            kept.append(snapshot)
            size = sum(other.size for other in kept)
            while len(kept) > _MAX_SNAPSHOTS or size > max_bytes:
                size -= kept.pop(0).size
            # Readers hold no lock: they see either the old list or this one.
            self._snapshots = kept

    def clear(self) -> None:
        """Forget all snapshots."""
        with self._lock:
            self._snapshots = []


_cache = PrefixCache()
process_caches.on_clear(_cache.clear)


class CachedConversation:
    """A conversation, of which the first messages may have been seen before.

    Args:
        dialect: Reads the messages. One that is not a `MessageReader` reads all of them each time.
        messages: The messages.
        settings: Everything that decides the results, apart from dialect and messages.

    Attributes:
        draft: The messages as they were read.
        routed: The leading blocks, if they were routed before.
        counted: Tokens of the leading messages, if they were counted before.
    """

    def __init__(self, dialect: Dialect, messages: Sequence[Any], settings: Hashable) -> None:
        self.routed: list[RoutedBlock] = []
        self.counted: list[int] = []
        self._settings = type(dialect), settings
        self._dialect = dialect
        self._messages = messages
        self._parsed = ParseState()
        self._previous: Snapshot | None = None
        self._fingerprints = _fingerprints(dialect, messages)
        if not isinstance(dialect, MessageReader) or self._fingerprints is None:
            self.draft: Draft = dialect.parse(messages)
            return
        snapshot, shared = _cache.find_longest(self._settings, self._fingerprints)
        if snapshot:
            self._parsed = snapshot.parsed.copy_up_to(shared)
            self.routed = snapshot.routed[: len(self._parsed.blocks)]
            self.counted = snapshot.counted[:shared]
            # A snapshot that shares less than half belongs to a fork, and serves the other branch.
            if 2 * shared >= len(snapshot.fingerprints):
                self._previous = snapshot
        self.draft = dialect.build_draft(messages, dialect.read_new(self._parsed, messages))

    def remember(self, routed: Sequence[RoutedBlock], counted: Sequence[int]) -> None:
        """Keep the work for longer versions of the conversation.

        Nothing is kept if another thread changed a message meanwhile.
        """
        if self._fingerprints is None:
            return
        new = len(self.counted)
        if self._fingerprints[new:] != _fingerprints(self._dialect, self._messages[new:]):
            return
        size = sum(
            len(rest) + len(text or "") + _BYTES_PER_MESSAGE for rest, text in self._fingerprints
        )
        snapshot = Snapshot(
            settings=self._settings,
            fingerprints=self._fingerprints,
            parsed=self._parsed,
            routed=[*routed],
            counted=[*counted],
            size=size,
        )
        _cache.put(snapshot, replaces=self._previous)


def _fingerprints(dialect: Dialect, messages: Sequence[Any]) -> list[Fingerprint] | None:
    """Return the messages' fingerprints, or None if they have none.

    A dialect with a `parse` of its own may read a message differently from `MessageReader`.
    """
    parse: Any = type(dialect).parse
    if isinstance(dialect, MessageReader) and parse is MessageReader.parse:
        with suppress(ValueError):
            return [dialect.fingerprint(message) for message in messages]
    return None
