"""What is measured, and the value to reach: each suite yields lines for one subject."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from benchmarks.conversations import conversation
from benchmarks.data import SHAPES, array, big_array, exchange
from benchmarks.measure import Line, Sample, Worker, environment, share_saved, summarise, texts


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure.

    Attributes:
        sizes: numbers of rows, and how often each is measured.
        megabytes: the size of the big array.
        turns: the length of the conversation.
        processes: how many fresh processes are started for each start-up time.
    """

    sizes: dict[int, int] = field(default_factory=lambda: {100: 25, 1000: 11, 10_000: 5})
    megabytes: float = 50
    turns: int = 20
    processes: int = 7


QUICK = Plan(sizes={100: 7, 1000: 3}, megabytes=5, processes=3)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured: a library with its settings, in an interpreter that has it.

    Attributes:
        name: its name in `worker.py`.
        package: what is imported.
        python: the path of the interpreter.
    """

    name: str
    package: str = "headroom_core"
    python: str = sys.executable

    def worker(self) -> Worker:
        """Return a fresh process that has done nothing yet."""
        return Worker(self.name, self.python)

    def warm_worker(self) -> Worker:
        """Return a process that has compressed and encoded something already."""
        worker = self.worker()
        worker.against_floor(exchange(array("pods", 40, seed=0)))
        return worker


Suite = Callable[[Plan, Subject], Iterator[Line]]


def rows(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Every repetition is of a text that was not seen before, so that no cache helps."""
    with subject.warm_worker() as worker:
        for shape in SHAPES:
            times: dict[int, float] = {}
            for size, repetitions in plan.sizes.items():
                samples = [
                    worker.against_floor(exchange(array(shape, size, seed)))
                    for seed in range(repetitions)
                ]
                times[size] = median(sample.seconds for sample in samples)
                yield summarise(
                    f"{shape}, {size:,} rows", samples, target=3 if size == 1000 else None
                )
            few, many = min(times), max(times)
            growth = many / few
            yield Line(
                f"{shape}, time for {growth:g} x the rows",
                times[many] / times[few],
                target=1.1 * growth,
            )


def repeat(plan: Plan, subject: Subject) -> Iterator[Line]:
    """The same message is compressed a second time."""
    size = max(size for size in plan.sizes if size <= 1000)
    with subject.warm_worker() as worker:
        for shape in SHAPES:
            samples = []
            for seed in range(plan.sizes[size]):
                messages = exchange(array(shape, size, seed))
                worker.measure(messages)
                samples.append(worker.against_floor(messages))
            yield summarise(f"{shape}, {size:,} rows a second time", samples, target=0.05)


def big(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Two processes, one that compresses and one that only encodes, so that the memory of each is its own."""
    messages = exchange(big_array(plan.megabytes, seed=1))
    name = f"{plan.megabytes:g} MB array"
    with subject.warm_worker() as worker:
        floor = worker.measure(floor=texts(messages))
    with subject.warm_worker() as worker:
        sample = worker.measure(messages)
    ratio = sample.seconds / floor.floor
    yield Line(name, ratio, floor=floor.floor * 1000, saved=share_saved([sample]), target=10)
    yield Line(f"{name}, peak memory", sample.peak, "MB", floor=floor.peak, target=1200)


def turns(plan: Plan, subject: Subject) -> Iterator[Line]:
    """A conversation grows; each turn's cost is told in encodings of what that turn added."""
    messages: list[object] = []
    samples: list[Sample] = []
    with subject.warm_worker() as worker:
        for turn in conversation(plan.turns, seed=1):
            messages += turn
            samples.append(worker.measure(messages, texts(turn)))
    ratios = [sample.ratio for sample in samples]
    floor = median(sample.floor for sample in samples) * 1000
    saved = share_saved(samples[-1:])
    yield Line("a turn, median", median(ratios), least=min(ratios), floor=floor, saved=saved)
    yield Line("the dearest turn", max(ratios), saved=saved)
    whole = sum(sample.seconds for sample in samples) / sum(sample.floor for sample in samples)
    yield Line("all turns", whole, saved=saved)


def start(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Fresh processes, bare and importing by turns; the first `compress()` includes the import."""
    spent = [
        (_run(subject, "pass"), _run(subject, f"import {subject.package}"))
        for _ in range(plan.processes)
    ]
    extra = [(full - bare) * 1000 for bare, full in spent]
    yield Line("import, over bare Python", median(extra), "ms", least=min(extra), target=50)
    messages = exchange(array("database", 100, seed=1))
    firsts: list[float] = []
    floors: list[float] = []
    for _ in range(plan.processes):
        with subject.worker() as worker:
            firsts.append(worker.measure(messages).seconds * 1000)
        with subject.worker() as worker:
            floors.append(worker.measure(floor=texts(messages)).floor * 1000)
    name, least, floor = "first compress(), import included", min(firsts), median(floors)
    yield Line(name, median(firsts), "ms", least=least, floor=floor, target=1000)


def memory(plan: Plan, subject: Subject) -> Iterator[Line]:
    """The most memory of a fresh process that does this one thing."""
    size = max(plan.sizes)
    for shape in SHAPES:
        messages = exchange(array(shape, size, seed=1))
        with subject.worker() as worker:
            floor = worker.measure(floor=texts(messages)).peak
        with subject.worker() as worker:
            yield Line(
                f"{shape}, {size:,} rows, peak memory",
                worker.measure(messages).peak,
                "MB",
                floor=floor,
            )


SUITES: dict[str, Suite] = {
    suite.__name__: suite for suite in (rows, repeat, turns, start, memory, big)
}


def _run(subject: Subject, code: str) -> float:
    """Return the seconds that a fresh interpreter needs to run the code."""
    begin = time.perf_counter()
    variables = environment("", foreign=subject.name == "rival")
    subprocess.run([subject.python, "-c", code], check=True, env=variables, capture_output=True)
    return time.perf_counter() - begin
