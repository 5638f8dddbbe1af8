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
from orders import TABLE, begins, dumped, paired, tokens, turn

from headroom_core import retrieve
from headroom_core.config import HeadroomConfig
from headroom_core.stores import MemoryStore, SQLiteStore
from headroom_integrations.llamaindex import HeadroomMemoryBlock


def waterfall(block: Any, limit: int = 3000, **given: Any) -> Memory:
    return Memory.from_defaults(
        token_limit=limit,
        token_flush_size=300,
        chat_history_token_ratio=0.5,
        memory_blocks=[block],
        **given,
    )


def showing(**given: Any) -> HeadroomMemoryBlock:
    return HeadroomMemoryBlock(**{"store": MemoryStore(), **given})


@pytest.mark.parametrize("insert_method", ["system", "user"])
@pytest.mark.parametrize("block", [True, False])
async def test_flushed_messages_come_first_and_compressed(insert_method: str, block: bool) -> None:
    memory = waterfall(showing(), insert_method=insert_method)
    for number in range(8):
        await memory.aput_messages(turn(number, block=block))
    read = await memory.aget()
    assert paired(read)
    assert [one.content for one in read if one.role.value == "user"] == [
        f"Read page {n}." for n in range(8)
    ]
    assert str(read).count(TABLE) >= 6
    assert not any("session_id" in message.additional_kwargs for message in read)
    assert dumped(await memory.aget()) == dumped(read)


def test_a_block_works_without_an_event_loop() -> None:
    memory = waterfall(showing())
    for number in range(8):
        memory.put_messages(turn(number))
    assert [one.content for one in memory.get() if one.role.value == "user"] == [
        f"Read page {n}." for n in range(8)
    ]


async def test_a_block_fits_its_limit_and_its_prefix_rarely_breaks() -> None:
    shown, cuts = list[ChatMessage](), 0
    block = showing(token_limit=3000)
    for number in range(60):
        await block.aput(turn(number, rows=20), from_short_term_memory=True, session_id="ours")
        now = await block.aget(session_id="ours")
        assert tokens(now) <= 3000
        assert paired(now)
        cuts += not begins(shown, now)
        shown = now
    assert 0 < cuts < 15
    assert "[headroom:" in str(shown)


async def test_messages_dropped_by_a_block_can_be_retrieved() -> None:
    store = MemoryStore()
    memory = waterfall(showing(token_limit=900, store=store, retrieve=True))
    for number in range(12):
        await memory.aput_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(await memory.aget()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


async def test_sessions_that_share_a_block_are_isolated() -> None:
    block = showing()
    one, other = (waterfall(block, session_id=name) for name in ("one", "other"))
    for number in range(5):
        await one.aput_messages(turn(number))
        await other.aput_messages(turn(number + 100))
    assert "Read page 100." not in str(await one.aget())
    assert "Read page 0." not in str(await other.aget())
    assert "Read page 100." in str(await other.aget())
    assert await block.aget() == []


async def test_other_blocks_cannot_change_the_stored_messages() -> None:
    block, static = showing(), StaticMemoryBlock(static_content="The customer is Ann.")
    memory = Memory.from_defaults(
        token_limit=3000, token_flush_size=300, memory_blocks=[block, static]
    )
    await memory.aput(ChatMessage("Be brief.", role="system"))
    for number in range(8):
        await memory.aput_messages(turn(number))
    first, again = await memory.aget(), await memory.aget()
    assert dumped(first) == dumped(again)
    assert str(again).count("The customer is Ann.") == 1


def counted(messages: Sequence[ChatMessage]) -> int:
    texts = [one.content or "" for one in messages]
    return sum(
        len(get_tokenizer()(text))
        for text in (*texts, *(str(one.additional_kwargs) for one in messages))
    )


async def test_a_block_with_a_priority_is_truncated_instead_of_dropped() -> None:
    block = showing(priority=1)
    memory = waterfall(block, 1600, session_id="ours")
    for number in range(60):
        await memory.aput_messages(turn(number, rows=5))
    whole, read = await block.aget(session_id="ours"), await memory.aget()
    assert counted(whole) > 1600
    assert "[headroom: " in str(read[0].content)
    assert counted(read) <= 1600 + 30
    assert paired(read)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
async def test_truncating_makes_room_in_steps(share: float) -> None:
    block = showing(token_limit=8000)
    await block.aput([one for number in range(30) for one in turn(number)])
    shown = await block.aget()
    asked = int(counted(shown) * share)
    less, lesser = await block.atruncate(shown, asked), await block.atruncate([*shown], asked + 5)
    assert counted(less) <= counted(shown) - asked
    assert less
    assert paired(less)
    assert counted(lesser) <= counted(shown) - asked


async def test_a_block_can_ignore_the_queue_but_accept_direct_messages() -> None:
    block = showing(accept_short_term_memory=False)
    await block.aput(turn(0), from_short_term_memory=True)
    assert await block.aget() == []
    await block.aput(turn(0))
    assert len(await block.aget()) == 4


async def test_a_block_survives_serialisation() -> None:
    block = showing(
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
    block = copied(showing(token_limit=900, store=store, retrieve=True))
    await block.aput([one for number in range(6) for one in turn(number)])
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(await block.aget()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)
