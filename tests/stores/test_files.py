"""Test what a store does with files that are not its own, that are damaged, or that others use."""

from __future__ import annotations

import logging
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from headroom_core.errors import StorageError
from headroom_core.markers import content_key
from headroom_core.stores import SQLiteStore
from headroom_core.stores.sqlite_header import APPLICATION_ID, SCHEMA_VERSION

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes and modes")
SECRET = "confidential " * 5000


def with_keys(*texts: str) -> dict[str, str]:
    return {content_key(text): text for text in texts}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "originals.db"


def use(store: SQLiteStore) -> list[object]:
    """Call every method of a store, and return the answers or the errors."""
    answers: list[object] = []
    for call in (
        lambda: store.get(content_key("a")),
        lambda: store.put_many(with_keys("a", "b")),
        lambda: store.record({"k": "v"}),
        lambda: store.recall(["k"]),
        lambda: store.add({"n": 1}),
        lambda: store.counters([""]),
        lambda: store.purge(older_than=1e9),
    ):
        try:
            answers.append(call())
        except StorageError as error:
            answers.append(error)
    store.close()
    return answers


def files_in(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        file.name: (stat.S_IMODE(file.stat().st_mode), file.read_bytes())
        for file in folder.iterdir()
    }


def write_notes(path: Path) -> None:
    path.write_bytes(b"these are notes, not a database " * 200)


def write_database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def write_newer(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    store.close()
    write_database(
        path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}", "PRAGMA journal_mode = DELETE"
    )


FOREIGN: dict[str, tuple[Callable[[Path], None], str]] = {
    "notes": (write_notes, "not a SQLite file"),
    "a database": (
        lambda path: write_database(path, "CREATE TABLE users (name)"),
        "a database of another program",
    ),
    "a database in WAL mode": (
        lambda path: write_database(path, "PRAGMA journal_mode = WAL", "CREATE TABLE users (name)"),
        "a database of another program",
    ),
    "a database with an identifier": (
        lambda path: write_database(path, "PRAGMA application_id = 7", "CREATE TABLE users (name)"),
        "a database of another program",
    ),
    "tables of ours among others": (
        lambda path: write_database(
            path,
            "CREATE TABLE headroom_originals (key)",
            "CREATE TABLE headroom_records (key)",
            "CREATE TABLE users (name)",
        ),
        "a database of another program",
    ),
    "another encoding": (
        lambda path: write_database(
            path,
            "PRAGMA encoding = 'UTF-16'",
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {SCHEMA_VERSION}",
            "CREATE TABLE headroom_originals (key)",
        ),
        "encoding is not UTF-8",
    ),
    "a newer schema": (write_newer, "a newer version of headroom"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("linked", [False, True], ids=["direct", "through a link"])
def test_a_file_that_is_not_the_stores_own_is_not_touched(
    kind: str, linked: bool, path: Path
) -> None:
    write, reason = FOREIGN[kind]
    write(path)
    path.chmod(0o644)
    before = files_in(path.parent)
    named = path
    if linked:
        named = path.with_name("link.db")
        named.symlink_to(path)
    answers = use(SQLiteStore(named))
    named.unlink() if linked else None
    assert all(isinstance(answer, StorageError) for answer in answers)
    assert all(reason in str(answer) for answer in answers)
    assert all("HEADROOM_STORE_URL" in str(answer) for answer in answers)
    assert files_in(path.parent) == before


@posix
def test_a_pipe_or_a_device_is_not_replaced(path: Path) -> None:
    os.mkfifo(path)
    answers = use(SQLiteStore(path))
    assert all(isinstance(answer, StorageError) for answer in answers)
    assert all("no regular file" in str(answer) for answer in answers)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@posix
def test_stores_of_one_file_in_a_process_leave_each_other_their_locks(path: Path) -> None:
    first, second = SQLiteStore(path), SQLiteStore(path, max_entries=1000)
    first.put_many(with_keys("a"))
    second.put_many(with_keys("b"))
    in_another_process(path, "assert store.get(content_key('a')) == 'a'")
    first.put_many(with_keys("c"))
    in_another_process(path, "assert store.get(content_key('c')) == 'c'")


def in_another_process(path: Path, statement: str) -> None:
    """Run a statement with a `store` of the file, and close it."""
    program = (
        "import sys\n"
        "from headroom_core.markers import content_key\n"
        "from headroom_core.stores import SQLiteStore\n"
        f"store = SQLiteStore(sys.argv[1])\n{statement}\nstore.close()"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch(0o644)
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    assert store.get(content_key("a")) == "a"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_the_first_schema_is_brought_up_to_date(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    store.record({"k": "v"})
    store.close()
    write_database(
        path, "PRAGMA application_id = 0", "PRAGMA user_version = 0", "DROP TABLE headroom_tallies"
    )
    again = SQLiteStore(path)
    assert again.get(content_key("a")) == "a"
    assert again.recall(["k"]) == {"k": "v"}
    assert again.add({"n": 1}) == {"n": 1}
    again.close()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def is_right(answers: list[object]) -> bool:
    """Return whether every answer is an error of the store, or one that an intact store gives."""
    allowed: list[list[object]] = [
        ["a", None], [None], [{"k": "v"}], [{"k": "v"}, {}], [{"n": 1}, {"n": 2}],
        [{"n": 1}, {"n": 2}, {}], [0],
    ]  # fmt: skip
    return all(
        isinstance(answer, StorageError) or answer in choices
        for answer, choices in zip(answers, allowed)
    )


@pytest.mark.parametrize("position", range(100))
def test_a_damaged_header_is_an_error_of_the_store_or_harmless(position: int, path: Path) -> None:
    store = SQLiteStore(path)
    assert is_right(use(store))
    contents = bytearray(path.read_bytes())
    for value in (0, 2, 0xFF, contents[position] ^ 1):
        damaged = bytearray(contents)
        damaged[position] = value
        path.write_bytes(damaged)
        assert is_right(use(SQLiteStore(path, timeout=0.05))), (position, value)


def test_damage_anywhere_is_an_error_of_the_store_or_harmless(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("a", *(f"text {number}" * 50 for number in range(50))))
    use(store)
    contents = path.read_bytes()
    rng = random.Random(1)
    for _ in range(150):
        damaged = bytearray(contents)
        for _ in range(rng.choice([1, 1, 20, 400])):
            damaged[rng.randrange(100, len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        for answer in use(SQLiteStore(path, timeout=0.05)):
            assert answer is None or isinstance(answer, (str, int, dict, StorageError))
            assert answer in ("a", None) or not isinstance(answer, str)


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5000, 20_000])
@pytest.mark.parametrize("log", [False, True], ids=["log written back", "log"])
def test_a_file_that_is_cut_off_in_use_costs_no_time(size: int, log: bool, path: Path) -> None:
    store, other = SQLiteStore(path), SQLiteStore(path)
    store.put_many(with_keys(*(f"text {number}" * 100 for number in range(200))))
    assert other.get("0" * 24) is None
    if not log:
        store.purge(older_than=1e9)
    os.truncate(path, size)
    start = time.monotonic()
    for user in (store, other, SQLiteStore(path)):
        try:
            user.put_many(with_keys("new"))
        except StorageError:
            continue
        assert user.get(content_key("new")) == "new"
    assert time.monotonic() - start < 1


# Deleting for good.


def texts_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())


def test_purging_beside_a_reader_says_so_and_is_completed_later(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    store.put_many(with_keys(SECRET, "b"))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM headroom_originals").fetchone()
    with pytest.raises(StorageError, match=r"2 originals are deleted.*-wal") as caught:
        store.purge()
    assert caught.value.details["deleted"] == 2
    assert store.get(content_key(SECRET)) is None
    reader.execute("COMMIT")
    assert store.get(content_key(SECRET)) is None
    assert b"confidential" not in texts_in(path.parent)
    reader.close()
    store.close()


def test_the_last_reader_completes_a_purge(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    store.put_many(with_keys(SECRET))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM headroom_originals").fetchone()
    with pytest.raises(StorageError):
        store.purge()
    assert b"confidential" in texts_in(path.parent)
    reader.close()
    assert b"confidential" not in texts_in(path.parent)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if (
        not sys.platform.startswith("linux")
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
@pytest.mark.parametrize("older_than", [None, 3600.0], ids=["all", "old"])
def test_purging_works_on_a_full_disk(
    small_disk: Path, is_open: bool, older_than: float | None
) -> None:
    path = small_disk / "originals.db"
    store = SQLiteStore(path)
    store.put_many(with_keys(SECRET))
    other = SQLiteStore(path, namespace="other")
    other.put_many(with_keys("kept"))
    if older_than:
        write_database(path, "UPDATE headroom_originals SET used = used - 7200")
        other.put_many(with_keys("kept"))
    if not is_open:
        store.close()
    other.close()
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    assert os.statvfs(small_disk).f_bavail == 0
    with pytest.raises(StorageError):
        store.put_many(with_keys("x" * 300_000))
    assert store.purge(older_than=older_than) == 1
    store.close()
    filler.unlink()
    assert b"confidential" not in texts_in(small_disk)
    assert other.get(content_key("kept")) == "kept"
    assert store.get(content_key(SECRET)) is None
    other.close()
    store.close()


# Creating.


@posix
def test_folders_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        SQLiteStore(tmp_path / "a" / "b" / "c" / "originals.db").put_many(with_keys("a"))
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/c"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    modes = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "a/b/c").iterdir()}
    assert modes == {0o600}


@posix
def test_files_that_a_killed_process_left_are_removed(path: Path) -> None:
    code = (
        "import os, signal, sqlite3, sys\n"
        "from headroom_core.stores import SQLiteStore\n"
        "connect = sqlite3.connect\n"
        "def kill(*args, **options):\n"
        "    connection = connect(*args, **options)\n"
        "    connection.execute('PRAGMA journal_mode = WAL').fetchone()\n"
        "    connection.execute('CREATE TABLE t (a)')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sqlite3.connect = kill\n"
        "SQLiteStore(sys.argv[1]).get('0' * 24)\n"
    )
    for _ in range(2):
        process = subprocess.run([sys.executable, "-c", code, str(path)])
        assert process.returncode == -signal.SIGKILL
    neighbour = path.with_name(f".{path.name}-backup")
    neighbour.write_text("mine")
    assert len(list(path.parent.iterdir())) > 2
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    store.close()
    assert sorted(file.name for file in path.parent.iterdir()) == [neighbour.name, path.name]


def test_a_leftover_that_cannot_be_removed_changes_nothing(path: Path) -> None:
    path.with_name(f".{path.name}.new-folder").mkdir()
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    assert store.get(content_key("a")) == "a"


def test_a_new_store_says_once_where_texts_are_kept_and_how_long(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="headroom_core")
    for _ in range(2):
        store = SQLiteStore(path)
        store.put_many(with_keys(SECRET))
        store.close()
    (message,) = caplog.messages
    assert str(path) in message
    assert "30 days after their last use" in message
