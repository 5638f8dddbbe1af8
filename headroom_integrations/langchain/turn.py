"""One request of a caller: what is sent for it, what comes back, and what that cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from headroom_core import Tokenizer, handle_retrieve_call
from headroom_core.metrics import Ledger
from headroom_core.paths import get
from headroom_core.results import CompressResult
from headroom_integrations.langchain.compression import Compression
from headroom_integrations.langchain.leaves import model_name
from headroom_integrations.langchain.passing import Passing, merged
from headroom_integrations.langchain.rounds import (
    KEY,
    answer,
    hidden,
    is_retrieval,
    other_calls,
    plain,
    restored,
    retrievals,
    stripped,
    taken_out,
)
from headroom_integrations.langchain.tools import retrieve_tools

_LAST = "\nheadroom_retrieve: this was the last call before your answer; go on with what is here"
_NO_MORE = "headroom_retrieve: no more can be asked for before your answer"
_OPEN = frozenset({"auto", "any", "required"})
"""The choices of a tool that leave the model a choice."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a model's requests are compressed and booked.

    Attributes:
        compression: how messages are compressed; its model is the one that is called.
        max_rounds: how often calls of the retrieve tool are answered in one request.
        ledger: where requests are booked.
    """

    compression: Compression = field(default_factory=Compression)
    max_rounds: int = 5
    ledger: Ledger = field(default_factory=Ledger)


class Turn:
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
        settings: Settings,
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
        self._left = settings.max_rounds
        self._messages = restored(messages) if tools else stripped(messages)
        self._rounds: list[BaseMessage] = []
        self._passing = Passing()
        self._unread: Any = None
        self.kwargs, added = _with_tools(model, kwargs, tools)
        self._bill = _Bill(settings.ledger, Tokenizer(name), added)
        self._given = messages

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *_: object) -> None:
        self._bill.record()

    def request(self) -> tuple[list[BaseMessage], RunnableConfig]:
        """Return the messages of the next round, and the config that says what compressing them saved."""
        result = self._compression.compressed([*self._messages, *self._rounds])
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
            return self._passing.seen(chunk)
        self._unread = chunk
        return []

    def ended(self) -> list[Any]:
        """Take in the end of a round's stream; return what the caller is shown in the end."""
        chunks = self._passing.chunks
        if not chunks:
            self._decide(self._unread)
            return [] if self._tool is None or self.goes_on else [self.shown]
        self._decide(message_chunk_to_message(merged(chunks)))
        if self.goes_on:
            self._passing.next_round()
            return []
        travelling = {name: value for name, value in self.shown.additional_kwargs.items() if name == KEY}
        return [self._passing.end(travelling)]

    def _decide(self, message: Any) -> None:
        """Go on with a round that brings back what the message asks for, or show the message."""
        asked = retrievals(message) if self._tool is not None and isinstance(message, AIMessage) else []
        others = bool(asked and other_calls(message))
        self.goes_on = bool(asked) and not others and self._left > 0
        if self.goes_on:
            self._left -= 1
            last = "" if self._left else _LAST
            answers = [answer(call, self._found(call) + last) for call in asked]
            self._rounds += map(plain, [message, *answers])
        elif asked:
            answers = [answer(call, self._found(call) if others else _NO_MORE) for call in asked]
            self.shown, removed = taken_out(message)
            self._hide(removed=removed, answers=answers)
        else:
            self.shown = message
            self._hide()

    def _found(self, call: Mapping[str, Any]) -> str:
        return handle_retrieve_call(call["args"] or {}, store=getattr(self._tool, "store", None))

    def _hide(self, **parts: Any) -> None:
        """Let what the caller is not shown travel with what it is shown."""
        if travelling := hidden(self._rounds, shown=self._passing.shown, **parts):
            kwargs = {**self.shown.additional_kwargs, KEY: travelling}
            self.shown = self.shown.model_copy(update={"additional_kwargs": kwargs})


class _Bill:
    """What a request costs.

    Args:
        ledger: where it is booked.
        tokenizer: counts tokens.
        added: the tools that were added to every round.

    Attributes:
        usage: what the provider said of all answers so far.
    """

    def __init__(self, ledger: Ledger, tokenizer: Tokenizer, added: Sequence[Any]) -> None:
        self.usage: UsageMetadata | None = None
        self._began = perf_counter()
        self._ledger = ledger
        self._tokenizer = tokenizer
        self._schema = tokenizer.count_text(json.dumps(added)) if added else 0
        self._first: CompressResult | None = None
        self._before = self._after = self._output = 0
        self._came = False

    def sent(self, result: CompressResult, given: list[BaseMessage], restored: list[BaseMessage]) -> None:
        """Add a round: what was sent, for messages that a caller gave, and those with what it never had to send."""
        self._after += result.tokens_after + self._schema
        if self._first is None:
            self._first = result
            count = self._tokenizer.count_messages
            self._before = result.tokens_before + (count(given) - count(restored) if len(given) < len(restored) else 0)

    def came(self, message: Any) -> None:
        """Add an answer, or a piece of one."""
        self._came = True
        if usage := getattr(message, "usage_metadata", None):
            self.usage = add_usage(self.usage, usage)
        elif isinstance(message, AIMessage):
            self._output += self._tokenizer.count_text(str(message.text))

    def record(self) -> None:
        """Book what was sent, if anything of an answer came."""
        if self._first is None or not self._came:
            return
        usage: Mapping[str, Any] = self.usage or {}
        self._ledger.record(
            model=self._tokenizer.model,
            tokens_input_before=self._before,
            tokens_input_after=self._after,
            tokens_output=usage.get("output_tokens", self._output),
            cached_tokens=(usage.get("input_token_details") or {}).get("cache_read") or 0,
            cached_of=usage.get("input_tokens"),
            transforms_applied=self._first.transforms_applied,
            latency_ms=(perf_counter() - self._began) * 1000,
        )


def leaves_a_choice(kwargs: Mapping[str, Any]) -> bool:
    """Return whether the model may call the tools it likes: not where the answer has to be of one form."""
    if kwargs.get("ls_structured_output_format") or ("response_format" in kwargs and not kwargs.get("tools")):
        return False
    choice = kwargs.get("tool_choice")
    if isinstance(choice, Mapping):
        choice = choice.get("type") or next(iter(choice), None)
    return choice is None or choice in _OPEN


def _with_tools(model: Any, kwargs: Mapping[str, Any], more: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return what to send with more tools among the caller's, and what was added: nothing where it is there."""
    tools = list(kwargs.get("tools") or ())
    if not more or any(map(is_retrieval, tools)):
        return dict(kwargs), []
    # A provider that reads answers of one form accepts strict tools alone.
    strict = {"strict": True} if any(map(_is_strict, tools)) else {}
    bound = model.bind_tools(more, **strict)
    added = bound.kwargs["tools"]
    return {**bound.kwargs, **kwargs, "tools": [*tools, *added]}, added


def _is_strict(tool: Any) -> bool:
    return bool(get(tool, "strict") or get(get(tool, "function"), "strict"))
