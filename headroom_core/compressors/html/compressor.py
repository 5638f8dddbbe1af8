"""Compress HTML pages to their visible text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.html.markup import read_markup
from headroom_core.compressors.html.page import Furniture, PageText, read_page
from headroom_core.compressors.lines.hits import find_line_hits
from headroom_core.config import HeadroomConfig
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
    r"\b(?:xpath|css|selectors?|markup|attributes?|dom|stylesheets?|scripts?|javascript|iframes?"
    r"|json-?ld|html (?:tags?|elements?|code|source)|meta (?:tags?|description)|class names?)\b",
    re.IGNORECASE,
)

# Elements around the content are left out if all of a name have less of the text than this.
_MAX_FURNITURE_SHARE = 0.25
# A page with less text than both draws itself by scripts.
_MIN_TEXT_CHARACTERS = 500
_MIN_TEXT_SHARE = 0.01


class HtmlCompressor:
    """Compressor for HTML pages, by the extra `html`.

    It keeps the visible text, in the order of the page, and leaves out the markup. Navigations,
    footers, forms and choices with little of the text are left out too, unless the query names
    them. Addresses of links and images are kept if the query asks for them; a query about the
    markup keeps the page as it is.
    """

    name = "html"

    def __init__(self) -> None:
        self._is_installed = find_spec("selectolax") is not None
        self.fingerprint = "html 1" if self._is_installed else "html 1, not installed"

    @classmethod
    def from_config(cls, config: HeadroomConfig) -> HtmlCompressor:
        """Return the compressor, which has no settings."""
        return _SHARED

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
        numbers = {index for item in omitted for index in range(item.start, item.end)}
        lines = [line for index, line in enumerate(page.lines) if index not in numbers]
        size = sum(map(len, lines))
        if size < _MIN_TEXT_CHARACTERS and size < _MIN_TEXT_SHARE * len(text):
            return None
        counts = page.counts if not links else page.counts - Counter(link=page.counts["link"])
        summary = _summarise([*counts.items(), *Counter(item.tag for item in omitted).items()])
        call = [retrieve_call(request.key)] if request.key else []
        marker = write_marker(f"{markup.tags} tags left out of this page{summary}", call)
        body = "\n".join([marker, *lines])
        return Compressed(body, lossless=False, reason="markup left out", risk=_RISK)


def _question(request: Request) -> str:
    """Return the query without the arguments of the call, which often have an address."""
    return request.query.removesuffix(request.call or "")


def _find_omitted(page: PageText, question: str) -> list[Furniture]:
    """Return the elements around the content that the query does not ask for."""
    if not page.furniture or _FURNITURE.search(question):
        return []
    lines = TextLines("\n".join(page.lines))
    named = find_line_hits(lines, question).strong if question else frozenset()
    sizes: Counter[str] = Counter()
    for item in page.furniture:
        sizes[item.tag] += sum(map(len, page.lines[item.start : item.end]))
    most = _MAX_FURNITURE_SHARE * len(lines.text)
    return [
        item
        for item in page.furniture
        if sizes[item.tag] < most and not any(item.start <= line < item.end for line in named)
    ]


def _summarise(counts: Iterable[tuple[str, int]]) -> str:
    """Return what was left out, by name, in brackets."""
    names = [f"{count} {name}" for name, count in counts if count]
    return f" ({', '.join(names)})" if names else ""


_SHARED = HtmlCompressor()
