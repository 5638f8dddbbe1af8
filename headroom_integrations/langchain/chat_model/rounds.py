"""One request of a caller: its messages, its rounds, and the answer that the caller sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from headroom_core import Tokenizer
from headroom_core.adapters import (
    Ledger,
    RetrieveChoice,
    RetrieveRounds,
    RoundDecision,
    RoundStep,
    Usage,
    UsageRecorder,
    check_max_rounds,
    check_retrieve,
)
from headroom_integrations.langchain.chat_model.binding import (
    add_tools,
    forbid_calls,
    offers_retrieval,
)
from headroom_integrations.langchain.chat_model.carried import (
    HEADROOM_KEY,
    build_carried,
    read_tool_calls,
    remove_retrieve_calls,
    restore_carried,
    retrieve_message,
    roundtrip_message,
    strip_carried,
)
from headroom_integrations.langchain.chat_model.inner import model_name
from headroom_integrations.langchain.chat_model.stream import VisibleStream, merge_chunks
from headroom_integrations.langchain.compression import LangChainCompression
from headroom_integrations.langchain.tool_results import given_keys, with_given_keys
from headroom_integrations.langchain.tools import retrieve_tools

UNKNOWN_MODEL = "the model that is called"
"""Placeholder for a model's name that is not known before a request."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """How a model's requests are compressed and recorded.

    Attributes:
        compression: How messages are compressed. Its `model` and `retrieve` are replaced for each
            request.
        retrieve: Whether the model is offered the retrieve tool; with "auto" beside other tools.
        max_rounds: Maximum number of rounds in which retrieve calls are answered in one request.
        ledger: Ledger to record requests in.

    Raises:
        ConfigurationError: `max_rounds` is not an integer of at least 1, or `retrieve` is neither a
            boolean nor "auto".
    """

    compression: LangChainCompression = field(
        default_factory=lambda: LangChainCompression(UNKNOWN_MODEL)
    )
    retrieve: RetrieveChoice = False
    max_rounds: int = 5
    ledger: Ledger = field(default_factory=Ledger)

    def __post_init__(self) -> None:
        check_max_rounds(self.max_rounds)
        check_retrieve(self.retrieve, sees_tools=True)


class CompressedRequest:
    """One request of a caller, and the rounds that it takes to answer it.

    It sends nothing: `CompressedModel` sends each round in its own way. As a context manager it
    records the request's metrics at the end, if any part of a response arrived.

    Args:
        model: The model, or a runnable around one, that is called.
        settings: How messages are compressed and recorded.
        messages: The caller's messages.
        config: The caller's config.
        kwargs: The caller's other arguments.
        can_retrieve: Whether this way of calling the model can answer retrieve calls.

    Attributes:
        kwargs: Arguments to send besides the messages.
        continues: Whether another round has to be sent.
        shown: The message that the caller is shown. None until it is known.
    """

    def __init__(
        self,
        model: Any,
        settings: RoundSettings,
        messages: list[BaseMessage],
        config: RunnableConfig | None,
        *,
        kwargs: Mapping[str, Any],
        can_retrieve: bool = True,
    ) -> None:
        self.continues = True
        self.shown: Any = None
        is_offered = can_retrieve and offers_retrieval(settings.retrieve, kwargs)
        tools = retrieve_tools(replace(settings.compression, retrieve=is_offered))
        self._tools = tools
        self._rounds = RetrieveRounds(
            settings.max_rounds, store=tools[0].store if tools else None, is_offered=bool(tools)
        )
        name = kwargs.get("model")
        if not (isinstance(name, str) and name):
            name = model_name(model)
        self._compression = replace(settings.compression, model=name, retrieve=bool(tools))
        self._tokenizer = Tokenizer(name)
        self._config = ensure_config(config)
        self._model = model
        self._given = messages
        self._messages = restore_carried(messages) if tools else strip_carried(messages)
        self._round_messages: list[BaseMessage] = []
        self._stream = VisibleStream()
        self._last_chunks: list[AIMessageChunk] = []
        self._new_keys: dict[str, None] = {}
        self._unmergeable: Any = None
        self.kwargs, added = add_tools(model, kwargs, tools)
        self._recorder = UsageRecorder(settings.ledger, self._tokenizer, added)

    def __enter__(self) -> CompressedRequest:
        return self

    def __exit__(self, *_: object) -> None:
        self._recorder.finish()

    def next_round(self) -> tuple[list[BaseMessage], RunnableConfig]:
        """Compress the messages of the next round.

        Returns:
            The messages to send, and the config, whose metadata say how many tokens were saved.
        """
        result = self._compression.compress(
            [*self._messages, *self._round_messages], tools=self.kwargs.get("tools")
        )
        known = given_keys(self._messages)
        self._new_keys |= dict.fromkeys(key for key in result.ccr_hashes if key not in known)
        self._rounds.allowed = {*known, *self._new_keys}
        is_first = not self._round_messages
        self._recorder.begin_round(
            result, added_tokens=self._count_restored_tokens() if is_first else 0
        )
        saved = {"tokens_before": result.tokens_before, "tokens_after": result.tokens_after}
        metadata = {**self._config.get("metadata", {}), HEADROOM_KEY: saved}
        return result.messages, {**self._config, "metadata": metadata}

    def receive(self, message: Any) -> None:
        """Take in a round's response."""
        self._add_usage(message)
        self._recorder.end_response()
        self._decide(message)

    def receive_chunk(self, chunk: Any) -> list[Any]:
        """Take in a piece of a streamed response and return the pieces to show for it now."""
        self._add_usage(chunk)
        if not self._tools:
            return [chunk]
        if isinstance(chunk, AIMessageChunk):
            return self._stream.receive(chunk)
        self._unmergeable = chunk
        return []

    def end_stream(self) -> list[Any]:
        """Take in the end of a streamed response and return the last pieces to show."""
        self._recorder.end_response()
        chunks = self._stream.chunks
        self._decide(
            message_chunk_to_message(merge_chunks(chunks)) if chunks else self._unmergeable
        )
        if self.continues or not self._tools:
            return []
        if not chunks:
            return [self.shown]
        carried = {
            name: value
            for name, value in self.shown.additional_kwargs.items()
            if name == HEADROOM_KEY
        }
        last = self._stream.finish(carried)
        return [*self._last_chunks, self._note_keys(last)]

    def _count_restored_tokens(self) -> int:
        """Count the tokens that only carried messages add to those of the caller."""
        if len(self._given) >= len(self._messages):
            return 0
        count = self._tokenizer.count_messages
        return count(self._messages) - count(self._given)

    def _add_usage(self, message: Any) -> None:
        metadata = getattr(message, "usage_metadata", None)
        if metadata:
            details = metadata.get("input_token_details") or {}
            usage = Usage(
                input_tokens=metadata["input_tokens"],
                output_tokens=metadata["output_tokens"],
                cached_tokens=details.get("cache_read") or 0,
            )
            self._recorder.add_response(usage=usage)
        else:
            text = str(message.text) if isinstance(message, AIMessage) else ""
            self._recorder.add_response(text)

    def _decide(self, message: Any) -> None:
        """Answer the response's retrieve calls with another round, or show the response."""
        calls = read_tool_calls(message) if isinstance(message, AIMessage) else []
        decision = self._rounds.decide(calls)
        self.continues = decision.continues
        if decision.step is RoundStep.SHOW:
            self.shown = message
            self._carry()
        elif decision.step is RoundStep.SHOW_OTHER_CALLS:
            self.shown, removed = remove_retrieve_calls(message)
            self._carry(removed=removed, answers=_answer_messages(decision))
        else:
            self._add_round(message, decision)

    def _add_round(self, message: AIMessage, decision: RoundDecision) -> None:
        self._round_messages += map(roundtrip_message, [message, *_answer_messages(decision)])
        self._stream.next_round()
        if decision.step is RoundStep.LAST_REQUEST:
            self.kwargs |= forbid_calls(self._model, self._tools)
        elif decision.step is RoundStep.GIVE_UP:
            self.shown = _replace_response(message, decision.text)
            self._last_chunks = self._stream.receive(_as_chunk(self.shown))
            self._carry()

    def _carry(self, **parts: Any) -> None:
        """Let the shown message carry everything that the caller does not see."""
        carried = build_carried(
            self._round_messages,
            shown=self._stream.earlier_content,
            shown_kwargs=self._stream.earlier_kwargs,
            **parts,
        )
        if carried:
            kwargs = {**self.shown.additional_kwargs, HEADROOM_KEY: carried}
            self.shown = self.shown.model_copy(update={"additional_kwargs": kwargs})
        self.shown = self._note_keys(self.shown)

    def _note_keys(self, message: Any) -> Any:
        """Note in the shown message which keys were given, for requests from which they are cut."""
        if self._tools and self._new_keys and isinstance(message, AIMessage):
            return with_given_keys(message, self._new_keys)
        return message


def _answer_messages(decision: RoundDecision) -> list[BaseMessage]:
    return [retrieve_message(answer.call, answer.text) for answer in decision.answers]


def _replace_response(message: AIMessage, text: str) -> AIMessage:
    """Return a text instead of a response, with content of the type that the model uses."""
    content: Any = [{"type": "text", "text": text}] if isinstance(message.content, list) else text
    update = {
        "content": content,
        "tool_calls": [],
        "invalid_tool_calls": [],
        "additional_kwargs": {},
    }
    return message.model_copy(update=update)


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    fields = ("content", "response_metadata", "usage_metadata", "id")
    return AIMessageChunk(**{field: getattr(message, field) for field in fields})
