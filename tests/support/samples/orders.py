"""Rows of data: JSON and separated values."""

from __future__ import annotations

import json
import re
from random import Random

from samples import Sample


def _rows(count: int, seed: int) -> list[dict[str, object]]:
    random = Random(seed)
    return [
        {
            "id": 1000 + number,
            "status": random.choice(["open", "paid", "sent"]),
            "city": random.choice(["Brno", "Graz", "Linz", "Ulm"]),
            "amount": round(random.uniform(5, 900), 2) if number != count // 2 else 4711.5,
        }
        for number in range(count)
    ]


def make_json(lines: int, seed: int) -> str:
    return json.dumps(_rows(lines, seed), indent=1)


def make_csv(lines: int, seed: int) -> str:
    rows = _rows(lines, seed)
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)])


_QUERY = "Which order has the amount 4711.5?"
# A row of the table, with its number.
_ROW = re.compile(r"\d+,.*|")
SAMPLES = [
    Sample("json", "json", make_json, _QUERY, "4711.5", tool="get_orders", own_line=_ROW),
    Sample("csv", "separated", make_csv, _QUERY, "4711.5", tool="get_orders", own_line=_ROW),
]
