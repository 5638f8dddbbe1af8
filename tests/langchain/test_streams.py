"""Test streams whose blocks have names as indices, like those of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel

ASKED: list[BaseMessage] = [HumanMessage("What is in there?")]


class Named(BaseChatModel):
    """Model that thinks, says one text, and retrieves until the last request."""

    texts: list[str]
    sent: list[list[BaseMessage]] = Field(default_factory=list)

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        self.sent.append(messages)
        for content in self._blocks(self.texts[len(self.sent) - 1]):
            calls: list[Any] = (
                [{**content, "index": 2}] if content["type"] == "tool_call_chunk" else []
            )
            yield ChatGenerationChunk(
                message=AIMessageChunk(content=[content], tool_call_chunks=calls)
            )

    def _blocks(self, text: str) -> Iterator[dict[str, Any]]:
        yield {"type": "reasoning", "reasoning": f"about {text}", "index": "lc_rs_0"}
        for part in (text[:3], text[3:]):
            yield {"type": "text", "text": part, "index": "lc_txt_1"}
        if text != self.texts[-1]:
            made = {
                "name": "headroom_retrieve",
                "args": '{"key": "none"}',
                "id": f"c{len(self.sent)}",
            }
            yield {"type": "tool_call_chunk", **made, "index": "lc_tc_2"}

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "named"


def stream(model: Any, messages: list[BaseMessage]) -> Any:
    first, *rest = model.stream(messages)
    return sum(rest, first)


def said(message: Any) -> list[str]:
    """Return the texts of a message's blocks, each of which stands under the name of its type."""
    return [
        block[block["type"]] for block in message.content if block["type"] in ("text", "reasoning")
    ]


def test_each_round_keeps_its_own_blocks_and_is_resent_unchanged() -> None:
    inner = Named(texts=["One moment.", "Another.", "It is done."])
    model = HeadroomChatModel(inner, retrieve=True, store=MemoryStore())
    answer = stream(model, ASKED)
    rounds = [[f"about {text}", text] for text in inner.texts]
    assert said(answer) == [text for one in rounds for text in one]
    inner.texts.append("Bye.")
    stream(model, [*ASKED, answer, HumanMessage("Thanks")])
    assert [said(message) for message in inner.sent[-1] if message.type == "ai"] == rounds


class Thinking(Named):
    """Says what it thinks beside its content, as the models of some providers do."""

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        number = len(self.sent)
        for part in ("one ", "two "):
            said = {"reasoning_content": part, "reasoning": {"summary": part}}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs=said))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="", additional_kwargs={"reasoning": {"id": f"rs_{number}"}}
            )
        )
        for chunk in super()._stream(messages):
            kept = [block for block in chunk.message.content if block["type"] == "text"]
            text = "".join(block["text"] for block in kept)
            yield ChatGenerationChunk(message=chunk.message.model_copy(update={"content": text}))


def test_what_stands_beside_the_content_is_each_rounds_own() -> None:
    inner = Thinking(texts=["One moment.", "It is done."])
    model = HeadroomChatModel(inner, retrieve=True, store=MemoryStore())
    answer = stream(model, ASKED)
    assert answer.additional_kwargs["reasoning"] == {"summary": "one two ", "id": "rs_1"}
    assert answer.additional_kwargs["reasoning_content"] == "one two one two "
    inner.texts.append("Bye.")
    stream(model, [*ASKED, answer, HumanMessage("Thanks")])
    said = [message.additional_kwargs for message in inner.sent[-1] if message.type == "ai"]
    assert said == [
        {
            "reasoning_content": "one two ",
            "reasoning": {"summary": "one two ", "id": f"rs_{number}"},
        }
        for number in range(2)
    ]
