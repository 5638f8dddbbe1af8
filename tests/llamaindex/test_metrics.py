"""Metrics of wrapped language models: tokens and costs of each request, whole and streamed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest

pytest.importorskip("llama_index.llms.openai")

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ChatResponse, CompletionResponse, MockLLM
from llama_index.llms.openai import OpenAI
from pydantic import Field
from servers import Call, OpenAIServer, Reply, Request

from headroom_core import (
    HeadroomConfig,
    IntelligentContextConfig,
    RequestMetrics,
    count_tokens_text,
)
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import retrieve_tool, wrap_llm

ROWS = json.dumps(
    [{"id": n, "state": "late" if n == 77 else "sent", "city": "Utrecht"} for n in range(200)]
)
CALL = {"id": "c1", "type": "function", "function": {"name": "orders", "arguments": "{}"}}
CONVERSATION = [
    ChatMessage("Which orders are late?"),
    ChatMessage(role="assistant", additional_kwargs={"tool_calls": [CALL]}),
    ChatMessage(role="tool", content=ROWS, additional_kwargs={"tool_call_id": "c1"}),
]
PROMPT = f"{ROWS}\n\nWhich are late?"
ANSWER = "Order 77 is late."
WITH_USAGE = {"stream_options": {"include_usage": True}}

Way = Callable[..., Awaitable[Any]]


async def chat(llm: Any, **kwargs: Any) -> Any:
    return llm.chat(CONVERSATION, **kwargs)


async def achat(llm: Any, **kwargs: Any) -> Any:
    return await llm.achat(CONVERSATION, **kwargs)


async def complete(llm: Any, **kwargs: Any) -> Any:
    return llm.complete(PROMPT, **kwargs)


async def acomplete(llm: Any, **kwargs: Any) -> Any:
    return await llm.acomplete(PROMPT, **kwargs)


async def stream_chat(llm: Any, **kwargs: Any) -> Any:
    return [*llm.stream_chat(CONVERSATION, **kwargs)][-1]


async def astream_chat(llm: Any, **kwargs: Any) -> Any:
    return [chunk async for chunk in await llm.astream_chat(CONVERSATION, **kwargs)][-1]


async def stream_complete(llm: Any, **kwargs: Any) -> Any:
    return [*llm.stream_complete(PROMPT, **kwargs)][-1]


async def astream_complete(llm: Any, **kwargs: Any) -> Any:
    return [chunk async for chunk in await llm.astream_complete(PROMPT, **kwargs)][-1]


WHOLE: list[Way] = [chat, achat, complete, acomplete]
STREAMED: list[Way] = [stream_chat, astream_chat, stream_complete, astream_complete]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.script(lambda _: Reply(ANSWER, usage=(400, 20)))
        yield server


def wrapped(server: OpenAIServer, **settings: Any) -> Any:
    llm = OpenAI(model="gpt-4o-mini", api_base=server.url, api_key="none", max_retries=0)
    return wrap_llm(llm, **{"store": MemoryStore(), **settings})


def only(llm: Any) -> RequestMetrics:
    (metrics,) = llm.get_metrics()
    return metrics


def assert_compressed(metrics: RequestMetrics) -> None:
    assert metrics.tokens_input_after < metrics.tokens_input_before / 2
    assert metrics.transforms_applied
    assert (metrics.model, metrics.provider) == ("gpt-4o-mini", "openai")
    assert metrics.cost_before is not None
    assert metrics.cost_after is not None
    assert metrics.cost_before > metrics.cost_after > 0
    assert metrics.latency_ms > 0


@pytest.mark.parametrize("way", WHOLE)
async def test_a_request_is_recorded_with_the_usage_that_the_provider_reports(
    server: OpenAIServer, way: Way
) -> None:
    llm = wrapped(server)
    assert ANSWER in str(await way(llm))
    metrics = only(llm)
    assert_compressed(metrics)
    assert metrics.tokens_output == 20


@pytest.mark.parametrize("way", STREAMED)
async def test_a_stream_is_recorded_with_the_usage_that_its_last_chunk_reports(
    server: OpenAIServer, way: Way
) -> None:
    llm = wrapped(server)
    assert ANSWER in str(await way(llm, **WITH_USAGE))
    metrics = only(llm)
    assert_compressed(metrics)
    assert metrics.tokens_output == 20


@pytest.mark.parametrize("way", STREAMED)
async def test_the_output_of_a_stream_without_usage_is_counted(
    server: OpenAIServer, way: Way
) -> None:
    llm = wrapped(server)
    await way(llm)
    assert_compressed(only(llm))
    assert only(llm).tokens_output == count_tokens_text(ANSWER, "gpt-4o-mini")


async def test_the_summary_has_all_requests_and_metrics_are_found_by_model(
    server: OpenAIServer,
) -> None:
    llm = wrapped(server)
    for way in WHOLE:
        await way(llm)
    llm.model = "gpt-4o"
    await chat(llm)
    summary = llm.get_summary()
    assert summary["total_requests"] == 5
    assert summary["total_tokens_saved"] == sum(one.tokens_saved for one in llm.get_metrics())
    assert summary["avg_compression_ratio"] < 0.5
    assert [one.model for one in llm.get_metrics(model="gpt-4o", limit=3)] == ["gpt-4o"]


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_stream_that_is_closed_early_is_recorded(server: OpenAIServer, method: str) -> None:
    llm = wrapped(server)
    chunks = getattr(llm, method)(CONVERSATION if method == "stream_chat" else PROMPT)
    while not str(next(chunks).delta or ""):
        pass
    assert llm.get_metrics() == []
    chunks.close()
    assert only(llm).tokens_output == count_tokens_text("Order ", "gpt-4o-mini")


async def test_an_asynchronous_stream_that_is_closed_early_is_recorded(
    server: OpenAIServer,
) -> None:
    llm = wrapped(server)
    chunks = await llm.astream_chat(CONVERSATION)
    await anext(chunks)
    await chunks.aclose()
    assert only(llm).tokens_saved > 0


def test_closing_a_stream_closes_that_of_the_model() -> None:
    closed: list[bool] = []

    class Streaming(MockLLM):
        def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            try:
                for text in ("a", "ab"):
                    yield ChatResponse(message=ChatMessage(text, role="assistant"), delta="b")
            finally:
                closed.append(True)

    chunks = wrap_llm(Streaming()).stream_chat([ChatMessage("hi")])
    next(chunks)
    chunks.close()
    assert closed == [True]


def test_neither_an_empty_stream_nor_an_error_is_recorded(server: OpenAIServer) -> None:
    class Silent(MockLLM):
        def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            yield from ()

    silent, failing = wrap_llm(Silent()), wrapped(server)
    assert list(silent.stream_chat([ChatMessage("hi")])) == []
    server.script([Reply("too long", status=400)])
    with pytest.raises(Exception, match="too long"):
        failing.chat(CONVERSATION)
    for llm in (silent, failing):
        assert llm.get_summary()["total_requests"] == 0


def test_a_request_of_a_method_that_calls_another_is_recorded_once() -> None:
    llm: Any = wrap_llm(MockLLM())
    llm.chat([ChatMessage("hi")])  # which completes a prompt
    list(llm.stream_complete("hi"))
    assert llm.get_summary()["total_requests"] == 2


class Reporting(MockLLM):
    """Reports usage as one or another provider does."""

    raw: Any = None
    extra: dict[str, Any] = Field(default_factory=dict)

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        message = ChatMessage("yes", role="assistant")
        return ChatResponse(message=message, raw=self.raw, additional_kwargs=self.extra)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        for event in self.raw:
            yield ChatResponse(message=ChatMessage("yes", role="assistant"), raw=event)

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        async def chunks() -> AsyncIterator[CompletionResponse]:
            for event in self.raw:
                yield CompletionResponse(text="yes", raw=event)

        return chunks()


def reporting(raw: Any, extra: dict[str, Any] | None = None) -> Any:
    llm = Reporting()
    llm.raw, llm.extra = raw, extra or {}
    return wrap_llm(llm)


DETAILS = {"cached_tokens": 64}


@pytest.mark.parametrize(
    ("raw", "extra", "cached"),
    [
        (
            {
                "usage": {
                    "prompt_tokens": 100,
                    "completion_tokens": 9,
                    "prompt_tokens_details": DETAILS,
                }
            },
            {},
            64,
        ),
        (
            {"usage": {"input_tokens": 36, "output_tokens": 9, "cache_read_input_tokens": 64}},
            {},
            64,
        ),
        ({"usage_metadata": {"prompt_token_count": 100, "candidates_token_count": 9}}, {}, 0),
        (None, {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}, 0),
        ({"usage": None}, {"prompt_tokens": 100, "completion_tokens": 9}, 0),
    ],
)
def test_usage_is_found_where_integrations_put_it(raw: Any, extra: Any, cached: int) -> None:
    llm = reporting(raw, extra)
    llm.chat([ChatMessage("hi")])
    assert (only(llm).tokens_output, only(llm).cached_tokens) == (9, cached)


STARTED = {"usage": {"input_tokens": 36, "output_tokens": 1, "cache_read_input_tokens": 64}}


@pytest.mark.parametrize(
    ("events", "cached"),
    [
        ([{"message": STARTED}, {"delta": "yes"}, {"usage": {"output_tokens": 9}}], 64),
        ([{}, {"response": {"usage": {"input_tokens": 100, "output_tokens": 9}}}], 0),
        (
            [
                {"usage": {"prompt_tokens": 100, "completion_tokens": 4}},
                {"usage": {"prompt_tokens": 100, "completion_tokens": 9}},
            ],
            0,
        ),
    ],
    ids=["Anthropic", "OpenAI's Responses", "totals in every chunk"],
)
async def test_the_usage_of_a_stream_is_found_in_its_events(events: list[Any], cached: int) -> None:
    llm = reporting(events)
    list(llm.stream_chat([ChatMessage("hi")]))
    assert [chunk async for chunk in await llm.astream_complete("hi")]
    for metrics in llm.get_metrics():
        assert (metrics.tokens_output, metrics.cached_tokens) == (9, cached)


def test_calls_are_part_of_an_output_that_is_counted() -> None:
    class Calling(MockLLM):
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
            message = ChatMessage(role="assistant", additional_kwargs={"tool_calls": [CALL]})
            return ChatResponse(message=message)

    llm: Any = wrap_llm(Calling())
    llm.chat([ChatMessage("hi")])
    assert only(llm).tokens_output > 0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda llm: llm.model_copy(update={"max_tokens": 9})]
)
def test_copies_record_in_the_same_ledger(copied: Callable[[Any], Any]) -> None:
    llm: Any = wrap_llm(MockLLM())
    copied(llm).complete("hi")
    assert llm.get_summary()["total_requests"] == 1


def test_a_pickle_and_a_model_that_is_wrapped_again_record_anew() -> None:
    llm: Any = wrap_llm(MockLLM())
    llm.complete("hi")
    for other in (pickle.loads(pickle.dumps(llm)), wrap_llm(llm)):
        assert other.get_summary()["total_requests"] == 0
        other.complete("hi")
        assert other.get_summary()["total_requests"] == 1
    assert llm.get_summary()["total_requests"] == 1


async def test_retrieval_is_a_cost_and_nothing_that_would_have_been_sent(
    server: OpenAIServer,
) -> None:
    def orders() -> str:
        """List the orders."""
        return ROWS

    def reply(request: Request) -> Reply:
        seen = str(request.messages[-1]["content"])
        if len(server.requests) == 1:
            return Reply("", (Call("orders", {}),))
        if "headroom_retrieve(key=" in seen:
            key = seen.split('headroom_retrieve(key="')[1][:24]
            return Reply("", (Call("headroom_retrieve", {"key": key, "limit": 200}),))
        return Reply("Order 77." if len(server.requests) == 3 else "You are welcome.")

    server.script(reply)
    store = MemoryStore()
    llm = wrapped(server, store=store, retrieve=True)
    agent = FunctionAgent(llm=llm, tools=[orders, retrieve_tool(store)], streaming=False)
    await agent.run("Which orders are late?")
    asked, shortened, retrieved = llm.get_metrics()
    assert asked.tokens_input_after > asked.tokens_input_before + 90  # the tool's schema
    assert shortened.tokens_saved > 1000
    assert (retrieved.tokens_input_before, retrieved.tokens_saved < -1000) == (0, True)


@pytest.mark.parametrize("managed", [False, True], ids=["rolling", "managed"])
def test_what_was_retrieved_earlier_is_nothing_that_would_have_been_sent(managed: bool) -> None:
    config = HeadroomConfig(intelligent_context=IntelligentContextConfig(enabled=managed))
    retrieval = {"name": "headroom_retrieve", "arguments": "{}"}
    retrieving = [
        ChatMessage(
            role="assistant",
            additional_kwargs={"tool_calls": [{"id": "c2", "function": retrieval}]},
        ),
        ChatMessage(ROWS, role="tool", additional_kwargs={"tool_call_id": "c2"}),
    ]
    rest = [ChatMessage("Order 77.", role="assistant"), ChatMessage("Thanks.")]
    tools = [{"name": "headroom_retrieve"}]
    llm: Any = wrap_llm(
        MockLLM(), retrieve=True, store=MemoryStore(), config=config, token_budget=4000
    )
    llm.chat([*CONVERSATION, *rest], tools=tools)
    llm.chat([*CONVERSATION, *retrieving, *rest], tools=tools)
    without, with_retrieval = (one.tokens_input_before for one in llm.get_metrics())
    assert without == with_retrieval
