"""Test that the source of a tool's result is told by its name, its call and its text."""

from __future__ import annotations

import json
import time

import pytest

from headroom_core.text.sources import can_edit, source_of


@pytest.mark.parametrize(
    ("tool", "arguments", "kind"),
    [
        ("read", {"path": "theme.json"}, "file"),
        ("Read", {"file_path": "/app/src/main.py", "offset": 10, "limit": 50}, "file"),
        ("mcp__filesystem__read_text_file", {"path": "package.json"}, "file"),
        ("get_file_contents", {"owner": "o", "repo": "r", "path": "README.md"}, "file"),
        ("readMultipleFiles", {"paths": ["a.ts", "b.ts"]}, "file"),
        ("str_replace_based_edit_tool", {"command": "view", "path": "/a.py"}, "file"),
        ("workspace", {"file": "conf/app.toml", "start_line": 3}, "file"),
        ("cat", {"file_name": "notes.txt"}, "file"),
        ("bash", {"command": "cd /app && sed -n '1,40p' src/a.py"}, "file"),
        ("shell", {"command": ["bash", "-lc", "nl -ba setup.cfg | head -50"]}, "file"),
        ("execute_bash", {"command": "sudo cat /etc/hosts"}, "file"),
        ("Bash", {"command": "ls -la; cat package.json"}, "file"),
        ("bash", {"command": "git show HEAD:src/a.py"}, "file"),
        ("Grep", {"pattern": "total"}, "search"),
        ("codebase_search", {"query": "where are totals"}, "search"),
        ("bash", {"command": 'grep -rn "a|b" src | head -5'}, "search"),
        ("bash", {"command": "cat app.py | grep def"}, "search"),
        ("list_directory", {"path": "src"}, "listing"),
        ("Glob", {"pattern": "**/*.py"}, "listing"),
        ("run_shell_command", {"command": "find . -name '*.py'"}, "listing"),
        ("bash", {"command": "FOO=1 timeout 60 python -m pytest -q"}, "run"),
        ("bash", {"command": "sed -i s/a/b/ a.py"}, "run"),
        ("bash", {"command": "git log --oneline"}, "run"),
        ("bash", {"command": "curl -s https://api.example.com/orders | head -c 9000"}, "answer"),
        ("bash", {"command": "cat data.json | jq '.items'"}, "answer"),
        ("get_orders", {"customer": 7}, "answer"),
        ("read_query", {"query": "SELECT * FROM t"}, "answer"),
        ("read", {"record": 5}, "answer"),
        ("open", {"url": "https://example.com/a.json"}, "answer"),
        ("query_csv", {"path": "sales.csv", "sql": "SELECT 1"}, "answer"),
        ("lint", {"path": "src/a.py"}, "answer"),
        ("search", {"query": "flights"}, "answer"),
        ("get_pull_request_files", {"number": 3}, "answer"),
        (None, {}, "answer"),
    ],
)
def test_the_name_and_the_call_tell_the_source(
    tool: str | None, arguments: dict[str, object], kind: str
) -> None:
    assert source_of(tool, json.dumps(arguments), "").kind == kind


@pytest.mark.parametrize(
    ("tool", "arguments", "rows"),
    [
        ("read_file", {"path": "sales.csv"}, True),
        ("bash", {"command": "cat logs/app.log"}, True),
        ("bash", {"command": "head -100 events.jsonl"}, True),
        ("read_file", {"path": "theme.json"}, False),
        ("bash", {"command": "cat a.csv; cat b.py"}, False),
    ],
)
def test_declared_files_of_rows_are_told(
    tool: str, arguments: dict[str, object], rows: bool
) -> None:
    source = source_of(tool, json.dumps(arguments), "")
    assert (source.kind, source.rows) == ("file", rows)


@pytest.mark.parametrize(
    "tool", ["edit", "Write", "MultiEdit", "apply_patch", "edit_file", "replace_in_file"]
)
def test_tools_that_edit_files_are_told(tool: str) -> None:
    assert can_edit(tool)


@pytest.mark.parametrize(
    "tool", ["edit_message", "update_reservation", "write_email", "create_issue", "read_file", ""]
)
def test_tools_that_edit_something_else_are_told(tool: str) -> None:
    assert not can_edit(tool)


@pytest.mark.parametrize("hostile", ["1\t" * 500_000, "'" + "a|" * 500_000, "_" * 1_000_000])
def test_hostile_texts_take_no_time(hostile: str) -> None:
    started = time.process_time()
    source_of(hostile, hostile, hostile)
    source_of("bash", json.dumps({"command": hostile}), hostile)
    can_edit(hostile, hostile)
    assert time.process_time() - started < 1
