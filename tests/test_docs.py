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
