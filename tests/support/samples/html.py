"""Pages of HTML: an article, a list of products, and documentation of a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from random import Random

from samples import Sample

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll ledge".split()
_TAGS = ("b", "em", "span", "strong")


def _sentence(random: Random) -> str:
    words = random.choices(_WORDS, k=random.randrange(6, 14))
    place = random.randrange(len(words))
    tag = random.choice(_TAGS)
    words[place] = f'<{tag} class="x{random.randrange(99)}">{words[place]}</{tag}>'
    return " ".join(words).capitalize() + "."


def _page(title: str, content: str, random: Random) -> str:
    menu = "\n".join(
        f'<li class="menu-item"><a class="menu-link" href="/{word}?ref=menu">{word}</a></li>'
        for word in _WORDS
    )
    script = "\n".join(
        f'  window.queue.push(["track", "{random.randrange(10**9)}", {{"slot": {n}}}]);'
        for n in range(30)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<style>.menu-item {{ margin: 0; padding: 4px 8px }}
.menu-link:hover {{ color: #0a6 }}</style>
<script>
{script}
</script>
</head>
<body class="page">
<nav id="main-menu"><ul class="menu">
{menu}
</ul></nav>
<main>
<h1 class="title">{escape(title)}</h1>
{content}
</main>
<footer class="footer"><p>© The amber society</p></footer>
</body>
</html>
"""


def make_article(lines: int, seed: int) -> str:
    """Return an article, one sentence of which is about a pelican."""
    random = Random(seed)
    paragraphs = [
        f'<p class="text text--body" data-id="{random.randrange(10**9)}">{_sentence(random)}</p>'
        for _ in range(max(1, lines - 60))
    ]
    place = len(paragraphs) // 2
    paragraphs[place] = (
        '<p class="text text--body">A <a href="/birds/pelican" class="link">pelican</a>'
        " was seen at the <b>jetty</b> &amp; fed.</p>"
    )
    return _page("Birds & boats", "\n".join(paragraphs), random)


def make_products(lines: int, seed: int) -> str:
    """Return a table of products."""
    random = Random(seed)
    count = max(1, lines - 60)
    rows = [
        f'<tr class="row"><td class="sku" data-sort="{n}">SKU-{1000 + n}</td>'
        f'<td class="name"><a href="/p/{n}">{random.choice(_WORDS)} lamp</a></td>'
        f'<td class="price">{random.randrange(5, 900)}.00&nbsp;€</td></tr>'
        for n in range(count)
    ]
    rows[count // 2] = (
        '<tr class="row"><td class="sku">SKU-7007</td><td class="name">pelican lamp</td>'
        '<td class="price">4711.50&nbsp;€</td></tr>'
    )
    head = "<tr><th>SKU</th><th>Name</th><th>Price</th></tr>"
    return _page("Lamps", f"<table><thead>{head}</thead>{''.join(rows)}</table>", random)


def make_manual(lines: int, seed: int) -> str:
    """Return the options of a command, as a list of definitions with examples."""
    random = Random(seed)
    count = max(1, (lines - 60) // 3)
    names = [f"--{random.choice(_WORDS)}-{n}" for n in range(count)]
    names[count // 2] = "--pelican"
    options = [
        f'<dt id="opt{name}"><a class="anchor" href="#opt{name}">¶</a><code>{name}</code></dt>\n'
        f'<dd class="description">{_sentence(random)}\n'
        f'<pre class="highlight"><span class="k">lamp</span> {name}   <span>{n}</span></pre></dd>'
        for n, name in enumerate(names)
    ]
    return _page("lamp(1)", "<dl>" + "\n".join(options) + "</dl>", random)


_TEXT = re.compile(r"(?:#{1,6} | *- )?[^<]*\S[^<]*|")
"""A line of visible text; `tests/compressors/test_html.py` finds its text in the page."""


def _sample(name: str, make: Callable[[int, int], str], query: str, answer: str) -> Sample:
    return Sample(
        f"html_{name}", "html", make, query, answer, tool="fetch", own_line=_TEXT, least_saved=0.6
    )


SAMPLES = [
    _sample(
        "article", make_article, "Where was the pelican?", "pelican was seen at the jetty & fed"
    ),
    _sample(
        "products", make_products, "What does SKU-7007 cost?", "SKU-7007 | pelican lamp | 4711.50 €"
    ),
    _sample("manual", make_manual, "What is --pelican?", "lamp --pelican   "),
]
