"""Test that the first and the last row of an array stay, also where others are identical."""

from __future__ import annotations

import json
import random

import pytest
from crushing import crush

from headroom_core.tables.reader import read_tables


@pytest.mark.parametrize("seed", range(200))
def test_the_first_and_the_last_row_are_shown(seed: int) -> None:
    rng = random.Random(seed)
    values = rng.choice([3, 10, 20, 200])
    rows = [
        {"id": rng.randrange(values), "state": rng.choice("abc")}
        for _ in range(rng.randrange(150, 400))
    ]
    rows[-1] = rng.choice(rows)
    table = next(read_tables(crush(json.dumps(rows), selecting=True)))
    numbers = table.numbers or range(table.total)
    assert {0, len(rows) - 1} <= set(numbers)
