"""What samples of a text's lines show: times, places, keywords, columns, messages of programs.

Each sign is looked for when a test first asks for it, in some fifty lines, so that detection costs
the same for a text of any length.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from functools import cached_property

from headroom_core.kinds.builds import is_build_line, is_build_mark, is_diagnostic
from headroom_core.kinds.starts import LineStart, start_of_line
from headroom_core.text.separated import SEPARATORS
from headroom_core.text.signs import FILE_MODE, TREE_BRANCH

# The lines that are sampled: a start, places inside, and the end.
_FIRST_LINES, _INNER_LINES, _LAST_LINES = 20, 6, 10
_WHOLE_LINES = 48
_INNER_PLACES = (1 / 4, 1 / 2, 3 / 4)
_MAX_LINE = 200
_PART_CHARACTERS = 6_000

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,12}[A-Za-z]")

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# Hardware addresses are not times: what stands before and after a clock time is looked at.
_TIME = rf"""
    \d{{4}}[-/.]\d\d[-/.]\d\d[T_ -]{{1,2}}\d\d[:.]\d\d
    | \b\d\d[-/]\d\d[-/]?(?:\d\d)?[ ]\d\d:\d\d:\d\d
    | \b{_MONTH}[ ]{{1,2}}\d{{1,2}},?[ ](?:\d{{4}}[ ])?\d\d:\d\d:\d\d
    | \b\d{{1,2}}/{_MONTH}/\d{{4}}:\d\d:\d\d
    | \b(?:19|20)\d{{6}}[- ]\d{{1,2}}:?\d{{1,2}}:?\d{{1,2}}\b | ^\d{{6}}[ ]\d{{6}}[ ]
    | (?<![\da-fA-F:.])\d\d?:\d\d:\d\d(?:[.,]\d{{1,9}})?(?!:?[\da-fA-F]{{2}}\b)
    | ^\[[ ]{{0,8}}\d{{1,8}}\.\d{{3,9}}\]
"""
# The 1 stands first, as a search for a character is fast.
_EPOCH = r"1(?<![^\s\[(]1)\d{9}(?:\.\d{1,9}|\d{3})?(?=[\s\])])"
_TIME_PATTERN, _EPOCH_PATTERN = re.compile(_TIME, re.VERBOSE), re.compile(_EPOCH)

STAMP = re.compile(f"{_TIME} | {_EPOCH}", re.VERBOSE)
"""A date with a time, a clock time with seconds, or seconds since 1970 or since the start."""

STAMP_CHARACTERS = 70
"""Length of the start of a line that is searched for a time."""

# Most lines without a time have nothing like it either, which is seen sooner.
_TIME_LIKE = re.compile(r"\d(?::\d|\d{5}|\.\d\d\.\d|\.\d{3})")
_LEVEL = re.compile(
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL)\b"
    r"|\[(?:trace|debug|info|notice|warn|warning|error|crit)\]|\blevel=\w"
)
_CODE_END = re.compile(r"[;{}(,]$|\)[:;]?$|=>$")
_COLUMN = re.compile(r"(?<=\S)(?:  +|\t+)(?=\S)")
_PATH = re.compile(r"[\w@+~.,()\[\]{}$=%#/-]{1,400}")
_LONG_LISTING = re.compile(
    FILE_MODE + r"[.+@]?\s{1,9}\d{1,9}\s{1,9}\S"
    r"|\d{6}[ ](?:blob|tree)[ ]|(?!  )[ MADRCU?!]{2} \S{1,200}(?: -> \S{1,200})?$"
)
_LINE_NUMBER = re.compile(r"\s{0,8}(\d{1,7})(?:\t|→|[:|] )")
_NUMBER_OF_HIT = re.compile(r"\d{1,7}[:-]")
_TREE = re.compile(rf"[\s│|]{{0,120}}{TREE_BRANCH}[ ]")
_PHRASE_KEY = re.compile(r"\s{0,80}(?:- )?[\w(][\w/.()-]{0,60} [^:\"'{\n]{1,60}:")
_DATUM = re.compile(r"[\d/]")
# Only the end of a sentence is looked for: each place of a line is tried for a word at most.
_SENTENCE = re.compile(r"[a-z,;:] [a-z-]{2,30}[.!?][)\"'”]?(?: |$)")


def _sample_parts(text: str) -> list[tuple[int, list[str]]]:
    """Return the lines of the start, of places inside and of the end, with their positions."""
    lines = text[: _WHOLE_LINES * _MAX_LINE * 2].split("\n", _WHOLE_LINES)
    if len(lines) <= _WHOLE_LINES and len(text) <= _WHOLE_LINES * _MAX_LINE * 2:
        return [(0, lines)]
    parts = [(0, lines[:_FIRST_LINES])]
    for place in _INNER_PLACES:
        start = text.find("\n", int(place * len(text))) + 1
        part = text[start : start + _PART_CHARACTERS].split("\n", _INNER_LINES)
        parts.append((start, part[:_INNER_LINES]))
    start = max(len(text) - _PART_CHARACTERS, 0)
    end = text[start:].rstrip("\n").split("\n")[-_LAST_LINES:]
    parts.append((len(text) - sum(map(len, end)) - len(end), end))
    return parts


class KindEvidence:
    """What the sampled lines of a text show.

    Shares are numbers of lines by that of all sampled lines that are not blank.

    Args:
        text: The text.
        hint: Kind that the call tells. Empty if it tells none.
    """

    def __init__(self, text: str, hint: str) -> None:
        self.text, self.hint = text, hint

    def hints(self, *kinds: str) -> bool:
        """Return whether the call tells one of some kinds."""
        return self.hint in kinds

    @cached_property
    def is_fenced(self) -> bool:
        """Whether a fence of Markdown stands at the start of a line."""
        # A search for the fence alone is faster, and most texts have none.
        return "```" in self.text and ("\n```" in self.text or self.text.startswith("```"))

    @cached_property
    def _sampled(self) -> list[str]:
        """The sampled lines with blank ones; without what fences of Markdown hold."""
        sampled: list[str] = []
        for position, lines in _sample_parts(self.text):
            clean = [line[:_MAX_LINE].rstrip() for line in lines]
            if self.is_numbered:
                clean = [_LINE_NUMBER.sub("", line, count=1) for line in clean]
            if "\x1b" in self.text:
                clean = [_ANSI.sub("", line) for line in clean]
            sampled += self._outside_fences(position, clean) if self.is_fenced else clean
        return sampled

    def _outside_fences(self, position: int, lines: list[str]) -> list[str]:
        fences = self.text.count("\n```", 0, max(position - 1, 0)) + self.text.startswith("```")
        is_inside = bool(position) and fences % 2 == 1
        outside = []
        for line in lines:
            if line.startswith("```"):
                is_inside = not is_inside
            elif not is_inside:
                outside.append(line)
        return outside

    @cached_property
    def lines(self) -> list[str]:
        """The sampled lines that are not blank, without blanks and codes of colour at their end."""
        return [line for line in self._sampled if line and not line.isspace()]

    @cached_property
    def total(self) -> int:
        """Number of the sampled lines, at least 1."""
        return max(1, len(self.lines))

    @cached_property
    def first(self) -> str:
        """The first line that is not blank, without blanks around it."""
        if self.is_numbered:
            return self.lines[0].strip() if self.lines else ""
        return self.text[:4000].lstrip("\ufeff \t\r\n").partition("\n")[0].rstrip()[:_MAX_LINE]

    @cached_property
    def is_numbered(self) -> bool:
        """Whether the first lines are numbered one after another, as tools print those of files."""
        lines = self.text[: 4 * _MAX_LINE].split("\n", 3)[:3]
        numbers = [int(match[1]) for match in map(_LINE_NUMBER.match, lines) if match]
        return len(numbers) == 3 and numbers[2] == numbers[1] + 1 == numbers[0] + 2

    @cached_property
    def numbers(self) -> float:
        """The share of lines that start with a number and a colon, below the name of a file."""
        return sum(1 for line in self.lines if _NUMBER_OF_HIT.match(line)) / self.total

    @cached_property
    def barred(self) -> float:
        """The share of lines with a bar between blanks."""
        return sum(" | " in line for line in self.lines) / self.total

    @cached_property
    def starts(self) -> list[LineStart]:
        """What each line is by its start."""
        return [start_of_line(line) for line in self.lines]

    @cached_property
    def _start_counts(self) -> Counter[LineStart]:
        return Counter(self.starts)

    def number(self, *starts: LineStart) -> int:
        """Return the number of lines that start in some ways."""
        return sum(self._start_counts[start] for start in starts)

    def share(self, *starts: LineStart) -> float:
        """Return the share of the lines that start in some ways."""
        return self.number(*starts) / self.total

    @cached_property
    def headings(self) -> int:
        """Number of headings of Markdown.

        A comment of settings or of a program looks the same, but stands above what it is about.
        """
        found = 0
        lines = ["", *self._sampled, ""]
        for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
            if line.startswith("#") and not before and start_of_line(line) == "heading":
                found += not after or start_of_line(after) in ("item", "bar", "xml")
        return found

    @cached_property
    def stamped(self) -> float:
        """The share of lines with a time near their start."""
        found = sum(map(has_time, self.lines))
        if found < 0.5 * self.total:
            # Other numbers of ten digits seldom begin with a 1 in most lines.
            matches = [_EPOCH_PATTERN.search(line, 0, STAMP_CHARACTERS) for line in self.lines]
            found = max(found, len(list(filter(None, matches))))
        return found / self.total

    @cached_property
    def phrases(self) -> float:
        """The share of the keys that have several words, as reports have them and settings not."""
        keys = [line for line, start in zip(self.lines, self.starts, strict=True) if start == "key"]
        return sum(1 for key in keys if _PHRASE_KEY.match(key)) / max(1, len(keys))

    @cached_property
    def has_header(self) -> bool:
        """Whether one of the first lines has columns but no time, or the first is far indented."""
        return any(
            len(_COLUMN.findall(line)) >= 2 and not has_time(line) for line in self.lines[:6]
        ) or any(line.startswith(" " * 8) for line in self.lines[:1])

    @cached_property
    def has_stamped_first(self) -> bool:
        """Whether the first line has a time near its start."""
        return has_time(self.first)

    @cached_property
    def levelled(self) -> float:
        """The share of lines with a level of a log near their start."""
        return (
            sum(1 for line in self.lines if _LEVEL.search(line, 0, STAMP_CHARACTERS)) / self.total
        )

    @cached_property
    def build_marks(self) -> int:
        """Number of lines that only builds and test runners print."""
        return sum(map(is_build_mark, self.lines))

    @cached_property
    def built(self) -> float:
        """The share of lines as builds and test runners print them, and others may."""
        return sum(map(is_build_line, self.lines)) / self.total

    @cached_property
    def diagnosed(self) -> float:
        """The share of lines with a compiler's message about a place in a file."""
        return sum(map(is_diagnostic, self.lines)) / self.total

    @cached_property
    def columns(self) -> float:
        """The share of lines with a column that starts or ends as one of the line before does."""
        edges: list[set[int]] = []
        for line in self.lines:
            spans = [match.span() for match in _COLUMN.finditer(line)]
            edges.append({end for _, end in spans} | {-start for start, _ in spans if start})
        shared = sum(1 for i in range(1, len(edges)) if edges[i] & edges[i - 1])
        return shared / max(1, len(edges) - 1)

    @cached_property
    def even_words(self) -> float:
        """The share of lines with a number or a path that have the most frequent number of words.

        It is 0 if that is below three, as any list has lines of one or two words.
        """
        words = Counter(len(line.split()) for line in self.lines if _DATUM.search(line))
        most, number = max(words.items(), key=lambda item: item[1], default=(0, 0))
        return number / self.total if most >= 3 else 0.0

    @cached_property
    def separated(self) -> tuple[int, float]:
        """Number of cells of most records as separated values, and their share of the records."""
        head = self.text[:_PART_CHARACTERS]
        if len(self.text) > len(head):
            head = head.rpartition("\n")[0] or head
        best = (0, 0.0)
        for separator in SEPARATORS:
            if separator in self.first and not self.is_numbered and not self.first.startswith("|"):
                best = max(best, _even_records(head, separator), key=lambda found: found[1])
        return best

    @cached_property
    def indented(self) -> float:
        """The share of lines that are indented."""
        return sum(line[0] in " \t" for line in self.lines) / self.total

    @cached_property
    def coded(self) -> float:
        """The share of lines that start or end as lines of programs do."""
        found = sum(
            1
            for line, start in zip(self.lines, self.starts, strict=True)
            if start == "code" or _CODE_END.search(line)
        )
        return found / self.total

    @cached_property
    def listed(self) -> float:
        """The share of lines of `ls -l`, `git ls-tree`, `git status -s` or a drawn tree."""
        found = sum(1 for line in self.lines if _LONG_LISTING.match(line) or _TREE.match(line))
        return found / self.total

    @cached_property
    def paths(self) -> tuple[float, float]:
        """The shares of the lines that are one name, and of those with a folder or an ending."""
        names = [line for line in self.lines if _PATH.fullmatch(line)]
        long = sum("/" in name or "." in name[1:-1] for name in names)
        return len(names) / self.total, long / self.total

    @cached_property
    def sentences(self) -> float:
        """The share of lines in which a sentence ends."""
        return sum(1 for line in self.lines if _SENTENCE.search(line)) / self.total


def has_time(line: str) -> bool:
    """Return whether a line has a date with a time, or a clock time with seconds, near its start.

    Example:
        >>> has_time("May  1 10:00:00 web sshd: ready"), has_time("a4:83:e7:2d:62:8f")
        (True, False)
    """
    near = line[:STAMP_CHARACTERS]
    return bool(_TIME_LIKE.search(near) and _TIME_PATTERN.search(near))


def _even_records(head: str, separator: str) -> tuple[int, float]:
    """Return the width of most records, and their share; nothing if the first is not as wide."""
    lines = head.split("\n")
    try:
        widths = [len(record) for record in csv.reader(lines, delimiter=separator) if record]
    except csv.Error:
        return (0, 0.0)
    # The sample may end inside a quoted cell.
    widths = widths[:-1] if len(widths) > 3 else widths
    first = widths[0] if widths else 0
    return (first, widths.count(first) / len(widths)) if first > 1 else (0, 0.0)
