"""`HeadroomCompressor` in real LCEL pipelines."""

from __future__ import annotations

import json
import logging
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from headroom_core import handle_retrieve_call, retrieve, retrieve_tool
from headroom_core.config import HeadroomConfig
from headroom_core.results import CompressResult, DocumentsResult
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import EVENT, HeadroomCompressor

ROWS = [
    {"id": 4000 + number, "state": "delivered", "city": "Utrecht", "weight": number * 7 % 13} for number in range(300)
]
LONG = json.dumps(ROWS, indent=2)
QUESTION, CALL = HumanMessage("Which orders are heavy?", id="q"), {"name": "orders", "args": {}, "id": "c1"}


def conversation() -> list[BaseMessage]:
    result = ToolMessage(
        LONG, tool_call_id="c1", id="r", name="orders", status="error", artifact=ROWS, additional_kwargs={"ms": 3}
    )
    return [SystemMessage("Be brief."), QUESTION, AIMessage("", tool_calls=[CALL], id="a"), result]


def prompt() -> ChatPromptTemplate:
    return ChatPromptTemplate.from_messages([("system", "Be brief."), MessagesPlaceholder("history")])


class Recorder(BaseCallbackHandler):
    """Keeps what handlers receive: the inputs of chat models, and the compressor's own events."""

    def __init__(self) -> None:
        self.sent: list[list[BaseMessage]] = []
        self.events: list[tuple[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: list[list[BaseMessage]], **kwargs: Any) -> None:
        self.sent.extend(messages)

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.events.append((name, data))


def said(*replies: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(reply) for reply in replies]))


class TestTypes:
    """What comes in goes out as the same type."""

    def test_a_list_of_messages(self) -> None:
        before = conversation()
        after = HeadroomCompressor().invoke(before)
        assert [new is old for new, old in zip(after, before, strict=True)] == [True, True, True, False]
        assert len(after[3].content) < len(LONG) / 2
        assert before == conversation()

    def test_a_changed_message_keeps_all_but_its_content(self) -> None:
        before = conversation()
        after = HeadroomCompressor().invoke(before)[3]
        assert after.artifact is before[3].artifact
        assert after.model_dump() == {**before[3].model_dump(), "content": after.content}

    def test_message_likes_become_messages(self) -> None:
        after = HeadroomCompressor().invoke([("system", "Be brief."), {"role": "user", "content": "hi"}, "there"])
        assert after == [SystemMessage("Be brief."), HumanMessage("hi"), HumanMessage("there")]

    def test_one_message(self) -> None:
        after = HeadroomCompressor().invoke(conversation()[3])
        assert isinstance(after, ToolMessage)
        assert len(after.content) < len(LONG) / 2

    def test_a_string_is_read_as_the_output_of_a_tool(self) -> None:
        after = HeadroomCompressor().invoke(LONG)
        assert isinstance(after, str)
        assert len(after) < len(LONG) / 2

    def test_a_chat_prompt(self) -> None:
        after = HeadroomCompressor().invoke(ChatPromptValue(messages=conversation()))
        assert isinstance(after, ChatPromptValue)
        assert after.messages[1] is QUESTION
        assert len(after.messages[3].content) < len(LONG) / 2

    def test_a_string_prompt(self) -> None:
        value = StringPromptValue(text="Tell me a joke.")
        assert HeadroomCompressor().invoke(value) == value

    def test_a_state_keeps_its_other_keys(self) -> None:
        after = HeadroomCompressor().invoke({"messages": conversation(), "step": 2})
        assert list(after) == ["messages", "step"]
        assert after["step"] == 2
        assert len(after["messages"][3].content) < len(LONG) / 2

    def test_a_string_in_a_state_is_the_users(self) -> None:
        assert HeadroomCompressor().invoke({"messages": "hi"}) == {"messages": [HumanMessage("hi")]}

    def test_documents_keep_their_ids_and_metadata(self) -> None:
        short, long = Document("hi", id="1"), Document(LONG, id="2", metadata={"source": "a.json"})
        first, second = HeadroomCompressor().invoke([short, long])
        assert first is short
        assert (second.id, second.metadata) == ("2", {"source": "a.json"})
        assert len(second.page_content) < len(long.page_content) == len(LONG)

    def test_one_document(self) -> None:
        after = HeadroomCompressor().invoke(Document(LONG, metadata={"source": "a.json"}))
        assert isinstance(after, Document)
        assert after.metadata == {"source": "a.json"}

    @pytest.mark.parametrize("empty", [[], (), "", {"messages": []}])
    def test_nothing_stays_nothing(self, empty: Any) -> None:
        after = HeadroomCompressor().invoke(empty)
        assert after == (list(empty) if isinstance(empty, tuple) else empty)

    @pytest.mark.parametrize("odd", [7, None, {"context": "x"}])
    def test_anything_else_is_refused_with_what_is_taken(self, odd: Any) -> None:
        with pytest.raises(TypeError, match="it takes a prompt value, messages, a string, documents"):
            HeadroomCompressor().invoke(odd)


class TestPipelines:
    def test_the_model_receives_the_compressed_messages(self) -> None:
        recorder = Recorder()
        chain = prompt() | HeadroomCompressor() | said("done")
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

    async def test_the_models_chunks_pass_through_one_by_one(self) -> None:
        history, words = {"history": conversation()}, "one two three"
        plain = [chunk.content for chunk in (prompt() | said(words)).stream(history)]
        chain = prompt() | HeadroomCompressor()
        assert [chunk.content for chunk in (chain | said(words)).stream(history)] == plain
        assert [chunk.content async for chunk in (chain | said(words)).astream(history)] == plain

    def test_streamed_input_is_joined_first(self) -> None:
        halves = [LONG[:1000], LONG[1000:]]
        assert list(HeadroomCompressor().transform(iter(halves))) == [HeadroomCompressor().invoke(LONG)]

    async def test_events_name_the_compressor_once_and_carry_its_result(self) -> None:
        chain = prompt() | HeadroomCompressor() | FakeListChatModel(responses=["ok"])
        events = [event async for event in chain.astream_events({"history": conversation()}, version="v2")]
        mine = [event["event"] for event in events if event["name"] == "HeadroomCompressor"]
        assert mine == ["on_chain_start", "on_chain_end"]
        (result,) = [event["data"] for event in events if event["name"] == EVENT]
        assert isinstance(result, CompressResult)
        assert result.tokens_after < result.tokens_before / 2
        assert sum(event["event"] == "on_chat_model_stream" for event in events) == 2

    @pytest.mark.parametrize(("value", "kind"), [(LONG, CompressResult), ([Document(LONG)], DocumentsResult)])
    def test_a_handler_receives_the_result(self, value: Any, kind: type) -> None:
        recorder = Recorder()
        HeadroomCompressor().invoke(value, {"callbacks": [recorder]})
        ((name, result),) = recorder.events
        assert name == EVENT == "headroom_compressed"
        assert isinstance(result, kind)
        assert result.tokens_after < result.tokens_before

    def test_it_composes_with_functions_and_fallbacks(self) -> None:
        chain = RunnableLambda(lambda _: LONG) | HeadroomCompressor().with_retry().with_fallbacks([RunnableLambda(str)])
        assert chain.invoke(0) == HeadroomCompressor().invoke(LONG)


class TestWarnings:
    @pytest.mark.parametrize("value", [LONG, [Document(LONG)]], ids=["messages", "documents"])
    def test_a_warning_is_logged_and_told_to_handlers(self, value: Any, caplog: pytest.LogCaptureFixture) -> None:
        recorder = Recorder()
        HeadroomCompressor(token_budget=5).invoke(value, {"callbacks": [recorder]})
        ((_, result),) = recorder.events
        assert "more than token_budget = 5" in result.warnings[0]
        assert [record.getMessage() for record in caplog.records] == [*result.warnings]
        assert [record.levelno for record in caplog.records] == [logging.WARNING]

    async def test_a_warning_of_an_async_run_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        await HeadroomCompressor(token_budget=5).ainvoke(LONG)
        ((logger, level, message),) = caplog.record_tuples
        assert (logger, level) == ("headroom_integrations.langchain.compressor", logging.WARNING)
        assert "more than token_budget = 5" in message

    def test_a_run_that_goes_well_logs_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        HeadroomCompressor().invoke(LONG)
        assert caplog.records == []


class TestRetrieving:
    def test_what_was_left_out_is_one_call_away(self) -> None:
        store, recorder = MemoryStore(), Recorder()
        compressor = HeadroomCompressor(store=store, retrieve=True)
        after = compressor.invoke(conversation(), {"callbacks": [recorder]})
        ((_, result),) = recorder.events
        (key,) = result.ccr_hashes
        assert key in after[3].content
        assert "headroom_retrieve" in after[3].content
        missing = next(row for row in ROWS if str(row["id"]) not in after[3].content)
        assert str(missing["id"]) in retrieve(key, where=f"id == {missing['id']}", store=store).text

    def test_the_model_that_follows_can_be_given_the_tool(self) -> None:
        store = MemoryStore()
        sent = HeadroomCompressor(store=store, retrieve=True).invoke(conversation())
        tool = convert_to_openai_tool(retrieve_tool("openai"))
        (key,) = re.findall(rf'{tool["function"]["name"]}\(key="(\w+)"', sent[3].content)
        call = {"name": tool["function"]["name"], "args": {"key": key, "where": "id == 4203"}, "id": "c2"}
        answer = ToolMessage(handle_retrieve_call(call["args"], store=store), tool_call_id="c2")
        messages = [*conversation(), AIMessage("", tool_calls=[call]), answer]
        assert "4203" in answer.text
        assert HeadroomCompressor(store=store, retrieve=True).invoke(messages) == [*sent, *messages[4:]]

    def test_without_retrieval_nothing_is_left_out(self) -> None:
        after = HeadroomCompressor(store=MemoryStore()).invoke(LONG)
        assert "headroom_retrieve" not in after
        assert all(str(row["id"]) in after for row in ROWS)


class TestSettings:
    def test_fields_are_configurable_for_one_run(self) -> None:
        field = ConfigurableField(id="can_retrieve", name="Whether the model can retrieve")
        compressor = HeadroomCompressor(store=MemoryStore()).configurable_fields(retrieve=field)
        selected = compressor.with_config(configurable={"can_retrieve": True}).invoke(LONG)
        assert len(selected) < len(compressor.invoke(LONG))
        assert [spec.id for spec in compressor.config_specs] == ["can_retrieve"]

    def test_settings_are_a_snapshot(self) -> None:
        config = HeadroomConfig()
        compressor = HeadroomCompressor(config=config)
        config.content_router_enabled = False
        assert compressor.config is not None
        assert compressor.config.content_router_enabled

    def test_the_callers_settings_hold(self) -> None:
        config = HeadroomConfig(content_router_enabled=False)
        assert HeadroomCompressor(config=config).invoke(LONG) == LONG
        assert config.ccr.enabled

    @pytest.mark.parametrize("wrong", [{"token_bugdet": 5}, {"token_budget": 0}, {"store": "file.db"}])
    def test_a_wrong_setting_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            HeadroomCompressor(**wrong)

    def test_it_can_be_pickled(self) -> None:
        compressor = HeadroomCompressor(config=HeadroomConfig(), query="heavy", model="gpt-4o-mini")
        again = pickle.loads(pickle.dumps(compressor))
        assert again == compressor
        assert again.invoke(LONG) == compressor.invoke(LONG)

    def test_its_schemas_and_its_graph_say_what_it_takes(self) -> None:
        compressor = HeadroomCompressor()
        for schema in (compressor.get_input_jsonschema(), compressor.get_output_jsonschema()):
            assert {"HumanMessage", "ToolMessage", "ChatPromptValueConcrete", "Document"} <= schema["$defs"].keys()
        assert "HeadroomCompressor" in (prompt() | compressor | said()).get_graph().draw_mermaid()


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
