"""Compression as a runnable in LCEL chains and LangGraph graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from headroom_core.adapters import (
    PositiveInt,
    RetrieveFlag,
    StoreInstance,
    ToolSettings,
    require_list,
    with_tool_settings,
)
from headroom_integrations.langchain.compression import (
    EVENT,
    LangChainCompression,
    document_title,
)
from headroom_integrations.langchain.inputs import (
    messages_in_state,
    state_reducer,
    state_update,
    unpack_input,
)

_LANGGRAPH_NODE = "langgraph_node"
"""Key in a run's metadata under which LangGraph names the running node."""

_Result = CompressResult | DocumentsResult


class State(TypedDict):
    """Part of a graph's state that the compressor reads and updates."""

    messages: list[AnyMessage]


class HeadroomCompressor(ToolSettings, RunnableSerializable[Any, Any]):
    """Runnable that compresses messages or documents on their way to a model.

    It accepts a prompt value, a list of messages (or anything LangChain converts to messages), a
    single message, a string (treated as the output of a tool), a document, a list of documents or
    a graph state, and returns the same type. Tool results and documents are shortened; the text of
    users is only rewritten losslessly. Unchanged messages and documents are returned as the same
    objects; if an object changes, only its content differs.

    Messages that do not fit into `token_budget` are replaced by a single `HumanMessage` that says
    so; a tool call is always dropped together with its results. Documents that do not fit, or that
    are irrelevant to `query` if `retrieve` is set, are dropped from a list. The remaining
    documents keep their order, and a single document is never dropped. The `title` in a document's
    metadata counts twice in the ranking, and documents that mention each other by title share
    their scores.

    A state is a dict with the key `messages`, or a pydantic model or dataclass with that field. As
    a LangGraph node, the compressor returns only the update `{"messages": ...}`, so reducers of
    other keys are not applied twice. If `add_messages` reduces the key, changed messages replace
    their originals and dropped messages are removed, with a note in the position of the first.
    Without a reducer, the compressed messages replace all. A reducer that appends is refused. A
    call from inside a node looks the same as the node itself: pass the messages there, not the
    state. To leave the state untouched, compress only the messages that the model reads:
    `RunnableLambda(lambda state: state["messages"]) | HeadroomCompressor() | model`.

    Every run emits a custom event named `EVENT`, which reaches the `on_custom_event` of callback
    handlers and `astream_events`. Its data is the `CompressResult`, or the `DocumentsResult` for
    documents, with the tokens of every block before and after, and the warnings. Warnings are also
    logged.

    The compressor is pickled together with its store. LangChain's `dumps` only writes its `repr`,
    because `loads` refuses classes of other packages.

    Attributes:
        config: Compression settings, copied on assignment; `relevance` configures how documents
            are scored. Defaults to `HeadroomConfig()`.
        model: Model whose tokens are counted. Its context limit applies if `retrieve` is set.
        exclude_tools, only_tools, tool_profiles: Settings of tools, which win over the fields of
            `config` with these names, which describe them.
        query: Text to score relevance against. Defaults to the last user message before each
            block; documents are not scored without a query.
        token_budget: Maximum number of tokens in the result. A warning is issued if the protected
            content alone exceeds it. Defaults to the limit of the model.
        store: Store that keeps the originals. Defaults to the default store.
        retrieve: Whether the model that reads the result can call `headroom_retrieve`. To enable
            it, bind `retrieve_tool("openai")` and answer its calls with `handle_retrieve_call`.
            If False, nothing is left out unless `token_budget` cannot be met otherwise; if True,
            `config.ccr` decides.

    Raises:
        ConfigurationError: If an attribute has an invalid value or an unknown name.
        TypeError: If the type of the input is not supported.

    Example:
        >>> from langchain_core.messages import HumanMessage
        >>> compressor = HeadroomCompressor()
        >>> compressor.invoke([HumanMessage("hi")])
        [HumanMessage(content='hi', additional_kwargs={}, response_metadata={})]
    """

    # LangChain's default is to ignore unknown fields, which would hide misspelt settings.
    model_config = ConfigDict(extra="forbid")

    model: str = "gpt-4o"
    query: str | None = None
    token_budget: PositiveInt | None = None
    store: StoreInstance = None
    retrieve: RetrieveFlag = False

    @property
    def InputType(self) -> Any:
        """The supported input types."""
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
        """The output types, which are the same as the input types."""
        return self.InputType

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Compress the input and return a value of the same type."""
        return self._call_with_config(self._run, input, config, run_type="chain", **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Compress the input in a thread and return a value of the same type."""
        return await self._acall_with_config(self._arun, input, config, run_type="chain", **kwargs)

    def _run(
        self, input: Any, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        output, result = self._compress(input, config)
        # The child manager makes this run the parent of the event.
        dispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    async def _arun(
        self, input: Any, run_manager: AsyncCallbackManagerForChainRun, config: RunnableConfig
    ) -> Any:
        output, result = await run_in_executor(None, self._compress, input, config)
        await adispatch_custom_event(EVENT, result, config={"callbacks": run_manager.get_child()})
        return output

    def _compress(self, value: Any, config: RunnableConfig) -> tuple[Any, _Result]:
        items, rebuild = unpack_input(value)
        # An empty list counts as documents, which makes no difference.
        if all(isinstance(item, Document) for item in items):
            documents, documents_result = self._compress_documents(items)
            return rebuild(documents), documents_result
        result = self._compression().compress(items)
        is_state = messages_in_state(value) is not None
        if is_state and _LANGGRAPH_NODE in config.get("metadata", {}):
            return {"messages": state_update(items, result, state_reducer(config))}, result
        return rebuild(result.messages), result

    def _compress_documents(
        self, documents: Sequence[Document]
    ) -> tuple[list[Document], DocumentsResult]:
        result = compress_documents(
            [document.page_content for document in documents],
            self.query,
            titles=[document_title(document) for document in documents],
            **self._compression().arguments(),
        )
        LangChainCompression.log_warnings(result.warnings)
        # An empty text means that the document was dropped, unless it was empty to begin with.
        # A single document is never dropped, so rebuilding it from this list is safe.
        kept = [
            _replace_text(document, text)
            for document, text in zip(documents, result.texts, strict=True)
            if text or not document.page_content
        ]
        return kept, result

    def _compression(self) -> LangChainCompression:
        return LangChainCompression(
            model=self.model,
            config=self.config_with_tools(),
            query=self.query,
            token_budget=self.token_budget,
            store=self.store,
            retrieve=self.retrieve,
        )


def _replace_text(document: Document, text: str) -> Document:
    if text == document.page_content:
        return document
    return document.model_copy(update={"page_content": text})


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
    exclude_tools: Sequence[str] | None = ...,
    only_tools: Sequence[str] | None = ...,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = ...,
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
    exclude_tools: Sequence[str] | None = ...,
    only_tools: Sequence[str] | None = ...,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = ...,
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
    exclude_tools: Sequence[str] | None = None,
    only_tools: Sequence[str] | None = None,
    tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[BaseMessage] | HeadroomCompressor:
    """Compress messages, or build a runnable that does, like LangChain's `trim_messages`.

    Args:
        messages: Conversation to compress, as a list of messages or a prompt value. Without it, a
            `HeadroomCompressor` is returned.
        model: Model whose tokens are counted. Its context limit applies if `retrieve` is set.
        token_budget: Maximum number of tokens in the result. Defaults to the limit of the model.
        config: Compression settings. Defaults to `HeadroomConfig()`.
        query: Text to score relevance against. Defaults to the last user message before each
            block.
        store: Store that keeps the originals. Defaults to the default store.
        retrieve: Whether the model that reads the result can call `headroom_retrieve`. If False,
            nothing is left out unless `token_budget` cannot be met otherwise.
        exclude_tools: Tools whose results stay as they are. This and the next two win over the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.

    Returns:
        The compressed messages, or a `HeadroomCompressor` if no messages are given.

    Raises:
        TypeError: If `messages` is not a list.
        ConfigurationError: If `token_budget` is less than 1.

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
            exclude_tools=exclude_tools,
            only_tools=only_tools,
            tool_profiles=tool_profiles,
        )
    compression = LangChainCompression(
        model=model,
        config=with_tool_settings(config, exclude_tools, only_tools, tool_profiles),
        query=query,
        token_budget=token_budget,
        store=store,
        retrieve=retrieve,
    )
    if not isinstance(messages, PromptValue):
        messages = require_list("messages", messages)
    return compression.compress(convert_to_messages(messages)).messages
