"""Test that a table that says too much or refers to nothing is refused."""

from __future__ import annotations

import pytest

from headroom_core import decode_table
from headroom_core.tables.codec import parse_text, render_lossless


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[table 2 rows: id,name]\n1,Elbe\n2,Oder,866\n", "row 1: expected 2 cells, got 3"),
        ("[table 2 rows: id,name]\n1,Elbe,\n2,Oder\n", "row 0: expected 2 cells, got 3"),
        ('[table 1 rows: id,name]\n1,"Elbe","x"\n', "row 0: "),
        ("[table 1 rows: id,tags]\n1,[2],3\n", "row 0: "),
        ("[table 2 rows: id]\n1\n2,3\n", "row 1: expected 1 cells, got 2"),
        ("[table 2 rows: id,name]\n1,Elbe\n2,*7\n", "row 1: the table has no legend line '[*]7'"),
        (
            "[table 2 rows; 1 legend line, *n = line n: id,name]\n*1 Elbe\n1,*1\n2,*2\n",
            "row 1: the table has no legend line '[*]2'",
        ),
        (
            "[table 2 records; 1 legend line, *n = line n: id,name]\n*1 Elbe\n1,*1\n2,*2\n",
            "row 1: the table has no legend line",
        ),
        ("[table 2 records: id,name]\n1,Elbe\n2,Oder,866\n", "row 1: expected 2 cells, got 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_row(table: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_table(table)


def test_stars_of_a_file_stay_text() -> None:
    lines = [
        f"{number},*{number},{'a long value that repeats ' * 2}{number % 2}" for number in range(40)
    ]
    text = "id,mark,note\n" + "\n".join(lines) + "\n"
    form = render_lossless(parse_text(text) or [])
    assert form is not None
    assert decode_table(form) == text
    assert decode_table("[table 2 records: id,name]\n1,*7\n2,*\n") == "id,name\n1,*7\n2,*"
