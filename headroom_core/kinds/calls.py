"""Tell from the call of a tool of which kind its output may be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from headroom_core.text.commands import printing_commands
from headroom_core.text.sources import commands_of_call, paths_of_call

_EXTENSIONS: Mapping[str, str] = {
    extension: kind
    for kind, extensions in {
        "code": (
            "bash c cc cpp cs cxx ex exs go h hpp java jl js jsx kt kts lua m mjs php pl pm py pyi"
            " r rb rs scala sh swift ts tsx vue zig zsh"
        ),
        "diff": "diff patch",
        "html": "htm html xhtml",
        "json": "json jsonl ndjson",
        "log": "log",
        "markdown": "markdown md mdx rst",
        "separated": "csv psv tsv",
        "settings": "cfg conf env ini properties toml",
        "sql": "ddl sql",
        "terraform": "hcl tf tfvars",
        "xml": "xml xsd xsl xslt",
        "yaml": "yaml yml",
    }.items()
    for extension in extensions.split()
}
_PROGRAMS: Mapping[str, str] = {
    program: kind
    for kind, programs in {
        "build": (
            "ant bazel bun cargo clang clang-tidy cmake cypress docker-compose dotnet eslint flake8"
            " g++ gcc go gradle gradlew javac jest make meson mocha msbuild mvn mvnw mypy ninja nox"
            " npm npx nx phpunit pip playwright pnpm poetry pylint pyright pytest rake rspec ruff"
            " rustc sbt tox tsc turbo uv vite vitest webpack xcodebuild yarn"
        ),
        "listing": "dir du eza exa fd fdfind find ls tree",
        "log": "dmesg journalctl",
        "search": "ack ag egrep fgrep grep rg zgrep",
        "table": (
            "arp blkid column df docker free helm ip iostat kubectl last lsblk lsmod lsof mount"
            " mysql netstat podman ps psql route sqlite3 ss systemctl top vmstat w who"
        ),
    }.items()
    for program in programs.split()
}
# Subcommands print something else than the program mostly does.
_SUBCOMMANDS: Mapping[tuple[str, str], str] = {
    ("cargo", "metadata"): "json",
    ("docker", "build"): "build",
    ("docker", "buildx"): "build",
    ("docker", "inspect"): "json",
    ("docker", "logs"): "log",
    ("docker-compose", "logs"): "log",
    ("git", "diff"): "diff",
    ("git", "format-patch"): "diff",
    ("git", "grep"): "search",
    ("git", "log"): "git_log",
    ("git", "ls-files"): "listing",
    ("git", "ls-tree"): "listing",
    ("git", "reflog"): "git_log",
    ("git", "shortlog"): "git_log",
    ("git", "show"): "diff",
    ("git", "stash"): "diff",
    ("git", "status"): "listing",
    ("kubectl", "describe"): "blocks",
    ("kubectl", "logs"): "log",
    ("pip", "list"): "table",
    ("podman", "logs"): "log",
}
_MODULES = re.compile(r"^python[\d.]*$")


@lru_cache(maxsize=4096)
def kind_of_call(tool: str, call: str) -> str:
    """Return the kind of what a call returns in most cases. Empty if nothing tells.

    Args:
        tool: Name of the tool.
        call: Arguments of the call, as JSON or as a command.

    Example:
        >>> kind_of_call("bash", '{"command": "cd app && git diff HEAD~1 | head -100"}')
        'diff'
        >>> kind_of_call("read_file", '{"path": "src/app.py"}'), kind_of_call("get_orders", "{}")
        ('code', '')
    """
    kinds = [
        _kind_of_words(words)
        for command in commands_of_call(tool, call)
        for words in printing_commands(command)
    ]
    kinds = kinds or [_kind_of_path(path) for path in paths_of_call(call)]
    found = {kind for kind in kinds if kind}
    # Several commands print one text after another.
    return found.pop() if len(found) == 1 else ""


def _kind_of_words(words: list[str]) -> str:
    name = PurePosixPath(words[0]).name.lower()
    rest = [word for word in words[1:] if not word.startswith("-")]
    if _MODULES.match(name) and "-m" in words[1:-1]:
        name = words[words.index("-m") + 1]
    if name in ("sudo", "time", "env", "timeout", "xargs") and rest:
        return _kind_of_words(rest)
    known = _SUBCOMMANDS.get((name, rest[0])) if rest else None
    if known or name in _PROGRAMS:
        return known or _PROGRAMS[name]
    return next(filter(None, map(_kind_of_path, reversed(rest))), "")


def _kind_of_path(path: str) -> str:
    _, dot, extension = path.rpartition(".")
    return _EXTENSIONS.get(extension.lower(), "") if dot else ""
