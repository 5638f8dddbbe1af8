"""Test that a wrapped chat model loses no ability, with real models and their requests."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel
from servers import AnthropicServer, Call, ModelServer, OpenAIServer, Reply, Request

from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel, wrap_chat_model

ROWS = [
    {"id": 4000 + n, "state": "delivered", "city": "Utrecht", "weight": n * 7 % 13}
    for n in range(300)
]
LONG = json.dumps(ROWS, indent=2)
KEY = re.compile(r'headroom_retrieve\(key=\\+"(\w+)')
HIDDEN_ROW = "151,4151,"
Around = Callable[..., Any]


class Verdict(BaseModel):
    """What the orders show."""

    late: int
    reason: str


@tool
def orders(day: int) -> str:
    """List the orders of a day."""
    return LONG


def conversation() -> list[BaseMessage]:
    call = {"name": "orders", "args": {"day": 3}, "id": "c1"}
    asked = [
        SystemMessage("Be brief."),
        HumanMessage("Which orders are heavy?"),
        AIMessage("", tool_calls=[call]),
    ]
    return [*asked, ToolMessage(LONG, tool_call_id="c1", name="orders")]


class Trace(BaseCallbackHandler):
    """Keeps what a tracer is told of chat models."""

    def __init__(self) -> None:
        self.starts: list[dict[str, Any]] = []
        self.ends: list[Any] = []

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[BaseMessage]], **told: Any
    ) -> None:
        self.starts.append({"messages": messages[0], **told})

    def on_llm_end(self, response: Any, **told: Any) -> None:
        self.ends.append(response)


async def invoke(model: Any, given: Any, config: Any = None) -> Any:
    return model.invoke(given, config)


async def ainvoke(model: Any, given: Any, config: Any = None) -> Any:
    return await model.ainvoke(given, config)


async def stream(model: Any, given: Any, config: Any = None) -> Any:
    first, *rest = model.stream(given, config)
    return sum(rest, first)


async def astream(model: Any, given: Any, config: Any = None) -> Any:
    first, *rest = [chunk async for chunk in model.astream(given, config)]
    return sum(rest, first)


every_way = pytest.mark.parametrize("call", [invoke, ainvoke, stream, astream])


@pytest.fixture(
    params=[HeadroomChatModel, wrap_chat_model], ids=["HeadroomChatModel", "wrap_chat_model"]
)
def around(request: pytest.FixtureRequest) -> Around:
    return request.param


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def cache() -> Iterator[None]:
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


def openai(server: ModelServer, **settings: Any) -> ChatOpenAI:
    common: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "api_key": "none",
        "max_retries": 0,
        "stream_usage": True,
    }
    return ChatOpenAI(base_url=server.url, **common | settings)


def anthropic(server: ModelServer, **settings: Any) -> ChatAnthropic:
    return ChatAnthropic(
        model="claude-haiku-4-5", base_url=server.url, api_key="none", max_retries=0, **settings
    )


def assert_shortened(server: ModelServer, requests: int = 1) -> None:
    """Of each request that came in, the tool's result is short."""
    assert len(server.requests) == requests
    for request in server.requests:
        assert '"role":"tool"' in request.raw.decode()
        assert len(request.raw) < len(LONG) / 2


class TestTracing:
    @every_way
    async def test_callbacks_are_told_once(
        self, around: Around, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        await call(around(openai(server)), conversation(), {"callbacks": [trace]})
        assert (len(trace.starts), len(trace.ends)) == (1, 1)
        assert_shortened(server)

    @every_way
    async def test_what_the_inner_model_was_built_with_is_told(
        self, around: Around, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        inner = openai(server, callbacks=[trace], tags=["orders"], metadata={"team": "a"})
        await call(around(inner), conversation())
        (start,) = trace.starts
        assert "orders" in start["tags"]
        assert start["metadata"]["team"] == "a"

    @every_way
    async def test_the_trace_shows_what_was_sent_and_saved(
        self, around: Around, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        await call(around(openai(server)), conversation(), {"callbacks": [trace]})
        (start,) = trace.starts
        assert start["messages"][3].content == server.requests[0].messages[3]["content"]
        saved = start["metadata"]["headroom"]
        assert saved["tokens_after"] < saved["tokens_before"] / 2

    def test_the_provider_and_the_model_are_named(
        self, around: Around, server: OpenAIServer
    ) -> None:
        trace = Trace()
        around(openai(server)).invoke(conversation(), {"callbacks": [trace]})
        metadata = trace.starts[0]["metadata"]
        assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("openai", "gpt-4o-mini")

    @every_way
    async def test_usage_is_counted_once(
        self, around: Around, server: OpenAIServer, call: Any
    ) -> None:
        server.script([Reply("Two are.", usage=(100, 5))])
        usage = UsageMetadataCallbackHandler()
        await call(around(openai(server)), conversation(), {"callbacks": [usage]})
        (counted,) = usage.usage_metadata.values()
        assert (counted["input_tokens"], counted["output_tokens"]) == (100, 5)

    def test_langgraph_streams_each_token_once(self, around: Around, server: OpenAIServer) -> None:
        def streamed(model: Any) -> list[str]:
            graph = StateGraph(MessagesState).add_edge(START, "model")
            graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
            chunks = graph.compile().stream({"messages": conversation()}, stream_mode="messages")
            return [chunk.text for chunk, _ in chunks if chunk.text]

        bare = streamed(openai(server))
        server.script(None)
        assert streamed(around(openai(server))) == bare
        assert len(bare) > 3
        assert_shortened(server)


class TestSettings:
    """What the inner model was set to do is done."""

    @pytest.mark.usefixtures("cache")
    def test_a_second_call_is_answered_from_the_global_cache(
        self, around: Around, server: OpenAIServer
    ) -> None:
        model = around(openai(server))
        assert model.invoke(conversation()).text == model.invoke(conversation()).text
        assert_shortened(server)

    @pytest.mark.usefixtures("cache")
    def test_the_cache_tells_calls_with_tools_from_those_without(
        self, around: Around, server: OpenAIServer
    ) -> None:
        model = around(openai(server))
        model.invoke(conversation())
        model.bind_tools([orders]).invoke(conversation())
        assert [bool(request.body.get("tools")) for request in server.requests] == [False, True]

    def test_the_rate_limiter_is_asked(self, around: Around, server: OpenAIServer) -> None:
        class Counting(BaseRateLimiter):
            asked = 0

            def acquire(self, *, blocking: bool = True) -> bool:
                self.asked += 1
                return True

            async def aacquire(self, *, blocking: bool = True) -> bool:
                return self.acquire()

        limiter = Counting()
        around(openai(server, rate_limiter=limiter)).invoke(conversation())
        assert limiter.asked == 1

    @every_way
    async def test_output_stays_in_its_version(
        self, around: Around, server: OpenAIServer, call: Any
    ) -> None:
        answer = await call(around(openai(server, output_version="v1")), conversation())
        assert answer.response_metadata["output_version"] == "v1"
        assert [block["type"] for block in answer.content] == ["text"]

    async def test_a_streaming_model_streams_when_it_is_invoked(
        self, around: Around, server: OpenAIServer
    ) -> None:
        model = around(openai(server, streaming=True))
        assert (await model.ainvoke(conversation())).text == model.invoke(conversation()).text
        assert [request.body["stream"] for request in server.requests] == [True, True]

    def test_a_call_can_name_another_model(self, around: Around, server: OpenAIServer) -> None:
        around(openai(server)).invoke(conversation(), model="gpt-4o", stop=["."])
        assert (server.requests[0].body["model"], server.requests[0].body["stop"]) == (
            "gpt-4o",
            ["."],
        )


class TestAttributes:
    def test_it_is_called_what_the_inner_model_is_called(
        self, around: Around, server: OpenAIServer
    ) -> None:
        inner = openai(server)
        assert around(inner).model_name == inner.model_name
        assert around(inner)._llm_type == inner._llm_type
        assert around(inner)._get_ls_params(stop=["."]) == inner._get_ls_params(stop=["."])

    def test_the_profile_is_there(self, around: Around, server: OpenAIServer) -> None:
        inner = openai(server)
        assert around(inner).profile == inner.profile
        assert around(inner).profile["max_input_tokens"] == 128_000

    def test_tokens_are_counted_as_by_the_inner_model(self, around: Around) -> None:
        with AnthropicServer() as server:
            inner = anthropic(server, custom_get_token_ids=lambda text: list(text.encode()))
            assert around(inner).get_num_tokens("hello") == 5
            counted = around(inner).get_num_tokens_from_messages(conversation())
            assert counted == inner.get_num_tokens_from_messages(conversation())

    def test_it_can_be_pickled_if_the_inner_model_can(self, around: Around) -> None:
        model, trace = around(FakeListChatModel(responses=["yes"])), Trace()
        copy = pickle.loads(pickle.dumps(model))
        assert type(copy) is type(model)
        assert copy.invoke(conversation(), {"callbacks": [trace]}).text == "yes"
        assert len(trace.starts[0]["messages"][3].content) < len(LONG) / 2

    def test_it_is_a_chat_model(self, around: Around, server: OpenAIServer) -> None:
        assert isinstance(around(openai(server)), BaseChatModel)

    def test_the_variant_is_an_instance_of_the_inner_class(self, server: OpenAIServer) -> None:
        inner = openai(server)
        assert isinstance(wrap_chat_model(inner), ChatOpenAI)
        assert type(inner) is ChatOpenAI

    def test_middleware_of_anthropic_takes_the_variant(self) -> None:
        with AnthropicServer() as server:
            caching = AnthropicPromptCachingMiddleware(unsupported_model_behavior="raise")
            create_agent(wrap_chat_model(anthropic(server)), middleware=[caching]).invoke(
                {"messages": conversation()}
            )
            assert b"cache_control" in server.requests[0].raw
            assert len(server.requests[0].raw) < len(LONG) / 2


class TestRunnable:
    """What every runnable offers, around the model and inside."""

    @pytest.mark.parametrize("inside", [True, False])
    def test_fallbacks_are_bound_to_the_tools_too(
        self, around: Around, server: OpenAIServer, inside: bool
    ) -> None:
        with OpenAIServer([Reply(status=400)]) as broken:
            if inside:
                model = around(openai(broken).with_fallbacks([openai(server)]))
            else:
                model = around(openai(broken)).with_fallbacks([around(openai(server))])
            answer = model.bind_tools([orders]).invoke(conversation())
        assert answer.text
        assert [tool["function"]["name"] for tool in server.requests[0].body["tools"]] == ["orders"]
        assert_shortened(server)
        assert_shortened(broken)

    def test_a_failed_call_is_made_again(self, around: Around, server: OpenAIServer) -> None:
        server.script([Reply(status=500), Reply("Two are.")])
        model = around(openai(server)).with_retry(
            stop_after_attempt=2, wait_exponential_jitter=False
        )
        assert model.invoke(conversation()).text == "Two are."
        assert_shortened(server, 2)

    @pytest.mark.parametrize(
        "made",
        [
            lambda model: model.bind(stop=["."]),
            lambda model: model.bind(stop=["."]).with_retry(),
            lambda model: model.bind(stop=["."]).with_fallbacks([model]),
            lambda model: model.with_retry().bind(stop=["."]),
            lambda model: model.with_config(tags=["orders"]).bind(stop=["."]),
        ],
        ids=["bind", "with_retry", "with_fallbacks", "bind outside", "with_config"],
    )
    @every_way
    async def test_runnables_around_the_inner_model_keep_their_part(
        self, around: Around, server: OpenAIServer, made: Callable[[Any], Any], call: Any
    ) -> None:
        assert (await call(around(made(openai(server))), conversation())).text
        assert server.requests[0].body["stop"] == ["."]
        assert_shortened(server)

    def test_the_inner_models_fields_can_be_configured(
        self, around: Around, server: OpenAIServer
    ) -> None:
        inner = openai(server).configurable_fields(model_name=ConfigurableField(id="model"))
        around(inner).invoke(conversation(), {"configurable": {"model": "gpt-4o"}})
        assert server.requests[0].body["model"] == "gpt-4o"
        assert_shortened(server)

    def test_the_wrappers_own_fields_can_be_configured(self, server: OpenAIServer) -> None:
        model = HeadroomChatModel(openai(server)).configurable_fields(
            token_budget=ConfigurableField(id="budget")
        )
        model.invoke(conversation())
        model.invoke(conversation(), {"configurable": {"budget": 200}})
        wide, narrow = (len(request.raw) for request in server.requests)
        assert narrow < wide / 2

    def test_the_variants_fields_are_the_inner_models(self, server: OpenAIServer) -> None:
        model = wrap_chat_model(openai(server)).configurable_fields(
            model_name=ConfigurableField(id="model")
        )
        model.invoke(conversation(), {"configurable": {"model": "gpt-4o"}})
        assert server.requests[0].body["model"] == "gpt-4o"
        assert_shortened(server)

    async def test_batches_are_shortened(self, around: Around, server: OpenAIServer) -> None:
        model = around(openai(server))
        assert len(model.batch([conversation(), conversation()])) == 2
        assert len(await model.abatch([conversation(), conversation()])) == 2
        assert_shortened(server, 4)

    async def test_generations_are_shortened(self, around: Around, server: OpenAIServer) -> None:
        model = around(openai(server))
        model.generate([conversation()])
        await model.agenerate([conversation()])
        assert_shortened(server, 2)

    @pytest.mark.skipif(
        not hasattr(BaseChatModel, "stream_events"),
        reason="langchain-core has no events of version 3",
    )
    @pytest.mark.filterwarnings("ignore:.*is in beta")
    async def test_events_of_version_3_are_shortened(
        self, around: Around, server: OpenAIServer
    ) -> None:
        model = around(openai(server))
        sync = model.stream_events(conversation(), version="v3")
        assert list(sync)
        events = await model.astream_events(conversation(), version="v3")
        assert [event async for event in events]
        assert sync.output.text == (await events.output).text
        assert_shortened(server, 2)

    async def test_events_of_version_2_tell_of_one_model(
        self, around: Around, server: OpenAIServer
    ) -> None:
        events = [
            event
            async for event in around(openai(server)).astream_events(conversation(), version="v2")
        ]
        kinds = [event["event"] for event in events if event["event"] != "on_chat_model_stream"]
        assert kinds == ["on_chat_model_start", "on_chat_model_end"]
        assert_shortened(server)


class TestStructuredOutput:
    def test_the_provider_is_handed_the_schema(self, around: Around, server: OpenAIServer) -> None:
        answer = (
            around(openai(server))
            .with_structured_output(Verdict, include_raw=True)
            .invoke(conversation())
        )
        assert answer["parsed"] == Verdict(late=3, reason="something")
        assert server.requests[0].body["response_format"]["type"] == "json_schema"
        assert_shortened(server)

    def test_other_methods_are_kept(self, around: Around, server: OpenAIServer) -> None:
        model = around(openai(server)).with_structured_output(
            Verdict, method="function_calling", strict=True
        )
        assert model.invoke(conversation()) == Verdict(late=3, reason="something")
        assert server.requests[0].body["tool_choice"]["function"]["name"] == "Verdict"
        assert_shortened(server)

    @pytest.mark.filterwarnings(
        "ignore:The 'output_format' parameter is deprecated"
    )  # langchain-anthropic 1.3
    def test_anthropic_is_handed_the_schema(self, around: Around) -> None:
        with AnthropicServer() as server:
            model = around(anthropic(server)).with_structured_output(Verdict, method="json_schema")
            assert model.invoke(conversation()) == Verdict(late=3, reason="something")
            assert server.requests[0].body["output_config"]["format"]["type"] == "json_schema"
            assert len(server.requests[0].raw) < len(LONG) / 2

    def test_an_agent_lets_the_provider_form_its_answer(
        self, around: Around, server: OpenAIServer
    ) -> None:
        agent = create_agent(around(openai(server)), [orders], response_format=Verdict)
        answer = agent.invoke({"messages": conversation()})
        assert answer["structured_response"] == Verdict(late=3, reason="something")
        assert server.requests[0].body["response_format"]["type"] == "json_schema"
        assert_shortened(server)


def asking_back(request: Request) -> Call:
    """Return the call of a model that asks for a row which was left out."""
    return Call(
        "headroom_retrieve", {"key": KEY.findall(request.raw.decode())[-1], "where": "id == 4151"}
    )


def alone(request: Request) -> Reply:
    return Reply(calls=(asking_back(request),), usage=(1000, 10))


def beside(request: Request) -> Reply:
    return Reply(
        "Let me see.", (Call("orders", {"day": 4}), asking_back(request)), usage=(1000, 10)
    )


def scripted(*steps: Reply | Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    left = iter(steps)

    def reply(request: Request) -> Reply:
        step = next(left)
        return step(request) if callable(step) else step

    return reply


DONE = Reply("Order 4151 is not heavy.", usage=(1100, 20))


def assert_continued(server: ModelServer, requests: int) -> None:
    assert len(server.requests) == requests
    for earlier, later in zip(server.requests, server.requests[1:]):
        assert later.continues(earlier)


class TestRetrieving:
    """Test that a model retrieves originals between the question and the answer."""

    @pytest.fixture
    def retrieving(self, around: Around, server: OpenAIServer) -> Any:
        return around(openai(server), retrieve=True, store=MemoryStore())

    def test_nothing_is_offered_unless_it_is_asked_for(
        self, around: Around, server: OpenAIServer
    ) -> None:
        around(openai(server)).invoke(conversation())
        assert b"headroom_retrieve" not in server.requests[0].raw

    @every_way
    async def test_the_caller_sees_the_answer_alone(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(alone, DONE))
        answer = await call(retrieving, conversation())
        assert (answer.text, answer.tool_calls, answer.invalid_tool_calls) == (DONE.text, [], [])
        assert HIDDEN_ROW not in server.requests[0].raw.decode()
        assert HIDDEN_ROW in server.requests[1].messages[-1]["content"]
        assert_continued(server, 2)

    @every_way
    async def test_usage_is_of_the_last_request_and_callbacks_see_all(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(alone, DONE))
        told = UsageMetadataCallbackHandler()
        usage = (await call(retrieving, conversation(), {"callbacks": [told]})).usage_metadata
        assert (usage["input_tokens"], usage["output_tokens"]) == (1100, 20)
        (counted,) = told.usage_metadata.values()
        assert (counted["input_tokens"], counted["output_tokens"]) == (2100, 30)

    @every_way
    async def test_it_can_ask_twice_in_a_row(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(alone, alone, DONE))
        assert (await call(retrieving, conversation())).text == DONE.text
        assert_continued(server, 3)

    @every_way
    async def test_calls_of_the_callers_tools_beside_it_are_the_callers(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(beside, DONE))
        model = retrieving.bind_tools([orders])
        answer = await call(model, conversation())
        assert answer.text == "Let me see."
        assert [(made["name"], made["args"]) for made in answer.tool_calls] == [
            ("orders", {"day": 4})
        ]
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        assert (await call(model, [*conversation(), answer, result])).text == DONE.text
        assert HIDDEN_ROW in server.requests[1].raw.decode()
        assert_continued(server, 2)

    @every_way
    async def test_it_cannot_ask_for_ever(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(alone)
        answer = await call(retrieving, conversation())
        assert (answer.text[:19], answer.tool_calls) == ("There is no answer:", [])
        assert 2 < len(server.requests) < 10
        server.script(scripted(DONE))
        assert (
            await call(retrieving, [*conversation(), answer, HumanMessage("And now?")])
        ).text == DONE.text

    @every_way
    async def test_the_next_turn_continues_what_was_not_shown(
        self, retrieving: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(alone, DONE, DONE))
        answer = await call(retrieving, conversation())
        (kept,) = messages_from_dict(json.loads(json.dumps(messages_to_dict([answer]))))
        await call(retrieving, [*conversation(), kept, HumanMessage("Thanks. And the light ones?")])
        assert_continued(server, 3)

    def test_what_is_streamed_calls_no_retrieve_tool(
        self, retrieving: Any, server: OpenAIServer
    ) -> None:
        server.script(scripted(alone, DONE))
        chunks = list(retrieving.stream(conversation()))
        assert "".join(chunk.text for chunk in chunks) == DONE.text
        assert sum(bool(chunk.text) for chunk in chunks) > 1
        assert not any(chunk.tool_call_chunks for chunk in chunks)
        assert [chunk.chunk_position for chunk in chunks if chunk.chunk_position] == ["last"]
        assert len({chunk.id for chunk in chunks}) == 1

    @every_way
    async def test_anthropics_models_retrieve_too(self, around: Around, call: Any) -> None:
        with AnthropicServer(scripted(beside, DONE)) as server:
            model = around(anthropic(server), retrieve=True, store=MemoryStore()).bind_tools(
                [orders]
            )
            answer = await call(model, conversation())
            assert [made["name"] for made in answer.tool_calls] == ["orders"]
            assert "headroom_retrieve" not in json.dumps(answer.content)
            result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
            assert (await call(model, [*conversation(), answer, result])).text == DONE.text
            assert_continued(server, 2)

    def test_nothing_is_left_out_where_the_answer_has_a_form(
        self, retrieving: Any, server: OpenAIServer
    ) -> None:
        assert retrieving.with_structured_output(Verdict).invoke(conversation()).late == 3
        assert b"headroom_retrieve" not in server.requests[0].raw
        assert_shortened(server)
