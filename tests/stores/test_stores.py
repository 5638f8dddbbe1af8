"""Test stores in memory and in files, and the robustness of files."""

from __future__ import annotations

import base64
import copy
import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headroom_core.errors import ConfigurationError, StorageError
from headroom_core.markers import content_key
from headroom_core.stores import (
    CounterStore,
    MemoryStore,
    SQLiteStore,
    Store,
    default_store,
    open_store,
)
from headroom_core.stores.base import MAX_COUNTERS

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX processes and modes")
MakeStore = Callable[..., Store]


def with_keys(*texts: str) -> dict[str, str]:
    return {content_key(text): text for text in texts}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "originals.db"


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, path: Path) -> Iterator[MakeStore]:
    stores: list[Store] = []

    def build(**options: object) -> Store:
        url = "memory://" if request.param == "memory" else f"sqlite:///{path}"
        stores.append(open_store(url, **options))  # type: ignore[arg-type]
        return stores[-1]

    yield build
    for store in stores:
        store.close()


@pytest.fixture
def store(make: MakeStore) -> Store:
    return make()


def start_python(code: str, *arguments: object) -> subprocess.Popen[str]:
    prelude = (
        "import sys\n"
        "from headroom_core.markers import content_key\n"
        "from headroom_core.stores import SQLiteStore\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", prelude + textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_output(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


# Laws of every store.


def test_a_store_implements_the_protocol(store: Store) -> None:
    assert isinstance(store, Store)


@pytest.mark.parametrize(
    "text", ["", "a\r\nb\rc\n", "nul \0 inside", "lone \ud83d surrogate", "名前 🙂", "x" * 500_000]
)
def test_originals_are_returned_byte_for_byte(store: Store, text: str) -> None:
    store.put_many(with_keys(text))
    assert store.get(content_key(text)) == text


def test_an_unknown_key_returns_nothing(store: Store) -> None:
    assert store.get("0" * 24) is None
    assert store.recall(["0" * 24]) == {}


def test_putting_again_changes_nothing(store: Store) -> None:
    for _ in range(3):
        store.put_many(with_keys("same", "other"))
    assert store.get(content_key("same")) == "same"
    assert store.purge() == 2


def test_a_text_with_a_foreign_key_is_rejected(store: Store) -> None:
    with pytest.raises(StorageError, match="does not belong to its key"):
        store.put_many({content_key("one"): "another"})


def test_a_different_text_under_a_stored_key_is_rejected(store: Store) -> None:
    store.put_many(with_keys("one"))
    with pytest.raises(StorageError, match="does not belong to its key"):
        store.put_many({content_key("one"): "longer than one"})
    assert store.get(content_key("one")) == "one"


def test_the_first_record_wins(store: Store) -> None:
    assert store.record({"a": "first"}) == {"a": "first"}
    assert store.record({"a": "second", "b": "lone \udc00"}) == {"a": "first", "b": "lone \udc00"}
    assert store.recall(["b", "a", "c"]) == {"a": "first", "b": "lone \udc00"}


def test_any_number_of_records_and_originals_is_accepted(store: Store) -> None:
    texts = with_keys(*map(str, range(1234)))
    store.put_many(texts)
    assert store.record(texts) == texts
    assert store.recall(iter(texts)) == texts
    assert all(store.get(key) == text for key, text in texts.items())


def test_empty_requests_are_valid(store: Store) -> None:
    store.put_many({})
    assert (store.record({}), store.recall([]), store.purge()) == ({}, {}, 0)


def test_namespaces_are_isolated(make: MakeStore) -> None:
    first, second = make(namespace="first"), make(namespace="second")
    first.put_many(with_keys("secret"))
    first.record({"k": "of the first"})
    assert second.get(content_key("secret")) is None
    assert second.recall(["k"]) == {}
    assert second.record({"k": "of the second"}) == {"k": "of the second"}
    assert second.purge() == 0
    assert first.get(content_key("secret")) == "secret"
    assert first.recall(["k"]) == {"k": "of the first"}


def test_the_least_recently_replayed_original_is_evicted_first(make: MakeStore) -> None:
    store = make(max_entries=3)
    for text in ("a", "b", "c", "a", "d"):
        store.put_many(with_keys(text))
    assert [text for text in "abcd" if store.get(content_key(text))] == ["a", "c", "d"]


def test_records_are_evicted_by_their_own_last_use(make: MakeStore) -> None:
    store = make(max_entries=2)
    store.record({"a": "1"})
    store.record({"b": "2"})
    store.recall(["a"])
    store.record({"c": "3"})
    assert store.recall("abc") == {"a": "1", "c": "3"}


def test_a_call_never_evicts_its_own_entries(make: MakeStore) -> None:
    store = make(max_entries=2)
    store.put_many(with_keys("replayed"))
    store.record({"x": "replayed"})
    store.put_many(with_keys("replayed", "1", "2", "3"))
    store.record(dict.fromkeys("xabc", "new"))
    assert all(store.get(content_key(text)) for text in ("replayed", "1", "2", "3"))
    assert len(store.recall("xabc")) == 4


def test_old_originals_are_evicted_when_another_is_stored(
    make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    store = make(max_age_seconds=20)
    store.put_many(with_keys("old", "replayed"))
    now[0] += 15
    store.put_many(with_keys("replayed"))
    now[0] += 10
    store.put_many(with_keys("new"))
    assert [text for text in ("old", "replayed", "new") if store.get(content_key(text))] == [
        "replayed",
        "new",
    ]


def test_purge_deletes_by_age_or_everything(store: Store) -> None:
    store.put_many(with_keys("a", "b"))
    store.record({"k": "v"})
    assert store.purge(older_than=60) == 0
    assert store.purge(older_than=-1) == 2
    store.put_many(with_keys("a"))
    assert store.purge() == 1
    assert store.recall(["k"]) == {}


def test_a_closed_store_reopens_itself(make: MakeStore) -> None:
    store = make()
    store.put_many(with_keys("a"))
    store.close()
    store.close()
    assert store.get(content_key("a")) == "a"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))]
)
def test_a_copy_of_a_store_shares_its_contents(
    make: MakeStore, copied: Callable[[Store], Store]
) -> None:
    store = make(namespace="ours", max_entries=2)
    copied_store = copied(store)
    copied_store.put_many(with_keys("one"))
    copied_store.put_many(with_keys("two", "three"))
    assert [store.get(content_key(text)) for text in ("one", "two", "three")] == [
        None,
        "two",
        "three",
    ]
    copied_store.close()


def test_separately_pickled_stores_are_shared_in_another_process(make: MakeStore) -> None:
    store = make(namespace="ours", max_entries=2)
    first, second = (base64.b64encode(pickle.dumps(store)).decode() for _ in range(2))
    code = """
        import base64, pickle
        first, second = (pickle.loads(base64.b64decode(given)) for given in sys.argv[1:])
        for text in ("one", "two", "three"):
            first.put_many({content_key(text): text})
        print([second.get(content_key(text)) for text in ("one", "two", "three")])
    """
    assert wait_for_output(start_python(code, first, second)).strip() == "[None, 'two', 'three']"


def test_pickling_originals_in_memory_logs_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pickled = pickle.dumps(MemoryStore())  # The store is gone by the time it is asked for again.
    elsewhere = pickle.loads(pickled)
    assert "SQLiteStore" in caplog.text
    caplog.clear()
    assert pickle.loads(pickled) is elsewhere
    assert caplog.text == ""


def test_eight_threads_write_consistently(store: Store) -> None:
    records: list[dict[str, str]] = []

    def work(thread: int) -> None:
        for turn in range(30):
            store.put_many(with_keys(f"shared {turn}", f"{thread} {turn}"))
            records.append(store.record({f"{turn}": f"by {thread}"}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    final = store.recall(map(str, range(30)))
    assert len(records) == 240
    assert all(final[key] == value for record in records for key, value in record.items())
    assert store.purge() == 30 + 240


@posix
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_works_while_parent_threads_write(store: Store, path: Path) -> None:
    store.put_many(with_keys("before"))
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            store.put_many(with_keys(f"parent {(number := number + 1)}"))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for child in range(5):
        if (process := os.fork()) == 0:
            store.put_many(with_keys(f"child {child}"))
            found_originals = store.get(content_key("before")) == "before" and store.get(
                content_key(f"child {child}")
            )
            os._exit(0 if found_originals else 1)
        assert os.waitpid(process, 0)[1] == 0
    done.set()
    for thread in threads:
        thread.join()
    if isinstance(store, SQLiteStore):
        assert all(store.get(content_key(f"child {child}")) for child in range(5))


# Counters.


def as_counter_store(store: Store) -> CounterStore:
    assert isinstance(store, CounterStore)
    return store


def test_counters_add_up_and_never_fall_below_zero(store: Store) -> None:
    counter_store = as_counter_store(store)
    assert counter_store.add({"a": 2, "b": 1}) == {"a": 2, "b": 1}
    assert counter_store.add({"a": 3, "b": -5, "c": 0}) == {"a": 5, "b": 0, "c": 0}
    assert counter_store.add({"b": 1}) == {"b": 1}
    assert counter_store.counters([""]) == {"a": 5, "b": 1}
    assert (counter_store.add({}), counter_store.counters([])) == ({}, {})


def test_a_prefix_matches_literally(store: Store) -> None:
    counter_store = as_counter_store(store)
    names = [
        "a%",
        "a%b",
        "aXb",
        "A%",
        "_",
        "é",
        "éa",
        "\U0010ffff",
        "\udc00",
        "nul\0 a",
        "' OR 1=1 --",
        "",
    ]
    counter_store.add({name: index for index, name in enumerate(names, 1)})
    for prefix in (*names, "a", "n"):
        assert set(counter_store.counters([prefix])) == {
            name for name in names if name.startswith(prefix)
        }
    assert set(counter_store.counters(["a%", "a%b", "_"])) == {"a%", "a%b", "_"}


def test_the_least_recently_updated_counters_are_evicted_first(store: Store) -> None:
    counter_store = as_counter_store(store)
    for name in ("first", "second"):
        counter_store.add({name: 1})
    counter_store.add({"first": 0})
    counter_store.add({f"{number}": 1 for number in range(MAX_COUNTERS - 1)})
    assert len(counter_store.counters([""])) == MAX_COUNTERS
    assert set(counter_store.counters(["first", "second"])) == {"first"}


def test_counters_of_namespaces_are_isolated(make: MakeStore) -> None:
    first, second = make(namespace="first"), make(namespace="second")
    as_counter_store(first).add({"a": 1})
    as_counter_store(second).add({"a": 5})
    first.purge(older_than=60)
    assert as_counter_store(first).counters(["a"]) == {"a": 1}
    first.purge(older_than=-1)
    assert as_counter_store(first).counters(["a"]) == {}
    second.close()
    assert as_counter_store(second).counters(["a"]) == {"a": 5}
    second.purge()
    assert as_counter_store(second).counters(["a"]) == {}


def test_eight_threads_count_every_time(store: Store) -> None:
    counter_store = as_counter_store(store)
    totals: list[int] = []

    def work() -> None:
        totals.extend(counter_store.add({"all": 1})["all"] for _ in range(30))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(totals) == [*range(1, 241)]


@pytest.mark.parametrize(
    ("limits", "durable"),
    [
        ({}, True),
        ({"max_age_seconds": 86_400}, True),
        ({"max_age_seconds": 86_399}, False),
        ({"max_entries": 1_000_000}, False),
        ({"max_entries": 1_000_000, "max_age_seconds": 1e9}, False),
    ],
)
def test_a_store_is_durable_unless_a_short_limit_evicts(
    make: MakeStore, limits: dict[str, float], durable: bool
) -> None:
    assert as_counter_store(make(**limits)).durable is durable


def test_a_store_with_a_byte_limit_is_not_durable() -> None:
    assert not MemoryStore(max_bytes=10**12).durable


def test_a_memory_store_can_be_limited_in_bytes() -> None:
    store = MemoryStore(max_bytes=3000)
    for letter in "abcd":
        store.put_many(with_keys(letter * 1000))
    assert [letter for letter in "abcd" if store.get(content_key(letter * 1000))] == ["c", "d"]


# URLs of stores.


def test_a_url_selects_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_store(f"sqlite:///{tmp_path / 'a.db'}"), SQLiteStore)
    assert not (tmp_path / "a.db").exists()


@pytest.mark.parametrize(
    "url", ["", "file.db", "redis://host", "sqlite:///", "sqlite:///a.db?mode=ro"]
)
def test_an_unknown_url_is_named_in_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert repr(url) in str(caught.value)
    assert caught.value.details == {"store_url": url}


def test_each_url_has_a_single_default_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'one.db'}")
    found: list[Store] = []
    threads = [threading.Thread(target=lambda: found.append(default_store())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'two.db'}")
    assert default_store() is not found[0]


def test_sqlite3_is_not_imported_before_a_file_is_used() -> None:
    code = (
        "import headroom_core.stores as s; s.open_store('memory://'); "
        "assert 'sqlite3' not in sys.modules"
    )
    wait_for_output(
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; {code}"], cwd=ROOT, stdout=-1, stderr=-1, text=True
        )
    )


# Files.


@posix
def test_the_files_are_private_from_the_first_byte(path: Path) -> None:
    modes: set[int] = set()

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("sqlite3.connect", "os.rename", "sqlite3.connect/handle"):
            modes.update(stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir())

    watching = True
    sys.addaudithook(watch)
    before = os.umask(0)
    try:
        store = SQLiteStore(path)
        store.put_many(with_keys("a"))
        modes.update(stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir())
    finally:
        watching = False
        os.umask(before)
    assert {file.name for file in path.parent.iterdir()} == {
        path.name,
        f"{path.name}-wal",
        f"{path.name}-shm",
    }
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    store.close()


@posix
def test_a_readable_file_is_made_private(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    store.close()


def test_another_process_finds_originals_and_records(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("kept"))
    store.record({"k": "v"})
    code = (
        "s = SQLiteStore(sys.argv[1]); print(s.get(content_key('kept')), s.record({'k': 'late'}))"
    )
    assert wait_for_output(start_python(code, path)) == "kept {'k': 'v'}\n"
    store.close()


def test_processes_count_together(path: Path) -> None:
    code = """
        store = SQLiteStore(sys.argv[1], timeout=30)
        for turn in range(30):
            store.add({"all": 1, sys.argv[2]: 1})
    """
    processes = [start_python(code, path, number) for number in range(4)]
    assert [wait_for_output(process) for process in processes] == [""] * 4
    store = SQLiteStore(path)
    assert store.counters([""]) == {"all": 120, "0": 30, "1": 30, "2": 30, "3": 30}
    store.close()


def test_a_file_without_a_counter_table_gains_it(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("kept"))
    store.record({"k": "v"})
    store.close()
    damage(path, "DROP TABLE headroom_tallies")
    assert store.add({"a": 1}) == {"a": 1}
    assert (store.get(content_key("kept")), store.recall(["k"])) == ("kept", {"k": "v"})
    store.close()


@posix
def test_a_killed_process_loses_no_stored_original(path: Path) -> None:
    code = """
        store, number = SQLiteStore(sys.argv[1]), 0
        while True:
            text = f"{number} " + "x" * 20_000
            store.put_many({content_key(text): text})
            print(content_key(text), flush=True)
            number += 1
    """
    process = start_python(code, path)
    assert process.stdout is not None
    keys = [process.stdout.readline().strip() for _ in range(20)]
    process.send_signal(signal.SIGKILL)
    keys += [line.strip() for line in process.stdout if len(line) == 25]
    process.communicate()
    store = SQLiteStore(path)
    assert all(store.get(key) for key in keys)
    store.close()


def test_processes_that_start_together_share_the_first_record(path: Path) -> None:
    code = """
        store = SQLiteStore(sys.argv[1], timeout=30)
        for turn in range(20):
            text = f"{sys.argv[2]} {turn}"
            store.put_many({content_key(text): text})
            print(store.record({str(turn): sys.argv[2]})[str(turn)])
    """
    processes = [start_python(code, path, number) for number in range(6)]
    output = {wait_for_output(process) for process in processes}
    assert len(output) == 1
    store = SQLiteStore(path)
    assert store.purge() == 120
    store.close()


def test_a_reader_sees_each_original_as_soon_as_its_key(path: Path) -> None:
    code = """
        store = SQLiteStore(sys.argv[1])
        for number in range(100):
            store.put_many({content_key(str(number)): str(number)})
            print(content_key(str(number)), flush=True)
    """
    process, store = start_python(code, path), SQLiteStore(path)
    assert process.stdout is not None
    assert [store.get(line.strip()) for line in process.stdout] == [
        str(number) for number in range(100)
    ]
    wait_for_output(process)
    store.close()


def test_a_replay_writes_nothing(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("a"))
    store.record({"k": "v"})
    size = path.with_name(f"{path.name}-wal").stat().st_size
    for _ in range(10):
        store.recall(["k"])
        store.put_many(with_keys("a"))
    assert path.with_name(f"{path.name}-wal").stat().st_size == size
    store.close()


def test_purged_texts_are_erased_from_the_files(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("confidential " * 50_000, "private"))
    full = path.with_name(f"{path.name}-wal").stat().st_size
    store.purge()
    contents = [file.read_bytes() for file in path.parent.iterdir()]
    assert not any(b"confidential" in content or b"private" in content for content in contents)
    assert sum(map(len, contents)) < full / 4
    store.close()


# Failures of files.


@pytest.mark.parametrize("removed", ["file", "folder", "all", "replaced"])
def test_a_file_that_vanishes_while_open_is_created_again(path: Path, removed: str) -> None:
    store, other = SQLiteStore(path), SQLiteStore(path)
    for user in (store, other):
        user.put_many(with_keys("before"))
    for file in [path] if removed in ("file", "replaced") else list(path.parent.iterdir()):
        file.unlink()
    if removed == "folder":
        path.parent.rmdir()
    if removed == "replaced":
        path.touch(0o600)
    store.put_many(with_keys("after"))
    other.put_many(with_keys("of the other"))
    fresh = SQLiteStore(path)
    for user in (store, other, fresh):
        assert user.get(content_key("before")) is None
        assert user.get(content_key("after")) == "after"
        assert user.get(content_key("of the other")) == "of the other"
    for user in (store, other, fresh):
        user.close()


def catch_storage_error(work: Callable[[], object]) -> StorageError:
    with pytest.raises(StorageError) as caught:
        work()
    assert "confidential" not in str(caught.value) + repr(caught.value.details)
    return caught.value


def test_a_non_database_file_is_left_unchanged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"these are notes, not a database " * 200)
    error = catch_storage_error(lambda: SQLiteStore(path).put_many(with_keys("confidential")))
    assert error.details == {"path": str(path), "operation": "put_many"}
    assert "it is not a SQLite file, or its beginning is damaged; move it away" in str(error)
    assert path.read_bytes().startswith(b"these are notes")


def test_a_lock_beyond_the_timeout_is_an_error_until_released(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.1)
    store.put_many(with_keys("before"))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert "timeout" in str(catch_storage_error(lambda: store.put_many(with_keys("confidential"))))
    assert "timeout" in str(catch_storage_error(lambda: store.record({"k": "confidential"})))
    assert store.get(content_key("before")) == "before"
    holder.close()
    store.put_many(with_keys("confidential"))
    store.close()


def test_a_full_disk_is_an_error_that_keeps_existing_originals(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def connect_small(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 30")
        return connection  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect_small)
    store = SQLiteStore(path)
    store.put_many(with_keys("before"))
    error = catch_storage_error(lambda: store.put_many(with_keys("confidential " * 50_000)))
    assert "full; free some space" in str(error)
    assert store.get(content_key("before")) == "before"
    store.put_many(with_keys("small"))
    store.close()


@posix
def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = catch_storage_error(
        lambda: SQLiteStore(tmp_path / "file" / "folder" / "x.db").get("0" * 24)
    )
    assert error.details["operation"] == "get"
    assert "HEADROOM_STORE_URL" in str(error)


@posix
@pytest.mark.parametrize("read_only", ["file", "folder"])
def test_a_read_only_file_or_folder_is_an_error(read_only: str) -> None:
    # Root may write anywhere, so a child tries as another user, in a folder outside root's own.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "originals.db"
        if read_only == "file":
            SQLiteStore(path).put_many(with_keys("before"))
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            try:
                if os.geteuid() == 0:
                    for file in (Path(folder), *Path(folder).iterdir()):
                        os.chown(file, 65534, 65534)
                    os.seteuid(65534)
                for file in (*Path(folder).iterdir(), Path(folder)):
                    file.chmod(0o500)
                error = catch_storage_error(
                    lambda: SQLiteStore(path).put_many(with_keys("confidential"))
                )
                os.write(writing, str(error).encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        output = os.read(reading, 10_000).decode()
        os.close(reading)
        Path(folder).chmod(0o700)
    assert str(path) in output
    assert "HEADROOM_STORE_URL" in output


def damage(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "text", ["X'FF'", "'text'", "X'0102'", "replace(text, 'fide', 'sidE')", "12", "zeroblob(12)"]
)
def test_a_damaged_original_is_mended_when_it_is_put_again(path: Path, text: str) -> None:
    store = SQLiteStore(path)
    store.put_many(with_keys("confidential"))
    damage(path, f"UPDATE headroom_originals SET text = {text}")
    catch_storage_error(lambda: store.get(content_key("confidential")))
    store.put_many(with_keys("confidential"))
    assert store.get(content_key("confidential")) == "confidential"
    store.close()


def test_a_replay_that_cannot_update_its_timestamp_succeeds(path: Path) -> None:
    store = SQLiteStore(path, timeout=0.05)
    store.put_many(with_keys("a"))
    store.record({"k": "v"})
    for table in ("originals", "records"):
        damage(path, f"UPDATE headroom_{table} SET used = used - 7200")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store.put_many(with_keys("a"))
    assert store.recall(["k"]) == {"k": "v"}
    holder.close()
    store.put_many(with_keys("a"))
    assert store.purge(older_than=3600) == 0
    assert store.recall(["k"]) == {}
    store.close()
