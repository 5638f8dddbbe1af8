"""Where the text of a tool's result comes from: a file, a search, a listing, a run, an answer.

The name of the tool tells, or else the arguments of its call, or else line numbers in the text.
The text of a file must stay as it is, because an edit has to quote it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

from headroom_core.text.commands import (
    TextSource,
    are_row_files,
    edits_files,
    has_extension,
    source_of_code,
    source_of_command,
)
from headroom_core.text.line_style import OBJECT_SIGN
from headroom_core.text.numbered import has_line_numbers
from headroom_core.text.signs import CODE_START, MARKUP_START
from headroom_core.text.tool_names import (
    is_file_editor,
    is_path_key,
    is_text_editor,
    lists_files,
    names_a_file_alone,
    reads_files,
    reads_named_file,
    runs_commands,
    searches_files,
    words_of,
)

V = TypeVar("V")

_ANSWER = TextSource("answer", "nothing shows that it comes from a file or a program")

_COMMAND_KEYS = frozenset({"command", "cmd", "commands", "commandline"})
_SHELL_KEYS = _COMMAND_KEYS | {"script", "input"}
_MAX_REMEMBERED = 4096
_MAX_REMEMBERED_CHARACTERS = 2000
_MAX_NESTED = 3
_MAX_ITEMS = 50

# Lines of programs, and the headings and fences of documentation. Must not match lines of logs, or
# what stands beside JSON in answers: `HTTP 200 OK`, `Source: a`, `- `.
_SOURCE_LINE = re.compile(
    rf"""
    ^\s*(?:{CODE_START} | {MARKUP_START} | (?:import|from|using|require|include)\s
    | \#{{1,6}}\s\S | \#\s?include | ```
    | (?:if|for|while|else|try|except|with|switch|case|catch)\b.*[:{{(]\s*$ | ["']{{3}}
    | (?:def|class|function|fn|func|interface|type|enum|struct)\s\w)
    | [;{{}}]\s*$ | ["']{{3}}\s*$
    """,
    re.VERBOSE,
)
# The beginning of data that a program gives a name, or that follow in the program. Must not match
# `result = ` in front of JSON, as tools print it.
_NAMED_DATA = re.compile(
    r"""
    ^(?:
        (?:(?:export|const|let|var|static|final|public|private|pub|module)\b[^=\n]{1,80}=
            | [A-Z][A-Z0-9_]+[ ]?(?::[^=\n]{1,80})?=
            | export[ ]default\b
        )\s*(?:[\w.]{1,80}\()?["'`]{0,3}[\[({]?
        | [A-Za-z_][\w.]{0,80}[ ]?(?::[^=\n]{1,80})?=\s*[\[({]
        | [^\n]{0,200}<<[-~]?["']?[A-Z_]+["']?;?
    )\s*$
    """,
    re.VERBOSE | re.MULTILINE,
)
# Data in a call, or before the semicolon at the end of a statement, in the outline of a line.
_DATA_IN_STATEMENT = re.compile(
    rf"\w\([^()\n{OBJECT_SIGN}]{{0,80}}{OBJECT_SIGN}[^()\w\n]{{0,4}}\)"
    rf"|{OBJECT_SIGN}[^\n]{{0,80}};[ ]*$",
    re.MULTILINE,
)
# Lines that only programs have. Must not match prose that begins with `from` or `import`.
_PROGRAM_LINE = re.compile(
    r"""
    ^\s*(?:from\s[\w.]+\simport\s | import\s[\w.{*"']+(?:\s(?:as|from)\s.*)?;?\s*$
    | (?:export\s|async\s)?(?:def|class|function|func|fn|interface)\s\w+\s?[<({:]
    | \#include\s | require\s["'] | ["']{3})
    """,
    re.VERBOSE,
)
_MIN_PROGRAM_LINES = 2
_MIN_SOURCE_LINES = 4
_MIN_SOURCE_SHARE = 0.3
_MIN_OUTSIDE_SHARE = 0.25
_SAMPLED_CHARACTERS = 40_000


def source_of(tool: str | None, call: str | None, text: str) -> TextSource:
    """Return the source of a text.

    Args:
        tool: Name of the tool that returned it, if it is known.
        call: Arguments of the call, as JSON or as a command, if they are known.
        text: The text.

    Example:
        >>> source_of("mcp__fs__read_file", '{"path": "theme.json"}', "{}").kind
        'file'
        >>> source_of("bash", '{"command": "cd app && git grep -n total | head -5"}', "").kind
        'search'
        >>> source_of("get_orders", '{"customer": 7}', "[]").kind
        'answer'
    """
    source = _source_of_call(tool or "", call or "")
    if source.kind != "file" and has_line_numbers(text):
        return TextSource("file", "its lines are numbered, as in a view of a file")
    return source


def commands_of_call(tool: str, call: str) -> list[str]:
    """Return the command lines of a call of a shell; none for other calls."""
    return _find_commands(words_of(tool), _load_arguments(call), call) or []


def paths_of_call(call: str) -> list[str]:
    """Return the paths among the arguments of a call."""
    return list(_find_paths(_load_arguments(call)))


def reads_as_source(outside: str, size: int) -> bool:
    r"""Return whether the text around some data is that of a program or of documentation.

    Args:
        outside: The text without the data, such as JSON in a docstring. Of lines with an object
            each, their outline.
        size: Number of characters of the whole text.

    Example:
        >>> code = "import json\n\ndef load(text):\n    data = json.load(text)\n    print(data)\n"
        >>> reads_as_source(code, 120), reads_as_source("HTTP 200 OK\n", 120)
        (True, False)
    """
    sample = outside[:_SAMPLED_CHARACTERS]
    if _NAMED_DATA.search(sample) or _DATA_IN_STATEMENT.search(sample):
        return True
    if len(outside) < _MIN_OUTSIDE_SHARE * size:
        sign, least = _PROGRAM_LINE, _MIN_PROGRAM_LINES
    else:
        sign, least = _SOURCE_LINE, _MIN_SOURCE_LINES
    lines = [line for line in sample.split("\n") if line.strip()]
    signs = sum(bool(sign.search(line[:200])) for line in lines)
    return signs >= max(least, _MIN_SOURCE_SHARE * len(lines))


def can_edit(tool: str | None, call: str | None = None) -> bool:
    """Return whether a tool, or a call of it, edits files.

    Example:
        >>> can_edit("str_replace_based_edit_tool"), can_edit("Edit"), can_edit("edit_message")
        (True, True, False)
        >>> can_edit("bash", '{"command": "sed -i s/a/b/ x.py"}'), can_edit("bash")
        (True, False)
    """
    return _can_edit(tool or "", call or "")


def _remember_short_calls(read: Callable[[str, str], V]) -> Callable[[str, str], V]:
    """Remember what was read from the last short calls, which each request of a chat asks again."""
    remembered = lru_cache(_MAX_REMEMBERED)(read)

    def read_call(tool: str, call: str) -> V:
        is_short = len(tool) + len(call) <= _MAX_REMEMBERED_CHARACTERS
        return remembered(tool, call) if is_short else read(tool, call)

    return read_call


@_remember_short_calls
def _can_edit(tool: str, call: str) -> bool:
    words = words_of(tool)
    if is_file_editor(words):
        return True
    if not call:
        return False
    return any(map(edits_files, _find_commands(words, _load_arguments(call), call) or ()))


@_remember_short_calls
def _source_of_call(tool: str, call: str) -> TextSource:
    words = words_of(tool)
    arguments = _load_arguments(call)
    commands = _find_commands(words, arguments, call)
    if commands is not None:
        source = source_of_command("\n".join(commands))
        if source.kind == "file" or runs_commands(words) or not words:
            return source
    code = arguments.get("code")
    paths = list(_find_paths(arguments))
    return (
        (source_of_code(code) if isinstance(code, str) else None)
        or _source_of_name(tool, words, paths, has_arguments=bool(arguments))
        or _source_of_paths(tool, words, arguments, paths)
        or _ANSWER
    )


def _source_of_name(
    tool: str, words: list[str], paths: list[str], *, has_arguments: bool
) -> TextSource | None:
    """Return the source that the name of a tool tells. Some tell it only with paths."""
    if searches_files(words):
        return TextSource("search", f"the tool {tool} searches files")
    if lists_files(words):
        return TextSource("listing", f"the tool {tool} lists files")
    is_reader = reads_files(words)
    if not is_reader and (paths or not has_arguments):
        is_reader = reads_named_file(words)
    if is_reader or is_text_editor(words) or is_file_editor(words):
        return TextSource("file", f"the tool {tool} reads or edits files", are_row_files(paths))
    return None


def _source_of_paths(
    tool: str, words: list[str], arguments: dict[str, Any], paths: list[str]
) -> TextSource | None:
    """Return the source of a call with only the path of a file, and perhaps lines of it."""
    others = [key for key, value in arguments.items() if not list(_find_paths({key: value}))]
    if paths and all(map(has_extension, paths)) and names_a_file_alone(words, others):
        return TextSource("file", f"the call of {tool} names a file alone", are_row_files(paths))
    return None


def _load_arguments(call: str) -> dict[str, Any]:
    if not call.startswith("{"):
        return {}
    try:
        arguments = json.loads(call)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _find_paths(arguments: dict[str, Any], depth: int = _MAX_NESTED) -> Iterator[str]:
    """Yield the paths among the arguments of a call, also in lists and objects."""
    for key, value in list(arguments.items())[:_MAX_ITEMS]:
        for item in value[:_MAX_ITEMS] if isinstance(value, list) else [value]:
            if isinstance(item, dict) and depth:
                yield from _find_paths(item, depth - 1)
            elif isinstance(item, str) and is_path_key(key) and not _is_address(item):
                yield item


def _is_address(path: str) -> bool:
    return bool(re.match(r"(?!file:)\w+://", path))


def _find_commands(words: list[str], arguments: dict[str, Any], call: str) -> list[str] | None:
    """Return the command lines of a call of a shell, or None if it has none."""
    if call and not arguments and runs_commands(words):
        return [call]
    given = arguments.get("action")
    nested = given if isinstance(given, dict) else arguments
    is_shell = runs_commands(words)
    keys = _SHELL_KEYS if is_shell else _COMMAND_KEYS
    for key, value in nested.items():
        if "".join(words_of(key)) in keys and value:
            return list(_command_lines(value))
    return [] if is_shell else None


def _command_lines(value: Any) -> Iterator[str]:
    """Yield the command lines that an argument holds: one, several, or one as a list of words."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        words = [word for word in value if isinstance(word, str)]
        if words and re.search(r"\s", words[0]):
            yield from words
        elif len(words) > 2 and words[1].startswith("-") and words[1].endswith("c"):
            # `["bash", "-lc", "…"]`
            yield words[2]
        else:
            yield shlex.join(words)
