"""Conversations about pages of orders in LlamaIndex's messages, and what holds of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage

from headroom_core import Tokenizer
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import HeadroomChatMemory

TABLE = "[table 60 rows: "
STATES = ("delivered", "sent", "late")


def page_of_orders(page: int, rows: int = 60) -> str:
    numbers = range(page * 1000, page * 1000 + rows)
    return json.dumps(
        [
            {"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13}
            for n in numbers
        ]
    )


def called(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    """Return a call and its result, in the way of newer models, or of older ones."""
    made = ChatMessage(
        page_of_orders(number, rows),
        role="tool",
        additional_kwargs={"tool_call_id": f"c{number}", "name": "orders"},
    )
    if block:
        call = ToolCallBlock(
            tool_call_id=f"c{number}", tool_name="orders", tool_kwargs={"page": number}
        )
        return [ChatMessage(role="assistant", blocks=[call]), made]
    function = {"name": "orders", "arguments": json.dumps({"page": number})}
    beside = {"tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]}
    return [ChatMessage(role="assistant", additional_kwargs=beside), made]


def turn(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    asked, told = (
        ChatMessage(f"Read page {number}."),
        ChatMessage(f"Page {number} is read.", role="assistant"),
    )
    return [asked, *called(number, block=block, rows=rows), told]


def remembering(limit: int = 10**6, **given: Any) -> HeadroomChatMemory:
    return HeadroomChatMemory.from_defaults(
        **{"token_limit": limit, "store": MemoryStore(), **given}
    )


def tokens(messages: Sequence[ChatMessage]) -> int:
    return Tokenizer().count_messages(list(messages))


def calls(message: ChatMessage) -> set[str]:
    made = message.additional_kwargs.get("tool_calls", ())
    beside = {call["id"] if isinstance(call, dict) else call.id for call in made}
    return beside | {
        str(one.tool_call_id) for one in message.blocks if isinstance(one, ToolCallBlock)
    }


def paired(messages: Sequence[ChatMessage]) -> bool:
    """Return whether every result comes after its call, and every call has its result."""
    waiting: set[str] = set()
    for message in messages:
        if message.role.value == "tool":
            if (answered := message.additional_kwargs["tool_call_id"]) not in waiting:
                return False
            waiting.remove(answered)
        waiting |= calls(message)
    return not waiting


def begins(earlier: Sequence[ChatMessage], later: Sequence[ChatMessage]) -> bool:
    return list(later[: len(earlier)]) == list(earlier)


def dumped(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    return [message.model_dump() for message in messages]
