"""Hypothesis strategies for whole conversations in every dialect, and their call pairs."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from headroom_core.dialects import Dialect
from headroom_integrations.langchain.dialect import LangChainDialect

Form = Literal["openai", "anthropic", "google", "langchain", "responses", "bedrock", "cohere"]
FORMS: tuple[Form, ...] = ("openai", "anthropic", "google", "langchain")
ALL_FORMS: tuple[Form, ...] = (*FORMS, "responses", "bedrock", "cohere")
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
    """A tool call; in formats without ids, the name of its tool identifies its answer."""

    id: str
    tool: str = "search"


@dataclass(frozen=True)
class Utterance:
    """A message that is independent of any format."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    calls: tuple[Call, ...] = ()
    answers: tuple[tuple[Call, str], ...] = ()
    thinks: bool = False


@dataclass(frozen=True)
class Talk:
    """A conversation in a format."""

    form: Form
    messages: list[Any]
    dialect: Dialect | str | None = field(compare=False, default=None)


def write_talk(utterances: Sequence[Utterance], form: Form) -> Talk:
    """Return a conversation in a format."""
    messages = [message for utterance in utterances for message in _WRITERS[form](utterance)]
    return Talk(form, messages, LangChainDialect() if form == "langchain" else form)


def _openai(utterance: Utterance) -> Iterator[dict[str, Any]]:
    yield from (
        {"role": "tool", "tool_call_id": call.id, "content": text}
        for call, text in utterance.answers
    )
    if utterance.calls:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.tool, "arguments": '{"day":3}'},
            }
            for call in utterance.calls
        ]
        yield {"role": "assistant", "content": utterance.text or None, "tool_calls": calls}
    elif utterance.text:
        yield {"role": "user" if utterance.answers else utterance.role, "content": utterance.text}


THOUGHT = {"type": "thinking", "thinking": "look at the rows first", "signature": "c2ln"}


def _anthropic(utterance: Utterance) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = [THOUGHT] if utterance.thinks else []
    parts += [
        {"type": "tool_result", "tool_use_id": call.id, "content": text}
        for call, text in utterance.answers
    ]
    parts += [{"type": "text", "text": utterance.text}] if utterance.text else []
    parts += [
        {"type": "tool_use", "id": call.id, "name": call.tool, "input": {"day": 3}}
        for call in utterance.calls
    ]
    lone_answers = utterance.role == "system" or not (
        utterance.answers or utterance.calls or utterance.thinks
    )
    yield {
        "role": "user" if utterance.answers else utterance.role,
        "content": utterance.text if lone_answers else parts,
    }


def _google(utterance: Utterance) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"function_response": {"name": call.tool, "response": {"result": text}}}
        for call, text in utterance.answers
    ]
    parts += [{"text": utterance.text}] if utterance.text else []
    parts += [
        {"function_call": {"name": call.tool, "args": {"day": 3}}} for call in utterance.calls
    ]
    role = (
        "user" if utterance.answers else {"assistant": "model"}.get(utterance.role, utterance.role)
    )
    yield {"role": role, "parts": parts}


def _langchain(utterance: Utterance) -> Iterator[BaseMessage]:
    yield from (ToolMessage(text, tool_call_id=call.id) for call, text in utterance.answers)
    if utterance.calls:
        calls = [
            {"name": call.tool, "args": {"day": 3}, "id": call.id, "type": "tool_call"}
            for call in utterance.calls
        ]
        yield AIMessage(utterance.text, tool_calls=calls)
    elif utterance.text:
        kinds = {
            "system": SystemMessage,
            "user": HumanMessage,
            "assistant": AIMessage,
            "tool": HumanMessage,
        }
        yield kinds[utterance.role](utterance.text)


def _responses(utterance: Utterance) -> Iterator[dict[str, Any]]:
    yield from (
        {"type": "function_call_output", "call_id": call.id, "output": text}
        for call, text in utterance.answers
    )
    if utterance.thinks:
        yield {"type": "reasoning", "id": "rs", "summary": []}
    if utterance.text:
        kind = "output_text" if utterance.role == "assistant" else "input_text"
        role = "user" if utterance.answers else utterance.role
        yield {"role": role, "content": [{"type": kind, "text": utterance.text}]}
    yield from (
        {"type": "function_call", "call_id": call.id, "name": call.tool, "arguments": '{"day":3}'}
        for call in utterance.calls
    )


def _bedrock(utterance: Utterance) -> Iterator[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [
        {"toolResult": {"toolUseId": call.id, "content": [{"text": text}]}}
        for call, text in utterance.answers
    ]
    blocks += [{"text": utterance.text}] if utterance.text else []
    blocks += [
        {"toolUse": {"toolUseId": call.id, "name": call.tool, "input": {"day": 3}}}
        for call in utterance.calls
    ]
    yield {"role": "user" if utterance.answers else utterance.role, "content": blocks}


def _cohere(utterance: Utterance) -> Iterator[dict[str, Any]]:
    for message in _openai(utterance):
        if message["role"] == "tool":
            data = {"text": message["content"]}
            message["content"] = [{"type": "document", "document": {"id": "d", "data": data}}]
        elif "tool_calls" in message and utterance.thinks:
            message["tool_plan"] = "look at the rows first"
        yield message


_WRITERS: dict[Form, Any] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "google": _google,
    "langchain": _langchain,
    "responses": _responses,
    "bedrock": _bedrock,
    "cohere": _cohere,
}


# Strategies.


def _text(number: int, size: int) -> str:
    """Return a text of random words that starts with its number."""
    return " ".join([f"{number}:", *Random(number).choices(_WORDS, k=size)])


def _rows(number: int, size: int) -> str:
    return json.dumps(
        [{"id": f"item-{number}-{row}", "state": "ok", "zone": "eu-3"} for row in range(size)]
    )


@st.composite
def utterances(draw: st.DrawFn, most_turns: int = 5) -> list[Utterance]:
    """Draw turns with parallel calls, late or missing answers, reused ids and mixed text."""
    numbers = iter(range(10_000))
    sizes = st.sampled_from((1, 6, 6, 40, 40, 150, 600))

    def text() -> str:
        return _text(next(numbers), draw(sizes))

    drawn = [Utterance("system", text()) for _ in range(draw(st.integers(0, 2)))]
    late: list[tuple[Call, str]] = []
    doubled: list[tuple[Call, str]] = []
    reuse_ids = draw(st.booleans())
    for turn in range(draw(st.integers(1, most_turns))):
        drawn.append(Utterance("user", text(), answers=tuple(late)))
        late = []
        if draw(st.integers(0, 9)) == 0:
            drawn.append(Utterance("system", text()))
        for step in range(draw(st.integers(0, 3))):
            names = [
                f"c{number}" if reuse_ids else f"c{turn}-{step}-{number}"
                for number in range(draw(st.integers(1, 3)))
            ]
            calls = tuple(Call(name, draw(st.sampled_from(TOOLS))) for name in names)
            text_beside_calls = text() if draw(st.booleans()) else ""
            drawn.append(
                Utterance("assistant", text_beside_calls, calls=calls, thinks=draw(st.booleans()))
            )
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
            drawn += [
                Utterance("tool", words if index == len(parts) - 1 else "", answers=part)
                for index, part in enumerate(parts)
            ]
        if draw(st.booleans()):
            drawn.append(Utterance("assistant", text()))
        if draw(st.booleans()) and doubled:
            drawn.append(Utterance("tool", answers=(doubled.pop(),)))
    return drawn


def talks(forms: Sequence[Form] = FORMS, most_turns: int = 5) -> st.SearchStrategy[Talk]:
    """Return conversations in any of the formats."""
    return st.builds(write_talk, utterances(most_turns), st.sampled_from(forms))


@st.composite
def long_talks(draw: st.DrawFn, forms: Sequence[Form] = FORMS) -> Talk:
    """Draw conversations long enough for cuts well below the limit."""
    random = Random(draw(st.integers(0, 1000)))
    drawn = [Utterance("system", _text(0, 40))]
    for turn in range(draw(st.integers(24, 36))):
        drawn.append(Utterance("user", _text(turn, 10)))
        for step in range(random.choice((1, 1, 1, 3))):
            call = Call(f"c{turn}-{step}", random.choice(TOOLS))
            rows = _rows(100 * turn + step, random.choice((2, 30, 30, 60)))
            drawn += [
                Utterance("assistant", calls=(call,)),
                Utterance("tool", answers=((call, rows),)),
            ]
        drawn.append(Utterance("assistant", _text(turn, 30)))
    return write_talk(drawn, draw(st.sampled_from(forms)))


SHARES = st.sampled_from((0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999, 1.0, 1.5))
"""Share of a conversation that fits into the limit."""


# Readers that do not use the code under test.


def role(message: Any) -> str:
    """Return the role of a message in OpenAI's terms, `tool` if it has only answers."""
    kinds = {"human": "user", "ai": "assistant", "model": "assistant", "developer": "system"}
    speaker: str = message.type if isinstance(message, BaseMessage) else message.get("role", "")
    if not speaker:
        return "tool" if "output" in message else "assistant"
    if speaker == "user" and list(answered_calls(message)) and not text_beside(message):
        return "tool"
    return kinds.get(speaker, speaker)


def _parts(message: Any) -> list[Any]:
    content = (
        message.content
        if isinstance(message, BaseMessage)
        else message.get("parts", message.get("content"))
    )
    return content if isinstance(content, list) else []


def text_beside(message: Any) -> bool:
    """Return whether a message has text beside its answers."""
    return any("text" in part and "tool_use_id" not in part for part in _parts(message))


def made_calls(message: Any) -> Iterator[str]:
    """Yield the ids of the calls in a message; in Google's format their names."""
    if isinstance(message, BaseMessage):
        yield from (str(call["id"]) for call in getattr(message, "tool_calls", ()))
        return
    yield from (call["id"] for call in message.get("tool_calls", ()))
    if message.get("type") == "function_call":
        yield message["call_id"]
    for part in _parts(message):
        if part.get("type") == "tool_use":
            yield part["id"]
        elif "toolUse" in part:
            yield part["toolUse"]["toolUseId"]
        elif "function_call" in part:
            yield part["function_call"]["name"]


def answered_calls(message: Any) -> Iterator[str]:
    """Yield the ids of the calls that a message answers; in Google's format their names."""
    if isinstance(message, ToolMessage):
        yield message.tool_call_id
    elif not isinstance(message, BaseMessage):
        if "tool_call_id" in message:
            yield message["tool_call_id"]
        elif message.get("type") == "function_call_output":
            yield message["call_id"]
        for part in _parts(message):
            if part.get("type") == "tool_result":
                yield part["tool_use_id"]
            elif "toolResult" in part:
                yield part["toolResult"]["toolUseId"]
            elif "function_response" in part:
                yield part["function_response"]["name"]


Place = tuple[int, int]
"""Index of a message, and index of a call or answer in it."""


def pairs(messages: Sequence[Any], form: Form) -> Iterator[tuple[Place, Place | None]]:
    """Yield every answer with its call, or None without a call.

    Its call is the latest with its id; in Google's format, the oldest unanswered of its name.
    """
    known: dict[str, list[Place]] = {}
    for index, message in enumerate(messages):
        for position, name in enumerate(answered_calls(message)):
            calls = known.get(name, [])
            if form == "google":
                yield (index, position), calls.pop(0) if calls else None
            else:
                yield (index, position), calls[-1] if calls else None
        for position, name in enumerate(made_calls(message)):
            known.setdefault(name, []).append((index, position))


def orphans(messages: Sequence[Any], form: Form) -> set[tuple[str, int, int]]:
    """Return calls without answers and answers without calls, by the ids of their messages."""
    linked = list(pairs(messages, form))
    lone_answers = {place for place, call in linked if call is None}
    open_calls = {
        (index, position)
        for index, message in enumerate(messages)
        for position, _ in enumerate(made_calls(message))
    }
    open_calls -= {call for _, call in linked if call is not None}
    kinds = (("answer", lone_answers), ("call", open_calls))
    return {
        (kind, id(messages[index]), position)
        for kind, places in kinds
        for index, position in places
    }


def new_orphans(talk: Talk, dropped: Container[int]) -> set[tuple[str, int, int]]:
    """Return the new orphans, except late answers in messages that must be kept.

    Answers that come after the model has gone on are in no conversation that a provider accepts.
    """
    kept = [message for index, message in enumerate(talk.messages) if index not in dropped]
    mixed = {
        id(message)
        for message in kept
        if role(message) == "user" or len([*answered_calls(message)]) > 1
    }
    if talk.form == "google" and not is_paired(talk.messages):
        # Without ids, it is open which calls are answered once an answer is missing.
        mixed.update(map(id, kept))
    new = orphans(kept, talk.form) - orphans(talk.messages, talk.form)
    return {orphan for orphan in new if orphan[0] == "call" or orphan[1] not in mixed}


def is_paired(messages: Sequence[Any]) -> bool:
    """Return whether every call is answered once before the next calls are made."""
    waiting = 0
    for message in messages:
        calls, answers = len([*made_calls(message)]), len([*answered_calls(message)])
        if answers > waiting or (calls and waiting > answers):
            return False
        waiting += calls - answers
    return True


def linked_groups(messages: Sequence[Any], form: Form) -> list[set[int]]:
    """Return for each message the messages that must be kept or dropped with it."""
    groups = [{index} for index in range(len(messages))]
    for (answer, _), call in pairs(messages, form):
        if call is not None:
            groups[call[0]] |= groups[answer]
            for index in groups[call[0]]:
                groups[index] = groups[call[0]]
    return groups
