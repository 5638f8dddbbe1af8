"""Token counts of texts, and of the messages of a conversation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from headroom_core._internal.caches import process_caches
from headroom_core._internal.checks import is_int
from headroom_core._internal.fork import ForkSafeLock
from headroom_core._internal.lru import LRUCache, text_key
from headroom_core.dialects import Dialect, dialect_for
from headroom_core.dialects.counting import CHAT_FIELDS, CountText
from headroom_core.dialects.declarations import declaration_texts
from headroom_core.errors import ConfigurationError, TokenizationError
from headroom_core.messages import MessageCounter
from headroom_core.tokens import vocabulary
from headroom_core.tokens.estimate import estimate_tokens

TOKENS_PER_REPLY = 3
"""Overhead of OpenAI's chat format for the reply that a request asks for."""

_MAX_CACHED_COUNTS = 16_384
_MAX_KEY_CHARACTERS = 256
"""Longest text that is its own key in the cache. Longer ones are known by a hash."""

# tiktoken fails on a million spaces in a row, so long texts are encoded in pieces.
_PIECE_CHARACTERS = 200_000

# Places where a text may be cut without changing its count: no token reaches from a letter or
# digit into one of these characters. Other characters, such as "-" or "'", share tokens with words.
_CUT = re.compile(r"""[A-Za-z0-9](?=[ \n",;:|<>\]}])""")


class EncodingCounter:
    """Thread-safe token counts of one encoding, shared by the whole process.

    The counts of the last 16,384 texts are cached by content, so a text is encoded once while it
    is among them. Only threads that meet a new text at the same time may each encode it.

    Attributes:
        encoding: The name of the encoding.
        encoded_characters: Number of characters encoded so far. Cached counts add none.
    """

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.encoded_characters = 0
        self._counts: LRUCache[str | tuple[int, int], int] = process_caches.lru(_MAX_CACHED_COUNTS)
        self._lock = ForkSafeLock()

    @property
    def estimated(self) -> bool:
        """Whether counts are estimates, because the vocabulary is not on this machine."""
        return vocabulary.load_vocabulary(self.encoding) is None

    def count(self, text: str) -> int:
        """Count the tokens of a text."""
        key = text if len(text) <= _MAX_KEY_CHARACTERS else text_key(text)
        return self._counts.get_or_compute(key, lambda: self._encode(text))

    def _encode(self, text: str) -> int:
        with self._lock:
            self.encoded_characters += len(text)
        encoding = vocabulary.load_vocabulary(self.encoding)
        if encoding is None:
            return sum(map(estimate_tokens, _split_pieces(text)))
        return sum(len(encoding.encode_ordinary(piece)) for piece in _split_pieces(text))


_counters = {name: EncodingCounter(name) for name in vocabulary.NAMES}


class Tokenizer:
    """Counts the tokens of texts and messages as a model does.

    Nothing is downloaded. If the model's vocabulary is on this machine, the counts of texts are
    exact. For models without a public vocabulary, or without one on this machine, they are
    estimates. The vocabulary is loaded at the first count.

    Args:
        model: The name of the model, which may have a date, a provider's prefix, or the form of
            a fine-tuned model's name. Unknown models count with o200k_base.

    Raises:
        ConfigurationError: The model is not a name.

    Attributes:
        model: The name of the model.
        encoding: The name of the model's encoding.
        counter: Counts of the encoding, shared by all tokenizers that use it.

    Example:
        >>> tokenizer = Tokenizer("gpt-4o")
        >>> tokenizer.encoding, Tokenizer("claude-sonnet-4").estimated
        ('o200k_base', True)
        >>> tokenizer.count_text("") == 0 < tokenizer.count_text("Hello")
        True
    """

    def __init__(self, model: str = "gpt-4o") -> None:
        if not isinstance(model, str):
            kind = type(model).__name__
            message = f"model must be the name of a model, such as 'gpt-4o', got {kind}"
            raise ConfigurationError(message, {"model": kind})
        self.model = model
        self.encoding, self._is_own_encoding = vocabulary.resolve_encoding(model)
        self.counter = _counters[self.encoding]

    @property
    def estimated(self) -> bool:
        """Whether counts are estimates, because the model's vocabulary is not available."""
        return not self._is_own_encoding or self.counter.estimated

    def count_text(self, text: str) -> int:
        """Count the tokens of a text.

        Special tokens count as the text that they are written with, and lone surrogates as their
        replacement character. Texts beyond 200,000 characters are counted in pieces, which are cut
        between tokens. If 100,000 characters offer no place for a cut (an endless word, or Chinese
        without a space), the count may be off by a token or two for each piece.
        """
        return self.counter.count(text)

    def count_messages(
        self, messages: Iterable[Any], dialect: str | Dialect | MessageCounter | None = None
    ) -> int:
        """Count the tokens of a conversation, including the request for the reply.

        Roles, names, texts, thinking, code, tool calls with their arguments, and tool results
        count, each by itself: changing a text changes the sum by the difference of the two texts.
        Every message adds 3 tokens and the reply 3 more; an image counts 765 (85 in low detail)
        whatever its size. Ids, signatures, cache breakpoints, encrypted thinking and base64 count
        nothing.

        Args:
            messages: Messages of any format that a dialect reads.
            dialect: The messages' format. Defaults to the dialect that recognises the messages.

        Raises:
            ConfigurationError: No dialect has that name.
            TokenizationError: A message refers to itself, or is nested hundreds of levels deep.

        Example:
            >>> tokenizer = Tokenizer()
            >>> messages = [{"role": "user", "content": "Hello"}]
            >>> texts = sum(map(tokenizer.count_text, ["user", "Hello"]))
            >>> tokenizer.count_messages(messages) == 6 + texts
            True
        """
        return TOKENS_PER_REPLY + sum(self.count_each(messages, dialect))

    def count_tools(self, tools: Iterable[Any]) -> int:
        """Count the tokens of the declarations of tools, which every request carries.

        Each counts as the JSON in which it is declared; providers' own counts are a little lower.

        Args:
            tools: Declarations in the format of any provider.

        Example:
            >>> Tokenizer().count_tools([])
            0
        """
        return sum(map(self.count_text, declaration_texts(tools)))

    def count_each(
        self, messages: Iterable[Any], dialect: str | Dialect | MessageCounter | None = None
    ) -> list[int]:
        """Count the tokens that each message adds to `count_messages`.

        Args:
            messages: The messages.
            dialect: The messages' format. Defaults to the dialect that recognises the messages;
                name it for a part of a conversation, which alone may look like another format.

        Raises:
            ConfigurationError: No dialect has that name.
            TokenizationError: A message refers to itself, or is nested hundreds of levels deep.
        """
        messages = list(messages)
        count = _find_counter(messages, dialect)
        try:
            counts = [count(message, self.count_text) for message in messages]
        except (RecursionError, ValueError):
            raise TokenizationError(
                "messages cannot be counted: a message refers to itself or is nested too deeply; "
                "send plain JSON values"
            ) from None
        if not all(is_int(tokens, minimum=0) for tokens in counts):
            raise TokenizationError("the dialect's count of a message must be a whole number")
        return counts

    def count_message(
        self, message: Any, dialect: str | Dialect | MessageCounter | None = None
    ) -> int:
        """Count the tokens that one message adds to `count_messages`.

        Args:
            message: The message.
            dialect: The message's format. Defaults to the dialect that recognises the message.

        Raises:
            ConfigurationError: No dialect has that name.
            TokenizationError: It refers to itself, or is nested hundreds of levels deep.
        """
        return self.count_each([message], dialect)[0]


def _find_counter(
    messages: Sequence[Any], dialect: str | Dialect | MessageCounter | None
) -> Callable[[Any, CountText], int]:
    """Return the function that counts a dialect's messages, by default that of chat messages."""
    if isinstance(dialect, str):
        dialect = dialect_for(messages, dialect)
    elif dialect is None:
        # An installed dialect that cannot be loaded must not break counting.
        with suppress(ConfigurationError):
            dialect = dialect_for(messages)
    count: Callable[[Any, CountText], int] = getattr(dialect, "count", CHAT_FIELDS.count)
    return count


def count_tokens_text(text: str, model: str = "gpt-4o") -> int:
    """Count the tokens of a text, as `Tokenizer(model).count_text` does.

    Example:
        >>> count_tokens_text("")
        0
    """
    return Tokenizer(model).count_text(text)


def count_tokens_messages(messages: Iterable[Any], model: str = "gpt-4o") -> int:
    """Count the tokens of a conversation, as `Tokenizer(model).count_messages` does.

    Example:
        >>> count_tokens_messages([])
        3
    """
    return Tokenizer(model).count_messages(messages)


def _split_pieces(text: str) -> Iterator[str]:
    """Yield a text in pieces that are short enough for tiktoken, with every token in one piece."""
    start = 0
    while len(text) - start > _PIECE_CHARACTERS:
        end = start + _PIECE_CHARACTERS
        cut = _CUT.search(text, end - _PIECE_CHARACTERS // 2, end)
        end = cut.end() if cut else end
        yield text[start:end]
        start = end
    yield text[start:]
