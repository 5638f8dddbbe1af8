"""Test that minimum, maximum and sum in a marker are exact."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

import pytest

from headroom_core import Request, SmartCrusher, SmartCrusherConfig


def marker_of(text: str) -> str:
    crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))
    compressed = crusher.compress(text, Request(key="0" * 24, tokens=len(text), selecting=True))
    assert compressed is not None
    return compressed.text.splitlines()[-1]


@pytest.mark.parametrize(
    "lexemes",
    [
        [str(1700000000123456789 + (n * 7919) % 331_000) for n in range(300)],
        [f"{10**30 + (n * 37) % 911}.{n:03}" for n in range(300)],
        [f"0.{n * 7 % 1000:03}00000000000000000001" for n in range(300)],
        [f"{n * 7 % 300 + 1}.5e-7" for n in range(300)],
    ],
)
def test_large_and_long_numbers_are_exact(lexemes: list[str]) -> None:
    rows = [f'{{"name":"item {n}","reading":{lexeme}}}' for n, lexeme in enumerate(lexemes)]
    marker = marker_of(f"[{','.join(rows)}]")
    low, high = min(lexemes, key=Decimal), max(lexemes, key=Decimal)
    with localcontext(prec=100):
        total = sum(map(Decimal, lexemes))
    assert f"reading {low}…{high}, sum {total}" in marker


def test_a_sum_of_too_many_digits_is_marked_as_rounded() -> None:
    rows = [{"name": f"item {n}", "reading": 1.5e300 if n == 7 else n + 0.25} for n in range(300)]
    assert "0.25…1.5e+300, sum ≈1.5" in marker_of(json.dumps(rows))
