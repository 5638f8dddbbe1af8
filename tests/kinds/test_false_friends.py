"""Test that texts which look like another kind are told by their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from false_friends import FALSE_FRIENDS

from headroom_core.kinds.detect import detect_kind

_TEXTS = 300


@pytest.mark.parametrize(
    ("make", "kind"), FALSE_FRIENDS.items(), ids=[make.__name__ for make in FALSE_FRIENDS]
)
def test_at_most_one_in_a_hundred_is_mistaken(
    make: Callable[[Random, int], str], kind: str
) -> None:
    found = Counter(detect_kind(make(Random(seed), 10 + seed * 7 % 190)) for seed in range(_TEXTS))
    assert found[kind] >= 0.99 * _TEXTS, found
