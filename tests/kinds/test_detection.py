"""Test that texts are told by their kinds, with and without the call that returned them."""

from __future__ import annotations

import statistics
import string
import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core.kinds.detect import KindName, detect_kind
from headroom_core.kinds.starts import start_of_line

TEXTS = {
    "json": '[\n  {"id": 1, "name": "Elbe"},\n  {"id": 2, "name": "Oder"}\n]\n',
    "html": "<!DOCTYPE html>\n<html><body><p>Rivers</p></body></html>\n",
    "xml": "<?xml version='1.0'?>\n<rivers>\n  <river km='1094'/>\n</rivers>\n",
    "outputs": "$ ls src\napp.py\n$ wc -l src/app.py\n40 src/app.py\n",
    "diff": "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n",
    "git_log": "0a1b2c3 Add rivers\n1b2c3d4 Mend the map\n2c3d4e5 Sort by length\n",
    "sql": "CREATE TABLE rivers (\n  id integer PRIMARY KEY,\n  name text\n);\n"
    "CREATE INDEX rivers_name ON rivers (name);\n",
    "separated": "river,km,sea\n" + "Elbe,1094,North\nOder,866,Baltic\n" * 4,
    "search": "src/app.py:3:import os\nsrc/_map.py:12:    return river\nMakefile:4:all: app\n",
    "build": "make[1]: Entering directory '/src'\ngcc -c a.c\n"
    "a.c:3:5: warning: unused variable 'x'\nmake[1]: Leaving directory '/src'\n",
    "listing": "total 8\n-rw-r--r-- 1 root root 120 May  1 10:00 app.py\n"
    "drwxr-xr-x 2 root root 4096 2024-05-01 10:00:00.000 maps\n",
    "log": "".join(f"2024-05-01 10:00:{i:02d} INFO web request {i} done\n" for i in range(9)),
    "terraform": 'variable "a" {\n  default = 1\n}\n\nresource "river" "elbe" {\n  km = 1094\n}\n',
    "markdown": "# Rivers\n\nThe longest rivers of the country.\n\n## Lengths\n\n- Elbe\n- Oder\n",
    "settings": "[server]\nport = 8080\nhost = localhost\n\n[log]\nlevel = info\n",
    "yaml": "rivers:\n  - name: Elbe\n    km: 1094\n  - name: Oder\n    km: 866\nsea: North\n",
    "code": 'import os\n\n\ndef main():\n    if os.name:\n        raise ValueError("error: none")\n'
    "    return 0\n",
    "blocks": "Host Name: web\nOS Version: 12\nSystem Type: x64\nBoot Time: 10:00\nCPU Count: 4\n"
    "Memory Size: 16 GB\n",
    "table": "NAME       READY   STATUS    AGE\nweb-1      1/1     Running   3d\n"
    "db-1       0/1     Pending   12h\ncache-22   1/1     Running   5m\n",
    "prose": "The Elbe is a long river that rises in the mountains. It flows to the sea.\n",
    "unknown": "",
}
"""A small text of each kind."""


@pytest.mark.parametrize(("kind", "text"), TEXTS.items())
def test_a_small_text_is_told_by_its_kind(kind: str, text: str) -> None:
    assert detect_kind(text) == kind


def test_there_is_a_text_of_every_kind() -> None:
    assert {*TEXTS, "compressed"} == {*get_args(KindName)}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("log", "[    0.000000] ACPI: table\n[    0.004000] cpu 0 up\n[    1.200000] eth0 up\n"),
        ("log", "1142532060 1 link error\n1142532071 1 link up\n1142538060 2 link error\n"),
        ("build", "..F.s..FF.          [ 40%]\n.....               [100%]\n= FAILURES =\n"),
        ("build", "2024-05-01T10:00:00Z ##[group]Run make\n2024-05-01T10:00:01Z all: done\n" * 3),
        ("table", "#     Time     UID   PID   %usr\n" + " 1646859134     0     1   0.00\n" * 9),
        ("table", "            Close    Volume\n2024-01-02 00:00:00  1.5  900\n" * 3),
        ("table", "3194693727 2415 a.rpm\n1851496064 1196 b.out\n3221261569 2772 c.out\n" * 2),
        ("markdown", "| river | km |\n|-------|----|\n| Elbe | 1094 |\n| Oder | 866 |\n"),
        ("markdown", "# Set up\n\nRun this.\n\n```sh\n$ make\n$ make test\n```\n\nThen go on.\n"),
        (
            "yaml",
            "# The rivers.\nrivers:\n  # Its length.\n  - name: Elbe\n    km: 1\n  # - name: x\n",
        ),
        ("separated", 'id,text\n1,"two\nlines, and more"\n2,"one, two"\n3,x\n4,"a, b"\n5,y\n'),
        ("search", "src/a.py:import os\nsrc/b.py:import re\nsrc/c.py:    return 1\n"),
        ("search", "src/a.py\n3:import os\n9:import re\n\nsrc/b.py\n12:import re\n14:x = 1\n"),
        ("listing", " M src/a.py\n M src/b.py\n?? src/new.py\nA  c.txt\n"),
        ("listing", "On branch main\nUntracked files:\n\tsrc/new.py\n"),
        ("table", " id | name\n----+------\n  1 | Elbe\n  2 | Oder\n(2 rows)\n"),
        ("sql", "SELECT id, name\nFROM rivers\nWHERE km > 100;\n"),
        (
            "code",
            "  1\timport os\n  2\t\n  3\tdef main():\n  4\t    return 0\n  5\t\n  6\tx = f()\n",
        ),
        ("code", "#!/bin/sh\nset -e\nif [ -z x ]; then\n  echo 'error: x'\n  gcc -c a.c\nfi\n"),
        ("table", "NAMESPACE    NAME      CPU(cores)\ndefault      web-1     5m\n" * 4),
        ("settings", "[owner]\nname = 'a'\ntags = [\n  'a',\n]\nage = 3\n"),
        ("settings", "[[bin]]\nname = 'a'\npath = 'a.rs'\n\n[[bin]]\nname = 'b'\n"),
    ],
)
def test_texts_like_those_of_another_kind_are_told(kind: str, text: str) -> None:
    assert detect_kind(text) == kind


@pytest.mark.parametrize(
    ("tool", "call", "text", "kind"),
    [
        ("read_file", '{"path": "a.md"}', "Rivers\n\n- Elbe\n- Oder\n", "markdown"),
        ("read_file", '{"path": "a.csv"}', "a,b\n1,2\n", "separated"),
        ("read_file", '{"path": "a.yaml"}', "# a: 1\n# b: 2\n# c: 3\nd: 4\n", "yaml"),
        ("bash", '{"command": "ps aux"}', "USER  PID  TIME\nroot  1  10:00:01\n" * 3, "table"),
        ("read_file", '{"path": "a.py"}', '{"error": "no such file"}', "json"),
    ],
)
def test_a_call_makes_weaker_evidence_sufficient(
    tool: str, call: str, text: str, kind: str
) -> None:
    assert detect_kind(text, tool=tool, call=call) == kind


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    assert detect_kind(text) in get_args(KindName)


@given(st.text(string.printable, min_size=1, max_size=60).map(str.strip).filter(bool))
def test_indentation_does_not_turn_a_line_into_code(line: str) -> None:
    if "\n" not in line and start_of_line(line) == "other":
        assert start_of_line(f"    {line}") == "other"


HOSTILE = [
    *(character * 100_000 for character in " \t-=|+:.,#/[{(<>a0\"'*_@$;~`"),
    *(f"{unit}\n" * (100_000 // len(unit)) for unit in ("- " * 100, "a:" * 100, "/a" * 100)),
    *(f"{unit}\n" * (100_000 // len(unit)) for unit in ("1:" * 100, "a-1" * 66, "[ " * 100)),
    *(f"{unit}\n" * (100_000 // len(unit)) for unit in ("a  " * 66, "| " * 100, "A a" * 66)),
    *(f"{unit}\n" * (100_000 // len(unit)) for unit in ("a.b(" * 50, "::a" * 66, "1 2:3 " * 33)),
    *(f"{unit}\n" * (100_000 // len(unit)) for unit in ("(" * 199, "A" * 199, "PASSED" * 33)),
    "CREATE " * 15_000,
    'resource "a" ' * 8_000,
    '"' + "a,b\n" * 25_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_line_takes_long(text: str) -> None:
    # About a hundred times what it takes, so that a busy machine does not fail the test.
    start = time.perf_counter()
    detect_kind(text)
    assert time.perf_counter() - start < 0.3


def test_a_long_text_takes_no_longer_than_a_short_one() -> None:
    def seconds(text: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            detect_kind(text)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    line = "2024-05-01 10:00:00 INFO request done\n"
    # What is searched whole, for marks of an earlier compression, is a small part.
    assert seconds(line * 27_000) < 20 * seconds(line * 270) + 0.02
