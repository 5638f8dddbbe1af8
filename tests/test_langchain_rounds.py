"""What chat models that bring originals back do at the edges: odd models, odd histories, and the event loop."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel

ASKED: list[BaseMessage] = [HumanMessage("What is in there?")]


class Answering(BaseChatModel):
    """Gives its answers, one a request, the last one again and again, and keeps what it was sent."""

    answers: list[AIMessage]
    sent: list[list[BaseMessage]] = Field(default_factory=list)
    kwargs: list[dict[str, Any]] = Field(default_factory=list)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.sent.append(messages)
        self.kwargs.append(kwargs)
        answer = self.answers[min(len(self.sent), len(self.answers)) - 1]
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "answering"


def asking(at: int = 0, **said: Any) -> AIMessage:
    made = {"name": "headroom_retrieve", "args": {"key": "none"}, "id": f"c{at}", "type": "tool_call"}
    return AIMessage("", tool_calls=[made], **said)


def retrieving(model: Any, **settings: Any) -> Any:
    return HeadroomChatModel(model, retrieve=True, store=MemoryStore(), **settings)


async def test_the_event_loop_waits_for_no_preparations() -> None:
    threads: set[int] = set()

    class Noting(Answering):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
            threads.add(threading.get_ident())
            return super().bind_tools(tools, **kwargs)

    model = retrieving(Noting(answers=[asking(), AIMessage("done")]))
    await model.ainvoke(ASKED)
    _ = [chunk async for chunk in model.astream(ASKED)]
    assert threads
    assert threading.get_ident() not in threads
