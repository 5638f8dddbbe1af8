"""Read the visible text of a page as lines, in the order of the page.

Headings begin with `#`, items of lists with `-`; the cells of a row stand in one line with ` | `
between them, and the lines of preformatted text stay as they are. What styles hide is not hidden
here, because scripts may show it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_HIDDEN = frozenset(
    "head script style template noscript svg iframe object canvas audio video datalist".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body br caption center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html li "
    "legend main menu nav ol optgroup option p pre search section select summary table tbody td "
    "textarea tfoot th thead title tr ul".split()
)
_PREFIXES = {"li": "- ", **{f"h{level}": "#" * level + " " for level in range(1, 7)}}
_LISTS = frozenset(("ul", "ol", "menu", "dir"))
_PREFORMATTED = frozenset(("pre", "textarea"))
_CELLS = frozenset(("td", "th"))
_SHOWN_INPUTS = frozenset("button date email number reset search submit tel text time url".split())
_FURNITURE = frozenset(("nav", "aside", "footer", "form", "select"))
# An aside with fewer links in a line is a note on the content, not a list of other pages.
_MIN_ASIDE_LINKS = 0.4
# Two of these side by side stand apart on the screen, though nothing stands between them.
_APART = frozenset("a button label span time".split())
_MAX_INDENTED = 6
_MAX_NESTED_FURNITURE = 4
# A row with more text in a cell is no row of data, but lays out a page.
_MAX_CELL_LINES = 4
_MAX_CELL_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Furniture:
    """An element around the content: a navigation, an aside, a footer, a form or a choice.

    Attributes:
        tag: Name of the element.
        start: Index of its first line.
        end: Index of the line after its last.
    """

    tag: str
    start: int
    end: int


@dataclass(slots=True)
class PageText:
    """The visible text of a page.

    Attributes:
        lines: Its lines, without line ends.
        data: Indices of the lines that are rows of a table or preformatted.
        furniture: The elements around the content, in order of their ends.
        counts: Number of the elements that are not shown, by name, and of the links.
    """

    lines: list[str] = field(default_factory=list)
    data: set[int] = field(default_factory=set)
    furniture: list[Furniture] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def read_page(text: str, *, links: bool = False, images: bool = False) -> PageText:
    """Return the visible text of a page.

    Args:
        text: The page.
        links: Whether to write the addresses of links.
        images: Whether to write the addresses and descriptions of images.

    Raises:
        ImportError: The extra `html` is not installed.

    Example:
        >>> read_page("<h1>Fees</h1><ul><li>Cash <b>2 €</b><li>Card 3 €</ul>").lines
        ['# Fees', '- Cash 2 €', '- Card 3 €']
    """
    from selectolax.lexbor import LexborHTMLParser

    # What is no character, such as half of a pair, cannot be handed to the parser.
    tree = LexborHTMLParser(text.encode("utf-8", "replace").decode())
    writer = _Writer(links=links, images=images)
    head = tree.head
    title = head.css_first("title") if head else None
    if title is not None:
        writer.write_title(title.text())
    if tree.root is not None:
        _walk(tree.root, writer)
    writer.end_line()
    return writer.page


def _walk(root: LexborNode, writer: _Writer) -> None:
    """Write all nodes below a node, in document order, however deep they are."""
    node: LexborNode | None = root
    parents: list[tuple[str, LexborNode]] = []
    while node is not None:
        name = node.tag or ""
        child = writer.enter(name, node)
        if child is not None:
            parents.append((name, node))
            node = child
            continue
        node = node.next
        while node is None and parents:
            name, parent = parents.pop()
            writer.leave(name, parent)
            node = parent.next


@dataclass(slots=True)
class _Row:
    """A row of a table: the index of its first line, and of those of its cells."""

    start: int
    cells: list[int] = field(default_factory=list)
    is_layout: bool = False


class _Writer:
    """Writes nodes as lines."""

    def __init__(self, *, links: bool, images: bool) -> None:
        self.page = PageText()
        self._links, self._images = links, images
        self._parts: list[str] = []
        self._prefix = ""
        self._has_left = self._is_apart = False
        self._lists = self._preformatted = 0
        self._rows: list[_Row] = []
        self._starts: list[tuple[int, int]] = []

    def write_title(self, title: str) -> None:
        self._parts.append(f"{title} ")
        self._prefix = "# "
        self.end_line()

    def enter(self, name: str, node: LexborNode) -> LexborNode | None:
        """Write the start of a node, and return its first child, None if that is not shown."""
        if name == "-text":
            self._write_text(node.text_content or "")
            return None
        if name in _HIDDEN:
            self.page.counts[name] += name != "head"
            return None
        if name in _BLOCKS:
            self._enter_block(name)
        elif name in _APART:
            self._is_apart = self._has_left
        elif name == "img":
            if self._images:
                self._write_image(node)
        elif name == "input":
            self._write_input(node)
        if name == "a":
            self.page.counts["link"] += bool(_address(node, "href"))
        child = node.first_child
        if child is None:
            self.leave(name, node)
        return child

    def leave(self, name: str, node: LexborNode) -> None:
        """Write the end of a node."""
        if name in _BLOCKS:
            self._leave_block(name)
        self._has_left = name in _APART
        if name == "a" and self._links:
            address = _address(node, "href")
            if address:
                self._parts.append(f" <{address}>")

    def end_line(self) -> None:
        """Write the parts so far as a line, if there is anything in them."""
        parts = self._parts
        if not parts:
            return
        if self._preformatted:
            if not parts[-1].endswith("\n"):
                parts.append("\n")
            return
        line = " ".join("".join(parts).split())
        parts.clear()
        if line:
            self.page.lines.append(self._prefix + line)
            self._prefix = ""

    def _write_text(self, text: str) -> None:
        parts = self._parts
        is_word = text[:1].isalnum() and parts and parts[-1][-1:].isalnum()
        if self._is_apart and is_word and not self._preformatted:
            parts.append(" ")
        self._has_left = self._is_apart = False
        parts.append(text)

    def _enter_block(self, name: str) -> None:
        if name == "br" and self._preformatted:
            self._parts.append("\n")
            return
        self.end_line()
        if name in _PREFIXES:
            indent = 2 * min(self._lists - 1, _MAX_INDENTED) if name == "li" else 0
            self._prefix = " " * indent + _PREFIXES[name]
        elif name in _LISTS:
            self._lists += 1
        elif name in _PREFORMATTED:
            self._preformatted += 1
        elif name == "tr":
            self._rows.append(_Row(len(self.page.lines)))
        elif name in _CELLS and self._rows:
            self._rows[-1].cells.append(len(self.page.lines))
        if name in _FURNITURE:
            self._starts.append((len(self.page.lines), self.page.counts["link"]))

    def _leave_block(self, name: str) -> None:
        self.end_line()
        if name in _PREFIXES:
            self._prefix = ""
        elif name in _LISTS:
            self._lists -= 1
        elif name in _PREFORMATTED:
            self._leave_preformatted()
        elif name == "tr":
            self._leave_row()
        if name in _FURNITURE:
            self._leave_furniture(name)

    def _leave_furniture(self, name: str) -> None:
        start, links = self._starts.pop()
        end = len(self.page.lines)
        links = self.page.counts["link"] - links
        if len(self._starts) >= _MAX_NESTED_FURNITURE:
            return
        if start < end and (name != "aside" or links >= _MIN_ASIDE_LINKS * (end - start)):
            self.page.furniture.append(Furniture(name, start, end))
            self._mark_layout()

    def _leave_preformatted(self) -> None:
        self._preformatted -= 1
        if self._preformatted:
            return
        lines = "".join(self._parts).strip("\n").split("\n")
        self._parts.clear()
        if any(map(str.strip, lines)):
            start = len(self.page.lines)
            self.page.data.update(range(start, start + len(lines)))
            self.page.lines += [line.rstrip() for line in lines]
            self._mark_layout()

    def _mark_layout(self) -> None:
        """Note that the row around what was written keeps its lines."""
        if self._rows:
            self._rows[-1].is_layout = True

    def _leave_row(self) -> None:
        row = self._rows.pop()
        self._mark_layout()
        lines = self.page.lines
        if row.is_layout or not row.cells:
            return
        ends = [*row.cells[1:], len(lines)]
        cells = [lines[start:end] for start, end in zip(row.cells, ends)]
        if any(len(cell) > _MAX_CELL_LINES for cell in cells):
            return
        texts = [" ".join(map(str.strip, cell)) for cell in cells]
        if any(len(text) > _MAX_CELL_CHARACTERS for text in texts):
            return
        line = " | ".join(texts).rstrip(" |")
        lines[row.cells[0] :] = [line] if line else []
        if line:
            self.page.data.add(row.cells[0])

    def _write_input(self, node: LexborNode) -> None:
        attributes = node.attributes
        value = attributes.get("value")
        if value and (attributes.get("type") or "text").lower() in _SHOWN_INPUTS:
            self._parts.append(f" {value} ")

    def _write_image(self, node: LexborNode) -> None:
        address = _address(node, "src")
        if address:
            description = node.attributes.get("alt") or ""
            self._parts.append(f"![{description}]({address})")


def _address(node: LexborNode, attribute: str) -> str:
    """Return the address in an attribute, empty if it leads nowhere else."""
    address = (node.attributes.get(attribute) or "").strip()
    leads_away = not address.startswith(("#", "javascript:", "data:"))
    return address if leads_away else ""
