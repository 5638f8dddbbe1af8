"""Counting tokens: of a text, and of the messages of a conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from headroom_core._internal.fork import ForkSafeLock
from headroom_core._internal.lru import LRUCache, memoized, text_key
from headroom_core.dialects.access import as_items, get_field, is_mapping, result_values
from headroom_core.errors import TokenizationError
from headroom_core.tokens import vocabulary
from headroom_core.tokens.estimate import estimate_tokens

TOKENS_PER_MESSAGE = 3
TOKENS_PER_REPLY = 3
PER_NAME = 1
"""What OpenAI's chat format adds: to each message, to the request for the reply, to a message with a name."""

IMAGE = 765
IMAGE_LOW = 85
"""What an image is taken to cost: as one of 1024 by 1024 pixels, and in low detail."""

_CACHED = 16_384
_SHORT = 256
_PIECE = 200_000
_CUT = re.compile(r"""[A-Za-z0-9](?=[ \n",;:|<>\]}])""")
"""Where a text may be cut without a change to its count: no token reaches from a letter or digit into these."""

_NESTED = (
    *("content", "parts", "tool_calls", "invalid_tool_calls", "function", "custom", "source"),
    *("blocks", "cited_content"),
    *("function_call", "functionCall"),
    *("function_response", "functionResponse", "executable_code", "executableCode"),
    *("code_execution_result", "codeExecutionResult"),
)
_TEXTS = (
    "text",
    "refusal",
    "thinking",
    "reasoning",
    "name",
    "tool_name",
    "title",
    "context",
    "output",
    "code",
)
_VALUES = ("arguments", "input", "args", "tool_kwargs")
_ANSWER = "response"
_IMAGES = ("image", "image_url", "input_image")
_MEDIA = ("inline_data", "inlineData", "file_data", "fileData")


class EncodingCounter:
    """The counts of one encoding, shared by all of this process, in threads too.

    The counts of the last 16,384 texts are remembered by content, so that a text is encoded once while it is
    among them. Only threads that meet on a new text may each encode it.

    Attributes:
        encoding: the name of the encoding.
        encoded_characters: how many characters were encoded so far; a count that was remembered adds none.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.encoded_characters = 0
        self._counts = LRUCache[str | tuple[int, int], int](_CACHED)
        self._lock = ForkSafeLock()

    @property
    def estimated(self) -> bool:
        """Whether the vocabulary is not on this machine, so that counts are estimates."""
        return vocabulary.load_vocabulary(self.encoding) is None

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return self._counts.of(
            text if len(text) <= _SHORT else text_key(text), lambda: self._encode(text)
        )

    def _encode(self, text: str) -> int:
        with self._lock:
            self.encoded_characters += len(text)
        encoding = vocabulary.load_vocabulary(self.encoding)
        if encoding is None:
            return sum(map(estimate_tokens, _pieces(text)))
        return sum(len(encoding.encode_ordinary(piece)) for piece in _pieces(text))


_counters = {name: EncodingCounter(name) for name in vocabulary.NAMES}
_encoded = memoized(
    json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), skipkeys=True, default=str).encode
)


class Tokenizer:
    """Counts the tokens of texts and messages as a model does.

    Nothing is downloaded. Where the model's vocabulary is on this machine, the counts of texts are exact; for
    a model whose vocabulary is not public, or not here, they are estimates. The vocabulary is loaded at the
    first count.

    Args:
        model: the model's name; dates, fine-tuned names and a provider's prefix are understood, and a
            model that is not known counts with o200k_base.

    Attributes:
        model: the model's name.
        encoding: the name of the encoding.
        counter: the counts of this encoding, shared with every other tokenizer that has it.

    Example:
        >>> tokenizer = Tokenizer("gpt-4o")
        >>> tokenizer.encoding, Tokenizer("claude-sonnet-4").estimated
        ('o200k_base', True)
        >>> tokenizer.count_text("") == 0 < tokenizer.count_text("Hello")
        True
    """

    def __init__(self, model: str = "gpt-4o") -> None:
        self.model = model
        self.encoding, self._own = vocabulary.resolve_encoding(model)
        self.counter = _counters[self.encoding]

    @property
    def estimated(self) -> bool:
        """Whether counts are estimates, because the model's own vocabulary is not at hand."""
        return not self._own or self.counter.estimated

    def count_text(self, text: str) -> int:
        """Return the number of tokens of a text.

        Special tokens count as the text that they are written with, and lone surrogates as what replaces
        them. Texts beyond 200,000 characters are counted in pieces, cut where no token is; where 100,000
        characters offer no such place (one endless word, or Chinese without a space), the count may be off
        by a token or two a piece.
        """
        return self.counter.count(text)

    def count_messages(self, messages: Iterable[Any]) -> int:
        """Return the number of tokens of a conversation's messages, the request for the reply included.

        Counted are roles, names, texts, thinking, code, tool calls with their arguments, and tool results, each on
        its own, so that another text changes the sum by the difference of the two texts; then 3 tokens a
        message and 3 for the reply, and for an image 765 (85 in low detail) whatever its size. Ids,
        signatures, cache marks, encrypted thinking and base64 count nothing.

        Args:
            messages: mappings, or objects with `model_dump`, of the OpenAI, Anthropic or Google format; or
                LangChain's or LlamaIndex's, of which a call that stands in two places counts once.

        Raises:
            TokenizationError: a message refers to itself, or is nested hundreds of levels deep.

        Example:
            >>> tokenizer = Tokenizer()
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> tokenizer.count_messages(messages) == 6 + sum(map(tokenizer.count_text, ["user", "Hello"]))
            True
        """
        return TOKENS_PER_REPLY + sum(self.count_each(messages))

    def count_each(self, messages: Iterable[Any]) -> list[int]:
        """Return what each message adds to `count_messages`.

        Raises:
            TokenizationError: a message refers to itself, or is nested hundreds of levels deep.
        """
        try:
            return [self._count_message(message) for message in messages]
        except (RecursionError, ValueError):
            message = "messages cannot be counted: one refers to itself or is nested too deeply; send plain JSON values"
            raise TokenizationError(message) from None

    def count_message(self, message: Any) -> int:
        """Return what one message adds to `count_messages`.

        Raises:
            TokenizationError: it refers to itself, or is nested hundreds of levels deep.
        """
        return self.count_each([message])[0]

    def _count_message(self, message: Any) -> int:
        held = _held(message)
        role, name = held.get("role") or _role(held.get("type")), held.get("name")
        spoken = self.count_text(role) if isinstance(role, str) else 0
        tokens = TOKENS_PER_MESSAGE + spoken + (PER_NAME if isinstance(name, str) else 0)
        tokens += self._held_cost(held) if held else self._cost(message)
        return tokens - self._cost(_said_twice(held))

    def _cost(self, value: Any) -> int:
        """Return the tokens of everything in a value that a model reads."""
        if isinstance(value, str):
            return self.count_text(value)
        if isinstance(value, (list, tuple)):
            return sum([self._cost(part) for part in value])
        return self._held_cost(_held(value))

    def _held_cost(self, held: Mapping[str, Any]) -> int:
        kind = held.get("type") or held.get("block_type")
        if kind in _IMAGES:
            return IMAGE_LOW if _is_low(held) else IMAGE
        tokens = self._cost(held.get("data")) if kind == "text" else 0
        for key in held:
            if (cost := _COUNTED.get(key)) and (value := held.get(key)) is not None:
                tokens += cost(self, value)
        return tokens

    def _legacy_cost(self, extra: Any) -> int:
        """Return the tokens of the calls that stand beside a message; the rest of it is not for the model."""
        return self._cost([get_field(extra, "function_call"), get_field(extra, "tool_calls")])

    def _json_cost(self, value: Any) -> int:
        return self.count_text(_json(value))

    def _media_cost(self, value: Any) -> int:
        return IMAGE if _is_image(value) else 0

    def _answer_cost(self, answer: Any) -> int:
        """Return the tokens of what a function returned: of every text or value in it, and of the keys to it."""
        tokens = 0 if is_mapping(answer) else self.count_text(_json(answer))
        for path, value in result_values(answer):
            tokens += sum(self.count_text(key) for key in path if isinstance(key, str))
            tokens += self.count_text(_json(value))
        return tokens


_COUNTED: dict[str, Callable[[Tokenizer, Any], int]] = {
    **dict.fromkeys((*_NESTED, *_TEXTS), Tokenizer._cost),
    **dict.fromkeys(_VALUES, Tokenizer._json_cost),
    _ANSWER: Tokenizer._answer_cost,
    **dict.fromkeys(_MEDIA, Tokenizer._media_cost),
    "additional_kwargs": Tokenizer._legacy_cost,
}
"""How the fields that a model reads are counted."""

_ROLES = {
    "human": "user",
    "ai": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "function",
}
"""Who speaks in LangChain's messages, by their types."""

_LOOKED_AT = (*_COUNTED, "role", "type", "block_type", "data", "detail", "image_url")
_NOTHING: Mapping[str, Any] = {}


def _role(form: Any) -> str | None:
    return _ROLES.get(form.removesuffix("MessageChunk").lower()) if isinstance(form, str) else None


def _said_twice(message: Mapping[str, Any]) -> list[Any]:
    """Return the calls in a message's content or beside it that LangChain or LlamaIndex also keep elsewhere."""
    again = [
        *as_items(message.get("content")),
        *as_items(get_field(message.get("additional_kwargs"), "tool_calls")),
    ]
    if not again:
        return []
    calls = [
        call
        for key in ("tool_calls", "invalid_tool_calls", "blocks")
        for call in as_items(message.get(key))
    ]
    made = [
        key for call in calls if (key := get_field(call, "id") or get_field(call, "tool_call_id"))
    ]
    return (
        [part for part in again if (get_field(part, "call_id") or get_field(part, "id")) in made]
        if made
        else []
    )


def _held(holder: Any) -> Mapping[str, Any]:
    """Return a mapping, or what a model holds that is looked at here; nothing of any other value."""
    if is_mapping(holder):
        return cast(Mapping[str, Any], holder)
    if isinstance(holder, str) or not hasattr(holder, "model_dump"):
        return _NOTHING
    held = {key: getattr(holder, key, None) for key in _fields(holder.__class__)}
    if extra := getattr(holder, "model_extra", None):
        return {**extra, **held}
    return held


@lru_cache(maxsize=1024)
def _fields(cls: type) -> tuple[str, ...]:
    """Return what is looked at of a model's fields; its properties say again what its fields say."""
    declared = getattr(cls, "model_fields", _LOOKED_AT)
    return tuple(key for key in _LOOKED_AT if key in declared)


def count_tokens_text(text: str, model: str = "gpt-4o") -> int:
    """Return the number of tokens of a text, as `Tokenizer(model).count_text` does.

    Example:
        >>> count_tokens_text("")
        0
    """
    return Tokenizer(model).count_text(text)


def count_tokens_messages(messages: Iterable[Any], model: str = "gpt-4o") -> int:
    """Return the number of tokens of a conversation's messages, as `Tokenizer(model).count_messages` does.

    Example:
        >>> count_tokens_messages([])
        3
    """
    return Tokenizer(model).count_messages(messages)


def _pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces short enough for tiktoken, which fails on a million spaces and keeps every token."""
    start = 0
    while len(text) - start > _PIECE:
        end = start + _PIECE
        cut = _CUT.search(text, end - _PIECE // 2, end)
        end = cut.end() if cut else end
        yield text[start:end]
        start = end
    yield text[start:]


def _is_low(image: Any) -> bool:
    return "low" in (get_field(image, "detail"), get_field(get_field(image, "image_url"), "detail"))


def _is_image(media: Any) -> bool:
    form = get_field(media, "mime_type") or get_field(media, "mimeType")
    return isinstance(form, str) and form.startswith("image/")


def _json(value: Any) -> str:
    """Return a tool's input as the model reads it; nothing where there is none."""
    if value is None or isinstance(value, str):
        return value or ""
    return _encoded(value)
