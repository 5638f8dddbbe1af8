"""Chat message history that is read within a token budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage

from headroom_core import HeadroomConfig, Store
from headroom_core.adapters import with_tool_settings
from headroom_integrations.langchain.compression import LangChainCompression


class HeadroomChatMessageHistory(BaseChatMessageHistory):
    """Wrapper that compresses the messages of another chat history when they are read.

    The wrapped history keeps the original messages. As a history grows, its compressed form keeps
    the same beginning until the budget requires messages to be dropped, so prompt caches keep
    hitting. LangChain deprecates chat histories in favour of graph state, for which
    `HeadroomCompressor` in front of the model does the same.

    Args:
        history: History that keeps the original messages.
        token_budget: Maximum number of tokens in the messages that are read. A warning is logged
            if the protected content alone exceeds it. Defaults to the limit of the model.
        model: Model whose tokens are counted. Its context limit applies if `retrieve` is set.
        config: Compression settings. Defaults to `HeadroomConfig()`.
        store: Store that keeps the originals. Defaults to the default store.
        retrieve: Whether the model that reads the messages can call `headroom_retrieve`. If False,
            nothing is left out unless `token_budget` cannot be met otherwise.
        exclude_tools: Tools whose results stay as they are. This and the next two win over the
            fields of `config` with these names, which describe them.
        only_tools: The only tools whose results may be shortened.
        tool_profiles: Settings of single tools.

    Raises:
        ConfigurationError: If an argument has an invalid value.

    Example:
        >>> from headroom_core import MemoryStore
        >>> class ListHistory(BaseChatMessageHistory):
        ...     def __init__(self) -> None:
        ...         self.messages = []
        ...     def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        ...         self.messages += messages
        ...     def clear(self) -> None:
        ...         self.messages = []
        >>> full = ListHistory()
        >>> history = HeadroomChatMessageHistory(full, token_budget=800, store=MemoryStore())
        >>> for turn in range(20):
        ...     history.add_user_message(f"Read page {turn}.")
        ...     history.add_ai_message("lorem " * 50)
        >>> len(history.messages) < len(full.messages)
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
        exclude_tools: Sequence[str] | None = None,
        only_tools: Sequence[str] | None = None,
        tool_profiles: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.history = history
        self._compression = LangChainCompression(
            model=model,
            config=HeadroomConfig.snapshot_of(
                with_tool_settings(config, exclude_tools, only_tools, tool_profiles)
            ),
            token_budget=token_budget,
            store=store,
            retrieve=retrieve,
        )

    @property
    def messages(self) -> list[BaseMessage]:  # type: ignore[override]
        """The compressed messages; unchanged messages are the same objects."""
        return self._compression.compress(self.history.messages).messages

    async def aget_messages(self) -> list[BaseMessage]:
        """Return the compressed messages; the work is done in a thread."""
        return (await self._compression.acompress(await self.history.aget_messages())).messages

    def add_message(self, message: BaseMessage) -> None:
        """Add a message to the wrapped history."""
        self.history.add_message(message)

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages to the wrapped history."""
        self.history.add_messages(messages)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        """Add messages to the wrapped history."""
        await self.history.aadd_messages(messages)

    def clear(self) -> None:
        """Remove all messages from the wrapped history."""
        self.history.clear()

    async def aclear(self) -> None:
        """Remove all messages from the wrapped history."""
        await self.history.aclear()
