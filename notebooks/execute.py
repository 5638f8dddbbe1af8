"""`make notebooks`: run every notebook from top to bottom and store its outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def execute(path: Path) -> nbformat.NotebookNode:
    """Run a notebook and return it with its outputs, without changing the file.

    Raises:
        CellExecutionError: If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    # Timings and the splitting of streams vary between runs, and would show up in every diff.
    client = NotebookClient(
        notebook, timeout=300, coalesce_streams=True, record_timing=False, resources=resources
    )
    return client.execute()


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.ipynb")):
        nbformat.write(execute(path), path)
