"""The laws, for every compressor by its being registered: see `tests/support/samples`."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import Sample, all_samples

from headroom_core import (
    CCRConfig,
    CompressResult,
    HeadroomConfig,
    MemoryStore,
    Tokenizer,
    compress,
    decode_table,
)
from headroom_core.compressors import REGISTRY
from headroom_core.kinds import TextKind

SAMPLES = all_samples()
LINES = 300
LARGE, BUDGET = 60_000, 12_000
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))
MARK = re.compile(r"\[headroom: \d[^\n]*\]|\[table [^\n]*")
by_name = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def compress_sample(
    sample: Sample,
    text: str,
    config: HeadroomConfig | None = None,
    store: MemoryStore | None = None,
    token_budget: int | None = None,
) -> CompressResult:
    """Compress a text as the result of the sample's tool, after its question."""
    function = {"name": sample.tool, "arguments": sample.call}
    call = {"id": "1", "type": "function", "function": function}
    messages = [
        {"role": "user", "content": sample.query},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": text},
    ]
    return compress(
        messages, config=config, store=store or MemoryStore(), token_budget=token_budget
    )


def output_of(result: CompressResult) -> str:
    return str(result.messages[-1]["content"])


def restore(result: CompressResult, text: str) -> str:
    """Return the original of a lossless result, from the result alone."""
    by = result.changes[-1].by
    compressors = [route.compressor for route in REGISTRY.routes(HeadroomConfig())]
    compressor = next(item for item in compressors if item.name == by)
    return str(getattr(compressor, "restore", decode_table)(text))


def check_restored(result: CompressResult, text: str) -> None:
    """Check that a lossless result gives back its text; of JSON, the same values."""
    output = output_of(result)
    restored = output if output == text else restore(result, output)
    if restored != text:
        assert json.loads(restored) == json.loads(text)


@by_name
def test_a_sample_is_recognised_as_its_kind(sample: Sample) -> None:
    for seed in range(3):
        text = sample.make(LINES, seed)
        assert TextKind(text, tool=sample.tool, call=sample.call).name == sample.kind


@by_name
def test_selecting_saves_tokens_and_keeps_the_answer(sample: Sample) -> None:
    text = sample.make(LINES, 1)
    store = MemoryStore()
    result = compress_sample(sample, text, store=store)
    assert not result.warnings
    assert sample.answer in output_of(result)
    assert result.tokens_saved >= sample.least_saved * Tokenizer().count_text(text)
    assert all(store.get(key) == text for key in result.ccr_hashes)


@by_name
def test_each_line_of_a_selection_stands_in_the_text(sample: Sample) -> None:
    text = sample.make(LINES, 2)
    result = compress_sample(sample, text)
    known = set(text.split("\n"))
    own = [MARK, *filter(None, [sample.own_line])]
    others = [line for line in output_of(result).split("\n") if line not in known]
    unknown = [line for line in others if not any(shape.fullmatch(line) for shape in own)]
    if result.changes[-1].action == "selected":
        assert unknown == []


@by_name
def test_a_lossless_form_gives_back_the_text(sample: Sample) -> None:
    text = sample.make(LINES, 3)
    result = compress_sample(sample, text, LOSSLESS)
    assert not result.ccr_hashes
    check_restored(result, text)


@by_name
def test_a_text_beyond_the_budget_is_cut_and_keeps_the_answer(sample: Sample) -> None:
    lines = LINES
    while (tokens := Tokenizer().count_text(text := sample.make(lines, 5))) < LARGE:
        lines = lines * LARGE // tokens + 1
    result = compress_sample(sample, text, token_budget=BUDGET)
    assert not result.warnings
    assert result.tokens_after <= BUDGET
    assert sample.answer in output_of(result)


@by_name
def test_results_are_the_same_again(sample: Sample) -> None:
    text = sample.make(LINES, 4)
    assert output_of(compress_sample(sample, text)) == output_of(compress_sample(sample, text))


@by_name
def test_what_was_shortened_is_not_shortened_again(sample: Sample) -> None:
    text = sample.make(LINES, 6)
    for config in (None, LOSSLESS):
        once = output_of(compress_sample(sample, text, config))
        assert output_of(compress_sample(sample, once, config)) == once


@by_name
@given(seed=st.integers(0, 10**6))
def test_damaged_texts_lose_nothing(sample: Sample, seed: int) -> None:
    random = Random(seed)
    text = _damage(sample.make(random.randrange(1, 200), seed), random)
    store = MemoryStore()
    result = compress_sample(sample, text, store=store)
    assert not result.warnings
    assert result.tokens_after <= result.tokens_before
    assert all(store.get(key) == text for key in result.ccr_hashes)
    lossless = compress_sample(sample, text, LOSSLESS)
    if lossless.changes[-1].by != "smart_crusher":  # It has properties of its own.
        check_restored(lossless, text)


def _damage(text: str, random: Random) -> str:
    """Return a text with lines cut off, doubled, moved and ended in another way."""
    lines = text.split("\n")
    for _ in range(random.randrange(4)):
        position = random.randrange(len(lines))
        line = lines[position]
        damaged = ["", line[: random.randrange(40)], line * 2, "\t", "é\u2028", "x\r"]
        lines[position] = random.choice(damaged)
    if random.random() < 0.3:
        random.shuffle(lines)
    if random.random() < 0.3:
        lines = lines[: random.randrange(1, len(lines) + 1)]
    return random.choice(["\n", "\r\n", "\n"]).join(lines)
