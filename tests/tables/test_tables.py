"""Test the table format by examples of every header form and sign."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from headroom_core import Request, SmartCrusher, SmartCrusherConfig, content_key, decode_table
from headroom_core.tables import header

crusher = SmartCrusher(SmartCrusherConfig(min_tokens_to_crush=0))


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_table(text: str) -> str:
    compressed = crusher.compress(text, Request(content_key(text), tokens=len(text)))
    assert compressed is not None
    assert compressed.lossless
    return compressed.text


def csv_records(sep: str, end: str = "\n") -> str:
    lines = ["river,km,sea,side", *[f"Elbe {n},{n * 7},North Sea,left" for n in range(7)]]
    return "".join(line.replace(",", sep) + end for line in lines)


def table_rows(sep: str, end: str = "", count: int = 7) -> str:
    """Return the table rows of `csv_records(sep)`, whose last two columns are constant."""
    return "".join(f"Elbe {n}{sep}{n * 7}\n" for n in range(count)) + end


LONG = "the gates are inspected in spring and in autumn"

HEADER_FORMS: dict[str, tuple[Any, str]] = {
    "name": (
        [{"river": "Elbe", "length": 1094}, {"river": "Oder", "length": 866}],
        "[table 2 rows: river,length]\nElbe,1094\nOder,866\n",
    ),
    "name:str": (
        [{"river": "Elbe", "zone": "017"}, {"river": "Oder", "zone": "18"}],
        "[table 2 rows: river,zone:str]\nElbe,017\nOder,18\n",
    ),
    "name:\"Decimal('…')\"": (
        str(
            [{"river": "Elbe", "km": Decimal("1094.0")}, {"river": "Oder", "km": Decimal(866)}] * 2
        ),
        "[table 4 rows; from Python: river,km:\"Decimal('…')\"]\n"
        "Elbe,1094.0\nOder,866\nElbe,1094.0\nOder,866\n",
    ),
    "name=value": (
        [{"river": "Elbe", "sea": "North Sea"}, {"river": "Ems", "sea": "North Sea"}],
        '[table 2 rows: river,sea="North Sea"]\nElbe\nEms\n',
    ),
    "name:json{a,b}": (
        [{"river": "Elbe", "at": '{"lat": 53.9, "lon": 8}'}, {"river": "Ems", "at": '{"lat": 53}'}]
        * 3,
        "[table 6 rows; ~ = no such key; json = a string that holds JSON: "
        'river,at:json"JSON with spaces"{lat,lon}]\n' + 3 * "Elbe,53.9,8\nEms,53,~\n",
    ),
    "name{a,b}": (
        [
            {"river": "Elbe", "mouth": {"lat": 53.9, "lon": 8.7}},
            {"river": "Oder", "mouth": {"lat": 53.6, "lon": 14.6}},
        ],
        "[table 2 rows: river,mouth{lat,lon}]\nElbe,53.9,8.7\nOder,53.6,14.6\n",
    ),
    "name:{a,b}": (
        [
            {"river": "Elbe", "source": "Giant Mountains", "mouth": {"lat": 53.9, "lon": 8.7}},
            {"river": "Oder", "source": "Fidlův kopec", "mouth": {"lat": 53.6, "lon": 14.6}},
            {"river": "Rhine", "source": "Lake Toma", "mouth": None},
        ],
        "[table 3 rows; empty = null; […] = values of {…}: river,source,mouth:{lat,lon}]\n"
        "Elbe,Giant Mountains,[53.9,8.7]\nOder,Fidlův kopec,[53.6,14.6]\nRhine,Lake Toma,\n",
    ),
    "name[]{a,b}": (
        [
            {"river": "Elbe", "source": "Giant Mountains", "towns": [{"name": "Pirna", "day": 1}]},
            {"river": "Oder", "source": "Fidlův kopec", "towns": [{"name": "Ratibor", "day": 2}]},
            {
                "river": "Ems",
                "source": "Stukenbrock-Senne",
                "towns": [{"name": "Rheine", "day": 3}],
            },
        ],
        "[table 3 rows; […] = values of {…}: river,source,towns[]{name,day}]\n"
        'Elbe,Giant Mountains,[["Pirna",1]]\nOder,Fidlův kopec,[["Ratibor",2]]\n'
        'Ems,Stukenbrock-Senne,[["Rheine",3]]\n',
    ),
    "name&": (
        [
            {"id": n, "code": ("HH", "DD")[n % 2], "town": ("Hamburg", "Dresden")[n % 2]}
            for n in range(8)
        ],
        "[table 8 rows; 2 group lines, &n = the cells of line n, "
        "for the columns with &: id,code&,town&]\n"
        "&1 HH,Hamburg\n&2 DD,Dresden\n0,&1\n1,&2\n2,&1\n3,&2\n4,&1\n5,&2\n6,&1\n7,&2\n",
    ),
    "name+": (
        [
            {"ship": n, "crew": [{"name": f"m{n}{k}", "age": 30 + k} for k in range(5 - n)]}
            for n in range(3)
        ],
        "[table 3 rows; # = row number from 0; +n = n rows of the next table: #,ship,crew+]\n"
        "0,0,+5\n1,1,+4\n2,2,+3\n"
        "[table 12 rows; ^ = # of its row in the table above: ^,name,age]\n"
        "0,m00,30\n0,m01,31\n0,m02,32\n0,m03,33\n0,m04,34\n1,m10,30\n1,m11,31\n1,m12,32\n1,m13,33\n"
        "2,m20,30\n2,m21,31\n2,m22,32\n",
    ),
    "[a,b]": (
        [["river", "length"], *[[f"Elbe {n}", n * 7] for n in range(20)]],
        "[table 20 rows; names from the first row: [river,length]]\n" + table_rows(",", count=20),
    ),
    "name[a,b]": (
        {
            "columns": ["river", "length"],
            "index": [f"r{n}" for n in range(20)],
            "data": [[f"Elbe {n}", n * 7] for n in range(20)],
        },
        '{"columns":["river","length"],[table 20 rows; by column: index,data[river,length]]\n'
        + "".join(f"r{n},Elbe {n},{n * 7}\n" for n in range(20))
        + "}",
    ),
    "name[a,b]{v}": (
        {
            "schema": {"fields": [{"name": "river"}, {"name": "length"}]},
            "rows": [{"f": [{"v": f"Elbe {n}"}, {"v": n * 7}]} for n in range(20)],
        },
        '{"schema":{"fields":[{"name":"river"},{"name":"length"}]},'
        '"rows":[table 20 rows: f[river,length]{v}]\n' + table_rows(",", "}", count=20),
    ),
    "name==value": (
        {
            "river": [f"Elbe {n}" for n in range(60)],
            "unit": "km",
            "length": [n * 7 for n in range(60)],
        },
        "{[table 60 rows; by column; == is no column: "
        'river,unit=="km",length]\n' + table_rows(",", "}", count=60),
    ),
}


@pytest.mark.parametrize("form", HEADER_FORMS)
def test_every_header_form_is_written_and_read(form: str) -> None:
    data, table = HEADER_FORMS[form]
    text = data if isinstance(data, str) else as_json(data)
    assert write_table(text) == table
    assert decode_table(table) == text


def test_every_documented_header_form_has_an_example() -> None:
    documented = re.findall(r"^\| `([^`]+)` \|", header.__doc__ or "", re.MULTILINE)
    assert {*documented} == {*HEADER_FORMS, "."}


SIGNS = {
    "empty cell, tilde": (
        as_json(
            [
                {"river": "Elbe", "length": 1094, "note": None},
                {"river": "Main", "length": 524},
                {"river": "Inn"},
            ]
        ),
        "[table 3 rows; empty = null; ~ = no such key: river,length,note]\n"
        "Elbe,1094,\nMain,524,~\nInn,~,~\n",
    ),
    "exclamation mark": (
        as_json(
            [
                {"river": "Elbe", "length": 1},
                {"river": "Oder", "length": 2},
                "dry",
                {"river": "Inn", "length": 3},
            ]
        ),
        '[table 4 rows; ! = row as JSON: river,length]\nElbe,1\nOder,2\n!"dry"\nInn,3\n',
    ),
    "legend": (
        as_json([{"id": n, "note": LONG if n != 1 else "closed"} for n in range(4)]),
        "[table 4 rows; 1 legend line, *n = line n: id,note]\n"
        f"*1 {LONG}\n0,*1\n1,closed\n2,*1\n3,*1\n",
    ),
    "entries": (
        as_json(
            {
                name: {"length": len(name), "flows": True}
                for name in ("Elbe", "17", "a,b", "~", "Oder")
            }
        ),
        '[table 5 entries; @ = key: @,length,flows=true]\nElbe,4\n17,2\n"a,b",3\n"~",1\nOder,4\n',
    ),
    "lines": (
        "\n".join(as_json({"river": f"r{n}", "length": n}) for n in range(5)),
        "[table 5 lines: river,length]\nr0,0\nr1,1\nr2,2\nr3,3\nr4,4\n",
    ),
    "records, comma": (
        csv_records(","),
        '[table 7 records: river,km,sea="North Sea",side="left"]\n' + table_rows(",", "\n"),
    ),
    "records, tab": (
        csv_records("\t"),
        '[table 7 records; cells end with tab: river,km,sea="North Sea",side="left"]\n'
        + table_rows("\t", "\n"),
    ),
    "records, semicolon": (
        csv_records(";"),
        '[table 7 records; cells end with semicolon: river,km,sea="North Sea",side="left"]\n'
        + table_rows(";", "\n"),
    ),
    "records, bar": (
        csv_records("|"),
        '[table 7 records; cells end with bar: river,km,sea="North Sea",side="left"]\n'
        + table_rows("|", "\n"),
    ),
    "records, CRLF": (
        csv_records(",", "\r\n"),
        '[table 7 records; lines end with CRLF: river,km,sea="North Sea",side="left"]\n'
        + table_rows(",", "\r\n"),
    ),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_every_sign_is_explained_in_its_header_and_reads_back(sign: str) -> None:
    text, table = SIGNS[sign]
    assert write_table(text) == table
    assert decode_table(table) == text


LOOK_ALIKES = [
    "1",
    "-0.5",
    "1e3",
    "NaN",
    "Infinity",
    "true",
    "null",
    "",
    " ",
    "~",
    "*1",
    "&1",
    "+2",
    "!x",
    "#",
    "^",
    "@",
]


@pytest.mark.parametrize(
    "text",
    [*LOOK_ALIKES, 'say "hi"', "[x", "{y", "a,b", "a\nb", "\\", "x ", " x", "日本", "a\u2028b"],
)
def test_a_string_that_looks_like_another_value_reads_back(text: str) -> None:
    data = as_json(
        [{"name": text, "length": 1}, {"name": "Elbe", "length": 2}, {"name": None, "length": 3}]
    )
    assert decode_table(write_table(data)) == data


@pytest.mark.parametrize("number", ["1.10", "-0", "1E5", "1e400", "9" * 400, "NaN", "-Infinity"])
def test_a_number_keeps_its_exact_digits(number: str) -> None:
    text = f'[{{"name":"Elbe","length":{number}}},{{"name":"Oder","length":2}}]'
    assert write_table(text) == f"[table 2 rows: name,length]\nElbe,{number}\nOder,2\n"
    assert decode_table(write_table(text)) == text


@pytest.mark.parametrize(
    "name",
    ["a.b", "a b", "x=y", "", ".", "a,b", "{", "k:str", "n+", "&", 'say "hi"', "1", "ü", " a"],
)
def test_a_field_may_have_any_name(name: str) -> None:
    text = as_json([{"length": n, name: f"v{n}", "constant-field": "same"} for n in range(4)])
    assert decode_table(write_table(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        '[{"river":"a","river":"b","km":1094},{"river":"Oder","km":866},{"river":"Main","km":524}]',
        as_json([{"length": n, "a": {"b": n}, "a.b": -n} for n in range(5)]),
        as_json([{"length": 1, "depth": 2}, {"depth": 3, "length": 4}, {"length": 5, "depth": 6}]),
        as_json(
            [
                {"length": 1, "any": [1, 2]},
                {"length": 2, "any": {"a": 1}},
                {"length": 3, "any": True},
            ]
        ),
        as_json(
            [{"length": 1, "body": as_json({"nested": [1, 2]})}, {"length": 2, "body": "plain"}]
        ),
        as_json([{}, {"length": 1, "depth": None}, {}, {"length": 2, "depth": 3}]),
    ],
    ids=[
        "a key twice",
        "dotted keys",
        "another key order",
        "mixed types",
        "JSON in a string",
        "empty objects",
    ],
)
def test_awkward_rows_read_back(text: str) -> None:
    assert decode_table(write_table(text)) == text


def test_a_number_among_nested_lists_is_no_count() -> None:
    """A column of lists, whose items are in another table, may hold a number too."""
    few = {"runs": [{"steps": 0, "node": "a1"}, {"node": "a1", "steps": None}]}
    steps = [{"name": "build", "state": "done"}] * 3
    many = {"runs": [{"node": "a1", "steps": None}, {"node": "a1", "steps": steps}]}
    text = as_json([few, many] * 3 + [few])
    compressed = crusher.compress(text, Request(content_key(text), tokens=len(text)))
    assert compressed is not None
    assert json.loads(decode_table(compressed.text)) == json.loads(text)


def test_text_around_a_table_stays_where_it_was() -> None:
    array = as_json([{"river": "Elbe", "length": 1094}, {"river": "Oder", "length": 866}])
    table = "[table 2 rows: river,length]\nElbe,1094\nOder,866\n"
    for before, after in (
        ("Result: ", "\ndone"),
        ("```json\n", "\n```\n"),
        ('{"page":1,"rivers":', ',"next":null}'),
    ):
        assert write_table(before + array + after) == before + table + after
        assert decode_table(before + table + after) == before + array + after


def test_rows_of_bare_values_have_a_dot_as_their_name() -> None:
    names = [f"the town of {name}" for name in ("Pirna", "Meissen", "Riesa", "Torgau")] * 20
    compressed = crusher.compress(as_json(names), Request("0" * 24, tokens=800, selecting=True))
    assert compressed is not None
    assert re.match(
        r"\[table \d+ of 80 rows; # = row number from 0; \. = the value itself: #,\.\]\n"
        r"0,the town of Pirna\n",
        compressed.text,
    )
    assert decode_table("[table 2 rows: .]\nElbe\n3\n") == '["Elbe",3]'


def test_kept_rows_carry_their_original_numbers() -> None:
    rows = as_json([{"id": 100 + n, "state": "failed" if n == 33 else "ok"} for n in range(300)])
    compressed = crusher.compress(rows, Request("0" * 24, tokens=3000, selecting=True))
    assert compressed is not None
    assert re.match(
        r"\[table \d+ of 300 rows; # = row number from 0: #,id,state\]\n0,100,ok\n", compressed.text
    )
    assert "\n33,133,failed\n" in compressed.text


def test_text_without_a_table_decodes_to_itself() -> None:
    assert decode_table("[table of contents]\n1. Elbe\n") == "[table of contents]\n1. Elbe\n"


BROKEN = {
    "rows were left out": (
        "[table 2 of 9 rows; # = row number from 0: #,id]\n0,1\n8,9\n",
        r"7 of 9 rows were left out",
    ),
    "truncated": ("[table 3 rows: id,name]\n1,Elbe\n2,Oder\n", r"announces 3 lines, but 2 follow"),
    "truncated records": (
        "[table 3 records: id,name]\n1,Elbe\n",
        r"announces 3 records, but 1 follow",
    ),
    "truncated legend": (
        "[table 1 rows; 2 legend lines, *n = line n: id]\n*1 x\n*1\n",
        r"announces 1 lines, but 0 follow",
    ),
    "a cell is missing": (
        "[table 2 rows: id,name]\n1,Elbe\n2\n",
        r"expected 2 cells in a row, got 1",
    ),
    "a cell of a record is missing": (
        "[table 2 records: id,name]\n1,Elbe\n2\n",
        r"row 1: expected 2 cells, got 1",
    ),
    "an open brace": ("[table 1 rows: id,at{lat]\n1,2\n", r"expected '}' at character 9"),
    "fields behind the end": (
        "[table 1 rows: id}x]\n1\n",
        r"after the fields of the header: '}x'",
    ),
    "no such group line": (
        "[table 1 rows; 1 group lines, &n = the cells of line n, for the columns with &: a&,b&]\n"
        "&1 x,y\n&2\n",
        r"no group line '&2'",
    ),
    "too many items": (
        "[table 1 rows; # = row number from 0: #,crew+]\n0,+1\n"
        "[table 2 rows; ^ = # of its row in the table above: ^,a]\n0,1\n0,2\n",
        r"more rows than the lists that they belong to",
    ),
    "a broken JSON cell": (
        '[table 1 rows: id,tags]\n1,["x"\n',
        r"table at character 0 cannot be read",
    ),
    "an object with too few values": (
        "[table 1 rows: id,at:{lat,lon}]\n1,[2]\n",
        r"expected 2 values for the fields lat, lon, got 1",
    ),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_table_is_rejected_with_the_problem(problem: str) -> None:
    table, message = BROKEN[problem]
    with pytest.raises(ValueError, match=message):
        decode_table(table)


@pytest.mark.parametrize(
    "items", ["", "[table 1 rows; ^ = # of its row in the table above: ^,a]\n0,1\n"]
)
def test_a_table_with_too_few_nested_items_is_rejected(items: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|announces|belong|too short"):
        decode_table("[table 1 rows; # = row number from 0: #,crew+]\n0,+2\n" + items)


def test_an_unknown_separator_is_named() -> None:
    with pytest.raises(ValueError, match="colon"):
        decode_table("[table 1 records; cells end with colon: id,name]\n1:Elbe\n")
