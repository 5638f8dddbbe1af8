"""Test retrieval by chat models with unusual models, invalid histories and the event loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import Field
from servers import AnthropicServer, Call, OpenAIServer, Reply

from headroom_core import ConfigurationError
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel, HeadroomRetrieveTool, wrap_chat_model

QUESTION: list[BaseMessage] = [HumanMessage("What is in there?")]


class Answering(BaseChatModel):
    """Model that gives its answers in order, repeats the last one, and records requests."""

    answers: list[AIMessage]
    sent: list[list[BaseMessage]] = Field(default_factory=list)
    kwargs: list[dict[str, Any]] = Field(default_factory=list)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.sent.append(messages)
        self.kwargs.append(kwargs)
        answer = self.answers[min(len(self.sent), len(self.answers)) - 1]
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "answering"


def retrieve_message(at: int = 0, **fields: Any) -> AIMessage:
    call = {
        "name": "headroom_retrieve",
        "args": {"key": "none"},
        "id": f"c{at}",
        "type": "tool_call",
    }
    return AIMessage("", tool_calls=[call], **fields)


def retrieving(model: Any, **settings: Any) -> Any:
    return HeadroomChatModel(model, retrieve=True, store=MemoryStore(), **settings)


async def test_async_requests_are_prepared_outside_the_event_loop() -> None:
    threads: set[int] = set()

    class RecordingThreads(Answering):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
            threads.add(threading.get_ident())
            return super().bind_tools(tools, **kwargs)

    model = retrieving(RecordingThreads(answers=[retrieve_message(), AIMessage("done")]))
    await model.ainvoke(QUESTION)
    _ = [chunk async for chunk in model.astream(QUESTION)]
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize(
    ("kind", "serving", "choice"),
    [(ChatOpenAI, OpenAIServer, "none"), (ChatAnthropic, AnthropicServer, {"type": "none"})],
)
def test_the_last_round_forbids_tool_calls(kind: Any, serving: Any, choice: Any) -> None:
    asks = Reply("", (Call("headroom_retrieve", {"key": "none"}),))
    with serving([asks, asks, Reply("done")]) as server:
        model = retrieving(kind(model="any", base_url=server.url, api_key="none"), max_rounds=1)
        assert model.invoke(QUESTION).text == "done"
        assert [request.body.get("tool_choice") for request in server.requests] == [
            None,
            None,
            choice,
        ]
        assert all(
            later.continues(earlier) for earlier, later in zip(server.requests, server.requests[1:])
        )


def test_models_that_reject_a_tool_choice_are_called_without_it() -> None:
    class RejectingToolChoice(Answering):
        def bind_tools(
            self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
        ) -> Any:
            if tool_choice:
                raise ValueError(tool_choice)
            return super().bind_tools(tools, **kwargs)

    inner = RejectingToolChoice(
        answers=[retrieve_message(0), retrieve_message(1), AIMessage("done")]
    )
    assert retrieving(inner, max_rounds=1).invoke(QUESTION).text == "done"
    assert "tool_choice" not in inner.kwargs[-1]


def test_the_tool_is_recognised_in_the_format_of_a_provider() -> None:
    class NestingTools(Answering):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
            functions = [convert_to_openai_tool(one)["function"] for one in tools]
            return self.bind(tools=[{"toolSpec": {"name": one["name"]}} for one in functions])

    inner = NestingTools(answers=[AIMessage("done")])
    retrieving(inner).bind_tools([HeadroomRetrieveTool()]).invoke(QUESTION)
    assert inner.kwargs[0]["tools"] == [{"toolSpec": {"name": "headroom_retrieve"}}]


def test_the_tool_is_offered_if_another_tool_mentions_its_name() -> None:
    parameters = {
        "type": "object",
        "properties": {"tool": {"default": {"name": "headroom_retrieve"}}},
    }
    others = [{"type": "function", "function": {"name": "explain", "parameters": parameters}}]
    inner = Answering(answers=[AIMessage("done")])
    retrieving(inner).invoke(QUESTION, tools=others)
    assert [one["function"]["name"] for one in inner.kwargs[0]["tools"]] == [
        "explain",
        "headroom_retrieve",
    ]


def test_models_that_do_not_bind_a_list_of_tools_are_errors() -> None:
    class BindingFunctions(Answering):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
            return self.bind(functions=tools)

    with pytest.raises(
        ConfigurationError,
        match=r"bind_tools of BindingFunctions binds no list.*use retrieve=False",
    ):
        retrieving(BindingFunctions(answers=[AIMessage("done")])).invoke(QUESTION)


@pytest.mark.parametrize("rounds", [0, -1])
def test_max_rounds_below_one_is_an_error(rounds: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"max_rounds must be .* at least 1, got {rounds}; "
    ):
        wrap_chat_model(Answering(answers=[]), retrieve=True, max_rounds=rounds)


def test_tokens_are_counted_for_answers_without_usage() -> None:
    usage: Any = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    model = retrieving(
        Answering(answers=[retrieve_message(usage_metadata=usage), AIMessage("It is done.")])
    )
    model.invoke(QUESTION)
    assert [one.tokens_output for one in model.get_metrics()] == [10 + 4]


@pytest.mark.parametrize(
    "metadata",
    [
        {"rounds": "x"},
        {"rounds": [{"a": 1}]},
        {"removed": {"content": 3}},
        {"removed": {"tool_calls": [{"a": 1}]}},
        {"removed": {"tool_calls": [[0, "x"]]}},
        {"removed": [1]},
        {"answers": 5},
        {"shown_kwargs": 5},
    ],
)
def test_messages_with_invalid_metadata_are_sent_unchanged_with_a_warning(
    metadata: Any, caplog: pytest.LogCaptureFixture
) -> None:
    inner = Answering(answers=[AIMessage("done")])
    invalid = AIMessage("yes", additional_kwargs={"headroom": metadata, "refusal": None})
    with caplog.at_level(logging.WARNING):
        retrieving(inner).invoke([*QUESTION, invalid, *QUESTION])
    assert [message.text for message in inner.sent[0]] == [
        QUESTION[0].text,
        "yes",
        QUESTION[0].text,
    ]
    assert "cannot be read" in caplog.text
