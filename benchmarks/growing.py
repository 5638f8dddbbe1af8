"""`python -m benchmarks.growing`: the cost of requests in a conversation that grows.

Also measures how long an event loop is blocked while `acompress` runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from benchmarks.__main__ import progress
from benchmarks.data import array, exchange
from benchmarks.measure import texts
from headroom_core import acompress, compress
from headroom_core.stores import MemoryStore
from headroom_core.tokens.tokenizer import EncodingCounter
from headroom_integrations.langchain import LangChainDialect

SIZES = (10, 100, 500, 2000)
ROWS_PER_RESULT = 20
MESSAGES_PER_TURN = 4

MODEL = "gpt-4.1"
"""A model with a context window of a million tokens, so that nothing has to be dropped."""

REPETITIONS = 15

INPUTS = {"500 results of 2 kB": (500, 9), "one of 1 MB": (1, 4_200), "one of 5 MB": (1, 21_000)}
"""Number of tool results, and number of rows of each."""

NAP_SECONDS = 0.001
LONG_WAIT_SECONDS = 0.02

Turn = list[Any]


def openai_turn(number: int) -> Turn:
    """Return a question, a tool call, its output of 20 rows, and an answer."""
    output = array("database", ROWS_PER_RESULT, seed=number)
    messages = exchange(output, number, question=f"What about number {number}?")
    answer = {"role": "assistant", "content": f"It is the customer {number}, who has paid."}
    return [*messages, answer]


def anthropic_turn(number: int) -> Turn:
    """Return the same turn in Anthropic's format."""
    question, _, result, answer = openai_turn(number)
    use = {"type": "tool_use", "id": f"call_{number}", "name": "fetch", "input": {"page": number}}
    output = {"type": "tool_result", "tool_use_id": use["id"], "content": result["content"]}
    return [
        question,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [output]},
        answer,
    ]


def langchain_turn(number: int) -> Turn:
    """Return the same turn as LangChain messages."""
    question, _, result, answer = openai_turn(number)
    call = {"id": f"call_{number}", "name": "fetch", "args": {"page": number}}
    messages: list[BaseMessage] = [
        HumanMessage(question["content"]),
        AIMessage("", tool_calls=[call]),
        ToolMessage(result["content"], tool_call_id=call["id"]),
        AIMessage(answer["content"]),
    ]
    return messages


FORMATS: dict[str, tuple[Callable[[int], Turn], Any]] = {
    "openai": (openai_turn, "openai"),
    "anthropic": (anthropic_turn, "anthropic"),
    "langchain": (langchain_turn, LangChainDialect()),
}
"""The function that makes a turn, and the dialect that reads it, by format."""


def time_call(work: Callable[..., object], *args: Any, **kwargs: Any) -> float:
    """Return how many seconds a call takes."""
    start = time.perf_counter()
    work(*args, **kwargs)
    return time.perf_counter() - start


def measure_sizes(format_name: str, counts: Sequence[int]) -> Iterator[str]:
    """Yield a line for each length of a conversation.

    The measured requests consist of messages that were sent before, and a new question.
    """
    make_turn, dialect = FORMATS[format_name]
    turn_count = max(counts) // MESSAGES_PER_TURN + 1
    all_messages = [message for number in range(turn_count) for message in make_turn(number)]
    for count in counts:
        progress(f"{format_name}: {count} messages")
        messages = all_messages[:count]
        options = {"model": MODEL, "dialect": dialect, "store": MemoryStore()}
        first = time_call(compress, messages, **options) * 1e3
        questions = [make_turn(-number - 1)[0] for number in range(REPETITIONS)]
        times = [
            time_call(compress, [*messages, question], **options) * 1e3 for question in questions
        ]
        progress("")
        per_message = min(times) / count * 1e3
        yield (
            f"{format_name:<12}{count:>6}{first:>10.1f} ms{min(times):>10.2f} ms"
            f"{median(times):>10.2f} ms{per_message:>10.1f} µs"
        )


def measure_turns(format_name: str, count: int) -> Iterator[str]:
    """Yield a line for each quarter of a conversation.

    The cost of a turn is measured in encodings of the texts that it adds.
    """
    make_turn, dialect = FORMATS[format_name]
    messages: list[Any] = []
    store = MemoryStore()
    ratios: list[float] = []
    for number in range(count):
        progress(f"{format_name}: turn {number}")
        # A new counter for each text, since it remembers its counts.
        floor = sum(
            time_call(EncodingCounter("o200k_base").count, text)
            for text in texts(openai_turn(number))
        )
        messages += make_turn(number)
        spent = time_call(compress, messages, model=MODEL, dialect=dialect, store=store)
        ratios.append(spent / floor)
    progress("")
    length = max(1, count // 4)
    for start in range(0, count, length):
        quarter = ratios[start : start + length]
        name = f"{start + 1}–{start + len(quarter)}"
        yield f"{format_name:<12}{name:>12}{median(quarter):>10.2f} x{max(quarter):>10.2f} x"


async def measure_stall(messages: Sequence[Any]) -> tuple[float, list[float]]:
    """Return the time of `acompress`, and the delays of short naps beside it, longest first."""
    delays: list[float] = []

    async def nap_repeatedly() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(NAP_SECONDS)
            delays.append(time.perf_counter() - start - NAP_SECONDS)

    task = asyncio.create_task(nap_repeatedly())
    await asyncio.sleep(10 * NAP_SECONDS)
    delays.clear()
    start = time.perf_counter()
    await acompress(messages, store=MemoryStore())
    spent = time.perf_counter() - start
    task.cancel()
    return spent, sorted(delays, reverse=True)


def measure_stalls(inputs: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Yield a line for each input: how long an event loop was blocked during its compression."""
    # Everything that is imported at the first call counts for no input.
    asyncio.run(measure_stall(exchange(array("database", 50, seed=0))))
    for seed, (name, (result_count, row_count)) in enumerate(inputs.items(), 1):
        progress(name)
        messages: list[Any] = []
        for number in range(result_count):
            output = array("database", row_count, seed=seed * 1000 + number)
            messages += exchange(output, number)[1:]
        spent, delays = asyncio.run(measure_stall(messages))
        progress("")
        long_waits = sum(1 for delay in delays if delay > LONG_WAIT_SECONDS)
        yield f"{name:<22}{spent * 1e3:>10.0f} ms{delays[0] * 1e3:>10.1f} ms{long_waits:>8}"


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.growing", description=__doc__)
    parser.add_argument(
        "--sizes",
        default=",".join(map(str, SIZES)),
        help="numbers of messages, separated by commas; defaults to %(default)s",
    )
    parser.add_argument(
        "--turns",
        type=int,
        default=100,
        help="length of the growing conversation; defaults to %(default)s",
    )
    parser.add_argument(
        "--inputs",
        type=json.loads,
        default=INPUTS,
        help='inputs beside an event loop, as JSON: {"name": [results, rows of each]}',
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the three tables."""
    options = parse_arguments(arguments)
    sizes = [int(size) for size in options.sizes.split(",")]
    print(f"{'A request again':<12}{'first':>16}{'least':>13}{'median':>13}{'a message':>13}")
    for name in FORMATS:
        print(*measure_sizes(name, sizes), sep="\n", flush=True)
    print(f"\n{'Turns, in encodings of what each adds':<24}\n{'':<24}{'median':>12}{'dearest':>12}")
    for name in FORMATS:
        print(*measure_turns(name, options.turns), sep="\n", flush=True)
    print(f"\n{'An event loop beside':<22}{'takes':>13}{'waits':>13}{'> 20 ms':>8}")
    print(*measure_stalls(options.inputs), sep="\n", flush=True)


if __name__ == "__main__":
    main()
