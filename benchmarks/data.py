"""Rows of several shapes, generated: the same seed gives the same text, in every process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

Row = dict[str, Any]
Message = dict[str, Any]

WORDS = Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split()
_FIRST = (
    "Ada",
    "Björn",
    "Carla",
    "Dmitri",
    "Elif",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kavya",
    "Liam",
    "Mei",
    "Nadia",
)
_LAST = (
    "Adeyemi",
    "Berg",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lopez",
    "Moreau",
    "Novak",
)
_HOSTS = (
    "docs.example.com",
    "blog.example.org",
    "forum.example.net",
    "archive.example.edu",
    "shop.example.com",
)
SERVICES = "checkout", "inventory", "auth", "search", "billing", "mailer"
_TEMPLATES = (
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


def words(random: Random, least: int, most: int) -> str:
    """Return between so many and so many words."""
    return " ".join(random.choices(WORDS, k=random.randint(least, most)))


def hexadecimal(random: Random, digits: int = 16) -> str:
    """Return an id of that many digits."""
    return f"{random.getrandbits(digits * 4):0{digits}x}"


def moment(random: Random, second: int) -> str:
    """Return a time of a day in May, some milliseconds after the given second."""
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"2025-05-{day % 31 + 1:02}T{hour:02}:{minutes:02}:{seconds:02}.{random.randrange(1000):03}Z"


def event(random: Random) -> tuple[str, str]:
    """Return the level and the message of something that was logged; one in fifty is an error."""
    level, template = random.choice(_ERRORS if random.random() < 0.02 else _TEMPLATES)
    numbers = {"n": random.randint(1, 4000), "m": random.randrange(64), "k": random.randrange(256)}
    return level, template.format(id=hexadecimal(random, 12), word=random.choice(WORDS), **numbers)


def search_row(random: Random, index: int) -> Row:
    """Return one hit of a web search: long texts, an address and a score."""
    title = words(random, 4, 9).capitalize()
    host = random.choice(_HOSTS)
    return {
        "title": title,
        "url": f"https://{host}/{random.choice(WORDS)}/{title.lower().replace(' ', '-')}",
        "snippet": ". ".join(words(random, 8, 16).capitalize() for _ in range(random.randint(2, 4)))
        + ".",
        "source": host,
        "score": round(0.99 * 0.9997**index * random.uniform(0.97, 1.0), 6),
    }


def database_row(random: Random, index: int) -> Row:
    """Return one customer: an id, names, an e-mail address, dates, numbers and enumerations."""
    first, last = random.choice(_FIRST), random.choice(_LAST)
    return {
        "id": 100_000 + index,
        "uuid": hexadecimal(random, 32),
        "name": f"{first} {last}",
        "email": f"{first}.{last}{random.randrange(1000)}@example.com".lower(),
        "created_at": f"20{random.randint(15, 25)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
        "plan": random.choices(("free", "team", "business"), (70, 25, 5))[0],
        "status": random.choices(("active", "paused", "suspended"), (960, 35, 5))[0],
        "country": random.choice(("DE", "FR", "IN", "JP", "NG", "US")),
        "orders": random.randrange(200),
        "balance": round(random.lognormvariate(4, 1), 2),
        "newsletter": random.random() < 0.4,
    }


def log_row(random: Random, index: int) -> Row:
    """Return one log record as a logging service hands it out."""
    level, message = event(random)
    return {
        "timestamp": moment(random, index),
        "level": level,
        "service": random.choice(SERVICES),
        "host": f"node-{random.randrange(12)}",
        "trace_id": hexadecimal(random),
        "message": message,
    }


def pod_row(random: Random, index: int) -> Row:
    """Return one pod of a cluster: an object with objects and arrays in it."""
    service = random.choice(SERVICES)
    restarts = random.choices((0, 1, 17), (90, 9, 1))[0]
    return {
        "metadata": {
            "name": f"{service}-{hexadecimal(random, 8)}",
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
SHAPES = "search", "database", "log"
"""The shapes that are measured by themselves."""

QUESTION = "Is anything wrong here, and what about number 100042?"


def rows(shape: str, count: int, seed: int) -> Iterator[Row]:
    """Yield that many rows of a shape."""
    random = Random(f"{shape} {seed}")
    return (ROWS[shape](random, index) for index in range(count))


def array(shape: str, count: int, seed: int) -> str:
    """Return rows as compact JSON.

    Example:
        >>> array("database", 3, seed=1) == array("database", 3, seed=1) != array("database", 3, seed=2)
        True
    """
    items = (
        json.dumps(row, separators=(",", ":"), ensure_ascii=False)
        for row in rows(shape, count, seed)
    )
    return f"[{','.join(items)}]"


def big_array(megabytes: float, seed: int) -> str:
    """Return database rows as compact JSON of about that size."""
    sample = len(array("database", 200, seed)) / 200
    return array("database", round(megabytes * 1e6 / sample), seed)


def exchange(
    text: str, number: int = 0, tool: str = "fetch", question: str = QUESTION
) -> list[Message]:
    """Return the messages of a question, a tool call and its output."""
    function = {"name": tool, "arguments": json.dumps({"page": number})}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": text},
    ]
