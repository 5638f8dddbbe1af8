"""Write into one store from many processes, with readers and purges beside."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from random import Random

from fuzz.kills import find_problems, reported_keys, request
from fuzz.report import Part, Report, Reports, run_processes
from headroom_core import MemoryStore, SQLiteStore, StorageError
from headroom_core.markers import content_key

WRITERS, READERS, PURGERS = 8, 2, 1
SLOWEST_SECONDS = 2.0


def run(part: Part, seed: int) -> str:
    """Let all processes work until the time is up, and read every key at the end."""
    request(MemoryStore(), 0)  # The vocabulary is loaded once, before the processes start.
    with tempfile.TemporaryDirectory() as folder:
        path, keys = Path(folder) / "store" / "originals.db", Path(folder) / "keys"
        keys.mkdir()
        roles = [_Writer] * WRITERS + [_Reader] * READERS + [_Purger] * PURGERS
        slowest = run_processes(
            part,
            _work,
            [
                (seed, role(path, keys, seed * 100 + index), part.seconds)
                for index, role in enumerate(roles)
            ],
        )
        for problem in find_problems(path, reported_keys(keys)):
            part.violation(f"seed {seed}, at the end: {problem}")
    met = "met" if slowest < SLOWEST_SECONDS else "MISSED"
    return f"slowest request {slowest:.2f} s (target below {SLOWEST_SECONDS:.0f} s: {met})"


def _work(reports: Reports, seed: int, role: _Role, seconds: float) -> None:
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            counts: dict[str, int] = {}
            slowest, problems = 0.0, []
            batch_end = min(time.monotonic() + 1, end)
            while time.monotonic() < batch_end and not problems:
                started = time.monotonic()
                name, problems = role.act()
                counts[name] = counts.get(name, 0) + 1
                if role.is_timed:
                    slowest = max(slowest, time.monotonic() - started)
            violations = [f"seed {seed}: {problem}" for problem in problems]
            reports.put(Report(counts, violations, slowest))
    except Exception as error:
        reports.put(Report({}, [f"seed {seed}: {type(role).__name__} failed: {error!r}"]))
        raise
    finally:
        reports.put(None)


class _Role:
    """A process with its own connection to the store.

    Args:
        path: File of the store.
        keys: Folder with a file of the keys that each writer was given.
        seed: Seed of the process, which no other has.
    """

    is_timed = True

    def __init__(self, path: Path, keys: Path, seed: int) -> None:
        self.store, self.keys, self.seed = SQLiteStore(path), keys, seed
        self.random, self.number = Random(seed), 0

    def act(self) -> tuple[str, list[str]]:
        """Do something once; return its name in the summary, and what was wrong."""
        raise NotImplementedError


class _Writer(_Role):
    def act(self) -> tuple[str, list[str]]:
        self.number += 1
        text, warnings = request(self.store, self.seed * 10**6 + self.number)
        if not text:
            # A request that waited in vain for the store is answered without loss.
            return "requests without the store", [] if warnings else ["no key and no warning"]
        with (self.keys / str(self.seed)).open("a") as file:
            file.write(f"{content_key(text)}\n")
        return "requests", []


class _Reader(_Role):
    def act(self) -> tuple[str, list[str]]:
        files = sorted(self.keys.iterdir())
        if not files:
            time.sleep(0.01)
            return "reads", []
        file = self.random.choice(files)
        position = self.random.randrange(0, max(file.stat().st_size // 25, 1)) * 25
        with file.open() as lines:
            lines.seek(position)
            key = lines.read(25)
        if not key.endswith("\n"):
            return "reads", []
        try:
            text = self.store.get(key.strip())
        except StorageError:
            return "reads while locked", []
        intact = text is not None and content_key(text) == key.strip()
        return "reads", [] if intact else [f"key {key.strip()} does not resolve"]


class _Purger(_Role):
    is_timed = False

    def act(self) -> tuple[str, list[str]]:
        time.sleep(self.random.uniform(0, 0.3))
        try:
            deleted = self.store.purge(older_than=1e9)
        except StorageError:  # It says which texts remain in the file.
            return "purges beside readers", []
        return "purges", [f"a purge deleted {deleted} young originals"] if deleted else []
