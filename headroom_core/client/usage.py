"""Token usage: reading it from providers' responses, and recording a request's in a ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from headroom_core._internal.checks import is_int
from headroom_core.dialects.access import get_field
from headroom_core.metrics.ledger import Ledger
from headroom_core.results import CompressResult, RequestMetrics
from headroom_core.tokens.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Usage:
    """Token usage of a response, as its provider reports it.

    Attributes:
        input_tokens: Input tokens, including those read from or written to the provider's cache.
        output_tokens: Output tokens, including thinking.
        cached_tokens: Input tokens that were read from the provider's cache.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(slots=True)
class _Response:
    """A response whose tokens are not yet added up.

    Attributes:
        usage: Usage that the provider reported. None if it has reported none so far.
        texts: Pieces of the response's text, to be counted if no usage is reported.
    """

    usage: Usage | None = None
    texts: list[str] = field(default_factory=list)


class UsageRecorder:
    """Records the token usage of one request of a caller, over all its rounds.

    Call `begin_round` before a request is sent, `add_response` with its response or with each
    piece of a stream, and `finish` in the end, also if a stream was closed early.

    Args:
        ledger: Ledger to record the request in.
        tokenizer: Tokenizer of the model that is called.
        added_tools: Declarations of tools that were added to every round. Their tokens count as
            sent.

    Example:
        >>> ledger = Ledger()
        >>> recorder = UsageRecorder(ledger, Tokenizer("gpt-4o"))
        >>> recorder.begin_round(CompressResult([], tokens_before=900, tokens_after=300))
        >>> recorder.add_response(usage=Usage(input_tokens=310, output_tokens=20))
        >>> recorder.finish().tokens_output
        20
        >>> ledger.get_summary()["total_tokens_saved"]
        600
    """

    def __init__(
        self, ledger: Ledger, tokenizer: Tokenizer, added_tools: Sequence[Any] = ()
    ) -> None:
        self._start = perf_counter()
        self._ledger = ledger
        self._tokenizer = tokenizer
        self._tool_tokens = tokenizer.count_text(json.dumps(added_tools)) if added_tools else 0
        self._first: CompressResult | None = None
        self._tokens_before = 0
        self._tokens_after = 0
        self._response = _Response()
        self._reported: Usage | None = None
        self._counted_tokens = 0
        self._is_answered = False

    def begin_round(self, result: CompressResult, *, added_tokens: int = 0) -> None:
        """Add the messages of a round that is about to be sent.

        Args:
            result: The compressed messages.
            added_tokens: Tokens of messages that are there only because something was retrieved,
                which a caller without compression would not have sent. Read in the first round
                only, since the input of later rounds consists of nothing else.
        """
        self.end_response()
        self._tokens_after += result.tokens_after + self._tool_tokens
        if self._first is None:
            self._first = result
            self._tokens_before = result.tokens_before - added_tokens

    def add_response(self, text: str = "", usage: Usage | None = None) -> None:
        """Add a round's response, or a piece of it.

        Args:
            text: Text of the response. It is counted if no usage is reported for the round.
            usage: Usage that the provider reports. That of several pieces is added up.
        """
        self._is_answered = True
        response = self._response
        if usage is not None:
            response.usage = usage if response.usage is None else response.usage + usage
        elif text:
            response.texts.append(text)

    def end_response(self) -> None:
        """Add up the tokens of a complete response.

        `begin_round` and `finish` do it too. Asynchronous callers may do it earlier in a thread,
        because counting a long text takes a while.
        """
        response, self._response = self._response, _Response()
        if response.usage is None:
            if response.texts:
                self._counted_tokens += self._tokenizer.count_text("".join(response.texts))
        elif self._reported is None:
            self._reported = response.usage
        else:
            self._reported += response.usage

    def finish(self) -> RequestMetrics | None:
        """Record the request and return its metrics; record nothing if no response arrived."""
        if self._first is None or not self._is_answered:
            return None
        self.end_response()
        reported = self._reported or Usage()
        return self._ledger.record(
            model=self._tokenizer.model,
            tokens_input_before=self._tokens_before,
            tokens_input_after=self._tokens_after,
            tokens_output=self._counted_tokens + reported.output_tokens,
            cached_tokens=reported.cached_tokens,
            cached_of=reported.input_tokens or None,
            transforms_applied=self._first.transforms_applied,
            latency_ms=(perf_counter() - self._start) * 1000,
        )


def read_usage(usage: Any) -> Usage | None:
    """Read usage as OpenAI, Anthropic, Google or Bedrock write it, None if it is in no such form.

    Args:
        usage: The usage in a provider's response, as a mapping or a pydantic object.

    Example:
        >>> details = {"cached_tokens": 64}
        >>> read_usage({
        ...     "prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": details,
        ... })
        Usage(input_tokens=100, output_tokens=20, cached_tokens=64)
        >>> read_usage({
        ...     "input_tokens": 36, "output_tokens": 20, "cache_read_input_tokens": 64,
        ... })
        Usage(input_tokens=100, output_tokens=20, cached_tokens=64)
    """
    if not usage:
        # Most chunks of a stream have no usage.
        return None
    for input_key, output_key, read in _FORMATS:
        counts = get_field(usage, input_key), get_field(usage, output_key)
        if any(is_int(count, minimum=0) for count in counts):
            return read(usage)
    return None


def _read_openai(usage: Any) -> Usage:
    details = get_field(usage, "prompt_tokens_details")
    return Usage(
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
    )


def _read_anthropic(usage: Any) -> Usage:
    """Read the usage of Anthropic, or of OpenAI's Responses, which share two names."""
    # Anthropic's input tokens exclude the cached ones, which OpenAI's include.
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    details = get_field(usage, "input_tokens_details")
    return Usage(
        input_tokens=_count(usage, "input_tokens") + read + written,
        output_tokens=_count(usage, "output_tokens"),
        cached_tokens=read or _count(details, "cached_tokens"),
    )


def _read_google(usage: Any) -> Usage:
    thoughts = _count(usage, "thoughts_token_count")
    return Usage(
        input_tokens=_count(usage, "prompt_token_count"),
        output_tokens=_count(usage, "candidates_token_count") + thoughts,
        cached_tokens=_count(usage, "cached_content_token_count"),
    )


def _read_bedrock(usage: Any) -> Usage:
    read = _count(usage, "cacheReadInputTokens")
    written = _count(usage, "cacheWriteInputTokens")
    return Usage(
        input_tokens=_count(usage, "inputTokens") + read + written,
        output_tokens=_count(usage, "outputTokens"),
        cached_tokens=read,
    )


_FORMATS: tuple[tuple[str, str, Callable[[Any], Usage]], ...] = (
    # OpenAI's form comes first: gateways that speak it add Anthropic's names to it.
    ("prompt_tokens", "completion_tokens", _read_openai),
    ("input_tokens", "output_tokens", _read_anthropic),
    ("prompt_token_count", "candidates_token_count", _read_google),
    ("inputTokens", "outputTokens", _read_bedrock),
)
"""The names of input and output tokens in each form, and the function that reads it."""


def _count(holder: Any, key: str) -> int:
    value = get_field(holder, key)
    return value if is_int(value, minimum=0) else 0
