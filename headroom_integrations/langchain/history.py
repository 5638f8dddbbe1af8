"""A chat's history that is read within a budget."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage

from headroom_core import HeadroomConfig, Store
from headroom_integrations.langchain.compression import LangChainCompression


class HeadroomChatMessageHistory(BaseChatMessageHistory):
    """Another history, read shortened: that one keeps the messages as they came.

    A longer history begins as it was read before, until the budget leaves something out. LangChain deprecates
    histories of chats; a graph's state, with `HeadroomCompressor` before the model, takes their place.

    Args:
        history: the history that keeps the messages.
        token_budget: tokens that what is read has at most; a warning is logged when what has to stay is larger. None:
            no limit but the model's.
        model: the model whose tokens are counted, and whose limit holds where `retrieve` is set.
        config: the settings. None: the defaults.
        store: where originals are kept. None: the default store.
        retrieve: whether the model that reads the messages can call `headroom_retrieve`. If not, nothing is left
            out, unless `token_budget` cannot be met otherwise.

    Raises:
        ConfigurationError: the budget is less than 1.

    Example:
        >>> from headroom_core import MemoryStore
        >>> class Kept(BaseChatMessageHistory):
        ...     def __init__(self) -> None:
        ...         self.messages = []
        ...     def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        ...         self.messages += messages
        ...     def clear(self) -> None:
        ...         self.messages = []
        >>> kept = Kept()
        >>> history = HeadroomChatMessageHistory(kept, token_budget=800, store=MemoryStore())
        >>> for turn in range(20):
        ...     history.add_user_message(f"Read page {turn}.")
        ...     history.add_ai_message("lorem " * 50)
        >>> len(history.messages) < len(kept.messages)
        True
    """

    def __init__(
        self,
        history: BaseChatMessageHistory,
        *,
        token_budget: int | None = None,
        model: str = "gpt-4o",
        config: HeadroomConfig | None = None,
        store: Store | None = None,
        retrieve: bool = False,
    ) -> None:
        self.history = history
        snapshot = None if config is None else config.snapshot()
        self._compression = LangChainCompression(
            model, snapshot, None, token_budget, store, retrieve
        )

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """The messages, shortened; those that nothing changed are the same objects."""
        return self._compression.compress(self.history.messages).messages

    async def aget_messages(self) -> list[BaseMessage]:
        """Return the messages, shortened, without blocking the event loop."""
        return (await self._compression.acompress(await self.history.aget_messages())).messages

    def add_message(self, message: BaseMessage) -> None:
        """Add a message to the other history."""
        self.history.add_message(message)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages to the other history."""
        self.history.add_messages(messages)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages to the other history."""
        await self.history.aadd_messages(messages)

    def clear(self) -> None:
        """Empty the other history."""
        self.history.clear()

    async def aclear(self) -> None:
        """Empty the other history."""
        await self.history.aclear()
