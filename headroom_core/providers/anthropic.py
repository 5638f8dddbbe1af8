"""Anthropic's models, counted by their maker, and the breakpoints of its prompt cache."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from headroom_core.dialects.access import as_items, cache_breakpoints, get_field
from headroom_core.errors import TokenizationError, ValidationError
from headroom_core.models.lookup import Overrides
from headroom_core.providers.base import CatalogProvider, TokenCounter, call_client, require_int
from headroom_core.tokens.tokenizer import Tokenizer

_WHO = "Anthropic's API"
_MOST = 4
"""How many breakpoints the API takes in one request."""

_LEAST = 512
"""The shortest prefix that any of the models caches, where the model's own minimum is not known."""

_MARK = "cache_control"
_NEVER = ("thinking", "redacted_thinking")
_TOOLS, _SYSTEM, _MESSAGES = range(3)
"""The parts of a request, in the order in which the cache reads them."""

_Place = tuple[int, int, int]
"""Where a block stands: its part, its message, its place there; so places compare as the cache reads them."""


class AnthropicProvider(CatalogProvider):
    """Limits, prices and counts of Anthropic's models, and breakpoints for their prompt cache.

    Args:
        client: an `anthropic.Anthropic`, which then counts tokens through the API. None: counts are estimates
            by OpenAI's vocabulary; published comparisons found Claude's own to need 16 to 30 % more tokens.
        enable_cache_control: off places no breakpoints, and prices tokens read from the cache like other input.
        model_context_limits: limits or entries that override the built-in ones, or the path of a file of them.

    Raises:
        ConfigurationError: an override has a wrong value.

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
        """Return what counts tokens: the API with a client, else an estimate that says that it is one."""
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
        """Return a request's messages, system prompt and tools with breakpoints where the stable part ends.

        They stand at the end of the stable messages, of the system prompt and of the tools, and where the request
        before this one ended: the API looks back 20 blocks from a breakpoint, and one turn may have more.
        There are at most four with the caller's own, which stay as they are. None stands where the prefix is
        too short for the cache, on thinking or empty text, or, since the API refuses that, a breakpoint
        of five minutes before one of an hour. A text gets a breakpoint as a block of its own. A request
        with a `cache_control` of its own, at its top, needs none of this.

        Args:
            messages: the conversation.
            model: the model's name: it decides how long a prefix must be.
            system: the system prompt, a text or blocks.
            tools: the tools.
            stable: how many of the messages will be sent again as they are. None: all.

        Returns:
            New lists where something was marked; what was not marked is the same object, and nothing that was
            handed in is altered.

        Raises:
            ValidationError: there are not that many messages.

        Example:
            >>> provider = AnthropicProvider()
            >>> long = "All work and no play makes a long prompt. " * 500
            >>> messages, system, tools = provider.with_breakpoints(
            ...     [{"role": "user", "content": "Hello"}], model="claude-sonnet-4-5", system=long
            ... )
            >>> system[0]["cache_control"], messages[0]["content"]
            ({'type': 'ephemeral'}, [{'type': 'text', 'text': 'Hello', 'cache_control': {'type': 'ephemeral'}}])
        """
        stable = len(messages) if stable is None else stable
        if not 0 <= stable <= len(messages):
            message = f"stable = {stable}: expected a number from 0 to the {len(messages)} messages"
            raise ValidationError(message, {"stable": stable, "messages": len(messages)})
        if not self.enable_cache_control:
            return list(messages), system, tools
        own = list(_marks(tools, system, messages))
        least = self._least(model)
        counted = _Prefix(model, tools, system, messages)
        free = [
            place
            for place in dict.fromkeys(_wanted(tools, system, messages, stable))
            if not _taken(place, own) and counted.reaches(place, least)
        ]
        return _marked(free[: max(0, _MOST - len(own))], messages, system, tools)

    def _least(self, model: str) -> int:
        rules = self._info(model).cache
        return (rules and rules.min_tokens) or _LEAST


def _wanted(tools: Any, system: Any, messages: Sequence[Any], stable: int) -> Iterator[_Place]:
    """Yield where breakpoints help, the one that helps most first."""
    yield from _end(messages[:stable])
    if (block := _last(system)) is not None:
        yield _SYSTEM, 0, block
    yield from _end(messages[: _before(messages, stable)])
    kept = [
        index for index, tool in enumerate(as_items(tools)) if not get_field(tool, "defer_loading")
    ]
    if kept:
        yield _TOOLS, 0, kept[-1]


def _end(messages: Sequence[Any]) -> Iterator[_Place]:
    """Yield the last place of some messages that can have a breakpoint."""
    for index in reversed(range(len(messages))):
        if (block := _last(get_field(messages[index], "content"))) is not None:
            yield _MESSAGES, index, block
            return


def _before(messages: Sequence[Any], stable: int) -> int:
    """Return how many messages the request had to which the last answer among the stable ones belongs."""
    spoken = [index for index in range(stable) if get_field(messages[index], "role") == "assistant"]
    end = spoken[-1] if spoken else 0
    while end and get_field(messages[end - 1], "role") == "assistant":
        end -= 1
    return end


def _last(content: Any) -> int | None:
    """Return the place of the last block that can have a breakpoint; a text is one block."""
    if isinstance(content, str):
        return 0 if content.strip() else None
    blocks = as_items(content)
    return next(
        (index for index in reversed(range(len(blocks))) if _may_have_mark(blocks[index])), None
    )


def _may_have_mark(block: Any) -> bool:
    kind, text = get_field(block, "type"), get_field(block, "text")
    if not isinstance(kind, str) or kind in _NEVER:
        return False
    return kind != "text" or (isinstance(text, str) and bool(text.strip()))


def _marks(tools: Any, system: Any, messages: Sequence[Any]) -> Iterator[tuple[_Place, Any]]:
    """Yield the place of each of the caller's breakpoints, and how long it lives."""
    for part, contents in (
        (_TOOLS, [tools]),
        (_SYSTEM, [system]),
        (_MESSAGES, [get_field(m, "content") for m in messages]),
    ):
        for message, content in enumerate(contents):
            for index, block in enumerate(as_items(content)):
                for mark in cache_breakpoints(block):
                    yield (part, message, index), get_field(mark, "ttl")


def _taken(place: _Place, own: list[tuple[_Place, Any]]) -> bool:
    """Return whether the caller has a breakpoint at this place, or one of an hour after it."""
    return any(at == place or (ttl == "1h" and at > place) for at, ttl in own)


class _Prefix:
    """How many tokens stand before the end of a block, counted no further than need be."""

    def __init__(self, model: str, tools: Any, system: Any, messages: Sequence[Any]) -> None:
        self._tokenizer = Tokenizer(model)
        self._tools, self._system, self._messages = tools, system, messages

    def reaches(self, place: _Place, least: int) -> bool:
        total = 0
        for tokens in self._counts(place):
            total += tokens
            if total >= least:
                return True
        return total >= least

    def _counts(self, place: _Place) -> Iterator[int]:
        part, message, block = place
        tools = as_items(self._tools)
        for tool in tools[: block + 1] if part == _TOOLS else tools:
            yield self._tokenizer.count_text(_json(tool))
        if part >= _SYSTEM:
            yield self._content(self._system, block if part == _SYSTEM else None)
        if part == _MESSAGES:
            for index in range(message + 1):
                content = get_field(self._messages[index], "content")
                yield self._content(content, block if index == message else None)

    def _content(self, content: Any, last: int | None) -> int:
        """Return the tokens of a content, up to its last block that counts."""
        if not isinstance(content, str):
            content = as_items(content)[: None if last is None else last + 1]
        return self._tokenizer.count_message({"content": content})


def _json(tool: Any) -> str:
    value = tool.model_dump() if hasattr(tool, "model_dump") else tool
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _marked(
    places: list[_Place], messages: Sequence[Any], system: Any, tools: Any
) -> tuple[list[Any], Any, Any]:
    """Return the parts of a request with a breakpoint at each place."""
    messages = list(messages)
    for part, message, block in places:
        if part == _TOOLS:
            tools = _with_mark(tools, block)
        elif part == _SYSTEM:
            system = _with_mark(system, block)
        else:
            content = _with_mark(get_field(messages[message], "content"), block)
            messages[message] = _with(messages[message], "content", content)
    return messages, system, tools


def _with_mark(content: Any, index: int) -> list[Any]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [
        _with(block, _MARK, {"type": "ephemeral"}) if at == index else block
        for at, block in enumerate(blocks)
    ]


def _with(holder: Any, key: str, value: Any) -> Any:
    """Return a mapping or a model with another value under a key."""
    if isinstance(holder, Mapping):
        return {**holder, key: value}
    if hasattr(holder, "model_copy"):
        return holder.model_copy(update={key: value})
    return {**holder.model_dump(), key: value}


class AnthropicCounter:
    """Counts tokens by asking Anthropic, one request for each count.

    Args:
        client: an `anthropic.Anthropic`, or whatever has its `messages.count_tokens(model=, messages=, system=)`.
        model: the model's name.
    """

    estimated = False

    def __init__(self, client: Any, model: str) -> None:
        self.model = model
        self._client = client
        self._frame: int | None = None

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text, 0 for an empty one without asking.

        It is what a user's message of this text counts, less what a message counts by itself: the count of a
        message of one token less 1, asked for once.

        Raises:
            TokenizationError: the API counted nothing; it refuses texts of white space alone.
            ProviderError: the client is asynchronous.
        """
        if not text:
            return 0
        if self._frame is None:
            self._frame = self._count([{"role": "user", "content": "a"}]) - 1
        return self._count([{"role": "user", "content": text}]) - self._frame

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a conversation, as a request.

        Args:
            messages: messages of Anthropic's format. Those of the role `system` are sent as the system prompt.

        Raises:
            TokenizationError: the API counted nothing, or there is no message beside the system prompt.
            ProviderError: the client is asynchronous.
        """
        spoken: list[Any] = []
        system: list[Any] = []
        for message in messages:
            if get_field(message, "role") == "system":
                system.extend(_blocks(get_field(message, "content")))
            else:
                spoken.append(message)
        if not spoken:
            raise TokenizationError(
                f"{_WHO} counts no request without a message: give one beside the system prompt"
            )
        return self._count(spoken, **({"system": system} if system else {}))

    def _count(self, messages: list[Any], **more: Any) -> int:
        answer = call_client(
            _WHO,
            lambda: self._client.messages.count_tokens(model=self.model, messages=messages, **more),
        )
        return require_int(getattr(answer, "input_tokens", None), _WHO)


def _blocks(content: Any) -> Sequence[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else as_items(content)
