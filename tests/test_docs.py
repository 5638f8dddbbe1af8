"""Every Python example of the README and of `docs/` runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
