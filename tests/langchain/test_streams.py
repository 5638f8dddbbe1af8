"""Test streams with strings as indices of blocks, as in OpenAI's Responses API."""

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

QUESTION: list[BaseMessage] = [HumanMessage("What is in there?")]


class StringIndices(BaseChatModel):
    """Model that streams reasoning and a text, and retrieves until the last request."""

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
            call = {
                "name": "headroom_retrieve",
                "args": '{"key": "none"}',
                "id": f"c{len(self.sent)}",
            }
            yield {"type": "tool_call_chunk", **call, "index": "lc_tc_2"}

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


def block_texts(message: Any) -> list[str]:
    """Return the texts of a message's text and reasoning blocks."""
    return [
        block[block["type"]] for block in message.content if block["type"] in ("text", "reasoning")
    ]


def test_rounds_keep_their_blocks_and_are_resent_unchanged() -> None:
    inner = StringIndices(texts=["One moment.", "Another.", "It is done."])
    model = HeadroomChatModel(inner, retrieve=True, store=MemoryStore())
    answer = stream(model, QUESTION)
    rounds = [[f"about {text}", text] for text in inner.texts]
    assert block_texts(answer) == [text for one in rounds for text in one]
    inner.texts.append("Bye.")
    stream(model, [*QUESTION, answer, HumanMessage("Thanks")])
    assert [block_texts(message) for message in inner.sent[-1] if message.type == "ai"] == rounds


class ReasoningInKwargs(StringIndices):
    """Model that streams reasoning in `additional_kwargs`, as some providers do."""

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        number = len(self.sent)
        for part in ("one ", "two "):
            reasoning = {"reasoning_content": part, "reasoning": {"summary": part}}
            yield ChatGenerationChunk(
                message=AIMessageChunk(content="", additional_kwargs=reasoning)
            )
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="", additional_kwargs={"reasoning": {"id": f"rs_{number}"}}
            )
        )
        for chunk in super()._stream(messages):
            kept = [block for block in chunk.message.content if block["type"] == "text"]
            text = "".join(block["text"] for block in kept)
            yield ChatGenerationChunk(message=chunk.message.model_copy(update={"content": text}))


def test_rounds_keep_their_additional_kwargs() -> None:
    inner = ReasoningInKwargs(texts=["One moment.", "It is done."])
    model = HeadroomChatModel(inner, retrieve=True, store=MemoryStore())
    answer = stream(model, QUESTION)
    assert answer.additional_kwargs["reasoning"] == {"summary": "one two ", "id": "rs_1"}
    assert answer.additional_kwargs["reasoning_content"] == "one two one two "
    inner.texts.append("Bye.")
    stream(model, [*QUESTION, answer, HumanMessage("Thanks")])
    resent = [message.additional_kwargs for message in inner.sent[-1] if message.type == "ai"]
    assert resent == [
        {
            "reasoning_content": "one two ",
            "reasoning": {"summary": "one two ", "id": f"rs_{number}"},
        }
        for number in range(2)
    ]
