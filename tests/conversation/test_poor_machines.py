"""Test that a machine without disk, home, file descriptors or room fails no request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and mounts")

# Everything is imported first: what is tested is a machine that becomes poor at run time.
PRELUDE = """
    import json, os, resource, sys, tempfile
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
    from llama_index.core.schema import NodeWithScore, TextNode
    import headroom_core
    from headroom_core import Tokenizer, compress, compress_documents, retrieve
    from headroom_core import handle_retrieve_call
    from headroom_integrations.langchain import compress_messages
    from headroom_integrations.llamaindex import HeadroomNodePostprocessor

    rows = json.dumps([{"id": n, "name": f"user {n % 97}", "note": f"n {n}"} for n in range(300)])
    call = {"id": "1", "type": "function", "function": {"name": "users", "arguments": "{}"}}
    turn = [
        {"role": "user", "content": "which failed?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": rows},
    ]
    use = {"type": "tool_use", "id": "1", "name": "users", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "1", "content": rows}
    blocks = [
        {"role": "user", "content": "which failed?"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    chat = [
        HumanMessage("which failed?"),
        AIMessage("", tool_calls=[{"id": "1", "name": "users", "args": {}}]),
        ToolMessage(rows, tool_call_id="1"),
    ]
"""
WORK = """
    from headroom_core.errors import HeadroomError
    results = [
        compress(turn),
        compress(turn, model="claude-sonnet-4-5"),
        compress(blocks),
        compress(turn * 4, token_budget=5000),
    ]
    for found in results:
        assert 0 < found.tokens_after <= found.tokens_before, found.warnings
    assert len(compress_messages(chat)) == len(chat)
    compress_documents(["one two three " * 99, "four five six " * 99], "five")
    node = NodeWithScore(node=TextNode(text="four five six " * 99), score=1.0)
    HeadroomNodePostprocessor().postprocess_nodes([node], query_str="five")
    Tokenizer("gpt-4o").count_text("some words")
    Tokenizer("gpt-4o").count_messages(turn)
    try:
        assert not retrieve("0" * 24).found
    except HeadroomError as error:
        assert "HEADROOM_STORE_URL" in str(error), error
    assert handle_retrieve_call({"key": "0" * 24}).startswith("headroom_retrieve: ")
    saved = [found.tokens_after < found.tokens_before / 2 for found in results]
    print(json.dumps([saved, *[list(found.warnings) for found in results]]))
"""
POOR = {
    "no free file descriptors": """
        free = len(os.listdir("/proc/self/fd")) - 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
    """,
    "no home": """
        import pwd
        def unknown(user): raise KeyError(user)
        pwd.getpwuid = unknown
        for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
            os.environ.pop(name, None)
    """,
    "no folder for temporary files": """
        os.environ["HOME"] = os.environ["TMPDIR"] = "/proc/nowhere"
        tempfile.tempdir = None
        tempfile._candidate_tempdir_list = lambda: ["/proc/nowhere"]
    """,
    "no file may grow": """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    """,
}


def run(code: str, home: Path) -> list[list[str]]:
    environment = {**os.environ, "HOME": str(home)}
    for name in ("XDG_STATE_HOME", "HEADROOM_STORE_URL"):
        environment.pop(name, None)
    script = textwrap.dedent(PRELUDE) + textwrap.dedent(code) + textwrap.dedent(WORK)
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    saved, *warnings = json.loads(process.stdout.splitlines()[-1])
    # Without a file descriptor, what was not imported before cannot be.
    assert all(saved) or "RLIMIT_NOFILE" in code
    return list(warnings)


@pytest.mark.parametrize("machine", POOR)
def test_a_poor_machine_fails_no_request(machine: str, tmp_path: Path) -> None:
    for warnings in run(POOR[machine], tmp_path):
        assert warnings
        assert "confidential" not in str(warnings)


@pytest.fixture(params=["read-only", "full"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    size = "1m" if request.param == "read-only" else "64k"
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a small file system")
    if request.param == "full":
        (folder / "filler").write_bytes(bytes(64 * 1024))
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_takes_nothing_fails_no_request(small_disk: Path) -> None:
    code = f"""
        os.environ["TMPDIR"] = {str(small_disk)!r}
        tempfile.tempdir = None
        tempfile._candidate_tempdir_list = lambda: [{str(small_disk)!r}]
    """
    for warnings in run(code, small_disk):
        assert any("HEADROOM_STORE_URL" in warning or "full" in warning for warning in warnings)
