"""Chat model that needs no API key: it looks up flights in the messages that it is sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

# A carrier's two-character code and a number: HA51, B6739.
_FLIGHT = re.compile(r"\b[A-Z0-9]{2}\d{1,4}\b")
# The key in a marker, which shows how to call the tool.
_KEY = re.compile(r'headroom_retrieve\(key="(\w+)"')
# A line above a table that defines a reference: "&1 JFK,2013-01-09".
_LEGEND = re.compile(r"^([&*]\d+) (.*)$", re.MULTILINE)
# A table cell that consists of a reference. "&1" inside a longer cell is not a reference.
_REFERENCE = re.compile(r"(?:(?<=,)|^)[&*]\d+(?=,|$)")


class ScriptedModel(BaseChatModel):
    """Chat model that answers with the row of the flight in the question.

    It knows nothing but the messages. References in a row are resolved with the lines above its
    table. If the flight has no row and a marker says that rows were left out, it calls the tool
    that the marker names.
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
        has_retrieved = getattr(messages[-1], "name", None) == "headroom_retrieve"
        reply = _reply(_FLIGHT.findall(question)[-1], outputs, has_retrieved=has_retrieved)
        return ChatResult(generations=[ChatGeneration(message=reply)])


def _reply(flight: str, outputs: Sequence[str], *, has_retrieved: bool) -> AIMessage:
    rows = [row for output in outputs for row in _find_rows(flight, output)]
    if rows:
        return AIMessage(f"The record of {flight} says: {rows[-1]}")
    key = _KEY.search("\n".join(outputs))
    if key is None or has_retrieved:
        return AIMessage(f"There is no record of {flight} in the messages.")
    arguments = {"key": key[1], "where": f"flight == '{flight}'"}
    call = {"name": "headroom_retrieve", "args": arguments, "id": f"call_{flight}"}
    return AIMessage("", tool_calls=[call])


def _find_rows(flight: str, output: str) -> list[str]:
    """Return the rows of a flight, with references resolved."""
    legend = dict(_LEGEND.findall(output))
    rows = []
    for line in output.splitlines():
        # A marker may name the flight as well.
        if re.search(rf"\b{flight}\b", line) and not _KEY.search(line):
            row = _REFERENCE.sub(lambda match: legend.get(match[0], match[0]), line.strip())
            rows.append(row)
    return rows
