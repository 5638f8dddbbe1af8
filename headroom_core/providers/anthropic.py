"""Anthropic's models, token counts by its API, and breakpoints for its prompt cache."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headroom_core.dialects.access import as_items, find_cache_breakpoints, get_field
from headroom_core.errors import TokenizationError, ValidationError
from headroom_core.models.lookup import Overrides
from headroom_core.providers.base import CatalogProvider, TokenCounter, call_client, require_int
from headroom_core.tokens.tokenizer import Tokenizer

_API = "Anthropic's API"

_MAX_BREAKPOINTS = 4
"""Maximum number of breakpoints that the API accepts in one request."""

_MIN_CACHED_TOKENS = 512
"""Minimum length of a cached prefix if the model's own is unknown: the smallest of any model."""

_BREAKPOINT_FIELD = "cache_control"

_UNMARKABLE_TYPES = ("thinking", "redacted_thinking")
"""Types of blocks on which the API refuses a breakpoint."""

_TOOLS, _SYSTEM, _MESSAGES = range(3)
"""The parts of a request, in the order in which the cache reads them."""

_Position = tuple[int, int, int]
"""Position of a block: part, message, and block. Positions compare in the cache's order."""


class AnthropicProvider(CatalogProvider):
    """Limits, prices and token counts of Anthropic's models, and breakpoints for its cache.

    Args:
        client: An `anthropic.Anthropic`, which then counts tokens through the API. Defaults to
            estimating counts with OpenAI's vocabulary; in published comparisons, Claude's own
            vocabulary needed 16 to 30 % more tokens.
        enable_cache_control: Whether `with_breakpoints` adds breakpoints, and tokens read from
            the prompt cache have their own price. If not, they cost as much as other input.
        model_context_limits: Limits or entries that override the built-in catalog, or the path of a
            file of them.

    Raises:
        ConfigurationError: An override has a value that is not valid.

    Example:
        >>> provider = AnthropicProvider()
        >>> provider.get_context_limit("claude-sonnet-4-5-20250929")
        200000
        >>> provider.get_token_counter("claude-sonnet-4-5").estimated
        True
    """

    name = "anthropic"

    def __init__(
        self,
        client: Any = None,
        enable_cache_control: bool = True,
        *,
        model_context_limits: Overrides | None = None,
    ) -> None:
        super().__init__(enable_cache_control, model_context_limits)
        self.enable_cache_control = enable_cache_control
        self._client = client

    def get_token_counter(self, model: str) -> TokenCounter:
        """Return a counter that asks the API, or that estimates if there is no client."""
        return Tokenizer(model) if self._client is None else AnthropicCounter(self._client, model)

    def with_breakpoints(
        self,
        messages: Sequence[Any],
        *,
        model: str,
        system: Any = None,
        tools: Any = None,
        stable: int | None = None,
    ) -> tuple[list[Any], Any, Any]:
        """Return a request's messages, system prompt and tools with breakpoints added.

        Breakpoints mark the end of the stable messages, of the system prompt and of the tools, and
        the end of the previous request: the API looks back 20 blocks from a breakpoint, and one
        turn may have more.

        A request gets at most four, including the caller's own, which are kept. No breakpoint is
        added after a prefix that is too short to be cached, on thinking or empty text, or before a
        breakpoint with a lifetime of one hour, because the API refuses a shorter lifetime there. A
        text that gets a breakpoint becomes a block. Requests with `cache_control` at their top
        level need none of this.

        Args:
            messages: The conversation.
            model: Name of the model, which determines the minimum length of a cached prefix.
            system: The system prompt, a text or blocks.
            tools: The tools.
            stable: Number of leading messages that will be sent again unchanged. Defaults to all.

        Returns:
            The messages, the system prompt and the tools. Objects without a new breakpoint are the
            same objects, and no object passed in is modified.

        Raises:
            ValidationError: `stable` is negative or greater than the number of messages.

        Example:
            >>> provider = AnthropicProvider()
            >>> long = "All work and no play makes a long prompt. " * 500
            >>> messages, system, tools = provider.with_breakpoints(
            ...     [{"role": "user", "content": "Hello"}], model="claude-sonnet-4-5", system=long
            ... )
            >>> system[0]["cache_control"]
            {'type': 'ephemeral'}
            >>> messages[0]["content"]
            [{'type': 'text', 'text': 'Hello', 'cache_control': {'type': 'ephemeral'}}]
        """
        if stable is None:
            stable = len(messages)
        if not 0 <= stable <= len(messages):
            raise ValidationError(
                f"stable must be between 0 and the number of messages, {len(messages)}, "
                f"got {stable}",
                {"stable": stable, "messages": len(messages)},
            )
        if not self.enable_cache_control:
            return list(messages), system, tools
        positions = self._choose_positions(messages, system, tools, model=model, stable=stable)
        return _add_breakpoints(positions, messages, system, tools)

    def _choose_positions(
        self, messages: Sequence[Any], system: Any, tools: Any, *, model: str, stable: int
    ) -> list[_Position]:
        existing = list(_existing_breakpoints(tools, system, messages))
        prefix = _Prefix(model, tools, system, messages)
        min_tokens = self._min_cached_tokens(model)
        positions = [
            position
            for position in _useful_positions(tools, system, messages, stable)
            if not _is_blocked(position, existing) and prefix.has_tokens(min_tokens, position)
        ]
        room = max(0, _MAX_BREAKPOINTS - len(existing))
        return positions[:room]

    def _min_cached_tokens(self, model: str) -> int:
        rules = self._info(model).cache
        if rules is None or rules.min_tokens is None:
            return _MIN_CACHED_TOKENS
        return rules.min_tokens


def _useful_positions(
    tools: Any, system: Any, messages: Sequence[Any], stable: int
) -> list[_Position]:
    """Return the positions at which a breakpoint helps, the most useful first."""
    previous_length = _previous_request_length(messages, stable)
    positions = [
        _last_message_position(messages[:stable]),
        _last_system_position(system),
        _last_message_position(messages[:previous_length]),
        _last_tool_position(tools),
    ]
    return list(dict.fromkeys(position for position in positions if position is not None))


def _last_message_position(messages: Sequence[Any]) -> _Position | None:
    for index in reversed(range(len(messages))):
        block = _last_markable_block(get_field(messages[index], "content"))
        if block is not None:
            return _MESSAGES, index, block
    return None


def _last_system_position(system: Any) -> _Position | None:
    block = _last_markable_block(system)
    return None if block is None else (_SYSTEM, 0, block)


def _last_tool_position(tools: Any) -> _Position | None:
    items = as_items(tools)
    for index in reversed(range(len(items))):
        # Deferred tools are not part of the prompt.
        if not get_field(items[index], "defer_loading"):
            return _TOOLS, 0, index
    return None


def _previous_request_length(messages: Sequence[Any], stable: int) -> int:
    """Return the number of messages in the request that the last stable answer belongs to."""
    end = stable
    while end > 0 and not _is_assistant(messages[end - 1]):
        end -= 1
    while end > 0 and _is_assistant(messages[end - 1]):
        end -= 1
    return end


def _is_assistant(message: Any) -> bool:
    return bool(get_field(message, "role") == "assistant")


def _last_markable_block(content: Any) -> int | None:
    """Return the index of the last block that can have a breakpoint. A text is one block."""
    if isinstance(content, str):
        return 0 if content.strip() else None
    blocks = as_items(content)
    for index in reversed(range(len(blocks))):
        if _is_markable(blocks[index]):
            return index
    return None


def _is_markable(block: Any) -> bool:
    kind = get_field(block, "type")
    if not isinstance(kind, str) or kind in _UNMARKABLE_TYPES:
        return False
    if kind != "text":
        return True
    text = get_field(block, "text")
    return isinstance(text, str) and bool(text.strip())


def _existing_breakpoints(
    tools: Any, system: Any, messages: Sequence[Any]
) -> Iterator[tuple[_Position, Any]]:
    """Yield the position and the lifetime of each breakpoint that the caller set."""
    contents = [(_TOOLS, 0, tools), (_SYSTEM, 0, system)]
    for index, message in enumerate(messages):
        contents.append((_MESSAGES, index, get_field(message, "content")))
    for part, message_index, content in contents:
        for index, block in enumerate(as_items(content)):
            for control in find_cache_breakpoints(block):
                yield (part, message_index, index), get_field(control, "ttl")


def _is_blocked(position: _Position, existing: list[tuple[_Position, Any]]) -> bool:
    """Return whether the caller's own breakpoints, there or after it, forbid another."""
    return any(
        other == position or (lifetime == "1h" and other > position) for other, lifetime in existing
    )


class _Prefix:
    """Token counts of a request's beginnings."""

    def __init__(self, model: str, tools: Any, system: Any, messages: Sequence[Any]) -> None:
        self._tokenizer = Tokenizer(model)
        self._tools = tools
        self._system = system
        self._messages = messages

    def has_tokens(self, minimum: int, position: _Position) -> bool:
        """Return whether the request up to a block's end has that many tokens."""
        total = 0
        for tokens in self._counts(position):
            total += tokens
            # Counting stops as soon as it can: most prefixes are far longer than the minimum.
            if total >= minimum:
                return True
        return False

    def _counts(self, position: _Position) -> Iterator[int]:
        part, message_index, block = position
        tools = as_items(self._tools)
        for tool in tools[: block + 1] if part == _TOOLS else tools:
            yield self._tokenizer.count_text(_tool_json(tool))
        if part == _TOOLS:
            return
        if part == _SYSTEM:
            yield self._count_content(self._system, block)
            return
        yield self._count_content(self._system)
        for message in self._messages[:message_index]:
            yield self._count_content(get_field(message, "content"))
        yield self._count_content(get_field(self._messages[message_index], "content"), block)

    def _count_content(self, content: Any, last_block: int | None = None) -> int:
        """Return the tokens of a content, up to its last block if that is given."""
        if not isinstance(content, str):
            content = as_items(content)
            if last_block is not None:
                content = content[: last_block + 1]
        return self._tokenizer.count_message({"content": content})


def _tool_json(tool: Any) -> str:
    value = tool.model_dump() if hasattr(tool, "model_dump") else tool
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _add_breakpoints(
    positions: list[_Position], messages: Sequence[Any], system: Any, tools: Any
) -> tuple[list[Any], Any, Any]:
    """Return the parts of a request with a breakpoint at each position."""
    messages = list(messages)
    for part, index, block in positions:
        if part == _TOOLS:
            tools = _mark_block(tools, block)
        elif part == _SYSTEM:
            system = _mark_block(system, block)
        else:
            content = _mark_block(get_field(messages[index], "content"), block)
            messages[index] = _with_field(messages[index], "content", content)
    return messages, system, tools


def _mark_block(content: Any, index: int) -> list[Any]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    blocks[index] = _with_field(blocks[index], _BREAKPOINT_FIELD, {"type": "ephemeral"})
    return blocks


def _with_field(holder: Any, name: str, value: Any) -> Any:
    """Return a copy of a mapping or of an SDK's model with another value of a field."""
    if isinstance(holder, Mapping):
        return {**holder, name: value}
    if hasattr(holder, "model_copy"):
        return holder.model_copy(update={name: value})
    return {**holder.model_dump(), name: value}


class AnthropicCounter:
    """Token counter that asks Anthropic, with one request per count.

    Args:
        client: An `anthropic.Anthropic`, or any object with its
            `messages.count_tokens(model=, messages=, system=)`.
        model: Name of the model.
    """

    estimated = False

    def __init__(self, client: Any, model: str) -> None:
        self.model = model
        self._client = client
        self._message_overhead: int | None = None

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text. An empty text is 0 without a request.

        The API counts messages only, so the overhead of a message is subtracted. It is the count
        of a message of one token less 1, and is requested once.

        Raises:
            TokenizationError: The API did not count the text. It refuses texts of white space.
            ProviderError: The client is asynchronous.
        """
        if not text:
            return 0
        if self._message_overhead is None:
            self._message_overhead = self._count([{"role": "user", "content": "a"}]) - 1
        return self._count([{"role": "user", "content": text}]) - self._message_overhead

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a request with these messages.

        Args:
            messages: Messages in Anthropic's format. Those with the role `system` are sent as the
                system prompt.

        Raises:
            TokenizationError: The API did not count the messages, or there is none besides the
                system prompt.
            ProviderError: The client is asynchronous.
        """
        conversation: list[Any] = []
        system: list[Any] = []
        for message in messages:
            if get_field(message, "role") == "system":
                system.extend(_to_blocks(get_field(message, "content")))
            else:
                conversation.append(message)
        if not conversation:
            raise TokenizationError(
                f"{_API} counts no request without a message: give one besides the system prompt"
            )
        if system:
            return self._count(conversation, system=system)
        return self._count(conversation)

    def _count(self, messages: list[Any], **parameters: Any) -> int:
        answer = call_client(
            _API,
            lambda: self._client.messages.count_tokens(
                model=self.model, messages=messages, **parameters
            ),
        )
        return require_int(getattr(answer, "input_tokens", None), _API)


def _to_blocks(content: Any) -> Sequence[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else as_items(content)
