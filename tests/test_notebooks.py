"""Test that every notebook runs from top to bottom and is stored with its outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks.execute import FOLDER, execute

# Paths and addresses of the machine that ran a notebook. Relative paths do not match, nor do
# version numbers with fewer than four parts.
PRIVATE = re.compile(
    r"(?<![\w.])/(?:home|root|Users|tmp|var|opt|usr|work)/|[A-Z]:\\|\b(?:\d+\.){3}\d+\b|localhost"
)
each_notebook = pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name
)


@each_notebook
def test_a_notebook_runs_with_output_in_the_same_cells(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    assert cells_with_output(execute(path)) == cells_with_output(read(path))


@each_notebook
def test_a_notebook_is_stored_with_all_outputs(path: Path) -> None:
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert "image/png" in {
        kind for cell in cells for output in cell.outputs for kind in output.get("data", {})
    }


@each_notebook
def test_stored_outputs_reveal_nothing_about_the_machine(path: Path) -> None:
    outputs = [output for cell in read(path).cells for output in cell.get("outputs", [])]
    for output in outputs:
        output.get("data", {}).pop("image/png", None)
    assert PRIVATE.findall(json.dumps(outputs, ensure_ascii=False)) == []


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def cells_with_output(notebook: Any) -> list[str]:
    """Return the ids of the cells that have outputs.

    Warnings do not count, because they differ between versions.
    """
    return [
        cell.id
        for cell in notebook.cells
        if any(output.get("name") != "stderr" for output in cell.get("outputs", []))
    ]
