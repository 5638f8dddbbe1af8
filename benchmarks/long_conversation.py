"""`python -m benchmarks.long_conversation`: the cost of a long conversation, request by request.

A generated conversation of an agent is replayed: before each message of the model, the conversation
so far is fitted into the budget and sent. A provider's prompt cache reads the leading messages that
equal those of the previous request, and writes the rest. A turn is broken if any of its requests
does not begin with the whole previous request, as bytes of its JSON; "again" counts the bytes of
such requests from the first difference on.

The costs are those of the input only, with a cache that never expires and, where requests mark the
end of the cached part, with marks in the best places. They do not include retrievals of originals.
Tokens are counted with gpt-4o's vocabulary for all models. Of the facts that are stated early and
asked for late, `present` counts those in the request with the question, `retrievable` those in an
original that a marker in it refers to, and `gone` all others. `over` counts the requests that
exceed the budget.
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
from benchmarks.windows import MakeWindow, Window, available_windows, missing_windows
from headroom_core import Tokenizer
from headroom_core.markers import RETRIEVE_TOOL
from headroom_core.models.lookup import model_info
from headroom_core.stores import MemoryStore, Store

TURNS = 200
BUDGET = 32_000
SEED = 1
SIZES = (1.0, 2.25)
"""Sizes of the tools' outputs: 1 gives about 500 tokens a turn."""

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

# The key in a marker, whose quote may be escaped because the marker stands inside of JSON.
_KEY = re.compile(rf'{RETRIEVE_TOOL}\(key=\\*"(\w+)')


@dataclass(slots=True)
class Replay:
    """The figures of a conversation with one method.

    Attributes:
        broken: Turns that broke the cached prefix.
        again: Bytes from the first difference on, in requests that broke the cached prefix.
        sent: Number of tokens of each request.
        cached: Number of tokens of each request that are read from the cache.
        seconds: Time of the method for each request.
        over: Number of requests that exceed the budget.
        present: Number of facts in the request with the question for them.
        retrievable: Number of facts in an original that a marker in that request refers to.
        gone: Number of other facts.
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

    def count_fact(self, fact: str, request: str, store: Store) -> None:
        """Count a fact that a request asks for by where it is found."""
        if fact in request:
            self.present += 1
        elif any(fact in (store.get(key) or "") for key in _KEY.findall(request)):
            self.retrievable += 1
        else:
            self.gone += 1

    def cost(self, model: str) -> float:
        """Return the cost of all requests with a model, in USD."""
        info = model_info(model)
        assert info.prices
        assert info.cache
        total = 0.0
        for sent, cached in zip(self.sent, self.cached):
            price = info.prices.for_request(sent).input
            read = cached if cached >= (info.cache.min_tokens or 0) else 0
            total += price * (read * info.cache.read + (sent - read) * info.cache.write)
        return total / 1e6


class _Recorder:
    """Records requests, and compares each with the previous request.

    Args:
        replay: Where the figures are recorded.
        budget: Maximum number of tokens of a request.
    """

    def __init__(self, replay: Replay, budget: int) -> None:
        self._replay = replay
        self._budget = budget
        self._tokenizer = Tokenizer()
        self._sizes: dict[str, int] = {}
        self._previous: list[str] = []

    def record(self, turn: int, messages: Sequence[Message]) -> str:
        """Record a request, and return its JSON."""
        lines = [json.dumps(message, ensure_ascii=False) for message in messages]
        sizes = [self._size(line, message) for line, message in zip(lines, messages)]
        common = _common_prefix_length(self._previous, lines)
        replay = self._replay
        replay.sent.append(sum(sizes))
        replay.cached.append(sum(sizes[:common]))
        if self._tokenizer.count_messages(messages) > self._budget:
            replay.over += 1
        if common < len(self._previous):
            replay.broken.add(turn)
            replay.again += _bytes_from_difference(self._previous[common:], lines[common:])
        self._previous = lines
        return "\n".join(lines)

    def _size(self, line: str, message: Message) -> int:
        if line not in self._sizes:
            self._sizes[line] = self._tokenizer.count_message(message)
        return self._sizes[line]


def _bytes_from_difference(previous: Sequence[str], lines: Sequence[str]) -> int:
    """Return the number of bytes from the first difference on, which is in the first line."""
    if not previous or not lines:
        return 0
    line_breaks = len(lines) - 1
    total = sum(len(line.encode()) for line in lines) + line_breaks
    return total - _common_prefix_length(previous[0].encode(), lines[0].encode())


def _common_prefix_length(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Return how many leading items two sequences have in common."""
    for index, (one_item, other_item) in enumerate(zip(first, second)):
        if one_item != other_item:
            return index
    return min(len(first), len(second))


def replay_conversation(talk: Talk, make_window: MakeWindow, budget: int) -> Replay:
    """Replay a conversation, every request of which a method fits into the budget."""
    replay = Replay()
    store = MemoryStore()
    window = make_window(store)
    recorder = _Recorder(replay, budget)
    history: list[Message] = []
    for turn, messages in enumerate(talk.turns):
        for message in messages:
            if message["role"] == "assistant":
                request = list(history)
                start = time.perf_counter()
                sent = window(request, budget)
                replay.seconds.append(time.perf_counter() - start)
                text = recorder.record(turn, sent)
                if turn in talk.facts and history[-1]["role"] == "user":
                    replay.count_fact(talk.facts[turn], text, store)
            history.append(message)
    return replay


def format_line(name: str, replay: Replay, turns: int) -> str:
    """Format a line of the table."""
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


def format_header() -> str:
    """Format the header of the table."""
    tokens = "".join(f"{name:>9}" for name in ("MB again", "M tokens", "cached", "uncached"))
    prices = "".join(f"{model:>{len(model) + 2}}" for model in MODELS)
    times = f"{'ms/request':>12}{'last':>8}{'over':>6}"
    facts = f"{'present':>9}{'retrievable':>13}{'gone':>6}"
    return f"{'':<31}{'broken':>7}{'':>7}{tokens}{prices}{times}{facts}"


def make_nothing(_: Store) -> Window:
    """Make a window that sends everything."""
    return lambda messages, budget: messages


def format_table(talk: Talk, budget: int, methods: Sequence[str] = METHODS) -> Iterator[str]:
    """Replay a conversation with each method, and yield the lines of its table."""
    messages = [message for turn in talk.turns for message in turn]
    requests = sum(1 for message in messages if message["role"] == "assistant")
    tokens = Tokenizer().count_messages(messages)
    yield (
        f"{len(talk.turns)} turns, {requests} requests, {tokens:,} tokens, "
        f"a budget of {budget:,}; costs in USD"
    )
    yield format_header()
    windows: dict[str, MakeWindow] = {NOTHING: make_nothing, **available_windows(methods)}
    for name, make_window in windows.items():
        progress(name)
        replay = replay_conversation(talk, make_window, budget)
        progress("")
        yield format_line(name, replay, len(talk.turns))
    yield from missing_windows(methods)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.long_conversation", description=__doc__)
    parser.add_argument(
        "--turns",
        type=int,
        default=TURNS,
        help="length of the conversation; defaults to %(default)s",
    )
    parser.add_argument(
        "--budget",
        type=int,
        default=BUDGET,
        help="maximum number of tokens of a request; defaults to %(default)s",
    )
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        help="sizes of the tools' outputs, separated by commas; 1 gives about 500 tokens a turn",
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help="seed of the conversation; defaults to %(default)s"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay a conversation of each size, and print a table for each."""
    options = parse_arguments(arguments)
    for size in options.sizes.split(","):
        talk = agent_conversation(options.turns, options.seed, size=float(size))
        for line in format_table(talk, options.budget):
            print(line, flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
