"""Test pipelines of transforms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import TextBlock
from conversations import SHARES, Talk, new_orphans, talks
from hypothesis import given
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from headroom_core import (
    CacheAligner,
    ConfigurationError,
    IntelligentContextManager,
    MemoryStore,
    RollingWindow,
    SmartCrusher,
    StorageError,
    Tokenizer,
    TransformError,
    TransformPipeline,
    retrieve,
)
from headroom_core.config import RollingWindowConfig
from headroom_core.messages import Draft
from headroom_core.testing import FailingStore
from headroom_integrations.langchain.dialect import LangChainDialect

ROWS = json.dumps([{"id": f"item-{n}", "state": "ok", "zone": "eu-3"} for n in range(200)])
CALL = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
TALK: list[Any] = [
    {"role": "system", "content": "Be brief. " * 30},
    {"role": "user", "content": "Which one failed?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": ROWS},
    *(
        {"role": role, "content": f"{n} " + "word " * 100}
        for n in range(8)
        for role in ("user", "assistant")
    ),
]


def window(limit: int, recent: int = 1) -> RollingWindow:
    settings = RollingWindowConfig(
        max_tokens=limit, output_buffer_tokens=0, preserve_recent_turns=recent
    )
    return RollingWindow(settings)


def test_a_transform_that_returns_no_draft_is_named() -> None:
    def forgets(draft: Draft) -> Any:
        return None

    with pytest.raises(TransformError, match="forgets returned an object of type NoneType"):
        TransformPipeline([forgets, SmartCrusher()]).transform(TALK)


def uppercase_user_texts(draft: Draft) -> Draft:
    blocks = [
        block.with_text(block.text.upper()) if block.kind == "user" else block
        for block in draft.blocks
    ]
    return replace(draft, blocks=tuple(blocks))


def test_transforms_are_applied_in_order() -> None:
    seen: list[str] = []

    def record_call(name: str) -> Callable[[Draft], Draft]:
        def transform(draft: Draft) -> Draft:
            seen.append(name)
            return draft

        return transform

    inner = TransformPipeline([record_call("b"), record_call("c")])
    result = TransformPipeline(
        [record_call("a"), inner, uppercase_user_texts, record_call("d")]
    ).transform(TALK, store=MemoryStore())
    assert seen == ["a", "b", "c", "d"]
    assert result.messages[1]["content"] == "WHICH ONE FAILED?"
    assert result.messages[0] is TALK[0]


def test_an_empty_pipeline_changes_nothing() -> None:
    result = TransformPipeline([]).transform(TALK, store=MemoryStore())
    assert all(after is before for after, before in zip(result.messages, TALK, strict=True))
    assert result.tokens_saved == 0


def test_shortening_comes_before_dropping() -> None:
    store = MemoryStore()
    alone = TransformPipeline([window(2500)]).transform(TALK, store=store)
    both = TransformPipeline([SmartCrusher(), window(2500)]).transform(TALK, store=store)
    assert any(change.action == "dropped" for change in alone.changes)
    assert {change.action for change in both.changes} == {"kept", "selected"}
    assert both.messages[3]["content"].startswith("[table ")
    assert both.tokens_after == Tokenizer().count_messages(both.messages) <= 2500


def test_all_kinds_of_transforms_can_be_combined() -> None:
    store = MemoryStore()
    steps: list[Callable[[Draft], Draft]] = [
        SmartCrusher(),
        CacheAligner(),
        window(1200),
        IntelligentContextManager(),
    ]
    result = TransformPipeline(steps).transform(TALK, store=store)
    assert result.tokens_after <= 1200
    keys = {key for change in result.changes for key in change.keys}
    assert keys
    assert all(retrieve(key, limit=None, store=store).found for key in keys)
    assert retrieve(min(keys), limit=None, store=store).text


def test_dropped_messages_are_stored_before_shortening() -> None:
    store = MemoryStore()
    result = TransformPipeline([SmartCrusher(), window(700)]).transform(TALK, store=store)
    (change,) = [change for change in result.changes if change.message == 3]
    assert change.action == "dropped"
    rows = [
        json.loads(line)
        for line in retrieve(change.keys[0], limit=None, store=store).text.splitlines()
    ]
    assert [row["content"] for row in rows if row["message"] == 4] == [ROWS]


@given(talks(most_turns=4), SHARES, SHARES)
def test_two_windows_drop_at_least_as_much_behind_a_single_marker(
    talk: Talk, first: float, second: float
) -> None:
    total, store = Tokenizer().count_messages(talk.messages), MemoryStore()
    limits = [max(1, int(total * share)) for share in (first, second)]
    both = TransformPipeline([window(limit) for limit in limits]).transform(
        talk.messages, store=store, dialect=talk.dialect
    )
    alone = window(limits[0]).apply(talk.messages, store=store, dialect=talk.dialect)
    dropped = [change.message for change in both.changes if change.action == "dropped"]
    assert len(dropped) == len({*dropped})
    assert {change.message for change in alone.changes if change.action == "dropped"} <= {*dropped}
    kept = [message for index, message in enumerate(talk.messages) if index not in dropped]
    assert len(both.messages) == len(kept) + bool(dropped)
    assert not new_orphans(talk, dropped)
    assert both.tokens_after == Tokenizer().count_messages(both.messages) <= both.tokens_before
    for key in {key for change in both.changes for key in change.keys}:
        assert retrieve(key, limit=None, store=store).found


def test_two_windows_undo_nothing_as_a_conversation_grows() -> None:
    sizes = (10, 100, 300, 60, 100)
    talk = [
        {"role": ("user", "assistant")[n % 2], "content": f"{n} " + "w " * size}
        for n, size in enumerate(sizes)
    ]
    pipeline, before = TransformPipeline([window(512), window(403)]), set[int]()
    for count in range(1, len(talk) + 1):
        result = pipeline.transform(talk[:count], store=MemoryStore())
        now = {change.message for change in result.changes if change.action == "dropped"}
        assert before <= now
        before = now


def test_a_failing_transform_is_named() -> None:
    def failing_transform(draft: Draft) -> Draft:
        raise KeyError("secret text")

    store = MemoryStore()
    with pytest.raises(
        TransformError, match=r"the transform failing_transform failed: KeyError"
    ) as caught:
        TransformPipeline([SmartCrusher(), failing_transform]).transform(TALK, store=store)
    assert caught.value.details == {"transform": "failing_transform"}
    assert "secret" not in str(caught.value)
    assert store.purge() == 0


def test_an_error_of_the_library_keeps_its_class() -> None:
    def rejecting_transform(draft: Draft) -> Draft:
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError, match="no"):
        TransformPipeline([rejecting_transform]).transform(TALK, store=MemoryStore())


def test_a_non_callable_transform_is_rejected() -> None:
    with pytest.raises(TypeError, match="str is not callable: give transforms"):
        TransformPipeline(["rolling_window"])  # type: ignore[list-item]


def test_originals_are_stored_before_the_result_is_returned() -> None:
    store = FailingStore("put_many", error=StorageError("the disk is full"))
    with pytest.raises(StorageError, match="disk is full"):
        TransformPipeline([SmartCrusher()]).transform(TALK, store=store)


def test_a_custom_transform_can_add_warnings() -> None:
    def warning_transform(draft: Draft) -> Draft:
        return replace(draft, warnings=(*draft.warnings, "look here"))

    assert (
        TransformPipeline([warning_transform, window(10)])
        .transform(TALK, store=MemoryStore())
        .warnings[0]
        == "look here"
    )


class Artifact:
    """An artifact of a tool."""


QUOTED_TEXT = 'say "hi"\n' * 60
TALKS: dict[str, tuple[Any, list[Any]]] = {
    "blocks of an SDK": (
        "anthropic",
        [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [TextBlock(type="text", text=QUOTED_TEXT)]},
            {"role": "user", "content": "now"},
        ],
    ),
    "plain strings": (
        "google",
        [QUOTED_TEXT, {"role": "model", "parts": [{"text": "yes"}]}, {"parts": [{"text": "now"}]}],
    ),
    "artifacts": (
        LangChainDialect(),
        [
            AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c", "type": "tool_call"}]),
            ToolMessage(QUOTED_TEXT, tool_call_id="c", artifact=Artifact()),
            HumanMessage("now"),
        ],
    ),
}


@pytest.mark.parametrize("kind", TALKS)
def test_messages_of_every_kind_are_stored_verbatim(kind: str) -> None:
    store, (dialect, messages) = MemoryStore(), TALKS[kind]
    window = RollingWindow(RollingWindowConfig(output_buffer_tokens=0, preserve_recent_turns=0))
    result = window.apply(messages, 150, store=store, dialect=dialect)
    (key,) = {key for change in result.changes for key in change.keys}
    rows = [json.loads(line) for line in retrieve(key, limit=None, store=store).text.splitlines()]
    assert any(text == QUOTED_TEXT for row in rows for text in _strings(row))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def test_two_managers_explain_every_message_once() -> None:
    managers = [IntelligentContextManager(), IntelligentContextManager()]
    result = TransformPipeline(managers).transform(TALK, store=MemoryStore())
    assert [change.message for change in result.changes] == [*range(len(TALK))]
