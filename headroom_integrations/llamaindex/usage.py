"""Recording the token usage of a language model's requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ToolCallBlock,
)

from headroom_core import CompressResult, TokenizationError, Tokenizer
from headroom_core.adapters import (
    ToolCall,
    Usage,
    UsageRecorder,
    as_items,
    compact_json,
    get_field,
    is_retrieve_tool,
    read_usage,
)
from headroom_integrations.llamaindex.compression import LlamaIndexCompression

_Response = TypeVar("_Response", ChatResponse, CompletionResponse)


def record_response(recorder: UsageRecorder, response: Any) -> None:
    """Record a complete response.

    Args:
        recorder: Recorder of the request.
        response: A chat or completion response. Of anything else no tokens are counted.
    """
    _finish(recorder, response, read_response_usage(response))


def record_stream(
    recorder: UsageRecorder, chunks: Iterable[_Response]
) -> Generator[_Response, None, None]:
    """Yield the chunks of a stream and record it when it ends or is closed.

    A stream of which no chunk arrived is not recorded.
    """
    usage, last = None, None
    try:
        for chunk in chunks:
            usage, last = _latest_usage(usage, chunk), chunk
            yield chunk
    finally:
        if isinstance(chunks, Generator):
            chunks.close()
        # The last chunk has the text of all chunks.
        if last is not None:
            _finish(recorder, last, usage)


async def arecord_stream(
    recorder: UsageRecorder, chunks: AsyncIterable[_Response]
) -> AsyncGenerator[_Response, None]:
    """Yield the chunks of an asynchronous stream and record it when it ends or is closed."""
    usage, last = None, None
    try:
        async for chunk in chunks:
            usage, last = _latest_usage(usage, chunk), chunk
            yield chunk
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
        # The last chunk has the text of all chunks.
        if last is not None:
            _finish(recorder, last, usage)


def _finish(recorder: UsageRecorder, response: Any, usage: Usage | None) -> None:
    text = _response_text(response) if usage is None else ""
    recorder.add_response(text, usage)
    recorder.finish()


def read_response_usage(response: Any) -> Usage | None:
    """Return the usage that a provider reports in a response or a chunk of one, None if none.

    LlamaIndex has no format of its own: usage stands in the provider's response, or in the response
    inside a stream's event (Anthropic's `message`, OpenAI's `response`), or, as OpenAI names it,
    in `additional_kwargs`.

    Example:
        >>> message = ChatMessage("yes", role="assistant")
        >>> raw = {"usage": {"input_tokens": 100, "output_tokens": 20}}
        >>> read_response_usage(ChatResponse(message=message, raw=raw))
        Usage(input_tokens=100, output_tokens=20, cached_tokens=0)
    """
    if not isinstance(response, ChatResponse | CompletionResponse):
        return None
    raw = response.raw
    if raw is None:
        return read_usage(response.additional_kwargs)
    return (
        _read_raw_usage(raw)
        or _read_raw_usage(get_field(raw, "message"))
        or _read_raw_usage(get_field(raw, "response"))
        or read_usage(response.additional_kwargs)
    )


def _read_raw_usage(raw: Any) -> Usage | None:
    """Read the usage in a provider's response; Google names the field differently."""
    if raw is None:
        return None
    return read_usage(get_field(raw, "usage")) or read_usage(get_field(raw, "usage_metadata"))


def _latest_usage(usage: Usage | None, chunk: Any) -> Usage | None:
    """Return the usage of a stream up to a chunk.

    Providers report totals: once in the last chunk, in every chunk, or, as Anthropic does, input
    in the first and output in the last. The greatest number is right in all these cases.
    """
    reported = read_response_usage(chunk)
    if usage is None or reported is None:
        return usage if reported is None else reported
    return Usage(
        max(usage.input_tokens, reported.input_tokens),
        max(usage.output_tokens, reported.output_tokens),
        max(usage.cached_tokens, reported.cached_tokens),
    )


def count_retrieval_tokens(
    messages: Sequence[ChatMessage], result: CompressResult, tokenizer: Tokenizer
) -> int:
    """Count the tokens of messages that are there only because something was retrieved.

    Args:
        messages: The messages of a request, before compression.
        result: The same messages, compressed.
        tokenizer: Tokenizer of the model that is called.

    Returns:
        The tokens of retrieve calls and their answers. If the last call of the model was to
        retrieve, all tokens of the request, because it would not have been made. Messages that
        cannot be counted count nothing.
    """
    call_ids: set[str | None] = set()
    retrieved: list[ChatMessage] = []
    ends_in_retrieval = False
    for message in messages:
        if message.role.value in ("tool", "function"):
            if message.additional_kwargs.get("tool_call_id") in call_ids:
                retrieved.append(message)
            continue
        calls = _read_tool_calls(message)
        retrieve_calls = [call for call in calls if is_retrieve_tool(call.name)]
        call_ids.update(call.id for call in retrieve_calls)
        ends_in_retrieval = bool(calls) and len(retrieve_calls) == len(calls)
        if ends_in_retrieval:
            retrieved.append(message)
    if ends_in_retrieval:
        return result.tokens_before
    with suppress(TokenizationError):
        return sum(tokenizer.count_each(retrieved, LlamaIndexCompression.dialect))
    return 0


def _response_text(response: Any) -> str:
    """Return the text of a response, with the calls that the model wrote."""
    if isinstance(response, CompletionResponse):
        return response.text
    if not isinstance(response, ChatResponse):
        return ""
    parts = [response.message.content or ""]
    for call in _read_tool_calls(response.message):
        arguments = call.arguments
        parts += [
            call.name or "",
            arguments if isinstance(arguments, str) else compact_json(arguments) or "",
        ]
    return "\n".join(parts)


def _read_tool_calls(message: ChatMessage) -> list[ToolCall]:
    """Return a message's calls, in blocks or, in OpenAI's form, in `additional_kwargs`."""
    calls = [
        ToolCall(block.tool_call_id, block.tool_name, block.tool_kwargs)
        for block in message.blocks
        if isinstance(block, ToolCallBlock)
    ]
    if calls:
        return calls
    for call in as_items(message.additional_kwargs.get("tool_calls")):
        function = get_field(call, "function") or call
        arguments = get_field(function, "arguments") or ""
        calls.append(ToolCall(get_field(call, "id"), get_field(function, "name"), arguments))
    return calls
