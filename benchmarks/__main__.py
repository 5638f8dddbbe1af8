"""`python -m benchmarks`: the time `compress()` takes, relative to encoding the same input."""

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

SINGLE_MODE_SUITE = "start"
"""The suite whose results do not depend on the mode."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller inputs")
    parser.add_argument(
        "--only", action="append", choices=SUITES, help="run this suite only; may be repeated"
    )
    parser.add_argument(
        "--rival",
        metavar="PYTHON",
        help="interpreter in which headroom-ai is installed, to be measured as well",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    return parser.parse_args(arguments)


def run(suite: Suite, plan: Plan, subject: Subject) -> list[Line]:
    """Run a suite for a subject, and report the progress."""
    lines = []
    for line in suite(plan, subject):
        progress(f"{subject.name}: {line.name}")
        lines.append(line)
    return lines


def add_rival(ours: Sequence[Line], rivals: Sequence[Line]) -> Iterator[Line]:
    """Yield our lines with the rival's figures added."""
    rival_by_name = {line.name: line for line in rivals}
    for line in ours:
        rival = rival_by_name.get(line.name)
        if rival is None:
            yield line
        else:
            yield replace(line, rival=rival.value, rival_saved=rival.saved)


def progress(text: str) -> None:
    """Print the current activity to stderr. An empty text clears the line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def format_value(value: float | None, unit: str) -> str:
    """Format a value with its unit, or None as an empty text."""
    if value is None:
        return ""
    if unit == "%":
        return f"{value:.1%}"
    if value < 10:
        return f"{value:,.2f} {unit}"
    if value < 1000:
        return f"{value:,.1f} {unit}"
    return f"{value:,.0f} {unit}"


def format_cells(line: Line) -> list[str]:
    """Format the cells of a line of the table."""
    verdict = {None: "", True: "met", False: "MISSED"}[line.is_met]
    return [
        line.name,
        format_value(line.value, line.unit),
        format_value(line.least, line.unit),
        format_value(line.saved, "%"),
        format_value(line.floor, "MB" if line.unit == "MB" else "ms"),
        f"at most {line.target:g} {line.unit}" if line.target else "",
        verdict,
        format_value(line.rival, line.unit),
        format_value(line.rival_saved, "%"),
    ]


def format_table(lines: Sequence[Line]) -> str:
    """Format lines as a table with aligned columns, without empty columns."""
    header = ["", "headroom", "least", "saved", "floor", "target", "", "headroom-ai", "saved"]
    body = [format_cells(line) for line in lines]
    rows = [header, *body]
    columns = [index for index in range(len(header)) if any(row[index] for row in body)]
    widths = {index: max(len(row[index]) for row in rows) for index in columns}
    texts = []
    for row in rows:
        cells = [
            row[index].rjust(widths[index]) if index else row[index].ljust(widths[index])
            for index in columns
        ]
        texts.append("  ".join(cells).rstrip())
    return "\n".join(texts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the suites, and print a table for each suite and mode."""
    options = parse_arguments(arguments)
    plan = QUICK if options.quick else Plan()
    rival = Subject("rival", "headroom", options.rival) if options.rival else None
    figures = []
    for name in options.only or SUITES:
        rival_lines = run(SUITES[name], plan, rival) if rival else []
        for mode, description in MODES.items():
            if mode == "lossless" and name == SINGLE_MODE_SUITE:
                continue
            lines = list(add_rival(run(SUITES[name], plan, Subject(mode)), rival_lines))
            figures += [
                {"suite": name, "mode": mode, **asdict(line), "met": line.is_met} for line in lines
            ]
            progress("")
            suffix = "" if name == SINGLE_MODE_SUITE else f" ({description})"
            print(f"\n{TITLES[name]}{suffix}\n{format_table(lines)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
