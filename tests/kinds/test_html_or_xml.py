"""Tell pages of HTML, and parts of them, from other markup."""

from __future__ import annotations

import pytest

from headroom_core.kinds.detect import detect_kind

PAGES = {
    "doctype": "<!DOCTYPE html>\n<title>Rivers</title>\n<p>Long ones.\n",
    "xhtml": "<?xml version='1.0'?>\n<!DOCTYPE html>\n<html xmlns='x'><p>Rivers</p></html>\n",
    "comment": "\ufeff<!-- saved -->\n<HTML>\n<BODY>Rivers</BODY>\n</HTML>\n",
    "table": "<table>\n" + "<tr>\n<td>Oder</td>\n<td>854</td>\n</tr>\n" * 9 + "</table>\n",
    "custom elements": "<main>\n" + "<river-card>\n<p>Oder</p>\n</river-card>\n" * 9,
    "drawing": "<div>\n<svg>\n<path d='M0 0'/>\n</svg>\n</div>\n" * 9,
}
OTHERS = {
    "report": "<report>\n<![CDATA[<html><body>]]>\n" + "<case name='a'/>\n" * 9,
    "book": "<section>\n<title>Rivers</title>\n<para>Long ones.</para>\n</section>\n" * 9,
    "layout": "<Layout>\n" + "<Text id='a'/>\n<span/>\n<Image id='b'/>\n" * 9 + "</Layout>\n",
    "drawing": "<svg>\n" + "<path d='M0 0'/>\n<a href='x'/>\n<p/>\n" * 9 + "</svg>\n",
    "component": "<template>\n<div>\n<p>{{ x }}</p>\n</div>\n</template>\n<script>\n" * 3,
}


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_pages_are_html(text: str) -> None:
    assert detect_kind(text) == "html"


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_markup_is_not_html(text: str) -> None:
    assert detect_kind(text) != "html"
