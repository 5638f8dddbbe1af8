"""The benchmarks measure what they say: small runs of them, on a subject that does nothing and on this library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import corpus, scorers
from benchmarks.__main__ import beside, table
from benchmarks.conversations import OUTPUTS, conversation
from benchmarks.data import array, big_array, exchange
from benchmarks.measure import ROOT, Line, texts
from benchmarks.suites import SUITES, Plan, Subject

TINY = Plan(sizes={5: 2, 50: 2}, megabytes=0.05, turns=3, processes=1)
NOTHING = Subject("identity", package="json")

SCORE = """
import json
Text = str
def load(sets, splits, root):
    for line in open(root + "/cases.jsonl"):
        yield "dev", json.loads(line)
def case_text(case): return case["content"]
def ntok(text): return len(text)
def fact_kept(fact, text): return fact["value"] in text
"""


def test_the_same_seed_gives_the_same_text_and_another_seed_another() -> None:
    assert array("log", 20, seed=1) == array("log", 20, seed=1) != array("log", 20, seed=2)


def test_arrays_are_json_of_the_size_asked_for() -> None:
    assert len(json.loads(array("search", 30, seed=1))) == 30
    assert len(big_array(0.2, seed=1)) == pytest.approx(200_000, rel=0.05)


def test_a_conversation_hears_eleven_kinds_of_tools() -> None:
    turns = conversation(len(OUTPUTS), seed=1)
    assert len({turn[1]["tool_calls"][0]["function"]["name"] for turn in turns}) == 11


def test_the_floor_encodes_every_text_that_is_sent() -> None:
    assert texts(exchange("rows", question="why?")) == ["why?", "rows", '{"page": 0}']


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_measures(suite: str) -> None:
    lines = list(SUITES[suite](TINY, NOTHING))
    assert lines
    assert all(line.value >= 0 for line in lines if "import, " not in line.name)
    assert len({line.name for line in lines}) == len(lines)


@pytest.mark.parametrize("mode", ["selecting", "lossless"])
def test_both_modes_save_tokens_on_rows(mode: str) -> None:
    with Subject(mode).worker() as worker:
        sample = worker.against_floor(exchange(array("database", 100, seed=1)))
    assert 0 < sample.after < sample.before
    assert sample.floor > 0
    assert sample.peak > 10


def test_the_table_shows_what_was_missed_and_the_rival_beside_it() -> None:
    ours = [Line("rows", 2.0, target=3), Line("again", 0.5, target=0.05)]
    head, first, second = table(list(beside(ours, [Line("rows", 11.5, saved=0.3)]))).splitlines()
    assert "headroom-ai" in head
    assert first.split() == ["rows", "2.00", "x", "at", "most", "3", "x", "met", "11.5", "x", "30.0%"]
    assert second.endswith("MISSED")


def test_the_corpus_is_scored_in_both_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = array("database", 60, seed=1)
    facts = [{"value": json.loads(content)[0]["email"]}, {"value": "nobody@example.com", "weight": 0.5}]
    case = {"id": "one", "set": "rows", "kind": "tool_output", "query": None, "content": content, "must_keep": facts}
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text(json.dumps(case) + "\n")
    corpus.main(["--corpus", str(tmp_path), "--misses", str(tmp_path / "misses.jsonl")])
    assert capsys.readouterr().out.count("66.7%") == 2
    missed = [json.loads(line) for line in (tmp_path / "misses.jsonl").read_text().splitlines()]
    assert [(miss["mode"], miss["missed"]) for miss in missed] == [("selecting", facts[1:]), ("lossless", facts[1:])]


def test_scorers_are_timed_and_found_to_rank_the_row_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": 1000 + at, "city": name} for at, name in enumerate("Bonn Celle Dresden Erfurt Fulda".split())]
    table = "id,city\n" + "".join(f"{row['id']},{row['city']}\n" for row in rows)
    contents = {"json_api": json.dumps({"rows": rows}), "tables_csv": table}
    asked = {"query": "The id of Erfurt?", "must_keep": [{"value": "1003"}]}
    cases = [{"set": name, "content": content, **asked} for name, content in contents.items()]
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    scorers.main(["--corpus", str(tmp_path), "--sizes", "50"])
    printed = capsys.readouterr().out
    assert "json_api (1)" in printed
    assert printed.splitlines()[-1].split() == ["BM25Scorer", "1.000", "1.000", "1.000", "1.000"]
    assert [line.split()[:2] for line in printed.splitlines()[2:4]] == [["50", "log"], ["50", "json"]]


def test_the_environment_names_the_corpus(tmp_path: Path) -> None:
    code = "from benchmarks.measure import CORPUS; print(CORPUS)"
    environment = {**os.environ, "HEADROOM_CORPUS": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == str(tmp_path)


def test_without_a_corpus_the_message_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--corpus or HEADROOM_CORPUS"):
        corpus.main(["--corpus", str(tmp_path)])
