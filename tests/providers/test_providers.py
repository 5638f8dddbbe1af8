"""Test limits, costs, token counts and cache breakpoints of providers."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import anthropic
import pytest
from google import genai
from hypothesis import given
from hypothesis import strategies as st

from headroom_core import AnthropicProvider, GoogleProvider, OpenAIProvider
from headroom_core.errors import (
    ConfigurationError,
    ProviderError,
    TokenizationError,
    ValidationError,
)
from headroom_core.providers import Provider, TokenCounter
from headroom_core.tokens.tokenizer import Tokenizer

MODEL = "claude-sonnet-5"
FRAME = 7
"""Tokens of a message beside its text on the server below, which counts words."""

PROVIDERS: list[Any] = [OpenAIProvider, AnthropicProvider, GoogleProvider]


class Api(ThreadingHTTPServer):
    """Local server of Anthropic's and Google's endpoints that count and answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        status, answer = 200, self.create_answer(request)
        if "broken" in json.dumps(request) or "broken" in self.path:
            status, answer = (
                400,
                {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
            )
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def create_answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "contents" in request:
            return {
                "totalTokens": sum(
                    len(p["text"].split()) for c in request["contents"] for p in c["parts"]
                )
            }
        if "max_tokens" in request:
            usage = {"input_tokens": 1, "output_tokens": 1}
            reply = {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": request["model"],
                "content": [],
            }
            return {**reply, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
        contents = [m["content"] for m in request["messages"]] + (
            [request["system"]] if "system" in request else []
        )
        texts = [
            c if isinstance(c, str) else " ".join(block.get("text", "") for block in c)
            for c in contents
        ]
        return {"input_tokens": FRAME + sum(len(text.split()) for text in texts)}

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def claude(api: Api) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url=api.url, max_retries=0)


@pytest.fixture
def gemini(api: Api) -> genai.Client:
    return genai.Client(api_key="none", http_options={"base_url": api.url})


def test_the_openai_example_of_the_reference_runs() -> None:
    provider = OpenAIProvider(
        enable_prefix_caching=True,
    )

    counter = provider.get_token_counter("gpt-4o")
    tokens = counter.count_text("Hello, world!")
    limit = provider.get_context_limit("gpt-4o")  # 128000
    cost = provider.estimate_cost(input_tokens=1000, output_tokens=500, model="gpt-4o")

    assert (tokens, limit) == (Tokenizer("gpt-4o").count_text("Hello, world!"), 128_000)
    assert cost == pytest.approx(1000 * 2.5e-6 + 500 * 10e-6)


def test_the_anthropic_example_of_the_reference_runs(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
    from anthropic import Anthropic

    messages = [{"role": "user", "content": "three short words"}]
    provider = AnthropicProvider(
        client=Anthropic(),
        enable_cache_control=True,
    )

    counter = provider.get_token_counter("claude-3-5-sonnet-latest")
    tokens = counter.count_messages(messages)  # Accurate count via API

    assert tokens == FRAME + 3
    assert api.requests == [{"model": "claude-3-5-sonnet-latest", "messages": messages}]


def test_the_google_example_of_the_reference_runs() -> None:
    provider = GoogleProvider(
        enable_context_caching=True,
    )
    assert provider.get_context_limit("gemini-2.5-pro") == 1_048_576


@pytest.mark.parametrize("kind", PROVIDERS)
def test_each_class_is_a_provider_with_counters(kind: Any) -> None:
    provider = kind()
    assert isinstance(provider, Provider)
    assert isinstance(provider.get_token_counter("gpt-4o"), TokenCounter)
    assert provider.name in kind.__name__.lower()


@pytest.mark.parametrize("kind", PROVIDERS)
def test_limits_can_be_overridden_and_a_wrong_limit_is_rejected(kind: Any) -> None:
    provider = kind(model_context_limits={"mine": 5_000})
    assert provider.get_context_limit("mine") == 5_000
    with pytest.raises(ConfigurationError, match=r"model_context_limits: models\.mine = -1"):
        kind(model_context_limits={"mine": -1})


def test_an_unknown_model_has_its_family_limit_or_a_helpful_error() -> None:
    provider = OpenAIProvider()
    assert provider.get_context_limit("gpt-4o-whatever") == 128_000
    with pytest.raises(ProviderError, match=r"model_context_limits=\{'llama-3': tokens\}"):
        provider.get_context_limit("llama-3")
    with pytest.raises(ProviderError, match="the price of model 'gpt-4o-whatever' is unknown"):
        provider.estimate_cost(input_tokens=1, output_tokens=1, model="gpt-4o-whatever")


def test_cached_tokens_cost_their_own_price_while_caching_is_on() -> None:
    counts: dict[str, Any] = {"input_tokens": 1_000_000, "output_tokens": 0, "model": "gpt-4o"}
    assert OpenAIProvider().estimate_cost(**counts, cached_tokens=600_000) == pytest.approx(
        0.4 * 2.5 + 0.6 * 1.25
    )
    assert OpenAIProvider(False).estimate_cost(**counts, cached_tokens=600_000) == pytest.approx(
        2.5
    )
    assert OpenAIProvider().cache_rules("gpt-4o")
    assert OpenAIProvider(False).cache_rules("gpt-4o") is None


def test_a_long_request_costs_more_per_token() -> None:
    provider = GoogleProvider()
    cost = provider.estimate_cost(
        input_tokens=300_000, output_tokens=1_000, model="gemini-2.5-pro", cached_tokens=1_000
    )
    assert cost == pytest.approx((299_000 * 2.5 + 1_000 * 0.25 + 1_000 * 15) / 1e6)


def test_cached_tokens_without_a_known_price_are_an_error() -> None:
    with pytest.raises(
        ProviderError, match="the price of cached tokens of model 'gpt-4' is unknown"
    ):
        OpenAIProvider().estimate_cost(
            input_tokens=10, output_tokens=1, model="gpt-4", cached_tokens=1
        )


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((-1, 0, 0), "input_tokens must be .* got -1"),
        ((0, -2, 0), "output_tokens must be .* got -2"),
        ((1, 0, -3), "cached_tokens must be .* got -3"),
        ((float("nan"), 0, 0), "input_tokens must be .* got nan"),
        ((0, float("inf"), 0), "output_tokens must be .* got inf"),
        (("7", 0, 0), "input_tokens must be .* got '7'"),
        ((1, 0, 2), "cached_tokens must be at most input_tokens = 1, which include them, got 2"),
    ],
)
def test_impossible_token_counts_are_rejected(counts: tuple[Any, Any, Any], message: str) -> None:
    sent, received, cached = counts
    with pytest.raises(ValidationError, match=message):
        OpenAIProvider().estimate_cost(
            input_tokens=sent, output_tokens=received, model="gpt-4o", cached_tokens=cached
        )


@pytest.mark.parametrize("provider", [AnthropicProvider(), GoogleProvider()])
def test_counts_without_a_client_are_marked_as_estimates(provider: Any) -> None:
    counter = provider.get_token_counter("claude-sonnet-4-5")
    assert counter.estimated
    assert counter.count_text("Hello") > 0


def test_anthropic_counts_a_text_without_the_message_around_it(
    api: Api, claude: anthropic.Anthropic
) -> None:
    counter = AnthropicProvider(claude).get_token_counter(MODEL)
    assert not counter.estimated
    assert [counter.count_text(text) for text in ("", "one", "two words")] == [0, 1, 2]
    assert len(api.requests) == 3  # the third request measures the message


def test_anthropic_receives_system_messages_separately(
    api: Api, claude: anthropic.Anthropic
) -> None:
    block = {"type": "text", "text": "in two parts"}
    user_messages = [{"role": "user", "content": "Well?"}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [block]},
        *user_messages,
    ]
    assert AnthropicProvider(claude).get_token_counter(MODEL).count_messages(messages) == FRAME + 6
    assert api.requests[-1] == {
        "model": MODEL,
        "messages": user_messages,
        "system": [{"type": "text", "text": "Be brief."}, block],
    }


def test_anthropic_counting_requires_a_message(claude: anthropic.Anthropic) -> None:
    counter = AnthropicProvider(claude).get_token_counter(MODEL)
    for messages in ([], [{"role": "system", "content": "Be brief."}]):
        with pytest.raises(TokenizationError, match="no request without a message"):
            counter.count_messages(messages)


def test_an_api_error_reveals_no_message_contents(claude: anthropic.Anthropic, gemini: Any) -> None:
    messages = [{"role": "user", "content": "secret"}]
    providers: list[Any] = [AnthropicProvider(claude), GoogleProvider(gemini)]
    for provider, message in zip(
        providers, ("BadRequestError, status 400", "ClientError, status 400"), strict=True
    ):
        with pytest.raises(TokenizationError, match=message) as caught:
            provider.get_token_counter("broken").count_messages(messages)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__


def test_an_unreachable_api_is_an_error(api: Api) -> None:
    nowhere = anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1:9", max_retries=0)
    with pytest.raises(TokenizationError, match="APIConnectionError"):
        AnthropicProvider(nowhere).get_token_counter(MODEL).count_text("Hello")


def test_an_asynchronous_client_is_rejected(api: Api) -> None:
    client = anthropic.AsyncAnthropic(api_key="none", base_url=api.url)
    with pytest.raises(ProviderError, match="give a synchronous client"):
        AnthropicProvider(client).get_token_counter(MODEL).count_text("Hello")


def test_google_counts_contents_and_plain_messages(api: Api, gemini: genai.Client) -> None:
    counter = GoogleProvider(gemini).get_token_counter("gemini-2.5-pro")
    assert not counter.estimated
    assert [counter.count_text(text) for text in ("", "two words")] == [0, 2]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "parts": [{"text": "Well?"}]},
        {"role": "assistant", "content": "All is well."},
    ]
    assert counter.count_messages(messages) == 6
    assert [content["role"] for content in api.requests[-1]["contents"]] == [
        "user",
        "user",
        "model",
    ]
    assert counter.count_messages([]) == 0
    with pytest.raises(TokenizationError, match=r"messages\[1\]: it has neither"):
        counter.count_messages([messages[0], {"role": "tool", "content": "42"}])


# Breakpoints.

LONG = "All work and no play makes Jack a dull boy. " * 120
MARK = {"type": "ephemeral"}


def place_of_marks(system: Any, tools: Any, messages: Any) -> list[tuple[Any, ...]]:
    """Return the positions of breakpoints in cache order, including nested blocks."""
    contents = [
        ("tools", tools),
        ("system", system),
        *((n, m["content"]) for n, m in enumerate(messages)),
    ]
    return [
        (part, index)
        for part, content in contents
        for index, block in enumerate(content if isinstance(content, list) else [])
        for _ in marks_in(block)
    ]


def marks_in(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block.get("cache_control"):
        yield block["cache_control"]
    for inner in (block.get("content"), block.get("source", {}).get("content")):
        for part in inner if isinstance(inner, list) else []:
            yield from marks_in(part)


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **more}


def turns(count: int) -> list[dict[str, Any]]:
    pair: list[dict[str, Any]] = [
        {"role": "user", "content": LONG},
        {"role": "assistant", "content": [text("Indeed.")]},
    ]
    return [*(pair * count), {"role": "user", "content": "And now?"}]


def test_breakpoints_follow_tools_system_last_request_and_stable_messages() -> None:
    tools = [
        {"name": "a", "description": LONG * 3, "input_schema": {}},
        {"name": "b", "input_schema": {}},
    ]
    messages, system, tools = AnthropicProvider().with_breakpoints(
        turns(3), model=MODEL, system="Be brief.", tools=tools
    )
    assert place_of_marks(system, tools, messages) == [("tools", 1), ("system", 0), (4, 0), (6, 0)]
    assert messages[6]["content"] == [text("And now?", cache_control=MARK)]


def test_the_earlier_breakpoint_marks_the_end_of_the_previous_request() -> None:
    provider, conversation = AnthropicProvider(), turns(5)
    ends = []
    for length in range(1, len(conversation) + 1, 2):
        messages, _, _ = provider.with_breakpoints(conversation[:length], model=MODEL)
        ends.append([part for part, _ in place_of_marks(None, None, messages)])
    assert ends == [[0], [0, 2], [2, 4], [4, 6], [6, 8], [8, 10]]


def test_only_the_stable_messages_have_breakpoints() -> None:
    messages, _, _ = AnthropicProvider().with_breakpoints(turns(4), model=MODEL, stable=5)
    assert place_of_marks(None, None, messages) == [(2, 0), (4, 0)]
    messages, _, _ = AnthropicProvider().with_breakpoints(turns(4), model=MODEL, stable=0)
    assert place_of_marks(None, None, messages) == []
    with pytest.raises(
        ValidationError, match="stable must be between 0 and the number of messages, 9, got 10"
    ):
        AnthropicProvider().with_breakpoints(turns(4), model=MODEL, stable=10)


def test_short_prefixes_have_no_breakpoints() -> None:
    given_messages = [{"role": "user", "content": "Hello"}]
    messages, system, _ = AnthropicProvider().with_breakpoints(
        given_messages, model=MODEL, system="Be brief."
    )
    assert (messages, system) == (given_messages, "Be brief.")
    assert messages[0] is given_messages[0]


def test_an_unknown_minimum_defaults_to_the_smallest_known_minimum() -> None:
    for count, expected in ((100, []), (1_000, [(0, 0)])):
        messages, _, _ = AnthropicProvider().with_breakpoints(
            [{"role": "user", "content": "play " * count}], model="claude-opus-5-5"
        )
        assert place_of_marks(None, None, messages) == expected


def test_no_breakpoints_are_set_if_disabled() -> None:
    provider = AnthropicProvider(enable_cache_control=False)
    assert provider.with_breakpoints(turns(4), model=MODEL, system=LONG) == (turns(4), LONG, None)


def test_thinking_and_empty_text_never_have_a_breakpoint() -> None:
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    messages = [
        {"role": "user", "content": LONG * 2},
        {"role": "assistant", "content": [text("Yes."), thinking, text("")]},
    ]
    with_marks, _, _ = AnthropicProvider().with_breakpoints(messages, model=MODEL)
    assert with_marks[1]["content"] == [text("Yes.", cache_control=MARK), thinking, text("")]
    only = [messages[0], {"role": "assistant", "content": [thinking]}]
    with_marks, _, _ = AnthropicProvider().with_breakpoints(only, model=MODEL)
    assert place_of_marks(None, None, with_marks) == [(0, 0)]
    assert with_marks[1] is only[1]


def test_a_request_with_four_breakpoints_gets_no_more() -> None:
    own = [
        {"role": "user", "content": [text(LONG, cache_control=MARK) for _ in range(4)]},
        *turns(2)[1:],
    ]
    messages, system, _ = AnthropicProvider().with_breakpoints(own, model=MODEL, system=LONG * 3)
    assert (messages, system) == (own, LONG * 3)


def test_no_short_lived_breakpoint_precedes_a_long_lived_breakpoint() -> None:
    hour = {"type": "ephemeral", "ttl": "1h"}
    own = turns(2)
    own[2] = {"role": "user", "content": [text(LONG, cache_control=hour)]}
    messages, system, _ = AnthropicProvider().with_breakpoints(own, model=MODEL, system=LONG * 3)
    assert system == LONG * 3
    assert place_of_marks(system, None, messages) == [(2, 0), (4, 0)]
    assert messages[2]["content"][0]["cache_control"] == hour


def test_deferred_tools_have_no_breakpoint() -> None:
    tools = [{"name": "a", "description": LONG * 3}, {"name": "b", "defer_loading": True}]
    _, _, with_marks = AnthropicProvider().with_breakpoints(turns(0), model=MODEL, tools=tools)
    assert [tool.get("cache_control") for tool in with_marks] == [MARK, None]


def test_the_sdk_sends_breakpoints_on_its_own_objects(
    api: Api, claude: anthropic.Anthropic
) -> None:
    answer = [
        anthropic.types.ThinkingBlock(type="thinking", thinking="Hm.", signature="s"),
        anthropic.types.ToolUseBlock(
            type="tool_use", id="t1", name="look", input={"cache_control": "data"}
        ),
    ]
    conversation: list[Any] = [
        {"role": "user", "content": LONG * 2},
        {"role": "assistant", "content": answer},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "42"}],
        },
    ]
    provider = AnthropicProvider(claude)
    tools: Any = [{"name": "look", "description": LONG * 2, "input_schema": {"type": "object"}}]
    messages, system, tools = provider.with_breakpoints(
        conversation, model=MODEL, system="Be brief.", tools=tools
    )
    ahead, _, _ = provider.with_breakpoints(conversation, model=MODEL, stable=2)
    claude.messages.create(model=MODEL, max_tokens=1, messages=messages, system=system, tools=tools)
    claude.messages.create(model=MODEL, max_tokens=1, messages=ahead)
    sent, sent_ahead = api.requests
    assert place_of_marks(sent["system"], sent["tools"], sent["messages"]) == [
        ("tools", 0), ("system", 0), (0, 0), (2, 0)
    ]  # fmt: skip
    assert place_of_marks(None, None, sent_ahead["messages"]) == [(0, 0), (1, 1)]
    assert sent_ahead["messages"][1]["content"][1] == {
        "type": "tool_use",
        "id": "t1",
        "name": "look",
        "input": {"cache_control": "data"},
        "cache_control": MARK,
    }
    assert answer[1].model_extra == {}


cache_marks = st.sampled_from(
    [None, None, None, MARK, {"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral", "ttl": "1h"}]
)
texts_or_empty = st.sampled_from(["", " ", "short", LONG[:200], LONG])
texts = st.builds(
    lambda t, mark: text(t, **({"cache_control": mark} if mark and t.strip() else {})),
    texts_or_empty,
    cache_marks,
)
results = st.builds(
    lambda content, mark: {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": content,
        **({"cache_control": mark} if mark else {}),
    },
    texts_or_empty | st.lists(texts, max_size=2),
    cache_marks,
)
others = st.sampled_from(
    [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {
            "type": "tool_use",
            "id": "t",
            "name": "look",
            "input": {"cache_control": {"type": "ephemeral"}},
        },
    ]
)
documents = st.lists(texts, max_size=2).map(
    lambda parts: {"type": "document", "source": {"type": "content", "content": parts}}
)
contents = texts_or_empty | st.lists(st.one_of(texts, results, documents, others), max_size=5)
conversations = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant"]),
        contents,
    ),
    max_size=7,
)
systems = st.none() | texts_or_empty | st.lists(texts, max_size=2)
toolsets = st.none() | st.lists(
    st.builds(
        lambda about, late, mark: {
            "name": "t",
            "description": about,
            "defer_loading": late,
            "cache_control": mark,
        },
        texts_or_empty,
        st.booleans(),
        cache_marks,
    ),
    max_size=3,
)


def blocks(content: Any) -> list[Any]:
    return [text(content)] if isinstance(content, str) else list(content or [])


def list_blocks(messages: Any, system: Any, tools: Any) -> list[tuple[tuple[Any, int], Any]]:
    """Return all blocks of a request with their positions, in the order of the cache."""
    parts = [
        ("tools", tools),
        ("system", system),
        *((n, m["content"]) for n, m in enumerate(messages)),
    ]
    return [
        ((part, index), block)
        for part, content in parts
        for index, block in enumerate(blocks(content))
    ]


def may_have_mark(block: dict[str, Any]) -> bool:
    if block.get("type") in ("thinking", "redacted_thinking") or block.get("defer_loading"):
        return False
    return block.get("type") != "text" or bool(block["text"].strip())


def in_messages(place: tuple[Any, int], count: int) -> bool:
    return isinstance(place[0], int) and place[0] < count


@given(conversations, systems, toolsets, st.integers(0, 7), st.sampled_from([1, 40, 500, 4000]))
def test_breakpoints_follow_the_rules_of_the_api(
    messages: Any, system: Any, tools: Any, stable: int, min_tokens: int
) -> None:
    rules = {
        "limits": {"context": 1},
        "cache": {"read": 0.1, "write": 1.25, "kind": "explicit", "min_tokens": min_tokens},
    }
    provider = AnthropicProvider(model_context_limits={"mine": rules})
    stable = min(stable, len(messages))
    before = copy.deepcopy((messages, system, tools))
    blocks_before = list_blocks(messages, system, tools)
    with_marks = provider.with_breakpoints(
        messages, model="mine", system=system, tools=tools, stable=stable
    )
    assert (messages, system, tools) == before
    after = list_blocks(*with_marks)

    assert [place for place, _ in after] == [place for place, _ in blocks_before]
    added = []
    for number, ((place, block), (_, original)) in enumerate(
        zip(after, blocks_before, strict=True)
    ):
        if block != original:
            added.append(number)
            assert block == {**original, "cache_control": MARK}
            assert not original.get("cache_control")
            assert may_have_mark(original)
            assert isinstance(place[0], str) or in_messages(place, stable)
    own = [
        (number, mark)
        for number, (_, block) in enumerate(blocks_before)
        for mark in marks_in(block)
    ]
    assert len(added) + len(own) <= max(4, len(own))
    assert all(number < first for number, mark in own if mark.get("ttl") == "1h" for first in added)
    for index, (message, original) in enumerate(zip(with_marks[0], messages, strict=True)):
        assert message is original or any(after[number][0][0] == index for number in added)

    tokenizer = Tokenizer("mine")
    for number in added:
        prefix = [block for _, block in blocks_before[: number + 1]]
        tools_part = [b for (part, _), b in blocks_before[: number + 1] if part == "tools"]
        counted = sum(
            tokenizer.count_text(json.dumps(tool, separators=(",", ":"))) for tool in tools_part
        )
        counted += tokenizer.count_message({"content": [b for b in prefix if b not in tools_part]})
        assert counted + 4 * (len(messages) + 1) >= min_tokens

    ends = [
        n
        for n, (place, block) in enumerate(blocks_before)
        if in_messages(place, stable) and may_have_mark(block)
    ]
    if ends and not own and min_tokens == 1:
        assert ends[-1] in added

    again = provider.with_breakpoints(
        with_marks[0], model="mine", system=with_marks[1], tools=with_marks[2], stable=stable
    )
    assert again == with_marks
