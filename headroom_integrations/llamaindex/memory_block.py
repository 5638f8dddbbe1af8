"""A block of LlamaIndex's `Memory` that keeps what its queue lets go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, TextBlock
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.memory.types import DEFAULT_CHAT_STORE_KEY
from llama_index.core.utils import get_tokenizer

from headroom_core.adapters import PositiveInt
from headroom_integrations.llamaindex.memory import Budgeted

_SESSION = "session_id"


class HeadroomMemoryBlock(Budgeted, BaseMemoryBlock[list[ChatMessage]]):
    """A block of LlamaIndex's `Memory`: the messages that its queue lets go, shortened, before those of the queue.

    They stay messages, tool calls with their results. Every session's are kept apart, and whole, in the chat store of
    the block.

    Attributes:
        name: the name of the block.
        token_limit: tokens that what is shown has at most; by default, what is beside
            the queue of a `Memory` of 30,000.
        chat_store: what keeps the messages, by session.
        model: the model whose tokens are counted.
        config: the settings, of which a snapshot is taken. None: the defaults. Where `rolling_window` does not set
            `preserve_recent_turns`, it is 1 here.
        store: where originals are kept; it is pickled with the block, while `model_dump` has `config.store_url` alone.
            None: the store of the settings.
        retrieve: whether the model that reads the messages can call `headroom_retrieve`. If not, nothing is left out,
            unless `token_limit` cannot be met otherwise.
        priority: from 1 on, `Memory` asks for less where its own limit is not met.

    Raises:
        ConfigurationError: a setting has a value that is not allowed, or no setting has that name.

    Example:
        >>> from llama_index.core.memory import Memory
        >>> memory = Memory.from_defaults(token_limit=200, token_flush_size=50, memory_blocks=[HeadroomMemoryBlock()])
        >>> for turn in range(20):
        ...     memory.put_messages([ChatMessage(f"Read page {turn}."), ChatMessage("It is read.", role="assistant")])
        >>> memory.get()[0].content
        'Read page 0.'
    """

    name: str = "EarlierMessages"
    token_limit: PositiveInt = 9_000

    async def _aget(
        self,
        messages: list[ChatMessage] | None = None,
        session_id: str | None = None,
        **block_kwargs: Any,
    ) -> list[ChatMessage]:
        kept = await self.chat_store.aget_messages(session_id or DEFAULT_CHAT_STORE_KEY)
        return await self._shown([*kept], self.token_limit)

    async def _aput(self, messages: list[ChatMessage]) -> None:
        for message in messages:
            beside = dict(message.additional_kwargs)
            key = beside.pop(
                _SESSION, DEFAULT_CHAT_STORE_KEY
            )  # `Memory` notes it there; models are not to read it.
            await self.chat_store.async_add_message(
                key, message.model_copy(update={"additional_kwargs": beside})
            )

    async def atruncate(
        self, content: list[ChatMessage], tokens_to_truncate: int
    ) -> list[ChatMessage]:
        """Return less of what was shown, as `Memory` counts it: within a half, a quarter … of the block's limit.

        Steps, rather than as much as just fits, let a conversation that grows begin as before.

        Args:
            content: what the block showed.
            tokens_to_truncate: by how many tokens it is to become smaller.
        """
        kept = content.kept if isinstance(content, _Shown) else content
        most, limit = max(1, _counted(content) - tokens_to_truncate), self.token_limit
        while _counted(content) > most and limit > most:
            limit //= 2
            content = await self._shown(kept, limit)
        return content

    async def _shown(self, kept: Sequence[ChatMessage], limit: int) -> list[ChatMessage]:
        made = (await self.compression(limit).acompress(kept)).messages
        return _Shown(kept, made)


class _Shown(list[ChatMessage]):
    """Messages as they are shown, and as they are kept."""

    def __init__(self, kept: Sequence[ChatMessage], made: Sequence[ChatMessage]) -> None:
        # `Memory` writes what other blocks show into the messages.
        super().__init__(message.model_copy() for message in made)
        self.kept = kept


def _counted(messages: Sequence[ChatMessage]) -> int:
    """Return the tokens that `Memory` counts: texts, and what stands beside them."""
    tokenize = get_tokenizer()
    texts = [
        block.text
        for message in messages
        for block in message.blocks
        if isinstance(block, TextBlock)
    ]
    beside = [str(message.additional_kwargs) for message in messages if message.additional_kwargs]
    return sum(len(tokenize(text)) for text in (*texts, *beside))
