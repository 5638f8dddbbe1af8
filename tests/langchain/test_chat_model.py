"""Test wrapped chat models and their retrieval of originals."""

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

Step = dict[str, Any]


def call(name: str = "headroom_retrieve", **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args or {"key": KEY}, "type": "tool_call"}


def as_text(step: Step) -> AIMessage:
    """Return a step of the script as a message with a string, like OpenAI's."""
    return AIMessage(step["text"], tool_calls=step["calls"], usage_metadata=USAGE)


def as_blocks(step: Step) -> AIMessage:
    """Return a step of the script as a message with blocks, like Anthropic's."""
    texts = [{"type": "text", "text": step["text"]}] if step["text"] else []
    uses = [
        {"type": "tool_use", "id": one["id"], "name": one["name"], "input": one["args"]}
        for one in step["calls"]
    ]
    return AIMessage([*texts, *uses], tool_calls=step["calls"], usage_metadata=USAGE)


def text_chunks(step: Step) -> Iterator[AIMessageChunk]:
    for word in step["text"].split(" ") if step["text"] else []:
        yield AIMessageChunk(word + " ")
    for at, one in enumerate(step["calls"]):
        yield AIMessageChunk("", tool_call_chunks=[call_chunk(at, '{"', one)])
        yield AIMessageChunk("", tool_call_chunks=[call_chunk(at, json.dumps(one["args"])[2:])])
    yield AIMessageChunk("", response_metadata={"finish_reason": "stop"})
    yield AIMessageChunk("", usage_metadata=USAGE)


def block_chunks(step: Step) -> Iterator[AIMessageChunk]:
    yield AIMessageChunk([], usage_metadata=USAGE, response_metadata={"model_name": "claude"})
    for word in step["text"].split(" ") if step["text"] else []:
        yield AIMessageChunk([{"type": "text", "text": word + " ", "index": 0}])
    for at, one in enumerate(step["calls"], start=1):
        use = {"type": "tool_use", "id": one["id"], "name": one["name"], "input": {}, "index": at}
        yield AIMessageChunk([use], tool_call_chunks=[call_chunk(at, "", one)])
        args = json.dumps(one["args"])
        delta = {"type": "input_json_delta", "partial_json": args, "index": at}
        yield AIMessageChunk([delta], tool_call_chunks=[call_chunk(at, args)])
    yield AIMessageChunk([], response_metadata={"stop_reason": "end_turn"})


def call_chunk(index: int, args: str, call: Step | None = None) -> Any:
    name, id_ = (call["name"], call["id"]) if call else (None, None)
    return {"name": name, "args": args, "id": id_, "index": index, "type": "tool_call_chunk"}


SHAPES = {"text": (as_text, text_chunks), "blocks": (as_blocks, block_chunks)}


class Scripted(BaseChatModel):
    """Model that follows a script and records the messages and settings it receives."""

    script: list[Step]
    shape: str = "text"
    model_name: str = "gpt-4o"
    sent: list[list[BaseMessage]] = Field(default_factory=list)
    kwargs: list[dict[str, Any]] = Field(default_factory=list)

    def _next(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Step:
        self.sent.append(messages)
        self.kwargs.append(kwargs)
        turn = len(self.sent) - 1
        step = {"text": "", "calls": [], **self.script[min(turn, len(self.script) - 1)]}
        return step | {
            "calls": [{**one, "id": f"c{turn}-{at}"} for at, one in enumerate(step["calls"])]
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


def scripted(*script: Step, shape: str = "text") -> Scripted:
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


RUNS = [invoke, stream]
every_run = pytest.mark.parametrize("run", RUNS)
every_wrapper = pytest.mark.parametrize(
    "wrap", [HeadroomChatModel, wrap_chat_model], ids=["HeadroomChatModel", "variant"]
)
# The conversation was given these keys with an earlier request.
GIVEN = AIMessage(
    "I see.", response_metadata={"headroom": {"keys": [KEY, content_key(ROWS)]}}, id="given"
)
QUESTION = [HumanMessage("What is in there?")]
ASKED: list[BaseMessage] = [GIVEN, *QUESTION]
RETRIEVE: Step = {"calls": [call()]}
ANSWER: Step = {"text": "It is done."}
ORDERS = {"type": "function", "function": {"name": "orders", "parameters": {}}}
LIMIT_REACHED = "headroom_retrieve: no more can be asked for before your answer"
ORDERS_AND_RETRIEVE: Step = {"text": "Let me see.", "calls": [call("orders", day=3), call()]}


def json_round_trip(message: BaseMessage) -> BaseMessage:
    """Return the message after a round trip through JSON."""
    return messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))[0]


def comparable(messages: Sequence[BaseMessage]) -> list[Any]:
    """Return the content of messages without identifiers, usage or indices of blocks."""
    return [
        without_indices(message.model_dump(exclude={"id", "usage_metadata", "response_metadata"}))
        for message in messages
    ]


def without_indices(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_indices(one) for name, one in value.items() if name != "index"}
    return [without_indices(one) for one in value] if isinstance(value, list) else value


class TestRounds:
    @every_run
    @every_wrapper
    def test_retrieve_calls_are_answered_and_hidden_from_the_caller(
        self, wrap: Any, run: Any
    ) -> None:
        inner = scripted(RETRIEVE, ANSWER)
        answer = run(wrap(inner, retrieve=True, store=store()), ASKED)
        assert answer.text.strip() == "It is done."
        assert answer.tool_calls == []
        assert inner.sent[1][:2] == inner.sent[0] == ASKED
        assert inner.sent[1][-1].text.endswith(TEXT)

    @every_run
    def test_calls_with_unknown_parameters_are_answered_with_an_error(self, run: Any) -> None:
        inner = scripted({"calls": [call(nokey=1)]}, ANSWER)
        assert run(HeadroomChatModel(inner, retrieve=True), QUESTION).text.strip() == "It is done."
        assert "no parameter is named 'nokey'" in inner.sent[1][-1].text

    def test_calls_with_invalid_json_are_answered(self) -> None:
        broken = {
            "name": "headroom_retrieve",
            "args": '{"key": ',
            "id": "c1",
            "error": None,
            "type": "invalid_tool_call",
        }
        answers = iter([AIMessage("", invalid_tool_calls=[broken]), AIMessage("done")])
        inner = scripted(ANSWER)
        object.__setattr__(
            inner,
            "_generate",
            lambda *_, **__: ChatResult(generations=[ChatGeneration(message=next(answers))]),
        )
        assert HeadroomChatModel(inner, retrieve=True).invoke(QUESTION).text == "done"

    @every_run
    def test_parallel_calls_are_answered_together(self, run: Any) -> None:
        inner = scripted({"calls": [call(), call(key="0" * 24)]}, ANSWER)
        run(HeadroomChatModel(inner, retrieve=True, store=store()), ASKED)
        *_, found, missed = inner.sent[1]
        assert (found.tool_call_id, missed.tool_call_id) == ("c0-0", "c0-1")
        assert "not of this conversation" in missed.text

    @every_run
    def test_keys_of_other_conversations_are_refused(self, run: Any) -> None:
        kept = store()
        secret = "the text of another tenant"
        kept.put_many({content_key(secret): secret})
        inner = scripted({"calls": [call(key=content_key(secret))]}, ANSWER)
        marker = f'[headroom: 9 rows left out here; headroom_retrieve(key="{content_key(secret)}")]'
        run(HeadroomChatModel(inner, retrieve=True, store=kept), [HumanMessage(marker)])
        assert "not of this conversation" in inner.sent[1][-1].text

    @every_run
    def test_the_last_round_is_announced_and_forbids_further_calls(self, run: Any) -> None:
        inner = scripted(RETRIEVE, RETRIEVE, RETRIEVE, ANSWER)
        answer = run(HeadroomChatModel(inner, retrieve=True, max_rounds=2, store=store()), QUESTION)
        assert answer.text.strip() == "It is done."
        seen = (
            ["the last call" in sent[-1].text for sent in inner.sent],
            [sent[-1].text for sent in inner.sent][-1],
        )
        assert seen == ([False, False, True, False], LIMIT_REACHED)
        assert [kwargs.get("tool_choice") for kwargs in inner.kwargs] == [None, None, None, "none"]
        assert all(kwargs["tools"] == inner.kwargs[0]["tools"] for kwargs in inner.kwargs)

    @every_run
    @pytest.mark.parametrize("shape", [*SHAPES])
    def test_a_model_that_exceeds_the_rounds_gets_a_replacement_answer(
        self, shape: str, run: Any
    ) -> None:
        inner = scripted(
            {"text": "One moment.", "calls": [call()]}, RETRIEVE, RETRIEVE, ANSWER, shape=shape
        )
        model = HeadroomChatModel(inner, retrieve=True, max_rounds=1, store=store())
        answer = run(model, QUESTION)
        assert (len(inner.sent), answer.tool_calls, answer.usage_metadata) == (3, [], USAGE)
        assert answer.text.endswith(
            "asking for more of what was left out than max_rounds = 1 allows."
        )
        run(model, [*QUESTION, json_round_trip(answer), HumanMessage("And now?")])
        assert comparable(inner.sent[3][: len(inner.sent[2])]) == comparable(inner.sent[2])
        assert inner.sent[3][-3].text == LIMIT_REACHED
        assert inner.sent[3][-2].text.startswith("There is no answer")

    @every_run
    def test_retrieved_text_is_not_compressed_again(self, run: Any) -> None:
        kept = MemoryStore()
        kept.put_many({content_key(ROWS): ROWS})
        inner = scripted({"calls": [call(key=content_key(ROWS), limit=300)]}, ANSWER)
        run(HeadroomChatModel(inner, retrieve=True, store=kept), ASKED)
        assert inner.sent[1][-1].text == handle_retrieve_call(
            {"key": content_key(ROWS), "limit": 300}, store=kept
        )

    def test_originals_are_read_from_the_store_in_the_settings(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/kept.db"
        open_store(url).put_many({KEY: TEXT})
        inner = scripted(RETRIEVE, ANSWER)
        HeadroomChatModel(inner, retrieve=True, config=HeadroomConfig(store_url=url)).invoke(ASKED)
        assert inner.sent[1][-1].text.endswith(TEXT)

    async def test_events_of_version_2_include_every_round(self) -> None:
        model = HeadroomChatModel(scripted(RETRIEVE, ANSWER), retrieve=True, store=store())
        events = [event["event"] async for event in model.astream_events(QUESTION, version="v2")]
        assert (events.count("on_chat_model_start"), events.count("on_chat_model_end")) == (2, 2)

    @every_run
    def test_usage_and_metadata_come_from_the_last_request(self, run: Any) -> None:
        answer = run(
            HeadroomChatModel(scripted(RETRIEVE, ANSWER), retrieve=True, store=store()), QUESTION
        )
        assert answer.usage_metadata == USAGE
        assert answer.response_metadata.get("finish_reason") in (None, "stop")

    def test_streams_include_text_from_earlier_rounds(self) -> None:
        inner = scripted({"text": "One moment.", "calls": [call()]}, ANSWER)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = stream(model, QUESTION)
        assert answer.text == "One moment. \n\nIt is done. "
        stream(model, [*QUESTION, answer, HumanMessage("And now?")])
        assert [message.text for message in inner.sent[2] if isinstance(message, AIMessage)] == [
            "One moment. ",
            "It is done. ",
        ]

    def test_edited_content_of_an_answer_is_kept(self) -> None:
        inner = scripted({"text": "One moment.", "calls": [call()]}, ANSWER)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = stream(model, QUESTION).model_copy(update={"content": "[redacted]"})
        stream(model, [*QUESTION, answer, HumanMessage("And now?")])
        assert inner.sent[2][-2].text == "[redacted]"

    def test_edited_calls_of_an_answer_are_kept(self) -> None:
        inner = scripted(ORDERS_AND_RETRIEVE, ANSWER)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = model.invoke(QUESTION)
        (first,) = answer.tool_calls
        edited = answer.model_copy(update={"tool_calls": [{**first, "args": {"day": 9}}]})
        model.invoke([*QUESTION, edited, ToolMessage("[]", tool_call_id=first["id"])])
        assert [one["args"] for one in inner.sent[1][1].tool_calls] == [{"day": 9}, {"key": KEY}]

    def test_callbacks_for_rounds_are_children_of_the_callers_run(self) -> None:
        runs: list[Any] = []

        class Runs(BaseCallbackHandler):
            def on_chain_start(self, *_: Any, run_id: Any, **__: Any) -> None:
                assert str(run_id) == own

            def on_chat_model_start(
                self, *_: Any, parent_run_id: Any, metadata: Any, **__: Any
            ) -> None:
                runs.append((str(parent_run_id), set(metadata["headroom"])))

        own = "00000000-0000-4000-8000-000000000001"
        model = HeadroomChatModel(scripted(RETRIEVE, ANSWER), retrieve=True, store=store())
        model.invoke(QUESTION, {"callbacks": [Runs()], "run_id": own})
        assert runs == [(own, {"tokens_before", "tokens_after"})] * 2

    async def test_async_methods_retrieve_like_sync_methods(self) -> None:
        inner = scripted(ORDERS_AND_RETRIEVE, RETRIEVE, ANSWER)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = await model.ainvoke(QUESTION)
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        chunks = [chunk async for chunk in model.astream([*QUESTION, answer, result])]
        assert "".join(chunk.text for chunk in chunks).strip() == "It is done."
        assert comparable(inner.sent[2][: len(inner.sent[1])]) == comparable(inner.sent[1])

    def test_batched_requests_do_not_share_rounds(self) -> None:
        model = HeadroomChatModel(OneRound(), retrieve=True, store=store())
        answers = model.batch([[HumanMessage(str(n))] for n in range(20)])
        assert [answer.text for answer in answers] == [f"{n}: 3" for n in range(20)]


class OneRound(Scripted):
    """Model that retrieves once, then repeats the question and counts the messages it received."""

    script: list[Step] = Field(default_factory=list)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        text = f"{messages[0].text}: {len(messages)}"
        message = (
            AIMessage(text)
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
    run=st.sampled_from(RUNS),
    rounds=st.integers(1, 3),
)
def test_each_request_starts_with_the_previous_one(
    script: list[Step], shape: str, run: Callable[..., Any], rounds: int
) -> None:
    inner = scripted(*script, ANSWER, shape=shape)
    model = HeadroomChatModel(inner, retrieve=True, max_rounds=rounds, store=store())
    history: list[BaseMessage] = [*QUESTION]
    for _ in range(4):
        answer = run(model, history)
        assert "headroom_retrieve" not in json.dumps(
            [answer.content, answer.tool_calls, answer.invalid_tool_calls]
        )
        results = [ToolMessage("[]", tool_call_id=one["id"]) for one in answer.tool_calls]
        history += [
            json_round_trip(answer),
            *results,
            *([] if results else [HumanMessage("And now?")]),
        ]
    for earlier, later in zip(inner.sent, inner.sent[1:]):
        assert comparable(later[: len(earlier)]) == comparable(earlier)
    steps = [{"text": "", "calls": [], **one} for one in [*script, *[ANSWER] * len(inner.sent)]]
    # Answers that replace a missing answer of the model are not part of the script.
    read = [
        one
        for one in inner.sent[-1]
        if isinstance(one, AIMessage) and not one.text.startswith("There is no")
    ]
    assert [message.text.strip() for message in read] == [one["text"] for one in steps[: len(read)]]
    assert [[call["args"] for call in message.tool_calls] for message in read] == [
        [call["args"] for call in one["calls"]] for one in steps[: len(read)]
    ]


class TestOffering:
    def is_offered(self, **kwargs: Any) -> bool:
        inner = scripted(ANSWER)
        HeadroomChatModel(inner, retrieve=True, store=store()).invoke(QUESTION, **kwargs)
        return "headroom_retrieve" in json.dumps(inner.kwargs)

    @pytest.mark.parametrize(
        "choice", ["auto", "any", "required", {"type": "auto"}, {"any": {}}, None]
    )
    def test_the_tool_is_offered_if_the_tool_choice_allows_it(self, choice: Any) -> None:
        assert self.is_offered(tools=[ORDERS], tool_choice=choice)

    @pytest.mark.parametrize(
        "choice",
        [
            "none",
            "orders",
            {"type": "tool", "name": "orders"},
            {"type": "function", "function": {"name": "orders"}},
        ],
    )
    def test_the_tool_is_not_offered_if_another_choice_is_forced(self, choice: Any) -> None:
        assert not self.is_offered(tools=[ORDERS], tool_choice=choice)

    def test_the_tool_is_not_offered_with_structured_output_and_no_tools(self) -> None:
        assert not self.is_offered(response_format={"type": "json_object"})
        assert not self.is_offered(ls_structured_output_format={"schema": {}})
        assert self.is_offered(response_format={"type": "json_object"}, tools=[ORDERS])

    def test_the_tool_is_strict_if_other_tools_are_strict(self) -> None:
        inner = scripted(ANSWER)
        strict = {
            "type": "function",
            "function": {"name": "orders", "strict": True, "parameters": {}},
        }
        HeadroomChatModel(inner, retrieve=True).invoke(QUESTION, tools=[strict])
        ours = inner.kwargs[0]["tools"][1]["function"]
        assert (ours["strict"], ours["parameters"]["required"][0]) == (True, "key")

    def test_nested_wrappers_offer_the_tool_once(self) -> None:
        inner = scripted(ANSWER)
        model = HeadroomChatModel(HeadroomChatModel(inner, retrieve=True), retrieve=True)
        model.bind_tools([ORDERS]).invoke(QUESTION)
        assert [one["function"]["name"] for one in inner.kwargs[0]["tools"]] == [
            "orders",
            "headroom_retrieve",
        ]

    def test_the_tool_is_not_offered_with_ccr_disabled(self) -> None:
        inner = scripted(ANSWER)
        off = HeadroomConfig(ccr=CCRConfig(enabled=False))
        HeadroomChatModel(inner, retrieve=True, config=off).invoke(QUESTION)
        assert "tools" not in inner.kwargs[0]

    @every_wrapper
    def test_a_model_without_tool_support_is_an_error(self, wrap: Any) -> None:
        with pytest.raises(
            ConfigurationError, match=r"FakeListChatModel cannot call tools.*use retrieve=False"
        ):
            wrap(FakeListChatModel(responses=["yes"]), retrieve=True)

    @every_wrapper
    def test_a_fallback_without_tool_support_is_an_error(self, wrap: Any) -> None:
        fallbacks = scripted(ANSWER).with_fallbacks([FakeListChatModel(responses=["yes"])])
        with pytest.raises(ConfigurationError, match="cannot call tools"):
            wrap(fallbacks, retrieve=True)

    def test_hidden_calls_are_not_restored_without_the_tool(self) -> None:
        inner = scripted(ORDERS_AND_RETRIEVE, ANSWER)
        model = HeadroomChatModel(inner, retrieve=True, store=store())
        answer = model.invoke(QUESTION)
        result = ToolMessage("[]", tool_call_id=answer.tool_calls[0]["id"])
        model.generate([[*QUESTION, answer, result]])
        (shown,) = [message for message in inner.sent[1] if isinstance(message, AIMessage)]
        assert (len(shown.tool_calls), shown.additional_kwargs) == (1, {})


class TestMetrics:
    def test_a_request_is_recorded_once_with_all_its_rounds(self) -> None:
        model = HeadroomChatModel(scripted(RETRIEVE, ANSWER), retrieve=True, store=store())
        model.invoke(QUESTION)
        (one,) = model.get_metrics()
        assert one.tokens_input_before < 20
        assert one.tokens_input_after > 2 * 90  # the tool's schema, twice
        assert (one.tokens_output, one.model, one.provider) == (20, "gpt-4o", "openai")
        assert model.get_summary()["total_tokens_saved"] < 0

    def test_retrieved_text_is_excluded_from_tokens_before_compression(self) -> None:
        model = HeadroomChatModel(scripted(RETRIEVE, ANSWER), retrieve=True, store=store())
        answer = model.invoke(QUESTION)
        model.invoke([*QUESTION, answer, HumanMessage("And now?")])
        plain = HeadroomChatModel(scripted(ANSWER))
        plain.invoke([*QUESTION, AIMessage("It is done."), HumanMessage("And now?")])
        assert (
            model.get_metrics()[1].tokens_input_before == plain.get_metrics()[0].tokens_input_before
        )

    @every_wrapper
    def test_savings_are_recorded(self, wrap: Any) -> None:
        rows = [
            HumanMessage("?"),
            AIMessage("", tool_calls=[{**call("rows"), "id": "c"}]),
            ToolMessage(ROWS, tool_call_id="c"),
        ]
        model = wrap(scripted(ANSWER))
        for run in RUNS:
            run(model, rows)
        model.generate([rows, rows])
        summary = model.get_summary()
        assert summary["total_requests"] == 4
        assert summary["avg_compression_ratio"] < 0.6
        assert model.get_metrics()[0].transforms_applied

    @every_wrapper
    def test_bindings_and_copies_share_their_metrics(self, wrap: Any) -> None:
        model = wrap(scripted(ANSWER))
        model.bind_tools([ORDERS]).invoke(QUESTION)
        model.with_retry().invoke(QUESTION)
        model.model_copy().invoke(QUESTION)
        model.configurable_fields(model_name=ConfigurableField(id="name")).invoke(
            QUESTION, {"configurable": {"name": "gpt-4o-mini"}}
        )
        assert [one.model for one in model.get_metrics()] == ["gpt-4o"] * 3 + ["gpt-4o-mini"]

    def test_metrics_name_the_fallback_that_answered(self) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise ValueError("down")

        down = scripted(ANSWER)
        object.__setattr__(down, "_generate", fail)
        model = HeadroomChatModel(
            down.with_fallbacks([scripted(ANSWER).model_copy(update={"model_name": "gpt-4o-mini"})])
        )
        assert model.invoke(QUESTION).text == "It is done."
        assert [one.model for one in model.get_metrics()] == ["gpt-4o-mini"]

    def test_a_stream_that_is_closed_early_is_recorded(self) -> None:
        model = HeadroomChatModel(scripted(ANSWER))
        chunks = model.stream(QUESTION)
        next(chunks)
        chunks.close()
        assert [one.tokens_output for one in model.get_metrics()] == [2]

    def test_pickles_keep_settings_and_drop_metrics(self) -> None:
        model = HeadroomChatModel(FakeListChatModel(responses=["yes"]), query="which?")
        model.invoke(QUESTION)
        loaded = pickle.loads(pickle.dumps(model))
        assert (loaded.query, loaded.get_summary()["total_requests"]) == ("which?", 0)


class TestWrapping:
    @every_wrapper
    def test_unchanged_messages_are_passed_as_the_same_objects(self, wrap: Any) -> None:
        inner = scripted(ANSWER)
        message = HumanMessage("Hello")
        wrap(inner).invoke([message])
        assert inner.sent[0][0] is message

    @pytest.mark.parametrize("outer", [HeadroomChatModel, wrap_chat_model])
    @every_wrapper
    def test_nested_wrappers_compress_once_with_the_outer_settings(
        self, wrap: Any, outer: Any
    ) -> None:
        within = wrap(scripted(ANSWER), query="inner")
        model = outer(within.with_retry(), query="outer")
        model.invoke(QUESTION)
        assert within.get_metrics() == []
        leaf = model.bound if outer is wrap_chat_model else model
        assert len(leaf.get_metrics()) == 1

    @pytest.mark.parametrize(
        "name", ["cache", "tags", "metadata", "callbacks", "rate_limiter", "output_version"]
    )
    def test_settings_that_belong_on_the_inner_model_are_errors(self, name: str) -> None:
        with pytest.raises(
            ConfigurationError, match=f"{name} = .*set it on the model that is wrapped"
        ):
            HeadroomChatModel(scripted(ANSWER), **{name: "x"})
        model = HeadroomChatModel(scripted(ANSWER))
        with pytest.raises(
            ConfigurationError, match=f"{name} = .*set it on the model that is wrapped"
        ):
            setattr(model, name, "x")

    def test_wrap_chat_model_rejects_runnables_without_a_chat_model(self) -> None:
        with pytest.raises(
            ConfigurationError,
            match=r"RunnableLambda, inside which no chat model.*HeadroomChatModel",
        ):
            wrap_chat_model(RunnableLambda(lambda messages: messages))

    def test_headroom_chat_model_wraps_any_runnable(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage(str(len(messages)))))
        assert model.invoke(QUESTION).text == stream(model, QUESTION).text == "1"
        assert model.get_summary()["total_requests"] == 2

    def test_retrieval_with_a_runnable_without_chat_model_is_an_error(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage("yes")), retrieve=True)
        with pytest.raises(
            ConfigurationError, match=r"in RunnableLambda no chat model.*use retrieve=False"
        ):
            model.invoke(QUESTION)

    def test_variant_classes_are_cached_and_keep_their_name(self) -> None:
        first, second = wrap_chat_model(scripted(ANSWER)), wrap_chat_model(scripted(ANSWER))
        assert type(first) is type(second) is not Scripted
        assert type(first).__name__ == "Scripted"

    def test_unwrapped_models_share_the_client_of_the_variant(self) -> None:
        anthropic = ChatAnthropic(model="claude-haiku-4-5", api_key="none")
        variant = wrap_chat_model(anthropic)
        assert variant.unwrap()._client is variant.unwrap()._client is variant._client

    def test_later_changes_of_inner_settings_take_effect(self) -> None:
        inner = scripted(ANSWER)
        model, variant = HeadroomChatModel(inner), wrap_chat_model(scripted(ANSWER))
        inner.model_name = variant.model_name = "gpt-4o-mini"
        for one in (model, variant):
            one.invoke(QUESTION)
            assert (one.model_name, one.get_metrics()[0].model) == ("gpt-4o-mini", "gpt-4o-mini")

    def test_generate_and_stream_can_be_called_directly(self) -> None:
        model = HeadroomChatModel(scripted(ANSWER))
        assert model._generate(QUESTION).generations[0].text == "It is done."
        assert "".join(chunk.text for chunk in model._stream(QUESTION)) == "It is done. "


@every_wrapper
async def test_agents_with_structured_responses_can_retrieve_first(wrap: Any) -> None:
    class Verdict(BaseModel):
        """Number of lines of a text."""

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
        state = await agent.ainvoke({"messages": QUESTION})
        assert state["structured_response"] == Verdict(lines=3)
        assert server.requests[1].continues(server.requests[0])


class Verdict(BaseModel):
    """Number of late orders."""

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
    def test_configurable_models_retrieve_and_keep_bound_tools(self) -> None:
        replies = [Reply("", (Call("headroom_retrieve", {"key": KEY}),)), Reply("done")]
        with OpenAIServer(replies) as server:
            model = HeadroomChatModel(
                configurable(server), retrieve=True, store=store()
            ).bind_tools([ORDERS])
            answer = model.invoke(QUESTION, {"configurable": {"model": "gpt-4o"}})
            assert answer.text == "done"
            assert [request.body["model"] for request in server.requests] == ["gpt-4o"] * 2
            names = [one["function"]["name"] for one in server.requests[1].body["tools"]]
            assert names == ["orders", "headroom_retrieve"]

    def test_requests_for_structured_output_are_compressed(self) -> None:
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

    async def test_structured_output_of_string_prompts_is_supported(self) -> None:
        with OpenAIServer() as server:
            answering = HeadroomChatModel(configurable(server)).with_structured_output(Verdict)
            assert (await answering.ainvoke(ROWS, {"configurable": {"model": "gpt-4o"}})).late == 3
            bare = configurable(server).with_structured_output(Verdict)
            bare.invoke(ROWS, {"configurable": {"model": "gpt-4o"}})
            ours, theirs = server.requests
            assert ours.body["model"] == theirs.body["model"] == "gpt-4o"
            assert len(ours.raw) <= len(theirs.raw)

    def test_structured_output_without_a_chat_model_is_an_error(self) -> None:
        model = HeadroomChatModel(RunnableLambda(lambda messages: AIMessage("yes")))
        with pytest.raises(
            ConfigurationError, match=r"with_structured_output: in RunnableLambda no chat model"
        ):
            model.with_structured_output(Verdict).invoke(QUESTION)


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
        answer = json_round_trip(stream(model, QUESTION))
        assert answer.text == "One moment.done"
        assert stream(model, [*QUESTION, answer, HumanMessage("Thanks")]).text == "bye"
        assert all(
            later.continues(earlier) for earlier, later in zip(server.requests, server.requests[1:])
        )
        assert json.dumps(server.requests[2].messages[-2]).count("One moment") == 0
