"""What was worked out of the conversations that came last, so that only what is new in them is worked out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headroom_core._internal.fork import ForkSafeLock
from headroom_core.conversation.replay import Waiting
from headroom_core.dialects.base import Dialect, Fingerprint, MessageReader, ParseState
from headroom_core.messages import Block, Change
from headroom_core.transforms.router import Outcome

_STAGES, _BYTES, _BYTES_A_MESSAGE = 64, 32 * 2**20, 1000


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a block.

    Attributes:
        start: what was known before: the block that waited, or the outcome where none was to be found.
        outcome: the outcome.
        block: the block as it went.
        change: the change.
    """

    start: Waiting | Outcome
    outcome: Outcome
    block: Block
    change: Change


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a conversation was worked out. Nothing in it is altered any more.

    Attributes:
        kind: what decides the rest beside the messages.
        images: what the messages are told by.
        reading: what was read.
        steps: what became of every block.
        counted: the tokens of every message.
        size: about how many bytes all that takes.
    """

    kind: Hashable
    images: list[Fingerprint]
    reading: ParseState
    steps: list[Step]
    counted: list[int]
    size: int

    def shared(self, images: Sequence[Fingerprint]) -> int:
        """Return how many messages a conversation begins with in the same way."""
        pairs = enumerate(zip(self.images, images))
        return next(
            (at for at, (ours, theirs) in pairs if ours != theirs),
            min(len(self.images), len(images)),
        )


class Stages:
    """The stages of the conversations that came last, shared by threads."""

    def __init__(self) -> None:
        self._held: list[Stage] = []
        self._lock = ForkSafeLock()

    def nearest(self, kind: Hashable, images: Sequence[Fingerprint]) -> tuple[int, Stage | None]:
        """Return the stage that shares the most messages, and how many."""
        with self._lock:
            held = self._held
        nearest: tuple[int, Stage | None] = 0, None
        for stage in reversed(held):
            if stage.kind == kind and (shared := stage.shared(images)) > nearest[0]:
                nearest = shared, stage
                if shared == len(stage.images):
                    break
        return nearest

    def put(self, stage: Stage, instead: Stage | None) -> None:
        """Hold a stage, in the place of the one that it went on from."""
        if stage.size > _BYTES:
            return
        with self._lock:
            held = [*(one for one in self._held if one is not instead), stage]
            size = sum(one.size for one in held)
            while len(held) > _STAGES or size > _BYTES:
                size -= held.pop(0).size
            self._held = held


_stages = Stages()


class Growth:
    """A conversation that may have come before, when it was shorter or ended in another way.

    Args:
        dialect: reads the messages; where it is no `MessageReader`, all of them each time.
        messages: the messages.
        settings: what decides what becomes of them beside the dialect.

    Attributes:
        draft: the messages as they were read.
        steps: what became of the first blocks, when they came before.
        counted: the tokens of the first messages, when they came before.
    """

    def __init__(self, dialect: Dialect, messages: Sequence[Any], settings: Hashable) -> None:
        self.steps: list[Step] = []
        self.counted: list[int] = []
        self._kind = type(dialect), settings
        self._dialect, self._messages = dialect, messages
        self._reading, self._before = ParseState(), None
        self._images = _images(dialect, messages)
        if not isinstance(dialect, MessageReader) or self._images is None:
            self.draft = dialect.parse(messages)
            return
        shared, before = _stages.nearest(self._kind, self._images)
        if before:
            self._reading = before.reading.copy_up_to(shared)
            self.steps, self.counted = (
                before.steps[: len(self._reading.blocks)],
                before.counted[:shared],
            )
            self._before = before if 2 * shared >= len(before.images) else None
        self.draft = dialect.build_draft(messages, dialect.read_new(self._reading, messages))

    def keep(self, steps: list[Step], counted: list[int]) -> None:
        """Hold how far the conversation is now, unless somebody changed a message meanwhile."""
        new = len(self.counted)
        if self._images is not None and self._images[new:] == _images(
            self._dialect, self._messages[new:]
        ):
            size = sum(
                len(rest) + len(text or "") + _BYTES_A_MESSAGE for rest, text in self._images
            )
            stage = Stage(self._kind, self._images, self._reading, steps, counted, size)
            _stages.put(stage, self._before)


def _images(dialect: Dialect, messages: Sequence[Any]) -> list[Fingerprint] | None:
    """Return the messages' images; None where they have none, or where the dialect has a `parse` of its own."""
    parse: Any = type(dialect).parse
    if isinstance(dialect, MessageReader) and parse is MessageReader.parse:
        with suppress(ValueError):
            return [dialect.fingerprint(message) for message in messages]
    return None
