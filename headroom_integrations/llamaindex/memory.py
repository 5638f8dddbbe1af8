"""Chat memory that is read within a token limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory.types import DEFAULT_CHAT_STORE_KEY, BaseChatStoreMemory
from llama_index.core.storage.chat_store import BaseChatStore, SimpleChatStore
from llama_index.core.storage.chat_store.loading import load_chat_store
from pydantic import Field, SerializeAsAny, field_serializer, field_validator

from headroom_core import HeadroomConfig, Store, Tokenizer
from headroom_core.adapters import PositiveInt, RetrieveFlag, StoreInstance, ToolSettings
from headroom_integrations.llamaindex.compression import (
    LlamaIndexComponent,
    LlamaIndexCompression,
    SerializedConfig,
    model_name,
)

# The default of LlamaIndex's `Memory`.
_DEFAULT_TOKEN_LIMIT = 30_000
_CONTEXT_WINDOW_SHARE = 0.75
"""Default token limit as a share of the context window; the rest is left for the reply."""
_LIMIT_STEPS = 16
"""Reserved tokens are rounded up to a multiple of the limit divided by this number.

They vary slightly from request to request. Without steps the limit would vary with them, and with
it the beginning of the conversation, and prompt caches would miss.
"""


class BudgetedMemory(LlamaIndexComponent, ToolSettings):
    """Base class of the memory and the memory block: a chat store that is read within a limit."""

    token_limit: PositiveInt = _DEFAULT_TOKEN_LIMIT
    chat_store: SerializeAsAny[BaseChatStore] = Field(default_factory=SimpleChatStore)
    model: str = "gpt-4o"
    config: SerializedConfig = None
    store: StoreInstance = Field(default=None, exclude=True, repr=False)
    retrieve: RetrieveFlag = False

    @field_validator("chat_store", mode="before")
    @classmethod
    def _load_chat_store(cls, chat_store: Any) -> Any:
        return load_chat_store(dict(chat_store)) if isinstance(chat_store, dict) else chat_store

    @field_serializer("chat_store")
    def serialize_courses_in_order(self, chat_store: BaseChatStore) -> dict[str, Any]:
        """Serialise the chat store.

        The name overrides the serialiser of LlamaIndex's memories, which fails with pydantic 2.14.
        """
        if not isinstance(chat_store, SimpleChatStore):
            return {**chat_store.model_dump(mode="json"), "class_name": chat_store.class_name()}
        dumped = chat_store.model_dump(mode="json", exclude={"store"})
        dumped["store"] = {
            key: [message.model_dump(mode="json") for message in messages]
            for key, messages in chat_store.store.items()
        }
        return dumped

    def compression(self, token_budget: int) -> LlamaIndexCompression:
        """Return the settings for compressing the messages to a number of tokens."""
        config = self.config_with_tools() or HeadroomConfig()
        if "preserve_recent_turns" not in config.rolling_window.model_fields_set:
            # The caller of a memory expects messages that fit, even if the last turns are long.
            window = config.rolling_window.model_copy(update={"preserve_recent_turns": 1})
            config = config.model_copy(update={"rolling_window": window})
        return LlamaIndexCompression(
            model=self.model,
            config=config,
            token_budget=token_budget,
            store=self.store,
            retrieve=self.retrieve,
        )


class HeadroomChatMemory(BudgetedMemory, BaseChatStoreMemory):
    """Memory for chat engines and agents that compresses the messages when they are read.

    The chat store keeps the original messages. All content counts towards the limit: texts, tool
    calls, thinking and images. Tool results are compressed first. If that is not enough, the
    oldest turns are dropped behind a marker, and within a long turn the oldest tool calls with
    their results. As a conversation grows, its compressed form keeps the same beginning until the
    limit requires messages to be dropped, so prompt caches keep hitting.

    The tool results of an agent's current turn do not pass through its memory: wrap the language
    model with `wrap_llm` to compress them too.

    Attributes:
        token_limit: Maximum number of tokens in the messages that are read. A warning is logged if
            the protected content alone exceeds it.
        chat_store: Chat store that keeps the messages.
        chat_store_key: Key of the conversation in the chat store.
        model: Model whose tokens are counted.
        config: Compression settings, copied on assignment. Defaults to `HeadroomConfig()`, but
            with a default of 1 for `rolling_window.preserve_recent_turns`.
        exclude_tools, only_tools, tool_profiles: Settings of tools, which win over the fields of
            `config` with these names, which describe them.
        store: Store that keeps the originals. It is pickled with the memory, but `to_dict` only
            includes `config.store_url`. Defaults to the store of the settings.
        retrieve: Whether the model that reads the messages can call `headroom_retrieve`. If False,
            nothing is left out unless `token_limit` cannot be met otherwise.

    Raises:
        ConfigurationError: If a setting has an invalid value or an unknown name.

    Example:
        >>> memory = HeadroomChatMemory.from_defaults(token_limit=800)
        >>> for page in range(20):
        ...     memory.put(ChatMessage(f"Read page {page}."))
        ...     memory.put(ChatMessage("lorem " * 50, role="assistant"))
        >>> len(memory.get()) < len(memory.get_all())
        True
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name of the class in serialised form."""
        return "HeadroomChatMemory"

    @classmethod
    def from_defaults(  # type: ignore[override]
        cls,
        chat_history: Sequence[ChatMessage] | None = None,
        llm: BaseLLM | None = None,
        chat_store: BaseChatStore | None = None,
        chat_store_key: str = DEFAULT_CHAT_STORE_KEY,
        token_limit: int | None = None,
        *,
        model: str | None = None,
        config: HeadroomConfig | None = None,
        store: Store | None = None,
        retrieve: bool = False,
        exclude_tools: Sequence[str] | None = None,
        only_tools: Sequence[str] | None = None,
        tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> HeadroomChatMemory:
        """Create a memory.

        Args:
            chat_history: Initial messages. Defaults to the messages in the chat store.
            llm: Language model that will read the messages.
            chat_store: Chat store that keeps the messages. Defaults to a new one in memory.
            chat_store_key: Key of the conversation in the chat store.
            token_limit: Maximum number of tokens in the messages that are read. Defaults to three
                quarters of the context window of `llm`, or to 30,000 if it is unknown.
            model: Model whose tokens are counted. Defaults to the model of `llm`, or to gpt-4o.
            config: Compression settings. Defaults to `HeadroomConfig()`.
            store: Store that keeps the originals. Defaults to the default store.
            retrieve: Whether the model that reads the messages can call `headroom_retrieve`.
            exclude_tools: Tools whose results stay as they are. This and the next two win over the
                fields of `config` with these names, which describe them.
            only_tools: The only tools whose results may be shortened.
            tool_profiles: Settings of single tools.

        Raises:
            ConfigurationError: If a setting has an invalid value.
        """
        if token_limit is None:
            context_window = llm.metadata.context_window if llm else 0
            # Language models with an unknown context window report 0 or a negative number.
            share = max(0, int(context_window * _CONTEXT_WINDOW_SHARE))
            token_limit = share or _DEFAULT_TOKEN_LIMIT
        memory = cls(
            token_limit=token_limit,
            chat_store=chat_store or SimpleChatStore(),
            chat_store_key=chat_store_key,
            model=model or model_name(llm),
            config=config,
            store=store,
            retrieve=retrieve,
            exclude_tools=exclude_tools,
            only_tools=only_tools,
            tool_profiles=tool_profiles,
        )
        if chat_history is not None:
            memory.set(list(chat_history))
        return memory

    def get(
        self, input: str | None = None, initial_token_count: int = 0, **kwargs: Any
    ) -> list[ChatMessage]:
        """Return the compressed messages; unchanged messages are the same objects.

        Args:
            input: Next question. Not used: the conversation keeps its beginning whatever is asked
                next.
            initial_token_count: Tokens within the limit that are reserved for other content, such
                as a system prompt. They are rounded up to a sixteenth of the limit.
            kwargs: Not used.
        """
        compression = self._compression_beside(initial_token_count)
        return compression.compress(self.get_all()).messages

    async def aget(
        self, input: str | None = None, initial_token_count: int = 0, **kwargs: Any
    ) -> list[ChatMessage]:
        """Return the compressed messages like `get`; the work is done in a thread."""
        compression = self._compression_beside(initial_token_count)
        return (await compression.acompress(await self.aget_all())).messages

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Add messages."""
        for message in messages:
            await self.aput(message)

    def set(self, messages: list[ChatMessage]) -> None:
        """Replace all messages."""
        # A chat store may keep the list itself, so it is given a copy.
        super().set(list(messages))

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replace all messages."""
        await super().aset(list(messages))

    def tokenizer_fn(self, text: str) -> range:
        """Return a range as long as the number of tokens in a text.

        Chat engines take the length of the result to count the messages in front of the memory.

        Example:
            >>> len(HeadroomChatMemory().tokenizer_fn("Be brief."))
            3
        """
        return range(Tokenizer(self.model).count_text(text))

    def to_string(self) -> str:
        """Serialise the memory as JSON."""
        return self.json()

    @classmethod
    def from_string(cls, json_str: str, **kwargs: Any) -> HeadroomChatMemory:
        """Load a memory that `to_string` serialised.

        Args:
            json_str: Serialised memory.
            kwargs: Settings, such as `store`, that override the serialised ones.
        """
        return cls.from_json(json_str, **kwargs)

    def _compression_beside(self, reserved_tokens: int) -> LlamaIndexCompression:
        if reserved_tokens >= self.token_limit:
            warning = (
                f"initial_token_count = {reserved_tokens} leaves no room within "
                f"token_limit = {self.token_limit}: raise token_limit"
            )
            LlamaIndexCompression.log_warnings([warning])
        step = max(1, self.token_limit // _LIMIT_STEPS)
        reserved_steps = -(-reserved_tokens // step)  # Rounded up.
        remaining = self.token_limit - reserved_steps * step
        if remaining <= 0:
            remaining = max(1, self.token_limit - reserved_tokens)
        return self.compression(remaining)
