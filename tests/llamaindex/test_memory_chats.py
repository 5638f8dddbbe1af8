"""Test the requests that chat engines and agents send with the memory and the memory block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.chat_engine import (
    CondensePlusContextChatEngine,
    ContextChatEngine,
    SimpleChatEngine,
)
from llama_index.core.memory import Memory
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.workflow import Context
from orders import TABLE, create_memory, dump_messages, is_paired, page_of_orders, tokens, turn
from servers import Call, OpenAIServer, Reply, Request

from headroom_core import Tokenizer
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import HeadroomChatMemory, HeadroomMemoryBlock, wrap_llm


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def llm(server: OpenAIServer) -> Any:
    openai = pytest.importorskip("llama_index.llms.openai")
    return openai.OpenAI(model="gpt-4o-mini", api_base=server.url, api_key="none", max_retries=0)


class Retriever(BaseRetriever):
    """Retriever that always finds the same node."""

    def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text="Late orders are refunded."), score=1.0)]


def create_simple_engine(llm: Any, memory: HeadroomChatMemory) -> Any:
    return SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt="Be brief.")


def create_context_engine(llm: Any, memory: HeadroomChatMemory) -> Any:
    return ContextChatEngine.from_defaults(
        Retriever(), llm=llm, memory=memory, system_prompt="Be brief."
    )


def create_condensing_engine(llm: Any, memory: HeadroomChatMemory) -> Any:
    return CondensePlusContextChatEngine.from_defaults(
        Retriever(), llm=llm, memory=memory, system_prompt="Be brief."
    )


async def chat_streamed(engine: Any, text: str) -> str:
    response = await engine.astream_chat(text)
    return "".join([piece async for piece in response.async_response_gen()])


def chat_streamed_in_thread(engine: Any, text: str) -> str:
    response = engine.stream_chat(text)
    answer = "".join(response.response_gen)
    # Older versions write the history in a thread of their own.
    if (thread := getattr(response, "write_response_to_history_thread", None)) is not None:
        thread.join()
    return answer


CHAT_METHODS: dict[str, Callable[[Any, str], Any]] = {
    "chat": lambda engine, text: str(engine.chat(text)),
    "achat": lambda engine, text: engine.achat(text),
    "stream_chat": chat_streamed_in_thread,
    "astream_chat": chat_streamed,
}


def answer_requests(server: OpenAIServer) -> list[Request]:
    """Return the requests for answers, without those that condense questions."""
    return [request for request in server.requests if request.messages[0]["role"] == "system"]


@pytest.mark.parametrize("method", CHAT_METHODS)
@pytest.mark.parametrize(
    "create_engine", [create_simple_engine, create_context_engine, create_condensing_engine]
)
async def test_a_chat_engine_sends_compressed_results_with_a_stable_prefix(
    server: OpenAIServer,
    llm: Any,
    create_engine: Callable[[Any, HeadroomChatMemory], Any],
    method: str,
) -> None:
    server.script(lambda request: Reply("Three are late."))
    memory = create_memory(chat_history=[*turn(0), *turn(1, block=False)])
    engine = create_engine(llm, memory)
    for number in range(4):
        answer = CHAT_METHODS[method](engine, f"Which are late of page {number}?")
        assert "late" in str(answer if isinstance(answer, str) else await answer)
    sent = answer_requests(server)
    assert len(sent) == 4
    assert all(str(request.messages).count(TABLE) == 2 for request in sent)
    assert all(later.continues(earlier) for earlier, later in pairwise(sent))
    assert [message.content for message in memory.get_all()[-2:]] == [
        "Which are late of page 3?",
        "Three are late.",
    ]
    assert page_of_orders(0) in str(memory.get_all())


@pytest.mark.parametrize(
    "create_engine", [create_simple_engine, create_context_engine, create_condensing_engine]
)
def test_a_chat_engine_leaves_room_for_its_system_prompt(
    server: OpenAIServer, llm: Any, create_engine: Callable[[Any, HeadroomChatMemory], Any]
) -> None:
    memory = create_memory(
        4000, chat_history=[message for number in range(20) for message in turn(number)]
    )
    engine = create_engine(llm, memory)
    engine.chat("Which are late?")
    (sent,) = answer_requests(server)
    assert Tokenizer("gpt-4o-mini").count_messages([*sent.messages]) <= 4000 + 200
    assert len(memory.get_all()) == 82
    assert "[headroom: " in str(sent.messages[1]["content"])


def test_the_simple_chat_engine_subtracts_its_system_prompt_from_the_limit(
    server: OpenAIServer, llm: Any
) -> None:
    history = [message for number in range(20) for message in turn(number)]
    engine = SimpleChatEngine.from_defaults(
        llm=llm, memory=create_memory(4000, chat_history=history), system_prompt="word " * 1500
    )
    engine.chat("Which are late?")
    assert Tokenizer("gpt-4o-mini").count_messages([*server.requests[0].messages]) <= 4010


def reply_with_reads(pages: Sequence[int]) -> Iterator[Reply]:
    for page in pages:
        yield Reply(f"Page {page}.", (Call("orders", {"page": page}),))
    yield Reply("All are read.")


def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


@pytest.mark.parametrize("streaming", [False, True])
async def test_runs_of_an_agent_continue_with_the_same_bytes(
    server: OpenAIServer, llm: Any, streaming: bool
) -> None:
    store = MemoryStore()
    memory = create_memory(store=store)
    agent = FunctionAgent(
        llm=wrap_llm(llm, store=store),
        tools=[orders],
        system_prompt="Be brief.",
        streaming=streaming,
    )
    for run in range(3):
        server.script(reply_with_reads(range(run * 2, run * 2 + 2)))
        assert str(await agent.run(f"Read two pages, {run}.", memory=memory)) == "All are read."
    assert len(memory.get_all()) == 18
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests[:9]))
    assert str(server.requests[-1].messages).count(TABLE) == 6


async def test_an_agent_sends_earlier_runs_compressed_and_within_the_limit(
    server: OpenAIServer, llm: Any
) -> None:
    memory = create_memory(2500)
    agent = FunctionAgent(
        llm=llm, tools=[orders], system_prompt="Be brief.", initial_state={"day": "Monday"}
    )
    for run in range(6):
        server.script(reply_with_reads([run]))
        await agent.run(f"Read page {run}.", memory=memory)
        assert tokens(memory.get()) <= 2500
    assert is_paired(memory.get())
    assert "Monday" in str(server.requests[-1].messages)


async def test_agents_that_hand_over_share_a_memory(server: OpenAIServer, llm: Any) -> None:
    store = MemoryStore()
    memory, wrapped = create_memory(store=store), wrap_llm(llm, store=store)
    reader = FunctionAgent(
        name="reader", description="Reads.", llm=wrapped, tools=[orders], can_handoff_to=["other"]
    )
    other = FunctionAgent(name="other", description="Reads on.", llm=wrapped, tools=[orders])
    handoff = Reply("Go on.", (Call("handoff", {"to_agent": "other", "reason": "more"}),))
    for run in range(3):
        read, done = reply_with_reads([run])
        server.script(iter([read, handoff, read, done]))
        workflow = AgentWorkflow(
            agents=[reader, other], root_agent="reader", initial_state={"day": "Monday"}
        )
        assert str(await workflow.run(f"Read page {run} twice.", memory=memory)) == "All are read."
        assert all(
            later.history.startswith(earlier.history)
            for earlier, later in pairwise(server.requests)
        )
    assert str(server.requests[-1].messages).count(TABLE) == len(memory.get_all()) / 4 == 6
    assert is_paired(memory.get_all())


async def test_the_context_of_an_agent_serialises_its_memory(
    server: OpenAIServer, llm: Any
) -> None:
    agent, memory = FunctionAgent(llm=llm, tools=[orders]), create_memory()
    context: Any = Context(agent)
    server.script(reply_with_reads([0]))
    await agent.run("Read page 0.", ctx=context, memory=memory)
    again: Any = Context.from_dict(agent, json.loads(json.dumps(context.to_dict())))
    restored = await again.store.get("memory")
    assert isinstance(restored, HeadroomChatMemory)
    assert dump_messages(restored.get_all()) == dump_messages(memory.get_all())


async def test_a_block_is_sent_as_messages(server: OpenAIServer, llm: Any) -> None:
    server.script(lambda request: Reply("All are read."))
    block = HeadroomMemoryBlock(store=MemoryStore())
    memory = Memory.from_defaults(
        token_limit=3000, token_flush_size=300, chat_history_token_ratio=0.5, memory_blocks=[block]
    )
    for number in range(8):
        await memory.aput_messages(turn(number, block=False))
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    assert str(await engine.achat("Which are late?")) == "All are read."
    (request,) = server.requests
    assert len(request.messages) == 33
    assert "session_id" not in request.raw.decode()
