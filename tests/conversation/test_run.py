"""Test that a failing dialect, store or compressor costs only what it was needed for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from headroom_core import Compressed, HeadroomConfig, MemoryStore, Request, compress
from headroom_core.dialects import Dialect
from headroom_core.dialects.openai import OpenAIDialect
from headroom_core.messages import Draft
from headroom_core.testing import FailingStore, registered_compressor

ROWS = json.dumps([{"id": n, "state": "ok"} for n in range(300)])
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Which one failed?"},
    {"role": "tool", "tool_call_id": "c1", "content": ROWS},
]
LONG_TALK: list[dict[str, Any]] = [
    {"role": role, "content": f"{n} " + "word " * 100}
    for n in range(20)
    for role in ("user", "assistant")
]


class Unreadable(OpenAIDialect):
    """Dialect that cannot read messages, and would write others."""

    def parse(self, messages: Sequence[Any]) -> Draft:
        raise ValueError(str(messages))

    def render(self, draft: Draft) -> list[Any]:
        return ["something else"]


class ParsesNothing(OpenAIDialect):
    def parse(self, messages: Sequence[Any]) -> Draft:
        return None  # type: ignore[return-value]


class CountsNothing(OpenAIDialect):
    def count(self, message: Any, count_text: Any) -> int:
        return None  # type: ignore[return-value]


class Unwritable(OpenAIDialect):
    """Dialect that reads messages, and cannot write them."""

    def render(self, draft: Draft) -> list[Any]:
        raise ValueError("no")


@pytest.mark.parametrize("dialect", [Unreadable(), ParsesNothing()])
def test_messages_that_cannot_be_read_pass_through(dialect: Dialect) -> None:
    result = compress(MESSAGES, dialect=dialect, store=MemoryStore())
    assert result.messages == MESSAGES
    assert "the messages were passed through unread" in result.warnings[0]
    assert "Which one failed?" not in str(result.warnings)


def test_messages_that_cannot_be_counted_are_compressed() -> None:
    result = compress(MESSAGES, dialect=CountsNothing(), store=MemoryStore())
    assert result.messages != MESSAGES
    assert result.tokens_after < result.tokens_before
    assert "were counted" in result.warnings[0]


@pytest.mark.parametrize("store", [MemoryStore(), FailingStore("put_many")])
def test_messages_that_cannot_be_written_pass_through(store: Any) -> None:
    result = compress(LONG_TALK, dialect=Unwritable(), token_budget=1_000, store=store)
    assert result.messages == LONG_TALK
    assert result.tokens_after == result.tokens_before > 1_000
    assert "because writing failed: ValueError" in str(result.warnings)
    assert not any("were left out" in warning for warning in result.warnings)


class Odd:
    """Compressor of texts that begin with `odd`, with a result or members that are wrong."""

    name = "odd"

    def __init__(self, result: Any = None) -> None:
        self.result = result

    def compress(self, text: str, request: Request) -> Compressed | None:
        result: Compressed | None = self.result if text.startswith("odd") else None
        return result


class OddFingerprint(Odd):
    @property
    def fingerprint(self) -> str:
        raise RuntimeError("no fingerprint")


class OddScorer(Odd):
    @property
    def scorer(self) -> Any:
        raise RuntimeError("no scorer")


ODD_MESSAGES = [*MESSAGES, {"role": "tool", "tool_call_id": "c2", "content": "odd " * 200}]


@pytest.mark.parametrize(
    "result",
    [
        "odd",
        Compressed("odd", True, object()),  # type: ignore[arg-type]
        Compressed(None, True, "shorter"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_result_of_a_compressor_costs_only_its_text(result: Any) -> None:
    with registered_compressor(Odd(result)):
        compressed = compress(ODD_MESSAGES, store=MemoryStore())
    assert compressed.messages[2] == ODD_MESSAGES[2]
    assert compressed.messages[1] != ODD_MESSAGES[1]
    assert "message 2 was passed through unchanged" in compressed.warnings[0]
    assert "the compressor odd must return" in compressed.warnings[0]


@pytest.mark.parametrize("compressor", [OddFingerprint(), OddScorer()])
def test_a_compressor_whose_members_fail_is_left_out(compressor: Any) -> None:
    with registered_compressor(compressor):
        compressed = compress(ODD_MESSAGES, store=MemoryStore())
    assert compressed.messages[1] != ODD_MESSAGES[1]
    assert compressed.warnings == ("a compressor was left out: RuntimeError",)


@pytest.mark.parametrize("selecting", [True, False])
def test_text_without_a_marker_is_not_left_out(selecting: bool) -> None:
    """Neither behind a bare key nor, where nothing is stored, behind nothing."""

    class Careless(Odd):
        def compress(self, text: str, request: Request) -> Compressed | None:
            return Compressed(f"odd {request.key}", False, "left out")

    config = HeadroomConfig() if selecting else HeadroomConfig().lossless()
    messages = [{"role": "tool", "tool_call_id": "c1", "content": "odd " * 200}]
    with registered_compressor(Careless()):
        result = compress(messages, config=config, token_budget=50, store=MemoryStore())
    assert result.messages == messages
