"""Logs in several formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from samples import Sample

_SERVICES = "billing cart search stock".split()
_FOLDED = re.compile(r".* \[×\d+(?: until [^\]]*)?(?:: .*)?\]\r?")
_QUERY = "What became of order A-7731?"
_ANSWER = "order A-7731 rejected: card expired"


def _events(lines: int, seed: int) -> list[tuple[int, str, str, str]]:
    """Return the second, the level, the service and the message of some events."""
    random = Random(seed)
    events = []
    for number in range(lines):
        service = random.choice(_SERVICES)
        message = random.choice(
            [
                f"request {random.randrange(10**6)} done in {random.randrange(900)} ms",
                f"cache hit for key {random.randrange(16**8):08x}",
                f"connection from 10.0.{random.randrange(9)}.{random.randrange(250)} accepted",
            ]
        )
        events.append((number, "INFO", service, message))
    events[lines // 2] = (lines // 2, "ERROR", "billing", _ANSWER)
    events[lines // 3] = (lines // 3, "WARN", "stock", "only 3 pallets left in hall 9")
    return events


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def _iso(second: int, level: str, service: str, message: str) -> str:
    return f"2026-03-07T{_clock(second)}.{second % 1000:03}Z {level:5} [{service}] {message}"


def _syslog(second: int, level: str, service: str, message: str) -> str:
    return f"Mar  7 {_clock(second)} host-2 {service}[{900 + second % 7}]: {level} {message}"


def _bracketed(second: int, level: str, service: str, message: str) -> str:
    return f"[Sat Mar 07 {_clock(second)} 2026] [{level.lower()}] {service}: {message}"


def _logfmt(second: int, level: str, service: str, message: str) -> str:
    time = f"2026-03-07T{_clock(second)}Z"
    return f'time={time} level={level.lower()} service={service} msg="{message}"'


_FORMATS: dict[str, Callable[[int, str, str, str], str]] = {
    "iso": _iso,
    "syslog": _syslog,
    "bracketed": _bracketed,
    "logfmt": _logfmt,
}


def _make(write: Callable[[int, str, str, str], str], lines: int, seed: int) -> str:
    return "\n".join(write(*event) for event in _events(lines, seed))


SAMPLES = [
    Sample(
        f"log {name}",
        "log",
        lambda lines, seed, write=write: _make(write, lines, seed),  # type: ignore[misc]
        _QUERY,
        _ANSWER,
        tool="read_logs",
        own_line=_FOLDED,
        least_saved=0.6,
    )
    for name, write in _FORMATS.items()
]
