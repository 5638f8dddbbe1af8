"""Test small runs of `make fuzz`, and that it finds broken promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fuzz import talks, texts
from fuzz.__main__ import PARTS, main
from fuzz.inputs import KINDS, Input, make_input
from fuzz.report import Part

from headroom_core import MemoryStore

ROOT = Path(__file__).parent.parent


def test_a_short_run_keeps_every_promise() -> None:
    # In a process of its own: the parts fork, which the threads of the test runner forbid.
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "tests", "tests/support"))
    run = subprocess.run(
        [sys.executable, "-m", "fuzz", "--minutes", "0.15", "--seed", "7"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    summaries = run.stdout.splitlines()[-len(PARTS) :]
    assert [line.split(":")[0] for line in summaries] == list(PARTS)
    assert all(line.endswith(" 0 violations") for line in summaries)


def test_a_run_with_a_violation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(part: Part, seed: int) -> str:
        part.violation(f"seed {seed}")
        return ""

    monkeypatch.setitem(PARTS, "kills", (run, 1.0))
    assert main(["--only", "kills"]) == 1


def test_inputs_depend_only_on_the_seed_and_have_every_kind() -> None:
    made = [make_input(seed) for seed in range(300)]
    assert made == [make_input(seed) for seed in range(300)]
    assert {made.kind.removeprefix("mutated ") for made in made} == set(KINDS)


def broken(**changes: Any) -> Any:
    """Return `compress` with other attributes of the result."""

    def compress(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        for name, change in changes.items():
            object.__setattr__(result, name, change(getattr(result, name)))
        return result

    original = texts.compress
    return compress


ROWS = Input(1, "rows", "[" + ", ".join(f'{{"id": {row}, "s": "ok"}}' for row in range(60)) + "]")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"messages": lambda old: [{"content": f"{old[0]['content']}."}]}, "after decoding"),
        ({"messages": lambda old: [{"content": ROWS.text + ROWS.text}]}, "more tokens"),
        ({"ccr_hashes": lambda old: ["0" * 24]}, "not in the store"),
        ({"warnings": lambda old: ["RuntimeError: no"]}, "RuntimeError"),
        ({"messages": lambda old: None}, "TypeError"),
    ],
)
def test_a_broken_text_is_a_violation_with_its_seed(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], problem: str
) -> None:
    assert texts.check(ROWS, texts.Counter()) == []
    monkeypatch.setattr(texts, "compress", broken(**changes))
    found = texts.check(ROWS, texts.Counter())
    assert problem in found[0]
    assert found[0].startswith("seed 1, kind 'rows', lossless: ")


def test_a_changed_prefix_is_a_violation_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **{**options, "store": MemoryStore()})

    original = talks.compress
    monkeypatch.setattr(talks, "compress", forgetful)
    found = [problem for seed in range(60) for problem in talks.Growth(seed).check()]
    assert any("changed: " in problem and problem.startswith("seed ") for problem in found)
