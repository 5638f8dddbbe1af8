"""Test that tools whose originals are retrieved keep more rows of their outputs."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from documents import conversations, openai_turn
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import openai_conversations

from headroom_core import (
    Change,
    CompressionError,
    CompressResult,
    MemoryStore,
    SmartCrusherConfig,
    SQLiteStore,
    Store,
    ToolIntelligence,
    aretrieve,
    compress,
    handle_retrieve_call,
    open_store,
    retrieve,
)
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.insight import shape_of
from headroom_core.testing import FailingStore

ROOT = Path(__file__).parents[2]
ZONES = 40
FAILED = "status == 'failed'"


def jobs(run: int, count: int = 400) -> str:
    """Return an output with failures, and with zones of which most are dropped."""
    rows = [
        {
            "id": 100_000 * (run + 1) + row,
            "status": "failed" if row % 150 == run % 150 else "ok",
            "zone": f"zone-{row // (count // ZONES)}",
            "owner": f"user-{(row * 7 + run) % 31}",
            "ms": (row * 37 + run) % 91,
        }
        for row in range(count)
    ]
    return json.dumps(rows)


def compress_output(
    run: int, store: Store | None, tool: str = "list_jobs", **options: Any
) -> CompressResult:
    messages = openai_turn(f"How did run {run} go?", jobs(run), f"call_{run}", tool)
    return compress(messages, store=store, **options)


def last_change(result: CompressResult) -> Change:
    return result.changes[-1]


def last_content(result: CompressResult) -> str:
    return str(result.messages[-1]["content"])


def teach(
    store: Store,
    outputs: int = 8,
    retrievals: int = 1,
    where: str = FAILED,
    tool: str = "list_jobs",
    **options: Any,
) -> Store:
    """Compress outputs of a tool and retrieve the first originals."""
    for run in range(outputs):
        result = compress_output(run, store, tool, **options)
        if run < retrievals:
            assert retrieve(result.ccr_hashes[0], where=where, store=store).found
    return store


def count_rows(result: CompressResult) -> int:
    return last_content(result).count("\n")


UNTAUGHT = compress_output(500, MemoryStore())


# Effects of retrievals.


def test_more_rows_are_kept_for_tools_with_retrieved_originals() -> None:
    once = compress_output(500, teach(MemoryStore(), retrievals=1))
    twice = compress_output(500, teach(MemoryStore(), retrievals=2))
    assert count_rows(UNTAUGHT) < count_rows(once) < count_rows(twice)
    assert last_change(twice).action == "selected"


def test_outputs_that_are_never_retrieved_change_nothing() -> None:
    assert compress_output(500, teach(MemoryStore(), retrievals=0)) == UNTAUGHT


def test_other_tools_and_other_shapes_are_not_affected() -> None:
    store = teach(MemoryStore(), retrievals=8)
    assert compress_output(500, store, "list_builds").messages[-1] == UNTAUGHT.messages[-1]
    other = openai_turn(
        "?", json.dumps([{"name": f"n{n}", "size": n} for n in range(300)]), tool="list_jobs"
    )
    assert compress(other, store=store) == compress(other, store=MemoryStore())


def test_rows_for_each_value_of_a_queried_field_are_kept() -> None:
    store = teach(MemoryStore(), outputs=12, retrievals=2, where="zone == 'zone-7'")
    assert not all(f"zone-{zone}," in last_content(UNTAUGHT) for zone in range(ZONES))
    assert all(
        f"zone-{zone}," in last_content(compress_output(500, store)) for zone in range(ZONES)
    )


def test_querying_an_id_does_not_keep_every_row() -> None:
    store = teach(MemoryStore(), outputs=12, retrievals=2, where="id > 0")
    result = compress_output(500, store)
    assert last_change(result).action == "selected"
    assert count_rows(result) < 150


def test_nothing_is_omitted_if_retrieval_costs_more() -> None:
    result = compress_output(500, teach(MemoryStore(), retrievals=4))
    assert last_change(result).action == "rewritten"
    assert "asked for often" in last_change(result).reason
    assert result.tokens_after < result.tokens_before
    assert all(f"{50_100_000 + row}" in last_content(result) for row in range(400))


def test_a_few_retrievals_do_not_stop_the_selection() -> None:
    assert (
        last_change(compress_output(500, teach(MemoryStore(), outputs=6, retrievals=6))).action
        == "selected"
    )


def test_old_behaviour_fades_and_selection_is_tried_again() -> None:
    store = teach(MemoryStore(), retrievals=8)
    actions = [last_change(compress_output(run, store)).action for run in range(100, 190)]
    assert actions[:20] == ["rewritten"] * 20
    assert actions[-20:] == ["selected"] * 20


def test_selection_is_rarely_retried_while_originals_are_retrieved() -> None:
    store = teach(MemoryStore(), retrievals=8)
    tried = 0
    for run in range(100, 190):
        for key in compress_output(run, store).ccr_hashes:
            tried += 1
            retrieve(key, store=store)
    assert 0 < tried <= 90 / 7


# Counters.


async def test_every_kind_of_retrieval_counts_once() -> None:
    store = MemoryStore()
    key = compress_output(0, store).ccr_hashes[0]
    retrieve(key, where=f"{FAILED} and id contains 'a' or status == 'ok'", store=store)
    retrieve(key, lines="1", store=store)
    handle_retrieve_call({"key": key, "query": "zone-7 zone-8"}, store=store)
    await aretrieve(key, store=store)
    report = ToolIntelligence(store).report()["list_jobs"]
    assert report["by"] == {"all": 1, "lines": 1, "query": 1, "where": 1}
    assert report["fields"] == {"id": 1, "status": 1}
    assert (report["shortened"], report["asked"]) == (1, 4)


@pytest.mark.parametrize(
    "name", ["'ssn 123-45-6789'", "owner.name", '"my secret"', "status.secret", "^.secret"]
)
def test_only_fields_of_the_original_are_learnt(name: str) -> None:
    store = MemoryStore()
    key = compress_output(0, store).ccr_hashes[0]
    assert retrieve(key, where=f"{name} == 1 or status == 'ok'", store=store).found
    assert ToolIntelligence(store).report()["list_jobs"]["fields"] == {"status": 1}


def test_pages_of_a_question_count_once_and_misses_do_not_count() -> None:
    store = MemoryStore()
    key = compress_output(0, store).ccr_hashes[0]
    page: int | None = 1
    while page:
        page = retrieve(key, where="id > 0", page=page, store=store).next_page
    assert not retrieve(key, where="id < 0", store=store).found
    assert not retrieve("0" * 24, store=store).found
    assert ToolIntelligence(store).report()["list_jobs"]["asked"] == 1


def test_a_repeated_output_counts_once() -> None:
    store = MemoryStore()
    for _ in range(5):
        compress_output(0, store)
    assert ToolIntelligence(store).report()["list_jobs"]["shortened"] == 1


def test_importance_is_the_retrieved_share_and_gains_confidence() -> None:
    store = MemoryStore()
    toin = ToolIntelligence(store)
    assert toin.importance("list_jobs") == toin.importance(None) == (0.1, 0.0)
    teach(store, outputs=4, retrievals=1)
    few = toin.importance("list_jobs")
    teach(store, outputs=20, retrievals=0)
    many = toin.importance("list_jobs")
    assert 0 < many.value < 0.1 < few.value < 0.25
    assert 0.3 < few.confidence < 0.4 < many.confidence < 1
    assert toin.importance("list") == (0.1, 0.0)


def test_importance_is_at_most_1() -> None:
    store = teach(MemoryStore(), outputs=3, retrievals=0)
    for _ in range(20):
        retrieve(compress_output(0, store).ccr_hashes[0], store=store)
    assert 0.5 < ToolIntelligence(store).importance("list_jobs").value <= 1


@given(st.lists(st.text(max_size=300), min_size=2, max_size=5, unique=True))
def test_tool_names_are_never_confused(tools: list[str]) -> None:
    toin = ToolIntelligence(MemoryStore())
    for index, tool in enumerate(tools):
        toin.shortened(tool, "shape", f"key {index}")
    for index in range(len(tools)):
        for _ in range(index):
            toin.retrieved(f"key {index}", fields=[tools[0], tools[1], "%", "["])
    assert sorted(report["asked"] for report in toin.report().values()) == [*range(len(tools))]
    assert [toin.importance(tool).confidence for tool in tools] == [1 / 9] * len(tools)


def test_the_number_of_field_names_is_bounded() -> None:
    toin = ToolIntelligence(MemoryStore())
    toin.shortened("list_jobs", "shape", "key")
    for number in range(100):
        toin.retrieved("key", by="where", fields=[f"field {number}", "x" * 201, "field 0"])
    fields = toin.report()["list_jobs"]["fields"]
    assert len(fields) == 32
    assert fields["field 0"] == 100


def test_the_store_holds_names_and_numbers_and_no_contents(tmp_path: Path) -> None:
    path = tmp_path / "learnt.db"
    store = teach(
        SQLiteStore(path),
        retrievals=4,
        where="zone == 'zone-7' and status contains 'secret' or id > 0",
    )
    store.close()
    connection = sqlite3.connect(path)
    counters = str(connection.execute("SELECT key, count FROM headroom_tallies").fetchall())
    origins = str(
        connection.execute(
            "SELECT key, text FROM headroom_records WHERE key LIKE 'origin:%'"
        ).fetchall()
    )
    connection.close()
    assert "list_jobs" in counters
    assert "list_jobs" in origins
    assert not any(
        secret in counters + origins for secret in ("zone-7", "secret", "failed", "user-", "100000")
    )


# Settings.


def configured(ccr: CCRConfig | None = None, **crusher: Any) -> HeadroomConfig:
    return HeadroomConfig(ccr=ccr or CCRConfig(), smart_crusher=SmartCrusherConfig(**crusher))


def test_feedback_enabled() -> None:
    off = configured(CCRConfig(feedback_enabled=False))
    store = teach(MemoryStore(), retrievals=8, config=off)
    assert ToolIntelligence(store).report() == {}
    assert compress_output(500, teach(MemoryStore(), retrievals=8), config=off) == UNTAUGHT


def test_use_feedback_hints() -> None:
    without_hints = configured(use_feedback_hints=False)
    store = teach(MemoryStore(), retrievals=8, config=without_hints)
    assert compress_output(500, store, config=without_hints) == UNTAUGHT
    assert ToolIntelligence(store).report()["list_jobs"]["asked"] == 8


@pytest.mark.parametrize(("threshold", "follows"), [(0.5, True), (0.51, False)])
def test_toin_confidence_threshold(threshold: float, follows: bool) -> None:
    result = compress_output(
        500,
        teach(MemoryStore(), retrievals=8),
        config=configured(toin_confidence_threshold=threshold),
    )
    assert (last_change(result).action == "rewritten") is follows


def test_without_a_store_nothing_is_learnt_or_applied() -> None:
    lossless = configured(CCRConfig(enabled=False))
    store = teach(MemoryStore(), retrievals=8)
    before = ToolIntelligence(store).report()
    assert compress_output(500, store, config=lossless) == compress_output(
        500, MemoryStore(), config=lossless
    )
    assert ToolIntelligence(store).report() == before


# Law 1.

EAGER = SmartCrusherConfig(
    min_tokens_to_crush=0, max_items_after_crush=8, toin_confidence_threshold=0.0
)
retrievals = st.sampled_from(
    ({}, {"query": "failed timeout"}, {"where": "id > 0"}, {"where": "state != 'x'"})
)


@settings(max_examples=max(10, settings.default.max_examples // 4))
@given(conversations() | openai_conversations(max_turns=2), st.data())
def test_sent_messages_are_repeated_whatever_was_learnt(
    messages: list[Any], data: st.DataObject
) -> None:
    # Without a limit, beyond which messages would be dropped.
    limits = {"gpt-4o": 10**8}
    store, config = MemoryStore(), HeadroomConfig(smart_crusher=EAGER, model_context_limits=limits)
    before: list[str] = []
    for count in range(1, len(messages) + 1):
        result = compress(messages[:count], config=config, store=store)
        sent = [json.dumps(message) for message in result.messages]
        assert sent[: len(before)] == before
        before = sent
        for key in result.ccr_hashes:
            for _ in range(data.draw(st.sampled_from((0, 1, 9)))):
                retrieve(key, store=store, **data.draw(retrievals))
    again = compress(messages, config=config, store=store)
    assert [json.dumps(message) for message in again.messages] == before


def test_sent_messages_are_repeated_after_learning(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "learnt.db")
    first = compress_output(500, store)
    teach(store, retrievals=6)
    assert last_change(compress_output(501, store)).action == "rewritten"
    assert compress_output(500, store) == first
    longer = compress(
        [
            *openai_turn("How did run 500 go?", jobs(500), "call_500", "list_jobs"),
            *first.messages[:1],
        ],
        store=store,
    )
    assert longer.messages[:3] == first.messages
    store.close()


class RecordingStore(FailingStore):
    """Store that records the calls of its methods and fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def record(self, records: Mapping[str, str]) -> dict[str, str]:
        self.calls.append("record")
        return super().record(records)

    def recall(self, keys: Iterable[str]) -> dict[str, str]:
        self.calls.append("recall")
        return super().recall(keys)

    def add(self, counts: Mapping[str, int]) -> dict[str, int]:
        self.calls.append("add")
        return super().add(counts)

    def counters(self, prefixes: Iterable[str]) -> dict[str, int]:
        self.calls.append("counters")
        return super().counters(prefixes)


class GrowingConversation:
    """Conversation that checks that each request starts with the previous request."""

    def __init__(self, store: Store, first: int = 0) -> None:
        self.store, self.run = store, first
        self.messages: list[Any] = []
        self.sent: list[Any] = []

    def ask(self, **options: Any) -> CompressResult:
        self.messages += openai_turn(
            f"How did run {self.run} go?", jobs(self.run), f"call_{self.run}", "list_jobs"
        )
        self.run += 1
        result = compress(self.messages, store=self.store, **options)
        assert result.messages[: len(self.sent)] == self.sent
        self.sent = result.messages
        return result

    def ask_and_retrieve(self) -> None:
        for key in self.ask().ccr_hashes:
            assert retrieve(key, where=FAILED, store=self.store).found


SMALL = ["memory://", "sqlite:///{}/small.db"]


@pytest.mark.parametrize("url", SMALL)
def test_a_conversation_larger_than_its_store_is_repeated(url: str, tmp_path: Path) -> None:
    store = open_store(url.format(tmp_path), max_entries=3)
    learning, asking = GrowingConversation(store), GrowingConversation(store, first=100)
    for _ in range(7):
        learning.ask_and_retrieve()
    for run in range(5):
        asking.ask(query=f"zone-{run}")
    store.close()


@pytest.mark.parametrize("url", SMALL)
def test_conversations_that_evict_each_other_are_repeated(url: str, tmp_path: Path) -> None:
    store = open_store(url.format(tmp_path), max_entries=3)
    conversations = [GrowingConversation(store), GrowingConversation(store, first=100)]
    for _ in range(5):
        for conversation in conversations:
            conversation.ask_and_retrieve()
    store.close()


@pytest.mark.parametrize(
    "limits", [{"max_entries": 10_000}, {"max_bytes": 10**9}, {"max_age_seconds": 3600}]
)
def test_nothing_is_learnt_in_a_store_that_may_evict(limits: dict[str, Any]) -> None:
    store = teach(MemoryStore(**limits), retrievals=8)
    assert compress_output(500, store) == UNTAUGHT
    toin = ToolIntelligence(store)
    assert (toin.report(), toin.importance("list_jobs")) == ({}, (0.1, 0.0))


def test_a_store_with_a_long_age_limit_learns() -> None:
    assert (
        last_change(
            compress_output(500, teach(MemoryStore(max_age_seconds=30 * 86_400), retrievals=8))
        ).action
        == "rewritten"
    )


@pytest.mark.parametrize("broken", [{"record"}, {"record", "counters"}, {"record", "add"}])
def test_a_temporary_record_failure_changes_no_sent_message(
    broken: set[str],
) -> None:
    store = RecordingStore()
    conversation = GrowingConversation(store)
    for run in range(10):
        store.failing = {*broken} if run in (5, 6) else set()
        conversation.ask_and_retrieve()
    store.calls.clear()
    assert compress(conversation.messages, store=store).messages == conversation.sent
    assert store.calls == ["recall"]


@pytest.mark.parametrize("operation", ["record", "recall"])
def test_results_that_cannot_be_recorded_ignore_lessons(operation: str) -> None:
    store = RecordingStore()
    teach(store, retrievals=8)
    store.failing = {operation}
    result = compress_output(500, store)
    assert result.messages == UNTAUGHT.messages
    assert result.warnings == (
        f"{result.warnings[0].partition(':')[0]}: StorageError: {operation} failed",
    )
    assert store.get(result.ccr_hashes[0]) == jobs(500)


# Stores.


def test_failing_counters_are_a_warning() -> None:
    store = RecordingStore()
    store.failing = {"add", "counters"}
    result = compress_output(500, store)
    assert result.messages == UNTAUGHT.messages
    assert result.warnings == tuple(
        f"nothing is learnt from retrievals: StorageError: {operation} failed"
        for operation in ("counters", "add")
    )
    assert retrieve(result.ccr_hashes[0], store=store).found
    with pytest.raises(CompressionError, match="nothing is learnt"):
        compress_output(501, store, strict=True)


class CounterlessStore:
    """Store without counters."""

    def __init__(self) -> None:
        inner = MemoryStore()
        self.put_many, self.get, self.purge, self.close = (
            inner.put_many,
            inner.get,
            inner.purge,
            inner.close,
        )
        self.record, self.recall = inner.record, inner.recall


def test_a_store_without_counters_learns_nothing() -> None:
    store = CounterlessStore()
    assert isinstance(store, Store)
    assert compress_output(500, teach(store, retrievals=8)) == UNTAUGHT
    toin = ToolIntelligence(store)
    toin.shortened("list_jobs", "shape", "key")
    toin.retrieved("key")
    assert (toin.report(), toin.hints("list_jobs", "shape"), toin.importance("list_jobs")) == (
        {},
        None,
        (0.1, 0.0),
    )
    assert toin.pays("list_jobs", "shape")


def test_a_repeated_request_reads_no_counters() -> None:
    store = RecordingStore()
    conversation = [
        message
        for run in range(5)
        for message in openai_turn("?", jobs(run), f"{run}", f"tool {run}")
    ]
    compress(conversation, store=store)
    assert store.calls == ["recall", "counters", "record", "add"]
    store.calls.clear()
    compress(conversation, store=store)
    assert store.calls == ["recall"]


def test_purging_the_store_forgets_the_lessons() -> None:
    store = teach(MemoryStore(), retrievals=8)
    store.purge(older_than=60)
    assert ToolIntelligence(store).report()
    store.purge()
    assert ToolIntelligence(store).report() == {}
    assert compress_output(500, store) == UNTAUGHT


def test_namespaces_learn_separately(tmp_path: Path) -> None:
    first, second = (
        SQLiteStore(tmp_path / "learnt.db", namespace=name) for name in ("first", "second")
    )
    teach(first, retrievals=8)
    assert ToolIntelligence(second).report() == {}
    assert compress_output(500, second) == UNTAUGHT
    assert last_change(compress_output(500, first)).action == "rewritten"
    first.close()
    second.close()


def test_another_process_applies_the_lessons(tmp_path: Path) -> None:
    path = tmp_path / "learnt.db"
    teach(SQLiteStore(path), retrievals=4).close()
    code = """
import sys
sys.path[:0] = ['tests/support', 'tests/insight']
from test_tool_intelligence import *
store = SQLiteStore(sys.argv[1])
report = ToolIntelligence(store).report()
print(last_change(compress_output(500, store)).action, report["list_jobs"]["asked"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "rewritten 4\n", done.stderr


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_eight_threads_count_exactly(kind: str, tmp_path: Path) -> None:
    store: Store = (
        MemoryStore() if kind == "memory" else SQLiteStore(tmp_path / "learnt.db", timeout=30)
    )
    toin = ToolIntelligence(store)

    def work(thread: int) -> None:
        for number in range(3):
            toin.shortened("list_jobs", f"{thread}", f"{thread} {number}")
            toin.shortened("shared", "shape", f"shared {thread} {number}")
            toin.retrieved(f"shared {thread} {number}", fields=["status"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    report = toin.report()
    assert (report["shared"]["shortened"], report["shared"]["asked"]) == (24, 24)
    assert report["shared"]["fields"] == {"status": 24}
    assert (report["list_jobs"]["shapes"], report["list_jobs"]["shortened"]) == (8, 24)
    store.close()


def test_threads_halve_the_counters_once() -> None:
    toin = ToolIntelligence(MemoryStore())

    def work(thread: int) -> None:
        for number in range(4):
            toin.shortened("list_jobs", "shape", f"{thread} {number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert toin.report()["list_jobs"]["shortened"] == 16


# Shapes.

ROW = {"id": 7, "name": "Elbe", "tags": ["a"], "owner": {"login": "ann"}}
OTHER = {"owner": None, "tags": [{"a": 1}], "name": 'say "{[:" \\', "id": -1.5e3}


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (json.dumps([ROW] * 3), json.dumps([OTHER])),
        (
            json.dumps({"total": 3, "rows": [ROW]}),
            json.dumps({"rows": [OTHER, {}], "total": 9, "next": {}}, indent=2),
        ),
        (json.dumps({"host1": ROW, "host2": ROW}), json.dumps({"host9": OTHER})),
        (
            json.dumps(ROW) + "\n" + json.dumps(ROW),
            json.dumps(OTHER) + "\n" + json.dumps(ROW) + "\n",
        ),
        ("Result: " + json.dumps([ROW]), "Found in 3 s.\nResult: " + json.dumps([OTHER])),
        ("id,name\n1,Elbe\n2,Oder\n", "id,name\r\n3,Rhine\r\n"),
        ("All is well.", "Nothing is.\nAt all, at all."),
        (json.dumps([ROW]), json.dumps([{**OTHER, "name": "x" * 50_000}] * 9)),
    ],
)
def test_texts_that_differ_only_in_values_share_a_shape(text: str, other: str) -> None:
    assert shape_of(text) == shape_of(other)


def test_texts_with_different_fields_have_different_shapes() -> None:
    texts = [
        "All is well.",
        "<p>All</p>",
        "id,name\n1,a",
        "id;size\n1;a",
        json.dumps([ROW]),
        json.dumps([{"id": 7}]),
    ]
    assert len({shape_of(text) for text in texts}) == len(texts)


@given(st.text(alphabet='[]{}":,\\a1 \n') | st.text())
def test_every_text_has_a_shape(text: str) -> None:
    assert len(shape_of(text)) == 12
