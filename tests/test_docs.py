"""Every Python example of the README and of `docs/` runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PLUGGED = """
from acme_headroom import output
from headroom_core import compress, retrieve

result = compress([{"role": "tool", "tool_call_id": "1", "content": output}])
print(*result.transforms_applied)
print(retrieve(*result.ccr_hashes, lines="7").text)
"""


def examples() -> Iterator[Any]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        for match in EXAMPLE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            where = path.relative_to(ROOT).as_posix()
            yield pytest.param("\n" * (line - 1) + match[1], where, id=f"{where}:{line}")


@pytest.mark.parametrize(("source", "where"), list(examples()))
def test_the_example_runs(source: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", "memory://")
    monkeypatch.chdir(tmp_path)
    exec(compile(source, str(ROOT / where), "exec"), {"__name__": "__main__"})


def test_the_warnings_that_the_documentation_explains_are_those_that_are_given() -> None:
    explained = re.findall(
        r"^\| [^|]+ \| `([^`]+)` \|", (ROOT / "docs/journey.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "headroom_core").glob("*.py"))
    told = [part.strip(" :") for warning in explained for part in re.split(r"\d+|…", warning)]
    assert len(explained) == 7
    assert not [part for part in told if part not in code]


def test_the_compressor_of_the_documentation_joins_in_once_it_is_installed(tmp_path: Path) -> None:
    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    ((name, module, rest),) = re.findall(r'^(\w+) = "(\w+)(:\w+)"$', text, re.MULTILINE)
    (tmp_path / f"{module}.py").write_text(EXAMPLE.findall(text)[0], encoding="utf-8")
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.compressors]\n{name} = {module}{rest}\n")
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "HEADROOM_STORE_URL": "memory://"}
    done = subprocess.run([sys.executable, "-c", PLUGGED], env=environment, capture_output=True, text=True)
    told = "passed_tests_1", "line 7 of 200", "tests/test_api.py::test_6 PASSED"
    assert done.stdout.rstrip().splitlines()[-3:] == [*told], done.stderr
