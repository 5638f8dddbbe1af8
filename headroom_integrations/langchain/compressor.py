"""Compression as a step of an LCEL pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from langchain_core.callbacks import (
    AsyncCallbackManagerForChainRun,
    CallbackManagerForChainRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.messages import (
    AnyMessage,
    BaseMessage,
    MessageLikeRepresentation,
    convert_to_messages,
)
from langchain_core.prompt_values import ChatPromptValueConcrete, PromptValue, StringPromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import ConfigDict
from typing_extensions import TypedDict

from headroom_core import CompressResult, DocumentsResult, HeadroomConfig, Store, compress_documents
from headroom_core.adapters import ConfigSnapshot, PositiveInt, ValidatedModel, require_list
from headroom_integrations.langchain.compression import EVENT, LangChainCompression, title_of
from headroom_integrations.langchain.inputs import Close, in_state, opened, replacing

_NODE = "langgraph_node"
"""The key under which LangGraph tells in a run's metadata which node it is."""

_Result = CompressResult | DocumentsResult


class State(TypedDict):
    """The part of a graph's state that is read and updated."""

    messages: list[AnyMessage]


class HeadroomCompressor(ValidatedModel, RunnableSerializable[Any, Any]):
    """Shortens what goes through it: tool results, documents, and user texts where nothing is lost.

    It takes prompt values, lists of messages or of what LangChain takes for messages, one message, a string (read as
    a tool's output), one document or a list of them, and gives back the same type. Messages and documents that
    nothing changed are the same objects; a changed one differs in its content alone.

    Messages that do not fit into `token_budget` are left out behind one `HumanMessage`, a call always with its
    results. Documents that do not fit, or that have little to do with `query` where `retrieve` is set, are left
    out of a list of them; the others keep their order, and one document alone always stays. What stands under
    `title` in a document's metadata counts twice, and lets documents name each other.

    A state is a dict with the key `messages`, or an object of pydantic or a dataclass with that field. As a node of a
    LangGraph graph it returns the update `{"messages": ...}` alone, so that reducers of other keys add nothing twice.
    Where `add_messages` reduces the key, changed messages take the places of those that they were, what was left out
    goes from the state, and the message that stands for it comes where the first of it was. Calls inside a node cannot
    be told from the node: hand it the messages there. To keep a state whole, give a model a smaller view of it:
    `RunnableLambda(lambda state: state["messages"]) | HeadroomCompressor(token_budget=8000) | model`.

    What was done is the data of a custom event named `EVENT`: a handler's `on_custom_event` and
    `astream_events` receive the `CompressResult`, or for documents the `DocumentsResult`, with every
    block's tokens before and after and the warnings. Each warning is also logged.

    It is pickled with its store. LangChain's `dumps` writes what `repr` shows of it and no more, since `loads`
    refuses the classes of other packages.

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
        ConfigurationError: an attribute has a value that is not allowed, or none has that name.
        TypeError: the input is of none of the types above.

    Example:
        >>> from langchain_core.messages import HumanMessage
        >>> compressor = HeadroomCompressor()
        >>> compressor.invoke([HumanMessage("hi")])
        [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
    """

    model_config = ConfigDict(extra="forbid")  # LangChain ignores what no field is named.

    config: ConfigSnapshot = None
    model: str = "gpt-4o"
    query: str | None = None
    token_budget: PositiveInt | None = None
    store: Store | None = None
    retrieve: bool = False

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
            | State
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

    def _run(
        self, input: Any, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        output, result = self._compressed(input, config)
        dispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    async def _arun(
        self, input: Any, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        output, result = await run_in_executor(None, self._compressed, input, config)
        await adispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    def _compressed(self, value: Any, config: RunnableConfig) -> tuple[Any, _Result]:
        items, close = opened(value)
        if all(isinstance(item, Document) for item in items):
            return self._documents(items, close)
        result = self._compression().compress(items)
        if in_state(value) is not None and _NODE in config.get("metadata", {}):
            return {"messages": replacing(items, result)}, result
        return close(result.messages), result

    def _documents(self, documents: list[Any], close: Close) -> tuple[Any, _Result]:
        texts = [document.page_content for document in documents]
        titles = [title_of(document) for document in documents]
        result = compress_documents(
            texts, self.query, titles=titles, **self._compression().arguments()
        )
        LangChainCompression.log_warnings(result.warnings)
        # Empty is what was left out, or came so; of one document alone something always stays.
        pairs = zip(documents, result.texts, strict=True)
        stay = [
            _with_text(document, text)
            for document, text in pairs
            if text or not document.page_content
        ]
        return close(stay), result

    def _compression(self) -> LangChainCompression:
        return LangChainCompression(
            self.model, self.config, self.query, self.token_budget, self.store, self.retrieve
        )


def _with_text(document: Document, text: str) -> Document:
    return (
        document
        if text == document.page_content
        else document.model_copy(update={"page_content": text})
    )


@overload
def compress_messages(
    messages: None = None,
    *,
    model: str = ...,
    token_budget: int | None = ...,
    config: HeadroomConfig | None = ...,
    query: str | None = ...,
    store: Store | None = ...,
    retrieve: bool = ...,
) -> HeadroomCompressor: ...


@overload
def compress_messages(
    messages: Sequence[MessageLikeRepresentation] | PromptValue,
    *,
    model: str = ...,
    token_budget: int | None = ...,
    config: HeadroomConfig | None = ...,
    query: str | None = ...,
    store: Store | None = ...,
    retrieve: bool = ...,
) -> list[BaseMessage]: ...


def compress_messages(
    messages: Sequence[MessageLikeRepresentation] | PromptValue | None = None,
    *,
    model: str = "gpt-4o",
    token_budget: int | None = None,
    config: HeadroomConfig | None = None,
    query: str | None = None,
    store: Store | None = None,
    retrieve: bool = False,
) -> list[BaseMessage] | HeadroomCompressor:
    """Shorten messages; called without any, return the runnable that does so, as `trim_messages` does.

    Args:
        messages: the conversation, or a prompt's value. None: a `HeadroomCompressor` is returned.
        model: the model whose tokens are counted, and whose limit holds where `retrieve` is set.
        token_budget: tokens that the result has at most. None: no limit but the model's.
        config: the settings. None: the defaults.
        query: what relevance is scored against. None: the last user message before each block.
        store: where originals are kept. None: the default store.
        retrieve: whether the model that follows can call `headroom_retrieve`. If not, nothing is left out, unless
            `token_budget` cannot be met otherwise.

    Raises:
        TypeError: the messages are no list.
        ConfigurationError: the budget is less than 1.

    Example:
        >>> compress_messages([("system", "Be brief."), ("human", "hi")])[1].content
        'hi'
        >>> chain = compress_messages(token_budget=8000) | (lambda messages: len(messages))
        >>> chain.invoke([("human", "hi")])
        1
    """
    if messages is None:
        return HeadroomCompressor(
            model=model,
            token_budget=token_budget,
            config=config,
            query=query,
            store=store,
            retrieve=retrieve,
        )
    compression = LangChainCompression(model, config, query, token_budget, store, retrieve)
    given = messages if isinstance(messages, PromptValue) else require_list("messages", messages)
    return compression.compress(convert_to_messages(given)).messages
