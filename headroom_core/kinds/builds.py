"""Tell lines that builds, compilers, test runners and CI print."""

from __future__ import annotations

import re

# Only builds print these: they stand behind a time as well, as CI writes it before each line.
_MARK = re.compile(
    r"""
    (?:\[?\d[\d:T.,\ /-]{5,32}Z?\]?\s{1,4})?(?:\[\w{1,16}\]\s(?=\[))?\s{0,9}
    (?:
        \#\#\[(?:group|endgroup|error|warning|section|command) | ::(?:group|endgroup|error|warning)
        | \[(?:INFO|ERROR|WARNING)\][ ](?:---|\[INFO\]|BUILD[ ]|Building[ ]|Tests[ ]run|Download
            |Reactor[ ]|COMPILATION|Scanning[ ]for|Installing[ ]|Compiling[ ]|Total[ ]time)
        | make(?:\[\d{1,3}\])?:[ ] | npm[ ](?:ERR!|WARN|error|warn)[ ] | Step[ ]\d{1,3}/\d
        | \#\d{1,3}[ ](?:\[|DONE|CACHED|sha256|ERROR) | BUILD[ ](?:SUCC|FAIL)
        | Tests[ ]run:[ ]\d | ---[ ](?:PASS|FAIL|SKIP): | ===[ ](?:RUN|PAUSE|CONT)[ ]
        | (?:ok|FAIL|\?)\s{1,4}\t | (?:PASS|FAIL)[ ]\S{1,200}\.(?:js|jsx|ts|tsx|mjs)\b
        | test[ ]\S{1,160}[ ]\.\.\.[ ] | test[ ]result: | running[ ]\d{1,6}[ ]tests?
        | ={3,}[ ].{1,160}[ ]={3,}$ | _{3,}[ ].{1,160}[ ]_{3,}$
        | [.FsxXE]{2,200}\s{1,80}\[[ ]{0,2}\d{1,3}%\]
        | [^\s:]{1,200}::\S{1,160}[ ](?:PASSED|FAILED|SKIPPED|ERROR|XFAIL)
        | (?:FAILED|ERROR)[ ][^\s:]{1,200}::\S
        | Ran[ ]\d{1,6}[ ]tests?[ ]in | \[\s{0,3}\d{1,5}/\d{1,5}\][ ][A-Z] | \[\s{0,2}\d{1,3}%\][ ]
        | >[ ]Task[ ]: | :[a-z][\w:-]{1,80}(?:[ ]UP-TO-DATE)?$
        | Build[ ](?:started|FAILED|succeeded)
        | \[(?:javac|mkdir|junit|exec|copy|jar|echo)\][ ]
        | (?:gcc|g\+\+|cc|c\+\+|clang(?:\+\+)?|javac|rustc)[ ]-
        | \d{1,4}\.[ ](?:WARNING|ERROR)[ ]in[ ] | error\[E\d{4}\] | In[ ]file[ ]included[ ]from[ ]
        | Buildfile:[ ]
        | (?:Test[ ]Suites|Tests):[ ]{1,8}\d | Microsoft[ ]\(R\)[ ]Build[ ]Engine
    )
    """,
    re.VERBOSE,
)
_WORDS = frozenset(
    """Building Checking Collecting Compiling Downloaded Downloading Fetching Finished Fresh
    Generating Installing Linking Preparing Running Scanning Unpacking Updating""".split()
)
_WEAK = re.compile(
    r"\s{0,8}(?:\[(?:INFO|ERROR|WARNING|WARN|ERR)\]|(?:fatal )?(?:error|warning)s?\b[^:\n]{0,20}: "
    r"|(?:ERROR|WARNING|Error|Warning)(?: in [^:\n]{1,80}|\s?#\d{1,4})?: |E {3}|[✓✔✕✗×●√] "
    r"|(?:ok|not ok) \d|--> \S{1,200}:\d|\|?\s{0,60}\^[~^]{0,80}\s{0,4}$)"
)
_MESSAGE = re.compile(
    r"""
    (?:\[\w{1,12}\]\s{1,4})?
    [^\s"'=(]{0,200}?[A-Za-z_+]\d?[:(]\[?\d{1,7}(?:[:,.-]\d{1,6}){0,2}[\])]{0,2}:?\s{0,4}
    (?:-\s|:\s)?\(?\[?
    (?:(?:fatal\s)?(?:error|warning|note|remark)(?:s?\b)|(?:style|info):|[EWCFRNSB]\d{3,4}\b)
    | [^\n"']{1,180}?[ ]?:[ ](?:error|warning)[ ][A-Z]{1,6}\d{1,5}:[ ]
    | \s{0,4}\d{1,6}:\d{1,5}\s{1,4}(?:error|warning)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_build_mark(line: str) -> bool:
    """Return whether only builds and test runners print such a line."""
    return bool(_MARK.match(line)) or is_diagnostic(line)


def is_build_line(line: str) -> bool:
    """Return whether a build may print such a line."""
    word = line.lstrip().partition(" ")[0]
    return word in _WORDS or bool(_WEAK.match(line)) or is_build_mark(line)


def is_diagnostic(line: str) -> bool:
    """Return whether a line is a compiler's message about a place in a file.

    A search prints no level after the number of the line.

    Example:
        >>> is_diagnostic("src/a.c:3:5: warning: unused"), is_diagnostic("src/a.c:3: int warning;")
        (True, False)
    """
    return ":" in line and bool(_MESSAGE.match(line))
