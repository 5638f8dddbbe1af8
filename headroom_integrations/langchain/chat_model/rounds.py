"""One request of a caller: what is sent for it, what comes back, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from headroom_core import ConfigurationError, Tokenizer, handle_retrieve_call
from headroom_core.adapters import Ledger, declares_retrieval, get_field
from headroom_integrations.langchain.chat_model.bill import UsageRecorder
from headroom_integrations.langchain.chat_model.carried import (
    KEY,
    as_stored,
    carried_data,
    other_calls,
    remove_retrievals,
    restore_carried,
    retrievals,
    retrieve_answer,
    strip_carried,
)
from headroom_integrations.langchain.chat_model.inner import model_name
from headroom_integrations.langchain.chat_model.stream import Shown, merged
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tools import retrieve_tools

_LAST = "\nheadroom_retrieve: this was the last call before your answer; go on with what is here"
_NO_MORE = "headroom_retrieve: no more can be asked for before your answer"
_UNANSWERED = "There is no answer: the model went on asking for more of what was left out than max_rounds = {} allows."
CALLED = "the model that is called"
"""Stands for a model's name where it is not known before a request."""

_OPEN = frozenset({"auto", "any", "required"})
"""The choices of a tool that leave the model a choice."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """How a model's requests are compressed and booked.

    Attributes:
        compression: how messages are compressed; the model that is called takes the place of its model.
        max_rounds: how often calls of the retrieve tool are answered in one request.
        ledger: where requests are booked.

    Raises:
        ConfigurationError: `max_rounds` is less than 1.
    """

    compression: LangChainCompression = field(default_factory=lambda: LangChainCompression(CALLED))
    max_rounds: int = 5
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        if self.max_rounds < 1:
            raise ConfigurationError(
                f"max_rounds = {self.max_rounds!r}: give at least 1; use retrieve=False to bring nothing back",
                {"max_rounds": self.max_rounds},
            )


class RetrieveRounds:
    """One request: its messages, the rounds in which originals were brought back, and its tokens.

    As a context manager it books the request in the end, if anything of an answer came.

    Args:
        model: what is called.
        settings: how.
        messages: what the caller sent.
        config: what the caller configured.
        kwargs: what else the caller sent.
        retrieve: whether this way of calling can answer the retrieve tool.

    Attributes:
        kwargs: what to send beside the messages.
        goes_on: whether another round is to be sent.
        shown: the message that the caller is shown, when there is none.
    """

    def __init__(
        self,
        model: Any,
        settings: RoundSettings,
        messages: list[BaseMessage],
        config: RunnableConfig | None,
        kwargs: Mapping[str, Any],
        retrieve: bool = True,
    ) -> None:
        self.goes_on = True
        self.shown: Any = None
        tools = retrieve_tools(settings.compression) if retrieve and leaves_a_choice(kwargs) else []
        self._tool = tools[0] if tools else None
        name = kwargs.get("model")
        name = name if isinstance(name, str) and name else model_name(model)
        self._compression = replace(settings.compression, model=name, retrieve=bool(tools))
        self._config = ensure_config(config)
        self._model = model
        self._max_rounds = settings.max_rounds
        self._answered = 0
        self._messages = restore_carried(messages) if tools else strip_carried(messages)
        self._rounds: list[BaseMessage] = []
        self._stream = Shown()
        self._unread: Any = None
        self._said: list[AIMessageChunk] = []
        self.kwargs, added = _with_tools(model, kwargs, tools)
        self._bill = UsageRecorder(settings.ledger, Tokenizer(name), added)
        self._given = messages

    def __enter__(self) -> RetrieveRounds:
        return self

    def __exit__(self, *_: object) -> None:
        self._bill.record()

    def request(self) -> tuple[list[BaseMessage], RunnableConfig]:
        """Return the messages of the next round, and the config that says what compressing them saved."""
        result = self._compression.compress([*self._messages, *self._rounds])
        self._bill.sent(result, self._given, self._messages)
        saved = {"tokens_before": result.tokens_before, "tokens_after": result.tokens_after}
        metadata = {**self._config.get("metadata", {}), KEY: saved}
        return result.messages, {**self._config, "metadata": metadata}

    def take(self, message: Any) -> None:
        """Take in a model's answer."""
        self._bill.came(message)
        self._decide(message)

    def seen(self, chunk: Any) -> list[Any]:
        """Take in a piece of a stream; return what of it the caller is shown now."""
        self._bill.came(chunk)
        if self._tool is None:
            return [chunk]
        if isinstance(chunk, AIMessageChunk):
            return self._stream.seen(chunk)
        self._unread = chunk
        return []

    def ended(self) -> list[Any]:
        """Take in the end of a round's stream; return what the caller is shown in the end."""
        chunks = self._stream.chunks
        self._decide(message_chunk_to_message(merged(chunks)) if chunks else self._unread)
        if self.goes_on or self._tool is None:
            return []
        if not chunks:
            return [self.shown]
        travelling = {
            name: value for name, value in self.shown.additional_kwargs.items() if name == KEY
        }
        return [*self._said, self._stream.end(travelling)]

    def _decide(self, message: Any) -> None:
        """Go on with a round that brings back what the message asks for, or show the message."""
        asked = (
            retrievals(message) if self._tool is not None and isinstance(message, AIMessage) else []
        )
        self.goes_on = False
        if not asked:
            self.shown = message
            self._hide()
        elif other_calls(message):
            self.shown, removed = remove_retrievals(message)
            self._hide(
                removed=removed,
                answers=[retrieve_answer(call, self._found(call)) for call in asked],
            )
        else:
            self._answer(message, asked)

    def _answer(self, message: AIMessage, asked: Sequence[Any]) -> None:
        """Answer calls; after the last round only to say that there are no more, which leaves one request."""
        self._rounds += map(
            as_stored, [message, *(retrieve_answer(call, self._reply(call)) for call in asked)]
        )
        self._stream.next_round()
        self._answered += 1
        over = self._answered - self._max_rounds
        self.goes_on = over <= 1
        if over == 1:
            self.kwargs |= _calling_nothing(self._model, [self._tool])
        if over > 1:
            self.shown = _unanswered(message, _UNANSWERED.format(self._max_rounds))
            self._said = self._stream.seen(_as_chunk(self.shown))
            self._hide()

    def _reply(self, call: Mapping[str, Any]) -> str:
        if self._answered >= self._max_rounds:
            return _NO_MORE
        return self._found(call) + (_LAST if self._answered == self._max_rounds - 1 else "")

    def _found(self, call: Mapping[str, Any]) -> str:
        return handle_retrieve_call(call["args"] or {}, store=getattr(self._tool, "store", None))

    def _hide(self, **parts: Any) -> None:
        """Let what the caller is not shown travel with what it is shown."""
        if travelling := carried_data(
            self._rounds, shown=self._stream.shown, shown_kwargs=self._stream.shown_kwargs, **parts
        ):
            kwargs = {**self.shown.additional_kwargs, KEY: travelling}
            self.shown = self.shown.model_copy(update={"additional_kwargs": kwargs})


def _unanswered(message: AIMessage, text: str) -> AIMessage:
    """Return what is said in the place of an answer, in the form in which the model's messages are."""
    content: Any = [{"type": "text", "text": text}] if isinstance(message.content, list) else text
    said = {"content": content, "tool_calls": [], "invalid_tool_calls": [], "additional_kwargs": {}}
    return message.model_copy(update=said)


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    fields = ("content", "response_metadata", "usage_metadata", "id")
    return AIMessageChunk(**{field: getattr(message, field) for field in fields})


def leaves_a_choice(kwargs: Mapping[str, Any]) -> bool:
    """Return whether the model may call the tools it likes: not where the answer has to be of one form."""
    if kwargs.get("ls_structured_output_format") or (
        "response_format" in kwargs and not kwargs.get("tools")
    ):
        return False
    choice = kwargs.get("tool_choice")
    if isinstance(choice, Mapping):
        choice = choice.get("type") or next(iter(choice), None)
    return choice is None or choice in _OPEN


def _with_tools(
    model: Any, kwargs: Mapping[str, Any], more: Sequence[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """Return what to send with more tools among the caller's, and what was added: nothing where it is there."""
    tools = list(kwargs.get("tools") or ())
    if not more or declares_retrieval(tools):
        return dict(kwargs), []
    # A provider that reads answers of one form accepts strict tools alone.
    bound = _bound(model, more, **{"strict": True} if any(map(_is_strict, tools)) else {})
    added = bound.get("tools")
    if not isinstance(added, list):
        kind = type(model).__name__
        raise ConfigurationError(
            f"retrieve = True: bind_tools of {kind} binds no list of tools that could be added to; use retrieve=False, "
            "or HeadroomMiddleware in an agent",
            {"retrieve": True, "model": kind},
        )
    return {**bound, **kwargs, "tools": [*tools, *added]}, added


def _bound(model: Any, tools: Sequence[Any], **settings: Any) -> dict[str, Any]:
    """Return what a model's requests have beside the messages when tools are bound."""
    return dict(getattr(model.bind_tools(tools, **settings), "kwargs", {}))


def _calling_nothing(model: Any, tools: Sequence[Any]) -> dict[str, Any]:
    """Return what lets a model call no tool, as its provider writes that: empty where there is no such choice."""
    try:
        # Many take "none" for the name of a tool; "auto" shows how they write what is no name.
        written = _bound(model, tools, tool_choice="auto").get("tool_choice")
    except (TypeError, ValueError):
        return {}
    if written == "auto":
        return {"tool_choice": "none"}
    return {"tool_choice": {"type": "none"}} if written == {"type": "auto"} else {}


def _is_strict(tool: Any) -> bool:
    return bool(get_field(tool, "strict") or get_field(get_field(tool, "function"), "strict"))
