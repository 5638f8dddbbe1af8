"""Test queries that name a time of day."""

from __future__ import annotations

import json

import pytest

from headroom_core import MemoryStore, compress
from headroom_core.testing import ScriptedCall, tool_conversation


@pytest.mark.parametrize("query", ["usage at 02:03:00?", "What was used at 02:03?"])
@pytest.mark.parametrize("end", ["Z", "", "+01:00", ".250Z"])
def test_a_time_names_the_rows_with_its_timestamp(query: str, end: str) -> None:
    rows = [
        {"time": f"2026-01-01T{n // 60:02}:{n % 60:02}:00{end}", "usage": n * 7919 % 1000 / 10}
        for n in range(300)
    ]
    messages = tool_conversation(query, [ScriptedCall("meter", result=json.dumps(rows))])
    text = compress(messages, store=MemoryStore()).messages[-1]["content"]
    assert f"2026-01-01T02:03:00{end}," in text
