"""`python -m benchmarks`: what `compress()` costs, in encodings of the same input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.measure import Line
from benchmarks.suites import QUICK, SUITES, Plan, Subject, Suite

TITLES = {
    "rows": "New texts, in encodings of the same text",
    "repeat": "The same message again, in encodings of it",
    "turns": "A growing conversation, in encodings of what each turn adds",
    "start": "Start-up",
    "memory": "Peak memory of a process, and of one that only encodes",
    "big": "One big array",
}
MODES = {"selecting": "retrieval on", "lossless": "lossless only"}
ONE_MODE = "start"


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and smaller inputs")
    parser.add_argument(
        "--only", action="append", choices=SUITES, help="a part of it; may be given more than once"
    )
    parser.add_argument(
        "--rival",
        metavar="PYTHON",
        help="an interpreter that has headroom-ai, measured beside ours",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args(arguments)


def run(suite: Suite, plan: Plan, subject: Subject) -> list[Line]:
    """Return a suite's lines for a subject, telling on the way how far it got."""
    lines = []
    for line in suite(plan, subject):
        progress(f"{subject.name}: {line.name}")
        lines.append(line)
    return lines


def beside(ours: Sequence[Line], theirs: Sequence[Line]) -> Iterator[Line]:
    """Yield our lines with the rival's figures in them."""
    by_name = {line.name: line for line in theirs}
    for line in ours:
        other = by_name.get(line.name)
        yield replace(line, rival=other.value, rival_saved=other.saved) if other else line


def progress(text: str) -> None:
    """Say on the errors' stream what is being done; an empty text clears the line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def shown(value: float | None, unit: str) -> str:
    """Return a value with its unit, or nothing."""
    if value is None:
        return ""
    if unit == "%":
        return f"{value:.1%}"
    return (
        f"{value:,.2f} {unit}"
        if value < 10
        else f"{value:,.1f} {unit}"
        if value < 1000
        else f"{value:,.0f} {unit}"
    )


def cells(line: Line) -> list[str]:
    """Return a line of the table."""
    met = {None: "", True: "met", False: "MISSED"}[line.met]
    return [
        line.name,
        shown(line.value, line.unit),
        shown(line.least, line.unit),
        shown(line.saved, "%"),
        shown(line.floor, "MB" if line.unit == "MB" else "ms"),
        f"at most {line.target:g} {line.unit}" if line.target else "",
        met,
        shown(line.rival, line.unit),
        shown(line.rival_saved, "%"),
    ]


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a table with aligned columns, without the columns that are empty."""
    heads = ["", "headroom", "least", "saved", "floor", "target", "", "headroom-ai", "saved"]
    body = [cells(line) for line in lines]
    used = [index for index in range(len(heads)) if any(row[index] for row in body)]
    width = {index: max(len(row[index]) for row in [heads, *body]) for index in used}
    aligned = (
        "  ".join(
            row[index].rjust(width[index]) if index else row[index].ljust(width[index])
            for index in used
        )
        for row in [heads, *body]
    )
    return "\n".join(row.rstrip() for row in aligned)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table for each suite and mode."""
    asked = options(arguments)
    plan = QUICK if asked.quick else Plan()
    rival = Subject("rival", "headroom", asked.rival) if asked.rival else None
    figures = []
    for name in asked.only or SUITES:
        theirs = run(SUITES[name], plan, rival) if rival else []
        for mode, words in MODES.items():
            if mode == "lossless" and name == ONE_MODE:
                continue
            lines = list(beside(run(SUITES[name], plan, Subject(mode)), theirs))
            figures += [
                {"suite": name, "mode": mode, **asdict(line), "met": line.met} for line in lines
            ]
            progress("")
            print(
                f"\n{TITLES[name]}{'' if name == ONE_MODE else f' ({words})'}\n{table(lines)}",
                flush=True,
            )
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
