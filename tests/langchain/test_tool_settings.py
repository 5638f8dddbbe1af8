"""Test that every LangChain component follows the settings of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import Field

from headroom_core import ConfigurationError
from headroom_integrations.langchain import (
    HeadroomChatModel,
    HeadroomCompressor,
    HeadroomMiddleware,
    compress_messages,
    wrap_chat_model,
)

ROWS = json.dumps([{"id": n, "name": f"user {n * 37 % 101}", "city": "Brno"} for n in range(200)])
EXCLUDE: dict[str, Any] = {"exclude_tools": ["list_users"]}
ONLY: dict[str, Any] = {"only_tools": ["list_jobs"]}
SKIP: dict[str, Any] = {"tool_profiles": {"list_users": {"skip_compression": True}}}


class Recorder(FakeListChatModel):
    """A model that keeps the messages it was sent."""

    responses: list[str] = Field(default_factory=lambda: ["yes"])
    sent: list[Any] = Field(default_factory=list)

    def _call(self, messages: list[Any], *args: Any, **kwargs: Any) -> str:
        self.sent[:] = messages
        return super()._call(messages, *args, **kwargs)


def conversation() -> list[Any]:
    call = {"name": "list_users", "args": {}, "id": "c1"}
    return [
        HumanMessage("Who lives there?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage(ROWS, tool_call_id="c1", name="list_users"),
    ]


@pytest.mark.parametrize("settings", [EXCLUDE, ONLY, SKIP])
@pytest.mark.parametrize(
    "make",
    [lambda **values: HeadroomCompressor(**values), lambda **values: compress_messages(**values)],
)
def test_compressors_leave_a_tool_alone(make: Any, settings: dict[str, Any]) -> None:
    assert make(**settings).invoke(conversation())[-1].content == ROWS
    assert make().invoke(conversation())[-1].content != ROWS
    assert compress_messages(conversation(), **settings)[-1].content == ROWS


@pytest.mark.parametrize("settings", [EXCLUDE, ONLY, SKIP])
@pytest.mark.parametrize("wrap", [HeadroomChatModel, wrap_chat_model])
def test_models_leave_a_tool_alone(wrap: Any, settings: dict[str, Any]) -> None:
    inner = Recorder()
    wrap(inner).invoke(conversation())
    assert inner.sent[-1].content != ROWS
    wrapped = wrap(inner, **settings)
    wrapped.invoke(conversation())
    sent = getattr(wrapped, "sent", inner.sent)
    assert sent[-1].content == ROWS


@pytest.mark.parametrize("settings", [EXCLUDE, ONLY, SKIP])
def test_the_middleware_leaves_a_tool_alone(settings: dict[str, Any]) -> None:
    middleware = HeadroomMiddleware(**settings)
    assert middleware._compression.compress(conversation()).messages[-1].content == ROWS


@pytest.mark.parametrize(
    "make",
    [
        HeadroomCompressor,
        HeadroomMiddleware,
        lambda **values: HeadroomChatModel(Recorder(), **values),
        lambda **values: wrap_chat_model(Recorder(), **values),
    ],
)
def test_wrong_fields_of_a_profile_are_refused(make: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"list_users.*keep_frist"):
        make(tool_profiles={"list_users": {"keep_frist": 3}})


def test_errors_with_a_status_stay_whole() -> None:
    errors = [{"row": n, "field": f"f{n}", "message": "is not a date"} for n in range(60)]
    messages = conversation()
    messages[-1] = ToolMessage(json.dumps(errors), tool_call_id="c1", status="error")
    assert compress_messages(messages)[-1].content == json.dumps(errors)
