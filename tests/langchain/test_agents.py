"""Test agents that call a tool thirty times, by the requests their servers receive."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import count, pairwise
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from servers import AnthropicServer, Call, ModelServer, OpenAIServer, Reply, Request

from headroom_core import count_tokens_text
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel, HeadroomMiddleware, wrap_chat_model

PAGES = 30
QUESTION = {"messages": [("user", "Which orders are late?")]}
LIMIT = {"recursion_limit": 200}
KEY = re.compile(r'headroom_retrieve\(key=\\+"(\w+)')
STATES = ("delivered", "sent", "late")


@cache
def page_of_orders(page: int) -> str:
    numbers = range(page * 1000, page * 1000 + 240)
    rows = [
        {"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13}
        for n in numbers
    ]
    return json.dumps(rows, indent=2)


@tool
def orders(page: int) -> str:
    """List a page of the orders."""
    return page_of_orders(page)


def reader() -> Callable[[Request], Reply]:
    """Return a model that reads all pages, and retrieves an original every fourth turn."""
    pages, turns = iter(range(PAGES)), count(1)

    def reply(request: Request) -> Reply:
        keys = KEY.findall(request.raw.decode())
        if next(turns) % 4 == 0 and keys:
            return Reply("", (Call("headroom_retrieve", {"key": keys[-1], "limit": 3}),))
        page = next(pages, None)
        return (
            Reply("All are read.")
            if page is None
            else Reply(f"Page {page}.", (Call("orders", {"page": page}),))
        )

    return reply


def openai(server: ModelServer) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="none", max_retries=0)


def anthropic(server: ModelServer) -> ChatAnthropic:
    return ChatAnthropic(
        model="claude-haiku-4-5", base_url=server.url, api_key="none", max_retries=0
    )


def middleware_with_compressed_state(model: Any) -> Any:
    return create_agent(
        model, [orders], middleware=[HeadroomMiddleware(store=MemoryStore(), state="compressed")]
    )


def middleware_with_original_state(model: Any) -> Any:
    return create_agent(
        model, [orders], middleware=[HeadroomMiddleware(store=MemoryStore(), state="original")]
    )


def chat_model(model: Any) -> Any:
    return create_agent(HeadroomChatModel(model), [orders])


def retrieving_chat_model(model: Any) -> Any:
    return create_agent(HeadroomChatModel(model, store=MemoryStore(), retrieve=True), [orders])


def variant(model: Any) -> Any:
    return create_agent(wrap_chat_model(model), [orders])


def retrieving_variant(model: Any) -> Any:
    return create_agent(wrap_chat_model(model, store=MemoryStore(), retrieve=True), [orders])


MIDDLEWARE = (middleware_with_compressed_state, middleware_with_original_state)
SELECTING = (*MIDDLEWARE, retrieving_chat_model, retrieving_variant)
LOSSLESS = (chat_model, variant)


def tokens(server: ModelServer) -> int:
    """Return the tokens of all requests, including their JSON."""
    return sum(count_tokens_text(request.raw.decode()) for request in server.requests)


@cache
def bare_tokens(kind: type[ModelServer], model: Callable[[ModelServer], Any]) -> int:
    with kind(reader()) as server:
        create_agent(model(server), [orders]).invoke(QUESTION, LIMIT)
        return tokens(server)


def assert_complete_and_stable(server: ModelServer, retrievals: int) -> None:
    """Check that each request begins like the one before, with all calls and results."""
    assert len(server.requests) == PAGES + 1 + retrievals
    for earlier, later in pairwise(server.requests):
        assert later.continues(earlier)
    calls, results = (
        set().union(*ids) for ids in zip(*server.pairs(server.requests[-1].messages), strict=True)
    )
    assert calls == results
    assert len(calls) == PAGES + retrievals


def assert_smaller(server: ModelServer, before: int, label: str) -> None:
    after = tokens(server)
    print(f"{label}: {len(server.requests)} requests, {before:,} tokens before, {after:,} after")
    assert after < before / 2


@pytest.mark.parametrize(
    ("build", "retrievals"),
    [*((build, 10) for build in SELECTING), *((build, 0) for build in LOSSLESS)],
)
class TestOpenAI:
    def test_each_request_starts_with_the_previous_one(
        self, build: Callable[[Any], Any], retrievals: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            answer = build(openai(server)).invoke(QUESTION, LIMIT)["messages"]
            assert_complete_and_stable(server, retrievals)
            assert_smaller(server, bare_tokens(OpenAIServer, openai), build.__name__)
        assert answer[-1].text == "All are read."

    async def test_each_async_request_starts_with_the_previous_one(
        self, build: Callable[[Any], Any], retrievals: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            answer = (await build(openai(server)).ainvoke(QUESTION, LIMIT))["messages"]
            assert_complete_and_stable(server, retrievals)
        assert answer[-1].text == "All are read."

    def test_each_streamed_request_starts_with_the_previous_one(
        self, build: Callable[[Any], Any], retrievals: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            chunks = list(build(openai(server)).stream(QUESTION, LIMIT, stream_mode="messages"))
            assert_complete_and_stable(server, retrievals)
        text = "".join(chunk.text for chunk, _ in chunks if isinstance(chunk, AIMessageChunk))
        assert text == "".join(f"Page {page}." for page in range(PAGES)) + "All are read."


@pytest.mark.parametrize(
    ("build", "originals"),
    [(middleware_with_compressed_state, 0), (middleware_with_original_state, PAGES)],
)
def test_the_state_keeps_originals_only_with_state_original(
    build: Callable[[Any], Any], originals: int
) -> None:
    with OpenAIServer(reader()) as server:
        answer = build(openai(server)).invoke(QUESTION, LIMIT)["messages"]
    read = [
        message.content
        for message in answer
        if isinstance(message, ToolMessage) and message.name == "orders"
    ]
    assert len(read) == PAGES
    assert sum(text == page_of_orders(page) for page, text in enumerate(read)) == originals


@pytest.mark.parametrize("build", SELECTING)
def test_each_request_to_anthropic_starts_with_the_previous_one(
    build: Callable[[Any], Any],
) -> None:
    with AnthropicServer(reader()) as server:
        answer = build(anthropic(server)).invoke(QUESTION, LIMIT)["messages"]
        assert_complete_and_stable(server, 10)
        assert_smaller(
            server, bare_tokens(AnthropicServer, anthropic), f"anthropic, {build.__name__}"
        )
    assert answer[-1].text == "All are read."
