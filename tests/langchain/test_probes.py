"""Test that wrapped chat models keep all abilities of real models, by their requests."""

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
Wrap = Callable[..., Any]


class Verdict(BaseModel):
    """Number of late orders and the reason."""

    late: int
    reason: str


@tool
def orders(day: int) -> str:
    """List the orders of a day."""
    return LONG


def conversation() -> list[BaseMessage]:
    call = {"name": "orders", "args": {"day": 3}, "id": "c1"}
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("Which orders are heavy?"),
        AIMessage("", tool_calls=[call]),
    ]
    return [*messages, ToolMessage(LONG, tool_call_id="c1", name="orders")]


class Trace(BaseCallbackHandler):
    """Callback handler that records the starts and ends of chat models."""

    def __init__(self) -> None:
        self.starts: list[dict[str, Any]] = []
        self.ends: list[Any] = []

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[BaseMessage]], **fields: Any
    ) -> None:
        self.starts.append({"messages": messages[0], **fields})

    def on_llm_end(self, response: Any, **fields: Any) -> None:
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


every_method = pytest.mark.parametrize("call", [invoke, ainvoke, stream, astream])


@pytest.fixture(
    params=[HeadroomChatModel, wrap_chat_model], ids=["HeadroomChatModel", "wrap_chat_model"]
)
def wrap(request: pytest.FixtureRequest) -> Wrap:
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
    """Check that the tool's result is shortened in each request."""
    assert len(server.requests) == requests
    for request in server.requests:
        assert '"role":"tool"' in request.raw.decode()
        assert len(request.raw) < len(LONG) / 2


class TestTracing:
    @every_method
    async def test_callbacks_run_once_per_request(
        self, wrap: Wrap, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        await call(wrap(openai(server)), conversation(), {"callbacks": [trace]})
        assert (len(trace.starts), len(trace.ends)) == (1, 1)
        assert_shortened(server)

    @every_method
    async def test_callbacks_tags_and_metadata_of_the_inner_model_are_used(
        self, wrap: Wrap, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        inner = openai(server, callbacks=[trace], tags=["orders"], metadata={"team": "a"})
        await call(wrap(inner), conversation())
        (start,) = trace.starts
        assert "orders" in start["tags"]
        assert start["metadata"]["team"] == "a"

    @every_method
    async def test_traces_show_the_compressed_messages_and_saved_tokens(
        self, wrap: Wrap, server: OpenAIServer, call: Any
    ) -> None:
        trace = Trace()
        await call(wrap(openai(server)), conversation(), {"callbacks": [trace]})
        (start,) = trace.starts
        assert start["messages"][3].content == server.requests[0].messages[3]["content"]
        saved = start["metadata"]["headroom"]
        assert saved["tokens_after"] < saved["tokens_before"] / 2

    def test_traces_name_the_provider_and_model(self, wrap: Wrap, server: OpenAIServer) -> None:
        trace = Trace()
        wrap(openai(server)).invoke(conversation(), {"callbacks": [trace]})
        metadata = trace.starts[0]["metadata"]
        assert (metadata["ls_provider"], metadata["ls_model_name"]) == ("openai", "gpt-4o-mini")

    @every_method
    async def test_usage_is_counted_once(self, wrap: Wrap, server: OpenAIServer, call: Any) -> None:
        server.script([Reply("Two are.", usage=(100, 5))])
        usage = UsageMetadataCallbackHandler()
        await call(wrap(openai(server)), conversation(), {"callbacks": [usage]})
        (counted,) = usage.usage_metadata.values()
        assert (counted["input_tokens"], counted["output_tokens"]) == (100, 5)

    def test_langgraph_streams_each_token_once(self, wrap: Wrap, server: OpenAIServer) -> None:
        def stream_texts(model: Any) -> list[str]:
            graph = StateGraph(MessagesState).add_edge(START, "model")
            graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
            chunks = graph.compile().stream({"messages": conversation()}, stream_mode="messages")
            return [chunk.text for chunk, _ in chunks if chunk.text]

        bare = stream_texts(openai(server))
        server.script(None)
        assert stream_texts(wrap(openai(server))) == bare
        assert len(bare) > 3
        assert_shortened(server)


class TestSettings:
    """Test that settings of the inner model keep their effect."""

    @pytest.mark.usefixtures("cache")
    def test_repeated_calls_use_the_global_cache(self, wrap: Wrap, server: OpenAIServer) -> None:
        model = wrap(openai(server))
        assert model.invoke(conversation()).text == model.invoke(conversation()).text
        assert_shortened(server)

    @pytest.mark.usefixtures("cache")
    def test_the_cache_distinguishes_calls_with_and_without_tools(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        model = wrap(openai(server))
        model.invoke(conversation())
        model.bind_tools([orders]).invoke(conversation())
        assert [bool(request.body.get("tools")) for request in server.requests] == [False, True]

    def test_the_rate_limiter_is_used(self, wrap: Wrap, server: OpenAIServer) -> None:
        class Counting(BaseRateLimiter):
            calls = 0

            def acquire(self, *, blocking: bool = True) -> bool:
                self.calls += 1
                return True

            async def aacquire(self, *, blocking: bool = True) -> bool:
                return self.acquire()

        limiter = Counting()
        wrap(openai(server, rate_limiter=limiter)).invoke(conversation())
        assert limiter.calls == 1

    @every_method
    async def test_the_output_version_is_kept(
        self, wrap: Wrap, server: OpenAIServer, call: Any
    ) -> None:
        answer = await call(wrap(openai(server, output_version="v1")), conversation())
        assert answer.response_metadata["output_version"] == "v1"
        assert [block["type"] for block in answer.content] == ["text"]

    async def test_models_with_streaming_enabled_stream_on_invoke(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        model = wrap(openai(server, streaming=True))
        assert (await model.ainvoke(conversation())).text == model.invoke(conversation()).text
        assert [request.body["stream"] for request in server.requests] == [True, True]

    def test_a_call_can_override_model_and_stop(self, wrap: Wrap, server: OpenAIServer) -> None:
        wrap(openai(server)).invoke(conversation(), model="gpt-4o", stop=["."])
        assert (server.requests[0].body["model"], server.requests[0].body["stop"]) == (
            "gpt-4o",
            ["."],
        )


class TestAttributes:
    def test_names_and_tracing_parameters_match_the_inner_model(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        inner = openai(server)
        assert wrap(inner).model_name == inner.model_name
        assert wrap(inner)._llm_type == inner._llm_type
        assert wrap(inner)._get_ls_params(stop=["."]) == inner._get_ls_params(stop=["."])

    def test_the_profile_matches_the_inner_model(self, wrap: Wrap, server: OpenAIServer) -> None:
        inner = openai(server)
        assert wrap(inner).profile == inner.profile
        assert wrap(inner).profile["max_input_tokens"] == 128_000

    def test_token_counting_methods_use_the_inner_model(self, wrap: Wrap) -> None:
        with AnthropicServer() as server:
            inner = anthropic(server, custom_get_token_ids=lambda text: list(text.encode()))
            assert wrap(inner).get_num_tokens("hello") == 5
            counted = wrap(inner).get_num_tokens_from_messages(conversation())
            assert counted == inner.get_num_tokens_from_messages(conversation())

    def test_wrappers_of_picklable_models_can_be_pickled(self, wrap: Wrap) -> None:
        model, trace = wrap(FakeListChatModel(responses=["yes"])), Trace()
        copy = pickle.loads(pickle.dumps(model))
        assert type(copy) is type(model)
        assert copy.invoke(conversation(), {"callbacks": [trace]}).text == "yes"
        assert len(trace.starts[0]["messages"][3].content) < len(LONG) / 2

    def test_wrappers_are_chat_models(self, wrap: Wrap, server: OpenAIServer) -> None:
        assert isinstance(wrap(openai(server)), BaseChatModel)

    def test_the_variant_is_an_instance_of_the_inner_class(self, server: OpenAIServer) -> None:
        inner = openai(server)
        assert isinstance(wrap_chat_model(inner), ChatOpenAI)
        assert type(inner) is ChatOpenAI

    def test_anthropic_middleware_accepts_the_variant(self) -> None:
        with AnthropicServer() as server:
            caching = AnthropicPromptCachingMiddleware(unsupported_model_behavior="raise")
            create_agent(wrap_chat_model(anthropic(server)), middleware=[caching]).invoke(
                {"messages": conversation()}
            )
            assert b"cache_control" in server.requests[0].raw
            assert len(server.requests[0].raw) < len(LONG) / 2


class TestRunnable:
    """Test the methods of runnables, outside the wrapper and inside."""

    @pytest.mark.parametrize("inside", [True, False])
    def test_binding_tools_includes_fallbacks(
        self, wrap: Wrap, server: OpenAIServer, inside: bool
    ) -> None:
        with OpenAIServer([Reply(status=400)]) as broken:
            if inside:
                model = wrap(openai(broken).with_fallbacks([openai(server)]))
            else:
                model = wrap(openai(broken)).with_fallbacks([wrap(openai(server))])
            answer = model.bind_tools([orders]).invoke(conversation())
        assert answer.text
        assert [tool["function"]["name"] for tool in server.requests[0].body["tools"]] == ["orders"]
        assert_shortened(server)
        assert_shortened(broken)

    def test_failed_calls_are_retried(self, wrap: Wrap, server: OpenAIServer) -> None:
        server.script([Reply(status=500), Reply("Two are.")])
        model = wrap(openai(server)).with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        assert model.invoke(conversation()).text == "Two are."
        assert_shortened(server, 2)

    @pytest.mark.parametrize(
        "configure",
        [
            lambda model: model.bind(stop=["."]),
            lambda model: model.bind(stop=["."]).with_retry(),
            lambda model: model.bind(stop=["."]).with_fallbacks([model]),
            lambda model: model.with_retry().bind(stop=["."]),
            lambda model: model.with_config(tags=["orders"]).bind(stop=["."]),
        ],
        ids=["bind", "with_retry", "with_fallbacks", "bind outside", "with_config"],
    )
    @every_method
    async def test_runnables_around_the_inner_model_keep_their_settings(
        self, wrap: Wrap, server: OpenAIServer, configure: Callable[[Any], Any], call: Any
    ) -> None:
        assert (await call(wrap(configure(openai(server))), conversation())).text
        assert server.requests[0].body["stop"] == ["."]
        assert_shortened(server)

    def test_configurable_fields_of_the_inner_model_work(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        inner = openai(server).configurable_fields(model_name=ConfigurableField(id="model"))
        wrap(inner).invoke(conversation(), {"configurable": {"model": "gpt-4o"}})
        assert server.requests[0].body["model"] == "gpt-4o"
        assert_shortened(server)

    def test_fields_of_the_wrapper_can_be_configured(self, server: OpenAIServer) -> None:
        model = HeadroomChatModel(openai(server)).configurable_fields(
            token_budget=ConfigurableField(id="budget")
        )
        model.invoke(conversation())
        model.invoke(conversation(), {"configurable": {"budget": 200}})
        wide, narrow = (len(request.raw) for request in server.requests)
        assert narrow < wide / 2

    def test_fields_of_the_variant_configure_the_inner_model(self, server: OpenAIServer) -> None:
        model = wrap_chat_model(openai(server)).configurable_fields(
            model_name=ConfigurableField(id="model")
        )
        model.invoke(conversation(), {"configurable": {"model": "gpt-4o"}})
        assert server.requests[0].body["model"] == "gpt-4o"
        assert_shortened(server)

    async def test_batches_are_compressed(self, wrap: Wrap, server: OpenAIServer) -> None:
        model = wrap(openai(server))
        assert len(model.batch([conversation(), conversation()])) == 2
        assert len(await model.abatch([conversation(), conversation()])) == 2
        assert_shortened(server, 4)

    async def test_generate_compresses_messages(self, wrap: Wrap, server: OpenAIServer) -> None:
        model = wrap(openai(server))
        model.generate([conversation()])
        await model.agenerate([conversation()])
        assert_shortened(server, 2)

    @pytest.mark.skipif(
        not hasattr(BaseChatModel, "stream_events"),
        reason="langchain-core has no events of version 3",
    )
    @pytest.mark.filterwarnings("ignore:.*is in beta")
    async def test_events_of_version_3_are_compressed(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        model = wrap(openai(server))
        sync = model.stream_events(conversation(), version="v3")
        assert list(sync)
        events = await model.astream_events(conversation(), version="v3")
        assert [event async for event in events]
        assert sync.output.text == (await events.output).text
        assert_shortened(server, 2)

    async def test_events_of_version_2_name_one_model(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        events = [
            event
            async for event in wrap(openai(server)).astream_events(conversation(), version="v2")
        ]
        kinds = [event["event"] for event in events if event["event"] != "on_chat_model_stream"]
        assert kinds == ["on_chat_model_start", "on_chat_model_end"]
        assert_shortened(server)


class TestStructuredOutput:
    def test_openai_receives_the_schema(self, wrap: Wrap, server: OpenAIServer) -> None:
        answer = (
            wrap(openai(server))
            .with_structured_output(Verdict, include_raw=True)
            .invoke(conversation())
        )
        assert answer["parsed"] == Verdict(late=3, reason="something")
        assert server.requests[0].body["response_format"]["type"] == "json_schema"
        assert_shortened(server)

    def test_the_method_of_structured_output_is_kept(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        model = wrap(openai(server)).with_structured_output(
            Verdict, method="function_calling", strict=True
        )
        assert model.invoke(conversation()) == Verdict(late=3, reason="something")
        assert server.requests[0].body["tool_choice"]["function"]["name"] == "Verdict"
        assert_shortened(server)

    @pytest.mark.filterwarnings(
        "ignore:The 'output_format' parameter is deprecated"
    )  # langchain-anthropic 1.3
    def test_anthropic_receives_the_schema(self, wrap: Wrap) -> None:
        with AnthropicServer() as server:
            model = wrap(anthropic(server)).with_structured_output(Verdict, method="json_schema")
            assert model.invoke(conversation()) == Verdict(late=3, reason="something")
            assert server.requests[0].body["output_config"]["format"]["type"] == "json_schema"
            assert len(server.requests[0].raw) < len(LONG) / 2

    def test_agents_use_structured_output_of_the_provider(
        self, wrap: Wrap, server: OpenAIServer
    ) -> None:
        agent = create_agent(wrap(openai(server)), [orders], response_format=Verdict)
        answer = agent.invoke({"messages": conversation()})
        assert answer["structured_response"] == Verdict(late=3, reason="something")
        assert server.requests[0].body["response_format"]["type"] == "json_schema"
        assert_shortened(server)


def retrieve_call(request: Request) -> Call:
    """Return a call that retrieves a row which was left out."""
    return Call(
        "headroom_retrieve", {"key": KEY.findall(request.raw.decode())[-1], "where": "id == 4151"}
    )


def reply_with_retrieve(request: Request) -> Reply:
    return Reply(calls=(retrieve_call(request),), usage=(1000, 10))


def reply_with_orders_and_retrieve(request: Request) -> Reply:
    return Reply(
        "Let me see.", (Call("orders", {"day": 4}), retrieve_call(request)), usage=(1000, 10)
    )


def scripted(*steps: Reply | Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    left = iter(steps)

    def reply(request: Request) -> Reply:
        step = next(left)
        return step(request) if callable(step) else step

    return reply


ANSWER = Reply("Order 4151 is not heavy.", usage=(1100, 20))


def assert_continued(server: ModelServer, requests: int) -> None:
    assert len(server.requests) == requests
    for earlier, later in zip(server.requests, server.requests[1:]):
        assert later.continues(earlier)


class TestRetrieving:
    """Test that a model retrieves originals between the question and the answer."""

    @pytest.fixture
    def retrieving_model(self, wrap: Wrap, server: OpenAIServer) -> Any:
        return wrap(openai(server), retrieve=True, store=MemoryStore())

    def test_retrieval_is_off_by_default(self, wrap: Wrap, server: OpenAIServer) -> None:
        wrap(openai(server)).invoke(conversation())
        assert b"headroom_retrieve" not in server.requests[0].raw

    @every_method
    async def test_callers_see_only_the_final_answer(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(reply_with_retrieve, ANSWER))
        answer = await call(retrieving_model, conversation())
        assert (answer.text, answer.tool_calls, answer.invalid_tool_calls) == (ANSWER.text, [], [])
        assert HIDDEN_ROW not in server.requests[0].raw.decode()
        assert HIDDEN_ROW in server.requests[1].messages[-1]["content"]
        assert_continued(server, 2)

    @every_method
    async def test_usage_covers_the_last_request_and_callbacks_cover_all(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(reply_with_retrieve, ANSWER))
        handler = UsageMetadataCallbackHandler()
        usage = (
            await call(retrieving_model, conversation(), {"callbacks": [handler]})
        ).usage_metadata
        assert (usage["input_tokens"], usage["output_tokens"]) == (1100, 20)
        (counted,) = handler.usage_metadata.values()
        assert (counted["input_tokens"], counted["output_tokens"]) == (2100, 30)

    @every_method
    async def test_the_model_can_retrieve_twice_in_a_row(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(reply_with_retrieve, reply_with_retrieve, ANSWER))
        assert (await call(retrieving_model, conversation())).text == ANSWER.text
        assert_continued(server, 3)

    @every_method
    async def test_parallel_calls_of_other_tools_are_returned_to_the_caller(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(reply_with_orders_and_retrieve, ANSWER))
        model = retrieving_model.bind_tools([orders])
        answer = await call(model, conversation())
        assert answer.text == "Let me see."
        assert [(each["name"], each["args"]) for each in answer.tool_calls] == [
            ("orders", {"day": 4})
        ]
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        assert (await call(model, [*conversation(), answer, result])).text == ANSWER.text
        assert HIDDEN_ROW in server.requests[1].raw.decode()
        assert_continued(server, 2)

    @every_method
    async def test_endless_retrieval_is_stopped(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(reply_with_retrieve)
        answer = await call(retrieving_model, conversation())
        assert (answer.text[:19], answer.tool_calls) == ("There is no answer:", [])
        assert 2 < len(server.requests) < 10
        server.script(scripted(ANSWER))
        assert (
            await call(retrieving_model, [*conversation(), answer, HumanMessage("And now?")])
        ).text == ANSWER.text

    @every_method
    async def test_the_next_turn_resends_hidden_rounds(
        self, retrieving_model: Any, server: OpenAIServer, call: Any
    ) -> None:
        server.script(scripted(reply_with_retrieve, ANSWER, ANSWER))
        answer = await call(retrieving_model, conversation())
        (kept,) = messages_from_dict(json.loads(json.dumps(messages_to_dict([answer]))))
        await call(
            retrieving_model, [*conversation(), kept, HumanMessage("Thanks. And the light ones?")]
        )
        assert_continued(server, 3)

    def test_streams_hide_calls_of_the_retrieve_tool(
        self, retrieving_model: Any, server: OpenAIServer
    ) -> None:
        server.script(scripted(reply_with_retrieve, ANSWER))
        chunks = list(retrieving_model.stream(conversation()))
        assert "".join(chunk.text for chunk in chunks) == ANSWER.text
        assert sum(bool(chunk.text) for chunk in chunks) > 1
        assert not any(chunk.tool_call_chunks for chunk in chunks)
        assert [chunk.chunk_position for chunk in chunks if chunk.chunk_position] == ["last"]
        assert len({chunk.id for chunk in chunks}) == 1

    @every_method
    async def test_anthropic_models_can_retrieve(self, wrap: Wrap, call: Any) -> None:
        with AnthropicServer(scripted(reply_with_orders_and_retrieve, ANSWER)) as server:
            model = wrap(anthropic(server), retrieve=True, store=MemoryStore()).bind_tools([orders])
            answer = await call(model, conversation())
            assert [each["name"] for each in answer.tool_calls] == ["orders"]
            assert "headroom_retrieve" not in json.dumps(answer.content)
            result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
            assert (await call(model, [*conversation(), answer, result])).text == ANSWER.text
            assert_continued(server, 2)

    def test_structured_output_is_lossless_without_the_retrieve_tool(
        self, retrieving_model: Any, server: OpenAIServer
    ) -> None:
        assert retrieving_model.with_structured_output(Verdict).invoke(conversation()).late == 3
        assert b"headroom_retrieve" not in server.requests[0].raw
        assert_shortened(server)
