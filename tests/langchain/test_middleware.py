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
from headroom_core.testing import FailingStore
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
    numbers = range(page * 1000, page * 1000 + 300)
    rows = [
        {"id": n, "state": "delivered", "city": "Utrecht", "weight": n * 7 % 13} for n in numbers
    ]
    return json.dumps(rows, indent=2)


@tool
def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


def tool_calls_message(*calls: tuple[str, dict[str, Any]], turn: int = 0) -> AIMessage:
    tool_calls = [
        {"name": name, "args": args, "id": f"c{turn}-{number}"}
        for number, (name, args) in enumerate(calls)
    ]
    usage = {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107}
    return AIMessage("", tool_calls=tool_calls, usage_metadata=usage)


def read_pages(*pages: int) -> list[AIMessage]:
    """Return the replies of a model that reads pages one by one."""
    return [
        *(tool_calls_message(("orders", {"page": page}), turn=page) for page in pages),
        AIMessage("Done."),
    ]


class ScriptedClaude(ChatAnthropic):
    """`ChatAnthropic` that replies from a script and records its request payloads."""

    replies: list[Any]
    sent: list[dict[str, Any]] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.sent.append(self._get_request_payload(messages, **kwargs))
        return ChatResult(generations=[ChatGeneration(message=self.replies[len(self.sent) - 1])])


def offered_tools(model: Scripted) -> list[str]:
    """Return the names of the tools of a model's first request."""
    return sorted(tool["function"]["name"] for tool in model.bound[0]["tools"])


def create_middleware(**options: Any) -> HeadroomMiddleware:
    return HeadroomMiddleware(**{"store": MemoryStore(), **options})


def run_agent(
    model: Any, *middleware: Any, tools: Sequence[Any] = (orders,), **options: Any
) -> list[Any]:
    """Run an agent and return the final messages of its state."""
    agent = create_agent(model, list(tools), middleware=middleware, **options)
    return list(agent.invoke(QUESTION, MANY)["messages"])


def results(messages: Sequence[Any], name: str = "orders") -> list[ToolMessage]:
    return [
        message for message in messages if isinstance(message, ToolMessage) and message.name == name
    ]


def is_short(message: ToolMessage) -> bool:
    return len(message.text) < len(page_of_orders(0)) / 2


class TestToolResults:
    """Results are compressed as in the whole conversation."""

    @given(talks(["langchain"]))
    @settings(max_examples=30)
    def test_a_result_is_compressed_as_in_the_whole_conversation(self, talk: Talk) -> None:
        whole = compress(talk.messages, store=MemoryStore(), dialect=talk.dialect).messages
        compression = LangChainCompression(store=MemoryStore(), retrieve=True)
        for index, result, message in tool_results(talk.messages, compression):
            assert result.compress(message).content == whole[index].content

    @given(talks(["langchain"]))
    @settings(max_examples=30)
    def test_later_compressions_recall_earlier_results(self, talk: Talk) -> None:
        store = MemoryStore()
        expected_results = tool_results(
            talk.messages, LangChainCompression(store=store, retrieve=True)
        )
        compressed = {
            index: result.compress(message).content for index, result, message in expected_results
        }
        whole = compress(
            talk.messages, store=store, dialect=talk.dialect, query="item-3-7 payment failed"
        ).messages
        assert compressed == {index: whole[index].content for index in compressed}

    @given(documents().map(lambda document: document.text) | csv_texts(), st.sampled_from(MODELS))
    @settings(max_examples=60)
    def test_compressing_twice_changes_nothing(self, text: str, model: str) -> None:
        def compress_text(content: Any, model: str, selecting: bool) -> Any:
            config = HeadroomConfig(ccr=CCRConfig(enabled=selecting))
            config.smart_crusher.min_tokens_to_crush = 20
            messages = [
                *QUESTION["messages"],
                tool_calls_message(("orders", {})),
                ToolMessage(content, tool_call_id="c0-0"),
            ]
            return compress(messages, model=model, config=config, store=store).messages[2].content

        store = MemoryStore()
        for first, second in ((True, True), (True, False), (False, False)):
            once = compress_text(text, "gpt-4o", first)
            assert compress_text(once, model, second) == once

    def test_only_the_new_message_is_processed(self) -> None:
        class History(list[Any]):
            seen = 0

            def __reversed__(self) -> Iterator[Any]:
                for message in super().__reversed__():
                    self.seen += 1
                    yield message

        turn = [
            HumanMessage("Go on."),
            *[AIMessage("", tool_calls=tool_calls_message(("orders", {})).tool_calls)],
        ]
        history = History(turn * 1000)
        ToolResultCompressor(
            LangChainCompression(store=MemoryStore()), history[-1].tool_calls[0], history
        ).compress(ToolMessage(page_of_orders(0), tool_call_id="c0-0"))
        assert history.seen <= 4


def tool_results(
    messages: list[Any], compression: LangChainCompression
) -> Iterator[tuple[int, ToolResultCompressor, ToolMessage]]:
    calls: dict[str, Any] = {}
    for index, message in enumerate(messages):
        if isinstance(message, AIMessage):
            calls |= {call["id"]: call for call in message.tool_calls}
        if isinstance(message, ToolMessage) and message.tool_call_id in calls:
            yield (
                index,
                ToolResultCompressor(compression, calls[message.tool_call_id], messages[:index]),
                message,
            )


class TestState:
    def test_the_state_keeps_the_compressed_results(self) -> None:
        model = Scripted(replies=read_pages(0))
        message = results(run_agent(model, create_middleware()))[0]
        assert is_short(message)
        assert model.sent[1][-1].content == message.content
        assert message.response_metadata["headroom"]["tokens_before"] > 2000

    def test_the_state_keeps_originals_on_request(self) -> None:
        model = Scripted(replies=read_pages(0))
        assert results(run_agent(model, create_middleware(state="original")))[
            0
        ].content == page_of_orders(0)
        assert is_short(model.sent[1][-1])

    def test_the_state_setting_does_not_change_the_requests(self) -> None:
        models = [Scripted(replies=read_pages(*range(4))) for _ in range(2)]
        for model, state in zip(models, ("compressed", "original")):
            run_agent(model, create_middleware(state=state), system_prompt="Be brief.")
        assert contents(models[0].sent) == contents(models[1].sent)

    @pytest.mark.parametrize("state", ["compressed", "original"])
    def test_the_state_keeps_every_message_whatever_the_budget(self, state: Any) -> None:
        model = Scripted(replies=read_pages(*range(8)))
        messages = run_agent(
            model, create_middleware(state=state, token_budget=1500), system_prompt="Be brief."
        )
        assert len(messages) == 18
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

        model = Scripted(
            replies=[tool_calls_message(("orders", {"page": 0}), ("ask", {})), AIMessage("Done.")]
        )
        agent = create_agent(
            model,
            [orders, ask],
            middleware=[create_middleware(state=state)],
            checkpointer=InMemorySaver(),
        )
        thread = {"configurable": {"thread_id": "1"}}
        assert agent.invoke(QUESTION, thread)["__interrupt__"][0].value == "May I?"
        answered = agent.invoke(Command(resume=page_of_orders(1)), thread)["messages"]
        assert [is_short(*results(answered, name)) for name in ("orders", "ask")] == [
            state == "compressed"
        ] * 2
        assert agent.get_state(thread).values["messages"] == answered
        assert all(is_short(message) for message in model.sent[1][-2:])


def contents(sent: Sequence[Sequence[BaseMessage]]) -> list[list[Any]]:
    return [[message.content for message in messages] for messages in sent]


class TestRequests:
    @pytest.mark.parametrize("state", ["compressed", "original"])
    def test_each_request_starts_with_the_previous_request(self, state: Any) -> None:
        model = Scripted(replies=read_pages(*range(6)))
        run_agent(model, create_middleware(state=state), system_prompt="Be brief.")
        assert all(
            later[: len(earlier)] == earlier for earlier, later in pairwise(contents(model.sent))
        )

    async def test_requests_are_the_same_in_an_event_loop(self) -> None:
        models = [Scripted(replies=read_pages(0, 1)) for _ in range(2)]
        answered = run_agent(models[0], create_middleware())
        agent = create_agent(models[1], [orders], middleware=[create_middleware()])
        assert contents([(await agent.ainvoke(QUESTION))["messages"]]) == contents([answered])
        assert contents(models[0].sent) == contents(models[1].sent)

    @pytest.mark.parametrize("state", ["compressed", "original"])
    async def test_compression_does_not_run_in_the_event_loop(self, state: Any) -> None:
        class ThreadRecordingStore(MemoryStore):
            threads: ClassVar[set[int]] = set()

            def put_many(self, originals: Any) -> None:
                self.threads.add(get_ident())
                super().put_many(originals)

        agent = create_agent(
            Scripted(replies=read_pages(0)),
            [orders],
            middleware=[create_middleware(store=ThreadRecordingStore(), state=state)],
        )
        await agent.ainvoke(QUESTION)
        assert ThreadRecordingStore.threads
        assert get_ident() not in ThreadRecordingStore.threads

    def test_earlier_messages_of_the_state_are_compressed_in_requests(self) -> None:
        model = Scripted(replies=[AIMessage("Done.")])
        agent = create_agent(model, [orders], middleware=[create_middleware()])
        before = [
            *QUESTION["messages"],
            tool_calls_message(("orders", {"page": 0})),
            ToolMessage(page_of_orders(0), tool_call_id="c0-0"),
        ]
        messages = agent.invoke({"messages": [*before, HumanMessage("And now?")]})["messages"]
        assert messages[2].content == page_of_orders(0)
        assert is_short(model.sent[0][2])

    def test_parallel_calls_are_answered(self) -> None:
        model = Scripted(
            replies=[
                tool_calls_message(*(("orders", {"page": page}) for page in range(4))),
                AIMessage("Done."),
            ]
        )
        tool_messages = results(run_agent(model, create_middleware()))
        assert [message.tool_call_id for message in tool_messages] == [
            f"c0-{number}" for number in range(4)
        ]
        assert all(map(is_short, tool_messages))
        assert len({message.content for message in tool_messages}) == 4

    def test_requests_continue_if_compression_fails(self) -> None:
        store = FailingStore("put_many", "recall", error=OSError("disk full"))
        model = Scripted(replies=read_pages(0))
        assert run_agent(model, create_middleware(store=store))[-1].text == "Done."
        assert "headroom_retrieve(" not in model.sent[1][-1].text

    def test_replies_are_streamed_token_by_token(self) -> None:
        def streamed(*middleware: Any) -> list[str]:
            model = Scripted(replies=[*read_pages(0)[:1], AIMessage("All done now.")])
            agent = create_agent(model, [orders], middleware=middleware)
            pieces = agent.stream(QUESTION, stream_mode="messages")
            return [piece.text for piece, _ in pieces if isinstance(piece, AIMessageChunk)]

        assert streamed(create_middleware()) == streamed()
        assert [piece for piece in streamed(create_middleware()) if piece] == [
            "All",
            "done",
            "now.",
        ]


def retrieve_last(messages: list[BaseMessage]) -> AIMessage:
    key = messages[-1].text.partition('headroom_retrieve(key="')[2][:24]
    return tool_calls_message(("headroom_retrieve", {"key": key, "limit": "200"}), turn=9)


class TestRetrieveTool:
    def test_retrieved_originals_are_never_compressed(self) -> None:
        store = MemoryStore()
        model = Scripted(replies=[*read_pages(0)[:1], retrieve_last, AIMessage("Done.")])
        messages = run_agent(model, create_middleware(store=store))
        retrieved = results(messages, "headroom_retrieve")[0].content
        assert "Utrecht" in retrieved
        assert len(retrieved) > 2000
        assert retrieved == model.sent[2][-1].content
        assert retrieved == HeadroomRetrieveTool(store=store).invoke(
            messages[3].tool_calls[0]["args"]
        )

    @pytest.mark.parametrize(
        "off", [{"retrieve": False}, {"config": HeadroomConfig(ccr=CCRConfig(enabled=False))}]
    )
    def test_the_retrieve_tool_is_not_offered_in_lossless_mode(self, off: dict[str, Any]) -> None:
        model = Scripted(replies=read_pages(0))
        short = results(run_agent(model, create_middleware(**off)))[0]
        assert offered_tools(model) == ["orders"]
        assert "headroom_retrieve" not in short.text
        assert is_short(short)

    def test_the_retrieve_tool_is_bound_only_once(self) -> None:
        model = Scripted(replies=read_pages(0))
        run_agent(
            model,
            create_middleware(),
            tools=wrap_tools([orders], store=MemoryStore(), retrieve=True),
        )
        assert offered_tools(model) == ["headroom_retrieve", "orders"]


class TestTools:
    def test_results_in_commands_are_compressed(self) -> None:
        @tool
        def note(call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
            """Take a note."""
            return Command(
                update={"messages": [ToolMessage(page_of_orders(0), tool_call_id=call_id)]}
            )

        model = Scripted(replies=[tool_calls_message(("note", {})), AIMessage("Done.")])
        assert is_short(results(run_agent(model, create_middleware(), tools=[note]), "note")[0])

    def test_tool_errors_stay_errors(self) -> None:
        def fail() -> str:
            """Fail."""
            raise ToolException("no such day")

        failing = StructuredTool.from_function(fail, handle_tool_error=True)
        model = Scripted(
            replies=[
                tool_calls_message(("fail", {}), ("orders", {"page": "none"})),
                AIMessage("Done."),
            ]
        )
        answers = run_agent(model, create_middleware(), tools=[failing, orders])[2:4]
        assert [message.status for message in answers] == ["error", "error"]
        assert answers[0].content == "no such day"

    def test_exceptions_reach_the_caller(self) -> None:
        @tool
        def crash() -> str:
            """Crash."""
            raise RuntimeError("no such day")

        with pytest.raises(RuntimeError, match="no such day"):
            run_agent(
                Scripted(replies=[tool_calls_message(("crash", {}))]),
                create_middleware(),
                tools=[crash],
            )

    def test_artifacts_and_ids_are_kept(self) -> None:
        @tool(response_format="content_and_artifact")
        def listed() -> Any:
            """List orders."""
            return page_of_orders(0), {"rows": 200}

        tool_messages = results(
            run_agent(
                Scripted(replies=[tool_calls_message(("listed", {})), AIMessage("")]),
                create_middleware(),
                tools=[listed],
            ),
            "listed",
        )
        assert (
            tool_messages[0].artifact,
            tool_messages[0].tool_call_id,
            is_short(tool_messages[0]),
        ) == (
            {"rows": 200},
            "c0-0",
            True,
        )

    def test_results_returned_directly_are_unchanged(self) -> None:
        final = StructuredTool.from_function(orders.func, name="orders", return_direct=True)
        assert run_agent(Scripted(replies=read_pages(0)), create_middleware(), tools=[final])[
            -1
        ].content == page_of_orders(0)

    def test_results_of_wrapped_tools_are_compressed_once(self) -> None:
        store = MemoryStore()
        wrapped = wrap_tools([orders], store=store, retrieve=True)
        tool_messages = [
            results(run_agent(Scripted(replies=read_pages(0)), *middleware, tools=wrapped))[0]
            for middleware in ((), (create_middleware(),))
        ]
        assert tool_messages[0].content == tool_messages[1].content
        assert tool_messages[0].response_metadata == tool_messages[1].response_metadata

    def test_agents_as_tools_share_a_middleware(self) -> None:
        shared = create_middleware()
        inner = create_agent(
            Scripted(replies=[*read_pages(0, 1)[:2], AIMessage(page_of_orders(2))]),
            [orders],
            middleware=[shared],
        )

        @tool
        def delegate() -> str:
            """Hand it on."""
            return str(inner.invoke(QUESTION)["messages"][-1].text)

        outer = Scripted(replies=[tool_calls_message(("delegate", {})), AIMessage("Done.")])
        assert is_short(results(run_agent(outer, shared, tools=[delegate]), "delegate")[0])
        assert shared.get_summary()["total_requests"] == 5


class HeavyOrders(BaseModel):
    """The heavy orders."""

    ids: list[int]


class TestStructuredOutput:
    def test_structured_output_by_a_tool_works(self) -> None:
        model = Scripted(
            replies=[*read_pages(0)[:1], tool_calls_message(("HeavyOrders", {"ids": [3]}))]
        )
        agent = create_agent(
            model,
            [orders],
            middleware=[create_middleware()],
            response_format=ToolStrategy(HeavyOrders),
        )
        assert agent.invoke(QUESTION)["structured_response"] == HeavyOrders(ids=[3])
        assert is_short(model.sent[1][-1])

    def test_structured_output_by_the_provider_works(self) -> None:
        model = Scripted(replies=[*read_pages(0)[:1], AIMessage('{"ids": [3]}')])
        agent = create_agent(
            model,
            [orders],
            middleware=[create_middleware()],
            response_format=ProviderStrategy(HeavyOrders),
        )
        assert agent.invoke(QUESTION)["structured_response"] == HeavyOrders(ids=[3])
        assert is_short(model.sent[1][-1])


ORDERS = pytest.mark.parametrize("order", [1, -1], ids=["headroom first", "headroom last"])


@ORDERS
@pytest.mark.parametrize("state", ["compressed", "original"])
class TestOtherMiddleware:
    """Other middleware before and after Headroom's."""

    def test_prompt_caching_keeps_its_breakpoints(self, order: int, state: Any) -> None:
        def sent(*middleware: Any) -> list[dict[str, Any]]:
            model = ScriptedClaude(
                model="claude-haiku-4-5", api_key="none", replies=read_pages(0, 1)
            )
            run_agent(model, *middleware, system_prompt="Be brief.")
            return model.sent

        caching = AnthropicPromptCachingMiddleware()
        bare, requests = (
            sent(caching),
            sent(*[create_middleware(state=state), caching][::order]),
        )
        assert [count_marks(request) for request in requests] == [
            count_marks(request) for request in bare
        ]
        assert all(map(count_marks, bare))
        sent_messages = [remove_marks(request["messages"]) for request in requests]
        assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(sent_messages))
        assert len(json.dumps(sent_messages[2])) < len(page_of_orders(0)) / 2

    def test_summarisation_still_works(self, order: int, state: Any) -> None:
        model = Scripted(replies=read_pages(*range(6)))
        summaries = SummarizationMiddleware(
            Scripted(replies=[AIMessage("Pages were read.")] * 9),
            trigger=("messages", 8),
            keep=("messages", 4),
        )
        messages = run_agent(model, *[create_middleware(state=state), summaries][::order])
        first, *others = model.sent[-1]
        assert "summary" in first.text
        assert_paired(others)
        assert all(map(is_short, results(others)))
        assert all(map(is_short, results(messages))) is (state == "compressed")

    def test_context_editing_still_works(self, order: int, state: Any) -> None:
        model = Scripted(replies=read_pages(*range(6)))
        editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1000, keep=2)])
        messages = run_agent(model, *[create_middleware(state=state), editing][::order])
        last = results(model.sent[-1])
        assert [message.text for message in last[:4]] == ["[cleared]"] * 4
        assert all(map(is_short, last))
        assert "orders" not in messages[-2].content
        assert_paired(model.sent[-1])

    def test_a_second_headroom_middleware_changes_nothing(self, order: int, state: Any) -> None:
        class OtherMiddleware(HeadroomMiddleware):
            """Middleware with another name."""

        store = MemoryStore()
        alone, both = Scripted(replies=read_pages(0, 1)), Scripted(replies=read_pages(0, 1))
        run_agent(alone, create_middleware(store=store, state=state))
        run_agent(
            both,
            *[
                create_middleware(store=store, state=state),
                OtherMiddleware(store=store, state=state),
            ][::order],
        )
        assert contents(alone.sent) == contents(both.sent)

    def test_edits_by_other_middleware_are_kept(self, order: int, state: Any) -> None:
        class UppercaseMiddleware(AgentMiddleware[Any, Any]):
            def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
                answer = handler(request)
                return answer.model_copy(update={"content": answer.text.upper()})

        model = Scripted(replies=read_pages(0))
        run_agent(model, *[create_middleware(state=state), UppercaseMiddleware()][::order])
        assert "UTRECHT" in model.sent[1][-1].text
        assert is_short(model.sent[1][-1])


def count_marks(request: dict[str, Any]) -> int:
    return json.dumps(request["messages"]).count("cache_control") + ("cache_control" in request)


def remove_marks(value: Any) -> Any:
    """Return messages without cache breakpoints and the lists that these require."""
    if isinstance(value, dict):
        return {
            name: remove_marks(inner) for name, inner in value.items() if name != "cache_control"
        }
    if not isinstance(value, list):
        return value
    inner = [remove_marks(item) for item in value]
    return inner[0]["text"] if [*map(set, inner)] == [{"type", "text"}] else inner


@pytest.mark.parametrize("wrap", [HeadroomChatModel, wrap_chat_model])
@pytest.mark.parametrize("retrieve", [False, True])
class TestAroundModelsThatCompress:
    def test_nothing_is_compressed_twice(self, wrap: Any, retrieve: bool) -> None:
        store = MemoryStore()
        alone, inside = (Scripted(replies=read_pages(0, 1)) for _ in range(2))
        run_agent(alone, create_middleware(store=store))
        run_agent(wrap(inside, retrieve=retrieve, store=store), create_middleware(store=store))
        assert contents(alone.sent) == contents(inside.sent)
        assert offered_tools(inside) == ["headroom_retrieve", "orders"]

    def test_originals_are_retrieved_only_once(self, wrap: Any, retrieve: bool) -> None:
        store = MemoryStore()
        inside = Scripted(replies=[*read_pages(0)[:1], retrieve_last, AIMessage("Done.")])
        messages = run_agent(
            wrap(inside, retrieve=retrieve, store=store), create_middleware(store=store)
        )
        assert len(results(inside.sent[2], "headroom_retrieve")) == 1
        assert len(results(messages, "headroom_retrieve")) == (not retrieve)


def assert_paired(messages: Sequence[BaseMessage]) -> None:
    calls = [
        call["id"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    assert calls == [
        message.tool_call_id for message in messages if isinstance(message, ToolMessage)
    ]


class EventRecorder(BaseCallbackHandler):
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
        self.events.append((name, data))


class TestEventsAndMetrics:
    async def test_handlers_receive_an_event_for_every_model_call(self) -> None:
        events = EventRecorder()
        agent = create_agent(
            Scripted(replies=read_pages(0) * 2),
            [orders],
            middleware=[create_middleware(state="original")],
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
        metrics = []
        for state in ("compressed", "original"):
            middleware = create_middleware(state=state)
            run_agent(Scripted(replies=read_pages(0, 1)), middleware)
            metrics.append(
                [
                    (request.tokens_input_before, request.tokens_input_after)
                    for request in middleware.get_metrics()
                ]
            )
        assert metrics[0] == metrics[1]
        assert [before > after for before, after in metrics[0]] == [False, True, True]

    def test_metrics_include_the_tool_schema_and_the_usage(self) -> None:
        middleware = create_middleware()
        run_agent(Scripted(replies=read_pages(0)), middleware)
        first, second = middleware.get_metrics()
        assert first.tokens_input_after - first.tokens_input_before > 100
        assert (first.model, first.tokens_output, second.tokens_output) == ("gpt-4o", 7, 2)
        assert second.latency_ms > 0

    def test_a_call_that_only_retrieves_saves_nothing(self) -> None:
        middleware, plain = create_middleware(), create_middleware()
        run_agent(
            Scripted(replies=[*read_pages(0)[:1], retrieve_last, AIMessage("Done.")]), middleware
        )
        run_agent(Scripted(replies=read_pages(0)), plain)
        assert [request.tokens_input_before for request in middleware.get_metrics()] == [
            *(request.tokens_input_before for request in plain.get_metrics()),
            0,
        ]
        assert (
            middleware.get_summary()["total_tokens_saved"]
            < plain.get_summary()["total_tokens_saved"]
        )

    def test_tokens_cleared_by_others_are_not_counted_as_saved(self) -> None:
        middleware = create_middleware()
        editing = ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])
        run_agent(Scripted(replies=read_pages(0)), editing, middleware)
        assert middleware.get_metrics()[1].tokens_input_before < 200

    def test_logs_contain_no_message_contents(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, logger="headroom_integrations")
        run_agent(Scripted(replies=read_pages(0)), create_middleware(token_budget=20))
        assert "token_budget" in caplog.text
        assert "Utrecht" not in caplog.text
