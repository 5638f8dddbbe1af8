"""Test wrapped language models by the requests that their servers receive."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import pytest

pytest.importorskip("llama_index.llms.openai")

from llama_index.core import Settings
from llama_index.core.agent.workflow import (
    AgentStream,
    AgentWorkflow,
    CodeActAgent,
    FunctionAgent,
    ReActAgent,
)
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata, MockLLM
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel, Field
from servers import Call, OpenAIServer, Reply, Request

from headroom_core import content_key, count_tokens_messages, count_tokens_text
from headroom_core.config import HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.stores import MemoryStore, SQLiteStore
from headroom_integrations.llamaindex import MessagesCompressedEvent, retrieve_tool, wrap_llm
from headroom_integrations.llamaindex.compression import LlamaIndexCompression

PAGES = 30
TABLE = "[table 240 rows: "
STATES = ("delivered", "sent", "late")


def page_of_orders(page: int) -> str:
    numbers = range(page * 1000, page * 1000 + 240)
    rows = [
        {"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13}
        for n in numbers
    ]
    return json.dumps(rows, indent=2)


def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


def reply_with_call(page: int) -> Reply:
    return Reply(f"Page {page}.", (Call("orders", {"page": page}),))


def reply_with_action(page: int) -> Reply:
    return Reply(
        f"Thought: I need page {page}.\nAction: orders\nAction Input: {json.dumps({'page': page})}"
    )


def reply_with_code(page: int) -> Reply:
    return Reply(f"I need page {page}. <execute>print(orders({page}))</execute>")


def replies(reply_for: Callable[[int], Reply], pages: int = PAGES) -> Iterator[Reply]:
    """Yield the replies of a model that reads all pages."""
    yield from map(reply_for, range(pages))
    yield Reply(
        "Thought: That is all.\nAnswer: All are read."
        if reply_for is reply_with_action
        else "All are read."
    )


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


def model(server: OpenAIServer, **settings: Any) -> OpenAI:
    return OpenAI(
        model="gpt-4o-mini", api_base=server.url, api_key="none", max_retries=0, **settings
    )


def wrapped(server: OpenAIServer, **settings: Any) -> OpenAI:
    return wrap_llm(model(server), **{"store": MemoryStore(), **settings})


def conversation(page: int = 0) -> list[ChatMessage]:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "orders", "arguments": f'{{"page": {page}}}'},
    }
    return [
        ChatMessage("Which orders are late?"),
        ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}),
        ChatMessage(
            role="tool", content=page_of_orders(page), additional_kwargs={"tool_call_id": "c1"}
        ),
    ]


def tokens(requests: Sequence[Request]) -> int:
    return sum(count_tokens_text(request.raw.decode()) for request in requests)


# Agents


def function_agent(llm: OpenAI, **settings: Any) -> FunctionAgent:
    return FunctionAgent(llm=llm, tools=[orders], **settings)


def react_agent(llm: OpenAI, **settings: Any) -> ReActAgent:
    return ReActAgent(llm=llm, tools=[orders], **settings)


def codeact_agent(llm: OpenAI, **settings: Any) -> CodeActAgent:
    def execute(code: str) -> str:
        return page_of_orders(int(code.removeprefix("print(orders(").rstrip(")")))

    return CodeActAgent(llm=llm, tools=[orders], code_execute_fn=execute, **settings)


async def run_agent(agent: Any, server: OpenAIServer, reply_for: Callable[[int], Reply]) -> str:
    server.script(replies(reply_for))
    return str(await agent.run("Which orders are late?", max_iterations=PAGES + 2))


bare_tokens: dict[Callable[[int], Reply], int] = {}


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("build", "reply_for"),
    [
        (function_agent, reply_with_call),
        (react_agent, reply_with_action),
        (codeact_agent, reply_with_code),
    ],
)
async def test_requests_of_agents_share_prefixes_and_use_half_the_tokens(
    server: OpenAIServer,
    build: Callable[..., Any],
    reply_for: Callable[[int], Reply],
    streaming: bool,
) -> None:
    if reply_for not in bare_tokens:
        await run_agent(build(model(server), streaming=streaming), server, reply_for)
        bare_tokens[reply_for] = tokens(server.requests)
    answer = await run_agent(build(wrapped(server), streaming=streaming), server, reply_for)
    assert answer == "All are read."
    assert len(server.requests) == PAGES + 1
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))
    assert server.requests[-1].raw.decode().count(TABLE) == PAGES
    before, after = bare_tokens[reply_for], tokens(server.requests)
    print(f"{build.__name__}: {before:,} tokens before, {after:,} after")
    assert after < before / 2


@pytest.mark.parametrize(
    ("build", "reply_for"), [(function_agent, reply_with_call), (react_agent, reply_with_action)]
)
async def test_agents_can_retrieve_rows_that_were_left_out(
    server: OpenAIServer, build: Callable[..., Any], reply_for: Callable[[int], Reply]
) -> None:
    store = MemoryStore()

    def reply(request: Request) -> Reply:
        seen = str(request.messages[-1]["content"])
        if "headroom_retrieve(key=" not in seen:
            return (
                reply_for(0)
                if len(server.requests) == 1
                else Reply("Thought: Read.\nAnswer: Read.")
            )
        arguments = {"key": seen.split('headroom_retrieve(key="')[1][:24], "where": "id == 77"}
        if reply_for is reply_with_call:
            return Reply("", (Call("headroom_retrieve", arguments),))
        return Reply(
            f"Thought: More.\nAction: headroom_retrieve\nAction Input: {json.dumps(arguments)}"
        )

    server.script(reply)
    agent = build(wrap_llm(model(server), store=store, retrieve=True))
    agent.tools = [*agent.tools, retrieve_tool(store)]
    assert "Read." in str(await agent.run("Which orders are late?"))
    assert (
        [len(request.messages) for request in server.requests] == [2, 4, 6]
        if build is react_agent
        else [1, 3, 5]
    )
    assert "77,77,late" in server.requests[-1].messages[-1]["content"]
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))


@pytest.mark.parametrize(
    "wrap", [lambda rows: rows, lambda rows: {"orders": rows, "next": None}], ids=["list", "dict"]
)
@pytest.mark.parametrize(
    ("build", "reply_for"), [(function_agent, reply_with_call), (react_agent, reply_with_action)]
)
async def test_data_that_a_tool_returns_is_compressed_like_text(
    server: OpenAIServer,
    build: Callable[..., Any],
    reply_for: Callable[[int], Reply],
    wrap: Callable[[Any], Any],
) -> None:
    def orders(page: int) -> Any:
        """List a page of the orders."""
        return wrap(json.loads(page_of_orders(page)))

    agent = build(wrapped(server))
    agent.tools = [FunctionTool.from_defaults(orders)]
    server.script(replies(reply_for, 3))
    await agent.run("Which orders are late?")
    assert server.requests[-1].raw.decode().count("[table 240 rows; from Python: ") == 3
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))


async def test_compression_is_lossless_for_agents_without_the_retrieve_tool(
    server: OpenAIServer,
) -> None:
    await run_agent(function_agent(wrapped(server, retrieve=True)), server, reply_with_call)
    assert "headroom_retrieve" not in server.requests[-1].raw.decode()
    assert server.requests[-1].raw.decode().count(TABLE) == PAGES


NAMED = {"name": "headroom_retrieve"}
REACT = "You have tools:\n> Tool Name: headroom_retrieve\nTool Description: brings back"


@pytest.mark.parametrize(
    ("system", "settings", "offered"),
    [
        ("", {"tools": [{"type": "function", "function": NAMED}]}, True),
        ("", {"tools": [NAMED]}, True),
        ("", {"tools": [retrieve_tool()]}, True),
        ("", {"tools": {"tools": [{"toolSpec": NAMED}]}}, True),
        (REACT, {}, True),
        ("", {"tools": [NAMED], "tool_choice": "none"}, False),
        ("", {"tools": [NAMED], "tool_choice": {"type": "none"}}, False),
        ("", {"tools": [{"name": "orders", "description": "See headroom_retrieve."}]}, False),
        ("", {"user": "headroom_retrieve-team"}, False),
        ("You have no headroom_retrieve.", {}, False),
    ],
)
def test_rows_are_left_out_only_if_the_model_can_retrieve(
    system: str, settings: dict[str, Any], offered: bool
) -> None:
    seen: list[ChatMessage] = []

    class RecordingLLM(MockLLM):
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            seen.extend(messages)

    llm = wrap_llm(RecordingLLM(), retrieve=True, store=MemoryStore())
    llm.chat([ChatMessage(system, role="system"), *conversation()], **settings)
    assert ("headroom_retrieve(key=" in str(seen[-1].content)) is offered


@pytest.mark.parametrize(
    ("limits", "most"),
    [({}, 4096), ({"llama3.1:8b": 2000, "gpt-4o": 2000}, 2000), ({"other": 9}, 4096)],
)
@pytest.mark.parametrize("name", ["llama3.1:8b", "gpt-4o-2024-08-06"])
def test_the_context_limit_comes_from_settings_or_the_models_metadata(
    limits: dict[str, int], most: int, name: str
) -> None:
    seen: list[ChatMessage] = []

    class LocalLLM(MockLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name=name, context_window=4096)

        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            seen.extend(messages)

    config = HeadroomConfig(model_context_limits=limits)
    messages = [
        ChatMessage("word " * 100, role=role) for _ in range(60) for role in ("user", "assistant")
    ]
    wrap_llm(LocalLLM(), config=config, retrieve=True, store=MemoryStore()).chat(
        [*messages, ChatMessage("?")], tools=[NAMED]
    )
    texts = sum(count_tokens_text(str(message.content)) for message in seen)
    assert most / 4 < texts < most


async def test_handoffs_between_agents_keep_the_compressed_conversation(
    server: OpenAIServer,
) -> None:
    llm = wrapped(server)
    tools = [FunctionTool.from_defaults(orders)]
    first = FunctionAgent(
        name="first", description="reads", tools=tools, llm=llm, can_handoff_to=["second"]
    )
    second = FunctionAgent(
        name="second", description="answers", tools=tools, llm=llm, can_handoff_to=["first"]
    )
    handing = Call("handoff", {"to_agent": "second", "reason": "done"})
    server.script(
        [reply_with_call(0), Reply("", (handing,)), reply_with_call(1), Reply("All are read.")]
    )
    workflow = AgentWorkflow(agents=[first, second], root_agent="first")
    assert str(await workflow.run("Which orders are late?")) == "All are read."
    assert len(server.requests) == 4
    assert page_of_orders(0)[:40] not in str(server.requests[-1].messages)
    assert str(server.requests[-1].messages).count(TABLE) == 2
    assert server.requests[1].continues(server.requests[0])
    assert server.requests[3].continues(server.requests[2])


async def test_text_of_agents_is_streamed_word_by_word(server: OpenAIServer) -> None:
    server.script([Reply("All are read.")])
    handler = function_agent(wrapped(server)).run("Which orders are late?")
    deltas = [
        event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)
    ]
    assert [delta for delta in deltas if delta] == ["All ", "are ", "read."]


@pytest.mark.parametrize(
    ("build", "reply_for"),
    [
        (function_agent, reply_with_call),
        (react_agent, reply_with_action),
        (codeact_agent, reply_with_code),
    ],
)
async def test_budgets_hold_for_each_request_and_keep_calls_with_results(
    server: OpenAIServer, build: Callable[..., Any], reply_for: Callable[[int], Reply]
) -> None:
    await run_agent(build(wrapped(server, token_budget=9000)), server, reply_for)
    assert max(count_tokens_messages(request.messages) for request in server.requests) <= 9000
    assert len(server.requests) == PAGES + 1
    assert "messages left out" in server.requests[-1].raw.decode()
    roles = [
        message["role"]
        for message in server.requests[-1].messages
        if "left out" not in str(message["content"])
    ]
    assert roles.count("assistant") == len(
        re.findall(r"\[table ", server.requests[-1].raw.decode())
    )


# One call


class Recorder(BaseEventHandler):
    """Event handler that records the events of LlamaIndex and their threads."""

    events: list[Any] = Field(default_factory=list)
    threads: set[Any] = Field(default_factory=set)

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)
        self.threads.add(current_thread())

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    handlers, handler = get_dispatcher().event_handlers, Recorder()
    handlers.append(handler)
    yield handler
    handlers.remove(handler)


def test_events_and_callbacks_come_once_with_compressed_messages(
    server: OpenAIServer, recorder: Recorder
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    llm = wrap_llm(model(server, callback_manager=CallbackManager([debug])), store=MemoryStore())
    llm.chat(conversation())
    start, end = recorder.of(LLMChatStartEvent, LLMChatEndEvent)
    assert start.messages[2].content.startswith(TABLE)
    assert start.model_dict["class_name"] == "openai_llm"
    assert isinstance(end, LLMChatEndEvent)
    assert len(debug.get_llm_inputs_outputs()) == 1


async def test_each_request_emits_one_event_with_saved_tokens(
    server: OpenAIServer, recorder: Recorder
) -> None:
    llm, given, prompt = wrapped(server), conversation(), f"{page_of_orders(0)}\n\nWhich are late?"
    llm.chat(given)
    await llm.achat(given)
    list(llm.stream_chat(given))
    assert [chunk async for chunk in await llm.astream_chat(given)]
    llm.complete(prompt)
    await llm.acomplete(prompt)
    list(llm.stream_complete(prompt))
    assert [chunk async for chunk in await llm.astream_complete(prompt)]
    events = recorder.of(MessagesCompressedEvent)
    assert len(events) == len(server.requests) == 8
    assert len({event.tokens_after for event in events}) == 2
    assert all(event.tokens_after < event.tokens_before / 2 for event in events)
    assert all(event.transforms_applied for event in events)
    assert "Utrecht" not in str([event.model_dump() for event in events])
    assert recorder.threads == {current_thread()}


def test_requests_without_changes_emit_an_event(recorder: Recorder) -> None:
    wrap_llm(MockLLM()).chat([ChatMessage("hi")])
    (event,) = recorder.of(MessagesCompressedEvent)
    assert event.tokens_before == event.tokens_after > 0
    assert event.transforms_applied == []
    assert event.class_name() == "MessagesCompressedEvent"


async def test_all_chat_methods_send_the_same_messages(server: OpenAIServer) -> None:
    llm, given = wrapped(server), conversation()
    before = copy.deepcopy(given)
    llm.chat(given)
    await llm.achat(given)
    list(llm.stream_chat(messages=given))
    assert len([chunk async for chunk in await llm.astream_chat(given)]) > 2
    llm.chat_with_tools([FunctionTool.from_defaults(orders)], chat_history=given)
    assert given == before
    assert len({request.history for request in server.requests}) == 1
    assert server.requests[0].messages[2]["content"].startswith(TABLE)


async def test_prompts_are_compressed_losslessly(server: OpenAIServer) -> None:
    llm, prompt = (
        wrapped(server, retrieve=True),
        f"headroom_retrieve\n\n{page_of_orders(0)}\n\nWhich are late?",
    )
    llm.complete(prompt)
    await llm.acomplete(prompt)
    list(llm.stream_complete(prompt))
    assert [chunk async for chunk in await llm.astream_complete(prompt)]
    (sent,) = {request.messages[0]["content"] for request in server.requests}
    assert TABLE in sent
    assert sent.endswith("Which are late?")
    llm.complete("")
    assert server.requests[-1].messages[0]["content"] == ""


class Song(BaseModel):
    """A song."""

    name: str
    verses: int


async def test_requests_for_structured_output_are_compressed(server: OpenAIServer) -> None:
    llm, prompt = wrapped(server), PromptTemplate("{orders}\n\nA song about 'late' orders")
    song = Song(name="late", verses=3)
    assert llm.structured_predict(Song, prompt, orders=page_of_orders(0)) == song
    assert await llm.astructured_predict(Song, prompt, orders=page_of_orders(0)) == song
    assert llm.as_structured_llm(Song).chat(conversation()).raw.verses == 3
    assert llm.predict(prompt, orders=page_of_orders(0))
    assert all(TABLE in request.raw.decode() for request in server.requests)


def test_async_compression_does_not_block_the_event_loop(server: OpenAIServer) -> None:
    class RecordingStore(MemoryStore):
        def put_many(self, texts: Any) -> None:
            ticks.append("stored")
            super().put_many(texts)

    ticks: list[Any] = []

    async def count_ticks() -> None:
        task = asyncio.create_task(llm.achat(conversation()))
        while not task.done():
            ticks.append(1)
            await asyncio.sleep(0)

    llm = wrap_llm(model(server), store=RecordingStore())
    asyncio.run(count_ticks())
    assert len(ticks) > 10


def test_a_chat_engine_resends_earlier_messages_unchanged(server: OpenAIServer) -> None:
    engine = SimpleChatEngine.from_defaults(llm=wrapped(server))
    for page in range(5):
        engine.chat(f"{page_of_orders(page)}\n\nWhich are late?")
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))
    assert str(server.requests[-1].messages).count(TABLE) == 5


def test_a_model_can_be_shared_by_threads(server: OpenAIServer) -> None:
    llm = wrapped(server)
    threads = [Thread(target=llm.chat, args=(conversation(page),)) for page in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = sorted(
        request.messages[2]["content"].splitlines()[1].partition(",")[0]
        for request in server.requests
    )
    assert len(sent) == 8
    assert all(TABLE in request.raw.decode() for request in server.requests)


# The model


class Echo(CustomLLM):
    """Model whose other methods call `complete`."""

    prompts: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="echo")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text="yes")

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Generator[CompletionResponse, None, None]:
        self.prompts.append(prompt)
        yield CompletionResponse(text="yes", delta="yes")


async def test_methods_that_call_other_methods_compress_once(
    monkeypatch: Any,
) -> None:
    inner = Echo()
    llm = wrap_llm(inner, store=MemoryStore())
    counted: list[int] = []
    compress = LlamaIndexCompression.compress
    monkeypatch.setattr(
        LlamaIndexCompression,
        "compress",
        lambda self, messages, **more: counted.append(1) or compress(self, messages, **more),
    )
    assert llm.chat(conversation()).message.content == "yes"
    assert (await llm.achat(conversation())).message.content == "yes"
    assert [chunk.delta async for chunk in await llm.astream_chat(conversation())] == ["yes"]
    assert len(counted) == len(llm.prompts) == 3
    assert all(TABLE in prompt for prompt in llm.prompts)


def test_the_wrapped_model_has_the_same_class_name_and_settings(server: OpenAIServer) -> None:
    inner = model(server, temperature=0.7)
    llm = wrap_llm(inner, store=MemoryStore())
    assert isinstance(llm, OpenAI)
    assert llm.class_name() == inner.class_name() == "openai_llm"
    assert llm.to_dict() == inner.to_dict()
    assert llm.metadata == inner.metadata
    assert type(llm).__name__ == "OpenAI"
    assert type(llm) is type(wrap_llm(model(server)))
    assert type(inner) is OpenAI


def test_wrapping_twice_has_no_further_effect(server: OpenAIServer) -> None:
    once = wrapped(server)
    twice = wrap_llm(once, store=MemoryStore())
    assert type(twice) is type(once)
    twice.chat(conversation())
    once.chat(conversation())
    assert server.requests[0].raw == server.requests[1].raw


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, lambda llm: llm.model_copy(update={"temperature": 0.9})],
    ids=["copy", "deepcopy", "model_copy"],
)
def test_copies_compress_messages(duplicate: Any, server: OpenAIServer) -> None:
    store = MemoryStore()
    duplicate(wrap_llm(model(server), store=store)).chat(conversation())
    assert server.requests[0].messages[2]["content"].startswith(TABLE)


def test_pickles_keep_the_class_and_settings() -> None:
    inner = OpenAI(
        model="gpt-4o-mini", api_key="none", temperature=0.7, api_base="http://localhost:1/v1"
    )
    llm = wrap_llm(inner, token_budget=100, config=HeadroomConfig())
    back = pickle.loads(pickle.dumps(llm))
    assert type(back) is type(llm)
    assert back.to_dict() == pickle.loads(pickle.dumps(inner)).to_dict()
    assert llm.temperature == 0.7
    assert back._headroom == llm._headroom


@pytest.mark.parametrize("file", [False, True], ids=["memory", "file"])
def test_unpickled_models_use_the_same_store(file: bool, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "originals.db") if file else MemoryStore()
    llm = pickle.loads(pickle.dumps(wrap_llm(MockLLM(), store=store, retrieve=True)))
    llm.chat(conversation(), tools=[NAMED])
    assert store.get(content_key(page_of_orders(0))) == page_of_orders(0)


def test_global_settings_accept_a_wrapped_model(server: OpenAIServer) -> None:
    before = Settings._llm
    try:
        Settings.llm = wrapped(server)
        Settings.llm.chat(conversation())
    finally:
        Settings._llm = before
    assert server.requests[0].messages[2]["content"].startswith(TABLE)


def test_the_client_is_created_once(server: OpenAIServer) -> None:
    llm = wrapped(server)
    llm.chat(conversation())
    client = llm._client
    llm.chat(conversation())
    assert client is not None
    assert llm._client is client


def test_changed_settings_apply_to_the_next_call(server: OpenAIServer) -> None:
    llm = wrapped(server)
    llm.model = "gpt-4.1"
    llm.chat(conversation())
    assert server.requests[0].body["model"] == "gpt-4.1"


def test_errors_of_the_model_are_raised(server: OpenAIServer) -> None:
    server.script([Reply("too long", status=400)])
    with pytest.raises(Exception, match="too long"):
        wrapped(server).chat(conversation())


def test_a_wrapped_mock_gives_the_same_answers() -> None:
    llm = wrap_llm(MockLLM(), store=MemoryStore())
    assert (
        llm.chat([ChatMessage("hi")]).message.content
        == MockLLM().chat([ChatMessage("hi")]).message.content
    )
    assert [one.text for one in llm.stream_complete("a b")] == [
        one.text for one in MockLLM().stream_complete("a b")
    ]


@pytest.mark.parametrize(
    ("llm", "settings", "error"),
    [("gpt-4o", {}, "llm is of type str"), (MockLLM(), {"token_budget": 0}, "token_budget")],
)
def test_invalid_models_and_settings_are_errors(
    llm: Any, settings: dict[str, Any], error: str
) -> None:
    with pytest.raises(ConfigurationError, match=error):
        wrap_llm(llm, **settings)
