"""What a caller sees of a stream: text as it comes, calls of the retrieve tool not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk

from headroom_integrations.langchain.chat_model.carried import is_retrieval

_STEADY = ("model_provider", "output_version")
"""What says how content is to be read; equal in all chunks, so that it merges with itself."""

_BREAK = "\n\n"
"""What stands between the texts of two rounds."""


class Shown:
    """Lets the chunks of one request's rounds pass, so that all together are one message.

    Metadata and usage wait for the end, since only then is it known whether another round follows.

    Attributes:
        shown_kwargs: what earlier rounds said under `additional_kwargs`.
    """

    def __init__(self) -> None:
        self.passed: list[AIMessageChunk] = []
        self._round = 0
        self._start()

    def next_round(self) -> None:
        """Go on with another round, whose text and blocks follow those that passed."""
        self._round += 1
        passed = merged(self.passed) if self.passed else AIMessageChunk(content="")
        self._start(passed.content, passed.additional_kwargs)

    def _start(self, before: Any = "", kwargs: Mapping[str, Any] | None = None) -> None:
        self.before = before
        self.shown_kwargs = dict(kwargs or {})
        self.chunks: list[AIMessageChunk] = []
        self._waiting: list[AIMessageChunk] = []
        self._calls: set[Any] = set()
        self._blocks: set[Any] = set()
        self._separated = not (isinstance(before, str) and before)
        self._offset = 1 + max(map(_number, before), default=-1) if isinstance(before, list) else 0

    def seen(self, chunk: AIMessageChunk) -> list[AIMessageChunk]:
        """Take a chunk in; return what of it the caller sees now."""
        self.chunks.append(chunk)
        now, later = self._split(chunk)
        if later is not None:
            self._waiting.append(later)
        if now is None:
            return []
        self.passed.append(now)
        return [now]

    def end(self, more: Mapping[str, Any]) -> AIMessageChunk:
        """Return the last chunk: what waited of the last round, with more in its `additional_kwargs`."""
        last = merged(self._waiting) if self._waiting else AIMessageChunk(content="")
        content: list[Any] | str = [] if isinstance(self.chunks[-1].content, list) else ""
        kwargs = {**last.additional_kwargs, **more}
        update = {
            "content": content,
            "additional_kwargs": kwargs,
            "id": self._id(last),
            "chunk_position": "last",
        }
        return last.model_copy(update=update)

    @property
    def shown(self) -> str | int | None:
        """What earlier rounds said of the content: the text, or how many blocks."""
        return len(self.before) if isinstance(self.before, list) else self.before or None

    def _split(self, chunk: AIMessageChunk) -> tuple[AIMessageChunk | None, AIMessageChunk | None]:
        calls = [call for call in chunk.tool_call_chunks if not self._is_hidden(call, self._calls)]
        content = self._content(chunk.content)
        kwargs = self._kwargs(chunk.additional_kwargs)
        held = _held(chunk.additional_kwargs)
        steady = {name: value for name, value in chunk.response_metadata.items() if name in _STEADY}
        waits = (
            steady != chunk.response_metadata
            or chunk.usage_metadata is not None
            or bool(held or chunk.chunk_position)
        )
        whole = (calls, content, kwargs) == (
            chunk.tool_call_chunks,
            chunk.content,
            chunk.additional_kwargs,
        )
        if whole and not waits and self._id(chunk) == chunk.id:
            return chunk, None
        now = None
        if calls or content or kwargs:
            now = AIMessageChunk(
                content=content,
                tool_call_chunks=calls,
                additional_kwargs=kwargs,
                response_metadata=steady,
                id=self._id(chunk),
            )
        return now, self._later(chunk, steady if now else {}) if waits else None

    def _later(self, chunk: AIMessageChunk, said: Mapping[str, Any]) -> AIMessageChunk:
        return AIMessageChunk(
            content=[] if isinstance(chunk.content, list) else "",
            response_metadata={
                name: value for name, value in chunk.response_metadata.items() if name not in said
            },
            usage_metadata=chunk.usage_metadata,
            additional_kwargs=_held(chunk.additional_kwargs),
            id=self._id(chunk),
        )

    def _id(self, chunk: AIMessageChunk) -> str | None:
        return self.passed[0].id if self.passed else chunk.id

    def _content(self, content: Any) -> Any:
        if isinstance(content, list):
            return [
                self._moved(block) for block in content if not self._is_hidden(block, self._blocks)
            ]
        if not content or self._separated:
            return content
        self._separated = True
        self.before += _BREAK
        return _BREAK + content

    def _moved(self, block: Any) -> Any:
        """Return a block with an index that no earlier round used."""
        index = block.get("index") if isinstance(block, dict) else None
        if not self._round or index is None:
            return block
        moved = index + self._offset if isinstance(index, int) else f"{index}_{self._round}"
        return {**block, "index": moved}

    def _kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        texts = {name: value for name, value in kwargs.items() if isinstance(value, str)}
        left = [
            call
            for call in kwargs.get("tool_calls") or ()
            if not self._is_hidden(call, self._calls)
        ]
        return {**texts, "tool_calls": left} if left else texts

    def _is_hidden(self, piece: Any, known: set[Any]) -> bool:
        """Return whether a piece belongs to a call of the retrieve tool; only the first one says the name."""
        index = piece.get("index") if isinstance(piece, Mapping) else None
        if is_retrieval(piece):
            known.add(index)
            return True
        return index is not None and index in known and not piece.get("name")


def merged(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Return chunks as one."""
    first, *others = chunks
    return first + others if others else first


def _held(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what waits for the end, since that of two rounds merges into what is of neither."""
    return {
        name: value
        for name, value in kwargs.items()
        if name != "tool_calls" and not isinstance(value, str)
    }


def _number(block: Any) -> int:
    index = block.get("index") if isinstance(block, Mapping) else None
    return index if isinstance(index, int) else -1
