"""Compression of a single tool result on arrival, without its whole conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.messages.tool import ToolOutputMixin

from headroom_core import CompressResult, HeadroomConfig
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.dialect import LangChainDialect

SAVINGS_KEY = "headroom"
"""Key of `response_metadata`, which is never sent to a model, that records a message's savings."""

_Answer = TypeVar("_Answer", bound=AIMessage)

_WINDOW_SETTINGS = ("rolling_window", "intelligent_context")


@dataclass(frozen=True, slots=True)
class ToolResultCompressor:
    """Compressor for the result of one tool call.

    It produces the same text as compressing the whole conversation, because a result depends only
    on its call and the last user message before it. The cost is that of the new message alone.
    Budgets and windows apply to conversations, so no message is dropped here.

    Attributes:
        compression: Settings for the compression. Tokens are counted for the model that made the
            call, if the message names it.
        call: Tool call that produced the result.
        history: Conversation up to and including the call, if known.

    Example:
        >>> from headroom_core.stores import MemoryStore
        >>> call = ToolCall(name="jobs", args={}, id="c1")
        >>> compressor = ToolResultCompressor(LangChainCompression(store=MemoryStore()), call)
        >>> rows = ",".join(f'{{"id": {n}, "state": "done"}}' for n in range(200))
        >>> message = compressor.compress(ToolMessage(f"[{rows}]", tool_call_id="c1"))
        >>> sorted(message.response_metadata["headroom"])
        ['characters', 'keys', 'tokens_after', 'tokens_before']
    """

    compression: LangChainCompression
    call: ToolCall
    history: Sequence[BaseMessage] = ()

    def compress(self, output: Any) -> Any:
        """Compress the tool messages in the output of a tool.

        Args:
            output: Tool message, LangGraph command, or list of both. Anything else is returned
                unchanged.

        Returns:
            The output, in which compressed messages are copies with a different content and their
            savings under `SAVINGS_KEY` in `response_metadata`.
        """
        if isinstance(output, ToolMessage):
            return self._compress_messages([output])[0]
        if isinstance(output, list):
            return [self.compress(item) for item in output]
        if isinstance(output, ToolOutputMixin):
            return self._compress_command(output)
        return output

    def _compress_command(self, command: Any) -> Any:
        # Duck-typed, because LangGraph, which defines `Command`, need not be installed.
        update = getattr(command, "update", None)
        if isinstance(update, list):
            return replace(command, update=self._compress_messages(update))
        if isinstance(update, Mapping):
            messages = update.get("messages")
            if isinstance(messages, list):
                compressed = self._compress_messages(messages)
                return replace(command, update={**update, "messages": compressed})
        return command

    def _compress_messages(self, messages: list[Any]) -> list[Any]:
        if not any(isinstance(message, ToolMessage) for message in messages):
            return messages
        calling_message = self._calling_message()
        question = self._last_user_message()
        context = [calling_message] if question is None else [question, calling_message]
        compression = replace(
            _without_limits(self.compression),
            model=_reported_model(calling_message) or self.compression.model,
        )
        result = compression.compress([*context, *messages])
        compressed = result.messages[len(context) :]
        return [
            _with_savings(before, after, result, index)
            for index, (before, after) in enumerate(
                zip(messages, compressed, strict=True), start=len(context)
            )
        ]

    def _last_user_message(self) -> BaseMessage | None:
        # Backwards and only as far as needed: the history may be long.
        for message in reversed(self.history):
            if isinstance(message, (AIMessage, ToolMessage)):
                continue
            if _has_user_text(message):
                return message
        return None

    def _calling_message(self) -> AIMessage:
        for message in reversed(self.history):
            if not isinstance(message, AIMessage):
                continue
            if any(call["id"] == self.call["id"] for call in message.tool_calls):
                return message
        return AIMessage("", tool_calls=[self.call])


def count_saved_tokens(messages: Iterable[Any]) -> int:
    """Count the tokens saved when the tool results among the messages arrived.

    A result whose content has changed since, for example because an edit cleared it, counts as 0.
    """
    saved = 0
    for message in messages:
        if not isinstance(message, ToolMessage):
            continue
        savings = message.response_metadata.get(SAVINGS_KEY)
        if savings and savings["characters"] == len(message.text):
            saved += savings["tokens_before"] - savings["tokens_after"]
    return saved


def given_keys(messages: Iterable[Any]) -> set[str]:
    """Return the keys in markers that messages were given, on arrival or in a request.

    They are in the metadata of the messages, which no tool's output can imitate.
    """
    return {
        key
        for message in messages
        if isinstance(message, (AIMessage, ToolMessage))
        for key in (message.response_metadata.get(SAVINGS_KEY) or {}).get("keys", ())
    }


def with_given_keys(message: _Answer, keys: Iterable[str]) -> _Answer:
    """Return the message with the keys that its request was given in its metadata."""
    metadata = {**message.response_metadata, SAVINGS_KEY: {"keys": list(keys)}}
    return message.model_copy(update={"response_metadata": metadata})


def _reported_model(message: AIMessage) -> str | None:
    """Return the name of the model that wrote a message, as reported by its provider."""
    for key in ("model_name", "model"):
        name = message.response_metadata.get(key)
        if isinstance(name, str) and name:
            return name
    return None


def _has_user_text(message: Any) -> bool:
    return any(block.kind == "user" for block in LangChainDialect().parse([message]).blocks)


def _without_limits(compression: LangChainCompression) -> LangChainCompression:
    """Return the settings without any limit on the size of the conversation."""
    config = compression.config or HeadroomConfig()
    update: dict[str, Any] = {
        name: getattr(config, name).model_copy(update={"enabled": False})
        for name in _WINDOW_SETTINGS
    }
    update["model_context_limits"] = {}
    return replace(compression, config=config.model_copy(update=update), token_budget=None)


def _with_savings(before: Any, after: Any, result: CompressResult, index: int) -> Any:
    """Return the compressed message with its savings in the metadata.

    Only tool messages are replaced; other messages of a command are returned as they were.
    """
    if after is before or not isinstance(before, ToolMessage):
        return before
    changes = [change for change in result.changes if change.message == index]
    # A message that was compressed before keeps the savings of that time.
    savings = {
        "tokens_before": sum(change.tokens_before for change in changes)
        + count_saved_tokens([before]),
        "tokens_after": sum(change.tokens_after for change in changes),
        "characters": len(after.text),
        "keys": [key for change in changes for key in change.keys],
    }
    metadata = {**after.response_metadata, SAVINGS_KEY: savings}
    return after.model_copy(update={"response_metadata": metadata})
