"""Test the laws of cuts for every window and every format."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pytest
from conversations import (
    FORMS,
    SHARES,
    Call,
    Form,
    Talk,
    Utterance,
    linked_groups,
    long_talks,
    new_orphans,
    orphans,
    role,
    talks,
    utterances,
    write_talk,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage

from headroom_core import (
    IntelligentContextManager,
    MemoryStore,
    RollingWindow,
    ScoringWeights,
    Store,
    Tokenizer,
    ToolIntelligence,
    TransformResult,
    content_key,
    retrieve,
)
from headroom_core.config import IntelligentContextConfig, RollingWindowConfig
from headroom_core.transforms.windows.gap import MAX_MARKER_TOKENS
from headroom_core.transforms.windows.knapsack import take_least_loss

ROOT = Path(__file__).parents[3]
WindowKind = Literal["rolling", "newest first", "no system", "importance", "oldest", "recency"]
WINDOW_KINDS: tuple[WindowKind, ...] = (
    "rolling",
    "newest first",
    "no system",
    "importance",
    "oldest",
    "recency",
)
_ROLLING: dict[WindowKind, dict[str, Any]] = {
    "rolling": {"preserve_recent_turns": 2},
    "newest first": {"preserve_recent_turns": 1, "drop_oldest_first": False},
    "no system": {"preserve_recent_turns": 0, "preserve_system": False},
}
_MANAGED: dict[WindowKind, dict[str, Any]] = {
    "importance": {"keep_last_turns": 1},
    "oldest": {"keep_last_turns": 2, "use_importance_scoring": False, "compress_threshold": 0.0},
    "recency": {
        "keep_last_turns": 0,
        "scoring_weights": ScoringWeights(recency=9),
        "keep_system": False,
    },
}
window_kinds = st.sampled_from(WINDOW_KINDS)
models = st.sampled_from(("gpt-4o", "gpt-4", "claude-sonnet-4"))


def fewer_examples(divisor: int) -> settings:
    """Return settings with fewer examples, for tests whose examples are expensive."""
    return settings(max_examples=max(10, settings.default.max_examples // divisor))


@lru_cache
def window(kind: WindowKind, model: str = "gpt-4o") -> Any:
    if kind in _ROLLING:
        return RollingWindow(
            RollingWindowConfig(output_buffer_tokens=0, **_ROLLING[kind]), model=model
        )
    return IntelligentContextManager(
        IntelligentContextConfig(output_buffer_tokens=0, **_MANAGED[kind]), model=model
    )


def cut(
    talk: Talk,
    limit: int,
    kind: WindowKind,
    *,
    count: int | None = None,
    store: Store | None = None,
    toin: ToolIntelligence | None = None,
    model: str = "gpt-4o",
) -> TransformResult:
    """Cut the first `count` messages of a conversation."""
    active_window = window(kind, model)
    if toin is not None:
        active_window = IntelligentContextManager(active_window.config, toin=toin, model=model)
    messages = talk.messages[:count]
    kept_store = MemoryStore() if store is None else store
    result: TransformResult
    if kind in _ROLLING:
        result = active_window.apply(messages, limit, store=kept_store, dialect=talk.dialect)
    else:
        result = active_window.apply(messages, None, limit, store=kept_store, dialect=talk.dialect)
    return result


def dropped_messages(result: TransformResult) -> dict[int, str]:
    """Return the dropped messages with the keys of their originals."""
    return {
        change.message: change.keys[0] for change in result.changes if change.action == "dropped"
    }


def token_limit(talk: Talk, share: float, model: str = "gpt-4o") -> int:
    return max(1, int(share * Tokenizer(model).count_messages(talk.messages)))


def marker_text(message: Any) -> str:
    """Return the text of a marker message."""
    if isinstance(message, BaseMessage):
        return str(message.content)
    return str(message["content"] if "content" in message else message["parts"][0]["text"])


def dump_messages(messages: Sequence[Any]) -> list[str]:
    return [m.model_dump_json() if isinstance(m, BaseMessage) else json.dumps(m) for m in messages]


# Pairs are dropped together.


@given(talks(), SHARES, window_kinds)
def test_calls_and_answers_stay_paired(talk: Talk, share: float, kind: WindowKind) -> None:
    assert not new_orphans(talk, dropped_messages(cut(talk, token_limit(talk, share), kind)))


@given(talks(), SHARES, window_kinds)
def test_kept_messages_stay_in_order_around_a_single_marker(
    talk: Talk, share: float, kind: WindowKind
) -> None:
    result = cut(talk, token_limit(talk, share), kind)
    dropped = dropped_messages(result)
    changed = {
        change.message for change in result.changes if change.action not in ("kept", "dropped")
    }
    expected: list[Any] = [
        message for index, message in enumerate(talk.messages) if index not in dropped
    ]
    if dropped:
        marker = result.messages[min(dropped)]
        assert role(marker) == "user"
        assert re.match(rf"\[headroom: {len(dropped)} messages? left out ", marker_text(marker))
        expected.insert(min(dropped), marker)
    assert len(result.messages) == len(expected)
    kept = [index for index in range(len(talk.messages)) if index not in dropped]
    places = [
        position for position in range(len(expected)) if not dropped or position != min(dropped)
    ]
    for position, index in zip(places, kept):
        assert index in changed or result.messages[position] is talk.messages[index]


@given(talks(), SHARES, window_kinds)
def test_the_first_message_after_the_system_is_from_a_user(
    talk: Talk, share: float, kind: WindowKind
) -> None:
    result = cut(talk, token_limit(talk, share), kind)
    first = next(
        (role(message) for message in result.messages if role(message) != "system"), "user"
    )
    assert first == "user"


@given(talks(("anthropic",)), SHARES, window_kinds)
def test_thinking_blocks_stay_unchanged(talk: Talk, share: float, kind: WindowKind) -> None:
    before = json.dumps(talk.messages)
    result = cut(talk, token_limit(talk, share), kind)
    kept_messages = [
        message
        for index, message in enumerate(talk.messages)
        if index not in dropped_messages(result)
    ]
    assistant_messages = [message for message in result.messages if role(message) == "assistant"]
    assert [id(message) for message in assistant_messages] == [
        id(message) for message in kept_messages if role(message) == "assistant"
    ]
    assert json.dumps(talk.messages) == before


# Causality.


@fewer_examples(4)
@given(talks(most_turns=4), SHARES, window_kinds)
def test_a_cut_is_never_undone_and_nothing_changes_between_cuts(
    talk: Talk, share: float, kind: WindowKind
) -> None:
    _grow(talk, token_limit(talk, share), kind)


@fewer_examples(20)
@given(long_talks(), SHARES, window_kinds)
def test_a_cut_below_the_limit_is_never_undone(talk: Talk, share: float, kind: WindowKind) -> None:
    _grow(talk, token_limit(talk, share), kind)


def _grow(talk: Talk, limit: int, kind: WindowKind) -> None:
    """Compare the cut of each prefix of a conversation with the previous cut."""
    before = None
    for count in range(1, len(talk.messages) + 1):
        result = cut(talk, limit, kind, count=count)
        now = _state(result)
        if before is not None:
            assert before[0].keys() <= now[0].keys()
            if before[0].keys() == now[0].keys():
                assert before[0] == now[0]
            assert {place for place in before[1] if place[0] not in now[0]} <= now[1].keys()
            if before[:2] == now[:2]:
                assert now[2][: len(before[2])] == before[2]
        before = now


def _gap_markers(messages: Sequence[Any]) -> list[str]:
    """Return the marker of the dropped messages, if there is one."""
    sent = "".join(dump_messages(messages))
    return re.findall(r"\[headroom: \d+ messages? left out.*?\)\]", sent)


@fewer_examples(4)
@given(utterances(most_turns=3), st.sampled_from(FORMS), st.integers(60, 400), window_kinds)
def test_the_marker_changes_only_when_more_messages_are_dropped(
    start: list[Utterance], form: Form, limit: int, kind: WindowKind
) -> None:
    # System messages between and after the turns cannot be dropped, so that nothing is cut.
    spoken = [
        part
        for index, utterance in enumerate(start)
        for part in (utterance, Utterance("system", f"rule {index}: {'be brief ' * (index % 9)}"))
    ]
    talk = write_talk(spoken, form)
    dropped, marker = 0, [""]
    for count in range(1, len(talk.messages) + 1):
        result = cut(talk, limit, kind, count=count)
        now = len(dropped_messages(result))
        if now == dropped > 0:
            assert _gap_markers(result.messages) == marker
        dropped, marker = now, _gap_markers(result.messages)
        assert len(marker) == (now > 0)


def _state(
    result: TransformResult,
) -> tuple[dict[int, str], dict[tuple[Any, ...], int], list[str]]:
    """Return the dropped messages, the tokens of shortened texts, and the sent messages."""
    changes = (change for change in result.changes if change.action in ("selected", "rewritten"))
    shortened = {(change.message, change.path): change.tokens_after for change in changes}
    return dropped_messages(result), shortened, dump_messages(result.messages)


@fewer_examples(5)
@given(talks(most_turns=4), SHARES, st.sampled_from(("importance", "recency")), st.data())
def test_lessons_change_no_earlier_cut(
    talk: Talk, share: float, kind: WindowKind, data: st.DataObject
) -> None:
    store, limit, before = MemoryStore(), token_limit(talk, share), None
    toin = ToolIntelligence(store)
    for count in range(1, len(talk.messages) + 1):
        now = _state(cut(talk, limit, kind, count=count, store=store, toin=toin))
        if before is not None:
            assert before[0].keys() <= now[0].keys()
            if before[:2] == now[:2]:
                assert now[2][: len(before[2])] == before[2]
        before = now
        key = content_key(str(count))
        toin.shortened(data.draw(st.sampled_from(("search", "read_file"))), "shape", key)
        if data.draw(st.booleans()):
            toin.retrieved(key, by="all")


def test_another_process_cuts_in_the_same_way(tmp_path: Path) -> None:
    examples: list[tuple[list[Any], str, float, WindowKind]] = []

    @fewer_examples(5)
    @given(talks(("openai", "anthropic", "google")), SHARES, window_kinds)
    def draw(talk: Talk, share: float, kind: WindowKind) -> None:
        examples.append((talk.messages, talk.form, share, kind))

    draw()
    path = tmp_path / "talks.json"
    path.write_text(json.dumps(examples))
    code = (
        "import json, sys\n"
        "sys.path[:0] = ['tests/support', 'tests/transforms/windows']\n"
        "import test_cuts as t\n"
        "for m, form, share, kind in reversed(json.load(open(sys.argv[1]))):\n"
        "    talk = t.Talk(form, m, form)\n"
        "    result = t.cut(talk, t.token_limit(talk, share), kind)\n"
        "    print(json.dumps(t.dump_messages(result.messages)))"
    )
    command, environments = (
        [sys.executable, "-c", code, str(path)],
        [{"PYTHONHASHSEED": seed} for seed in "12"],
    )
    done = [
        subprocess.run(
            command, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, check=True
        ).stdout
        for more in environments
    ]
    read = [
        (Talk(form, messages, form), share, kind)
        for messages, form, share, kind in json.loads(path.read_text())
    ]
    here = [
        dump_messages(cut(talk, token_limit(talk, share), kind).messages)
        for talk, share, kind in read
    ]
    assert done[0] == done[1]
    assert [json.loads(line) for line in done[0].splitlines()] == here[::-1]


def _twin(conversation: Sequence[Utterance]) -> list[Utterance]:
    """Return a conversation with the same texts but other pairs of calls and answers."""
    ids = sorted({call.id for utterance in conversation for call in utterance.calls})
    other = dict(zip(ids, [*ids[1:], *ids[:1]]))
    return [
        replace(
            utterance,
            answers=tuple(
                (Call(other.get(call.id, call.id), call.tool), text)
                for call, text in utterance.answers
            ),
        )
        for utterance in conversation
    ]


ALIKE = [
    Utterance("user", "go " * 40),
    Utterance("assistant", calls=(Call("a"),)),
    Utterance("assistant", calls=(Call("b"),)),
    Utterance("tool", answers=((Call("b"), "rows " * 200),)),
    Utterance("tool", answers=((Call("a"), "rows " * 20),)),
    Utterance("assistant", "done " * 50),
    Utterance("user", "and now?"),
]


@given(utterances(), st.sampled_from(FORMS), SHARES, window_kinds)
@example(ALIKE, "openai", 0.7, "rolling")
def test_decisions_for_another_conversation_do_not_apply(
    conversation: list[Utterance], form: Form, share: float, kind: WindowKind
) -> None:
    talk, twin = write_talk(conversation, form), write_talk(_twin(conversation), form)
    limit = token_limit(talk, share)
    for item in (talk, twin):
        assert not new_orphans(item, dropped_messages(cut(item, limit, kind)))


# Limits.


@given(talks(), SHARES, window_kinds, models)
def test_the_limit_is_met_or_a_warning_says_so(
    talk: Talk, share: float, kind: WindowKind, model: str
) -> None:
    limit = token_limit(talk, share, model)
    result = cut(talk, limit, kind, model=model)
    counter = Tokenizer(model)
    assert result.tokens_before == counter.count_messages(talk.messages)
    assert result.tokens_after == counter.count_messages(result.messages) <= result.tokens_before
    # LangChain's messages have no role, which the marker's message is counted with.
    assert (result.tokens_after > limit) == bool(result.warnings)
    if result.tokens_before <= limit:
        assert result.messages == talk.messages
        assert not dropped_messages(result)
    for warning in result.warnings:
        assert f"more than the limit = {limit}: " in warning


@given(talks(), SHARES, window_kinds)
def test_only_protected_messages_stay_above_the_limit(
    talk: Talk, share: float, kind: WindowKind
) -> None:
    result = cut(talk, token_limit(talk, share), kind)
    if not result.warnings:
        return
    dropped, counter = dropped_messages(result), Tokenizer()
    unprotected = _unprotected(talk, kind) - dropped.keys()
    # Messages that lost protection since the last cut may stay if a marker is hardly smaller.
    assert sum(counter.count_each([talk.messages[index] for index in unprotected])) <= 80


def _unprotected(talk: Talk, kind: WindowKind) -> set[int]:
    """Return the messages that nothing protects at the end of the conversation."""
    config, groups = window(kind).config, linked_groups(talk.messages, talk.form)
    turns = config.preserve_recent_turns if kind in _ROLLING else config.keep_last_turns
    system = config.preserve_system if kind in _ROLLING else config.keep_system
    roles = [role(message) for message in talk.messages]
    turn_of = [
        sum(role_name == "user" for role_name in roles[: index + 1]) for index in range(len(roles))
    ]
    users = [index for index, role_name in enumerate(roles) if role_name == "user"]
    protected = {*groups[-1], *(groups[users[-1]] if users else ())}
    unanswered = {
        message for kind, message, _ in orphans(talk.messages, talk.form) if kind == "call"
    }
    protected |= {
        index
        for group in groups
        for index in group
        if any(id(talk.messages[member]) in unanswered for member in group)
    }
    steps = {
        index for index, group in enumerate(groups) if len(group) > 1 or roles[index] == "tool"
    }
    recent = {index for index in range(len(roles)) if turn_of[index] > turn_of[-1] - turns}
    protected |= {
        index
        for group in groups
        for index in group
        if any(roles[member] == "user" for member in group & recent)
    }
    protected |= {
        index for index, role_name in enumerate(roles) if system and role_name == "system"
    } | (recent - steps)
    return {*range(len(roles))} - protected


# Originals can be retrieved.


@given(talks(), SHARES, window_kinds)
def test_every_key_retrieves_its_messages(talk: Talk, share: float, kind: WindowKind) -> None:
    store = MemoryStore()
    result = cut(talk, token_limit(talk, share), kind, store=store)
    dropped = dropped_messages(result)
    named = (
        re.findall(r'key="(\w{24})"', marker_text(result.messages[min(dropped)])) if dropped else []
    )
    assert named == list(dict.fromkeys(named))
    assert {*named} == {*dropped.values()}
    for key in named:
        rows = [
            json.loads(line) for line in retrieve(key, limit=None, store=store).text.splitlines()
        ]
        own = [index for index, other in sorted(dropped.items()) if other == key]
        assert [row.pop("message") for row in rows] == [index + 1 for index in own]
        if talk.form != "langchain":
            assert rows == [talk.messages[index] for index in own]


# The knapsack, and threads.


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), max_size=8), st.integers(-5, 120)
)
def test_the_knapsack_loses_the_least_importance(items: list[tuple[int, int]], excess: int) -> None:
    items = sorted(items, key=lambda item: item[1] / item[0])
    weights, losses = [weight for weight, _ in items], [float(loss) for _, loss in items]
    chosen = take_least_loss(weights, losses, excess)
    assert chosen == sorted(set(chosen))
    if sum(weights) <= excess:
        assert sum(weights[index] for index in chosen) == sum(weights)
        return
    assert sum(weights[index] for index in chosen) >= excess
    count = len(items)
    choices = [
        [*range(start), *more]
        for start in range(count + 1)
        for more in _single_extras(start, count)
    ]
    sufficient = [choice for choice in choices if sum(weights[index] for index in choice) >= excess]
    assert sum(losses[index] for index in chosen) == min(
        sum(losses[index] for index in choice) for choice in sufficient
    )


def _single_extras(start: int, end: int) -> list[tuple[int, ...]]:
    return [more for size in (0, 1) for more in combinations(range(start, end), size)]


@pytest.mark.parametrize("kind", WINDOW_KINDS)
def test_eight_threads_share_a_window_and_cut_alike(kind: WindowKind) -> None:
    examples: list[tuple[Talk, int]] = []

    @fewer_examples(20)
    @given(talks(), SHARES)
    def draw(talk: Talk, share: float) -> None:
        examples.append((talk, token_limit(talk, share)))

    draw()
    expected = [dump_messages(cut(talk, limit, kind).messages) for talk, limit in examples]
    store = MemoryStore()

    def work(_: int) -> list[list[str]]:
        return [
            dump_messages(cut(talk, limit, kind, store=store).messages) for talk, limit in examples
        ]

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(work, range(8)))


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_the_room_for_the_marker_suffices_for_any_key(model: str) -> None:
    talk = write_talk(
        [
            Utterance("user", "go " * 200),
            Utterance("assistant", "ok " * 200),
            Utterance("user", "now"),
        ],
        "openai",
    )
    marker = marker_text(cut(talk, 100, "no system").messages[0]).replace(" 2 ", " 99999 ")
    for key in ("1a" * 12, "f0" * 12, "0" * 24, content_key("any")):
        for here in ("here", "from here on"):
            text = re.sub(r"\w{24}", key, marker).replace("here", here)
            assert (
                sum(Tokenizer(model).count_each([{"role": "user", "content": text}]))
                <= MAX_MARKER_TOKENS
            )
