"""`HeadroomCompressor` in real LCEL pipelines."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.load import dumps
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from headroom_core import Tokenizer, handle_retrieve_call, retrieve, retrieve_tool
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.results import CompressResult, DocumentsResult
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import EVENT, HeadroomCompressor, compress_messages

ROWS = [
    {"id": 4000 + number, "state": "delivered", "city": "Utrecht", "weight": number * 7 % 13}
    for number in range(300)
]
LONG = json.dumps(ROWS, indent=2)
QUESTION, CALL = (
    HumanMessage("Which orders are heavy?", id="q"),
    {"name": "orders", "args": {}, "id": "c1"},
)


def conversation() -> list[BaseMessage]:
    result = ToolMessage(
        LONG,
        tool_call_id="c1",
        id="r",
        name="orders",
        status="error",
        artifact=ROWS,
        additional_kwargs={"ms": 3},
    )
    return [SystemMessage("Be brief."), QUESTION, AIMessage("", tool_calls=[CALL], id="a"), result]


def prompt() -> ChatPromptTemplate:
    return ChatPromptTemplate.from_messages(
        [("system", "Be brief."), MessagesPlaceholder("history")]
    )


class Recorder(BaseCallbackHandler):
    """Handler that records inputs of chat models and the compressor's events."""

    def __init__(self) -> None:
        self.sent: list[list[BaseMessage]] = []
        self.events: list[tuple[str, Any]] = []

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[BaseMessage]], **kwargs: Any
    ) -> None:
        self.sent.extend(messages)

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.events.append((name, data))


def reply_model(*replies: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(reply) for reply in replies]))


class TestTypes:
    """The output has the type of the input."""

    def test_a_list_of_messages_is_compressed(self) -> None:
        before = conversation()
        after = HeadroomCompressor().invoke(before)
        assert [new is old for new, old in zip(after, before, strict=True)] == [
            True,
            True,
            True,
            False,
        ]
        assert len(after[3].content) < len(LONG) / 2
        assert before == conversation()

    def test_a_compressed_message_only_changes_its_content(self) -> None:
        before = conversation()
        after = HeadroomCompressor().invoke(before)[3]
        assert after.artifact is before[3].artifact
        assert after.model_dump() == {**before[3].model_dump(), "content": after.content}

    def test_message_likes_become_messages(self) -> None:
        after = HeadroomCompressor().invoke(
            [("system", "Be brief."), {"role": "user", "content": "hi"}, "there"]
        )
        assert after == [SystemMessage("Be brief."), HumanMessage("hi"), HumanMessage("there")]

    def test_a_single_message_is_compressed(self) -> None:
        after = HeadroomCompressor().invoke(conversation()[3])
        assert isinstance(after, ToolMessage)
        assert len(after.content) < len(LONG) / 2

    def test_a_string_is_treated_as_a_tool_output(self) -> None:
        after = HeadroomCompressor().invoke(LONG)
        assert isinstance(after, str)
        assert len(after) < len(LONG) / 2

    def test_a_chat_prompt_is_compressed(self) -> None:
        after = HeadroomCompressor().invoke(ChatPromptValue(messages=conversation()))
        assert isinstance(after, ChatPromptValue)
        assert after.messages[1] is QUESTION
        assert len(after.messages[3].content) < len(LONG) / 2

    def test_a_string_prompt_is_accepted(self) -> None:
        value = StringPromptValue(text="Tell me a joke.")
        assert HeadroomCompressor().invoke(value) == value

    def test_a_state_keeps_its_other_keys(self) -> None:
        after = HeadroomCompressor().invoke({"messages": conversation(), "step": 2})
        assert after["step"] == 2
        assert [message.id for message in after["messages"]] == [
            message.id for message in conversation()
        ]
        assert len(after["messages"][3].content) < len(LONG) / 2

    def test_a_state_object_keeps_its_other_fields(self) -> None:
        @dataclass
        class Data:
            messages: list[Any]
            step: int

        class Model(BaseModel):
            messages: list[Any]
            step: int

        for state in (Data(conversation(), 2), Model(messages=conversation(), step=2)):
            after = HeadroomCompressor().invoke(state)
            assert (type(after), after.step, len(after.messages)) == (
                type(state),
                2,
                len(conversation()),
            )
            assert len(after.messages[3].content) < len(LONG) / 2

    def test_a_state_within_a_budget_holds_only_messages(self) -> None:
        messages = [
            message.model_copy(update={"id": str(index)})
            for index, message in enumerate(conversation() * 5)
        ]
        after = HeadroomCompressor(token_budget=300, store=MemoryStore()).invoke(
            {"messages": messages}
        )["messages"]
        assert "[headroom:" in "".join(message.text for message in after)
        assert not any(isinstance(message, RemoveMessage) for message in after)

    def test_a_node_sends_no_removals_without_the_add_messages_reducer(self) -> None:
        *numbered, last = long_conversation()
        messages = [*numbered, last.model_copy(update={"id": None})]
        node = HeadroomCompressor(token_budget=300, store=MemoryStore())
        after = node.invoke({"messages": messages}, {"metadata": {"langgraph_node": "shorten"}})[
            "messages"
        ]
        assert not any(isinstance(message, RemoveMessage) for message in after)

    def test_a_string_in_a_state_is_a_user_message(self) -> None:
        assert HeadroomCompressor().invoke({"messages": "hi"}) == {"messages": [HumanMessage("hi")]}

    def test_documents_keep_their_ids_and_metadata(self) -> None:
        short, long = Document("hi", id="1"), Document(LONG, id="2", metadata={"source": "a.json"})
        first, second = HeadroomCompressor().invoke([short, long])
        assert first is short
        assert (second.id, second.metadata) == ("2", {"source": "a.json"})
        assert len(second.page_content) < len(long.page_content) == len(LONG)

    def test_a_single_document_is_compressed(self) -> None:
        after = HeadroomCompressor().invoke(Document(LONG, metadata={"source": "a.json"}))
        assert isinstance(after, Document)
        assert after.metadata == {"source": "a.json"}

    @pytest.mark.parametrize("empty", [[], (), "", {"messages": []}])
    def test_empty_input_stays_empty(self, empty: Any) -> None:
        after = HeadroomCompressor().invoke(empty)
        assert after == (list(empty) if isinstance(empty, tuple) else empty)

    @pytest.mark.parametrize("odd", [7, None, {"context": "x"}])
    def test_other_input_is_rejected_with_the_accepted_types(self, odd: Any) -> None:
        with pytest.raises(TypeError, match="pass a prompt value, messages, a string, documents"):
            HeadroomCompressor().invoke(odd)


class TestPipelines:
    def test_the_model_receives_the_compressed_messages(self) -> None:
        recorder = Recorder()
        chain = prompt() | HeadroomCompressor() | reply_model("done")
        reply = chain.invoke({"history": conversation()}, {"callbacks": [recorder]})
        assert reply.content == "done"
        (sent,) = recorder.sent
        assert sent[2] is QUESTION
        assert len(sent[4].content) < len(LONG) / 2

    async def test_the_async_result_is_the_same(self) -> None:
        assert await HeadroomCompressor().ainvoke(LONG) == HeadroomCompressor().invoke(LONG)
        chain = prompt() | HeadroomCompressor() | FakeListChatModel(responses=["done"])
        assert (await chain.ainvoke({"history": conversation()})).content == "done"

    async def test_batches_keep_their_order(self) -> None:
        compressor = HeadroomCompressor()
        single, other = compressor.invoke(LONG), compressor.invoke("short")
        assert compressor.batch([LONG, "short", LONG]) == [single, other, single]
        assert await compressor.abatch([LONG, "short"]) == [single, other]

    async def test_the_chunks_of_the_model_pass_through(self) -> None:
        history, words = {"history": conversation()}, "one two three"
        plain = [chunk.content for chunk in (prompt() | reply_model(words)).stream(history)]
        chain = prompt() | HeadroomCompressor()
        assert [chunk.content for chunk in (chain | reply_model(words)).stream(history)] == plain
        assert [
            chunk.content async for chunk in (chain | reply_model(words)).astream(history)
        ] == plain

    def test_streamed_input_is_joined_first(self) -> None:
        halves = [LONG[:1000], LONG[1000:]]
        assert list(HeadroomCompressor().transform(iter(halves))) == [
            HeadroomCompressor().invoke(LONG)
        ]

    async def test_async_streams_are_joined_first(self) -> None:
        async def halves() -> AsyncIterator[str]:
            yield LONG[:1000]
            yield LONG[1000:]

        whole = HeadroomCompressor().invoke(LONG)
        assert [part async for part in HeadroomCompressor().atransform(halves())] == [whole]
        assert [part async for part in HeadroomCompressor().astream(LONG)] == [whole]

    async def test_events_name_the_compressor_once_and_carry_its_result(self) -> None:
        chain = prompt() | HeadroomCompressor() | FakeListChatModel(responses=["ok"])
        events = [
            event async for event in chain.astream_events({"history": conversation()}, version="v2")
        ]
        own_events = [event["event"] for event in events if event["name"] == "HeadroomCompressor"]
        assert own_events == ["on_chain_start", "on_chain_end"]
        (result,) = [event["data"] for event in events if event["name"] == EVENT]
        assert isinstance(result, CompressResult)
        assert result.tokens_after < result.tokens_before / 2
        assert sum(event["event"] == "on_chat_model_stream" for event in events) == 2

    @pytest.mark.parametrize(
        ("value", "kind"), [(LONG, CompressResult), ([Document(LONG)], DocumentsResult)]
    )
    def test_a_handler_receives_the_result(self, value: Any, kind: type) -> None:
        recorder = Recorder()
        HeadroomCompressor().invoke(value, {"callbacks": [recorder]})
        ((name, result),) = recorder.events
        assert name == EVENT == "headroom_compressed"
        assert isinstance(result, kind)
        assert result.tokens_after < result.tokens_before

    def test_it_composes_with_functions_and_fallbacks(self) -> None:
        chain = RunnableLambda(lambda _: LONG) | HeadroomCompressor().with_retry().with_fallbacks(
            [RunnableLambda(str)]
        )
        assert chain.invoke(0) == HeadroomCompressor().invoke(LONG)


class TestWarnings:
    @pytest.mark.parametrize("value", [LONG, [Document(LONG)]], ids=["messages", "documents"])
    def test_a_warning_is_logged_and_sent_to_handlers(
        self, value: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorder = Recorder()
        HeadroomCompressor(token_budget=5).invoke(value, {"callbacks": [recorder]})
        ((_, result),) = recorder.events
        assert "more than token_budget = 5" in result.warnings[0]
        assert [record.getMessage() for record in caplog.records] == [*result.warnings]
        assert [record.levelno for record in caplog.records] == [logging.WARNING]

    async def test_a_warning_of_an_async_run_is_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        await HeadroomCompressor(token_budget=5).ainvoke(LONG)
        ((logger, level, message),) = caplog.record_tuples
        assert (logger, level) == ("headroom_integrations.langchain", logging.WARNING)
        assert "more than token_budget = 5" in message

    def test_a_run_without_warnings_logs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        HeadroomCompressor().invoke(LONG)
        assert caplog.records == []


class TestRetrieving:
    def test_omitted_rows_can_be_retrieved(self) -> None:
        store, recorder = MemoryStore(), Recorder()
        compressor = HeadroomCompressor(store=store, retrieve=True)
        after = compressor.invoke(conversation(), {"callbacks": [recorder]})
        ((_, result),) = recorder.events
        (key,) = result.ccr_hashes
        assert key in after[3].content
        assert "headroom_retrieve" in after[3].content
        missing = next(row for row in ROWS if str(row["id"]) not in after[3].content)
        assert str(missing["id"]) in retrieve(key, where=f"id == {missing['id']}", store=store).text

    def test_the_next_model_can_use_the_retrieve_tool(self) -> None:
        store = MemoryStore()
        sent = HeadroomCompressor(store=store, retrieve=True).invoke(conversation())
        tool = convert_to_openai_tool(retrieve_tool("openai"))
        (key,) = re.findall(rf'{tool["function"]["name"]}\(key="(\w+)"', sent[3].content)
        call = {
            "name": tool["function"]["name"],
            "args": {"key": key, "where": "id == 4203"},
            "id": "c2",
        }
        answer = ToolMessage(handle_retrieve_call(call["args"], store=store), tool_call_id="c2")
        messages = [*conversation(), AIMessage("", tool_calls=[call]), answer]
        assert "4203" in answer.text
        assert HeadroomCompressor(store=store, retrieve=True).invoke(messages) == [
            *sent,
            *messages[4:],
        ]

    def test_nothing_is_omitted_without_retrieval(self) -> None:
        after = HeadroomCompressor(store=MemoryStore()).invoke(LONG)
        assert "headroom_retrieve" not in after
        assert all(str(row["id"]) in after for row in ROWS)


CASTLES = [
    Document("It lies on the Vltava.", metadata={"title": "Rožmberk"}, id="0"),
    Document(
        "The Elbe rises in the Giant Mountains. It is 1,094 km long. Barges travel on it.", id="1"
    ),
    Document(
        "It was built in the 9th century. Its gardens are large.",
        metadata={"title": "Prague Castle"},
        id="2",
    ),
    Document("The Oder is 840 km long.", metadata={"title": 7}, id="3"),
    Document("", id="4"),
    Document("Jan Hus was a priest.", metadata={"title": "Jan Hus"}, id="5"),
]


class TestDocuments:
    def test_irrelevant_documents_are_dropped(self) -> None:
        after = HeadroomCompressor(query="How old is Prague Castle?", retrieve=True).invoke(CASTLES)
        assert CASTLES[2] in after
        assert CASTLES[5] not in after
        assert [document.id for document in after] == sorted(document.id for document in after)
        assert all(any(document is original for original in CASTLES) for document in after)

    def test_an_empty_document_is_kept(self) -> None:
        assert CASTLES[4] in HeadroomCompressor(
            query="How old is Prague Castle?", retrieve=True
        ).invoke(CASTLES)

    def test_titles_in_the_metadata_count(self) -> None:
        recorder = Recorder()
        HeadroomCompressor(query="How old is Prague Castle?").invoke(
            CASTLES, {"callbacks": [recorder]}
        )
        ((_, result),) = recorder.events
        assert result.scores.index(1.0) == 2

    def test_without_retrieval_only_a_budget_drops_documents(self) -> None:
        query = "How old is Prague Castle?"
        assert HeadroomCompressor(query=query).invoke(CASTLES) == CASTLES
        after = HeadroomCompressor(query=query, token_budget=12).invoke(CASTLES)
        assert [(document.id, document.page_content) for document in after] == [
            ("2", "It was built in the 9th century. […]"),
            ("4", ""),
        ]

    def test_without_a_query_the_first_documents_are_kept(self) -> None:
        after = HeadroomCompressor(token_budget=12).invoke(CASTLES)
        assert after[0] is CASTLES[0]
        assert CASTLES[5] not in after

    @pytest.mark.parametrize(
        "text", [LONG, "The Elbe is long. It rises in the mountains.", "\n \n", ""]
    )
    def test_a_single_document_is_always_kept(self, text: str) -> None:
        compressor = HeadroomCompressor(query="What is the capital?", token_budget=1, retrieve=True)
        assert bool(compressor.invoke(Document(text)).page_content) is bool(text)
        assert len(compressor.invoke([Document(text)])) == 1

    def test_the_settings_set_the_relevance_threshold(self) -> None:
        config = HeadroomConfig()
        config.relevance.relevance_threshold = 0.0
        assert HeadroomCompressor(
            config=config, query="How old is Prague Castle?", retrieve=True
        ).invoke(CASTLES) == (CASTLES)

    def test_the_settings_select_the_scorer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "sentence_transformers.py").write_text(PRIEST_ENCODER)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
        config = HeadroomConfig()
        config.relevance.tier = "embedding"
        recorder = Recorder()
        compressor = HeadroomCompressor(config=config, query="Who was a clergyman?")
        compressor.invoke(CASTLES, {"callbacks": [recorder]})
        sys.modules.pop("sentence_transformers")
        ((_, result),) = recorder.events
        assert result.scores == [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]


PRIEST_ENCODER = """
class SentenceTransformer:
    def __init__(self, name, **options):
        pass

    def encode(self, texts, **options):
        about = ["priest" in text or "clergyman" in text for text in texts]
        return [[yes, not yes] for yes in about]
"""


def long_conversation() -> list[BaseMessage]:
    messages: list[BaseMessage] = [SystemMessage("Be brief.", id="s")]
    for turn in range(8):
        call = {"name": "read", "args": {"page": turn}, "id": f"c{turn}"}
        messages += [
            HumanMessage(f"Read page {turn}.", id=f"h{turn}"),
            AIMessage("", tool_calls=[call, {**call, "id": f"d{turn}"}], id=f"a{turn}"),
            ToolMessage(f"page {turn} " + "lorem " * 100, tool_call_id=f"c{turn}", id=f"r{turn}"),
            ToolMessage(f"page {turn} " + "ipsum " * 100, tool_call_id=f"d{turn}", id=f"t{turn}"),
            AIMessage(f"Page {turn} is read.", id=f"b{turn}"),
        ]
    return messages


class TestBudgets:
    @pytest.mark.parametrize("budget", range(400, 1900, 150))
    @pytest.mark.parametrize("importance", [False, True])
    def test_calls_and_results_stay_paired(self, budget: int, importance: bool) -> None:
        config = HeadroomConfig()
        config.intelligent_context.enabled = importance
        compressor = HeadroomCompressor(
            config=config, token_budget=budget, store=MemoryStore(), retrieve=True
        )
        after = compressor.invoke(long_conversation())
        call_ids = [
            call["id"]
            for message in after
            if isinstance(message, AIMessage)
            for call in message.tool_calls
        ]
        assert call_ids == [
            message.tool_call_id for message in after if isinstance(message, ToolMessage)
        ]
        assert len(after) < len(long_conversation())

    def test_kept_messages_are_the_same_objects_around_the_marker(self) -> None:
        store, before = MemoryStore(), long_conversation()
        after = HeadroomCompressor(token_budget=1500, store=store, retrieve=True).invoke(before)
        ids = {id(message) for message in before}
        (marker,) = [message for message in after if id(message) not in ids]
        assert isinstance(marker, HumanMessage)
        keys = re.findall(r'headroom_retrieve\(key="(\w+)"', marker.text)
        answers = [retrieve(key, where="tool_call_id == 'c0'", store=store).text for key in keys]
        assert sum("lorem" in answer for answer in answers) == 1

    def test_without_retrieval_the_marker_promises_no_originals(self) -> None:
        after = HeadroomCompressor(token_budget=1500).invoke(long_conversation())
        (marker,) = [message.text for message in after if "headroom" in message.text]
        assert "not available any more" in marker
        assert "headroom_retrieve" not in marker

    async def test_a_prompt_in_a_pipeline_fits_its_budget(self) -> None:
        recorder = Recorder()
        chain = (
            prompt() | HeadroomCompressor(token_budget=1000) | FakeListChatModel(responses=["done"])
        )
        await chain.ainvoke({"history": long_conversation()}, {"callbacks": [recorder]})
        (sent,) = recorder.sent
        assert Tokenizer().count_messages(sent) <= 1000
        assert sent[-1].id == "b7"

    def test_a_string_is_never_dropped(self) -> None:
        assert HeadroomCompressor(token_budget=1).invoke("lorem " * 100) == "lorem " * 100

    def test_a_longer_conversation_starts_with_the_sent_messages(self) -> None:
        compressor = HeadroomCompressor(token_budget=1500, store=MemoryStore(), retrieve=True)
        before = long_conversation()
        sent = compressor.invoke(before)
        later = compressor.invoke([*before, HumanMessage("And now?", id="h8")])
        assert later[: len(sent)] == sent


class TestSettings:
    def test_fields_are_configurable_for_a_single_run(self) -> None:
        field = ConfigurableField(id="can_retrieve", name="Whether the model can retrieve")
        compressor = HeadroomCompressor(store=MemoryStore()).configurable_fields(retrieve=field)
        selected = compressor.with_config(configurable={"can_retrieve": True}).invoke(LONG)
        assert len(selected) < len(compressor.invoke(LONG))
        assert [spec.id for spec in compressor.config_specs] == ["can_retrieve"]
        assert (
            prompt().pipe(compressor).with_config(configurable={"can_retrieve": True}).config_specs
        )

    async def test_alternatives_are_selected_for_a_single_run(self) -> None:
        which = ConfigurableField(id="how")
        compressor = HeadroomCompressor().configurable_alternatives(
            which, default_key="short", none=RunnableLambda(str)
        )
        assert await compressor.with_config(configurable={"how": "none"}).ainvoke(LONG) == LONG
        assert len(await compressor.ainvoke(LONG)) < len(LONG) / 2

    def test_settings_are_a_snapshot(self) -> None:
        config = HeadroomConfig()
        compressor = HeadroomCompressor(config=config)
        config.content_router_enabled = False
        assert compressor.config is not None
        assert compressor.config.content_router_enabled

    def test_the_settings_of_the_caller_apply(self) -> None:
        config = HeadroomConfig(content_router_enabled=False)
        assert HeadroomCompressor(config=config).invoke(LONG) == LONG
        assert config.ccr.enabled

    def test_it_can_be_pickled(self) -> None:
        compressor = HeadroomCompressor(config=HeadroomConfig(), query="heavy", model="gpt-4o-mini")
        again = pickle.loads(pickle.dumps(compressor))
        assert again == compressor
        assert again.invoke(LONG) == compressor.invoke(LONG)

    def test_langchain_serialises_it_as_not_implemented(self) -> None:
        assert (
            json.loads(dumps(HeadroomCompressor(store=MemoryStore())))["type"] == "not_implemented"
        )

    def test_its_schemas_and_graph_show_the_accepted_input(self) -> None:
        compressor = HeadroomCompressor()
        for schema in (compressor.get_input_jsonschema(), compressor.get_output_jsonschema()):
            assert {"HumanMessage", "ToolMessage", "ChatPromptValueConcrete", "Document"} <= schema[
                "$defs"
            ].keys()
        assert (
            "HeadroomCompressor"
            in (prompt() | compressor | reply_model()).get_graph().draw_mermaid()
        )


async def longest_stall(work: Awaitable[Any]) -> float:
    """Return the longest time that work blocked the event loop, as a share of its duration."""
    stalls, began = [0.0], time.perf_counter()

    async def tick() -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            stalls.append(time.perf_counter() - started)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await work
    ticking.cancel()
    return max(stalls) / (time.perf_counter() - began)


class TestEventLoop:
    @pytest.mark.parametrize("retrieve", [False, True])
    async def test_the_event_loop_runs_while_a_megabyte_is_compressed(self, retrieve: bool) -> None:
        compressor = HeadroomCompressor(store=MemoryStore(), retrieve=retrieve)
        # A run of the garbage collector would stop every thread.
        gc.disable()
        try:
            stalls = [
                await longest_stall(compressor.ainvoke(megabyte(attempt))) for attempt in range(2)
            ]
        finally:
            gc.enable()
        # The better of two shares, because the machine may be busy.
        assert min(stalls) < 0.3


def megabyte(attempt: int) -> str:
    return json.dumps(
        [
            {**row, "id": attempt * 10**6 + row["id"], "turn": turn}
            for turn in range(40)
            for row in ROWS
        ]
    )


class TestCompressMessages:
    """A function with messages, a runnable without, like LangChain's `trim_messages`."""

    def test_with_messages_it_returns_a_list(self) -> None:
        assert compress_messages(conversation()) == HeadroomCompressor().invoke(conversation())
        assert compress_messages(ChatPromptValue(messages=conversation())) == compress_messages(
            conversation()
        )
        assert compress_messages([("human", "hi"), {"role": "user", "content": "there"}]) == [
            HumanMessage("hi"),
            HumanMessage("there"),
        ]

    def test_an_empty_list_of_messages_is_accepted(self) -> None:
        assert compress_messages([]) == []

    def test_without_messages_it_returns_the_runnable(self) -> None:
        settings: dict[str, Any] = {
            "model": "gpt-4o-mini",
            "token_budget": 900,
            "config": HeadroomConfig(),
            "query": "page 3",
            "store": MemoryStore(),
            "retrieve": True,
        }
        assert compress_messages(**settings) == HeadroomCompressor(**settings)
        chain = compress_messages(**settings) | RunnableLambda(len)
        assert (
            chain.invoke(long_conversation())
            == len(compress_messages(long_conversation(), **settings))
            < 41
        )

    def test_a_lone_string_is_rejected(self) -> None:
        with pytest.raises(TypeError, match="give a list of messages"):
            compress_messages("hi")

    def test_a_wrong_budget_is_rejected(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"token_budget must be .* at least 1 .*, got 0"
        ):
            compress_messages([("human", "hi")], token_budget=0)


def test_a_missing_langchain_is_named_with_the_extra() -> None:
    hidden = "import sys; sys.modules['langchain_core'] = None; "
    code = f"{hidden}from headroom_integrations.langchain import HeadroomCompressor"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: HeadroomCompressor needs langchain-core" in done.stderr
    assert "headroom-integrations[langchain]" in done.stderr


def test_importing_the_adapter_loads_no_langchain() -> None:
    code = "import sys, headroom_integrations.langchain; print('langchain_core' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
