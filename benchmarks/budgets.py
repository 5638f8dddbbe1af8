"""`python -m benchmarks.budgets`: facts kept when agents' conversations are fitted into a budget.

A budget is a share of a conversation's tokens; in sets with a large system prompt, it is the whole
system prompt and a share of the rest. It covers everything that would be sent: also markers, and
messages that this library may never drop (system prompts, the last user message, the newest
results), so that a small conversation may exceed it. A plain tail cuts the rendered conversation
anywhere, even inside of a message, and is not a valid request.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from benchmarks.__main__ import progress
from benchmarks.corpus import (
    Case,
    add_file_arguments,
    load_cases,
    load_scoring_module,
    write_misses,
)
from benchmarks.data import exchange
from benchmarks.fitting import TAIL, FittedCase, fit_with_tail, fit_with_window, percent_kept
from benchmarks.tuning import TUNING_SETS, ablate, make_trial_runner, search
from benchmarks.windows import OURS, available_windows, missing_windows
from headroom_core import Tokenizer
from headroom_core.stores import MemoryStore

SETS = ("agent_code", "agent_tau", "agent_bfcl", "agent_react")
SHARES = (70, 50, 30)
"""Budgets in percent."""

METHODS = (*OURS, "trim_messages, start_on human", "trim_messages", "ChatMemoryBuffer")


def compare(cases: Sequence[Case], shares: Sequence[int], scoring: Any) -> list[FittedCase]:
    """Fit every case into every budget with every method; each has a store of its own."""
    tokenizer = Tokenizer()
    windows = available_windows(METHODS)
    for make_window in windows.values():
        # Everything that is imported at the first call counts for no case.
        make_window(MemoryStore())(exchange("42"), 10**6)
    fitted = []
    for number, case in enumerate(cases, 1):
        if number % 10 == 0:
            progress(f"{number} of {len(cases)} conversations")
        for share in shares:
            for name, make_window in windows.items():
                window = make_window(MemoryStore())
                fitted.append(
                    fit_with_window(
                        case, share, name, window=window, scoring=scoring, tokenizer=tokenizer
                    )
                )
            fitted.append(fit_with_tail(case, share, scoring, tokenizer))
    progress("")
    return fitted


def format_line(method: str, cases: Sequence[FittedCase], shares: Sequence[int]) -> str:
    """Format a line of a table."""
    facts, used, over, invalid = "", "", "", ""
    for share in shares:
        group = [case for case in cases if case.share == share]
        used_share = sum(case.tokens for case in group) / sum(case.budget for case in group)
        facts += f"{percent_kept(group):>7.1f}"
        used += f"{used_share:>7.0%}"
        if method == TAIL:
            over += f"{'-':>5}"
            invalid += f"{'-':>5}"
        else:
            over += f"{sum(1 for case in group if case.is_over):>5}"
            invalid += f"{sum(1 for case in group if case.is_unpaired):>5}"
    seconds = sum(case.seconds for case in cases)
    return f"{method:<31}{facts}  {used}  {over}  {invalid}{seconds:>9.1f}"


def format_report(cases: Sequence[FittedCase], shares: Sequence[int]) -> str:
    """Format a table for each set."""
    wide, narrow = len(shares) * 7, len(shares) * 5
    header = (
        f"{'':<31}{'facts kept, %':>{wide}}  {'of the budget':>{wide}}"
        f"  {'over':>{narrow}}  {'invalid':>{narrow}}{'seconds':>9}"
    )
    wide_shares = "".join(f"{f'{share}%':>7}" for share in shares)
    narrow_shares = "".join(f"{f'{share}%':>5}" for share in shares)
    subheader = f"{'budget':<31}{wide_shares}  {wide_shares}  {narrow_shares}  {narrow_shares}"
    lines: list[str] = []
    for name in dict.fromkeys(case.set for case in cases):
        group = [case for case in cases if case.set == name]
        count = len({case.case for case in group})
        lines += [f"\n{name} ({count} conversations)", header, subheader]
        for method in dict.fromkeys(case.method for case in group):
            fitted = [case for case in group if case.method == method]
            lines.append(format_line(method, fitted, shares))
    return "\n".join(lines)


def list_misses(cases: Iterable[FittedCase]) -> Iterator[dict[str, Any]]:
    """Yield a record of each case that misses facts or exceeds its budget."""
    for case in cases:
        if case.missed or case.is_over:
            yield {
                "id": case.case,
                "method": case.method,
                "share": case.share,
                "budget": case.budget,
                "tokens": case.tokens,
                "missed": case.missed,
            }


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.budgets", description=__doc__)
    parser.add_argument(
        "--sets",
        default=",".join(SETS),
        help="names of sets, separated by commas; defaults to %(default)s",
    )
    parser.add_argument(
        "--shares",
        default=",".join(map(str, SHARES)),
        help="budgets in percent, separated by commas; defaults to %(default)s",
    )
    tuning_sets = " and ".join(TUNING_SETS)
    parser.add_argument(
        "--weights",
        action="store_true",
        help=f"try importance without each weight, on {tuning_sets}",
    )
    parser.add_argument(
        "--search",
        type=int,
        metavar="N",
        help=f"try N random settings of importance, on {tuning_sets}",
    )
    add_file_arguments(parser)
    return parser.parse_args(arguments)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines as they are computed, and an empty line after the last."""
    for line in lines:
        progress("")
        print(line, flush=True)
    print()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the requested tables."""
    options = parse_arguments(arguments)
    scoring = load_scoring_module(options.corpus)
    shares = [int(share) for share in options.shares.split(",")]
    is_tuning = options.weights or options.search
    sets = TUNING_SETS if is_tuning else options.sets.split(",")
    cases = load_cases(scoring, sets, options.corpus)
    if not cases:
        raise SystemExit(f"there are no cases of {', '.join(sets)} in {options.corpus}")
    if is_tuning:
        run_trial = make_trial_runner(cases, shares, scoring)
        if options.weights:
            print_lines(ablate(run_trial, shares))
        if options.search:
            print_lines(search(run_trial, options.search, shares))
        return
    fitted = compare(cases, shares, scoring)
    print(format_report(fitted, shares))
    for line in missing_windows(METHODS):
        print(line)
    if options.misses:
        write_misses(options.misses, list_misses(fitted))


if __name__ == "__main__":
    main()
