"""Test that the source of a tool's result is told by its name, its call and its text."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from crushing import crush

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


def calls(file_name: str) -> list[tuple[str, str]]:
    """Return the tools and arguments of a list of calls, in which `$ ` stands for a shell."""
    found = []
    for line in (Path(__file__).parent / file_name).read_text("utf-8").splitlines():
        if line.startswith("$ "):
            found.append(("bash", json.dumps({"command": line[2:].replace("\\n", "\n")})))
        elif not line.startswith("# "):
            tool, _, arguments = line.partition(" {")
            found.append((tool, "{" + arguments))
    return found


@pytest.mark.parametrize(("tool", "arguments"), calls("calls_that_read_files.txt"))
def test_calls_that_read_files_are_told(tool: str, arguments: str) -> None:
    assert source_of(tool, arguments, "").kind == "file"


@pytest.mark.parametrize(("tool", "arguments"), calls("calls_that_read_no_file.txt"))
def test_calls_that_read_no_file_are_told(tool: str, arguments: str) -> None:
    assert source_of(tool, arguments, "").kind != "file"


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
    "tool",
    """Edit Write MultiEdit NotebookEdit apply_patch apply_diff edit_file replace_in_file
    write_to_file insert_content search_and_replace str_replace_editor file_editor fs_write
    create_text_file replace_symbol_body insert_after_symbol replace_regex replace_lines edit_block
    replace_string_in_file insert_edit_into_file create_new_file_with_text replace_selected_text
    replace_file_text_by_path replace_current_file_text edit_existing_file create_or_update_file
    push_files mcp__filesystem__write_file edit_notebook_file multi_replace_file_content update_file
    single_find_and_replace search_replace""".split(),
)
def test_tools_that_edit_files_are_told(tool: str) -> None:
    assert can_edit(tool)


@pytest.mark.parametrize(
    "tool",
    """edit_message update_reservation write_email create_issue read_file create_discount_code
    update_product_content update_text save_lines create_content edit_profile insert_row patch_user
    write_query replace_item create_code update_file_permissions create_file_link edit_image
    delete_file image_editor push_notification update_content update_status_line
    save_search_text""".split(),
)
def test_tools_that_edit_something_else_are_told(tool: str) -> None:
    assert not can_edit(tool)


def test_a_tool_without_a_name_edits_nothing() -> None:
    assert not can_edit("")
    assert not can_edit(None)


@pytest.mark.parametrize(
    ("command", "edits"),
    [
        ("bash -lc 'cd app && sed -i s/a/b/ a.py'", True),
        ("cat <<'EOS' > a.py\nprint(1)\nEOS", True),
        ("python - <<'PY'\nPath('a.py').write_text('x')\nPY", True),
        ("docker exec web sh -c 'cat > a.py'", True),
        ("python -c \"open('a.py', 'w').write('x')\"", True),
        ("cat a.py", False),
        ("python -c \"print(open('a.py').read())\"", False),
        ("make test > /dev/null", False),
    ],
)
def test_commands_that_edit_files_are_told(command: str, edits: bool) -> None:
    for tool, arguments in [
        ("bash", {"command": command}),
        ("local_shell", {"action": {"command": ["bash", "-lc", command]}}),
        ("run_command", {"CommandLine": command}),
    ]:
        assert can_edit(tool, json.dumps(arguments)) == edits


@pytest.mark.parametrize(
    "hostile",
    [
        *("1\t" * 500_000, "'" + "a|" * 500_000, "_" * 1_000_000, "sudo cat " * 100_000),
        *("$(" * 500_000, '"$(' * 300_000, "<<a " * 200_000 + "\n", "bash -c " * 100_000),
        *("cat\n" * 200_000, "docker run -- " * 70_000, "open(" * 200_000, "a_" * 500_000),
    ],
)
def test_hostile_texts_take_no_time(hostile: str) -> None:
    started = time.process_time()
    source_of(hostile, hostile, hostile)
    source_of("bash", json.dumps({"command": hostile}), hostile)
    source_of("python", json.dumps({"code": hostile}), hostile)
    can_edit(hostile, hostile)
    can_edit("bash", json.dumps({"command": hostile}))
    assert time.process_time() - started < 1


ROWS = [{"id": n, "name": f"user {n}", "state": "ok" if n % 9 else "failed"} for n in range(120)]
JSON = json.dumps(ROWS[:40], indent=2)
PROGRAMS = {
    "inserts": [f"INSERT INTO t VALUES ({r['id']}, '{json.dumps(r)}');" for r in ROWS],
    "statements": [f"await db.insert({json.dumps(r)});" for r in ROWS],
    "calls": [f"users.append({r!r})" for r in ROWS],
    "keyword arguments": [f"    User(**{r!r})," for r in ROWS],
    "Go": [f"\tdata = append(data, `{json.dumps(r)}`)" for r in ROWS],
    "assertions": [f"assert load('{json.dumps(r)}') == {n}" for n, r in enumerate(ROWS)],
    "a docstring": ['"""Load users.', "", JSON, '"""', "import os", "", "def f(a):", "    pass"],
    "a parsed constant": ["require 'json'", "", f"USERS = JSON.parse('{JSON}')", "", "p USERS"],
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_programs_with_data_in_their_statements_stay_as_they_are(kind: str) -> None:
    text = "\n".join(PROGRAMS[kind]) + "\n"
    assert crush(text) == text


@pytest.mark.parametrize(
    ("before", "after"),
    [("2026-01-05 12:00:01 saved(", ")"), ("- ", ";"), ("data: ", ""), ("row = (", ") ok")],
)
def test_lines_of_outputs_are_no_statements(before: str, after: str) -> None:
    lines = [f"{n}: {before}{json.dumps(r)}{after}" for n, r in enumerate(ROWS)]
    assert crush("\n".join(lines)).startswith("[table 120 lines")
