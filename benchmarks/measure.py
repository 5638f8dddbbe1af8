"""Workers to send messages to, and what came back as ratios to the floor."""

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
    """One measurement.

    Attributes:
        seconds: time to compress.
        floor: time to encode the same texts once.
        before: tokens that came in.
        after: tokens that went out.
        peak: the most memory that the process has held so far, in MB.
    """

    seconds: float = 0.0
    floor: float = 0.0
    before: int = 0
    after: int = 0
    peak: float = 0.0

    @property
    def ratio(self) -> float:
        """How many times the floor it took."""
        return self.seconds / self.floor


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report.

    Attributes:
        name: what was measured.
        value: the median, in `unit`; smaller is better.
        unit: `x` for a ratio, `ms` or `MB`.
        least: the smallest of the repetitions; of a ratio, the fastest time by the fastest floor.
        floor: what encoding alone needed, in ms or MB.
        saved: the share of the tokens that was saved, where that is told.
        target: the value to reach, where there is one.
        rival: headroom-ai's value, where it was measured.
        rival_saved: what it saved.
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
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.value <= self.target


class Worker:
    """A fresh process that compresses for a subject, until the `with` block ends."""

    def __init__(self, subject: str, python: str = sys.executable) -> None:
        self._subject = subject
        self._scratch = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("worker.py")), subject],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if subject == "rival" else None,
            env=environment(self._scratch.name, foreign=subject == "rival"),
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
        """Return what it took to encode the texts once, and then to compress the messages."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"messages": messages, "floor": floor}) + "\n")
        self._process.stdin.flush()
        reply = self._process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the worker of {self._subject} ended with {self._process.wait()}")
        return Sample(**json.loads(reply))

    def against_floor(self, messages: Sequence[Any]) -> Sample:
        """Return what it took to compress the messages, and to encode their texts once."""
        return self.measure(messages, texts(messages))


def environment(scratch: str, *, foreign: bool) -> dict[str, str]:
    """Return the environment of a worker: its files in a folder of its own, the vocabulary at hand, no network.

    Args:
        scratch: the folder.
        foreign: whether the interpreter is another library's, which must not see this one.
    """
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
    own = {
        "TMPDIR": scratch,
        "HEADROOM_WORKSPACE_DIR": scratch,
        "PYTHONPATH": "" if foreign else str(ROOT),
    }
    return {**os.environ, **vocabulary(), **offline, **own}


def vocabulary() -> dict[str, str]:
    """Return where tiktoken finds its vocabulary: where the environment says, else the copy that LlamaIndex ships."""
    if "TIKTOKEN_CACHE_DIR" in os.environ or not find_spec("llama_index"):
        return {}
    core = find_spec("llama_index.core")
    return (
        {"TIKTOKEN_CACHE_DIR": str(Path(str(core.origin)).with_name("_static") / "tiktoken_cache")}
        if core
        else {}
    )


def texts(messages: Sequence[Any]) -> list[str]:
    """Return all that a counter would encode: contents, and the arguments of calls."""
    contents = [message["content"] for message in messages if message["content"]]
    calls = [call for message in messages for call in message.get("tool_calls", ())]
    return contents + [call["function"]["arguments"] for call in calls]


def summarise(name: str, samples: Sequence[Sample], target: float | None = None) -> Line:
    """Return the line of several measurements of one size: the median ratio, the least, and what was saved."""
    floors = [sample.floor for sample in samples]
    least = min(sample.seconds for sample in samples) / min(floors)
    ratio, floor = median(sample.ratio for sample in samples), median(floors) * 1000
    return Line(name, ratio, least=least, floor=floor, saved=share_saved(samples), target=target)


def share_saved(samples: Sequence[Sample]) -> float | None:
    """Return the share of the tokens that was saved, None where none were counted."""
    before = sum(sample.before for sample in samples)
    return 1 - sum(sample.after for sample in samples) / before if before else None
