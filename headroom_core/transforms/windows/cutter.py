"""Cuts: which messages are left out so that a conversation fits, decided message by message from the first one on.

What was decided is never undone, and no decision looks at a later message, so that a conversation which grows is
cut as it was before. A cut goes below the limit, the further the longer the conversation has gone on: between two
cuts nothing that was sent changes, and a provider's prompt cache keeps hitting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from headroom_core._internal.lru import LRUCache
from headroom_core.markers import content_key
from headroom_core.messages import OUTPUT_KINDS, Change, Draft, original_text
from headroom_core.tokens.tokenizer import PER_REPLY, Tokenizer
from headroom_core.transforms.windows.gap import FIRST_KEY, FURTHER_KEY, DroppedMessages, with_gap
from headroom_core.transforms.windows.knapsack import first_come, least_loss
from headroom_core.transforms.windows.limits import (
    Limits,
    budget_warnings,
    message_sizes,
    sent_tokens,
)
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutPolicy,
    CutState,
    Shorten,
    ShortenedBlock,
)
from headroom_core.transforms.windows.turns import Turns, TurnUnit

_BETWEEN = 20
_FULL_TURNS, _FULL_REQUESTS = 40, 80
_LARGEST_SHARE = 0.5
_REMEMBERED = 4096
_KEY_DIGITS = 24
_VERSION = "1"

_decisions = LRUCache[str, dict[int, str]](_REMEMBERED)
"""Decisions of this process by all that they depend on; they are pure, so that it saves time alone."""


class WindowCutter:
    """Takes in a conversation's messages one by one, and cuts when they no longer fit.

    Args:
        draft: the conversation, with outlines.
        tokenizer: counts the tokens.
        limits: how large it may be.
        policy: what goes first, and what is done before.
        counted: the tokens of every message as it came. None: they are counted.

    Attributes:
        draft: the conversation so far.
        sizes: the tokens of every message.
        turns: the units of the messages so far.
        gone: the messages that are left out, and why.
    """

    def __init__(
        self,
        draft: Draft,
        tokenizer: Tokenizer,
        limits: Limits,
        policy: CutPolicy,
        counted: Sequence[int] | None = None,
    ) -> None:
        self.draft = draft
        self._counted = tokenizer.count_each(draft.messages) if counted is None else counted
        self.sizes = message_sizes(draft, self._counted, tokenizer)
        self.turns = Turns()
        self.gone: dict[int, str] = {}
        self._since: dict[int, int] = {}
        self._tokenizer = tokenizer
        self._limits = limits
        self._policy = policy
        self._blocks: dict[int, list[int]] = {}
        self._outputs: dict[int, list[int]] = {}
        self._came = 0
        self._tokens = PER_REPLY
        self._marker = 0
        self._left = DroppedMessages()
        self._keyed = 0
        self._arrived = hashlib.sha256(
            repr(
                (
                    _VERSION,
                    policy.name,
                    policy.settings,
                    limits.hard,
                    limits.soft,
                    tokenizer.encoding,
                )
            ).encode()
        )

    def run(self) -> Draft:
        """Return the draft with its gap, and with the changes of what was left out."""
        if sum(self.sizes) + PER_REPLY <= self._limits.threshold:
            return self.draft
        for position, block in enumerate(self.draft.blocks):
            self._blocks.setdefault(block.message, []).append(position)
        earlier = _leavings(self.draft)
        for index in range(len(self.draft.outlines)):
            self._arrive(index)
            self._leave(index, earlier.get(index, {}))
            if self._is_to_cut():
                self._cut(index)
        return self._result()

    def moment(self) -> CutState:
        """Return what is known now."""
        return CutState(self.turns, self._present(), self.sizes)

    def _arrive(self, index: int) -> None:
        outline = self.draft.outlines[index]
        self.turns.arrive(outline)
        self._came += self.sizes[index]
        self._tokens += self.sizes[index]
        outputs = [
            at for at in self._blocks.get(index, ()) if self.draft.blocks[at].kind in OUTPUT_KINDS
        ]
        self._outputs |= {index: outputs} if outputs else {}
        callers = {self.turns.callers.get(key, index) for key in outline.answers}
        if outline.kind == "tool_result" and callers and callers <= self.gone.keys():
            self._leave(index, {index: "its call was left out before it came"})

    @property
    def tokens(self) -> int:
        """The tokens of what is sent, at most."""
        return self._tokens + self._marker

    def _is_to_cut(self) -> bool:
        if self.tokens > self._limits.hard:
            return True
        return (
            self._limits.soft is not None
            and self.tokens > self._limits.soft
            and self._pays(self._limits.soft)
        )

    def _pays(self, limit: int) -> bool:
        """Return whether the requests that are likely to follow are enough.

        As many are taken to follow as there have been: nothing is known about a conversation but its age.
        """
        if self._limits.break_even is None:
            return True
        steady = next(
            (index for index, unit in enumerate(self.turns.of) if unit.kind != "system"), 0
        )
        kept = limit - self._room(limit) - sum(self.sizes[:steady])
        return self.turns.requests > self._limits.break_even(
            max(kept, 0), self.tokens - limit + self._room(limit)
        )

    def _room(self, loose: int) -> int:
        """Return how many tokens to leave free for the next messages, of those that are not protected.

        Early in a conversation every token kept counts more than a steady prefix; from its 40th turn or 80th
        request on, the next cut is to come after another 20 of them.
        """
        rooms = (
            int(_BETWEEN * min(1.0, (count / full) ** 3)) * self._came // count
            for count, full in (
                (self.turns.turn, _FULL_TURNS),
                (self.turns.requests, _FULL_REQUESTS),
            )
            if count
        )
        return min(int(_LARGEST_SHARE * max(loose, 0)), max(rooms, default=0))

    def _cut(self, index: int) -> None:
        limit, policy = self._limits.threshold, self._policy
        if policy.shorten is not None and self._shortening_suffices(policy.shorten, limit):
            return
        remember = policy.remember or _decisions.of
        gone = remember(self._key(index), lambda: self._decided(limit))
        self._leave(
            index, {message: reason for message, reason in gone.items() if message <= index}
        )

    def _key(self, index: int) -> str:
        """Return a key for all that a decision depends on."""
        for message in range(self._keyed, index + 1):
            blocks = (self.draft.blocks[position] for position in self._blocks.get(message, ()))
            texts = [
                (block.kind, block.tool, content_key(original_text(block))) for block in blocks
            ]
            self._arrived.update(
                repr((self.draft.outlines[message], texts)).encode("utf-8", "surrogatepass")
            )
        self._keyed = index + 1
        known = self._arrived.copy()
        known.update(repr((self._came, self.sizes[: index + 1], sorted(self.gone))).encode())
        return known.hexdigest()[:_KEY_DIGITS]

    def _shortening_suffices(self, shorten: Shorten, limit: int) -> bool:
        """Shorten outputs, and return whether nothing has to go.

        Those that may go make room for the next messages, the others no more than the limit demands.
        """
        loose = sorted(
            self._outputs.keys()
            & {message for unit in self._present() for message in unit.messages}
        )
        room = self._room(limit - self.tokens + sum(self.sizes[message] for message in loose))
        within = self.tokens - limit <= self._policy.shorten_within * limit
        self._shorten(shorten, loose, limit - room if within else 0)
        self._shorten(shorten, self._outputs, limit if within else 0)
        # Where less than half of that room is made, it would soon have to be done again, each time for less.
        return self.tokens <= limit - room // 2

    def _shorten(self, shorten: Shorten, messages: Iterable[int], limit: int) -> None:
        """Shorten the outputs of messages that are present, in this order, until no more than the limit is sent."""
        made: dict[int, ShortenedBlock] = {}
        for position in (position for message in messages for position in self._outputs[message]):
            if self.tokens <= limit:
                break
            block = self.draft.blocks[position]
            if block.message not in self.gone and (shortened := shorten(block)) is not None:
                made[position] = shortened
                self._resize(block.message, block.text, shortened.block.text)
        if made:
            self.draft = _with_shortened(self.draft, made)

    def _resize(self, message: int, before: str, after: str) -> None:
        difference = self._tokenizer.count_text(after) - self._tokenizer.count_text(before)
        self.sizes[message] += difference
        self._tokens += difference

    def _decided(self, limit: int) -> dict[int, str]:
        """Return the messages that are to go, and why."""
        leaving = list(self._policy.rank(self.moment()))
        weights = [
            sum(self.sizes[message] for unit in one.units for message in unit.messages)
            for one in leaving
        ]
        tokens = self.tokens + (FURTHER_KEY if self._left.keys else FIRST_KEY)
        loose = limit - (tokens - sum(weights))
        target = limit - self._room(loose) if loose > 0 else 0
        taken = _chosen(leaving, weights, tokens - target)
        tokens = self._without(leaving, weights, taken)
        # Where not the order alone decides, the last ones made it fit: the more important may now have room again.
        weighed = any(one.worth is not None for one in leaving)
        for number in list(reversed(taken)) if weighed else ():
            fewer = [other for other in taken if other != number]
            if (
                tokens + weights[number] <= target
                and (with_it := self._without(leaving, weights, fewer)) <= target
            ):
                taken, tokens = fewer, with_it
        if tokens >= self.tokens:
            return {}  # The marker would cost more than what it stands for.
        units = (
            (unit, leaving[number].reason) for number in taken for unit in leaving[number].units
        )
        return {message: reason for unit, reason in units for message in unit.messages}

    def _without(
        self, leaving: Sequence[Candidate], weights: Sequence[int], taken: Sequence[int]
    ) -> int:
        """Return the tokens that are sent, at most, when the units of these numbers go."""
        messages = sorted(
            message
            for number in taken
            for unit in leaving[number].units
            for message in unit.messages
        )
        if not messages:
            return self.tokens
        weight = sum(weights[number] for number in taken)
        return (
            self._tokens
            - weight
            + self._left.added(messages, weight).marker_tokens(self._tokenizer)
        )

    def _present(self) -> tuple[TurnUnit, ...]:
        held = {id(self.turns.of[-1]), id(self.turns.spoke)}
        return tuple(
            unit
            for unit in self.turns.units
            if not unit.unanswered
            and unit.kind != "unknown"
            and id(unit) not in held
            and unit.messages[0] not in self.gone
        )

    def _leave(self, index: int, gone: Mapping[int, str]) -> None:
        """Leave messages out, as decided when the message of that index had come."""
        new = {message: reason for message, reason in gone.items() if message not in self.gone}
        if new:
            weight = sum(self.sizes[message] for message in new)
            self._tokens -= weight
            self._left.add(sorted(new), weight)
            self._marker = self._left.marker_tokens(self._tokenizer)
            self.gone |= new
            self._since |= dict.fromkeys(new, index)

    def _result(self) -> Draft:
        draft = with_gap(self.draft, self._left, self._since)
        if draft.gap is not None:
            draft = replace(draft, changes=(*self._changes(draft), *self._dropped()))
        tokens = sent_tokens(draft, self.sizes, self._tokenizer)
        told = budget_warnings(tokens, self._limits.hard, estimated=self._tokenizer.estimated)
        return replace(draft, warnings=(*draft.warnings, *told))

    def _changes(self, draft: Draft) -> Iterator[Change]:
        return (change for change in draft.changes if change.message not in self.gone)

    def _dropped(self) -> Iterator[Change]:
        for message, reason in sorted(self.gone.items()):
            key = self._left.key_of[message]
            yield Change(
                message, (), "dropped", self._policy.name, reason, self._counted[message], 0, (key,)
            )


def _leavings(draft: Draft) -> dict[int, dict[int, str]]:
    """Return what another transform left out, by the message at which it did: that stays so."""
    if draft.gap is None:
        return {}
    reasons = {
        change.message: change.reason for change in draft.changes if change.action == "dropped"
    }
    leavings: dict[int, dict[int, str]] = {}
    for message, index in zip(draft.gap.messages, draft.gap.since):
        leavings.setdefault(index, {})[message] = reasons.get(message, "")
    return leavings


def _chosen(leaving: Sequence[Candidate], weights: Sequence[int], excess: int) -> list[int]:
    """Return the numbers of those that go: first what has a worth, with little loss, then the others in order."""
    weighed = [number for number, one in enumerate(leaving) if one.worth is not None]
    losses = [weights[number] * (leaving[number].worth or 0.0) for number in weighed]
    chosen = [
        weighed[at] for at in least_loss([weights[number] for number in weighed], losses, excess)
    ]
    excess -= sum(weights[number] for number in chosen)
    others = [number for number, one in enumerate(leaving) if one.worth is None]
    return chosen + [
        others[at] for at in first_come([weights[number] for number in others], excess)
    ]


def _with_shortened(draft: Draft, made: Mapping[int, ShortenedBlock]) -> Draft:
    changed = {(one.change.message, one.change.path) for one in made.values()}
    before = tuple(
        change for change in draft.changes if (change.message, change.path) not in changed
    )
    blocks = tuple(made[at].block if at in made else block for at, block in enumerate(draft.blocks))
    originals = {key: text for one in made.values() for key, text in one.originals.items()}
    return replace(
        draft,
        blocks=blocks,
        changes=(*before, *(one.change for one in made.values())),
        originals={**draft.originals, **originals},
    )
