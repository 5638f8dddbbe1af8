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
from headroom_core.testing import FailingStore
from headroom_integrations.langchain import HeadroomRetrieveTool, LangChainDialect, wrap_tools
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import ToolResultCompressor

ROWS = [
    {"id": 4000 + number, "state": "delivered", "city": "Utrecht", "weight": number * 7 % 13}
    for number in range(300)
]
LONG = json.dumps(ROWS, indent=2)


def tool_call(name: str, call_id: str = "c1", **arguments: Any) -> ToolCall:
    return ToolCall(name=name, args=arguments, id=call_id, type="tool_call")


def wrap_single(tools: list[Any], **options: Any) -> Any:
    return wrap_tools(tools, store=MemoryStore(), **options)[0]


@tool(parse_docstring=True, response_format="content_and_artifact")
def orders(
    day: int,
    state: Annotated[dict[str, Any], InjectedState],
    call_id: Annotated[str, InjectedToolCallId],
) -> Any:
    """List the orders of a day.

    Args:
        day: The day.
    """
    return LONG, {"day": day, "messages": len(state["messages"]), "call_id": call_id}


def plain(day: int) -> str:
    """List the orders of a day."""
    return LONG


class CustomTool(BaseTool):
    name: str = "own"
    description: str = "A tool with a custom class."

    def _run(self, day: int) -> str:
        return LONG


def is_short(content: Any) -> bool:
    return isinstance(content, str) and len(content) < len(LONG) / 2


@pytest.mark.parametrize("tools", [len, {"type": "web_search"}, HeadroomRetrieveTool()])
def test_a_single_tool_is_an_error_that_says_what_to_give(tools: Any) -> None:
    with pytest.raises(TypeError, match=r"tools must be a list of tools, got .*; give \[tool\]"):
        wrap_tools(tools)


class TestRetrieveTool:
    def test_models_receive_the_schema_of_the_core(self) -> None:
        assert convert_to_openai_tool(HeadroomRetrieveTool()) == retrieve_tool("openai")

    def test_it_retrieves_omitted_rows(self) -> None:
        store = MemoryStore()
        messages = [
            HumanMessage("?"),
            AIMessage("", tool_calls=[tool_call("a")]),
            ToolMessage(LONG, tool_call_id="c1"),
        ]
        key = compress(messages, store=store, dialect=LangChainDialect()).ccr_hashes[0]
        retrieved = HeadroomRetrieveTool(store=store).invoke(
            tool_call("headroom_retrieve", key=key, where="id == 4123")
        )
        assert (retrieved.name, retrieved.tool_call_id, "4123" in retrieved.content) == (
            "headroom_retrieve",
            "c1",
            True,
        )

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ({}, "key is missing"),
            ({"id": 7}, "no parameter is named 'id'"),
            ({"key": "0" * 24, "limit": "many"}, "limit = 'many': expected a whole number"),
            ({"key": "0" * 24, "limit": "20"}, "no original is kept under this key"),
            ({"self": 1, "func": 2, "arguments": 3, "run_manager": 4}, "no parameter is named"),
        ],
    )
    async def test_odd_arguments_are_answered_helpfully(
        self, arguments: dict[str, Any], expected: str
    ) -> None:
        call = tool_call("headroom_retrieve") | {"args": arguments}
        retrieve_tool_instance = HeadroomRetrieveTool(store=MemoryStore())
        assert expected in retrieve_tool_instance.invoke(call).content
        assert (
            await retrieve_tool_instance.ainvoke(call)
        ).content == retrieve_tool_instance.invoke(call).content

    def test_it_pickles(self) -> None:
        retrieve_tool_instance = HeadroomRetrieveTool()
        assert pickle.loads(pickle.dumps(retrieve_tool_instance)) == retrieve_tool_instance


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


class TestResultsForModels:
    async def test_results_are_compressed(self) -> None:
        wrapped = wrap_single([plain])
        answer = wrapped.invoke(tool_call("plain", day=3))
        assert is_short(answer.content)
        assert (await wrapped.ainvoke(tool_call("plain", day=3))) == answer

    def test_results_only_change_their_content(self) -> None:
        call = tool_call("orders", day=3, state={"messages": []})
        bare, wrapped = orders.invoke(call), wrap_single([orders]).invoke(call)
        fields = ("id", "name", "status", "artifact", "tool_call_id", "additional_kwargs")
        assert is_short(wrapped.content)
        assert [getattr(wrapped, field) for field in fields] == [
            getattr(bare, field) for field in fields
        ]

    def test_results_report_the_saved_tokens(self) -> None:
        metadata = (
            wrap_single([plain]).invoke(tool_call("plain", day=3)).response_metadata["headroom"]
        )
        assert metadata["tokens_after"] < metadata["tokens_before"] / 2

    def test_results_omit_nothing_without_retrieval(self) -> None:
        store = MemoryStore()
        lossless, selecting = (
            wrap_tools([plain], store=store, retrieve=retrieving)[0]
            .invoke(tool_call("plain", day=3))
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

        found = (
            wrap_single([find], retrieve=True).invoke(tool_call("find", text="parcel 217")).content
        )
        assert "parcel number 217" in found

    def test_injected_arguments_do_not_change_the_result(self) -> None:
        store = MemoryStore()
        wrapped = wrap_tools([orders], store=store)[0]
        answers = [
            wrapped.invoke(
                tool_call("orders", call_id, day=3, state={"messages": [HumanMessage(call_id)]})
            )
            for call_id in ("c1", "c2")
        ]
        assert answers[0].content == answers[1].content
        assert answers[1].artifact == {"day": 3, "messages": 1, "call_id": "c2"}

    def test_results_in_commands_are_compressed(self) -> None:
        @tool
        def move(call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
            """Go on elsewhere."""
            update = {
                "messages": [ToolMessage(LONG, tool_call_id=call_id), HumanMessage(LONG)],
                "seen": 3,
            }
            return Command(update=update, goto="next")

        command = wrap_single([move]).invoke(tool_call("move"))
        result, user_message = command.update["messages"]
        assert (is_short(result.content), user_message.content, command.goto) == (
            True,
            LONG,
            "next",
        )
        assert command.update["seen"] == 3

    def test_results_in_lists_of_commands_and_messages_are_compressed(self) -> None:
        result = ToolResultCompressor(LangChainCompression(store=MemoryStore()), tool_call("both"))
        command, message = result.compress(
            [Command(update={"seen": 1}), ToolMessage(LONG, tool_call_id="c1")]
        )
        assert (command, is_short(message.content)) == (Command(update={"seen": 1}), True)

    def test_errors_stay_errors(self) -> None:
        def fail() -> str:
            """Fail."""
            raise ToolException("no such day: " + LONG)

        failing = StructuredTool.from_function(fail, handle_tool_error=True)
        answer = wrap_single([failing]).invoke(tool_call("fail"))
        assert (answer.status, answer.content[:12]) == ("error", "no such day:")
        with pytest.raises(ToolException, match="no such day"):
            wrap_single([fail]).invoke(tool_call("fail"))

    def test_content_blocks_keep_their_images(self) -> None:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

        def look() -> Any:
            """Look."""
            return [{"type": "text", "text": LONG}, image]

        text, picture = wrap_single([look]).invoke(tool_call("look")).content
        assert (is_short(text["text"]), picture) == (True, image)

    def test_results_stay_complete_if_compression_fails(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = FailingStore("put_many", error=OSError("disk full"))
        answer = wrap_tools([plain], store=store, retrieve=True)[0].invoke(
            tool_call("plain", day=3)
        )
        assert "headroom_retrieve" not in answer.content
        assert "Utrecht" in answer.content
        assert "OSError" in caplog.text


class TestUnchangedBehaviour:
    def test_direct_calls_return_the_original_output(self) -> None:
        assert wrap_single([plain]).invoke({"day": 3}) == LONG

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
        wrapped = wrap_single([bare])
        assert isinstance(wrapped, StructuredTool)
        assert type(wrapped).__name__ == "StructuredTool"
        assert {name: getattr(wrapped, name) for name in StructuredTool.model_fields} == {
            name: getattr(bare, name) for name in StructuredTool.model_fields
        }
        assert convert_to_openai_tool(wrapped) == convert_to_openai_tool(bare)
        assert bare.invoke(tool_call("plain", day=3)).content == LONG

    def test_callbacks_see_the_original_output_once(self) -> None:
        class ToolEndRecorder(BaseCallbackHandler):
            def __init__(self) -> None:
                self.outputs: list[Any] = []

            def on_tool_end(self, output: Any, **kwargs: Any) -> None:
                self.outputs.append(output)

        ends = ToolEndRecorder()
        wrap_single([StructuredTool.from_function(plain, callbacks=[ends])]).invoke(
            tool_call("plain", day=3)
        )
        assert [output.content for output in ends.outputs] == [LONG]

    def test_copies_and_pickles_compress_too(self) -> None:
        copy = wrap_tools([CustomTool()])[0].model_copy(update={"description": "Another one."})
        pickled = pickle.loads(pickle.dumps(copy))
        assert is_short(
            deepcopy(wrap_single([CustomTool()])).invoke(tool_call("own", day=3)).content
        )
        assert (type(pickled).__mro__[2], pickled.description) == (CustomTool, "Another one.")
        assert all(
            is_short(found.invoke(tool_call("own", day=3)).content) for found in (copy, pickled)
        )

    def test_a_wrapped_tool_can_be_wrapped_again(self) -> None:
        store = MemoryStore()
        once = wrap_tools([plain], store=store)
        again = wrap_tools(once, store=store, retrieve=True)[0].invoke(tool_call("plain", day=3))
        assert again == wrap_tools([plain], store=store, retrieve=True)[0].invoke(
            tool_call("plain", day=3)
        )

    def test_single_input_tools_and_custom_classes_are_compressed(self) -> None:
        assert is_short(
            wrap_single([Tool("lookup", lambda _: LONG, "Look up.")])
            .invoke(tool_call("lookup", __arg1="x"))
            .content
        )
        assert is_short(wrap_single([CustomTool()]).invoke(tool_call("own", day=3)).content)

    async def test_coroutine_results_are_compressed(self) -> None:
        @tool
        async def slow(day: int) -> str:
            """List the orders of a day."""
            return LONG

        assert is_short((await wrap_single([slow]).ainvoke(tool_call("slow", day=3))).content)

    def test_tools_that_must_not_change_pass_through(self) -> None:
        search = {"type": "web_search"}
        retrieve_tool_instance = HeadroomRetrieveTool()
        final = StructuredTool.from_function(plain, return_direct=True)
        assert wrap_tools([search, retrieve_tool_instance, final], retrieve=True) == [
            search,
            retrieve_tool_instance,
            final,
        ]

    def test_the_retrieve_tool_is_added_only_if_useful(self) -> None:
        off = HeadroomConfig(ccr=CCRConfig(enabled=False))
        assert [wrapped.name for wrapped in wrap_tools([plain], retrieve=True)] == [
            "plain",
            "headroom_retrieve",
        ]
        assert [wrapped.name for wrapped in wrap_tools([plain], retrieve=True, config=off)] == [
            "plain"
        ]

    def test_the_added_tool_reads_the_configured_store(self) -> None:
        config = HeadroomConfig(store_url="memory://")
        wrapped, retrieve_tool_instance = wrap_tools([plain], config=config, retrieve=True)
        key = wrapped.invoke(tool_call("plain", day=3)).content.partition('key="')[2][:24]
        assert (
            "4123"
            in retrieve_tool_instance.invoke(
                tool_call("headroom_retrieve", key=key, where="id == 4123")
            ).content
        )


class TestInGraphs:
    def test_tool_nodes_inject_state_into_wrapped_tools(self) -> None:
        graph = StateGraph(MessagesState).add_sequence(
            [("tools", ToolNode(wrap_tools([orders], store=MemoryStore())))]
        )
        answer = (
            graph.add_edge(START, "tools")
            .compile()
            .invoke({"messages": [AIMessage("", tool_calls=[tool_call("orders", day=3)])]})[
                "messages"
            ][-1]
        )
        assert is_short(answer.content)
        assert answer.artifact == {"day": 3, "messages": 1, "call_id": "c1"}
