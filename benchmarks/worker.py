"""A process that compresses what it is sent, and measures: run by path, by any interpreter.

`python worker.py SUBJECT` reads requests from its input and answers each, as JSON, a line each:

    {"messages": [...] or null, "floor": ["text", ...] or null}
    {"seconds": 0.012, "floor": 0.008, "before": 7955, "after": 1203, "peak": 131.5}

`messages` are compressed, the texts of `floor` are encoded once; null skips the one or the other. What a subject
imports counts towards its first request. Times are in seconds, `before` and `after` in tokens, `peak` in MB.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Compress = Callable[[list[Any]], tuple[int, int]]


def identity() -> Compress:
    """Return a subject that does nothing, to test the measuring."""
    return lambda messages: (0, 0)


def headroom(*, selecting: bool) -> Compress:
    """Return this library, with a store on the disk as it has by default."""
    from headroom_core import compress
    from headroom_core.config import CCRConfig, HeadroomConfig
    from headroom_core.stores import SQLiteStore

    store = SQLiteStore(Path(tempfile.mkdtemp()) / "originals.db")
    config = HeadroomConfig(ccr=CCRConfig(enabled=selecting))

    def run(messages: list[Any]) -> tuple[int, int]:
        result = compress(messages, model="gpt-4o", store=store, config=config)
        return result.tokens_before, result.tokens_after

    return run


def rival() -> Compress:
    """Return headroom-ai with its defaults."""
    from headroom import compress  # type: ignore[import-not-found]

    def run(messages: list[Any]) -> tuple[int, int]:
        result = compress(messages, model="gpt-4o")
        return result.tokens_before, result.tokens_after

    return run


SUBJECTS: dict[str, Callable[[], Compress]] = {
    "identity": identity,
    "selecting": lambda: headroom(selecting=True),
    "lossless": lambda: headroom(selecting=False),
    "rival": rival,
}


@cache
def encoder() -> Callable[[str], list[int]]:
    """Return the floor: what tiktoken needs to encode a text."""
    import tiktoken

    return tiktoken.get_encoding("o200k_base").encode_ordinary


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held when it started this process
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 * 1024 if sys.platform == "darwin" else 1024
    )


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes, on a heap that was swept before."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def answer(request: dict[str, Any], subject: Callable[[], Compress]) -> dict[str, Any]:
    """Return the measurements that a request asks for."""
    texts, messages = request.get("floor"), request.get("messages")
    reply: dict[str, Any] = {}
    if texts is not None:
        reply["floor"] = seconds(lambda: [encoder()(text) for text in texts])
    if messages is not None:
        tokens: list[tuple[int, int]] = []
        reply["seconds"] = seconds(lambda: tokens.append(subject()(messages)))
        reply["before"], reply["after"] = tokens[0]
    return {**reply, "peak": peak()}


def main(name: str) -> None:
    """Answer requests until the input ends; what a library prints goes to the errors' stream."""
    replies, sys.stdout = sys.stdout, sys.stderr
    subject = cache(SUBJECTS[name])
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), subject)), file=replies, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
