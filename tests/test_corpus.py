"""Test the laws on a corpus of real tool outputs and agent conversations, if available."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from checks import arrays_in, assert_rows_shown, csv_arrays, text_at, verbatim_values
from documents import openai_turn

from benchmarks.measure import CORPUS
from headroom_core import CompressResult, compress, decode_table
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.stores import MemoryStore, Store
from headroom_core.text.exact_json import Value, fingerprint
from headroom_core.text.json_spans import find_json

LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))
MODES = pytest.mark.parametrize(
    "config", [LOSSLESS, HeadroomConfig()], ids=["lossless", "selecting"]
)
MAX_CHARACTERS = 150_000

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="HEADROOM_CORPUS names no folder")


def cases(name: str, every: int) -> Iterator[Any]:
    """Yield a sample of a set's cases, as parameters."""
    for path in sorted((CORPUS / name).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = [
                case for line in lines if len(line) < MAX_CHARACTERS for case in [json.loads(line)]
            ]
        yield from (pytest.param(case, id=case["id"]) for case in found[::every])


TEXTS = [*cases("json_api", 6), *cases("tables_csv", 4)]
CONVERSATIONS = [*cases("agent_tau", 9), *cases("agent_bfcl", 4)]


def conversation(case: dict[str, Any]) -> list[Any]:
    if case["kind"] == "messages":
        return list(case["messages"])
    return openai_turn(case.get("query") or "Here is the tool's output.", case["content"])


def compress_messages(
    messages: list[Any], config: HeadroomConfig, store: Store | None = None
) -> CompressResult:
    result = compress(messages, config=config, store=store or MemoryStore())
    assert not result.warnings
    return result


def split_json(text: str) -> tuple[list[Value], list[str]]:
    """Return the JSON values of a text, and the text around them."""
    spans = find_json(text)
    ends = [0, *(span.end for span in spans)]
    around = [
        text[end:start] for end, start in zip(ends, [*(span.start for span in spans), len(text)])
    ]
    return [span.value for span in spans], around


@pytest.mark.parametrize("case", TEXTS)
def test_the_lossless_form_of_a_real_output_decodes_to_it(case: dict[str, Any]) -> None:
    text = case["content"]
    short = compress_messages(conversation(case), LOSSLESS).messages[-1]["content"]
    values, around = split_json(text)
    found, found_around = split_json(decode_table(short))
    assert found_around == around
    assert fingerprint(found) == fingerprint(values)
    if short != text:
        assert [value for value in verbatim_values(values) if value not in short] == []


@pytest.mark.parametrize("case", TEXTS)
def test_a_selection_from_a_real_output_shows_whole_rows(case: dict[str, Any]) -> None:
    store, text = MemoryStore(), case["content"]
    result = compress_messages(conversation(case), HeadroomConfig(), store)
    for key in result.ccr_hashes:
        assert store.get(key) == text
        values, _ = split_json(text)
        short = result.messages[-1]["content"]
        arrays = [*arrays_in(values)] if values else csv_arrays(text, short)
        assert assert_rows_shown(short, arrays, key) > 0


@MODES
@pytest.mark.parametrize("case", CONVERSATIONS)
def test_a_real_conversation_keeps_its_prefix(case: dict[str, Any], config: HeadroomConfig) -> None:
    messages, store = conversation(case), MemoryStore()
    whole = compress_messages(messages, config).messages
    for count in range(1, len(messages) + 1):
        assert compress_messages(messages[:count], config, store).messages == whole[:count]


@MODES
@pytest.mark.parametrize("case", [*TEXTS, *CONVERSATIONS])
def test_no_real_block_gains_tokens_or_is_compressed_twice(
    case: dict[str, Any], config: HeadroomConfig
) -> None:
    messages, store = conversation(case), MemoryStore()
    once = compress_messages(messages, config, store)
    twice = compress_messages(once.messages, config, store)
    assert once.tokens_after <= once.tokens_before
    for change in once.changes:
        assert change.tokens_after < change.tokens_before or change.action == "kept"
        if change.action != "kept":
            texts = [
                text_at(result.messages, change.message, change.path) for result in (once, twice)
            ]
            assert texts[0] == texts[1]
