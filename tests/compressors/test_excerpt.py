"""Excerpts of texts that must be cut to meet a limit."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import MemoryStore, Request, Tokenizer, compress
from headroom_core.compressors.excerpt import make_excerpt

KEY = "0" * 24
WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll ledge".split()


def notes(lines: int, seed: int = 1, **special: str) -> str:
    """Return lines of words, some of which are replaced: `line_7="text"`."""
    random = Random(seed)
    made = ["~ " + " ".join(random.choices(WORDS, k=9)) for _ in range(lines)]
    for name, text in special.items():
        made[int(name.removeprefix("line_"))] = text
    return "\n".join(made)


def excerpt(text: str, max_tokens: int, query: str = "") -> str:
    tokens = Tokenizer().count_text(text)
    made = make_excerpt(text, Request(KEY, tokens, query, selecting=True), max_tokens)
    return made.text if made else text


def ask(text: str, budget: int, role: str = "tool", **settings: Any) -> str:
    """Return a text as it is sent within a budget, after a question."""
    call = {"id": "1", "type": "function", "function": {"name": "get_notes", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Where was the pelican?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    if role == "user":
        messages = [{"role": "user", "content": f"{text}\n\nWhere was the pelican?"}]
    result = compress(messages, token_budget=budget, store=MemoryStore(), **settings)
    assert not result.warnings
    assert result.tokens_after <= budget
    return str(result.messages[-1]["content"])


def test_first_and_last_lines_the_named_ones_and_errors_stay() -> None:
    text = notes(
        4000, line_700="~ disk: error 28, no space left", line_1500="~ a pelican on the jetty"
    )
    lines = excerpt(text, 800, "Where was the pelican?").split("\n")
    assert {"~ disk: error 28, no space left", "~ a pelican on the jetty"} <= {*lines}
    assert text.split("\n")[0] in lines
    assert text.split("\n")[-1] in lines


def test_a_single_long_line_is_cut_into_parts() -> None:
    text = notes(4000, line_1500="a pelican on the jetty").replace("\n", " ")
    made = excerpt(text, 800, "Where was the pelican?")
    assert "a pelican on the jetty" in made
    assert "parts left out" in made
    assert Tokenizer().count_text(made) <= 900


def test_a_text_within_the_limit_stays() -> None:
    assert excerpt(notes(5), 800) == notes(5)


@given(st.text(alphabet="ab \n\r\t,;é字", min_size=1, max_size=3000), st.integers(0, 400))
def test_each_part_of_an_excerpt_stands_in_the_text(text: str, max_tokens: int) -> None:
    made = excerpt(text, max_tokens)
    kept = [line for line in made.split("\n") if not line.startswith("[headroom: ")]
    position = 0
    for line in kept:
        position = text.find(line, position)
        assert position >= 0
        position += len(line)


@pytest.mark.parametrize("role", ["tool", "user"])
@pytest.mark.parametrize("budget", [600, 3000])
def test_a_text_that_does_not_fit_is_cut(role: str, budget: int) -> None:
    text = notes(5000, line_2222="~ a pelican on the jetty")
    assert "a pelican on the jetty" in ask(text, budget, role)


def test_a_question_stays_whole() -> None:
    text = notes(5000, line_2222="~ a pelican on the jetty")
    assert ask(text, 3000, "user").endswith("Where was the pelican?")


def test_the_result_of_an_excluded_tool_stays_whole() -> None:
    messages = [
        {"role": "user", "content": "Where was the pelican?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "notes", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": notes(500)},
    ]
    result = compress(messages, token_budget=600, exclude_tools=["notes"], store=MemoryStore())
    assert result.messages[-1] is messages[-1]
    assert "more than token_budget = 600" in result.warnings[0]
