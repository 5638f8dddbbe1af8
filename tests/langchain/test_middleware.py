"""Test `HeadroomMiddleware` in agents: the requests to the model and the agent's state."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from threading import get_ident
from typing import Annotated, Any, ClassVar

import pytest
from chat_models import Scripted
from conversations import Talk, talks
from documents import csv_texts, documents
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    SummarizationMiddleware,
)
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import InjectedToolCallId, StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field

from headroom_core import MemoryStore, compress, count_tokens_messages
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_core.errors import ConfigurationError
from headroom_core.results import CompressResult
from headroom_integrations.langchain import (
    EVENT,
    HeadroomChatModel,
    HeadroomMiddleware,
    HeadroomRetrieveTool,
    wrap_chat_model,
    wrap_tools,
)
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResultCompressor

QUESTION = {"messages": [HumanMessage("Which orders are heavy?", id="q")]}
MANY = {"recursion_limit": 200}
MODELS = ("gpt-4o", "gpt-4", "claude-haiku-4-5")


def page_of_orders(page: int) -> str:
    numbers = range(page * 1000, page * 1000 + 200)
    made = [
        {"id": n, "state": "delivered", "city": "Utrecht", "weight": n * 7 % 13} for n in numbers
    ]
    return json.dumps(made, indent=2)


@tool
def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


def calls(*made: tuple[str, dict[str, Any]], at: int = 0) -> AIMessage:
    named = [
        {"name": name, "args": args, "id": f"c{at}-{number}"}
        for number, (name, args) in enumerate(made)
    ]
    usage = {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107}
    return AIMessage("", tool_calls=named, usage_metadata=usage)


def reads(*pages: int) -> list[AIMessage]:
    """Return the replies of a model that reads one page after the other."""
    return [*(calls(("orders", {"page": page}), at=page) for page in pages), AIMessage("Done.")]


class ScriptedClaude(ChatAnthropic):
    """A `ChatAnthropic` that replies as it was told to, and keeps what it would have sent."""

    replies: list[Any]
    sent: list[dict[str, Any]] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.sent.append(self._get_request_payload(messages, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=self.replies[len(self.sent) - 1])])


def offered(model: Scripted) -> list[str]:
    """Return the names of the tools of a model's first request."""
    return sorted(made["function"]["name"] for made in model.bound[0]["tools"])


def headroom(**options: Any) -> HeadroomMiddleware:
    return HeadroomMiddleware(**{"store": MemoryStore(), **options})


def ran(
    model: Any, *middleware: Any, tools: Sequence[Any] = (orders,), **options: Any
) -> list[Any]:
    """Return the messages that an agent's state keeps in the end."""
    agent = create_agent(model, list(tools), middleware=middleware, **options)
    return list(agent.invoke(QUESTION, MANY)["messages"])


def results(messages: Sequence[Any], name: str = "orders") -> list[ToolMessage]:
    return [
        message for message in messages if isinstance(message, ToolMessage) and message.name == name
    ]


def is_short(message: ToolMessage) -> bool:
    return len(message.text) < len(page_of_orders(0)) / 2


class TestToolResults:
    """What arrives becomes what the whole conversation would make of it."""

    @given(talks(["langchain"]))
    @settings(max_examples=30)
    def test_a_result_is_compressed_as_in_the_whole_conversation(self, talk: Talk) -> None:
        whole = compress(talk.messages, store=MemoryStore(), dialect=talk.dialect).messages
        arrived = LangChainCompression(store=MemoryStore(), retrieve=True)
        for at, result, message in tool_results(talk.messages, arrived):
            assert result.compress(message).content == whole[at].content

    @given(talks(["langchain"]))
    @settings(max_examples=30)
    def test_later_compressions_recall_earlier_results(self, talk: Talk) -> None:
        store = MemoryStore()
        found = tool_results(talk.messages, LangChainCompression(store=store, retrieve=True))
        became = {at: result.compress(message).content for at, result, message in found}
        whole = compress(
            talk.messages, store=store, dialect=talk.dialect, query="item-3-7 payment failed"
        ).messages
        assert became == {at: whole[at].content for at in became}

    @given(documents().map(lambda document: document.text) | csv_texts(), st.sampled_from(MODELS))
    @settings(max_examples=60)
    def test_compressing_twice_changes_nothing(self, text: str, model: str) -> None:
        def shortened(content: Any, model: str, selecting: bool) -> Any:
            config = HeadroomConfig(ccr=CCRConfig(enabled=selecting))
            config.smart_crusher.min_tokens_to_crush = 20
            messages = [
                *QUESTION["messages"],
                calls(("orders", {})),
                ToolMessage(content, tool_call_id="c0-0"),
            ]
            return compress(messages, model=model, config=config, store=store).messages[2].content

        store = MemoryStore()
        for first, second in ((True, True), (True, False), (False, False)):
            once = shortened(text, "gpt-4o", first)
            assert shortened(once, model, second) == once

    def test_only_the_new_message_is_processed(self) -> None:
        class History(list[Any]):
            seen = 0

            def __reversed__(self) -> Iterator[Any]:
                for message in super().__reversed__():
                    self.seen += 1
                    yield message

        turn = [
            HumanMessage("Go on."),
            *[AIMessage("", tool_calls=calls(("orders", {})).tool_calls)],
        ]
        history = History(turn * 1000)
        ToolResultCompressor(
            LangChainCompression(store=MemoryStore()), history[-1].tool_calls[0], history
        ).compress(ToolMessage(page_of_orders(0), tool_call_id="c0-0"))
        assert history.seen <= 4


def tool_results(
    messages: list[Any], compression: LangChainCompression
) -> Iterator[tuple[int, ToolResultCompressor, ToolMessage]]:
    made: dict[str, Any] = {}
    for at, message in enumerate(messages):
        if isinstance(message, AIMessage):
            made |= {call["id"]: call for call in message.tool_calls}
        if isinstance(message, ToolMessage) and message.tool_call_id in made:
            yield (
                at,
                ToolResultCompressor(compression, made[message.tool_call_id], messages[:at]),
                message,
            )


class TestTheState:
    def test_the_state_keeps_the_compressed_results(self) -> None:
        model = Scripted(replies=reads(0))
        kept = results(ran(model, headroom()))[0]
        assert is_short(kept)
        assert model.sent[1][-1].content == kept.content
        assert kept.response_metadata["headroom"]["tokens_before"] > 2000

    def test_the_state_keeps_originals_on_request(self) -> None:
        model = Scripted(replies=reads(0))
        assert results(ran(model, headroom(state="original")))[0].content == page_of_orders(0)
        assert is_short(model.sent[1][-1])

    def test_the_state_setting_does_not_change_the_requests(self) -> None:
        models = [Scripted(replies=reads(*range(4))) for _ in range(2)]
        for model, state in zip(models, ("compressed", "original")):
            ran(model, headroom(state=state), system_prompt="Be brief.")
        assert texts(models[0].sent) == texts(models[1].sent)

    @pytest.mark.parametrize("state", ["compressed", "original"])
    def test_the_state_keeps_every_message_whatever_the_budget(self, state: Any) -> None:
        model = Scripted(replies=reads(*range(8)))
        kept = ran(model, headroom(state=state, token_budget=1500), system_prompt="Be brief.")
        assert len(kept) == 18
        assert all(count_tokens_messages(sent) <= 1500 for sent in model.sent)
        assert all(sent[0] == SystemMessage("Be brief.") for sent in model.sent)
        assert len(model.sent[-1]) < 17

    def test_an_invalid_state_setting_is_rejected(self) -> None:
        with pytest.raises(ConfigurationError, match="expected 'compressed' or 'original'"):
            HeadroomMiddleware(state="both")  # type: ignore[arg-type]

    @pytest.mark.parametrize("state", ["compressed", "original"])
    def test_the_state_survives_an_interrupt(self, state: Any) -> None:
        @tool
        def ask() -> str:
            """Ask the user."""
            return str(interrupt("May I?"))

        model = Scripted(replies=[calls(("orders", {"page": 0}), ("ask", {})), AIMessage("Done.")])
        agent = create_agent(
            model, [orders, ask], middleware=[headroom(state=state)], checkpointer=InMemorySaver()
        )
        thread = {"configurable": {"thread_id": "1"}}
        assert agent.invoke(QUESTION, thread)["__interrupt__"][0].value == "May I?"
        answered = agent.invoke(Command(resume=page_of_orders(1)), thread)["messages"]
        assert [is_short(*results(answered, name)) for name in ("orders", "ask")] == [
            state == "compressed"
        ] * 2
        assert agent.get_state(thread).values["messages"] == answered
        assert all(is_short(message) for message in model.sent[1][-2:])


def texts(sent: Sequence[Sequence[BaseMessage]]) -> list[list[Any]]:
    return [[message.content for message in messages] for messages in sent]


class TestRequests:
    @pytest.mark.parametrize("state", ["compressed", "original"])
    def test_each_request_starts_with_the_previous_request(self, state: Any) -> None:
        model = Scripted(replies=reads(*range(6)))
        ran(model, headroom(state=state), system_prompt="Be brief.")
        assert all(
            later[: len(earlier)] == earlier for earlier, later in pairwise(texts(model.sent))
        )

    async def test_requests_are_the_same_in_an_event_loop(self) -> None:
        models = [Scripted(replies=reads(0, 1)) for _ in range(2)]
        answered = ran(models[0], headroom())
        agent = create_agent(models[1], [orders], middleware=[headroom()])
        assert texts([(await agent.ainvoke(QUESTION))["messages"]]) == texts([answered])
        assert texts(models[0].sent) == texts(models[1].sent)

    @pytest.mark.parametrize("state", ["compressed", "original"])
    async def test_compression_does_not_run_in_the_event_loop(self, state: Any) -> None:
        class Watched(MemoryStore):
            threads: ClassVar[set[int]] = set()

            def put_many(self, originals: Any) -> None:
                self.threads.add(get_ident())
                super().put_many(originals)

        agent = create_agent(
            Scripted(replies=reads(0)),
            [orders],
            middleware=[headroom(store=Watched(), state=state)],
        )
        await agent.ainvoke(QUESTION)
        assert Watched.threads
        assert get_ident() not in Watched.threads

    def test_earlier_messages_of_the_state_are_compressed_in_requests(self) -> None:
        model = Scripted(replies=[AIMessage("Done.")])
        agent = create_agent(model, [orders], middleware=[headroom()])
        before = [
            *QUESTION["messages"],
            calls(("orders", {"page": 0})),
            ToolMessage(page_of_orders(0), tool_call_id="c0-0"),
        ]
        kept = agent.invoke({"messages": [*before, HumanMessage("And now?")]})["messages"]
        assert kept[2].content == page_of_orders(0)
        assert is_short(model.sent[0][2])

    def test_parallel_calls_are_answered(self) -> None:
        model = Scripted(
            replies=[calls(*(("orders", {"page": page}) for page in range(4))), AIMessage("Done.")]
        )
        found = results(ran(model, headroom()))
        assert [message.tool_call_id for message in found] == [
            f"c0-{number}" for number in range(4)
        ]
        assert all(map(is_short, found))
        assert len({message.content for message in found}) == 4

    def test_requests_continue_if_compression_fails(self) -> None:
        class Broken(MemoryStore):
            def put_many(self, originals: Any) -> None:
                raise OSError("disk full")

            def recall(self, keys: Any) -> dict[str, str]:
                raise OSError("disk full")

        model = Scripted(replies=reads(0))
        assert ran(model, headroom(store=Broken()))[-1].text == "Done."
        assert "headroom_retrieve(" not in model.sent[1][-1].text

    def test_replies_are_streamed_token_by_token(self) -> None:
        def streamed(*middleware: Any) -> list[str]:
            model = Scripted(replies=[*reads(0)[:1], AIMessage("All done now.")])
            agent = create_agent(model, [orders], middleware=middleware)
            pieces = agent.stream(QUESTION, stream_mode="messages")
            return [piece.text for piece, _ in pieces if isinstance(piece, AIMessageChunk)]

        assert streamed(headroom()) == streamed()
        assert [piece for piece in streamed(headroom()) if piece] == ["All", "done", "now."]


def retrieving(messages: list[BaseMessage]) -> AIMessage:
    key = messages[-1].text.partition('headroom_retrieve(key="')[2][:24]
    return calls(("headroom_retrieve", {"key": key, "limit": "200"}), at=9)


class TestTheRetrieveTool:
    def test_retrieved_originals_are_never_compressed(self) -> None:
        store = MemoryStore()
        model = Scripted(replies=[*reads(0)[:1], retrieving, AIMessage("Done.")])
        kept = ran(model, headroom(store=store))
        brought = results(kept, "headroom_retrieve")[0].content
        assert "Utrecht" in brought
        assert len(brought) > 2000
        assert brought == model.sent[2][-1].content
        assert brought == HeadroomRetrieveTool(store=store).invoke(kept[3].tool_calls[0]["args"])

    @pytest.mark.parametrize(
        "off", [{"retrieve": False}, {"config": HeadroomConfig(ccr=CCRConfig(enabled=False))}]
    )
    def test_the_retrieve_tool_is_not_offered_in_lossless_mode(self, off: dict[str, Any]) -> None:
        model = Scripted(replies=reads(0))
        short = results(ran(model, headroom(**off)))[0]
        assert offered(model) == ["orders"]
        assert "headroom_retrieve" not in short.text
        assert is_short(short)

    def test_the_retrieve_tool_is_bound_only_once(self) -> None:
        model = Scripted(replies=reads(0))
        ran(model, headroom(), tools=wrap_tools([orders], store=MemoryStore(), retrieve=True))
        assert offered(model) == ["headroom_retrieve", "orders"]


class TestToolsOfAllKinds:
    def test_results_in_commands_are_compressed(self) -> None:
        @tool
        def note(made: Annotated[str, InjectedToolCallId]) -> Command[Any]:
            """Take a note."""
            return Command(update={"messages": [ToolMessage(page_of_orders(0), tool_call_id=made)]})

        model = Scripted(replies=[calls(("note", {})), AIMessage("Done.")])
        assert is_short(results(ran(model, headroom(), tools=[note]), "note")[0])

    def test_tool_errors_stay_errors(self) -> None:
        def fail() -> str:
            """Fail."""
            raise ToolException("no such day")

        failing = StructuredTool.from_function(fail, handle_tool_error=True)
        model = Scripted(
            replies=[calls(("fail", {}), ("orders", {"page": "none"})), AIMessage("Done.")]
        )
        answers = ran(model, headroom(), tools=[failing, orders])[2:4]
        assert [message.status for message in answers] == ["error", "error"]
        assert answers[0].content == "no such day"

    def test_exceptions_reach_the_caller(self) -> None:
        @tool
        def crash() -> str:
            """Crash."""
            raise RuntimeError("no such day")

        with pytest.raises(RuntimeError, match="no such day"):
            ran(Scripted(replies=[calls(("crash", {}))]), headroom(), tools=[crash])

    def test_artifacts_and_ids_are_kept(self) -> None:
        @tool(response_format="content_and_artifact")
        def listed() -> Any:
            """List orders."""
            return page_of_orders(0), {"rows": 200}

        found = results(
            ran(
                Scripted(replies=[calls(("listed", {})), AIMessage("")]), headroom(), tools=[listed]
            ),
            "listed",
        )
        assert (found[0].artifact, found[0].tool_call_id, is_short(found[0])) == (
            {"rows": 200},
            "c0-0",
            True,
        )

    def test_results_returned_directly_are_unchanged(self) -> None:
        final = StructuredTool.from_function(orders.func, name="orders", return_direct=True)
        assert ran(Scripted(replies=reads(0)), headroom(), tools=[final])[
            -1
        ].content == page_of_orders(0)

    def test_results_of_wrapped_tools_are_compressed_once(self) -> None:
        store = MemoryStore()
        wrapped = wrap_tools([orders], store=store, retrieve=True)
        found = [
            results(ran(Scripted(replies=reads(0)), *middleware, tools=wrapped))[0]
            for middleware in ((), (headroom(),))
        ]
        assert found[0].content == found[1].content
        assert found[0].response_metadata == found[1].response_metadata

    def test_agents_as_tools_share_a_middleware(self) -> None:
        shared = headroom()
        inner = create_agent(
            Scripted(replies=[*reads(0, 1)[:2], AIMessage(page_of_orders(2))]),
            [orders],
            middleware=[shared],
        )

        @tool
        def delegate() -> str:
            """Hand it on."""
            return str(inner.invoke(QUESTION)["messages"][-1].text)

        outer = Scripted(replies=[calls(("delegate", {})), AIMessage("Done.")])
        assert is_short(results(ran(outer, shared, tools=[delegate]), "delegate")[0])
        assert shared.get_summary()["total_requests"] == 5


class Heavy(BaseModel):
    """The heavy orders."""

    ids: list[int]


class TestStructuredOutput:
    def test_structured_output_by_a_tool_works(self) -> None:
        model = Scripted(replies=[*reads(0)[:1], calls(("Heavy", {"ids": [3]}))])
        agent = create_agent(
            model, [orders], middleware=[headroom()], response_format=ToolStrategy(Heavy)
        )
        assert agent.invoke(QUESTION)["structured_response"] == Heavy(ids=[3])
        assert is_short(model.sent[1][-1])

    def test_structured_output_by_the_provider_works(self) -> None:
        model = Scripted(replies=[*reads(0)[:1], AIMessage('{"ids": [3]}')])
        agent = create_agent(
            model, [orders], middleware=[headroom()], response_format=ProviderStrategy(Heavy)
        )
        assert agent.invoke(QUESTION)["structured_response"] == Heavy(ids=[3])
        assert is_short(model.sent[1][-1])


ORDERS = pytest.mark.parametrize("order", [1, -1], ids=["headroom first", "headroom last"])


@ORDERS
@pytest.mark.parametrize("state", ["compressed", "original"])
class TestBeside:
    """Other middleware, before and after it."""

    def test_prompt_caching_keeps_its_breakpoints(self, order: int, state: Any) -> None:
        def sent(*middleware: Any) -> list[dict[str, Any]]:
            model = ScriptedClaude(model="claude-haiku-4-5", api_key="none", replies=reads(0, 1))
            ran(model, *middleware, system_prompt="Be brief.")
            return model.sent

        caching = AnthropicPromptCachingMiddleware()
        bare, found = sent(caching), sent(*[headroom(state=state), caching][::order])
        assert [marks(request) for request in found] == [marks(request) for request in bare]
        assert all(map(marks, bare))
        said = [unmarked(request["messages"]) for request in found]
        assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(said))
        assert len(json.dumps(said[2])) < len(page_of_orders(0)) / 2

    def test_summarisation_still_works(self, order: int, state: Any) -> None:
        model = Scripted(replies=reads(*range(6)))
        summaries = SummarizationMiddleware(
            Scripted(replies=[AIMessage("Pages were read.")] * 9),
            trigger=("messages", 8),
            keep=("messages", 4),
        )
        kept = ran(model, *[headroom(state=state), summaries][::order])
        first, *others = model.sent[-1]
        assert "summary" in first.text
        assert_paired(others)
        assert all(map(is_short, results(others)))
        assert all(map(is_short, results(kept))) is (state == "compressed")

    def test_context_editing_still_works(self, order: int, state: Any) -> None:
        model = Scripted(replies=reads(*range(6)))
        editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1000, keep=2)])
        kept = ran(model, *[headroom(state=state), editing][::order])
        last = results(model.sent[-1])
        assert [message.text for message in last[:4]] == ["[cleared]"] * 4
        assert all(map(is_short, last))
        assert "orders" not in kept[-2].content
        assert_paired(model.sent[-1])

    def test_a_second_headroom_middleware_changes_nothing(self, order: int, state: Any) -> None:
        class Other(HeadroomMiddleware):
            """One with a name of its own."""

        store = MemoryStore()
        alone, both = Scripted(replies=reads(0, 1)), Scripted(replies=reads(0, 1))
        ran(alone, headroom(store=store, state=state))
        ran(both, *[headroom(store=store, state=state), Other(store=store, state=state)][::order])
        assert texts(alone.sent) == texts(both.sent)

    def test_edits_by_other_middleware_are_kept(self, order: int, state: Any) -> None:
        class Shouting(AgentMiddleware[Any, Any]):
            def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
                answer = handler(request)
                return answer.model_copy(update={"content": answer.text.upper()})

        model = Scripted(replies=reads(0))
        ran(model, *[headroom(state=state), Shouting()][::order])
        assert "UTRECHT" in model.sent[1][-1].text
        assert is_short(model.sent[1][-1])


def marks(request: dict[str, Any]) -> int:
    return json.dumps(request["messages"]).count("cache_control") + ("cache_control" in request)


def unmarked(value: Any) -> Any:
    """Return messages without cache breakpoints, and without the lists that these need."""
    if isinstance(value, dict):
        return {name: unmarked(inner) for name, inner in value.items() if name != "cache_control"}
    if not isinstance(value, list):
        return value
    inner = [unmarked(item) for item in value]
    return inner[0]["text"] if [*map(set, inner)] == [{"type", "text"}] else inner


@pytest.mark.parametrize("wrap", [HeadroomChatModel, wrap_chat_model])
@pytest.mark.parametrize("retrieve", [False, True])
class TestAroundModelsThatCompress:
    def test_nothing_is_compressed_twice(self, wrap: Any, retrieve: bool) -> None:
        store = MemoryStore()
        alone, inside = (Scripted(replies=reads(0, 1)) for _ in range(2))
        ran(alone, headroom(store=store))
        ran(wrap(inside, retrieve=retrieve, store=store), headroom(store=store))
        assert texts(alone.sent) == texts(inside.sent)
        assert offered(inside) == ["headroom_retrieve", "orders"]

    def test_originals_are_retrieved_only_once(self, wrap: Any, retrieve: bool) -> None:
        store = MemoryStore()
        inside = Scripted(replies=[*reads(0)[:1], retrieving, AIMessage("Done.")])
        kept = ran(wrap(inside, retrieve=retrieve, store=store), headroom(store=store))
        assert len(results(inside.sent[2], "headroom_retrieve")) == 1
        assert len(results(kept, "headroom_retrieve")) == (not retrieve)


def assert_paired(messages: Sequence[BaseMessage]) -> None:
    made = [
        call["id"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    assert made == [
        message.tool_call_id for message in messages if isinstance(message, ToolMessage)
    ]


class Events(BaseCallbackHandler):
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.events.append((name, data))


class TestWhatIsTold:
    async def test_handlers_receive_an_event_for_every_model_call(self) -> None:
        events = Events()
        agent = create_agent(
            Scripted(replies=reads(0) * 2), [orders], middleware=[headroom(state="original")]
        )
        agent.invoke(QUESTION, {"callbacks": [events]})
        await agent.ainvoke(QUESTION, {"callbacks": [events]})
        # Before Python 3.11, tasks do not inherit the run that events belong to.
        assert [name for name, _ in events.events] == [EVENT] * (
            4 if sys.version_info >= (3, 11) else 2
        )
        assert all(isinstance(result, CompressResult) for _, result in events.events)
        assert events.events[1][1].tokens_saved > 2000

    def test_metrics_do_not_depend_on_the_state_setting(self) -> None:
        booked = []
        for state in ("compressed", "original"):
            middleware = headroom(state=state)
            ran(Scripted(replies=reads(0, 1)), middleware)
            booked.append(
                [
                    (one.tokens_input_before, one.tokens_input_after)
                    for one in middleware.get_metrics()
                ]
            )
        assert booked[0] == booked[1]
        assert [before > after for before, after in booked[0]] == [False, True, True]

    def test_metrics_include_the_tool_schema_and_the_usage(self) -> None:
        middleware = headroom()
        ran(Scripted(replies=reads(0)), middleware)
        first, second = middleware.get_metrics()
        assert first.tokens_input_after - first.tokens_input_before > 100
        assert (first.model, first.tokens_output, second.tokens_output) == ("gpt-4o", 7, 2)
        assert second.latency_ms > 0

    def test_a_call_that_only_retrieves_saves_nothing(self) -> None:
        middleware, plain = headroom(), headroom()
        ran(Scripted(replies=[*reads(0)[:1], retrieving, AIMessage("Done.")]), middleware)
        ran(Scripted(replies=reads(0)), plain)
        assert [one.tokens_input_before for one in middleware.get_metrics()] == [
            *(one.tokens_input_before for one in plain.get_metrics()),
            0,
        ]
        assert (
            middleware.get_summary()["total_tokens_saved"]
            < plain.get_summary()["total_tokens_saved"]
        )

    def test_tokens_cleared_by_others_are_not_counted_as_saved(self) -> None:
        middleware = headroom()
        editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])
        ran(Scripted(replies=reads(0)), editing, middleware)
        assert middleware.get_metrics()[1].tokens_input_before < 200

    def test_logs_contain_no_message_contents(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, logger="headroom_integrations")
        ran(Scripted(replies=reads(0)), headroom(token_budget=20))
        assert "token_budget" in caplog.text
        assert "Utrecht" not in caplog.text
