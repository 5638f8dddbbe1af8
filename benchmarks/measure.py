"""Worker processes that compress messages, and the measurements that they return."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent

CORPUS = Path(os.environ.get("HEADROOM_CORPUS") or ROOT.parent / "shared" / "corpus")
"""The folder of real tool outputs with known facts."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement.

    Attributes:
        seconds: Time to compress the messages.
        floor: Time to encode the same texts once.
        before: Number of tokens before compression.
        after: Number of tokens after compression.
        peak: Peak memory of the process so far, in MB.
    """

    seconds: float = 0.0
    floor: float = 0.0
    before: int = 0
    after: int = 0
    peak: float = 0.0

    @property
    def ratio(self) -> float:
        """Time to compress, in multiples of the floor."""
        return self.seconds / self.floor


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report.

    Attributes:
        name: The quantity that was measured.
        value: The median, in `unit`; smaller is better.
        unit: `x` for a ratio, `ms` or `MB`.
        least: The smallest value. For a ratio, the shortest time divided by the shortest floor.
        floor: Cost of encoding alone, in ms or MB.
        saved: Share of the tokens that was saved, if it was measured.
        target: Maximum value to meet, if there is a target.
        rival: The value of headroom-ai, if it was measured.
        rival_saved: Share of the tokens that headroom-ai saved.
    """

    name: str
    value: float
    unit: str = "x"
    least: float | None = None
    floor: float | None = None
    saved: float | None = None
    target: float | None = None
    rival: float | None = None
    rival_saved: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met, or None if there is no target."""
        return None if self.target is None else self.value <= self.target


class Worker:
    """A fresh process that compresses for a subject until the `with` block ends."""

    def __init__(self, subject: str, python: str = sys.executable) -> None:
        self._subject = subject
        self._scratch = tempfile.TemporaryDirectory()
        is_rival = subject == "rival"
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("worker.py")), subject],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if is_rival else None,
            env=environment(self._scratch.name, foreign=is_rival),
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()
        self._scratch.cleanup()

    def measure(
        self, messages: Sequence[Any] | None = None, floor: Sequence[str] | None = None
    ) -> Sample:
        """Measure encoding the `floor` texts once, then compressing the messages."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"messages": messages, "floor": floor}) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            status = self._process.wait()
            raise RuntimeError(f"the worker of {self._subject} exited with status {status}")
        return Sample(**json.loads(reply))

    def measure_with_floor(self, messages: Sequence[Any]) -> Sample:
        """Measure encoding the messages' texts once, then compressing the messages."""
        return self.measure(messages, texts(messages))


def environment(scratch: str, *, foreign: bool) -> dict[str, str]:
    """Return the environment of a worker, which works offline.

    Args:
        scratch: Folder for all files that the worker writes.
        foreign: Whether the interpreter is that of another library, and must not import this one.
    """
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
    paths = {
        "TMPDIR": scratch,
        "HEADROOM_WORKSPACE_DIR": scratch,
        "PYTHONPATH": "" if foreign else str(ROOT),
    }
    return {**os.environ, **vocabulary_environment(), **offline, **paths}


def vocabulary_environment() -> dict[str, str]:
    """Return the variable that lets tiktoken find its vocabulary offline.

    Unless the environment sets it, it names the copy that LlamaIndex ships, if that is installed.
    """
    if "TIKTOKEN_CACHE_DIR" in os.environ or not find_spec("llama_index"):
        return {}
    core = find_spec("llama_index.core")
    if core is None:
        return {}
    cache = Path(str(core.origin)).with_name("_static") / "tiktoken_cache"
    return {"TIKTOKEN_CACHE_DIR": str(cache)}


def texts(messages: Sequence[Any]) -> list[str]:
    """Return all texts that a token counter would encode: contents, and arguments of calls."""
    contents = [message["content"] for message in messages if message["content"]]
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    return contents + [call["function"]["arguments"] for call in calls]


def summarize(name: str, samples: Sequence[Sample], target: float | None = None) -> Line:
    """Summarize several measurements of the same size in a line."""
    floors = [sample.floor for sample in samples]
    return Line(
        name,
        value=median(sample.ratio for sample in samples),
        least=min(sample.seconds for sample in samples) / min(floors),
        floor=median(floors) * 1000,
        saved=share_saved(samples),
        target=target,
    )


def share_saved(samples: Sequence[Sample]) -> float | None:
    """Return the share of the tokens that was saved, or None if no tokens were counted."""
    before = sum(sample.before for sample in samples)
    if not before:
        return None
    return 1 - sum(sample.after for sample in samples) / before
