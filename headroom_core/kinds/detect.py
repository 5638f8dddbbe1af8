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
from headroom_core.kinds.evidence import (
    COMMAND_HEADING,
    LEVEL,
    LONG_LISTING,
    PATH,
    SENTENCE,
    STAMP,
    STAMP_CHARACTERS,
    TREE,
    YAML_KEY,
    KindEvidence,
)
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


_JSON_START = re.compile(
    r"""
    [\[{]\s{0,200}(?:
        [\[{"'}\]] | (?:-?\d[\d.eE+-]{0,30}|true|false|null|None|True|False|NaN)\s{0,80}[,\]\n] | $
    )
    """,
    re.VERBOSE,
)
_HTML_ELEMENT = re.compile(
    r"<(?:a|article|body|div|h[1-6]|head|li|main|p|section|span|table|td|ul)[\s>]"
)


def _is_json(e: KindEvidence) -> bool:
    start = e.text[:400].lstrip("\ufeff \t\r\n")
    return bool(_JSON_START.match(start)) and not STAMP.match(start[1:40])


def _is_html(e: KindEvidence) -> bool:
    if not e.first.startswith("<"):
        return False
    head = e.text[:4000].lower()
    return (
        "<!doctype html" in head
        or "<html" in head
        or (e.share("xml") > 0.3 and bool(_HTML_ELEMENT.search(head)))
    )


def _is_xml(e: KindEvidence) -> bool:
    if e.first.startswith("<?xml"):
        return True
    return e.first.startswith("<") and e.share("xml") > 0.5


def _is_outputs(e: KindEvidence) -> bool:
    return sum(bool(COMMAND_HEADING.match(line)) for line in e.lines) >= 2


def _is_diff(e: KindEvidence) -> bool:
    starts = e.starts["diff"]
    if not starts:
        return False
    text = e.text
    has_hunks = "\n@@ -" in text or text.startswith("@@ -")
    return has_hunks and (
        "\ndiff --git " in text or text.startswith("diff --git ") or "\n+++ " in text
    )


def _is_git_log(e: KindEvidence) -> bool:
    if e.text.startswith("commit ") and "\nAuthor: " in e.text[:2000]:
        return True
    return e.share("commit") > 0.6


_SQL_STATEMENT = re.compile(
    r"^\s{0,4}(?:CREATE|ALTER|INSERT|DROP|COMMENT)\s+(?:OR\s+REPLACE\s+)?(?:\w+\s+){0,2}"
    r"(?:TABLE|INDEX|INTO|VIEW|TYPE|ON|FUNCTION|SEQUENCE|TRIGGER)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TERRAFORM_BLOCK = re.compile(
    r"^(?:resource|data|variable|output|module|provider|locals|terraform)\b[^\n{]{0,200}\{\s*$",
    re.MULTILINE,
)
_MARKDOWN_RULE = re.compile(r"^\s{0,8}\|?[ :|-]{0,400}-[ :|-]{0,400}\|", re.MULTILINE)
_WORDS = re.compile(r"[a-z] [a-z]")
_SEARCHED_CHARACTERS = 100_000


def _is_sql(e: KindEvidence) -> bool:
    found = _SQL_STATEMENT.findall(e.text[:_SEARCHED_CHARACTERS])
    return len(found) >= 3 and e.stamped < 0.3


def _is_terraform(e: KindEvidence) -> bool:
    return len(_TERRAFORM_BLOCK.findall(e.text[:_SEARCHED_CHARACTERS])) >= 2


def _is_log(e: KindEvidence) -> bool:
    levels = e.count(LEVEL, 120) / e.total
    least = 0.2 if e.hints("log") else 0.5
    return e.total >= 5 and (e.stamped >= least or (levels >= 0.8 and e.built < 0.3))


def _is_build(e: KindEvidence) -> bool:
    return e.built >= (0.04 if e.hints("build") else 0.08) or e.diagnosed >= 0.04


def _is_search(e: KindEvidence) -> bool:
    return e.total >= 3 and e.share("found") >= 0.6 and e.diagnosed < 0.2


def _is_listing(e: KindEvidence) -> bool:
    if e.total < 5:
        return False
    if e.count(LONG_LISTING) + e.count(TREE) > 0.5 * e.total:
        return True
    paths = sum(1 for line in e.lines if PATH.match(line))
    slashes = sum("/" in line or "." in line for line in e.lines)
    return paths >= 0.9 * e.total and slashes >= (0.3 if e.hints("listing") else 0.7) * e.total


def _is_markdown(e: KindEvidence) -> bool:
    headings, fences = e.starts["heading"], e.starts["fence"]
    tables = e.starts["bar"]
    if e.hints("markdown"):
        return True
    return (headings >= 2 and fences + e.starts["item"] + tables >= 1 and e.coded < 0.4) or (
        tables >= 0.6 * e.total
        and e.starts["rule"] >= 1
        and re.search(r"^\s*\|?[\s:|-]*-[\s:|-]*\|", e.text, re.M) is not None
    )


def _is_code(e: KindEvidence) -> bool:
    if e.hints("code"):
        return e.coded > 0.1
    return e.total >= 4 and e.coded > 0.3 and e.share("code") > 0.15


def _is_yaml(e: KindEvidence) -> bool:
    keys = e.count(YAML_KEY) / e.total
    if e.hints("yaml"):
        return keys > 0.2
    others = e.share("item", "comment")
    return keys > 0.4 and keys + others > 0.7 and e.indented > 0.2 and e.gaps < 0.6


def _is_settings(e: KindEvidence) -> bool:
    if e.hints("settings"):
        return True
    return (e.starts["section"] >= 1 and e.share("section", "setting", "comment") > 0.6) or e.share(
        "setting"
    ) > 0.8


def _is_separated(e: KindEvidence) -> bool:
    if e.total < 3 or e.starts["found"] > 0.5 * e.total or STAMP.search(e.first[:STAMP_CHARACTERS]):
        return False
    least = 0.5 if e.hints("separated") else 0.8
    return e.evenly_separated >= least


def _is_table(e: KindEvidence) -> bool:
    boxed = e.share("bar", "rule") > 0.5
    return e.total >= 4 and (boxed or e.gaps > 0.5)


def _is_blocks(e: KindEvidence) -> bool:
    return e.total >= 6 and (e.keyed > 0.5 or (e.indented > 0.3 and e.keyed > 0.25))


def _is_prose(e: KindEvidence) -> bool:
    return e.count(SENTENCE) > 0.4 * e.total or (
        e.total <= 3 and len(e.first) > 10 and e.count(re.compile(r"[a-z] [a-z]")) > 0
    )


_TESTS: tuple[tuple[KindName, Callable[[KindEvidence], bool]], ...] = (
    ("json", _is_json),
    ("html", _is_html),
    ("xml", _is_xml),
    ("outputs", _is_outputs),
    ("diff", _is_diff),
    ("git_log", _is_git_log),
    ("sql", _is_sql),
    ("terraform", _is_terraform),
    ("search", _is_search),
    ("separated", lambda e: e.coded < 0.3 and _is_separated(e)),
    ("build", lambda e: e.hints("build") and _is_build(e)),
    ("log", _is_log),
    ("markdown", _is_markdown),
    ("listing", _is_listing),
    ("code", _is_code),
    ("build", _is_build),
    ("yaml", _is_yaml),
    ("settings", _is_settings),
    ("blocks", lambda e: e.keyed > 0.6 and _is_blocks(e)),
    ("table", _is_table),
    ("blocks", _is_blocks),
    ("prose", _is_prose),
)
