"""`python -m benchmarks.scorers`: the speed of scoring by words, and its quality."""

from __future__ import annotations

import argparse
import csv
import io
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rank_bm25 import BM25Plus

from benchmarks.__main__ import progress
from benchmarks.corpus import load_scoring_module
from benchmarks.measure import CORPUS
from headroom_core.relevance import BM25Scorer, split_words

SIZES = (1_000, 100_000)
SETS = ("json_api", "tables_csv")
FEWEST_ROWS = 5
REPEATED, MANY = 5, 10_000
TOP = (1, 5)

Split = Callable[[str], list[str]]
Rank = Callable[[Sequence[str], str], Sequence[float]]


def plain_words(text: str) -> list[str]:
    """Return runs of letters and digits in lower case."""
    return re.findall(r"\w+", text.lower())


def textbook(split: Split) -> Rank:
    """Return what scores with rank-bm25, on words as a function tells them apart."""

    def rank(items: Sequence[str], query: str) -> Sequence[float]:
        model = BM25Plus([split(item) for item in items], delta=0)
        scores: list[float] = (
            model.get_scores(list(dict.fromkeys(split(query)))).tolist() if model.avgdl else []
        )
        return scores or [0.0] * len(items)

    return rank


RANKS: dict[str, Rank] = {
    "rank-bm25, split()": textbook(str.split),
    "rank-bm25, \\w+": textbook(plain_words),
    "rank-bm25, our words": textbook(split_words),
    "BM25Scorer": BM25Scorer().score_items,
}


def only_words(items: Sequence[str], query: str) -> Sequence[float]:
    """Tell the items' words apart, and score nothing."""
    return [float(len(split_words(item))) for item in items]


def log_line(rng: random.Random) -> str:
    """Return a line of a log."""
    level, unit = (
        rng.choice(["INFO", "INFO", "WARN", "ERROR"]),
        rng.choice(["QuorumCnxManager", "http_pool", "auth"]),
    )
    address = f"10.0.{rng.randrange(256)}.{rng.randrange(256)}:{rng.randrange(1024, 65536)}"
    hour, minute, second = rng.randrange(24), rng.randrange(60), rng.randrange(60)
    clock = f"{hour:02}:{minute:02}:{second:02},{rng.randrange(1000):03}"
    request = f"request_id={rng.getrandbits(64):016x} took {rng.randrange(9000)} ms"
    day = f"2026-01-{rng.randrange(1, 29):02}"
    return f"{day} {clock} {level} [{unit}] Received request from {address} {request}"


def json_row(rng: random.Random) -> str:
    """Return a row of an array."""
    row = {
        "orderId": rng.randrange(10**9),
        "customer": {
            "userName": f"user{rng.randrange(10**5)}",
            "country": rng.choice(["DE", "FR", "CZ"]),
        },
        "status": rng.choice(["shipped", "paid", "refund_failed"]),
        "amount": rng.randrange(10**6) / 100,
    }
    return json.dumps(row)


MAKERS: dict[str, tuple[Callable[[random.Random], str], str]] = {
    "log": (
        log_line,
        "which ERROR came from http_pool for request_id={id} and how long did it take?",
    ),
    "json": (json_row, "Why did the refund of order {id} fail?"),
}


def timed(kind: str, size: int, rank: Rank, seed: int) -> tuple[float, float]:
    """Return the fewest seconds that scoring new items takes, and their size in MB."""
    make, question = MAKERS[kind]
    least, megabytes = float("inf"), 0.0
    for repetition in range(REPEATED if size < MANY else 1):
        # No two seeds are the same, so that no cache of words knows the ids.
        rng = random.Random(seed + repetition)
        items = [make(rng) for _ in range(size)]
        query = question.format(id=re.findall(r"\d[\da-f]{4,}", items[size // 2])[-1])
        start = time.perf_counter()
        rank(items, query)
        least = min(least, time.perf_counter() - start)
        megabytes = sum(map(len, items)) / 1e6
    return least, megabytes


def speeds(sizes: Sequence[int]) -> Iterator[str]:
    """Yield the table of seconds, a line for each kind of items and their number."""
    names = f"{'words alone':>14}{'rank-bm25':>12}{'BM25Scorer':>14}"
    yield f"{'items':<16}{'MB':>6}{names}{'ratio':>8}"
    for kind in MAKERS:
        for size in sizes:
            name = f"{size:,} {kind}"
            progress(f"{name} items")
            splitting, megabytes = timed(kind, size, only_words, 0)
            theirs, _ = timed(kind, size, RANKS["rank-bm25, our words"], REPEATED)
            ours, _ = timed(kind, size, RANKS["BM25Scorer"], 2 * REPEATED)
            progress("")
            seconds = f"{splitting:>12.3f} s{theirs:>10.3f} s{ours:>12.3f} s"
            yield f"{name:<16}{megabytes:>6.1f}{seconds}{ours / theirs:>8.2f}"


def tables(content: str) -> Iterator[list[str]]:
    """Yield the rows, as text, of every array of objects and of a CSV."""
    try:
        yield from _arrays(json.loads(content))
    except ValueError:
        lines = content.splitlines()
        if all(line.startswith("{") for line in lines):
            yield lines
        else:
            yield [",".join(cells) for cells in csv.reader(io.StringIO(content))][1:]


def _arrays(value: Any) -> Iterator[list[str]]:
    below = (
        list(value.values())
        if isinstance(value, dict)
        else value
        if isinstance(value, list)
        else []
    )
    rows = [item for item in below if isinstance(item, dict)]
    if len(rows) == len(below) >= FEWEST_ROWS:
        yield [json.dumps(row, ensure_ascii=False) for row in rows]
    for item in below:
        yield from _arrays(item)


def questions(folder: Path) -> Iterator[tuple[str, str, list[str], set[int]]]:
    """Yield set, query, rows, and the indices of the rows that hold the whole answer."""
    score = load_scoring_module(folder)
    for _, case in score.load(SETS, ("dev",), str(folder)):
        if not case.get("query"):
            continue
        for rows in tables(case["content"]):
            texts = [score.Text(row) for row in rows]
            right = {
                at
                for at, text in enumerate(texts)
                if all(score.fact_kept(f, text) for f in case["must_keep"])
            }
            if right:
                yield case["set"], case["query"], rows, right
                break


def hits(folder: Path) -> Iterator[str]:
    """Yield the table of how often a right row comes first, and is among the first five."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, (name, query, rows, right) in enumerate(questions(folder), 1):
        if number % 20 == 0:
            progress(f"{number} questions")
        for ranked, rank in RANKS.items():
            scores = rank(rows, query)
            order = sorted(range(len(rows)), key=lambda at: (-scores[at], at))
            found.setdefault((ranked, name), []).append(
                next(place for place, at in enumerate(order) if at in right)
            )
    progress("")
    yield f"{'':<24}" + "".join(
        f"{f'{name} ({len(found[next(iter(RANKS)), name])})':>22}" for name in SETS
    )
    yield f"{'':<24}" + "".join(f"{'hit@1':>15}{'hit@5':>7}" for _ in SETS)
    for ranked in RANKS:
        shares = [
            sum(place < top for place in found[ranked, name]) / len(found[ranked, name])
            for name in SETS
            for top in TOP
        ]
        yield f"{ranked:<24}" + "".join(
            f"{share:>{15 if at % 2 == 0 else 7}.3f}" for at, share in enumerate(shares)
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.scorers", description=__doc__)
    parser.add_argument(
        "--sizes", default=",".join(map(str, SIZES)), help="numbers of items, with commas"
    )
    where = "the corpus; HEADROOM_CORPUS, else ../shared/corpus unless given"
    parser.add_argument("--corpus", type=Path, default=CORPUS, metavar="FOLDER", help=where)
    asked = parser.parse_args(arguments)
    print("Seconds to score items of a new text")
    for line in speeds([int(size) for size in asked.sizes.split(",")]):
        print(line, flush=True)
    print("\nHow often the right row comes first, and is among the first five")
    for line in hits(asked.corpus):
        print(line, flush=True)


if __name__ == "__main__":
    main()
