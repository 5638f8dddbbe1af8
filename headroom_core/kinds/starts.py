"""Tell what a line is by how it starts: a heading, a key, a keyword of a language, a place.

The first character decides which few patterns are tried, and a first word is looked up in sets, so
that a line costs a few microseconds whatever it holds. Every pattern is matched at the start of a
line and is bounded, so no line costs more than its length.
"""

from __future__ import annotations

import re
from typing import Literal

LineStart = Literal[
    "bar",
    "code",
    "comment",
    "commit",
    "diff",
    "fence",
    "found",
    "heading",
    "item",
    "key",
    "other",
    "rule",
    "section",
    "setting",
    "sql",
    "xml",
]

_CODE_WORDS = frozenset(
    """abstract async await begin break case catch class const continue def default defer del do
    done echo elif else elsif end enum esac fi except export extends extern final
    finally fn for foreach from func
    function go if impl implements import include inline interface internal lambda let loop match
    mod module mut namespace new override package pass private protected pub public raise require
    return self static struct super switch template this throw trait try type typedef union unless
    unsafe until use using val var virtual void while with yield""".split()
)
# Before a colon these are statements; the others are keys of settings there.
_BLOCK_WORDS = frozenset("else except finally private protected public try".split())
_SQL_WORDS = frozenset("alter comment create delete drop grant insert select update".split())
_WORD = re.compile(r"([A-Za-z_$][\w$]{0,80})(\s{0,30})")
_SQL_OBJECT = re.compile(
    r"(?:or|unique|table|index|type|view|into|from|temporary|schema|function|trigger|sequence|on"
    r"|database|extension|materialized|all)\b",
    re.IGNORECASE,
)
# A key is one word or a few, or is quoted. Its colon ends it, or is padded on both sides.
_KEY = re.compile(
    r"(?:-[ ]){0,3}(?:\"[^\"\n]{1,80}\"|'[^'\n]{1,80}'|[\w$@/.*(][\w./$@()%+*#-]{0,60}"
    r"(?: [\w./$@()%+*#-]{1,40}){0,8})\s{0,60}(?::(?=\s|$)|(?<=\s):(?=\S))"
)
_SETTING = re.compile(r"(?:export[ ])?[A-Za-z_\"'][\w.\[\]\"'@/-]{0,80}\s{0,30}=(?![=>])")
_CALL = re.compile(r"[\w.$]{1,80}\([^\n]*\)[;:{]?\s*$")
_PLACE = re.compile(r"((?:[A-Za-z]:)?[^:|\n]{1,180}):\d{1,7}[:-]")
_FILE = re.compile(r"([\w.-]{0,80}(?:/[\w.-]{1,80}){1,20}\.[A-Za-z]{1,6}):(?![:\s])")
_NEAR_PLACE = re.compile(r"([^\s:|]{1,180}?)-\d{1,7}-")
_COMMIT = re.compile(
    r"[*|\\/ ]{0,12}(?=\d{0,11}[a-f])[0-9a-f]{7,40} (?:\(|\d{4}-\d\d-\d\d|[A-Za-z])"
)
_DIFF = re.compile(r"diff --git |@@ -\d|\+\+\+ \S|--- (?:a/|/dev/null|\S{1,200}\t)")
_HEADING = re.compile(r"#{1,6} \S")
_RULE = re.compile(r"(?=.{0,200}?(?:--|==|─|═))[\s:|+=╔╒┌├╞╠╚└│╰╭─═┬┼┴╤╪╧╡┤╗╕┐╝╛┘╯╮-]{3,}$")
_TAG = re.compile(r"<(?:[?!]|/?[A-Za-z][\w:.-]{0,60}(?:[\s/>]|$))")
_SECTION = re.compile(r"\[\[?[\w .\"'/:@-]{1,80}\]\]?\s{0,20}(?:[#;]|$)")


def start_of_line(line: str) -> LineStart:
    """Return what a line is by its start, `other` if that tells nothing.

    Args:
        line: A line that is not blank, without its end.

    Example:
        >>> [start_of_line(line) for line in ("## Usage", "src/a.py:3:import os", "name: app")]
        ['heading', 'found', 'key']
    """
    rest = line.lstrip()
    first = rest[0]
    if first.isalpha() or first in "_$":
        return _start_of_words(rest, is_indented=rest is not line and len(rest) < len(line))
    if first.isdigit():
        if _COMMIT.match(rest):
            return "commit"
        return "key" if _is_key(rest) else "found" if _is_place(rest) else "other"
    return _start_of_signs(rest, first)


def _start_of_words(rest: str, *, is_indented: bool) -> LineStart:
    if not is_indented and _is_place(rest):
        return "found"
    if _COMMIT.match(rest):
        return "commit"
    match = _WORD.match(rest)
    # Two blanks end a cell of a table, not a keyword.
    word = match[1] if match and len(match[2]) < 2 else ""
    after = rest[match.end() :] if match else ""
    if word in _CODE_WORDS and not after.startswith((":", "=")):
        # A sentence begins like a statement in some languages, but seldom in lower case.
        return "code"
    if word in _BLOCK_WORDS and after.strip() == ":":
        return "code"
    if word.lower() in _SQL_WORDS and _SQL_OBJECT.match(after):
        return "sql"
    if _is_key(rest):
        return "key"
    if _SETTING.match(rest):
        return "setting"
    if word and after.startswith(("(", ".")) and _CALL.match(rest):
        return "code"
    return "other"


def _start_of_signs(rest: str, first: str) -> LineStart:
    if first == "#":
        if _HEADING.match(rest):
            return "heading"
        return "code" if rest.startswith(("#include", "#define", "#if", "#endif")) else "comment"
    if first == "<":
        return "xml" if _TAG.match(rest) else "other"
    if first == "[":
        return "section" if _SECTION.match(rest) else "other"
    if first in "}])":
        return "code" if len(rest.rstrip()) <= 4 else "other"
    if rest.startswith(("```", "~~~")):
        return "fence"
    if _DIFF.match(rest):
        return "diff"
    if first in "|│║+╔╒┌├╞╠╚└╰╭─═=-:" and _RULE.match(rest):
        return "rule"
    if first in "|│║":
        return "bar" if rest.rstrip()[-1] in "|│║" else "commit" if _COMMIT.match(rest) else "other"
    if rest.startswith("--") and not rest.startswith("---"):
        return "sql" if rest[2:3] in (" ", "") else "other"
    if first in "-*+":
        return _start_of_item(rest)
    if first == ";":
        return "comment"
    if first == "@" or rest.startswith(("//", "/*", "*/", '"""', "'''")):
        return "code"
    if first in "\"'" and _is_key(rest):
        return "key"
    return "found" if _is_place(rest) else "setting" if _SETTING.match(rest) else "other"


def _start_of_item(rest: str) -> LineStart:
    if rest[1:2] != " ":
        return "other"
    if _COMMIT.match(rest):
        return "commit"
    return "key" if rest[0] == "-" and _is_key(rest) else "item"


def _is_key(line: str) -> bool:
    # Most lines have no colon, which is seen soonest.
    return ":" in line and bool(_KEY.match(line))


def _is_place(line: str) -> bool:
    """Return whether a line starts with a file, mostly with a line number, as searches print."""
    match = _PLACE.match(line) or _NEAR_PLACE.match(line) or _FILE.match(line)
    if not match:
        return False
    path = match[1]
    dot, slash = path.rfind("."), max(path.rfind("/"), path.rfind("\\"))
    name = path[max(dot, slash) + 1 :]
    # A number behind the last dot is that of a host, a version or a rotated log.
    has_name = (dot >= 0 or slash >= 0) and name[:1].isalpha() and " " not in name
    return (has_name and not path.startswith("at ")) or path.endswith("file")
