"""What was worked out last, so that it is not worked out again."""

from __future__ import annotations

import marshal
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from headroom_core._internal.fork import ForkSafeLock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_VALUES, _LARGEST = 16_384, 2000


class LRUCache(Generic[K, V]):
    """The values of the keys that were asked for last, shared by threads.

    Only threads that meet on a new key may each work out its value.

    Args:
        size: how many values are held; those asked for longest ago go first.
        weigh: the weight of a value, such as its bytes.
        most: the weight of all that are held.

    Example:
        >>> squares = LRUCache[int, int](100)
        >>> squares.of(3, lambda: 9), squares.of(3, lambda: 1 // 0)
        (9, 9)
    """

    def __init__(self, size: int, weigh: Callable[[V], int] = lambda _: 0, most: int = 0) -> None:
        self._size = size
        self._weigh = weigh
        self._most = most
        self._weight = 0
        self._held: OrderedDict[K, V] = OrderedDict()
        self._lock = ForkSafeLock()

    def of(self, key: K, work_out: Callable[[], V]) -> V:
        """Return the value that is held under the key, else the one that is worked out, which is never None."""
        if (known := self.get(key)) is not None:
            return known
        value = work_out()
        self.put(key, value)
        return value

    def get(self, key: K) -> V | None:
        """Return the value that is held under the key, None where none is."""
        # Without the lock, which would take longer than the rest: threads cannot come between what one of these does.
        try:
            self._held.move_to_end(key)
            return self._held[key]
        except KeyError:
            return None

    def put(self, key: K, value: V) -> None:
        """Hold a value under the key, unless it alone is too heavy."""
        if self._weigh(value) > self._most:
            return
        with self._lock:
            if (old := self._held.pop(key, None)) is not None:
                self._weight -= self._weigh(old)
            self._held[key] = value
            self._weight += self._weigh(value)
            while len(self._held) > self._size or self._weight > self._most:
                self._weight -= self._weigh(self._held.popitem(last=False)[1])


def text_key(text: str) -> tuple[int, int]:
    """Return a key for a text in this process, so that the text itself need not be held.

    It is a hash of 64 bits, keyed anew in each process: two texts of one length hardly ever share it.
    """
    return len(text), hash(text)


def memoized(encode: Callable[[Any], str]) -> Callable[[Any], str]:
    """Return what encodes values as text, and remembers the texts of the last 16,384 small ones.

    A value may be changed afterwards: it is known again by what it holds, types and the order of keys included.

    Example:
        >>> import json
        >>> encoded, value = memoized(json.dumps), {"day": 1}
        >>> before = encoded(value)
        >>> value["day"] = True
        >>> before, encoded(value)
        ('{"day": 1}', '{"day": true}')
    """
    texts = LRUCache[bytes, str](_VALUES)

    def encoded(value: Any) -> str:
        try:
            key = marshal.dumps(
                value, 2
            )  # Later versions tell apart how often a value is referred to.
        except ValueError:
            return encode(value)
        return texts.of(key, lambda: encode(value)) if len(key) <= _LARGEST else encode(value)

    return encoded
