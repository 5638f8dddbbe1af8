"""Kill processes that write into a store, and check that nothing that they reported is lost."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from random import Random

from fuzz.report import Part, fork_context
from headroom_core import (
    CCRConfig,
    HeadroomConfig,
    MemoryStore,
    SQLiteStore,
    StorageError,
    Store,
    compress,
)
from headroom_core.markers import content_key

WRITERS = 2
KILLS_PER_STORE = 6
EAGER = HeadroomConfig(ccr=CCRConfig(min_tokens_saved=0))


def run(part: Part, seed: int) -> str:
    """Kill writers of one store after another until the time is up."""
    random, slowest = Random(seed), 0.0
    request(MemoryStore(), 0)  # The children then need no time to import.
    part.add({"kills": 0, "keys": 0})
    while part.remaining() > 0:
        with tempfile.TemporaryDirectory() as folder:
            store, reports = Path(folder) / "store" / "originals.db", Path(folder) / "reports"
            reports.mkdir()
            for kill in range(KILLS_PER_STORE):
                name = f"seed {seed}, kill {part.counts['kills']} of the part, {kill} of its store"
                _kill_writers(store, reports, random)
                part.add({"kills": WRITERS})
                started = time.monotonic()
                for problem in _ask_reader(store, reports):
                    part.violation(f"{name}: {problem}")
                slowest = max(slowest, time.monotonic() - started)
                part.progress()
                if part.remaining() < 0:
                    break
            part.add({"keys": len(reported_keys(reports))})
    return f"slowest check of all keys {slowest:.2f} s"


def make_text(number: int, rows: int = 120) -> str:
    """Return rows as JSON that are compressed behind a marker, different for every number."""
    state = ("ok", "pending", "failed")
    return "\n".join(
        f'{{"id":{number * 1000 + row},"state":"{state[row % 17 % 3]}","note":"run {number}"}}'
        for row in range(rows)
    )


def request(store: Store, number: int, rows: int = 120) -> tuple[str, list[str]]:
    """Compress a text; return it with the keys that were handed out and the warnings."""
    text = make_text(number, rows)
    message = {"role": "tool", "tool_call_id": "1", "content": text}
    result = compress([message], store=store, config=EAGER)
    assert all(key == content_key(text) for key in result.ccr_hashes)
    return (text if result.ccr_hashes else ""), result.warnings


def _kill_writers(path: Path, reports: Path, random: Random) -> None:
    context = fork_context()
    writers: list[BaseProcess] = []
    for _ in range(WRITERS):
        number = random.randrange(10**9)
        writer = context.Process(target=_write, args=(path, reports / str(number), number))
        writer.start()
        writers.append(writer)
    # Half of the writers are killed while they open or create the store.
    time.sleep(random.choice((random.uniform(0, 0.03), random.uniform(0, 0.4))))
    for writer in writers:
        writer.kill()
    for writer in writers:
        writer.join()


def _write(path: Path, report: Path, seed: int) -> None:
    """Compress and store until killed; report every key only after it was handed out."""
    random = Random(seed)
    store = SQLiteStore(path)
    output = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while True:
        number = random.randrange(10**6)
        kind = random.randrange(12)
        if kind == 0:
            with suppress(StorageError):  # It says which texts remain in the file.
                store.purge(older_than=1e9)
        elif kind == 1:
            text = make_text(number, random.choice((5, 3000)))
            with suppress(StorageError):  # The store was locked for too long: nothing is promised.
                store.put_many({content_key(text): text})
                os.write(output, f"{content_key(text)}\n".encode())
        elif kind == 2:
            store.close()
        else:
            text, _ = request(store, number)
            if text:
                os.write(output, f"{content_key(text)}\n".encode())


def reported_keys(reports: Path) -> set[str]:
    return {
        line.rstrip("\n")
        for report in reports.iterdir()
        for line in report.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    }


def _ask_reader(path: Path, reports: Path) -> list[str]:
    """Return what a new process finds lost or left behind."""
    context = fork_context()
    answers: SimpleQueue[list[str]] = context.SimpleQueue()
    reader = context.Process(target=_read, args=(path, reports, answers))
    reader.start()
    found = answers.get()
    reader.join()
    return found


def _read(path: Path, reports: Path, answers: SimpleQueue[list[str]]) -> None:
    try:
        answers.put(find_problems(path, reported_keys(reports)))
    except BaseException as error:
        answers.put([f"the reader failed: {error!r}"])
        raise


def find_problems(path: Path, keys: set[str]) -> list[str]:
    store = SQLiteStore(path)
    store.put_many({content_key("the next writer"): "the next writer"})
    problems = []
    for key in sorted(keys):
        text = store.get(key)
        if text is None or content_key(text) != key:
            problems.append(f"key {key} is {'lost' if text is None else 'another text'}")
    store.close()
    left = sorted(file.name for file in path.parent.iterdir() if file.name != path.name)
    return [*problems, *(f"{name} was left behind" for name in left)]
