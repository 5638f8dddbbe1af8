"""An agent's long conversation, generated: answers of tools of all sizes, and facts that are asked for much later."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from random import Random

from benchmarks.data import ROWS, SERVICES, Message, event, hexadecimal, moment, words
from benchmarks.measure import ROOT

_EARLY, _LATE = 0.4, 0.8
"""The shares of a conversation before which facts are told, and after which they are asked for."""

_KINDS = {"answer": 45, "rows": 25, "log": 15, "file": 15}
"""How often a tool answers with what."""

SYSTEM = (
    "You are the operations assistant of a shop with six services. Use the tools to look things up: never guess an "
    "id, a number or a time. Say what you found in a sentence or two, name the source, and ask before you change "
    "anything. Incidents have tickets; a ticket is closed by the person who opened it."
)


@dataclass(slots=True)
class Talk:
    """A conversation, turn by turn.

    Attributes:
        turns: the messages of each turn: a question, calls with their results, and an answer.
        asked: by turn, the fact that its question asks for.
    """

    turns: list[list[Message]]
    asked: dict[int, str] = field(default_factory=dict)


def agent_conversation(turns: int, seed: int, *, size: float = 1.0, facts: int = 20) -> Talk:
    """Return a conversation with a system prompt, in which tools told of facts early that are asked for late.

    Args:
        turns: the number of its turns.
        seed: the same one gives the same conversation, as long as the sources here are the same.
        size: how large the answers of tools are: 1 gives about 500 tokens a turn.
        facts: how many facts there are, at most.
    """
    random = Random(f"agent {seed}")
    early, late = range(1, int(turns * _EARLY)), range(int(turns * _LATE), turns)
    count = min(facts, len(early), len(late))
    told = dict(
        zip(
            sorted(random.sample(early, count)),
            (hexadecimal(random, 10).upper() for _ in range(count)),
        )
    )
    asks = dict(zip(sorted(random.sample(late, count)), random.sample(sorted(told), count)))
    about = {
        turn: f"the {words(random, 2, 2)} incident {number}" for number, turn in enumerate(told, 1)
    }
    talk = Talk([], {turn: told[of] for turn, of in asks.items()})
    for turn in range(turns):
        topic = about.get(turn) or about.get(asks.get(turn, -1))
        question = (
            f"Which ticket did we open for {topic}?"
            if turn in asks
            else f"What about {topic or _topic(random)}?"
        )
        fact = {"incident": topic or "", "ticket": told[turn]} if turn in told else None
        talk.turns.append(_turn(random, turn, question, size, fact))
    talk.turns[0].insert(0, {"role": "system", "content": SYSTEM})
    return talk


def _topic(random: Random) -> str:
    return f"{random.choice(SERVICES)} and its {words(random, 2, 4)}"


def _turn(
    random: Random, turn: int, question: str, size: float, fact: dict[str, str] | None
) -> list[Message]:
    messages: list[Message] = [{"role": "user", "content": question}]
    for step in range(max(random.randrange(4), fact is not None)):
        kind = random.choices(list(_KINDS), list(_KINDS.values()))[0]
        tool, text = _result(random, kind, size, fact if step == 0 else None)
        arguments = {"about": words(random, 1, 3), "page": random.randrange(1, 9)}
        function = {"name": tool, "arguments": json.dumps(arguments)}
        call = {"id": f"call_{turn}_{step}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call["id"], "content": text})
    return [*messages, {"role": "assistant", "content": f"It is the {words(random, 12, 40)}."}]


def _result(random: Random, kind: str, size: float, fact: dict[str, str] | None) -> tuple[str, str]:
    """Return the name of a tool and what it answers; with a fact, not a file, which would not hold it."""
    if kind == "rows":
        shape = random.choice(list(ROWS))
        rows = [ROWS[shape](random, index) for index in range(_many(random, 2, 10, size))]
        if fact:
            rows.insert(random.randrange(len(rows)), {**rows[0], **fact})
        return f"list_{shape}", json.dumps(rows, ensure_ascii=False)
    if kind == "log":
        lines = [_log_line(random, second) for second in range(_many(random, 5, 30, size))]
        if fact:
            text = f"{moment(random, 30)} WARN  [mailer] {fact['incident']}: opened ticket {fact['ticket']}"
            lines.insert(random.randrange(len(lines)), text)
        return "tail_log", "\n".join(lines)
    if kind == "file" and not fact:
        lines = random.choice(_sources()).splitlines()
        start, many = random.randrange(max(1, len(lines) - 20)), _many(random, 10, 60, size)
        return "read_file", "\n".join(lines[start : start + many])
    return "look_up", json.dumps({"status": "ok", "found": words(random, 2, 12), **(fact or {})})


def _many(random: Random, least: int, most: int, size: float) -> int:
    return max(1, round(random.randint(least, most) * size))


def _log_line(random: Random, second: int) -> str:
    level, message = event(random)
    return f"{moment(random, second)} {level:<5} [{random.choice(SERVICES)}] {message}"


@cache
def _sources() -> list[str]:
    return [
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "headroom_core").rglob("*.py"))
    ]
