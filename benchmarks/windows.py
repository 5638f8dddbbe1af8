"""Ways to fit a conversation into a budget: this library's, LangChain's and LlamaIndex's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from typing import Any

from benchmarks.data import Message
from headroom_core import Tokenizer, compress
from headroom_core.config import HeadroomConfig, IntelligentContextConfig, RollingWindowConfig
from headroom_core.stores import Store
from headroom_core.tokens import vocabulary
from headroom_core.transforms import IntelligentContextManager, RollingWindow

Window = Callable[[list[Message], int], list[Message]]
"""Takes a conversation and a budget in tokens, and returns the messages to send."""

MakeWindow = Callable[[Store], Window]
"""Makes a window for a single conversation, or for several that have nothing in common."""

KEPT_RESULTS = 3
"""Number of tool results that context editing never clears: its default."""


def make_compress(
    store: Store,
    *,
    importance: bool = False,
    settings: IntelligentContextConfig | None = None,
    can_retrieve: bool = True,
) -> Window:
    """Make a window of `compress` with a token budget.

    Args:
        store: Where originals are stored.
        importance: Whether to drop the least important messages instead of the oldest.
        settings: Settings of the intelligent context.
        can_retrieve: Whether omitted originals can be retrieved. Otherwise results are shortened
            only as far as the budget demands, before messages are dropped.
    """
    context = (settings or IntelligentContextConfig()).snapshot()
    context.enabled = importance
    config = HeadroomConfig(intelligent_context=context)
    if not can_retrieve:
        config = config.lossless()
    return lambda messages, budget: (
        compress(messages, token_budget=budget, store=store, config=config).messages
    )


def make_rolling(store: Store) -> Window:
    """Make a window of `RollingWindow` alone.

    No room is left for the reply, since the other libraries do not leave room either.
    """
    window = RollingWindow(RollingWindowConfig(output_buffer_tokens=0))
    return lambda messages, budget: window.apply(messages, max_tokens=budget, store=store).messages


def make_intelligent(store: Store) -> Window:
    """Make a window of `IntelligentContextManager` alone, with no room for the reply."""
    manager = IntelligentContextManager(IntelligentContextConfig(output_buffer_tokens=0))
    tokenizer = Tokenizer()
    return lambda messages, budget: (
        manager.apply(messages, tokenizer, model_limit=budget, store=store).messages
    )


class _LangChainConverter:
    """Converts messages to LangChain's and back. Each message is converted once.

    LangChain's messages get numbers as ids, by which their originals are found again.
    """

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()
        self._originals: list[Message] = []
        self._converted: list[Any] = []
        self._numbers: dict[int, int] = {}

    def to_langchain(self, messages: Sequence[Message]) -> list[Any]:
        """Convert messages to LangChain's."""
        return [self._converted[self._number_of(message)] for message in messages]

    def from_langchain(self, messages: Sequence[Any]) -> list[Message]:
        """Return the originals of LangChain's messages, with the texts of cleared results."""
        return [self._original_of(message) for message in messages]

    def count(self, messages: Sequence[Any]) -> int:
        """Count the tokens of LangChain's messages."""
        return self.tokenizer.count_messages(self.from_langchain(messages))

    def _number_of(self, message: Message) -> int:
        from langchain_core.messages import convert_to_messages

        number = self._numbers.get(id(message))
        if number is None:
            number = self._numbers[id(message)] = len(self._originals)
            # A reference to the message, so that no other message gets its id.
            self._originals.append(message)
            self._converted += convert_to_messages([message])
            self._converted[number].id = str(number)
        return number

    def _original_of(self, message: Any) -> Message:
        original = self._originals[int(message.id)]
        if message.type == "tool" and message.content != original["content"]:
            return {**original, "content": message.content}
        return original


def make_trim_messages(_: Store, *, start_on: str | None) -> Window:
    """Make a window of LangChain's `trim_messages`, which keeps the system's and last messages."""
    from langchain_core.messages import trim_messages

    converter = _LangChainConverter()
    options: Any = {
        "strategy": "last",
        "include_system": True,
        "start_on": start_on,
        "token_counter": converter.count,
    }

    def window(messages: list[Message], budget: int) -> list[Message]:
        converted = converter.to_langchain(messages)
        trimmed: Any = trim_messages(converted, max_tokens=budget, **options)
        return converter.from_langchain(trimmed)

    return window


def make_context_editing(_: Store) -> Window:
    """Make a window of LangChain's context editing, which clears all but the last tool results."""
    from langchain.agents.middleware import ClearToolUsesEdit

    converter = _LangChainConverter()

    def window(messages: list[Message], budget: int) -> list[Message]:
        # ContextEditingMiddleware also copies the messages on every call.
        edited = deepcopy(converter.to_langchain(messages))
        edit = ClearToolUsesEdit(trigger=budget, keep=KEPT_RESULTS)
        edit.apply(edited, count_tokens=converter.count)
        return converter.from_langchain(edited)

    return window


def make_chat_memory_buffer(_: Store) -> Window:
    """Make a window of LlamaIndex's `ChatMemoryBuffer`.

    The buffer does not take system messages, so they are put back before its result.
    """
    from llama_index.core.llms import ChatMessage
    from llama_index.core.memory import ChatMemoryBuffer

    tokenizer = Tokenizer()
    encoding = vocabulary.load_vocabulary(tokenizer.encoding)
    encode = encoding.encode_ordinary if encoding else None

    def window(messages: list[Message], budget: int) -> list[Message]:
        system = [message for message in messages if message["role"] == "system"]
        rest = [message for message in messages if message["role"] != "system"]
        history = [
            ChatMessage(
                role=message["role"],
                content=message.get("content"),
                additional_kwargs={"number": number},
            )
            for number, message in enumerate(rest)
        ]
        limit = max(1, budget - tokenizer.count_messages(system))
        memory = ChatMemoryBuffer.from_defaults(history, token_limit=limit, tokenizer_fn=encode)
        return [*system, *(rest[message.additional_kwargs["number"]] for message in memory.get())]

    return window


OURS: dict[str, MakeWindow] = {
    "compress, RollingWindow": make_compress,
    "compress, IntelligentContext": partial(make_compress, importance=True),
    "compress, nothing kept": partial(make_compress, can_retrieve=False),
    "RollingWindow": make_rolling,
    "IntelligentContext": make_intelligent,
}
_OTHERS: dict[str, tuple[str, MakeWindow]] = {
    "trim_messages, start_on human": (
        "langchain_core",
        partial(make_trim_messages, start_on="human"),
    ),
    "trim_messages": ("langchain_core", partial(make_trim_messages, start_on=None)),
    "ChatMemoryBuffer": ("llama_index", make_chat_memory_buffer),
    "ClearToolUsesEdit": ("langchain", make_context_editing),
}
"""The package and the function that makes the window, by name."""


def available_windows(names: Sequence[str]) -> dict[str, MakeWindow]:
    """Return the named windows whose packages are installed."""
    others = {name: make for name, (package, make) in _OTHERS.items() if find_spec(package)}
    known = OURS | others
    return {name: known[name] for name in names if name in known}


def missing_windows(names: Sequence[str]) -> list[str]:
    """Return a line of text for each named window whose package is not installed."""
    missing = [name for name in names if name in _OTHERS and not find_spec(_OTHERS[name][0])]
    return [f"{name} was left out: {_OTHERS[name][0]} is not installed" for name in missing]


def is_unpaired(messages: Sequence[Message]) -> bool:
    """Return whether no provider would accept the messages.

    That is the case if a tool result has no call before it, or if there are only system messages.

    Example:
        >>> is_unpaired([{"role": "tool", "tool_call_id": "a", "content": "42"}])
        True
    """
    call_ids: set[str] = set()
    for message in messages:
        call_ids.update(call["id"] for call in message.get("tool_calls") or ())
        if message["role"] == "tool" and message.get("tool_call_id") not in call_ids:
            return True
    return all(message["role"] == "system" for message in messages)
