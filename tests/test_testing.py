"""The fakes for users' tests that are stores: copied and pickled, they fail as before."""

from __future__ import annotations

import pickle

import pytest

from headroom_core.errors import StorageError
from headroom_core.testing import FailingStore


def test_a_pickled_failing_store_is_itself_in_the_same_process() -> None:
    store = FailingStore("record")
    assert pickle.loads(pickle.dumps(store)) is store


def test_a_failing_store_fails_the_same_way_in_another_process() -> None:
    pickled = pickle.dumps(FailingStore("put_many", error=OSError("the disk is full")))
    elsewhere = pickle.loads(pickled)  # The pickled store is gone, as in another process.
    assert elsewhere.failing == {"put_many"}
    with pytest.raises(OSError, match="the disk is full"):
        elsewhere.put_many({})
    assert elsewhere.recall(["key"]) == {}


def test_the_operations_that_fail_when_it_is_pickled_count() -> None:
    store = FailingStore("record")
    store.failing = {"recall"}
    pickled = pickle.dumps(store)
    del store
    elsewhere = pickle.loads(pickled)
    with pytest.raises(StorageError, match="recall failed"):
        elsewhere.recall(["key"])
