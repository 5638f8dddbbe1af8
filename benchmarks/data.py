"""Generates rows of several shapes: the same seed gives the same text in every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

Row = dict[str, Any]
Message = dict[str, Any]

WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
_FIRST_NAMES = (
    "Ada Björn Carla Dmitri Elif Farid Grace Hiro Ines Jonas Kavya Liam Mei Nadia".split()
)
_LAST_NAMES = (
    "Adeyemi Berg Castillo Dubois Eriksen Fischer Gupta Haddad Ito Jansen Kowalski Lopez Moreau "
    "Novak"
).split()
_HOSTS = (
    "docs.example.com",
    "blog.example.org",
    "forum.example.net",
    "archive.example.edu",
    "shop.example.com",
)
SERVICES = "checkout", "inventory", "auth", "search", "billing", "mailer"

_EVENTS = (
    ("INFO", "request {id} served in {n} ms"),
    ("INFO", "cache refreshed: {n} entries from {word}"),
    ("INFO", "user {n} signed in from 10.0.{m}.{k}"),
    ("DEBUG", "polling {word} queue, {m} messages waiting"),
    ("DEBUG", "connection {k} returned to the pool after {n} ms"),
    ("WARN", "slow query on table {word}: {n} ms"),
)
_ERRORS = (
    ("ERROR", "payment {id} declined by the gateway: timeout after {n} ms"),
    ("ERROR", "cannot reach {word}-db: connection refused"),
    ("FATAL", "out of memory in worker {m}: needed {n} kB"),
)


def make_words(random: Random, minimum: int, maximum: int) -> str:
    """Return a random number of random words."""
    return " ".join(random.choices(WORDS, k=random.randint(minimum, maximum)))


def make_hex_id(random: Random, digits: int = 16) -> str:
    """Return an id of so many hexadecimal digits."""
    return f"{random.getrandbits(digits * 4):0{digits}x}"


def make_time(random: Random, second: int) -> str:
    """Return a time in May 2025, some milliseconds after the given second of the month."""
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    date = f"2025-05-{day % 31 + 1:02}"
    return f"{date}T{hour:02}:{minutes:02}:{seconds:02}.{random.randrange(1000):03}Z"


def make_event(random: Random) -> tuple[str, str]:
    """Return the level and message of a log event; one in fifty is an error."""
    level, template = random.choice(_ERRORS if random.random() < 0.02 else _EVENTS)
    numbers = {"n": random.randint(1, 4000), "m": random.randrange(64), "k": random.randrange(256)}
    return level, template.format(id=make_hex_id(random, 12), word=random.choice(WORDS), **numbers)


def search_row(random: Random, index: int) -> Row:
    """Return a web search hit: long texts, an address and a score."""
    title = make_words(random, 4, 9).capitalize()
    host = random.choice(_HOSTS)
    url = f"https://{host}/{random.choice(WORDS)}/{title.lower().replace(' ', '-')}"
    sentences = [make_words(random, 8, 16).capitalize() for _ in range(random.randint(2, 4))]
    return {
        "title": title,
        "url": url,
        "snippet": ". ".join(sentences) + ".",
        "source": host,
        "score": round(0.99 * 0.9997**index * random.uniform(0.97, 1.0), 6),
    }


def database_row(random: Random, index: int) -> Row:
    """Return a customer: an id, names, an e-mail address, dates, numbers and enumerations."""
    first, last = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
    return {
        "id": 100_000 + index,
        "uuid": make_hex_id(random, 32),
        "name": f"{first} {last}",
        "email": f"{first}.{last}{random.randrange(1000)}@example.com".lower(),
        "created_at": (
            f"20{random.randint(15, 25)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
        ),
        "plan": random.choices(("free", "team", "business"), (70, 25, 5))[0],
        "status": random.choices(("active", "paused", "suspended"), (960, 35, 5))[0],
        "country": random.choice(("DE", "FR", "IN", "JP", "NG", "US")),
        "orders": random.randrange(200),
        "balance": round(random.lognormvariate(4, 1), 2),
        "newsletter": random.random() < 0.4,
    }


def log_row(random: Random, index: int) -> Row:
    """Return a log record as a logging service returns it."""
    level, message = make_event(random)
    return {
        "timestamp": make_time(random, index),
        "level": level,
        "service": random.choice(SERVICES),
        "host": f"node-{random.randrange(12)}",
        "trace_id": make_hex_id(random),
        "message": message,
    }


def pod_row(random: Random, index: int) -> Row:
    """Return a pod of a cluster: an object with nested objects and arrays."""
    service = random.choice(SERVICES)
    restarts = random.choices((0, 1, 17), (90, 9, 1))[0]
    return {
        "metadata": {
            "name": f"{service}-{make_hex_id(random, 8)}",
            "namespace": "prod",
            "labels": {"app": service, "tier": "web"},
        },
        "spec": {
            "node": f"node-{random.randrange(12)}",
            "containers": [{"name": service, "image": f"{service}:1.{index % 9}"}],
        },
        "status": {
            "phase": "Running" if restarts < 10 else "CrashLoopBackOff",
            "restarts": restarts,
            "ready": restarts < 10,
        },
    }


ROWS: dict[str, Callable[[Random, int], Row]] = {
    "search": search_row,
    "database": database_row,
    "log": log_row,
    "pods": pod_row,
}
"""The function that makes a row, by shape."""

SHAPES = "search", "database", "log"
"""The shapes that are measured separately."""

QUESTION = "Is anything wrong here, and what about number 100042?"


def rows(shape: str, count: int, seed: int) -> Iterator[Row]:
    """Yield so many rows of a shape."""
    random = Random(f"{shape} {seed}")
    return (ROWS[shape](random, index) for index in range(count))


def array(shape: str, count: int, seed: int) -> str:
    """Return rows as compact JSON.

    Example:
        >>> array("database", 3, seed=1) == array("database", 3, seed=1)
        True
        >>> array("database", 3, seed=1) == array("database", 3, seed=2)
        False
    """
    items = (
        json.dumps(row, separators=(",", ":"), ensure_ascii=False)
        for row in rows(shape, count, seed)
    )
    return f"[{','.join(items)}]"


def big_array(megabytes: float, seed: int) -> str:
    """Return database rows as compact JSON of about the given size."""
    bytes_per_row = len(array("database", 200, seed)) / 200
    return array("database", round(megabytes * 1e6 / bytes_per_row), seed)


def exchange(
    text: str, number: int = 0, tool: str = "fetch", question: str = QUESTION
) -> list[Message]:
    """Return the messages of a question, a tool call and the tool's output."""
    function = {"name": tool, "arguments": json.dumps({"page": number})}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": text},
    ]
