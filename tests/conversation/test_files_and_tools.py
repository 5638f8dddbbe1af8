"""Test that files stay as they are, and that the settings of tools are followed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from headroom_core import CompressResult, ConfigurationError, acompress, compress
from headroom_core.config import HeadroomConfig
from headroom_core.stores import MemoryStore

ROWS = [{"id": n, "name": f"user {n * 37 % 101}", "city": f"city {n % 7}"} for n in range(300)]
JSON = json.dumps(ROWS)
INDENTED = json.dumps(ROWS, indent="\t")
CSV = "id,name,city\n" + "".join(f"{r['id']},{r['name']},{r['city']}\n" for r in ROWS)
EDIT = {"type": "function", "function": {"name": "edit_file", "parameters": {}}}
RETRIEVE = {"type": "function", "function": {"name": "headroom_retrieve", "parameters": {}}}


def step(tool: str, arguments: dict[str, Any], content: str, number: int = 0) -> list[Any]:
    function = {"name": tool, "arguments": json.dumps(arguments)}
    call = {"id": f"c{number}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": content},
    ]


def run(messages: list[Any], **settings: Any) -> CompressResult:
    question = {"role": "user", "content": "Which city has user 7?"}
    return compress([question, *messages], store=MemoryStore(), **settings)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("read", {"path": "theme.json"}),
        ("mcp__filesystem__read_text_file", {"path": "data/theme.json"}),
        ("bash", {"command": "cd app && cat package-lock.json | head -900"}),
        ("str_replace_based_edit_tool", {"command": "view", "path": "/a.json"}),
        ("workspace", {"file": "theme.json", "offset": 3}),
    ],
)
@pytest.mark.parametrize("content", [JSON, INDENTED])
def test_the_json_of_a_file_stays_as_it_is(
    tool: str, arguments: dict[str, Any], content: str
) -> None:
    result = run(step(tool, arguments, content))
    assert result.messages[-1]["content"] == content
    assert "text of a file" in result.changes[-1].reason
    tight = run(step(tool, arguments, content), token_budget=1000)
    assert json.dumps(content)[1:200] in json.dumps(tight.messages[-1]) or not tight.messages[2:]


def test_the_json_of_an_api_is_shortened() -> None:
    assert run(step("list_users", {"page": 1}, INDENTED)).changes[-1].action == "selected"
    command = {"command": "curl -s https://example.com/users"}
    assert run(step("bash", command, JSON)).changes[-1].action == "selected"


def test_a_declared_file_of_rows_is_a_table_unless_files_are_edited() -> None:
    read = step("read_file", {"path": "users.csv"}, CSV)
    assert run(read).changes[-1].action == "selected"
    assert run(read, tools=[EDIT, RETRIEVE]).messages[-1]["content"] == CSV
    edited = step("edit_file", {"path": "a.py", "old": "a", "new": "b"}, "done", 1)
    assert run([*edited, *read]).messages[-1]["content"] == CSV


def test_a_later_edit_leaves_what_was_sent_before() -> None:
    read = step("read_file", {"path": "users.csv"}, CSV)
    edited = step("edit_file", {"path": "a.py", "old": "a", "new": "b"}, "done", 1)
    assert run([*read, *edited]).messages[:3] == run(read).messages


@pytest.mark.parametrize(
    ("tool", "arguments", "action"),
    [
        ("grep", {"pattern": "user"}, "rewritten"),
        ("bash", {"command": "ls -la"}, "rewritten"),
        ("bash", {"command": "make test"}, "rewritten"),
        ("list_users", {}, "selected"),
    ],
)
def test_where_files_are_edited_only_answers_lose_rows(
    tool: str, arguments: dict[str, Any], action: str
) -> None:
    small = json.dumps(ROWS[:150])
    result = run(step(tool, arguments, small), tools=[EDIT, RETRIEVE])
    assert result.changes[-1].action == action


def test_large_output_of_a_program_loses_rows_even_where_files_are_edited() -> None:
    large = json.dumps([{**row, "note": f"n {row['id'] * 7919 % 1000}"} for row in ROWS])
    result = run(step("bash", {"command": "make"}, large), tools=[EDIT, RETRIEVE])
    assert result.changes[-1].action == "selected"


def test_the_json_in_a_numbered_view_is_not_rewritten() -> None:
    view = "".join(f"{n:6}\t{json.dumps(row)}\n" for n, row in enumerate(ROWS, 57))
    lines = run(step("anything", {}, view)).messages[-1]["content"].split("\n")
    assert {line for line in lines if not line.startswith("[headroom: ")} <= {*view.split("\n")}


@pytest.mark.parametrize(("tools", "is_complete"), [(None, True), ([], False)])
def test_several_calls_for_files_without_known_tools_are_an_agents_work(
    tools: list[Any] | None, is_complete: bool
) -> None:
    log = "\n".join(f"2026-03-07 10:00:{n % 60:02} INFO request {n} done" for n in range(300))
    messages = [
        message
        for number in range(5)
        for message in step("bash", {"command": f"tail logs/app{number}.log"}, log, number)
    ]
    if tools is not None:
        tools = [{"type": "function", "function": {"name": "headroom_retrieve", "parameters": {}}}]
    result = run(messages, tools=tools)
    assert result.messages[2]["content"] != log
    assert (result.messages[-1]["content"] == log) == is_complete


def test_excluded_tools_stay_as_they_are() -> None:
    messages = step("list_users", {}, JSON)
    for names in (["list_users"], ["list_*"]):
        result = run(messages, exclude_tools=names)
        assert result.messages[-1]["content"] == JSON
        assert result.changes[-1].reason == "excluded by exclude_tools"
    assert run(messages, exclude_tools=["list"]).changes[-1].action == "selected"


def test_only_some_tools_are_shortened() -> None:
    messages = [*step("list_users", {}, JSON), *step("list_jobs", {}, JSON, 1)]
    result = run(messages, only_tools=["list_jobs"])
    assert result.changes[2].action == "kept"
    assert result.changes[-1].action == "selected"


def test_a_profile_skips_a_tool_or_has_settings_of_its_own() -> None:
    messages = [*step("list_users", {}, JSON), *step("list_jobs", {}, JSON, 1)]
    result = run(messages, tool_profiles={"list_users": {"skip_compression": True}})
    assert result.messages[2]["content"] == JSON
    assert result.changes[-1].action == "selected"
    wide = run(messages, tool_profiles={"list_jobs": {"keep_first": 40}})
    assert wide.changes[-1].tokens_after > wide.changes[2].tokens_after + 200


def test_a_keyword_wins_over_the_configuration() -> None:
    messages = step("list_users", {}, JSON)
    config = HeadroomConfig(exclude_tools=("list_users",))
    assert run(messages, config=config).changes[-1].action == "kept"
    assert run(messages, config=config, exclude_tools=[]).changes[-1].action == "selected"
    assert config.exclude_tools == ("list_users",)


def test_the_asynchronous_twin_takes_them_too() -> None:
    result = asyncio.run(acompress(step("list_users", {}, JSON), exclude_tools=["list_users"]))
    assert result.messages[-1]["content"] == JSON


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"exclude_tools": "list_users"}, "exclude_tools"),
        ({"only_tools": [""]}, "only_tools"),
        ({"tool_profiles": {"list_users": {"keep_frist": 3}}}, "list_users.*keep_frist"),
        ({"tool_profiles": {"list_users": {"keep_first": -1}}}, "list_users.*keep_first"),
        ({"tool_profiles": {"list_users": {"skip_compression": "yes"}}}, "skip_compression"),
    ],
)
def test_wrong_settings_of_tools_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        run([], **settings)
    with pytest.raises(ConfigurationError, match=named):
        HeadroomConfig(**settings)


@pytest.mark.parametrize("count", [60, 400])
def test_errors_stay_whole_up_to_a_limit(count: int) -> None:
    errors = [{"row": n, "field": f"f{n}", "message": "is not a valid date"} for n in range(count)]
    content = json.dumps(errors)
    use = {"type": "tool_use", "id": "t1", "name": "import_rows", "input": {}}
    part = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": True}
    messages = [
        {"role": "user", "content": "Import them."},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [part]},
    ]
    result = compress(messages, store=MemoryStore())
    assert (result.messages[-1] == messages[-1]) == (len(content) <= 8000)


EXAMPLES = [json.dumps(ROWS[:20]), json.dumps(ROWS[:30], indent=2)]
PROGRAM = '''"""Load users.

The service answers:

    {example}
"""

import json
from pathlib import Path


def load_users(path):
    text = Path(path).read_text()
    users = json.loads(text)
    return [user for user in users if user["city"]]


class Users:
    def __init__(self, path):
        self.users = load_users(path)

    def find(self, name):
        for user in self.users:
            if user["name"] == name:
                return user
        raise KeyError(name)

'''
GUIDE = """# Users

## List the users

Call the service with the number of a page. It answers with a list, as in the example.

```json
{example}
```

## Find a user

Pass the name of the user, exactly as it is written in the list. Names are unique, and the service
keeps them for ninety days after an account was closed. Older names are answered with an error.

### Errors

An error has a code and a message. Try again later if the code is 503.

"""
ANSWERS = ["HTTP 200 OK\n\n{example}", "Here are the users:\n\n{example}\nDone.", "- {example}"]


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("text", [PROGRAM, GUIDE])
def test_json_in_a_program_or_a_guide_stays(text: str, example: str) -> None:
    # The data take half of the text.
    whole = text.replace("{example}", example) + text.partition("{example}")[2] * 4
    assert run(step("fetch", {}, whole)).messages[-1]["content"] == whole


@pytest.mark.parametrize("text", ANSWERS)
def test_json_with_a_few_words_is_shortened(text: str) -> None:
    whole = text.replace("{example}", EXAMPLES[1])
    assert run(step("fetch", {}, whole)).changes[-1].action == "rewritten"


@pytest.mark.parametrize(
    "start",
    [
        "export const users = ",
        "module.exports = ",
        "USERS: list[dict[str, object]] = ",
        "# Generated.\nUSERS = ",
        "users = [\n  {}, ",
        "my $users = <<'END';\n",
    ],
)
def test_data_to_which_a_program_gives_a_name_stay(start: str) -> None:
    whole = start + INDENTED + ";\n"
    assert run(step("fetch", {}, whole)).messages[-1]["content"] == whole


@pytest.mark.parametrize("start", ["result = ", "Output: ", "users=", "Final answer = "])
def test_data_that_a_tool_names_is_shortened(start: str) -> None:
    assert run(step("fetch", {}, start + INDENTED)).changes[-1].action != "kept"
