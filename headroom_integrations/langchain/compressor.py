"""Compression as a step of an LCEL pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForChainRun,
    CallbackManagerForChainRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.messages import AnyMessage, BaseMessage, ToolMessage, convert_to_messages
from langchain_core.prompt_values import ChatPromptValue, ChatPromptValueConcrete, PromptValue, StringPromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict, Field, field_validator

from headroom_core import compress_documents
from headroom_core.config import HeadroomConfig
from headroom_core.results import CompressResult, DocumentsResult
from headroom_core.stores import Store
from headroom_integrations.langchain.compression import EVENT, Compression, log_warnings

_Result = CompressResult | DocumentsResult
_Close = Callable[[list[Any]], Any]


class HeadroomCompressor(RunnableSerializable[Any, Any]):
    """Shortens what goes through it: tool results, documents, and user texts where nothing is lost.

    It takes prompt values, lists of messages, one message, a string (read as a tool's output), one document
    or a list of them, and states with a key `messages`, and gives back the same type. Messages and documents that
    nothing changed are the same objects; a changed one differs in its content alone.

    Messages that do not fit into `token_budget` are left out behind one `HumanMessage`, a call always with its
    results. Documents that do not fit, or that have little to do with `query` where `retrieve` is set, are left
    out of a list of them; the others keep their order, and one document alone always stays. What stands under
    `title` in a document's metadata counts twice, and lets documents name each other.

    What was done is the data of a custom event named `EVENT`: a handler's `on_custom_event` and
    `astream_events` receive the `CompressResult`, or for documents the `DocumentsResult`, with every
    block's tokens before and after and the warnings. Each warning is also logged.

    As a node of a LangGraph graph it returns the whole state, so that reducers of other keys are applied to
    values which they hold already. Hand it the messages alone:
    `RunnableLambda(lambda state: {"messages": state["messages"]}) | HeadroomCompressor()`. With a `token_budget`,
    hand the result to the model rather than to the state: `add_messages` takes nothing out of a state, and would
    add the message that stands in the place of what was left out at its end.

    Attributes:
        config: the settings, of which a snapshot is taken; `relevance` says how documents are scored. None: the
            defaults.
        model: the model whose tokens are counted, and whose limit holds where `retrieve` is set.
        query: what relevance is scored against. None: the last user message before each block; documents are not
            scored.
        token_budget: tokens that the result has at most; a warning says when what has to stay is larger. None: no
            limit but the model's.
        store: where originals are kept. None: the default store.
        retrieve: whether the model that follows can call `headroom_retrieve`: bind `retrieve_tool("openai")`,
            and answer its calls with `handle_retrieve_call`. If not, nothing is left out, unless `token_budget`
            cannot be met otherwise; if so, `config.ccr` decides.

    Raises:
        TypeError: the input is of none of the types above.

    Example:
        >>> from langchain_core.messages import HumanMessage
        >>> compressor = HeadroomCompressor()
        >>> compressor.invoke([HumanMessage("hi")])
        [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    config: HeadroomConfig | None = None
    model: str = "gpt-4o"
    query: str | None = None
    token_budget: int | None = Field(None, gt=0)
    store: Store | None = None
    retrieve: bool = False

    @field_validator("config")
    @classmethod
    def _snapshot(cls, config: HeadroomConfig | None) -> HeadroomConfig | None:
        return None if config is None else config.snapshot()

    @property
    def InputType(self) -> Any:
        """What may come in."""
        return (
            str
            | AnyMessage
            | list[AnyMessage]
            | StringPromptValue
            | ChatPromptValueConcrete
            | Document
            | list[Document]
            | dict[str, Any]
        )

    @property
    def OutputType(self) -> Any:
        """What goes out: what came in."""
        return self.InputType

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the input, shortened."""
        return self._call_with_config(self._run, input, config, run_type="chain", **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Return the input, shortened, without blocking the event loop."""
        return await self._acall_with_config(self._arun, input, config, run_type="chain", **kwargs)

    def _run(self, input: Any, run_manager: CallbackManagerForChainRun) -> Any:
        output, result = self._compressed(input)
        dispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    async def _arun(self, input: Any, run_manager: AsyncCallbackManagerForChainRun) -> Any:
        output, result = await run_in_executor(None, self._compressed, input)
        await adispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    def _compressed(self, value: Any) -> tuple[Any, _Result]:
        items, close = _opened(value)
        if all(isinstance(item, Document) for item in items):
            return self._documents(items, close)
        result = self._compression().compressed(items)
        return close(result.messages), result

    def _documents(self, documents: list[Any], close: _Close) -> tuple[Any, _Result]:
        texts = [document.page_content for document in documents]
        titles = [_title(document) for document in documents]
        result = compress_documents(texts, self.query, titles=titles, **self._compression().settings())
        log_warnings(result.warnings)
        # Empty is what was left out, or came so; of one document alone something always stays.
        pairs = zip(documents, result.texts, strict=True)
        stay = [_with_text(document, text) for document, text in pairs if text or not document.page_content]
        return close(stay), result

    def _compression(self) -> Compression:
        return Compression(self.model, self.config, self.query, self.token_budget, self.store, self.retrieve)


def _opened(value: Any) -> tuple[list[Any], _Close]:
    """Return the messages or documents in a value, and what puts others into one of the same type."""
    if isinstance(value, str):
        return [ToolMessage(value, tool_call_id="")], lambda messages: messages[0].content
    if isinstance(value, (BaseMessage, Document)):
        return [value], lambda items: items[0]
    if isinstance(value, PromptValue):
        return value.to_messages(), lambda messages: _prompt(value, messages)
    if isinstance(value, Mapping) and "messages" in value:
        inner = value["messages"]
        items, close = _opened([inner] if isinstance(inner, str) else inner)
        return items, lambda messages: {**value, "messages": close(messages)}
    if not isinstance(value, Sequence):
        raise TypeError(
            f"HeadroomCompressor cannot read {type(value).__name__}; it takes a prompt value, messages, a string, "
            "documents, or a mapping with the key 'messages'"
        )
    if all(isinstance(item, Document) for item in value):
        return list(value), list
    return convert_to_messages(value), list


def _prompt(value: PromptValue, messages: list[BaseMessage]) -> PromptValue:
    if isinstance(value, StringPromptValue):
        return value.model_copy(update={"text": messages[0].content})
    if isinstance(value, ChatPromptValue):
        return value.model_copy(update={"messages": messages})
    return ChatPromptValue(messages=messages)


def _title(document: Document) -> str | None:
    title = document.metadata.get("title")
    return title if isinstance(title, str) else None


def _with_text(document: Document, text: str) -> Document:
    return document if text == document.page_content else document.model_copy(update={"page_content": text})
