"""Test the retrieve tool and wrapped tools, called by models and by code."""

from __future__ import annotations

import json
import pickle
from copy import deepcopy
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import (
    BaseTool,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
    tool,
)
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Command
from pydantic import BaseModel

from headroom_core import MemoryStore, compress, retrieve, retrieve_tool
from headroom_core.config import CCRConfig, HeadroomConfig
from headroom_integrations.langchain import HeadroomRetrieveTool, LangChainDialect, wrap_tools
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResultCompressor

ROWS = [
    {"id": 4000 + number, "state": "delivered", "city": "Utrecht", "weight": number * 7 % 13}
    for number in range(300)
]
LONG = json.dumps(ROWS, indent=2)


def called(name: str, call_id: str = "c1", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, args=arguments, id=call_id, type="tool_call")


def one(tools: list[Any], **options: Any) -> Any:
    return wrap_tools(tools, store=MemoryStore(), **options)[0]


@tool(parse_docstring=True, response_format="content_and_artifact")
def orders(
    day: int,
    state: Annotated[dict[str, Any], InjectedState],
    made: Annotated[str, InjectedToolCallId],
) -> Any:
    """List the orders of a day.

    Args:
        day: which day.
    """
    return LONG, {"day": day, "messages": len(state["messages"]), "made": made}


def plain(day: int) -> str:
    """List the orders of a day."""
    return LONG


class Own(BaseTool):
    name: str = "own"
    description: str = "A tool with a class of its own."

    def _run(self, day: int) -> str:
        return LONG


def shorter(content: Any) -> bool:
    return isinstance(content, str) and len(content) < len(LONG) / 2


class TestTheRetrieveTool:
    def test_models_receive_the_schema_of_the_core(self) -> None:
        assert convert_to_openai_tool(HeadroomRetrieveTool()) == retrieve_tool("openai")

    def test_it_retrieves_omitted_rows(self) -> None:
        store = MemoryStore()
        messages = [
            HumanMessage("?"),
            AIMessage("", tool_calls=[called("a")]),
            ToolMessage(LONG, tool_call_id="c1"),
        ]
        key = compress(messages, store=store, dialect=LangChainDialect()).ccr_hashes[0]
        brought = HeadroomRetrieveTool(store=store).invoke(
            called("headroom_retrieve", key=key, where="id == 4123")
        )
        assert (brought.name, brought.tool_call_id, "4123" in brought.content) == (
            "headroom_retrieve",
            "c1",
            True,
        )

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({}, "key is missing"),
            ({"id": 7}, "no parameter is named 'id'"),
            ({"key": "0" * 24, "limit": "many"}, "limit = 'many': expected a whole number"),
            ({"key": "0" * 24, "limit": "20"}, "no original is kept under this key"),
            ({"self": 1, "func": 2, "arguments": 3, "run_manager": 4}, "no parameter is named"),
        ],
    )
    async def test_odd_arguments_are_answered_helpfully(
        self, arguments: dict[str, Any], said: str
    ) -> None:
        asked = called("headroom_retrieve") | {"args": arguments}
        brings = HeadroomRetrieveTool(store=MemoryStore())
        assert said in brings.invoke(asked).content
        assert (await brings.ainvoke(asked)).content == brings.invoke(asked).content

    def test_it_pickles(self) -> None:
        brings = HeadroomRetrieveTool()
        assert pickle.loads(pickle.dumps(brings)) == brings


class RetrieveTool:
    @property
    def tool_constructor(self) -> type[BaseTool]:
        return HeadroomRetrieveTool

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {"store": MemoryStore()}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"key": "0" * 24, "limit": 20}


class TestRetrieveToolUnit(RetrieveTool, ToolsUnitTests):
    """LangChain's own unit tests of tools."""


class TestRetrieveToolIntegration(RetrieveTool, ToolsIntegrationTests):
    """LangChain's own integration tests of tools."""


class WrappedTool(RetrieveTool):
    @property
    def tool_constructor(self) -> Any:
        return wrap_tools([plain], store=MemoryStore())[0]

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return {}

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"day": 3}


class TestWrappedToolUnit(WrappedTool, ToolsUnitTests):
    """LangChain's own unit tests, on a wrapped tool."""


class TestWrappedToolIntegration(WrappedTool, ToolsIntegrationTests):
    """LangChain's own integration tests, on a wrapped tool."""


class TestAnswersToModels:
    async def test_results_are_compressed(self) -> None:
        wrapped = one([plain])
        answer = wrapped.invoke(called("plain", day=3))
        assert shorter(answer.content)
        assert (await wrapped.ainvoke(called("plain", day=3))) == answer

    def test_results_only_change_their_content(self) -> None:
        asked = called("orders", day=3, state={"messages": []})
        bare, wrapped = orders.invoke(asked), one([orders]).invoke(asked)
        kept = ("id", "name", "status", "artifact", "tool_call_id", "additional_kwargs")
        assert shorter(wrapped.content)
        assert [getattr(wrapped, field) for field in kept] == [
            getattr(bare, field) for field in kept
        ]

    def test_results_report_the_saved_tokens(self) -> None:
        marked = one([plain]).invoke(called("plain", day=3)).response_metadata["headroom"]
        assert marked["tokens_after"] < marked["tokens_before"] / 2

    def test_results_omit_nothing_without_retrieval(self) -> None:
        store = MemoryStore()
        lossless, selecting = (
            wrap_tools([plain], store=store, retrieve=retrieving)[0]
            .invoke(called("plain", day=3))
            .content
            for retrieving in (False, True)
        )
        assert "headroom_retrieve" not in lossless
        assert len(selecting) < len(lossless)
        key = selecting.partition('key="')[2][:24]
        assert retrieve(key, limit=None, store=store).text == LONG

    def test_results_are_scored_against_the_call_arguments(self) -> None:
        def find(text: str) -> str:
            """Find orders."""
            return json.dumps([{"id": n, "text": f"parcel number {n} is fine"} for n in range(400)])

        found = one([find], retrieve=True).invoke(called("find", text="parcel 217")).content
        assert "parcel number 217" in found

    def test_injected_arguments_do_not_change_the_result(self) -> None:
        store = MemoryStore()
        wrapped = wrap_tools([orders], store=store)[0]
        answers = [
            wrapped.invoke(
                called("orders", call_id, day=3, state={"messages": [HumanMessage(call_id)]})
            )
            for call_id in ("c1", "c2")
        ]
        assert answers[0].content == answers[1].content
        assert answers[1].artifact == {"day": 3, "messages": 1, "made": "c2"}

    def test_results_in_commands_are_compressed(self) -> None:
        @tool
        def move(made: Annotated[str, InjectedToolCallId]) -> Command[Any]:
            """Go on elsewhere."""
            update = {
                "messages": [ToolMessage(LONG, tool_call_id=made), HumanMessage(LONG)],
                "seen": 3,
            }
            return Command(update=update, goto="next")

        command = one([move]).invoke(called("move"))
        result, said = command.update["messages"]
        assert (shorter(result.content), said.content, command.goto) == (True, LONG, "next")
        assert command.update["seen"] == 3

    def test_results_in_lists_of_commands_and_messages_are_compressed(self) -> None:
        result = ToolResultCompressor(LangChainCompression(store=MemoryStore()), called("both"))
        command, message = result.compress(
            [Command(update={"seen": 1}), ToolMessage(LONG, tool_call_id="c1")]
        )
        assert (command, shorter(message.content)) == (Command(update={"seen": 1}), True)

    def test_errors_stay_errors(self) -> None:
        def fail() -> str:
            """Fail."""
            raise ToolException("no such day: " + LONG)

        failing = StructuredTool.from_function(fail, handle_tool_error=True)
        answer = one([failing]).invoke(called("fail"))
        assert (answer.status, answer.content[:12]) == ("error", "no such day:")
        with pytest.raises(ToolException, match="no such day"):
            one([fail]).invoke(called("fail"))

    def test_content_blocks_keep_their_images(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

        def look() -> Any:
            """Look."""
            return [{"type": "text", "text": LONG}, image]

        text, picture = one([look]).invoke(called("look")).content
        assert (shorter(text["text"]), picture) == (True, image)

    def test_results_stay_complete_if_compression_fails(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Broken(MemoryStore):
            def put_many(self, originals: Any) -> None:
                raise OSError("disk full")

        answer = wrap_tools([plain], store=Broken(), retrieve=True)[0].invoke(
            called("plain", day=3)
        )
        assert "headroom_retrieve" not in answer.content
        assert "Utrecht" in answer.content
        assert "OSError" in caplog.text


class TestWhatStays:
    def test_direct_calls_return_the_original_output(self) -> None:
        assert one([plain]).invoke({"day": 3}) == LONG

    def test_the_class_and_the_fields_are_kept(self) -> None:
        class Shown(BaseModel):
            day: int

        bare = StructuredTool.from_function(
            plain,
            args_schema=Shown,
            tags=["shop"],
            metadata={"of": "shop"},
            extras={"defer_loading": True},
        )
        wrapped = one([bare])
        assert isinstance(wrapped, StructuredTool)
        assert type(wrapped).__name__ == "StructuredTool"
        assert {name: getattr(wrapped, name) for name in StructuredTool.model_fields} == {
            name: getattr(bare, name) for name in StructuredTool.model_fields
        }
        assert convert_to_openai_tool(wrapped) == convert_to_openai_tool(bare)
        assert bare.invoke(called("plain", day=3)).content == LONG

    def test_callbacks_see_the_original_output_once(self) -> None:
        class Ends(BaseCallbackHandler):
            def __init__(self) -> None:
                self.outputs: list[Any] = []

            def on_tool_end(self, output: Any, **kwargs: Any) -> None:
                self.outputs.append(output)

        ends = Ends()
        one([StructuredTool.from_function(plain, callbacks=[ends])]).invoke(called("plain", day=3))
        assert [output.content for output in ends.outputs] == [LONG]

    def test_copies_and_pickles_compress_too(self) -> None:
        copy = wrap_tools([Own()])[0].model_copy(update={"description": "Another one."})
        pickled = pickle.loads(pickle.dumps(copy))
        assert shorter(deepcopy(one([Own()])).invoke(called("own", day=3)).content)
        assert (type(pickled).__mro__[2], pickled.description) == (Own, "Another one.")
        assert all(shorter(found.invoke(called("own", day=3)).content) for found in (copy, pickled))

    def test_a_wrapped_tool_can_be_wrapped_again(self) -> None:
        store = MemoryStore()
        once = wrap_tools([plain], store=store)
        again = wrap_tools(once, store=store, retrieve=True)[0].invoke(called("plain", day=3))
        assert again == wrap_tools([plain], store=store, retrieve=True)[0].invoke(
            called("plain", day=3)
        )

    def test_single_input_tools_and_custom_classes_are_compressed(self) -> None:
        assert shorter(
            one([Tool("lookup", lambda _: LONG, "Look up.")])
            .invoke(called("lookup", __arg1="x"))
            .content
        )
        assert shorter(one([Own()]).invoke(called("own", day=3)).content)

    async def test_coroutine_results_are_compressed(self) -> None:
        @tool
        async def slow(day: int) -> str:
            """List the orders of a day."""
            return LONG

        assert shorter((await one([slow]).ainvoke(called("slow", day=3))).content)

    def test_tools_that_must_not_change_pass_through(self) -> None:
        search = {"type": "web_search"}
        brings = HeadroomRetrieveTool()
        final = StructuredTool.from_function(plain, return_direct=True)
        assert wrap_tools([search, brings, final], retrieve=True) == [search, brings, final]

    def test_the_retrieve_tool_is_added_only_if_useful(self) -> None:
        off = HeadroomConfig(ccr=CCRConfig(enabled=False))
        assert [one.name for one in wrap_tools([plain], retrieve=True)] == [
            "plain",
            "headroom_retrieve",
        ]
        assert [one.name for one in wrap_tools([plain], retrieve=True, config=off)] == ["plain"]

    def test_the_added_tool_reads_the_configured_store(self) -> None:
        config = HeadroomConfig(store_url="memory://")
        wrapped, brings = wrap_tools([plain], config=config, retrieve=True)
        key = wrapped.invoke(called("plain", day=3)).content.partition('key="')[2][:24]
        assert (
            "4123"
            in brings.invoke(called("headroom_retrieve", key=key, where="id == 4123")).content
        )


class TestInGraphs:
    def test_tool_nodes_inject_state_into_wrapped_tools(self) -> None:
        graph = StateGraph(MessagesState).add_sequence(
            [("tools", ToolNode(wrap_tools([orders], store=MemoryStore())))]
        )
        answer = (
            graph.add_edge(START, "tools")
            .compile()
            .invoke({"messages": [AIMessage("", tool_calls=[called("orders", day=3)])]})[
                "messages"
            ][-1]
        )
        assert shorter(answer.content)
        assert answer.artifact == {"day": 3, "messages": 1, "made": "c1"}
