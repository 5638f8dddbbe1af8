"""Which lines carry their numbers."""

from __future__ import annotations

import pytest

from headroom_core.text.numbered import has_line_numbers, read_line_numbers
from headroom_core.text.sources import source_of

CODE = ["def area(radius):", "    return 3.14 * radius**2", "", "print(area(2))", "# end"]

VIEWS = {
    "cat -n": lambda n, line: f"{n:6}\t{line}",
    "a reading tool": lambda n, line: f"{n:6}→{line}",
    "a colon": lambda n, line: f"{n}: {line}",
    "a search": lambda n, line: f"{n}{':' if n % 3 else '-'}{line}",
    "a bar": lambda n, line: f"{n:4} | {line}",
    "spaces": lambda n, line: f"{n:4}  {line}",
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("first", [1, 120])
def test_the_numbers_of_a_view_are_read(view: str, first: int) -> None:
    lines = [VIEWS[view](number, line) for number, line in enumerate(CODE * 4, first)]
    assert read_line_numbers(lines) == list(range(first, first + 20))


def test_lines_without_a_number_have_that_of_the_line_before() -> None:
    lines = ["area.py, 20 lines:", "     1\tdef area():", "       ", "     2\t    return 2", ""]
    lines += [f"{number:6}\t# more" for number in range(3, 20)]
    assert read_line_numbers(lines) == [0, 1, 1, 2, 2, *range(3, 20)]


def test_a_search_may_skip_lines() -> None:
    assert read_line_numbers(["12:import os", "57:import sys", "1003:import re"]) == [12, 57, 1003]


@pytest.mark.parametrize(
    "lines",
    [
        [f"12:00:{n:02} worker {n}" for n in range(20)],
        [f"2026-01-{n:02} closed" for n in range(1, 20)],
        [f"1767571200{n:03}: request {n}" for n in range(20)],
        ["id\tname", *[f"{n}\triver{n}" for n in range(1, 20)]],
        [f"{n * 37}\triver{n}" for n in range(1, 20)],
        [f"{n % 5}: ready" for n in range(20)],
        [f"{n},river{n}" for n in range(20)],
        [],
    ],
    ids=["times", "dates", "epoch", "header", "ids", "levels", "commas", "nothing"],
)
def test_other_numbers_are_not_those_of_lines(lines: list[str]) -> None:
    assert read_line_numbers(lines) is None


TITLES = ["", "Here's the result of running `cat -n` on /srv/area.py:\n", "area.py\n\n"]


@pytest.mark.parametrize("form", ["{:6}\t{}", "{:5}→{}", "{}\t{}", "{:4} | {}", "{}|{}", "{}: {}"])
@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("first", [1, 57])
def test_numbered_lines_are_a_view_of_a_file(form: str, title: str, first: int) -> None:
    lines = ["def total(a, b):", "    return a + b", "", "x = {'a': [1]}", "print(total(1, 2))"]
    view = title + "\n".join(form.format(n, line) for n, line in enumerate(lines * 4, first))
    assert has_line_numbers(view)
    assert source_of("anything", "{}", view).kind == "file"
    assert read_line_numbers(view.split("\n"))


HEADERS = ["id{}status", "#{}status", "{}status", '"id"{}"status"', "All of them\n\nid{}status"]


@pytest.mark.parametrize("separator", ["\t", "|", " | "])
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("first", [0, 1, 1001])
def test_records_below_a_header_may_rise_one_by_one(
    separator: str, header: str, first: int
) -> None:
    rows = [f"{n}{separator}{('open', 'closed')[n % 2]}" for n in range(first, first + 500)]
    text = "\n".join([header.format(separator), *rows])
    assert not has_line_numbers(text)
    assert read_line_numbers(text.split("\n")) is None


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"{n}\tname {n}\t{n * 7}" for n in range(1, 40)),
        "\n".join(f'{n}. {{"id": {n}}}' for n in range(1, 40)),
        "\n".join(f"2026-01-05 12:00:{n:02} INFO ready" for n in range(40)),
        "\n".join(f"{n * 3}\tx" for n in range(40)),
        "\n".join(f"{n}{'7' * 5000}\tx" for n in range(40)),
        "",
    ],
)
def test_numbered_rows_and_lists_are_no_view(text: str) -> None:
    assert not has_line_numbers(text)
