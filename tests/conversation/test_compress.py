"""The journey: what `compress` takes, what it does to every kind of message, and what it says about it."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
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
    HeadroomAuthError,
    HeadroomCompressError,
    HeadroomConfig,
    HeadroomConnectionError,
    HeadroomError,
    MemoryStore,
    SmartCrusherConfig,
    StorageError,
    acompress,
    compress,
    compress_documents,
    content_key,
    count_tokens_messages,
    decode_table,
    map_proxy_error,
    retrieve,
)

ROOT = Path(__file__).parents[2]
JOBS = [
    {"id": 1000 + n, "status": "failed" if n == 321 else "ok", "node": f"worker-{n % 9}"}
    for n in range(500)
]
OUTPUT = json.dumps(JOBS)
COMPACT = json.dumps(JOBS, separators=(",", ":"))
LOSSLESS = HeadroomConfig(ccr=CCRConfig(enabled=False))


def called(
    call: str = "c1", name: str = "list_jobs", arguments: str = "{}", content: Any = OUTPUT
) -> list[Any]:
    """Return an OpenAI call of a tool, and its result."""
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
    return [{"role": "user", "content": question}, *called(content=content)]


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


def test_the_result_adds_up() -> None:
    result = run()
    assert result.tokens_before == count_tokens_messages(conversation())
    assert result.tokens_after == count_tokens_messages(result.messages)
    assert result.tokens_saved == result.tokens_before - result.tokens_after > 0
    assert result.compression_ratio == result.tokens_after / result.tokens_before < 0.2
    assert (result.compressed, result.warnings) == (True, ())
    assert result.transforms_applied == ["smart_crusher"]
    assert result.ccr_hashes == [content_key(OUTPUT)]


def test_a_result_in_which_nothing_changed_says_so() -> None:
    messages = [{"role": "user", "content": "hello"}]
    result = run(messages)
    assert result.messages == messages
    assert result.messages[0] is messages[0]
    assert (result.compressed, result.tokens_saved, result.compression_ratio) == (False, 0, 1.0)
    assert (result.transforms_applied, result.ccr_hashes) == ([], [])


def test_no_messages_are_no_problem() -> None:
    result = run([])
    assert (result.messages, result.changes, result.warnings, result.compression_ratio) == (
        [],
        (),
        (),
        1.0,
    )


def test_the_result_cannot_be_altered() -> None:
    with pytest.raises(FrozenInstanceError):
        run().tokens_after = 0  # type: ignore[misc]


def test_every_text_has_a_change_that_says_why_or_why_not() -> None:
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
    assert (
        change_of(result, 4).reason
        == "no compressor accepts it: of no known kind, too small, or turned off"
    )
    assert change_of(result, 3).keys == (content_key(OUTPUT),)


def test_the_changes_add_up_to_what_was_saved() -> None:
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


def test_every_key_brings_its_original_back() -> None:
    store = MemoryStore()
    result = run(store=store)
    assert [retrieve(key, limit=None, store=store).text for key in result.ccr_hashes] == [OUTPUT]
    assert f'headroom_retrieve(key="{result.ccr_hashes[0]}"' in content(result)


# What is compressed, and what never is.


def test_messages_that_nothing_changed_are_the_very_objects_that_came_in() -> None:
    messages = conversation()
    result = run(messages)
    assert [after is before for after, before in zip(result.messages, messages)] == [
        True,
        True,
        False,
    ]
    assert messages == conversation()


def test_what_was_said_and_called_is_never_changed() -> None:
    messages = [
        {"role": "system", "content": OUTPUT},
        {"role": "developer", "content": OUTPUT},
        {"role": "assistant", "content": OUTPUT},
        called(arguments=json.dumps({"rows": JOBS}), content="done")[0],
    ]
    result = run(messages)
    assert all(after is before for after, before in zip(result.messages, messages))
    assert {change.action for change in result.changes} == {"kept"}


def test_texts_of_users_lose_nothing() -> None:
    result = run([{"role": "user", "content": f"Which job failed?\n{OUTPUT}"}])
    assert change_of(result, 0).action == "rewritten"
    assert decode_table(content(result, 0)) == f"Which job failed?\n{COMPACT}"
    assert result.ccr_hashes == []


def test_what_was_retrieved_is_never_compressed_again() -> None:
    messages = [{"role": "user", "content": "Which?"}, *called(name="headroom_retrieve")]
    result = run(messages)
    assert result.messages[2] is messages[2]
    assert change_of(result, 2).reason == "results of headroom_retrieve are never changed"


@pytest.mark.parametrize(
    "config", [LOSSLESS, HeadroomConfig(ccr=CCRConfig(inject_marker=False))], ids=["ccr", "marker"]
)
def test_nothing_is_left_out_where_it_may_not_be(config: HeadroomConfig) -> None:
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


def test_parts_of_a_result_are_compressed_each_by_itself() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    parts = [{"type": "text", "text": OUTPUT, "x_note": 1}, image]
    after = run(conversation(content=parts)).messages[2]["content"]
    assert after[0]["text"].startswith("[table ")
    assert after[0]["x_note"] == 1
    assert after[1] is image


def test_results_of_Anthropic_tools_are_compressed_as_strings_and_as_blocks() -> None:
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


def test_objects_of_the_SDKs_are_taken_as_they_are() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "list_jobs", "arguments": "{}"}}
    said = ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": None, "tool_calls": [call]}
    )
    result = run([conversation()[0], said, conversation()[2]])
    assert result.messages[1] is said
    assert content(result).startswith("[table ")

    blocks = [
        TextBlock(type="text", text="I look."),
        ToolUseBlock(type="tool_use", id="t1", name="jobs", input={}),
    ]
    answer = [{"type": "tool_result", "tool_use_id": "t1", "content": OUTPUT}]
    result = run([{"role": "assistant", "content": blocks}, {"role": "user", "content": answer}])
    assert result.messages[0]["content"][1] is blocks[1]
    assert result.messages[1]["content"][0]["content"].startswith("[table ")


def test_a_dialect_can_be_named_and_an_unknown_one_is_refused() -> None:
    assert run(dialect="openai").compressed
    with pytest.raises(ConfigurationError, match=r"openai.*got 'klingon'") as caught:
        run(dialect="klingon")
    assert caught.value.details == {"dialect": "klingon"}


# The query.


def test_the_row_that_the_user_asks_for_is_there() -> None:
    assert "\n157,1157,ok," in content(run(conversation("What about job 1157?")))
    assert "\n157,1157,ok," not in content(run(conversation("Which job failed?")))


def test_the_row_that_the_arguments_of_the_call_name_is_there() -> None:
    messages = [{"role": "user", "content": "And this one?"}, *called(arguments='{"near": 1157}')]
    assert "\n157,1157,ok," in content(run(messages))


def test_what_is_asked_later_changes_nothing() -> None:
    first = run(conversation())
    later = run(
        [
            *conversation(),
            {"role": "assistant", "content": "1321"},
            {"role": "user", "content": "And 1157?"},
        ]
    )
    assert later.messages[:3] == first.messages


def test_a_query_counts_for_blocks_that_were_not_sent_before() -> None:
    store = MemoryStore()
    first = run(store=store)
    again = run(
        [*conversation(), *called("c2", "archive", content=json.dumps(JOBS[:400]))],
        query="1157",
        store=store,
    )
    assert again.messages[:3] == first.messages
    assert "\n157,1157,ok," not in content(again, 2)
    assert "\n157,1157,ok," in content(again, 4)


def test_an_explicit_query_is_scored_against_in_place_of_the_users_text() -> None:
    assert "\n157,1157,ok," in content(run(query="job 1157"))


# Settings.


def test_the_settings_reach_the_compressor() -> None:
    few = run(config=HeadroomConfig(smart_crusher=SmartCrusherConfig(max_items_after_crush=5)))
    assert few.tokens_after < run().tokens_after
    assert not run(
        config=HeadroomConfig(smart_crusher=SmartCrusherConfig(enabled=False))
    ).compressed


def test_settings_that_are_changed_by_a_hook_or_later_change_nothing() -> None:
    config = HeadroomConfig()

    def meddle(_: Any) -> None:
        config.smart_crusher.enabled = False
        config.ccr.enabled = False

    assert run(config=config, hooks=CompressionHooks(pre_compress=meddle)).ccr_hashes
    assert not run(config=config).ccr_hashes


def test_other_settings_give_another_result_for_what_was_sent_before() -> None:
    store = MemoryStore()
    assert run(store=store).ccr_hashes
    config = HeadroomConfig(smart_crusher=SmartCrusherConfig(keep_first=20))
    assert "\n19,1019,ok," in content(run(store=store, config=config))


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda: SmartCrusherConfig(keep_first=-1),
            "SmartCrusherConfig.keep_first = -1: Input should be greater",
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
def test_a_wrong_setting_is_an_error_that_names_it(build: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        build()


def test_the_details_of_a_wrong_setting_hold_the_value_and_what_is_allowed() -> None:
    with pytest.raises(ConfigurationError) as caught:
        SmartCrusherConfig(keep_first=-1, keep_last=-2)
    assert caught.value.details["keep_first"]["value"] == -1
    assert "greater than or equal to 0" in caught.value.details["keep_last"]["allowed"]


def test_a_setting_that_was_refused_leaves_the_old_one() -> None:
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


def test_the_hooks_see_and_replace_what_goes_in_and_comes_out() -> None:
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


def test_a_hook_can_leave_no_message_over() -> None:
    assert run(hooks=CompressionHooks(pre_compress=lambda messages: [])).messages == []


# Strictness and budgets.


def test_a_budget_that_is_met_is_not_mentioned() -> None:
    assert run(token_budget=5000).warnings == ()


def test_a_budget_that_is_not_met_is_a_warning_or_an_error() -> None:
    (warning,) = run(token_budget=10).warnings
    assert "token_budget = 10" in warning
    with pytest.raises(CompressionError, match="token_budget = 10") as caught:
        run(token_budget=10, strict=True)
    assert caught.value.details["warnings"] == [warning]


def test_strict_mode_is_silent_when_all_is_well() -> None:
    assert run(strict=True) == run()


class Broken(MemoryStore):
    """A store that can keep nothing."""

    def put_many(self, originals: Any) -> None:
        raise StorageError("the disk is full")


def test_what_cannot_be_stored_is_not_left_out_and_a_warning_says_so() -> None:
    result = run(store=Broken())
    assert change_of(result, 2).action == "rewritten"
    assert decode_table(content(result)) == COMPACT
    assert result.ccr_hashes == []
    (warning,) = result.warnings
    assert warning.startswith("the originals cannot be stored")
    assert warning.endswith("the disk is full")
    with pytest.raises(CompressionError, match="disk is full"):
        run(store=Broken(), strict=True)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("recall", "earlier results cannot be read"),
        ("record", "results cannot be recorded"),
    ],
)
def test_a_store_that_cannot_remember_still_keeps_originals(method: str, said: str) -> None:
    def fails(self: Any, _: Any) -> Any:
        raise StorageError("no such table")

    store = type("Forgetful", (MemoryStore,), {method: fails})()
    result = run(store=store)
    (warning,) = result.warnings
    assert warning.startswith(said)
    assert warning.endswith("no such table")
    assert result.messages == run().messages
    assert store.get(content_key(OUTPUT)) == OUTPUT


def test_a_strangers_store_that_breaks_does_not_break_the_request() -> None:
    class Wild(MemoryStore):
        def recall(self, keys: Any) -> dict[str, str]:
            raise OSError("cable unplugged")

    assert run(store=Wild()).warnings


def test_a_store_that_is_empty_is_a_store() -> None:
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
def test_strange_messages_pass_through_untouched(message: Any) -> None:
    result = run([message, *conversation()])
    assert result.messages[0] is message
    assert content(result, 3).startswith("[table ")


def test_a_dialect_that_fails_lets_the_messages_through() -> None:
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


# The twins: acompress and compress_documents.


async def test_acompress_does_what_compress_does() -> None:
    assert await acompress(conversation(), store=MemoryStore()) == run()
    with pytest.raises(TypeError, match="colour"):
        await acompress(conversation(), colour="red")


def test_compress_documents_keeps_all_that_the_passages_say() -> None:
    texts = ["The Elbe is 1,094 km long.", OUTPUT, ""]
    result = compress_documents(texts, "which job failed?", store=MemoryStore())
    assert result.texts[0] == texts[0]
    assert decode_table(result.texts[1]) == COMPACT
    assert result.texts[2] == ""
    assert len(result.scores) == len(result.changes) == 3
    assert result.tokens_after < result.tokens_before
    assert result.warnings == ()


def test_compress_documents_says_when_the_budget_is_too_small() -> None:
    (warning,) = compress_documents([OUTPUT], token_budget=10).warnings
    assert "token_budget = 10" in warning


# Where originals are kept.


def test_the_oldest_originals_go_when_there_are_too_many() -> None:
    config = HeadroomConfig(store_url="memory://", ccr=CCRConfig(store_max_entries=2))
    keys = [
        compress(conversation(f"Question {n}?", json.dumps(JOBS[n:])), config=config).ccr_hashes[0]
        for n in range(3)
    ]
    store = headroom_core.stores.shared_store("memory://", 2)
    assert [store.get(key) is not None for key in keys] == [False, True, True]


def test_the_environment_says_where_originals_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'env.db'}")
    (key,) = compress(conversation()).ccr_hashes
    assert (tmp_path / "env.db").exists()
    assert retrieve(key, limit=None).text == OUTPUT


def test_the_settings_come_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADROOM_STORE_URL", f"sqlite:///{tmp_path / 'env.db'}")
    url = f"sqlite:///{tmp_path / 'config.db'}"
    (key,) = compress(conversation(), config=HeadroomConfig(store_url=url)).ccr_hashes
    assert not (tmp_path / "env.db").exists()
    assert retrieve(key, limit=None, store=headroom_core.open_store(url)).text == OUTPUT


def test_a_store_url_of_no_known_kind_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match=r"store_url = 'carrier-pigeon://'.*sqlite:///"
    ) as caught:
        compress(conversation(), config=HeadroomConfig(store_url="carrier-pigeon://"))
    assert caught.value.details == {"store_url": "carrier-pigeon://"}


# Compressors of other packages.

SHOUT = """
from headroom_core import Compressed

class Quiet:
    name = "quiet"

    def compress(self, text, request):
        if text.startswith("BOOM"):
            raise ValueError(text)
        return Compressed("hush", True, "made quiet") if text.startswith("LOUD") else None
"""
TRY_IT = """
from headroom_core import MemoryStore, compress

message = {"role": "tool", "tool_call_id": "1", "content": "LOUD " * 99}
result = compress([message], store=MemoryStore())
print(result.messages[0]["content"], result.transforms_applied, result.changes[0].reason)
"""


def install(folder: Path, points: str) -> None:
    """Put a package with entry points into a folder, as an installer would."""
    info = folder / "acme_quiet-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-quiet\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headroom.compressors]\n{points}\n")
    (folder / "acme_quiet.py").write_text(SHOUT)


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_compressor_of_an_installed_package_joins_in(tmp_path: Path) -> None:
    install(tmp_path, "quiet = acme_quiet:Quiet")
    done = python(TRY_IT, tmp_path)
    assert done.stdout == "hush ['quiet'] made quiet\n", done.stderr


def test_a_compressor_that_fails_lets_the_text_through_and_says_nothing_of_it(
    tmp_path: Path,
) -> None:
    install(tmp_path, "quiet = acme_quiet:Quiet")
    done = python(
        TRY_IT.replace("LOUD", "BOOM").replace("print(", "print(result.warnings, "), tmp_path
    )
    warnings, _, rest = done.stdout.partition(" BOOM")
    assert warnings == "('message 0 was passed through unchanged: ValueError',)", done.stderr
    assert rest.endswith("BOOM  [] its compressor failed\n")


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ("lost = acme_nowhere:Quiet", "compressor lost = acme_nowhere:Quiet cannot be loaded"),
        ("odd = acme_quiet:Loud", "compressor odd = acme_quiet:Loud cannot be loaded"),
        ("none = builtins:dict", "compressor none = builtins:dict: must have name and compress"),
    ],
)
def test_a_broken_compressor_of_an_installed_package_is_named(
    point: str, said: str, tmp_path: Path
) -> None:
    install(tmp_path, point)
    done = python(TRY_IT.replace("print(", "print(result.warnings, "), tmp_path)
    assert "the compressors of other packages were left out: ConfigurationError" in done.stdout, (
        done.stderr
    )
    assert said in done.stdout


# Errors.


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "authentication_error", HeadroomAuthError),
        (0, "connect", HeadroomConnectionError),
        (400, "configuration_error", ConfigurationError),
        (500, "storage_error", StorageError),
        (503, "overloaded", HeadroomCompressError),
    ],
)
def test_an_error_of_the_server_becomes_the_class_that_stands_for_it(
    status: int, kind: str, error: type
) -> None:
    made = map_proxy_error(status, kind, "what the server said")
    assert type(made) is error
    assert str(made) == made.message == "what the server said"
    assert made.details == {"status_code": status, "error_type": kind}


def test_an_answer_of_the_server_can_be_told_from_its_fields() -> None:
    error = map_proxy_error(503, "overloaded", "later")
    assert isinstance(error, HeadroomCompressError)
    assert (error.status_code, error.error_type) == (503, "overloaded")


def errors() -> Iterator[type[HeadroomError]]:
    found = (getattr(headroom_core, name) for name in headroom_core.__all__)
    return (item for item in found if inspect.isclass(item) and issubclass(item, HeadroomError))


@pytest.mark.parametrize("error", list(errors()))
def test_every_error_is_a_HeadroomError_with_details(error: type[HeadroomError]) -> None:
    more: dict[str, Any] = (
        {"status_code": 500, "error_type": "x"} if error is HeadroomCompressError else {}
    )
    made = error("what is wrong", details={"field": 1}, **more)
    assert isinstance(made, HeadroomError)
    assert made.details == {"field": 1, **more}
    assert error("what is wrong", **more).details == more
