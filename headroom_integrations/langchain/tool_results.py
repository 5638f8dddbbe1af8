"""Shortening what a tool answers when it arrives, before anything else of the conversation is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.messages.tool import ToolOutputMixin

from headroom_core import CompressResult, HeadroomConfig
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.dialect import LangChainDialect

MARK = "headroom"
"""Where a shortened tool message says what was saved: a key of its `response_metadata`, which no model is sent."""

_LIMITS = ("rolling_window", "intelligent_context")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What decides what a tool's answer becomes: its call, and the last message of a user before it.

    The text is the one that compressing the whole conversation would give, at the cost of the new message alone.
    Budgets and windows are for conversations: nothing is dropped of what arrives.

    Attributes:
        compression: how messages are compressed; tokens are counted for the model that made the call, if it said its
            name.
        call: the call that is answered.
        history: the conversation up to the call, as far as it is known.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> result = ToolResult(LangChainCompression(store=MemoryStore()), ToolCall(name="jobs", args={}, id="c1"))
        >>> rows = ",".join(f'{{"id": {n}, "state": "done"}}' for n in range(200))
        >>> message = result.shortened(ToolMessage(f"[{rows}]", tool_call_id="c1"))
        >>> sorted(message.response_metadata["headroom"])
        ['characters', 'tokens_after', 'tokens_before']
    """

    compression: LangChainCompression
    call: ToolCall
    history: Sequence[Any] = ()

    def shortened(self, answer: Any) -> Any:
        """Return what a tool answered, with tool messages shortened: one, those of a command, or a list of both.

        Of a shortened message all but the content stays, and `MARK` is added. Everything else is returned as it is.
        """
        if isinstance(answer, ToolMessage):
            return self._messages([answer])[0]
        if isinstance(answer, list):
            return [self.shortened(item) for item in answer]
        if isinstance(answer, ToolOutputMixin):
            return self._command(answer)
        return answer

    def _command(self, command: Any) -> Any:
        """Return a command of LangGraph with another update; LangGraph itself need not be installed."""
        update = getattr(command, "update", None)
        if isinstance(update, list):
            return replace(command, update=self._messages(update))
        if isinstance(update, Mapping) and isinstance(messages := update.get("messages"), list):
            return replace(command, update={**update, "messages": self._messages(messages)})
        return command

    def _messages(self, messages: list[Any]) -> list[Any]:
        if not any(isinstance(message, ToolMessage) for message in messages):
            return messages
        caller = self._caller()
        context = [*self._asked(), caller]
        compression = replace(
            _unlimited(self.compression), model=_named(caller) or self.compression.model
        )
        result = compression.compress([*context, *messages])
        pairs = zip(messages, result.messages[len(context) :], strict=True)
        return [_marked(old, new, result, at) for at, (old, new) in enumerate(pairs, len(context))]

    def _asked(self) -> Iterator[BaseMessage]:
        """Yield the last message in which a user said something."""
        others = (
            message
            for message in reversed(self.history)
            if not isinstance(message, (AIMessage, ToolMessage))
        )
        yield from islice(filter(_is_asked, others), 1)

    def _caller(self) -> AIMessage:
        made = (message for message in reversed(self.history) if isinstance(message, AIMessage))
        here = (
            message
            for message in made
            if any(call["id"] == self.call["id"] for call in message.tool_calls)
        )
        return next(here, AIMessage("", tool_calls=[self.call]))


def saved(messages: Iterable[Any]) -> int:
    """Return how many tokens were saved when the answers among these messages arrived.

    An answer whose content was changed since then, as by an edit that clears it, counts nothing.
    """
    marks = (
        (message, message.response_metadata.get(MARK))
        for message in messages
        if isinstance(message, ToolMessage)
    )
    return sum(
        mark["tokens_before"] - mark["tokens_after"]
        for message, mark in marks
        if mark and mark["characters"] == len(message.text)
    )


def _named(message: AIMessage) -> str | None:
    """Return the name that a provider gave of the model that wrote a message."""
    names = (message.response_metadata.get(key) for key in ("model_name", "model"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _is_asked(message: Any) -> bool:
    return any(block.kind == "user" for block in LangChainDialect().parse([message]).blocks)


def _unlimited(compression: LangChainCompression) -> LangChainCompression:
    """Return how one answer is compressed: as in any conversation, but with no limit to the conversation."""
    config = compression.config or HeadroomConfig()
    limits = {name: getattr(config, name).model_copy(update={"enabled": False}) for name in _LIMITS}
    config = config.model_copy(update={**limits, "model_context_limits": {}})
    return replace(compression, config=config, token_budget=None)


def _marked(old: Any, new: Any, result: CompressResult, at: int) -> Any:
    """Return the message with what was saved; only answers of tools are changed when they arrive."""
    if new is old or not isinstance(old, ToolMessage):
        return old
    changes = [change for change in result.changes if change.message == at]
    before, after = (
        sum(getattr(change, name) for change in changes)
        for name in ("tokens_before", "tokens_after")
    )
    earlier = saved([old])
    mark = {"tokens_before": before + earlier, "tokens_after": after, "characters": len(new.text)}
    return new.model_copy(update={"response_metadata": {**new.response_metadata, MARK: mark}})
