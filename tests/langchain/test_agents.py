"""Agents that call a tool thirty times, as their requests come over the wire."""

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
    numbers = range(page * 1000, page * 1000 + 120)
    made = [
        {"id": n, "state": STATES[n * 7 % 3], "city": "Utrecht", "weight": n * n % 13}
        for n in numbers
    ]
    return json.dumps(made, indent=2)


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


def in_compressed_state(model: Any) -> Any:
    return create_agent(
        model, [orders], middleware=[HeadroomMiddleware(store=MemoryStore(), state="compressed")]
    )


def in_original_state(model: Any) -> Any:
    return create_agent(
        model, [orders], middleware=[HeadroomMiddleware(store=MemoryStore(), state="original")]
    )


def around_the_model(model: Any) -> Any:
    return create_agent(HeadroomChatModel(model), [orders])


def around_the_model_retrieving(model: Any) -> Any:
    return create_agent(HeadroomChatModel(model, store=MemoryStore(), retrieve=True), [orders])


def in_the_model(model: Any) -> Any:
    return create_agent(wrap_chat_model(model), [orders])


def in_the_model_retrieving(model: Any) -> Any:
    return create_agent(wrap_chat_model(model, store=MemoryStore(), retrieve=True), [orders])


MIDDLEWARE = (in_compressed_state, in_original_state)
SELECTING = (*MIDDLEWARE, around_the_model_retrieving, in_the_model_retrieving)
LOSSLESS = (around_the_model, in_the_model)


def tokens(server: ModelServer) -> int:
    """Return the tokens of all requests, the JSON around the texts included."""
    return sum(count_tokens_text(request.raw.decode()) for request in server.requests)


@cache
def bare_tokens(kind: type[ModelServer], model: Callable[[ModelServer], Any]) -> int:
    with kind(reader()) as server:
        create_agent(model(server), [orders]).invoke(QUESTION, LIMIT)
        return tokens(server)


def assert_sound(server: ModelServer, asked_back: int) -> None:
    """Check that each request begins like the one before, with all calls and results."""
    assert len(server.requests) == PAGES + 1 + asked_back
    for earlier, later in pairwise(server.requests):
        assert later.continues(earlier)
    made, answered = (
        set().union(*ids) for ids in zip(*server.pairs(server.requests[-1].messages), strict=True)
    )
    assert made == answered
    assert len(made) == PAGES + asked_back


def assert_smaller(server: ModelServer, before: int, label: str) -> None:
    after = tokens(server)
    print(f"{label}: {len(server.requests)} requests, {before:,} tokens before, {after:,} after")
    assert after < before / 2


@pytest.mark.parametrize(
    ("built", "asked_back"),
    [*((built, 10) for built in SELECTING), *((built, 0) for built in LOSSLESS)],
)
class TestOpenAI:
    def test_each_request_begins_as_the_one_before(
        self, built: Callable[[Any], Any], asked_back: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            answer = built(openai(server)).invoke(QUESTION, LIMIT)["messages"]
            assert_sound(server, asked_back)
            assert_smaller(server, bare_tokens(OpenAIServer, openai), built.__name__)
        assert answer[-1].text == "All are read."

    async def test_so_it_does_in_an_event_loop(
        self, built: Callable[[Any], Any], asked_back: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            answer = (await built(openai(server)).ainvoke(QUESTION, LIMIT))["messages"]
            assert_sound(server, asked_back)
        assert answer[-1].text == "All are read."

    def test_so_it_does_when_tokens_are_streamed(
        self, built: Callable[[Any], Any], asked_back: int
    ) -> None:
        with OpenAIServer(reader()) as server:
            chunks = list(built(openai(server)).stream(QUESTION, LIMIT, stream_mode="messages"))
            assert_sound(server, asked_back)
        said = "".join(chunk.text for chunk, _ in chunks if isinstance(chunk, AIMessageChunk))
        assert said == "".join(f"Page {page}." for page in range(PAGES)) + "All are read."


@pytest.mark.parametrize(("built", "kept"), [(in_compressed_state, 0), (in_original_state, PAGES)])
def test_the_state_keeps_originals_only_where_asked_to(
    built: Callable[[Any], Any], kept: int
) -> None:
    with OpenAIServer(reader()) as server:
        answer = built(openai(server)).invoke(QUESTION, LIMIT)["messages"]
    read = [
        message.content
        for message in answer
        if isinstance(message, ToolMessage) and message.name == "orders"
    ]
    assert len(read) == PAGES
    assert sum(text == page_of_orders(page) for page, text in enumerate(read)) == kept


@pytest.mark.parametrize("built", SELECTING)
def test_each_request_to_anthropic_begins_as_the_one_before(built: Callable[[Any], Any]) -> None:
    with AnthropicServer(reader()) as server:
        answer = built(anthropic(server)).invoke(QUESTION, LIMIT)["messages"]
        assert_sound(server, 10)
        assert_smaller(
            server, bare_tokens(AnthropicServer, anthropic), f"anthropic, {built.__name__}"
        )
    assert answer[-1].text == "All are read."
