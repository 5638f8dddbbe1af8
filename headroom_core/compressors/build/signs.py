"""Tell what a line of a build says: an error, a warning, a result, a step, a test that passed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from headroom_core.text.text_lines import TextLines

Sign = Literal["error", "problem", "warning", "result", "step", "passed"]

_MAX_LINE = 1000

# Colours and other codes of terminals, then what CI services write in front of each line.
_ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_PREFIX = re.compile(
    r"^(?:[^\t\n]{1,80}\t[^\t\n]{1,80}\t)?\ufeff?"
    r"(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,\d]{0,10}(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?)[ \t]{0,2}",
    re.MULTILINE,
)

# Only lines with one of these, in any case, are looked at: finding them is fast. A line feed stands
# for the start of a line.
_WORDS_OF_TROUBLE = (
    "err", "fail", "fatal", "exception", "panic", "warn", "traceback", "caused by", "assert",
    "expected", "exit", "non-zero", "not ok", "cannot", "can't", "could not", "unable", "missing",
    "not found", "no such", "denied", "refused", "timed out", "timeout", "undefined", "unresolved",
    "segmentation", "core dumped", "killed", "out of memory", "***", "problem", "invalid", "abort",
    "conflict", "mismatch", "✗", "✕", "✖", "×", "●", "\ne  ", "\n___",
)  # fmt: skip
_OTHER_WORDS = (
    "pass", "ok\n", "\nok", "    ok", "tests", "test result", "\nran ", "finished", "build ",
    "succe", "total", "time:", "duration", "##[", "\n::", "[command]", "✓", "✔", "\n> ", "\n$ ",
    "\n+ ", "\nstep ", "\nrun ", "\n#", "\n===", "running ", "\n---",
)  # fmt: skip

_HARMLESS = re.compile(
    r"""
    \b(?:0|no|without|zero)\s(?:\w{1,12}\s)?
        (?:error|failure|warning|problem|issue|failed)(?:\(?s\)?)?\b
    | \b(?:errors?|failures?|failed|warnings?|skipped)\s?[:=]\s?0\b
    | -W(?:no-)?[\w=+-]{0,40}
    | --?[\w-]{0,30}(?:error|warning|fail)[\w=-]{0,30}
    | (?:error|fail|warning|exception)[\w-]{0,40}
        \.(?:jar|o|obj|class|java|c|cc|cpp|h|hpp|py|js|ts|tsx|go|rs|d|html|md|so|pyc|gz|whl|lock)\b
    | (?:thiserror|anyhow|error-chain|proc-macro-error\w{0,8}|quick-error)\sv?\d
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ERROR = re.compile(
    r"""
    (?i:\berrors?(?:\s?[\[(]?[a-z]{0,8}-?\d{1,6}[\])]?)?\s?:(?!:)) | (?i:\[err(?:or)?\])
    | (?i:^\s{0,8}(?:fatal\s)?error\b)
    | \bERROR\b | \bFAILED\b | \bFAIL\b | \bFAILURE\b | \bFATAL\b | (?i:\bfatal\s?(?:error|:))
    | (?i:\berror\s[a-z]{1,6}\d{2,6}\b) | \d:\d{1,5}\)?:?\s{1,4}error\b
    | \#\#\[error | ::error | ^E\s{2,} | ^\s{0,12}not\sok\b
    | \b[A-Z]\w{0,60}(?:Error|Exception|Failure)(?=[:\s(]|$) | \bpanicked\sat\b | ^panic:
    | ^\s{0,12}Traceback\b | ^Caused\sby: | (?i:\bexit(?:ed)?\s(?:with\s)?(?:code|status):?\s[1-9])
    | (?i:\breturned\s(?:a\s)?non-zero|\bbuild\sfailed|failed\swith) | ^\s{0,8}[✗✕✖×●]\s
    | \bnpm\s(?:ERR!|error) | (?i:segmentation\sfault|core\sdumped|assertion\s.{0,80}failed)
    | ^make(?:\[\d{1,3}\])?:\s\*\*\* | \bundefined\sreference | (?i:\bunresolved\sexternal)
    | ^_{3,}\s.{1,200}\s_{3,}$
    """,
    re.VERBOSE,
)
_WARNING = re.compile(r"\bwarn(?:ing)?s?\b|compile-warning|::warning|##\[warning", re.IGNORECASE)
_PROBLEM = re.compile(
    r"\b(?:cannot|can't|could not|couldn't|unable to|not found|no such|missing|denied|refused"
    r"|timed out|timeout|undefined|unresolved|killed|out of memory|invalid|abort(?:ed|ing)?"
    r"|conflict(?:s|ing)?|exception|fail(?:s|ed|ure|ures|ing)?|panic|errors?|expected|mismatch)\b",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"""
    ^=+\s.{0,200}\b(?:passed|failed|errors?|skipped|warnings?)\b
    | ^\s{0,8}(?:Tests?|Test\sSuites|Test\sFiles|Snapshots|Tests\srun|Ran|Total|Time|Duration)
        :?\s{1,12}
        [\w ,|:.()%-]{0,40}\d
    | ^test\sresult: | ^Ran\s\d
    | ^(?:\[\w{1,8}\]\s)?(?:Tests\srun:|BUILD\s(?:SUCC|FAIL)|Total\stime:)
    | \b\d{1,7}\s(?:passing|failing|pending|passed|failed|problems?|errors?|warnings?)\b
    | \b(?:Found|Finished|Success|Build\s(?:succeeded|finished))\b
    | ^(?:ok|FAIL|PASS)\s{1,8}\S{1,200}(?:\s{1,8}[\d.]{1,12}s)?$
    """,
    re.VERBOSE,
)
_STEP = re.compile(
    r"^(?:##\[(?:group|section|command)\]|::group::|\[command\]|[$+>]\s\S|Step\s\d|Run\s\S"
    r"|#\d{1,3}\s\[|={3,}\s\S|-{3,}\s\S.{0,120}@|>\sTask\s|\s{0,6}Running\s\S)"
)
_PASSED = re.compile(
    r"\bPASS(?:ED)?\b|\.{3}\s?ok\s*$|^\s{0,8}ok\b|^\s{0,12}[✓✔]|---\sPASS|\bpassed\s*$"
    r"|\bTests\srun:.{0,80}\bTime\selapsed",
)
_EXIT = re.compile(r"\bexit(?:ed)?\b.{0,20}\b\d")
# How pytest names a test that failed: in its list of results, as a heading, and at the end.
_TOLD_IN_LIST = re.compile(r"(\S{1,400})\s(?:FAILED|ERROR)\b")
_TOLD_IN_HEADING = re.compile(r"_{1,80}\s(?:ERROR at \w{1,10} of )?([\w.]{1,200})")
_TOLD_AT_END = re.compile(r"(?:FAILED|ERROR)\s(\S{1,400}?::([\w:]{1,200})\S{0,400})")
_LOCATION = re.compile(
    r"^(?:\[\w{1,12}\]\s{1,8}){0,2}\S[^\n]{0,240}?[:(\[]\d{1,7}(?:[:,.-]\s?\d{1,6}){0,3}"
    r"[\])]{0,2}:?\s{0,4}"
)
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


def strip_codes(text: str) -> str:
    """Return a text without terminal codes and the times in front of its lines.

    It has as many lines as before.

    Example:
        >>> strip_codes("2026-01-05T10:00:00.123Z \\x1b[31merror\\x1b[0m: no such file")
        'error: no such file'
    """
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _PREFIX.sub("", text)


def find_signs(lines: TextLines) -> dict[int, Sign]:
    """Return what the lines say that say something, by their indices.

    Args:
        lines: The lines, without terminal codes.
    """
    signs: dict[int, Sign] = {}
    known: dict[str, Sign | None] = {}
    trouble = set(_find_lines(lines, _WORDS_OF_TROUBLE))
    for index in sorted(trouble.union(_find_lines(lines, _OTHER_WORDS))):
        line = lines.lines[index][:_MAX_LINE].rstrip()
        masked = _NUMBER.sub(_mask_number, line)
        if masked not in known:
            known[masked] = read_sign(line) if index in trouble else _read_calm_sign(line)
        sign = known[masked]
        if sign:
            signs[index] = sign
    return signs


def read_sign(line: str) -> Sign | None:
    """Return what a line says, None if nothing in it tells.

    Example:
        >>> read_sign("src/a.c:3:1: error: expected ';'"), read_sign("Build: 0 errors, -Werror")
        ('error', None)
    """
    line = _HARMLESS.sub("", line)
    if _ERROR.search(line):
        return "result" if _RESULT.search(line) else "error"
    calm = _read_calm_sign(line)
    if calm in ("passed", "result"):
        return calm
    if _WARNING.search(line):
        return "warning"
    if _EXIT.search(line):
        return "result"
    return calm or ("problem" if _PROBLEM.search(line) else None)


def _read_calm_sign(line: str) -> Sign | None:
    """Return what a line says that reports no trouble."""
    if _PASSED.search(line):
        return "passed"
    if _RESULT.search(line):
        return "result"
    return "step" if _STEP.match(line) else None


def drop_told_twice(lines: Sequence[str], errors: Iterable[int]) -> list[int]:
    """Return the indices of errors without those that a summary at the end tells again.

    Args:
        lines: All lines.
        errors: Indices of the errors.

    Example:
        >>> drop_told_twice(["a.py::test_b FAILED [9%]", "FAILED a.py::test_b - KeyError"], [0, 1])
        [1]
    """
    errors = list(errors)
    told: set[str] = set()
    for index in errors:
        if match := _TOLD_AT_END.match(lines[index]):
            told |= {match[1], match[2].replace("::", ".")}
    if not told:
        return errors

    def is_told_again(index: int) -> bool:
        line = lines[index]
        match = _TOLD_IN_LIST.match(line) or _TOLD_IN_HEADING.match(line)
        return match is not None and match[1] in told

    return [index for index in errors if not is_told_again(index)]


def message_of(line: str) -> str:
    """Return a line without the place in a file at its start.

    Example:
        >>> message_of("src/a.c:3:1: warning: unused variable 'x'")
        "warning: unused variable 'x'"
    """
    line = line[:_MAX_LINE].strip()
    match = _LOCATION.match(line)
    return line[match.end() :] or line if match else line


def mask_numbers(line: str) -> str:
    """Return a line with each number in it as 0."""
    return _NUMBER.sub("0", line)


def _mask_number(match: re.Match[str]) -> str:
    # Zero says that there are no errors.
    return "0" if match[0] == "0" else "1"


def _find_lines(lines: TextLines, words: Iterable[str]) -> Iterator[int]:
    """Return the indices of lines with one of some words, in no order; the first line is one."""
    if lines.lines:
        yield 0
    for word in words:
        yield from lines.find_text(word)
