"""Test that the summary in a marker is exact and short."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import pytest

from headroom_core import Request, SmartCrusher, SmartCrusherConfig


def compress_rows(text: str) -> str:
    crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))
    compressed = crusher.compress(text, Request(key="0" * 24, tokens=len(text), selecting=True))
    assert compressed is not None
    return compressed.text


def marker_of(text: str) -> str:
    return compress_rows(text).splitlines()[-1]


@pytest.mark.parametrize(
    "lexemes",
    [
        [str(9700000000123456789 + (n * 7919) % 331_000) for n in range(300)],
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


def test_values_that_are_no_numbers_are_counted_beside_the_sum() -> None:
    rows = [{"name": f"item {n}", "cost": n + 0.5, "rest": n + 0.25} for n in range(300)]
    for n in range(0, 300, 10):
        rows[n]["cost"] = "unknown" if n % 20 else None
    for n in range(0, 300, 50):
        del rows[n]["rest"]
    marker = marker_of(json.dumps(rows))
    assert "cost 1.5…299.5, sum 40635.0, null 15, other values 15" in marker
    assert "rest 1.25…299.25, sum 44173.50, no key 6" in marker
    values = "\n".join(f"item {n},{n}.5" if n % 10 else f"item {n},NaN" for n in range(300))
    assert "cost 1.5…299.5, sum 40635.0, other values 30" in marker_of(f"name,cost\n{values}")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize(
    "footer",
    [
        ["Total,,30000"],
        ["TOTAL,600,30000"],
        [",Grand total,30000"],
        ['"Total:",,"30000"'],
        ["Sum,600,30000", "Average,2,100"],
        ["Summe,,30000"],
        ["Total (300 rows),,30000"],
    ],
)
def test_totals_below_a_table_are_not_counted(footer: list[str], separator: str) -> None:
    rows = [f"site-{n},{n % 3 + 1},{n * 7 % 199 + 1}" for n in range(300)]
    text = "\n".join(["site,units,amount", *rows, *footer])
    marker = marker_of(text.replace(",", separator))
    total = sum(n * 7 % 199 + 1 for n in range(300))
    assert f"amount 1…199, sum {total}" in marker
    assert f"over 300 of {300 + len(footer)}" in marker


def test_subtotals_between_records_are_not_counted() -> None:
    rows = [f"site-{n},{n % 3 + 1},{n * 7 % 199 + 1}" for n in range(300)]
    rows[100:100] = ["Subtotal,,4321"]
    marker = marker_of("\n".join(["site,units,amount", *rows]))
    assert "over 300 of 301" in marker


def test_names_that_begin_as_totals_do_are_counted() -> None:
    rows = [f"Total Energies {n},{n * 7 % 199 + 1}" for n in range(300)]
    assert "over all 300" in marker_of("\n".join(["station,amount", *rows]))


def describe(**cells: Callable[[int], Any]) -> str:
    """Return the summary of 300 rows with these cells and a number that varies."""
    rows = [
        {"amount": n * 37 % 977 / 4, **{name: cell(n) for name, cell in cells.items()}}
        for n in range(300)
    ]
    marker = marker_of(json.dumps(rows))
    return marker[marker.index("(over all 300: ") : marker.index("; original intact")]


def test_a_column_is_described_once() -> None:
    assert describe(day=lambda n: f"2026-01-{1 + n % 9:02}").count("day") == 1
    few = describe(day=lambda n: f"2026-01-{1 + n % 3:02}")
    assert "day: 2026-01-01 ×100, 2026-01-02 ×100, 2026-01-03 ×100" in few
    assert few.count("day") == 1


@pytest.mark.parametrize("value", [5, None, "ok", "2026-01-01", True])
def test_a_column_with_the_same_value_in_all_rows_is_not_described(value: Any) -> None:
    assert "same" not in describe(same=lambda n: value)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("created", 1_700_000_000),
        ("seen_ms", 1_700_000_000_123),
        ("nanos", 1_700_000_000_123_456_789),
        ("customer", 10_023),
        ("orderNumber", 70_000),
        ("account_no", 5_100),
    ],
)
def test_times_and_names_that_are_numbers_are_not_summed(name: str, first: int) -> None:
    values = [first + n * 7919 % 9999 for n in range(300)]
    summary = describe(**{name: lambda n: values[n]})
    assert f"{name} {min(values)}…{max(values)}" in summary
    assert summary.count("sum") == 1
    assert re.search(r"amount \S+, sum", summary)


def test_lists_in_child_tables_are_not_counted_by_their_cells() -> None:
    rows = [
        {"order": n, "items": [{"sku": f"A-{n}-{k}", "state": "sent"} for k in range(n % 3 * 4)]}
        for n in range(120)
    ]
    markers = re.findall(r"^\[headroom: .*", compress_rows(json.dumps(rows)), re.MULTILINE)
    assert len(markers) == 2
    assert not any("items: " in marker for marker in markers)
