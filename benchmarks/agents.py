"""Generates long conversations of an agent, with facts that are asked for much later."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from random import Random

from benchmarks.data import (
    ROWS,
    SERVICES,
    Message,
    make_event,
    make_hex_id,
    make_time,
    make_words,
)
from benchmarks.measure import ROOT

_FACTS_BEFORE = 0.4
_QUESTIONS_FROM = 0.8
"""Shares of a conversation: facts are stated before the first, and asked for after the second."""

_KIND_WEIGHTS = {"answer": 45, "rows": 25, "log": 15, "file": 15}
"""How often tools return each kind of output, in percent."""

SYSTEM = (
    "You are the operations assistant of a shop with six services. Use the tools to look things "
    "up: never guess an id, a number or a time. Say what you found in a sentence or two, name the "
    "source, and ask before you change anything. Incidents have tickets; a ticket is closed by the "
    "person who opened it."
)


@dataclass(slots=True)
class Talk:
    """A conversation, turn by turn.

    Attributes:
        turns: Messages of each turn: a question, tool calls with their results, and an answer.
        facts: The fact that a question asks for, by turn.
    """

    turns: list[list[Message]]
    facts: dict[int, str] = field(default_factory=dict)


def agent_conversation(turns: int, seed: int, *, size: float = 1.0, facts: int = 20) -> Talk:
    """Generate a conversation in which tools state facts early that are asked for late.

    Args:
        turns: Number of turns.
        seed: Seed of the random choices. The same seed gives the same conversation, as long as
            the source files of this library are the same.
        size: Size of the tools' outputs: 1 gives about 500 tokens a turn.
        facts: Maximum number of facts.
    """
    random = Random(f"agent {seed}")
    early = range(1, int(turns * _FACTS_BEFORE))
    late = range(int(turns * _QUESTIONS_FROM), turns)
    count = min(facts, len(early), len(late))
    fact_turns = sorted(random.sample(early, count))
    tickets = {turn: make_hex_id(random, 10).upper() for turn in fact_turns}
    question_turns = sorted(random.sample(late, count))
    fact_turn_of = dict(zip(question_turns, random.sample(fact_turns, count)))
    incidents = {
        turn: f"the {make_words(random, 2, 2)} incident {number}"
        for number, turn in enumerate(fact_turns, 1)
    }
    talk = Talk([], {turn: tickets[fact_turn] for turn, fact_turn in fact_turn_of.items()})
    for turn in range(turns):
        topic = incidents.get(turn) or incidents.get(fact_turn_of.get(turn, -1))
        if turn in fact_turn_of:
            question = f"Which ticket did we open for {topic}?"
        else:
            question = f"What about {topic or _make_topic(random)}?"
        fact = {"incident": topic or "", "ticket": tickets[turn]} if turn in tickets else None
        talk.turns.append(_make_turn(random, turn, question, size, fact=fact))
    talk.turns[0].insert(0, {"role": "system", "content": SYSTEM})
    return talk


def _make_topic(random: Random) -> str:
    return f"{random.choice(SERVICES)} and its {make_words(random, 2, 4)}"


def _make_turn(
    random: Random, turn: int, question: str, size: float, *, fact: dict[str, str] | None
) -> list[Message]:
    messages: list[Message] = [{"role": "user", "content": question}]
    step_count = random.randrange(4)
    if fact is not None:
        step_count = max(step_count, 1)
    for step in range(step_count):
        kind = random.choices(list(_KIND_WEIGHTS), list(_KIND_WEIGHTS.values()))[0]
        tool, text = _make_output(random, kind, size, fact if step == 0 else None)
        arguments = {"about": make_words(random, 1, 3), "page": random.randrange(1, 9)}
        function = {"name": tool, "arguments": json.dumps(arguments)}
        call = {"id": f"call_{turn}_{step}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
    answer = f"It is the {make_words(random, 12, 40)}."
    return [*messages, {"role": "assistant", "content": answer}]


def _make_output(
    random: Random, kind: str, size: float, fact: dict[str, str] | None
) -> tuple[str, str]:
    """Return a tool's name and output. A file cannot state a fact, so an answer replaces it."""
    if kind == "rows":
        shape = random.choice(list(ROWS))
        rows = [ROWS[shape](random, index) for index in range(_make_count(random, 2, 10, size))]
        if fact:
            rows.insert(random.randrange(len(rows)), {**rows[0], **fact})
        return f"list_{shape}", json.dumps(rows, ensure_ascii=False)
    if kind == "log":
        lines = [_make_log_line(random, sec) for sec in range(_make_count(random, 5, 30, size))]
        if fact:
            statement = f"{fact['incident']}: opened ticket {fact['ticket']}"
            text = f"{make_time(random, 30)} WARN  [mailer] {statement}"
            lines.insert(random.randrange(len(lines)), text)
        return "tail_log", "\n".join(lines)
    if kind == "file" and not fact:
        lines = random.choice(_source_files()).splitlines()
        start = random.randrange(max(1, len(lines) - 20))
        count = _make_count(random, 10, 60, size)
        return "read_file", "\n".join(lines[start : start + count])
    answer = {"status": "ok", "found": make_words(random, 2, 12), **(fact or {})}
    return "look_up", json.dumps(answer)


def _make_count(random: Random, minimum: int, maximum: int, size: float) -> int:
    return max(1, round(random.randint(minimum, maximum) * size))


def _make_log_line(random: Random, second: int) -> str:
    level, message = make_event(random)
    return f"{make_time(random, second)} {level:<5} [{random.choice(SERVICES)}] {message}"


@cache
def _source_files() -> list[str]:
    return [
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "headroom_core").rglob("*.py"))
    ]
