"""Stores that fail, whole or in part: nothing raises, nothing is lost, and the warnings say what happened."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from documents import LONG, openai_turn
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import CompressResult, compress, content_key, decode_table
from headroom_core.errors import CompressionError, StorageError
from headroom_core.stores import MemoryStore, SQLiteStore, Store
from headroom_core.text.exact_json import fingerprint, parse

ROWS = [
    {"id": row, "state": "failed" if row == 77 else "confidential", "amount": row * 3}
    for row in range(200)
]
TABLE = json.dumps(ROWS)


def compressed(text: str, store: Store) -> CompressResult:
    return compress(openai_turn("which failed?", text), store=store)


class Broken(MemoryStore):
    """A store in which some operations fail."""

    def __init__(self, *operations: str) -> None:
        super().__init__()
        self.broken = set(operations)

    def _may(self, operation: str) -> None:
        if operation in self.broken:
            raise StorageError(f"{operation} failed", {"operation": operation})

    def put_many(self, originals: Mapping[str, str]) -> None:
        self._may("put_many")
        super().put_many(originals)

    def get(self, key: str) -> str | None:
        self._may("get")
        return super().get(key)

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        self._may("record")
        return super().record(records)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        self._may("recall")
        return super().recall(keys)


def assert_nothing_lost(result: CompressResult, store: Store, text: str = TABLE) -> None:
    short = result.messages[-1]["content"]
    if result.ccr_hashes:
        assert [store.get(key) for key in result.ccr_hashes] == [text]
    else:
        assert fingerprint(parse(decode_table(short))) == fingerprint(parse(text))
    assert "confidential" not in str(result.warnings)


OPERATIONS = ("put_many", "get", "record", "recall")


@given(st.sets(st.sampled_from(OPERATIONS), min_size=1), st.sets(st.sampled_from(OPERATIONS)))
def test_a_store_of_which_parts_fail_loses_nothing(first: set[str], later: set[str]) -> None:
    store = Broken(*first)
    for broken in (first, later, set[str]()):
        store.broken = broken
        result = compressed(TABLE, store)
        # Later, what was recorded may need no more of what is broken.
        assert (
            result.warnings or broken is not first or not broken & {"recall", "record", "put_many"}
        )
        assert not result.warnings or broken
        store.broken = set()
        assert_nothing_lost(result, store)


@pytest.mark.parametrize("operation", ["put_many", "record", "recall"])
def test_a_store_that_fails_says_so_and_is_an_error_in_strict_mode(operation: str) -> None:
    result = compressed(TABLE, Broken(operation))
    assert f"{operation} failed" in str(result.warnings)
    with pytest.raises(CompressionError) as caught:
        compress(openai_turn("which failed?", TABLE), store=Broken(operation), strict=True)
    assert f"{operation} failed" in str(caught.value.details["warnings"])


def test_originals_that_cannot_be_stored_are_left_whole() -> None:
    result = compressed(TABLE, Broken("put_many"))
    assert result.ccr_hashes == []
    assert result.tokens_after < result.tokens_before


def test_what_was_sent_while_originals_could_not_be_stored_is_sent_again() -> None:
    store = Broken("put_many")
    first = compressed(TABLE, store)
    store.broken = set()
    assert compressed(TABLE, store).messages == first.messages


def asked(query: str, store: Store) -> CompressResult:
    return compress(openai_turn("?", TABLE), store=store, query=query)


def test_what_was_sent_while_it_could_not_be_recorded_is_sent_again_and_recorded_later() -> None:
    store = Broken("record")
    first = asked("row 77", store)
    assert asked("row 150", MemoryStore()).messages != first.messages
    assert asked("row 150", store).messages == first.messages
    assert asked("row 150", Broken("record")).messages != first.messages
    store.broken = set()
    assert asked("row 150", store).messages == first.messages
    store.broken = {"record"}
    assert not asked("row 150", store).warnings


def test_what_was_held_is_left_whole_while_its_original_cannot_be_stored() -> None:
    store = Broken("record")
    first = asked("row 77", store)
    store.purge()
    store.broken = {"put_many"}
    assert asked("row 77", store).ccr_hashes == []
    store.broken = set()
    assert asked("row 77", store).messages == first.messages
    assert_nothing_lost(asked("row 77", store), store)


class Slotted:
    """A store to which nothing can refer weakly, and that cannot record."""

    __slots__ = ("close", "get", "purge", "put_many", "recall", "record")

    def __init__(self) -> None:
        inner = Broken("record")
        self.put_many, self.get, self.purge, self.close = (
            inner.put_many,
            inner.get,
            inner.purge,
            inner.close,
        )
        self.record, self.recall = inner.record, inner.recall


class Unhashable(Broken):
    """A store that is equal to others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unhashable)

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("store", [Slotted(), Unhashable("record")], ids=["slotted", "unhashable"])
def test_a_store_for_which_nothing_can_be_held_loses_nothing(store: Store) -> None:
    for query in ("row 77", "row 150"):
        result = asked(query, store)
        assert "record failed" in str(result.warnings)
        assert_nothing_lost(result, store)


@pytest.mark.parametrize(
    ("store", "consequence"),
    [
        (Broken("record"), "cannot be recorded, and this process remembers them"),
        (Slotted(), "cannot be recorded or remembered, so that texts may change"),
        (Unhashable("record"), "cannot be recorded or remembered, so that texts may change"),
    ],
    ids=["kept", "slotted", "unhashable"],
)
def test_the_warning_says_whether_results_are_remembered(store: Store, consequence: str) -> None:
    (warning,) = asked("row 77", store).warnings
    assert consequence in warning


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "originals.db"


def locked(path: Path) -> Callable[[], None]:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    return holder.close


def test_a_store_that_another_process_locks_costs_the_selection_alone(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    store.put_many({content_key("before"): "before"})
    release = locked(path)
    result = compressed(TABLE, store)
    assert "locked" in str(result.warnings) or "timeout" in str(result.warnings)
    assert result.ccr_hashes == []
    release()
    assert_nothing_lost(result, store)
    assert not compressed(json.dumps(ROWS[:150]), store).warnings
    store.close()


def test_what_is_stored_already_is_sent_again_while_the_store_is_locked(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    first = compressed(TABLE, store)
    release = locked(path)
    again = compressed(TABLE, store)
    release()
    assert again.messages == first.messages
    store.close()


def test_a_full_disk_costs_the_selection_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    store = SQLiteStore(path)
    text = json.dumps([{**row, "note": f"{row['id']} {LONG}"} for row in ROWS * 10])
    result = compressed(text, store)
    assert "full" in str(result.warnings)
    assert_nothing_lost(result, store, text)
    store.close()


@pytest.mark.parametrize("how", ["file", "folder"])
def test_a_store_that_is_deleted_is_made_again(path: Path, how: str) -> None:
    store = SQLiteStore(path)
    first = compressed(TABLE, store)
    for file in path.parent.iterdir():
        file.unlink()
    if how == "folder":
        path.parent.rmdir()
    again = compressed(TABLE, store)
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
def test_a_store_that_somebody_damaged_loses_nothing(path: Path, damaged: str) -> None:
    store = SQLiteStore(path)
    compressed(TABLE, store)
    connection = sqlite3.connect(path)
    connection.execute(damaged)
    connection.commit()
    connection.close()
    assert_nothing_lost(compressed(TABLE, store), store)
    store.close()


def test_a_file_that_is_no_database_costs_the_selection_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are notes, not a database " * 200)
    result = compressed(TABLE, SQLiteStore(path))
    assert "not a SQLite file" in str(result.warnings)
    assert_nothing_lost(result, MemoryStore())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX users and modes")
def test_a_store_that_is_read_only_costs_the_selection_alone() -> None:
    # Root may write anywhere, so a child tries as somebody else, in a folder that is not below root's own.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "originals.db"
        SQLiteStore(path).put_many({content_key("before"): "before"})
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            try:
                os.write(writing, _compressed_read_only(path).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            warnings, keys, text = json.loads(said.read())
        os.waitpid(child, 0)
        Path(folder).chmod(0o700)
    assert str(path) in str(warnings)
    assert keys == []
    assert fingerprint(parse(decode_table(text))) == fingerprint(parse(TABLE))


def _compressed_read_only(path: Path) -> str:
    folder = path.parent
    if os.geteuid() == 0:
        for file in (folder, *folder.iterdir()):
            os.chown(file, 65534, 65534)
        os.seteuid(65534)
    for file in (*folder.iterdir(), folder):
        file.chmod(0o500)
    result = compressed(TABLE, SQLiteStore(path))
    return json.dumps([result.warnings, result.ccr_hashes, result.messages[-1]["content"]])
