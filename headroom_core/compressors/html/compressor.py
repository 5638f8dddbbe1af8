"""Compress HTML pages to their visible text."""

from __future__ import annotations

import re
from collections import Counter
from importlib.util import find_spec

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.html.markup import read_markup
from headroom_core.compressors.html.page import Furniture, PageText, read_page
from headroom_core.compressors.html.repeats import fold_repeats
from headroom_core.compressors.lines.hits import query_terms
from headroom_core.kinds import TextKind
from headroom_core.markers import retrieve_call, write_marker
from headroom_core.text.text_lines import TextLines

_EXTRA = "headroom-integrations[html]"
_MISSING = f"HTML pages are read by the extra `html`: pip install {_EXTRA}"
_NO_LOSSLESS_FORM = "no shorter form of an HTML page says all that its markup does"
_MARKUP_ASKED = "the query asks for the markup of an HTML page"

# All that is left out is the markup, which few readers ask for, and then in these words.
_RISK = 0.1
_LINKS = re.compile(r"\b(?:hyper)?(?:links?|urls?|hrefs?)\b|\bdownload", re.IGNORECASE)
_IMAGES = re.compile(r"\b(?:images?|pictures?|photos?|logos?|img)\b", re.IGNORECASE)
_FURNITURE = re.compile(
    r"\b(?:nav(?:igation)?|menus?|footers?|contacts?|imprint|forms?|fields?|options?|dropdown)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"\b(?:xpath|markup|iframes?|json-?ld|class names?|scrap(?:e|er|ing)|page source|selectors?"
    r"|css (?:class(?:es)?|rules?)|html (?:tags?|elements?|attributes?|code|source)"
    r"|meta (?:tags?|description))\b|</?[a-z]{1,10}[ />]",
    re.IGNORECASE,
)
_MAX_QUESTION_CHARACTERS = 4000

_MAX_TAGS = 5
_MAX_TAG_CHARACTERS = 300

# Elements around the content are left out from the smallest on, all of a name together, while the
# content is most of the text. Forms may be what a page is for.
_MAX_OMITTED_SHARE = 0.5
_MAX_FORM_SHARE = 0.25
_FORMS = frozenset(("form", "select"))
# A page with less text, and more of scripts, is drawn by them.
_MIN_TEXT_CHARACTERS = 500
_MAX_SCRIPT_SHARE = 0.5


class HtmlCompressor:
    """Compressor for HTML pages, by the extra `html`.

    It keeps the visible text, in the order of the page, and leaves out the markup. Navigations,
    asides with links, footers, forms and choices are left out too, where they are the smaller part
    of the text and the query does not name them. Addresses of links and images are kept if the
    query asks for them; a query about the markup keeps the page as it is.
    """

    name = "html"

    def __init__(self) -> None:
        self._is_installed = find_spec("selectolax") is not None
        self.fingerprint = "html 2" if self._is_installed else "html 2, not installed"

    def accepts(self, kind: TextKind) -> bool:
        """Return whether a text is an HTML page."""
        return kind.name == "html"

    def refusal(self, request: Request) -> str | None:
        """Return why a page stays as it is: the extra is missing, or the markup is needed."""
        if not self._is_installed:
            return _MISSING
        if not request.selecting:
            return _NO_LOSSLESS_FORM
        return _MARKUP_ASKED if _MARKUP.search(_question(request)) else None

    def compress(self, text: str, request: Request) -> Compressed | None:
        """Return the visible text of a page, after a marker that names what was left out."""
        if self.refusal(request):
            return None
        markup = read_markup(text)
        if not markup.is_regular:
            return None
        question = _question(request)
        links, images = bool(_LINKS.search(question)), bool(_IMAGES.search(question))
        page = read_page(text, links=links, images=images)
        omitted = [] if links else _find_omitted(page, question)
        left_out = {index for item in omitted for index in range(item.start, item.end)}
        kept = [index for index in range(len(page.lines)) if index not in left_out]
        lines = [page.lines[index] for index in kept]
        is_drawn = markup.script_characters > _MAX_SCRIPT_SHARE * len(text)
        if is_drawn and sum(map(len, lines)) < _MIN_TEXT_CHARACTERS:
            return None
        if links:
            page.counts["link"] = 0
        summary = _summarise(page.counts, omitted, len(left_out))
        call = [retrieve_call(request.key)] if request.key else []
        marker = write_marker(f"{markup.tags} tags left out of this page{summary}", call)
        data = {place for place, index in enumerate(kept) if index in page.data}
        body = "\n".join(fold_repeats(lines, data))
        parts = [marker, *_find_named_tags(text, body, question), body]
        return Compressed("\n".join(parts), lossless=False, reason="markup left out", risk=_RISK)


def _question(request: Request) -> str:
    """Return the query without the arguments of the call, which often have an address."""
    return request.query.removesuffix(request.call or "")[:_MAX_QUESTION_CHARACTERS]


def _find_omitted(page: PageText, question: str) -> list[Furniture]:
    """Return the elements around the content that the query does not ask for."""
    if not page.furniture or _FURNITURE.search(question):
        return []
    lines = TextLines("\n".join(page.lines))
    inside = {index for item in page.furniture for index in range(item.start, item.end)}
    found = (lines.find_word(term) for term in query_terms(question))
    # What the query names stays where it stands nowhere in the content.
    named = {index for indices in found if inside.issuperset(indices) for index in indices}
    sizes: Counter[str] = Counter()
    for item in page.furniture:
        sizes[item.tag] += sum(map(len, page.lines[item.start : item.end]))
    size, tags = 0, set()
    for tag, own in sorted(sizes.items(), key=lambda item: (item[1], item[0])):
        size += own
        share = _MAX_FORM_SHARE if tag in _FORMS else _MAX_OMITTED_SHARE
        if size < _MAX_OMITTED_SHARE * len(lines.text) and own < share * len(lines.text):
            tags.add(tag)
    return [
        item
        for item in page.furniture
        if item.tag in tags and named.isdisjoint(range(item.start, item.end))
    ]


def _find_named_tags(text: str, body: str, question: str) -> list[str]:
    """Return the tags with values that the query names and that stand in no text that is kept."""
    terms = [term for term in query_terms(question) if not term.isalpha() and "://" not in term]
    if not terms:
        return []
    page, shown = TextLines(text).lower, body.lower()
    tags: dict[str, None] = {}
    for term in terms:
        position = -1 if term in shown else page.find(term)
        if position < 0:
            continue
        start = text.rfind("<", max(0, position - _MAX_TAG_CHARACTERS), position)
        end = text.find(">", position, position + _MAX_TAG_CHARACTERS)
        if 0 <= start < end and text.find(">", start, position) < 0:
            tags[" ".join(text[start : end + 1].split())] = None
    return list(tags)[:_MAX_TAGS]


def _summarise(counts: Counter[str], omitted: list[Furniture], lines: int) -> str:
    """Return what was left out, by name, in brackets."""
    groups = [_write_counts(counts)]
    if lines:
        unit = "line" if lines == 1 else "lines"
        groups.append(f"{lines} {unit} of {_write_counts(Counter(item.tag for item in omitted))}")
    summary = "; ".join(filter(None, groups))
    return f" ({summary})" if summary else ""


def _write_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
