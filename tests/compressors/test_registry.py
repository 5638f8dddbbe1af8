"""Test that registered compressors are used everywhere and that records name their fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import ToolMessage as LangChainToolMessage

from headroom_core import (
    CCRConfig,
    Compressed,
    ConfigurationError,
    HeadroomConfig,
    IntelligentContextConfig,
    IntelligentContextManager,
    MemoryStore,
    Request,
    TransformPipeline,
    compress,
    compress_documents,
    register_compressor,
    unregister_compressor,
)
from headroom_core.compressors import REGISTRY
from headroom_core.compressors.registry import CompressorRegistry
from headroom_core.kinds import TextKind
from headroom_core.markers import retrieve_call, write_marker
from headroom_core.testing import ScriptedCall, registered_compressor, tool_conversation
from headroom_core.transforms import default_transforms
from headroom_integrations.langchain import HeadroomCompressor

BEATS = "tick\n" * 400
SHORT = "400 ticks"


class Ticks:
    """Compressor that counts lines which say `tick`."""

    name = "ticks"

    def __init__(self, version: int = 1, lossless: bool = True) -> None:
        self.fingerprint = f"ticks {version}"
        self.lossless = lossless
        self.calls = 0

    def accepts(self, kind: TextKind) -> bool:
        return kind.first_line == "tick"

    def compress(self, text: str, request: Request) -> Compressed | None:
        self.calls += 1
        calls = [retrieve_call(request.key)] if request.key else []
        mark = "" if self.lossless else write_marker("400 lines left out", calls)
        return Compressed(f"{text.count('tick')} ticks{mark}", self.lossless, "counted")


@pytest.fixture
def ticks() -> Iterator[Ticks]:
    compressor = Ticks()
    with registered_compressor(compressor):
        yield compressor


def conversation(turns: int = 1) -> list[dict[str, Any]]:
    call = ScriptedCall("t", result=BEATS)
    return [
        message
        for turn in range(turns)
        for message in tool_conversation(f"Question {turn}?", [call])
    ]


@pytest.mark.usefixtures("ticks")
def test_compress_uses_a_registered_compressor() -> None:
    result = compress(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT
    assert result.transforms_applied == ["ticks"]


@pytest.mark.usefixtures("ticks")
def test_a_pipeline_of_the_default_transforms_uses_a_registered_compressor() -> None:
    result = TransformPipeline(default_transforms()).transform(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT


def test_windows_use_a_registered_compressor_at_a_cut() -> None:
    """Directly, and in `compress` where nothing may be stored."""
    compressor = Ticks(lossless=False)
    with registered_compressor(compressor):
        settings = IntelligentContextConfig(compress_threshold=1.0, output_buffer_tokens=0)
        manager = IntelligentContextManager(settings)
        cut = manager.apply(conversation(6), model_limit=3_500, store=MemoryStore())
        assert "400 ticks" in str(cut.messages)
        lossless = HeadroomConfig().lossless()
        fitted = compress(conversation(6), config=lossless, token_budget=1_500)
        assert "400 ticks" in str(fitted.messages)
        assert fitted.tokens_after <= 1_500


@pytest.mark.usefixtures("ticks")
def test_documents_and_integrations_use_a_registered_compressor() -> None:
    assert compress_documents([BEATS]).texts == [SHORT]
    message = LangChainToolMessage(BEATS, tool_call_id="c1")
    assert HeadroomCompressor().invoke([message])[0].content == SHORT


def test_a_compressor_only_sees_texts_it_accepts(ticks: Ticks) -> None:
    other = [{"role": "tool", "tool_call_id": "1", "content": "tock\n" * 400}]
    assert compress(other, store=MemoryStore()).messages == other
    assert ticks.calls == 0


def test_recorded_results_are_reused_until_the_fingerprint_changes() -> None:
    store = MemoryStore()
    for version, expected_calls in ((1, 1), (1, 0), (2, 1)):
        compressor = Ticks(version)
        with registered_compressor(compressor):
            # Another first message, so that the conversation itself is not known.
            greeting = {"role": "system", "content": f"{version} {expected_calls}"}
            compress([greeting, *conversation()], store=store)
        assert compressor.calls == expected_calls


def test_the_newest_compressor_runs_first_and_may_come_from_a_factory(ticks: Ticks) -> None:
    newest = Ticks(2)

    def make(config: HeadroomConfig) -> Ticks:
        assert isinstance(config, HeadroomConfig)
        return newest

    with registered_compressor(make, accepts=lambda kind: kind.line_count == 400):
        compress(conversation(), store=MemoryStore())
    assert (newest.calls, ticks.calls) == (1, 0)


def test_built_in_compressors_are_routed_last_by_the_same_registry(ticks: Ticks) -> None:
    names = [route.compressor.name for route in REGISTRY.routes(HeadroomConfig())]
    assert (names[0], "smart_crusher" in names) == ("ticks", True)
    alone = CompressorRegistry(built_in=[lambda config: ticks])
    assert [route.compressor for route in alone.routes(HeadroomConfig())] == [ticks]


@pytest.mark.parametrize("compressor", [Ticks, 7, "ticks"])
def test_a_class_or_an_unrelated_object_is_rejected(compressor: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be an object with name and compress"):
        register_compressor(compressor)


def test_an_unregistered_compressor_cannot_be_removed() -> None:
    with pytest.raises(ConfigurationError, match="is not registered"):
        unregister_compressor(Ticks())


def test_a_factory_that_returns_no_compressor_is_skipped_with_a_warning() -> None:
    def make(config: HeadroomConfig) -> Any:
        return object()

    other = Ticks()
    with registered_compressor(other), registered_compressor(make):
        result = compress(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT
    assert "a compressor was left out: ConfigurationError" in str(result.warnings)


def test_the_next_compressor_is_asked_if_a_result_is_not_smaller() -> None:
    class Longer(Ticks):
        def compress(self, text: str, request: Request) -> Compressed | None:
            return Compressed(text * 2, True, "doubled")

    with registered_compressor(Ticks()), registered_compressor(Longer()):
        result = compress(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT


@pytest.mark.parametrize(
    "config", [HeadroomConfig(ccr=CCRConfig(enabled=False)), HeadroomConfig().lossless()]
)
def test_the_default_transforms_leave_nothing_out_if_settings_forbid_it(
    config: HeadroomConfig,
) -> None:
    rows = json.dumps([{"id": n, "state": "ok"} for n in range(300)])
    messages = [{"role": "tool", "tool_call_id": "1", "content": rows}]
    store = MemoryStore()
    result = TransformPipeline(default_transforms(config)).transform(messages, store=store)
    assert [change.action for change in result.changes] == ["rewritten"]
    assert store.purge() == 0


def test_threads_get_the_compressor_of_their_own_settings() -> None:
    made: dict[int, Ticks] = {}

    def make(config: HeadroomConfig) -> Ticks:
        return made.setdefault(id(config), Ticks())

    registry = CompressorRegistry(built_in=[make])
    configs = [HeadroomConfig() for _ in range(500)]

    def has_own(config: HeadroomConfig) -> bool:
        return registry.routes(config)[0].compressor is made[id(config)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(has_own, configs))
