"""Test the output of the demonstration."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "docs" / "demo"


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the demonstration without API keys and return its output."""
    home = tmp_path_factory.mktemp("home")
    keys = {"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": "", "HEADROOM_STORE_URL": ""}
    root = str(DEMO.parent.parent)
    folders = {
        "PYTHONPATH": root,
        "HOME": str(home),
        "XDG_STATE_HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONIOENCODING": "utf-8",
    }
    run = subprocess.run(
        [sys.executable, DEMO / "pipeline.py"],
        env={**os.environ, **keys, **folders},
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert list(home.iterdir()) == [], "the demonstration leaves nothing behind"
    return run.stdout


def saved_percent(output: str, name: str) -> float:
    """Return the share of tokens that a pipeline saved, in percent."""
    match = re.search(rf"^{name} .* ([\d.]+)% saved", output, re.MULTILINE)
    assert match
    return float(match[1])


def test_the_lossless_pipeline_sends_a_fraction_of_the_tokens(output: str) -> None:
    assert saved_percent(output, "lossless") > 50


def test_the_selecting_pipeline_sends_a_smaller_fraction(output: str) -> None:
    assert saved_percent(output, "with retrieval") > 85


def test_the_question_is_answered_from_the_sent_messages(output: str) -> None:
    first, second = re.findall(r"^answer .*?(?=\n\n|\nquestion)", output, re.MULTILINE | re.DOTALL)[
        :2
    ]
    for answer in (first, second):
        assert "1301" in answer
        assert "N384HA" in answer
        assert "Hawaiian Airlines Inc." in answer
        assert not re.search(r"[&*]\d", answer), "references are resolved"


def test_the_totals_are_the_sum_of_the_requests(output: str) -> None:
    sent = [
        int(number.replace(",", ""))
        for number in re.findall(r"^the request +\S+ +([\d,]+)", output, re.MULTILINE)
    ]
    schemas = re.findall(r"^the tool's schema +0 +(\d+)", output, re.MULTILINE)
    assert [*map(int, re.findall(r"-> +([\d,]+) tokens", output.replace(",", "")))] == [
        sent[0],
        sum(sent[1:]),
    ]
    assert len(schemas) == len(sent) - 1


def test_an_omitted_row_is_retrieved(output: str) -> None:
    call = re.search(
        r"^call +headroom_retrieve\(key=\"\w+\", where=\"flight == '(\w+)'\"\)",
        output,
        re.MULTILINE,
    )
    assert call
    row = next(
        row for row in json.loads((DEMO / "flights.json").read_text()) if row["flight"] == call[1]
    )
    returned = output[call.end() :]
    assert row["aircraft"]["tail"] in returned
    assert row["arrival"]["actual"] in returned[returned.rindex("\nanswer") :]


def test_the_output_fits_a_hundred_columns_without_escape_codes(output: str) -> None:
    assert max(map(len, output.splitlines())) <= 100
    assert "\033" not in output
