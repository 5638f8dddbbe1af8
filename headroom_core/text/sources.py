"""Where the text of a tool's result comes from: a file, a search, a listing, a run, an answer.

The name of the tool tells, or else the arguments of its call, or else line numbers in the text.
The text of a file must stay as it is, because an edit has to quote it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from headroom_core.text.kinds import CODE_START, MARKUP_START
from headroom_core.text.numbered import has_line_numbers

SourceKind = Literal["file", "search", "listing", "run", "answer"]


@dataclass(frozen=True, slots=True)
class TextSource:
    """The source of a text.

    Attributes:
        kind: `file` for the text of a file, `search` for lines that a search found in files,
            `listing` for names of files, `run` for what a program printed, `answer` for all else.
        reason: The evidence.
        rows: Whether it is a file of rows, such as a CSV file or a log.
    """

    kind: SourceKind
    reason: str
    rows: bool = False


_ANSWER = TextSource("answer", "nothing shows that it comes from a file or a program")

# Names of tools in words: `ReadFile` and `mcp__fs__read_file` are `read_file`.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PREFIX = re.compile(r".*(?:__|[.:/])")
_FILE_NAMES = re.compile(
    r"""
    (?:read|view|open|cat|show|get|load|fetch|print|display)
    (?:_(?:multiple|many|text|source|code|local|raw|full|whole|a|the))*
    _(?:files?|notebook|source|code)(?:_(?:contents?|text|lines?|range|section))*
    | (?:files?|notebook)_(?:read|view|open|cat|show|get|contents?)(?:_\w+)?
    """,
    re.VERBOSE,
)
_FILE_VERBS = frozenset({"read", "view", "open", "cat", "head", "tail", "nl", "less"})
_EDITOR_NAMES = re.compile(r"(?:\w+_)?(?:text_editor|str_replace(?:_\w+)?)|editor")
_SEARCH_NAMES = re.compile(
    r"(?:\w+_)?(?:grep|rg|ripgrep|egrep|ag)(?:_\w+)?"
    r"|(?:search|find)_(?:\w+_)?(?:code|codebase|files?|text|symbols?|references|usages|workspace)"
    r"|(?:code|codebase|file|workspace|text|symbol)_search"
)
_LISTING_NAMES = re.compile(
    r"ls|glob|tree|dir|glob_\w+|list_(?:\w+_)?(?:dir|directory|directories|files|folders?)(?:_\w+)?"
    r"|(?:show|get|view|read)_(?:dir|directory|folder)(?:_\w+)?"
    r"|(?:directory|dir|file|folder)_(?:tree|list|listing)"
)
_SHELL_NAMES = re.compile(
    r"(?:\w+_)?(?:bash|sh|zsh|shell|terminal|powershell|pwsh|console)(?:_\w+)?"
    r"|(?:run|execute|exec)(?:_\w+)?_(?:command|commands|cmd)|exec|cmd"
)
# Verbs of tools that do something with a file besides reading it.
_ACTIONS = frozenset(
    """analyse analyze blame build check compile convert count create delete describe diff
    evaluate execute extract find format grep import inspect lint list log parse process query run
    scan search send stat stats status submit summarise summarize test transform upload validate
    write""".split()
)

_PATH_KEYS = frozenset(
    """abspath absolutepath document file filename filenames filepath filepaths files fullpath
    notebookpath path paths relativepath relativeworkspacepath sourcefile targetfile uri""".split()
)
_RANGE_KEY = re.compile(
    r"(?:start|end|begin|first|last|from|to|view|line|offset|limit|range|head|tail|encoding|command"
    r"|page|max|num|number|count|lines|should|explanation|description|reason|root|cwd)"
)
# An extension of a file. Must not match the end of a host name in a URL, or a version.
_EXTENSION = re.compile(r"[^/\\\s]\.([A-Za-z][A-Za-z0-9_]{0,9})$")
_ROW_EXTENSIONS = frozenset({"csv", "tsv", "tab", "psv", "jsonl", "ndjson", "log"})

_COMMAND_KEYS = ("command", "cmd", "commands", "script", "input")
_MAX_COMMAND = 4000
_SEPARATORS = frozenset({"|", "||", "&&", ";", "&", "|&", "\n"})
_FILE_PROGRAMS = frozenset(
    "cat head tail nl less more bat batcat tac type gc get-content sed awk".split()
)
_SEARCH_PROGRAMS = frozenset("grep egrep fgrep zgrep rg ag ack findstr select-string".split())
_LISTING_PROGRAMS = frozenset("ls find tree fd fdfind dir eza exa get-childitem du".split())
_ANSWER_PROGRAMS = frozenset(
    """aws az bq curl docker doctl duckdb flyctl gcloud gh glab heroku helm http https jq kubectl
    mongosh mysql psql redis-cli sqlite3 terraform wget xh yq""".split()
)
# Programs whose output is that of the program before them in the pipe, or of the one behind them.
_FILTERS = frozenset("cat head tail nl less more tac sort uniq tee sed tr cut column".split())
_WRAPPERS = frozenset("sudo env time nice nohup timeout command exec xargs stdbuf".split())
_SILENT = frozenset("cd pushd popd echo printf export set source . mkdir true sleep test [".split())
_GIT_KINDS: dict[str, SourceKind] = {"grep": "search", "ls-files": "listing", "ls-tree": "listing"}

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
_MIN_SOURCE_LINES = 4
_MIN_SOURCE_SHARE = 0.3
_MIN_OUTSIDE_SHARE = 0.25
_SAMPLED_CHARACTERS = 40_000

_EDIT_COMMAND = re.compile(
    r"\b(?:sed\s+(?:-[a-zA-Z]+\s+){0,3}-\w*i|perl\s+-\w*i|apply_patch|git\s+apply|patch\s+-p\d)"
    r"|\bcat\s*>|\btee\s+\S+\.\w"
)
_EDIT_NAMES = re.compile(
    r"(?:multi_?)?edit|write|replace|patch|apply_(?:patch|diff)"
    r"|(?:edit|write|modify|overwrite|rewrite|insert|replace|search_replace|multi_?edit|patch|create"
    r"|update|append|save|create_or_update|write_to|append_to|insert_into|replace_in|search_and)"
    r"_(?:\w+_)?(?:files?|notebook|lines?|text|code|block|symbol_body|content|contents|replace)"
    r"|(?:file|notebook)_(?:edit|write|replace|create|update)|insert_(?:before|after)_symbol"
    r"|search_replace"
)


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


def reads_as_source(outside: str, size: int) -> bool:
    r"""Return whether the text around some data is that of a program or of documentation.

    Args:
        outside: The text without the data, such as JSON in a docstring.
        size: Number of characters of the whole text.

    Example:
        >>> code = "import json\n\ndef load(text):\n    data = json.load(text)\n    print(data)\n"
        >>> reads_as_source(code, 120), reads_as_source("HTTP 200 OK\n", 120)
        (True, False)
    """
    if len(outside) < _MIN_OUTSIDE_SHARE * size:
        return False
    lines = [line for line in outside[:_SAMPLED_CHARACTERS].split("\n") if line.strip()]
    signs = sum(bool(_SOURCE_LINE.search(line[:200])) for line in lines)
    return signs >= max(_MIN_SOURCE_LINES, _MIN_SOURCE_SHARE * len(lines))


def can_edit(tool: str | None, call: str | None = None) -> bool:
    """Return whether a tool, or a call of it, edits files.

    Example:
        >>> can_edit("str_replace_based_edit_tool"), can_edit("Edit"), can_edit("edit_message")
        (True, True, False)
        >>> can_edit("bash", '{"command": "sed -i s/a/b/ x.py"}'), can_edit("bash")
        (True, False)
    """
    name = _name_in_words(tool or "")
    if _EDIT_NAMES.fullmatch(name) or _EDITOR_NAMES.fullmatch(name):
        return True
    return bool(call and _SHELL_NAMES.fullmatch(name) and _EDIT_COMMAND.search(call[:_MAX_COMMAND]))


@lru_cache(maxsize=4096)
def _source_of_call(tool: str, call: str) -> TextSource:
    name = _name_in_words(tool)
    arguments = _load_arguments(call)
    command = _find_command(name, arguments, call)
    if command is not None:
        return _source_of_command(command)
    paths = list(_find_paths(arguments))
    rows = bool(paths) and all(_is_row_file(path) for path in paths)
    if _SEARCH_NAMES.fullmatch(name):
        return TextSource("search", f"the tool {tool} searches files")
    if _LISTING_NAMES.fullmatch(name):
        return TextSource("listing", f"the tool {tool} lists files")
    if _FILE_NAMES.fullmatch(name) or _EDITOR_NAMES.fullmatch(name) or _EDIT_NAMES.fullmatch(name):
        return TextSource("file", f"the tool {tool} reads or edits files", rows)
    if name in _FILE_VERBS and (paths or not arguments):
        return TextSource("file", f"the tool {tool} reads files", rows)
    if _reads_by_arguments(name, arguments, paths):
        return TextSource("file", f"the call of {tool} names a file alone", rows)
    return _ANSWER


def _name_in_words(tool: str) -> str:
    return "_".join(_WORD.findall(_PREFIX.sub("", tool[-200:]))).lower()


def _load_arguments(call: str) -> dict[str, Any]:
    if not call.startswith("{"):
        return {}
    try:
        arguments = json.loads(call)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _find_paths(arguments: dict[str, Any]) -> Iterator[str]:
    """Yield the paths among the arguments of a call."""
    for key, value in arguments.items():
        if "".join(filter(str.isalpha, key)).lower() not in _PATH_KEYS:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _find_paths(item)
            elif isinstance(item, str) and not re.match(r"(?!file:)\w+://", item):
                yield item


def _reads_by_arguments(name: str, arguments: dict[str, Any], paths: list[str]) -> bool:
    """Return whether a call has nothing but the path of a file, and perhaps a range in it."""
    if not paths or not all(_EXTENSION.search(path) for path in paths):
        return False
    if not _ACTIONS.isdisjoint(name.split("_")):
        return False
    others = (key for key in arguments if key.replace("_", "").lower() not in _PATH_KEYS)
    return all(_RANGE_KEY.match(key.lower()) for key in others)


def _is_row_file(path: str) -> bool:
    match = _EXTENSION.search(path)
    return match is not None and match[1].lower() in _ROW_EXTENSIONS


def _find_command(name: str, arguments: dict[str, Any], call: str) -> str | None:
    """Return the command of a call of a shell, or None."""
    is_shell = bool(_SHELL_NAMES.fullmatch(name))
    if is_shell and call and not arguments:
        return call[:_MAX_COMMAND]
    values = [arguments[key] for key in _COMMAND_KEYS if arguments.get(key)]
    if not values or not (is_shell or not name):
        return "" if is_shell else None
    value = values[0]
    if isinstance(value, list):
        words = [word for word in value if isinstance(word, str)]
        # The command of `["bash", "-lc", "…"]` is its last word.
        is_nested = len(words) > 2 and words[1].startswith("-") and words[1].endswith("c")
        return (words[-1] if is_nested else " ".join(words))[:_MAX_COMMAND]
    return value[:_MAX_COMMAND] if isinstance(value, str) else ""


def _source_of_command(command: str) -> TextSource:
    """Return the source of a command's output: of what it printed, the part to be careful with."""
    sources = [_source_of_pipe(stages) for stages in _split_command(command)]
    for kind in ("file", "run", "search", "listing", "answer"):
        found = [source for source in sources if source and source.kind == kind]
        if found:
            rows = all(source.rows for source in found)
            return TextSource(kind, found[0].reason, rows)
    return TextSource("run", "a command printed it")


def _split_command(command: str) -> Iterator[list[list[str]]]:
    """Yield the pipes of a command line, each as its programs with their arguments."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    stages: list[list[str]] = [[]]
    try:
        for token in lexer:
            if token in ("|", "|&"):
                stages.append([])
            elif set(token) <= set("|&;\n"):
                yield stages
                stages = [[]]
            else:
                stages[-1].append(token)
    except ValueError:
        # A quote that nothing closes, as in a long command that was cut.
        pass
    yield stages


def _source_of_pipe(stages: list[list[str]]) -> TextSource | None:
    """Return the source of a pipe's output, or None if it prints nothing of interest."""
    source: TextSource | None = None
    for words in stages:
        words = _without_wrappers(words)
        program = words[0].rpartition("/")[2].lower() if words else ""
        if source is not None and program in _FILTERS:
            continue
        if not program or program in _SILENT:
            continue
        kind = _kind_of_program(program, words)
        named = [word for word in words[1:] if _EXTENSION.search(word)]
        rows = kind == "file" and bool(named) and all(map(_is_row_file, named))
        source = TextSource(kind, f"the command {program} printed it", rows)
    return source


def _without_wrappers(words: list[str]) -> list[str]:
    """Return a command without what only sets the stage for it, such as `sudo`."""
    for position, word in enumerate(words):
        is_setting = word in _WRAPPERS or re.match(r"\w+=|-|\d", word)
        if not is_setting:
            return words[position:]
    return []


def _kind_of_program(program: str, words: list[str]) -> SourceKind:
    if program == "git":
        verb = next((word for word in words[1:] if not word.startswith("-")), "")
        if verb == "show" and any(":" in word for word in words[2:]):
            return "file"
        return _GIT_KINDS.get(verb, "run")
    if program == "sed" and any(re.match(r"-\w*i|--in-place", word) for word in words[1:]):
        return "run"
    if program in _FILE_PROGRAMS:
        return "file"
    if program in _SEARCH_PROGRAMS:
        return "search"
    if program in _LISTING_PROGRAMS:
        return "listing"
    return "answer" if program in _ANSWER_PROGRAMS else "run"
