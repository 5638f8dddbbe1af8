"""Test `HeadroomCompressor` in LangGraph, as a node of its own and in front of a model."""

from __future__ import annotations

import dataclasses
import json
import operator
import re
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from chat_models import Scripted
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel
from typing_extensions import TypedDict

from headroom_core import Tokenizer, retrieve
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomCompressor

THREAD: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 200}


@tool(response_format="content_and_artifact")
def orders(page: int) -> tuple[str, int]:
    """List the orders of a page."""
    rows = [
        {"id": page * 1000 + number, "state": "delivered", "city": "Utrecht"}
        for number in range(60)
    ]
    return json.dumps(rows), page


def call_orders(page: int) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "orders", "args": {"page": page}, "id": f"c{page}"}])


def create_model(pages: int) -> Scripted:
    """Return a model that reads pages one by one and then reports their number."""
    return Scripted(replies=[*map(call_orders, range(pages)), AIMessage(f"{pages} pages seen")])


def agent(
    model: Runnable[Any, Any], compressor: Runnable[Any, Any] | None = None
) -> StateGraph[Any, Any, Any, Any]:
    """Return a graph of a model and its tool, with a node that compresses the results."""
    graph = StateGraph(MessagesState)
    graph.add_node(
        "model",
        RunnableLambda(lambda state: state["messages"])
        | model
        | (lambda reply: {"messages": reply}),
    )
    graph.add_node("tools", ToolNode([orders]))
    graph.add_node("compress", compressor or HeadroomCompressor())
    graph.add_edge(START, "compress")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "compress")
    graph.add_edge("compress", "model")
    return graph


def one_node(state: Any, **settings: Any) -> Any:
    graph = StateGraph(state)
    graph.add_node("compress", HeadroomCompressor(store=MemoryStore(), **settings))
    graph.add_edge(START, "compress")
    graph.add_edge("compress", END)
    return graph.compile()


def talk(turns: int = 8) -> list[BaseMessage]:
    messages: list[BaseMessage] = [SystemMessage("Be brief.", id="s")]
    for turn in range(turns):
        messages += [
            HumanMessage(f"Read page {turn}.", id=f"h{turn}"),
            call_orders(turn).model_copy(update={"id": f"a{turn}"}),
            ToolMessage(
                f"page {turn} " + "lorem " * 100,
                tool_call_id=f"c{turn}",
                id=f"r{turn}",
                name="orders",
            ),
            AIMessage(f"Page {turn} is read.", id=f"b{turn}"),
        ]
    return messages


def tokens(messages: Sequence[BaseMessage]) -> int:
    return Tokenizer().count_messages(messages)


def is_paired(messages: Sequence[BaseMessage]) -> bool:
    calls = [
        call["id"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    ]
    return calls == [
        message.tool_call_id for message in messages if isinstance(message, ToolMessage)
    ]


class TestNode:
    """`add_node("compress", HeadroomCompressor())` shortens the state."""

    def test_results_are_compressed_in_place_before_the_model_reads_them(self) -> None:
        model = create_model(3)
        after = (
            agent(model)
            .compile()
            .invoke({"messages": [HumanMessage("Which orders are there?")]})["messages"]
        )
        results = [message for message in after if isinstance(message, ToolMessage)]
        assert [type(message).__name__[0] for message in after] == [*"HATATATA"]
        assert all(len(result.content) < len(orders.func(7)[0]) / 2 for result in results)  # type: ignore[misc]
        assert [(result.name, result.artifact, result.tool_call_id) for result in results] == [
            ("orders", page, f"c{page}") for page in range(3)
        ]
        assert model.sent[-1] == after[:-1]

    async def test_the_async_graph_gives_the_same_messages(self) -> None:
        request = {"messages": [HumanMessage("Which orders are there?", id="q")]}
        after = await agent(create_model(2)).compile().ainvoke(request)
        assert [len(message.content) for message in after["messages"]] == [
            len(message.content)
            for message in agent(create_model(2)).compile().invoke(request)["messages"]
        ]

    def test_sent_messages_are_never_changed_later(self) -> None:
        model = create_model(5)
        agent(model).compile().invoke({"messages": [HumanMessage("Which orders are there?")]})
        assert all(
            later[: len(sent)] == sent
            for sent, later in zip(model.sent, model.sent[1:], strict=False)
        )

    def test_other_keys_are_unchanged(self) -> None:
        class StateWithNotes(MessagesState):
            notes: Annotated[list[str], operator.add]

        after = one_node(StateWithNotes).invoke({"messages": talk(1), "notes": ["one"]})
        assert after["notes"] == ["one"]

    def test_pydantic_and_dataclass_states_are_supported(self) -> None:
        class Model(BaseModel):
            messages: Annotated[list[AnyMessage], add_messages]
            notes: Annotated[list[str], operator.add] = []

        @dataclasses.dataclass
        class Data:
            messages: Annotated[list[AnyMessage], add_messages]
            notes: Annotated[list[str], operator.add] = dataclasses.field(default_factory=list)

        result = ToolMessage(orders.func(7)[0], tool_call_id="c7", id="r")  # type: ignore[misc]
        for state in (Model, Data):
            after = one_node(state).invoke(state(messages=[call_orders(7), result], notes=["one"]))
            assert (after["messages"][1].id, after["notes"]) == ("r", ["one"])
            assert len(after["messages"][1].content) < len(result.content) / 2

    def test_a_state_without_a_reducer_is_replaced(self) -> None:
        class PlainState(BaseModel):
            messages: list[AnyMessage]

        assert one_node(PlainState).invoke(PlainState(messages=talk(2)))["messages"] == talk(2)

    async def test_streams_show_the_tokens_of_the_model_once(self) -> None:
        result = ToolMessage(orders.func(7)[0], tool_call_id="c7")  # type: ignore[misc]
        request = {"messages": [HumanMessage("Which orders are there?"), call_orders(7), result]}
        model = Scripted(replies=[AIMessage("1 page seen")])
        stream = agent(model).compile().astream(request, stream_mode=["messages", "updates"])
        parts: list[Any] = [part async for part in stream]
        chunks = [part for mode, part in parts if mode == "messages"]
        assert [chunk.content for chunk, _ in chunks if chunk.content] == ["1", "page", "seen"]
        assert {about["langgraph_node"] for _, about in chunks} == {"model"}
        (update, _) = [part for mode, part in parts if mode == "updates"]
        assert len(update["compress"]["messages"][2].content) < len(result.content) / 2

    def test_a_checkpointed_state_holds_the_compressed_results(self) -> None:
        graph = agent(create_model(2)).compile(checkpointer=InMemorySaver())
        graph.invoke({"messages": [HumanMessage("Which orders are there?")]}, THREAD)
        messages_kept = graph.get_state(THREAD).values["messages"]
        assert tokens(messages_kept) < tokens(
            [call_orders(0), ToolMessage(orders.func(0)[0], tool_call_id="c0")]
        )  # type: ignore[misc]


class TestNodeWithBudget:
    """Messages that do not fit are removed from the state and replaced by a marker."""

    @pytest.mark.parametrize("budget", [500, 700, 900])
    def test_dropped_messages_are_removed_from_the_state(self, budget: int) -> None:
        after = one_node(MessagesState, token_budget=budget).invoke({"messages": talk()})[
            "messages"
        ]
        (marker,) = [message for message in after if "[headroom:" in message.text]
        assert tokens(after) <= budget
        assert is_paired(after)
        assert after.index(marker) == 1
        assert [message for message in after if message is not marker] == [
            each for each in talk() if each in after
        ]
        view = HeadroomCompressor(token_budget=budget, store=MemoryStore()).invoke(talk())
        assert [message.content for message in after] == [message.content for message in view]

    def test_messages_that_fit_stay_unchanged(self) -> None:
        assert (
            one_node(MessagesState, token_budget=5000).invoke({"messages": talk()})["messages"]
            == talk()
        )

    def test_a_long_conversation_fits_its_budget_and_stays_retrievable(
        self,
    ) -> None:
        store = MemoryStore()
        graph = StateGraph(MessagesState)
        graph.add_node("compress", HeadroomCompressor(token_budget=900, store=store, retrieve=True))
        graph.add_edge(START, "compress")
        thread = graph.compile(checkpointer=InMemorySaver())
        messages = talk(20)
        for turn in range(20):
            messages_kept = thread.invoke(
                {"messages": messages[1 + 4 * turn : 5 + 4 * turn]}, THREAD
            )["messages"]
            assert tokens(messages_kept) <= 900
            assert is_paired(messages_kept)
        assert "page 0 " in retrieve_all(messages_kept, store)
        assert "page 9 " in retrieve_all(messages_kept, store)

    def test_messages_without_ids_are_dropped_without_removals(self) -> None:
        bare = [message.model_copy(update={"id": None}) for message in talk()]

        class PlainState(TypedDict):
            messages: list[AnyMessage]

        after = one_node(PlainState, token_budget=500).invoke({"messages": bare})["messages"]
        assert tokens(after) <= 500


def retrieve_all(messages: Sequence[BaseMessage], store: MemoryStore) -> str:
    """Return all originals of markers, including markers inside originals."""
    pending, texts = [message.text for message in messages], ""
    while pending:
        for key in re.findall(r'headroom_retrieve\(key=\\?"(\w+)', pending.pop()):
            pending.append(retrieve(key, limit=None, store=store).text)
            texts += pending[-1]
    return texts


class TestViewOfState:
    """`HeadroomCompressor(...) | model` sends the messages that fit; the state keeps all."""

    def graph(self, model: Scripted, budget: int) -> Any:
        view = HeadroomCompressor(token_budget=budget, store=MemoryStore())
        return agent(view | model, RunnableLambda(lambda state: {})).compile(
            checkpointer=InMemorySaver()
        )

    async def test_the_model_receives_messages_that_fit_and_the_state_keeps_originals(self) -> None:
        model = create_model(12)
        after = (
            await self.graph(model, 3000).ainvoke({"messages": [HumanMessage("Look.")]}, THREAD)
        )["messages"]
        assert [message.content for message in after if isinstance(message, ToolMessage)] == [
            orders.func(page)[0]  # type: ignore[misc]
            for page in range(12)
        ]
        assert all(tokens(sent) <= 3000 and is_paired(sent) for sent in model.sent)
        assert tokens(after) > 6000

    def test_the_prefix_of_requests_breaks_only_at_cuts(self) -> None:
        model = create_model(12)
        self.graph(model, 3000).invoke({"messages": [HumanMessage("Look.")]}, THREAD)
        pairs = list(zip(model.sent, model.sent[1:], strict=False))
        steady = [later[: len(sent)] == sent for sent, later in pairs]
        assert steady.count(False) <= 3
        assert all(
            same or any("[headroom:" in message.text for message in later)
            for same, (_, later) in zip(steady, pairs, strict=True)
        )
