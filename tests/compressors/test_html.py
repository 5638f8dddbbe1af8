"""HTML pages: what of their text is kept, in which form, and what is left alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import Sample
from samples.html import SAMPLES, make_article, make_products

from headroom_core import (
    CCRConfig,
    CompressResult,
    HeadroomConfig,
    MemoryStore,
    Tokenizer,
    compress,
)
from headroom_core.compressors.base import Request
from headroom_core.compressors.html.compressor import HtmlCompressor
from headroom_core.compressors.html.markup import read_markup
from headroom_core.compressors.html.page import read_page
from headroom_core.compressors.html.repeats import fold_repeats
from headroom_core.messages import Block
from headroom_core.transforms.router import ContentRouter

KEY = "0" * 24
PREFIX = re.compile(r"^(?:#{1,6} | *- )")
FILLER = "<p>" + "Some more words to read. " * 40


def shorten(page: str, query: str = "", call: str | None = None) -> str | None:
    request = Request(KEY, len(page) // 4, query, selecting=True, call=call)
    compressed = HtmlCompressor().compress(page, request)
    return compressed and compressed.text


def lines_of(body: str) -> list[str]:
    return read_page(f"<!doctype html><body>{body}").lines


def squeeze(text: str) -> str:
    """Return a text without any whitespace."""
    return "".join(text.split())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_each_line_stands_in_the_page_without_its_markup(sample: Sample) -> None:
    page = sample.make(200, 5)
    source = squeeze(unescape(re.sub(r"<[^<>]*>", "", page)))
    for line in (shorten(page) or "").split("\n")[1:]:
        for cell in PREFIX.sub("", line).split(" | "):
            assert squeeze(cell) in source


_INLINE = st.sampled_from(["b", "i", "span", "a", "code", "small"])
_BLOCK = st.sampled_from(
    ["p", "div", "ul", "li", "section", "blockquote", "table", "td", "h2", "pre"]
)


def _wrap(tag: st.SearchStrategy[str], inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda name, text: f"<{name}>{text}</{name}>", tag, inner)


_TEXTS = st.text("abc &<é|#-\n", max_size=12).map(
    lambda text: text.replace("&", "&amp;").replace("<", "&lt;")
)
_BODIES = st.recursive(
    _TEXTS,
    lambda inner: st.one_of(
        _wrap(_INLINE, inner), _wrap(_BLOCK, inner), st.lists(inner, max_size=4).map("".join)
    ),
    max_leaves=30,
)


@given(_BODIES)
def test_all_visible_text_is_kept_in_the_order_of_the_page(body: str) -> None:
    found = "".join(lines_of(body))
    wanted = unescape(re.sub(r"<[^<>]*>", "", body))
    # The signs that lines and cells begin with may stand in the text, too.
    signs = re.compile(r"[\s#|-]+")
    # Text right in a table is moved before it, as the standard says.
    assert sorted(signs.sub("", found)) == sorted(signs.sub("", wanted))
    if "<t" not in body:
        assert signs.sub("", found) == signs.sub("", wanted)


@given(
    st.text(max_size=300),
    st.lists(st.sampled_from(["<p", "</", ">", '="', "<!--", "<td>", "<pre>"])),
)
def test_any_text_can_be_read(text: str, pieces: list[str]) -> None:
    page = "<html>" + text.join(pieces)
    read_page(page)
    assert read_markup(page).tags <= page.count("<")


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("<h1>Fees</h1><h3>In <i>2024</i></h3>", ["# Fees", "### In 2024"]),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", ["- a", "- b", "  - c", "d"]),
        ("<p>one<br>two <b>th</b>ree\n  four</p>five", ["one", "two three four", "five"]),
        ("<pre>\n  if x:\n\n    y  =  1<br>z</pre>.", ["  if x:", "", "    y  =  1", "z", "."]),
        ("<a>Home</a><a>News</a><span>EUR</span><span>5</span>", ["Home News EUR 5"]),
        ("<b>4</b>711 <span>T</span>he <a>one</a><span>, two</span>", ["4711 The one, two"]),
        ("<pre><span>f</span><span>g</span></pre>", ["fg"]),
        ("<dl><dt>key<dd>value</dl>", ["key", "value"]),
        ("a<script>b</script><style>c</style><!-- d -->e<template>f</template>", ["ae"]),
        ("<li><p>first</p><p>second</p></li>", ["- first", "second"]),
        ("&lt;b&gt; &amp;amp; &eacute;", ["<b> &amp; é"]),
    ],
)
def test_blocks_become_lines(body: str, lines: list[str]) -> None:
    assert lines_of(body) == lines


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("<tr><th>id<th>name<tr><td>1<td>Ann", ["id | name", "1 | Ann"]),
        ("<tr><td>1<td><td>x<tr><td><td><td>y", ["1 |  | x", " |  | y"]),
        ("<tr><td><p>1</p><td><div>a</div><div>b</div>", ["1 | a b"]),
        ("<tr><td>menu<td><table><tr><td>1<td>2</table>", ["menu", "1 | 2"]),
        ("<tr><td>1<td>" + "word " * 100, ["1", "word " * 99 + "word"]),
    ],
)
def test_the_cells_of_a_row_of_data_stand_in_one_line(rows: str, lines: list[str]) -> None:
    assert lines_of(f"<table>{rows}</table>") == lines


MENU = "<nav><ul><li>Start<li>Imprint</ul></nav>"


def test_navigations_with_little_text_are_left_out_and_named() -> None:
    text = shorten(f"<html>{MENU}{FILLER}") or ""
    assert "Imprint" not in text
    marker = text.split("\n")[0]
    assert re.fullmatch(
        r"\[headroom: 8 tags left out of this page \(2 lines of 1 nav\).*\]", marker
    )
    assert KEY in marker


@pytest.mark.parametrize("query", ["What is in the menu?", "Is there an imprint?"])
def test_a_navigation_stays_if_the_query_names_it(query: str) -> None:
    assert "- Imprint" in (shorten(f"<html>{MENU}{FILLER}", query) or "")


def test_a_navigation_that_is_the_page_stays() -> None:
    items = "".join(f"<li><a href=/{n}>Chapter {n}</a>" for n in range(90))
    text = shorten(f"<html><h1>Contents</h1><nav><ul>{items}</ul></nav>") or ""
    assert "- Chapter 89" in text


def test_an_aside_with_links_is_left_out_but_a_note_stays() -> None:
    links = "".join(f"<li><a href=/{n}>Also read: {n}</a>" for n in range(4))
    page = f"<html>{FILLER}<aside><ul>{links}</ul></aside><aside>Never mix acids.</aside>"
    text = shorten(page) or ""
    assert "Also read" not in text
    assert "Never mix acids." in text


def test_a_form_with_a_good_part_of_the_text_stays() -> None:
    fields = "".join(f"<label>Please give us your number {n}</label>" for n in range(20))
    form = f'<form>{fields}<input value="4711"><input type="hidden" value="token"></form>'
    text = shorten(f"<html>{FILLER}{form}") or ""
    assert "number 19 4711" in text
    assert "token" not in text


def test_a_form_stays_if_only_it_has_a_word_named() -> None:
    page = f"<html>{FILLER}<form>Your voucher</form>"
    assert "voucher" in (shorten(page, "Where does the voucher go?") or "")
    assert "voucher" not in (shorten(page, "Which words are there to read?") or "voucher")


def test_lines_that_stand_above_already_are_folded() -> None:
    menu = "".join(f"<li>Department number {n}" for n in range(9))
    text = shorten(f"<html><ul>{menu}</ul>{FILLER}<ul>{menu}</ul><p>The end") or ""
    assert text.count("- Department number 8") == 1
    assert "- Department number 0\n[headroom: 8 lines as above]\nThe end" in text


@pytest.mark.parametrize(
    "data", ["<pre>" + "x = 1 + 2 + 3 + 4\n" * 5 + "</pre>", "<table>" + "<tr><td>Ann<td>1" * 9]
)
def test_rows_and_preformatted_lines_are_never_folded(data: str) -> None:
    page = f"<html>{data}</table>{FILLER}{data}</table>"
    assert "as above" not in (shorten(page) or "as above")


@given(st.lists(st.sampled_from(["a", "b", "a longer line of some text", ""]), max_size=60))
def test_folded_lines_can_be_told_from_those_above(lines: list[str]) -> None:
    restored: list[str] = []
    for line in fold_repeats(lines):
        if line.startswith("[headroom: "):
            count = int(line.split()[1])
            starts = range(len(restored) - 1)
            assert lines[len(restored) : len(restored) + count] in [
                restored[start + 1 : start + 1 + count]
                for start in starts
                if restored[start] == restored[-1]
            ]
            restored += lines[len(restored) : len(restored) + count]
        else:
            restored.append(line)
    assert restored == lines


def test_a_tag_with_a_value_that_the_query_names_is_kept() -> None:
    page = f'<html><meta name="sku" content="LX-4711">{FILLER}<p>LX-4712</p>'
    text = shorten(page, "Is this LX-4711 or LX-4712?") or ""
    assert text.split("\n")[1] == '<meta name="sku" content="LX-4711">'
    assert "<meta" not in (shorten(page, "Is this LX-4712?") or "<meta")


def test_addresses_are_kept_if_the_query_asks_for_links() -> None:
    page = f'<html>{FILLER}<p>See the <a href="/rates?y=1&amp;m=2">rates</a> or <a href="#x">x</a>.'
    assert "See the rates </rates?y=1&m=2> or x." in (shorten(page, "List all links") or "")
    assert "See the rates or x." in (shorten(page, "What is said about rates?") or "")


def test_the_arguments_of_the_call_ask_for_nothing() -> None:
    call = '{"url": "https://example.org/css/selector"}'
    page = f'<html>{FILLER}<a href="/rates">rates</a>'
    text = shorten(page, f"Sum it up\n{call}", call) or ""
    assert "rates" in text
    assert "/rates" not in text


def test_images_are_kept_if_the_query_asks_for_them() -> None:
    page = f'<html>{FILLER}<img src="/a.png" alt="A lamp">'
    assert "![A lamp](/a.png)" in (shorten(page, "Which images are there?") or "")
    assert "lamp" not in (shorten(page) or "lamp")


def compress_page(
    page: str, query: str, config: HeadroomConfig | None = None, tool: str = "fetch"
) -> CompressResult:
    arguments = '{"path": "a.html"}' if tool == "read_file" else "{}"
    function = {"name": tool, "arguments": arguments}
    call = {"id": "1", "type": "function", "function": function}
    messages = [
        {"role": "user", "content": query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": page},
    ]
    return compress(messages, config=config, store=MemoryStore())


def check_kept(result: CompressResult, page: str, reason: str) -> None:
    assert result.messages[-1]["content"] == page
    assert reason in result.changes[-1].reason


def test_a_page_stays_if_the_query_asks_for_its_markup() -> None:
    page = make_article(200, 1)
    check_kept(
        compress_page(page, "Which CSS selector has the title?"), page, "asks for the markup"
    )


def test_a_page_stays_where_nothing_may_be_left_out() -> None:
    page = make_article(200, 1)
    lossless = HeadroomConfig(ccr=CCRConfig(enabled=False))
    check_kept(compress_page(page, "Sum it up", lossless), page, "no shorter form")


def test_a_file_stays() -> None:
    page = make_products(200, 1)
    result = compress_page(page, "Sum it up", tool="read_file")
    assert result.messages[-1]["content"] == page


def test_without_the_extra_its_name_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "selectolax", None)
    without = HtmlCompressor()
    page = make_article(200, 1)
    router = ContentRouter([without], Tokenizer())
    result = router.route(Block(1, ("content",), "tool_result", page), KEY, "Sum it up", True)
    assert result.text is None
    assert "pip install headroom-integrations[html]" in result.reason
    assert without.fingerprint != SHARED.fingerprint


SHARED = HtmlCompressor()


def test_a_page_that_is_drawn_by_a_script_stays() -> None:
    page = f'<html><div id="root"></div><script>render({"[1, 2, 3]" * 1000})</script>'
    assert shorten(page) is None


def test_a_page_with_few_words_in_much_markup_is_shortened() -> None:
    page = "<html><h1>Empty</h1>" + '<div class="row row--wide"></div>' * 1000
    assert (shorten(page) or "").split("\n")[1:] == ["# Empty"]


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: "<p>" + "".join(f"<font color={i}>" for i in range(n)) + "</p>" + "<p>x</p>" * n,
        lambda n: "".join(f"<b id={i}><!-- </b> --><p>x" for i in range(n)),
        lambda n: "<font><table><td></font></td></table>" * n + "<p>x" * n,
        lambda n: "<div>" * n,
        lambda n: "<div><object></div>" * n,
        lambda n: "<ul><li>x" * n,
        lambda n: "<svg>" * n,
        lambda n: "".join(f"<body a{i}=1>" for i in range(n)),
        lambda n: "<p " + " ".join(f"a{i}=1" for i in range(n)) + ">x",
    ],
)
def test_a_page_whose_tree_would_be_huge_stays(hostile: Callable[[int], str]) -> None:
    assert not read_markup(f"<html>{hostile(4000)}").is_regular


@pytest.mark.parametrize(
    "regular",
    [
        lambda n: "<p>" + "".join(f"<b>{i}</b>" for i in range(n)),
        lambda n: "<svg>" + "<path/>" * n + "</svg>",
        lambda n: "<script>" + "'<b>'" * n + "</script>",
        lambda n: "<div>x<br><img><p></div>" * n,
        lambda n: "<table>" + "<tr><td>1<td>2" * n + "</table>",
        lambda n: f"<img src='data:{'x ' * n}'>",
        lambda n: "<p<" * n + "<!--" * n,
    ],
)
def test_a_large_page_is_read(regular: Callable[[int], str]) -> None:
    assert read_markup(f"<html>{regular(4000)}").is_regular


def test_half_a_character_is_no_failure() -> None:
    assert "x" in (shorten(f"<html>{FILLER}<p>\ud800x") or "")
