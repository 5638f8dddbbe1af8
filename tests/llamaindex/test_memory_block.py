"""Test `HeadroomMemoryBlock` in LlamaIndex's `Memory`."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import Memory, StaticMemoryBlock
from llama_index.core.utils import get_tokenizer
from orders import TABLE, dump_messages, is_paired, starts_with, tokens, turn

from headroom_core import retrieve
from headroom_core.config import HeadroomConfig
from headroom_core.stores import MemoryStore, SQLiteStore
from headroom_integrations.llamaindex import HeadroomMemoryBlock


def create_memory(block: Any, limit: int = 3000, **given: Any) -> Memory:
    return Memory.from_defaults(
        token_limit=limit,
        token_flush_size=300,
        chat_history_token_ratio=0.5,
        memory_blocks=[block],
        **given,
    )


def create_block(**given: Any) -> HeadroomMemoryBlock:
    return HeadroomMemoryBlock(**{"store": MemoryStore(), **given})


@pytest.mark.parametrize("insert_method", ["system", "user"])
@pytest.mark.parametrize("block", [True, False])
async def test_flushed_messages_come_first_and_compressed(insert_method: str, block: bool) -> None:
    memory = create_memory(create_block(), insert_method=insert_method)
    for number in range(8):
        await memory.aput_messages(turn(number, block=block))
    read = await memory.aget()
    assert is_paired(read)
    assert [message.content for message in read if message.role.value == "user"] == [
        f"Read page {n}." for n in range(8)
    ]
    assert str(read).count(TABLE) >= 6
    assert not any("session_id" in message.additional_kwargs for message in read)
    assert dump_messages(await memory.aget()) == dump_messages(read)


def test_a_block_works_without_an_event_loop() -> None:
    memory = create_memory(create_block())
    for number in range(8):
        memory.put_messages(turn(number))
    assert [message.content for message in memory.get() if message.role.value == "user"] == [
        f"Read page {n}." for n in range(8)
    ]


async def test_a_block_fits_its_limit_and_its_prefix_rarely_breaks() -> None:
    content, cuts = list[ChatMessage](), 0
    block = create_block(token_limit=3000)
    for number in range(60):
        await block.aput(turn(number, rows=20), from_short_term_memory=True, session_id="ours")
        current = await block.aget(session_id="ours")
        assert tokens(current) <= 3000
        assert is_paired(current)
        cuts += not starts_with(content, current)
        content = current
    assert 0 < cuts < 15
    assert "[headroom:" in str(content)


async def test_messages_dropped_by_a_block_can_be_retrieved() -> None:
    store = MemoryStore()
    memory = create_memory(create_block(token_limit=900, store=store, retrieve=True))
    for number in range(12):
        await memory.aput_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(await memory.aget()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


async def test_sessions_that_share_a_block_are_isolated() -> None:
    block = create_block()
    first, second = (create_memory(block, session_id=name) for name in ("first", "second"))
    for number in range(5):
        await first.aput_messages(turn(number))
        await second.aput_messages(turn(number + 100))
    assert "Read page 100." not in str(await first.aget())
    assert "Read page 0." not in str(await second.aget())
    assert "Read page 100." in str(await second.aget())
    assert await block.aget() == []


async def test_other_blocks_cannot_change_the_stored_messages() -> None:
    block, static = create_block(), StaticMemoryBlock(static_content="The customer is Ann.")
    memory = Memory.from_defaults(
        token_limit=3000, token_flush_size=300, memory_blocks=[block, static]
    )
    await memory.aput(ChatMessage("Be brief.", role="system"))
    for number in range(8):
        await memory.aput_messages(turn(number))
    first, again = await memory.aget(), await memory.aget()
    assert dump_messages(first) == dump_messages(again)
    assert str(again).count("The customer is Ann.") == 1


def count_tokens(messages: Sequence[ChatMessage]) -> int:
    texts = [message.content or "" for message in messages]
    return sum(
        len(get_tokenizer()(text))
        for text in (*texts, *(str(message.additional_kwargs) for message in messages))
    )


async def test_a_block_with_a_priority_is_truncated_instead_of_dropped() -> None:
    block = create_block(priority=1)
    memory = create_memory(block, 1600, session_id="ours")
    for number in range(60):
        await memory.aput_messages(turn(number, rows=5))
    whole, read = await block.aget(session_id="ours"), await memory.aget()
    assert count_tokens(whole) > 1600
    assert "[headroom: " in str(read[0].content)
    assert count_tokens(read) <= 1600 + 30
    assert is_paired(read)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
async def test_truncating_makes_room_in_steps(share: float) -> None:
    block = create_block(token_limit=8000)
    await block.aput([message for number in range(30) for message in turn(number)])
    content = await block.aget()
    excess = int(count_tokens(content) * share)
    less, slightly_less = (
        await block.atruncate(content, excess),
        await block.atruncate([*content], excess + 5),
    )
    assert count_tokens(less) <= count_tokens(content) - excess
    assert less
    assert is_paired(less)
    assert count_tokens(slightly_less) <= count_tokens(content) - excess


async def test_a_block_can_ignore_the_queue_but_accept_direct_messages() -> None:
    block = create_block(accept_short_term_memory=False)
    await block.aput(turn(0), from_short_term_memory=True)
    assert await block.aget() == []
    await block.aput(turn(0))
    assert len(await block.aget()) == 4


async def test_a_block_survives_serialisation() -> None:
    block = create_block(
        name="Before",
        priority=2,
        token_limit=700,
        config=HeadroomConfig(content_router_enabled=False),
    )
    await block.aput(turn(0), session_id="ours")
    for again in (
        HeadroomMemoryBlock(**block.model_dump()),
        HeadroomMemoryBlock.model_validate_json(block.model_dump_json()),
        pickle.loads(pickle.dumps(block)),
        copy.deepcopy(block),
    ):
        assert again.model_dump() == block.model_dump()
        assert await again.aget(session_id="ours") == await block.aget(session_id="ours")


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda block: pickle.loads(pickle.dumps(block))]
)
@pytest.mark.parametrize("file", [False, True], ids=["memory", "file"])
async def test_copies_share_the_store_of_originals(copied: Any, file: bool, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "originals.db") if file else MemoryStore()
    block = copied(create_block(token_limit=900, store=store, retrieve=True))
    await block.aput([message for number in range(6) for message in turn(number)])
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(await block.aget()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)
