"""Detect the kind of a text by samples of its lines, and by the call that returned it.

Each kind has a test of the evidence; the tests run in order, the most certain first, and in doubt
no kind is found. A call makes weaker evidence sufficient, but is no evidence on its own: `cat x.py`
may print an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from headroom_core.kinds.calls import kind_of_call
from headroom_core.kinds.evidence import KindEvidence
from headroom_core.kinds.starts import start_of_line
from headroom_core.markers import marker_keys
from headroom_core.tables.reader import has_table

KindName = Literal[
    "blocks",
    "build",
    "code",
    "compressed",
    "diff",
    "git_log",
    "html",
    "json",
    "listing",
    "log",
    "markdown",
    "outputs",
    "prose",
    "search",
    "separated",
    "settings",
    "sql",
    "table",
    "terraform",
    "unknown",
    "xml",
    "yaml",
]


def detect_kind(text: str, *, tool: str | None = None, call: str | None = None) -> KindName:
    """Return the kind of a text.

    Args:
        text: The text.
        tool: Name of the tool that returned it, if one did and it is known.
        call: Arguments of the call that returned it, as text, if they are known.

    Example:
        >>> detect_kind("src/app.py:12:def main():\\nsrc/cli.py:3:import app\\n" * 4)
        'search'
        >>> detect_kind("Nothing to see here.")
        'prose'
    """
    if marker_keys(text) or has_table(text):
        return "compressed"
    evidence = KindEvidence(text, kind_of_call(tool or "", call or ""))
    for name, is_kind in _TESTS:
        if is_kind(evidence):
            return name
    return "unknown"


# Brackets, and then a value. A bracket around a number or a word is a time or a level of a log.
_JSON_START = re.compile(
    r"""
    (?:[\[{]\s{0,200}){1,4}(?:
        ["'}] | \](?=\s{0,9}(?:[,\]}]|$))
        | (?:-?\d[\d.eE+-]{0,30}|true|false|null|None|True|False|NaN)
        \s{0,80}(?:[,\n]|\]\s{0,9}(?:[,\]]|$)) | $
    )
    """,
    re.VERBOSE,
)
_HTML_START = re.compile(
    r"(?:\s{0,80}(?:<\?xml[^>]{0,300}>|<!--.{0,2000}?-->)){0,4}"
    r"\s{0,80}<(?:!doctype\s+html|html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_ELEMENT = re.compile(r"<([a-z][\w:.-]{0,60})")
_HTML_BLOCKS = frozenset(
    "article body div h1 h2 h3 h4 h5 h6 head header li main nav p section span table td ul".split()
)
_HTML_ELEMENTS = _HTML_BLOCKS | frozenset(
    "a abbr aside b blockquote br button caption center cite code col colgroup dd del details dl "
    "dt em figcaption figure font footer form hr i iframe img input ins label legend link meta "
    "noscript ol optgroup option picture pre q s samp select small source strong sub summary sup "
    "tbody textarea tfoot th thead time title tr u var video".split()
)
_INNER_ELEMENTS = frozenset("script style svg path g use rect circle line polygon".split())
_MIN_HTML_SHARE = 0.9


def _is_json(e: KindEvidence) -> bool:
    start = e.text[:1000].lstrip("\ufeff \t\r\n")
    return start[:1] in ("[", "{") and bool(_JSON_START.match(start))


def _is_html(e: KindEvidence) -> bool:
    if not e.first.startswith("<"):
        return False
    head = e.text[:4000].lstrip("\ufeff")
    if _HTML_START.match(head):
        return True
    # A part of a page. Components of programs begin with a template, a script or a style.
    names = _ELEMENT.findall(head.lower())
    known = sum(name in _HTML_ELEMENTS or name in _INNER_ELEMENTS or "-" in name for name in names)
    return (
        bool(names)
        and names[0] in _HTML_ELEMENTS
        and not _HTML_BLOCKS.isdisjoint(names)
        and known >= _MIN_HTML_SHARE * len(names)
        and e.share("xml") > 0.3
    )


def _is_xml(e: KindEvidence) -> bool:
    return e.first.startswith("<") and (e.first.startswith("<?xml") or e.share("xml") > 0.5)


_PROMPT = re.compile(r"(?:[\w.-]{1,40}@[\w.-]{1,60}[: ][^\s$#]{0,80} ?)?[$#] (?=\w)")


def _is_outputs(e: KindEvidence) -> bool:
    if e.first.startswith("==> ") and e.first.endswith(" <=="):
        return "\n==> " in e.text[e.text.find(e.first) :]
    match = _PROMPT.match(e.first)
    # The same prompt stands before the next command; one with # alone is a comment or a heading.
    return match is not None and match[0] != "# " and f"\n{match[0]}" in e.text


_DIFF_FIRST = ("diff ", "--- ", "Index: ", "@@ -", "commit ", "From ", "index ")


def _is_diff(e: KindEvidence) -> bool:
    has_hunks = "\n@@ -" in e.text or e.text.startswith(("@@ -", "diff --git "))
    return has_hunks and (
        e.hints("diff") or e.first.startswith(_DIFF_FIRST) or e.share("diff") > 0.1
    )


def _is_git_log(e: KindEvidence) -> bool:
    if e.first.startswith("commit ") and "\nAuthor: " in e.text[:2000]:
        return True
    return e.total >= 3 and e.share("commit") > 0.6


_SQL_STATEMENT = re.compile(
    r"^[ \t]{0,4}(?:CREATE|ALTER|INSERT|DROP|COMMENT)\s{1,9}(?:OR\s{1,9}REPLACE\s{1,9})?"
    r"(?:\w{1,40}\s{1,9}){0,2}(?:TABLE|INDEX|INTO|VIEW|TYPE|ON|FUNCTION|SEQUENCE|TRIGGER)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SQL_FIRST = re.compile(
    r"--|/\*|(?:ALTER|BEGIN|COMMENT|CREATE|DROP|INSERT|PRAGMA|SELECT|SET|START|UPDATE|USE|WITH)\b",
    re.IGNORECASE,
)
_SQL_QUERY = re.compile(r"(?:SELECT|WITH)\b")
_TERRAFORM_BLOCK = re.compile(
    r"^(?:resource|data|variable|output|module|provider|locals|terraform)\b[^\n{]{0,200}\{\s{0,4}$",
    re.MULTILINE,
)
_SEARCHED_CHARACTERS = 20_000


def _is_sql(e: KindEvidence) -> bool:
    if e.is_fenced or not (_SQL_FIRST.match(e.first) or e.hints("sql") or e.number("sql") >= 3):
        return False
    found = len(_SQL_STATEMENT.findall(e.text[:_SEARCHED_CHARACTERS]))
    if _SQL_QUERY.match(e.first):
        return e.text.rstrip().endswith(";")
    starts_so = bool(_SQL_STATEMENT.match(e.first)) or e.hints("sql")
    return found >= (1 if starts_so else 2) and e.share("code") < 0.3 and e.stamped < 0.3


def _is_terraform(e: KindEvidence) -> bool:
    if e.is_fenced:
        return False
    least = 1 if e.hints("terraform") else 2
    return len(_TERRAFORM_BLOCK.findall(e.text[:_SEARCHED_CHARACTERS])) >= least


def _is_search(e: KindEvidence) -> bool:
    if e.numbers > 0.5 and not e.is_numbered and start_of_line(f"{e.first}:1:") == "found":
        return True
    least = 0.3 if e.hints("search") else 0.6
    return e.total >= 3 and e.share("found") >= least and e.diagnosed < 0.2


def _is_separated(e: KindEvidence) -> bool:
    width, share = e.separated
    if e.hints("separated"):
        return share > 0.5
    # Sentences and statements have a comma or two as well, but not in every line.
    least = 0.8 if width >= 4 else 0.95
    if share < least or e.total < 4 or e.has_stamped_first or e.number("rule") or e.listed > 0.5:
        return False
    return (width >= 5 and share >= 0.95) or (e.coded < 0.3 and ", " not in e.first)


def _is_marked_build(e: KindEvidence) -> bool:
    if _CODE_FIRST.match(e.first):
        return False
    least = 1 if e.hints("build") else 3
    return e.build_marks >= least or e.build_marks / e.total >= 0.08


def _is_headed_table(e: KindEvidence) -> bool:
    """Tell tables of times from logs, which pad some columns too: tables have a header."""
    return e.has_header and e.columns > 0.7 and e.levelled < 0.2


def _is_log(e: KindEvidence) -> bool:
    if e.total < 3 or (e.hints("table") and e.columns > 0.5):
        return False
    if e.stamped >= (0.2 if e.hints("log") else 0.5):
        return not _is_headed_table(e)
    # Documents about logs name levels too.
    return e.levelled >= 0.8 and e.coded < 0.3 and not e.headings and e.share("item") < 0.3


def _is_listing(e: KindEvidence) -> bool:
    if e.listed > 0.5 or e.first.startswith("On branch "):
        return True
    names, paths = e.paths
    return e.total >= 5 and names >= 0.9 and paths >= (0.3 if e.hints("listing") else 0.7)


_BAR_RULE = re.compile(r"\s{0,3}\|\s{0,9}:?-")


def _is_markdown(e: KindEvidence) -> bool:
    if e.hints("markdown"):
        return True
    if e.share("bar", "rule") >= 0.6 and any(map(_BAR_RULE.match, e.lines[:4])):
        return True
    others = e.share("key", "setting", "code", "found")
    if e.is_fenced and (e.number("heading") or e.sentences > 0.3):
        # Without what the fences hold, a document has few lines of a program.
        return max(others, e.coded) < 0.4 or e.first.startswith("#")
    signs = e.headings + (e.number("item", "bar") > 0) + (e.sentences > 0.1)
    return e.headings >= 1 and signs >= 3 and max(others, e.coded) < 0.4


def _is_settings(e: KindEvidence) -> bool:
    if e.hints("settings"):
        return e.share("setting", "section", "comment", "heading") > 0.3
    if e.is_fenced or e.share("code") > 0.2:
        return False
    held = e.share("section", "setting", "comment", "heading")
    return (e.number("section") >= 1 and e.share("setting") > 0.12 and held > 0.5) or (
        e.share("setting") > 0.5 and held > 0.8 and e.total >= 4
    )


def _is_yaml(e: KindEvidence) -> bool:
    keys = e.share("key")
    if e.hints("yaml"):
        return keys > 0.2 or keys + e.share("item", "comment", "heading") > 0.6
    comments = e.share("comment", "heading")
    held = keys + e.share("item") + comments
    nested = e.indented > 0.2 and keys + comments > 0.4 and keys > 0.2
    return (
        nested and held > 0.6 and e.phrases < 0.2 and e.columns < 0.5 and e.coded < 0.3
    ) and not e.is_fenced


_CODE_FIRST = re.compile(r"#!|\"\"\"|'''|//|/\*|(?:from|import|package|use|using|#include)\b")


def _is_code(e: KindEvidence) -> bool:
    if e.hints("code"):
        return e.coded > 0.1
    least = 0.2 if _CODE_FIRST.match(e.first) else 0.3
    return e.total >= 4 and e.coded > least and e.share("code") > 0.12


def _is_build(e: KindEvidence) -> bool:
    return e.built >= (0.04 if e.hints("build") else 0.1)


def _is_keyed(e: KindEvidence) -> bool:
    # A colon in each line does not make cells of a table keys and values.
    return e.total >= 6 and e.share("key") > 0.6 and e.even_words < 0.8


def _is_table(e: KindEvidence) -> bool:
    least = 0.4 if e.hints("table") else 0.5
    if e.share("bar", "rule") > 0.5 or (e.number("rule") and e.barred > 0.5):
        return e.total >= 3
    return e.total >= 4 and (e.columns > least or e.even_words > 0.8) and e.sentences < 0.3


def _is_blocks(e: KindEvidence) -> bool:
    keys = e.share("key")
    return e.total >= 6 and (keys > 0.5 or (e.indented > 0.3 and keys > 0.25) or e.indented > 0.6)


_WORDS = re.compile(r"[a-z] [a-z]")


def _is_prose(e: KindEvidence) -> bool:
    if e.sentences > 0.4:
        return True
    return e.total <= 3 and len(e.first) > 10 and any(map(_WORDS.search, e.lines))


_TESTS: tuple[tuple[KindName, Callable[[KindEvidence], bool]], ...] = (
    ("json", _is_json),
    ("html", _is_html),
    ("xml", _is_xml),
    ("outputs", _is_outputs),
    ("diff", _is_diff),
    ("git_log", _is_git_log),
    ("sql", _is_sql),
    ("separated", _is_separated),
    ("search", _is_search),
    ("build", _is_marked_build),
    ("listing", _is_listing),
    ("log", _is_log),
    ("terraform", _is_terraform),
    ("markdown", _is_markdown),
    ("settings", _is_settings),
    ("yaml", _is_yaml),
    ("code", _is_code),
    ("build", _is_build),
    ("blocks", _is_keyed),
    ("table", _is_table),
    ("blocks", _is_blocks),
    ("prose", _is_prose),
)
