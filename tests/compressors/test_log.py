"""Logs, of which records that are alike are folded."""

from __future__ import annotations

from random import Random

from headroom_core import MemoryStore, compress


def sent(lines: list[str], query: str = "What happened?") -> list[str]:
    call = {"id": "1", "type": "function", "function": {"name": "read_logs", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "\n".join(lines)},
    ]
    result = compress(messages, store=MemoryStore())
    assert not result.warnings
    return str(result.messages[-1]["content"]).split("\n")


def access_log(statuses: list[int]) -> list[str]:
    random = Random(1)
    return [
        f"10.0.0.{random.randrange(200)} - - [07/Mar/2026:10:{n // 60:02}:{n % 60:02} +0000] "
        f'"GET /orders/{random.randrange(9000)} HTTP/1.1" {status} {random.randrange(9000)}'
        for n, status in enumerate(statuses)
    ]


def test_a_request_with_a_rare_status_stays_whole() -> None:
    lines = access_log([503 if n == 217 else (200, 200, 200, 304, 301)[n % 5] for n in range(400)])
    text = sent(lines)
    assert lines[217] in text
    assert len(text) < 40


def test_a_rare_event_between_bars_stays_whole() -> None:
    lines = [
        f"20260307-10:{n // 60:02}:{n % 60:02}:{n % 999:03}|Core|7|onStep {n}" for n in range(300)
    ]
    lines[140] = "20260307-10:02:20:140|Core|7|dayRolled 5"
    text = sent(lines)
    assert lines[140] in text
    assert len(text) < 20


def test_a_stack_trace_stays_whole() -> None:
    lines = [f"2026-03-07 10:{n // 60:02}:{n % 60:02} INFO request {n} done" for n in range(300)]
    trace = [
        "2026-03-07 10:03:21 ERROR request 201 failed",
        "Traceback (most recent call last):",
        '  File "app.py", line 7, in run',
        "ValueError: no such order",
    ]
    text = "\n".join(sent([*lines[:201], *trace, *lines[202:]]))
    assert "\n".join(trace) in text


def test_times_are_written_whole() -> None:
    text = sent(access_log([200] * 300))
    assert "07/Mar/2026:10:00:00 +0000 to 07/Mar/2026:10:04:59 +0000" in text[0]
    assert text[1].endswith("[×300 until 07/Mar/2026:10:04:59 +0000]")
