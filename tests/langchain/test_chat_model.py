"""Test chat models that retrieve originals: requests, answers and usage."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain.chat_models import init_chat_model
from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field
from servers import AnthropicServer, Call, OpenAIServer, Reply

from headroom_core import (
    CCRConfig,
    ConfigurationError,
    HeadroomConfig,
    content_key,
    handle_retrieve_call,
    open_store,
)
from headroom_core.stores import MemoryStore
from headroom_integrations.langchain import HeadroomChatModel, wrap_chat_model

TEXT = "first line\nsecond line\nthird line\n"
KEY = content_key(TEXT)
ROWS = json.dumps(
    [
        {"id": 4000 + n, "state": "delivered", "city": "Utrecht", "weight": n * 7 % 13}
        for n in range(300)
    ]
)
USAGE = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}

Said = dict[str, Any]


def call(name: str = "headroom_retrieve", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args or {"key": KEY}, "type": "tool_call"}


def as_text(said: Said) -> AIMessage:
    """What the model says, as OpenAI's models are read."""
    return AIMessage(said["text"], tool_calls=said["calls"], usage_metadata=USAGE)


def as_blocks(said: Said) -> AIMessage:
    """What the model says, as Anthropic's models are read."""
    texts = [{"type": "text", "text": said["text"]}] if said["text"] else []
    uses = [
        {"type": "tool_use", "id": one["id"], "name": one["name"], "input": one["args"]}
        for one in said["calls"]
    ]
    return AIMessage([*texts, *uses], tool_calls=said["calls"], usage_metadata=USAGE)


def text_chunks(said: Said) -> Iterator[AIMessageChunk]:
    for word in said["text"].split(" ") if said["text"] else []:
        yield AIMessageChunk(word + " ")
    for at, one in enumerate(said["calls"]):
        yield AIMessageChunk("", tool_call_chunks=[piece(at, '{"', one)])
        yield AIMessageChunk("", tool_call_chunks=[piece(at, json.dumps(one["args"])[2:])])
    yield AIMessageChunk("", response_metadata={"finish_reason": "stop"})
    yield AIMessageChunk("", usage_metadata=USAGE)


def block_chunks(said: Said) -> Iterator[AIMessageChunk]:
    yield AIMessageChunk([], usage_metadata=USAGE, response_metadata={"model_name": "claude"})
    for word in said["text"].split(" ") if said["text"] else []:
        yield AIMessageChunk([{"type": "text", "text": word + " ", "index": 0}])
    for at, one in enumerate(said["calls"], start=1):
        use = {"type": "tool_use", "id": one["id"], "name": one["name"], "input": {}, "index": at}
        yield AIMessageChunk([use], tool_call_chunks=[piece(at, "", one)])
        args = json.dumps(one["args"])
        delta = {"type": "input_json_delta", "partial_json": args, "index": at}
        yield AIMessageChunk([delta], tool_call_chunks=[piece(at, args)])
    yield AIMessageChunk([], response_metadata={"stop_reason": "end_turn"})


def piece(index: int, args: str, made: Said | None = None) -> Any:
    name, id_ = (made["name"], made["id"]) if made else (None, None)
    return {"name": name, "args": args, "id": id_, "index": index, "type": "tool_call_chunk"}


SHAPES = {"text": (as_text, text_chunks), "blocks": (as_blocks, block_chunks)}


class Scripted(BaseChatModel):
    """Says what its script says, and keeps what it was sent."""

    script: list[Said]
    shape: str = "text"
    model_name: str = "gpt-4o"
    sent: list[list[BaseMessage]] = Field(default_factory=list)
    kwargs: list[dict[str, Any]] = Field(default_factory=list)

    def _next(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Said:
        self.sent.append(messages)
        self.kwargs.append(kwargs)
        turn = len(self.sent) - 1
        said = {"text": "", "calls": [], **self.script[min(turn, len(self.script) - 1)]}
        return said | {
            "calls": [{**one, "id": f"c{turn}-{at}"} for at, one in enumerate(said["calls"])]
        }

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        whole, _ = SHAPES[self.shape]
        return ChatResult(generations=[ChatGeneration(message=whole(self._next(messages, kwargs)))])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        _, chunks = SHAPES[self.shape]
        for chunk in chunks(self._next(messages, kwargs)):
            yield ChatGenerationChunk(message=chunk)

    def bind_tools(self, tools: Sequence[Any], *, strict: bool | None = None, **kwargs: Any) -> Any:
        return self.bind(
            tools=[convert_to_openai_tool(one, strict=strict) for one in tools], **kwargs
        )

    @property
    def _llm_type(self) -> str:
        return "scripted"


def scripted(*script: Said, shape: str = "text") -> Scripted:
    return Scripted(script=list(script), shape=shape)


def store() -> MemoryStore:
    kept = MemoryStore()
    kept.put_many({KEY: TEXT})
    return kept


def invoke(model: Any, messages: list[BaseMessage], **kwargs: Any) -> Any:
    return model.invoke(messages, **kwargs)


def stream(model: Any, messages: list[BaseMessage], **kwargs: Any) -> Any:
    first, *rest = model.stream(messages, **kwargs)
    return sum(rest, first)


WAYS = [invoke, stream]
every_way = pytest.mark.parametrize("way", WAYS)
around = pytest.mark.parametrize(
    "wrap", [HeadroomChatModel, wrap_chat_model], ids=["HeadroomChatModel", "variant"]
)
ASKED = [HumanMessage("What is in there?")]
ASKS: Said = {"calls": [call()]}
DONE: Said = {"text": "It is done."}
ORDERS = {"type": "function", "function": {"name": "orders", "parameters": {}}}
NO_MORE = "headroom_retrieve: no more can be asked for before your answer"
BOTH: Said = {"text": "Let me see.", "calls": [call("orders", day=3), call()]}


def travelled(message: BaseMessage) -> BaseMessage:
    """A message after a store kept it as JSON."""
    return messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))[0]


def dumped(messages: Sequence[BaseMessage]) -> list[Any]:
    """Messages as a model reads them: where a block of a stream lay is not for it."""
    return [
        unnumbered(message.model_dump(exclude={"id", "usage_metadata", "response_metadata"}))
        for message in messages
    ]


def unnumbered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: unnumbered(one) for name, one in value.items() if name != "index"}
    return [unnumbered(one) for one in value] if isinstance(value, list) else value


class TestRounds:
    @every_way
    @around
    def test_retrieve_calls_are_answered_and_hidden_from_the_caller(
        self, wrap: Any, way: Any
    ) -> None:
        inner = scripted(ASKS, DONE)
        answer = way(wrap(inner, retrieve=True, store=store()), ASKED)
        assert answer.text.strip() == "It is done."
        assert answer.tool_calls == []
        assert inner.sent[1][:1] == inner.sent[0] == ASKED
        assert inner.sent[1][-1].text.endswith(TEXT)

    @every_way
    def test_a_call_that_cannot_be_read_is_answered_too(self, way: Any) -> None:
        inner = scripted({"calls": [call(nokey=1)]}, DONE)
        assert way(HeadroomChatModel(inner, retrieve=True), ASKED).text.strip() == "It is done."
        assert "no parameter is named 'nokey'" in inner.sent[1][-1].text

    def test_a_call_of_broken_json_is_answered_too(self) -> None:
        broken = {
            "name": "headroom_retrieve",
            "args": '{"key": ',
            "id": "c1",
            "error": None,
            "type": "invalid_tool_call",
        }
        answers = iter([AIMessage("", invalid_tool_calls=[broken]), AIMessage("done")])
        inner = scripted(DONE)
        object.__setattr__(
            inner,
            "_generate",
            lambda *_, **__: ChatResult(generations=[ChatGeneration(message=next(answers))]),
        )
        assert HeadroomChatModel(inner, retrieve=True).invoke(ASKED).text == "done"

    @every_way
    def test_calls_are_answered_together(self, way: Any) -> None:
        inner = scripted({"calls": [call(), call(key="0" * 24)]}, DONE)
        way(HeadroomChatModel(inner, retrieve=True, store=store()), ASKED)
        _, _, found, missed = inner.sent[1]
        assert (found.tool_call_id, missed.tool_call_id) == ("c0-0", "c0-1")
        assert "no original is kept" in missed.text

    @every_way
    def test_the_model_is_told_when_it_can_ask_no_more_and_answers(self, way: Any) -> None:
        inner = scripted(ASKS, ASKS, ASKS, DONE)
        answer = way(HeadroomChatModel(inner, retrieve=True, max_rounds=2, store=store()), ASKED)
        assert answer.text.strip() == "It is done."
        told = (
            ["the last call" in sent[-1].text for sent in inner.sent],
            [sent[-1].text for sent in inner.sent][-1],
        )
        assert told == ([False, False, True, False], NO_MORE)
        assert [kwargs.get("tool_choice") for kwargs in inner.kwargs] == [None, None, None, "none"]
        assert all(kwargs["tools"] == inner.kwargs[0]["tools"] for kwargs in inner.kwargs)

    @every_way
    @pytest.mark.parametrize("shape", [*SHAPES])
    def test_a_model_that_asks_for_ever_is_not_waited_for(self, shape: str, way: Any) -> None:
        inner = scripted({"text": "One moment.", "calls": [call()]}, ASKS, ASKS, DONE, shape=shape)
        model = HeadroomChatModel(inner, retrieve=True, max_rounds=1, store=store())
        answer = way(model, ASKED)
        assert (len(inner.sent), answer.tool_calls, answer.usage_metadata) == (3, [], USAGE)
        assert answer.text.endswith(
            "asking for more of what was left out than max_rounds = 1 allows."
        )
        way(model, [*ASKED, travelled(answer), HumanMessage("And now?")])
        assert dumped(inner.sent[3][: len(inner.sent[2])]) == dumped(inner.sent[2])
        assert inner.sent[3][-3].text == NO_MORE
        assert inner.sent[3][-2].text.startswith("There is no answer")

    @every_way
    def test_what_was_brought_back_is_not_compressed_again(self, way: Any) -> None:
        kept = MemoryStore()
        kept.put_many({content_key(ROWS): ROWS})
        inner = scripted({"calls": [call(key=content_key(ROWS), limit=300)]}, DONE)
        way(HeadroomChatModel(inner, retrieve=True, store=kept), ASKED)
        assert inner.sent[1][-1].text == handle_retrieve_call(
            {"key": content_key(ROWS), "limit": 300}, store=kept
        )

    def test_originals_are_looked_up_where_the_settings_keep_them(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/kept.db"
        open_store(url).put_many({KEY: TEXT})
        inner = scripted(ASKS, DONE)
        HeadroomChatModel(inner, retrieve=True, config=HeadroomConfig(store_url=url)).invoke(ASKED)
        assert inner.sent[1][-1].text.endswith(TEXT)

    async def test_events_of_version_2_tell_of_every_round(self) -> None:
        model = HeadroomChatModel(scripted(ASKS, DONE), retrieve=True, store=store())
        events = [event["event"] async for event in model.astream_events(ASKED, version="v2")]
        assert (events.count("on_chat_model_start"), events.count("on_chat_model_end")) == (2, 2)

    @every_way
    def test_usage_and_metadata_are_those_of_the_last_request(self, way: Any) -> None:
        answer = way(HeadroomChatModel(scripted(ASKS, DONE), retrieve=True, store=store()), ASKED)
        assert answer.usage_metadata == USAGE
        assert answer.response_metadata.get("finish_reason") in (None, "stop")

    def test_a_stream_shows_what_was_said_before_the_answer(self) -> None:
        inner = scripted({"text": "One moment.", "calls": [call()]}, DONE)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = stream(model, ASKED)
        assert answer.text == "One moment. \n\nIt is done. "
        stream(model, [*ASKED, answer, HumanMessage("And now?")])
        assert [message.text for message in inner.sent[2] if isinstance(message, AIMessage)] == [
            "One moment. ",
            "It is done. ",
        ]

    def test_what_a_caller_changed_in_an_answer_stays_changed(self) -> None:
        inner = scripted({"text": "One moment.", "calls": [call()]}, DONE)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = stream(model, ASKED).model_copy(update={"content": "[redacted]"})
        stream(model, [*ASKED, answer, HumanMessage("And now?")])
        assert inner.sent[2][-2].text == "[redacted]"

    def test_a_call_that_a_caller_changed_stays_changed(self) -> None:
        inner = scripted(BOTH, DONE)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = model.invoke(ASKED)
        (made,) = answer.tool_calls
        edited = answer.model_copy(update={"tool_calls": [{**made, "args": {"day": 9}}]})
        model.invoke([*ASKED, edited, ToolMessage("[]", tool_call_id=made["id"])])
        assert [one["args"] for one in inner.sent[1][1].tool_calls] == [{"day": 9}, {"key": KEY}]

    def test_rounds_are_told_of_within_the_callers_run(self) -> None:
        runs: list[Any] = []

        class Runs(BaseCallbackHandler):
            def on_chain_start(self, *_: Any, run_id: Any, **__: Any) -> None:
                assert str(run_id) == own

            def on_chat_model_start(
                self, *_: Any, parent_run_id: Any, metadata: Any, **__: Any
            ) -> None:
                runs.append((str(parent_run_id), set(metadata["headroom"])))

        own = "00000000-0000-4000-8000-000000000001"
        model = HeadroomChatModel(scripted(ASKS, DONE), retrieve=True, store=store())
        model.invoke(ASKED, {"callbacks": [Runs()], "run_id": own})
        assert runs == [(own, {"tokens_before", "tokens_after"})] * 2

    async def test_async_callers_see_the_same(self) -> None:
        inner = scripted(BOTH, ASKS, DONE)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = await model.ainvoke(ASKED)
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        chunks = [chunk async for chunk in model.astream([*ASKED, answer, result])]
        assert "".join(chunk.text for chunk in chunks).strip() == "It is done."
        assert dumped(inner.sent[2][: len(inner.sent[1])]) == dumped(inner.sent[1])

    def test_batches_keep_their_requests_apart(self) -> None:
        model = HeadroomChatModel(OneRound(), retrieve=True, store=store())
        answers = model.batch([[HumanMessage(str(n))] for n in range(20)])
        assert [answer.text for answer in answers] == [f"{n}: 3" for n in range(20)]


class OneRound(Scripted):
    """Asks once, then says what it was asked and how many messages it was sent."""

    script: list[Said] = Field(default_factory=list)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        said = f"{messages[0].text}: {len(messages)}"
        message = (
            AIMessage(said)
            if len(messages) > 1
            else AIMessage("", tool_calls=[{**call(), "id": "c"}])
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


words = st.text("ab .", max_size=8).map(str.strip)
calls = st.lists(st.sampled_from([call(), call(key="0" * 24), call("orders", day=3)]), max_size=3)
turns = st.lists(st.fixed_dictionaries({"text": words, "calls": calls}), min_size=1, max_size=8)


@given(
    script=turns,
    shape=st.sampled_from([*SHAPES]),
    way=st.sampled_from(WAYS),
    rounds=st.integers(1, 3),
)
def test_each_request_begins_with_the_one_before_it(
    script: list[Said], shape: str, way: Callable[..., Any], rounds: int
) -> None:
    inner = scripted(*script, DONE, shape=shape)
    model = HeadroomChatModel(inner, retrieve=True, max_rounds=rounds, store=store())
    history: list[BaseMessage] = [*ASKED]
    for _ in range(4):
        answer = way(model, history)
        assert "headroom_retrieve" not in json.dumps(
            [answer.content, answer.tool_calls, answer.invalid_tool_calls]
        )
        results = [ToolMessage("[]", tool_call_id=one["id"]) for one in answer.tool_calls]
        history += [travelled(answer), *results, *([] if results else [HumanMessage("And now?")])]
    for earlier, later in zip(inner.sent, inner.sent[1:]):
        assert dumped(later[: len(earlier)]) == dumped(earlier)
    said = [{"text": "", "calls": [], **one} for one in [*script, *[DONE] * len(inner.sent)]]
    # What is said where no model answered is none of the script's.
    read = [
        one
        for one in inner.sent[-1]
        if isinstance(one, AIMessage) and not one.text.startswith("There is no")
    ]
    assert [message.text.strip() for message in read] == [one["text"] for one in said[: len(read)]]
    assert [[made["args"] for made in message.tool_calls] for message in read] == [
        [made["args"] for made in one["calls"]] for one in said[: len(read)]
    ]


class TestOffering:
    def offered(self, **kwargs: Any) -> bool:
        inner = scripted(DONE)
        HeadroomChatModel(inner, retrieve=True, store=store()).invoke(ASKED, **kwargs)
        return "headroom_retrieve" in json.dumps(inner.kwargs)

    @pytest.mark.parametrize(
        "choice", ["auto", "any", "required", {"type": "auto"}, {"any": {}}, None]
    )
    def test_the_tool_is_offered_where_the_model_has_a_choice(self, choice: Any) -> None:
        assert self.offered(tools=[ORDERS], tool_choice=choice)

    @pytest.mark.parametrize(
        "choice",
        [
            "none",
            "orders",
            {"type": "tool", "name": "orders"},
            {"type": "function", "function": {"name": "orders"}},
        ],
    )
    def test_the_tool_is_not_offered_where_another_is_forced(self, choice: Any) -> None:
        assert not self.offered(tools=[ORDERS], tool_choice=choice)

    def test_the_tool_is_not_offered_where_the_answer_has_a_form(self) -> None:
        assert not self.offered(response_format={"type": "json_object"})
        assert not self.offered(ls_structured_output_format={"schema": {}})
        assert self.offered(response_format={"type": "json_object"}, tools=[ORDERS])

    def test_the_tool_is_strict_where_the_others_are(self) -> None:
        inner = scripted(DONE)
        strict = {
            "type": "function",
            "function": {"name": "orders", "strict": True, "parameters": {}},
        }
        HeadroomChatModel(inner, retrieve=True).invoke(ASKED, tools=[strict])
        ours = inner.kwargs[0]["tools"][1]["function"]
        assert (ours["strict"], ours["parameters"]["required"][0]) == (True, "key")

    def test_the_tool_is_offered_once(self) -> None:
        inner = scripted(DONE)
        model = HeadroomChatModel(HeadroomChatModel(inner, retrieve=True), retrieve=True)
        model.bind_tools([ORDERS]).invoke(ASKED)
        assert [one["function"]["name"] for one in inner.kwargs[0]["tools"]] == [
            "orders",
            "headroom_retrieve",
        ]

    def test_nothing_is_offered_where_the_settings_leave_nothing_out(self) -> None:
        inner = scripted(DONE)
        off = HeadroomConfig(ccr=CCRConfig(enabled=False))
        HeadroomChatModel(inner, retrieve=True, config=off).invoke(ASKED)
        assert "tools" not in inner.kwargs[0]

    @around
    def test_a_model_without_tools_is_refused(self, wrap: Any) -> None:
        with pytest.raises(
            ConfigurationError, match=r"FakeListChatModel cannot call tools.*use retrieve=False"
        ):
            wrap(FakeListChatModel(responses=["yes"]), retrieve=True)

    @around
    def test_a_fallback_without_tools_is_refused(self, wrap: Any) -> None:
        fallbacks = scripted(DONE).with_fallbacks([FakeListChatModel(responses=["yes"])])
        with pytest.raises(ConfigurationError, match="cannot call tools"):
            wrap(fallbacks, retrieve=True)

    def test_where_the_tool_is_not_offered_what_was_hidden_stays_so(self) -> None:
        inner = scripted(BOTH, DONE)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = model.invoke(ASKED)
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        model.generate([[*ASKED, answer, result]])
        (shown,) = [message for message in inner.sent[1] if isinstance(message, AIMessage)]
        assert (len(shown.tool_calls), shown.additional_kwargs) == (1, {})


class TestMetrics:
    def test_a_request_is_booked_once_with_all_its_rounds(self) -> None:
        model = HeadroomChatModel(scripted(ASKS, DONE), retrieve=True, store=store())
        model.invoke(ASKED)
        (one,) = model.get_metrics()
        assert one.tokens_input_before < 20
        assert one.tokens_input_after > 2 * 200  # the tool's schema, twice
        assert (one.tokens_output, one.model, one.provider) == (20, "gpt-4o", "openai")
        assert model.get_summary()["total_tokens_saved"] < 0

    def test_what_was_brought_back_is_nothing_that_the_caller_sent(self) -> None:
        model = HeadroomChatModel(scripted(ASKS, DONE), retrieve=True, store=store())
        answer = model.invoke(ASKED)
        model.invoke([*ASKED, answer, HumanMessage("And now?")])
        plain = HeadroomChatModel(scripted(DONE))
        plain.invoke([*ASKED, AIMessage("It is done."), HumanMessage("And now?")])
        assert (
            model.get_metrics()[1].tokens_input_before == plain.get_metrics()[0].tokens_input_before
        )

    @around
    def test_what_is_saved_is_booked(self, wrap: Any) -> None:
        rows = [
            HumanMessage("?"),
            AIMessage("", tool_calls=[{**call("rows"), "id": "c"}]),
            ToolMessage(ROWS, tool_call_id="c"),
        ]
        model = wrap(scripted(DONE))
        for way in WAYS:
            way(model, rows)
        model.generate([rows, rows])
        summary = model.get_summary()
        assert summary["total_requests"] == 4
        assert summary["avg_compression_ratio"] < 0.6
        assert model.get_metrics()[0].transforms_applied

    @around
    def test_bindings_and_copies_share_the_ledger(self, wrap: Any) -> None:
        model = wrap(scripted(DONE))
        model.bind_tools([ORDERS]).invoke(ASKED)
        model.with_retry().invoke(ASKED)
        model.model_copy().invoke(ASKED)
        model.configurable_fields(model_name=ConfigurableField(id="name")).invoke(
            ASKED, {"configurable": {"name": "gpt-4o-mini"}}
        )
        assert [one.model for one in model.get_metrics()] == ["gpt-4o"] * 3 + ["gpt-4o-mini"]

    def test_of_fallbacks_the_one_that_answered_is_booked(self) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise ValueError("down")

        down = scripted(DONE)
        object.__setattr__(down, "_generate", fail)
        model = HeadroomChatModel(
            down.with_fallbacks([scripted(DONE).model_copy(update={"model_name": "gpt-4o-mini"})])
        )
        assert model.invoke(ASKED).text == "It is done."
        assert [one.model for one in model.get_metrics()] == ["gpt-4o-mini"]

    def test_a_stream_that_is_left_early_is_booked(self) -> None:
        model = HeadroomChatModel(scripted(DONE))
        chunks = model.stream(ASKED)
        next(chunks)
        chunks.close()
        assert [one.tokens_output for one in model.get_metrics()] == [2]

    def test_a_pickle_starts_to_count_anew(self) -> None:
        model = HeadroomChatModel(FakeListChatModel(responses=["yes"]), query="which?")
        model.invoke(ASKED)
        loaded = pickle.loads(pickle.dumps(model))
        assert (loaded.query, loaded.get_summary()["total_requests"]) == ("which?", 0)


class TestWrapping:
    @around
    def test_what_nothing_changed_is_the_same_object(self, wrap: Any) -> None:
        inner = scripted(DONE)
        message = HumanMessage("Hello")
        wrap(inner).invoke([message])
        assert inner.sent[0][0] is message

    @pytest.mark.parametrize("outer", [HeadroomChatModel, wrap_chat_model])
    @around
    def test_wrapped_twice_it_compresses_once_and_the_outer_settings_hold(
        self, wrap: Any, outer: Any
    ) -> None:
        within = wrap(scripted(DONE), query="inner")
        model = outer(within.with_retry(), query="outer")
        model.invoke(ASKED)
        assert within.get_metrics() == []
        leaf = model.bound if outer is wrap_chat_model else model
        assert len(leaf.get_metrics()) == 1

    @pytest.mark.parametrize(
        "name", ["cache", "tags", "metadata", "callbacks", "rate_limiter", "output_version"]
    )
    def test_what_the_wrapped_model_does_is_not_asked_of_the_wrapper(self, name: str) -> None:
        with pytest.raises(
            ConfigurationError, match=f"{name} = .*set it on the model that is wrapped"
        ):
            HeadroomChatModel(scripted(DONE), **{name: "x"})
        model = HeadroomChatModel(scripted(DONE))
        with pytest.raises(
            ConfigurationError, match=f"{name} = .*set it on the model that is wrapped"
        ):
            setattr(model, name, "x")

    def test_the_variant_refuses_what_has_no_chat_model(self) -> None:
        with pytest.raises(
            ConfigurationError,
            match=r"RunnableLambda, inside which no chat model.*HeadroomChatModel",
        ):
            wrap_chat_model(RunnableLambda(lambda messages: messages))

    def test_any_runnable_that_takes_messages_can_be_wrapped(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage(str(len(messages)))))
        assert model.invoke(ASKED).text == stream(model, ASKED).text == "1"
        assert model.get_summary()["total_requests"] == 2

    def test_a_runnable_without_a_chat_model_cannot_be_offered_the_tool(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage("yes")), retrieve=True)
        with pytest.raises(
            ConfigurationError, match=r"in RunnableLambda no chat model.*use retrieve=False"
        ):
            model.invoke(ASKED)

    def test_the_classes_of_variants_are_made_once(self) -> None:
        first, second = wrap_chat_model(scripted(DONE)), wrap_chat_model(scripted(DONE))
        assert type(first) is type(second) is not Scripted
        assert type(first).__name__ == "Scripted"

    def test_what_the_inner_model_caches_it_caches_once(self) -> None:
        anthropic = ChatAnthropic(model="claude-haiku-4-5", api_key="none")
        variant = wrap_chat_model(anthropic)
        assert variant.unwrap()._client is variant.unwrap()._client is variant._client

    def test_a_setting_of_the_inner_model_that_is_changed_later_counts(self) -> None:
        inner = scripted(DONE)
        model, variant = HeadroomChatModel(inner), wrap_chat_model(scripted(DONE))
        inner.model_name = variant.model_name = "gpt-4o-mini"
        for one in (model, variant):
            one.invoke(ASKED)
            assert (one.model_name, one.get_metrics()[0].model) == ("gpt-4o-mini", "gpt-4o-mini")

    def test_private_methods_work_when_they_are_called(self) -> None:
        model = HeadroomChatModel(scripted(DONE))
        assert model._generate(ASKED).generations[0].text == "It is done."
        assert "".join(chunk.text for chunk in model._stream(ASKED)) == "It is done. "


@around
async def test_an_agent_with_a_form_for_its_answer_retrieves_first(wrap: Any) -> None:
    class Verdict(BaseModel):
        """What is in there."""

        lines: int

    replies = [
        Reply("", (Call("headroom_retrieve", {"key": KEY}),)),
        Reply("", (Call("Verdict", {"lines": 3}),)),
    ]
    with OpenAIServer(replies) as server:
        inner = ChatOpenAI(model="gpt-4o-mini", base_url=server.url, api_key="none")
        agent = create_agent(
            wrap(inner, retrieve=True, store=store()), response_format=ToolStrategy(Verdict)
        )
        state = await agent.ainvoke({"messages": ASKED})
        assert state["structured_response"] == Verdict(lines=3)
        assert server.requests[1].continues(server.requests[0])


class Verdict(BaseModel):
    """What the orders show."""

    late: int


def configurable(server: OpenAIServer) -> Any:
    fields: Any = ("model", "model_provider")
    return init_chat_model(
        "gpt-4o-mini",
        model_provider="openai",
        configurable_fields=fields,
        base_url=server.url,
        api_key="none",
    )


class TestInitChatModel:
    def test_it_retrieves_and_keeps_its_tools(self) -> None:
        replies = [Reply("", (Call("headroom_retrieve", {"key": KEY}),)), Reply("done")]
        with OpenAIServer(replies) as server:
            model = HeadroomChatModel(
                configurable(server), retrieve=True, store=store()
            ).bind_tools([ORDERS])
            answer = model.invoke(ASKED, {"configurable": {"model": "gpt-4o"}})
            assert answer.text == "done"
            assert [request.body["model"] for request in server.requests] == ["gpt-4o"] * 2
            names = [one["function"]["name"] for one in server.requests[1].body["tools"]]
            assert names == ["orders", "headroom_retrieve"]

    def test_its_structured_answers_are_compressed(self) -> None:
        with OpenAIServer() as server:
            model = HeadroomChatModel(configurable(server))
            schema = {
                "title": "Verdict",
                "type": "object",
                "properties": {"late": {"type": "integer"}},
            }
            rows = [
                HumanMessage("?"),
                AIMessage("", tool_calls=[{**call("rows"), "id": "c"}]),
                ToolMessage(ROWS, tool_call_id="c"),
            ]
            assert model.with_structured_output(schema).invoke(rows)["late"] == 3
            assert len(server.requests[0].raw) < len(ROWS)
            assert model.get_summary()["total_requests"] == 1

    async def test_what_its_structured_answers_are_asked_for_in_words_stays(self) -> None:
        with OpenAIServer() as server:
            answering = HeadroomChatModel(configurable(server)).with_structured_output(Verdict)
            assert (await answering.ainvoke(ROWS, {"configurable": {"model": "gpt-4o"}})).late == 3
            bare = configurable(server).with_structured_output(Verdict)
            bare.invoke(ROWS, {"configurable": {"model": "gpt-4o"}})
            ours, theirs = server.requests
            assert ours.body["model"] == theirs.body["model"] == "gpt-4o"
            assert len(ours.raw) <= len(theirs.raw)

    def test_without_a_chat_model_there_is_no_structured_answer(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage("yes")))
        with pytest.raises(
            ConfigurationError, match=r"with_structured_output: in RunnableLambda no chat model"
        ):
            model.with_structured_output(Verdict).invoke(ASKED)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_anthropic_blocks_are_restored_after_an_earlier_stream(
    version: str,
) -> None:
    replies = [
        Reply("One moment.", (Call("headroom_retrieve", {"key": KEY}),)),
        Reply("done"),
        Reply("bye"),
    ]
    with AnthropicServer(replies) as server:
        inner = ChatAnthropic(
            model="claude-haiku-4-5", base_url=server.url, api_key="none", output_version=version
        )
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = travelled(stream(model, ASKED))
        assert answer.text == "One moment.done"
        assert stream(model, [*ASKED, answer, HumanMessage("Thanks")]).text == "bye"
        assert all(
            later.continues(earlier) for earlier, later in zip(server.requests, server.requests[1:])
        )
        assert json.dumps(server.requests[2].messages[-2]).count("One moment") == 0
