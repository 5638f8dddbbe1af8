"""Calling a model with compressed messages, in each way that LangChain offers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.outputs import LLMResult
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.runnables.config import merge_configs, run_in_executor

from headroom_integrations.langchain.chat_model.binding import offers_retrieval
from headroom_integrations.langchain.chat_model.carried import HEADROOM_KEY
from headroom_integrations.langchain.chat_model.rounds import CompressedRequest, RoundSettings

_Chunks: TypeAlias = AsyncGenerator[Any, None]

_RUN_NAME = "headroom"
"""Name that traces show for the run around the rounds of a request."""


@dataclass(frozen=True, slots=True)
class CompressedModel:
    """Calls a model with compressed messages and answers its retrieve calls.

    Attributes:
        model: A chat model, or any runnable that takes messages. It must have the methods that
            are called here.
        settings: How messages are compressed and recorded.
    """

    model: Any
    settings: RoundSettings

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Return the model's answer."""
        if not self._may_retrieve(kwargs):
            return self._answer(input, config or {}, **kwargs)
        return self._group_answer().invoke(input, config, **kwargs)

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Return the model's answer; messages are compressed in a thread."""
        if not self._may_retrieve(kwargs):
            return await self._aanswer(input, config or {}, **kwargs)
        return await self._group_answer().ainvoke(input, config, **kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Yield the model's answer as it arrives."""
        if not self._may_retrieve(kwargs):
            return self._chunks(iter([input]), config or {}, **kwargs)
        return self._group_chunks().stream(input, config, **kwargs)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Yield the model's answer as it arrives; messages are compressed in a thread."""
        chunks: Any
        if self._may_retrieve(kwargs):
            chunks = self._group_chunks().astream(input, config, **kwargs)
        else:
            chunks = self._achunks(_yield_once(input), config or {}, **kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _may_retrieve(self, kwargs: dict[str, Any]) -> bool:
        """Return whether a request may take several rounds.

        The rounds then have to share a run, to show in traces and events that they belong
        together.
        """
        return offers_retrieval(self.settings.retrieve, kwargs)

    def _group_answer(self) -> Runnable[Any, Any]:
        return RunnableLambda(self._answer, self._aanswer, _RUN_NAME)

    def _group_chunks(self) -> Runnable[Any, Any]:
        chunks: Any = self._chunks
        achunks: Any = self._achunks
        return RunnableGenerator(chunks, achunks, name=_RUN_NAME)

    def _answer(self, input: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        with self._new_request(input, config, kwargs) as request:
            while request.continues:
                messages, round_config = request.next_round()
                request.receive(self.model.invoke(messages, round_config, **request.kwargs))
        return request.shown

    async def _aanswer(self, input: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        with await run_in_executor(
            None, self._new_request, input, config, kwargs=kwargs
        ) as request:
            while request.continues:
                messages, round_config = await run_in_executor(None, request.next_round)
                response = await self.model.ainvoke(messages, round_config, **request.kwargs)
                await run_in_executor(None, request.receive, response)
        return request.shown

    def _chunks(
        self, inputs: Iterator[Any], config: RunnableConfig, **kwargs: Any
    ) -> Iterator[Any]:
        for input in inputs:
            with self._new_request(input, config, kwargs) as request:
                while request.continues:
                    messages, round_config = request.next_round()
                    for chunk in self.model.stream(messages, round_config, **request.kwargs):
                        yield from request.receive_chunk(chunk)
                    yield from request.end_stream()

    async def _achunks(
        self, inputs: AsyncIterator[Any], config: RunnableConfig, **kwargs: Any
    ) -> _Chunks:
        async for input in inputs:
            with await run_in_executor(
                None, self._new_request, input, config, kwargs=kwargs
            ) as request:
                while request.continues:
                    messages, round_config = await run_in_executor(None, request.next_round)
                    chunks = self.model.astream(messages, round_config, **request.kwargs)
                    async for chunk in chunks:
                        for visible in request.receive_chunk(chunk):
                            yield visible
                    for last in await run_in_executor(None, request.end_stream):
                        yield last

    def generate(
        self, messages: Sequence[Sequence[BaseMessage]], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """Generate an answer to each list of messages; the retrieve tool is not offered."""
        requests, compressed, kwargs = self._prepare_generate(messages, kwargs)
        result: LLMResult = self.model.generate(compressed, *args, **kwargs)
        return _record(requests, result)

    async def agenerate(
        self, messages: Sequence[Sequence[BaseMessage]], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """Generate as `generate` does; messages are compressed in a thread."""
        requests, compressed, kwargs = await run_in_executor(
            None, self._prepare_generate, messages, kwargs
        )
        result: LLMResult = await self.model.agenerate(compressed, *args, **kwargs)
        return await run_in_executor(None, _record, requests, result)

    def stream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None, **kwargs: Any
    ) -> Any:
        """Return the model's stream of typed events (version 3); no retrieve tool is offered."""
        messages, config, kwargs = self._prepare_events(input, config, kwargs)
        return self.model.stream_events(messages, config, **kwargs)

    async def astream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None, **kwargs: Any
    ) -> Any:
        """Stream as `stream_events` does; messages are compressed in a thread."""
        messages, config, kwargs = await run_in_executor(
            None, self._prepare_events, input, config, kwargs=kwargs
        )
        return await self.model.astream_events(messages, config, **kwargs)

    def _new_request(
        self,
        input: Any,
        config: RunnableConfig | None,
        kwargs: dict[str, Any],
        can_retrieve: bool = True,
    ) -> CompressedRequest:
        return CompressedRequest(
            self.model,
            self.settings,
            _read_messages(input),
            config,
            kwargs=kwargs,
            can_retrieve=can_retrieve,
        )

    def _prepare_events(
        self, input: Any, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> tuple[Any, Any, Any]:
        """Return the messages, config and arguments with which the model streams events."""
        request = self._new_request(input, config, kwargs, can_retrieve=False)
        messages, round_config = request.next_round()
        round_config = merge_configs(round_config, {"callbacks": [_RecordingCallback(request)]})
        return messages, round_config, request.kwargs

    def _prepare_generate(
        self, lists: Sequence[Sequence[BaseMessage]], kwargs: dict[str, Any]
    ) -> tuple[Any, Any, Any]:
        """Return the requests, their compressed messages, and the arguments of `generate`."""
        requests = [
            self._new_request(messages, None, kwargs, can_retrieve=False) for messages in lists
        ]
        rounds = [request.next_round() for request in requests]
        saved = [config["metadata"][HEADROOM_KEY] for _, config in rounds]
        total = {
            name: sum(tokens[name] for tokens in saved)
            for name in ("tokens_before", "tokens_after")
        }
        metadata = {**(kwargs.get("metadata") or {}), HEADROOM_KEY: total}
        return requests, [messages for messages, _ in rounds], {**kwargs, "metadata": metadata}


class _RecordingCallback(BaseCallbackHandler):
    """Callback that records a request when its answer is complete."""

    def __init__(self, request: CompressedRequest) -> None:
        self._request = request

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Record the answer."""
        _record([self._request], response)


def _record(requests: Sequence[CompressedRequest], result: LLMResult) -> LLMResult:
    for request, generations in zip(requests, result.generations, strict=True):
        with request:
            request.receive(getattr(generations[0], "message", None))
    return result


def _read_messages(input: LanguageModelInput) -> list[BaseMessage]:
    if isinstance(input, PromptValue):
        return input.to_messages()
    if isinstance(input, str):
        return [HumanMessage(input)]
    if isinstance(input, Sequence):
        return convert_to_messages(input)
    kind = type(input).__name__
    raise ValueError(
        f"the input is of type {kind}: expected a prompt value, a string or a list of messages"
    )


async def _yield_once(input: Any) -> _Chunks:
    yield input
