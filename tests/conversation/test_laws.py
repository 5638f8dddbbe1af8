"""Test the laws of the design as properties of hostile texts and conversations."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from checks import (
    assert_rows_shown,
    csv_arrays,
    has_same_values,
    json_arrays,
    text_at,
    verbatim_values,
)
from documents import Document, anthropic_turn, conversations, csv_texts, documents, openai_turn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import anthropic_conversations, openai_conversations

from headroom_core import (
    CompressResult,
    Request,
    SmartCrusher,
    Tokenizer,
    acompress,
    compress,
    content_key,
    decode_table,
)
from headroom_core.config import CCRConfig, HeadroomConfig, SmartCrusherConfig
from headroom_core.stores import MemoryStore, SQLiteStore, Store

ROOT = Path(__file__).parents[2]
EAGER = SmartCrusherConfig(min_tokens_to_crush=0, max_items_after_crush=8)
MODELS = ("gpt-4o", "gpt-4", "claude-sonnet-4")
BOUNDLESS = dict.fromkeys(MODELS, 10**9)
"""Limits so large that the window drops no turns of the largest conversations."""
# Every saving counts, or generated texts would be too short to lose rows.
EAGER_CCR = CCRConfig(min_tokens_saved=0)
SELECTING = HeadroomConfig(smart_crusher=EAGER, ccr=EAGER_CCR, model_context_limits=BOUNDLESS)
LOSSLESS = HeadroomConfig(smart_crusher=EAGER, ccr=CCRConfig(enabled=False))
CONFIGS = (SELECTING, LOSSLESS, HeadroomConfig(model_context_limits=BOUNDLESS))

ordinary = openai_conversations(max_turns=2) | anthropic_conversations(max_turns=2)
any_conversation = ordinary | conversations() | conversations()
queries = st.sampled_from((None, "item-7919", "which one failed?", "timeout", "Zoë"))


def fewer_examples(divisor: int) -> settings:
    """Return settings with fewer examples, for tests whose examples are expensive."""
    return settings(max_examples=max(10, settings.default.max_examples // divisor))


def dump_messages(messages: Sequence[Any]) -> list[str]:
    return [json.dumps(message) for message in messages]


def send(
    messages: list[Any], store: Store | None = None, config: HeadroomConfig = SELECTING, **more: Any
) -> list[str]:
    return dump_messages(
        compress(messages, config=config, store=store or MemoryStore(), **more).messages
    )


def crush_text(text: str, selecting: bool = False) -> str | None:
    """Return the output of the crusher for a text, even if it has more tokens."""
    request = Request(content_key(text), 10**6, "which item failed? item-7919", selecting)
    compressed = SmartCrusher(EAGER).compress(text, request)
    return compressed.text if compressed and compressed.lossless is not selecting else None


# 1. Causal.


@given(any_conversation)
def test_a_longer_conversation_starts_with_the_same_bytes(messages: list[Any]) -> None:
    whole = send(messages)
    for count in range(1, len(messages)):
        assert send(messages[:count]) == whole[:count]


@given(any_conversation, st.data())
def test_sent_messages_are_repeated_whatever_the_query(
    messages: list[Any], data: st.DataObject
) -> None:
    store, before = MemoryStore(), []
    for count in range(1, len(messages) + 1):
        now = send(messages[:count], store, query=data.draw(queries))
        assert now[: len(before)] == before
        before = now


def test_two_processes_send_the_same_bytes(tmp_path: Path) -> None:
    examples: list[list[Any]] = []

    @fewer_examples(4)
    @given(any_conversation)
    def draw(messages: list[Any]) -> None:
        examples.append(messages)

    draw()
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(examples))
    code = """
        from test_laws import LOSSLESS, send
        for messages in json.load(open(sys.argv[1])):
            print(json.dumps([send(messages), send(messages, config=LOSSLESS)]))
    """
    first, second = (python(code, path, seed=seed) for seed in ("1", "2"))
    here = [
        [send(messages), send(messages, config=LOSSLESS)]
        for messages in json.loads(path.read_text())
    ]
    assert first == second
    assert [json.loads(line) for line in first.splitlines()] == here


def python(code: str, *arguments: object, seed: str = "0") -> str:
    """Return the output of another process."""
    lines = [
        "import json, sys",
        "sys.path[:0] = ['tests/support', 'tests/conversation']",
    ]
    script = "\n".join([*lines, *(line[8:] for line in code.splitlines())])
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# 2. Nothing is lost silently.


@given(documents())
def test_the_lossless_form_of_json_decodes_to_the_same_values(document: Document) -> None:
    text = crush_text(document.text)
    assert text is None or has_same_values(decode_table(text), document)


@given(csv_texts())
def test_the_lossless_form_of_separated_values_decodes_to_the_same_text(given_text: str) -> None:
    text = crush_text(given_text)
    assert text is None or decode_table(text) == given_text


@pytest.mark.parametrize("odd", ['1009,"first\r\nsecond"', '5" pipes\r\n1009,a'])
def test_a_two_line_record_keeps_its_carriage_return(odd: str) -> None:
    text = (
        "id,name\r\n"
        + "".join(f'{row},"a,b"\r\n' for row in range(1000, 1009))
        + f'{odd}\r\n1010,"a,b"'
    )
    shorter = crush_text(text)
    assert shorter is None or decode_table(shorter) == text


@given(documents(most=120))
def test_a_selection_shows_whole_rows_and_counts_the_omitted_rows(document: Document) -> None:
    if text := crush_text(document.text, selecting=True):
        assert assert_rows_shown(text, json_arrays(document, text), content_key(document.text)) > 0


@given(csv_texts(most=200))
def test_a_selection_shows_whole_records(given_text: str) -> None:
    if text := crush_text(given_text, selecting=True):
        assert assert_rows_shown(text, csv_arrays(given_text, text), content_key(given_text)) > 0


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([{"id": f"item-{row}", "two\nlines": f"state {row % 3}"} for row in range(80)]),
        "id,state\n" + "".join(f'item-{row},"state\n{row % 3}"\n' for row in range(80)),
    ],
    ids=["name", "cell"],
)
def test_a_marker_is_always_a_single_line(text: str) -> None:
    assert re.search(
        r"^\[headroom: .*headroom_retrieve\(.*\)\]$",
        crush_text(text, selecting=True) or "",
        re.MULTILINE,
    )


@given(any_conversation)
def test_every_original_is_stored_byte_for_byte(messages: list[Any]) -> None:
    store = MemoryStore()
    result = compress(messages, config=SELECTING, store=store)
    for change in result.changes:
        if change.action == "selected":
            original = text_at(messages, change.message, change.path)
            assert [store.get(key) for key in change.keys] == [original]
            assert change.keys[0] in text_at(result.messages, change.message, change.path)
    assert set(result.ccr_hashes) == {key for change in result.changes for key in change.keys}


@given(any_conversation)
def test_lossless_mode_omits_nothing(messages: list[Any]) -> None:
    store = MemoryStore()
    result = compress(messages, config=LOSSLESS, store=store)
    assert {change.action for change in result.changes} <= {"kept", "rewritten"}
    assert store.purge() == 0
    assert not result.warnings


# 3. Never worse.


@given(any_conversation, st.sampled_from(CONFIGS), st.sampled_from(MODELS))
def test_no_block_or_conversation_gains_tokens(
    messages: list[Any], config: HeadroomConfig, model: str
) -> None:
    result = compress(messages, config=config, model=model, store=MemoryStore())
    tokenizer = Tokenizer(model)
    for change in result.changes:
        before, after = (
            text_at(side, change.message, change.path) for side in (messages, result.messages)
        )
        counts = tokenizer.count_text(before), tokenizer.count_text(after)
        assert (change.tokens_before, change.tokens_after) == counts
        assert (
            before == after
            if change.action == "kept"
            else change.tokens_after < change.tokens_before
        )
    assert result.tokens_before == tokenizer.count_messages(messages)
    assert result.tokens_after == tokenizer.count_messages(result.messages) <= result.tokens_before


# 4. Values are written whole.


@given(documents())
def test_every_value_appears_verbatim_in_the_lossless_form(document: Document) -> None:
    text = crush_text(document.text)
    if text is not None:
        assert [value for value in verbatim_values(document.values) if value not in text] == []


# 6. Every marker resolves.


def test_every_marker_resolves_in_another_process(tmp_path: Path) -> None:
    path, originals = tmp_path / "originals.db", {}
    store = SQLiteStore(path)

    @fewer_examples(4)
    @given(any_conversation)
    def draw(messages: list[Any]) -> None:
        for change in compress(messages, config=SELECTING, store=store).changes:
            for key in change.keys:
                originals[key] = text_at(messages, change.message, change.path)

    draw()
    code = """
        from headroom_core import SQLiteStore, content_key, retrieve
        store = SQLiteStore(sys.argv[1])
        for key in json.load(sys.stdin if len(sys.argv) < 3 else open(sys.argv[2])):
            found = retrieve(key, limit=None, store=store)
            print(json.dumps([key, found.found, found.text]))
    """
    (tmp_path / "keys.json").write_text(json.dumps(list(originals)))
    found = [json.loads(line) for line in python(code, path, tmp_path / "keys.json").splitlines()]
    assert found == [[key, True, original] for key, original in originals.items()]
    assert originals


@given(any_conversation)
def test_compressed_messages_are_not_compressed_again(messages: list[Any]) -> None:
    store = MemoryStore()
    once = compress(messages, config=SELECTING, store=store)
    twice = compress(once.messages, config=SELECTING, store=store)
    for change in once.changes:
        if change.action != "kept":
            texts = [text_at(side.messages, change.message, change.path) for side in (once, twice)]
            assert texts[0] == texts[1]


@pytest.mark.parametrize("turn", [openai_turn, anthropic_turn])
@given(document=documents(most=120))
def test_retrieved_originals_are_never_compressed(turn: Any, document: Document) -> None:
    assume(document.text)
    messages = turn("which item failed?", document.text, tool="headroom_retrieve")
    result = compress(messages, config=SELECTING, store=MemoryStore())
    assert result.messages[-1] is messages[-1]
    assert result.changes[-1].reason == "results of headroom_retrieve are never changed"


# 8. Count once.


@given(any_conversation, st.sampled_from(CONFIGS))
def test_a_second_request_encodes_nothing(messages: list[Any], config: HeadroomConfig) -> None:
    store, counter = MemoryStore(), Tokenizer("gpt-4o").counter
    first = compress(messages, config=config, store=store)
    encoded = counter.encoded_characters
    assert compress(messages, config=config, store=store) == first
    assert counter.encoded_characters == encoded


def test_a_turn_only_encodes_its_own_messages() -> None:
    store, counter = MemoryStore(), Tokenizer("gpt-4o").counter
    conversation: list[Any] = []
    for turn in range(12):
        rows = [
            {"id": f"item-{turn}-{row}", "state": "ok" if row % 9 else "failed"}
            for row in range(100)
        ]
        new = openai_turn(f"which of {turn} failed?", json.dumps(rows), f"call_{turn}")
        conversation, encoded = conversation + new, counter.encoded_characters
        result = compress(conversation, config=SELECTING, store=store)
        # Savings are measured against the lossless form, which is shorter than the text.
        most = 2 * len(json.dumps(new)) + len(json.dumps(result.messages[-3:]))
        assert counter.encoded_characters - encoded <= most


# 9. Memory of a request lives in that request.


def draw_examples(count: int) -> list[tuple[list[Any], HeadroomConfig]]:
    """Return conversations with settings, each also with the same settings."""
    examples: list[tuple[list[Any], HeadroomConfig]] = []

    @settings(max_examples=count)
    @given(any_conversation, st.sampled_from(CONFIGS))
    def draw(messages: list[Any], config: HeadroomConfig) -> None:
        examples.extend(((messages, config), (messages, SELECTING)))

    draw()
    return examples


def test_eight_threads_give_the_same_results_as_a_single_thread(tmp_path: Path) -> None:
    examples = draw_examples(settings.default.max_examples // 10)
    expected = [send(messages, config=config) for messages, config in examples]
    store = SQLiteStore(tmp_path / "shared.db")

    def work(thread: int) -> dict[int, list[str]]:
        order = random.Random(thread).sample(range(len(examples)), len(examples))
        return {index: send(examples[index][0], store, examples[index][1]) for index in order}

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(8)):
            assert [found[index] for index in range(len(examples))] == expected


async def test_eight_tasks_give_the_same_results_as_a_single_task(tmp_path: Path) -> None:
    examples = draw_examples(settings.default.max_examples // 10)
    expected = [
        compress(messages, config=config, store=MemoryStore()) for messages, config in examples
    ]
    store, gate = SQLiteStore(tmp_path / "shared.db"), asyncio.Semaphore(8)

    async def work(messages: list[Any], config: HeadroomConfig) -> CompressResult:
        async with gate:
            return await acompress(messages, config=config, store=store)

    assert await asyncio.gather(*(work(*example) for example in examples)) == expected
