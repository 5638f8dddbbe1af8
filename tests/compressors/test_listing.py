"""Listings of files."""

from __future__ import annotations

from headroom_core.compressors.base import Request
from headroom_core.compressors.listing import ListingCompressor

COMPRESSOR = ListingCompressor()
PATHS = [f"src/{area}/part_{number}.py" for area in ("cart", "web") for number in range(60)]


def select(lines: list[str], query: str) -> list[str]:
    request = Request("k" * 24, 0, query, selecting=True)
    result = COMPRESSOR.compress("\n".join(lines), request)
    assert result
    return result.text.split("\n")


def test_without_leaving_out_paths_stay_whole_in_every_line() -> None:
    assert COMPRESSOR.compress("\n".join(PATHS), Request("", 0)) is None


def test_names_are_found_by_their_words() -> None:
    for name in ("tax-report.py", "tax_report.py", "TaxReport.java", "taxReport.ts"):
        paths = [*PATHS[:80], f"src/web/{name}", *PATHS[80:]]
        assert f"src/web/{name}" in select(paths, "Open the tax report")


def test_the_others_are_counted_by_directory() -> None:
    output = select(PATHS, "Where is part_7 of the cart?")
    assert "src/cart/part_7.py" in output
    assert "src/web/ 58" in output[0]


def test_headings_stay_above_lines_of_a_directory() -> None:
    rows = [f"-rw-r--r-- 1 root root {n} Mar  7 09:12 part_{n}.py" for n in range(60)]
    report = "-rw-r--r-- 1 root root 9 Mar  7 09:12 tax.py"
    output = select(["./a:", *rows, "", "./b:", *rows, report], "How large is tax.py?")
    assert output[-2:] == ["./b:", report] or output.index("./b:") < output.index(report)


def test_the_directories_above_a_name_in_a_tree_stay() -> None:
    others = [f"│   │   ├── part_{number}.py" for number in range(50)]
    lines = [".", "├── src", "│   ├── cart", *others, "│   ├── web", *others]
    output = select([*lines, "│   │   └── tax.py", "└── tests"], "Where is tax.py?")
    assert output[1:3] == [".", "├── src"]
    assert output.index("│   ├── web") < output.index("│   │   └── tax.py")


def test_without_a_word_of_the_query_lines_from_everywhere_stay() -> None:
    output = select(PATHS, "")
    assert any("cart" in line for line in output[1:])
    assert any("web" in line for line in output[1:])
    assert len(output) < len(PATHS) / 2


def test_a_listing_of_which_every_line_is_kept_stays() -> None:
    request = Request("k" * 24, 0, "", selecting=True)
    for lines in (PATHS[:1], PATHS[:4], [f"{number}:" for number in range(4)]):
        assert COMPRESSOR.compress("\n".join(lines), request) is None
