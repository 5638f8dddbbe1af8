"""A chat's memory that is read within a budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory.types import DEFAULT_CHAT_STORE_KEY, BaseChatStoreMemory
from llama_index.core.storage.chat_store import BaseChatStore, SimpleChatStore
from llama_index.core.storage.chat_store.loading import load_chat_store
from pydantic import Field, SerializeAsAny, field_serializer, field_validator

from headroom_core import HeadroomConfig, Store, Tokenizer
from headroom_core.adapters import PositiveInt
from headroom_integrations.llamaindex.compression import (
    LlamaIndexComponent,
    LlamaIndexCompression,
    SerializedConfig,
    model_name,
)

_LIMIT, _SHARE = 30_000, 0.75
"""The tokens that are read at most, and the share of a language model's context window where one is given."""
_STEPS = 16
"""What something else takes is taken off the limit in so many steps: it varies, and what is read begins as before."""


class Budgeted(LlamaIndexComponent):
    """What a memory and a memory block share: messages that a chat store keeps whole, and are read within a budget."""

    token_limit: PositiveInt = _LIMIT
    chat_store: SerializeAsAny[BaseChatStore] = Field(default_factory=SimpleChatStore)
    model: str = "gpt-4o"
    config: SerializedConfig = None
    store: Store | None = Field(default=None, exclude=True, repr=False)
    retrieve: bool = False

    @field_validator("chat_store", mode="before")
    @classmethod
    def _loaded(cls, chat_store: Any) -> Any:
        return load_chat_store({**chat_store}) if isinstance(chat_store, dict) else chat_store

    @field_serializer("chat_store")
    def serialize_courses_in_order(self, chat_store: BaseChatStore) -> dict[str, Any]:
        """Return a chat store as plain values; LlamaIndex's memories have a serialiser of this name."""
        if not isinstance(chat_store, SimpleChatStore):
            return {**chat_store.model_dump(mode="json"), "class_name": chat_store.class_name()}
        # With pydantic 2.14 LlamaIndex's own way fails.
        kept = {
            key: [message.model_dump(mode="json") for message in said]
            for key, said in chat_store.store.items()
        }
        return {**chat_store.model_dump(mode="json", exclude={"store"}), "store": kept}

    def compression(self, token_budget: int) -> LlamaIndexCompression:
        """Return how messages are compressed to be read in so many tokens."""
        config = self.config or HeadroomConfig()
        if "preserve_recent_turns" not in config.rolling_window.model_fields_set:
            # A memory is asked for what fits, however long the last turns are.
            window = config.rolling_window.model_copy(update={"preserve_recent_turns": 1})
            config = config.model_copy(update={"rolling_window": window})
        return LlamaIndexCompression(
            self.model, config, None, token_budget, self.store, self.retrieve
        )


class HeadroomChatMemory(Budgeted, BaseChatStoreMemory):
    """A chat's memory for chat engines and agents: a chat store keeps the messages whole, and they are read shortened.

    Everything counts: texts, tool calls, thinking and images. Results of tools are shortened; where that is not
    enough, the oldest turns, and in a long turn the oldest calls with their results, are left out behind a marker. A
    longer conversation begins as it was read before, until the budget leaves something out. Within a turn of an agent,
    what its tools answer reaches the model past any memory: give the agent `wrap_llm(llm)` too.

    Attributes:
        token_limit: tokens that what is read has at most; a warning is logged when what has to stay is larger.
        chat_store: what keeps the messages.
        chat_store_key: the name of the conversation there.
        model: the model whose tokens are counted.
        config: the settings, of which a snapshot is taken. None: the defaults. Where `rolling_window` does not set
            `preserve_recent_turns`, it is 1 here.
        store: where originals are kept; it is pickled with the memory, while `to_dict` writes `config.store_url` alone.
            None: the store of the settings.
        retrieve: whether the model that reads the messages can call `headroom_retrieve`. If not, nothing is left out,
            unless `token_limit` cannot be met otherwise.

    Raises:
        ConfigurationError: a setting has a value that is not allowed, or no setting has that name.

    Example:
        >>> memory = HeadroomChatMemory.from_defaults(token_limit=800)
        >>> for turn in range(20):
        ...     memory.put_messages([ChatMessage(f"Read page {turn}."), ChatMessage("lorem " * 50, role="assistant")])
        >>> len(memory.get()) < len(memory.get_all())
        True
    """

    @classmethod
    def class_name(cls) -> str:
        """Return the name that it is known by where it is serialised."""
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
    ) -> HeadroomChatMemory:
        """Return a memory.

        Args:
            chat_history: the messages to begin with. None: those that the chat store has.
            llm: the language model that will read the messages.
            chat_store: what keeps the messages. None: this process's memory.
            chat_store_key: the name of the conversation there.
            token_limit: tokens that what is read has at most. None: three quarters of the language model's context
                window, or 30,000 without a language model that has one.
            model: the model whose tokens are counted. None: the language model, or gpt-4o.
            config: the settings. None: the defaults.
            store: where originals are kept. None: the default store.
            retrieve: whether the model that reads the messages can call `headroom_retrieve`.

        Raises:
            ConfigurationError: a setting has a value that is not allowed.
        """
        if token_limit is None:
            window = llm.metadata.context_window if llm else 0
            token_limit = max(0, int(window * _SHARE)) or _LIMIT
        memory = cls(
            token_limit=token_limit,
            chat_store=chat_store or SimpleChatStore(),
            chat_store_key=chat_store_key,
            model=model or model_name(llm),
            config=config,
            store=store,
            retrieve=retrieve,
        )
        if chat_history is not None:
            memory.set([*chat_history])
        return memory

    def get(
        self, input: str | None = None, initial_token_count: int = 0, **kwargs: Any
    ) -> list[ChatMessage]:
        """Return the messages, shortened; those that nothing changed are the same objects.

        Args:
            input: what is asked next. What is read does not depend on it, so that it begins as it did before.
            initial_token_count: tokens of the limit that something else takes, such as a system prompt; they are
                rounded up to a sixteenth of the limit.
            kwargs: not used.
        """
        return self._reading(initial_token_count).compress(self.get_all()).messages

    async def aget(
        self, input: str | None = None, initial_token_count: int = 0, **kwargs: Any
    ) -> list[ChatMessage]:
        """Do what `get` does, in a thread, so that the event loop goes on."""
        return (await self._reading(initial_token_count).acompress(await self.aget_all())).messages

    async def aput_messages(self, messages: list[ChatMessage]) -> None:
        """Add messages."""
        for message in messages:
            await self.aput(message)

    def set(self, messages: list[ChatMessage]) -> None:
        """Replace the messages."""
        super().set([*messages])  # A chat store may keep the list itself.

    async def aset(self, messages: list[ChatMessage]) -> None:
        """Replace the messages."""
        await super().aset([*messages])

    def tokenizer_fn(self, text: str) -> range:
        """Return as many numbers as the text has tokens: chat engines count with it what they put before the messages.

        Example:
            >>> len(HeadroomChatMemory().tokenizer_fn("Be brief."))
            3
        """
        return range(Tokenizer(self.model).count_text(text))

    def to_string(self) -> str:
        """Return the memory as JSON."""
        return self.json()

    @classmethod
    def from_string(cls, json_str: str, **kwargs: Any) -> HeadroomChatMemory:
        """Return the memory that `to_string` wrote; keywords, such as `store`, take the place of what was written."""
        return cls.from_json(json_str, **kwargs)

    def _reading(self, taken: int) -> LlamaIndexCompression:
        if taken >= self.token_limit:
            said = f"initial_token_count = {taken} leaves nothing of token_limit = {self.token_limit}: raise the limit"
            LlamaIndexCompression.log_warnings([said])
        step = max(1, self.token_limit // _STEPS)
        in_steps = self.token_limit - -(-taken // step) * step
        return self.compression(in_steps if in_steps > 0 else max(1, self.token_limit - taken))
