"""The part of a streamed response that the caller sees: all of it but the retrieve calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk

from headroom_integrations.langchain.chat_model.carried import is_retrieve_call

_CONSTANT_METADATA = ("model_provider", "output_version")
"""Metadata that say how to read the content. They are equal in all chunks, so they can be shown
with every chunk and still merge into themselves."""

_ROUND_SEPARATOR = "\n\n"
"""Stands between the texts of two rounds."""


class VisibleStream:
    """The visible chunks of all rounds of one request, which together merge into one message.

    Metadata and usage are delayed until the end, because only then it is known whether another
    round follows.

    Attributes:
        visible: The chunks that the caller has seen, of all rounds.
        chunks: The chunks of the current round, as the model sent them.
        earlier_kwargs: The `additional_kwargs` that earlier rounds showed.
    """

    def __init__(self) -> None:
        self.visible: list[AIMessageChunk] = []
        self._round = 0
        self._start_round()

    def next_round(self) -> None:
        """Start another round, whose text and blocks follow those that are visible already."""
        self._round += 1
        visible = merge_chunks(self.visible) if self.visible else AIMessageChunk(content="")
        self._start_round(visible.content, visible.additional_kwargs)

    def _start_round(self, content: Any = "", kwargs: Mapping[str, Any] | None = None) -> None:
        self._earlier_content = content
        self.earlier_kwargs = dict(kwargs or {})
        self.chunks: list[AIMessageChunk] = []
        self._delayed: list[AIMessageChunk] = []
        self._hidden_calls: set[Any] = set()
        self._hidden_blocks: set[Any] = set()
        self._needs_separator = isinstance(content, str) and bool(content)
        self._index_offset = 0
        if isinstance(content, list):
            self._index_offset = 1 + max(map(_block_index, content), default=-1)

    def receive(self, chunk: AIMessageChunk) -> list[AIMessageChunk]:
        """Take in a chunk of the model and return the chunks to show for it now."""
        self.chunks.append(chunk)
        visible, delayed = self._split(chunk)
        if delayed is not None:
            self._delayed.append(delayed)
        if visible is None:
            return []
        self.visible.append(visible)
        return [visible]

    def finish(self, extra_kwargs: Mapping[str, Any]) -> AIMessageChunk:
        """Return the last chunk: the delayed parts of the last round.

        Args:
            extra_kwargs: Entries to add to the chunk's `additional_kwargs`.
        """
        last = merge_chunks(self._delayed) if self._delayed else AIMessageChunk(content="")
        update = {
            "content": _empty_content(self.chunks[-1]),
            "additional_kwargs": {**last.additional_kwargs, **extra_kwargs},
            "id": self._message_id(last),
            "chunk_position": "last",
        }
        return last.model_copy(update=update)

    @property
    def earlier_content(self) -> str | int | None:
        """The part of the content that earlier rounds showed: its text, or its number of blocks."""
        if isinstance(self._earlier_content, list):
            return len(self._earlier_content)
        return self._earlier_content or None

    def _split(self, chunk: AIMessageChunk) -> tuple[AIMessageChunk | None, AIMessageChunk | None]:
        """Return the part of a chunk to show now and the part to show at the end."""
        calls = [
            call for call in chunk.tool_call_chunks if not self._is_hidden(call, self._hidden_calls)
        ]
        content = self._visible_content(chunk.content)
        kwargs = self._visible_kwargs(chunk.additional_kwargs)
        metadata = {
            name: value
            for name, value in chunk.response_metadata.items()
            if name in _CONSTANT_METADATA
        }
        has_delayed = (
            metadata != chunk.response_metadata
            or chunk.usage_metadata is not None
            or bool(_delayed_kwargs(chunk.additional_kwargs) or chunk.chunk_position)
        )
        is_unchanged = (
            calls == chunk.tool_call_chunks
            and content == chunk.content
            and kwargs == chunk.additional_kwargs
            and self._message_id(chunk) == chunk.id
        )
        if is_unchanged and not has_delayed:
            return chunk, None
        visible = None
        if calls or content or kwargs:
            visible = AIMessageChunk(
                content=content,
                tool_call_chunks=calls,
                additional_kwargs=kwargs,
                response_metadata=metadata,
                id=self._message_id(chunk),
            )
        delayed = None
        if has_delayed:
            delayed = self._delayed_part(chunk, shown_metadata={} if visible is None else metadata)
        return visible, delayed

    def _delayed_part(
        self, chunk: AIMessageChunk, *, shown_metadata: Mapping[str, Any]
    ) -> AIMessageChunk:
        metadata = {
            name: value
            for name, value in chunk.response_metadata.items()
            if name not in shown_metadata
        }
        return AIMessageChunk(
            content=_empty_content(chunk),
            response_metadata=metadata,
            usage_metadata=chunk.usage_metadata,
            additional_kwargs=_delayed_kwargs(chunk.additional_kwargs),
            id=self._message_id(chunk),
        )

    def _message_id(self, chunk: AIMessageChunk) -> str | None:
        # Chunks merge into a single message only if their ids are equal.
        return self.visible[0].id if self.visible else chunk.id

    def _visible_content(self, content: Any) -> Any:
        if isinstance(content, list):
            return [
                self._renumber(block)
                for block in content
                if not self._is_hidden(block, self._hidden_blocks)
            ]
        if not content or not self._needs_separator:
            return content
        self._needs_separator = False
        self._earlier_content += _ROUND_SEPARATOR
        return _ROUND_SEPARATOR + content

    def _renumber(self, block: Any) -> Any:
        """Return a block with an index that no earlier round has used.

        Blocks of one index merge into one, and each round numbers its blocks from the start.
        """
        index = block.get("index") if isinstance(block, dict) else None
        if not self._round or index is None:
            return block
        if isinstance(index, int):
            return {**block, "index": index + self._index_offset}
        return {**block, "index": f"{index}_{self._round}"}

    def _visible_kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        visible: dict[str, Any] = {
            name: value for name, value in kwargs.items() if isinstance(value, str)
        }
        calls = [
            call
            for call in kwargs.get("tool_calls") or ()
            if not self._is_hidden(call, self._hidden_calls)
        ]
        if calls:
            visible["tool_calls"] = calls
        return visible

    def _is_hidden(self, piece: Any, hidden: set[Any]) -> bool:
        """Return whether a piece belongs to a retrieve call.

        Only the first piece of a call has the tool's name; the others are known by its index.

        Args:
            piece: A chunk of a tool call, or a block of content.
            hidden: The indexes of retrieve calls so far, which this method adds to.
        """
        index = piece.get("index") if isinstance(piece, Mapping) else None
        if is_retrieve_call(piece):
            hidden.add(index)
            return True
        return index is not None and index in hidden and not piece.get("name")


def merge_chunks(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Merge chunks into one; there must be at least one."""
    first, *others = chunks
    return first + others if others else first


def _empty_content(chunk: AIMessageChunk) -> list[Any] | str:
    """Return empty content of the chunk's type, which merges with that of the other chunks."""
    return [] if isinstance(chunk.content, list) else ""


def _delayed_kwargs(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `additional_kwargs` to delay: merged over two rounds, they would fit neither."""
    return {
        name: value
        for name, value in kwargs.items()
        if name != "tool_calls" and not isinstance(value, str)
    }


def _block_index(block: Any) -> int:
    """Return a block's index if it is a number, else -1."""
    index = block.get("index") if isinstance(block, Mapping) else None
    return index if isinstance(index, int) else -1
