"""Names of tools and of their arguments, read as words: which read, edit, search or list files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Names in words: `ReadFile` and `mcp__fs__read_file` are `read file`.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PREFIX = re.compile(r".*(?:__|[.:/])")

_READING_VERBS = frozenset("read view open cat head tail nl less".split())
_READERS = _READING_VERBS | frozenset("show get load fetch print display retrieve download".split())
_EDITORS = frozenset(
    """append create edit insert modify overwrite patch push replace rewrite save update
    write""".split()
)
# Verbs that write any text, not only records of an application.
_TEXT_EDITORS = frozenset("edit insert modify overwrite patch replace rewrite write".split())

_FILE_NOUNS = frozenset("file files notebook buffer".split())
_TEXT_NOUNS = frozenset(
    """block code content contents data line lines range section slice source symbol text texts
    string regex""".split()
)
_CODE_NOUNS = frozenset({"code", "source"})
# Words between the verb and the noun, and behind the noun, that leave the meaning as it is.
_FILLERS = frozenset(
    """a active all and an as at body by chunk code content contents current existing for from full
    fs in into item items line lines local many media multiple name new numbers of one open or path
    paths project raw range ref remote repo repository section selected single slice source specific
    string text texts the to tool whole with workspace""".split()
)
# What is known about a file, or made of it, instead of its text.
_DERIVED = frozenset(
    """analyse analyze ast blame build check checksum compile completion complexity convert copy
    count coverage cp create dataset definition delete describe diff documentation evaluate
    execute export extract find format grep hash health hint history hover import info inspect
    job lint list log meta metadata mode move mv name outline overview parse permission preview
    process quality query rename report rm run scan schema search send signature size stat status
    structure submit summarise summarize summary test touch transform tree type upload url usage
    validate version wc write""".split()
)
_PLURALS_OF_TEXT = frozenset(
    "bytes contents docs files fs headers less lines paths resources settings sources texts".split()
)

_SEARCHES = re.compile(
    r"(?:\w+_)?(?:grep|rg|ripgrep|egrep|ag)(?:_\w+)?"
    r"|(?:search|find)_(?:\w+_)?(?:code|codebase|files?|text|symbols?|references|usages|workspace)"
    r"(?:_(?:content|contents|by_\w+))?"
    r"|(?:code|codebase|file|workspace|text|symbol)_search|search_(?:for|in)_\w+"
)
_LISTINGS = re.compile(
    r"ls|glob|tree|dir|glob_\w+|list_(?:\w+_)?(?:dir|directory|directories|files|folders?)(?:_\w+)?"
    r"|(?:show|get|view|read)_(?:\w+_)?(?:dir|directory|folder|tree)(?:_\w+)?"
    r"|(?:directory|dir|file|folder)_(?:tree|list|listing)"
)
_SHELL_NOUNS = frozenset("bash sh zsh shell terminal powershell pwsh console".split())
_RUNNING_VERBS = frozenset("run execute exec start launch send ssh".split())
_COMMAND_NOUNS = frozenset("command commands cmd process".split())

_PATH_NOUNS = frozenset(
    """abspath document file filename filenames filepath filepaths files fullpath notebook path
    paths uri""".split()
)
_PATH_FILLERS = frozenset(
    """absolute full in input local name names project relative source target text
    workspace""".split()
)
_PLACES = frozenset("base cwd dir directory folder project repo repository root working".split())
# Arguments beside a path that say which part of the file, where it is, or why it is read.
_BESIDE_PATH = frozenset(
    """branch cell cells chunk command commit count cwd description encoding end explanation first
    from head host index intent last limit line lines max mode namespace nl num number numbers
    offset owner page pod project purpose range raw reason ref repo repository revision risk root
    server sha should show start tail thought timeout to view wait workspace""".split()
)


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, without the prefix of a server.

    Example:
        >>> words_of("mcp__fs__readTextFile"), words_of("github_get_file_contents")
        (['read', 'text', 'file'], ['github', 'get', 'file', 'contents'])
    """
    return [word.lower() for word in _WORD.findall(_PREFIX.sub("", name[-200:]))]


def reads_files(words: Sequence[str]) -> bool:
    """Return whether a tool of this name returns the text of a file.

    Example:
        >>> reads_files(words_of("gitlab_get_file")), reads_files(words_of("get_file_metadata"))
        (True, False)
    """
    if words and words[0] in ("file", "files", "notebook", "fs", "filesystem"):
        return len(words) > 1 and words[1] in _READERS and _FILLERS.issuperset(words[2:])
    for position, word in enumerate(words):
        if word in _READERS:
            return _is_text_of_file(words[position:])
    return False


def _is_text_of_file(words: Sequence[str]) -> bool:
    """Return whether a verb of reading and the words behind it stand for the text of a file."""
    verb, *rest = words
    nouns = [position for position, word in enumerate(rest) if word in _FILE_NOUNS]
    if not nouns:
        return False
    between, behind = rest[: nouns[-1]], rest[nouns[-1] + 1 :]
    if not (_FILLERS | _FILE_NOUNS).issuperset(behind):
        return False
    is_text = bool(behind) and behind[0] in _TEXT_NOUNS
    is_list = rest[nouns[-1]] == "files" and verb not in _READING_VERBS and not is_text
    if is_list:
        return bool(_FILLERS & {*between} & {"multiple", "many"})
    is_known = _FILLERS.issuperset(between)
    return is_known or ((is_text or verb == "read") and _DERIVED.isdisjoint(between))


def reads_named_file(words: Sequence[str]) -> bool:
    """Return whether a tool of this name returns the text of a file if its call has a path.

    Example:
        >>> reads_named_file(["read"]), reads_named_file(["get", "source", "code"])
        (True, True)
        >>> reads_named_file(["get", "discount", "code"])
        False
    """
    verb, *rest = words or [""]
    if rest:
        return verb in _READERS and rest[0] in _CODE_NOUNS and _FILLERS.issuperset(rest)
    return verb in _READING_VERBS


def is_file_editor(words: Sequence[str]) -> bool:
    """Return whether a tool of this name edits files.

    Example:
        >>> is_file_editor(["multi", "edit"]), is_file_editor(["replace", "string", "in", "file"])
        (True, True)
        >>> is_file_editor(["update", "product", "content"]), is_file_editor(["edit", "message"])
        (False, False)
    """
    name = "_".join(words)
    if is_text_editor(words) or re.fullmatch(r"(?:multi_?)?(?:edit|replace)|write|patch", name):
        return True
    if re.search(r"apply_(?:patch|diff|edits?)$|(?:^|_)(?:find|search)_(?:and_)?replace$", name):
        return True
    if words and words[0] in ("file", "files", "notebook", "fs", "filesystem"):
        return len(words) > 1 and words[1] in _EDITORS and _FILLERS.issuperset(words[2:])
    for position, word in enumerate(words):
        if word in _EDITORS:
            return _is_edit_of_file(word, words[position + 1 :])
    return False


def _is_edit_of_file(verb: str, rest: Sequence[str]) -> bool:
    known = _FILLERS | _EDITORS | {"before", "after"}
    nouns = [position for position, word in enumerate(rest) if word in _FILE_NOUNS]
    if nouns:
        between, behind = rest[: nouns[-1]], rest[nouns[-1] + 1 :]
        return known.issuperset(behind) and (verb in _TEXT_EDITORS or known.issuperset(between))
    is_of_text = verb in _TEXT_EDITORS and not _TEXT_NOUNS.isdisjoint(rest)
    return is_of_text and (known | _TEXT_NOUNS).issuperset(rest)


def is_text_editor(words: Sequence[str]) -> bool:
    """Return whether a tool of this name both views and edits files."""
    name = "_".join(words)
    return name == "editor" or bool(re.search(r"(?:file|text|code)_editor|str_replace", name))


def searches_files(words: Sequence[str]) -> bool:
    """Return whether a tool of this name searches files."""
    return bool(_SEARCHES.fullmatch("_".join(words)))


def lists_files(words: Sequence[str]) -> bool:
    """Return whether a tool of this name lists files."""
    return bool(_LISTINGS.fullmatch("_".join(words)))


def runs_commands(words: Sequence[str]) -> bool:
    """Return whether a tool of this name runs the commands of a shell.

    Example:
        >>> runs_commands(words_of("run_in_terminal")), runs_commands(words_of("run_query"))
        (True, False)
    """
    found = {*words}
    is_command = bool(found & _COMMAND_NOUNS and found & _RUNNING_VERBS)
    return bool(found & _SHELL_NOUNS) or is_command or words[-1:] in (["exec"], ["cmd"])


def is_path_key(key: str) -> bool:
    """Return whether an argument of this name is the path of a file, not of a project or folder.

    Example:
        >>> is_path_key("pathInProject"), is_path_key("projectPath"), is_path_key("file_type")
        (True, False, False)
    """
    words = words_of(key)
    return bool(
        words
        and not _PATH_NOUNS.isdisjoint(words)
        and words[0] not in _PLACES
        and (_PATH_NOUNS | _PATH_FILLERS).issuperset(words)
    )


def names_a_file_alone(words: Sequence[str], other_keys: Iterable[str]) -> bool:
    """Return whether a call with the path of a file reads it.

    Args:
        words: Words of the tool's name.
        other_keys: Names of its other arguments, which may say where the file is, or which lines.
    """
    if not _DERIVED.isdisjoint(words) or _is_plural(words):
        return False
    return all(not _BESIDE_PATH.isdisjoint(words_of(key)) for key in other_keys)


def _is_plural(words: Sequence[str]) -> bool:
    """Return whether a name, but for its first word, names several things, as `get_errors` does."""
    return any(
        len(word) > 1 and word[-1] == "s" and word[-2] != "s" and word not in _PLURALS_OF_TEXT
        for word in words[1:] or words
    )
