"""Read the tags of a page without building its tree, to know what the tree would cost.

A parser that follows the standard repeats formatting elements that were never closed in each
following paragraph, and looks at all open elements at each tag. So a page of 100 kB can be made to
need gigabytes, or minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

# Every alternative ends at the end of the text at the latest, so no character is read twice.
_TAG = re.compile(
    r"""
    <(?:!--.*?(?:-->|\Z) | (?P<end>/?)(?P<name>[a-zA-Z][^\s/>]*+)
        (?:[^>=]++|=\s*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))?)*+(?:>|\Z))
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW = frozenset("script style textarea title xmp iframe noembed noframes".split())
_RAW_ENDS = {name: re.compile(f"</{name}", re.IGNORECASE) for name in _RAW}
# Elements without an end, or with one that the next element of their kind implies.
_SHORT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd option "
    "optgroup tr td th tbody thead tfoot html head body".split()
)
_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())
# End tags inside these close nothing outside.
_SCOPES = frozenset("table caption template object applet marquee svg math button".split())
_FOREIGN = frozenset(("svg", "math"))

_MAX_SCOPES = 50
# Each of these adds its attributes to those of the first.
_ROOTS = frozenset(("html", "body"))
_MAX_ROOTS = 20
_MAX_MEAN_OPEN = 200
_MAX_MEAN_FORMATTING = 4
_SMALL_PAGE_TAGS = 200
_LONG_TAG = 10_000
_MAX_ATTRIBUTES = 1000
_QUOTED = re.compile(r""""[^"]*+"|'[^']*+'""")


@dataclass(frozen=True, slots=True)
class Markup:
    """What the tags of a page show.

    Attributes:
        tags: Number of tags, start and end tags alike.
        script_characters: Number of characters inside of scripts.
        is_regular: Whether the tree of the page is in proportion to the page.
    """

    tags: int
    script_characters: int
    is_regular: bool


def read_markup(text: str) -> Markup:
    """Return what the tags of a page show.

    Example:
        >>> read_markup("<p>One <b>two</b><!-- <i> --><script>'<u>'</script>")
        Markup(tags=5, script_characters=5, is_regular=True)
        >>> read_markup("<p>" + "<b>" * 1000 + "<p>" * 1000).is_regular
        False
    """
    outline = _Outline()
    position = tags = roots = scripts = 0
    while match := _TAG.search(text, position):
        position = match.end()
        name = match["name"]
        if name is None:
            continue
        name = name.lower()
        tags += 1
        if match["end"]:
            outline.close(name)
            continue
        length = position - match.start()
        if length > _LONG_TAG and _count_attributes(match[0]) > _MAX_ATTRIBUTES:
            return Markup(tags, scripts, is_regular=False)
        outline.open(name, closed=text[position - 2] == "/")
        if name in _RAW:
            end = _RAW_ENDS[name].search(text, position)
            following = end.start() if end else len(text)
            scripts += following - position if name == "script" else 0
            position = following
        roots += name in _ROOTS
        if len(outline.scopes) > _MAX_SCOPES or roots > _MAX_ROOTS:
            return Markup(tags, scripts, is_regular=False)
    counted = max(tags, _SMALL_PAGE_TAGS)
    return Markup(
        tags,
        scripts,
        is_regular=outline.work <= _MAX_MEAN_OPEN * counted
        and outline.formatting_work <= _MAX_MEAN_FORMATTING * counted,
    )


class _Outline:
    """The elements that are open, by name alone, and their numbers summed over all tags."""

    def __init__(self) -> None:
        self.scopes: list[tuple[str, Counter[str]]] = [("", Counter())]
        self.count = self.formatting = self.work = self.formatting_work = 0

    def open(self, name: str, *, closed: bool) -> None:
        self.work += self.count
        self.formatting_work += self.formatting
        scope, counts = self.scopes[-1]
        if name in _SHORT or name in _RAW or (closed and scope in _FOREIGN):
            return
        self.count += 1
        if name in _SCOPES:
            self.scopes.append((name, Counter()))
            return
        counts[name] += 1
        self.formatting += name in _FORMATTING

    def close(self, name: str) -> None:
        self.work += self.count
        self.formatting_work += self.formatting
        if name in _SCOPES:
            self._close_scope(name)
            return
        counts = self.scopes[-1][1]
        if counts[name]:
            counts[name] -= 1
            self.count -= 1
            self.formatting -= name in _FORMATTING

    def _close_scope(self, name: str) -> None:
        if all(scope != name for scope, _ in self.scopes):
            return
        while True:
            scope, counts = self.scopes.pop()
            self.count -= 1 + counts.total()
            self.formatting -= sum(counts[formatting] for formatting in _FORMATTING)
            if scope == name:
                return


def _count_attributes(tag: str) -> int:
    """Return about how many attributes a tag has."""
    return len(_QUOTED.sub(" ", tag).split())
