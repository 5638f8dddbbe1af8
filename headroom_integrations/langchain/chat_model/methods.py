"""The public methods of chat models that compress what they are sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig

from headroom_core.adapters import MetricsMixin
from headroom_integrations.langchain.chat_model.inner import Compressing


class Delegating(MetricsMixin, Compressing):
    """Hands every request to `caller`."""

    def caller(self, config: RunnableConfig | None = None) -> Any:
        """Return what sends requests, a `Caller` or a runnable around some."""
        raise NotImplementedError

    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the model's answer."""
        answer: AIMessage = self.caller(config).invoke(input, config, **_given(stop, kwargs))
        return answer

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Return the model's answer."""
        answer: AIMessage = await self.caller(config).ainvoke(input, config, **_given(stop, kwargs))
        return answer

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Yield the model's answer as it comes."""
        yield from self.caller(config).stream(input, config, **_given(stop, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Yield the model's answer as it comes."""
        async for chunk in self.caller(config).astream(input, config, **_given(stop, kwargs)):
            yield chunk

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Return what the model generates, of each list of messages; the retrieve tool is not offered."""
        result: LLMResult = self.caller().generate(messages, stop, callbacks, **kwargs)
        return result

    async def agenerate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Do what `generate` does."""
        result: LLMResult = await self.caller().agenerate(messages, stop, callbacks, **kwargs)
        return result

    def stream_events(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return events; with `version="v3"` typed ones, for which the retrieve tool is not offered."""
        if kwargs.get("version") == "v3":
            return self.caller(config).stream_events(input, config, **kwargs)
        return super().stream_events(input, config, **kwargs)  # type: ignore[misc]

    def astream_events(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Do what `stream_events` does."""
        if kwargs.get("version") == "v3":
            return self.caller(config).astream_events(input, config, **kwargs)
        return super().astream_events(input, config, **kwargs)  # type: ignore[misc]


def _given(stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call; None would undo what a binding says of `stop`."""
    return kwargs if stop is None else {**kwargs, "stop": stop}
