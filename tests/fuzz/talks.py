"""Grow conversations of every dialect with stores that fail, and check what is sent."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from random import Random
from typing import Any

from conversations import (
    ALL_FORMS,
    TOOLS,
    Call,
    Talk,
    Utterance,
    new_orphans,
    write_talk,
)
from langchain_core.messages import BaseMessage
from llama_index.core.base.llms.types import ChatMessage, TextBlock, ToolCallBlock

from fuzz.inputs import make_input
from fuzz.report import Part, Report, Reports, run_processes, seeds
from headroom_core import (
    CCRConfig,
    CompressResult,
    HeadroomConfig,
    Tokenizer,
    compress,
    retrieve,
)
from headroom_core.errors import HeadroomError
from headroom_core.testing import FailingStore
from headroom_integrations.llamaindex import LlamaIndexDialect

PROCESSES = 2
FORMS = (*ALL_FORMS, "llamaindex")
OPERATIONS = ("put_many", "get", "record", "recall", "add", "counters")
_COUNT = Tokenizer()
_WORDS = "invoice payment failed order-7f3a retrying Zoë at eu-3 the for 30 s".split()


def run(part: Part, seed: int) -> str:
    """Check conversations until the time is up."""
    run_processes(part, _work, [(seed + index, part.seconds) for index in range(PROCESSES)])
    return ""


def _work(reports: Reports, seed: int, seconds: float) -> None:
    part = Part("conversations", seconds)
    try:
        for number in seeds(seed, PROCESSES):
            growth = Growth(number)
            reports.put(Report(growth.counts, growth.check()))
            if part.remaining() < 0:
                break
    finally:
        reports.put(None)


class Growth:
    """A conversation that grows message by message, made from a seed alone."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.form = random.choice(FORMS)
        utterances = _make_utterances(random)
        # LlamaIndex's messages are one for one like OpenAI's, by which they are checked.
        self.talk = write_talk(utterances, "openai" if self.form == "llamaindex" else self.form)  # type: ignore[arg-type]
        self.messages = self.talk.messages
        if self.form == "llamaindex":
            self.messages = [_as_llamaindex(message) for message in self.messages]
        self.managed = random.randrange(2) == 0
        self.budget = None
        if random.randrange(3):
            size = _COUNT.count_messages(self.talk.messages)
            self.budget = int(random.choice((0.05, 0.2, 0.4, 0.6, 0.9)) * size) + 100
        self.config = HeadroomConfig(
            ccr=CCRConfig(min_tokens_saved=random.choice((0, 0, 100))),
            intelligent_context={"enabled": self.managed},  # type: ignore[arg-type]
        )
        self.often = random.choice((0.0, 0.1, 0.3, 0.6))
        self.store = FailingStore()
        self.name = f"seed {seed}, kind {self.form!r}, budget {self.budget}, {self.managed=}"
        self.counts = {"conversations": 1, "requests": 0, "cuts": 0, "failures": 0}

    def check(self) -> list[str]:
        """Grow the conversation, and return the first violation of the promises, if any."""
        before: list[str] = []
        dropped: set[int] = set()
        excerpts: set[tuple[int, int]] = set()
        step = 1
        while step <= len(self.messages):
            try:
                result = self._compress(step)
            except Exception:  # noqa: BLE001 - any exception is a violation
                return [f"{self.name}, {step} messages: {traceback.format_exc()}"]
            now = _dump(result.messages)
            cut = {change.message for change in result.changes if change.action == "dropped"}
            texts = {
                (change.message, change.tokens_after)
                for change in result.changes
                if change.by == "excerpt"
            }
            # A cut may leave out messages, or parts of a text; between cuts nothing changes.
            sent = ([], now) if texts != excerpts else (before, now)
            problem = self._problem(step, sent, (dropped, cut))
            if problem:
                failing = ", ".join(sorted(self.store.failing))
                return [f"{self.name}, {step} messages, failing {failing or 'nothing'}: {problem}"]
            self.counts["cuts"] += cut != dropped
            self.counts["failures"] += bool(self.store.failing)
            before, dropped, excerpts = now, cut, texts
            self._retrieve(result)
            step += self.random.choice((0, 1, 1, 1, 2))
        return []

    def _compress(self, count: int) -> CompressResult:
        self.counts["requests"] += 1
        self.store.failing = {name for name in OPERATIONS if self.random.random() < self.often}
        query = self.random.choice((None, None, "order-7f3a failed", "item-3-5", "state pending"))
        return compress(
            self.messages[:count],
            token_budget=self.budget,
            config=self.config,
            query=query,
            store=self.store,
            dialect=LlamaIndexDialect() if self.form == "llamaindex" else self.talk.dialect,
        )

    def _problem(
        self, count: int, sent: tuple[list[str], list[str]], cuts: tuple[set[int], set[int]]
    ) -> str:
        before, now = sent
        if not cuts[0] <= cuts[1]:
            return f"the cut of messages {sorted(cuts[0] - cuts[1])} was undone"
        if cuts[0] == cuts[1] and now[: len(before)] != before:
            index = next(i for i, text in enumerate(before) if now[i : i + 1] != [text])
            after = now[index] if index < len(now) else "nothing"
            return f"message {index} changed: {before[index][:300]} became {after[:300]}"
        so_far = Talk(self.talk.form, self.talk.messages[:count])
        orphans = new_orphans(so_far, cuts[1])
        return f"orphans {sorted((kind, place) for kind, _, place in orphans)}" if orphans else ""

    def _retrieve(self, result: CompressResult) -> None:
        """Retrieve now and then, from which later requests learn."""
        if not result.ccr_hashes or self.random.randrange(4):
            return
        try:
            retrieve(
                self.random.choice(result.ccr_hashes),
                where=self.random.choice((None, "state == 'pending'", "zone == 'eu-3'")),
                store=self.store,
            )
        except (HeadroomError, ValueError):
            # The store fails, or the text has no such field: that is an answer to the model.
            return


def _dump(messages: Sequence[Any]) -> list[str]:
    # Not as JSON in UTF-8, which has no lone surrogates.
    return [
        repr(message.model_dump())
        if isinstance(message, (BaseMessage, ChatMessage))
        else json.dumps(message)
        for message in messages
    ]


def _make_utterances(random: Random) -> list[Utterance]:
    """Return turns with parallel calls, late or missing answers, repeats and reused ids."""
    drawn = [Utterance("system", _words(random, 30))] if random.randrange(2) else []
    reuse, outputs = random.randrange(3) == 0, list[str]()
    late: list[tuple[Call, str]] = []
    for turn in range(random.choice((1, 2, 4, 8))):
        drawn.append(Utterance("user", _words(random, 12), answers=tuple(late)))
        late = []
        for step in range(random.randint(0, 3)):
            calls = tuple(
                Call(f"c{number}" if reuse else f"c{turn}-{step}-{number}", random.choice(TOOLS))
                for number in range(random.choice((1, 1, 2, 3)))
            )
            words = _words(random, 8) if random.randrange(2) else ""
            drawn.append(
                Utterance("assistant", words, calls=calls, thinks=random.randrange(4) == 0)
            )
            answers = [(call, _output(random, outputs)) for call in calls]
            random.shuffle(answers)
            fate = random.randrange(12)
            if fate == 0:
                late = [answers.pop()]
            elif fate == 1:
                answers.pop()
            elif fate == 2:
                answers.append(answers[0])
            split = random.randint(0, len(answers))
            drawn += [
                Utterance("tool", answers=tuple(part))
                for part in (answers[:split], answers[split:])
                if part
            ]
        if random.randrange(3):
            drawn.append(Utterance("assistant", _words(random, 20)))
    return drawn


def _output(random: Random, outputs: list[str]) -> str:
    """Return the output of a tool: rows, words, a text of any format, or an earlier output."""
    kind = random.randrange(6)
    if kind == 0 and outputs:
        return random.choice(outputs)
    if kind == 1:
        text = make_input(random.randrange(10**9)).text
        # Google's and LlamaIndex's models refuse what UTF-8 cannot encode.
        text = text.encode(errors="replace").decode()
    elif kind == 2:
        text = _words(random, random.choice((3, 40, 300)))
    else:
        state = random.choice((("ok", "pending"), ("ok", "failed"), ("ok",)))
        number = random.randrange(1000)
        text = json.dumps(
            [
                {
                    "id": f"item-{number}-{row}",
                    "state": state[row % 17 % len(state)],
                    "zone": "eu-3",
                }
                for row in range(random.choice((3, 30, 60, 150)))
            ]
        )
    outputs.append(text)
    return text


def _words(random: Random, count: int) -> str:
    return " ".join(random.choices(_WORDS, k=count))


def _as_llamaindex(message: dict[str, Any]) -> ChatMessage:
    blocks: list[Any] = [TextBlock(text=message["content"])] if message["content"] else []
    blocks += [
        ToolCallBlock(
            tool_call_id=call["id"], tool_name=call["function"]["name"], tool_kwargs={"day": 3}
        )
        for call in message.get("tool_calls", ())
    ]
    kwargs = {"tool_call_id": message["tool_call_id"]} if message["role"] == "tool" else {}
    return ChatMessage(role=message["role"], blocks=blocks, additional_kwargs=kwargs)
