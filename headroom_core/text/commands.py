"""Command lines of a shell: what their programs print, also those inside other commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

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


_MAX_COMMAND = 4000
_MAX_DEPTH = 4
_MAX_INPUTS = 4

# The kinds of output, the one to be careful with first.
_KINDS: tuple[SourceKind, ...] = ("file", "run", "search", "listing", "answer")

# An extension of a file. Must not match the end of a host name in a URL, or a version.
_EXTENSION = re.compile(r"[^/\\\s]\.([A-Za-z][A-Za-z0-9_]{0,9})$")
_ROW_EXTENSIONS = frozenset(
    "arrow csv feather jsonl log ndjson ods parquet psv tab tsv xls xlsx".split()
)

_TOKEN = re.compile(
    r"""
    (?P<space>(?:[ \t\r]|\\\r?\n)+)
    | (?P<comment>(?<![^\s;|&()])\#[^\n]*)
    | <<-?[ ]*(?P<quote>['"]?)(?P<mark>\w+)(?P=quote)
    | (?P<redirect>&>>?|\d?>>?|\d?<{1,3})(?P<stream>&[\d-])?
    | (?P<pipe>\|&?(?!\|))
    | (?P<newline>\n)
    | (?P<end>\|\||&&|[;&()])
    | (?P<word>(?:'[^']*' | "(?:\\.|\$\([^()]*\)|[^"\\])*+" | \$\([^()]*\) | `[^`]*` | \\.
        | [^\s'"\\|&;()<>`])+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)""", re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\$`\n])')
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")

_FILE_PROGRAMS = frozenset(
    """awk bat batcat bzcat cat cut expand fold gawk gc get-content gzcat head less more nl paste pr
    sed sort tac tail type uniq xzcat zcat""".split()
)
_PLAIN_READERS = frozenset({"cat", "head", "tail", "nl", "sed"})
_SEARCH_PROGRAMS = frozenset("grep egrep fgrep zgrep rg ag ack findstr select-string".split())
_LISTING_PROGRAMS = frozenset("ls find tree fd fdfind dir eza exa get-childitem du".split())
_ANSWER_PROGRAMS = frozenset(
    """aws az bq curl docker doctl duckdb flyctl gcloud gh glab heroku helm http https jq kubectl
    mongosh mysql podman psql redis-cli sqlite3 terraform wget xh yq""".split()
)
# Programs whose output is that of the program before them in the pipe.
_FILTERS = _FILE_PROGRAMS | {"tee", "tr", "column", "select-object", "out-string", "out-host"}
_SILENT = frozenset(
    """cd pushd popd export set unset source . mkdir true sleep test [ [[ for case select function
    read done fi esac }""".split()
)
_PRINTERS = frozenset({"echo", "printf", "write-output"})
_KEYWORDS = frozenset({"do", "then", "else", "elif", "if", "while", "until", "!", "{", "call"})
_SHELLS = frozenset("bash sh zsh dash ash ksh fish busybox".split())
_JOINING_SHELLS = frozenset("cmd powershell pwsh".split())
_INTERPRETER = re.compile(r"(?:python|pypy|node|nodejs|bun|deno|ruby|perl|php)[\d.]*")
_GIT_KINDS: dict[str, SourceKind] = {
    "grep": "search",
    "blame": "search",
    "annotate": "search",
    "ls-files": "listing",
    "ls-tree": "listing",
}
_KNOWN_PROGRAMS = (
    _FILE_PROGRAMS
    | _SEARCH_PROGRAMS
    | _LISTING_PROGRAMS
    | _ANSWER_PROGRAMS
    | _SHELLS
    | _JOINING_SHELLS
    | {"git"}
)

# Programs and verbs with another command behind them: `sudo cat f`, `docker exec pod cat f`.
_CARRIERS = frozenset(
    """adb chroot command doas env eval exec nice nohup npx parallel script setsid ssh stdbuf su
    sudo time timeout unbuffer watch wsl xargs""".split()
)
_CARRYING_WORDS = frozenset(
    "exec run ssh shell rsh console develop -exec -execdir -ok -c -C --command --run --".split()
)
_NO_CARRIERS = _SEARCH_PROGRAMS | _SHELLS | _JOINING_SHELLS | {"git"}
_MAX_CARRYING_WORDS = 64

# Code that prints a file as it is, not the data in it.
_READS_IN_CODE = re.compile(
    r"\.read(?:_text|_bytes|lines?)?\(|\bin (?:enumerate\()?(?:open\(|f(?:ile|in|h)?\b)"
    r"|\breadFile(?:Sync)?\(|\b(?:File|IO)\.(?:read|foreach)|\bfile_get_contents\("
)
_OPENS_IN_CODE = re.compile(
    r"\b(?:open|Path|readFile(?:Sync)?|file_get_contents)\(|\b(?:File|IO)\."
)
_PRINTS_IN_CODE = re.compile(r"\b(?:print|puts|echo)\b|\bconsole\.log|\bstdout\.write")
_PARSES_IN_CODE = re.compile(
    r"\bjson\.loads?\(|JSON\.parse|\byaml\.|\bcsv\.|\bast\.|\btomllib|\bre\.(?:find|search|match|sub)"
    r"|\blen\(|\.count\(|\bCounter\("
)
# A command in a cell of a notebook.
_CELL_COMMAND = re.compile(r"^[ \t]*!(.*)$|^[ \t]*%%(?:bash|sh)\b.*\n([\s\S]*)", re.MULTILINE)

_EDIT_COMMAND = re.compile(
    r"\b(?:sed\s+(?:-[a-zA-Z]+\s+){0,3}-\w*i|perl\s+-\w*i|apply_patch|git\s+apply|patch\s+-p\d)"
    r"|\bcat\s*(?:<<-?\s*\S{1,40}\s*)?>|\btee\s+(?:-a\s+)?\S+\.\w|\bset-content\b"
    r"|\bwrite_text\(|\bwriteFile(?:Sync)?\(|\bopen\([^()\n]{1,200},\s*(?:mode=)?['\"][wa]",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Program:
    """A program of a command line.

    Attributes:
        words: Its name and arguments, without quotes.
        inputs: The texts that stand in the command line as its input.
        is_silent: Whether its output goes to a file.
    """

    words: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    is_silent: bool = False


def source_of_command(command: str, depth: int = _MAX_DEPTH) -> TextSource:
    """Return the source of a command's output: of what it printed, the part to be careful with.

    Args:
        command: The command line. Only its first 4,000 characters are read.
        depth: How many commands inside each other are looked into.

    Example:
        >>> source_of_command("cd app && docker exec web sh -c 'cat conf/app.toml'").kind
        'file'
        >>> source_of_command("make test 2>&1 | tail -20").kind
        'run'
    """
    pipes = _split_command(command[:_MAX_COMMAND]) if depth else []
    return _most_delicate(_source_of_pipe(programs, depth) for programs in pipes)


def source_of_code(code: str) -> TextSource | None:
    """Return the source of what code in a notebook or an interpreter prints, if it is a file.

    Example:
        >>> source_of_code("print(open('a.py').read())").kind
        'file'
        >>> source_of_code("print(len(json.load(open('a.json'))))")
    """
    code = code[:_MAX_COMMAND]
    if _prints_a_file(code):
        return TextSource("file", "the code prints a file")
    commands = [one or cell for one, cell in _CELL_COMMAND.findall(code)]
    source = _most_delicate(map(source_of_command, commands))
    return source if source.kind == "file" else None


def printing_commands(command: str) -> list[list[str]]:
    """Return the words of the programs whose output a command line prints, without filters.

    Example:
        >>> printing_commands("cd app && git diff main | head -50; pytest -q 2>&1 | tail")
        [['git', 'diff', 'main'], ['pytest', '-q']]
    """
    found = []
    for pipe in _split_command(command[:_MAX_COMMAND]):
        programs = [_without_setting(program.words) for program in pipe if program.words]
        printing = [words for words in programs[1:] if words and _name_of(words) not in _FILTERS]
        words = [*programs[:1], *printing][-1:] if programs else []
        found += [words[0]] if words and words[0] and _name_of(words[0]) not in _SILENT else []
    return found


def edits_files(command: str) -> bool:
    """Return whether a command line edits files.

    Example:
        >>> edits_files("sed -i s/a/b/ x.py"), edits_files("sed -n 5p x.py")
        (True, False)
    """
    return bool(_EDIT_COMMAND.search(command[:_MAX_COMMAND]))


def has_extension(path: str) -> bool:
    """Return whether a path ends with the extension of a file."""
    return bool(_EXTENSION.search(path))


def are_row_files(paths: Iterable[str]) -> bool:
    """Return whether there are paths, and all are those of files of rows, such as CSV."""
    found = [_EXTENSION.search(path) for path in paths]
    return bool(found) and all(match and match[1].lower() in _ROW_EXTENSIONS for match in found)


def _most_delicate(sources: Iterable[TextSource | None]) -> TextSource:
    found = [source for source in sources if source]
    for kind in _KINDS:
        same = [source for source in found if source.kind == kind]
        if same:
            return TextSource(kind, same[0].reason, all(source.rows for source in same))
    return TextSource("run", "a command printed it")


def _split_command(command: str) -> Iterator[list[_Program]]:
    """Yield the pipes of a command line."""
    pipe = [_Program()]
    marks: list[tuple[str, _Program]] = []
    position = 0
    is_target = False
    while match := _TOKEN.match(command, position):
        position = match.end()
        if match["word"] is not None:
            if not is_target:
                pipe[-1].words.append(_without_quotes(match["word"]))
            is_target = False
        elif match["mark"]:
            marks.append((match["mark"], pipe[-1]))
        elif match["redirect"]:
            is_target = not match["stream"]
            # Errors may go to a file, too, but then the output is still printed.
            pipe[-1].is_silent |= is_target and match["redirect"].lstrip("&1") in (">", ">>")
        elif match["pipe"]:
            pipe.append(_Program())
        elif match["end"] or match["newline"]:
            if match["newline"]:
                position = _read_inputs(command, position, marks)
            yield pipe
            pipe = [_Program()]
    yield pipe


def _read_inputs(command: str, position: int, marks: list[tuple[str, _Program]]) -> int:
    """Give programs the texts that follow their line, up to their marks; return where they end."""
    for mark, program in marks[:_MAX_INPUTS]:
        end = re.compile(rf"^[\t]*{mark}[ \t]*$", re.MULTILINE).search(command, position)
        program.inputs.append(command[position : end.start() if end else len(command)])
        position = end.end() if end else len(command)
    marks.clear()
    return position


def _without_quotes(word: str) -> str:
    def bare(match: re.Match[str]) -> str:
        single, double, escaped = match.groups()
        if double is not None:
            return _ESCAPED.sub(r"\1", double)
        return escaped if single is None else single

    return _QUOTED.sub(bare, word)


def _source_of_pipe(pipe: list[_Program], depth: int) -> TextSource | None:
    """Return the source of a pipe's output, or None if it prints nothing of interest."""
    source: TextSource | None = None
    for program in pipe:
        words = _without_setting(program.words)
        if words and not (source and _name_of(words) in _FILTERS and not program.inputs):
            source = _source_of_program(words, program.inputs, depth)
        if program.is_silent and words:
            source = None
    return source


def _without_setting(words: list[str]) -> list[str]:
    """Return a command without the words of the shell and the variables before its program."""
    for position, word in enumerate(words):
        if word not in _KEYWORDS and not re.match(r"\w+=", word):
            return words[position:]
    return []


def _name_of(words: list[str]) -> str:
    return re.split(r"[/\\]", words[0])[-1].lower().removesuffix(".exe")


def _source_of_program(words: list[str], inputs: list[str], depth: int) -> TextSource | None:
    source = _source_of_plain_program(words, inputs, depth)
    name = _name_of(words)
    is_carrier = name in _CARRIERS or not _CARRYING_WORDS.isdisjoint(words[1:])
    # `nsenter -m cat f`, `gsutil cat f`
    is_carrier |= not _is_known(words[0]) and not _PLAIN_READERS.isdisjoint(words[1:-1])
    if not source or source.kind == "file" or not is_carrier or name in _NO_CARRIERS:
        return source
    carried = [*_carried_sources(words, depth)]
    if name == "ssh":
        carried += [source_of_command(script, depth - 1) for script in inputs]
    return _most_delicate(carried) if carried else source


def _source_of_plain_program(words: list[str], inputs: list[str], depth: int) -> TextSource | None:
    """Return the source of a program's output, without the commands among its arguments."""
    name = _name_of(words)
    if name in _SILENT:
        return None
    if name in _PRINTERS:
        inner = ["".join(found) for word in words[1:] for found in _SUBSTITUTION.findall(word)]
        return _most_delicate(source_of_command(one, depth - 1) for one in inner) if inner else None
    if name in _SHELLS or name in _JOINING_SHELLS:
        scripts = [*_scripts_of_shell(name, words), *inputs]
        return _most_delicate(source_of_command(script, depth - 1) for script in scripts)
    if _INTERPRETER.fullmatch(name) and _reads_file_in_code(name, [*words[1:], *inputs]):
        return TextSource("file", f"the code of {name} prints a file")
    kind = _kind_of_program(name, words)
    rows = kind == "file" and are_row_files(filter(has_extension, words[1:]))
    return TextSource(kind, f"the command {name} printed it", rows)


def _scripts_of_shell(name: str, words: list[str]) -> list[str]:
    """Return the command that a shell is given as an argument, as in `bash -lc "…"`."""
    for position, word in enumerate(words[1:-1], 2):
        if re.fullmatch(r"-\w*c|--?command|/c", word.lower()):
            given = words[position:]
            return [" ".join(given) if name in _JOINING_SHELLS else given[0]]
    # `busybox cat f`
    return [" ".join(words[1:])] if name == "busybox" else []


def _carried_sources(words: list[str], depth: int) -> Iterator[TextSource]:
    """Yield the sources of the commands inside a command, such as `docker exec web cat f`.

    Which words belong to the outer command is not known, so each word that is the name of a known
    program counts, unless two hyphens tell where the inner command starts.
    """
    is_fed = _name_of(words) in ("xargs", "parallel")
    if "--" in words:
        words = words[words.index("--") :]
    for position, word in enumerate(words[1:_MAX_CARRYING_WORDS], 1):
        source: TextSource | None = None
        if re.search(r"\s", word):
            source = source_of_command(re.sub(r"^--?[\w-]+=", "", word), depth - 1)
            source = None if source.kind == "run" else source
        elif _is_known(word) and (is_fed or not _is_file_program(word) or words[position + 1 :]):
            source = _source_of_plain_program(words[position:], [], depth)
        if source:
            yield source


def _is_file_program(word: str) -> bool:
    return _name_of([word]) in _FILE_PROGRAMS


def _is_known(word: str) -> bool:
    name = _name_of([word])
    return name in _KNOWN_PROGRAMS or bool(_INTERPRETER.fullmatch(name))


def _kind_of_program(name: str, words: list[str]) -> SourceKind:
    if name == "git":
        return _kind_of_git(words)
    if name == "sed" and any(re.match(r"-\w*i|--in-place", word) for word in words[1:]):
        return "run"
    if name == "type":
        # In Unix shells it tells where a program is.
        return "file" if any(map(has_extension, words[1:])) else "run"
    if name in _FILE_PROGRAMS:
        return "file"
    if name in _SEARCH_PROGRAMS:
        # A pattern that matches every line prints the file.
        pattern = next((word for word in words[1:] if not word.startswith("-")), None)
        return "file" if pattern in ("", ".", "^", "$", ".*") else "search"
    if name in _LISTING_PROGRAMS:
        return "listing"
    return "answer" if name in _ANSWER_PROGRAMS else "run"


def _kind_of_git(words: list[str]) -> SourceKind:
    has_value = {"-C", "-c", "--git-dir", "--work-tree"}
    pairs = pairwise(words)
    verbs = [word for before, word in pairs if not word.startswith("-") and before not in has_value]
    verb = verbs[0] if verbs else ""
    if verb == "cat-file" or (verb == "show" and any(":" in word for word in verbs[1:])):
        return "file"
    return _GIT_KINDS.get(verb, "run")


def _reads_file_in_code(name: str, arguments: list[str]) -> bool:
    # Perl and Ruby read the lines of the files that are named.
    reads_lines = name in ("perl", "ruby") and any(re.match(r"-\w*[np]", a) for a in arguments)
    is_edit = any(re.match(r"-\w*i", argument) for argument in arguments)
    return (reads_lines and not is_edit) or any(map(_prints_a_file, arguments))


def _prints_a_file(code: str) -> bool:
    return bool(
        _PRINTS_IN_CODE.search(code)
        and _OPENS_IN_CODE.search(code)
        and _READS_IN_CODE.search(code)
        and not _PARSES_IN_CODE.search(code)
    )
