"""Cuts a conversation to its limits, message by message from its beginning.

No decision looks at a later message, and no decision is ever undone, so a conversation that grows
is cut as it was before. A cut leaves free room below the limit, more of it the longer the
conversation has lasted: between two cuts nothing that was sent changes, and a provider's prompt
cache keeps hitting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from headroom_core._internal.caches import process_caches
from headroom_core._internal.lru import LRUCache
from headroom_core.compressors.excerpt import MIN_EXCERPT_TOKENS
from headroom_core.dialects.access import received_texts
from headroom_core.markers import content_key
from headroom_core.messages import OUTPUT_KINDS, Change, Draft, original_text
from headroom_core.tokens.tokenizer import TOKENS_PER_REPLY, Tokenizer
from headroom_core.transforms.windows.droppable import DroppableUnits
from headroom_core.transforms.windows.gap import DroppedMessages, with_gap
from headroom_core.transforms.windows.limits import (
    Limits,
    budget_warnings,
    message_sizes,
    sent_tokens,
)
from headroom_core.transforms.windows.planner import CutPlanner
from headroom_core.transforms.windows.policy import (
    Candidate,
    CutPolicy,
    CutState,
    Shorten,
    ShortenedBlock,
    protected_candidates,
)
from headroom_core.transforms.windows.truncation import TextTruncation
from headroom_core.transforms.windows.turns import Turns

# Early in a conversation, every kept token is worth more than a prefix that stays cached. A mature
# conversation is likely to go on, so a cut makes room for this many further turns or requests.
_MATURE_ROUNDS_BETWEEN_CUTS = 20
_MATURE_TURNS = 40
_MATURE_REQUESTS = 80

_MAX_ROOM_SHARE = 0.5
"""Maximum share of the unprotected tokens that a cut leaves free."""

_MAX_DECISIONS = 4096
_DECISION_KEY_DIGITS = 24

_TRUNCATION_ROOM = 10
"""The part of the limit, as its denominator, that stays free after texts were cut."""

_DECISION_VERSION = "5"
"""Part of every decision key: to be changed whenever the same input is decided differently."""

_decisions: LRUCache[str, dict[int, str]] = process_caches.lru(_MAX_DECISIONS)
"""Decisions of this process, by a hash of everything that they depend on. They only save time."""


class WindowCutter:
    """Adds the messages of a conversation in order, and cuts whenever they exceed the limits.

    Args:
        draft: The conversation, with outlines.
        tokenizer: Counts the tokens.
        limits: Maximum size of the conversation.
        policy: Order in which units are dropped, and how outputs are shortened first.
        counted: Number of tokens of each message as received. Defaults to counting them.

    Attributes:
        sizes: Number of tokens of each message, including dropped messages.
        turns: Units of the messages that have been added so far.
        dropped: Reason for each dropped message, by its index.
    """

    def __init__(
        self,
        draft: Draft,
        tokenizer: Tokenizer,
        limits: Limits,
        policy: CutPolicy,
        *,
        counted: Sequence[int] | None = None,
    ) -> None:
        if counted is None:
            counted = tokenizer.count_each(draft.messages, draft.counter)
        self._draft = draft
        self.sizes = message_sizes(draft, counted, tokenizer)
        self.turns = Turns()
        self.dropped: dict[int, str] = {}
        self._original_sizes = counted
        self._tokenizer = tokenizer
        self._limits = limits
        self._policy = policy
        self._droppable = DroppableUnits(
            self.turns, policy.protected_turns, keep_system=policy.keep_system
        )
        # Positions in `draft.blocks` by message: of all its blocks, and of its outputs that may
        # still be shortened.
        self._blocks_of: dict[int, list[int]] = {}
        self._outputs_of: dict[int, list[int]] = {}
        self._shortened: dict[int, ShortenedBlock] = {}
        self._kept: dict[int, None] = {}
        self._cuttable_tokens = 0
        self._truncation = TextTruncation(
            draft.blocks,
            policy.truncate,
            tokens_of=self._text_tokens,
            excess=lambda: self.tokens - limits.hard,
            replace=self._replace,
        )
        self._leading_system_tokens = 0
        self._leading_system_count = 0
        self._received_tokens = 0
        self._kept_tokens = TOKENS_PER_REPLY
        self._marker_tokens = 0
        self._archive = DroppedMessages.within(limits.hard)
        self._dropped_at: dict[int, int] = {}
        settings = (policy.name, policy.settings, limits.hard, limits.soft, tokenizer.encoding)
        self._history = hashlib.sha256(repr((_DECISION_VERSION, *settings)).encode())
        self._hashed_count = 0
        # What happened since the history was hashed last.
        self._events: list[tuple[str, Sequence[int]]] = []

    def run(self) -> Draft:
        """Cut the conversation, and return it with its gap and the changes that explain it."""
        if sum(self.sizes) + TOKENS_PER_REPLY <= self._limits.threshold:
            return self._draft
        for position, block in enumerate(self._draft.blocks):
            self._blocks_of.setdefault(block.message, []).append(position)
        earlier_drops = _earlier_drops(self._draft)
        for index in range(len(self._draft.outlines)):
            self._add(index)
            self._drop(earlier_drops.get(index, {}), index)
            if self._should_cut():
                self._cut(index)
            if self.tokens > self._limits.hard:
                self._truncate()
        return self._result()

    def state(self) -> CutState:
        """Return the state of the conversation after the last message that was added."""
        return CutState(self.turns, self._droppable.unprotected)

    def _add(self, index: int) -> None:
        outline = self._draft.outlines[index]
        self._kept[index] = None
        self._cuttable_tokens += self._cuttable(index)
        self._received_tokens += self.sizes[index]
        self._kept_tokens += self.sizes[index]
        outputs = [
            position
            for position in self._blocks_of.get(index, ())
            if self._draft.blocks[position].kind in OUTPUT_KINDS
        ]
        self._droppable.add(outline, self.sizes[index], has_outputs=bool(outputs))
        if outputs:
            self._outputs_of[index] = outputs
        if self.turns.unit_of[index].kind == "system" and self._leading_system_count == index:
            self._leading_system_count += 1
            self._leading_system_tokens += self.sizes[index]
        callers = {self.turns.message_of_call.get(call, index) for call in outline.answers}
        if outline.kind == "tool_result" and callers and callers <= self.dropped.keys():
            self._drop({index: "its tool call was dropped before this result arrived"}, index)

    @property
    def tokens(self) -> int:
        """Maximum number of tokens that are sent so far."""
        return self._kept_tokens + self._marker_tokens

    def _should_cut(self) -> bool:
        if self.tokens > self._limits.hard:
            return True
        soft = self._limits.soft
        return soft is not None and self.tokens > soft and self._would_pay_off(soft)

    def _would_pay_off(self, limit: int) -> bool:
        """Return whether enough further requests are likely for a cut to pay off.

        As many are assumed as there have been: nothing but a conversation's age is known about its
        future.
        """
        if self._limits.break_even is None:
            return True
        # The leading system messages stay cached across a cut.
        cached = self._leading_system_tokens
        room = self._room_to_leave(limit)
        resent = max(limit - room - cached, 0)
        removed = self.tokens - limit + room
        return self.turns.request_count > self._limits.break_even(resent, removed)

    def _room_to_leave(self, droppable_tokens: int) -> int:
        """Return how many of the unprotected tokens to leave free for the next messages.

        The room grows with the cube of the conversation's age, so it stays small for a long time.
        """
        room = 0
        for count, mature_count in (
            (self.turns.turn_count, _MATURE_TURNS),
            (self.turns.request_count, _MATURE_REQUESTS),
        ):
            if count:
                maturity = min(1.0, (count / mature_count) ** 3)
                rounds = int(_MATURE_ROUNDS_BETWEEN_CUTS * maturity)
                room = max(room, rounds * self._received_tokens // count)
        return min(int(_MAX_ROOM_SHARE * max(droppable_tokens, 0)), room)

    def _cut(self, index: int) -> None:
        """Shorten outputs and, where that does not suffice, drop messages."""
        limit = self._limits.threshold
        shorten = self._policy.shorten
        if shorten is not None and self._shortening_suffices(shorten, limit):
            return
        if not self._droppable.unprotected and not self._protection_may_give_way():
            return
        remember = self._policy.remember or _decisions.get_or_compute
        decision = remember(self._decision_key(index), lambda: self._decide(limit))
        # The decision may come from a store: never drop a message that has not been added yet.
        known = {message: reason for message, reason in decision.items() if message <= index}
        self._drop(known, index)

    def _decision_key(self, index: int) -> str:
        """Return a hash of everything that a decision depends on."""
        for message in range(self._hashed_count, index + 1):
            positions = self._blocks_of.get(message, ())
            blocks = [self._draft.blocks[position] for position in positions]
            texts = [
                (block.kind, block.tool, content_key(original_text(block))) for block in blocks
            ]
            entry = repr((self._draft.outlines[message], self.sizes[message], texts))
            self._history.update(entry.encode("utf-8", "surrogatepass"))
        self._hashed_count = index + 1
        self._history.update(repr(self._events).encode())
        self._events.clear()
        return self._history.hexdigest()[:_DECISION_KEY_DIGITS]

    def _shortening_suffices(self, shorten: Shorten, limit: int) -> bool:
        """Shorten outputs, and return whether no message has to be dropped.

        After a small excess, droppable outputs are shortened until there is room for the next
        messages, protected outputs only as far as the limit demands. After a large excess, all
        outputs are shortened.
        """
        droppable_outputs = [
            message
            for message in self._outputs_of
            if self.turns.unit_of[message] in self._droppable
        ]
        room = self._room_to_leave(limit - self.tokens + self._droppable.output_tokens)
        is_small_excess = self.tokens - limit <= self._policy.shorten_within * limit
        self._shorten_outputs(shorten, droppable_outputs, limit - room if is_small_excess else 0)
        self._shorten_outputs(shorten, [*self._outputs_of], limit if is_small_excess else 0)
        # With less than half of the room, the next cut would follow soon and gain less each time.
        return self.tokens <= limit - room // 2

    def _shorten_outputs(self, shorten: Shorten, messages: Iterable[int], limit: int) -> None:
        """Shorten outputs of kept messages, in the given order, down to the limit."""
        for message in messages:
            positions = self._outputs_of[message]
            while positions and self.tokens > limit:
                position = positions.pop(0)
                shortened = shorten(self._draft.blocks[position])
                if shortened is not None:
                    self._replace(position, shortened)
            if self.tokens <= limit:
                break
            del self._outputs_of[message]

    def _truncate(self) -> None:
        """Cut the largest texts of kept messages if the limit that must be met can be met so."""
        limit = self._limits.hard
        if self.tokens - limit <= self._cuttable_tokens:
            kept = [position for index in self._kept for position in self._blocks_of.get(index, ())]
            self._truncation.cut(kept, room=limit // _TRUNCATION_ROOM)
            if self.tokens > limit:
                # Nothing is left to cut but what comes from now on.
                self._cuttable_tokens = 0

    def _cuttable(self, index: int) -> int:
        """Return at most how many tokens cutting the texts of a message can save."""
        blocks = [self._draft.blocks[position] for position in self._blocks_of.get(index, ())]
        is_text = any(block.kind in OUTPUT_KINDS or block.kind == "user" for block in blocks)
        return max(0, self.sizes[index] - MIN_EXCERPT_TOKENS) if is_text else 0

    def _text_tokens(self, position: int) -> int:
        """Return the tokens of a block as it is sent so far."""
        shortened = self._shortened.get(position)
        block = shortened.block if shortened else self._draft.blocks[position]
        return self._tokenizer.count_text(block.text)

    def _replace(self, position: int, shortened: ShortenedBlock) -> None:
        """Send a block in a shorter form."""
        block = self._draft.blocks[position]
        message = self._draft.messages[block.message]
        earlier = self._shortened.get(position)
        if earlier is not None:
            before = [earlier.block.text]
        elif block.original is None:
            before = received_texts(message, block)
        else:
            before = [block.text]
        self._shortened[position] = shortened
        difference = self._tokenizer.count_text(shortened.block.text) - sum(
            map(self._tokenizer.count_text, before)
        )
        self._cuttable_tokens -= self._cuttable(block.message)
        self.sizes[block.message] += difference
        self._cuttable_tokens += self._cuttable(block.message)
        self._kept_tokens += difference
        unit = self.turns.unit_of[block.message]
        self._droppable.resize(unit, difference, is_output=block.kind in OUTPUT_KINDS)
        if block.message < self._leading_system_count:
            self._leading_system_tokens += difference
        self._events.append(("resized", (block.message, difference)))

    def _decide(self, limit: int) -> dict[int, str]:
        """Return the messages to drop, with the reason for each."""
        candidates = list(self._policy.rank(self.state()))
        hard = self._limits.hard
        planner = self._planner(candidates)
        if planner.fewest_tokens > hard and self._protection_may_give_way():
            # Protection gives way last, and only if the limit is met then.
            protected = protected_candidates(self._droppable.protected)
            everything = self._planner([*candidates, *protected])
            if everything.fewest_tokens <= hard:
                planner, limit = everything, hard
        droppable_tokens = limit - planner.protected_tokens
        # Where even dropping all candidates does not meet the limit, all are dropped.
        target = limit - self._room_to_leave(droppable_tokens) if droppable_tokens > 0 else 0
        return planner.plan(target)

    def _planner(self, candidates: Sequence[Candidate]) -> CutPlanner:
        return CutPlanner(
            candidates,
            kept_tokens=self._kept_tokens,
            archive=self._archive,
            tokenizer=self._tokenizer,
            limit=self._limits.hard,
        )

    def _protection_may_give_way(self) -> bool:
        """Return whether the limit might be met if all droppable units were dropped."""
        protected_tokens = self._droppable.protected_tokens
        unprotected_tokens = sum(unit.tokens for unit in self._droppable.unprotected)
        fewest_tokens = self._kept_tokens - unprotected_tokens - protected_tokens
        return protected_tokens > 0 and fewest_tokens <= self._limits.hard

    def _drop(self, reasons: Mapping[int, str], index: int) -> None:
        """Drop messages, as decided when the message at `index` was added."""
        new = {
            message: reason for message, reason in reasons.items() if message not in self.dropped
        }
        if not new:
            return
        weight = sum(self.sizes[message] for message in new)
        self._kept_tokens -= weight
        self._archive.add(sorted(new), weight)
        # Only here: the marker stays the same until more messages are dropped.
        room = self._limits.hard - self._kept_tokens
        self._marker_tokens = self._archive.fit_marker(room, self._tokenizer)
        for message in new:
            unit = self.turns.unit_of[message]
            unit.dropped = True
            self._droppable.remove(unit)
            self._outputs_of.pop(message, None)
            self._kept.pop(message, None)
            self._cuttable_tokens -= self._cuttable(message)
        self._events.append(("dropped", sorted(new)))
        self.dropped |= new
        self._dropped_at |= dict.fromkeys(new, index)

    def _result(self) -> Draft:
        shortened = _replace_shortened(self._draft, self._shortened)
        draft = with_gap(shortened, self._archive, self._dropped_at)
        if draft.gap is not None:
            kept = (change for change in draft.changes if change.message not in self.dropped)
            changes = sorted((*kept, *self._dropped_changes()), key=lambda change: change.message)
            draft = replace(draft, changes=tuple(changes))
        tokens = sent_tokens(draft, self.sizes, self._tokenizer)
        warnings = budget_warnings(tokens, self._limits.hard, estimated=self._tokenizer.estimated)
        return replace(draft, warnings=(*draft.warnings, *warnings))

    def _dropped_changes(self) -> list[Change]:
        return [
            Change(
                message=message,
                path=(),
                action="dropped",
                by=self._policy.name,
                reason=reason,
                tokens_before=self._original_sizes[message],
                tokens_after=0,
                keys=(self._archive.key_of[message],),
            )
            for message, reason in sorted(self.dropped.items())
        ]


def _earlier_drops(draft: Draft) -> dict[int, dict[int, str]]:
    """Return the messages that another transform dropped, by the message at which it did so.

    They stay dropped, with the same reasons.
    """
    if draft.gap is None:
        return {}
    reasons = {
        change.message: change.reason for change in draft.changes if change.action == "dropped"
    }
    drops: dict[int, dict[int, str]] = {}
    for message, index in zip(draft.gap.messages, draft.gap.since):
        drops.setdefault(index, {})[message] = reasons.get(message, "")
    return drops


def _replace_shortened(draft: Draft, shortened_by_position: Mapping[int, ShortenedBlock]) -> Draft:
    """Return the draft with shortened blocks, their changes and their originals."""
    if not shortened_by_position:
        return draft
    blocks = list(draft.blocks)
    changes: list[Change] = []
    originals = dict(draft.originals)
    for position, shortened in shortened_by_position.items():
        blocks[position] = shortened.block
        changes.append(shortened.change)
        originals.update(shortened.originals)
    places = {(change.message, change.path) for change in changes}
    earlier = [change for change in draft.changes if (change.message, change.path) not in places]
    # A text that was shortened before is the original of its excerpt, and names its own.
    keys = {(change.message, change.path): change.keys for change in draft.changes}
    changes = [
        replace(change, keys=(*change.keys, *keys.get((change.message, change.path), ())))
        for change in changes
    ]
    return replace(draft, blocks=tuple(blocks), changes=(*earlier, *changes), originals=originals)
