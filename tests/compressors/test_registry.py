"""A compressor that is registered once is used everywhere, and its fingerprint joins the records."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import ToolMessage as LangChainToolMessage

from headroom_core import (
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
from headroom_core.text.kinds import TextKind
from headroom_core.transforms import default_transforms
from headroom_integrations.langchain import HeadroomCompressor

BEATS = "tick\n" * 400
SHORT = "400 ticks"


class Ticks:
    """Counts lines that tick."""

    name = "ticks"

    def __init__(self, version: int = 1, lossless: bool = True) -> None:
        self.fingerprint = f"ticks {version}"
        self.lossless = lossless
        self.asked = 0

    def accepts(self, kind: TextKind) -> bool:
        return kind.first_line == "tick"

    def compress(self, text: str, request: Request) -> Compressed | None:
        self.asked += 1
        mark = "" if self.lossless else f' [headroom: headroom_retrieve(key="{request.key}")]'
        return Compressed(f"{text.count('tick')} ticks{mark}", self.lossless, "counted")


@pytest.fixture
def ticks() -> Iterator[Ticks]:
    compressor = Ticks()
    register_compressor(compressor)
    yield compressor
    unregister_compressor(compressor)


def conversation(turns: int = 1) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "t", "arguments": "{}"}}
        messages += [
            {"role": "user", "content": f"Question {turn}?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": BEATS},
        ]
    return messages


@pytest.mark.usefixtures("ticks")
def test_compress_uses_a_registered_compressor() -> None:
    result = compress(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT
    assert result.transforms_applied == ["ticks"]


@pytest.mark.usefixtures("ticks")
def test_a_pipeline_of_the_default_transforms_uses_it() -> None:
    result = TransformPipeline(default_transforms()).transform(conversation(), store=MemoryStore())
    assert result.messages[2]["content"] == SHORT


def test_windows_use_it_at_a_cut() -> None:
    """Directly, and in `compress` where nothing may be stored."""
    compressor = Ticks(lossless=False)
    register_compressor(compressor)
    try:
        settings = IntelligentContextConfig(compress_threshold=1.0, output_buffer_tokens=0)
        managed = IntelligentContextManager(settings)
        cut = managed.apply(conversation(6), model_limit=3_500, store=MemoryStore())
        assert "400 ticks" in str(cut.messages)
        lossless = HeadroomConfig().lossless()
        fitted = compress(conversation(6), config=lossless, token_budget=1_500)
        assert "400 ticks" in str(fitted.messages)
        assert fitted.tokens_after <= 1_500
    finally:
        unregister_compressor(compressor)


@pytest.mark.usefixtures("ticks")
def test_documents_and_integrations_use_it() -> None:
    assert compress_documents([BEATS]).texts == [SHORT]
    message = LangChainToolMessage(BEATS, tool_call_id="c1")
    assert HeadroomCompressor().invoke([message])[0].content == SHORT


def test_only_texts_that_it_accepts_are_shown_to_it(ticks: Ticks) -> None:
    other = [{"role": "tool", "tool_call_id": "1", "content": "tock\n" * 400}]
    assert compress(other, store=MemoryStore()).messages == other
    assert ticks.asked == 0


def test_results_are_recorded_until_the_fingerprint_changes() -> None:
    store = MemoryStore()
    for version, asked in ((1, 1), (1, 0), (2, 1)):
        compressor = Ticks(version)
        register_compressor(compressor)
        try:
            # Another first message, so that the conversation itself is not known.
            greeting = {"role": "system", "content": f"{version} {asked}"}
            compress([greeting, *conversation()], store=store)
        finally:
            unregister_compressor(compressor)
        assert compressor.asked == asked


def test_the_newest_is_asked_first_and_may_be_made_from_settings(ticks: Ticks) -> None:
    newest = Ticks(2)

    def make(config: HeadroomConfig) -> Ticks:
        assert isinstance(config, HeadroomConfig)
        return newest

    register_compressor(make, accepts=lambda kind: kind.line_count == 400)
    try:
        compress(conversation(), store=MemoryStore())
    finally:
        unregister_compressor(make)
    assert (newest.asked, ticks.asked) == (1, 0)


def test_built_in_compressors_come_last_and_through_the_same_door(ticks: Ticks) -> None:
    names = [route.compressor.name for route in REGISTRY.routes(HeadroomConfig())]
    assert names == ["ticks", "smart_crusher"]
    alone = CompressorRegistry(built_in=[lambda config: ticks])
    assert [route.compressor for route in alone.built_in_routes(HeadroomConfig())] == [ticks]


@pytest.mark.parametrize("compressor", [Ticks, 7, "ticks"])
def test_a_class_or_another_object_is_refused(compressor: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be an object with name and compress"):
        register_compressor(compressor)


def test_a_compressor_that_is_not_registered_cannot_be_removed() -> None:
    with pytest.raises(ConfigurationError, match="is not registered"):
        unregister_compressor(Ticks())


def test_a_factory_that_makes_nothing_of_use_costs_only_itself() -> None:
    def make(config: HeadroomConfig) -> Any:
        return object()

    register_compressor(make)
    try:
        result = compress(conversation(), store=MemoryStore())
    finally:
        unregister_compressor(make)
    assert result.messages == conversation()
    assert "a compressor factory returned a object" in str(result.warnings)


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
