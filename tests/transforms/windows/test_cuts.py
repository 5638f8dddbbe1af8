"""The laws of cuts, for every window and every format: pairs stay whole, nothing is undone, and it fits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Container, Sequence
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
    Said,
    Talk,
    answered,
    long_talks,
    orphans,
    role,
    spoken,
    talks,
    together,
    written,
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
Way = Literal["rolling", "newest first", "no system", "importance", "oldest", "old ones"]
WAYS: tuple[Way, ...] = ("rolling", "newest first", "no system", "importance", "oldest", "old ones")
_ROLLING: dict[Way, dict[str, Any]] = {
    "rolling": {"preserve_recent_turns": 2},
    "newest first": {"preserve_recent_turns": 1, "drop_oldest_first": False},
    "no system": {"preserve_recent_turns": 0, "preserve_system": False},
}
_MANAGED: dict[Way, dict[str, Any]] = {
    "importance": {"keep_last_turns": 1},
    "oldest": {"keep_last_turns": 2, "use_importance_scoring": False, "compress_threshold": 0.0},
    "old ones": {
        "keep_last_turns": 0,
        "scoring_weights": ScoringWeights(recency=9),
        "keep_system": False,
    },
}
ways = st.sampled_from(WAYS)
models = st.sampled_from(("gpt-4o", "gpt-4", "claude-sonnet-4"))


def a_share(of_all: int) -> settings:
    """Fewer examples, where each is many requests."""
    return settings(max_examples=max(10, settings.default.max_examples // of_all))


@lru_cache
def window(way: Way, model: str = "gpt-4o") -> Any:
    if way in _ROLLING:
        return RollingWindow(
            RollingWindowConfig(output_buffer_tokens=0, **_ROLLING[way]), model=model
        )
    return IntelligentContextManager(
        IntelligentContextConfig(output_buffer_tokens=0, **_MANAGED[way]), model=model
    )


def cut(
    talk: Talk,
    limit: int,
    way: Way,
    *,
    count: int | None = None,
    store: Store | None = None,
    toin: ToolIntelligence | None = None,
    model: str = "gpt-4o",
) -> TransformResult:
    """Return the first `count` messages of a conversation, cut."""
    used = window(way, model)
    if toin is not None:
        used = IntelligentContextManager(used.config, toin=toin, model=model)
    messages = talk.messages[:count]
    kept = MemoryStore() if store is None else store
    made: TransformResult
    if way in _ROLLING:
        made = used.apply(messages, limit, store=kept, dialect=talk.dialect)
    else:
        made = used.apply(messages, None, limit, store=kept, dialect=talk.dialect)
    return made


def gone_from(result: TransformResult) -> dict[int, str]:
    """Return the messages that are left out, each with the key of its original."""
    return {
        change.message: change.keys[0] for change in result.changes if change.action == "dropped"
    }


def room(talk: Talk, share: float, model: str = "gpt-4o") -> int:
    return max(1, int(share * Tokenizer(model).count_messages(talk.messages)))


def text_of(message: Any) -> str:
    """Return the text of a message that was made to stand for others."""
    if isinstance(message, BaseMessage):
        return str(message.content)
    return str(message["content"] if "content" in message else message["parts"][0]["text"])


def dumped(messages: Sequence[Any]) -> list[str]:
    return [m.model_dump_json() if isinstance(m, BaseMessage) else json.dumps(m) for m in messages]


# What goes, goes with all that belongs to it.


@given(talks(), SHARES, ways)
def test_calls_and_answers_stay_paired(talk: Talk, share: float, way: Way) -> None:
    assert not _lost(talk, gone_from(cut(talk, room(talk, share), way)))


def _lost(talk: Talk, gone: Container[int]) -> set[tuple[str, int, int]]:
    """Return the orphans that a cut makes, but for second answers beside what has to stay in the same message."""
    stays = [message for index, message in enumerate(talk.messages) if index not in gone]
    beside = {
        id(message) for message in stays if role(message) == "user" or len([*answered(message)]) > 1
    }
    new = orphans(stays, talk.form) - orphans(talk.messages, talk.form)
    return {orphan for orphan in new if orphan[0] == "call" or orphan[1] not in beside}


@given(talks(), SHARES, ways)
def test_kept_messages_stay_in_order_around_a_single_marker(
    talk: Talk, share: float, way: Way
) -> None:
    result = cut(talk, room(talk, share), way)
    gone = gone_from(result)
    changed = {
        change.message for change in result.changes if change.action not in ("kept", "dropped")
    }
    expected: list[Any] = [
        message for index, message in enumerate(talk.messages) if index not in gone
    ]
    if gone:
        marker = result.messages[min(gone)]
        assert role(marker) == "user"
        assert re.match(rf"\[headroom: {len(gone)} messages left out ", text_of(marker))
        expected.insert(min(gone), marker)
    assert len(result.messages) == len(expected)
    stays = [index for index in range(len(talk.messages)) if index not in gone]
    places = [at for at in range(len(expected)) if not gone or at != min(gone)]
    for at, index in zip(places, stays):
        assert index in changed or result.messages[at] is talk.messages[index]


@given(talks(), SHARES, ways)
def test_the_first_message_after_the_system_is_from_a_user(
    talk: Talk, share: float, way: Way
) -> None:
    result = cut(talk, room(talk, share), way)
    first = next(
        (role(message) for message in result.messages if role(message) != "system"), "user"
    )
    assert first == "user"


@given(talks(("anthropic",)), SHARES, ways)
def test_thinking_blocks_stay_unchanged(talk: Talk, share: float, way: Way) -> None:
    before = json.dumps(talk.messages)
    result = cut(talk, room(talk, share), way)
    stays = [
        message for index, message in enumerate(talk.messages) if index not in gone_from(result)
    ]
    kept = [message for message in result.messages if role(message) == "assistant"]
    assert [id(message) for message in kept] == [
        id(one) for one in stays if role(one) == "assistant"
    ]
    assert json.dumps(talk.messages) == before


# Causal.


@a_share(4)
@given(talks(most_turns=4), SHARES, ways)
def test_a_cut_is_never_undone_and_nothing_changes_between_cuts(
    talk: Talk, share: float, way: Way
) -> None:
    _grow(talk, room(talk, share), way)


@a_share(20)
@given(long_talks(), SHARES, ways)
def test_a_cut_below_the_limit_is_never_undone(talk: Talk, share: float, way: Way) -> None:
    _grow(talk, room(talk, share), way)


def _grow(talk: Talk, limit: int, way: Way) -> None:
    """Hold each beginning of a conversation, cut, to the one before."""
    before = None
    for count in range(1, len(talk.messages) + 1):
        result = cut(talk, limit, way, count=count)
        now = _state(result)
        if before is not None:
            assert before[0].items() <= now[0].items() or before[0].keys() < now[0].keys()
            assert {place for place in before[1] if place[0] not in now[0]} <= now[1]
            if before[:2] == now[:2]:
                assert now[2][: len(before[2])] == before[2]
        before = now


def _state(result: TransformResult) -> tuple[dict[int, str], set[tuple[Any, ...]], list[str]]:
    """Return what is left out, which texts are shortened, and what is sent."""
    changes = (change for change in result.changes if change.action in ("selected", "rewritten"))
    shortened = {(change.message, change.path) for change in changes}
    return gone_from(result), shortened, dumped(result.messages)


@a_share(5)
@given(talks(most_turns=4), SHARES, st.sampled_from(("importance", "old ones")), st.data())
def test_lessons_change_no_earlier_cut(
    talk: Talk, share: float, way: Way, data: st.DataObject
) -> None:
    store, limit, before = MemoryStore(), room(talk, share), None
    toin = ToolIntelligence(store)
    for count in range(1, len(talk.messages) + 1):
        now = _state(cut(talk, limit, way, count=count, store=store, toin=toin))
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
    drawn: list[tuple[list[Any], str, float, Way]] = []

    @a_share(5)
    @given(talks(("openai", "anthropic", "google")), SHARES, ways)
    def draw(talk: Talk, share: float, way: Way) -> None:
        drawn.append((talk.messages, talk.form, share, way))

    draw()
    path = tmp_path / "talks.json"
    path.write_text(json.dumps(drawn))
    code = (
        "import json, sys; sys.path[:0] = ['tests/support', 'tests/transforms/windows']; import test_cuts as t\n"
        "for m, form, share, way in reversed(json.load(open(sys.argv[1]))):\n"
        "    talk = t.Talk(form, m, form)\n"
        "    print(json.dumps(t.dumped(t.cut(talk, t.room(talk, share), way).messages)))"
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
        (Talk(form, messages, form), share, way)
        for messages, form, share, way in json.loads(path.read_text())
    ]
    here = [dumped(cut(talk, room(talk, share), way).messages) for talk, share, way in read]
    assert done[0] == done[1]
    assert [json.loads(line) for line in done[0].splitlines()] == here[::-1]


def _twin(said: Sequence[Said]) -> list[Said]:
    """Return a conversation with the same texts in which other calls are answered."""
    ids = sorted({call.id for one in said for call in one.calls})
    other = dict(zip(ids, [*ids[1:], *ids[:1]]))
    return [
        replace(
            one,
            answers=tuple(
                (Call(other.get(call.id, call.id), call.tool), text) for call, text in one.answers
            ),
        )
        for one in said
    ]


ALIKE = [
    Said("user", "go " * 40),
    Said("assistant", calls=(Call("a"),)),
    Said("assistant", calls=(Call("b"),)),
    Said("tool", answers=((Call("b"), "rows " * 200),)),
    Said("tool", answers=((Call("a"), "rows " * 20),)),
    Said("assistant", "done " * 50),
    Said("user", "and now?"),
]


@given(spoken(), st.sampled_from(FORMS), SHARES, ways)
@example(ALIKE, "openai", 0.7, "rolling")
def test_decisions_for_another_conversation_do_not_apply(
    said: list[Said], form: Form, share: float, way: Way
) -> None:
    talk, twin = written(said, form), written(_twin(said), form)
    limit = room(talk, share)
    for one in (talk, twin):
        assert not _lost(one, gone_from(cut(one, limit, way)))


# It fits.


@given(talks(), SHARES, ways, models)
def test_the_limit_is_met_or_a_warning_says_so(
    talk: Talk, share: float, way: Way, model: str
) -> None:
    limit = room(talk, share, model)
    result = cut(talk, limit, way, model=model)
    counter = Tokenizer(model)
    assert result.tokens_before == counter.count_messages(talk.messages)
    assert result.tokens_after == counter.count_messages(result.messages) <= result.tokens_before
    # LangChain's messages have no role, which the marker's message is counted with.
    assert (result.tokens_after > limit) == bool(result.warnings)
    if result.tokens_before <= limit:
        assert result.messages == talk.messages
        assert not gone_from(result)
    for warning in result.warnings:
        assert f"more than the limit = {limit}: " in warning


@given(talks(), SHARES, ways)
def test_only_protected_messages_stay_above_the_limit(talk: Talk, share: float, way: Way) -> None:
    result = cut(talk, room(talk, share), way)
    if not result.warnings:
        return
    gone, counter = gone_from(result), Tokenizer()
    loose = _loose(talk, way) - gone.keys()
    # What became loose since the last cut, and is hardly more than a marker takes, may stay.
    assert sum(counter.count_each([talk.messages[index] for index in loose])) <= 80


def _loose(talk: Talk, way: Way) -> set[int]:
    """Return the messages that nothing protects, at the end of the conversation."""
    config, groups = window(way).config, together(talk.messages, talk.form)
    turns = config.preserve_recent_turns if way in _ROLLING else config.keep_last_turns
    system = config.preserve_system if way in _ROLLING else config.keep_system
    roles = [role(message) for message in talk.messages]
    turn_of = [sum(one == "user" for one in roles[: index + 1]) for index in range(len(roles))]
    users = [index for index, one in enumerate(roles) if one == "user"]
    held = {*groups[-1], *(groups[users[-1]] if users else ())}
    waiting = {message for kind, message, _ in orphans(talk.messages, talk.form) if kind == "call"}
    held |= {
        index
        for group in groups
        for index in group
        if any(id(talk.messages[one]) in waiting for one in group)
    }
    steps = {
        index for index, group in enumerate(groups) if len(group) > 1 or roles[index] == "tool"
    }
    recent = {index for index in range(len(roles)) if turn_of[index] > turn_of[-1] - turns}
    held |= {
        index
        for group in groups
        for index in group
        if any(roles[one] == "user" for one in group & recent)
    }
    held |= {index for index, one in enumerate(roles) if system and one == "system"} | (
        recent - steps
    )
    return {*range(len(roles))} - held


# What is left out can be brought back.


@given(talks(), SHARES, ways)
def test_every_key_retrieves_its_messages(talk: Talk, share: float, way: Way) -> None:
    store = MemoryStore()
    result = cut(talk, room(talk, share), way, store=store)
    gone = gone_from(result)
    named = re.findall(r'key="(\w{24})"', text_of(result.messages[min(gone)])) if gone else []
    assert named == list(dict.fromkeys(named))
    assert {*named} == {*gone.values()}
    for key in named:
        rows = [
            json.loads(line) for line in retrieve(key, limit=None, store=store).text.splitlines()
        ]
        mine = [index for index, other in sorted(gone.items()) if other == key]
        assert [row.pop("message") for row in rows] == [index + 1 for index in mine]
        if talk.form != "langchain":
            assert rows == [talk.messages[index] for index in mine]


# Choosing, and many at once.


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), max_size=8), st.integers(-5, 120)
)
def test_the_knapsack_loses_the_least_importance(items: list[tuple[int, int]], excess: int) -> None:
    items = sorted(items, key=lambda item: item[1] / item[0])
    weights, losses = [weight for weight, _ in items], [float(loss) for _, loss in items]
    taken = take_least_loss(weights, losses, excess)
    assert taken == sorted(set(taken))
    if sum(weights) <= excess:
        assert sum(weights[at] for at in taken) == sum(weights)
        return
    assert sum(weights[at] for at in taken) >= excess
    count = len(items)
    choices = [
        [*range(start), *more] for start in range(count + 1) for more in _at_most_one(start, count)
    ]
    enough = [choice for choice in choices if sum(weights[at] for at in choice) >= excess]
    assert sum(losses[at] for at in taken) == min(
        sum(losses[at] for at in choice) for choice in enough
    )


def _at_most_one(start: int, end: int) -> list[tuple[int, ...]]:
    return [more for size in (0, 1) for more in combinations(range(start, end), size)]


@pytest.mark.parametrize("way", WAYS)
def test_eight_threads_share_a_window_and_cut_alike(way: Way) -> None:
    drawn: list[tuple[Talk, int]] = []

    @a_share(20)
    @given(talks(), SHARES)
    def draw(talk: Talk, share: float) -> None:
        drawn.append((talk, room(talk, share)))

    draw()
    expected = [dumped(cut(talk, limit, way).messages) for talk, limit in drawn]
    store = MemoryStore()

    def work(_: int) -> list[list[str]]:
        return [dumped(cut(talk, limit, way, store=store).messages) for talk, limit in drawn]

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(work, range(8)))


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_the_room_for_the_marker_suffices_for_any_key(model: str) -> None:
    talk = written(
        [Said("user", "go " * 200), Said("assistant", "ok " * 200), Said("user", "now")], "openai"
    )
    marker = text_of(cut(talk, 100, "no system").messages[0]).replace(" 2 ", " 99999 ")
    for key in ("1a" * 12, "f0" * 12, "0" * 24, content_key("any")):
        for here in ("here", "from here on"):
            text = re.sub(r"\w{24}", key, marker).replace("here", here)
            assert (
                sum(Tokenizer(model).count_each([{"role": "user", "content": text}]))
                <= MAX_MARKER_TOKENS
            )
