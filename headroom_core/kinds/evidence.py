"""What samples of a text's lines show: times, paths, keywords, columns, messages of programs."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from itertools import pairwise

from headroom_core.text.separated import SEPARATORS

# The lines that are sampled: a start, places inside, and the end.
_WHOLE_LINES = 100
_FIRST_LINES, _INNER_LINES, _LAST_LINES = 40, 12, 24
_INNER_PLACES = (1 / 4, 1 / 2, 3 / 4)
_SAMPLED_CHARACTERS = 8_000
_MAX_LINE = 240
STAMP_CHARACTERS = 70

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,12}[A-Za-z]")

# Dates and times, as programs write them. A time since 1970 needs a date in the same line.
STAMP = re.compile(
    r"""
    \d{4}[-/.]\d\d[-/.]\d\d[T _-]{1,2}\d\d[:.]\d\d
    | \b\d\d[-/]\d\d[-/]?(?:\d\d)?[ ]\d\d:\d\d:\d\d
    | \b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ ]{1,2}\d{1,2},?[ ]
        (?:\d{4}[ ])?\d\d:\d\d:\d\d
    | \b\d{1,2}/(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/\d{4}:\d\d:\d\d
    | \b\d{8}[- ]\d\d:?\d\d:?\d\d | ^\d{6}[ ]\d{6}[ ]
    | ^\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b | ^\[[ ]{0,6}\d{1,8}\.\d{6}\]
    | \b1[0-9]{9}(?:\.\d+|\d{3})?\b
    """,
    re.VERBOSE,
)
"""A date with a time, or a time at the start of a line, within the first 70 characters."""

LEVEL = re.compile(
    r"\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b"
    r"|\[(?:trace|debug|info|notice|warn|warning|error|crit)\]|\blevel=\w"
)

_BUILD = re.compile(
    r"""
    (?:^|[\s:(\[])(?:fatal[ ])?(?:[Ee]rror|[Ww]arning|ERROR|WARNING)
        (?:[ ]?[\[(]?[A-Z]{1,8}[-\d]\w{0,12}[\])]?)?:[ ]
    | ^\[(?:INFO|ERROR|WARNING|WARN|DEBUG)\] | ^\[ERR\] | ^\s{0,8}\[\w{2,12}\]\s
    | ^make(?:\[\d{1,3}\])?: | ^npm[ ](?:ERR|WARN|error|warn) | ^>\s[\w@./-]{1,80}\s\w{1,20}$
    | ^\s{0,8}(?:Compiling|Checking|Downloading|Downloaded|Collecting|Building|Installing|Linking
        |Fresh|Finished|Updating|Running|Unpacking|Preparing|Fetching|Generating|Scanning)\b
    | \b(?:PASSED|FAILED|SKIPPED|XFAIL)\b | ^(?:ok|not[ ]ok)[ ]\d
    | ^\s{0,8}---[ ](?:PASS|FAIL|SKIP):
    | ^===[ ](?:RUN|PAUSE|CONT) | ^(?:ok|FAIL|PASS)\s{1,4}\S | ^test[ ].{1,160}[ ]\.\.\.[ ]
    | ^Step[ ]\d{1,3}/\d | ^\#\d{1,3}[ ](?:\[|\d|DONE|CACHED|sha256|ERROR) | ^\#\#\[
    | ^::(?:group|error|warning)
    | ^BUILD[ ](?:SUCC|FAIL) | ^Tests[ ]run: | ^===== | ^-{20,}$ | ^E\s{3}
    | ^\s{0,4}\d{1,6}:\d{1,5}\s{1,4}(?:error|warning)\b
    | \b(?:exit(?:ed)?|returned)\b.{0,20}\b(?:code|status)\b | ^\[\s{0,3}\d{1,4}/\d{1,5}\][ ]
    | ^\s{0,4}\[\s{0,2}\d{1,3}%\] | ^(?:gcc|g\+\+|cc|clang|javac|rustc|cl|ar|ld)\s
    | ^:\w[\w:-]{1,80}$ | ^>[ ]Task[ ]:
    | ^\s{0,6}[✓✔✕✗×●√]\s | ^\s{0,4}-->[ ]\S{1,200}:\d | ^\s{4,}\^[~^]* \s*$ | ^\s{2,}\|?\s*\^[~^]*
    """,
    re.VERBOSE,
)
# A compiler's message about a place in a file: a search prints no level after the number.
_DIAGNOSTIC = re.compile(
    r"^(?:\[\w{1,12}\]\s{1,4})?\S.{0,200}?(?:[:(]\d{1,7}(?:[:,.-]\d{1,6}){0,2}\)?:?)\s{0,4}"
    r"(?:[^\s:]{0,24}:\s{0,2})?\(?\[?(?:fatal\s)?(?:error|warning|note|info|remark|style|[EWCFRN]\d{3,4})\b",
    re.IGNORECASE,
)

_START = re.compile(
    r"""
    (?P<diff>diff[ ]--git[ ]|@@[ ]-\d|\+\+\+[ ]\S|---[ ](?:a/|/dev/null|\S+\t)
        |index[ ][0-9a-f]{6,40}\.\.)
    | (?P<commit>commit[ ][0-9a-f]{7,40}\b
        |[*|\\/ ]{0,12}[0-9a-f]{7,40}[ ](?:\(|\d{4}-\d\d-\d\d|[A-Za-z]))
    | (?P<found>(?:[^\s:|][^:|\n]{0,160}?)??(?:[/\\.][A-Za-z][\w+~-]{0,60}|[A-Z]?[a-z]{1,12}file)
        (?::\d{1,7}[:-]|-\d{1,7}-)(?!\d\d\b|\d{1,6}:\s))
    | (?P<rule>\s{0,8}\|?[\s:|+=-]*(?:--|==)[\s:|+=-]*\|?\s*$
        |\s{0,4}[+╔╒┌├╞╠╚└│╰╭─]{1,3}[-=─═+┬┼┴╤╪╧]{2})
    | (?P<bar>\s{0,8}[|│║]\s?.*[|│║]\s*$)
    | (?P<fence>\s{0,3}(?:```|~~~))
    | (?P<heading>\#{1,6}[ ]\S)
    | (?P<xml><[?!]|\s*</?[A-Za-z][\w:.-]{0,60}(?:[\s/>]|$))
    | (?P<section>\s{0,4}\[\[?[\w ."'/:@-]{1,80}\]\]?\s*(?:[\#;].*)?$)
    | (?P<sql>\s{0,4}(?i:CREATE|ALTER|DROP|INSERT|SELECT|UPDATE|DELETE|GRANT|COMMENT)[ ]
        (?i:OR|UNIQUE|TABLE|INDEX|TYPE|VIEW|INTO|FROM|TEMPORARY|SCHEMA|FUNCTION|TRIGGER
            |SEQUENCE|ON|DATABASE|EXTENSION)\b|\s{0,4}--[ ])
    | (?P<terraform>(?:resource|data|variable|output|module|provider|locals|terraform)\b[ ]?["{])
    | (?P<code>\s*(?:(?:export|public|private|protected|static|final|async|abstract|pub|unsafe
            |default|inline)[ ]){0,4}
        (?:def|class|func|fn|function|interface|enum|struct|trait|impl|type|namespace|package
        |import|from|return
        |const|let|var|if|for|while|else|elif|try|except|catch|switch|case|raise|throw|use|using
        |module|require|\#include|\#define|\#if\w*|\#endif|void|int|with)\b
        |\s*(?:@\w|//|/\*|\*/|\*[ ]|[})\]]{1,4}[;,]?\s*$|\w[\w.]{0,80}\(.*\)[;:{]?\s*$))
    | (?P<item>\s*[-*+][ ]\S)
    | (?P<key>\s*(?:-[ ])?["']?[A-Za-z_$@][\w ./$@()-]{0,60}["']?\s{0,30}:(?:\s|$))
    | (?P<setting>\s{0,8}(?:export[ ])?[A-Za-z_][\w.\[\]-]{0,80}\s{0,20}=)
    | (?P<comment>\s*[\#;])
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r'"[^"]*"')
YAML_KEY = re.compile(r"""\s*(?:-[ ]){0,3}["']?[\w./$@*~-]{1,80}["']?:(?:\s|$)""")
_CODE_END = re.compile(r"(?:[;{}(,]|\)[:;]|=>|\):?|:)\s*$")
_GAP = re.compile(r"\S(?:  +|\t+)(?=\S)")
PATH = re.compile(r"/?(?:[\w@+~.,()\[\] {}$=%#-]{1,120}/)*[\w@+~.,()\[\]{}$=%#-]{1,120}/?$")
LONG_LISTING = re.compile(
    r"[-dlcbps](?:[r-][w-][xsS-]){2}[r-][w-][xtT-][.+@]?\s|total\s\d+$|\d{6}[ ](?:blob|tree)[ ]"
)
TREE = re.compile(r"[\s│|]*(?:├──|└──|\|--|`--)[ ]")
COMMAND_HEADING = re.compile(r"\$[ ]\w|==>[ ].{1,200}[ ]<==$")
SENTENCE = re.compile(r"[A-Z“\"'(][^.!?\n]{20,}[.!?](?:[\s\"'”)]|$)")


def sample_lines(text: str) -> list[str]:
    """Return the lines of a text, or those of its start, places inside, and end if it is long."""
    if len(text) <= _SAMPLED_CHARACTERS * 2:
        lines = text.split("\n")
        if len(lines) <= _WHOLE_LINES:
            return [line[:_MAX_LINE] for line in lines]
        text = "\n".join(lines)
    head = text[:_SAMPLED_CHARACTERS].split("\n", _FIRST_LINES)[:_FIRST_LINES]
    sampled = head
    for place in _INNER_PLACES:
        start = text.find("\n", int(place * len(text))) + 1
        inner = text[start : start + _SAMPLED_CHARACTERS // 3].split("\n", _INNER_LINES)
        sampled = sampled + inner[:_INNER_LINES]
    tail = text[-_SAMPLED_CHARACTERS // 2 :].rstrip("\n").split("\n")[1:]
    return [line[:_MAX_LINE] for line in [*sampled, *tail[-_LAST_LINES:]]]


class KindEvidence:
    """What the sampled lines of a text show.

    Args:
        text: The text.
        hint: Kind that the call tells. Empty if it tells none.
    """

    def __init__(self, text: str, hint: str) -> None:
        self.text, self.hint = text, hint
        lines = sample_lines(text)
        if "\x1b" in text:
            lines = [_ANSI.sub("", line) for line in lines]
        self.lines = [line.rstrip("\r") for line in lines if line and not line.isspace()]
        self.total = max(1, len(self.lines))
        self.starts = Counter(
            match.lastgroup or "" for line in self.lines if (match := _START.match(line))
        )

    def hints(self, *kinds: str) -> bool:
        """Return whether the call tells one of some kinds."""
        return self.hint in kinds

    def share(self, *groups: str) -> float:
        """Return the share of the lines that start in some ways."""
        return sum(self.starts[group] for group in groups) / self.total

    def count(self, pattern: re.Pattern[str], length: int = _MAX_LINE) -> int:
        """Return the number of lines in whose first characters a pattern is found."""
        return sum(1 for line in self.lines if pattern.search(line[:length]))

    @cached_property
    def first(self) -> str:
        """The first line that is not blank."""
        return self.lines[0].lstrip() if self.lines else ""

    @cached_property
    def stamped(self) -> float:
        """The share of lines with a time near their start."""
        return self.count(STAMP, STAMP_CHARACTERS) / self.total

    @cached_property
    def built(self) -> float:
        """The share of lines as builds and test runners print them."""
        return (
            sum(1 for line in self.lines if _BUILD.search(line) or _DIAGNOSTIC.match(line))
            / self.total
        )

    @cached_property
    def diagnosed(self) -> float:
        """The share of lines with a compiler's message about a place in a file."""
        return sum(1 for line in self.lines if _DIAGNOSTIC.match(line)) / self.total

    @cached_property
    def gaps(self) -> float:
        """The share of neighbouring lines with a column that starts at the same place."""
        pairs = [{match.end() for match in _GAP.finditer(line)} for line in self.lines]
        shared = sum(1 for before, after in pairwise(pairs) if before & after)
        return shared / max(1, len(pairs) - 1)

    @cached_property
    def evenly_separated(self) -> float:
        """The share of lines that have as many of a separator as most lines have."""
        best = 0.0
        for lines in (self.lines, [_QUOTED.sub("", line) for line in self.lines if '"' in line]):
            for separator in SEPARATORS:
                counts = Counter(line.count(separator) for line in lines)
                del counts[0]
                if counts:
                    best = max(best, counts.most_common(1)[0][1] / len(lines))
        return best

    @cached_property
    def keyed(self) -> float:
        """The share of lines that start with a key and a colon."""
        return self.share("key")

    @cached_property
    def indented(self) -> float:
        """The share of lines that are indented."""
        return sum(line[0] in " \t" for line in self.lines) / self.total

    @cached_property
    def coded(self) -> float:
        """The share of lines that start or end as lines of programs do."""
        ends = sum(1 for line in self.lines if _CODE_END.search(line))
        return max(self.share("code"), ends / self.total)
