"""Progress lines, violations and summaries of the parts."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from multiprocessing.queues import Queue
from typing import Any, NamedTuple, TypeAlias

PROGRESS_SECONDS = 15.0


@dataclass
class Part:
    """Count what a part did, and print its violations when they happen."""

    name: str
    seconds: float
    counts: dict[str, int] = field(default_factory=dict)
    violations: int = 0
    started: float = field(default_factory=time.monotonic)
    printed: float = field(default_factory=time.monotonic)

    def remaining(self) -> float:
        return self.started + self.seconds - time.monotonic()

    def add(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def progress(self) -> None:
        """Print a line with the counts so far, if the last one is long ago."""
        if time.monotonic() - self.printed > PROGRESS_SECONDS:
            self.printed = time.monotonic()
            print(f"  {self.name}: {self._described()}, {self.remaining():.0f} s left", flush=True)

    def violation(self, message: str) -> None:
        self.violations += 1
        print(f"VIOLATION in {self.name}: {message}", flush=True)

    def summary(self, more: str = "") -> str:
        seconds = time.monotonic() - self.started
        extra = f", {more}" if more else ""
        return (
            f"{self.name}: {self._described()}{extra} in {seconds:.0f} s; "
            f"{self.violations} violations"
        )

    def _described(self) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in self.counts.items()) or "nothing"


def seeds(start: int, step: int) -> Iterator[int]:
    """Yield the seeds of one of several processes."""
    while True:
        yield start
        start += step


class Report(NamedTuple):
    """What a process did since its last report."""

    counts: dict[str, int]
    violations: list[str]
    slowest: float = 0.0


Reports: TypeAlias = "Queue[Report | None]"
"""Reports of processes, each of which puts None at its end."""


def run_processes(
    part: Part, work: Callable[..., None], arguments: Iterable[tuple[Any, ...]]
) -> float:
    """Call a function in a process for each of the arguments, behind a queue for its reports.

    Returns:
        The slowest of all reports, in seconds.
    """
    context = fork_context()
    reports: Reports = context.Queue()
    workers = [context.Process(target=work, args=(reports, *items)) for items in arguments]
    for worker in workers:
        worker.start()
    running, slowest = len(workers), 0.0
    while running:
        report = reports.get()
        if report is None:
            running -= 1
            continue
        part.add(report.counts)
        slowest = max(slowest, report.slowest)
        for violation in report.violations:
            part.violation(violation)
        part.progress()
    for worker in workers:
        worker.join()
    return slowest


def fork_context() -> BaseContext:
    """Return the context whose processes start at once, with the modules of this one, if any."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else None)
