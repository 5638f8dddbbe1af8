"""A process that compresses messages and measures that: run by its path, by any interpreter.

`python worker.py SUBJECT` reads requests from stdin and answers each, as JSON, a line each:

    {"messages": [...] or null, "floor": ["text", ...] or null}
    {"seconds": 0.012, "floor": 0.008, "before": 7955, "after": 1203, "peak": 131.5}

The texts of `floor` are encoded once, and `messages` are compressed; null skips either. The first
request includes the time of the subject's imports. Times are in seconds, `before` and `after` in
tokens, `peak` in MB.
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
"""Compresses messages, and returns the number of tokens before and after."""


def identity() -> Compress:
    """Return a subject that does nothing, to test the measurement."""
    return lambda messages: (0, 0)


def headroom(*, selecting: bool) -> Compress:
    """Return this library, with a store on disk as by default."""
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
    """Return headroom-ai with its default settings."""
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
def get_encoder() -> Callable[[str], list[int]]:
    """Return tiktoken's encoder, whose time is the floor."""
    import tiktoken

    return tiktoken.get_encoding("o200k_base").encode_ordinary


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # getrusage would include the memory of the parent when it started this process.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    # macOS reports bytes, other systems kilobytes.
    units_per_mb = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units_per_mb


def time_call(work: Callable[[], object]) -> float:
    """Return how many seconds a call takes, with a garbage collection before it."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def answer(request: dict[str, Any], get_subject: Callable[[], Compress]) -> dict[str, Any]:
    """Return the measurements that a request asks for."""
    texts, messages = request.get("floor"), request.get("messages")
    reply: dict[str, Any] = {}
    if texts is not None:
        reply["floor"] = time_call(lambda: [get_encoder()(text) for text in texts])
    if messages is not None:
        tokens: list[tuple[int, int]] = []
        reply["seconds"] = time_call(lambda: tokens.append(get_subject()(messages)))
        reply["before"], reply["after"] = tokens[0]
    reply["peak"] = peak_memory()
    return reply


def main(name: str) -> None:
    """Answer requests until stdin ends. The output of libraries is redirected to stderr."""
    replies, sys.stdout = sys.stdout, sys.stderr
    get_subject = cache(SUBJECTS[name])
    for line in sys.stdin:
        reply = answer(json.loads(line), get_subject)
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
