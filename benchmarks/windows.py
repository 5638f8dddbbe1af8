"""Ways to make a conversation fit a budget: this library's, and those of LangChain and of LlamaIndex."""

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
"""Returns what is sent of a conversation that may have so many tokens."""

MakeWindow = Callable[[Store], Window]
"""Returns a window for one conversation, or for several that know nothing of each other."""

KEPT_RESULTS = 3
"""How many results of tools context editing never clears; its default."""


def compressing(
    store: Store,
    *,
    importance: bool = False,
    settings: IntelligentContextConfig | None = None,
    kept: bool = True,
) -> Window:
    """Return `compress` with a budget, which leaves out the oldest, or the least important.

    Where nothing is kept, it shortens results only for the budget, and before it leaves anything out.
    """
    managed = (settings or IntelligentContextConfig()).snapshot()
    managed.enabled = importance
    config = HeadroomConfig(intelligent_context=managed)
    config = config if kept else config.lossless()
    return lambda messages, budget: (
        compress(messages, token_budget=budget, store=store, config=config).messages
    )


def rolling(store: Store) -> Window:
    """Return the rolling window alone; nothing is left free for the reply, as nobody else does."""
    window = RollingWindow(RollingWindowConfig(output_buffer_tokens=0))
    return lambda messages, budget: window.apply(messages, max_tokens=budget, store=store).messages


def intelligent(store: Store) -> Window:
    """Return the intelligent context alone; nothing is left free for the reply."""
    manager = IntelligentContextManager(IntelligentContextConfig(output_buffer_tokens=0))
    tokenizer = Tokenizer()
    return lambda messages, budget: (
        manager.apply(messages, tokenizer, model_limit=budget, store=store).messages
    )


class _LangChain:
    """LangChain's form of messages, each converted once, and the way back by the ids that they are given."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer()
        self._given: list[Message] = []
        self._converted: list[Any] = []
        self._number: dict[int, int] = {}

    def there(self, messages: Sequence[Message]) -> list[Any]:
        """Return the messages as LangChain's."""
        return [self._converted[self._of(message)] for message in messages]

    def back(self, kept: Sequence[Any]) -> list[Message]:
        """Return the messages that LangChain's came from, with the text of results that were cleared."""
        return [self._one(message) for message in kept]

    def count(self, kept: Sequence[Any]) -> int:
        """Return the tokens of LangChain's messages."""
        return self.tokenizer.count_messages(self.back(kept))

    def _of(self, message: Message) -> int:
        from langchain_core.messages import convert_to_messages

        number = self._number.get(id(message))
        if number is None:
            number = self._number[id(message)] = len(self._given)
            self._given.append(message)  # Held, so that no other message gets its id.
            self._converted += convert_to_messages([message])
            self._converted[number].id = str(number)
        return number

    def _one(self, converted: Any) -> Message:
        given = self._given[int(converted.id)]
        changed = converted.type == "tool" and converted.content != given["content"]
        return {**given, "content": converted.content} if changed else given


def trimming(_: Store, *, start_on: str | None) -> Window:
    """Return LangChain's `trim_messages`, which keeps the last messages and the system's."""
    from langchain_core.messages import trim_messages

    form = _LangChain()
    asked: Any = {
        "strategy": "last",
        "include_system": True,
        "start_on": start_on,
        "token_counter": form.count,
    }

    def window(messages: list[Message], budget: int) -> list[Message]:
        trimmed: Any = trim_messages(form.there(messages), max_tokens=budget, **asked)
        return form.back(trimmed)

    return window


def editing(_: Store) -> Window:
    """Return LangChain's context editing, which clears all results of tools but the last ones."""
    from langchain.agents.middleware import ClearToolUsesEdit

    form = _LangChain()

    def window(messages: list[Message], budget: int) -> list[Message]:
        edited = deepcopy(form.there(messages))  # As ContextEditingMiddleware does on every call.
        ClearToolUsesEdit(trigger=budget, keep=KEPT_RESULTS).apply(edited, count_tokens=form.count)
        return form.back(edited)

    return window


def buffering(_: Store) -> Window:
    """Return LlamaIndex' `ChatMemoryBuffer`; system messages, which it does not hold, are put back before it."""
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
    "compress, RollingWindow": compressing,
    "compress, IntelligentContext": partial(compressing, importance=True),
    "compress, nothing kept": partial(compressing, kept=False),
    "RollingWindow": rolling,
    "IntelligentContext": intelligent,
}
_OTHERS: dict[str, tuple[str, MakeWindow]] = {
    "trim_messages, start_on human": ("langchain_core", partial(trimming, start_on="human")),
    "trim_messages": ("langchain_core", partial(trimming, start_on=None)),
    "ChatMemoryBuffer": ("llama_index", buffering),
    "ClearToolUsesEdit": ("langchain", editing),
}


def windows(names: Sequence[str]) -> dict[str, MakeWindow]:
    """Return those of the windows whose packages are installed."""
    others = {name: make for name, (package, make) in _OTHERS.items() if find_spec(package)}
    known = OURS | others
    return {name: known[name] for name in names if name in known}


def left_out(names: Sequence[str]) -> list[str]:
    """Return, for each of the windows whose package is not installed, a line that says so."""
    missing = [name for name in names if name in _OTHERS and not find_spec(_OTHERS[name][0])]
    return [f"{name} was left out: {_OTHERS[name][0]} is not installed" for name in missing]


def unpaired(messages: Sequence[Message]) -> bool:
    """Return whether a result of a tool stands without its call before it, or nothing but system messages stands.

    Example:
        >>> unpaired([{"role": "tool", "tool_call_id": "a", "content": "42"}])
        True
    """
    called: set[str] = set()
    for message in messages:
        called.update(call["id"] for call in message.get("tool_calls") or ())
        if message["role"] == "tool" and message.get("tool_call_id") not in called:
            return True
    return all(message["role"] == "system" for message in messages)
