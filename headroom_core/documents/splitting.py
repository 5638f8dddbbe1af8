"""Splits a long document into passages of whole paragraphs, and the headings above them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from headroom_core.documents.ranking import extract_title
from headroom_core.text.json_spans import find_json
from headroom_core.text.sentences import excerpt, split_sentences
from headroom_core.text.units import TextLine, split_lines

# Documents from this size on are split: about 450 tokens, a retriever's usual passage.
_MIN_SPLIT_BYTES = 2_000

# A passage shorter than the first of these is appended to the passage before it. From the second on
# a passage ends with its paragraph, from the third on with its sentence.
_MIN_PASSAGE_BYTES, _PARAGRAPH_END_BYTES, _SENTENCE_END_BYTES = 100, 300, 1_200

# A Markdown heading, and a `Title:` line, with text after the mark.
_MARKDOWN_HEADING = re.compile(r"(#{1,6})\s+\S")
_TITLE_LINE = re.compile(r"[Tt]itle:\s*\S")
_TITLE_MARK = re.compile(r"[Tt]itle:")

# A short line in a paragraph of its own, which may be bold, without punctuation at its end: not a
# sentence, a list item or a line that announces a list.
_PLAIN_HEADING = re.compile(r"(?:\*\*|__)?[^\W_].{0,78}[^\s.!?…。！？:;,]\s*$")

# A rule that makes the line above it a heading. Its sign gives the level: `=` is above `~`.
_UNDERLINE_SIGNS = "=~^-"
_UNDERLINE = re.compile(rf"([{_UNDERLINE_SIGNS}])\1{{2,}}\s*$")

# Levels of headings: a first line is the document's title; `#` and underlines follow; plain lines
# are below all others.
_TITLE_LEVEL, _FIRST_MARKDOWN_LEVEL, _FIRST_UNDERLINE_LEVEL, _PLAIN_LEVEL = 1, 2, 2, 9

# The end of a sentence, with closing quotes, brackets and emphasis; but not the end of a text that
# announces or numbers the next: a colon, a comma, `1.` or `(2)`.
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]」』*_]*$")
_ANNOUNCES = re.compile(r"[:,;]$|(?:^|\s)[\d.()]+$")

# Enough characters for a stop and all that may close after it; keeps the searches short.
_END_CHARS = 8

# The beginning of a line of code that belongs to the lines above it.
_CONTINUATION = re.compile(r"\s|[)}\]]|(?:end|else|elif|except|finally|catch)\b")


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """Part of a document that is kept or dropped as a whole.

    Attributes:
        text: Text of the part, with the whitespace that follows.
        above: Indices of the headings above the part, the outermost first.
        is_heading: Whether the part is a heading.
    """

    text: str
    above: tuple[int, ...] = ()
    is_heading: bool = False


PieceList = Sequence[tuple[str, bool]]
"""Pieces of a passage, each with whether it is kept."""


@dataclass(frozen=True)
class SplitDocument:
    """Document split into passages and headings.

    Attributes:
        parts: Parts of the document, which joined are its text.
        title: Title of the document, which may be empty.
    """

    parts: Sequence[DocumentPart]
    title: str

    @classmethod
    def from_text(cls, text: str, title: str = "") -> SplitDocument:
        """Split a document.

        Args:
            text: Text of the document.
            title: Title of the document. Defaults to the one that the text begins with.
        """
        parts = split_document(text)
        if not title and not parts[0].is_heading:
            title = extract_title(text)
        return cls(parts, title)

    @cached_property
    def passages(self) -> list[int]:
        """Indices of the parts that are not headings."""
        return [index for index, part in enumerate(self.parts) if not part.is_heading]

    @property
    def is_divided(self) -> bool:
        """Whether there is more than one passage."""
        return len(self.passages) > 1

    def passage_titles(self) -> list[str]:
        """Return a title for each passage: the document's title, its headings and its subject."""
        titles = []
        for index in self.passages:
            lines = [self.title, *self._headings(index), self._subject(index)]
            titles.append(" ".join(line for line in dict.fromkeys(lines) if line))
        return titles

    def passage_names(self) -> list[str]:
        """Return the name by which other passages may refer to each passage.

        It is the passage's heading or subject; for the first passage also the document's title.
        """
        names = []
        for index in self.passages:
            candidates = self._headings(index)[::-1]
            if index == self.passages[0]:
                candidates.append(self.title)
            candidates.append(self._subject(index))
            names.append(next(filter(None, candidates), ""))
        return names

    def render(self, pieces_by_part: Mapping[int, PieceList], headings: Iterable[int]) -> str:
        """Return the document with `[…]` instead of everything that is dropped.

        Args:
            pieces_by_part: Pieces of the passages that are kept in part or whole, by index.
            headings: Indices of the headings to keep.
        """
        kept_headings = frozenset(headings)
        texts: list[str] = []
        kept: list[int] = []
        for index, part in enumerate(self.parts):
            pieces = pieces_by_part.get(index, [(part.text, index in kept_headings)])
            for text, is_kept in pieces:
                if is_kept:
                    kept.append(len(texts))
                texts.append(text)
        return excerpt(texts, kept)

    def headings_above(self, indices: Iterable[int]) -> set[int]:
        """Return the indices of the headings above some passages."""
        return {heading for index in indices for heading in self.parts[index].above}

    def _headings(self, index: int) -> list[str]:
        return [_strip_heading(self.parts[heading].text) for heading in self.parts[index].above]

    def _subject(self, index: int) -> str:
        return extract_title(self.parts[index].text) if self.is_divided else ""


def _strip_heading(heading: str) -> str:
    """Return the text of a heading without its mark or underline."""
    line, _, _ = heading.strip().partition("\n")
    return _TITLE_MARK.sub("", line).strip("#*_ \t\r")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Line or sentence of a document.

    Attributes:
        text: Text of the piece, with the whitespace that follows.
        level: Level of the heading that the piece is, 0 if it is not one.
        min_bytes_before: Size from which the passage before the piece ends here.
    """

    text: str
    level: int = 0
    min_bytes_before: float = 0


def split_document(text: str) -> list[DocumentPart]:
    """Split a document into parts, which joined are the text; a short one is a single part.

    A passage ends with a paragraph, or inside a very long one with a sentence. Headings are parts
    of their own. Tables, JSON and fenced code stay whole, and so does a text that has neither blank
    lines nor sentences. Code is split where a line without indentation follows a blank one.

    Example:
        >>> lines = "# The Elbe", "## Course", "It flows. " * 200, "## Use", "Barges travel."
        >>> parts = split_document("\\n\\n".join(lines))
        >>> [(part.text[:6], part.above) for part in parts][:4]
        [('# The ', ()), ('## Cou', (0,)), ('It flo', (0, 1)), ('It flo', (0, 1))]
    """
    if _size(text) < _MIN_SPLIT_BYTES:
        return [DocumentPart(text)]
    parts = _nest(_join_passages(_split_pieces(text)))
    passages = sum(1 for part in parts if not part.is_heading)
    return parts if passages > 1 else [DocumentPart(text)]


def _size(text: str) -> int:
    """Return the size of a text in UTF-8, which follows tokens better than its characters do."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _join_passages(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Join the pieces between headings to passages; headings stay as they are."""
    joined: list[_Piece] = []
    texts: list[str] = []
    size = 0
    # The heading at the end only makes the last passage end.
    for piece in [*pieces, _Piece("", level=_TITLE_LEVEL)]:
        if texts and (piece.level or size >= piece.min_bytes_before):
            text = "".join(texts)
            if size < _MIN_PASSAGE_BYTES and joined and not joined[-1].level:
                text = joined.pop().text + text
            joined.append(_Piece(text))
            texts, size = [], 0
        if piece.level:
            joined.append(piece)
        else:
            texts.append(piece.text)
            size += _size(piece.text)
    return joined[:-1]


def _nest(pieces: Sequence[_Piece]) -> list[DocumentPart]:
    """Return the parts, each with the headings above it.

    A heading with nothing below it is a passage: dropped as a heading, its text would be lost.
    """
    parts: list[DocumentPart] = []
    above: list[int] = []
    next_levels = [*(piece.level or math.inf for piece in pieces[1:]), 0]
    for index, (piece, next_level) in enumerate(zip(pieces, next_levels)):
        while piece.level and above and pieces[above[-1]].level >= piece.level:
            above.pop()
        is_heading = 0 < piece.level < next_level
        parts.append(DocumentPart(piece.text, tuple(above), is_heading))
        if is_heading:
            above.append(index)
    return parts


def _split_pieces(text: str) -> Iterator[_Piece]:
    """Yield the headings, lines and sentences of a text, which joined are the text."""
    lines = split_lines(text, [(span.start, span.end) for span in find_json(text)])
    levels = _heading_levels(lines)
    # An underline is part of the heading above it, so no piece begins there.
    starts = [index for index, level in enumerate(levels) if level is not None]
    ends = [*(lines[index].start for index in starts[1:]), len(text)]
    for index, end in zip(starts, ends):
        line, level = lines[index], levels[index]
        piece_text = text[line.start : end]
        min_bytes_before = math.inf
        if index and _may_begin_passage(lines[index - 1], line):
            min_bytes_before = _PARAGRAPH_END_BYTES
        if line.is_atomic or level:
            yield _Piece(piece_text, level or 0, min_bytes_before)
        else:
            yield from _split_line(piece_text, min_bytes_before)


def _split_line(line: str, min_bytes_before: float) -> Iterator[_Piece]:
    """Yield the sentences of a line."""
    for sentence in split_sentences(line):
        yield _Piece(sentence, min_bytes_before=min_bytes_before)
        min_bytes_before = _SENTENCE_END_BYTES if _ends_sentence(sentence) else math.inf


def _may_begin_passage(previous: TextLine, line: TextLine) -> bool:
    """Return whether a passage may begin with a line."""
    if line.needs and line.needs == previous.needs:  # Rows of one table, lines of one fence.
        return False
    if _CONTINUATION.match(line.text):
        return False
    if line.paragraph != previous.paragraph:
        return not previous.text.rstrip().endswith((":", ","))
    return not line.is_atomic and not previous.is_atomic and _ends_sentence(previous.text)


def _ends_sentence(text: str) -> bool:
    end = text.rstrip()[-_END_CHARS:]
    return bool(_SENTENCE_END.search(end)) and not _ANNOUNCES.search(end)


def _heading_levels(lines: Sequence[TextLine]) -> list[int | None]:
    """Return the level of each line's heading: 0 for other lines, None for an underline."""
    levels: list[int | None] = [0] * len(lines)
    for index, (line, following) in enumerate(zip(lines, [*lines[1:], None])):
        is_first = not index or lines[index - 1].paragraph != line.paragraph
        is_alone = is_first and (following is None or following.paragraph != line.paragraph)
        marked = None if line.needs else _MARKDOWN_HEADING.match(line.text)
        # In code, a comment above a line is not a heading.
        if marked and (len(marked[1]) > 1 or is_alone or (is_first and not line.is_atomic)):
            levels[index] = _FIRST_MARKDOWN_LEVEL + len(marked[1]) - 1
        elif line.is_atomic or not is_first or not following:
            continue
        elif not index and _TITLE_LINE.match(line.text):
            levels[index] = _TITLE_LEVEL
        elif not is_alone and (underline := _UNDERLINE.match(following.text)):
            levels[index] = _FIRST_UNDERLINE_LEVEL + _UNDERLINE_SIGNS.index(underline[1])
            levels[index + 1] = None
        elif is_alone and _PLAIN_HEADING.match(line.text):
            levels[index] = _PLAIN_LEVEL if index else _TITLE_LEVEL
    # A plain line above another heading is not a heading itself.
    for index, (level, next_level) in enumerate(pairwise(levels)):
        if level == _PLAIN_LEVEL and next_level:
            levels[index] = 0
    return levels
