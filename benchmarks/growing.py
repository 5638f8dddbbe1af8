"""`python -m benchmarks.growing`: what a request costs in a conversation that grows, and how long event loops wait."""

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
ROWS, A_TURN, MODEL = 20, 4, "gpt-4.1"
"""Rows of a result, messages of a turn, and a model that takes a million tokens, so that nothing has to be cut."""

REPEATED = 15
INPUTS = {"500 results of 2 kB": (500, 9), "one of 1 MB": (1, 4_200), "one of 5 MB": (1, 21_000)}
"""How many results wait at once, and the rows of each."""

Turn = list[Any]


def openai(number: int) -> Turn:
    """Return a question, a tool call, its output of 20 rows, and an answer."""
    messages = exchange(
        array("database", ROWS, seed=number), number, question=f"What about number {number}?"
    )
    return [
        *messages,
        {"role": "assistant", "content": f"It is the customer {number}, who has paid."},
    ]


def anthropic(number: int) -> Turn:
    """Return the same in Anthropic's format."""
    question, _, result, answer = openai(number)
    use = {"type": "tool_use", "id": f"call_{number}", "name": "fetch", "input": {"page": number}}
    made = {"type": "tool_result", "tool_use_id": use["id"], "content": result["content"]}
    return [
        question,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [made]},
        answer,
    ]


def langchain(number: int) -> Turn:
    """Return the same as LangChain's messages."""
    question, _, result, answer = openai(number)
    used = {"id": f"call_{number}", "name": "fetch", "args": {"page": number}}
    said: list[BaseMessage] = [HumanMessage(question["content"]), AIMessage("", tool_calls=[used])]
    return [
        *said,
        ToolMessage(result["content"], tool_call_id=used["id"]),
        AIMessage(answer["content"]),
    ]


FORMS: dict[str, tuple[Callable[[int], Turn], Any]] = {
    "openai": (openai, "openai"),
    "anthropic": (anthropic, "anthropic"),
    "langchain": (langchain, LangChainDialect()),
}
"""How each format's turns are made, and the dialect that reads them."""


def seconds(work: Callable[..., object], *given: Any, **options: Any) -> float:
    """Return how long it takes."""
    start = time.perf_counter()
    work(*given, **options)
    return time.perf_counter() - start


def sizes(form: str, counts: Sequence[int]) -> Iterator[str]:
    """Yield a line for each length: a request whose messages came before, all but a new question at the end."""
    make, dialect = FORMS[form]
    said = [message for number in range(max(counts) // A_TURN + 1) for message in make(number)]
    for count in counts:
        progress(f"{form}: {count} messages")
        messages, options = (
            said[:count],
            {"model": MODEL, "dialect": dialect, "store": MemoryStore()},
        )
        first = seconds(compress, messages, **options) * 1e3
        questions = [make(-number - 1)[0] for number in range(REPEATED)]
        spent = [
            seconds(compress, [*messages, question], **options) * 1e3 for question in questions
        ]
        progress("")
        cells = f"{first:>10.1f} ms{min(spent):>10.2f} ms{median(spent):>10.2f} ms{min(spent) / count * 1e3:>10.1f} µs"
        yield f"{form:<12}{count:>6}{cells}"


def turns(form: str, count: int) -> Iterator[str]:
    """Yield a line for each quarter of a conversation: its turns, in encodings of what each turn added."""
    make, dialect = FORMS[form]
    messages: list[Any] = []
    store, ratios = MemoryStore(), list[float]()
    for number in range(count):
        progress(f"{form}: turn {number}")
        floor = sum(
            seconds(EncodingCounter("o200k_base").count, text) for text in texts(openai(number))
        )
        messages += make(number)
        ratios.append(
            seconds(compress, messages, model=MODEL, dialect=dialect, store=store) / floor
        )
    progress("")
    length = max(1, count // 4)
    for start in range(0, count, length):
        quarter = ratios[start : start + length]
        name = f"{start + 1}–{start + len(quarter)}"
        yield f"{form:<12}{name:>12}{median(quarter):>10.2f} x{max(quarter):>10.2f} x"


async def stall(messages: Sequence[Any]) -> tuple[float, list[float]]:
    """Return how long `acompress` takes, and by how much each nap of a millisecond beside it was too long."""
    late: list[float] = []

    async def nap() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - start - 0.001)

    napping = asyncio.create_task(nap())
    await asyncio.sleep(0.01)
    late.clear()
    start = time.perf_counter()
    await acompress(messages, store=MemoryStore())
    spent = time.perf_counter() - start
    napping.cancel()
    return spent, sorted(late, reverse=True)


def stalls(inputs: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Yield a line for each input: the longest that an event loop waited while it was compressed in a thread."""
    asyncio.run(stall(exchange(array("database", 50, seed=0))))
    for seed, (name, (count, rows)) in enumerate(inputs.items(), 1):
        progress(name)
        results = [
            exchange(array("database", rows, seed=seed * 1000 + at), at)[1:] for at in range(count)
        ]
        spent, late = asyncio.run(stall([message for result in results for message in result]))
        progress("")
        often = sum(one > 0.02 for one in late)
        yield f"{name:<22}{spent * 1e3:>10.0f} ms{late[0] * 1e3:>10.1f} ms{often:>8}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.growing", description=__doc__)
    parser.add_argument(
        "--sizes", default=",".join(map(str, SIZES)), help="numbers of messages, with commas"
    )
    parser.add_argument(
        "--turns", type=int, default=100, help="the length of the conversation that grows"
    )
    parser.add_argument(
        "--inputs",
        type=json.loads,
        default=INPUTS,
        help='as JSON: {"name": [results, rows of each]}',
    )
    asked = parser.parse_args(arguments)
    print(f"{'A request again':<12}{'first':>16}{'least':>13}{'median':>13}{'a message':>13}")
    for form in FORMS:
        print(*sizes(form, [int(size) for size in asked.sizes.split(",")]), sep="\n", flush=True)
    print(f"\n{'Turns, in encodings of what each adds':<24}\n{'':<24}{'median':>12}{'dearest':>12}")
    for form in FORMS:
        print(*turns(form, asked.turns), sep="\n", flush=True)
    print(f"\n{'An event loop beside':<22}{'takes':>13}{'waits':>13}{'> 20 ms':>8}")
    print(*stalls(asked.inputs), sep="\n", flush=True)


if __name__ == "__main__":
    main()
