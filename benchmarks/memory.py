"""`python -m benchmarks.memory`: how long chat memories take to give a conversation back, LlamaIndex's beside ours."""

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

TURNS, ROWS, LIMITS, REPEATED = 124, 10, (50_000, 90_000), 7
PLENTY = 10**9

Spent = list[float]


def conversation(turns: int, seed: int) -> list[ChatMessage]:
    """Return a system prompt, and turns of a question, a tool call, its output of 10 rows, and an answer."""
    said = [ChatMessage("You help with orders. Be brief.", role="system")]
    for number in range(turns):
        function = {"name": "fetch", "arguments": json.dumps({"page": number})}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        made = array("database", ROWS, seed=seed * 10_000 + number)
        said += [
            ChatMessage(f"What about number {number}?"),
            ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}),
            ChatMessage(made, role="tool", additional_kwargs={"tool_call_id": call["id"]}),
            ChatMessage(f"It is the customer {number}, who has paid.", role="assistant"),
        ]
    return said


def spent(work: Callable[[], object]) -> float:
    """Return how many milliseconds it takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


async def awaited(memory: Any) -> float:
    """Return how many milliseconds `aget` takes in an event loop that runs already."""
    start = time.perf_counter()
    await memory.aget()
    return (time.perf_counter() - start) * 1e3


def theirs(messages: Sequence[ChatMessage], limits: Sequence[int]) -> Iterator[tuple[str, Spent]]:
    """Yield how long LlamaIndex's memories take."""
    for limit in limits:
        buffer = ChatMemoryBuffer.from_defaults(chat_history=[*messages], token_limit=limit)
        yield f"ChatMemoryBuffer.get, {limit:,}", [spent(buffer.get) for _ in range(3)]
    memory = Memory.from_defaults(chat_history=[*messages], token_limit=PLENTY)
    yield "Memory.get", [spent(memory.get) for _ in range(REPEATED)]
    yield "Memory.aget", [asyncio.run(awaited(memory)) for _ in range(REPEATED)]
    yield "Memory.put", [spent(partial(memory.put, another(number))) for number in range(3)]


def ours(turns: int, limit: int, retrieve: bool) -> Iterator[tuple[str, Spent]]:
    """Yield how long our memory takes: with texts that it never saw, again, and with one message more each time."""
    first: Spent = []
    for seed in range(2, 5):
        memory = HeadroomChatMemory.from_defaults(
            conversation(turns, seed + limit + retrieve),
            token_limit=limit,
            store=MemoryStore(),
            retrieve=retrieve,
        )
        first.append(spent(memory.get))
    name = f"{limit:,}{', retrieve' * retrieve}"
    yield f"first get, {name}", first
    yield f"get, {name}", [spent(memory.get) for _ in range(REPEATED)]
    yield f"aget, {name}", [asyncio.run(awaited(memory)) for _ in range(REPEATED)]
    times = [
        (spent(partial(memory.put, another(number))), spent(memory.get))
        for number in range(REPEATED)
    ]
    yield f"put, {name}", [put for put, _ in times]
    yield f"get after one more put, {name}", [get for _, get in times]


def another(number: int) -> ChatMessage:
    """Return one more message."""
    return ChatMessage(f"And what about number {number}, then?")


def line(name: str, times: Spent, rivals: Iterable[float] = ()) -> str:
    """Return a line: the median, the least, and the median in those of others."""
    shares = "".join(f"{median(times) / rival:>19.2f} x" for rival in rivals)
    return f"{name:<48}{median(times):>10.1f} ms{min(times):>10.1f} ms{shares}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--turns",
        type=int,
        default=TURNS,
        help="the length of the conversation, four messages each",
    )
    parser.add_argument(
        "--limits", default=",".join(map(str, LIMITS)), help="tokens to give back, with commas"
    )
    asked = parser.parse_args(arguments)
    limits = [int(limit) for limit in asked.limits.split(",")]
    messages = conversation(asked.turns, 1)
    heads = "".join(f"{name:>21}" for name in ("ChatMemoryBuffer.get", "Memory.get", "Memory.aget"))
    size = f"{len(messages)} messages, {Tokenizer().count_messages(messages):,} tokens"
    print(f"{size:<48}{'median':>13}{'least':>13}{heads}")
    rivals: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for name, times in theirs(messages, limits):
            rivals[name] = median(times)
            print(line(name, times), flush=True)
    for retrieve, limit in product((False, True), limits):
        against = [
            rivals[name]
            for name in (f"ChatMemoryBuffer.get, {limit:,}", "Memory.get", "Memory.aget")
        ]
        for name, times in ours(asked.turns, limit, retrieve):
            print(line(f"ours, {name}", times, against), flush=True)


if __name__ == "__main__":
    main()
