"""`HeadroomChatMemory` and `HeadroomMemoryBlock` show within a budget what their chat stores keep whole."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ImageBlock, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.chat_engine import CondensePlusContextChatEngine, ContextChatEngine, SimpleChatEngine
from llama_index.core.llms import ChatMessage, LLMMetadata, MockLLM
from llama_index.core.memory import Memory, StaticMemoryBlock
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.storage.chat_store import SimpleChatStore
from llama_index.core.utils import get_tokenizer
from llama_index.core.workflow import Context
from pydantic_core import PydanticSerializationError
from servers import Call, OpenAIServer, Reply, Request

from headroom_core import Tokenizer, retrieve
from headroom_core.config import HeadroomConfig, SmartCrusherConfig
from headroom_core.errors import ConfigurationError
from headroom_core.stores import MemoryStore
from headroom_integrations.llamaindex import HeadroomChatMemory, HeadroomMemoryBlock, wrap_llm

TABLE = "[table 60 rows: "
STATES = ("delivered", "sent", "late")


def page_of_orders(page: int, rows: int = 60) -> str:
    numbers = range(page * 1000, page * 1000 + rows)
    return json.dumps([{"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13} for n in numbers])


def called(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    """Return a call and its result, in the way of newer models, or of older ones."""
    made = ChatMessage(
        page_of_orders(number, rows), role="tool", additional_kwargs={"tool_call_id": f"c{number}", "name": "orders"}
    )
    if block:
        call = ToolCallBlock(tool_call_id=f"c{number}", tool_name="orders", tool_kwargs={"page": number})
        return [ChatMessage(role="assistant", blocks=[call]), made]
    function = {"name": "orders", "arguments": json.dumps({"page": number})}
    beside = {"tool_calls": [{"id": f"c{number}", "type": "function", "function": function}]}
    return [ChatMessage(role="assistant", additional_kwargs=beside), made]


def turn(number: int, *, block: bool = True, rows: int = 60) -> list[ChatMessage]:
    asked, told = ChatMessage(f"Read page {number}."), ChatMessage(f"Page {number} is read.", role="assistant")
    return [asked, *called(number, block=block, rows=rows), told]


def remembering(limit: int = 10**6, **given: Any) -> HeadroomChatMemory:
    return HeadroomChatMemory.from_defaults(**{"token_limit": limit, "store": MemoryStore(), **given})


def tokens(messages: Sequence[ChatMessage]) -> int:
    return Tokenizer().count_messages(list(messages))


def calls(message: ChatMessage) -> set[str]:
    made = message.additional_kwargs.get("tool_calls", ())
    beside = {call["id"] if isinstance(call, dict) else call.id for call in made}
    return beside | {str(one.tool_call_id) for one in message.blocks if isinstance(one, ToolCallBlock)}


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


# What is read


@pytest.mark.parametrize("block", [True, False])
def test_results_are_read_shortened_and_kept_whole(block: bool) -> None:
    memory = remembering()
    memory.put_messages(turn(0, block=block))
    assert memory.get_all() == turn(0, block=block)
    read = memory.get()
    assert read[2].content.startswith(TABLE)
    assert [*read[:2], read[3]] == [*turn(0, block=block)[:2], turn(0, block=block)[3]]


async def test_async_methods_do_the_same() -> None:
    memory = remembering(2500)
    await memory.aset([ChatMessage("Be brief.", role="system")])
    for number in range(6):
        await memory.aput_messages(turn(number))
    await memory.aput(ChatMessage("And now?"))
    assert await memory.aget_all() == memory.get_all()
    assert len(memory.get_all()) == 26
    assert await memory.aget(input="And now?", initial_token_count=300) == memory.get(initial_token_count=300)
    await memory.areset()
    assert await memory.aget() == memory.get_all() == []


async def test_async_methods_go_to_the_chat_stores_own() -> None:
    asked: list[str] = []

    class Noting(SimpleChatStore):
        def __getattribute__(self, name: str) -> Any:
            if "messages" in name or name.endswith("add_message"):
                asked.append(name)
            return super().__getattribute__(name)

        async def aget_messages(self, key: str) -> list[ChatMessage]:
            return self.store.get(key, [])

        async def aset_messages(self, key: str, messages: list[ChatMessage]) -> None:
            self.store[key] = messages

        async def async_add_message(self, key: str, message: ChatMessage) -> None:
            self.store.setdefault(key, []).append(message)

    memory = remembering(chat_store=Noting())
    await memory.aset(turn(0))
    await memory.aput_messages(turn(1))
    assert len(await memory.aget()) == 8
    assert asked == ["aset_messages", *["async_add_message"] * 4, "aget_messages"]


async def test_the_event_loop_goes_on_meanwhile() -> None:
    memory, ticks = remembering(chat_history=[one for number in range(20) for one in turn(number)]), 0
    task = asyncio.create_task(memory.aget())
    while not task.done():
        ticks += 1
        await asyncio.sleep(0)
    assert ticks > 10


@pytest.mark.parametrize("block", [True, False])
def test_what_is_read_fits_and_begins_as_before_but_where_a_cut_made_room(block: bool) -> None:
    memory, before, cuts = remembering(3000), list[ChatMessage](), 0
    memory.put(ChatMessage("Be brief.", role="system"))
    for number in range(60):
        memory.put_messages(turn(number, block=block, rows=20))
        read = memory.get()
        assert tokens(read) <= 3000
        assert paired(read)
        assert read[0].content == "Be brief."
        cuts += not begins(before, read)
        before = read
    assert 0 < cuts < 15
    assert len(memory.get_all()) == 241
    assert "[headroom:" in str(before)


def test_up_to_the_limit_a_longer_conversation_always_begins_as_it_was_read() -> None:
    memory, before = remembering(), list[ChatMessage]()
    for message in (one for number in range(6) for one in turn(number)):
        memory.put(message)
        read = memory.get(input=f"About {message.role}?")
        assert begins(before, read)
        before = read


def test_what_was_left_out_can_be_brought_back() -> None:
    store = MemoryStore()
    memory = remembering(900, store=store, retrieve=True)
    for number in range(6):
        memory.put_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(memory.get()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


def test_one_long_turn_is_shortened_too() -> None:
    memory = remembering(5000)
    memory.put(ChatMessage("Which orders are late?"))
    for number in range(40):
        memory.put_messages(called(number))
    read = memory.get()
    assert read[0].content == "Which orders are late?"
    assert tokens(read) <= 5000 < tokens(memory.get_all()) / 8
    assert paired(read)
    assert read[-1].additional_kwargs["tool_call_id"] == "c39"


@pytest.mark.parametrize(
    "large",
    [
        ChatMessage("word " * 700),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="word " * 700), TextBlock(text="Yes.")]),
        ChatMessage(blocks=[ImageBlock(url="https://example.com/one.png"), TextBlock(text="What is it?")]),
    ],
    ids=["text", "thinking", "image"],
)
def test_everything_counts(large: ChatMessage) -> None:
    said = [one for _ in range(6) for one in (ChatMessage("So?"), large, ChatMessage("Well.", role="assistant"))]
    limit = tokens(said) // 2
    read = remembering(limit, chat_history=said).get()
    assert tokens(read) <= limit
    assert len(read) < len(said)


def test_calls_count_too() -> None:
    memory = remembering(1500)
    for number in range(10):
        call = ToolCallBlock(tool_call_id=f"c{number}", tool_name="write", tool_kwargs={"text": "word " * 300})
        done = ChatMessage("Done.", role="tool", additional_kwargs={"tool_call_id": f"c{number}"})
        memory.put_messages([ChatMessage("Write."), ChatMessage(role="assistant", blocks=[call]), done])
    assert tokens(memory.get()) <= 1500
    assert paired(memory.get())


def test_what_comes_before_the_messages_takes_its_tokens_of_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    memory = remembering(4000, chat_history=[one for number in range(20) for one in turn(number)])
    assert tokens(memory.get(initial_token_count=2500)) <= 1500 < tokens(memory.get()) <= 4000
    assert not caplog.messages


def test_what_comes_before_the_messages_may_vary_a_little() -> None:
    memory = remembering(4000, chat_history=[one for number in range(20) for one in turn(number)])
    assert memory.get(initial_token_count=1260) == memory.get(initial_token_count=1490)
    assert tokens(memory.get(initial_token_count=3990)) < tokens(memory.get(initial_token_count=3000))


async def test_nothing_is_raised_where_too_little_is_left_of_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    memory = remembering(4000, chat_history=[one for number in range(20) for one in turn(number)])
    for read in (memory.get(initial_token_count=5000), await memory.aget(initial_token_count=4000)):
        assert read[-1] == turn(19)[-1]
        assert len(read) < len(memory.get_all()) / 4
    assert "initial_token_count = 5000 leaves nothing of token_limit = 4000" in caplog.text
    assert "Utrecht" not in caplog.text


def test_a_message_that_is_larger_than_the_limit_stays_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    said = [ChatMessage("word " * 500), *turn(0), ChatMessage("other " * 500)]
    assert remembering(100, chat_history=said).get()[-1] == said[-1]
    assert "token_budget = 100" in caplog.text


# Settings


class Small(MockLLM):
    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="gpt-4", context_window=8000)


def test_the_limit_and_the_model_are_the_language_models() -> None:
    built = HeadroomChatMemory.from_defaults
    seen = [built(), built(llm=Small()), built(llm=Small(), token_limit=500, model="gpt-4.1"), built(llm=MockLLM())]
    assert [memory.token_limit for memory in seen] == [30_000, 6000, 500, 2925]
    assert [memory.model for memory in seen] == ["gpt-4o", "gpt-4", "gpt-4.1", "gpt-4o"]


def test_settings_are_a_snapshot() -> None:
    config = HeadroomConfig(content_router_enabled=False)
    memory = remembering(config=config, chat_history=turn(0))
    config.content_router_enabled = True
    assert memory.get() == turn(0)


def test_a_chat_store_keeps_several_conversations() -> None:
    store = SimpleChatStore()
    first, second = (remembering(chat_store=store, chat_store_key=key) for key in ("one", "two"))
    first.put_messages(turn(1))
    second.put(ChatMessage("hi"))
    assert store.get_messages("one") == first.get_all() == turn(1)
    assert second.get() == [ChatMessage("hi")]
    first.reset()
    assert store.get_keys() == ["two"]
    assert remembering(chat_store=store, chat_store_key="two").get() == [ChatMessage("hi")]


async def test_lists_that_are_given_stay_as_they_are() -> None:
    history = [ChatMessage("hi")]
    memory = remembering(chat_history=history)
    memory.put(ChatMessage("hello", role="assistant"))
    memory.get().clear()
    assert len(memory.get_all()) == 2
    await memory.aset(history)
    memory.put(ChatMessage("again"))
    assert history == [ChatMessage("hi")]


# Serialising


def rich() -> HeadroomChatMemory:
    config = HeadroomConfig(smart_crusher=SmartCrusherConfig(min_tokens_to_crush=50, preserve_fields=("state",)))
    image = ChatMessage(blocks=[ImageBlock(url="https://example.com/one.png"), TextBlock(text="What is it?")])
    thought = ChatMessage(role="assistant", blocks=[ThinkingBlock(content="Hm."), TextBlock(text="A hat.")])
    history = [*turn(0), *turn(1, block=False), image, thought]
    return remembering(3000, chat_history=history, config=config, chat_store_key="ours", retrieve=True)


@pytest.mark.parametrize(
    "through",
    [
        lambda memory, store: HeadroomChatMemory.from_dict(memory.to_dict(), store=store),
        lambda memory, store: HeadroomChatMemory.from_dict(json.loads(json.dumps(memory.to_dict())), store=store),
        lambda memory, store: HeadroomChatMemory.from_string(memory.to_string(), store=store),
        lambda memory, store: pickle.loads(pickle.dumps(memory)).model_copy(update={"store": store}),
        lambda memory, store: copy.deepcopy(memory),
    ],
    ids=["dict", "json", "string", "pickle", "deepcopy"],
)
def test_a_memory_comes_back_as_it_was(through: Callable[[HeadroomChatMemory, Any], HeadroomChatMemory]) -> None:
    memory = rich()
    again = through(memory, memory.store)
    assert again == memory
    assert again.chat_store is not memory.chat_store
    assert again.to_dict() == memory.to_dict()
    assert again.to_dict()["class_name"] == HeadroomChatMemory.class_name() == "HeadroomChatMemory"
    assert dumped(again.get()) == dumped(memory.get())
    assert again.store is memory.store is not None


def test_a_setting_that_was_assigned_comes_back() -> None:
    config = HeadroomConfig()
    config.rolling_window.preserve_recent_turns = 3
    again = HeadroomChatMemory.from_string(remembering(config=config).to_string())
    assert again.config == config


def test_what_was_written_stays_as_it_is() -> None:
    written = rich().to_dict()
    before = copy.deepcopy(written)
    HeadroomChatMemory.from_dict(written).put(ChatMessage("More."))
    assert written == before


def test_a_chat_store_of_ones_own_is_given_again() -> None:
    class Own(SimpleChatStore):
        @classmethod
        def class_name(cls) -> str:
            return "Own"

    store = Own()
    written = remembering(chat_store=store, chat_history=turn(0)).to_dict()
    assert written["chat_store"]["class_name"] == "Own"
    with pytest.raises(ConfigurationError, match="Invalid ChatStore name: Own"):
        HeadroomChatMemory.from_dict(written)
    assert HeadroomChatMemory.from_dict(written, chat_store=store).get_all() == turn(0)


def test_a_conversation_goes_on_from_a_chat_stores_file(tmp_path: Path) -> None:
    path = str(tmp_path / "chats" / "store.json")
    memory, originals = rich(), MemoryStore()
    assert isinstance(memory.chat_store, SimpleChatStore)
    try:
        memory.chat_store.persist(path)
    except PydanticSerializationError:
        pytest.skip("LlamaIndex cannot write its chat stores with this version of pydantic")
    again = memory.model_copy(update={"chat_store": SimpleChatStore.from_persist_path(path), "store": originals})
    assert dumped(again.get()) == dumped(memory.get())


def test_originals_outlast_the_process_where_the_settings_keep_them(tmp_path: Path) -> None:
    config = HeadroomConfig(store_url=f"sqlite:///{tmp_path}/originals.db")
    memory = remembering(900, store=None, config=config, retrieve=True)
    memory.put_messages([one for number in range(6) for one in turn(number)])
    again = HeadroomChatMemory.from_string(memory.to_string())
    assert again.get() == memory.get()
    assert "headroom_retrieve(key=" in str(again.get())


# Laws

asked = st.builds(lambda text: [ChatMessage(f"{text} then?")], st.text(max_size=30))
said = st.builds(lambda text: [ChatMessage(text, role="assistant")], st.text(min_size=1, max_size=400))
results = st.builds(
    lambda number, block, rows: called(number, block=block, rows=rows),
    st.integers(0, 10**6),
    st.booleans(),
    st.integers(0, 40),
)
turns = st.builds(
    lambda first, rest: [*first, *(one for part in rest for one in part)], asked, st.lists(results | said)
)


def unique(conversation: list[list[ChatMessage]]) -> list[ChatMessage]:
    """Return the messages, each call with an id of its own."""
    messages = [message.model_copy(deep=True) for part in conversation for message in part]
    for number, message in enumerate(messages):
        for block in message.blocks:
            if isinstance(block, ToolCallBlock):
                block.tool_call_id = f"c{number}"
        for call in message.additional_kwargs.get("tool_calls", ()):
            call["id"] = f"c{number}"
        if "tool_call_id" in message.additional_kwargs:
            message.additional_kwargs["tool_call_id"] = f"c{number - 1}"
    return messages


@settings(
    max_examples=settings().max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(turns, min_size=1, max_size=6), st.integers(50, 3000), st.booleans())
def test_whatever_is_put(
    caplog: pytest.LogCaptureFixture, conversation: list[list[ChatMessage]], limit: int, retrieving: bool
) -> None:
    caplog.clear()
    history, store = unique(conversation), MemoryStore()
    before = dumped(history)
    memory = remembering(limit, chat_history=history, store=store, retrieve=retrieving)
    read = memory.get()
    assert dumped(memory.get_all()) == before, "a chat store's messages were changed"
    assert paired(read), "a call or its result stands alone"
    assert read[0].role.value == "user"
    assert tokens(read) <= limit or "token_budget" in caplog.text
    assert read[-1].role == history[-1].role
    assert dumped(memory.get()) == dumped(read)
    for key in re.findall(r'headroom_retrieve\(key="(\w+)"', " ".join(one.content or "" for one in read)):
        assert retrieve(key, limit=None, store=store).found


@settings(max_examples=settings().max_examples // 3, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(turns, min_size=1, max_size=6), st.booleans())
def test_up_to_the_limit_whatever_is_put_leaves_what_was_read(
    conversation: list[list[ChatMessage]], retrieving: bool
) -> None:
    memory, before = remembering(retrieve=retrieving), list[ChatMessage]()
    for message in unique(conversation):
        memory.put(message)
        read = memory.get()
        assert begins(before, read)
        assert len(read) == len(before) + 1
        before = read


def test_threads_share_a_memory() -> None:
    memory = remembering(4000)
    failed: list[BaseException] = []

    def talk(start: int) -> None:
        try:
            for number in range(start, start + 10):
                memory.put(ChatMessage(f"What about {number}?"))
                assert paired(memory.get())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [Thread(target=talk, args=(start,)) for start in (0, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(memory.get()) == len({message.content for message in memory.get_all()}) == 20


# Chat engines and agents, on the wire


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def llm(server: OpenAIServer) -> Any:
    openai = pytest.importorskip("llama_index.llms.openai")
    return openai.OpenAI(model="gpt-4o-mini", api_base=server.url, api_key="none", max_retries=0)


class Retriever(BaseRetriever):
    """Finds the same node each time."""

    def _retrieve(self, query_bundle: Any) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text="Late orders are refunded."), score=1.0)]


def simple(llm: Any, memory: HeadroomChatMemory) -> Any:
    return SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt="Be brief.")


def with_context(llm: Any, memory: HeadroomChatMemory) -> Any:
    return ContextChatEngine.from_defaults(Retriever(), llm=llm, memory=memory, system_prompt="Be brief.")


def condensing(llm: Any, memory: HeadroomChatMemory) -> Any:
    return CondensePlusContextChatEngine.from_defaults(Retriever(), llm=llm, memory=memory, system_prompt="Be brief.")


async def streamed(engine: Any, text: str) -> str:
    response = await engine.astream_chat(text)
    return "".join([piece async for piece in response.async_response_gen()])


def streamed_in_a_thread(engine: Any, text: str) -> str:
    response = engine.stream_chat(text)
    answer = "".join(response.response_gen)
    # Older versions write it in a thread that they do not show.
    if (thread := getattr(response, "write_response_to_history_thread", None)) is not None:
        thread.join()
    return answer


WAYS: dict[str, Callable[[Any, str], Any]] = {
    "chat": lambda engine, text: str(engine.chat(text)),
    "achat": lambda engine, text: engine.achat(text),
    "stream_chat": streamed_in_a_thread,
    "astream_chat": streamed,
}


def answers(server: OpenAIServer) -> list[Request]:
    """Return the requests for answers, without those that condense questions."""
    return [request for request in server.requests if request.messages[0]["role"] == "system"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("built", [simple, with_context, condensing])
async def test_a_chat_engine_sends_shortened_results_and_each_request_begins_as_the_one_before(
    server: OpenAIServer, llm: Any, built: Callable[[Any, HeadroomChatMemory], Any], way: str
) -> None:
    server.script(lambda request: Reply("Three are late."))
    memory = remembering(chat_history=[*turn(0), *turn(1, block=False)])
    engine = built(llm, memory)
    for number in range(4):
        answer = WAYS[way](engine, f"Which are late of page {number}?")
        assert "late" in str(answer if isinstance(answer, str) else await answer)
    sent = answers(server)
    assert len(sent) == 4
    assert all(str(request.messages).count(TABLE) == 2 for request in sent)
    assert all(later.continues(earlier) for earlier, later in pairwise(sent))
    assert [one.content for one in memory.get_all()[-2:]] == ["Which are late of page 3?", "Three are late."]
    assert page_of_orders(0) in str(memory.get_all())


@pytest.mark.parametrize("built", [simple, with_context, condensing])
def test_a_chat_engine_sends_what_fits_beside_its_system_prompt(
    server: OpenAIServer, llm: Any, built: Callable[[Any, HeadroomChatMemory], Any]
) -> None:
    memory = remembering(4000, chat_history=[one for number in range(20) for one in turn(number)])
    engine = built(llm, memory)
    engine.chat("Which are late?")
    (sent,) = answers(server)
    assert Tokenizer("gpt-4o-mini").count_messages([*sent.messages]) <= 4000 + 200
    assert len(memory.get_all()) == 82
    assert "[headroom: " in str(sent.messages[1]["content"])


def test_a_system_prompt_is_taken_off_the_limit_by_the_simple_chat_engine(server: OpenAIServer, llm: Any) -> None:
    history = [one for number in range(20) for one in turn(number)]
    engine = SimpleChatEngine.from_defaults(
        llm=llm, memory=remembering(4000, chat_history=history), system_prompt="word " * 1500
    )
    engine.chat("Which are late?")
    assert Tokenizer("gpt-4o-mini").count_messages([*server.requests[0].messages]) <= 4010


def reading(pages: Sequence[int]) -> Iterator[Reply]:
    for page in pages:
        yield Reply(f"Page {page}.", (Call("orders", {"page": page}),))
    yield Reply("All are read.")


def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


@pytest.mark.parametrize("streaming", [False, True])
async def test_an_agents_runs_go_on_from_its_memory_with_the_same_bytes(
    server: OpenAIServer, llm: Any, streaming: bool
) -> None:
    store = MemoryStore()
    memory = remembering(store=store)
    agent = FunctionAgent(
        llm=wrap_llm(llm, store=store), tools=[orders], system_prompt="Be brief.", streaming=streaming
    )
    for run in range(3):
        server.script(reading(range(run * 2, run * 2 + 2)))
        assert str(await agent.run(f"Read two pages, {run}.", memory=memory)) == "All are read."
    assert len(memory.get_all()) == 18
    assert all(later.continues(earlier) for earlier, later in pairwise(server.requests[:9]))
    assert str(server.requests[-1].messages).count(TABLE) == 6


async def test_an_agent_alone_sends_earlier_runs_shortened_and_within_the_limit(server: OpenAIServer, llm: Any) -> None:
    memory = remembering(2500)
    agent = FunctionAgent(llm=llm, tools=[orders], system_prompt="Be brief.", initial_state={"day": "Monday"})
    for run in range(6):
        server.script(reading([run]))
        await agent.run(f"Read page {run}.", memory=memory)
        assert tokens(memory.get()) <= 2500
    assert paired(memory.get())
    assert "Monday" in str(server.requests[-1].messages)


async def test_an_agents_context_is_written_with_its_memory(server: OpenAIServer, llm: Any) -> None:
    agent, memory = FunctionAgent(llm=llm, tools=[orders]), remembering()
    context: Any = Context(agent)
    server.script(reading([0]))
    await agent.run("Read page 0.", ctx=context, memory=memory)
    again: Any = Context.from_dict(agent, json.loads(json.dumps(context.to_dict())))
    restored = await again.store.get("memory")
    assert isinstance(restored, HeadroomChatMemory)
    assert dumped(restored.get_all()) == dumped(memory.get_all())


# The block


def waterfall(block: Any, limit: int = 3000, **given: Any) -> Memory:
    return Memory.from_defaults(
        token_limit=limit, token_flush_size=300, chat_history_token_ratio=0.5, memory_blocks=[block], **given
    )


def showing(**given: Any) -> HeadroomMemoryBlock:
    return HeadroomMemoryBlock(**{"store": MemoryStore(), **given})


@pytest.mark.parametrize("insert_method", ["system", "user"])
@pytest.mark.parametrize("block", [True, False])
async def test_what_the_queue_lets_go_comes_before_it_shortened(insert_method: str, block: bool) -> None:
    memory = waterfall(showing(), insert_method=insert_method)
    for number in range(8):
        await memory.aput_messages(turn(number, block=block))
    read = await memory.aget()
    assert paired(read)
    assert [one.content for one in read if one.role.value == "user"] == [f"Read page {n}." for n in range(8)]
    assert str(read).count(TABLE) >= 6
    assert not any("session_id" in message.additional_kwargs for message in read)
    assert dumped(await memory.aget()) == dumped(read)


def test_a_block_works_without_an_event_loop() -> None:
    memory = waterfall(showing())
    for number in range(8):
        memory.put_messages(turn(number))
    assert [one.content for one in memory.get() if one.role.value == "user"] == [f"Read page {n}." for n in range(8)]


async def test_a_block_shows_no_more_than_its_limit_and_begins_as_before_but_for_cuts() -> None:
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


async def test_what_a_block_left_out_can_be_brought_back() -> None:
    store = MemoryStore()
    memory = waterfall(showing(token_limit=900, store=store, retrieve=True))
    for number in range(12):
        await memory.aput_messages(turn(number))
    keys = re.findall(r'headroom_retrieve\(key="(\w+)"', str(await memory.aget()))
    assert any("Read page 0." in retrieve(key, limit=None, store=store).text for key in keys)


async def test_sessions_that_share_a_block_see_nothing_of_each_other() -> None:
    block = showing()
    one, other = (waterfall(block, session_id=name) for name in ("one", "other"))
    for number in range(5):
        await one.aput_messages(turn(number))
        await other.aput_messages(turn(number + 100))
    assert "Read page 100." not in str(await one.aget())
    assert "Read page 0." not in str(await other.aget())
    assert "Read page 100." in str(await other.aget())
    assert await block.aget() == []


async def test_other_blocks_write_into_copies() -> None:
    block, static = showing(), StaticMemoryBlock(static_content="The customer is Ann.")
    memory = Memory.from_defaults(token_limit=3000, token_flush_size=300, memory_blocks=[block, static])
    await memory.aput(ChatMessage("Be brief.", role="system"))
    for number in range(8):
        await memory.aput_messages(turn(number))
    first, again = await memory.aget(), await memory.aget()
    assert dumped(first) == dumped(again)
    assert str(again).count("The customer is Ann.") == 1


def counted(messages: Sequence[ChatMessage]) -> int:
    texts = [one.content or "" for one in messages]
    return sum(len(get_tokenizer()(text)) for text in (*texts, *(str(one.additional_kwargs) for one in messages)))


async def test_a_block_with_a_priority_shows_less_rather_than_nothing() -> None:
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


async def test_a_block_accepts_what_it_is_given_by_hand_and_may_refuse_the_queue() -> None:
    block = showing(accept_short_term_memory=False)
    await block.aput(turn(0), from_short_term_memory=True)
    assert await block.aget() == []
    await block.aput(turn(0))
    assert len(await block.aget()) == 4


async def test_a_block_comes_back_as_it_was() -> None:
    block = showing(name="Before", priority=2, token_limit=700, config=HeadroomConfig(content_router_enabled=False))
    await block.aput(turn(0), session_id="ours")
    for again in (
        HeadroomMemoryBlock(**block.model_dump()),
        HeadroomMemoryBlock.model_validate_json(block.model_dump_json()),
        pickle.loads(pickle.dumps(block)),
        copy.deepcopy(block),
    ):
        assert again.model_dump() == block.model_dump()
        assert await again.aget(session_id="ours") == await block.aget(session_id="ours")
    assert block.store is not None


async def test_a_block_goes_over_the_wire_as_messages(server: OpenAIServer, llm: Any) -> None:
    server.script(lambda request: Reply("All are read."))
    memory = waterfall(showing())
    for number in range(8):
        await memory.aput_messages(turn(number, block=False))
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    assert str(await engine.achat("Which are late?")) == "All are read."
    (request,) = server.requests
    assert len(request.messages) == 33
    assert "session_id" not in request.raw.decode()
