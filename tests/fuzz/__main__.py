"""Run all parts, one after another: `python -m fuzz --minutes 5`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from fuzz import kills, talks, texts, writers
from fuzz.report import Part

PARTS: dict[str, tuple[Callable[[Part, int], str], float]] = {
    "texts": (texts.run, 0.4),
    "kills": (kills.run, 0.2),
    "writers": (writers.run, 0.1),
    "conversations": (talks.run, 0.3),
}
"""The parts and their shares of the time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen parts; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="time of all parts together")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other inputs")
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part; repeatable")
    options = parser.parse_args(arguments)
    chosen = {name: PARTS[name] for name in options.only or PARTS}
    whole = sum(share for _, share in chosen.values())
    summaries, violations = [], 0
    for name, (run, share) in chosen.items():
        part = Part(name, options.minutes * 60 * share / whole)
        print(f"{name}, {part.seconds:.0f} s, seed {options.seed}", flush=True)
        summaries.append(part.summary(run(part, options.seed)))
        violations += part.violations
    print("\n".join(summaries))
    return int(violations > 0)


if __name__ == "__main__":
    sys.exit(main())
