"""What of a long document stays or goes as a whole: passages of whole paragraphs, and the headings above them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise

from headroom_core.documents.ranking import extract_title
from headroom_core.text.json_spans import find_json
from headroom_core.text.sentences import excerpt, split_sentences
from headroom_core.text.units import TextLine, split_lines

_LONG = 2_000
"""From how many bytes on a document is read as passages: about 450 tokens."""

_LITTLE, _ENOUGH, _MUCH = 100, 300, 1_200
"""The bytes below which a section's rest goes with the passage before it, from which on a passage ends with a
paragraph, and from which on with a sentence."""

_MARKED = re.compile(r"(#{1,6})\s+\S")
_NAMED = re.compile(r"[Tt]itle:\s*\S")
_MARK = re.compile(r"[Tt]itle:")
_PLAIN = re.compile(r"(?:\*\*|__)?[^\W_].{0,78}[^\s.!?…。！？:;,]\s*$")
_RULES = "=~^-"
_RULE = re.compile(rf"([{_RULES}])\1{{2,}}\s*$")
_LOWEST = 9
_STOP = re.compile(r"[.!?…。！？][\"'”’»)\]」』*_]*$")
_OPEN = re.compile(r"[:,;]$|(?:^|\s)[\d.()]+$")
"""The end of what announces or numbers what follows."""

_END = 8
_CLOSER = re.compile(r"\s|[)}\]]|(?:end|else|elif|except|finally|catch)\b")
"""The beginning of a line that belongs to what stands before it."""


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A part of a document that stays or goes as a whole.

    Attributes:
        text: it, with the space that follows.
        above: the places of the headings that it stands under, the outermost first.
        heading: whether it is a heading.
    """

    text: str
    above: tuple[int, ...] = ()
    heading: bool = False


PieceList = Sequence[tuple[str, bool]]
"""A passage in pieces, and whether each of them stays."""


@dataclass(frozen=True)
class SplitDocument:
    """A document as it is read.

    Attributes:
        portions: its portions, which together are its text.
        title: its title, which may be empty.
    """

    portions: Sequence[DocumentPart]
    title: str

    @classmethod
    def of(cls, text: str, title: str = "") -> SplitDocument:
        """Return how a document is read; without a title it is what the document tells itself."""
        found = split_document(text)
        return cls(found, title or ("" if found[0].heading else extract_title(text)))

    @cached_property
    def passages(self) -> list[int]:
        """The places of the portions that are no headings."""
        return [at for at, portion in enumerate(self.portions) if not portion.heading]

    @property
    def apart(self) -> bool:
        """Whether there are several passages."""
        return len(self.passages) > 1

    def titles(self) -> list[str]:
        """Return what each passage stands under, the document's title and headings, and its own subject."""
        titles = []
        for at in self.passages:
            own = [self.title, *self._headings(at)]
            titles.append(" ".join(filter(None, dict.fromkeys([*own, *self._subject(at)]))))
        return titles

    def names(self) -> list[str]:
        """Return what other passages may call each passage by: its heading or subject, the first one's the title."""
        names = []
        for at in self.passages:
            beginning = [self.title] if at == self.passages[0] else []
            names.append(
                next(filter(None, [*self._headings(at)[::-1], *beginning, *self._subject(at)]), "")
            )
        return names

    def shown(self, parts: Mapping[int, PieceList], above: Iterable[int]) -> str:
        """Return the document with `[…]` in the place of what does not stay.

        Args:
            parts: of what passages something stays, by place.
            above: the places of the headings that stay.
        """
        heads = dict.fromkeys(above, True)
        pieces = [parts.get(at, [(one.text, at in heads)]) for at, one in enumerate(self.portions)]
        flat = list(chain.from_iterable(pieces))
        return excerpt(
            [text for text, _ in flat], [at for at, (_, stays) in enumerate(flat) if stays]
        )

    def above(self, places: Iterable[int]) -> set[int]:
        """Return the places of the headings above some passages."""
        return {head for at in places for head in self.portions[at].above}

    def _headings(self, at: int) -> list[str]:
        return [_bare(self.portions[head].text) for head in self.portions[at].above]

    def _subject(self, at: int) -> list[str]:
        return [extract_title(self.portions[at].text)] if self.apart else []


def _bare(heading: str) -> str:
    line, _, _ = heading.strip().partition("\n")
    return _MARK.sub("", line).strip("#*_ \t\r")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A line or a sentence.

    Attributes:
        text: it, with the space that follows.
        level: the level of the heading that it is, 0 for none.
        begins: from how many bytes on the passage before it ends here.
    """

    text: str
    level: int = 0
    begins: float = 0


def split_document(text: str) -> list[DocumentPart]:
    """Return the portions of a document, which together are the text: the text alone where it is short.

    A passage ends with a paragraph, or inside a very long one with a sentence. Headings are portions too. Tables,
    JSON and fenced code stay whole, and so does what has neither blank lines nor sentences; code comes apart where
    a line without indentation follows a blank one.

    Example:
        >>> text = "# The Elbe\\n\\n## Course\\n\\n" + "It flows. " * 200 + "\\n\\n## Use\\n\\nBarges travel."
        >>> [(part.text[:6], part.above) for part in split_document(text)][:4]
        [('# The ', ()), ('## Cou', (0,)), ('It flo', (0, 1)), ('It flo', (0, 1))]
    """
    if _size(text) < _LONG:
        return [DocumentPart(text)]
    found = _placed(_packed(_pieces(text)))
    return found if sum(not portion.heading for portion in found) > 1 else [DocumentPart(text)]


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _packed(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Return the pieces, those that are no headings together as passages."""
    packed: list[_Piece] = []
    run: list[str] = []
    size = 0
    for piece in [*pieces, _Piece("", level=1)]:
        if run and (piece.level or size >= piece.begins):
            before = packed.pop().text if size < _LITTLE and packed and not packed[-1].level else ""
            packed.append(_Piece(before + "".join(run)))
            run, size = [], 0
        if piece.level:
            packed.append(piece)
        else:
            run.append(piece.text)
            size += _size(piece.text)
    return packed[:-1]


def _placed(packed: Sequence[_Piece]) -> list[DocumentPart]:
    """Return the portions, each with the headings above it; a heading that nothing stands under is a passage."""
    placed: list[DocumentPart] = []
    above: list[int] = []
    following = [*(piece.level or math.inf for piece in packed[1:]), 0]
    for at, (piece, after) in enumerate(zip(packed, following)):
        while piece.level and above and packed[above[-1]].level >= piece.level:
            above.pop()
        heads = 0 < piece.level < after
        placed.append(DocumentPart(piece.text, tuple(above), heads))
        if heads:
            above.append(at)
    return placed


def _pieces(text: str) -> Iterator[_Piece]:
    lines = split_lines(text, [(span.start, span.end) for span in find_json(text)])
    levels = _levels(lines)
    starts = [at for at, level in enumerate(levels) if level is not None]
    ends = [*(lines[at].start for at in starts[1:]), len(text)]
    for at, end in zip(starts, ends):
        line, level = lines[at], levels[at]
        own = text[line.start : end]
        begins = _ENOUGH if at and _may_begin(lines[at - 1], line) else math.inf
        if line.whole or level:
            yield _Piece(own, level or 0, begins)
        else:
            yield from _sentences(own, begins)


def _sentences(line: str, begins: float) -> Iterator[_Piece]:
    for sentence in split_sentences(line):
        yield _Piece(sentence, begins=begins)
        begins = _MUCH if _ends(sentence) else math.inf


def _may_begin(before: TextLine, line: TextLine) -> bool:
    """Return whether a passage may begin with a line."""
    if (line.needs and line.needs == before.needs) or _CLOSER.match(line.text):
        return False
    if line.paragraph != before.paragraph:
        return not before.text.rstrip().endswith((":", ","))
    return not line.whole and not before.whole and _ends(before.text)


def _ends(text: str) -> bool:
    end = text.rstrip()[-_END:]
    return bool(_STOP.search(end)) and not _OPEN.search(end)


def _levels(lines: Sequence[TextLine]) -> list[int | None]:
    """Return the level of the heading that each line is, 0 for other lines, None for the rule below a heading."""
    levels: list[int | None] = [0] * len(lines)
    for at, (line, after) in enumerate(zip(lines, [*lines[1:], None])):
        first = not at or lines[at - 1].paragraph != line.paragraph
        alone = first and (after is None or after.paragraph != line.paragraph)
        marked = None if line.needs else _MARKED.match(line.text)
        # In code, a comment above a line is no heading.
        if marked and (len(marked[1]) > 1 or alone or (first and not line.whole)):
            levels[at] = 1 + len(marked[1])
        elif line.whole or not first or not after:
            continue
        elif not at and _NAMED.match(line.text):
            levels[at] = 1
        elif not alone and (rule := _RULE.match(after.text)):
            levels[at], levels[at + 1] = 2 + _RULES.index(rule[1]), None
        elif alone and _PLAIN.match(line.text):
            levels[at] = _LOWEST if at else 1
    for at, (level, after_level) in enumerate(pairwise(levels)):
        if level == _LOWEST and after_level:
            levels[at] = 0
    return levels
