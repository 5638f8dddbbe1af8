"""Test that failing stores raise nothing, lose nothing and are explained by warnings."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import LONG, openai_turn
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import CompressResult, compress, content_key, decode_table
from headroom_core.errors import CompressionError
from headroom_core.stores import MemoryStore, SQLiteStore, Store
from headroom_core.testing import FailingStore
from headroom_core.text.exact_json import fingerprint, parse

ROWS = [
    {"id": row, "state": "failed" if row == 77 else "confidential", "amount": row * 3}
    for row in range(200)
]
TABLE = json.dumps(ROWS)


def compress_output(text: str, store: Store) -> CompressResult:
    return compress(openai_turn("which failed?", text), store=store)


def assert_nothing_lost(result: CompressResult, store: Store, text: str = TABLE) -> None:
    short = result.messages[-1]["content"]
    if result.ccr_hashes:
        assert [store.get(key) for key in result.ccr_hashes] == [text]
    else:
        assert fingerprint(parse(decode_table(short))) == fingerprint(parse(text))
    assert "confidential" not in str(result.warnings)


OPERATIONS = ("put_many", "get", "record", "recall")


@given(st.sets(st.sampled_from(OPERATIONS), min_size=1), st.sets(st.sampled_from(OPERATIONS)))
def test_a_partly_failing_store_loses_nothing(first: set[str], later: set[str]) -> None:
    store = FailingStore(*first)
    for failing in (first, later, set[str]()):
        store.failing = failing
        result = compress_output(TABLE, store)
        # Later, a recorded result may need none of the failing operations.
        assert (
            result.warnings
            or failing is not first
            or not failing & {"recall", "record", "put_many"}
        )
        assert not result.warnings or failing
        store.failing = set()
        assert_nothing_lost(result, store)


@pytest.mark.parametrize("operation", ["put_many", "record", "recall"])
def test_a_failing_store_is_a_warning_or_a_strict_mode_error(operation: str) -> None:
    result = compress_output(TABLE, FailingStore(operation))
    assert f"{operation} failed" in str(result.warnings)
    with pytest.raises(CompressionError) as caught:
        compress(openai_turn("which failed?", TABLE), store=FailingStore(operation), strict=True)
    assert f"{operation} failed" in str(caught.value.details["warnings"])


def test_texts_whose_originals_cannot_be_stored_lose_nothing() -> None:
    result = compress_output(TABLE, FailingStore("put_many"))
    assert result.ccr_hashes == []
    assert result.tokens_after < result.tokens_before


def test_a_result_sent_without_stored_originals_is_repeated_later() -> None:
    store = FailingStore("put_many")
    first = compress_output(TABLE, store)
    store.failing = set()
    assert compress_output(TABLE, store).messages == first.messages


def compress_with_query(query: str, store: Store) -> CompressResult:
    return compress(openai_turn("?", TABLE), store=store, query=query)


def test_an_unrecorded_result_is_repeated_and_recorded_later() -> None:
    store = FailingStore("record")
    first = compress_with_query("row 77", store)
    assert compress_with_query("row 150", MemoryStore()).messages != first.messages
    assert compress_with_query("row 150", store).messages == first.messages
    assert compress_with_query("row 150", FailingStore("record")).messages != first.messages
    store.failing = set()
    assert compress_with_query("row 150", store).messages == first.messages
    store.failing = {"record"}
    assert not compress_with_query("row 150", store).warnings


def test_a_remembered_result_is_not_reused_without_its_stored_original() -> None:
    store = FailingStore("record")
    first = compress_with_query("row 77", store)
    store.purge()
    store.failing = {"put_many"}
    assert compress_with_query("row 77", store).ccr_hashes == []
    store.failing = set()
    assert compress_with_query("row 77", store).messages == first.messages
    assert_nothing_lost(compress_with_query("row 77", store), store)


class SlottedStore:
    """A store that does not support weak references and cannot record."""

    __slots__ = ("close", "get", "purge", "put_many", "recall", "record")

    def __init__(self) -> None:
        inner = FailingStore("record")
        self.put_many, self.get, self.purge, self.close = (
            inner.put_many,
            inner.get,
            inner.purge,
            inner.close,
        )
        self.record, self.recall = inner.record, inner.recall


class UnhashableStore(FailingStore):
    """A store that is equal to others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnhashableStore)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "store", [SlottedStore(), UnhashableStore("record")], ids=["slotted", "unhashable"]
)
def test_a_store_that_cannot_be_weakly_referenced_loses_nothing(store: Store) -> None:
    for query in ("row 77", "row 150"):
        result = compress_with_query(query, store)
        assert "record failed" in str(result.warnings)
        assert_nothing_lost(result, store)


@pytest.mark.parametrize(
    ("store", "consequence"),
    [
        (FailingStore("record"), "cannot be recorded, and this process remembers them"),
        (SlottedStore(), "cannot be recorded or remembered, so texts may change"),
        (UnhashableStore("record"), "cannot be recorded or remembered, so texts may change"),
    ],
    ids=["kept", "slotted", "unhashable"],
)
def test_the_warning_says_whether_results_are_remembered(store: Store, consequence: str) -> None:
    (warning,) = compress_with_query("row 77", store).warnings
    assert consequence in warning


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "originals.db"


def lock(path: Path) -> Callable[[], None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    return holder.close


def test_a_locked_store_falls_back_to_lossless_compression(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    store.put_many({content_key("before"): "before"})
    release = lock(path)
    result = compress_output(TABLE, store)
    assert "locked" in str(result.warnings) or "timeout" in str(result.warnings)
    assert result.ccr_hashes == []
    release()
    assert_nothing_lost(result, store)
    assert not compress_output(json.dumps(ROWS[:150]), store).warnings
    store.close()


def test_a_stored_result_is_repeated_while_the_store_is_locked(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    first = compress_output(TABLE, store)
    release = lock(path)
    again = compress_output(TABLE, store)
    release()
    assert again.messages == first.messages
    store.close()


def test_a_full_disk_falls_back_to_lossless_compression(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def connect_small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_small)
    store = SQLiteStore(path)
    text = json.dumps([{**row, "note": f"{row['id']} {LONG}"} for row in ROWS * 10])
    result = compress_output(text, store)
    assert "full" in str(result.warnings)
    assert_nothing_lost(result, store, text)
    store.close()


@pytest.mark.parametrize("removed", ["file", "folder"])
def test_a_deleted_store_is_created_again(path: Path, removed: str) -> None:
    store = SQLiteStore(path)
    first = compress_output(TABLE, store)
    for file in path.parent.iterdir():
        file.unlink()
    if removed == "folder":
        path.parent.rmdir()
    again = compress_output(TABLE, store)
    assert again == first
    assert_nothing_lost(again, SQLiteStore(path))
    store.close()


@pytest.mark.parametrize(
    "damaged",
    [
        "UPDATE headroom_records SET text = X'FF'",
        "UPDATE headroom_records SET text = '{}'",
        "UPDATE headroom_originals SET text = X'00'",
        "DROP TABLE headroom_records",
        "DELETE FROM headroom_originals",
    ],
)
def test_a_damaged_store_loses_nothing(path: Path, damaged: str) -> None:
    store = SQLiteStore(path)
    compress_output(TABLE, store)
    connection = sqlite3.connect(path)
    connection.execute(damaged)
    connection.commit()
    connection.close()
    assert_nothing_lost(compress_output(TABLE, store), store)
    store.close()


def test_a_non_database_file_falls_back_to_lossless_compression(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are notes, not a database " * 200)
    result = compress_output(TABLE, SQLiteStore(path))
    assert "not a SQLite file" in str(result.warnings)
    assert_nothing_lost(result, MemoryStore())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX users and modes")
def test_a_read_only_store_falls_back_to_lossless_compression() -> None:
    # Root may write anywhere, so a child tries as another user, in a folder outside root's own.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "originals.db"
        SQLiteStore(path).put_many({content_key("before"): "before"})
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.write(writing, _compress_read_only(path).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as output:
            warnings, keys, text = json.loads(output.read())
        os.waitpid(child, 0)
        Path(folder).chmod(0o700)
    assert str(path) in str(warnings)
    assert keys == []
    assert fingerprint(parse(decode_table(text))) == fingerprint(parse(TABLE))


def _compress_read_only(path: Path) -> str:
    folder = path.parent
    if os.geteuid() == 0:
        for file in (folder, *folder.iterdir()):
            os.chown(file, 65534, 65534)
        os.seteuid(65534)
    for file in (*folder.iterdir(), folder):
        file.chmod(0o500)
    result = compress_output(TABLE, SQLiteStore(path))
    return json.dumps([result.warnings, result.ccr_hashes, result.messages[-1]["content"]])
