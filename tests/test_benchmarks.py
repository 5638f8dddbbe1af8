"""Test small runs of the benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import (
    budgets,
    corpus,
    fitting,
    growing,
    long_conversation,
    long_documents,
    memory,
    nodes,
    scorers,
    tuning,
    windows,
)
from benchmarks.__main__ import add_rival, format_table
from benchmarks.agents import agent_conversation
from benchmarks.conversations import OUTPUTS, conversation
from benchmarks.data import array, big_array, exchange
from benchmarks.long_conversation import replay_conversation
from benchmarks.measure import ROOT, Line, texts
from benchmarks.suites import SUITES, Plan, Subject
from headroom_core import Tokenizer

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
def render_messages(messages): return "\\n".join(str(m["content"]) for m in messages)
def encode(text): return text.split()
def decode(tokens): return " ".join(tokens)
"""


def test_texts_depend_only_on_the_seed() -> None:
    assert array("log", 20, seed=1) == array("log", 20, seed=1) != array("log", 20, seed=2)


def test_arrays_are_json_of_the_requested_size() -> None:
    assert len(json.loads(array("search", 30, seed=1))) == 30
    assert len(big_array(0.2, seed=1)) == pytest.approx(200_000, rel=0.05)


def test_a_conversation_uses_eleven_tools() -> None:
    turns = conversation(len(OUTPUTS), seed=1)
    assert len({turn[1]["tool_calls"][0]["function"]["name"] for turn in turns}) == 11


def test_the_floor_encodes_every_sent_text() -> None:
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
        sample = worker.measure_with_floor(exchange(array("database", 100, seed=1)))
    assert 0 < sample.after < sample.before
    assert sample.floor > 0
    assert sample.peak > 10


def test_the_table_shows_missed_targets_and_the_rival() -> None:
    ours = [Line("rows", 2.0, target=3), Line("again", 0.5, target=0.05)]
    head, first, second = format_table(
        list(add_rival(ours, [Line("rows", 11.5, saved=0.3)]))
    ).splitlines()
    assert "headroom-ai" in head
    assert first.split() == [
        "rows",
        "2.00",
        "x",
        "at",
        "most",
        "3",
        "x",
        "met",
        "11.5",
        "x",
        "30.0%",
    ]
    assert second.endswith("MISSED")


def test_the_corpus_is_scored_in_both_modes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = array("database", 60, seed=1)
    facts = [
        {"value": json.loads(content)[0]["email"]},
        {"value": "nobody@example.com", "weight": 0.5},
    ]
    case = {
        "id": "one",
        "set": "rows",
        "kind": "tool_output",
        "query": None,
        "content": content,
        "must_keep": facts,
    }
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text(json.dumps(case) + "\n")
    corpus.main(["--corpus", str(tmp_path), "--misses", str(tmp_path / "misses.jsonl")])
    assert capsys.readouterr().out.count("66.7%") == 2
    missed = [json.loads(line) for line in (tmp_path / "misses.jsonl").read_text().splitlines()]
    assert [(miss["mode"], miss["missed"]) for miss in missed] == [
        ("selecting", facts[1:]),
        ("lossless", facts[1:]),
    ]


def test_passages_are_scored_inside_long_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "Elbe Oder Hus Beer Plzeň Žatec Hockey Castle Vltava Bonn Rain Snow".split()
    documents = [{"text": f"{name} is it. " * 30, "metadata": {"title": name}} for name in names]
    case = {
        "id": "one",
        "set": "rag_nq",
        "kind": "documents",
        "query": "Elbe?",
        "documents": documents,
    }
    case |= {"must_keep": [{"value": "Elbe is it."}]}
    (tmp_path / "score.py").write_text(
        SCORE.replace('case["content"]', "render_documents(case['documents'])")
        + "def render_documents(documents):\n"
        + '    return "\\n\\n".join(document["text"] for document in documents)\n'
    )
    (tmp_path / "cases.jsonl").write_text(json.dumps(case) + "\n")
    long_documents.main(["--corpus", str(tmp_path)])
    headings, plain = (line.split() for line in capsys.readouterr().out.splitlines()[1:3])
    assert (headings[:2], plain[:2]) == (["nq", "headings"], ["nq", "plain"])
    for line in (headings, plain):
        saved, kept, whole = (float(share.rstrip("%")) for share in line[5:8])
        assert saved > 50
        assert kept == whole == 100


def test_postprocessors_are_compared_at_the_same_number_of_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = "Elbe Oder Hus Beer Plzeň Žatec Hockey Castle Vltava Bonn Rain Snow".split()
    documents = [{"text": f"{name} is it. " * 5, "metadata": {"title": name}} for name in names]
    case = {"id": "one", "set": "rag_nq", "query": "Elbe?", "documents": documents}
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text(
        json.dumps({**case, "must_keep": [{"value": "Elbe is it."}]}) + "\n"
    )
    nodes.main(["--corpus", str(tmp_path)])
    lines = {
        line[:32].strip(): line[32:].split() for line in capsys.readouterr().out.splitlines()[2:]
    }
    ours, reordered = lines["HeadroomNodePostprocessor"], lines["LongContextReorder"]
    assert float(ours[0].rstrip("%")) > 50
    assert ours[1] == "100.0%"
    assert reordered[:2] == ["0.0%", "100.0%"]
    assert len(lines) == 5


def test_scorers_are_timed_and_rank_the_queried_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": 1000 + index, "city": name}
        for index, name in enumerate("Bonn Celle Dresden Erfurt Fulda".split())
    ]
    table = "id,city\n" + "".join(f"{row['id']},{row['city']}\n" for row in rows)
    contents = {"json_api": json.dumps({"rows": rows}), "tables_csv": table}
    question = {"query": "The id of Erfurt?", "must_keep": [{"value": "1003"}]}
    cases = [{"set": name, "content": content, **question} for name, content in contents.items()]
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    scorers.main(["--corpus", str(tmp_path), "--sizes", "50"])
    printed = capsys.readouterr().out
    assert "json_api (1)" in printed
    assert printed.splitlines()[-1].split() == ["BM25Scorer", "1.000", "1.000", "1.000", "1.000"]
    assert [line.split()[:2] for line in printed.splitlines()[2:4]] == [
        ["50", "log"],
        ["50", "json"],
    ]


def test_the_environment_selects_the_corpus(tmp_path: Path) -> None:
    code = "from benchmarks.measure import CORPUS; print(CORPUS)"
    environment = {**os.environ, "HEADROOM_CORPUS": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert run.stdout.strip() == str(tmp_path)


def test_a_missing_corpus_is_reported_with_a_solution(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--corpus or HEADROOM_CORPUS"):
        corpus.main(["--corpus", str(tmp_path)])


@pytest.fixture
def agents(tmp_path: Path) -> list[str]:
    """Write cases of two sets with a fact in the newest result; return their options."""
    turns = agent_conversation(6, seed=2, facts=0).turns
    messages = [
        *(message for turn in turns for message in turn),
        *exchange("the ticket is A77", number=9),
    ]
    facts = [{"value": "A77"}, {"value": "never said", "weight": 0.5}]
    cases = [
        {"id": name, "set": name, "messages": messages, "must_keep": facts}
        for name in tuning.TUNING_SETS
    ]
    (tmp_path / "score.py").write_text(SCORE)
    (tmp_path / "cases.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    return ["--corpus", str(tmp_path), "--shares", "80,60"]


def test_every_method_is_scored_on_a_budget(
    agents: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    budgets.main([*agents, "--misses", str(tmp_path / "misses.jsonl")])
    printed = capsys.readouterr().out
    ours = [line for line in printed.splitlines() if line.startswith(tuple(windows.OURS))]
    assert len(ours) == len(tuning.TUNING_SETS) * len(windows.OURS)
    for line in ours:
        cells = line[31:].split()
        assert cells[:2] == ["66.7", "66.7"]
        assert cells[4:8] == ["0"] * 4
    missed = [json.loads(line) for line in (tmp_path / "misses.jsonl").read_text().splitlines()]
    assert {"never said"} <= {fact["value"] for miss in missed for fact in miss["missed"]}


def test_importance_is_measured_with_varied_weights(
    agents: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    budgets.main([*agents, "--weights", "--search", "2"])
    printed = capsys.readouterr().out
    assert all(f"without {name}" in printed for name in tuning.WEIGHTS)
    assert "the best of 2 by every other case" in printed


def test_the_budget_excludes_a_large_system_prompt() -> None:
    messages = [
        {"role": "system", "content": "rule " * 100},
        {"role": "user", "content": "word " * 100},
    ]
    cases = [{"set": name, "messages": messages} for name in ("agent_tau", "agent_code")]
    apart, together = (fitting.budget_of(case, 50, Tokenizer()) for case in cases)
    assert apart > 150 > together > 100


def test_results_without_their_calls_are_found() -> None:
    call, result = exchange("42")[1:]
    assert not windows.is_unpaired([call, result])
    assert windows.is_unpaired([result])
    assert windows.is_unpaired([{"role": "system", "content": "Be brief."}])


def test_generated_facts_appear_once_and_are_queried_later() -> None:
    talk = agent_conversation(40, seed=1, facts=5)
    assert len(talk.facts) == 5
    for turn, fact in talk.facts.items():
        mentions = [
            number for number, messages in enumerate(talk.turns) if fact in json.dumps(messages)
        ]
        assert len(mentions) == 1
        assert mentions[0] < 16 <= 32 <= turn


def test_a_replay_reports_broken_prefixes_and_kept_facts() -> None:
    talk = agent_conversation(30, seed=1, facts=4)
    whole = replay_conversation(talk, lambda store: lambda messages, budget: messages, 10**6)
    assert (whole.broken, whole.again, whole.over, whole.present) == (set(), 0, 0, 4)
    assert whole.cached[1:] == whole.sent[:-1]
    last = replay_conversation(talk, lambda store: lambda messages, budget: messages[-1:], 10**6)
    assert last.broken >= set(range(1, 30))
    assert (last.present, last.gone) == (0, 4)
    assert sum(last.cached) == 0 < last.again
    ours = replay_conversation(talk, windows.OURS["compress, RollingWindow"], 3000)
    assert 0 < len(ours.broken) < 15
    assert (ours.over, ours.gone) == (0, 0)
    assert 0 < ours.cost("claude-sonnet-4-5") < whole.cost("claude-sonnet-4-5")


def test_the_long_conversation_is_replayed_with_every_method(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long_conversation.main(["--turns", "8", "--budget", "1500", "--sizes", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("8 turns, ")
    names = (long_conversation.NOTHING, *long_conversation.METHODS)
    assert [
        next(name for name in names if line.startswith(f"{name} ")) for line in lines[2:-1]
    ] == list(names)


def test_growing_conversations_and_waiting_loops_are_timed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    growing.main(["--sizes", "4,9", "--turns", "4", "--inputs", '{"two small ones": [2, 5]}'])
    printed = capsys.readouterr().out
    assert all(printed.count(f"{form} ") == 6 for form in growing.FORMATS)
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [
        ["openai", "4"],
        ["openai", "9"],
    ]
    assert printed.splitlines()[-1].startswith("two small ones ")


def test_memory_timings_are_shown_side_by_side(
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory.main(["--turns", "5", "--limits", "1500"])
    size, *lines = capsys.readouterr().out.splitlines()
    assert size.startswith("21 messages, ")
    assert [line.split(",")[0] for line in lines if line.startswith("ours")] == ["ours"] * 10
    assert all(line.count(" x") == 3 for line in lines if line.startswith("ours"))
