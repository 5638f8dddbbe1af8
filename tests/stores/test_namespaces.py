"""Test that tenants never see each other's originals, records and counters, on every path."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headroom_core import (
    HeadroomConfig,
    MemoryStore,
    SQLiteStore,
    Store,
    aretrieve,
    compress,
    content_key,
    default_store,
    handle_retrieve_call,
    open_store,
    retrieve,
)
from headroom_core.errors import ConfigurationError

TEXT = "kept for one tenant"
KEY = content_key(TEXT)
OUTPUT = json.dumps([{"id": n, "state": "sent", "weight": n * 7 % 13} for n in range(300)])
CALL = {"id": "c1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
TALK = [
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": OUTPUT},
]
Open = Callable[[str], Store]


@pytest.fixture(params=["memory", "memory URL", "file", "file URL", "shared URL"])
def open_for(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Open:
    """Return a function that opens the store of a tenant, in each way that there is."""
    file = f"sqlite:///{tmp_path}/kept.db"
    memory = MemoryStore()
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path}/shared.db")
    ways: dict[str, Open] = {
        "memory": memory.in_namespace,
        "memory URL": lambda name: open_store(f"memory://?namespace={name}"),
        "file": SQLiteStore(tmp_path / "kept.db").in_namespace,
        "file URL": lambda name: open_store(f"{file}?namespace={name}"),
        "shared URL": default_store,
    }
    return ways[request.param]


def test_tenants_share_no_original_record_or_counter(open_for: Open) -> None:
    first, second = open_for("first"), open_for("second")
    first.put_many({KEY: TEXT})
    assert first.record({"record": "sent first"}) == {"record": "sent first"}
    assert second.record({"record": "sent second"}) == {"record": "sent second"}
    first.add({"asked": 3})  # type: ignore[attr-defined]
    assert (second.get(KEY), second.recall(["other"])) == (None, {})
    assert second.counters([""]) == {}  # type: ignore[attr-defined]
    assert second.purge() == 0
    assert first.get(KEY) == TEXT
    assert first.recall(["record"]) == {"record": "sent first"}
    assert first.counters([""]) == {"asked": 3}  # type: ignore[attr-defined]


def test_each_tenant_compresses_and_retrieves_by_itself(open_for: Open) -> None:
    first, second, third = map(open_for, ("first", "second", "third"))
    (key,) = compress(TALK, store=first).ccr_hashes
    assert compress(TALK, store=second).ccr_hashes == [key]
    assert second.purge() == 1
    assert retrieve(key, limit=None, store=first).text == OUTPUT
    assert not retrieve(key, store=second).found
    assert not retrieve(key, store=third).found
    # What is sent again is stored again, for the tenant that sends it.
    compress(TALK, store=second)
    assert retrieve(key, limit=None, store=second).text == OUTPUT
    assert not retrieve(key, store=third).found


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_retrieve_takes_a_namespace_with_its_store(kind: str, tmp_path: Path) -> None:
    store = MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "kept.db")
    store.in_namespace("first").put_many({KEY: TEXT})
    assert retrieve(KEY, limit=None, store=store, namespace="first").text == TEXT
    assert (await aretrieve(KEY, limit=None, store=store, namespace="first")).text == TEXT
    for name in (None, "default", "second", "FIRST"):
        assert not retrieve(KEY, store=store, namespace=name).found
        assert not (await aretrieve(KEY, store=store, namespace=name)).found
    tenant = store.in_namespace("second")
    assert retrieve(KEY, limit=None, store=tenant, namespace="first").text == TEXT


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/kept.db", None])
def test_the_settings_name_the_namespace(
    url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path}/default.db?namespace=host")
    url = url and url.format(tmp_path)
    if url:
        monkeypatch.setenv("HEADROOM_STORE_URL", url)
    config = HeadroomConfig(store_url=url, namespace="first")
    (key,) = compress(TALK, config=config).ccr_hashes
    assert retrieve(key, limit=None, namespace="first").text == OUTPUT
    assert not retrieve(key).found
    assert not retrieve(key, namespace="second").found


def test_a_namespace_in_the_settings_changes_no_text(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    sent = [
        compress(TALK, config=HeadroomConfig(store_url=url, namespace=name)).messages
        for name in (None, "first", "second")
    ]
    assert sent[0] == sent[1] == sent[2]


def test_what_tenants_learn_stays_apart() -> None:
    store = MemoryStore()
    (key,) = compress(TALK, store=store.in_namespace("first")).ccr_hashes
    retrieve(key, where="weight == 3", store=store, namespace="first")
    counts = store.in_namespace("first").counters([""])
    assert any("weight" in name for name in counts)
    assert store.in_namespace("second").counters([""]) == {}


def test_the_url_names_a_namespace_which_an_argument_overrides(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.db?namespace=M%C3%BCller%20%26%20Co%3F"
    store = open_store(url)
    assert store.namespace == "Müller & Co?"  # type: ignore[attr-defined]
    assert open_store(url, namespace="other").namespace == "other"  # type: ignore[attr-defined]
    assert open_store("sqlite://?namespace=a").namespace == "a"  # type: ignore[attr-defined]
    store.put_many({KEY: TEXT})
    assert [path.name for path in tmp_path.glob("*.db")] == ["kept.db"]


@pytest.mark.parametrize(
    "options",
    [
        "",
        "namespace",
        "namespace=",
        "Namespace=a",
        "tenant=a",
        "namespace=a&namespace=b",
        "namespace=a&mode=ro",
        "namespace=a&",
        "mode=ro",
        "namespace=%FF",
        "?namespace=a",
    ],
)
@pytest.mark.parametrize("address", ["memory://", "sqlite:///a.db"])
def test_other_options_of_a_url_are_errors_that_name_the_allowed_one(
    address: str, options: str
) -> None:
    url = f"{address}?{options}"
    with pytest.raises(ConfigurationError, match=r"the only option is namespace.*namespace=tenant"):
        open_store(url)
    with pytest.raises(ConfigurationError, match="the only option is namespace"):
        compress(TALK, config=HeadroomConfig(store_url=url))


@pytest.mark.parametrize("name", ["", "x" * 201, "\ud800", 7])
def test_names_that_no_tenant_can_have_are_errors(name: Any, tmp_path: Path) -> None:
    makers: list[Callable[[], object]] = [
        lambda: HeadroomConfig(namespace=name),
        lambda: MemoryStore(namespace=name),
        lambda: SQLiteStore(tmp_path / "a.db", namespace=name),
        lambda: MemoryStore().in_namespace(name),
        lambda: SQLiteStore(tmp_path / "a.db").in_namespace(name),
        lambda: open_store("memory://", namespace=name),
        lambda: retrieve(KEY, store=MemoryStore(), namespace=name),
    ]
    for make in makers:
        with pytest.raises(ConfigurationError, match="namespace = "):
            make()


class ForeignStore:
    """A store of somebody else's, which has the methods of the protocol only."""

    def __init__(self) -> None:
        inner = MemoryStore()
        self.put_many, self.get, self.record = inner.put_many, inner.get, inner.record
        self.recall, self.purge, self.close = inner.recall, inner.purge, inner.close


def test_a_store_without_namespaces_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        ConfigurationError, match=r"ForeignStore has no method in_namespace.*already in that"
    ):
        retrieve(KEY, store=ForeignStore(), namespace="a")


def test_a_store_is_the_same_object_for_the_same_tenant(tmp_path: Path) -> None:
    for store in (MemoryStore(), SQLiteStore(tmp_path / "a.db")):
        tenant = store.in_namespace("a")
        assert tenant is store.in_namespace("a")
        assert tenant.in_namespace("default") is store
        assert tenant.in_namespace("b") is store.in_namespace("b")


def test_copies_and_pickles_stay_in_their_namespace(tmp_path: Path) -> None:
    for store in (MemoryStore(), SQLiteStore(tmp_path / "a.db")):
        tenant = store.in_namespace("a")
        tenant.put_many({KEY: TEXT})
        for same in (copy.deepcopy(tenant), copy.copy(tenant), pickle.loads(pickle.dumps(tenant))):
            assert (same.namespace, same.get(KEY)) == ("a", TEXT)
        assert store.get(KEY) is None


def test_limits_hold_for_each_tenant(tmp_path: Path) -> None:
    texts = {content_key(text): text for text in ("a", "b", "c")}
    for base in (MemoryStore(max_entries=2), SQLiteStore(tmp_path / "a.db", max_entries=2)):
        first, second = base.in_namespace("first"), base.in_namespace("second")
        second.put_many({KEY: TEXT})
        for key, text in texts.items():
            first.put_many({key: text})
        assert sum(first.get(key) is not None for key in texts) == 2
        assert second.get(KEY) == TEXT


def test_a_call_of_the_tool_opens_the_namespace_of_its_store() -> None:
    store = MemoryStore()
    store.in_namespace("first").put_many({KEY: TEXT})
    answers = [
        handle_retrieve_call({"key": KEY}, store=store.in_namespace(name))
        for name in ("first", "second")
    ]
    assert answers[0].endswith(TEXT)
    assert "no original is kept" in answers[1]
