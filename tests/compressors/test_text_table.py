"""Tables of text, of which rows that nothing makes special are left out."""

from __future__ import annotations

from random import Random

from headroom_core import MemoryStore, compress


def sent(lines: list[str], query: str = "Sum it up") -> list[str]:
    call = {"id": "1", "type": "function", "function": {"name": "list_pods", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "\n".join(lines)},
    ]
    result = compress(messages, store=MemoryStore())
    assert not result.warnings
    return str(result.messages[-1]["content"]).split("\n")


def table(rows: list[tuple[str, str, str]]) -> list[str]:
    return [f"{a:16}{b:20}{c}" for a, b, c in [("NAME", "STATUS", "CPU"), *rows]]


def test_every_row_with_an_error_stays() -> None:
    random = Random(1)
    lines = table(
        [
            (f"pod-{n}", "CrashLoopBackOff" if n % 4 == 3 else "Running", f"{random.randrange(90)}")
            for n in range(400)
        ]
    )
    text = sent(lines)
    errors = [line for line in lines if "Crash" in line]
    assert len(errors) == 100
    assert {*errors} <= {*text}
    assert len(text) < 350


def test_a_thousandth_is_not_a_million() -> None:
    lines = table([(f"pod-{n}", "Running", f"{100 + n % 200}m") for n in range(300)])
    lines[150] = f"{'pod-149':16}{'Running':20}14"
    assert lines[150] in sent(lines)
