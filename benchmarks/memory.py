"""`python -m benchmarks.memory`: how long chat memories take to return a conversation.

Compares LlamaIndex's memories with `HeadroomChatMemory`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from statistics import median
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer, Memory

from benchmarks.data import array
from headroom_core import Tokenizer
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import HeadroomChatMemory

TURNS = 124
ROWS_PER_RESULT = 10
LIMITS = (50_000, 90_000)

REPETITIONS = 7
SLOW_REPETITIONS = 3
"""Number of repetitions of slow calls."""

NO_LIMIT = 10**9

Times = list[float]
"""Measured times in milliseconds."""


def make_conversation(turns: int, seed: int) -> list[ChatMessage]:
    """Return a system prompt, and turns of a question, a tool call, its output and an answer."""
    messages = [ChatMessage("You help with orders. Be brief.", role="system")]
    for number in range(turns):
        function = {"name": "fetch", "arguments": json.dumps({"page": number})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        output = array("database", ROWS_PER_RESULT, seed=seed * 10_000 + number)
        messages += [
            ChatMessage(f"What about number {number}?"),
            ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}),
            ChatMessage(output, role="tool", additional_kwargs={"tool_call_id": call["id"]}),
            ChatMessage(f"It is the customer {number}, who has paid.", role="assistant"),
        ]
    return messages


def make_question(number: int) -> ChatMessage:
    """Return a further question."""
    return ChatMessage(f"And what about number {number}, then?")


def time_call(work: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


async def time_aget(memory: Any) -> float:
    """Return how many milliseconds `aget` takes in a running event loop."""
    start = time.perf_counter()
    await memory.aget()
    return (time.perf_counter() - start) * 1e3


def time_llama_index(
    messages: Sequence[ChatMessage], limits: Sequence[int]
) -> Iterator[tuple[str, Times]]:
    """Yield the names and times of LlamaIndex's memories."""
    for limit in limits:
        buffer = ChatMemoryBuffer.from_defaults(chat_history=[*messages], token_limit=limit)
        times = [time_call(buffer.get) for _ in range(SLOW_REPETITIONS)]
        yield f"ChatMemoryBuffer.get, {limit:,}", times
    memory = Memory.from_defaults(chat_history=[*messages], token_limit=NO_LIMIT)
    yield "Memory.get", [time_call(memory.get) for _ in range(REPETITIONS)]
    yield "Memory.aget", [asyncio.run(time_aget(memory)) for _ in range(REPETITIONS)]
    questions = [make_question(number) for number in range(SLOW_REPETITIONS)]
    yield "Memory.put", [time_call(partial(memory.put, question)) for question in questions]


def time_headroom(turns: int, limit: int, *, retrieve: bool) -> Iterator[tuple[str, Times]]:
    """Yield the names and times of our memory: with new texts, again, and after new messages."""
    first_times: Times = []
    for number in range(2, 2 + SLOW_REPETITIONS):
        # The seed differs for each memory, so that no text has been seen before.
        seed = number + limit + (1 if retrieve else 0)
        memory = HeadroomChatMemory.from_defaults(
            make_conversation(turns, seed),
            token_limit=limit,
            store=MemoryStore(),
            retrieve=retrieve,
        )
        first_times.append(time_call(memory.get))
    name = f"{limit:,}, retrieve" if retrieve else f"{limit:,}"
    yield f"first get, {name}", first_times
    yield f"get, {name}", [time_call(memory.get) for _ in range(REPETITIONS)]
    yield f"aget, {name}", [asyncio.run(time_aget(memory)) for _ in range(REPETITIONS)]
    put_times: Times = []
    get_times: Times = []
    for number in range(REPETITIONS):
        put_times.append(time_call(partial(memory.put, make_question(number))))
        get_times.append(time_call(memory.get))
    yield f"put, {name}", put_times
    yield f"get after one more put, {name}", get_times


def format_line(name: str, times: Times, rivals: Iterable[float] = ()) -> str:
    """Format a line: the median, the least, and the median in multiples of the rivals' medians."""
    ratios = "".join(f"{median(times) / rival:>19.2f} x" for rival in rivals)
    return f"{name:<48}{median(times):>10.1f} ms{min(times):>10.1f} ms{ratios}"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--turns",
        type=int,
        default=TURNS,
        help="number of turns, of four messages each; defaults to %(default)s",
    )
    parser.add_argument(
        "--limits",
        default=",".join(map(str, LIMITS)),
        help="token limits, separated by commas; defaults to %(default)s",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = parse_arguments(arguments)
    limits = [int(limit) for limit in options.limits.split(",")]
    messages = make_conversation(options.turns, seed=1)
    rival_names = ("ChatMemoryBuffer.get", "Memory.get", "Memory.aget")
    heads = "".join(f"{name:>21}" for name in rival_names)
    size = f"{len(messages)} messages, {Tokenizer().count_messages(messages):,} tokens"
    print(f"{size:<48}{'median':>13}{'least':>13}{heads}")
    rivals: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, times in time_llama_index(messages, limits):
            rivals[name] = median(times)
            print(format_line(name, times), flush=True)
    for retrieve, limit in product((False, True), limits):
        names = (f"ChatMemoryBuffer.get, {limit:,}", "Memory.get", "Memory.aget")
        compared = [rivals[name] for name in names]
        for name, times in time_headroom(options.turns, limit, retrieve=retrieve):
            print(format_line(f"ours, {name}", times, compared), flush=True)


if __name__ == "__main__":
    main()
