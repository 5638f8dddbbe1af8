"""The public methods of chat models that compress their requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig

from headroom_core.adapters import MetricsMixin
from headroom_integrations.langchain.chat_model.inner import ModelWrapper


class WrapperMethods(MetricsMixin, ModelWrapper):
    """Mixin that passes every request to a `CompressedModel`, or to a runnable around some."""

    def _get_compressed_model(self, config: RunnableConfig | None = None) -> Any:
        """Return the runnable that takes a request.

        Args:
            config: Config of the request, which may select the model.
        """
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
        model = self._get_compressed_model(config)
        answer: AIMessage = model.invoke(input, config, **_merge_stop(stop, kwargs))
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
        model = self._get_compressed_model(config)
        answer: AIMessage = await model.ainvoke(input, config, **_merge_stop(stop, kwargs))
        return answer

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Yield the model's answer as it arrives."""
        model = self._get_compressed_model(config)
        yield from model.stream(input, config, **_merge_stop(stop, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Yield the model's answer as it arrives."""
        model = self._get_compressed_model(config)
        async for chunk in model.astream(input, config, **_merge_stop(stop, kwargs)):
            yield chunk

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Generate an answer to each list of messages; the retrieve tool is not offered."""
        model = self._get_compressed_model()
        result: LLMResult = model.generate(messages, stop, callbacks, **kwargs)
        return result

    async def agenerate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Generate as `generate` does."""
        model = self._get_compressed_model()
        result: LLMResult = await model.agenerate(messages, stop, callbacks, **kwargs)
        return result

    def stream_events(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Stream events; with `version="v3"` they are typed and no retrieve tool is offered."""
        if kwargs.get("version") == "v3":
            return self._get_compressed_model(config).stream_events(input, config, **kwargs)
        return super().stream_events(input, config, **kwargs)  # type: ignore[misc]

    def astream_events(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        """Stream events as `stream_events` does."""
        if kwargs.get("version") == "v3":
            return self._get_compressed_model(config).astream_events(input, config, **kwargs)
        return super().astream_events(input, config, **kwargs)  # type: ignore[misc]


def _merge_stop(stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call; `stop=None` would override the `stop` of a binding."""
    return kwargs if stop is None else {**kwargs, "stop": stop}
