"""Whole conversations for windows: what was said and called, written in every dialect, and who answers whom."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from headroom_core.dialects import Dialect
from headroom_integrations.langchain.dialect import LangChainDialect

Form = Literal["openai", "anthropic", "google", "langchain"]
FORMS: tuple[Form, ...] = ("openai", "anthropic", "google", "langchain")
TOOLS = ("search", "read_file")
_WORDS = (
    "invoice",
    "payment",
    "failed",
    "order-7f3a",
    "retrying",
    "Zoë",
    "at",
    "eu-3",
    "the",
    "for",
    "30 s",
)


@dataclass(frozen=True)
class Call:
    """A call of a tool; where ids are not written, its tool's name tells whose answer is whose."""

    id: str
    tool: str = "search"


@dataclass(frozen=True)
class Said:
    """One message, in no format yet."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    calls: tuple[Call, ...] = ()
    answers: tuple[tuple[Call, str], ...] = ()
    thinks: bool = False


@dataclass(frozen=True)
class Talk:
    """A conversation in one format."""

    form: Form
    messages: list[Any]
    dialect: Dialect | str | None = field(compare=False, default=None)


def written(said: Sequence[Said], form: Form) -> Talk:
    """Return a conversation as the format has it."""
    messages = [message for one in said for message in _WRITERS[form](one)]
    return Talk(form, messages, LangChainDialect() if form == "langchain" else form)


def _openai(said: Said) -> Iterator[dict[str, Any]]:
    yield from (
        {"role": "tool", "tool_call_id": call.id, "content": text} for call, text in said.answers
    )
    if said.calls:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.tool, "arguments": '{"day":3}'},
            }
            for call in said.calls
        ]
        yield {"role": "assistant", "content": said.text or None, "tool_calls": calls}
    elif said.text:
        yield {"role": "user" if said.answers else said.role, "content": said.text}


THOUGHT = {"type": "thinking", "thinking": "look at the rows first", "signature": "c2ln"}


def _anthropic(said: Said) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = [THOUGHT] if said.thinks else []
    parts += [
        {"type": "tool_result", "tool_use_id": call.id, "content": text}
        for call, text in said.answers
    ]
    parts += [{"type": "text", "text": said.text}] if said.text else []
    parts += [
        {"type": "tool_use", "id": call.id, "name": call.tool, "input": {"day": 3}}
        for call in said.calls
    ]
    alone = said.role == "system" or not (said.answers or said.calls or said.thinks)
    yield {"role": "user" if said.answers else said.role, "content": said.text if alone else parts}


def _google(said: Said) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"function_response": {"name": call.tool, "response": {"result": text}}}
        for call, text in said.answers
    ]
    parts += [{"text": said.text}] if said.text else []
    parts += [{"function_call": {"name": call.tool, "args": {"day": 3}}} for call in said.calls]
    role = "user" if said.answers else {"assistant": "model"}.get(said.role, said.role)
    yield {"role": role, "parts": parts}


def _langchain(said: Said) -> Iterator[BaseMessage]:
    yield from (ToolMessage(text, tool_call_id=call.id) for call, text in said.answers)
    if said.calls:
        calls = [
            {"name": call.tool, "args": {"day": 3}, "id": call.id, "type": "tool_call"}
            for call in said.calls
        ]
        yield AIMessage(said.text, tool_calls=calls)
    elif said.text:
        kinds = {
            "system": SystemMessage,
            "user": HumanMessage,
            "assistant": AIMessage,
            "tool": HumanMessage,
        }
        yield kinds[said.role](said.text)


_WRITERS: dict[Form, Any] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "google": _google,
    "langchain": _langchain,
}


# Strategies.


def _text(number: int, size: int) -> str:
    """Return words, none of them twice as another text has them."""
    return " ".join([f"{number}:", *Random(number).choices(_WORDS, k=size)])


def _rows(number: int, size: int) -> str:
    return json.dumps(
        [{"id": f"item-{number}-{row}", "state": "ok", "zone": "eu-3"} for row in range(size)]
    )


@st.composite
def spoken(draw: st.DrawFn, most_turns: int = 5) -> list[Said]:
    """Turns with parallel calls, late, doubled and missing answers, ids used again, and text beside answers."""
    numbers = iter(range(10_000))
    sizes = st.sampled_from((1, 6, 6, 40, 40, 150, 600))

    def text() -> str:
        return _text(next(numbers), draw(sizes))

    said = [Said("system", text()) for _ in range(draw(st.integers(0, 2)))]
    late: list[tuple[Call, str]] = []
    doubled: list[tuple[Call, str]] = []
    again = draw(st.booleans())
    for turn in range(draw(st.integers(1, most_turns))):
        said.append(Said("user", text(), answers=tuple(late)))
        late = []
        if draw(st.integers(0, 9)) == 0:
            said.append(Said("system", text()))
        for step in range(draw(st.integers(0, 3))):
            named = [
                f"c{number}" if again else f"c{turn}-{step}-{number}"
                for number in range(draw(st.integers(1, 3)))
            ]
            calls = tuple(Call(name, draw(st.sampled_from(TOOLS))) for name in named)
            beside = text() if draw(st.booleans()) else ""
            said.append(Said("assistant", beside, calls=calls, thinks=draw(st.booleans())))
            answers = [
                (call, draw(st.sampled_from((_text, _rows)))(next(numbers), draw(sizes)))
                for call in calls
            ]
            answers = [*late, *draw(st.permutations(answers))]
            fate = draw(
                st.sampled_from(
                    ("all",) * 6 + ("late", "late", "missing", "twice", "again", "ghost")
                )
            )
            late = [answers.pop()] if fate == "late" else []
            doubled += answers[:1] if fate == "again" else []
            if fate in ("missing", "twice"):
                answers = answers[1:] if fate == "missing" else [*answers, answers[0]]
            if fate == "ghost":
                answers.append((Call("ghost", "no_such_tool"), "boo"))
            words = text() if draw(st.integers(0, 4)) == 0 else ""
            split = draw(st.integers(0, len(answers)))
            parts = [tuple(part) for part in (answers[:split], answers[split:]) if part]
            said += [
                Said("tool", words if at == len(parts) - 1 else "", answers=part)
                for at, part in enumerate(parts)
            ]
        if draw(st.booleans()):
            said.append(Said("assistant", text()))
        if draw(st.booleans()) and doubled:
            said.append(Said("tool", answers=(doubled.pop(),)))
    return said


def talks(forms: Sequence[Form] = FORMS, most_turns: int = 5) -> st.SearchStrategy[Talk]:
    """Conversations in one of the formats."""
    return st.builds(written, spoken(most_turns), st.sampled_from(forms))


@st.composite
def long_talks(draw: st.DrawFn, forms: Sequence[Form] = FORMS) -> Talk:
    """Conversations that are old enough for their cuts to go well below the limit."""
    random = Random(draw(st.integers(0, 1000)))
    said = [Said("system", _text(0, 40))]
    for turn in range(draw(st.integers(24, 36))):
        said.append(Said("user", _text(turn, 10)))
        for step in range(random.choice((1, 1, 1, 3))):
            call = Call(f"c{turn}-{step}", random.choice(TOOLS))
            rows = _rows(100 * turn + step, random.choice((2, 30, 30, 60)))
            said += [Said("assistant", calls=(call,)), Said("tool", answers=((call, rows),))]
        said.append(Said("assistant", _text(turn, 30)))
    return written(said, draw(st.sampled_from(forms)))


SHARES = st.sampled_from((0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999, 1.0, 1.5))
"""Which share of a conversation there is room for."""


# Reading them, without the code that is tested.


def role(message: Any) -> str:
    """Return who speaks, in OpenAI's words; for a message of answers alone, `tool`."""
    kinds = {"human": "user", "ai": "assistant", "model": "assistant", "developer": "system"}
    said: str = message.type if isinstance(message, BaseMessage) else message["role"]
    if said == "user" and list(answered(message)) and not text_beside(message):
        return "tool"
    return kinds.get(said, said)


def _parts(message: Any) -> list[Any]:
    held = (
        message.content
        if isinstance(message, BaseMessage)
        else message.get("parts", message.get("content"))
    )
    return held if isinstance(held, list) else []


def text_beside(message: Any) -> bool:
    """Return whether there is a text beside answers."""
    return any("text" in part and "tool_use_id" not in part for part in _parts(message))


def called(message: Any) -> Iterator[str]:
    """Yield the ids of the calls that a message makes, for Google's the names."""
    if isinstance(message, BaseMessage):
        yield from (str(call["id"]) for call in getattr(message, "tool_calls", ()))
        return
    yield from (call["id"] for call in message.get("tool_calls", ()))
    for part in _parts(message):
        if part.get("type") == "tool_use":
            yield part["id"]
        elif "function_call" in part:
            yield part["function_call"]["name"]


def answered(message: Any) -> Iterator[str]:
    """Yield the ids of the calls that a message answers, for Google's the names."""
    if isinstance(message, ToolMessage):
        yield message.tool_call_id
    elif not isinstance(message, BaseMessage):
        if "tool_call_id" in message:
            yield message["tool_call_id"]
        for part in _parts(message):
            if part.get("type") == "tool_result":
                yield part["tool_use_id"]
            elif "function_response" in part:
                yield part["function_response"]["name"]


Place = tuple[int, int]
"""A message's index, and which of its calls or answers."""


def pairs(messages: Sequence[Any], form: Form) -> Iterator[tuple[Place, Place | None]]:
    """Yield every answer, and the call that it belongs to if there is one.

    That is the latest call with its id; for Google's, the oldest call of its name that has no answer yet.
    """
    known: dict[str, list[Place]] = {}
    for index, message in enumerate(messages):
        for at, name in enumerate(answered(message)):
            calls = known.get(name, [])
            if form == "google":
                yield (index, at), calls.pop(0) if calls else None
            else:
                yield (index, at), calls[-1] if calls else None
        for at, name in enumerate(called(message)):
            known.setdefault(name, []).append((index, at))


def orphans(messages: Sequence[Any], form: Form) -> set[tuple[str, int, int]]:
    """Return the calls without an answer, and the answers without a call, by their message's identity."""
    found = list(pairs(messages, form))
    alone = {place for place, call in found if call is None}
    waiting = {
        (index, at)
        for index, message in enumerate(messages)
        for at, _ in enumerate(called(message))
    }
    waiting -= {call for _, call in found if call is not None}
    kinds = (("answer", alone), ("call", waiting))
    return {(kind, id(messages[index]), at) for kind, places in kinds for index, at in places}


def together(messages: Sequence[Any], form: Form) -> list[set[int]]:
    """Return for each message the messages that it must stay or go with, itself among them."""
    groups = [{index} for index in range(len(messages))]
    for (answer, _), call in pairs(messages, form):
        if call is not None:
            groups[call[0]] |= groups[answer]
            for index in groups[call[0]]:
                groups[index] = groups[call[0]]
    return groups
