"""Test the environment variables that set the size of the caches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from headroom_core import MemoryStore, clear_caches, compress
from headroom_core._internal.caches import cache_bytes
from headroom_core.testing import ScriptedCall, tool_conversation

ROOT = Path(__file__).parents[1]
SCRIPT = """
import json
from headroom_core import MemoryStore, compress
from headroom_core.testing import ScriptedCall, tool_conversation

store, sent = MemoryStore(), []
calls = [
    ScriptedCall("jobs", {"day": day}, json.dumps([{"id": day * 1000 + n} for n in range(400)]))
    for day in range(3)
]
for count in (1, 2, 3, 3):
    messages = tool_conversation("Which of the jobs failed?", calls[:count])
    sent.append(compress(messages, store=store).messages)
print(json.dumps(sent))
"""


def run_script(megabytes: str | None) -> str:
    """Return the messages that another process sends with caches of a given size."""
    environment = {name: value for name, value in os.environ.items() if name != "HEADROOM_CACHE_MB"}
    if megabytes is not None:
        environment["HEADROOM_CACHE_MB"] = megabytes
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_caches_of_any_size_send_the_same_bytes() -> None:
    expected = run_script(None)
    assert json.loads(expected)[2] == json.loads(expected)[3]
    assert [run_script(megabytes) for megabytes in ("0", "0.01", "500")] == [expected] * 3


@pytest.mark.parametrize(
    ("megabytes", "expected"), [("0", 0), ("1", 2**20), ("0.5", 2**19), ("", 176 * 2**20)]
)
def test_the_cache_size_is_read_in_megabytes(
    megabytes: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_CACHE_MB", megabytes)
    assert cache_bytes() == expected


def test_clearing_the_caches_changes_no_result() -> None:
    store = MemoryStore()
    rows = json.dumps([{"id": n, "state": "failed" if n == 77 else "ok"} for n in range(400)])
    messages = tool_conversation("Which failed?", [ScriptedCall("jobs", result=rows)])
    first = compress(messages, store=store)
    clear_caches()
    again = compress(messages, store=store)
    assert again == first
    assert json.dumps(again.messages) == json.dumps(first.messages)
    clear_caches()
    assert compress(messages, store=MemoryStore()) == first
