"""Test the fakes that the library offers for tests."""

from __future__ import annotations

import pickle
from typing import Any, Literal

import pytest

from headroom_core import (
    Compressed,
    MemoryStore,
    Request,
    StorageError,
    ToolIntelligence,
    ValidationError,
    compress,
    content_key,
    handle_retrieve_call,
)
from headroom_core.compressors import REGISTRY
from headroom_core.config import HeadroomConfig
from headroom_core.stores import CounterStore, Store
from headroom_core.testing import (
    FailingStore,
    ScriptedCall,
    ScriptedModel,
    registered_compressor,
    tool_conversation,
)

ROWS = "[" + ",".join(f'{{"id": {n}, "status": "ok"}}' for n in range(400)) + "]"
QUESTION = "What about job 207?"
CALLS: dict[str, Any] = {
    "put_many": lambda store: store.put_many({content_key("a"): "a"}),
    "get": lambda store: store.get(content_key("a")),
    "record": lambda store: store.record({"k": "v"}),
    "recall": lambda store: store.recall(["k"]),
    "add": lambda store: store.add({"n": 1}),
    "counters": lambda store: store.counters([""]),
}


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "google"])
def test_a_tool_conversation_is_compressed_in_every_dialect(
    dialect: Literal["openai", "anthropic", "google"],
) -> None:
    call = ScriptedCall("list_jobs", {"page": 1}, ROWS)
    messages = tool_conversation(QUESTION, [call, call], dialect=dialect)
    assert len(messages) == 5
    result = compress(messages, store=MemoryStore(), dialect=dialect)
    assert {change.message for change in result.changes if change.action == "selected"} == {2, 4}
    assert not result.warnings


def test_an_unknown_dialect_is_rejected() -> None:
    with pytest.raises(ValidationError, match="must be one of openai, anthropic, google"):
        tool_conversation("?", [], dialect="klingon")  # type: ignore[arg-type]


def test_a_scripted_model_can_retrieve_an_omitted_row() -> None:
    store = MemoryStore()
    result = compress(
        tool_conversation("Which failed?", [ScriptedCall("list_jobs", result=ROWS)]), store=store
    )

    def retrieve(messages: Any) -> ScriptedCall:
        key = str(messages[-1]["content"]).partition('key="')[2][:24]
        return ScriptedCall("headroom_retrieve", {"key": key, "where": "id == 207"})

    model = ScriptedModel([retrieve, [ScriptedCall("a"), ScriptedCall("b")], "Job 207 is fine."])
    reply = model(result.messages)
    (call,) = reply["tool_calls"]
    assert "207" in handle_retrieve_call(call["function"]["arguments"], store=store)
    identifiers = {call["id"], *(other["id"] for other in model([reply])["tool_calls"])}
    assert len(identifiers) == 3
    assert model([])["content"] == "Job 207 is fine."
    assert [len(messages) for messages in model.requests] == [3, 1, 0]


def test_an_exhausted_script_is_an_error() -> None:
    model = ScriptedModel(["once"])
    model([])
    with pytest.raises(ValidationError, match="request 2: the script has no more replies"):
        model([])


@pytest.mark.parametrize("operation", CALLS)
def test_a_failing_store_fails_only_where_asked(operation: str) -> None:
    store = FailingStore(operation)
    assert isinstance(store, Store)
    assert isinstance(store, CounterStore)
    for name, call in CALLS.items():
        if name == operation:
            with pytest.raises(StorageError, match=f"{operation} failed"):
                call(store)
        else:
            call(store)
    store.failing.clear()
    CALLS[operation](store)


def test_a_failing_store_can_raise_any_error() -> None:
    with pytest.raises(OSError, match="cable unplugged"):
        FailingStore("get", error=OSError("cable unplugged")).get("0" * 24)
    with pytest.raises(ValidationError, match="operation = 'delete': must be one of put_many"):
        FailingStore("delete")


def test_a_store_with_failing_counters_learns_nothing() -> None:
    store = FailingStore("counters")
    with pytest.raises(StorageError, match="counters failed"):
        ToolIntelligence(store).report()


class Hush:
    name = "hush"

    def compress(self, text: str, request: Request) -> Compressed | None:
        return Compressed("hush", True, "made quiet") if text.startswith("LOUD") else None


def test_a_compressor_is_registered_for_a_block_of_code() -> None:
    messages = tool_conversation("?", [ScriptedCall("shout", result="LOUD " * 99)])
    with registered_compressor(Hush(), accepts=lambda kind: kind.text.startswith("LOUD")):
        assert compress(messages, store=MemoryStore()).messages[2]["content"] == "hush"
    assert compress(messages, store=MemoryStore()).messages == messages


def test_a_compressor_is_removed_after_an_error() -> None:
    with pytest.raises(KeyError), registered_compressor(Hush()):
        raise KeyError
    names = [route.compressor.name for route in REGISTRY.routes(HeadroomConfig())]
    assert "hush" not in names


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
