"""Calling a model with compressed messages, in each of LangChain's ways."""

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

from headroom_integrations.langchain.chat_model.carried import KEY
from headroom_integrations.langchain.chat_model.rounds import (
    RetrieveRounds,
    RoundSettings,
    leaves_a_choice,
)

_Chunks: TypeAlias = AsyncGenerator[Any, None]
_RUN = "headroom"
"""What a trace calls the run around the rounds of a request."""


@dataclass(frozen=True, slots=True)
class CompressedModel:
    """Calls a model with compressed messages, and answers its calls of the retrieve tool.

    Attributes:
        model: a chat model, or any runnable that takes messages, as far as it offers these ways.
        settings: how.
    """

    model: Any
    settings: RoundSettings

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Return the model's answer."""
        if not self._may_retrieve(kwargs):
            return self._answer(input, config or {}, **kwargs)
        return self._grouped().invoke(input, config, **kwargs)

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Return the model's answer; the event loop goes on meanwhile."""
        if not self._may_retrieve(kwargs):
            return await self._aanswer(input, config or {}, **kwargs)
        return await self._grouped().ainvoke(input, config, **kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """Yield the model's answer as it comes."""
        if not self._may_retrieve(kwargs):
            return self._chunks(iter([input]), config or {}, **kwargs)
        return self._grouped_chunks().stream(input, config, **kwargs)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """Yield the model's answer as it comes; the event loop goes on meanwhile."""
        chunks: Any
        if self._may_retrieve(kwargs):
            chunks = self._grouped_chunks().astream(input, config, **kwargs)
        else:
            chunks = self._achunks(_once(input), config or {}, **kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    def _may_retrieve(self, kwargs: dict[str, Any]) -> bool:
        """Return whether there may be several requests; they have to share a run, which events belong to."""
        return self.settings.compression.retrieve and leaves_a_choice(kwargs)

    def _grouped(self) -> Runnable[Any, Any]:
        return RunnableLambda(self._answer, self._aanswer, _RUN)

    def _grouped_chunks(self) -> Runnable[Any, Any]:
        chunks: Any = self._chunks
        achunks: Any = self._achunks
        return RunnableGenerator(chunks, achunks, name=_RUN)

    def _answer(self, input: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        with self._exchange(input, config, kwargs) as exchange:
            while exchange.goes_on:
                messages, sent = exchange.request()
                exchange.take(self.model.invoke(messages, sent, **exchange.kwargs))
        return exchange.shown

    async def _aanswer(self, input: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        with await run_in_executor(None, self._exchange, input, config, kwargs) as exchange:
            while exchange.goes_on:
                messages, sent = await run_in_executor(None, exchange.request)
                answer = await self.model.ainvoke(messages, sent, **exchange.kwargs)
                await run_in_executor(None, exchange.take, answer)
        return exchange.shown

    def _chunks(
        self, inputs: Iterator[Any], config: RunnableConfig, **kwargs: Any
    ) -> Iterator[Any]:
        for input in inputs:
            with self._exchange(input, config, kwargs) as exchange:
                while exchange.goes_on:
                    messages, sent = exchange.request()
                    for chunk in self.model.stream(messages, sent, **exchange.kwargs):
                        yield from exchange.seen(chunk)
                    yield from exchange.ended()

    async def _achunks(
        self, inputs: AsyncIterator[Any], config: RunnableConfig, **kwargs: Any
    ) -> _Chunks:
        async for input in inputs:
            with await run_in_executor(None, self._exchange, input, config, kwargs) as exchange:
                while exchange.goes_on:
                    messages, sent = await run_in_executor(None, exchange.request)
                    async for chunk in self.model.astream(messages, sent, **exchange.kwargs):
                        for seen in exchange.seen(chunk):
                            yield seen
                    for last in await run_in_executor(None, exchange.ended):
                        yield last

    def generate(
        self, messages: Sequence[Sequence[BaseMessage]], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """Return what the model generates, of each list of messages; the retrieve tool is not offered."""
        exchanges, sent, kwargs = self._generating(messages, kwargs)
        result: LLMResult = self.model.generate(sent, *args, **kwargs)
        return _booked(exchanges, result)

    async def agenerate(
        self, messages: Sequence[Sequence[BaseMessage]], *args: Any, **kwargs: Any
    ) -> LLMResult:
        """Do what `generate` does; the event loop goes on meanwhile."""
        exchanges, sent, kwargs = await run_in_executor(None, self._generating, messages, kwargs)
        result: LLMResult = await self.model.agenerate(sent, *args, **kwargs)
        return await run_in_executor(None, _booked, exchanges, result)

    def stream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None, **kwargs: Any
    ) -> Any:
        """Return the model's stream of typed events (version 3); the retrieve tool is not offered."""
        messages, sent, kwargs = self._typed(input, config, kwargs)
        return self.model.stream_events(messages, sent, **kwargs)

    async def astream_events(
        self, input: LanguageModelInput, config: RunnableConfig | None, **kwargs: Any
    ) -> Any:
        """Do what `stream_events` does; the event loop goes on meanwhile."""
        messages, sent, kwargs = await run_in_executor(None, self._typed, input, config, kwargs)
        return await self.model.astream_events(messages, sent, **kwargs)

    def _exchange(
        self,
        input: Any,
        config: RunnableConfig | None,
        kwargs: dict[str, Any],
        retrieve: bool = True,
    ) -> RetrieveRounds:
        return RetrieveRounds(self.model, self.settings, _messages(input), config, kwargs, retrieve)

    def _typed(
        self, input: Any, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> tuple[Any, Any, Any]:
        exchange = self._exchange(input, config, kwargs, retrieve=False)
        messages, sent = exchange.request()
        return messages, merge_configs(sent, {"callbacks": [_Booking(exchange)]}), exchange.kwargs

    def _generating(
        self, lists: Sequence[Sequence[BaseMessage]], kwargs: dict[str, Any]
    ) -> tuple[Any, Any, Any]:
        exchanges = [self._exchange(messages, None, kwargs, retrieve=False) for messages in lists]
        requests = [exchange.request() for exchange in exchanges]
        saved = [config["metadata"][KEY] for _, config in requests]
        total = {
            name: sum(one[name] for one in saved) for name in ("tokens_before", "tokens_after")
        }
        metadata = {**(kwargs.get("metadata") or {}), KEY: total}
        return exchanges, [messages for messages, _ in requests], {**kwargs, "metadata": metadata}


class _Booking(BaseCallbackHandler):
    """Books a request when its answer has come."""

    def __init__(self, exchange: RetrieveRounds) -> None:
        self._exchange = exchange

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """Take the answer in."""
        _booked([self._exchange], response)


def _booked(exchanges: Sequence[RetrieveRounds], result: LLMResult) -> LLMResult:
    for exchange, generations in zip(exchanges, result.generations, strict=True):
        with exchange:
            exchange.take(getattr(generations[0], "message", None))
    return result


def _messages(input: LanguageModelInput) -> list[BaseMessage]:
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


async def _once(input: Any) -> _Chunks:
    yield input
