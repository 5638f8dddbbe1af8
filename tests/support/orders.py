"""Conversations about pages of orders in LlamaIndex's messages, and checks of them."""

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


def call_and_result(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    """Return a call and its result, as a block or in the older additional arguments."""
    result = ChatMessage(
        page_of_orders(number, rows),
        role="tool",
        additional_kwargs={"tool_call_id": f"c{number}", "name": "orders"},
    )
    if block:
        call = ToolCallBlock(
            tool_call_id=f"c{number}", tool_name="orders", tool_kwargs={"page": number}
        )
        return [ChatMessage(role="assistant", blocks=[call]), result]
    function = {"name": "orders", "arguments": json.dumps({"page": number})}
    extra = {"tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]}
    return [ChatMessage(role="assistant", additional_kwargs=extra), result]


def turn(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    question, reply = (
        ChatMessage(f"Read page {number}."),
        ChatMessage(f"Page {number} is read.", role="assistant"),
    )
    return [question, *call_and_result(number, block=block, rows=rows), reply]


def create_memory(limit: int = 10**6, **given: Any) -> HeadroomChatMemory:
    return HeadroomChatMemory.from_defaults(
        **{"token_limit": limit, "store": MemoryStore(), **given}
    )


def tokens(messages: Sequence[ChatMessage]) -> int:
    return Tokenizer().count_messages(list(messages))


def call_ids(message: ChatMessage) -> set[str]:
    identifiers = message.additional_kwargs.get("tool_calls", ())
    ids = {call["id"] if isinstance(call, dict) else call.id for call in identifiers}
    return ids | {
        str(block.tool_call_id) for block in message.blocks if isinstance(block, ToolCallBlock)
    }


def is_paired(messages: Sequence[ChatMessage]) -> bool:
    """Return whether every result comes after its call, and every call has its result."""
    open_calls: set[str] = set()
    for message in messages:
        if message.role.value == "tool":
            if (call_id := message.additional_kwargs["tool_call_id"]) not in open_calls:
                return False
            open_calls.remove(call_id)
        open_calls |= call_ids(message)
    return not open_calls


def starts_with(earlier: Sequence[ChatMessage], later: Sequence[ChatMessage]) -> bool:
    return list(later[: len(earlier)]) == list(earlier)


def dump_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    return [message.model_dump() for message in messages]
