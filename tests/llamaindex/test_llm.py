"""Language models that compress what they are sent, as it comes over the wire."""

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
TABLE = "[table 120 rows: "
STATES = ("delivered", "sent", "late")


def page_of_orders(page: int) -> str:
    numbers = range(page * 1000, page * 1000 + 120)
    made = [
        {"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13}
        for n in numbers
    ]
    return json.dumps(made, indent=2)


def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


def calling(page: int) -> Reply:
    return Reply(f"Page {page}.", (Call("orders", {"page": page}),))


def reasoning(page: int) -> Reply:
    return Reply(
        f"Thought: I need page {page}.\nAction: orders\nAction Input: {json.dumps({'page': page})}"
    )


def coding(page: int) -> Reply:
    return Reply(f"I need page {page}. <execute>print(orders({page}))</execute>")


def reader(said: Callable[[int], Reply], pages: int = PAGES) -> Iterator[Reply]:
    """Yield what a model says that reads all pages."""
    yield from map(said, range(pages))
    yield Reply(
        "Thought: That is all.\nAnswer: All are read." if said is reasoning else "All are read."
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


async def answered(agent: Any, server: OpenAIServer, said: Callable[[int], Reply]) -> str:
    server.script(reader(said))
    return str(await agent.run("Which orders are late?", max_iterations=PAGES + 2))


bare_tokens: dict[Callable[[int], Reply], int] = {}


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("built", "said"),
    [(function_agent, calling), (react_agent, reasoning), (codeact_agent, coding)],
)
async def test_requests_of_an_agent_share_their_beginning_and_are_half_as_large(
    server: OpenAIServer, built: Callable[..., Any], said: Callable[[int], Reply], streaming: bool
) -> None:
    if said not in bare_tokens:
        await answered(built(model(server), streaming=streaming), server, said)
        bare_tokens[said] = tokens(server.requests)
    answer = await answered(built(wrapped(server), streaming=streaming), server, said)
    assert answer == "All are read."
    assert len(server.requests) == PAGES + 1
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))
    assert server.requests[-1].raw.decode().count(TABLE) == PAGES
    print(
        f"{built.__name__}: {bare_tokens[said]:,} tokens before, {tokens(server.requests):,} after"
    )
    assert tokens(server.requests) < bare_tokens[said] / 2


@pytest.mark.parametrize(("built", "said"), [(function_agent, calling), (react_agent, reasoning)])
async def test_an_agent_gets_a_selection_and_can_retrieve_the_rest(
    server: OpenAIServer, built: Callable[..., Any], said: Callable[[int], Reply]
) -> None:
    store = MemoryStore()

    def reply(request: Request) -> Reply:
        seen = str(request.messages[-1]["content"])
        if "headroom_retrieve(key=" not in seen:
            return said(0) if len(server.requests) == 1 else Reply("Thought: Read.\nAnswer: Read.")
        asked = {"key": seen.split('headroom_retrieve(key="')[1][:24], "where": "id == 77"}
        if said is calling:
            return Reply("", (Call("headroom_retrieve", asked),))
        return Reply(
            f"Thought: More.\nAction: headroom_retrieve\nAction Input: {json.dumps(asked)}"
        )

    server.script(reply)
    agent = built(wrap_llm(model(server), store=store, retrieve=True))
    agent.tools = [*agent.tools, retrieve_tool(store)]
    assert "Read." in str(await agent.run("Which orders are late?"))
    assert (
        [len(request.messages) for request in server.requests] == [2, 4, 6]
        if built is react_agent
        else [1, 3, 5]
    )
    assert "77,77,late" in server.requests[-1].messages[-1]["content"]
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))


@pytest.mark.parametrize(
    "wrap", [lambda rows: rows, lambda rows: {"orders": rows, "next": None}], ids=["list", "dict"]
)
@pytest.mark.parametrize(("built", "said"), [(function_agent, calling), (react_agent, reasoning)])
async def test_what_a_tool_returns_as_data_is_shortened_as_its_text_is(
    server: OpenAIServer,
    built: Callable[..., Any],
    said: Callable[[int], Reply],
    wrap: Callable[[Any], Any],
) -> None:
    def orders(page: int) -> Any:
        """List a page of the orders."""
        return wrap(json.loads(page_of_orders(page)))

    agent = built(wrapped(server))
    agent.tools = [FunctionTool.from_defaults(orders)]
    server.script(reader(said, 3))
    await agent.run("Which orders are late?")
    assert server.requests[-1].raw.decode().count("[table 120 rows; from Python: ") == 3
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))


async def test_nothing_is_left_out_for_an_agent_that_cannot_retrieve(server: OpenAIServer) -> None:
    await answered(function_agent(wrapped(server, retrieve=True)), server, calling)
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
def test_something_is_left_out_where_the_model_can_call_the_retrieve_tool(
    system: str, settings: dict[str, Any], offered: bool
) -> None:
    seen: list[ChatMessage] = []

    class Seeing(MockLLM):
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            seen.extend(messages)

    llm = wrap_llm(Seeing(), retrieve=True, store=MemoryStore())
    llm.chat([ChatMessage(system, role="system"), *conversation()], **settings)
    assert ("headroom_retrieve(key=" in str(seen[-1].content)) is offered


@pytest.mark.parametrize(
    ("limits", "most"),
    [({}, 4096), ({"llama3.1:8b": 2000, "gpt-4o": 2000}, 2000), ({"other": 9}, 4096)],
)
@pytest.mark.parametrize("name", ["llama3.1:8b", "gpt-4o-2024-08-06"])
def test_the_limit_of_a_model_is_the_one_that_it_tells(
    limits: dict[str, int], most: int, name: str
) -> None:
    seen: list[ChatMessage] = []

    class Local(MockLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(model_name=name, context_window=4096)

        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            seen.extend(messages)

    config = HeadroomConfig(model_context_limits=limits)
    said = [
        ChatMessage("word " * 100, role=role) for _ in range(60) for role in ("user", "assistant")
    ]
    wrap_llm(Local(), config=config, retrieve=True, store=MemoryStore()).chat(
        [*said, ChatMessage("?")], tools=[NAMED]
    )
    texts = sum(count_tokens_text(str(message.content)) for message in seen)
    assert most / 4 < texts < most


async def test_agents_hand_over_what_was_said(server: OpenAIServer) -> None:
    llm = wrapped(server)
    tools = [FunctionTool.from_defaults(orders)]
    first = FunctionAgent(
        name="first", description="reads", tools=tools, llm=llm, can_handoff_to=["second"]
    )
    second = FunctionAgent(
        name="second", description="answers", tools=tools, llm=llm, can_handoff_to=["first"]
    )
    handing = Call("handoff", {"to_agent": "second", "reason": "done"})
    server.script([calling(0), Reply("", (handing,)), calling(1), Reply("All are read.")])
    workflow = AgentWorkflow(agents=[first, second], root_agent="first")
    assert str(await workflow.run("Which orders are late?")) == "All are read."
    assert len(server.requests) == 4
    assert page_of_orders(0)[:40] not in str(server.requests[-1].messages)
    assert str(server.requests[-1].messages).count(TABLE) == 2
    assert server.requests[1].continues(server.requests[0])
    assert server.requests[3].continues(server.requests[2])


async def test_an_agents_text_streams_as_it_comes(server: OpenAIServer) -> None:
    server.script([Reply("All are read.")])
    handler = function_agent(wrapped(server)).run("Which orders are late?")
    deltas = [
        event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)
    ]
    assert [delta for delta in deltas if delta] == ["All ", "are ", "read."]


@pytest.mark.parametrize(
    ("built", "said"),
    [(function_agent, calling), (react_agent, reasoning), (codeact_agent, coding)],
)
async def test_a_budget_holds_for_each_request_and_leaves_calls_with_their_results(
    server: OpenAIServer, built: Callable[..., Any], said: Callable[[int], Reply]
) -> None:
    await answered(built(wrapped(server, token_budget=9000)), server, said)
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
    """Keeps what LlamaIndex's instrumentation is told, and in which threads."""

    events: list[Any] = Field(default_factory=list)
    threads: set[Any] = Field(default_factory=set)

    def handle(self, event: Any, **_: Any) -> None:
        self.events.append(event)
        self.threads.add(current_thread())

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


@pytest.fixture
def told() -> Iterator[Recorder]:
    handlers, recorder = get_dispatcher().event_handlers, Recorder()
    handlers.append(recorder)
    yield recorder
    handlers.remove(recorder)


def test_events_and_callbacks_come_once_with_what_was_sent(
    server: OpenAIServer, told: Recorder
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    llm = wrap_llm(model(server, callback_manager=CallbackManager([debug])), store=MemoryStore())
    llm.chat(conversation())
    start, end = told.of(LLMChatStartEvent, LLMChatEndEvent)
    assert start.messages[2].content.startswith(TABLE)
    assert start.model_dict["class_name"] == "openai_llm"
    assert isinstance(end, LLMChatEndEvent)
    assert len(debug.get_llm_inputs_outputs()) == 1


async def test_each_request_tells_once_what_was_saved(server: OpenAIServer, told: Recorder) -> None:
    llm, given, prompt = wrapped(server), conversation(), f"{page_of_orders(0)}\n\nWhich are late?"
    llm.chat(given)
    await llm.achat(given)
    list(llm.stream_chat(given))
    assert [chunk async for chunk in await llm.astream_chat(given)]
    llm.complete(prompt)
    await llm.acomplete(prompt)
    list(llm.stream_complete(prompt))
    assert [chunk async for chunk in await llm.astream_complete(prompt)]
    events = told.of(MessagesCompressedEvent)
    assert len(events) == len(server.requests) == 8
    assert len({event.tokens_after for event in events}) == 2
    assert all(event.tokens_after < event.tokens_before / 2 for event in events)
    assert all(event.transforms_applied for event in events)
    assert "Utrecht" not in str([event.model_dump() for event in events])
    assert told.threads == {current_thread()}


def test_a_request_of_which_nothing_is_changed_is_told_of_too(told: Recorder) -> None:
    wrap_llm(MockLLM()).chat([ChatMessage("hi")])
    (event,) = told.of(MessagesCompressedEvent)
    assert event.tokens_before == event.tokens_after > 0
    assert event.transforms_applied == []
    assert event.class_name() == "MessagesCompressedEvent"


async def test_every_way_of_chatting_sends_the_same(server: OpenAIServer) -> None:
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


async def test_a_prompt_is_a_users_text_of_which_nothing_is_left_out(server: OpenAIServer) -> None:
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


async def test_structured_answers_come_from_what_was_compressed(server: OpenAIServer) -> None:
    llm, prompt = wrapped(server), PromptTemplate("{orders}\n\nA song about 'late' orders")
    song = Song(name="late", verses=3)
    assert llm.structured_predict(Song, prompt, orders=page_of_orders(0)) == song
    assert await llm.astructured_predict(Song, prompt, orders=page_of_orders(0)) == song
    assert llm.as_structured_llm(Song).chat(conversation()).raw.verses == 3
    assert llm.predict(prompt, orders=page_of_orders(0))
    assert all(TABLE in request.raw.decode() for request in server.requests)


def test_the_event_loop_goes_on_meanwhile(server: OpenAIServer) -> None:
    class Slow(MemoryStore):
        def put_many(self, texts: Any) -> None:
            ticks.append("stored")
            super().put_many(texts)

    ticks: list[Any] = []

    async def ticking() -> None:
        task = asyncio.create_task(llm.achat(conversation()))
        while not task.done():
            ticks.append(1)
            await asyncio.sleep(0)

    llm = wrap_llm(model(server), store=Slow())
    asyncio.run(ticking())
    assert len(ticks) > 10


def test_a_chat_engine_sends_what_was_said_before_in_the_same_way(server: OpenAIServer) -> None:
    engine = SimpleChatEngine.from_defaults(llm=wrapped(server))
    for page in range(5):
        engine.chat(f"{page_of_orders(page)}\n\nWhich are late?")
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests))
    assert str(server.requests[-1].messages).count(TABLE) == 5


def test_threads_share_a_model(server: OpenAIServer) -> None:
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
    """A model that other methods call through `complete`."""

    asked: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="echo")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.asked.append(prompt)
        return CompletionResponse(text="yes")

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> Generator[CompletionResponse, None, None]:
        self.asked.append(prompt)
        yield CompletionResponse(text="yes", delta="yes")


async def test_what_a_models_methods_say_to_each_other_is_not_compressed_again(
    monkeypatch: Any,
) -> None:
    inner = Echo()
    llm = wrap_llm(inner, store=MemoryStore())
    counted: list[int] = []
    compress = LlamaIndexCompression.compress
    monkeypatch.setattr(
        LlamaIndexCompression,
        "compress",
        lambda self, messages: counted.append(1) or compress(self, messages),
    )
    assert llm.chat(conversation()).message.content == "yes"
    assert (await llm.achat(conversation())).message.content == "yes"
    assert [chunk.delta async for chunk in await llm.astream_chat(conversation())] == ["yes"]
    assert len(counted) == len(llm.asked) == 3
    assert all(TABLE in prompt for prompt in llm.asked)


def test_it_is_a_model_of_the_same_class_with_the_same_settings(server: OpenAIServer) -> None:
    inner = model(server, temperature=0.7)
    llm = wrap_llm(inner, store=MemoryStore())
    assert isinstance(llm, OpenAI)
    assert llm.class_name() == inner.class_name() == "openai_llm"
    assert llm.to_dict() == inner.to_dict()
    assert llm.metadata == inner.metadata
    assert type(llm).__name__ == "OpenAI"
    assert type(llm) is type(wrap_llm(model(server)))
    assert type(inner) is OpenAI


def test_wrapping_twice_is_wrapping_once(server: OpenAIServer) -> None:
    once = wrapped(server)
    twice = wrap_llm(once, store=MemoryStore())
    assert type(twice) is type(once)
    twice.chat(conversation())
    once.chat(conversation())
    assert server.requests[0].raw == server.requests[1].raw


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda llm: llm.model_copy(update={"temperature": 0.9})],
    ids=["copy", "deepcopy", "model_copy"],
)
def test_copies_compress_too_and_keep_originals_in_the_same_store(
    copied: Any, server: OpenAIServer
) -> None:
    store = MemoryStore()
    copied(wrap_llm(model(server), store=store)).chat(conversation())
    assert server.requests[0].messages[2]["content"].startswith(TABLE)


def test_it_comes_back_from_a_pickle_as_its_class_does() -> None:
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
def test_an_unpickled_model_stores_originals_in_the_same_place(file: bool, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "originals.db") if file else MemoryStore()
    llm = pickle.loads(pickle.dumps(wrap_llm(MockLLM(), store=store, retrieve=True)))
    llm.chat(conversation(), tools=[NAMED])
    assert store.get(content_key(page_of_orders(0))) == page_of_orders(0)


def test_the_settings_of_the_process_take_it(server: OpenAIServer) -> None:
    before = Settings._llm
    try:
        Settings.llm = wrapped(server)
        Settings.llm.chat(conversation())
    finally:
        Settings._llm = before
    assert server.requests[0].messages[2]["content"].startswith(TABLE)


def test_the_inner_model_makes_its_client_once(server: OpenAIServer) -> None:
    llm = wrapped(server)
    llm.chat(conversation())
    client = llm._client
    llm.chat(conversation())
    assert client is not None
    assert llm._client is client


def test_what_changes_in_a_model_holds_for_its_next_call(server: OpenAIServer) -> None:
    llm = wrapped(server)
    llm.model = "gpt-4.1"
    llm.chat(conversation())
    assert server.requests[0].body["model"] == "gpt-4.1"


def test_errors_are_the_models_own(server: OpenAIServer) -> None:
    server.script([Reply("too long", status=400)])
    with pytest.raises(Exception, match="too long"):
        wrapped(server).chat(conversation())


def test_a_mock_answers_as_before() -> None:
    llm = wrap_llm(MockLLM(), store=MemoryStore())
    assert (
        llm.chat([ChatMessage("hi")]).message.content
        == MockLLM().chat([ChatMessage("hi")]).message.content
    )
    assert [one.text for one in llm.stream_complete("a b")] == [
        one.text for one in MockLLM().stream_complete("a b")
    ]


@pytest.mark.parametrize(
    ("llm", "settings", "said"),
    [("gpt-4o", {}, "llm is of type str"), (MockLLM(), {"token_budget": 0}, "token_budget")],
)
def test_what_is_no_model_is_refused(llm: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        wrap_llm(llm, **settings)
