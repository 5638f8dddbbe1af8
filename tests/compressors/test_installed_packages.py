"""Test compressors that installed packages register by entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOUT = """
from headroom_core import Compressed

class Quiet:
    name = "quiet"

    def compress(self, text, request):
        if text.startswith("BOOM"):
            raise ValueError(text)
        return Compressed("hush", True, "made quiet") if text.startswith("LOUD") else None
"""


TRY_IT = """
from headroom_core import MemoryStore, compress

message = {"role": "tool", "tool_call_id": "1", "content": "LOUD " * 99}
result = compress([message], store=MemoryStore())
print(result.messages[0]["content"], result.transforms_applied, result.changes[0].reason)
"""


def install(folder: Path, points: str) -> None:
    """Put a package with entry points into a folder, as an installer would."""
    info = folder / "acme_quiet-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-quiet\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.compressors]\n{points}\n")
    (folder / "acme_quiet.py").write_text(SHOUT)


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_compressor_from_an_installed_package_is_used(tmp_path: Path) -> None:
    install(tmp_path, "quiet = acme_quiet:Quiet")
    done = python(TRY_IT, tmp_path)
    assert done.stdout == "hush ['quiet'] made quiet\n", done.stderr


def test_a_failing_compressor_leaks_nothing_of_the_text(
    tmp_path: Path,
) -> None:
    install(tmp_path, "quiet = acme_quiet:Quiet")
    done = python(
        TRY_IT.replace("LOUD", "BOOM").replace("print(", "print(result.warnings, "), tmp_path
    )
    warnings, _, rest = done.stdout.partition(" BOOM")
    message = "message 0 was passed through unchanged: TransformError: "
    assert warnings == f"('{message}the compressor quiet failed: ValueError',)", done.stderr
    assert rest.endswith("BOOM  [] its compressor failed\n")


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("lost = acme_nowhere:Quiet", "compressor lost = acme_nowhere:Quiet cannot be loaded"),
        ("odd = acme_quiet:Loud", "compressor odd = acme_quiet:Loud cannot be loaded"),
        ("none = builtins:dict", "compressor none = builtins:dict: must have name and compress"),
    ],
)
def test_a_broken_compressor_from_an_installed_package_is_named(
    entry_point: str, message: str, tmp_path: Path
) -> None:
    install(tmp_path, entry_point)
    done = python(TRY_IT.replace("print(", "print(result.warnings, "), tmp_path)
    assert "a compressor was left out: ConfigurationError" in done.stdout, done.stderr
    assert message in done.stdout
