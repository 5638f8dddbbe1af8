"""`python -m benchmarks.long_conversation`: what a long conversation of an agent costs, request by request.

A generated conversation is replayed: before each answer of the model, and before each of its calls, what has been said
so far is made to fit the budget, and sent. A provider's prompt cache reads what begins as the request before did, whole
message by whole message, and writes the rest. A turn is broken when one of its requests does not begin with all of the
request before, as the bytes of its JSON; "again" is all that such requests hold from the first difference on.

The costs are those of the input alone, with a cache that forgets nothing in between and, where requests mark what is
cached, marks in the best places; fetching an original is not among them. Tokens are counted by gpt-4o's vocabulary for
all models. Of facts that were told early and are asked for late, `present` ones are in what is sent with the question,
`retrievable` ones in an original that a marker in it names, and the others are gone. `over` counts requests that are
larger than the budget.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.__main__ import progress
from benchmarks.agents import Talk, agent_conversation
from benchmarks.data import Message
from benchmarks.windows import MakeWindow, left_out, windows
from headroom_core import Tokenizer
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.models.lookup import model_info
from headroom_core.stores import MemoryStore, Store

TURNS, BUDGET, SEED = 200, 32_000, 1
SIZES = (1.0, 2.25)
"""How large the answers of tools are: 1 gives about 500 tokens a turn."""

MODELS = ("claude-sonnet-4-5", "gpt-4o", "gpt-4.1")
NOTHING = "nothing"
METHODS = (
    "compress, RollingWindow",
    "compress, IntelligentContext",
    "compress, nothing kept",
    "RollingWindow",
    "trim_messages, start_on human",
    "trim_messages",
    "ClearToolUsesEdit",
)
BROKEN_SHARE = 0.05
"""The share of broken turns to stay within."""

_KEY = re.compile(rf'{RETRIEVE_TOOL}\(key=\\*"(\w+)')


@dataclass(slots=True)
class Replay:
    """What became of a conversation with one method.

    Attributes:
        broken: the turns that broke what was cached.
        again: bytes from the first difference on, of requests that broke it.
        sent: the tokens of each request.
        cached: of these, those that the request before began with.
        seconds: time that the method took for each request.
        over: requests larger than the budget.
        present: facts in what was sent with the question for them.
        retrievable: facts in an original that a marker in it names.
        gone: other facts.
    """

    broken: set[int] = field(default_factory=set)
    again: int = 0
    sent: list[int] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    over: int = 0
    present: int = 0
    retrievable: int = 0
    gone: int = 0

    def fact(self, value: str, text: str, store: Store) -> None:
        """Note where a fact is that a question asks for."""
        if value in text:
            self.present += 1
        elif any(value in (store.get(key) or "") for key in _KEY.findall(text)):
            self.retrievable += 1
        else:
            self.gone += 1

    def cost(self, model: str) -> float:
        """Return what all requests cost with a model, in USD."""
        info = model_info(model)
        assert info.prices
        assert info.cache
        total = 0.0
        for sent, cached in zip(self.sent, self.cached):
            price = info.prices.for_request(sent).input
            read = cached if cached >= (info.cache.min_tokens or 0) else 0
            total += price * (read * info.cache.read + (sent - read) * info.cache.write)
        return total / 1e6


class _Wire:
    """Sees what is sent, and compares it with what was sent before.

    Args:
        replay: where that is noted.
        budget: what a request may have, in tokens.
    """

    def __init__(self, replay: Replay, budget: int) -> None:
        self._replay = replay
        self._budget = budget
        self._tokenizer = Tokenizer()
        self._tokens: dict[str, int] = {}
        self._before: list[str] = []

    def send(self, turn: int, messages: Sequence[Message]) -> str:
        """Note a request, and return its JSON."""
        lines = [json.dumps(message, ensure_ascii=False) for message in messages]
        sizes = [self._size(line, message) for line, message in zip(lines, messages)]
        same = _common(self._before, lines)
        replay = self._replay
        replay.sent.append(sum(sizes))
        replay.cached.append(sum(sizes[:same]))
        replay.over += self._tokenizer.count_messages(messages) > self._budget
        if same < len(self._before):
            replay.broken.add(turn)
            replay.again += _differing(self._before[same:], lines[same:])
        self._before = lines
        return "\n".join(lines)

    def _size(self, line: str, message: Message) -> int:
        if line not in self._tokens:
            self._tokens[line] = self._tokenizer.count_message(message)
        return self._tokens[line]


def _differing(before: Sequence[str], now: Sequence[str]) -> int:
    """Return the bytes of what is sent now from the first one that differs; the first messages already do."""
    if not before or not now:
        return 0
    rest = sum(len(line.encode()) for line in now) + len(now) - 1
    return rest - _common(before[0].encode(), now[0].encode())


def _common(before: Sequence[Any], now: Sequence[Any]) -> int:
    """Return how many items both begin with."""
    pairs = enumerate(zip(before, now))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(now)))


def replayed(talk: Talk, make: MakeWindow, budget: int) -> Replay:
    """Return what becomes of a conversation whose every request is made to fit by a method with one store."""
    replay, store, history = Replay(), MemoryStore(), list[Message]()
    window, wire = make(store), _Wire(replay, budget)
    for turn, messages in enumerate(talk.turns):
        for message in messages:
            if message["role"] == "assistant":
                given = list(history)
                start = time.perf_counter()
                sent = window(given, budget)
                replay.seconds.append(time.perf_counter() - start)
                text = wire.send(turn, sent)
                if turn in talk.asked and history[-1]["role"] == "user":
                    replay.fact(talk.asked[turn], text, store)
            history.append(message)
    return replay


def line(name: str, replay: Replay, turns: int) -> str:
    """Return one line of the table."""
    sent, cached = sum(replay.sent), sum(replay.cached)
    broken = len(replay.broken)
    cells = [
        f"{name:<31}{broken:>7}{broken / turns:>7.1%}{replay.again / 1e6:>9.2f}{sent / 1e6:>9.2f}",
        f"{cached / 1e6:>9.2f}{(sent - cached) / 1e6:>9.2f}",
        *(f"{replay.cost(model):>{len(model) + 2}.2f}" for model in MODELS),
        f"{1000 * median(replay.seconds):>12.1f}{1000 * replay.seconds[-1]:>8.1f}{replay.over:>6}",
        f"{replay.present:>9}{replay.retrievable:>13}{replay.gone:>6}",
    ]
    return "".join(cells)


def head() -> str:
    """Return the heads of the table."""
    tokens = "".join(f"{name:>9}" for name in ("MB again", "M tokens", "cached", "uncached"))
    prices = "".join(f"{model:>{len(model) + 2}}" for model in MODELS)
    times = f"{'ms/request':>12}{'last':>8}{'over':>6}"
    return f"{'':<31}{'broken':>7}{'':>7}{tokens}{prices}{times}{'present':>9}{'retrievable':>13}{'gone':>6}"


def table(talk: Talk, budget: int, methods: Sequence[str] = METHODS) -> Iterator[str]:
    """Yield the table of a conversation."""
    messages = [message for turn in talk.turns for message in turn]
    requests = sum(message["role"] == "assistant" for message in messages)
    tokens = Tokenizer().count_messages(messages)
    yield f"{len(talk.turns)} turns, {requests} requests, {tokens:,} tokens, a budget of {budget:,}; costs in USD"
    yield head()
    everything: dict[str, Any] = {NOTHING: lambda store: lambda given, budget: given}
    for name, make in (everything | windows(methods)).items():
        progress(name)
        replay = replayed(talk, make, budget)
        progress("")
        yield line(name, replay, len(talk.turns))
    yield from left_out(methods)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay the conversations, and print a table for each."""
    parser = argparse.ArgumentParser("python -m benchmarks.long_conversation", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="the length of the conversation")
    parser.add_argument(
        "--budget", type=int, default=BUDGET, help="the tokens that a request may have"
    )
    parser.add_argument(
        "--sizes", default=",".join(map(str, SIZES)), help="1 for 500 tokens a turn; with commas"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help="another one gives another conversation"
    )
    asked = parser.parse_args(arguments)
    for size in asked.sizes.split(","):
        for one in table(
            agent_conversation(asked.turns, asked.seed, size=float(size)), asked.budget
        ):
            print(one, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
