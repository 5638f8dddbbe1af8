"""The suites: each yields the lines of its report for a subject."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from benchmarks.conversations import conversation
from benchmarks.data import SHAPES, array, big_array, exchange
from benchmarks.measure import Line, Sample, Worker, environment, share_saved, summarize, texts


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes and repetitions to measure.

    Attributes:
        sizes: Number of repetitions, by number of rows.
        megabytes: Size of the big array.
        turns: Length of the conversation.
        processes: Number of fresh processes for each start-up time.
    """

    sizes: dict[int, int] = field(default_factory=lambda: {100: 25, 1000: 11, 10_000: 5})
    megabytes: float = 50
    turns: int = 20
    processes: int = 7


QUICK = Plan(sizes={100: 7, 1000: 3}, megabytes=5, processes=3)


@dataclass(frozen=True, slots=True)
class Subject:
    """A library to measure, with its settings, in an interpreter that has it.

    Attributes:
        name: Its name in `worker.py`.
        package: The package to import.
        python: Path of the interpreter.
    """

    name: str
    package: str = "headroom_core"
    python: str = sys.executable

    def worker(self) -> Worker:
        """Start a process that has not imported anything yet."""
        return Worker(self.name, self.python)

    def warm_worker(self) -> Worker:
        """Start a process that has compressed and encoded something already."""
        worker = self.worker()
        worker.measure_with_floor(exchange(array("pods", 40, seed=0)))
        return worker


Suite = Callable[[Plan, Subject], Iterator[Line]]


def rows(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Measure texts that are new in every repetition, so that no cache helps."""
    with subject.warm_worker() as worker:
        for shape in SHAPES:
            times: dict[int, float] = {}
            for size, repetitions in plan.sizes.items():
                samples = [
                    worker.measure_with_floor(exchange(array(shape, size, seed)))
                    for seed in range(repetitions)
                ]
                times[size] = median(sample.seconds for sample in samples)
                target = 3 if size == 1000 else None
                yield summarize(f"{shape}, {size:,} rows", samples, target)
            smallest, largest = min(times), max(times)
            growth = largest / smallest
            yield Line(
                f"{shape}, time for {growth:g} x the rows",
                times[largest] / times[smallest],
                target=1.1 * growth,
            )


def repeat(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Measure the compression of a message that was compressed before."""
    size = max(size for size in plan.sizes if size <= 1000)
    with subject.warm_worker() as worker:
        for shape in SHAPES:
            samples = []
            for seed in range(plan.sizes[size]):
                messages = exchange(array(shape, size, seed))
                worker.measure(messages)
                samples.append(worker.measure_with_floor(messages))
            yield summarize(f"{shape}, {size:,} rows a second time", samples, target=0.05)


def big(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Measure time and memory for a big array.

    Encoding and compression run in separate processes, to measure the memory of each.
    """
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
    """Measure each turn of a growing conversation, in encodings of the texts that it adds."""
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
    total = sum(sample.seconds for sample in samples) / sum(sample.floor for sample in samples)
    yield Line("all turns", total, saved=saved)


def start(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Measure the import, and the first `compress()` including the import, in fresh processes."""
    import_times = []
    for _ in range(plan.processes):
        # Alternately without and with the import, so that both meet the same load.
        bare = _time_python(subject, "pass")
        importing = _time_python(subject, f"import {subject.package}")
        import_times.append((importing - bare) * 1000)
    yield Line(
        "import, over bare Python",
        median(import_times),
        "ms",
        least=min(import_times),
        target=50,
    )
    messages = exchange(array("database", 100, seed=1))
    first_times: list[float] = []
    floors: list[float] = []
    for _ in range(plan.processes):
        with subject.worker() as worker:
            first_times.append(worker.measure(messages).seconds * 1000)
        with subject.worker() as worker:
            floors.append(worker.measure(floor=texts(messages)).floor * 1000)
    yield Line(
        "first compress(), import included",
        median(first_times),
        "ms",
        least=min(first_times),
        floor=median(floors),
        target=1000,
    )


def memory(plan: Plan, subject: Subject) -> Iterator[Line]:
    """Measure the peak memory of fresh processes that only encode, or only compress."""
    size = max(plan.sizes)
    for shape in SHAPES:
        messages = exchange(array(shape, size, seed=1))
        with subject.worker() as worker:
            floor = worker.measure(floor=texts(messages)).peak
        with subject.worker() as worker:
            peak = worker.measure(messages).peak
        yield Line(f"{shape}, {size:,} rows, peak memory", peak, "MB", floor=floor)


SUITES: dict[str, Suite] = {
    suite.__name__: suite for suite in (rows, repeat, turns, start, memory, big)
}


def _time_python(subject: Subject, code: str) -> float:
    """Return how many seconds a fresh interpreter takes to run the code."""
    variables = environment("", foreign=subject.name == "rival")
    begin = time.perf_counter()
    subprocess.run([subject.python, "-c", code], check=True, env=variables, capture_output=True)
    return time.perf_counter() - begin
