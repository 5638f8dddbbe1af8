"""Test that damage and faults of a store change nothing that was sent, and are mended."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from documents import openai_turn

from headroom_core import CompressResult, clear_caches, compress, content_key, retrieve
from headroom_core._internal.private_files import locked_folder
from headroom_core.config import HeadroomConfig, IntelligentContextConfig
from headroom_core.stores import MemoryStore, SQLiteStore, Store
from headroom_core.testing import FailingStore

TABLE = json.dumps(
    [{"id": row, "state": "failed" if row == 77 else f"s{row % 9}"} for row in range(300)]
)
KEY = content_key(TABLE)


def compress_table(store: Store, query: str | None = None) -> CompressResult:
    return compress(openai_turn("which failed?", TABLE), store=store, query=query)


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "originals.db"


# Damage.


@pytest.mark.parametrize("again", ["same process", "new process"])
def test_a_damaged_original_is_mended_when_its_marker_is_sent_again(path: Path, again: str) -> None:
    store = SQLiteStore(path)
    first = compress_table(store)
    assert first.ccr_hashes == [KEY]
    alter(path, "UPDATE headroom_originals SET text = replace(text, 'failed', 'fAiled')")
    assert not retrieve(KEY, store=store).found
    if again == "new process":
        clear_caches()
        store = SQLiteStore(path)
    assert compress_table(store).messages == first.messages
    assert SQLiteStore(path).get(KEY) == TABLE


def test_a_damaged_record_is_worked_out_anew_with_a_warning(path: Path) -> None:
    first = compress_table(SQLiteStore(path), query="row 150")
    clear_caches()
    alter(path, "UPDATE headroom_records SET text = replace(CAST(text AS TEXT), '77', '78')")
    store = SQLiteStore(path)
    again = compress_table(store, query="row 150")
    assert "records of the store are damaged" in str(again.warnings)
    assert again.messages == first.messages
    # The replacement is recorded: it holds, whatever is asked later.
    clear_caches()
    assert compress_table(SQLiteStore(path), query="s3").messages == first.messages


@pytest.mark.parametrize("text", ["X'FF'", "'no record'", "zeroblob(90)", "7"])
def test_any_record_that_cannot_be_read_is_worked_out_anew(path: Path, text: str) -> None:
    first = compress_table(SQLiteStore(path))
    alter(path, f"UPDATE headroom_records SET text = {text}")
    again = compress_table(SQLiteStore(path))
    assert again.messages == first.messages
    assert "damaged" in str(again.warnings)


# Faults that pass.


def test_what_was_sent_stays_while_the_store_cannot_be_read() -> None:
    store = FailingStore()
    first = compress_table(store, query="row 150")
    store.failing = {"recall", "record", "get", "put_many"}
    again = compress_table(store, query="s3")
    assert again.messages == first.messages
    assert retrieve(KEY, store=store).found


def talk(turns: int) -> list[dict[str, Any]]:
    return [
        {"role": ("user", "assistant")[turn % 2], "content": f"turn {turn} of the talk " * 20}
        for turn in range(turns)
    ]


WINDOWS = {
    "rolling": HeadroomConfig(),
    "intelligent": HeadroomConfig(intelligent_context=IntelligentContextConfig(enabled=True)),
}


def gap_markers(result: CompressResult) -> list[str]:
    texts = [str(message["content"]) for message in result.messages]
    return [text for text in texts if text.startswith("[headroom: ")]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("operation", ["put_many", "record", "recall", "get"])
def test_a_cut_is_not_undone_while_the_store_fails(window: str, operation: str) -> None:
    store, config = FailingStore(), WINDOWS[window]
    first = compress(talk(21), token_budget=1200, store=store, config=config)
    assert gap_markers(first)
    store.failing = {operation}
    again = compress(talk(21), token_budget=1200, store=store, config=config)
    assert again.messages == first.messages
    store.failing = set()
    assert compress(talk(21), token_budget=1200, store=store, config=config) == first


def test_messages_that_cannot_be_stored_stay_in_memory_until_they_can() -> None:
    store = FailingStore("put_many")
    first = compress(talk(21), token_budget=1200, store=store)
    assert "memory of this process alone" in str(first.warnings)
    (key,) = first.ccr_hashes
    assert retrieve(key, store=store).found
    assert store.get(key) is None
    store.failing = set()
    again = compress(talk(21), token_budget=1200, store=store)
    assert again.messages == first.messages
    assert store.get(key) is not None


def test_a_marker_of_dropped_messages_has_one_wording() -> None:
    stored = compress(talk(21), token_budget=1200, store=MemoryStore())
    failing = compress(talk(21), token_budget=1200, store=FailingStore("put_many", "record"))
    assert gap_markers(failing) == gap_markers(stored)


# Waits.


def test_a_request_waits_once_for_a_locked_store(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.4)
    compress_table(store)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    messages = [
        *openai_turn("which failed?", TABLE.replace("failed", "broken")),
        *openai_turn("and which now?", TABLE.replace("failed", "gone"), "call_2"),
        *talk(20),
    ]
    start = time.monotonic()
    result = compress(messages, store=store, token_budget=6000)
    # A wait of its own for each operation would take several times as long.
    assert time.monotonic() - start < 0.4 + 0.8
    assert "locked" in str(result.warnings) or "timeout" in str(result.warnings)
    holder.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of folders")
def test_a_request_waits_once_for_a_locked_folder(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.4)
    start = time.monotonic()
    with locked_folder(path.parent, 0.0):
        result = compress(openai_turn("which failed?", TABLE), store=store)
    assert time.monotonic() - start < 0.4 + 0.8
    assert "timeout" in str(result.warnings)


def test_the_default_wait_is_a_second(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many({KEY: TABLE})
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    compress(openai_turn("which failed?", TABLE.replace("failed", "broken")), store=store)
    assert 0.9 < time.monotonic() - start < 1.9
    holder.close()


SMALL_STORES: list[Callable[[Path, int], Store]] = [
    lambda path, size: MemoryStore(max_entries=size),
    lambda path, size: MemoryStore(max_bytes=size * 2_000),
    lambda path, size: SQLiteStore(path, max_entries=size),
]


@pytest.mark.parametrize("make", SMALL_STORES)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("budget", [None, 2_500])
def test_a_small_store_keeps_what_a_request_names(
    make: Callable[[Path, int], Store], size: int, budget: int | None, path: Path
) -> None:
    store = make(path, size)
    random = Random(size)
    named = 0
    for conversation in range(3):
        messages: list[Any] = []
        for turn in range(6):
            rows = [{"id": n, "state": f"s{n % 9}"} for n in range(random.randrange(250, 350))]
            output = json.dumps({"at": [conversation, turn], "rows": rows})
            messages += openai_turn(f"question {turn}", output)
            result = compress(messages, store=store, token_budget=budget)
            named = max(named, len(result.ccr_hashes))
            assert all(retrieve(key, store=store).found for key in result.ccr_hashes)
    assert budget or named > size
