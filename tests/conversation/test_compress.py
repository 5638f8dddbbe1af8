"""Test the input, the changes and the reports of `compress`."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import TextBlock, ToolUseBlock
from openai.types.chat import ChatCompletionMessage

import headroom_core
from headroom_core import (
    CCRConfig,
    Change,
    CompressionError,
    CompressionHooks,
    CompressResult,
    ConfigurationError,
    HeadroomConfig,
    MemoryStore,
    SmartCrusherConfig,
    StorageError,
    acompress,
    compress,
    compress_documents,
    content_key,
    count_tokens_messages,
    decode_table,
    retrieve,
)
from headroom_core.testing import FailingStore

ROOT = Path(__file__).parents[2]
JOBS = [
    {"id": 1000 + n, "status": "failed" if n == 321 else "ok", "node": f"worker-{n % 9}"}
    for n in range(500)
]
OUTPUT = json.dumps(JOBS)
COMPACT = json.dumps(JOBS, separators=(",", ":"))
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))


def call_and_result(
    call: str = "c1", name: str = "list_jobs", arguments: str = "{}", content: Any = OUTPUT
) -> list[Any]:
    """Return a tool call in OpenAI's format and its result."""
    function = {"name": name, "arguments": arguments}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call, "content": content},
    ]


def conversation(question: str = "Which job failed?", content: Any = OUTPUT) -> list[Any]:
    return [{"role": "user", "content": question}, *call_and_result(content=content)]


def run(messages: Any = None, **settings: Any) -> CompressResult:
    settings.setdefault("store", MemoryStore())
    return compress(conversation() if messages is None else messages, **settings)


def change_of(result: CompressResult, message: int) -> Change:
    (change,) = [change for change in result.changes if change.message == message]
    return change


def content(result: CompressResult, message: int = 2) -> str:
    text = result.messages[message]["content"]
    assert isinstance(text, str)
    return text


# The result.


def test_the_totals_of_the_result_add_up() -> None:
    result = run()
    assert result.tokens_before == count_tokens_messages(conversation())
    assert result.tokens_after == count_tokens_messages(result.messages)
    assert result.tokens_saved == result.tokens_before - result.tokens_after > 0
    assert result.compression_ratio == result.tokens_after / result.tokens_before < 0.2
    assert (result.compressed, result.warnings) == (True, ())
    assert result.transforms_applied == ["smart_crusher"]
    assert result.ccr_hashes == [content_key(OUTPUT)]


def test_a_result_without_changes_says_so() -> None:
    messages = [{"role": "user", "content": "hello"}]
    result = run(messages)
    assert result.messages == messages
    assert result.messages[0] is messages[0]
    assert (result.compressed, result.tokens_saved, result.compression_ratio) == (False, 0, 1.0)
    assert (result.transforms_applied, result.ccr_hashes) == ([], [])


def test_an_empty_conversation_is_accepted() -> None:
    result = run([])
    assert (result.messages, result.changes, result.warnings, result.compression_ratio) == (
        [],
        (),
        (),
        1.0,
    )


def test_the_result_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        run().tokens_after = 0  # type: ignore[misc]


def test_every_text_has_a_change_with_a_reason() -> None:
    system = {"role": "system", "content": "Be brief."}
    result = run(
        [system, *conversation(), {"role": "tool", "tool_call_id": "c2", "content": "done"}]
    )
    assert [
        (change.message, change.path, change.action, change.by) for change in result.changes
    ] == [
        (0, ("content",), "kept", ""),
        (1, ("content",), "kept", ""),
        (2, ("tool_calls", 0, "function", "arguments"), "kept", ""),
        (3, ("content",), "selected", "smart_crusher"),
        (4, ("content",), "kept", ""),
    ]
    assert all(change.reason for change in result.changes)
    assert change_of(result, 0).reason == "system prompts are never changed"
    assert change_of(result, 2).reason == "arguments of tool calls are never changed"
    assert "of 500 rows left out" in change_of(result, 3).reason
    assert change_of(result, 4).reason == "of no kind that a compressor knows"
    assert change_of(result, 3).keys == (content_key(OUTPUT),)


@pytest.mark.parametrize(
    ("content", "config", "reason"),
    [
        ("The build is green. " * 200, {}, "of no kind that a compressor knows"),
        ('[{"id": 1}, {"id": 2}]', {}, "shorter than min_tokens_to_crush = 200"),
        (OUTPUT, {"min_tokens_to_crush": 90_000}, "shorter than min_tokens_to_crush = 90000"),
        (OUTPUT, {"enabled": False}, "smart_crusher is turned off"),
        (json.dumps({"id": "x" * 9000}, separators=(",", ":")), {}, "no form with fewer tokens"),
    ],
)
def test_a_text_that_stays_has_the_one_reason_that_holds(
    content: str, config: dict[str, Any], reason: str
) -> None:
    result = run(
        [{"role": "tool", "tool_call_id": "c1", "content": content}],
        config=HeadroomConfig(smart_crusher=SmartCrusherConfig(**config)),
    )
    assert change_of(result, 0).reason == reason


def test_the_changes_add_up_to_the_saved_tokens() -> None:
    result = run()
    assert (
        sum(change.tokens_before - change.tokens_after for change in result.changes)
        == result.tokens_saved
    )
    assert all(
        change.tokens_after == change.tokens_before
        for change in result.changes
        if change.action == "kept"
    )


def test_every_key_retrieves_its_original() -> None:
    store = MemoryStore()
    result = run(store=store)
    assert [retrieve(key, limit=None, store=store).text for key in result.ccr_hashes] == [OUTPUT]
    assert f'headroom_retrieve(key="{result.ccr_hashes[0]}"' in content(result)


# Messages that are compressed, and messages that never are.


def test_unchanged_messages_are_the_same_objects() -> None:
    messages = conversation()
    result = run(messages)
    assert [after is before for after, before in zip(result.messages, messages)] == [
        True,
        True,
        False,
    ]
    assert messages == conversation()


def test_prompts_replies_and_call_arguments_are_never_changed() -> None:
    messages = [
        {"role": "system", "content": OUTPUT},
        {"role": "developer", "content": OUTPUT},
        {"role": "assistant", "content": OUTPUT},
        call_and_result(arguments=json.dumps({"rows": JOBS}), content="done")[0],
    ]
    result = run(messages)
    assert all(after is before for after, before in zip(result.messages, messages))
    assert {change.action for change in result.changes} == {"kept"}


def test_texts_of_users_lose_nothing() -> None:
    result = run([{"role": "user", "content": f"Which job failed?\n{OUTPUT}"}])
    assert change_of(result, 0).action == "rewritten"
    assert decode_table(content(result, 0)) == f"Which job failed?\n{COMPACT}"
    assert result.ccr_hashes == []


def test_retrieved_originals_are_never_compressed_again() -> None:
    messages = [{"role": "user", "content": "Which?"}, *call_and_result(name="headroom_retrieve")]
    result = run(messages)
    assert result.messages[2] is messages[2]
    assert change_of(result, 2).reason == "results of headroom_retrieve are never changed"


@pytest.mark.parametrize(
    "config", [LOSSLESS, HeadroomConfig(ccr=CCRConfig(inject_marker=False))], ids=["ccr", "marker"]
)
def test_nothing_is_omitted_in_lossless_mode(config: HeadroomConfig) -> None:
    store = MemoryStore()
    result = run(config=config, store=store)
    assert change_of(result, 2).action == "rewritten"
    assert decode_table(content(result)) == COMPACT
    assert result.ccr_hashes == []
    assert store.get(content_key(OUTPUT)) is None


def test_the_content_router_can_be_switched_off() -> None:
    result = run(config=HeadroomConfig(content_router_enabled=False))
    assert not result.compressed
    assert change_of(result, 2).reason == "content_router_enabled is off"


def test_each_part_of_a_result_is_compressed_on_its_own() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    parts = [{"type": "text", "text": OUTPUT, "x_note": 1}, image]
    after = run(conversation(content=parts)).messages[2]["content"]
    assert after[0]["text"].startswith("[table ")
    assert after[0]["x_note"] == 1
    assert after[1] is image


def test_Anthropic_tool_results_are_compressed_as_strings_and_blocks() -> None:
    uses = [
        {"type": "tool_use", "id": f"t{n}", "name": "list_jobs", "input": {"page": n}}
        for n in (1, 2)
    ]
    cached = {"cache_control": {"type": "ephemeral"}}
    results = [
        {"type": "tool_result", "tool_use_id": "t1", "content": OUTPUT, **cached},
        {
            "type": "tool_result",
            "tool_use_id": "t2",
            "content": [{"type": "text", "text": OUTPUT}],
            "is_error": True,
        },
    ]
    question = {"role": "user", "content": "Which job failed?"}
    result = run(
        [question, {"role": "assistant", "content": uses}, {"role": "user", "content": results}]
    )
    first, second = result.messages[2]["content"]
    assert first["content"].startswith("[table ")
    assert second["content"][0]["text"].startswith("[table ")
    assert (first["cache_control"], second["is_error"]) == ({"type": "ephemeral"}, True)
    assert result.messages[1]["content"] is uses


def test_documents_in_Anthropic_messages_are_compressed() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": OUTPUT}
    document = {"type": "document", "source": source, "title": "jobs"}
    result = run(
        [{"role": "user", "content": [document, {"type": "text", "text": "Which job failed?"}]}]
    )
    (after, question) = result.messages[0]["content"]
    assert after["source"]["data"].startswith("[table ")
    assert after["title"] == "jobs"
    assert question["text"] == "Which job failed?"
    assert result.ccr_hashes == [content_key(OUTPUT)]


def test_SDK_objects_are_accepted() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "list_jobs", "arguments": "{}"}}
    message = ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": None, "tool_calls": [call]}
    )
    result = run([conversation()[0], message, conversation()[2]])
    assert result.messages[1] is message
    assert content(result).startswith("[table ")

    blocks = [
        TextBlock(type="text", text="I look."),
        ToolUseBlock(type="tool_use", id="t1", name="jobs", input={}),
    ]
    answer = [{"type": "tool_result", "tool_use_id": "t1", "content": OUTPUT}]
    result = run([{"role": "assistant", "content": blocks}, {"role": "user", "content": answer}])
    assert result.messages[0]["content"][1] is blocks[1]
    assert result.messages[1]["content"][0]["content"].startswith("[table ")


def test_a_dialect_can_be_named_and_an_unknown_name_is_rejected() -> None:
    assert run(dialect="openai").compressed
    with pytest.raises(ConfigurationError, match=r"openai.*got 'klingon'") as caught:
        run(dialect="klingon")
    assert caught.value.details == {"dialect": "klingon"}


# The query.


def test_the_row_the_user_asks_for_is_kept() -> None:
    assert "\n157,1157,ok," in content(run(conversation("What about job 1157?")))
    assert "\n157,1157,ok," not in content(run(conversation("Which job failed?")))


def test_the_row_named_in_the_call_arguments_is_kept() -> None:
    messages = [
        {"role": "user", "content": "And this one?"},
        *call_and_result(arguments='{"near": 1157}'),
    ]
    assert "\n157,1157,ok," in content(run(messages))


def test_later_questions_change_no_earlier_message() -> None:
    first = run(conversation())
    later = run(
        [
            *conversation(),
            {"role": "assistant", "content": "1321"},
            {"role": "user", "content": "And 1157?"},
        ]
    )
    assert later.messages[:3] == first.messages


def test_a_query_applies_only_to_new_blocks() -> None:
    store = MemoryStore()
    first = run(store=store)
    again = run(
        [*conversation(), *call_and_result("c2", "archive", content=json.dumps(JOBS[:400]))],
        query="1157",
        store=store,
    )
    assert again.messages[:3] == first.messages
    assert "\n157,1157,ok," not in content(again, 2)
    assert "\n157,1157,ok," in content(again, 4)


def test_an_explicit_query_replaces_the_users_text() -> None:
    assert "\n157,1157,ok," in content(run(query="job 1157"))


# Settings.


def test_the_settings_reach_the_compressor() -> None:
    few = run(config=HeadroomConfig(smart_crusher=SmartCrusherConfig(max_items_after_crush=5)))
    assert few.tokens_after < run().tokens_after
    assert not run(
        config=HeadroomConfig(smart_crusher=SmartCrusherConfig(enabled=False))
    ).compressed


def test_changing_the_settings_during_a_request_has_no_effect() -> None:
    config = HeadroomConfig()

    def change_settings(_: Any) -> None:
        config.smart_crusher.enabled = False
        config.ccr.enabled = False

    assert run(config=config, hooks=CompressionHooks(pre_compress=change_settings)).ccr_hashes
    assert not run(config=config).ccr_hashes


def test_other_settings_give_a_new_result_for_a_known_message() -> None:
    store = MemoryStore()
    assert run(store=store).ccr_hashes
    config = HeadroomConfig(smart_crusher=SmartCrusherConfig(keep_first=20))
    assert "\n19,1019,ok," in content(run(store=store, config=config))


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (
            lambda: SmartCrusherConfig(keep_first=-1),
            "SmartCrusherConfig.keep_first = -1: must be greater",
        ),
        (
            lambda: SmartCrusherConfig(keep_frist=1),
            "SmartCrusherConfig.keep_frist = 1: no such field; the fields are",
        ),  # type: ignore[call-arg]
        (lambda: SmartCrusherConfig(relevance_tier="tfidf"), "relevance_tier = 'tfidf': .*'bm25'"),
        (lambda: SmartCrusherConfig(relevance_threshold=1.5), "relevance_threshold = 1.5"),
        (lambda: CCRConfig(store_max_entries=0), "CCRConfig.store_max_entries = 0"),
        (
            lambda: HeadroomConfig(smart_crusher={"keep_last": "many"}),
            "SmartCrusherConfig.keep_last = 'many'",
        ),
        (lambda: HeadroomConfig(smart_crusher=3), "HeadroomConfig.smart_crusher = 3"),
        (
            lambda: setattr(HeadroomConfig().smart_crusher, "max_items_after_crush", 0),
            "max_items_after_crush = 0",
        ),
        (lambda: setattr(HeadroomConfig(), "colour", "red"), "colour"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(build: Any, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        build()


def test_the_error_details_hold_the_value_and_the_allowed_values() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SmartCrusherConfig(keep_first=-1, keep_last=-2)
    assert caught.value.details["keep_first"]["value"] == -1
    assert "greater than or equal to 0" in caught.value.details["keep_last"]["allowed"]


def test_a_rejected_setting_keeps_the_previous_value() -> None:
    config = HeadroomConfig()
    with pytest.raises(ConfigurationError):
        config.smart_crusher.keep_first = -1
    assert config.smart_crusher.keep_first == 3
    config.smart_crusher.min_tokens_to_crush = 100
    assert config.smart_crusher.min_tokens_to_crush == 100


def test_an_unknown_keyword_is_a_TypeError() -> None:
    with pytest.raises(TypeError, match="token_bugdet"):
        compress(conversation(), token_bugdet=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        compress(conversation(), "gpt-4o")  # type: ignore[call-arg]


# Hooks.


def test_hooks_see_and_replace_the_messages_and_the_result() -> None:
    seen: list[Any] = []

    def before(messages: list[Any]) -> list[Any]:
        seen.append(messages)
        return messages[1:]

    def after(result: CompressResult) -> CompressResult:
        seen.append(result)
        return replace(result, warnings=("looked at",))

    result = run(hooks=CompressionHooks(before, after))
    assert seen[0] == conversation()
    assert len(result.messages) == 2
    assert result.warnings == ("looked at",)
    assert replace(result, warnings=()) == seen[1]


def test_hooks_that_return_nothing_change_nothing() -> None:
    quiet = CompressionHooks(lambda messages: None, lambda result: None)
    assert run(hooks=quiet) == run()


def test_hooks_can_be_methods_of_a_subclass() -> None:
    class Hooks(CompressionHooks):
        def __init__(self) -> None:
            self.saved = 0

        def pre_compress(self, messages: list[Any]) -> list[Any]:
            return messages[-1:]

        def post_compress(self, result: CompressResult) -> None:
            self.saved = result.tokens_saved

    hooks = Hooks()
    result = run(hooks=hooks)
    assert len(result.messages) == 1
    assert hooks.saved == result.tokens_saved > 0


def test_a_subclass_may_have_one_hook() -> None:
    class Hooks(CompressionHooks):
        def post_compress(self, result: CompressResult) -> CompressResult:
            return replace(result, transforms_applied=["mine"])

    assert run(hooks=Hooks()).transforms_applied == ["mine"]
    assert run(hooks=Hooks()).messages == run().messages


@pytest.mark.parametrize("name", ["pre_compress", "post_compress"])
@pytest.mark.parametrize("as_method", [False, True])
def test_a_hook_that_raises_changes_nothing_and_warns(name: str, as_method: bool) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("a text of the user")

    hooks = CompressionHooks(**{name: fail})
    if as_method:
        hooks = type("Hooks", (CompressionHooks,), {name: fail})()
    result = run(hooks=hooks)
    assert result.messages == run().messages
    assert result.warnings == (f"the hook {name} changed nothing: KeyError",)
    with pytest.raises(CompressionError, match=f"the hook {name} changed nothing"):
        run(hooks=hooks, strict=True)


def test_a_hook_that_fails_midway_changes_nothing() -> None:
    def fail(messages: list[Any]) -> None:
        messages.clear()
        raise KeyError

    assert run(hooks=CompressionHooks(pre_compress=fail)).messages == run().messages


@pytest.mark.parametrize("name", ["pre_compress", "post_compress"])
@pytest.mark.parametrize("returned", [5, {}, "text"])
def test_a_hook_that_returns_something_else_warns(name: str, returned: Any) -> None:
    result = run(hooks=CompressionHooks(**{name: lambda value: returned}))
    assert result.messages == run().messages
    assert f"{name} changed nothing" in result.warnings[0]


def test_a_hook_can_remove_every_message() -> None:
    assert run(hooks=CompressionHooks(pre_compress=lambda messages: [])).messages == []


# Strictness and budgets.


def test_a_met_budget_gives_no_warning() -> None:
    assert run(token_budget=5000).warnings == ()


def test_an_unmet_budget_is_a_warning_or_an_error() -> None:
    (warning,) = run(token_budget=10).warnings
    assert "token_budget = 10" in warning
    with pytest.raises(CompressionError, match="token_budget = 10") as caught:
        run(token_budget=10, strict=True)
    assert caught.value.details["warnings"] == [warning]


def test_strict_mode_changes_nothing_without_warnings() -> None:
    assert run(strict=True) == run()


def test_nothing_is_omitted_if_the_original_cannot_be_stored() -> None:
    error = StorageError("the disk is full")
    result = run(store=FailingStore("put_many", error=error))
    assert change_of(result, 2).action == "rewritten"
    assert decode_table(content(result)) == COMPACT
    assert result.ccr_hashes == []
    (warning,) = result.warnings
    assert warning.startswith("the originals cannot be stored")
    assert warning.endswith("the disk is full")
    with pytest.raises(CompressionError, match="disk is full"):
        run(store=FailingStore("put_many", error=error), strict=True)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("recall", "earlier results cannot be read"),
        ("record", "results cannot be recorded"),
    ],
)
def test_a_store_that_cannot_recall_or_record_still_keeps_originals(
    method: str, expected: str
) -> None:
    store = FailingStore(method, error=StorageError("no such table"))
    result = run(store=store)
    (warning,) = result.warnings
    assert warning.startswith(expected)
    assert warning.endswith("no such table")
    assert result.messages == run().messages
    assert store.get(content_key(OUTPUT)) == OUTPUT


def test_an_unexpected_store_error_does_not_break_the_request() -> None:
    store = FailingStore("recall", error=OSError("cable unplugged"))
    assert run(store=store).warnings


def test_a_falsy_store_is_still_used() -> None:
    class Sized(MemoryStore):
        def __len__(self) -> int:
            return 0

    store = Sized()
    assert [store.get(key) for key in run(store=store).ccr_hashes] == [OUTPUT]


STRANGE = [
    None,
    3,
    "text",
    {},
    {"role": 5},
    {"role": "tool"},
    {"role": "tool", "content": None},
    {"content": OUTPUT},
]


@pytest.mark.parametrize("message", STRANGE, ids=lambda message: repr(message)[:40])
def test_odd_messages_pass_through_unchanged(message: Any) -> None:
    result = run([message, *conversation()])
    assert result.messages[0] is message
    assert content(result, 3).startswith("[table ")


def test_a_failing_dialect_lets_the_messages_through() -> None:
    class Failing:
        name = "failing"

        def matches(self, messages: Any) -> bool:
            return True

        def parse(self, messages: Any) -> Any:
            raise KeyError("secret text")

        def render(self, draft: Any) -> list[Any]:
            return list(draft.messages)

    result = run(dialect=Failing())
    assert result.messages == conversation()
    assert result.warnings == ("the messages were passed through unread: KeyError",)


# acompress and compress_documents.


async def test_acompress_returns_the_same_result() -> None:
    assert await acompress(conversation(), store=MemoryStore()) == run()
    with pytest.raises(TypeError, match="colour"):
        await acompress(conversation(), colour="red")


def test_compress_documents_is_lossless_without_a_budget() -> None:
    texts = ["The Elbe is 1,094 km long.", OUTPUT, ""]
    result = compress_documents(texts, "which job failed?", store=MemoryStore())
    assert result.texts[0] == texts[0]
    assert decode_table(result.texts[1]) == COMPACT
    assert result.texts[2] == ""
    assert len(result.scores) == len(result.changes) == 3
    assert result.tokens_after < result.tokens_before
    assert result.warnings == ()


def test_compress_documents_warns_about_an_unmet_budget() -> None:
    (warning,) = compress_documents([OUTPUT], token_budget=10).warnings
    assert "token_budget = 10" in warning


# The store of originals.


def test_the_oldest_originals_are_evicted_above_the_maximum() -> None:
    config = HeadroomConfig(store_url="memory://", ccr=CCRConfig(store_max_entries=2))
    keys = [
        compress(conversation(f"Question {n}?", json.dumps(JOBS[n:])), config=config).ccr_hashes[0]
        for n in range(3)
    ]
    store = headroom_core.stores.shared_store("memory://", 2)
    assert [store.get(key) is not None for key in keys] == [False, True, True]


def test_the_environment_selects_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'env.db'}")
    (key,) = compress(conversation()).ccr_hashes
    assert (tmp_path / "env.db").exists()
    assert retrieve(key, limit=None).text == OUTPUT


def test_the_settings_override_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'env.db'}")
    url = f"sqlite:///{tmp_path / 'config.db'}"
    (key,) = compress(conversation(), config=HeadroomConfig(store_url=url)).ccr_hashes
    assert not (tmp_path / "env.db").exists()
    assert retrieve(key, limit=None, store=headroom_core.open_store(url)).text == OUTPUT


def test_an_unknown_store_url_is_named_in_the_error() -> None:
    with pytest.raises(
        ConfigurationError, match=r"store_url = 'carrier-pigeon://'.*sqlite:///"
    ) as caught:
        compress(conversation(), config=HeadroomConfig(store_url="carrier-pigeon://"))
    assert caught.value.details == {"store_url": "carrier-pigeon://"}
