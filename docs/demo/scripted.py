"""A chat model that needs no key: it reads what it is sent, and looks for the flight that it was asked about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

_FLIGHT = re.compile(r"\b[A-Z0-9]{2}\d{1,4}\b")
_KEY = re.compile(r'headroom_retrieve\(key="(\w+)"')
_LEGEND = re.compile(r"^([&*]\d+) (.*)$", re.MULTILINE)
_REFERENCE = re.compile(r"(?:(?<=,)|^)[&*]\d+(?=,|$)")


class ScriptedModel(BaseChatModel):
    """Answers with the row of the flight that was asked about.

    It knows nothing but the messages: where a row refers to a line above its table, it reads that line; where no
    row of that flight is there and a marker says that rows were left out, it calls the tool that the marker names.
    """

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> ScriptedModel:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        question = next(
            message.text for message in reversed(messages) if isinstance(message, HumanMessage)
        )
        outputs = [message.text for message in messages if isinstance(message, ToolMessage)]
        asked = getattr(messages[-1], "name", None) == "headroom_retrieve"
        reply = _reply(_FLIGHT.findall(question)[-1], outputs, asked)
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _reply(flight: str, outputs: list[str], asked: bool) -> AIMessage:
    rows = [row for output in outputs for row in _rows(flight, output)]
    if rows:
        return AIMessage(f"The record of {flight} says: {rows[-1]}")
    if not asked and (key := _KEY.search("\n".join(outputs))):
        arguments = {"key": key[1], "where": f"flight == '{flight}'"}
        return AIMessage(
            "",
            tool_calls=[{"name": "headroom_retrieve", "args": arguments, "id": f"call_{flight}"}],
        )
    return AIMessage(f"No record of {flight} was sent to me.")


def _rows(flight: str, output: str) -> list[str]:
    """Return the rows of a flight, with what they refer to in its place."""
    legend = dict(_LEGEND.findall(output))
    found = [
        line
        for line in output.splitlines()
        if re.search(rf"\b{flight}\b", line) and not _KEY.search(line)
    ]
    return [
        _REFERENCE.sub(lambda match: legend.get(match[0], match[0]), row.strip()) for row in found
    ]
