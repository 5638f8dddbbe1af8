"""Results of searches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headroom_core.compressors.base import Compressed, Request
from headroom_core.compressors.search import SearchCompressor

COMPRESSOR = SearchCompressor()
LOSSLESS = Request("", 0)
PATHS = st.sampled_from(["a.py", "src/b-2.py", "HEAD:c.py", "x y/d.ts", "1:2", "-"])
TEXTS = st.text(st.sampled_from("ab:1-2 \r\t"), max_size=8)
LINES = st.one_of(
    st.builds(lambda path, n, text: f"{path}:{n}:{text}", PATHS, st.integers(0, 99), TEXTS),
    st.builds(lambda path, n, text: f"{path}-{n}-{text}", PATHS, st.integers(0, 99), TEXTS),
    st.just("--"),
    TEXTS,
)


def select(text: str, query: str) -> str:
    result = COMPRESSOR.compress(text, Request("k" * 24, 0, query, selecting=True))
    assert isinstance(result, Compressed)
    return result.text


def found(path: str, texts: list[str]) -> str:
    return "\n".join(f"{path}:{10 * number}:{text}" for number, text in enumerate(texts, 1))


def test_the_path_of_matches_is_written_once_above_them() -> None:
    text = "a/b.py:3:x = 1\na/b.py-4-y = 2\na/b.py:9:x = 3\nc.py:7:x"
    result = COMPRESSOR.compress(text, LOSSLESS)
    assert result
    assert result.text == "a/b.py\n3:x = 1\n4-y = 2\n9:x = 3\nc.py:7:x"
    assert COMPRESSOR.restore(result.text) == text


def test_context_before_the_first_match_of_a_file_belongs_to_it() -> None:
    text = "app.py-2-# Sum\napp.py:3:total = 1\napp.py-4-\n--\napp.py:9:total += 1"
    result = COMPRESSOR.compress(text, LOSSLESS)
    assert result
    assert result.text.startswith("app.py\n2-# Sum\n3:total = 1\n4-\n--")
    assert COMPRESSOR.restore(result.text) == text


@given(st.lists(LINES, max_size=12))
def test_a_lossless_form_gives_back_any_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    result = COMPRESSOR.compress(text, LOSSLESS)
    assert result is None or COMPRESSOR.restore(result.text) == text


def test_a_definition_stays_beyond_the_first_lines_of_its_file() -> None:
    uses = [f"    total = settle({number})" for number in range(30)]
    definitions = [
        "def settle(order):",
        "pub async fn settle(order: Order) -> Receipt {",
        "  public static Receipt settle(final Order order) {",
        "const settle = (order) => {",
        "func (s *Shop) settle(order Order) error {",
        "export default async function settle(order) {",
        "#define settle(order) pay(order)",
    ]
    for definition in definitions:
        text = found("a.py", [*uses, definition, *uses]) + "\n" + found("b.py", uses)
        output = select(text, "Where is `settle` defined?")
        assert f":{definition}" in output
        assert "a.py (+59)" in output
        assert "b.py (+28)" in output


def test_a_call_is_no_definition() -> None:
    uses = [f"    return settle({number}, def_of(settle))" for number in range(30)]
    output = select(found("a.py", uses), "Where is `settle` defined?")
    assert "a.py (+27)" in output


def test_a_line_with_a_rare_word_of_the_query_stays() -> None:
    uses = [f"    total = settle({number})" for number in range(200)]
    text = found("a.py", [*uses, "    settle(refund_of(order))", *uses])
    assert "2010:    settle(refund_of(order))" in select(text, "Who calls settle with refund_of?")


def test_the_lines_around_a_definition_stay_with_it() -> None:
    uses = "\n--\n".join(f"a.py-{n}-x\na.py:{n + 1}:settle({n})" for n in range(10, 90, 5))
    text = f"{uses}\n--\na.py-99-@cache\na.py:100:def settle(order):\na.py-101-    pay(order)"
    assert "99-@cache\n100:def settle(order):\n101-    pay(order)" in select(text, "`settle`")


def test_matches_below_their_path_are_selected_the_same_way() -> None:
    uses = "\n".join(f"{number}:    settle({number})" for number in range(10, 40))
    text = f"a.py\n{uses}\n\nb.py\n{uses}"
    output = select(text, "settle")
    assert "a.py (+27)" in output
    assert "b.py (+27)" in output


def test_very_long_lines_stay_only_where_they_are_asked_for() -> None:
    bundle = found("dist/app.js", ["x" * 5000 + "settle" for _ in range(9)])
    text = bundle + "\n" + found("a.py", [f"settle({number})" for number in range(30)])
    assert "dist/app.js (+9)\n" in select(text, "Where is settle called?")
