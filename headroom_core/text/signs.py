"""Signs of code, markup, data, logs and diffs in the lines of a text.

The strings are pieces of verbose regular expressions (`re.VERBOSE`), to be combined with `|`.
Those named `…_START` match after the indentation of a line; the others have their own anchors.
A sign is a hint, not a proof: prose has some of them here and there, so callers count the lines
that have one.
"""

from __future__ import annotations

import re

# An open bracket, a semicolon or an escaped line break at the end of a line, and a bracket closed
# with punctuation. Must not match a parenthesis that just ends a sentence: `(see below).`
STATEMENT_END = r"[;\\([]\s*$ | [)\]][;:,]\s*$ | \(\)\s*$"

# Four spaces or a tab. Must not match lists, which begin with `-`, `*` or a digit, and lines so
# long that they are indented prose.
INDENTED_CODE = r"^(?:[ ]{4,}|[ ]*\t)[^\s*\d-].{0,119}$"

# Two commas that are not followed by spaces. Must not match digit groups: `1,000,000`.
COMMA_SEPARATED_VALUES = r",[^\s\d].*,[^\s\d]"

# Assignments and settings; calls; keywords that are followed by a declaration; decorators and
# comments. Must not match a comparison (`a == b`), or a keyword used as a word: `return to sender`.
CODE_START = r"""
    (?:(?:const|let|var|export)\s)?[\w.[\]]+\s*[-+*/|:?]?=[^=]
    | [\w.]+\(.*\)\s*$
    | (?:def|class|return|raise|elif|async|func|fn|public|private|static|void|package)\s\S+[(.:]
    | @\w | // | /\* | \*/
"""

# A key in lower case and a colon. Must not match `Note: …` or `10:30`.
YAML_START = r"(?:-[ ])?[a-z_][\w.-]*:(?:\s|$)"

# An opening or closing tag, or a declaration. Must not match `a < b` or `<= 3`.
MARKUP_START = r"<\w | </ | <!"

# The prompts of Python and of a shell. Must not match an amount: `$5`.
PROMPT_START = r">>>\s | \$\s\w"

# A hunk's header, or an added line. Removed lines are left out: they look like items of a list.
DIFF_START = r"@@\s | [+]\w"

# A date or a time, also as syslog writes it, a level in capitals, or an IPv4 address; the first
# two also in brackets. Must not match a year alone (`2024 was …`) or a level within a word.
LOG_START = r"""
    [\[(]?(?:\d{4}[-/]\d\d[-/]\d\d\b | \d\d:\d\d:\d\d | [A-Z][a-z]{2}[ ][ \d]\d[ ]\d\d:\d\d)
    | [\[(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b
    | \d{1,3}(?:\.\d{1,3}){3}\s
"""

# The kind and the permissions of a file, as `ls -l` writes them.
FILE_MODE = r"[-dlcbps](?:[r-][w-][xsS-]){2}[r-][w-][xtT-]"

# A drawn tree's branch in front of a name.
TREE_BRANCH = r"(?:├──|└──|\|--|`--)"

# One pattern with a single anchored group is measurably faster than one pattern per kind.
NON_PROSE_LINE = re.compile(
    rf"""
    {STATEMENT_END}
    | {INDENTED_CODE}
    | {COMMA_SEPARATED_VALUES}
    | ^\s*(?:{CODE_START}|{YAML_START}|{MARKUP_START}|{PROMPT_START}|{DIFF_START}|{LOG_START})
    """,
    re.VERBOSE,
)
"""Any of the signs above. Search a single line with it."""

# A brace, a bar, a tab after text, or a list of quoted strings: stops in such a line are parts of
# values and never end a sentence. Must not match a tab that only indents, or `[1]`, a citation.
DATA_LINE = re.compile(r"""[{}|]|\S\t|\[["']""")
"""Signs so strong that a single line with one of them is data or code."""
